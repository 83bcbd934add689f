//! Is a topic, folded by key, the same as its table?
//!
//! Rows of both sides are brought into one form, a text for each column: numbers in decimal,
//! bytes in hexadecimal, moments and durations in microseconds (days for a DATE). The topic's
//! side goes by the names that Debezium gives its types (`connect.name`), the table's side by the
//! types of MySQL's binary protocol, so neither knows of the other.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result, bail};
use mysql_async::consts::{ColumnFlags, ColumnType};
use mysql_async::{Column, Value as Sql};
use serde_json::Value as Json;

use crate::schema::hex;
use crate::{Database, Record, Schema};

/// The columns of a row or key by name, each as text; `None` is NULL.
pub type Cells = BTreeMap<String, Option<String>>;

/// A topic beside its table.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The table's name.
    pub table: String,
    /// Rows in MySQL.
    pub rows: usize,
    /// Keys in Kafka.
    pub keys: usize,
    /// What differs, a line each; empty if nothing does.
    pub differences: Vec<String>,
}

/// What remains of a topic when only the last record of each key counts: the rows by key.
///
/// # Errors
/// When a record has no key.
pub fn fold(records: &[Record]) -> Result<BTreeMap<Cells, Cells>> {
    let mut rows = BTreeMap::new();
    for record in records {
        let place = || format!("record {}:{}", record.topic, record.offset);
        let (key, schema) = record
            .key
            .as_ref()
            .zip(record.key_schema.as_ref())
            .with_context(|| format!("{} has no key", place()))?;
        let key = cells(key, schema).with_context(place)?;
        match (&record.value_schema, record.after()) {
            (Some(schema), after @ Json::Object(_)) => {
                rows.insert(key, cells(after, schema).with_context(place)?);
            }
            _ => {
                rows.remove(&key);
            }
        }
    }
    Ok(rows)
}

/// Folds the records of one topic and compares the rows with what the table holds now. Columns
/// that the records do not have are left out.
///
/// # Errors
/// When a record has no key, or either side has a type that cannot be compared.
pub fn compare(database: &mut Database, table: &str, records: &[Record]) -> Result<Comparison> {
    let in_kafka = fold(records)?;
    let (columns, rows) = database.query(&format!("SELECT * FROM `{table}`"))?;
    let sample = in_kafka.first_key_value();
    let mut in_mysql = BTreeMap::new();
    for row in rows {
        let values = columns.iter().zip(row.unwrap());
        let cells: Result<Cells> = values
            .map(|(column, value)| Ok((column.name_str().into_owned(), sql_cell(value, column)?)))
            .collect();
        let cells = cells?;
        // Without a record nothing says what the key is; any will do to say that it is missing.
        let (key, row) = sample.map_or_else(
            || (cells.clone(), cells.clone()),
            |(key, row)| (restrict(&cells, key), restrict(&cells, row)),
        );
        in_mysql.insert(key, row);
    }
    let differences = differences(&in_mysql, &in_kafka);
    let (rows, keys) = (in_mysql.len(), in_kafka.len());
    Ok(Comparison { table: table.to_owned(), rows, keys, differences })
}

/// The cells whose columns `like` has too.
fn restrict(cells: &Cells, like: &Cells) -> Cells {
    let cells = cells.iter().filter(|(column, _)| like.contains_key(*column));
    cells.map(|(column, cell)| (column.clone(), cell.clone())).collect()
}

impl Comparison {
    /// Whether both sides are the same.
    pub fn is_equal(&self) -> bool {
        self.differences.is_empty()
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_equal() { "equal" } else { "different" };
        let Self { table, rows, keys, differences } = self;
        write!(formatter, "{table}: {rows} rows in MySQL, {keys} keys in Kafka: {verdict}")?;
        differences.iter().try_for_each(|line| write!(formatter, "\n  {line}"))
    }
}

