//! What the log says of tables that are being read: how much there is, how long it will take as
//! soon as that is known, how far each is.

use tokio::time::{Duration, Instant};

use super::plan::quoted_name;
use crate::{
    model::table::TableName,
    status::{ReadState, TableProgress, TotalProgress},
};

/// How often it is logged how far each table is.
pub(super) const EVERY: Duration = Duration::from_secs(10);

/// When it is logged how long it will take: after a few chunks even of a slow source.
const FIRST: Duration = Duration::from_secs(2);

/// Logs every now and then how far the tables are.
pub(super) struct ProgressLog {
    logged_at: Instant,
    /// Whether it was logged how long it will take.
    has_estimated: bool,
    /// How long the source keeps its binlogs, until it was logged that this is too short; `None`
    /// too if for ever or not known.
    retention: Option<Duration>,
}

/// Before anything is read: how much there is. How long it takes nobody knows yet.
pub(super) fn begins(tables: &[TableProgress]) {
    let Some(total) = TotalProgress::of(tables) else { return };
    tracing::info!(
        tables = total.tables,
        rows = total.rows,
        rows_estimate = total.rows_estimate,
        bytes_estimate = total.bytes_estimate,
        "reading tables beside the stream"
    );
}

/// A table is read again, and rows that went from it get no deletes.
pub(super) fn keeps_keys(table: &TableName, why: &str) {
    tracing::warn!(
        %table,
        "rows that went from the table without row events are not looked for: {why}; consumers \
         keep them"
    );
}

/// The catalog does not show a table that was to be read; to the account, if it is hidden from it.
pub(super) fn gone(table: &TableName, hidden_from: Option<&String>) {
    let Some(user) = hidden_from else {
        tracing::info!(%table, "the table is gone; nothing is read of it");
        return;
    };
    let table_sql = quoted_name(table);
    tracing::warn!(
        %table,
        hint = format!("Run: GRANT SELECT ON {table_sql} TO '{user}'@'%'; and start again."),
        "the account may not see the table: the rows that it has are not read, its changes come"
    );
}

impl ProgressLog {
    pub(super) fn new(begun: Instant, retention: Option<Duration>) -> Self {
        Self { logged_at: begun, has_estimated: false, retention }
    }

    /// More is to be read. If nothing was before, nobody knows how long it will take.
    pub(super) fn begin(&mut self, is_first: bool) {
        if is_first {
            *self = Self::new(Instant::now(), self.retention);
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
                "how long reading the tables takes, at the present rate"
            );
        }
        // Told once.
        if let Some(retention) = self.retention.take_if(|it| it.as_secs() < seconds_left) {
            tracing::warn!(
                seconds_left,
                retention_seconds = retention.as_secs(),
                "reading the tables takes longer than the source keeps its binlogs: the stream \
                 goes on beside it, but a connector that is stopped for that long cannot go on; \
                 raise binlog_expire_logs_seconds until the tables are read"
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

    /// What is logged meanwhile.
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
    fn how_long_it_takes_is_told_once_there_is_a_rate_and_with_the_retention() {
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
