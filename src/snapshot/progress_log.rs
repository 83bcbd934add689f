//! The log lines about tables that are being read: how much there is, how long it will take (once
//! that is known), and the progress of each table.

use tokio::time::{Duration, Instant};

use super::plan::quoted_name;
use crate::{
    model::table::TableName,
    status::{ReadState, TableProgress, TotalProgress},
};

/// How often the progress of each table is logged.
const EVERY: Duration = Duration::from_secs(10);

/// When the time left is logged first: after a few chunks even of a slow source.
const FIRST: Duration = Duration::from_secs(2);

/// Logs the progress of the tables at intervals.
pub(super) struct ProgressLog {
    logged_at: Instant,
    /// Whether the time left was logged.
    has_estimated: bool,
    /// How long the source keeps its binlogs. `None` if it keeps them for ever, if that is unknown,
    /// and after the warning that the time is too short.
    retention: Option<Duration>,
    /// When it was logged last that a chunk is read again.
    again_logged: Option<Instant>,
}

/// Before anything is read: how much there is. How long it takes is not known yet.
pub(super) fn begins(tables: &[TableProgress]) {
    let Some(total) = TotalProgress::of(tables) else { return };
    tracing::info!(
        tables = total.tables,
        rows = total.rows,
        rows_estimate = total.rows_estimate,
        bytes_estimate = total.bytes_estimate,
        "reading tables while streaming"
    );
}

/// A table is read again, and keys that are gone from it get no deletes.
pub(super) fn keeps_keys(table: &TableName, why: &str) {
    tracing::warn!(
        %table,
        "the connector does not search for rows that are gone without row events: {why}; \
         consumers keep them"
    );
}

/// The catalog does not show a table that is to be read. `hidden_from` names the account if the
/// table may exist, hidden from that account.
pub(super) fn gone(table: &TableName, hidden_from: Option<&String>) {
    let Some(user) = hidden_from else {
        tracing::info!(%table, "the table is gone, so it is not read");
        return;
    };
    let table_sql = quoted_name(table);
    tracing::warn!(
        %table,
        hint = format!("Run: GRANT SELECT ON {table_sql} TO '{user}'@'%'; and start again."),
        "the account may not see the table: its rows are not read, its changes are delivered"
    );
}

/// Nothing more of a table is read.
pub(super) fn ended(progress: &TableProgress) {
    let TableProgress { table, rows, problem, .. } = progress;
    match progress.state {
        ReadState::Done => {
            let rows_per_second = progress.rows_per_second.round();
            tracing::info!(%table, rows, rows_per_second, "a table is read");
        }
        ReadState::Refused => {
            let problem = problem.as_deref().unwrap_or_default();
            tracing::warn!(%table, "the table cannot be read as requested: {problem}");
        }
        _ => tracing::info!(%table, rows, "reading the table was cancelled"),
    }
}

impl ProgressLog {
    pub(super) fn new(begun: Instant, retention: Option<Duration>) -> Self {
        Self { logged_at: begun, has_estimated: false, retention, again_logged: None }
    }

    /// More is to be read. If nothing was before, the time left is not known yet.
    pub(super) fn begin(&mut self, is_first: bool) {
        if is_first {
            self.logged_at = Instant::now();
            self.has_estimated = false;
        }
    }

    /// A chunk is read again. Readers try often while the reason lasts.
    pub(super) fn again(&mut self, table: &TableName, reason: &str) {
        if self.again_logged.is_none_or(|logged| EVERY <= logged.elapsed()) {
            self.again_logged = Some(Instant::now());
            tracing::info!(%table, reason, "reading a chunk again");
        }
    }

    /// A chunk is delivered.
    pub(super) fn log(&mut self, now: Instant, tables: impl Iterator<Item = TableProgress>) {
        if now.duration_since(self.logged_at) < if self.has_estimated { EVERY } else { FIRST } {
            return;
        }
        let tables: Vec<_> = tables.collect();
        let Some(total) = TotalProgress::of(&tables) else { return };
        let Some(seconds_left) = total.seconds_left else { return };
        self.logged_at = now;
        if self.has_estimated {
            tables.iter().filter(|table| table.state == ReadState::Reading).for_each(log);
        } else {
            self.has_estimated = true;
            tracing::info!(
                tables = total.tables,
                rows_left = total.rows_left,
                rows_per_second = total.rows_per_second.round(),
                seconds_left,
                "time left to read the tables, at the present rate"
            );
        }
        // Logged once.
        if let Some(retention) = self.retention.take_if(|it| it.as_secs() < seconds_left) {
            tracing::warn!(
                seconds_left,
                retention_seconds = retention.as_secs(),
                "reading the tables takes longer than the source keeps its binlogs: a connector \
                 that streams is not affected, but one that is stopped for that long cannot \
                 resume; raise binlog_expire_logs_seconds until the tables are read"
            );
        }
    }
}

fn log(progress: &TableProgress) {
    tracing::info!(
        table = %progress.table,
        rows = progress.rows,
        rows_estimate = progress.rows_estimate,
        percent = progress.percent(),
        rows_per_second = progress.rows_per_second.round(),
        seconds_left = progress.seconds_left,
        "reading a table"
    );
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc, time::Duration};

    use tokio::time::Instant;

    use super::{EVERY, FIRST, ProgressLog, begins};
    use crate::{
        model::table::TableName,
        status::{ReadState, TableProgress},
    };

    fn table(state: ReadState, rows: u64, rows_per_second: f64) -> TableProgress {
        TableProgress {
            table: TableName { database: "shop".into(), table: "orders".into() },
            state,
            rows,
            rows_estimate: 1000,
            bytes_estimate: 70_000,
            rows_per_second,
            seconds_left: None,
            problem: None,
        }
    }

    /// The log lines of `body`.
    fn logged(body: impl FnOnce()) -> String {
        let (mut reader, writer) = io::pipe().unwrap();
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(Arc::new(writer)).finish();
        tracing::subscriber::with_default(log, body);
        io::read_to_string(&mut reader).unwrap()
    }

    #[test]
    fn how_much_there_is_leaves_out_what_is_not_read() {
        let waiting = table(ReadState::Waiting, 0, 0.0);
        let paused = table(ReadState::Paused, 0, 0.0);
        let tables = [waiting.clone(), paused.clone(), waiting];
        let text = logged(|| begins(&tables));
        assert!(
            text.contains("tables=2 rows=0 rows_estimate=2000 bytes_estimate=140000"),
            "{text}"
        );
        assert_eq!(logged(|| begins(&[paused])), "");
    }

    #[test]
    fn the_time_left_is_logged_once_there_is_a_rate_with_the_retention() {
        let begun = Instant::now();
        let mut progress_log = ProgressLog::new(begun, Some(Duration::from_secs(150)));
        let tables = |rows, rate| {
            let reading = table(ReadState::Reading, rows, rate);
            [reading, table(ReadState::Waiting, 0, 0.0)].into_iter()
        };
        let mut log =
            |after, rows, rate| logged(|| progress_log.log(begun + after, tables(rows, rate)));
        assert_eq!(log(FIRST / 2, 100, 10.0), "");
        assert_eq!(log(FIRST, 0, 0.0), "");
        let text = log(FIRST, 100, 10.0);
        assert!(text.contains("tables=2 rows_left=1900 rows_per_second=10.0 seconds_left=190"));
        assert!(text.contains("WARN") && text.contains("retention_seconds=150"), "{text}");
        assert_eq!(log(EVERY, 100, 10.0), "");
        let text = log(FIRST + EVERY, 500, 10.0);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("reading a table") && text.contains("percent=50"), "{text}");
    }
}
