//! How far tables are read, on stderr: a bar each on a terminal, lines every ten seconds elsewhere.

use std::{collections::BTreeMap, io::IsTerminal as _, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::time::Instant;

/// How often lines are written where there is no terminal.
const LINES_EVERY: Duration = Duration::from_secs(10);

/// How far one table is.
#[derive(Clone, Debug, serde::Deserialize)]
pub(super) struct Reading {
    pub(super) table: String,
    pub(super) state: String,
    pub(super) rows: u64,
    rows_estimate: u64,
    percent: u64,
    rows_per_second: f64,
    seconds_left: Option<u64>,
    pub(super) problem: Option<String>,
}

impl Reading {
    /// Whether no more rows of it come.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "done" | "cancelled" | "refused")
    }

    fn rate(&self) -> String {
        match (self.state.as_str(), self.seconds_left) {
            ("reading", Some(left)) => {
                format!("{:.0} rows/s, {} left", self.rows_per_second, human(left))
            }
            (state, _) => state.to_owned(),
        }
    }
}

/// Shows tables.
pub(super) struct Bars {
    /// `None` where stderr is no terminal.
    bars: Option<(MultiProgress, BTreeMap<String, ProgressBar>)>,
    told: Option<Instant>,
}

impl Bars {
    pub(super) fn new() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let bars = is_terminal.then(|| (MultiProgress::new(), BTreeMap::new()));
        Self { bars, told: None }
    }

    /// Shows how far the tables are now.
    pub(super) fn show(&mut self, tables: &[Reading]) {
        let Some((all, bars)) = &mut self.bars else {
            if self.told.is_none_or(|told| LINES_EVERY <= told.elapsed()) {
                self.told = Some(Instant::now());
                tables.iter().filter(|table| !table.is_over()).for_each(line);
            }
            return;
        };
        for table in tables {
            let bar = bars.entry(table.table.clone()).or_insert_with(|| all.add(bar(table)));
            if table.is_over() {
                bar.finish_and_clear();
                continue;
            }
            bar.set_length(table.rows_estimate.max(table.rows));
            bar.set_position(table.rows);
            bar.set_message(table.rate());
        }
    }

    /// Takes the bars away.
    pub(super) fn end(&self) {
        if let Some((all, _)) = &self.bars {
            // What cannot be drawn on cannot be cleared either.
            drop(all.clear());
        }
    }
}

fn bar(table: &Reading) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{prefix} [{bar:30}] {percent}% {human_pos} of about {human_len} rows, {msg}",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(table.rows_estimate).with_style(style).with_prefix(table.table.clone())
}

#[expect(clippy::print_stderr, reason = "progress is for whoever watches, not for a pipe")]
fn line(table: &Reading) {
    eprintln!("{table}");
}

impl std::fmt::Display for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { table, percent, rows, rows_estimate, .. } = self;
        match &self.problem {
            Some(problem) => write!(f, "{table}: {}: {problem}", self.state),
            None if self.is_over() => write!(f, "{table}: {}, {rows} rows", self.state),
            None => {
                write!(f, "{table}: {percent}%, {rows} of about {rows_estimate} rows, ")?;
                f.write_str(&self.rate())
            }
        }
    }
}

/// A time as people read it.
fn human(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}
