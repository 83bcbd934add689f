//! Whether every name in the configuration names something. One that matches nothing is an error
//! where it hides data or makes keys, because the data would go out as if it were not there; it is
//! a warning elsewhere, because a table may come later.
//!
//! A name that once matched is no mistake: tables and columns are dropped and renamed. What is
//! remembered of tables says so.

use std::collections::BTreeMap;

use super::{Finding, facts::Facts, nearest::nearest};
use crate::{
    catalog::Access,
    config::Config,
    error::{Reason, Verdict},
    map::{ColumnPattern, TablePattern, is_system},
    model::table::TableName,
    state::TableRecord,
};

/// What a pattern is made of.
const GLOB: &str = "`*` matches any characters, `?` one, every other character only itself";

/// What the names are held against.
struct Names<'a> {
    config: &'a Config,
    facts: &'a Facts,
    known: &'a BTreeMap<TableName, TableRecord>,
    findings: Vec<Finding>,
}

/// Judges all names.
pub(super) fn judge(
    config: &Config,
    facts: &Facts,
    known: &BTreeMap<TableName, TableRecord>,
) -> Vec<Finding> {
    let mut names = Names { config, facts, known, findings: Vec::new() };
    names.tables();
    names.exclude_tables();
    for text in &config.capture.exclude_columns {
        names.exclude_column(text);
    }
    for (text, columns) in &config.capture.message_key_columns {
        names.key(text, columns);
    }
    for text in config.snapshot.r#where.keys() {
        names.by_table("snapshot.where", text, Severe::Yes);
    }
    for text in &config.snapshot.order {
        names.by_table("snapshot.order", text, Severe::No);
    }
    names.findings
}

/// Whether a name that matches nothing must stop the start.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Severe {
    Yes,
    No,
}

