//! JSON documents as text, in the form that MySQL prints or in a compact one.

use std::fmt::Write as _;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::{
    binary::{Budget, DEPTH_MAX, Json},
    double::write_double,
};
use crate::decode::{error::ValueProblem, row::decimal::Shape, wire::Wire};

/// How a JSON column's documents are written as text.
///
/// Both have the same keys in the same order, the same numbers and the same escapes: those of
/// `SELECT`. They differ in space and in values that JSON has no type for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JsonText {
    /// Debezium's form in its stream: no space after `,` and `:`, bytes as plain base64, a
    /// fraction of a second without zeros at its end. A negative TIME, which Debezium garbles,
    /// is written as MySQL prints it.
    #[default]
    Compact,
    /// Exactly what `SELECT` prints: a space after `,` and `:`, `base64:type252:…`, six digits of
    /// a second's fraction.
    Mysql,
}

// The column types that have a form of their own (MySQL source, `include/field_types.h`); all
// others are base64.
const TIMESTAMP: u8 = 7;
const DATE: u8 = 10;
const TIME: u8 = 11;
const DATETIME: u8 = 12;
const DECIMAL: u8 = 246;

/// Writes the document that a column's bytes hold to the end of `out`.
pub(in crate::decode) fn write_document(
    bytes: &[u8],
    form: JsonText,
    out: &mut String,
) -> Result<(), ValueProblem> {
    let mut budget = Budget::new(bytes.len());
    let document = Json::document(bytes, &mut budget)?;
    Writer { form, out, budget }.value(document, 0)
}

/// Writes one document.
#[derive(Debug)]
pub(super) struct Writer<'o> {
    pub(in crate::decode) form: JsonText,
    pub(in crate::decode) out: &'o mut String,
    pub(super) budget: Budget,
}

