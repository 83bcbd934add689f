//! From where on changes are shown: `--since`, and the place behind what was shown.

use std::{str::FromStr, sync::Arc, time::Duration};

use crate::{
    config::Config,
    error::{Explain as _, Explanation, Failure, Reason, Verdict},
    model::{
        gtid::GtidSet,
        position::{FilePosition, Position},
        utc_time::UtcTime,
    },
    mysql::{Connection, Continuity, DiscontinuityKind, MysqlError, Server, check_place, clock_us},
    pipeline::locate_time::{TimePlace, locate_time},
};

/// From where on changes are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// From the end of the source's binlog on.
    Now,
    /// From so long ago on.
    Ago(Duration),
    /// From a time on.
    Time(UtcTime),
    /// From a place of the source's binlog on, where a transaction begins.
    Place(FilePosition),
    /// All that is not in this set.
    Gtids(GtidSet),
}

/// What a text must be to say from where on.
const NEEDED: &str = "a duration (10m, 2h, 1d), a time (2026-11-30T10:00:00Z or \
    \"2026-11-30 10:00:00\", in UTC), FILE:POS (binlog.000002:1234) or a GTID set is needed";

/// What helps where `--since` leads nowhere.
const HINT: &str = "SHOW BINARY LOGS; lists what the source has. Give a later --since, or none to \
    begin with the next change.";

impl FromStr for Since {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(duration) = duration(text) {
            return Ok(Self::Ago(duration));
        }
        if let Ok(time) = text.parse() {
            return Ok(Self::Time(time));
        }
        match text.parse::<GtidSet>() {
            Ok(set) if !set.is_empty() => return Ok(Self::Gtids(set)),
            _ => {}
        }
        let (file, offset) = text.rsplit_once(':').ok_or(NEEDED)?;
        let offset = offset.parse().map_err(|_| NEEDED)?;
        let place = FilePosition { file: file.to_owned(), offset };
        // A time such as 10:00 would pass for a file; a binlog's name ends in a point and a number.
        let is_file = file.contains('.') && place.file_number().is_some();
        if is_file { Ok(Self::Place(place)) } else { Err(NEEDED) }
    }
}

/// `90s`, `10m`, `2h` or `1d`.
fn duration(text: &str) -> Option<Duration> {
    let unit_s = match text.chars().next_back()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let number = text.get(..text.len() - 1)?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = number.parse::<u64>().ok().filter(|_| is_number)?.checked_mul(unit_s)?;
    Some(Duration::from_secs(seconds))
}

/// The position at which the tail begins.
pub(super) async fn resolve(
    since: &Since,
    connection: &mut Connection,
    config: &Arc<Config>,
    server: &Server,
) -> Result<Position, Failure> {
    let here = server.current.clone();
    match since {
        Since::Now => Ok(here),
        Since::Ago(duration) => {
            let now_us = clock_us(connection, config).await?;
            let ago_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
            let time = UtcTime { us: now_us.saturating_sub(ago_us) };
            at_time(time, config, server).await
        }
        Since::Time(time) => at_time(*time, config, server).await,
        Since::Place(place) => {
            let offset = place.offset.max(FilePosition::OFFSET_MIN);
            let place = FilePosition { offset, ..place.clone() };
            let checked = check_place(connection, config, server, &place).await;
            checked.map_err(|error| explain(error, true))?;
            Ok(Position { gtid_set: None, file: place, ..here })
        }
        Since::Gtids(set) => {
            let file = FilePosition::default();
            let position = Position { gtid_set: Some(set.clone()), file, ..here };
            let mut continuity = Continuity::default();
            let resumed = continuity.resume(connection, config, server, (&position, None)).await;
            resumed.map_err(|error| explain(error, true))
        }
    }
}

async fn at_time(
    time: UtcTime,
    config: &Arc<Config>,
    server: &Server,
) -> Result<Position, Failure> {
    let TimePlace { place, is_oldest } = locate_time(config, server, time).await?;
    if is_oldest {
        tracing::warn!(
            file = place.file,
            "the source's binlogs of {time} UTC are gone: its oldest changes come first"
        );
    }
    Ok(Position { gtid_set: None, file: place, ..server.current.clone() })
}

