//! What the records of the state topic add up to, read from the first one on.

use std::collections::BTreeMap;

use super::{
    error::RecordError,
    place::Place,
    position_record::{POSITION_KEY, PositionRecord},
    table_record::{TABLE_KEY_START, TableRecord},
    topic::{SNAPSHOT_KEY_START, SavedPosition},
};

/// What is in the state topic.
#[derive(Default)]
pub(super) struct TopicContent {
    pub(super) position: Option<SavedPosition>,
    /// The first position that cannot be used, and its offset. Positions after it do not make up
    /// for it, since something else than Tailwater writes to the topic; a tombstone does, which
    /// only `tailwater position set` writes.
    pub(super) unusable: Option<(i64, RecordError)>,
    /// The newest place of all positions that could be read.
    pub(super) newest: Place,
    pub(super) snapshots: BTreeMap<String, Vec<u8>>,
    pub(super) tables: BTreeMap<Vec<u8>, TableRecord>,
    pub(super) other_keys: bool,
}

impl TopicContent {
    /// Takes in the next record.
    pub(super) fn add(
        &mut self,
        offset: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        connector: &str,
    ) -> Result<(), RecordError> {
        if key != Some(POSITION_KEY) {
            self.other_keys |= value.is_some();
            self.add_snapshot(key, value);
            let table = key.filter(|key| key.starts_with(TABLE_KEY_START.as_bytes()));
            return table.map_or(Ok(()), |key| self.add_table(key, value, connector));
        }
        let Some(value) = value else {
            self.position = None;
            self.unusable = None;
            return Ok(());
        };
        match PositionRecord::from_json(value, connector) {
            Ok(record) => self.add_position(offset, record),
            Err(problem @ (RecordError::Malformed(_) | RecordError::TooLarge(_))) => {
                self.unusable.get_or_insert((offset, problem));
            }
            Err(problem) => return Err(problem),
        }
        Ok(())
    }

    fn add_position(&mut self, offset: i64, record: PositionRecord) {
        let place = record.place();
        self.newest = self.newest.max(place);
        if self.position.as_ref().is_some_and(|last| place <= last.record.place()) {
            let problem = RecordError::OutOfOrder(place.generation, place.seq);
            self.unusable.get_or_insert((offset, problem));
            return;
        }
        self.position = Some(SavedPosition { offset, record });
    }

    fn add_snapshot(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) {
        let key = key.and_then(|key| str::from_utf8(key).ok());
        let Some(table) = key.and_then(|key| key.strip_prefix(SNAPSHOT_KEY_START)) else { return };
        match value {
            Some(json) => self.snapshots.insert(table.to_owned(), json.to_owned()),
            None => self.snapshots.remove(table),
        };
    }

    fn add_table(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
        connector: &str,
    ) -> Result<(), RecordError> {
        match value {
            Some(json) => {
                let record = TableRecord::from_json(json, connector)?;
                self.tables.insert(key.to_owned(), record);
            }
            None => drop(self.tables.remove(key)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::TopicContent;
    use crate::{
        model::position::{FilePosition, Position},
        state::{PositionRecord, error::RecordError, place::Place},
    };

    fn json(generation: u64, seq: u64) -> Vec<u8> {
        let position = Position {
            server_uuid: "3e11fa47-71ca-11e1-9e33-c80aa9429562".parse().unwrap(),
            gtid_set: None,
            file: FilePosition { file: "binlog.000001".into(), offset: 4 },
            source_time_us: 0,
        };
        let record = PositionRecord { seq, ..PositionRecord::resumed(None, generation, position) };
        record.to_json("inventory", 0).unwrap()
    }

    fn add(found: &mut TopicContent, key: &[u8], value: Option<&[u8]>) -> Result<(), RecordError> {
        found.add(7, Some(key), value, "inventory")
    }

    #[test]
    fn the_last_position_counts_and_a_tombstone_removes_it() {
        let mut found = TopicContent::default();
        add(&mut found, b"position", Some(&json(1, 1))).unwrap();
        add(&mut found, b"snapshot/shop.orders", Some(b"{}")).unwrap();
        add(&mut found, b"position", Some(&json(2, 2))).unwrap();
        assert_eq!(found.position.as_ref().unwrap().record.generation, 2);
        assert!(found.other_keys);
        assert_eq!(found.snapshots["shop.orders"], b"{}");
        add(&mut found, b"snapshot/shop.orders", None).unwrap();
        assert!(found.snapshots.is_empty());
        add(&mut found, b"position", None).unwrap();
        assert_eq!(found.position, None);
    }

    #[test]
    fn positions_that_go_backwards_are_refused() {
        for (generation, seq) in [(1, 9), (2, 4), (2, 5)] {
            let mut found = TopicContent::default();
            add(&mut found, b"position", Some(&json(2, 5))).unwrap();
            add(&mut found, b"position", Some(&json(generation, seq))).unwrap();
            assert!(
                matches!(found.unusable, Some((7, RecordError::OutOfOrder(..)))),
                "{generation} {seq}"
            );
        }
    }

    #[test]
    fn a_position_that_cannot_be_read_counts_until_a_tombstone_follows() {
        let mut found = TopicContent::default();
        add(&mut found, b"position", Some(&json(4, 9))).unwrap();
        add(&mut found, b"position", Some(b"{}")).unwrap();
        add(&mut found, b"position", Some(&json(5, 10))).unwrap();
        assert!(matches!(found.unusable, Some((7, RecordError::Malformed(_)))));
        add(&mut found, b"position", None).unwrap();
        assert!(found.unusable.is_none() && found.position.is_none());
        assert_eq!(found.newest, Place { generation: 5, seq: 10 });
        add(&mut found, b"position", Some(&json(6, 11))).unwrap();
        assert_eq!(found.position.unwrap().record.generation, 6);
        assert!(found.unusable.is_none());
    }

    #[test]
    fn what_a_newer_build_or_another_connector_wrote_is_not_replaced() {
        let mut found = TopicContent::default();
        let newer = String::from_utf8(json(1, 1)).unwrap().replace("\"v\":1", "\"v\":9");
        let refused = add(&mut found, b"position", Some(newer.as_bytes()));
        assert!(matches!(refused, Err(RecordError::Version(9))));
        let refused = found.add(7, Some(b"position"), Some(&json(1, 1)), "another");
        assert!(matches!(refused, Err(RecordError::Connector(_))));
    }
}
