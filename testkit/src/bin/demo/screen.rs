//! What is printed: headlines, changes in columns, the comparison. Coloured on a terminal, unless
//! `NO_COLOR` is set.

use std::cell::Cell;
use std::io::{self, Write};

use console::{Style, Term, style, truncate_str};
use serde_json::Value;
use testkit::xtask::stack::StackAddress;
use testkit::{Comparison, Error, Record};

use crate::viewer::Arrival;

/// The terminal, or whatever stdout is.
pub(crate) struct Screen {
    terminal: Term,
    /// The first error of writing is enough: a closed pipe must not stop the demo.
    is_closed: Cell<bool>,
    /// Changes shown so far.
    count: Cell<usize>,
}

impl Default for Screen {
    fn default() -> Self {
        Self { terminal: Term::stdout(), is_closed: Cell::new(false), count: Cell::new(0) }
    }
}

impl Screen {
    pub(crate) fn title(&self, address: &StackAddress, name: &str) {
        let StackAddress { mysql_host, mysql_port, kafka_bootstrap, .. } = address;
        self.line("");
        self.line(&style("Tailwater: every committed change of a shop, exactly once").bold());
        self.line(&format!("  MySQL {mysql_host}:{mysql_port}, database shop"));
        self.line(&format!("  Kafka {kafka_bootstrap}, topics {name}.shop.*, Avro"));
    }

    pub(crate) fn note(&self, text: &str) {
        self.line(&style(format!("  {text}")).dim());
    }

    pub(crate) fn headline(&self, text: &str) {
        self.line("");
        self.line(&style(text).bold());
    }

    pub(crate) fn error(&self, error: &Error) {
        self.line(&style(format!("the demo failed: {error}")).red());
    }

    /// Shows one transaction.
    pub(crate) fn transaction(&self, title: &str, arrivals: &[Arrival]) {
        let after = arrivals.iter().map(|arrival| arrival.after).max();
        let after = after.map_or_else(
            || "nothing of it arrives".to_owned(),
            |after| format!("here {} ms after its commit", after.as_millis()),
        );
        self.line("");
        self.line(&format!("{}  {}", style(title).bold(), style(after).dim()));
        for Arrival { record, .. } in arrivals {
            self.count.set(self.count.get() + 1);
            self.change(self.count.get(), record);
        }
    }

    fn change(&self, number: usize, record: &Record) {
        let (operation, colour) = match record.operation() {
            "c" => ("insert", Style::new().green()),
            "u" => ("update", Style::new().yellow()),
            "d" => ("delete", Style::new().red()),
            _ => ("unknown", Style::new().magenta()),
        };
        let table = text(record.source().get("table").unwrap_or(&Value::Null));
        let key = record.key.as_ref().map(key_text).unwrap_or_default();
        let (number, table) = (style(format!("{number:>4}")).dim(), format!("{table:<12}"));
        let (operation, key) = (colour.apply_to(operation), format!("{key:<17}"));
        self.line(&format!("{number}  {table} {operation}  {key} {}", difference(record)));
    }

    pub(crate) fn comparison(&self, comparison: &Comparison) {
        let Comparison { table, rows, keys, differences } = comparison;
        let verdict = if comparison.is_equal() {
            style("equal").green().bold()
        } else {
            style("different").red().bold()
        };
        let counts = format!("{rows:>2} rows in MySQL, {keys:>2} keys in Kafka");
        self.line(&format!("  {:<12} {counts}: {verdict}", format!("{table}:")));
        for difference in differences {
            self.line(&format!("    {difference}"));
        }
    }

    pub(crate) fn summary(&self, shown: usize, expected: usize, is_equal: bool) {
        let is_good = is_equal && shown == expected;
        let verdict = if is_good {
            style("every topic equals its table").green().bold()
        } else {
            style("NOT equal").red().bold()
        };
        self.line("");
        self.line(&format!("{shown} of {expected} changes arrived, each once: {verdict}"));
    }

    /// Prints one line, cut to the width of the terminal.
    fn line(&self, text: &(impl ToString + ?Sized)) {
        let text = text.to_string();
        let width = if self.terminal.is_term() { usize::from(self.terminal.size().1) } else { 200 };
        let line = truncate_str(&text, width, "…");
        if !self.is_closed.get() {
            self.is_closed.set(writeln!(io::stdout(), "{line}").is_err());
        }
    }
}

/// What is new, or for an update what was and what is. The key stands beside it.
fn difference(record: &Record) -> String {
    let other_key = |name| {
        let (_, key) = record.headers.iter().find(|header| header.0 == name)?;
        serde_json::from_str(key).ok().map(|key: Value| key_text(&key))
    };
    if let Some(key) = other_key("__debezium.newkey") {
        return format!("{} {key}", style("moves to").magenta());
    }
    let (row, colour) = match record.operation() {
        "d" => (record.before(), Style::new().dim()),
        _ => (record.after(), Style::new().green()),
    };
    let is_update = record.operation() == "u";
    let is_key = |name| members(record.key.as_ref()).any(|(key, _)| key == name);
    let columns = members(Some(row)).filter(|(name, _)| is_update || !is_key(*name));
    let parts = columns.filter_map(|(name, value)| {
        let before = record.before().get(name).unwrap_or(&Value::Null);
        let name = style(name).dim();
        match is_update {
            true if before == value => None,
            true => Some(format!(
                "{name} {} → {}",
                style(text(before)).red(),
                colour.apply_to(text(value))
            )),
            false => Some(format!("{name} {}", colour.apply_to(text(value)))),
        }
    });
    let came_from = other_key("__debezium.oldkey");
    let came_from = came_from.map(|key| format!("{} {key}", style("was").magenta()));
    came_from.into_iter().chain(parts).collect::<Vec<_>>().join("  ")
}

fn members(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}

fn key_text(key: &Value) -> String {
    let parts = members(Some(key)).map(|(name, value)| format!("{name}={}", text(value)));
    parts.collect::<Vec<_>>().join(" ")
}

/// A value without JSON's quotes.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "''".to_owned(),
        Value::String(text) => text.clone(),
        Value::Object(_) => text(value.get("decimal").unwrap_or(&Value::Null)),
        other => other.to_string(),
    }
}
