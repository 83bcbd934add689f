//! The cursor of a table: the key of the last row that was read, in a form for SQL and the state
//! topic.
//!
//! Only the server compares bounds, in the key column's own type and collation; here a bound is a
//! text. A bound from the state topic is checked character by character, because it becomes part of
//! a statement.

use std::fmt::Write as _;

use mysql_async::Value as Sql;
use serde::{Deserialize, Serialize};

use crate::model::table::ColumnKind;

/// The key of a table's last row that was read: one bound for each key column, in the key's order.
pub(super) type Cursor = Vec<Bound>;

/// One key column's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Bound {
    /// An integer, DECIMAL, FLOAT, DOUBLE, BIT or YEAR.
    Number(String),
    /// A DATE, DATETIME, TIMESTAMP (in UTC) or TIME.
    Time(String),
    /// BINARY, VARBINARY or BLOB, in hexadecimal.
    Bytes(String),
    /// CHAR, VARCHAR or TEXT: the bytes of the column's character set in hexadecimal.
    Text {
        /// The character set's name in MySQL.
        charset: String,
        /// The bytes.
        hex: String,
    },
    /// ENUM: the label's number.
    Enum(u64),
    /// SET, or an ENUM whose labels are no text: its number.
    Set(u64),
}

impl Bound {
    /// The bound of a value that the server sent; `None` for one that no key column has.
    pub(super) fn new(value: &Sql, kind: &ColumnKind, charset: Option<&str>) -> Option<Self> {
        Some(match (kind, value) {
            (ColumnKind::Enum(_), _) => Self::Enum(unsigned(value)?),
            (ColumnKind::Set(_) | &ColumnKind::UNREADABLE_LABELS, _) => Self::Set(unsigned(value)?),
            (_, Sql::Int(number)) => Self::Number(number.to_string()),
            (_, Sql::UInt(number)) => Self::Number(number.to_string()),
            // A FLOAT compares as the double that it is exactly.
            (_, Sql::Float(number)) => Self::Number(format!("{:e}", f64::from(*number))),
            (_, Sql::Double(number)) => Self::Number(format!("{number:e}")),
            (ColumnKind::Decimal { .. }, Sql::Bytes(digits)) => {
                Self::Number(String::from_utf8(digits.clone()).ok()?)
            }
            (ColumnKind::Bit { .. }, Sql::Bytes(bytes)) => {
                let bits = bytes.iter().fold(0_u64, |bits, &byte| bits << 8 | u64::from(byte));
                Self::Number(bits.to_string())
            }
            (ColumnKind::Text, Sql::Bytes(bytes)) => {
                Self::Text { charset: charset?.to_owned(), hex: hex(bytes) }
            }
            (ColumnKind::Binary { .. } | ColumnKind::Bytes, Sql::Bytes(bytes)) => {
                Self::Bytes(hex(bytes))
            }
            (ColumnKind::Date, Sql::Date(year, month, day, ..)) => {
                Self::Time(format!("{year:04}-{month:02}-{day:02}"))
            }
            (_, &Sql::Date(year, month, day, hour, minute, second, us)) => Self::Time(format!(
                "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{us:06}"
            )),
            (_, &Sql::Time(negative, days, hours, minute, second, us)) => {
                let hours = days.checked_mul(24)?.checked_add(u32::from(hours))?;
                let sign = if negative { "-" } else { "" };
                Self::Time(format!("{sign}{hours:02}:{minute:02}:{second:02}.{us:06}"))
            }
            _ => return None,
        })
    }

