//! The position record, as JSON that a person can read.
//!
//! A reader must understand everything in a record that it resumes from. So a field that older
//! readers must not ignore raises `v`; any other unknown field is a remark. `pending_xa` did not
//! raise it: versions that cannot follow it refuse it by name.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{
    error::RecordError, in_transaction::InTransaction, pending_xa::PendingXa, skip_event::SkipEvent,
};
use crate::model::{
    position::{EventSkip, FilePosition, PartialTransaction, Position},
    xa::{PreparedTransactions, gtids_of},
};

/// The position's key in the state topic.
pub const POSITION_KEY: &[u8] = b"position";

/// Largest record, in bytes. A GTID set grows with the number of servers that ever wrote and with
/// its holes, of which 64 KiB hold about 900 sources; each XA transaction that waits for its
/// outcome adds 200 to 500 bytes, and a server can have thousands of them. Half of what a broker
/// takes with its default `message.max.bytes`.
pub const RECORD_BYTES_MAX: usize = 512 << 10;

/// The version of the record's meaning.
const VERSION: u64 = 1;

/// The same with several source transactions that are delivered in part: a reader that knows one
/// would deliver rows of the others again.
const VERSION_WITH_EARLIER: u64 = 2;

/// A saved position and its place in the history of saved positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionRecord {
    /// How many times a producer of this connector has started; each start adds one. Two
    /// instances that have loaded the same position take the same number next.
    pub generation: u64,
    /// The instance that wrote it: a UUID that each process makes when it begins; `None` of
    /// records before there was one and of those that a command wrote.
    pub instance: Option<Uuid>,
    /// How many positions were saved before; each commit adds one.
    pub seq: u64,
    /// Everything before it is delivered or proved irrelevant.
    pub position: Position,
    /// When the file of `position` was begun, in seconds since the epoch; `None` if that was not
    /// seen.
    pub file_begun: Option<u32>,
    /// The source transactions after `position` of which a part is delivered, the one that was cut
    /// last at the end. There is more than one only after a fail-over to a server that has others
    /// before the first.
    pub partials: Vec<PartialTransaction>,
    /// The XA transactions before `position` that wait for their outcome. Their GTIDs are not in
    /// it: they are not done.
    pub prepared: PreparedTransactions,
    /// The rows events after `position` that are to be skipped, [`super::SKIPS_MAX`] at most.
    pub skips: Vec<EventSkip>,
    /// Whether the instance ended with this record, so that a standby need not wait.
    pub released: bool,
    /// The id of the state topic; `None` before Kafka 2.8.
    pub state_topic: Option<String>,
    /// The least offset that it can have, see [`super::LeastOffset`]; `None` before it is sent.
    pub least_offset: Option<i64>,
}

/// What `__tailwater.<name>` holds under the key `position`: everything in the binlog before it is
/// delivered or proved irrelevant.
// The fields are in the order in which they are written.
#[derive(Deserialize, Serialize)]
#[cfg_attr(
    feature = "json-schema",
    derive(schemars::JsonSchema),
    schemars(title = "PositionRecord")
)]
struct PositionFields {
    /// The version of the record's meaning.
    v: u64,
    /// The connector's name.
    connector: String,
    /// How many times a producer of this connector has started.
    generation: u64,
    /// The instance that wrote it: a UUID that each process makes when it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    /// How many positions were saved before.
    seq: u64,
    /// The kind of server the position belongs to: `mysql`.
    flavor: String,
    /// The server whose `file` and `pos` these are.
    server_uuid: String,
    /// The GTIDs of all transactions delivered; null on a source without GTIDs.
    gtid_set: Option<String>,
    /// The binlog file.
    file: String,
    /// The offset in the file at which the next transaction begins, or before it.
    pos: u64,
    /// When the file was begun, by the time of its first event, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file_begun_s: Option<u32>,
    /// The source transaction behind the position of which a part is delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    in_txn: Option<InTransaction>,
    /// More of these, of earlier sources. Where there are some `v` is 2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    in_txn_earlier: Vec<InTransaction>,
    /// XA transactions before the position that are prepared and wait for their outcome. Their
    /// GTIDs are not in `gtid_set`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pending_xa: Vec<PendingXa>,
    /// Rows events behind the position whose rows are not delivered, as a person requested.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    skip_events: Vec<SkipEvent>,
    /// The id of the topic that this record is in; left out if brokers give none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state_topic_id: Option<String>,
    /// The least offset that this record can have: if it is before it, the topic lost records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    least_offset: Option<i64>,
    /// Whether the instance ended with this record; left out if it continues.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    released: bool,
    /// Commit time of the last transaction at the source, microseconds since the epoch.
    source_ts_us: u64,
    /// When the record was made, microseconds since the epoch; nothing depends on it.
    written_ts_us: u64,
}

