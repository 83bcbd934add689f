//! What is printed: headlines, changes in columns, the comparison. Coloured on a terminal, unless
//! `NO_COLOR` is set.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use console::{Style, Term, style, truncate_str};
use serde_json::Value;
use testkit::xtask::interrupt;
use testkit::xtask::stack::StackAddress;
use testkit::{Comparison, Error, Record, Result, bail};

use crate::shop::STEPS;
use crate::viewer::Arrival;

/// The terminal, or whatever stdout is.
pub(crate) struct Screen {
    terminal: Term,
    /// The first error of writing is enough: a closed pipe must not stop the demo.
    is_closed: RefCell<bool>,
}

/// Records of one transaction become visible at once, but each topic is read for itself: a
/// transaction is shown when nothing more came for so long.
const QUIET: Duration = Duration::from_millis(150);

/// How long to wait for the next change before the demo gives up.
const PATIENCE: Duration = Duration::from_secs(30);

impl Default for Screen {
    fn default() -> Self {
        Self { terminal: Term::stdout(), is_closed: RefCell::new(false) }
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
        self.line(&style(format!("the demo failed: {error:#}")).red());
    }

    /// Shows changes as they arrive until all are there; returns how many came.
    pub(crate) fn show(&self, arrivals: &Receiver<Arrival>) -> Result<usize> {
        let expected: usize = STEPS.iter().map(|step| step.changes).sum();
        let mut steps = STEPS.iter().filter(|step| step.changes > 0);
        let (mut shown, mut waited) = (0, Duration::ZERO);
        let mut together: Vec<Arrival> = Vec::new();
        while shown < expected {
            interrupt::pause(Duration::ZERO)?;
            match arrivals.recv_timeout(QUIET) {
                Ok(arrival) if arrival.record.value.is_none() => {} // the tombstone of a delete
                Ok(arrival) => together.push(arrival),
                Err(RecvTimeoutError::Timeout) if PATIENCE < waited => {
                    bail!("no change came for {} s", PATIENCE.as_secs());
                }
                Err(RecvTimeoutError::Timeout) if together.is_empty() => waited += QUIET,
                Err(RecvTimeoutError::Timeout) => {
                    waited = Duration::ZERO;
                    together.sort_by_key(|arrival| place(&arrival.record));
                    for transaction in together.chunk_by(|a, b| gtid(&a.record) == gtid(&b.record))
                    {
                        let title = steps.next().map_or("more", |step| step.title);
                        shown = self.transaction(title, transaction, shown);
                    }
                    together.clear();
                }
                Err(RecvTimeoutError::Disconnected) => bail!("the topics cannot be read"),
            }
        }
        Ok(shown)
    }

    /// Shows one transaction; returns the number of its last change.
    fn transaction(&self, title: &str, arrivals: &[Arrival], mut number: usize) -> usize {
        let after = arrivals.iter().map(|arrival| arrival.after).min().unwrap_or_default();
        let after = style(format!("{} ms after its commit", after.as_millis())).dim();
        self.line("");
        self.line(&format!("{}  {after}", style(title).bold()));
        for Arrival { record, .. } in arrivals {
            number += 1;
            self.change(number, record);
        }
        number
    }

    fn change(&self, number: usize, record: &Record) {
        let (operation, colour) = match record.operation() {
            "c" => ("insert", Style::new().green()),
            "u" => ("update", Style::new().yellow()),
            "d" => ("delete", Style::new().red()),
            _ => ("unknown", Style::new().magenta()),
        };
        let table = text(record.source().get("table").unwrap_or(&Value::Null));
        let key = members(record.key.as_ref());
        let key: Vec<String> = key.map(|(name, value)| format!("{name}={}", text(value))).collect();
        let (number, table) = (style(format!("{number:>4}")).dim(), format!("{table:<12}"));
        let (operation, key) = (colour.apply_to(operation), format!("{:<17}", key.join(" ")));
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
        if !*self.is_closed.borrow() {
            let written = writeln!(io::stdout(), "{line}");
            *self.is_closed.borrow_mut() = written.is_err();
        }
    }
}

/// What is new, or for an update what was and what is.
fn difference(record: &Record) -> String {
    let header = |name| record.headers.iter().find(|header| header.0 == name);
    if let Some((_, key)) = header("__debezium.newkey") {
        return format!("{} {key}", style("moves to").magenta());
    }
    let parts: Vec<String> = match record.operation() {
        "u" => members(Some(record.after()))
            .filter_map(|(name, after)| {
                let before = record.before().get(name).unwrap_or(&Value::Null);
                let (old, new) = (style(text(before)).red(), style(text(after)).green());
                (before != after).then(|| format!("{name} {old} → {new}"))
            })
            .collect(),
        "d" => listed(record.before(), &Style::new().dim()),
        _ => listed(record.after(), &Style::new().green()),
    };
    let came_from = header("__debezium.oldkey").map(|(_, key)| format!("was {key}"));
    let came_from = came_from.map(|text| style(text).magenta().to_string());
    came_from.into_iter().chain(parts).collect::<Vec<_>>().join("  ")
}

fn listed(row: &Value, colour: &Style) -> Vec<String> {
    let named = |(name, value): (&String, &Value)| {
        format!("{} {}", style(name).dim(), colour.apply_to(text(value)))
    };
    members(Some(row)).map(named).collect()
}

fn members(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}

/// A value without JSON's quotes.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(_) => text(value.get("decimal").unwrap_or(&Value::Null)),
        other => other.to_string(),
    }
}

/// Where in the binlog a change comes from, to show changes in their order.
fn place(record: &Record) -> (String, i64, i64) {
    let source = record.source();
    let number = |name| source.get(name).and_then(Value::as_i64).unwrap_or(i64::MAX);
    (text(source.get("file").unwrap_or(&Value::Null)), number("pos"), number("row"))
}

fn gtid(record: &Record) -> &Value {
    record.source().get("gtid").unwrap_or(&Value::Null)
}
