//! Recorded rows turned back into what MySQL stored, so that they can be encoded again.
//!
//! Where the recording shows something else than MySQL stored, because the original is wrong there
//! or because a zero date has no place in its format, `DIFFERENCES` has the truth, and what a
//! record should hold instead.

use serde_json::{Value as Json, json};
use tailwater::model::{
    decimal::Decimal,
    table::{Column, ColumnKind, TableVersion},
    value::{Date, DateTime, Geometry, Instant, RowImages, Value},
};

/// A value that owns what it holds.
#[derive(Clone, Debug)]
pub(super) enum Stored {
    Plain(Value<'static>),
    Text(String),
    Bytes(Vec<u8>),
    Json(String),
    Geometry { srid: u32, wkb: Vec<u8> },
    Vector(Vec<u8>),
}

/// Images of a row, as `decode` would give them.
pub(super) struct StoredImages {
    images: std::vec::IntoIter<Vec<Stored>>,
    image: Vec<Stored>,
    next: usize,
}

impl StoredImages {
    pub(super) fn new(images: Vec<Vec<Stored>>) -> Self {
        Self { images: images.into_iter(), image: Vec::new(), next: 0 }
    }
}

impl RowImages for StoredImages {
    type Error = std::convert::Infallible;

    fn next_image(&mut self) -> Result<(), Self::Error> {
        assert_eq!(self.next, self.image.len(), "the image before was not read to its end");
        self.image = self.images.next().unwrap();
        self.next = 0;
        Ok(())
    }

    fn next_value(&mut self) -> Result<Value<'_>, Self::Error> {
        self.next += 1;
        Ok(match &self.image[self.next - 1] {
            Stored::Plain(value) => *value,
            Stored::Text(text) => Value::Text(text),
            Stored::Bytes(bytes) => Value::Bytes(bytes),
            Stored::Json(text) => Value::Json(text),
            Stored::Geometry { srid, wkb } => Value::Geometry(Geometry { srid: *srid, wkb }),
            Stored::Vector(singles) => Value::Vector(singles),
        })
    }

    fn skip_value(&mut self) -> Result<(), Self::Error> {
        self.next_value().map(|_| ())
    }
}