impl PositionRecord {
    /// The record of a new generation, which continues from `accounted_for` on the present source.
    pub fn resumed(saved: Option<&Self>, generation: u64, accounted_for: Position) -> Self {
        let (seq, partials, prepared) = match saved {
            Some(saved) => (saved.seq, saved.partials.clone(), saved.prepared.clone()),
            None => (0, Vec::new(), PreparedTransactions::new()),
        };
        let state_topic = saved.and_then(|saved| saved.state_topic.clone());
        let skips = saved.map(|saved| saved.skips.clone()).unwrap_or_default();
        let same = saved.filter(|saved| saved.position.file.file == accounted_for.file.file);
        let file_begun = same.and_then(|saved| saved.file_begun);
        let mut position = accounted_for;
        if let Some(gtids) = &mut position.gtid_set {
            *gtids = gtids.minus(&gtids_of(&prepared));
        }
        Self {
            generation,
            instance: None,
            seq,
            position,
            file_begun,
            partials,
            prepared,
            skips,
            released: false,
            state_topic,
            least_offset: None,
        }
    }

    /// Whether another instance than this one wrote it after the generation that this one loaded.
    pub fn is_of_successor(&self, loaded: u64, instance: Uuid) -> bool {
        loaded < self.generation && self.instance != Some(instance)
    }

    /// The position with what is prepared counted in: the source need not send it again.
    pub fn accounted_for(&self) -> Position {
        let mut position = self.position.clone();
        if let Some(gtids) = &mut position.gtid_set {
            gtids.add_all(&gtids_of(&self.prepared));
        }
        position
    }

    /// The record as JSON. `now_us` is the clock in microseconds since the epoch.
    pub fn to_json(&self, connector: &str, now_us: u64) -> Result<Vec<u8>, RecordError> {
        let position = &self.position;
        let mut partials = self.partials.iter().map(InTransaction::from);
        let in_txn = partials.next_back();
        let in_txn_earlier: Vec<_> = partials.collect();
        let fields = PositionFields {
            v: if in_txn_earlier.is_empty() { VERSION } else { VERSION_WITH_EARLIER },
            connector: connector.to_owned(),
            generation: self.generation,
            instance: self.instance.map(|instance| instance.to_string()),
            seq: self.seq,
            flavor: FLAVOR.to_owned(),
            server_uuid: position.server_uuid.to_string(),
            gtid_set: position.gtid_set.as_ref().map(ToString::to_string),
            file: position.file.file.clone(),
            pos: position.file.offset,
            file_begun_s: self.file_begun,
            in_txn,
            in_txn_earlier,
            pending_xa: self.prepared.iter().map(PendingXa::from).collect(),
            skip_events: self.skips.iter().map(SkipEvent::from).collect(),
            released: self.released,
            state_topic_id: self.state_topic.clone(),
            least_offset: self.least_offset,
            source_ts_us: position.source_time_us,
            written_ts_us: now_us,
        };
        let json = serde_json::to_vec(&fields)
            .map_err(|error| RecordError::Malformed(error.to_string()))?;
        if RECORD_BYTES_MAX < json.len() {
            return Err(RecordError::TooLarge(json.len()));
        }
        Ok(json)
    }

