//! Recorded records of position and tables.

use super::{PositionRecord, TableRecord};
use crate::model::{
    position::{EventSkip, FilePosition, PartialTransaction, Position, RowsEvent},
    record::{KeyForm, Loosened, TopicState},
    recorded_tests::check,
    table::{ColumnDecoration, Decoration, TableName},
    xa::{PreparedTransaction, PreparedTransactions, Xid},
};

const HERE: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const ELSEWHERE: &str = "4e11fa47-71ca-11e1-9e33-c80aa9429562";
const TOPIC_ID: &str = "AAAAAAAAAAAAAAAAAAAAAQ";

/// The clock of every recorded position.
const WRITTEN_US: u64 = 1_700_000_000_000_002;

fn place(file: &str, offset: u64) -> FilePosition {
    FilePosition { file: file.to_owned(), offset }
}

/// The position of a first start, on a source without GTIDs and a Kafka without topic ids.
fn first() -> PositionRecord {
    PositionRecord {
        generation: 1,
        instance: None,
        seq: 0,
        position: Position {
            server_uuid: HERE.parse().unwrap(),
            gtid_set: None,
            file: place("binlog.000001", 157),
            source_time_us: 0,
        },
        file_begun: None,
        partials: vec![],
        prepared: PreparedTransactions::new(),
        skips: vec![],
        released: false,
        state_topic: None,
        least_offset: None,
    }
}

/// The position of a connector that has run for a while, on a source with GTIDs and tags.
fn later() -> PositionRecord {
    PositionRecord {
        generation: 3,
        seq: 17,
        position: Position {
            server_uuid: HERE.parse().unwrap(),
            gtid_set: Some(format!("{HERE}:1-5:8:blue:1-2,{ELSEWHERE}:1").parse().unwrap()),
            file: place("binlog.000002", 4_294_967_300),
            source_time_us: 1_700_000_000_000_001,
        },
        file_begun: Some(1_700_000_000),
        state_topic: Some(TOPIC_ID.to_owned()),
        ..first()
    }
}

fn in_part(gtid: Option<&str>, rows_done: u64) -> PartialTransaction {
    PartialTransaction {
        gtid: gtid.map(|gtid| gtid.parse().unwrap()),
        server_uuid: HERE.parse().unwrap(),
        begin: place("binlog.000002", 4_294_967_300),
        rows_done,
        digest: 0xfedc_ba98,
        parts: 3,
    }
}

fn prepared(gtid: Option<&str>, has_rows: bool) -> PreparedTransaction {
    PreparedTransaction {
        gtid: gtid.map(|gtid| gtid.parse().unwrap()),
        server_uuid: HERE.parse().unwrap(),
        begin: place("binlog.000002", 1_234),
        time_us: 1_700_000_000_000_000,
        has_rows,
        is_restored: true,
    }
}

fn skip(number: Option<u64>) -> EventSkip {
    let number = number.map(|number| number.try_into().unwrap());
    let event = RowsEvent { place: place("binlog.000003", 4_294_967_400), number };
    EventSkip { server_uuid: HERE.parse().unwrap(), event }
}

fn positions() -> Vec<(&'static str, PositionRecord)> {
    let name = |format, global: &[u8]| Xid::new(format, global, b"branch").unwrap();
    let third = format!("{HERE}:blue:3");
    let (sixth, seventh) = (format!("{HERE}:6"), format!("{HERE}:7"));
    let both = [
        (name(1, b"global"), prepared(Some(&sixth), true)),
        (name(131_077, &[0xff, 0, b'\'']), prepared(Some(&seventh), false)),
    ];
    let several = vec![in_part(Some(&third), 1), in_part(Some(&sixth), 2)];
    let anonymous = [(name(1, b""), prepared(None, true))];
    let after_fail_over = Position { file: FilePosition::default(), ..later().position };
    vec![
        ("first", first()),
        ("later", later()),
        ("released", PositionRecord { released: true, ..later() }),
        ("after_fail_over", PositionRecord { position: after_fail_over, ..later() }),
        ("in_part", PositionRecord { partials: vec![in_part(Some(&third), 5_000_000)], ..later() }),
        ("in_part_anonymous", PositionRecord { partials: vec![in_part(None, 1)], ..first() }),
        ("in_part_several", PositionRecord { partials: several.clone(), ..later() }),
        ("prepared", PositionRecord { prepared: both.clone().into(), ..later() }),
        ("prepared_anonymous", PositionRecord { prepared: anonymous.into(), ..first() }),
        ("skip", PositionRecord { skips: vec![skip(None)], ..first() }),
        // From here on as builds with `least_offset` and numbered events write them.
        ("least_offset", PositionRecord { least_offset: Some(41), ..later() }),
        ("skip_numbered", PositionRecord { skips: vec![skip(Some(2)), skip(None)], ..later() }),
        (
            "all",
            PositionRecord {
                partials: several,
                prepared: both.into(),
                skips: vec![skip(None), skip(Some(1))],
                released: true,
                least_offset: Some(0),
                ..later()
            },
        ),
    ]
}