/// Where the recording does not show what MySQL stored: table, id, column, the stored value, and
/// what our record holds; `None` if that is what the recording holds too.
type Difference = (&'static str, i64, &'static str, Value<'static>, Option<fn() -> Json>);

const ZERO: Date = Date { year: 0, month: 0, day: 0 };
const ZERO_TIME: Value<'static> = Value::DateTime(DateTime { date: ZERO, time_us: 0 });
const DOCUMENT_101: &str = r#"{"":{},"a":1,"b":[true,false,null,1.5,-0.0,1e100,"x"],"é":"🐟"}"#;
const DOCUMENT_105: &str = concat!(
    r#"{"d":"2024-01-02","t":"-01:02:03.400000","dt":"2024-01-02 03:04:05.678","#,
    r#""bin":"YWI=","dec":12.340}"#,
);
const NULL: Option<fn() -> Json> = Some(|| Json::Null);

const DIFFERENCES: [Difference; 29] = [
    // An explicit NULL in a nullable column with a default stays null.
    ("t_int", 102, "nd", Value::Null, NULL),
    ("t_real", 102, "dd", Value::Null, NULL),
    ("t_text", 103, "vd", Value::Null, NULL),
    ("t_set", 102, "ed", Value::Null, NULL),
    ("t_time", 102, "dd", Value::Null, NULL),
    ("t_time", 102, "dtd", Value::Null, NULL),
    ("t_time", 102, "td", Value::Null, NULL),
    ("t_time", 102, "yd", Value::Null, NULL),
    // So does a date that does not exist.
    ("t_time", 104, "dd", Value::Date(Date { year: 2020, month: 0, day: 10 }), NULL),
    (
        "t_time",
        104,
        "dtd",
        Value::DateTime(DateTime { date: Date { year: 2021, month: 3, day: 0 }, time_us: 0 }),
        NULL,
    ),
    // The year 0 is 0.
    ("t_time", 104, "y", Value::Year(0), Some(|| json!(0))),
    ("t_time", 104, "yd", Value::Year(0), Some(|| json!(0))),
    // A label with a comma has no backslash.
    ("t_set", 102, "e", Value::Enum(3), Some(|| json!("c,d"))),
    ("t_set", 105, "e", Value::Enum(0), None),
    // Dates that do not exist, where null or the epoch stands for them in both.
    ("t_time", 104, "d", Value::Date(ZERO), None),
    ("t_time", 104, "dt0", ZERO_TIME, None),
    ("t_time", 104, "dt2", ZERO_TIME, None),
    ("t_time", 104, "dt3", ZERO_TIME, None),
    ("t_time", 104, "dt4", ZERO_TIME, None),
    ("t_time", 104, "dt6", ZERO_TIME, None),
    ("t_time", 104, "ts0", Value::Timestamp(None), None),
    ("t_time", 104, "ts3", Value::Timestamp(None), None),
    ("t_time", 104, "ts6", Value::Timestamp(None), None),
    ("t_time", 104, "tsnn", Value::Timestamp(None), None),
    ("t_time", 104, "dnn", Value::Date(ZERO), None),
    ("t_time", 104, "dtnn", ZERO_TIME, None),
    // MySQL's own value: its time in a document, and the text of a large number.
    ("t_json", 101, "j", Value::Json(DOCUMENT_101), Some(|| json!(DOCUMENT_101))),
    ("t_json", 105, "j", Value::Json(DOCUMENT_105), Some(|| json!(DOCUMENT_105))),
    // The row with the key `k3100`; see `id`.
    ("t_bin", 3100, "b1d", Value::Null, NULL),
];

/// The differences in one recorded row.
fn differences(version: &TableVersion, row: &Json) -> impl Iterator<Item = &'static Difference> {
    let id = match &row["id"] {
        // `k3100` in hexadecimal.
        bytes if bytes["hex"] == "6b33313030" => 3100,
        id => id.as_i64().unwrap_or(-1),
    };
    let table = version.name.table.clone();
    DIFFERENCES.iter().filter(move |entry| entry.0 == table && entry.1 == id)
}

/// What MySQL stored, from a recorded row.
pub(super) fn stored(version: &TableVersion, row: &Json) -> Vec<Stored> {
    let recorded = row.as_object().unwrap().values();
    assert_eq!(recorded.len(), version.columns.len());
    recorded
        .zip(&version.columns)
        .map(|(value, column)| {
            match differences(version, row).find(|entry| entry.2 == column.name) {
                Some((_, _, _, value, _)) => Stored::Plain(*value),
                None => value_of(value, column),
            }
        })
        .collect()
}

/// What our record of a recorded row holds. Returns whether it is what was recorded.
pub(super) fn expect(version: &TableVersion, row: &mut Json) -> bool {
    let found: Vec<_> = differences(version, row).collect();
    let mut same = true;
    for (_, _, column, _, instead) in found {
        if let Some(instead) = instead {
            row[*column] = instead();
            same = false;
        }
    }
    same
}

