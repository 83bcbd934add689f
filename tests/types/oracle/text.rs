//! A record's value as the text that `SELECT` prints for the row it comes from.
//!
//! Written from MySQL's manual and the envelope's type table alone: nothing here comes from the
//! program. Where a record cannot hold what MySQL holds, [`expected`] brings the server's text to
//! what the documentation says arrives instead.

use std::fmt::Write as _;

use serde_json::Value as Json;
use testkit::{Context as _, Result, bail};

use super::column::{Column, Kind};

/// The text that the record must have, given what `SELECT` printed.
///
/// Three texts are changed. A FLOAT or DOUBLE is compared as a number, because MySQL and Rust print
/// exponents in different ways. A date that does not exist, or has a zero part, arrives as NULL,
/// and as the epoch from a column that is NOT NULL. Documents that have nothing but JSON are
/// delivered with `format.json = "compact"`, all others with `"mysql"`.
pub(super) fn expected(column: &Column, selected: Option<&[u8]>) -> Result<Option<Vec<u8>>> {
    let Some(selected) = selected else { return Ok(None) };
    let text = || String::from_utf8_lossy(selected).into_owned();
    Ok(match column.kind {
        Kind::Float { .. } => Some(float_text(text().parse()?).into()),
        Kind::Date | Kind::DateTime { .. } | Kind::Timestamp { .. } if !is_a_date(&text()) => {
            let epoch = "1970-01-01 00:00:00.000000";
            (!column.nullable).then(|| epoch.as_bytes()[..selected.len()].to_vec())
        }
        Kind::Json { only_json: true } => Some(compact(&text()).into()),
        _ => Some(selected.to_vec()),
    })
}

/// The text of a record's field.
pub(super) fn of_field(column: &Column, field: &Json) -> Result<Option<Vec<u8>>> {
    if field.is_null() {
        return Ok(None);
    }
    let text = match &column.kind {
        Kind::Integer { bits, zerofill, .. } => {
            let number = match field.get("decimal") {
                Some(decimal) => decimal.as_str().context("not a decimal")?.to_owned(),
                None => integer(field)?.to_string(),
            };
            let width = if *zerofill { display_width(*bits) } else { 0 };
            format!("{number:0>width$}")
        }
        Kind::Decimal { precision, scale, zerofill, .. } => {
            let text = field.get("decimal").and_then(Json::as_str).context("not a decimal")?;
            let width = usize::from(*precision) + usize::from(*scale > 0);
            let width = width + usize::from(precision == scale);
            if *zerofill { format!("{text:0>width$}") } else { text.to_owned() }
        }
        Kind::Float { .. } => float_text(field.as_f64().context("not a number")?),
        Kind::Bit { width } => return bits(*width, field).map(Some),
        Kind::Year => format!("{:04}", integer(field)?),
        Kind::Date => date(integer(field)?),
        Kind::Time { fraction } => {
            let us = integer(field)?;
            let sign = if us < 0 { "-" } else { "" };
            format!("{sign}{}", clock(us.unsigned_abs(), *fraction))
        }
        Kind::DateTime { fraction } => {
            let unit_us = if *fraction < 4 { 1000 } else { 1 };
            let us = integer(field)?.checked_mul(unit_us).context("too large")?;
            let (day, us) = (us.div_euclid(DAY_US), us.rem_euclid(DAY_US));
            format!("{} {}", date(day), clock(us.unsigned_abs(), *fraction))
        }
        Kind::Timestamp { fraction } => timestamp(string(field)?, *fraction)?,
        Kind::Text { .. } | Kind::Json { .. } | Kind::Enum { .. } | Kind::Set { .. } => {
            string(field)?.to_owned()
        }
        Kind::Bytes { .. } => return bytes(field).map(Some),
        Kind::Geometry { declared } => return geometry(field, *declared == "POINT").map(Some),
        Kind::Vector { .. } => return vector(field).map(Some),
    };
    Ok(Some(text.into_bytes()))
}

const DAY_US: i64 = 86_400_000_000;

/// The widths that MySQL gives integer columns declared UNSIGNED ZEROFILL without one.
fn display_width(bits: u8) -> usize {
    match bits {
        8 => 3,
        16 => 5,
        24 => 8,
        32 => 10,
        _ => 20,
    }
}

fn integer(field: &Json) -> Result<i64> {
    field.as_i64().with_context(|| format!("not an integer: {field}"))
}

fn string(field: &Json) -> Result<&str> {
    field.as_str().with_context(|| format!("not a text: {field}"))
}

/// Bytes, which stand in hexadecimal digits.
pub(super) fn bytes(field: &Json) -> Result<Vec<u8>> {
    let digits = field.get("hex").and_then(Json::as_str).context("not bytes")?.as_bytes();
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|it| u8::try_from(it).ok());
    let pairs = digits.chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?));
    pairs.collect::<Option<Vec<u8>>>().context("not hexadecimal")
}

