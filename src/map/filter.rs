//! Which tables and columns are captured, by globs over their names.
//!
//! `*` stands for any characters, none too, and `?` for one. A pattern splits at its first dot
//! into database and table, so a table's name may hold dots and a database's must be matched by
//! `?` where it does. The matcher is written here because it is twelve lines, and because those
//! crates that offer one treat `[`, `{` or `/` as special, which are letters in MySQL's names.

use crate::{config::Capture, model::table::TableName};

/// Databases that belong to the server itself.
const SYSTEM_DATABASES: [&str; 4] = ["information_schema", "mysql", "performance_schema", "sys"];

/// Which tables and columns are captured.
#[derive(Clone, Debug)]
pub struct Filter {
    tables: Vec<Pattern>,
    exclude_tables: Vec<Pattern>,
    exclude_columns: Vec<Pattern>,
}

/// A pattern over the names of databases and of what is in them.
#[derive(Clone, Debug)]
struct Pattern {
    database: String,
    rest: String,
}

impl Filter {
    /// Takes the patterns of a configuration that has been validated: each has its dots.
    pub fn new(capture: &Capture) -> Self {
        let patterns = |texts: &[String]| texts.iter().map(|text| Pattern::new(text)).collect();
        Self {
            tables: patterns(&capture.tables),
            exclude_tables: patterns(&capture.exclude_tables),
            exclude_columns: patterns(&capture.exclude_columns),
        }
    }

    /// Whether a table's rows are delivered. Those of the server's own databases never are, and
    /// helper tables of schema change tools only if a pattern asks for them.
    pub fn captures(&self, name: &TableName) -> bool {
        self.matches(name) && (!is_helper(name) || self.asks_for_helper(name))
    }

    /// Whether a table is left out only because it is a helper table of a schema change tool.
    pub fn leaves_out_helper(&self, name: &TableName) -> bool {
        self.matches(name) && is_helper(name) && !self.asks_for_helper(name)
    }

    fn matches(&self, name: &TableName) -> bool {
        let matches = |pattern: &Pattern| pattern.matches(name);
        !SYSTEM_DATABASES.contains(&name.database.as_str())
            && self.tables.iter().any(matches)
            && !self.exclude_tables.iter().any(matches)
    }

    /// Whether tables of a database may be captured, as far as its name tells.
    pub fn captures_any_in(&self, database: &str) -> bool {
        !SYSTEM_DATABASES.contains(&database)
            && self.tables.iter().any(|pattern| glob(&pattern.database, database))
    }

    /// A pattern that spells the underscore asks for such names.
    fn asks_for_helper(&self, name: &TableName) -> bool {
        self.tables.iter().any(|pattern| pattern.rest.starts_with('_') && pattern.matches(name))
    }

    /// Whether a column is left out of the row. A pattern that could be split in more ways than
    /// one, because a name holds dots, is tried in all of them.
    pub fn excludes_column(&self, name: &TableName, column: &str) -> bool {
        self.exclude_columns.iter().any(|pattern| {
            glob(&pattern.database, &name.database)
                && pattern.rest.match_indices('.').any(|(dot, _)| {
                    let (table, rest) = pattern.rest.split_at(dot);
                    let wanted = rest.strip_prefix('.').unwrap_or(rest);
                    glob(table, &name.table)
                        // MySQL's column names ignore case.
                        && glob(&wanted.to_lowercase(), &column.to_lowercase())
                })
        })
    }
}

/// Whether the name is one that gh-ost (`_t_gho`, `_t_ghc`, `_t_ghk`, `_t_del`, with a time before
/// the ending too) or pt-online-schema-change (`_t_new`, `_t_old`, with more underscores before
/// them if the name is taken) gives to its tables: copies of rows that the table itself has, or
/// notes of the tool.
fn is_helper(name: &TableName) -> bool {
    let Some(rest) = name.table.strip_prefix('_') else { return false };
    HELPER_ENDINGS.iter().any(|ending| rest.strip_suffix(ending).is_some_and(|t| !t.is_empty()))
}

/// What the names of helper tables end in.
const HELPER_ENDINGS: [&str; 6] = ["_gho", "_ghc", "_ghk", "_del", "_new", "_old"];

/// Whether a table by its name is the copy that a schema change tool has made of another one, to
/// take its name: it has the same rows.
pub fn is_copy(copy: &TableName, of: &TableName) -> bool {
    let rest = copy.table.strip_prefix('_').map(|rest| rest.trim_start_matches('_'));
    let base = rest.and_then(|rest| rest.strip_suffix("_gho").or(rest.strip_suffix("_new")));
    copy.database == of.database && base.is_some_and(|base| base == of.table)
}

impl Pattern {
    fn matches(&self, name: &TableName) -> bool {
        glob(&self.database, &name.database) && glob(&self.rest, &name.table)
    }

    fn new(text: &str) -> Self {
        let (database, rest) = text.split_once('.').unwrap_or((text, ""));
        Self { database: database.to_owned(), rest: rest.to_owned() }
    }
}

/// Whether the whole name matches the pattern.
///
/// On a mismatch only the last `*` needs another try with one character more: whatever an earlier
/// one could take instead, the last one can take as well.
fn glob(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.chars(), name.chars());
    let mut retry = None;
    loop {
        let (before_pattern, before_name) = (pattern.clone(), name.clone());
        match (pattern.next(), name.next()) {
            (Some('*'), _) => {
                name = before_name;
                let mut later = name.clone();
                retry = later.next().map(|_| (before_pattern, later));
            }
            (None, None) => return true,
            (Some(wanted), Some(letter)) if wanted == '?' || wanted == letter => {}
            _ => match retry.take() {
                Some(later) => (pattern, name) = later,
                None => return false,
            },
        }
    }
}
