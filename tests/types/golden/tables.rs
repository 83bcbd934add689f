//! The recorded tables, read from the statements that made them.
//!
//! Understands just the DDL of `tables.sql`: it stands in for the binlog's metadata and for
//! information_schema, so that the code under test decides everything else.

use tailwater::model::table::{
    Column, ColumnDecoration, ColumnKind, Decoration, TableName, TableVersion,
};

/// The version of a recorded table.
pub(super) fn table(name: &str) -> TableVersion {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden/tables.sql");
    let sql = std::fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = sql.lines().filter(|line| !line.starts_with("--")).collect();
    let statement = lines
        .join(" ")
        .split(';')
        .find_map(|text| {
            let rest = text.trim().strip_prefix("CREATE TABLE ")?;
            let (found, body) = rest.split_once(" (")?;
            (found.trim_matches('`') == name).then(|| body.to_owned())
        })
        .unwrap_or_else(|| panic!("tables.sql makes no table {name}"));
    let body = &statement[..statement.rfind(')').unwrap()];
    version(name, body)
}

fn version(name: &str, body: &str) -> TableVersion {
    let mut version = TableVersion {
        name: TableName { database: "golden".into(), table: name.into() },
        columns: Vec::new(),
        primary_key: Vec::new(),
        decoration: None,
    };
    let mut decoration = Decoration::default();
    for item in split(body) {
        let named = |list: &str| -> Vec<usize> {
            let inner = &list[list.find('(').unwrap() + 1..list.rfind(')').unwrap()];
            let at = |name: &str| version.columns.iter().position(|column| column.name == name);
            inner.split(',').map(|name| at(name.trim()).unwrap()).collect()
        };
        if item.starts_with("PRIMARY KEY") {
            version.primary_key = named(item);
        } else if item.starts_with("UNIQUE KEY") {
            decoration.unique_key = named(item);
        } else {
            let (name, definition) = match item.strip_prefix('`') {
                Some(quoted) => quoted.split_once('`').unwrap(),
                None => item.split_once(' ').unwrap(),
            };
            if definition.contains("PRIMARY KEY") {
                version.primary_key = vec![version.columns.len()];
            }
            version.columns.push(Column {
                name: name.to_owned(),
                kind: kind(definition.trim()),
                nullable: !definition.contains("NOT NULL") && !definition.contains("PRIMARY KEY"),
            });
            decoration.columns.push(column_decoration(definition.trim()));
        }
    }
    version.decoration = Some(decoration);
    version
}

/// Splits at the commas outside brackets and quotes.
fn split(body: &str) -> Vec<&str> {
    let (mut depth, mut quoted, mut start) = (0, false, 0);
    let mut items = Vec::new();
    for (at, letter) in body.char_indices() {
        match letter {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                items.push(body[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(body[start..].trim());
    items
}

fn kind(definition: &str) -> ColumnKind {
    let end = definition.find([' ', '(']).unwrap_or(definition.len());
    let arguments = definition[end..]
        .strip_prefix('(')
        .map(|rest| split(&rest[..closing_bracket(rest)]))
        .unwrap_or_default();
    let number = |position: usize| -> Option<u32> { arguments.get(position)?.parse().ok() };
    let small = |position, default| u8::try_from(number(position).unwrap_or(default)).unwrap();
    let unsigned = definition.contains("UNSIGNED") || definition.contains("ZEROFILL");
    let labels = || arguments.iter().map(|label| unquote(label)).collect();
    match &definition[..end] {
        "TINYINT" | "BOOLEAN" => ColumnKind::Int { bits: 8, unsigned },
        "SMALLINT" => ColumnKind::Int { bits: 16, unsigned },
        "MEDIUMINT" => ColumnKind::Int { bits: 24, unsigned },
        "INT" => ColumnKind::Int { bits: 32, unsigned },
        "BIGINT" => ColumnKind::Int { bits: 64, unsigned },
        "FLOAT" if arguments.len() == 1 && number(0) > Some(24) => ColumnKind::Double,
        "FLOAT" => ColumnKind::Float,
        "DOUBLE" | "REAL" => ColumnKind::Double,
        "DECIMAL" | "NUMERIC" => {
            ColumnKind::Decimal { precision: small(0, 10), scale: small(1, 0) }
        }
        "BIT" => ColumnKind::Bit { width: small(0, 1) },
        "YEAR" => ColumnKind::Year,
        "DATE" => ColumnKind::Date,
        "TIME" => ColumnKind::Time { fraction: small(0, 0) },
        "DATETIME" => ColumnKind::DateTime { fraction: small(0, 0) },
        "TIMESTAMP" => ColumnKind::Timestamp { fraction: small(0, 0) },
        "CHAR" | "VARCHAR" | "NCHAR" | "TINYTEXT" | "TEXT" | "MEDIUMTEXT" | "LONGTEXT" => {
            ColumnKind::Text
        }
        "BINARY" => ColumnKind::Binary { length: number(0).unwrap() },
        "VARBINARY" | "TINYBLOB" | "BLOB" | "LONGBLOB" => ColumnKind::Bytes,
        "JSON" => ColumnKind::Json,
        "POINT" => ColumnKind::Geometry { is_point: true },
        "GEOMETRY" | "LINESTRING" | "POLYGON" | "MULTIPOINT" | "GEOMETRYCOLLECTION" => {
            ColumnKind::Geometry { is_point: false }
        }
        "VECTOR" => ColumnKind::Vector,
        "ENUM" => ColumnKind::Enum(labels()),
        "SET" => ColumnKind::Set(labels()),
        other => panic!("tables.sql has the type {other}"),
    }
}

fn closing_bracket(text: &str) -> usize {
    let mut quoted = false;
    text.find(|letter| {
        quoted ^= letter == '\'';
        letter == ')' && !quoted
    })
    .unwrap()
}

fn column_decoration(definition: &str) -> ColumnDecoration {
    let mut decoration = ColumnDecoration {
        float_as_double: definition.starts_with("FLOAT(") && definition.contains(','),
        ..ColumnDecoration::default()
    };
    if let Some((_, default)) = definition.split_once(" DEFAULT ") {
        match default {
            "CURRENT_TIMESTAMP" => decoration.default_is_now = true,
            "NULL" => {}
            quoted if quoted.starts_with('\'') => decoration.default = Some(unquote(quoted)),
            bare => decoration.default = Some(bare.to_owned()),
        }
    }
    decoration
}

fn unquote(literal: &str) -> String {
    let inner = literal.trim().strip_prefix('\'').unwrap().strip_suffix('\'').unwrap();
    inner.replace("''", "'").replace("\\\\", "\\")
}