    /// The integer that it is, if it is one.
    pub(super) fn integer(&self) -> Option<i128> {
        match self {
            Self::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// Whether it can be part of a statement.
    pub(super) fn is_sound(&self) -> bool {
        let only = |text: &str, allowed: &dyn Fn(char) -> bool| {
            !text.is_empty() && text.chars().all(allowed)
        };
        let is_hex = |text: &str| {
            text.len().is_multiple_of(2) && text.chars().all(|c| c.is_ascii_hexdigit())
        };
        match self {
            Self::Number(text) => only(text, &|c| c.is_ascii_digit() || "+-.e".contains(c)),
            Self::Time(text) => only(text, &|c| c.is_ascii_digit() || "-: .".contains(c)),
            Self::Bytes(hex) => is_hex(hex),
            Self::Text { charset, hex } => {
                is_hex(hex) && only(charset, &|c| c.is_ascii_alphanumeric())
            }
            Self::Enum(_) | Self::Set(_) => true,
        }
    }

    /// The condition that `column`, an expression of this kind, comes after the bound in an index
    /// that goes up or down.
    pub(super) fn after(&self, column: &str, kind: &ColumnKind, descends: bool) -> String {
        let beyond = if descends { "<" } else { ">" };
        match (self, kind) {
            // An ENUM sorts by number and compares as text, so the labels that follow are named;
            // the number is selected too, because the error value reads like a label `''`.
            (Self::Enum(number), ColumnKind::Enum(labels)) => {
                let is_beyond = format!("CAST({column} AS UNSIGNED) {beyond} {number}");
                if descends {
                    return is_beyond;
                }
                let passed = usize::try_from(*number).unwrap_or(usize::MAX);
                let labels: Vec<String> = labels.iter().skip(passed).map(label).collect();
                if labels.is_empty() {
                    return "FALSE".to_owned();
                }
                format!("({column} IN ({}) AND {is_beyond})", labels.join(", "))
            }
            (Self::Enum(number) | Self::Set(number), _) => {
                format!("CAST({column} AS UNSIGNED) {beyond} {number}")
            }
            _ => format!("{column} {beyond} {}", self.literal()),
        }
    }

    /// The condition that `column`, a number, comes not after the bound.
    pub(super) fn until(&self, column: &str) -> String {
        format!("{column} <= {}", self.literal())
    }

    /// The condition that `column` equals the bound.
    pub(super) fn equal(&self, column: &str, kind: &ColumnKind) -> String {
        let wanted = |number: u64| usize::try_from(number).ok()?.checked_sub(1);
        match (self, kind) {
            (Self::Enum(number), ColumnKind::Enum(labels)) => {
                let is_number = format!("CAST({column} AS UNSIGNED) = {number}");
                match wanted(*number).and_then(|index| labels.get(index)) {
                    Some(text) => format!("({column} = {} AND {is_number})", label(text)),
                    None => is_number,
                }
            }
            (Self::Enum(number) | Self::Set(number), _) => {
                format!("CAST({column} AS UNSIGNED) = {number}")
            }
            _ => format!("{column} = {}", self.literal()),
        }
    }

    fn literal(&self) -> String {
        match self {
            Self::Number(digits) => digits.clone(),
            Self::Time(text) => format!("'{text}'"),
            Self::Bytes(hex) => format!("X'{hex}'"),
            Self::Text { charset, hex } => format!("_{charset} X'{hex}'"),
            Self::Enum(number) | Self::Set(number) => number.to_string(),
        }
    }
}

fn label(text: impl AsRef<str>) -> String {
    format!("_utf8mb4 X'{}'", hex(text.as_ref().as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02X}").expect("writing to a String cannot fail");
        text
    })
}

/// A number that was cast to UNSIGNED.
pub(super) fn unsigned(value: &Sql) -> Option<u64> {
    match *value {
        Sql::UInt(number) => Some(number),
        Sql::Int(number) => u64::try_from(number).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use mysql_async::Value as Sql;

    use super::Bound;
    use crate::model::table::ColumnKind;

    fn check(value: &Sql, kind: &ColumnKind, after: &str) {
        let bound = Bound::new(value, kind, Some("gbk")).unwrap();
        assert!(bound.is_sound(), "{bound:?}");
        assert_eq!(bound.after("k", kind, false), after);
        let json = serde_json::to_string(&bound).unwrap();
        assert_eq!(serde_json::from_str::<Bound>(&json).unwrap(), bound);
    }

    #[test]
    fn bounds_are_literals_that_the_server_compares() {
        let int = ColumnKind::Int { bits: 64, unsigned: true };
        check(&Sql::UInt(u64::MAX), &int, "k > 18446744073709551615");
        check(&Sql::Float(0.1), &ColumnKind::Float, "k > 1.0000000149011612e-1");
        check(&Sql::Bytes(vec![1, 0]), &ColumnKind::Bit { width: 9 }, "k > 256");
        check(&Sql::Bytes(b"k'".to_vec()), &ColumnKind::Text, "k > _gbk X'6B27'");
        check(&Sql::Bytes(Vec::new()), &ColumnKind::Bytes, "k > X''");
        check(&Sql::Date(2024, 0, 3, 0, 0, 0, 0), &ColumnKind::Date, "k > '2024-00-03'");
        let time = ColumnKind::Time { fraction: 1 };
        check(&Sql::Time(true, 34, 22, 59, 59, 0), &time, "k > '-838:59:59.000000'");
        let labels = ColumnKind::Enum(vec!["a".into(), "b".into(), "c".into()]);
        let after = "(k IN (_utf8mb4 X'62', _utf8mb4 X'63') AND CAST(k AS UNSIGNED) > 1)";
        check(&Sql::UInt(1), &labels, after);
        check(&Sql::UInt(3), &labels, "FALSE");
        check(&Sql::UInt(6), &ColumnKind::Set(Vec::new()), "CAST(k AS UNSIGNED) > 6");
        check(&Sql::UInt(1), &ColumnKind::UNREADABLE_LABELS, "CAST(k AS UNSIGNED) > 1");
    }

    #[test]
    fn what_could_end_a_literal_is_not_sound() {
        let text = |charset: &str, hex: &str| Bound::Text {
            charset: charset.to_owned(),
            hex: hex.to_owned(),
        };
        for bound in [
            Bound::Number("1 OR 1".to_owned()),
            Bound::Number(String::new()),
            Bound::Time("' OR '".to_owned()),
            Bound::Bytes("0".to_owned()),
            Bound::Bytes("0G".to_owned()),
            text("utf8mb4 ", "00"),
            text("", "00"),
            text("utf8mb4", "'"),
        ] {
            assert!(!bound.is_sound(), "{bound:?}");
        }
    }
}