    /// Reads a record of this connector.
    pub fn from_json(json: &[u8], connector: &str) -> Result<Self, RecordError> {
        if RECORD_BYTES_MAX < json.len() {
            return Err(RecordError::TooLarge(json.len()));
        }
        let malformed = |error: serde_json::Error| RecordError::Malformed(error.to_string());
        // The version first: a newer record may lack fields that this one must have.
        let value: Value = serde_json::from_slice(json).map_err(malformed)?;
        match value.get("v").and_then(Value::as_u64) {
            Some(VERSION | VERSION_WITH_EARLIER) => {}
            Some(version) => return Err(RecordError::Version(version)),
            None => return Err(RecordError::Malformed("no version `v`".to_owned())),
        }
        let fields: PositionFields = serde_json::from_value(value).map_err(malformed)?;
        if fields.connector != connector {
            return Err(RecordError::Connector(fields.connector));
        }
        if fields.flavor != FLAVOR {
            return Err(RecordError::Unsupported("a flavor other than mysql"));
        }
        let position = Position {
            server_uuid: parsed(&fields.server_uuid)?,
            gtid_set: fields.gtid_set.as_deref().map(parsed).transpose()?,
            file: FilePosition { file: fields.file, offset: fields.pos },
            source_time_us: fields.source_ts_us,
        };
        let partials = fields.in_txn_earlier.into_iter().chain(fields.in_txn);
        let partials = partials.map(PartialTransaction::try_from).collect::<Result<_, _>>()?;
        let prepared = fields.pending_xa.into_iter().map(PendingXa::read);
        let prepared = prepared.collect::<Result<_, _>>()?;
        let skips = super::skip_event::read(fields.skip_events)?;
        let PositionFields { generation, seq, file_begun_s: file_begun, released, .. } = fields;
        let (state_topic, least_offset) = (fields.state_topic_id, fields.least_offset);
        let instance = fields.instance.as_deref().map(parsed).transpose()?;
        Ok(Self {
            generation,
            instance,
            seq,
            position,
            file_begun,
            partials,
            prepared,
            skips,
            released,
            state_topic,
            least_offset,
        })
    }
}

/// The JSON Schema of the record.
#[cfg(feature = "json-schema")]
pub fn position_schema() -> schemars::Schema {
    schemars::schema_for!(PositionFields)
}

/// The kind of server the position belongs to.
const FLAVOR: &str = "mysql";

