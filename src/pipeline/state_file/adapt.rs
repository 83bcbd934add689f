//! What of a state file holds in another cluster, and under another name.
//!
//! Ids of topics and offsets in them count in one Kafka cluster. Where a topic of the same name has
//! another id, or is not there, they say nothing, and what was remembered by them is left out. The
//! form of a table's records has the connector's name in it: topics and schemas are named by it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::file::{StateFile, unusable};
use crate::{
    error::Failure,
    model::record::TopicState,
    snapshot::ProgressRecord,
    state::{POSITION_KEY, PositionRecord, SNAPSHOT_KEY_START, TABLE_KEY_START, TableRecord},
};

/// The records of a file.
#[derive(Debug)]
pub(super) struct FileRecords {
    connector: String,
    pub(super) position: PositionRecord,
    tables: Vec<TableRecord>,
    /// How far tables are read, as JSON by key.
    snapshots: BTreeMap<String, Value>,
}

/// What is written, and what is left out, in sentences.
#[derive(Debug)]
pub(super) struct AdaptedState {
    /// Values by key; the position is not among them.
    pub(super) records: BTreeMap<String, Vec<u8>>,
    pub(super) notes: Vec<String>,
}

impl FileRecords {
    /// Reads every record, so that none is written that a start cannot read.
    pub(super) fn read(file: &StateFile) -> Result<Self, Failure> {
        let (mut position, mut tables) = (None, Vec::new());
        let mut snapshots = BTreeMap::new();
        for (key, value) in &file.records {
            let json = value.to_string();
            let wrong = |problem: String| unusable(format!("its record {key} {problem}"));
            if key.as_bytes() == POSITION_KEY {
                let record = PositionRecord::from_json(json.as_bytes(), &file.connector);
                position = Some(record.map_err(|problem| wrong(problem.to_string()))?);
            } else if key.starts_with(TABLE_KEY_START) {
                let record = TableRecord::from_json(json.as_bytes(), &file.connector);
                tables.push(record.map_err(|problem| wrong(problem.to_string()))?);
            } else if let Some(table) = key.strip_prefix(SNAPSHOT_KEY_START) {
                let read = ProgressRecord::from_json(json.as_bytes(), table);
                read.map_err(|problem| wrong(problem.to_string()))?;
                snapshots.insert(key.clone(), value.clone());
            } else {
                return Err(wrong("is none that this Tailwater knows".to_owned()));
            }
        }
        let position = position.ok_or_else(|| unusable("it has no position"))?;
        Ok(Self { connector: file.connector.clone(), position, tables, snapshots })
    }

    /// The topics that the tables' records went to.
    pub(super) fn topics(&self) -> Vec<&str> {
        self.tables.iter().map(|table| table.topic.as_str()).collect()
    }

