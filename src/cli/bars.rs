//! Progress bars, one for each table that is read, at the foot of a terminal below the log lines.

use std::io::{self, IsTerminal as _, Write};

use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressStyle};

use crate::{
    config,
    status::{State, Status, TableProgress},
};

/// Most bars at a time, so that a small screen has room for log lines too.
const BARS_MAX: usize = 8;

/// Most characters of a table's name before its bar. With them, 40 columns hold name, bar and
/// percentage.
const NAME_MAX: usize = 20;

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

impl From<TableProgress> for Reading {
    fn from(progress: TableProgress) -> Self {
        Self {
            table: progress.table.to_string(),
            state: progress.state.name().to_owned(),
            rows: progress.rows,
            rows_estimate: progress.rows_estimate,
            percent: progress.percent(),
            rows_per_second: progress.rows_per_second,
            seconds_left: progress.seconds_left,
            problem: progress.problem,
        }
    }
}

impl Reading {
    /// Whether nothing more is done for it.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "done" | "cancelled" | "refused")
    }

    /// Whether rows of it may come.
    fn has_rows_left(&self) -> bool {
        !self.is_over() && self.state != "searching"
    }

    fn is_read_now(&self) -> bool {
        self.state == "reading"
    }

    /// How far it is while rows of it come, what matters most first: a narrow terminal cuts it.
    fn pace(&self) -> String {
        let Self { percent, rows, rows_estimate, rows_per_second, .. } = self;
        let rows = HumanCount(*rows);
        let left = self.seconds_left.map(|left| format!("{} left, ", human(left)));
        let left = left.filter(|_| !self.is_larger()).unwrap_or_default();
        let of = if self.is_larger() {
            " rows, more than estimated".to_owned()
        } else {
            format!("/~{} rows", HumanCount(*rows_estimate))
        };
        format!("{percent}%, {left}{rows_per_second:.0} rows/s, {rows}{of}")
    }

    /// Whether the source's estimate was too small: then how much is left is unknown.
    fn is_larger(&self) -> bool {
        self.rows_estimate <= self.rows
    }

    /// Its name, cut to what fits. The cut is at the front: the table says more than the database.
    fn name(&self) -> String {
        // A name may hold anything, and a terminal obeys control characters.
        let name = self.table.chars().map(|c| if c.is_control() { '?' } else { c });
        let surplus = name.clone().count().saturating_sub(NAME_MAX);
        match surplus {
            0 => name.collect(),
            _ => std::iter::once('…').chain(name.skip(surplus + 1)).collect(),
        }
    }
}

impl std::fmt::Display for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { table, state, rows, .. } = self;
        match &self.problem {
            Some(problem) => write!(f, "{table}: {state}: {problem}"),
            None if self.is_read_now() => write!(f, "{table}: {}", self.pace()),
            None => write!(f, "{table}: {state}, {rows} rows"),
        }
    }
}

/// Bars on a terminal.
pub(super) struct Bars {
    all: MultiProgress,
    /// One for each table that is read now, in their order.
    tables: Vec<ProgressBar>,
    /// The line with the number of tables that wait.
    rest: Option<ProgressBar>,
}

impl Bars {
    /// Bars on stderr, if it is a terminal that can show them.
    pub(super) fn new() -> Option<Self> {
        let is_possible = io::stderr().is_terminal() && !config::is_plain_terminal();
        let all = MultiProgress::new();
        is_possible.then(|| Self { all, tables: Vec::new(), rest: None })
    }

    /// Shows how far the tables are now.
    pub(super) fn show(&mut self, tables: &[Reading]) {
        let open = tables.iter().filter(|table| table.has_rows_left());
        let shown = open.clone().filter(|table| table.is_read_now()).take(BARS_MAX);
        let shown: Vec<_> = shown.collect();
        let rest = open.count() - shown.len();
        if (shown.len(), 0 < rest) != (self.tables.len(), self.rest.is_some()) {
            self.arrange(shown.len(), 0 < rest);
        }
        let names: Vec<_> = shown.iter().map(|table| table.name()).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
        for ((bar, table), name) in self.tables.iter().zip(shown).zip(names) {
            bar.set_length(table.rows_estimate.max(table.rows).max(1));
            bar.set_position(table.rows);
            bar.set_prefix(format!("{name:<width$}"));
            bar.set_message(table.pace());
        }
        if let Some(bar) = &self.rest {
            let tables = if rest == 1 { "table" } else { "tables" };
            bar.set_message(format!("{rest} more {tables} to read"));
        }
        self.draw();
    }

    /// Writes whole lines above the bars.
    pub(super) fn print(&self, lines: &[u8]) -> io::Result<()> {
        self.clear();
        io::stderr().write_all(lines)?;
        self.draw();
        Ok(())
    }

    /// Removes the bars from the screen until they are drawn again.
    pub(super) fn clear(&self) {
        // A screen that cannot be drawn on cannot be cleared either.
        drop(self.all.clear());
    }

    fn draw(&self) {
        // Any of them draws all.
        if let Some(bar) = self.tables.first().or(self.rest.as_ref()) {
            bar.force_draw();
            // From the right margin, where it was left, an echoed `^C` would go to the next line,
            // and what is cleared then is not what was drawn.
            drop(io::stderr().write_all(b"\r"));
        }
    }

    fn arrange(&mut self, tables: usize, has_rest: bool) {
        self.clear();
        for bar in self.tables.drain(..).chain(self.rest.take()) {
            self.all.remove(&bar);
        }
        let bar = |template| {
            let style = ProgressStyle::with_template(template);
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            self.all.add(ProgressBar::new(1).with_style(style))
        };
        self.tables = (0..tables).map(|_| bar("{prefix} [{bar:10}] {wide_msg}")).collect();
        self.rest = has_rest.then(|| bar("{wide_msg}"));
    }
}

/// A terminal with the log's lines and, below them, bars while tables are read.
pub(super) struct Screen {
    bars: Bars,
    status: Status,
}

impl Screen {
    pub(super) fn new(bars: Bars, status: Status) -> Self {
        Self { bars, status }
    }
}

impl Write for Screen {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.bars.print(lines)?;
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let status = self.status.snapshot();
        // In every other state no table is read.
        let is_reading = matches!(status.state, State::Streaming | State::Draining);
        let tables = status.tables.into_iter().filter(|_| is_reading).map(Reading::from);
        self.bars.show(&tables.collect::<Vec<_>>());
        Ok(())
    }
}

/// A duration as text, such as `3 min 05 s`.
pub(super) fn human(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3600..172_800 => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} days", seconds / 86_400),
    }
}
