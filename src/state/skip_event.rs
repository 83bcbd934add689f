//! A requested skip of a rows event, as the position record has it.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use super::{error::RecordError, position_record::parsed};
use crate::model::position::{EventSkip, FilePosition, RowsEvent};

/// Most rows events that wait to be skipped, of about 110 bytes each.
pub const SKIPS_MAX: usize = 16;

/// A rows event that is to be skipped.
#[derive(Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub(super) struct SkipEvent {
    /// The server whose `file` and `pos` these are.
    server_uuid: String,
    /// The binlog file it is in.
    file: String,
    /// The offset at which it begins, or what it is in.
    pos: u64,
    /// Which of the rows events there it is, from 1 on, if it has no place of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<NonZeroU64>,
}

impl From<&EventSkip> for SkipEvent {
    fn from(skip: &EventSkip) -> Self {
        Self {
            server_uuid: skip.server_uuid.to_string(),
            file: skip.event.place.file.clone(),
            pos: skip.event.place.offset,
            number: skip.event.number,
        }
    }
}

/// Reads the events of a record.
pub(super) fn read(events: Vec<SkipEvent>) -> Result<Vec<EventSkip>, RecordError> {
    if SKIPS_MAX < events.len() {
        return Err(RecordError::Unsupported("more events to skip than there may be"));
    }
    let read = |event: SkipEvent| {
        let place = FilePosition { file: event.file, offset: event.pos };
        let server_uuid = parsed(&event.server_uuid)?;
        Ok(EventSkip { server_uuid, event: RowsEvent { place, number: event.number } })
    };
    events.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::{EventSkip, RowsEvent, SKIPS_MAX};
    use crate::{
        model::position::{FilePosition, Position},
        state::PositionRecord,
    };

    fn place(offset: u64) -> FilePosition {
        FilePosition { file: "binlog.000002".into(), offset }
    }

    fn record(skips: usize) -> PositionRecord {
        let server_uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562".parse().unwrap();
        let position =
            Position { server_uuid, gtid_set: None, file: place(157), source_time_us: 0 };
        let skip = |number: usize| EventSkip {
            server_uuid,
            event: RowsEvent {
                place: place(4_294_967_300),
                number: u64::try_from(number).unwrap().try_into().ok(),
            },
        };
        let skips = (0..skips).map(skip).collect();
        PositionRecord { skips, ..PositionRecord::resumed(None, 1, position) }
    }

    #[test]
    fn events_to_skip_read_back_and_a_new_generation_has_them() {
        let record = record(SKIPS_MAX);
        let json = record.to_json("inventory", 0).unwrap();
        let read = PositionRecord::from_json(&json, "inventory").unwrap();
        assert_eq!(read, record);
        let resumed = PositionRecord::resumed(Some(&read), 2, read.accounted_for());
        assert_eq!(resumed.skips, record.skips);
    }

    #[test]
    fn a_record_without_events_to_skip_has_no_field_for_them() {
        let json = record(0).to_json("inventory", 0).unwrap();
        assert!(!String::from_utf8_lossy(&json).contains("skip"));
    }

    #[test]
    fn a_record_with_too_many_events_to_skip_is_refused() {
        let json = record(SKIPS_MAX + 1).to_json("inventory", 0).unwrap();
        assert!(PositionRecord::from_json(&json, "inventory").is_err());
    }

    #[test]
    fn an_event_is_known_on_its_own_server_only() {
        let mut record = record(1);
        let skip = record.skips.remove(0);
        let here = skip.server_uuid;
        let other = "4e11fa47-71ca-11e1-9e33-c80aa9429562".parse().unwrap();
        let number = "7".parse().ok();
        assert!(skip.is_at(here, ("binlog.000002", 4_294_967_300), None));
        assert!(!skip.is_at(here, ("binlog.000002", 4_294_967_300), number));
        assert!(!skip.is_at(here, ("binlog.000002", 4_294_967_301), None));
        assert!(!skip.is_at(here, ("binlog.000003", 4_294_967_300), None));
        assert!(!skip.is_at(other, ("binlog.000002", 4_294_967_300), None));
        assert!(!skip.is_passed(&record.position));
        record.position.file = FilePosition { file: "binlog.000003".into(), offset: 4 };
        assert!(skip.is_passed(&record.position));
        // After a fail-over no file is known until the next source transaction ends.
        record.position.file = FilePosition::default();
        assert!(!skip.is_passed(&record.position));
        record.position.server_uuid = other;
        assert!(skip.is_passed(&record.position));
    }
}
