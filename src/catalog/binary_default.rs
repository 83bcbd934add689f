//! Defaults of BINARY and VARBINARY columns, from `SHOW CREATE TABLE`.
//!
//! `information_schema` cuts them at their first zero byte: `DEFAULT 0x61006200` is `0x61` there.
//! The statement has them whole: as a string with MySQL's escapes (`'a\0b\0'`), or as `0xFF00`
//! where the bytes are no text.

use std::fmt::Write as _;

/// The default of a column as `0x61006200`; `None` if the statement shows none.
pub(super) fn find(statement: &str, column: &str) -> Option<String> {
    let start = format!("  {} ", super::quoted(column));
    let definition = statement.lines().find_map(|line| line.strip_prefix(&start))?;
    // Nothing quoted comes before a default: a binary column has no labels and no collation.
    let (_, rest) = definition.split_once(" DEFAULT ")?;
    let Some(literal) = rest.strip_prefix('\'') else {
        return Some(format!("0x{}", hexadecimal(rest.strip_prefix("0x")?)?));
    };
    let mut digits = "0x".to_owned();
    for byte in unescape(literal)? {
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
            assert_eq!(find(statement, column).as_deref(), expected, "{column}");
        }
    }
}