impl Writer<'_> {
    /// Writes a value inside of so many arrays and objects.
    pub(in crate::decode) fn value(
        &mut self,
        json: Json<'_>,
        depth: usize,
    ) -> Result<(), ValueProblem> {
        match json {
            Json::Null => self.out.push_str("null"),
            Json::Boolean(true) => self.out.push_str("true"),
            Json::Boolean(false) => self.out.push_str("false"),
            Json::Int(number) => self.write(format_args!("{number}")),
            Json::UnsignedInt(number) => self.write(format_args!("{number}")),
            Json::Double(number) if number.is_finite() => write_double(number, self.out),
            Json::Double(_) => return Err(ValueProblem::Json("a number that is none")),
            Json::Text(text) => self.text(text),
            Json::Opaque { column_type, bytes } => self.opaque(column_type, bytes)?,
            Json::Container(container) => {
                self.open(container.is_object, depth)?;
                for index in 0..container.count() {
                    self.separate(index);
                    if container.is_object {
                        let key = container.key(index, &mut self.budget)?;
                        self.key(key);
                    }
                    let value = container.value(index, &mut self.budget)?;
                    self.value(value, depth + 1)?;
                }
                self.close(container.is_object);
            }
        }
        Ok(())
    }

    /// Begins an array or object inside of so many others.
    pub(in crate::decode) fn open(
        &mut self,
        is_object: bool,
        depth: usize,
    ) -> Result<(), ValueProblem> {
        if depth >= DEPTH_MAX {
            return Err(ValueProblem::Json("deeper than 100 arrays and objects"));
        }
        self.out.push(if is_object { '{' } else { '[' });
        Ok(())
    }

    /// Goes to the element of this index.
    pub(super) fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out.push_str(match self.form {
                JsonText::Compact => ",",
                JsonText::Mysql => ", ",
            });
        }
    }

    /// Writes an element's key.
    pub(in crate::decode) fn key(&mut self, key: &str) {
        self.text(key);
        self.out.push_str(match self.form {
            JsonText::Compact => ":",
            JsonText::Mysql => ": ",
        });
    }

    /// Ends an array or object.
    pub(in crate::decode) fn close(&mut self, is_object: bool) {
        self.out.push(if is_object { '}' } else { ']' });
    }

    /// Quotes a text as the server does (MySQL source, `sql-common/json_dom.cc`, `double_quote`).
    fn text(&mut self, text: &str) {
        self.out.push('"');
        let mut rest = text;
        while let Some(at) =
            rest.bytes().position(|byte| byte < b' ' || matches!(byte, b'"' | b'\\'))
        {
            let Some((plain, tail)) = rest.split_at_checked(at) else { break };
            self.out.push_str(plain);
            let mut characters = tail.chars();
            match characters.next() {
                Some(quoted @ ('"' | '\\')) => self.out.extend(['\\', quoted]),
                Some('\u{8}') => self.out.push_str("\\b"),
                Some('\u{c}') => self.out.push_str("\\f"),
                Some('\n') => self.out.push_str("\\n"),
                Some('\r') => self.out.push_str("\\r"),
                Some('\t') => self.out.push_str("\\t"),
                Some(control) => self.write(format_args!("\\u{:04x}", u32::from(control))),
                None => {}
            }
            rest = characters.as_str();
        }
        self.out.push_str(rest);
        self.out.push('"');
    }

    /// A value of one of MySQL's own types.
    fn opaque(&mut self, column_type: u8, bytes: &[u8]) -> Result<(), ValueProblem> {
        match column_type {
            DECIMAL => {
                let mut wire = Wire(bytes);
                let [precision, scale] = wire.array()?;
                let shape = Shape::in_document(precision, scale);
                let shape = shape.ok_or(ValueProblem::Json("a DECIMAL of an unknown size"))?;
                shape.write_text(scale, &mut wire, self.out)
            }
            DATE | TIME | DATETIME | TIMESTAMP => {
                let packed = Wire(bytes).u64()?.cast_signed();
                self.out.push('"');
                self.temporal(column_type, packed)?;
                self.out.push('"');
                Ok(())
            }
            _ => {
                self.out.push('"');
                if self.form == JsonText::Mysql {
                    self.write(format_args!("base64:type{column_type}:"));
                }
                self.base64(bytes);
                self.out.push('"');
                Ok(())
            }
        }
    }

    /// A date or time from one integer (MySQL source, `mysys/my_time.cc`,
    /// `TIME_from_longlong_datetime_packed` and its kin): year and month as one number to the base
    /// 13, day, hour, minute, second, microsecond.
    fn temporal(&mut self, column_type: u8, packed: i64) -> Result<(), ValueProblem> {
        let is_time = column_type == TIME;
        let magnitude = packed.unsigned_abs();
        let (us, seconds) = (magnitude & 0xff_ffff, magnitude >> 24);
        let (second, minute) = (seconds & 0x3f, seconds >> 6 & 0x3f);
        let hour = seconds >> 12 & if is_time { 0x3ff } else { 0x1f };
        let (day, year_month) = (seconds >> 17 & 0x1f, seconds >> 22);
        let (year, month) = (year_month / 13, year_month % 13);
        let hour_max = if is_time { 838 } else { 23 };
        let has_date = !is_time && packed >= 0 && year <= 9999;
        if us > 999_999 || second > 59 || minute > 59 || hour > hour_max || !(is_time || has_date) {
            return Err(ValueProblem::Json("a date or time that does not exist"));
        }
        if packed < 0 {
            self.out.push('-');
        }
        if !is_time {
            self.write(format_args!("{year:04}-{month:02}-{day:02}"));
        }
        match column_type {
            DATE => return Ok(()),
            TIME => {}
            _ => self.out.push(' '),
        }
        self.write(format_args!("{hour:02}:{minute:02}:{second:02}.{us:06}"));
        if self.form == JsonText::Compact && packed >= 0 {
            let kept = self.out.trim_end_matches('0').trim_end_matches('.').len();
            self.out.truncate(kept);
        }
        Ok(())
    }

    /// Bytes as base64, in MySQL's form with a line end, which it quotes, after each 76 characters
    /// (MySQL source, `mysys/base64.cc`).
    fn base64(&mut self, bytes: &[u8]) {
        const BYTES_PER_LINE: usize = 76 / 4 * 3;
        for (index, line) in bytes.chunks(BYTES_PER_LINE).enumerate() {
            if self.form == JsonText::Mysql && index > 0 {
                self.out.push_str("\\n");
            }
            BASE64_STANDARD.encode_string(line, self.out);
        }
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.out.write_fmt(text).expect("writing to a String cannot fail");
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
