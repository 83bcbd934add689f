//! Declared defaults that `information_schema` shows incompletely or wrongly.
//!
//! - The default of a TIMESTAMP is in the time zone of the session that declared it. `SHOW CREATE
//!   TABLE` shows it in the time zone of the present session, which is UTC.
//! - The default of a BINARY or VARBINARY ends at its first zero byte: `DEFAULT 0x61006200` is
//!   `0x61` there. `SHOW CREATE TABLE` has it whole: as a string with MySQL's escapes (`'a\0b\0'`),
//!   or as `0xFF00` if the bytes are no text.
//! - In a text default, each character beyond U+FFFF is a `?`, because the catalog's own character
//!   set lacks them; and the default of a FLOAT is rounded to six digits. `SHOW CREATE TABLE` has
//!   the same faults. The function DEFAULT() gives these defaults as an INSERT stores them.
//!
//! `SHOW CREATE TABLE` is tried first, because a SELECT with DEFAULT() waits while another session
//! holds the table with LOCK TABLES … WRITE.

use std::fmt::Write as _;

use mysql_async::{Conn, Row, prelude::Queryable as _};

use super::identifier::quoted;
use crate::model::table::{ColumnDecoration, ColumnKind, TableName, TableVersion};

/// Digits of a FLOAT that the catalog prints: a text with fewer is not rounded.
const FLOAT_DIGITS: usize = 6;

/// Where a default is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// `information_schema`.
    Catalog,
    /// `SHOW CREATE TABLE`.
    Statement,
    /// DEFAULT().
    Value,
}

/// A column whose default is to be replaced.
struct Wrong<'a> {
    source: Source,
    column: &'a str,
    kind: &'a ColumnKind,
    default: &'a mut Option<String>,
}

/// Replaces the defaults that `information_schema` does not show as they are. One that cannot be
/// read is left out, with a warning, rather than wrong.
pub(super) async fn mend(
    connection: &mut Conn,
    version: &TableVersion,
    columns: &mut [ColumnDecoration],
) -> mysql_async::Result<()> {
    let mut wrong = Vec::new();
    for (column, decoration) in version.columns.iter().zip(columns) {
        let source = source(&column.kind, decoration);
        let (kind, default) = (&column.kind, &mut decoration.default);
        if source != Source::Catalog {
            wrong.push(Wrong { source, column: &column.name, kind, default });
        }
    }
    let statement = if wrong.iter().any(|wrong| wrong.source == Source::Statement) {
        show_create(connection, &version.name).await?
    } else {
        None
    };
    let values = read_values(connection, &version.name, &wrong).await?;
    let mut values = values.into_iter();
    for Wrong { source, column, kind, default } in wrong {
        let found = match source {
            Source::Statement => statement.as_deref().and_then(|text| find(text, column, kind)),
            _ => values.next().flatten(),
        };
        *default = match (found, kind) {
            // Rounded is better than none.
            (None, ColumnKind::Float) => continue,
            (found, _) => found,
        };
        if default.is_none() {
            tracing::warn!(
                table = %version.name,
                column,
                "the column's default cannot be read now: the schema has none"
            );
        }
    }
    Ok(())
}

/// Where the whole of a column's default is.
fn source(kind: &ColumnKind, decoration: &ColumnDecoration) -> Source {
    let Some(text) = &decoration.default else { return Source::Catalog };
    let digits = || text.bytes().filter(u8::is_ascii_digit).count();
    match kind {
        ColumnKind::Binary { .. } | ColumnKind::Bytes | ColumnKind::Timestamp { .. } => {
            Source::Statement
        }
        ColumnKind::Text | ColumnKind::Enum(_) | ColumnKind::Set(_) if text.contains('?') => {
            Source::Value
        }
        ColumnKind::Float if !decoration.float_as_double && FLOAT_DIGITS <= digits() => {
            Source::Value
        }
        _ => Source::Catalog,
    }
}

