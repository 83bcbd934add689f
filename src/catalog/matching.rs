//! Whether the catalog's type of a column is the one in the binlog.

use crate::model::table::ColumnKind;

/// Whether a column type as the catalog writes it (`decimal(12,2) unsigned`) is what the event
/// described.
pub(super) fn is_same_type(
    column_type: &str,
    character_set: Option<&str>,
    kind: &ColumnKind,
) -> bool {
    let text = column_type.to_ascii_lowercase();
    let name = text.split(['(', ' ']).next().unwrap_or_default();
    let arguments = arguments(&text);
    let number = |index: usize| arguments.get(index).copied().unwrap_or(0);
    let is_unsigned = text.contains(" unsigned");
    match kind {
        ColumnKind::Int { bits, unsigned } => {
            is_unsigned == *unsigned
                && match name {
                    "tinyint" => *bits == 8,
                    "smallint" => *bits == 16,
                    "mediumint" => *bits == 24,
                    "int" => *bits == 32,
                    "bigint" => *bits == 64,
                    _ => false,
                }
        }
        ColumnKind::Float => name == "float",
        ColumnKind::Double => name == "double",
        ColumnKind::Decimal { precision, scale } => {
            name == "decimal"
                && number(0) == u32::from(*precision)
                && number(1) == u32::from(*scale)
        }
        ColumnKind::Bit { width } => name == "bit" && number(0) == u32::from(*width),
        ColumnKind::Year => name == "year",
        ColumnKind::Date => name == "date",
        ColumnKind::Time { fraction } => name == "time" && number(0) == u32::from(*fraction),
        ColumnKind::DateTime { fraction } => {
            name == "datetime" && number(0) == u32::from(*fraction)
        }
        ColumnKind::Timestamp { fraction } => {
            name == "timestamp" && number(0) == u32::from(*fraction)
        }
        ColumnKind::Text => character_set.is_some() && is_string(name),
        ColumnKind::Binary { length } => name == "binary" && number(0) == *length,
        ColumnKind::Bytes => character_set.is_none() && is_bytes(name),
        ColumnKind::Enum(labels) => name == "enum" && list(column_type) == Some(quoted(labels)),
        ColumnKind::Set(labels) => name == "set" && list(column_type) == Some(quoted(labels)),
        ColumnKind::Json => name == "json",
        ColumnKind::Geometry { is_point: true } => name == "point",
        ColumnKind::Geometry { is_point: false } => is_geometry(name),
        ColumnKind::Vector => name == "vector",
        // Nothing is known that could be compared, and no record shows the column.
        ColumnKind::Unsupported(_) => true,
    }
}

fn is_string(name: &str) -> bool {
    matches!(name, "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext")
}

fn is_bytes(name: &str) -> bool {
    matches!(name, "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob")
}

fn is_geometry(name: &str) -> bool {
    matches!(
        name,
        "geometry"
            | "linestring"
            | "polygon"
            | "multipoint"
            | "multilinestring"
            | "multipolygon"
            | "geomcollection"
            | "geometrycollection"
    )
}

/// The numbers in the type's parentheses.
pub(super) fn arguments(text: &str) -> Vec<u32> {
    let inside = text.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    inside.map_or_else(Vec::new, |(inside, _)| {
        inside.split(',').map_while(|number| number.trim().parse().ok()).collect()
    })
}

/// The text between the outer parentheses.
fn list(column_type: &str) -> Option<String> {
    let (_, rest) = column_type.split_once('(')?;
    let (inside, _) = rest.rsplit_once(')')?;
    Some(inside.to_owned())
}

/// Labels as the catalog writes them (MySQL source, `append_unescaped`): some characters escaped,
/// and `?` for those beyond U+FFFF, which its own character set, utf8mb3, does not have.
fn quoted(labels: &[String]) -> String {
    let mut text = String::new();
    for label in labels {
        text.push_str(if text.is_empty() { "'" } else { ",'" });
        for character in label.chars() {
            match character {
                '\'' => text.push_str("''"),
                '\\' => text.push_str("\\\\"),
                '\0' => text.push_str("\\0"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\u{10000}'.. => text.push('?'),
                _ => text.push(character),
            }
        }
        text.push('\'');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::is_same_type;
    use crate::model::table::ColumnKind;

    #[test]
    fn each_type_differs_from_its_neighbours() {
        let int = ColumnKind::Int { bits: 32, unsigned: true };
        let decimal = ColumnKind::Decimal { precision: 12, scale: 2 };
        let labels = ColumnKind::Enum(vec!["a".into(), "it's".into(), "b,c".into()]);
        let odd_labels = ColumnKind::Set(vec!["\0\n\r\\".into(), "🐟".into()]);
        for (text, character_set, kind, same) in [
            ("int(8) unsigned zerofill", None, &int, true),
            ("int", None, &int, false),
            ("bigint unsigned", None, &int, false),
            ("decimal(12,2)", None, &decimal, true),
            ("decimal(12,3)", None, &decimal, false),
            ("enum('a','it''s','b,c')", Some("utf8mb4"), &labels, true),
            ("enum('a','it''s')", Some("utf8mb4"), &labels, false),
            (r"set('\0\n\r\\','?')", Some("utf8mb4"), &odd_labels, true),
            ("time(3)", None, &ColumnKind::Time { fraction: 3 }, true),
            ("time", None, &ColumnKind::Time { fraction: 0 }, true),
            ("datetime(3)", None, &ColumnKind::Time { fraction: 3 }, false),
            ("varchar(20)", Some("latin1"), &ColumnKind::Text, true),
            ("varbinary(20)", None, &ColumnKind::Text, false),
            ("varbinary(20)", None, &ColumnKind::Bytes, true),
            ("binary(4)", None, &ColumnKind::Binary { length: 4 }, true),
            ("json", None, &ColumnKind::Json, true),
            ("point", None, &ColumnKind::Geometry { is_point: true }, true),
            ("geomcollection", None, &ColumnKind::Geometry { is_point: false }, true),
            ("point", None, &ColumnKind::Geometry { is_point: false }, false),
            ("vector(4)", None, &ColumnKind::Vector, true),
        ] {
            assert_eq!(is_same_type(text, character_set, kind), same, "{text} as {kind:?}");
        }
    }
}
