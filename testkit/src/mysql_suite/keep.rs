//! Scripts that keep their tables: almost every script drops what it made, and a table that is
//! gone cannot be compared.
//!
//! A `DROP TABLE` becomes a `RENAME TABLE` into the database [`KEPT`], which is not captured, so
//! for the connector the table is gone all the same. Where the server refuses that (a temporary
//! table, a trigger, a lock) the table is dropped as before.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

/// Where tables go that a script drops.
pub(super) const KEPT: &str = "tailwater_kept";

/// How deep scripts include others that are looked at.
const DEPTH_MAX: u32 = 4;

/// A script that keeps its tables, its includes among its lines. Scripts are bytes: some are in
/// the character set that they test.
pub(super) fn keeping(folder: &Path, script: &Path) -> Result<Vec<u8>> {
    let mut lines = Vec::new();
    collect(folder, script, &mut lines, 0)?;
    let mut kept = 0;
    let mut text = Vec::new();
    let mut before = Before::Whole;
    let mut delimiter = b";".to_vec();
    for line in lines {
        let statement = trimmed(&line).to_ascii_lowercase();
        let is_own = before == Before::Whole && delimiter == b";";
        match dropped(trimmed(&line)).filter(|_| is_own) {
            Some(tables) => text.extend(renames(&tables, &mut kept)),
            None => text.extend(&line),
        }
        text.push(b'\n');
        before = before.then(&statement, &delimiter);
        if let Some(new) = delimiter_in(&statement) {
            (delimiter, before) = (new, Before::Whole);
        }
    }
    Ok(text)
}

/// What stands before a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// A whole statement or command.
    Whole,
    /// The start of a statement, or a command for the next one.
    Part,
}

impl Before {
    fn then(self, line: &[u8], delimiter: &[u8]) -> Self {
        let words = line.strip_prefix(b"--").map_or(line, trimmed);
        let for_the_next = ["error", "send", "sorted_result", "replace_"]
            .iter()
            .any(|it| words.starts_with(it.as_bytes()));
        if line.is_empty() || line.starts_with(b"#") {
            self
        } else if for_the_next {
            Self::Part
        } else if line.starts_with(b"--")
            || line.ends_with(delimiter)
            || line.starts_with(b"{")
            || line.starts_with(b"}")
        {
            Self::Whole
        } else {
            Self::Part
        }
    }
}

/// The lines of a script, with those of its includes that drop tables in their place.
fn collect(folder: &Path, file: &Path, lines: &mut Vec<Vec<u8>>, depth: u32) -> Result<()> {
    for line in fs::read(file)?.split(|byte| *byte == b'\n') {
        match included(folder, line).filter(|file| depth < DEPTH_MAX && drops_tables(file)) {
            Some(file) => collect(folder, &file, lines, depth + 1)?,
            None => lines.push(line.to_vec()),
        }
    }
    Ok(())
}

/// The text of a script and of what it includes, behind the lines that include it.
pub(super) fn whole(folder: &Path, script: &Path) -> Result<Vec<u8>> {
    let mut text = fs::read(script)?;
    let mut files = vec![script.to_owned()];
    let mut next = 0;
    while let Some(file) = files.get(next) {
        for line in fs::read(file)?.split(|byte| *byte == b'\n') {
            if let Some(file) = included(folder, line).filter(|file| !files.contains(file)) {
                text.extend(fs::read(&file)?);
                files.push(file);
            }
        }
        next += 1;
    }
    Ok(text)
}

fn drops_tables(file: &Path) -> bool {
    let text = fs::read(file).unwrap_or_default().to_ascii_lowercase();
    // A file that looks at its own name must stay one.
    let has = |words: &str| text.windows(words.len()).any(|part| part == words.as_bytes());
    has("drop table") && !has("begin_include_file") && !has("mysqltest_file")
}

/// The file in `--source FILE` or `source FILE;`.
fn included(folder: &Path, line: &[u8]) -> Option<PathBuf> {
    let line = std::str::from_utf8(trimmed(line)).ok()?;
    let line = line.strip_prefix("--").unwrap_or(line).trim_start();
    let file = line.strip_prefix("source ")?.trim().trim_end_matches(';').trim();
    let file = (!file.contains('$')).then(|| folder.join(file))?;
    file.exists().then_some(file)
}