/// `None` if the table is gone since, or hidden.
async fn show_create(
    connection: &mut Conn,
    table: &TableName,
) -> mysql_async::Result<Option<String>> {
    let TableName { database, table } = table;
    let query = format!("SHOW CREATE TABLE {}.{}", quoted(database), quoted(table));
    match connection.query_first::<(String, String), _>(query).await {
        Ok(row) => Ok(row.map(|(_, statement)| statement)),
        // ER_NO_SUCH_TABLE, ER_TABLEACCESS_DENIED_ERROR
        Err(mysql_async::Error::Server(error)) if matches!(error.code, 1146 | 1142) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The defaults that only DEFAULT() gives, as text, in the columns' order; none of them if the
/// table is locked or gone since.
///
/// DEFAULT() needs a row. So the query uses a derived table with one row, whatever the table has,
/// and the same columns with the same defaults.
async fn read_values(
    connection: &mut Conn,
    table: &TableName,
    wrong: &[Wrong<'_>],
) -> mysql_async::Result<Vec<Option<String>>> {
    let (mut values, mut columns) = (Vec::new(), Vec::new());
    for Wrong { column, kind, .. } in wrong.iter().filter(|wrong| wrong.source == Source::Value) {
        let column = quoted(column);
        // A FLOAT is printed with all its digits as a DOUBLE only.
        let exact = if matches!(kind, ColumnKind::Float) { " + 0e0" } else { "" };
        values.push(format!("CAST(DEFAULT(made.{column}){exact} AS CHAR CHARACTER SET utf8mb4)"));
        columns.push(format!("held.{column}"));
    }
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let query = format!(
        "SELECT {} FROM (SELECT {} FROM (SELECT 1) AS one LEFT JOIN {}.{} AS held ON FALSE \
         LIMIT 1) AS made",
        values.join(", "),
        columns.join(", "),
        quoted(&table.database),
        quoted(&table.table)
    );
    match connection.query_first::<Row, _>(query).await {
        Ok(Some(row)) => {
            Ok((0..values.len()).map(|at| row.get::<Option<String>, _>(at).flatten()).collect())
        }
        Ok(None) => Ok(vec![None; values.len()]),
        Err(mysql_async::Error::Server(error)) => {
            tracing::warn!(%table, %error, "the server refuses to show the table's defaults");
            Ok(vec![None; values.len()])
        }
        Err(error) => Err(error),
    }
}

/// The default of a column in a CREATE TABLE, as the catalog has it elsewhere: `0x61006200` for
/// bytes. `None` if the statement shows none.
fn find(statement: &str, column: &str, kind: &ColumnKind) -> Option<String> {
    let start = format!("  {} ", quoted(column));
    let definition = statement.lines().find_map(|line| line.strip_prefix(&start))?;
    // Nothing quoted comes before these defaults: such a column has no labels and no collation.
    let (_, rest) = definition.split_once(" DEFAULT ")?;
    let Some(literal) = rest.strip_prefix('\'') else {
        return Some(format!("0x{}", hexadecimal(rest.strip_prefix("0x")?)?));
    };
    let bytes = unescape(literal)?;
    if matches!(kind, ColumnKind::Timestamp { .. }) {
        return String::from_utf8(bytes).ok();
    }
    let mut digits = "0x".to_owned();
    for byte in bytes {
        write!(digits, "{byte:02X}").expect("writing to a String cannot fail");
    }
    Some(digits)
}

/// The digits at the beginning.
fn hexadecimal(text: &str) -> Option<&str> {
    let end = text.find(|letter: char| !letter.is_ascii_hexdigit()).unwrap_or(text.len());
    text.get(..end)
}

/// The bytes of a string literal behind its first quote (`append_unescaped` in MySQL's
/// `sql/strfunc.cc` writes it).
fn unescape(literal: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = literal.bytes();
    loop {
        match rest.next()? {
            b'\\' => bytes.push(match rest.next()? {
                b'0' => 0,
                b'n' => b'\n',
                b'r' => b'\r',
                other => other,
            }),
            // A quote is doubled, or the last.
            b'\'' => match rest.next() {
                Some(b'\'') => bytes.push(b'\''),
                _ => return Some(bytes),
            },
            byte => bytes.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::model::table::ColumnKind;

    #[test]
    fn a_default_is_read_whole_from_the_statement() {
        let statement = concat!(
            "CREATE TABLE `t` (\n",
            "  `id` int NOT NULL,\n",
            "  `a` binary(4) DEFAULT 'a\\0b\\0',\n",
            "  `b` varbinary(2) NOT NULL DEFAULT 0xFF00 COMMENT 'x DEFAULT ''y''',\n",
            "  `c` varbinary(9) DEFAULT '''\\\\\\n\\r,é' COMMENT 'x',\n",
            "  `d``e` varbinary(9) DEFAULT '',\n",
            "  `f` varbinary(9) DEFAULT NULL,\n",
            "  `g` varbinary(9) NOT NULL,\n",
            "  `h` varbinary(9) DEFAULT 'cut",
        );
        for (column, expected) in [
            ("a", Some("0x61006200")),
            ("b", Some("0xFF00")),
            ("c", Some("0x275C0A0D2CC3A9")),
            ("d`e", Some("0x")),
            ("f", None),
            ("g", None),
            ("h", None),
            ("missing", None),
        ] {
            let found = find(statement, column, &ColumnKind::Bytes);
            assert_eq!(found.as_deref(), expected, "{column}");
        }
        let statement = "  `a` timestamp(1) NULL DEFAULT '2020-01-01 00:00:00.5' COMMENT 'x'";
        let found = find(statement, "a", &ColumnKind::Timestamp { fraction: 1 });
        assert_eq!(found.as_deref(), Some("2020-01-01 00:00:00.5"));
    }
}
