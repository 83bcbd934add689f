//! Streams put together by hand: cases that recordings of a healthy server do not have.

use mysql_async::binlog::{
    BinlogVersion,
    events::{Event, FormatDescriptionEvent},
};

use super::{
    DecodeError, Decoded, Decoder, Problem,
    event::event_type::*,
    recorded::{decoder, events, recording, transcript},
};
use crate::model::{
    position::FilePosition,
    table::{ColumnKind, TableName},
    value::RowImages as _,
};

/// A stream that is being put together, without checksums.
struct Script {
    /// Where the last event ends.
    offset: u64,
    events: Vec<Event>,
}

impl Script {
    fn new() -> Self {
        Self { offset: 4, events: Vec::new() }
    }

    /// An event behind the last one.
    fn add(mut self, event_type: u8, data: &[u8]) -> Self {
        self.offset += 19 + u64::try_from(data.len()).unwrap();
        let end = low_half(self.offset);
        self.push(event_type, end, 0, data)
    }

    fn push(mut self, event_type: u8, end: u32, flags: u16, data: &[u8]) -> Self {
        let size = 19 + u32::try_from(data.len()).unwrap();
        let mut bytes = vec![0, 0, 0, 100, event_type, 1, 0, 0, 0];
        bytes.extend(size.to_le_bytes());
        bytes.extend(end.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        bytes.extend(data);
        let format = FormatDescriptionEvent::new(BinlogVersion::Version4);
        self.events.push(Event::read(&format, bytes.as_slice()).unwrap());
        self
    }

    fn artificial_rotate(mut self, file: &str, offset: u64) -> Self {
        self.offset = offset;
        let data = [&offset.to_le_bytes()[..], file.as_bytes()].concat();
        self.push(ROTATE, 0, 0x20, &data)
    }

    fn heartbeat(self, file: &str, offset: u64) -> Self {
        self.push(HEARTBEAT, low_half(offset), 0, file.as_bytes())
    }

    fn gtid(self, number: u8) -> Self {
        let mut data = vec![0; 25];
        data[17] = number;
        self.add(GTID, &data)
    }

    fn query(self, text: &str) -> Self {
        let head = [7, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0];
        let data = [&head[..], b"shop\0", text.as_bytes()].concat();
        self.add(QUERY, &data)
    }

    fn xid(self) -> Self {
        self.add(XID, &[0; 8])
    }

    /// TABLE_MAP and one inserted row of shop.t (id INT).
    fn row(self) -> Self {
        let map = b"\x09\0\0\0\0\0\x01\0\x04shop\0\x01t\0\x01\x03\0\0\x01\x01\0\x04\x03\x02id";
        let rows = b"\x09\0\0\0\0\0\x01\0\x02\0\x01\xff\0\x05\0\0\0";
        self.add(TABLE_MAP, map).add(WRITE_ROWS, rows)
    }

    fn transcript(&self) -> Result<String, DecodeError> {
        transcript(&mut decoder(&[]), &self.events)
    }

    /// The problem that the stream has, and that it has none before its last event.
    fn problem(&self) -> Problem {
        let (last, before) = self.events.split_last().unwrap();
        let mut decoder = decoder(&[]);
        transcript(&mut decoder, before).unwrap();
        decoder.decode(last).unwrap_err().problem().clone()
    }
}

/// What the wire holds of an offset.
fn low_half(offset: u64) -> u32 {
    u32::try_from(offset % (1 << 32)).unwrap()
}

const NO_END: Problem = Problem::Group("the transaction before this event has no end");

#[test]
fn a_transaction_put_together_by_hand_reads_like_a_real_one() {
    let script = Script::new().gtid(1).query("BEGIN").row().row().xid();
    assert_eq!(
        script.transcript().unwrap(),
        "begin 1\n  insert shop.t 5\n  insert shop.t 5\nend 1\n"
    );
    let script = Script::new().query("BEGIN").row().query("COMMIT");
    assert_eq!(script.transcript().unwrap(), "begin\n  insert shop.t 5\nend\n");
}

#[test]
fn a_transaction_without_its_beginning_or_its_end_is_refused() {
    let open = || Script::new().gtid(1).query("BEGIN").row();
    assert_eq!(open().gtid(2).problem(), NO_END);
    assert_eq!(open().query("BEGIN").problem(), NO_END);
    assert_eq!(open().add(STOP, &[]).problem(), NO_END);
    assert_eq!(open().artificial_rotate("binlog.000002", 4).problem(), NO_END);
    assert_eq!(Script::new().gtid(1).gtid(2).problem(), NO_END);
    for script in [
        Script::new().xid(),
        Script::new().gtid(1).xid(),
        Script::new().query("COMMIT"),
        Script::new().query("ROLLBACK"),
        Script::new().gtid(1).add(XA_PREPARE, &[0; 13]),
        Script::new().gtid(1).add(TABLE_MAP, &[0; 8]),
        Script::new().gtid(1).add(WRITE_ROWS, &[0; 8]),
        Script::new().gtid(1).query("SAVEPOINT a"),
        open().query("XA COMMIT X'',X'',1"),
        open().xid().query("BEGIN"),
        open().xid().query("DROP TABLE t"),
    ] {
        assert!(matches!(script.problem(), Problem::Group(_)), "{:?}", script.problem());
    }
}

#[test]
fn a_row_that_was_rolled_back_inside_a_transaction_is_refused() {
    let open = || Script::new().gtid(1).query("BEGIN");
    let back = open().row().query("SAVEPOINT a").query("ROLLBACK TO a").row().xid();
    assert_eq!(
        back.transcript().unwrap(),
        "begin 1\n  insert shop.t 5\n  insert shop.t 5\nend 1\n"
    );
    let back = open().query("SAVEPOINT a").row().query("ROLLBACK TO a");
    assert_eq!(back.problem(), Problem::RolledBack);
    // The older savepoint of the same name is gone.
    let back = open().query("SAVEPOINT a").row().query("SAVEPOINT a").query("ROLLBACK TO a").xid();
    assert_eq!(back.transcript().unwrap(), "begin 1\n  insert shop.t 5\nend 1\n");
    assert_eq!(open().row().query("ROLLBACK TO a").problem(), Problem::RolledBack);
}

#[test]
fn a_transaction_that_is_rolled_back_at_its_end_says_whether_it_had_rows() {
    let ends = |script: Script| script.transcript().unwrap().lines().last().unwrap().to_owned();
    let open = || Script::new().gtid(1).query("BEGIN");
    assert_eq!(ends(open().query("ROLLBACK")), "end 1 RolledBack { has_rows: false }");
    assert_eq!(ends(open().row().query("ROLLBACK")), "end 1 RolledBack { has_rows: true }");
    assert_eq!(
        ends(Script::new().gtid(1).query("ROLLBACK")),
        "end 1 RolledBack { has_rows: false }"
    );
    let xa = Script::new().gtid(1).query("XA START X'61',X'',1").query("ROLLBACK");
    assert!(matches!(xa.problem(), Problem::Group(_)));
}

#[test]
fn an_xa_transaction_must_be_prepared_under_its_own_name() {
    let prepared = |start: &str, event: &[u8]| {
        Script::new().gtid(1).query(start).row().query("XA END X'61',X'',1").add(XA_PREPARE, event)
    };
    let event = b"\0\x01\0\0\0\x01\0\0\0\0\0\0\0a";
    for start in ["XA START X'61',X'',1", "XA START X'61',X'',4294967297"] {
        let text = prepared(start, event).transcript().unwrap();
        assert!(text.ends_with("Prepared { xid: Xid(…), has_rows: true }\n"), "{text}");
    }
    for start in ["XA START X'62',X'',1", "XA START X'61',X'61',1", "XA START X'61',X'',2"] {
        let problem = prepared(start, event).problem();
        assert!(matches!(problem, Problem::Group(_)), "{start}: {problem:?}");
    }
    for cut in 0..event.len() {
        let problem = prepared("XA START X'61',X'',1", &event[..cut]).problem();
        assert!(matches!(problem, Problem::Malformed(_)), "{cut}: {problem:?}");
    }
    let huge = b"\0\x01\0\0\0\xff\xff\xff\xff\0\0\0\0a";
    assert!(matches!(prepared("XA START X'61',X'',1", huge).problem(), Problem::Malformed(_)));
}

#[test]
fn an_event_that_is_missing_from_a_transaction_is_noticed() {
    for missing in 1..4 {
        let mut script = Script::new().gtid(1).query("BEGIN").row().xid();
        script.events.remove(missing);
        let error = script.transcript().unwrap_err();
        assert!(matches!(error.problem(), Problem::Gap { .. }), "{error}");
    }
    // Between transactions the server leaves out what the reader has.
    let mut script = Script::new().gtid(1).query("BEGIN").xid().gtid(2).query("DROP TABLE t");
    script.events.drain(..3);
    assert_eq!(script.transcript().unwrap(), "end 2 Drop shop.t\n");
}

#[test]
fn events_that_may_hide_changes_are_refused() {
    assert_eq!(Script::new().add(INCIDENT, &[1, 0, 0]).problem(), Problem::Incident);
    assert_eq!(Script::new().add(99, &[]).problem(), Problem::UnknownEvent(99));
    let ignorable = Script::new().push(99, 23, 0x80, &[]);
    assert_eq!(ignorable.transcript().unwrap(), "");
    let open = || Script::new().gtid(1).query("BEGIN");
    let map = open().row().events;
    let with = |event_type| {
        let mut script = open().row();
        script.events.clone_from(&map);
        script.add(event_type, b"\x09\0\0\0\0\0\x01\0\x02\0\x01\xff\0\x05\0\0\0").problem()
    };
    assert_eq!(with(23), Problem::OldServer);
    assert_eq!(
        open().add(WRITE_ROWS, &[8; 20]).problem(),
        Problem::UnmappedTable(0x0808_0808_0808)
    );
}

#[test]
fn rows_that_do_not_fit_their_table_are_refused() {
    let with = |rows: &[u8]| {
        let mut script = Script::new().gtid(1).query("BEGIN").row();
        script.events.truncate(3);
        script.offset -= 19 + 17;
        script.add(WRITE_ROWS, rows)
    };
    let head = b"\x09\0\0\0\0\0\x01\0\x02\0";
    let good = [&head[..], b"\x01\xff\0\x05\0\0\0"].concat();
    assert_eq!(with(&good).transcript().unwrap(), "begin 1\n  insert shop.t 5\n");
    let two_columns = [&head[..], b"\x02\xff\0\x05\0\0\0"].concat();
    assert!(matches!(with(&two_columns).problem(), Problem::ColumnCount(_)));
    let no_column = [&head[..], b"\x01\xfe\0\x05\0\0\0"].concat();
    assert!(matches!(with(&no_column).problem(), Problem::ImageNotFull(_)));
    for (cut, message) in [
        (&b"\x01\xff\0\x05\0\0"[..], "column id of table shop.t, row 0 of the event: the row ends"),
        (b"\x01\xff\0\x05\0\0\0\0", "column id of table shop.t, row 1 of the event: the row ends"),
    ] {
        let error = with(&[&head[..], cut].concat()).transcript().unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

/// Its rows would take no bytes, so that an event of them had no end.
#[test]
fn a_table_without_columns_is_refused() {
    let map = b"\x09\0\0\0\0\0\x01\0\x04shop\0\x01t\0\0\0";
    let script = Script::new().gtid(1).query("BEGIN").add(TABLE_MAP, map);
    assert_eq!(script.problem(), Problem::Malformed("a table without columns"));
}

/// A table of these types, their details and metadata, and one row of it.
fn table(types: &[u8], details: &[u8], metadata: &[u8], row: &[u8]) -> Script {
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
    let mut map = b"\x09\0\0\0\0\0\x01\0\x04shop\0\x01t\0".to_vec();
    map.push(length(types));
    map.extend(types);
    map.push(length(details));
    map.extend(details);
    map.push(0);
    map.extend(metadata);
    let mut rows = b"\x09\0\0\0\0\0\x01\0\x02\0".to_vec();
    rows.extend([length(types), 0xff, 0]);
    rows.extend(row);
    Script::new().gtid(1).query("BEGIN").add(TABLE_MAP, &map).add(WRITE_ROWS, &rows)
}

/// The kinds of a table's columns, and what is in the last one, gone over the others.
fn last_value(script: &Script) -> Result<(Vec<ColumnKind>, String), DecodeError> {
    let (last, before) = script.events.split_last().unwrap();
    let mut decoder = decoder(&[]);
    for event in before {
        decoder.decode(event)?;
    }
    let Decoded::Rows(mut rows) = decoder.decode(last)? else { panic!("no rows") };
    let kinds: Vec<_> = rows.table.columns.iter().map(|column| column.kind.clone()).collect();
    rows.images.next_image()?;
    for _ in 1..kinds.len() {
        rows.images.skip_value()?;
    }
    let value = format!("{:?}", rows.images.next_value()?);
    assert!(!rows.images.more());
    Ok((kinds, value))
}

#[test]
fn a_column_that_is_not_read_is_gone_over_where_its_length_is_known() {
    // TIMESTAMP, TIME and DATETIME of MySQL 5.5, then a TINYINT.
    let metadata = b"\x04\x08\x01a\x01b\x01c\x01d\x01\x01\0";
    let old = table(&[7, 11, 12, 1], b"", metadata, b"1234123123456785");
    let (kinds, value) = last_value(&old).unwrap();
    assert_eq!(value, "Int(53)");
    assert_eq!(kinds[1], ColumnKind::Unsupported("TIME of MySQL 5.5"));
    let error = old.transcript().unwrap_err().to_string();
    let expected =
        "column a of table shop.t, row 0 of the event: a type that Tailwater does not read";
    assert!(error.starts_with(expected), "{error}");
    // A VARCHAR(300), an ENUM and a SET, all of the unknown collation 9999.
    let metadata = [
        &b"\x04\x08\x01a\x01b\x01c\x01d\x01\x01\0"[..],
        b"\x02\x03\xfc\x0f\x27\x0a\x03\xfc\x0f\x27\x06\x03\x01\x01x\x05\x03\x01\x01y",
    ];
    let details = b"\x2c\x01\xf7\x01\xf8\x02";
    let row = b"\x02\0ab\x01\x01\0\x05";
    let texts = table(&[15, 254, 254, 1], details, &metadata.concat(), row);
    let (kinds, value) = last_value(&texts).unwrap();
    assert_eq!(value, "Int(5)");
    assert_eq!(kinds[1], ColumnKind::Unsupported("text of an unknown character set"));
    // An array of TINYINT has no length that is known.
    let array = table(&[20, 1], b"\x01", b"\x04\x04\x01a\x01b\x01\x01\0", b"\x05");
    let expected = Problem::ColumnType {
        table: TableName { database: "shop".into(), table: "t".into() },
        column: "a".into(),
        column_type: "ARRAY",
    };
    assert_eq!(array.problem(), expected);
}

#[test]
fn metadata_that_describe_other_columns_are_refused() {
    let names = |metadata: &[u8]| {
        let metadata = [&b"\x04\x02\x01a\x01\x01\0"[..], metadata].concat();
        table(&[1], b"", &metadata, b"\x05")
    };
    names(b"").transcript().unwrap();
    let problem = Problem::Malformed("more columns described than there are");
    // A collation, one that differs from the rest, an ENUM's labels, a geometry's type.
    for metadata in
        [&b"\x03\x01\x21"[..], b"\x02\x03\x21\0\x3f", b"\x06\x03\x01\x01x", b"\x07\x01\x01"]
    {
        let mut script = names(metadata);
        script.events.pop();
        assert_eq!(script.problem(), problem, "{metadata:?}");
    }
}

#[test]
fn a_table_id_means_what_the_last_table_map_said() {
    let mut script = Script::new().gtid(1).query("BEGIN").row();
    let other = b"\x09\0\0\0\0\0\x01\0\x04shop\0\x01t\0\x01\x01\0\0\x01\x01\0\x04\x03\x02id";
    let rows = b"\x09\0\0\0\0\0\x01\0\x02\0\x01\xff\0\x07";
    script = script.add(TABLE_MAP, other).add(WRITE_ROWS, rows).row().xid();
    let text = "begin 1\n  insert shop.t 5\n  insert shop.t 7\n  insert shop.t 5\nend 1\n";
    assert_eq!(script.transcript().unwrap(), text);
}

#[test]
fn a_compressed_transaction_that_the_stream_swallowed_is_noticed() {
    let whole = events(recording("grammar"));
    let payload = whole
        .iter()
        .position(|event| event.header().event_type_raw() == TRANSACTION_PAYLOAD)
        .unwrap();
    let inside = |event: &Event| !event.footer().get_checksum_enabled();
    let first = whole.iter().position(inside).unwrap();
    let last = whole.iter().rposition(inside).unwrap();
    assert_eq!(first, payload + 1);
    // All of it, or its end.
    for kept in [first, first + 1, last] {
        let mut events = whole.clone();
        events.drain(kept..=last);
        let mut decoder = decoder(&[]);
        let error = transcript(&mut decoder, &events).unwrap_err();
        assert_eq!(*error.problem(), Problem::Payload, "{error}");
    }
    // Inside without outside.
    let mut events = whole.clone();
    events.remove(payload);
    assert!(transcript(&mut decoder(&[]), &events).is_err());
}

#[test]
fn the_position_follows_rotations_and_heartbeats() {
    let position = |script: &Script| {
        let mut decoder = Decoder::new(Box::new(|_: &TableName| true), String::new());
        transcript(&mut decoder, &script.events).unwrap();
        decoder.file_position().clone()
    };
    let at = |file: &str, offset| FilePosition { file: file.into(), offset };
    let script = Script::new().artificial_rotate("binlog.000007", 4);
    assert_eq!(position(&script), at("binlog.000007", 4));
    let script = script.gtid(1).query("BEGIN").xid();
    let end = script.offset;
    assert_eq!(position(&script), at("binlog.000007", end));
    let script = script.heartbeat("binlog.000007", end + 500);
    assert_eq!(position(&script), at("binlog.000007", end + 500));
    // Another file's heartbeat and an older one's place move nothing.
    let script = script.heartbeat("binlog.000008", end + 900).heartbeat("binlog.000007", 10);
    assert_eq!(position(&script), at("binlog.000007", end + 500));
    let mut script = script;
    script.offset = end + 500;
    let rotate = [&4_u64.to_le_bytes()[..], b"binlog.000008"].concat();
    let script = script.add(ROTATE, &rotate);
    assert_eq!(position(&script), at("binlog.000008", 4));
    let script = script.artificial_rotate("binlog.000008", 4).gtid(2);
    assert_eq!(position(&script), at("binlog.000008", 4 + 19 + 25));
}

#[test]
fn offsets_continue_beyond_what_the_wire_holds() {
    let mut script = Script::new();
    script.offset = u64::from(u32::MAX) - 150;
    script = script.gtid(1).query("BEGIN").row().row().xid().gtid(2).query("DROP TABLE t");
    let mut decoder = decoder(&[]);
    let mut offsets = Vec::new();
    for event in &script.events {
        if let Decoded::Rows(rows) = decoder.decode(event).unwrap() {
            offsets.push(rows.origin.offset);
        }
    }
    assert_eq!(decoder.file_position().offset, script.offset);
    assert!(script.offset > 1 << 32);
    assert_eq!(offsets.len(), 2);
    assert!(offsets.is_sorted());
}

#[test]
fn a_stream_that_continues_beyond_what_the_wire_holds_knows_its_offsets() {
    // A start by GTIDs: the file's beginning, then the first transaction that is missing.
    let leap = |file, offset| {
        let mut script = Script::new().artificial_rotate(file, 4).add(PREVIOUS_GTIDS, &[0; 8]);
        script.offset = offset;
        script.gtid(1).query("BEGIN").row().xid()
    };
    let end = |script: &Script, resumed_from| {
        let captures = Box::new(|_: &TableName| true);
        let mut decoder = Decoder::new(captures, "binlog.000001".into()).resumed_from(resumed_from);
        transcript(&mut decoder, &script.events).unwrap();
        decoder.file_position().offset
    };
    let far = (3 << 32) + 1000;
    let script = leap("binlog.000001", far);
    assert_eq!(end(&script, far), script.offset);
    assert_eq!(end(&script, far - 900), script.offset);
    // In another file than the one it went on from, the leap is the file's first.
    let script = leap("binlog.000002", 1000);
    assert_eq!(end(&script, far), script.offset);
    // Below that the wire has the offset, and the server may go back further.
    let script = leap("binlog.000001", 1000);
    assert_eq!(end(&script, 2000), script.offset);
}

#[test]
fn a_lower_case_server_means_its_tables_in_any_case() {
    let script = Script::new().gtid(1).query("TRUNCATE `Shop`.`T`");
    assert_eq!(script.transcript().unwrap(), "end 1\n");
    let mut lower = decoder(&[]).lower_case_names(true);
    assert_eq!(transcript(&mut lower, &script.events).unwrap(), "end 1 Truncate shop.t\n");
}
