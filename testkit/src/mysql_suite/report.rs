//! What became of each script, and of all.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

/// Halts that are the connector's answer to what a script does on purpose, each with the reason.
const BY_DESIGN: [(&str, &str); 15] = [
    ("binlog_format_statement", "the script logs statements instead of rows"),
    ("binlog_row_image_not_full", "the script logs rows without all columns"),
    ("binlog_row_metadata_not_full", "the script logs rows without names"),
    ("rows_removed_by_statement", "the script drops or truncates a partition"),
    ("position_purged", "the script purges binlogs"),
    ("source_reset", "the script resets the binlog"),
    ("source_diverged", "the script resets the binlog"),
    ("source_lost_tail", "the script resets the binlog"),
    ("mysql_setting", "the server's settings do not log rows"),
    ("log_bin", "the server has no binlog"),
    ("topic_name_too_long", "the table's name is longer than Kafka allows"),
    ("topic_name_clash", "two tables' names are one topic"),
    ("field_name_clash", "two columns' names are one field"),
    ("mysql_grants", "the script takes rights away"),
    ("kafka_record_too_large", "a row is larger than the topic takes"),
];

/// How many of a connector's last lines are kept.
const LINES_KEPT: usize = 6;

/// What became of one script.
#[derive(Debug, Clone, Default)]
pub struct Result {
    /// `suite.name`.
    pub script: String,
    /// How long it took, with everything around it.
    pub seconds: u64,
    /// Why it was not run.
    pub skipped: Option<String>,
    /// What ended the script early; what it did until then counts.
    pub script_error: Option<String>,
    /// Why the connector ended or never went on.
    pub halted: Option<Halt>,
    /// Tables whose unknown key halted the connector before, and which were given none by the
    /// setting that its hint names.
    pub keyless: Vec<String>,
    /// Why nothing could be compared.
    pub trouble: Option<String>,
    /// Records that the connector delivered.
    pub records: u64,
    /// Each table that the script left.
    pub tables: Vec<(String, TableState)>,
}

/// An end of the connector.
#[derive(Debug, Clone)]
pub struct Halt {
    /// The reason in the log; `stuck` if it did not end.
    pub reason: String,
    /// The log's last lines.
    pub line: String,
    /// When.
    pub when: String,
}

/// A table beside its topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableState {
    /// The same rows.
    Equal,
    /// Other rows, after a statement that changes rows without an event for each.
    Altered(Vec<String>),
    /// Other rows, in a script that turns the binlog off for a while.
    Unlogged(Vec<String>),
    /// Other rows.
    Differs(Vec<String>),
    /// It cannot be read, or a value not be compared.
    Unreadable(String),
}

/// What became of all scripts.
#[derive(Debug, Default)]
pub struct Report {
    results: Vec<Result>,
}

impl Result {
    pub(super) fn of(script: &str) -> Self {
        Self { script: script.to_owned(), ..Self::default() }
    }

    /// Notes how the connector ended, from what it printed.
    pub(super) fn halt(&mut self, stderr: &str, has_ended: bool, when: &str) {
        // The last words are lines of text; what it tries again is a line of JSON each.
        let reason = |line: &str| {
            if let Some((_, reason)) = line.split_once("reason: ") {
                return Some(reason.trim().to_owned());
            }
            let line: Value = serde_json::from_str(line).ok()?;
            Some(line.get("reason")?.as_str()?.to_owned())
        };
        let tail: Vec<_> = stderr.lines().rev().take(LINES_KEPT).collect();
        let reason = stderr.lines().rev().find_map(reason).unwrap_or_else(|| "none".to_owned());
        let line: String = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
        let reason = if has_ended { reason } else { format!("stuck: {reason}") };
        self.halted = Some(Halt { reason, line, when: when.to_owned() });
    }

    /// Tables with other rows that nothing explains.
    pub fn differing(&self) -> impl Iterator<Item = &(String, TableState)> {
        self.tables.iter().filter(|(_, state)| matches!(state, TableState::Differs(_)))
    }

    /// Whether there is nothing to look into.
    pub fn is_clean(&self) -> bool {
        let is_by_design = |halt: &Halt| halt.by_design().is_some();
        self.halted.as_ref().is_none_or(is_by_design) && self.differing().next().is_none()
    }