pub(super) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    text: &str,
) -> Result<T, RecordError> {
    text.parse().map_err(|error: T::Err| RecordError::Malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::{PositionRecord, RECORD_BYTES_MAX};
    use crate::{
        model::{
            gtid::Gtid,
            position::{FilePosition, PartialTransaction, Position},
            xa::{PART_BYTES_MAX, PreparedTransaction, PreparedTransactions, Xid},
        },
        state::error::RecordError,
    };

    const GOLDEN: &str = concat!(
        r#"{"v":1,"connector":"inventory","generation":3,"seq":17,"flavor":"mysql","#,
        r#""server_uuid":"3e11fa47-71ca-11e1-9e33-c80aa9429562","#,
        r#""gtid_set":"3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:8:blue:1-2","#,
        r#""file":"binlog.000002","pos":4294967300,"file_begun_s":1700000000,"#,
        r#""state_topic_id":"AAAAAAAAAAAAAAAAAAAAAQ","least_offset":41,"#,
        r#""source_ts_us":1700000000000001,"#,
        r#""written_ts_us":1700000000000002}"#
    );

    fn record() -> PositionRecord {
        PositionRecord {
            generation: 3,
            instance: None,
            seq: 17,
            position: Position {
                server_uuid: "3e11fa47-71ca-11e1-9e33-c80aa9429562".parse().unwrap(),
                gtid_set: Some(
                    "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:8:blue:1-2".parse().unwrap(),
                ),
                file: FilePosition { file: "binlog.000002".into(), offset: 4_294_967_300 },
                source_time_us: 1_700_000_000_000_001,
            },
            file_begun: Some(1_700_000_000),
            partials: Vec::new(),
            prepared: PreparedTransactions::new(),
            skips: Vec::new(),
            released: false,
            state_topic: Some("AAAAAAAAAAAAAAAAAAAAAQ".to_owned()),
            least_offset: Some(41),
        }
    }

    fn read(json: &str) -> Result<PositionRecord, RecordError> {
        PositionRecord::from_json(json.as_bytes(), "inventory")
    }

    fn refusal(json: &str) -> String {
        read(json).unwrap_err().to_string()
    }

    #[test]
    fn the_json_is_the_documented_one_and_reads_back() {
        let json = record().to_json("inventory", 1_700_000_000_000_002).unwrap();
        assert_eq!(String::from_utf8(json).unwrap(), GOLDEN);
        assert_eq!(read(GOLDEN).unwrap(), record());
        let older = PositionRecord { least_offset: None, ..record() };
        assert_eq!(read(&GOLDEN.replace(r#""least_offset":41,"#, "")).unwrap(), older);
    }

    #[test]
    fn the_last_record_of_an_instance_that_ends_says_so() {
        let instance = "01890a5d-ac96-774b-bcce-b302099a8057".parse().ok();
        let released = PositionRecord { released: true, instance, ..record() };
        let json = String::from_utf8(released.to_json("inventory", 0).unwrap()).unwrap();
        assert!(json.contains(r#","released":true,"source_ts_us""#), "{json}");
        assert_eq!(read(&json).unwrap(), released);
    }

    #[test]
    fn a_source_without_gtids_has_null_for_them() {
        let mut record = record();
        record.position.gtid_set = None;
        let json = record.to_json("inventory", 0).unwrap();
        assert!(String::from_utf8_lossy(&json).contains(r#""gtid_set":null"#));
        assert_eq!(PositionRecord::from_json(&json, "inventory").unwrap(), record);
    }

    fn in_part(gtid: Option<Gtid>, rows_done: u64) -> PartialTransaction {
        PartialTransaction {
            gtid,
            server_uuid: "3e11fa47-71ca-11e1-9e33-c80aa9429562".parse().unwrap(),
            begin: FilePosition { file: "binlog.000002".into(), offset: 4_294_967_300 },
            rows_done,
            digest: 0xfedc_ba98,
            parts: 3,
        }
    }

    #[test]
    fn a_transaction_in_parts_reads_back() {
        for gtid in [None, Some("3e11fa47-71ca-11e1-9e33-c80aa9429562:blue:3".parse().unwrap())] {
            let record = PositionRecord { partials: vec![in_part(gtid, 5_000_000)], ..record() };
            let json = record.to_json("inventory", 0).unwrap();
            assert!(json.starts_with(br#"{"v":1,"#));
            assert_eq!(PositionRecord::from_json(&json, "inventory").unwrap(), record);
        }
    }

    #[test]
    fn several_transactions_in_parts_read_back_and_older_readers_refuse_them() {
        let gtid = |number: u64| {
            Some(format!("3e11fa47-71ca-11e1-9e33-c80aa9429562:{number}").parse().unwrap())
        };
        let partials = vec![in_part(gtid(3), 1), in_part(gtid(1), 2), in_part(gtid(2), 3)];
        let record = PositionRecord { partials, ..record() };
        let json = record.to_json("inventory", 0).unwrap();
        assert!(json.starts_with(br#"{"v":2,"#));
        let fields: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(fields["in_txn"]["rows_done"], 3);
        assert_eq!(fields["in_txn_earlier"].as_array().unwrap().len(), 2);
        assert_eq!(PositionRecord::from_json(&json, "inventory").unwrap(), record);
    }

    /// A record with so many prepared transactions, with numbers and names of this length.
    fn with_prepared(count: u64, name_bytes: usize) -> PositionRecord {
        let mut record = record();
        for number in 0..count {
            let mut global = vec![0xab; name_bytes];
            global[..8].copy_from_slice(&number.to_be_bytes());
            let xid = Xid::new(131_077, &global, &vec![0xcd; name_bytes]).unwrap();
            // Every other one, so that each is a hole of its own in the set.
            let number = 9_000_000_000 + 2 * number;
            let gtid: Gtid =
                format!("3e11fa47-71ca-11e1-9e33-c80aa9429562:{number}").parse().unwrap();
            let next = Gtid { number: number + 1, ..gtid.clone() };
            record.position.gtid_set.as_mut().unwrap().add(&next);
            let prepared = PreparedTransaction {
                gtid: Some(gtid),
                server_uuid: "3e11fa47-71ca-11e1-9e33-c80aa9429562".parse().unwrap(),
                begin: FilePosition { file: "binlog.000002".into(), offset: 4_294_967_300 },
                time_us: 1_700_000_000_000_001,
                has_rows: number % 4 == 0,
                is_restored: true,
            };
            record.prepared.insert(xid, prepared);
        }
        record
    }

    #[test]
    fn prepared_transactions_read_back_and_are_not_requested_again() {
        let mut record = with_prepared(3, 20);
        record.prepared.values_mut().next().unwrap().gtid = None;
        let json = record.to_json("inventory", 0).unwrap();
        assert_eq!(PositionRecord::from_json(&json, "inventory").unwrap(), record);
        let accounted = record.accounted_for();
        let resumed = PositionRecord::resumed(Some(&record), record.generation, accounted.clone());
        assert_eq!(resumed, PositionRecord { least_offset: None, ..record });
        let accounted = accounted.gtid_set.unwrap().to_string();
        assert!(accounted.ends_with(":9000000001-9000000005:blue:1-2"), "{accounted}");
    }

    #[test]
    fn a_thousand_prepared_transactions_with_the_longest_names_fit() {
        let json = |count, name_bytes| with_prepared(count, name_bytes).to_json("inventory", 0);
        let bytes = json(1_000, PART_BYTES_MAX).unwrap().len();
        assert!((400_000..RECORD_BYTES_MAX).contains(&bytes), "{bytes} bytes");
        let bytes = json(1_500, 20).unwrap().len();
        assert!((300_000..RECORD_BYTES_MAX).contains(&bytes), "{bytes} bytes");
        assert!(matches!(json(3_000, PART_BYTES_MAX), Err(RecordError::TooLarge(_))));
    }

    #[test]
    fn what_cannot_be_resumed_from_is_refused() {
        assert!(refusal("").starts_with("cannot be read"));
        assert!(refusal("{}").contains("no version"));
        assert!(refusal(&GOLDEN.replace("\"v\":1", "\"v\":3")).contains("version 3"));
        assert!(refusal(&GOLDEN.replace("inventory", "orders")).contains("`orders`"));
        assert!(refusal(&GOLDEN.replace("\"mysql\"", "\"mariadb\"")).contains("flavor"));
        assert!(refusal(&GOLDEN.replace(":1-5", ":5-1")).starts_with("cannot be read"));
        assert!(refusal(&GOLDEN.replace("4294967300", "-1")).starts_with("cannot be read"));
        assert!(refusal(&GOLDEN.replace("\"seq\":17,", "")).contains("`seq`"));
        let with = |field: &str| GOLDEN.replace("\"flavor\"", &format!("{field},\"flavor\""));
        assert!(refusal(&with(r#""in_txn":{"rows_done":4}"#)).starts_with("cannot be read"));
        assert!(refusal(&with(r#""pending_xa":[{}]"#)).contains("`xid`"));
        for half in 0..GOLDEN.len() {
            assert!(PositionRecord::from_json(&GOLDEN.as_bytes()[..half], "inventory").is_err());
        }
    }

    #[test]
    fn fields_that_say_nothing_are_ignored() {
        let json =
            GOLDEN.replace("\"flavor\"", r#""in_txn":null,"pending_xa":[],"note":1,"flavor""#);
        assert_eq!(read(&json).unwrap(), record());
    }

    #[test]
    fn a_record_past_the_limit_is_refused_on_both_sides() {
        let mut large = record();
        large.position.file.file = "x".repeat(RECORD_BYTES_MAX);
        assert!(matches!(large.to_json("inventory", 0), Err(RecordError::TooLarge(_))));
        let json = GOLDEN.replace("binlog.000002", &large.position.file.file);
        assert!(matches!(read(&json), Err(RecordError::TooLarge(_))));
    }
}