#[test]
fn recorded_positions_are_read_and_written_as_they_are() {
    check(
        "position.tsv",
        &positions(),
        |record| record.to_json("inventory", WRITTEN_US).unwrap(),
        |json| PositionRecord::from_json(json, "inventory").unwrap(),
    );
}

/// A table without a key, of which the catalog knew nothing.
fn keyless() -> TableRecord {
    TableRecord {
        name: TableName { database: "shop".into(), table: "log".into() },
        topic: "inventory.shop.log".into(),
        topic_state: None,
        key: None,
        key_schema: None,
        value_schema: 7,
        loosened: [].into(),
        version: 0xabcd,
        decoration: None,
        columns: vec![],
        excluded: vec![],
        legal_namespace: false,
    }
}

fn keyed() -> TableRecord {
    let schema = concat!(
        r#"{"type":"record","name":"Key","namespace":"inventory.shop.customers","#,
        r#""fields":[{"name":"id","type":"int"}],"#,
        r#""connect.name":"inventory.shop.customers.Key"}"#
    );
    TableRecord {
        name: TableName { database: "shop".into(), table: "customers".into() },
        topic: "inventory.shop.customers".into(),
        topic_state: Some(TopicState { id: Some(TOPIC_ID.into()), ends: vec![7, 0] }),
        key: Some(KeyForm { schema: schema.into(), widths: [].into() }),
        key_schema: Some(6),
        version: u64::MAX,
        decoration: Some(Decoration { columns: vec![], unique_key: vec![] }),
        ..keyless()
    }
}

fn tables() -> Vec<(&'static str, TableRecord)> {
    let column = ColumnDecoration::default();
    let widths = [("at".to_owned(), 3), ("code".to_owned(), 16)].into();
    let schema = "\"int\"".to_owned();
    let loosened = [("added", Loosened::ImplicitDefault), ("kept", Loosened::Nullable)];
    let catalog = Decoration {
        columns: vec![
            ColumnDecoration { default: Some("5".into()), ..column.clone() },
            ColumnDecoration { default: Some(String::new()), ..column.clone() },
            ColumnDecoration { default_is_now: true, ..column.clone() },
            ColumnDecoration { float_as_double: true, srid: Some(4326), ..column.clone() },
            column,
        ],
        unique_key: vec![1, 0],
    };
    let without_id = TopicState { id: None, ends: vec![0] };
    let excluded = TableRecord {
        columns: vec!["id".into(), "secret \"é\"".into()],
        excluded: vec!["gone".into(), "secret \"é\"".into()],
        ..keyed()
    };
    vec![
        ("keyless", keyless()),
        ("keyed", keyed()),
        ("topic_without_id", TableRecord { topic_state: Some(without_id), ..keyless() }),
        ("key_schema_unknown", TableRecord { key_schema: None, ..keyed() }),
        // The envelope `flat` with a key of one column, and columns whose width is part of a key.
        ("key_widths", TableRecord { key: Some(KeyForm { schema, widths }), ..keyed() }),
        ("catalog", TableRecord { decoration: Some(catalog), ..keyed() }),
        (
            "loosened",
            TableRecord {
                loosened: loosened.map(|(name, how)| (name.to_owned(), how)).into(),
                ..keyed()
            },
        ),
        ("excluded", excluded.clone()),
        // From here on as builds with `legal_namespace` write them.
        ("legal_namespace", TableRecord { legal_namespace: true, ..excluded }),
    ]
}

#[test]
fn recorded_tables_are_read_and_written_as_they_are() {
    check(
        "table.tsv",
        &tables(),
        |record| record.to_json("inventory").unwrap(),
        |json| TableRecord::from_json(json, "inventory").unwrap(),
    );
}