fn differences(
    in_mysql: &BTreeMap<Cells, Cells>,
    in_kafka: &BTreeMap<Cells, Cells>,
) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, row) in in_mysql {
        match in_kafka.get(key) {
            None => lines.push(format!("{key:?} is missing in Kafka")),
            Some(other) if other != row => {
                lines.push(format!("{key:?} is {row:?} in MySQL, {other:?} in Kafka"));
            }
            Some(_) => {}
        }
    }
    let only_in_kafka = in_kafka.keys().filter(|key| !in_mysql.contains_key(*key));
    lines.extend(only_in_kafka.map(|key| format!("{key:?} is in Kafka only")));
    lines
}

fn cells(row: &Json, schema: &Schema) -> Result<Cells> {
    let types = schema.columns()?;
    let row = row.as_object().context("row is not an object")?;
    row.iter()
        .map(|(name, value)| {
            let column = types.get(name).with_context(|| format!("no type for {name}"))?;
            let cell = avro_cell(value, column).with_context(|| format!("column {name}"))?;
            Ok((name.clone(), cell))
        })
        .collect()
}

/// One column of a record, by Debezium's name for its type.
pub(crate) fn avro_cell(value: &Json, column: &Json) -> Result<Option<String>> {
    if value.is_null() {
        return Ok(None);
    }
    let number = || value.as_i64().with_context(|| format!("{value} is not an integer"));
    let text = |key| value.get(key).and_then(Json::as_str).map(ToOwned::to_owned);
    let name = column.get("connect.name").and_then(Json::as_str).unwrap_or_default();
    Ok(Some(match name {
        "io.debezium.time.Timestamp" => (number()? * 1_000).to_string(),
        "io.debezium.time.Date"
        | "io.debezium.time.MicroTime"
        | "io.debezium.time.Year"
        | "io.debezium.time.MicroTimestamp" => number()?.to_string(),
        "io.debezium.time.ZonedTimestamp" => {
            let text = value.as_str().context("not a text")?;
            instant(text).with_context(|| format!("not a moment in UTC: {text}"))?.to_string()
        }
        "org.apache.kafka.connect.data.Decimal" => text("decimal").context("not a decimal")?,
        "io.debezium.data.Bits" => {
            let little_endian = text("hex").context("not bytes")?;
            let bytes = little_endian.as_bytes().chunks(2).rev();
            bytes.flatten().map(|byte| char::from(*byte)).collect()
        }
        "io.debezium.data.FloatVector" | "io.debezium.data.DoubleVector" => value.to_string(),
        // The second column of a type refers to it by name alone.
        _ if value.get("wkb").is_some() => {
            let bytes = value.pointer("/wkb/hex").and_then(Json::as_str).context("no WKB")?;
            format!("{} {bytes}", value.get("srid").and_then(Json::as_i64).unwrap_or_default())
        }
        "" | "io.debezium.data.Enum" | "io.debezium.data.EnumSet" | "io.debezium.data.Json" => {
            match value {
                Json::Bool(value) => u8::from(*value).to_string(),
                Json::String(value) => value.clone(),
                Json::Number(number) if number.is_f64() => {
                    number.as_f64().unwrap_or(f64::NAN).to_string()
                }
                Json::Number(number) => number.to_string(),
                other => text("hex").with_context(|| format!("cannot compare {other}"))?,
            }
        }
        other => bail!("cannot compare a {other}"),
    }))
}

