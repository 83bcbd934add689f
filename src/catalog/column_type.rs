//! Reads column types as the catalog writes them (`decimal(12,2) unsigned`) into the model's types.

use crate::model::table::ColumnKind;

/// What a column of this type stores. `character_set` is `None` for what is no text.
pub(super) fn kind(column_type: &str, character_set: Option<&str>) -> ColumnKind {
    let text = column_type.to_ascii_lowercase();
    let name = text.split(['(', ' ']).next().unwrap_or_default();
    let numbers = super::matching::arguments(&text);
    let number = |index: usize| numbers.get(index).copied().unwrap_or(0);
    let byte = |index: usize| u8::try_from(number(index)).unwrap_or(u8::MAX);
    let int = |bits| ColumnKind::Int { bits, unsigned: text.contains(" unsigned") };
    match name {
        "tinyint" => int(8),
        "smallint" => int(16),
        "mediumint" => int(24),
        "int" => int(32),
        "bigint" => int(64),
        "float" => ColumnKind::Float,
        "double" => ColumnKind::Double,
        "decimal" => ColumnKind::Decimal { precision: byte(0), scale: byte(1) },
        "bit" => ColumnKind::Bit { width: byte(0) },
        "year" => ColumnKind::Year,
        "date" => ColumnKind::Date,
        "time" => ColumnKind::Time { fraction: byte(0) },
        "datetime" => ColumnKind::DateTime { fraction: byte(0) },
        "timestamp" => ColumnKind::Timestamp { fraction: byte(0) },
        "binary" => ColumnKind::Binary { length: number(0) },
        "enum" => labels(column_type).map_or(ColumnKind::UNREADABLE_LABELS, ColumnKind::Enum),
        "set" => labels(column_type).map_or(ColumnKind::UNREADABLE_LABELS, ColumnKind::Set),
        "json" => ColumnKind::Json,
        "point" => ColumnKind::Geometry { is_point: true },
        "geometry" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geomcollection" | "geometrycollection" => {
            ColumnKind::Geometry { is_point: false }
        }
        "vector" => ColumnKind::Vector,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext"
            if character_set.is_some() =>
        {
            ColumnKind::Text
        }
        "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => ColumnKind::Bytes,
        _ => ColumnKind::Unsupported("that the catalog names and Tailwater does not know"),
    }
}

/// The labels between the outer parentheses: quotes are doubled, and what `append_unescaped`
/// escapes has a backslash before it (MySQL source, `sql/table.cc`). `None` if one of them is no
/// text, which the catalog writes as `x'ff'`.
fn labels(column_type: &str) -> Option<Vec<String>> {
    let mut labels = Vec::new();
    let mut label: Option<String> = None;
    let mut characters = column_type.chars().peekable();
    while let Some(character) = characters.next() {
        let Some(text) = &mut label else {
            match character {
                '\'' => label = Some(String::new()),
                'x' => return None,
                _ => {}
            }
            continue;
        };
        match character {
            '\'' if characters.next_if_eq(&'\'').is_some() => text.push('\''),
            '\'' => labels.extend(label.take()),
            '\\' => text.push(match characters.next() {
                Some('0') => '\0',
                Some('n') => '\n',
                Some('r') => '\r',
                Some(other) => other,
                None => '\\',
            }),
            other => text.push(other),
        }
    }
    Some(labels)
}

#[cfg(test)]
mod tests {
    use super::kind;
    use crate::model::table::ColumnKind;

    #[test]
    fn types_are_read_as_the_server_writes_them() {
        for (text, character_set, expected) in [
            ("int(8) unsigned zerofill", None, ColumnKind::Int { bits: 32, unsigned: true }),
            ("bigint", None, ColumnKind::Int { bits: 64, unsigned: false }),
            ("decimal(65,30)", None, ColumnKind::Decimal { precision: 65, scale: 30 }),
            ("datetime", None, ColumnKind::DateTime { fraction: 0 }),
            ("time(3)", None, ColumnKind::Time { fraction: 3 }),
            ("varchar(20)", Some("latin1"), ColumnKind::Text),
            ("varbinary(20)", None, ColumnKind::Bytes),
            ("binary(4)", None, ColumnKind::Binary { length: 4 }),
            ("geomcollection", None, ColumnKind::Geometry { is_point: false }),
        ] {
            assert_eq!(kind(text, character_set), expected, "{text}");
        }
    }

    #[test]
    fn labels_are_unquoted() {
        // As MySQL 9.7 prints a type of these labels.
        let text = r#"enum('a''b','c,d','back\\slash','quote"x','nl\n','é','')"#;
        let labels = ["a'b", "c,d", "back\\slash", "quote\"x", "nl\n", "é", ""];
        let expected = ColumnKind::Enum(labels.map(ToOwned::to_owned).to_vec());
        assert_eq!(kind(text, Some("utf8mb4")), expected);
        let mixed = ["enum('b',x'ff','x')", "set(x'ff','b')"];
        assert!(mixed.iter().all(|text| kind(text, None) == ColumnKind::UNREADABLE_LABELS));
    }
}
