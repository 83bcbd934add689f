//! Requests that one rows event is skipped: `tailwater position skip`.
//!
//! The request is part of the position, so it is written as any position is: by a producer that has
//! fenced all others, after it has read the newest one. The instance that reads it next skips the
//! event and says so; the position that passes the event forgets the request.

use std::sync::Arc;

use super::{
    ends::Target,
    start::{Fenced, LOAD_PATIENCE, fence},
    threads::on_thread,
};
use crate::{
    config::Config,
    error::{Failure, Reason, Verdict},
    model::position::{EventSkip, Position, RowsEvent},
    mysql::{self, EventAt},
    patience::Patience,
    shutdown::Shutdown,
    state::{self, PositionRecord, SKIPS_MAX},
};

/// What a request was found to mean.
pub struct ResolvedSkip {
    /// The committed position.
    pub position: Position,
    /// The event's type, as the source calls it.
    pub kind: String,
}

/// Checks whether a rows event can be skipped, and requests it if `execute` says so. Changes nothing
/// otherwise.
pub async fn skip_event(
    config: &Arc<Config>,
    event: RowsEvent,
    execute: bool,
) -> Result<ResolvedSkip, Failure> {
    let mut connection = mysql::connect(&config.mysql).await?;
    let at = EventAt::find(&mut connection, config, &event.place).await?;
    drop(connection);
    let work = {
        let (config, at) = (Arc::clone(config), at.clone());
        move || {
            let (patience, shutdown) = (Patience::default(), Shutdown::default());
            let saved = state::peek(&config, (LOAD_PATIENCE, &patience), &shutdown)?;
            let saved = saved.position.map(|saved| saved.record);
            let position = check(saved.as_ref(), &at, &event)?.position.clone();
            if execute {
                request(&config, (&patience, &shutdown), &at, event)?;
            }
            Ok::<_, Failure>(position)
        }
    };
    let position = on_thread("position", work).await??;
    let kind = if at.is_xa_commit { "XA COMMIT".to_owned() } else { at.kind.unwrap_or_default() };
    Ok(ResolvedSkip { position, kind })
}

/// Fences every instance, checks again what is saved now, and commits it with the request.
fn request(
    config: &Config,
    waits: (&Patience, &Shutdown),
    at: &EventAt,
    event: RowsEvent,
) -> Result<(), Failure> {
    let Fenced { mut producer, state_topic, saved, .. } =
        fence(config, Target::reach(config, waits, false)?, waits, None)?;
    let saved = check(saved.as_ref(), at, &event)?;
    let (generation, position) = (saved.generation + 1, saved.accounted_for());
    let mut record = PositionRecord::resumed(Some(saved), generation, position);
    record.skips.push(EventSkip { server_uuid: at.server_uuid, event });
    record.seq += 1;
    // Nothing streams, so a standby need not wait.
    record.released = true;
    producer.begin()?;
    state_topic.commit_last(producer, record, &config.name)
}

/// The position that the request would join, or why it cannot.
fn check<'a>(
    saved: Option<&'a PositionRecord>,
    at: &EventAt,
    event: &RowsEvent,
) -> Result<&'a PositionRecord, Failure> {
    let refused =
        |message: String| Failure::new(Verdict::Halt, Reason::SkipRefused, message).hint(HINT);
    let Some(saved) = saved else {
        return Err(refused("the connector has no committed position".to_owned()));
    };
    let position = &saved.position;
    if at.server_uuid != position.server_uuid {
        return Err(refused(format!(
            "the committed position belongs to the server {}, and mysql.host is {}: a file and an \
             offset count on one server only",
            position.server_uuid, at.server_uuid
        )));
    }
    if event.place < position.file {
        return Err(refused(format!(
            "{event} is before the committed position {position}: what is there is delivered \
             already"
        )));
    }
    let same = EventSkip { server_uuid: at.server_uuid, event: event.clone() };
    if saved.skips.contains(&same) {
        return Err(Failure::new(
            Verdict::Halt,
            Reason::SkipRequested,
            format!("it is requested already that the rows event at {event} is skipped"),
        )
        .hint("Start the connector."));
    }
    let place = &event.place;
    match (&at.kind, event.number) {
        (Some(_), None) if at.has_rows() => {}
        (Some(_), Some(_)) if at.has_rows_inside() => {}
        (Some(kind), Some(_)) => {
            return Err(refused(format!(
                "the source has neither a compressed transaction nor XA COMMIT at {place}, but {kind}"
            )));
        }
        (Some(kind), None) => {
            return Err(refused(format!("the source has no rows event at {place}, but {kind}")));
        }
        (None, _) => return Err(refused(format!("the source has no event at {place}"))),
    }
    if SKIPS_MAX <= saved.skips.len() {
        return Err(refused(format!("{SKIPS_MAX} rows events wait to be skipped already")));
    }
    Ok(saved)
}