    /// The records for a connector of this name, in a cluster whose topics are these.
    pub(super) fn adapt(
        &self,
        connector: &str,
        topics: &BTreeMap<String, TopicState>,
    ) -> Result<AdaptedState, Failure> {
        let mut records = BTreeMap::new();
        let (mut elsewhere, mut unsearched) = (0, 0);
        let is_renamed = connector != self.connector;
        for table in self.tables.iter().filter(|_| !is_renamed) {
            let mut table = table.clone();
            let is = topics.get(&table.topic).and_then(|topic| topic.id.clone());
            let was = table.topic_state.as_ref().and_then(|topic| topic.id.clone());
            if table.topic_state.is_some() && (is.is_none() || is != was) {
                table.topic_state = None;
                elsewhere += 1;
            }
            let json = table.to_json(connector).map_err(unusable)?;
            let key = String::from_utf8(table.key()).map_err(unusable)?;
            records.insert(key, json);
        }
        let ids: BTreeSet<&str> = topics.values().filter_map(|topic| topic.id.as_deref()).collect();
        for (key, value) in &self.snapshots {
            let mut value = value.clone();
            let ends = value.get("ends").filter(|ends| !ends.is_null());
            let id = ends.and_then(|ends| ends.get("topic_id")).and_then(Value::as_str);
            if ends.is_some() && !id.is_some_and(|id| ids.contains(id)) {
                if let Some(fields) = value.as_object_mut() {
                    fields.remove("ends");
                }
                unsearched += 1;
            }
            records.insert(key.clone(), value.to_string().into_bytes());
        }
        let mut notes = Vec::new();
        if is_renamed {
            notes.push(format!(
                "The file is of connector {}, and this one is {connector}: topics and schemas have \
                 other names. So the form of the tables' records is left out, and keys are not \
                 compared with earlier ones. Rows delivered before are in the earlier topics only: \
                 to have them in the new ones, read the tables again with `tailwater snapshot \
                 --table`. Stop the other connector, or both deliver the same changes.",
                self.connector
            ));
        }
        if elsewhere != 0 {
            notes.push(format!(
                "{elsewhere} table(s): their topics are not in this cluster, or are other topics \
                 than those of the file. Ids and offsets of topics are left out; the connector \
                 does not compare these topics with what they were. Records delivered before are \
                 not in new topics: to fill them, read the tables again with `tailwater snapshot \
                 --table`."
            ));
        }
        if unsearched != 0 {
            notes.push(format!(
                "{unsearched} table(s) were being read again: keys that went in the meantime are \
                 not searched for in their topics."
            ));
        }
        Ok(AdaptedState { records, notes })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::{FileRecords, StateFile};
    use crate::model::record::TopicState;

    const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn file() -> StateFile {
        let table = json!({"v": 1, "connector": "shop", "database": "d", "table": "t",
            "topic": "shop.d.t", "topic_log": {"id": "A", "end_offsets": [7]}, "key": null,
            "value_schema_id": 3, "loosened": {}, "version": "00", "decoration": null});
        let snapshot = json!({"v": 1, "done": false, "rows": 5,
            "ends": {"topic_id": "A", "end_offsets": [7]}});
        let position = json!({"v": 1, "connector": "shop", "generation": 3, "seq": 9,
            "flavor": "mysql", "server_uuid": UUID, "gtid_set": format!("{UUID}:1-5"),
            "file": "binlog.000002", "pos": 197, "source_ts_us": 1, "written_ts_us": 2});
        let records = json!({"position": position, "table/d.t": table, "snapshot/d.t": snapshot});
        let Value::Object(records) = records else { panic!("{records}") };
        StateFile::new("shop", 5, records)
    }

    fn topics(id: &str) -> BTreeMap<String, TopicState> {
        let state = TopicState { id: Some(id.to_owned()), ends: vec![9] };
        BTreeMap::from([("shop.d.t".to_owned(), state)])
    }

    #[test]
    fn what_counts_in_one_cluster_is_kept_there_and_left_out_elsewhere() {
        let records = FileRecords::read(&file()).unwrap();
        assert_eq!(records.topics(), ["shop.d.t"]);
        for (topics, is_same) in
            [(topics("A"), true), (topics("B"), false), (BTreeMap::new(), false)]
        {
            let adapted = records.adapt("shop", &topics).unwrap();
            let text = |key: &str| String::from_utf8(adapted.records[key].clone()).unwrap();
            assert_eq!(text("table/d.t").contains("topic_log"), is_same);
            assert_eq!(text("snapshot/d.t").contains("ends"), is_same);
            assert_eq!(adapted.notes.len(), if is_same { 0 } else { 2 }, "{:?}", adapted.notes);
        }
        let renamed = records.adapt("other", &topics("A")).unwrap();
        assert_eq!(renamed.records.keys().collect::<Vec<_>>(), ["snapshot/d.t"]);
        assert_eq!(renamed.notes.len(), 1);
    }

    #[test]
    fn a_file_with_a_record_that_no_start_can_read_is_refused() {
        let refusal = |change: &dyn Fn(&mut StateFile)| {
            let mut file = file();
            change(&mut file);
            FileRecords::read(&file).unwrap_err().message
        };
        assert!(refusal(&|file| drop(file.records.remove("position"))).contains("no position"));
        let unknown = refusal(&|file| drop(file.records.insert("new".into(), json!(1))));
        assert!(unknown.contains("none that this Tailwater knows"), "{unknown}");
        assert!(refusal(&|file| file.connector = "x".into()).contains("belongs to the connector"));
        let newer = refusal(&|file| drop(file.records.insert("table/d.t".into(), json!({"v": 9}))));
        assert!(newer.contains("table/d.t"), "{newer}");
    }
}
