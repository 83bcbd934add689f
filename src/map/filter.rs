//! Which tables and columns are captured, by globs over their names.
//!
//! `*` matches any characters, also none, and `?` matches one. A pattern splits at its first dot
//! into database and table, so a table's name may have dots, and a dot in a database's name must be
//! matched by `?`. The matcher is written here because it is twelve lines, and because the crates
//! that offer one treat `[`, `{` or `/` as special, which are letters in MySQL's names.

use std::borrow::Cow;

use crate::{config::Capture, model::table::TableName};

/// Databases that belong to the server itself.
const SYSTEM_DATABASES: [&str; 4] = ["information_schema", "mysql", "performance_schema", "sys"];

/// Which tables and columns are captured.
#[derive(Clone, Debug)]
pub struct Filter {
    tables: Vec<TablePattern>,
    exclude_tables: Vec<TablePattern>,
    exclude_columns: Vec<ColumnPattern>,
    ignores_case: bool,
}

/// A pattern over the names of databases and of what is in them.
#[derive(Clone, Debug)]
pub struct TablePattern {
    database: String,
    rest: String,
    ignores_case: bool,
}

/// A pattern over the names of columns with their tables.
#[derive(Clone, Debug)]
pub struct ColumnPattern {
    database: String,
    rest: String,
    ignores_case: bool,
}

impl Filter {
    /// Takes the patterns of a configuration that has been validated: each has its dots.
    pub fn new(capture: &Capture) -> Self {
        let ignores_case = capture.ignores_case;
        let tables = |texts: &[String]| {
            texts.iter().map(|text| TablePattern::new(text, ignores_case)).collect()
        };
        let columns = capture.exclude_columns.iter();
        Self {
            tables: tables(&capture.tables),
            exclude_tables: tables(&capture.exclude_tables),
            exclude_columns: columns.map(|text| ColumnPattern::new(text, ignores_case)).collect(),
            ignores_case,
        }
    }

    /// Whether a table's rows are delivered. Those of the server's own databases never are, and
    /// helper tables of schema change tools only if a pattern names them.
    pub fn captures(&self, name: &TableName) -> bool {
        self.matches(name) && (!is_helper(name) || self.names_helper(name))
    }

    /// Whether a table is left out only because it is a helper table of a schema change tool.
    pub fn leaves_out_helper(&self, name: &TableName) -> bool {
        self.matches(name) && is_helper(name) && !self.names_helper(name)
    }

    fn matches(&self, name: &TableName) -> bool {
        let matches = |pattern: &TablePattern| pattern.matches(name);
        !is_system(&name.database)
            && self.tables.iter().any(matches)
            && !self.exclude_tables.iter().any(matches)
    }

    /// Whether tables of a database may be captured, as far as its name shows.
    pub fn captures_any_in(&self, database: &str) -> bool {
        let database = folded(database, self.ignores_case);
        !is_system(&database)
            && self.tables.iter().any(|pattern| glob(&pattern.database, &database))
    }

    /// Whether a pattern spells the underscore: it names helper tables.
    fn names_helper(&self, name: &TableName) -> bool {
        self.tables.iter().any(|pattern| pattern.rest.starts_with('_') && pattern.matches(name))
    }

    /// Whether a column is left out of the row.
    pub fn excludes_column(&self, name: &TableName, column: &str) -> bool {
        self.exclude_columns.iter().any(|pattern| pattern.matches(name, column))
    }

    /// The patterns that can leave columns of a table out.
    pub fn column_patterns(&self, name: &TableName) -> Vec<&ColumnPattern> {
        self.exclude_columns.iter().filter(|pattern| pattern.names_table(name)).collect()
    }
}

/// Whether a database belongs to the server itself.
pub fn is_system(database: &str) -> bool {
    SYSTEM_DATABASES.contains(&database)
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

impl TablePattern {
    /// Takes a pattern that has its dot.
    pub fn new(text: &str, ignores_case: bool) -> Self {
        let text = folded(text, ignores_case);
        let (database, rest) = text.split_once('.').unwrap_or((&text, ""));
        Self { database: database.to_owned(), rest: rest.to_owned(), ignores_case }
    }

    /// Whether it names a table.
    pub fn matches(&self, name: &TableName) -> bool {
        glob(&self.database, &folded(&name.database, self.ignores_case))
            && glob(&self.rest, &folded(&name.table, self.ignores_case))
    }

    /// The database that it names, if that has no wildcard.
    pub fn database(&self) -> Option<&str> {
        Some(self.database.as_str()).filter(|name| !has_wildcard(name))
    }

    /// The table that it names, if it has no wildcard at all.
    pub fn table(&self) -> Option<TableName> {
        let table = Some(&self.rest).filter(|name| !has_wildcard(name))?.clone();
        Some(TableName { database: self.database()?.to_owned(), table })
    }

    /// Whether it matches every table that another pattern can match, as far as the texts show. A
    /// `?` could match a `*` of the other pattern, so patterns that have one are not compared.
    pub fn covers(&self, other: &Self) -> bool {
        !self.database.contains('?')
            && !self.rest.contains('?')
            && glob(&self.database, &other.database)
            && glob(&self.rest, &other.rest)
    }
}

impl ColumnPattern {
    /// Takes a pattern that has its two dots.
    pub fn new(text: &str, ignores_case: bool) -> Self {
        let (database, rest) = text.split_once('.').unwrap_or((text, ""));
        let (database, rest) = (folded(database, ignores_case).into_owned(), rest.to_owned());
        Self { database, rest, ignores_case }
    }

    /// Whether it can name columns of a table.
    pub fn names_table(&self, name: &TableName) -> bool {
        self.column_parts(name).next().is_some()
    }

    /// Whether it names a column.
    pub fn matches(&self, name: &TableName, column: &str) -> bool {
        // MySQL's column names ignore case.
        let column = column.to_lowercase();
        self.column_parts(name).any(|wanted| glob(&wanted.to_lowercase(), &column))
    }

    /// The table whose columns it names, if it has no wildcard before the column.
    pub fn table(&self) -> Option<TableName> {
        let (table, _) = self.rest.rsplit_once('.')?;
        let table = folded(table, self.ignores_case).into_owned();
        let name = TableName { database: self.database.clone(), table };
        (!has_wildcard(&name.database) && !has_wildcard(&name.table)).then_some(name)
    }

    /// What it says of the columns of a table. A pattern that could be split in more ways than
    /// one, because a name holds dots, is tried in all of them.
    fn column_parts<'a>(&'a self, name: &'a TableName) -> impl Iterator<Item = &'a str> {
        let is_in = glob(&self.database, &folded(&name.database, self.ignores_case));
        let dots = self.rest.match_indices('.').filter(move |_| is_in);
        dots.filter_map(|(dot, _)| {
            let (table, column) = self.rest.split_at(dot);
            let is_it =
                glob(&folded(table, self.ignores_case), &folded(&name.table, self.ignores_case));
            column.strip_prefix('.').filter(|_| is_it)
        })
    }
}

/// Whether a pattern can match more than one name.
fn has_wildcard(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
}

/// A name as it is compared.
fn folded(name: &str, ignores_case: bool) -> Cow<'_, str> {
    if ignores_case { Cow::Owned(name.to_lowercase()) } else { Cow::Borrowed(name) }
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