/// What helps where a request is refused.
const HINT: &str = "Start the connector: its last message has the command with the event of the row \
    that stops it now.";

#[cfg(test)]
mod tests {
    use super::{EventAt, EventSkip, Position, PositionRecord, RowsEvent, SKIPS_MAX, check};

    const HERE: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn event(offset: u64) -> RowsEvent {
        format!("binlog.000002:{offset}").parse().unwrap()
    }

    fn saved(skips: &[u64]) -> PositionRecord {
        let server_uuid = HERE.parse().unwrap();
        let position =
            Position { server_uuid, gtid_set: None, file: event(500).place, source_time_us: 0 };
        let skip = |&offset: &u64| EventSkip { server_uuid, event: event(offset) };
        let skips = skips.iter().map(skip).collect();
        PositionRecord { skips, ..PositionRecord::resumed(None, 1, position) }
    }

    fn at(server_uuid: &str, kind: Option<&str>) -> EventAt {
        let kind = kind.map(str::to_owned);
        EventAt { server_uuid: server_uuid.parse().unwrap(), kind, is_xa_commit: false }
    }

    fn refusal(saved: Option<&PositionRecord>, at: &EventAt, offset: u64) -> String {
        check(saved, at, &event(offset)).unwrap_err().message
    }

    #[test]
    fn a_rows_event_behind_the_position_can_be_skipped() {
        for kind in ["Write_rows", "Update_rows", "Delete_rows", "Update_rows_partial"] {
            assert!(check(Some(&saved(&[600])), &at(HERE, Some(kind)), &event(700)).is_ok());
        }
    }

    #[test]
    fn an_event_without_a_place_of_its_own_is_named_by_its_number() {
        let compressed = at(HERE, Some("Transaction_payload"));
        let decided = EventAt { is_xa_commit: true, ..at(HERE, Some("Gtid")) };
        let rows = at(HERE, Some("Write_rows"));
        let second: RowsEvent = "binlog.000002:700:2".parse().unwrap();
        for there in [&compressed, &decided] {
            assert!(check(Some(&saved(&[700])), there, &second).is_ok());
            assert!(check(Some(&saved(&[600])), there, &event(700)).is_err());
        }
        for there in [&rows, &at(HERE, Some("Gtid")), &at(HERE, None)] {
            assert!(check(Some(&saved(&[700])), there, &second).is_err());
        }
    }

    #[test]
    fn what_cannot_be_skipped_is_refused() {
        let rows = at(HERE, Some("Write_rows"));
        let other = at("4e11fa47-71ca-11e1-9e33-c80aa9429562", Some("Write_rows"));
        let saved_now = saved(&[600]);
        let saved_now = Some(&saved_now);
        assert!(refusal(None, &rows, 700).contains("no committed position"));
        assert!(refusal(saved_now, &other, 700).contains("belongs to the server"));
        assert!(refusal(saved_now, &rows, 499).contains("before the committed position"));
        assert!(refusal(saved_now, &rows, 600).contains("already"));
        assert!(refusal(saved_now, &at(HERE, None), 700).contains("no event at"));
        for kind in ["Table_map", "Transaction_payload", "Rows_query"] {
            assert!(refusal(saved_now, &at(HERE, Some(kind)), 700).ends_with(kind));
        }
        let many: Vec<_> = (1000..).take(SKIPS_MAX).collect();
        assert!(refusal(Some(&saved(&many)), &rows, 700).contains("wait to be skipped"));
    }
}