/// The position behind what was shown, if the source still has what follows it.
pub(super) async fn resume(
    continuity: &mut Continuity,
    connection: &mut Connection,
    config: &Config,
    server: &Server,
    (shown, begun): (&Position, Option<u32>),
) -> Result<Position, Failure> {
    let resumed = if shown.gtid_set.is_some() || shown.server_uuid != server.uuid {
        continuity.resume(connection, config, server, (shown, begun)).await
    } else {
        // To count by GTIDs from here on would take a reading of the whole file.
        check_place(connection, config, server, &shown.file).await.map(|()| shown.clone())
    };
    resumed.map_err(|error| explain(error, false))
}

/// Why the source cannot be read from there on, in the words of this command: there is no saved
/// position, and nothing to give up.
fn explain(error: MysqlError, is_first: bool) -> Failure {
    let MysqlError::Discontinuity(discontinuity) = &error else { return error.into() };
    let Explanation { verdict, reason, .. } = error.explain();
    if verdict == Verdict::Recycle && !is_first {
        return error.into();
    }
    if !is_first {
        return Failure { hint: AGAIN.to_owned(), ..error.into() };
    }
    let message = match &discontinuity.what {
        DiscontinuityKind::Purged { missing } => {
            format!("--since: the source has no binlog with {missing} any more")
        }
        DiscontinuityKind::Reset { saved, last } => {
            format!("--since: the source has no {}, its last binlog is {last}", saved.file)
        }
        DiscontinuityKind::Truncated { saved, bytes } => {
            format!("--since: {} ends at {bytes}, before {saved}", saved.file)
        }
        DiscontinuityKind::Rewritten { saved } => {
            format!("--since: no transaction begins at {saved}")
        }
        DiscontinuityKind::Diverged { missing, .. } | DiscontinuityKind::Behind { missing, .. } => {
            format!("--since: the source has not executed {missing}")
        }
        DiscontinuityKind::GtidsOff { mode } => {
            format!("--since: the source runs with gtid_mode={mode}, give a time or FILE:POS")
        }
        other => format!("--since: {other}"),
    };
    let hint = match reason {
        Reason::SourceReset
            if matches!(discontinuity.what, DiscontinuityKind::Rewritten { .. }) =>
        {
            "SHOW BINLOG EVENTS IN 'FILE'; lists the places. Give the one of a Gtid or an \
             Anonymous_Gtid event, or a time: --since 10m"
        }
        _ => HINT,
    };
    Failure::new(Verdict::Halt, reason, message).hint(hint)
}

/// What helps where the place behind what was shown is gone.
const AGAIN: &str = "Run the command again: it begins with the next change, or where --since says.";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Since;
    use crate::model::position::FilePosition;

    #[test]
    fn each_form_of_since_is_read() {
        let ago = |seconds| Since::Ago(Duration::from_secs(seconds));
        let uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        let place = |file: &str, offset| Since::Place(FilePosition { file: file.into(), offset });
        for (text, expected) in [
            ("90s", ago(90)),
            ("10m", ago(600)),
            ("2h", ago(7200)),
            ("1d", ago(86_400)),
            ("2026-11-30 10:00:00", Since::Time("2026-11-30T10:00:00Z".parse().unwrap())),
            ("2026-11-30", Since::Time("2026-11-30T00:00:00Z".parse().unwrap())),
            ("binlog.000002:1234", place("binlog.000002", 1234)),
            ("my:bin.000001:4", place("my:bin.000001", 4)),
            (
                &format!("{uuid}:1-5,{uuid}:9"),
                Since::Gtids(format!("{uuid}:1-5:9").parse().unwrap()),
            ),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_says_no_place_is_refused() {
        let texts = ["", "now", "10", "10w", "m", "-5m", "1.5h", "binlog.000002", ":4", "a:b"];
        let times = ["2026-11-31 10:00:00", "10:00", "99999999999999999999d", "yesterday:4"];
        for text in texts.into_iter().chain(times) {
            assert!(text.parse::<Since>().is_err(), "{text}");
        }
    }
}
