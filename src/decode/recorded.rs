//! Support of the tests: recorded binlog files as the events of a stream, and values as MySQL
//! prints them. `tests/data/binlog/record.sh` makes the recordings.

use std::fmt::Write as _;

use mysql_async::binlog::{
    BinlogVersion,
    events::{Event, FormatDescriptionEvent, TransactionPayloadEvent},
};

use super::{DecodeError, Decoded, Decoder, GroupEnding, JsonText, Rows};
use crate::model::{
    change::{Operation, Transaction},
    table::{ColumnKind, TableName, TableVersion},
    value::{Date, RowImages as _, Value},
};

/// A recorded file.
macro_rules! recorded {
    ($($name:literal),*) => {
        [$(($name, include_bytes!(concat!("../../tests/data/binlog/", $name, ".bin")))),*]
    };
}

/// The recorded files by name.
pub(super) const RECORDINGS: [(&str, &[u8]); 19] = recorded!(
    "numbers",
    "times",
    "strings",
    "labels",
    "charsets",
    "json",
    "json_large",
    "partial",
    "hidden",
    "shapes",
    "grammar",
    "xa",
    "unusual",
    "settings",
    "statements",
    "triggers",
    "minimal",
    "unchecked",
    "sessions"
);

pub(super) fn recording(name: &str) -> &'static [u8] {
    RECORDINGS.iter().find(|(other, _)| *other == name).unwrap().1
}

/// A decoder that captures all tables of `shop` but those named here.
pub(super) fn decoder(skipped: &'static [&'static str]) -> Decoder {
    let captures = move |table: &TableName| {
        table.database == "shop" && !skipped.contains(&table.table.as_str())
    };
    Decoder::new(Box::new(captures), "binlog.000001".into()).json_text(JsonText::Mysql)
}

/// A file's events as the reader yields them, the inside of payloads among them.
pub(super) fn events(file: &[u8]) -> Vec<Event> {
    let mut format = FormatDescriptionEvent::new(BinlogVersion::Version4);
    let mut events = Vec::new();
    for bytes in raw_events(file) {
        let event = Event::read(&format, bytes).unwrap();
        if event.header().event_type_raw() == 15 {
            format = event.read_event::<FormatDescriptionEvent<'_>>().unwrap().into_owned();
            format = format.with_footer(event.footer());
        }
        let mut inside = Vec::new();
        if event.header().event_type_raw() == 40 {
            let payload: TransactionPayloadEvent<'_> = event.read_event().unwrap();
            let mut footer = format.footer();
            footer.set_checksum_enabled(false);
            let unchecked = format.clone().with_footer(footer);
            let payload = payload.danger_decompress();
            inside = split(&payload).map(|one| Event::read(&unchecked, one).unwrap()).collect();
        }
        events.push(event);
        events.append(&mut inside);
    }
    events
}

/// A file's events as bytes.
pub(super) fn raw_events(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    split(file.strip_prefix(b"\xfebin").unwrap())
}

fn split(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let size = u32::from_le_bytes(*rest.get(9..)?.first_chunk::<4>()?);
        let (event, after) = rest.split_at_checked(usize::try_from(size).ok()?)?;
        rest = after;
        Some(event)
    })
}

/// Reads all of an event's rows: for each one its images, each a line of texts between tabs.
pub(super) fn lines(rows: &mut Rows<'_>) -> Result<Vec<Vec<String>>, DecodeError> {
    let images = if rows.operation == Operation::Update { 2 } else { 1 };
    let mut lines = Vec::new();
    while rows.images.more() {
        let mut row = Vec::new();
        for _ in 0..images {
            row.push(line(rows)?);
        }
        lines.push(row);
    }
    Ok(lines)
}

fn line(rows: &mut Rows<'_>) -> Result<String, DecodeError> {
    rows.images.next_image()?;
    let mut texts = Vec::new();
    for column in &rows.table.columns {
        let value = rows.images.next_value()?;
        texts.push(text(value, &column.kind));
    }
    Ok(texts.join("\t"))
}

/// What the decoder says of each event, one line each; `Nothing` is left out, and so is the UUID
/// of the server that made the recording.
pub(super) fn transcript(decoder: &mut Decoder, events: &[Event]) -> Result<String, DecodeError> {
    let mut out = String::new();
    let short = |transaction: &Transaction| {
        let gtid = transaction.gtid_text.clone();
        if gtid.starts_with("aaaaaaaa-") { gtid } else { gtid.get(37..).unwrap_or("").to_owned() }
    };
    for event in events {
        match decoder.decode(event)? {
            Decoded::Nothing => {}
            Decoded::Begun(transaction) => push_line(&mut out, &["begin", &short(transaction)]),
            Decoded::Rows(mut rows) => {
                let head = format!("{} {}", rows.operation.name(), rows.table.name);
                for images in lines(&mut rows)? {
                    writeln!(out, "  {head} {}", images.join(" -> ").replace('\t', ",")).unwrap();
                }
            }
            Decoded::Statement(statement) => {
                writeln!(out, "  {}", statement_line(statement)).unwrap();
            }
            Decoded::Finished(finished) => {
                let more = match (&finished.ending, finished.statement) {
                    (GroupEnding::Committed, None) => String::new(),
                    (GroupEnding::Committed, Some(statement)) => statement_line(statement),
                    (GroupEnding::Xa(xa), _) => format!("{xa:?}"),
                    (ending, _) => format!("{ending:?}"),
                };
                push_line(&mut out, &["end", &short(finished.transaction), &more]);
            }
        }
    }
    Ok(out)
}