/// Enough digits to tell any two numbers apart, and the sign of zero.
fn float_text(number: f64) -> String {
    format!("{number:e}")
}

/// SELECT gives a BIT's bytes, the most significant first; a record has a boolean for one bit and
/// the least significant byte first for several.
fn bits(width: u8, field: &Json) -> Result<Vec<u8>> {
    if let (1, Some(bit)) = (width, field.as_bool()) {
        return Ok(vec![u8::from(bit)]);
    }
    let mut bytes = bytes(field)?;
    if bytes.len() != usize::from(width.div_ceil(8)) {
        bail!("{} bytes for {width} bits", bytes.len());
    }
    bytes.reverse();
    Ok(bytes)
}

/// SELECT gives a geometry's SRID, least significant byte first, then its well-known binary. A
/// POINT's record has its coordinates besides.
fn geometry(field: &Json, is_point: bool) -> Result<Vec<u8>> {
    let srid = match &field["srid"] {
        Json::Null => 0,
        srid => u32::try_from(integer(srid)?)?,
    };
    let well_known = bytes(&field["wkb"])?;
    if is_point {
        for (name, at) in [("x", 5), ("y", 13)] {
            let bits = well_known.get(at..at + 8).context("too short for a point")?;
            let coordinate = f64::from_le_bytes(bits.try_into()?);
            if field[name].as_f64().map(f64::to_bits) != Some(coordinate.to_bits()) {
                bail!("{name} is {} and not {coordinate}", field[name]);
            }
        }
    }
    Ok([&srid.to_le_bytes()[..], &well_known].concat())
}

/// SELECT gives a vector's singles, least significant byte first.
fn vector(field: &Json) -> Result<Vec<u8>> {
    let numbers = field.as_array().context("not an array")?.iter().map(|number| {
        let number = number.as_f64().context("not a number")?;
        #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "checked")]
        let single = number as f32;
        if f64::from(single).to_bits() != number.to_bits() {
            bail!("{number} is no single");
        }
        Ok(single.to_le_bytes())
    });
    Ok(numbers.collect::<Result<Vec<_>>>()?.concat())
}

/// A document's text without the spaces that MySQL puts behind commas and colons.
fn compact(text: &str) -> String {
    let (mut inside_string, mut escaped, mut follows) = (false, false, false);
    let mut compact = String::new();
    for character in text.chars() {
        if !(follows && character == ' ') {
            compact.push(character);
        }
        inside_string ^= character == '"' && !escaped;
        escaped = inside_string && character == '\\' && !escaped;
        follows = !inside_string && matches!(character, ',' | ':');
    }
    compact
}

/// The date so many days after 1970-01-01, found by going through the years and months.
fn date(day: i64) -> String {
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_of_year = |year| if is_leap(year) { 366 } else { 365 };
    // 719,528 days from the year 0 to 1970; 146,097 in 400 years.
    let mut rest = day + 719_528;
    let mut year = 400 * rest.div_euclid(146_097);
    rest = rest.rem_euclid(146_097);
    while rest >= days_of_year(year) {
        rest -= days_of_year(year);
        year += 1;
    }
    let february = days_of_year(year) - 337;
    let mut month = 1;
    for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if rest < days {
            break;
        }
        rest -= days;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", rest + 1)
}

/// `hh:mm:ss`, and as many digits behind it as the column has.
fn clock(us: u64, fraction: u8) -> String {
    let seconds = us / 1_000_000;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{hour:02}:{minute:02}:{second:02}");
    if fraction > 0 {
        let digits = format!("{:06}", us % 1_000_000);
        write!(text, ".{}", &digits[..usize::from(fraction)]).expect("a String takes all");
    }
    text
}

/// `2024-01-02T03:04:05.678Z` as MySQL writes it; it must have exactly the column's digits.
fn timestamp(iso_8601: &str, fraction: u8) -> Result<String> {
    let text = iso_8601.strip_suffix('Z').context("not in UTC")?.replacen('T', " ", 1);
    let digits = text.split_once('.').map_or(0, |(_, digits)| digits.len());
    if digits != usize::from(fraction) {
        bail!("{digits} digits of the second where the column has {fraction}: {iso_8601}");
    }
    Ok(text)
}

/// Whether a text that starts with `YYYY-MM-DD` is a day of the calendar from the year 1 on.
fn is_a_date(text: &str) -> bool {
    let mut parts = text.get(..10).unwrap_or_default().split('-').map(str::parse::<i64>);
    let mut part = || parts.next().and_then(std::result::Result::ok).unwrap_or(0);
    let (year, month, day) = (part(), part(), part());
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    year > 0 && 0 < day && day <= days
}