impl Names<'_> {
    fn tables(&mut self) {
        let facts = self.facts;
        for text in &self.config.capture.tables {
            let pattern = self.pattern(text);
            // Another finding has said that.
            let is_there = |name: &str| {
                facts.databases.iter().any(|it| self.config.capture.is_same_name(it, name))
            };
            if pattern.database().is_some_and(|name| !is_there(name)) {
                continue;
            }
            let matched = facts.tables.iter().filter(|table| pattern.matches(table)).count();
            if facts.captured.iter().any(|table| pattern.matches(table)) {
                continue;
            }
            let (message, hint) = if matched == 0 {
                let nearest = self.nearest_tables(text);
                let hint = format!(
                    "Correct it if it names tables that are there: {GLOB}. One that comes later \
                     is captured when it comes."
                );
                (format!("`{text}` in capture.tables matches no table{nearest}"), hint)
            } else {
                let message = format!(
                    "`{text}` in capture.tables captures nothing: of the {matched} tables that it \
                     matches all are left out, by capture.exclude_tables or as helper tables of \
                     schema change tools"
                );
                (message, "Correct capture.tables or capture.exclude_tables.".to_owned())
            };
            self.warn(message, hint);
        }
    }

    fn exclude_tables(&mut self) {
        for text in &self.config.capture.exclude_tables {
            let pattern = self.pattern(text);
            if self.facts.tables.iter().any(|table| pattern.matches(table)) {
                continue;
            }
            let message = format!(
                "`{text}` in capture.exclude_tables matches no table{}",
                self.nearest_tables(text)
            );
            match pattern.table() {
                // A view, or a table that the account may not see and so cannot be looked for.
                Some(table) if is_system(&table.database) => {}
                Some(table) if self.access(&table) != Some(Access::NotThere) => {}
                Some(table) if !self.known.contains_key(&table) => {
                    self.refuse(message, "Correct it, or take it out of the list.".to_owned());
                }
                _ => self.warn(message, format!("Correct it if it names tables: {GLOB}.")),
            }
        }
    }

    fn exclude_column(&mut self, text: &str) {
        let (facts, key) = (self.facts, "capture.exclude_columns");
        let pattern = ColumnPattern::new(text, self.config.capture.ignores_case);
        let tables: Vec<_> =
            facts.columns.iter().filter(|(table, _)| pattern.names_table(table)).collect();
        let matches = |(table, columns): &(&TableName, &Vec<String>)| {
            columns.iter().any(|column| pattern.matches(table, column))
        };
        if tables.is_empty() {
            let nearest = self.nearest_tables(text.rsplit_once('.').map_or(text, |(it, _)| it));
            let message = format!("`{text}` in {key} matches no table{nearest}");
            match pattern.table() {
                Some(table) if self.access(&table) == Some(Access::Denied) => {}
                Some(table)
                    if self.access(&table) == Some(Access::NotThere)
                        && !self.known.contains_key(&table) =>
                {
                    self.refuse(message, column_hint());
                }
                _ => self.warn(message, column_hint()),
            }
        } else if !tables.iter().any(matches) {
            let columns = tables.iter().flat_map(|(_, columns)| columns.iter());
            let wanted = text.rsplit_once('.').map_or(text, |(_, column)| column);
            let nearest = nearest(wanted, columns.map(String::as_str));
            let message = format!("`{text}` in {key} matches no column{nearest}");
            let was_there = self.known.values().any(|record| {
                let names = record.columns.iter().chain(&record.excluded);
                names.into_iter().any(|column| pattern.matches(&record.name, column))
            });
            let is_hidden =
                pattern.table().is_some_and(|table| self.access(&table) == Some(Access::Denied));
            if was_there || is_hidden {
                self.warn(message, column_hint());
            } else {
                self.refuse(message, column_hint());
            }
        } else if !tables.iter().any(|(table, _)| facts.captured.contains(table)) {
            let message = format!("`{text}` in {key} names columns of no captured table");
            self.warn(message, column_hint());
        }
    }

    fn key(&mut self, text: &str, columns: &[String]) {
        let key = "capture.message_key_columns";
        let Some(table) = self.by_table(key, text, Severe::Yes) else { return };
        let Some(there) = self.facts.columns.get(&table) else { return };
        let is_there = |wanted: &&String| {
            there.iter().any(|column| column.to_lowercase() == wanted.to_lowercase())
        };
        for wanted in columns.iter().filter(|wanted| !is_there(wanted)) {
            let nearest = nearest(wanted, there.iter().map(String::as_str));
            let message = format!("{table} has no column `{wanted}`, which {key} names{nearest}");
            let hint = format!("Correct {key}.");
            // One that is hidden, or was there when older rows were written: its rows decide.
            if self.access(&table) == Some(Access::Denied) || self.known.contains_key(&table) {
                self.warn(message, hint);
            } else {
                self.refuse(message, hint);
            }
        }
    }

    /// The table that a key of the configuration names, if the account sees it.
    fn by_table(&mut self, key: &str, text: &str, severe: Severe) -> Option<TableName> {
        let facts = self.facts;
        let pattern = self.pattern(text);
        let is_it = |table: &&TableName| self.config.capture.is_same_name(&table.to_string(), text);
        let Some(table) = facts.tables.iter().find(is_it).cloned() else {
            let message = format!("`{text}` in {key} names no table{}", self.nearest_tables(text));
            let hint = "Correct it or take it out: one table, as database.table, without \
                        wildcards.";
            match pattern.table() {
                Some(table) if self.access(&table) == Some(Access::Denied) => {}
                Some(table) if self.known.contains_key(&table) => {
                    self.warn(message, hint.to_owned());
                }
                _ if severe == Severe::Yes => self.refuse(message, hint.to_owned()),
                _ => self.warn(message, hint.to_owned()),
            }
            return None;
        };
        if !facts.captured.contains(&table) {
            let message = format!("`{text}` in {key} names a table that is not captured");
            self.warn(message, format!("Correct it, or capture.tables, or take it out of {key}."));
        }
        Some(table)
    }

    fn warn(&mut self, message: String, hint: String) {
        self.findings.push(Finding::warning(Reason::NameMatchesNothing, message, hint));
    }

    fn refuse(&mut self, message: String, hint: String) {
        let verdict = Verdict::Config;
        self.findings.push(Finding::error(verdict, Reason::NameMatchesNothing, message, hint));
    }

    fn pattern(&self, text: &str) -> TablePattern {
        TablePattern::new(text, self.config.capture.ignores_case)
    }

    fn access(&self, table: &TableName) -> Option<Access> {
        self.facts.access.get(table).copied()
    }

    fn nearest_tables(&self, text: &str) -> String {
        let names: Vec<String> = self.facts.tables.iter().map(ToString::to_string).collect();
        nearest(text, names.iter().map(String::as_str))
    }
}

fn column_hint() -> String {
    format!("Correct it, so that nothing is delivered that it should hide, or take it out: {GLOB}.")
}