    /// One line of JSON.
    pub fn to_json(&self) -> Value {
        let halted = self.halted.as_ref().map(|halt| {
            json!({ "reason": halt.reason, "line": halt.line, "when": halt.when,
                    "by_design": halt.by_design() })
        });
        let tables = self.tables.iter().filter(|(_, state)| *state != TableState::Equal);
        let tables: Vec<_> =
            tables.map(|(table, state)| json!([table, format!("{state:?}")])).collect();
        json!({
            "script": self.script, "seconds": self.seconds, "skipped": self.skipped,
            "script_error": self.script_error, "halted": halted, "trouble": self.trouble,
            "keyless": self.keyless, "records": self.records, "tables": self.tables.len(), "not_equal": tables,
        })
    }
}

impl Halt {
    /// The table whose key is not known, if that is the reason.
    pub(super) fn table_without_key(&self) -> Option<String> {
        let table = self.line.split("message_key_columns = { \"").nth(1)?.split('"').next()?;
        (self.reason == "key_unknown").then(|| table.to_owned())
    }

    /// Why this halt is right, if it is.
    pub fn by_design(&self) -> Option<&'static str> {
        BY_DESIGN.iter().find(|(reason, _)| *reason == self.reason).map(|(_, why)| *why)
    }
}

impl Report {
    /// Adds one result.
    pub fn add(&mut self, result: Result) {
        self.results.push(result);
    }

    /// Whether there is nothing to look into.
    pub fn is_clean(&self) -> bool {
        self.results.iter().all(Result::is_clean)
    }

    fn run(&self) -> impl Iterator<Item = &Result> {
        self.results.iter().filter(|result| result.skipped.is_none())
    }

    fn count(&self, is_it: impl Fn(&TableState) -> bool) -> usize {
        self.run().flat_map(|result| &result.tables).filter(|(_, state)| is_it(state)).count()
    }
}

impl fmt::Display for Result {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({} s): ", self.script, self.seconds)?;
        if let Some(reason) = &self.skipped {
            return write!(formatter, "skipped, {reason}");
        }
        write!(formatter, "{} tables, {} records", self.tables.len(), self.records)?;
        if let Some(halt) = &self.halted {
            let why = halt.by_design().map_or_else(String::new, |why| format!(" by design: {why}"));
            write!(formatter, "; HALTED {}{why}", halt.reason)?;
        }
        if !self.keyless.is_empty() {
            write!(formatter, "; key_unknown before: {}", self.keyless.join(", "))?;
        }
        for (table, state) in self.differing() {
            write!(formatter, "; DIFFERS {table}: {state:?}")?;
        }
        if let Some(error) = &self.script_error {
            write!(formatter, "; script ended early: {error}")?;
        }
        if let Some(trouble) = &self.trouble {
            write!(formatter, "; not compared: {trouble}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skipped = self.results.len() - self.run().count();
        let early = self.run().filter(|result| result.script_error.is_some()).count();
        let unseen = self.run().filter(|result| result.trouble.is_some()).count();
        let records: u64 = self.run().map(|result| result.records).sum();
        writeln!(
            formatter,
            "scripts     {} run, {skipped} skipped; {early} of those run ended early, {unseen} \
             could not be compared",
            self.run().count()
        )?;
        writeln!(
            formatter,
            "tables      {} equal, {} differ, {} differ after ALTER or the like, {} in scripts \
             that turn the binlog off, {} not comparable; {records} records",
            self.count(|state| *state == TableState::Equal),
            self.count(|state| matches!(state, TableState::Differs(_))),
            self.count(|state| matches!(state, TableState::Altered(_))),
            self.count(|state| matches!(state, TableState::Unlogged(_))),
            self.count(|state| matches!(state, TableState::Unreadable(_))),
        )?;
        let keyless: Vec<_> = self.run().filter(|result| !result.keyless.is_empty()).collect();
        writeln!(
            formatter,
            "            {} halted with key_unknown and followed its hint",
            keyless.len()
        )?;
        let mut halts: BTreeMap<(bool, String), Vec<&str>> = BTreeMap::new();
        for result in self.run() {
            if let Some(halt) = &result.halted {
                let why = halt.by_design();
                let text = why
                    .map_or_else(|| halt.reason.clone(), |why| format!("{}: {why}", halt.reason));
                halts.entry((why.is_some(), text)).or_default().push(&result.script);
            }
        }
        for ((by_design, text), scripts) in halts {
            let kind = if by_design { "by design" } else { "HALTED   " };
            writeln!(formatter, "{kind}   {text}: {} ({})", scripts.len(), scripts.join(", "))?;
        }
        for result in self.run() {
            for (table, state) in result.differing() {
                writeln!(formatter, "DIFFERS     {} {table}: {state:?}", result.script)?;
            }
        }
        Ok(())
    }
}