/// One column of a table.
pub(crate) fn sql_cell(value: Sql, column: &Column) -> Result<Option<String>> {
    let is_binary = column.character_set() == BINARY;
    Ok(Some(match (value, column.column_type()) {
        (Sql::NULL, _) => return Ok(None),
        (Sql::Int(value), _) => value.to_string(),
        (Sql::UInt(value), _) => value.to_string(),
        (Sql::Float(value), _) => f64::from(value).to_string(),
        (Sql::Double(value), _) => value.to_string(),
        (Sql::Bytes(bytes), ColumnType::MYSQL_TYPE_BIT) if column.column_length() == 1 => {
            u8::from(bytes != [0]).to_string()
        }
        (Sql::Bytes(bytes), ColumnType::MYSQL_TYPE_BIT) => hex(&bytes),
        (Sql::Bytes(bytes), ColumnType::MYSQL_TYPE_NEWDECIMAL) => without_zerofill(&bytes)?,
        (Sql::Bytes(bytes), ColumnType::MYSQL_TYPE_JSON) => String::from_utf8(bytes)?,
        (Sql::Bytes(bytes), ColumnType::MYSQL_TYPE_GEOMETRY) => geometry(&bytes)?,
        (Sql::Bytes(bytes), ColumnType::MYSQL_TYPE_VECTOR) => vector(&bytes)?,
        (Sql::Bytes(bytes), _) if column.flags().intersects(LABELS) => String::from_utf8(bytes)?,
        (Sql::Bytes(bytes), _) if is_binary => hex(&bytes),
        (Sql::Bytes(bytes), _) => String::from_utf8(bytes)?,
        (Sql::Date(year, month, day, ..), _) if !is_a_date(year, month, day) => {
            // Such a date arrives as NULL, and as the epoch where the column has no NULL.
            let not_null = column.flags().contains(ColumnFlags::NOT_NULL_FLAG);
            return Ok(not_null.then(|| "0".to_owned()));
        }
        (Sql::Date(year, month, day, ..), ColumnType::MYSQL_TYPE_DATE) => {
            days(i64::from(year), month.into(), day.into()).to_string()
        }
        (Sql::Date(year, month, day, hour, minute, second, microsecond), _) => {
            let days = days(i64::from(year), month.into(), day.into());
            let clock = [hour, minute, second].map(i64::from);
            (microseconds(days * 24, clock) + i64::from(microsecond)).to_string()
        }
        (Sql::Time(is_negative, days, hour, minute, second, microsecond), _) => {
            let clock = [hour, minute, second].map(i64::from);
            let time = microseconds(i64::from(days) * 24, clock) + i64::from(microsecond);
            (if is_negative { -time } else { time }).to_string()
        }
    }))
}

/// The collation of columns that hold bytes, not text.
const BINARY: u16 = 63;

/// ENUM and SET, whose labels are text whatever their character set.
const LABELS: ColumnFlags = ColumnFlags::ENUM_FLAG.union(ColumnFlags::SET_FLAG);

/// DECIMAL ZEROFILL is printed with zeros in front.
fn without_zerofill(text: &[u8]) -> Result<String> {
    let text = std::str::from_utf8(text)?;
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let whole = digits.trim_start_matches('0');
    let zero = if whole.is_empty() || whole.starts_with('.') { "0" } else { "" };
    Ok(format!("{sign}{zero}{whole}"))
}

/// MySQL's form: the SRID in four bytes, then WKB.
fn geometry(bytes: &[u8]) -> Result<String> {
    let (srid, wkb) = bytes.split_at_checked(4).context("a geometry without SRID")?;
    Ok(format!("{} {}", u32::from_le_bytes(srid.try_into()?), hex(wkb)))
}

fn vector(bytes: &[u8]) -> Result<String> {
    let numbers =
        bytes.chunks(4).map(|number| Ok(f64::from(f32::from_le_bytes(number.try_into()?))));
    Ok(Json::from(numbers.collect::<Result<Vec<_>>>()?).to_string())
}

/// Whether it is a date without a zero part that the calendar has: MySQL can store others.
fn is_a_date(year: u16, month: u8, day: u8) -> bool {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    0 < year && (1..=days).contains(&day)
}

fn microseconds(hours: i64, [hour, minute, second]: [i64; 3]) -> i64 {
    (((hours + hour) * 60 + minute) * 60 + second) * 1_000_000
}

/// Microseconds since the epoch of `2024-01-02T03:04:05.678Z`, with any number of digits.
fn instant(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let integers = |text: &str, separator| -> Option<[i64; 3]> {
        let parts: Option<Vec<i64>> = text.split(separator).map(|part| part.parse().ok()).collect();
        parts?.try_into().ok()
    };
    let [year, month, day] = integers(date, '-')?;
    let fraction: i64 = format!("{fraction:0<6}").parse().ok()?;
    Some(microseconds(days(year, month, day) * 24, integers(clock, ':')?) + fraction)
}

/// Days since 1970-01-01 in the Gregorian calendar. Years are counted from March, so that a leap
/// day is the last day of its year; 400 years have 146,097 days.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year_from_march = if month < 3 { year - 1 } else { year };
    let era = year_from_march.div_euclid(400);
    let year_of_era = year_from_march.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests;
