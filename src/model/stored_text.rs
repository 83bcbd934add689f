//! The frozen texts that describe columns in the state topic.
//!
//! A table record holds a number made from the text of a version, a snapshot's progress record
//! holds the text of a key. A connector compares them with what it makes after a restart, and
//! after an upgrade: other text is another table, which is read again from its first row. So these
//! texts are written out here, apart from the names in the code, and never change.

use std::fmt::{Display, Formatter, Result, Write as _};

use super::table::{Column, ColumnKind, TableVersion};

/// A column's type as the state topic has it.
pub struct KindText<'a>(pub &'a ColumnKind);

impl Display for KindText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            ColumnKind::Int { bits, unsigned } => {
                write!(f, "Int {{ bits: {bits}, unsigned: {unsigned} }}")
            }
            ColumnKind::Float => f.write_str("Float"),
            ColumnKind::Double => f.write_str("Double"),
            ColumnKind::Decimal { precision, scale } => {
                write!(f, "Decimal {{ precision: {precision}, scale: {scale} }}")
            }
            ColumnKind::Bit { width } => write!(f, "Bit {{ width: {width} }}"),
            ColumnKind::Year => f.write_str("Year"),
            ColumnKind::Date => f.write_str("Date"),
            ColumnKind::Time { fraction } => write!(f, "Time {{ fraction: {fraction} }}"),
            ColumnKind::DateTime { fraction } => write!(f, "DateTime {{ fraction: {fraction} }}"),
            ColumnKind::Timestamp { fraction } => {
                write!(f, "Timestamp {{ fraction: {fraction} }}")
            }
            ColumnKind::Text => f.write_str("Text"),
            ColumnKind::Binary { length } => write!(f, "Binary {{ length: {length} }}"),
            ColumnKind::Bytes => f.write_str("Bytes"),
            ColumnKind::Enum(labels) => write!(f, "Enum({})", Labels(labels)),
            ColumnKind::Set(labels) => write!(f, "Set({})", Labels(labels)),
            ColumnKind::Json => f.write_str("Json"),
            ColumnKind::Geometry { is_point } => write!(f, "Geometry {{ is_point: {is_point} }}"),
            ColumnKind::Vector => f.write_str("Vector"),
            ColumnKind::Unsupported(name) => write!(f, "Unsupported({})", Quoted(name)),
        }
    }
}

/// A version's columns and primary key as the number in its table record is made from.
pub struct VersionText<'a>(pub &'a TableVersion);

impl Display for VersionText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let TableVersion { columns, primary_key, .. } = self.0;
        list(f, columns.iter().map(ColumnText))?;
        f.write_char(' ')?;
        list(f, primary_key.iter())
    }
}

struct ColumnText<'a>(&'a Column);

impl Display for ColumnText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Column { name, kind, nullable } = self.0;
        let (name, kind) = (Quoted(name), KindText(kind));
        write!(f, "Column {{ name: {name}, kind: {kind}, nullable: {nullable} }}")
    }
}

struct Labels<'a>(&'a [String]);

impl Display for Labels<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        list(f, self.0.iter().map(|label| Quoted(label)))
    }
}

/// Parts in brackets, with commas between them.
fn list(f: &mut Formatter<'_>, parts: impl Iterator<Item: Display>) -> Result {
    f.write_char('[')?;
    for (at, part) in parts.enumerate() {
        write!(f, "{}{part}", if at == 0 { "" } else { ", " })?;
    }
    f.write_char(']')
}

/// Text in quotation marks. Only what would make two texts one is escaped.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                '\0' => f.write_str("\\0")?,
                '\t' => f.write_str("\\t")?,
                '\r' => f.write_str("\\r")?,
                '\n' => f.write_str("\\n")?,
                _ => f.write_char(character)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::table::TableName;

    /// Each kind and its text, which records in state topics have: no line may change.
    fn golden() -> Vec<(ColumnKind, &'static str)> {
        let labels = vec!["plain".to_owned(), "a\"b\\c".to_owned(), "é\t'".to_owned()];
        vec![
            (ColumnKind::Int { bits: 64, unsigned: true }, "Int { bits: 64, unsigned: true }"),
            (ColumnKind::Float, "Float"),
            (ColumnKind::Double, "Double"),
            (
                ColumnKind::Decimal { precision: 65, scale: 30 },
                "Decimal { precision: 65, scale: 30 }",
            ),
            (ColumnKind::Bit { width: 7 }, "Bit { width: 7 }"),
            (ColumnKind::Year, "Year"),
            (ColumnKind::Date, "Date"),
            (ColumnKind::Time { fraction: 3 }, "Time { fraction: 3 }"),
            (ColumnKind::DateTime { fraction: 0 }, "DateTime { fraction: 0 }"),
            (ColumnKind::Timestamp { fraction: 6 }, "Timestamp { fraction: 6 }"),
            (ColumnKind::Text, "Text"),
            (ColumnKind::Binary { length: 16 }, "Binary { length: 16 }"),
            (ColumnKind::Bytes, "Bytes"),
            (ColumnKind::Enum(labels.clone()), r#"Enum(["plain", "a\"b\\c", "é\t'"])"#),
            (ColumnKind::Set(labels), r#"Set(["plain", "a\"b\\c", "é\t'"])"#),
            (ColumnKind::Json, "Json"),
            (ColumnKind::Geometry { is_point: false }, "Geometry { is_point: false }"),
            (ColumnKind::Vector, "Vector"),
            (
                ColumnKind::UNREADABLE_LABELS,
                "Unsupported(\"ENUM or SET with a label that is no text in its character set\")",
            ),
        ]
    }

    #[test]
    fn each_kind_has_the_text_that_state_topics_have() {
        for (kind, text) in golden() {
            assert_eq!(KindText(&kind).to_string(), text);
        }
    }

    #[test]
    fn each_version_has_the_text_that_state_topics_have() {
        let column = |name: &str, kind, nullable| Column { name: name.to_owned(), kind, nullable };
        let version = TableVersion {
            name: TableName { database: "shop".to_owned(), table: "orders".to_owned() },
            columns: vec![
                column("id", ColumnKind::Int { bits: 32, unsigned: false }, false),
                column("note \"x\"", ColumnKind::Text, true),
            ],
            primary_key: vec![1, 0],
            decoration: None,
        };
        assert_eq!(
            VersionText(&version).to_string(),
            "[Column { name: \"id\", kind: Int { bits: 32, unsigned: false }, nullable: false }, \
             Column { name: \"note \\\"x\\\"\", kind: Text, nullable: true }] [1, 0]"
        );
        let (empty, no_key) = (vec![], vec![]);
        let version = TableVersion { columns: empty, primary_key: no_key, ..version };
        assert_eq!(VersionText(&version).to_string(), "[] []");
    }
}