fn value_of(recorded: &Json, column: &Column) -> Stored {
    if recorded.is_null() {
        return Stored::Plain(Value::Null);
    }
    let integer = || recorded.as_i64().unwrap();
    Stored::Plain(match &column.kind {
        ColumnKind::Int { unsigned: true, .. } => Value::UnsignedInt(recorded.as_u64().unwrap()),
        ColumnKind::Int { .. } => Value::Int(integer()),
        // The recording widens a float to a double; its own digits give the same float back.
        ColumnKind::Float => Value::Float(recorded.to_string().parse().unwrap()),
        ColumnKind::Double => Value::Double(recorded.as_f64().unwrap()),
        ColumnKind::Decimal { .. } => Value::Decimal(decimal(text(&recorded["decimal"]))),
        ColumnKind::Bit { width: 1 } => Value::Bits(u64::from(recorded.as_bool().unwrap())),
        ColumnKind::Bit { .. } => Value::Bits(bits(&bytes(recorded))),
        ColumnKind::Year => Value::Year(u16::try_from(integer()).unwrap()),
        ColumnKind::Date => Value::Date(Date::from_days_since_epoch(integer()).unwrap()),
        ColumnKind::Time { .. } => Value::Time(integer()),
        ColumnKind::DateTime { fraction: 0..=3 } => Value::DateTime(wall_clock(integer() * 1000)),
        ColumnKind::DateTime { .. } => Value::DateTime(wall_clock(integer())),
        ColumnKind::Timestamp { .. } => Value::Timestamp(Some(instant(text(recorded)))),
        ColumnKind::Enum(labels) => {
            let index = labels.iter().position(|label| label == text(recorded)).unwrap();
            Value::Enum(u16::try_from(index + 1).unwrap())
        }
        ColumnKind::Set(labels) => Value::Set(set(labels, text(recorded))),
        ColumnKind::Text => return Stored::Text(text(recorded).to_owned()),
        ColumnKind::Bytes => return Stored::Bytes(bytes(recorded)),
        ColumnKind::Binary { .. } => {
            let mut bytes = bytes(recorded);
            bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
            return Stored::Bytes(bytes);
        }
        ColumnKind::Json => return Stored::Json(text(recorded).to_owned()),
        ColumnKind::Geometry { .. } => {
            let srid = u32::try_from(recorded["srid"].as_i64().unwrap_or(0)).unwrap();
            return Stored::Geometry { srid, wkb: bytes(&recorded["wkb"]) };
        }
        ColumnKind::Vector => {
            #[expect(
                clippy::as_conversions,
                clippy::cast_possible_truncation,
                reason = "the recording widened singles"
            )]
            let single = |number: &Json| (number.as_f64().unwrap() as f32).to_le_bytes();
            return Stored::Vector(recorded.as_array().unwrap().iter().flat_map(single).collect());
        }
        kind @ ColumnKind::Unsupported(_) => panic!("{kind:?}"),
    })
}

fn text(recorded: &Json) -> &str {
    recorded.as_str().unwrap()
}

/// The bytes of `{"hex": "00ff"}`.
fn bytes(recorded: &Json) -> Vec<u8> {
    unhex(text(&recorded["hex"]))
}

/// The bytes of hexadecimal digits.
pub(super) fn unhex(digits: &str) -> Vec<u8> {
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

fn bits(little_endian: &[u8]) -> u64 {
    little_endian.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte))
}

fn decimal(text: &str) -> Decimal {
    let mut decimal = Decimal::default();
    decimal.negative = text.starts_with('-');
    for digit in text.chars().filter_map(|letter| letter.to_digit(10)) {
        decimal = decimal.push_digits(digit, 1).unwrap();
    }
    decimal
}

fn wall_clock(us: i64) -> DateTime {
    DateTime {
        date: Date::from_days_since_epoch(us.div_euclid(86_400_000_000)).unwrap(),
        time_us: u64::try_from(us.rem_euclid(86_400_000_000)).unwrap(),
    }
}

/// The instant of `2024-01-02T03:04:05.600Z`.
fn instant(text: &str) -> Instant {
    let number = |at: std::ops::Range<usize>| text[at].parse::<u16>().unwrap();
    let small = |at| u8::try_from(number(at)).unwrap();
    let date = Date { year: number(0..4), month: small(5..7), day: small(8..10) };
    let seconds = [(11..13, 3600), (14..16, 60), (17..19, 1)]
        .map(|(at, unit)| i64::from(number(at)) * unit)
        .iter()
        .sum::<i64>();
    let fraction = text[19..].trim_matches(['.', 'Z']);
    Instant {
        seconds: i64::from(date.days_since_epoch().unwrap()) * 86_400 + seconds,
        microseconds: format!("{fraction:0<6}").parse().unwrap(),
    }
}

fn set(labels: &[String], chosen: &str) -> u64 {
    let bit = |label: &str| 1 << labels.iter().position(|known| known == label).unwrap();
    chosen.split(',').filter(|label| !label.is_empty()).map(bit).sum()
}
