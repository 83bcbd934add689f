//! The bytes of whole messages.

use super::{EncodeError, EncodeProblem, Encoder, Message, SchemaId, SchemaIds, TablePlan};
use crate::model::{
    change::{Operation, RowsOrigin, Transaction},
    decimal::Decimal,
    record::{DefaultValue, Envelope, Field, FieldKind, RecordShape},
    table::TableName,
    value::{Date, DateTime, Geometry, Instant, RowImages, Value},
};

/// Images given as lists of values.
struct Images<'a> {
    images: std::vec::IntoIter<Vec<Value<'a>>>,
    values: std::vec::IntoIter<Value<'a>>,
}

impl<'a> Images<'a> {
    fn new(images: Vec<Vec<Value<'a>>>) -> Self {
        Self { images: images.into_iter(), values: Vec::new().into_iter() }
    }
}

impl RowImages for Images<'_> {
    type Error = &'static str;

    fn next_image(&mut self) -> Result<(), Self::Error> {
        assert_eq!(self.values.len(), 0, "the image before was not read to its end");
        self.values = self.images.next().ok_or("no image")?.into_iter();
        Ok(())
    }

    fn next_value(&mut self) -> Result<Value<'_>, Self::Error> {
        self.values.next().ok_or("no value")
    }

    fn skip_value(&mut self) -> Result<(), Self::Error> {
        self.next_value().map(|_| ())
    }
}

/// Rows of a number and of an unreadable value.
struct Unreadable {
    column: usize,
}

impl RowImages for Unreadable {
    type Error = &'static str;

    fn next_image(&mut self) -> Result<(), Self::Error> {
        self.column = 0;
        Ok(())
    }

    fn next_value(&mut self) -> Result<Value<'_>, Self::Error> {
        self.column += 1;
        if self.column == 1 { Ok(Value::Int(7)) } else { Err("cannot be read") }
    }

    fn skip_value(&mut self) -> Result<(), Self::Error> {
        self.column += 1;
        Ok(())
    }
}

#[test]
fn a_column_that_is_left_out_is_not_read_whatever_the_envelope() {
    for envelope in [Envelope::Debezium, Envelope::Flat { name: "customers".into() }] {
        let mut shape = shape(vec![field("id", FieldKind::Int32)], &[0]);
        shape.columns.push(None);
        shape.envelope = envelope;
        let plan = TablePlan::compile(&shape, SchemaIds { key: Some(SchemaId(7)), ..IDS });
        let mut encoder = Encoder::new("dbserver1", "1.0.0");
        for operation in [Operation::Insert, Operation::Update, Operation::Delete] {
            let images = &mut Unreadable { column: 0 };
            assert!(encoder.row(&plan, operation, 0, images).is_ok(), "{operation:?}");
        }
    }
}

fn field(name: &str, kind: FieldKind) -> Field {
    Field {
        column: name.to_owned(),
        name: name.to_owned(),
        kind,
        nullable: false,
        default: None,
        in_value: true,
    }
}

fn shape(fields: Vec<Field>, key: &[usize]) -> RecordShape {
    RecordShape {
        table: TableName { database: "inventory".into(), table: "customers".into() },
        topic: "dbserver1.inventory.customers".into(),
        namespace: "dbserver1.inventory.customers".into(),
        columns: fields.into_iter().map(Some).collect(),
        key: key.to_vec(),
        tombstones: true,
        envelope: Envelope::Debezium,
        refuses_zero_dates: false,
    }
}

const IDS: SchemaIds = SchemaIds { key: Some(SchemaId(7)), value: SchemaId(0x0102_0304) };