fn delimiter_in(statement: &[u8]) -> Option<Vec<u8>> {
    let command = statement.strip_prefix(b"--").map_or(statement, trimmed);
    let rest = trimmed(command.strip_prefix(b"delimiter")?);
    // The command itself ends with the delimiter that it replaces.
    let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
    let new = rest.get(..end)?;
    let new = new.strip_suffix(b";").filter(|new| !new.is_empty()).unwrap_or(new);
    let new = if new.starts_with(b";") { b";" } else { new };
    Some(new.to_vec())
}

/// The tables of `drop table a, b.c;`; nothing for anything else.
fn dropped(statement: &[u8]) -> Option<Vec<String>> {
    let statement = std::str::from_utf8(statement).ok()?;
    let (verb, tables) = statement.split_at_checked("drop table ".len())?;
    let tables = tables.strip_suffix(';').filter(|_| verb.eq_ignore_ascii_case("drop table "))?;
    let tables: Vec<_> = tables.split(',').map(|table| table.trim().to_owned()).collect();
    let is_name = |name: &String| {
        !name.is_empty()
            && name.chars().all(|it| it.is_alphanumeric() || "_.`#$".contains(it))
            && name.matches('`').count().is_multiple_of(2)
    };
    tables.iter().all(is_name).then_some(tables)
}

fn renames(tables: &[String], kept: &mut u32) -> Vec<u8> {
    let mut lines = vec!["--disable_abort_on_error".to_owned()];
    for table in tables {
        *kept += 1;
        lines.push(format!("RENAME TABLE {table} TO {KEPT}.t{kept};"));
        lines.push(format!("DROP TABLE IF EXISTS {table};"));
    }
    lines.push("--enable_abort_on_error".to_owned());
    lines.join("\n").into_bytes()
}

fn trimmed(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{keeping, whole};

    fn kept(script: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.inc"), "DROP TABLE t9;").unwrap();
        let file = folder.path().join("a.test");
        fs::write(&file, script).unwrap();
        String::from_utf8(keeping(folder.path(), &file).unwrap()).unwrap()
    }

    #[test]
    fn tables_are_renamed_instead_of_dropped() {
        let text = kept("create table t1 (a int);\nDrop Table t1, `t 2`, d.t3;\nselect 1;");
        assert!(!text.contains("RENAME"), "a name with a blank is left alone: {text}");
        let text = kept("create table t1\n(a int);\nDrop Table T1, d.t3;\n--source a.inc");
        for words in
            ["RENAME TABLE T1 TO tailwater_kept.t1;", "RENAME TABLE d.t3 TO", "TABLE t9 TO"]
        {
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn other_drops_are_left_alone() {
        for script in [
            "--error 1051\ndrop table t1;",
            "create event e on schedule every 1 day do\ndrop table t1;",
            "delimiter |;\ncreate procedure p()\nbegin\nselect 1;\ndrop table t1;\nend|\ndelimiter ;|",
            "drop table if exists t1;",
            "drop table t1 cascade;",
        ] {
            assert!(!kept(script).contains("RENAME"), "{script}");
        }
        assert!(kept("delimiter |;\nselect 1|\ndelimiter ;|\ndrop table t1;").contains("RENAME"));
    }

    #[test]
    fn the_whole_text_has_the_includes_and_the_lines_that_name_them() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("a.inc", "source b.inc;\nselect 'of a';");
        // Each file once, or there would be no end.
        write("b.inc", "--source a.inc\nselect 'of b';");
        write("a.test", "--source a.inc\nselect 'own';\n--source absent.inc");
        let text = whole(folder.path(), &folder.path().join("a.test")).unwrap();
        let text = String::from_utf8(text).unwrap();
        for words in ["--source a.inc", "'own'", "absent.inc", "b.inc;", "'of a'", "'of b'"] {
            assert!(text.contains(words), "{words} is not in {text}");
        }
        assert_eq!(text.matches("'of a'").count(), 1);
    }
}