fn push_line(out: &mut String, words: &[&str]) {
    let words: Vec<_> = words.iter().filter(|word| !word.is_empty()).copied().collect();
    writeln!(out, "{}", words.join(" ")).unwrap();
}

fn statement_line(statement: &super::Statement) -> String {
    let tables: Vec<_> = statement.tables.iter().map(ToString::to_string).collect();
    format!("{:?} {}", statement.kind, tables.join(" "))
}

/// All rows that a recording inserts, by table in the order of their names.
pub(super) fn inserted(name: &str) -> std::collections::BTreeMap<String, Vec<String>> {
    let mut tables = std::collections::BTreeMap::<String, Vec<String>>::new();
    let mut decoder = decoder(&["source", "no_document"]);
    for event in events(recording(name)) {
        if let Decoded::Rows(mut rows) = decoder.decode(&event).unwrap() {
            let TableVersion { name, .. } = rows.table;
            let lines = lines(&mut rows).unwrap().concat();
            tables.entry(name.table.clone()).or_default().extend(lines);
        }
    }
    tables
}

/// A value as MySQL prints it; bytes in hex, bits and labels as in `record.sh`.
pub(super) fn text(value: Value<'_>, kind: &ColumnKind) -> String {
    match (value, kind) {
        (Value::Null, _) => "NULL".into(),
        (Value::Int(number), _) => number.to_string(),
        (Value::UnsignedInt(number) | Value::Bits(number), _) => number.to_string(),
        (Value::Float(number), _) => f64::from(number).to_string(),
        (Value::Double(number), _) => number.to_string(),
        (Value::Decimal(digits), ColumnKind::Decimal { scale, .. }) => digits.to_text(*scale),
        (Value::Year(year), _) => format!("{year:04}"),
        (Value::Date(date), _) => date_text(date),
        (Value::Time(us), ColumnKind::Time { fraction }) => {
            let sign = if us < 0 { "-" } else { "" };
            format!("{sign}{}", clock_text(us.unsigned_abs(), *fraction))
        }
        (Value::DateTime(at), ColumnKind::DateTime { fraction }) => {
            format!("{} {}", date_text(at.date), clock_text(at.time_us, *fraction))
        }
        (Value::Timestamp(None), ColumnKind::Timestamp { fraction }) => {
            format!("0000-00-00 {}", clock_text(0, *fraction))
        }
        (Value::Timestamp(Some(at)), ColumnKind::Timestamp { fraction }) => {
            let date = Date::from_days_since_epoch(at.seconds.div_euclid(86_400)).unwrap();
            let second = at.seconds.rem_euclid(86_400).cast_unsigned();
            let us = second * 1_000_000 + u64::from(at.microseconds);
            format!("{} {}", date_text(date), clock_text(us, *fraction))
        }
        (Value::Text(text) | Value::Json(text), _) => text.to_owned(),
        (Value::Bytes(bytes), ColumnKind::Binary { length }) => {
            let mut padded = bytes.to_vec();
            padded.resize(usize::try_from(*length).unwrap(), 0);
            hex(&padded)
        }
        (Value::Bytes(bytes) | Value::Vector(bytes), _) => hex(bytes),
        (Value::Geometry(shape), _) => hex(&shape.srid.to_le_bytes()) + &hex(shape.wkb),
        (Value::Enum(0), ColumnKind::Enum(_)) => String::new(),
        (Value::Enum(index), ColumnKind::Enum(labels)) => labels[usize::from(index) - 1].clone(),
        (Value::Set(members), ColumnKind::Set(labels)) => {
            let chosen = labels.iter().enumerate().filter(|(bit, _)| members >> bit & 1 == 1);
            chosen.map(|(_, label)| label.as_str()).collect::<Vec<_>>().join(",")
        }
        (value, kind) => panic!("{value:?} in a column of {kind:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02X}"))
}

fn date_text(Date { year, month, day }: Date) -> String {
    format!("{year:04}-{month:02}-{day:02}")
}

fn clock_text(us: u64, fraction: u8) -> String {
    let seconds = us / 1_000_000;
    let (hours, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{hours:02}:{minute:02}:{second:02}");
    if fraction > 0 {
        let digits = format!("{:06}", us % 1_000_000);
        write!(text, ".{}", digits.get(..usize::from(fraction)).unwrap()).unwrap();
    }
    text
}