fn transaction() -> Transaction {
    Transaction {
        gtid_text: "0e4d5dcd-a33b-11ea-80f1-02010a22a99e:10".into(),
        commit_time_us: 1_700_000_000_000_000,
        thread_id: Some(7),
        server_id: 223_344,
        ..Transaction::default()
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().map(|digit| digit.to_digit(16).unwrap()).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

#[test]
fn a_create_has_exactly_the_bytes_of_confluents_converter() {
    let names = ["first_name", "last_name", "email"];
    let mut fields = vec![field("id", FieldKind::Int32)];
    fields.extend(names.map(|name| field(name, FieldKind::Text)));
    let plan = TablePlan::compile(&shape(fields, &[0]), IDS);
    let mut encoder = Encoder::new("dbserver1", "3.6.1.Final");
    let transaction = transaction();
    let origin = RowsOrigin { transaction: &transaction, file: "mysql-bin.000003", offset: 154 };
    encoder.start_event(&plan, &origin, 1_700_000_000_123_456_789);
    let texts = ["Anne", "Kretchmar", "annek@noanswer.org"].map(Value::Text);
    let row = std::iter::once(Value::Int(1004)).chain(texts).collect();
    let mut images = Images::new(vec![row]);
    let messages: Vec<Message<'_>> =
        encoder.row(&plan, Operation::Insert, 0, &mut images).unwrap().collect();
    let [Message { key: Some(key), value: Some(value), headers: [] }] = messages[..] else {
        panic!("{messages:?}");
    };
    assert_eq!(key, bytes("0000000007d80f"));
    assert_eq!(
        value,
        bytes(concat!(
            "0001020304",
            "0002d80f08416e6e65124b72657463686d617224616e6e656b406e6f616e737765722e6f726716332e36",
            "2e312e46696e616c0a6d7973716c1264627365727665723180a0abfef962000a66616c736512696e7665",
            "6e746f727900028080f28183898506028080d0e2c6bfce972f0212637573746f6d657273e0a11b024e30",
            "653464356463642d613333622d313165612d383066312d3032303130613232613939653a3130206d7973",
            "716c2d62696e2e303030303033b40200020e0000026302f6a1abfef96202808981828389850602aab4ae",
            "d8c7bfce972f",
        ))
    );
}

/// One message with what it borrows.
#[derive(Debug, PartialEq)]
struct Owned {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(&'static str, String)>,
}

/// Encodes one row; also returns how many dates did not exist.
fn encode(
    shape: &RecordShape,
    operation: Operation,
    images: Vec<Vec<Value<'_>>>,
) -> Result<(Vec<Owned>, u32), EncodeError<&'static str>> {
    let ids = SchemaIds { key: (!shape.key.is_empty()).then_some(SchemaId(7)), ..IDS };
    let plan = TablePlan::compile(shape, ids);
    let mut encoder = Encoder::new("dbserver1", "1.0.0");
    let transaction = Transaction::default();
    let origin = RowsOrigin { transaction: &transaction, file: "binlog.000001", offset: 4 };
    encoder.start_event(&plan, &origin, 0);
    let messages = encoder.row(&plan, operation, 0, &mut Images::new(images))?;
    let zero_dates = messages.zero_dates();
    let own = |message: Message<'_>| Owned {
        key: message.key.map(<[u8]>::to_vec),
        value: message.value.map(<[u8]>::to_vec),
        headers: message
            .headers
            .iter()
            .map(|header| {
                let text = String::from_utf8(header.value.clone()).unwrap();
                (header.name.to_str().unwrap(), text)
            })
            .collect(),
    };
    Ok((messages.map(own).collect(), zero_dates))
}

/// The bytes of one field with this value, in a table that has no other.
fn written(field: Field, value: Value<'_>) -> Result<(Vec<u8>, u32), EncodeProblem> {
    let row = vec![vec![value]];
    let shape = shape(vec![field], &[]);
    match encode(&shape, Operation::Insert, row) {
        Ok((messages, zero_dates)) => {
            let value = messages[0].value.as_ref().unwrap();
            // Frame, no before image, an after image; then the source block begins.
            let end = value.windows(6).position(|window| window == b"\x0a1.0.0").unwrap();
            Ok((value[7..end].to_vec(), zero_dates))
        }
        Err(EncodeError::Value { table, column, problem }) => {
            assert_eq!((table.as_str(), column.as_str()), ("inventory.customers", "c"));
            Err(problem)
        }
        Err(EncodeError::Images(error)) => panic!("{error}"),
    }
}

fn required(kind: FieldKind) -> Field {
    field("c", kind)
}

fn nullable(kind: FieldKind) -> Field {
    Field { nullable: true, ..required(kind) }
}

fn with_default(kind: FieldKind) -> Field {
    Field { default: Some(DefaultValue::Integer(5)), ..nullable(kind) }
}

#[test]
fn a_union_begins_with_the_branch_of_its_default() {
    let int = || FieldKind::Int32;
    for (field, value, expected) in [
        (required(int()), Value::Int(5), Ok(vec![10])),
        (nullable(int()), Value::Int(5), Ok(vec![2, 10])),
        (nullable(int()), Value::Null, Ok(vec![0])),
        (with_default(int()), Value::Int(5), Ok(vec![0, 10])),
        (with_default(int()), Value::Null, Ok(vec![2])),
        (required(int()), Value::Null, Err(EncodeProblem::Null)),
    ] {
        let about = format!("{field:?} {value:?}");
        assert_eq!(written(field, value).map(|(bytes, _)| bytes), expected, "{about}");
    }
}

#[test]
fn a_date_that_does_not_exist_is_null_or_the_epoch_and_is_counted() {
    let date = Value::Date(Date { year: 2024, month: 0, day: 10 });
    let zero = Date { year: 0, month: 0, day: 0 };
    let time = Value::DateTime(DateTime { date: zero, time_us: 1 });
    let epoch = [&[48][..], b"1970-01-01T00:00:00.000Z"].concat();
    let timestamp = || FieldKind::ZonedTimestamp { fraction: 3 };
    for (field, value, expected) in [
        (required(FieldKind::Date), date, vec![0]),
        (nullable(FieldKind::Date), date, vec![0]),
        (with_default(FieldKind::Date), date, vec![2]),
        (required(FieldKind::Timestamp), time, vec![0]),
        (with_default(FieldKind::MicroTimestamp), time, vec![2]),
        (required(timestamp()), Value::Timestamp(None), epoch),
        (with_default(timestamp()), Value::Timestamp(None), vec![2]),
    ] {
        let about = format!("{field:?} {value:?}");
        assert_eq!(written(field, value), Ok((expected, 1)), "{about}");
    }
}

#[test]
fn a_value_without_a_place_in_its_field_is_refused() {
    let labels = || vec!["a".to_owned(), "b".to_owned()];
    let far = Instant { seconds: 300_000_000_000, microseconds: 0 };
    for (kind, value, problem) in [
        (FieldKind::UnsignedInt64, Value::UnsignedInt(1 << 63), EncodeProblem::UnsignedTooLarge),
        (FieldKind::Enum(labels()), Value::Enum(3), EncodeProblem::EnumWithoutLabel),
        (FieldKind::EnumSet(labels()), Value::Set(0b100), EncodeProblem::SetWithoutLabel),
        (
            FieldKind::ZonedTimestamp { fraction: 0 },
            Value::Timestamp(Some(far)),
            EncodeProblem::TimeOutOfRange,
        ),
        (FieldKind::Int32, Value::Text("5"), EncodeProblem::OtherType),
        (FieldKind::Text, Value::Bytes(b"5"), EncodeProblem::OtherType),
    ] {
        let about = format!("{kind:?} {value:?}");
        assert_eq!(written(nullable(kind), value), Err(problem), "{about}");
    }
}

#[test]
fn rare_values_have_their_bytes() {
    let labels = |count| (0..count).map(|label| format!("l{label}")).collect::<Vec<_>>();
    let text =
        |text: &str| [&[u8::try_from(text.len() * 2).unwrap()][..], text.as_bytes()].concat();
    let instant = Instant { seconds: -1, microseconds: 987_654 };
    for (kind, value, expected) in [
        (
            FieldKind::UnsignedInt64,
            Value::UnsignedInt((1 << 63) - 1),
            bytes("feffffffffffffffff01"),
        ),
        (
            FieldKind::Decimal { precision: 20, scale: 0 },
            Value::UnsignedInt(u64::MAX),
            bytes("1200ffffffffffffffff"),
        ),
        (FieldKind::Enum(labels(2)), Value::Enum(0), vec![0]),
        (FieldKind::Enum(labels(2)), Value::Enum(2), text("l1")),
        (FieldKind::EnumSet(labels(64)), Value::Set(1 << 63 | 1), text("l0,l63")),
        (FieldKind::EnumSet(labels(2)), Value::Set(0), vec![0]),
        (FieldKind::PaddedBytes { length: 3 }, Value::Bytes(b"a"), text("a\0\0")),
        (FieldKind::PaddedBytes { length: 3 }, Value::Bytes(b"abcd"), text("abcd")),
        (FieldKind::Bits { width: 9 }, Value::Bits(0x101), bytes("040101")),
        (FieldKind::Boolean, Value::Bits(1), vec![1]),
        (
            FieldKind::ZonedTimestamp { fraction: 2 },
            Value::Timestamp(Some(instant)),
            text("1969-12-31T23:59:59.98Z"),
        ),
    ] {
        let about = format!("{kind:?} {value:?}");
        assert_eq!(written(required(kind), value), Ok((expected, 0)), "{about}");
    }
}

#[test]
fn a_delete_is_followed_by_a_tombstone_unless_it_is_switched_off() {
    for (key, tombstones) in [(&[0][..], true), (&[0], false), (&[], true)] {
        let mut shape = shape(vec![field("id", FieldKind::Int32)], key);
        shape.tombstones = tombstones;
        let (messages, _) = encode(&shape, Operation::Delete, vec![vec![Value::Int(1)]]).unwrap();
        let key = (!key.is_empty()).then(|| bytes("000000000702"));
        assert!(messages.iter().all(|message| message.key == key && message.headers.is_empty()));
        let values: Vec<bool> = messages.iter().map(|message| message.value.is_some()).collect();
        assert_eq!(values, if tombstones { &[true, false][..] } else { &[true] });
    }
}

#[test]
fn a_change_of_key_has_both_keys_as_json() {
    let kinds = [
        ("i", FieldKind::Int64),
        ("t", FieldKind::Text),
        ("b", FieldKind::Bytes),
        ("d", FieldKind::Decimal { precision: 4, scale: 2 }),
        ("f", FieldKind::Float64),
        ("n", FieldKind::Boolean),
    ];
    let mut fields: Vec<Field> = kinds.map(|(name, kind)| field(name, kind)).into();
    fields[5].nullable = true;
    let mut shape = shape(fields, &[5, 0, 1, 2, 3, 4]);
    let decimal = Decimal::from(1250);
    let row = |number, flag| {
        vec![
            Value::Int(number),
            Value::Text("a\"\\\u{1}é"),
            Value::Bytes(&[0xfb, 0xff, 0, 1]),
            Value::Decimal(decimal),
            Value::Double(1e10),
            flag,
        ]
    };
    let images = || vec![row(1, Value::Null), row(-2, Value::Bits(1))];
    let (messages, _) = encode(&shape, Operation::Update, images()).unwrap();
    let rest = r#""t":"a\"\\\u0001é","b":"+/8AAQ==","d":12.50,"f":1.0E10}"#;
    let old = ("__debezium.oldkey", format!(r#"{{"n":null,"i":1,{rest}"#));
    let new = ("__debezium.newkey", format!(r#"{{"n":true,"i":-2,{rest}"#));
    let headers: Vec<_> = messages.iter().flat_map(|message| message.headers.clone()).collect();
    assert_eq!(headers, [new.clone(), new, old]);
    assert_eq!(messages[0].key, messages[1].key);
    assert_ne!(messages[0].key, messages[2].key);

    shape.tombstones = false;
    let (without, _) = encode(&shape, Operation::Update, images()).unwrap();
    assert_eq!(without.iter().collect::<Vec<_>>(), [&messages[0], &messages[2]]);
}

#[test]
fn an_excluded_key_column_is_in_the_key_alone() {
    let mut fields = ["a", "b", "c"].map(|name| field(name, FieldKind::Int32)).to_vec();
    fields[1].in_value = false;
    let mut shape = shape(fields, &[2, 1]);
    shape.columns[0] = None;
    let row = |b| vec![Value::Int(1), Value::Int(b), Value::Int(3)];
    let (messages, _) = encode(&shape, Operation::Insert, vec![row(2)]).unwrap();
    assert_eq!(messages[0].key, Some(bytes("00000000070604")));
    assert_eq!(messages[0].value.as_ref().unwrap()[5..9], [0, 2, 6, 0x0a]);
    let (messages, _) = encode(&shape, Operation::Update, vec![row(2), row(4)]).unwrap();
    assert_eq!(messages.len(), 3, "its change is a change of key");
}

#[test]
fn an_anonymous_transaction_without_a_thread_has_nulls() {
    let shape = shape(vec![field("id", FieldKind::Int32)], &[]);
    let (messages, _) = encode(&shape, Operation::Insert, vec![vec![Value::Int(1)]]).unwrap();
    let value = messages[0].value.as_ref().unwrap();
    let server_id_to_thread = [&[0, 0, 26][..], b"binlog.000001", &[8, 0, 0]].concat();
    let found = value.windows(server_id_to_thread.len()).any(|bytes| bytes == server_id_to_thread);
    assert!(found, "{value:?}");
}

#[test]
fn what_the_reader_of_the_row_says_is_passed_on() {
    let shape = shape(vec![field("id", FieldKind::Int32)], &[]);
    let error = encode(&shape, Operation::Update, vec![vec![Value::Int(1)]]).unwrap_err();
    assert_eq!(error, EncodeError::Images("no image"));
}

/// A point at (1, -2) in big-endian and in little-endian well-known binary.
const POINTS: [&str; 2] =
    ["00000000013ff0000000000000c000000000000000", "0101000000000000000000f03f00000000000000c0"];

#[test]
fn a_point_shows_its_coordinates_whatever_their_byte_order() {
    for wkb in POINTS.map(bytes) {
        for (srid, tail) in [(0, "00"), (4326, "02cc43"), (0x7fff_ffff, "02feffffff0f")] {
            let coordinates = bytes("000000000000f03f00000000000000c0022a");
            let geometry = Geometry { srid, wkb: &wkb };
            let expected = [&coordinates, &wkb[..], &bytes(tail)].concat();
            let written = written(required(FieldKind::Point), Value::Geometry(geometry));
            assert_eq!(written, Ok((expected, 0)), "{wkb:?}");
        }
    }
}

#[test]
fn what_is_no_point_is_refused_and_never_read_past_its_end() {
    let [big, little] = POINTS.map(bytes);
    let mut not_points: Vec<Vec<u8>> = (0..little.len()).map(|end| little[..end].into()).collect();
    not_points.push([&big[..], &[0]].concat());
    // The byte order 2, and a linestring of no points, as MySQL writes it.
    not_points.push([&[2], &little[1..]].concat());
    not_points.push(bytes("010200000000000000"));
    for wkb in &not_points {
        let geometry = Value::Geometry(Geometry { srid: 0, wkb });
        assert_eq!(written(required(FieldKind::Point), geometry), Err(EncodeProblem::NotAPoint));
    }
    let far = Value::Geometry(Geometry { srid: 1 << 31, wkb: &little });
    for kind in [FieldKind::Point, FieldKind::Geometry] {
        assert_eq!(written(required(kind), far), Err(EncodeProblem::SridTooLarge));
    }
}

#[test]
fn a_vector_is_an_array_of_singles() {
    let vector = || required(FieldKind::FloatVector);
    assert_eq!(written(vector(), Value::Vector(b"")), Ok((vec![0], 0)));
    assert_eq!(written(vector(), Value::Vector(b"abcdefgh")), Ok((b"\x04abcdefgh\0".into(), 0)));
    assert_eq!(written(vector(), Value::Vector(b"abcdefg")), Err(EncodeProblem::VectorCutShort));
}

#[test]
fn structures_in_a_key_are_structures_in_its_json() {
    let kinds = [
        ("g", FieldKind::Geometry),
        ("p", FieldKind::Point),
        ("v", FieldKind::FloatVector),
        ("e", FieldKind::FloatVector),
        ("j", FieldKind::Json),
        ("i", FieldKind::Int32),
    ];
    let shape = shape(kinds.map(|(name, kind)| field(name, kind)).into(), &[0, 1, 2, 3, 4, 5]);
    let [_, point] = POINTS.map(bytes);
    let singles = [1.5_f32.to_le_bytes(), (-0.25_f32).to_le_bytes()].concat();
    let row = |number| {
        vec![
            Value::Geometry(Geometry { srid: 0, wkb: &[0xff] }),
            Value::Geometry(Geometry { srid: 4326, wkb: &point }),
            Value::Vector(&singles),
            Value::Vector(&[]),
            Value::Json("{\"a\":1}"),
            Value::Int(number),
        ]
    };
    let (messages, _) = encode(&shape, Operation::Update, vec![row(1), row(2)]).unwrap();
    let expected = concat!(
        r#"{"g":{"wkb":"/w==","srid":null},"#,
        r#""p":{"x":1.0,"y":-2.0,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAADA","srid":4326},"#,
        r#""v":[1.5,-0.25],"e":[],"j":"{\"a\":1}","i":1}"#,
    );
    assert_eq!(messages[2].headers, [("__debezium.oldkey", expected.to_owned())]);
}

#[test]
fn a_truncate_has_no_key_and_no_row() {
    let plan = TablePlan::compile(&shape(vec![field("id", FieldKind::Int32)], &[0]), IDS);
    let mut encoder = Encoder::new("dbserver1", "3.6.1.Final");
    let transaction = transaction();
    let origin = RowsOrigin { transaction: &transaction, file: "mysql-bin.000003", offset: 154 };
    encoder.start_event(&plan, &origin, 1_700_000_000_123_456_789);
    let Message { key: None, value: Some(value), headers: [] } = encoder.truncate(&plan) else {
        panic!("a truncate has a key, or no value");
    };
    // The create above, without its row and with the operation `t`.
    assert_eq!(
        value,
        bytes(concat!(
            "0001020304",
            "000016332e362e312e46696e616c0a6d7973716c1264627365727665723180a0abfef962000a66616c73",
            "6512696e76656e746f727900028080f28183898506028080d0e2c6bfce972f0212637573746f6d657273",
            "e0a11b024e30653464356463642d613333622d313165612d383066312d3032303130613232613939653a",
            "3130206d7973716c2d62696e2e303030303033b40200020e0000027402f6a1abfef96202808981828389",
            "850602aab4aed8c7bfce972f",
        ))
    );
}
