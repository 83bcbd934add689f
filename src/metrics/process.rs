//! All metrics of one process.

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use super::table_metrics::{OPERATIONS, TableCounts, TableMetrics};
use crate::{error::Reason, model::table::TableName};

/// A gauge that holds a fraction.
type Seconds = Gauge<f64, AtomicU64>;

/// Which rows a counter counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RowLabels {
    /// The source database.
    database: String,
    /// The source table.
    table: String,
    /// `insert`, `update`, `delete` or `read`.
    operation: &'static str,
}

/// Which table a gauge is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TableLabels {
    /// The source database.
    database: String,
    /// The source table.
    table: String,
}

/// Why an epoch was discarded, or the connector has halted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    /// The reason code of the failure.
    reason: &'static str,
}

/// What a statement on captured tables does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatementLabels {
    /// `create`, `alter`, `alter_rows`, `rename`, `drop`, `drop_database` or `truncate`.
    kind: &'static str,
}

/// What changed for the readers of a table's records.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SchemaLabels {
    /// The source database.
    database: String,
    /// The source table.
    table: String,
    /// See [`SchemaChange`].
    change: &'static str,
}

/// What changed for the readers of a table's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaChange {
    /// Another schema of the values.
    Version,
    /// A field has MySQL's implicit default, because the registry refused it without one.
    ImplicitDefault,
    /// A field stayed nullable, because the registry refused to make it NOT NULL.
    KeptNullable,
    /// A field's numbers mean something else: other units, another scale.
    Unit,
    /// Another key, as the configuration allows.
    Key,
}

/// All metrics of one process.
pub struct Metrics {
    registry: Registry,
    rows: Family<RowLabels, Counter>,
    record_bytes: Family<RowLabels, Counter>,
    recycles: Family<ReasonLabels, Counter>,
    statements: Family<StatementLabels, Counter>,
    schema_changes: Family<SchemaLabels, Counter>,
    events_skipped: Family<TableLabels, Counter>,
    /// Source transactions read to their end, with or without captured rows.
    pub transactions: Counter,
    /// Kafka transactions committed.
    pub commits: Counter,
    /// Dates with a zero part that became null or the epoch.
    pub zero_dates: Counter,
    /// Rows delivered a second time: another server had a transaction that was delivered in part in
    /// another order.
    pub rows_repeated: Counter,
    /// From a source transaction's commit to its acknowledged commit in Kafka.
    pub commit_latency_seconds: Histogram,
    /// Rows in one Kafka transaction.
    pub batch_rows: Histogram,
    /// Record bytes in one Kafka transaction.
    pub batch_bytes: Histogram,
    /// From the first record of a Kafka transaction to its acknowledged commit.
    pub batch_duration_seconds: Histogram,
    /// Age of the oldest source transaction that is not committed to Kafka; 0 when caught up.
    source_lag_seconds: Seconds,
    /// Source transactions that are not committed to Kafka.
    source_transactions_behind: Gauge<f64, AtomicU64>,
    /// Bytes of binlog that hold them.
    source_bytes_behind: Gauge<f64, AtomicU64>,
    /// How long nothing was delivered that should be.
    outage_seconds: Seconds,
    halted: Family<ReasonLabels, Gauge>,
    /// Bytes read from the source and not yet encoded.
    pub queue_bytes: Gauge,
    /// Number of the binlog file of the committed position.
    pub position_file_number: Gauge,
    /// Offset in that file.
    pub position_offset_bytes: Gauge,
    /// 1 while changes are streamed, else 0.
    pub streaming: Gauge,
    /// XA transactions that are prepared and wait for their outcome.
    pub xa_pending: Gauge,
    /// Age of the oldest of them; 0 if there is none.
    pub xa_oldest_pending_seconds: Seconds,
    /// 1 while another instance streams and this one waits, else 0.
    pub standby: Gauge,
    /// How often this instance took over from another that ended or fell silent.
    pub takeovers: Counter,
    /// Tables whose rows are still to be read.
    pub snapshot_tables: Gauge,
    snapshot_rows_left: Family<TableLabels, Gauge>,
    /// The counters of all tables of which rows were sent; locked to add one and to show them.
    tables: Mutex<BTreeMap<TableName, TableMetrics>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram =
            |first, factor, count| Histogram::new(exponential_buckets(first, factor, count));
        let mut metrics = Self {
            registry: Registry::with_prefix("tailwater"),
            rows: Family::default(),
            record_bytes: Family::default(),
            recycles: Family::default(),
            statements: Family::default(),
            schema_changes: Family::default(),
            events_skipped: Family::default(),
            transactions: Counter::default(),
            commits: Counter::default(),
            zero_dates: Counter::default(),
            rows_repeated: Counter::default(),
            // 1 ms to 65 s: a lone commit takes 4 ms, a restart seconds.
            commit_latency_seconds: histogram(0.001, 2.0, 17),
            batch_rows: histogram(1.0, 4.0, 12),
            batch_bytes: histogram(256.0, 4.0, 12),
            batch_duration_seconds: histogram(0.001, 2.0, 15),
            source_lag_seconds: Seconds::default(),
            source_transactions_behind: Gauge::default(),
            source_bytes_behind: Gauge::default(),
            outage_seconds: Seconds::default(),
            halted: Family::default(),
            queue_bytes: Gauge::default(),
            position_file_number: Gauge::default(),
            position_offset_bytes: Gauge::default(),
            streaming: Gauge::default(),
            xa_pending: Gauge::default(),
            xa_oldest_pending_seconds: Seconds::default(),
            standby: Gauge::default(),
            takeovers: Counter::default(),
            snapshot_tables: Gauge::default(),
            snapshot_rows_left: Family::default(),
            tables: Mutex::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let Self { registry, .. } = self;
        registry.register("rows", "Row changes sent", self.rows.clone());
        let name = "record_bytes";
        registry.register(name, "Bytes of keys and values sent", self.record_bytes.clone());
        registry.register("recycles", "Epochs discarded, by reason", self.recycles.clone());
        let help = "Statements that changed captured tables";
        registry.register("statements", help, self.statements.clone());
        let help = "Changes of schemas and keys that readers see";
        registry.register("schema_changes", help, self.schema_changes.clone());
        let help = "Rows events whose rows were not delivered, as requested";
        registry.register("events_skipped", help, self.events_skipped.clone());
        let name = "transactions";
        registry.register(name, "Source transactions read to their end", self.transactions.clone());
        registry.register("commits", "Kafka transactions committed", self.commits.clone());
        let (name, help) = ("rows_repeated", "Rows delivered a second time after a fail-over");
        registry.register(name, help, self.rows_repeated.clone());
        let name = "zero_dates";
        registry.register(name, "Dates that became null or the epoch", self.zero_dates.clone());
        let help = "From commit at the source to commit in Kafka";
        let metric = self.commit_latency_seconds.clone();
        registry.register_with_unit("commit_latency", help, Unit::Seconds, metric);
        registry.register("batch_rows", "Rows in a Kafka transaction", self.batch_rows.clone());
        let help = "Record bytes in a Kafka transaction";
        registry.register_with_unit("batch", help, Unit::Bytes, self.batch_bytes.clone());
        let help = "From a Kafka transaction's first record to its commit";
        let metric = self.batch_duration_seconds.clone();
        registry.register_with_unit("batch_duration", help, Unit::Seconds, metric);
        self.register_outage();
        let Self { registry, .. } = self;
        let help = "Bytes read from the source and not yet encoded";
        registry.register_with_unit("queue", help, Unit::Bytes, self.queue_bytes.clone());
        let help = "Number of the committed position's binlog file";
        registry.register("position_file_number", help, self.position_file_number.clone());
        let help = "Offset of the committed position in its file";
        let metric = self.position_offset_bytes.clone();
        registry.register_with_unit("position_offset", help, Unit::Bytes, metric);
        let help = "1 while changes are streamed, else 0";
        registry.register("streaming", help, self.streaming.clone());
        let help = "XA transactions that are prepared and wait for their outcome";
        registry.register("xa_pending", help, self.xa_pending.clone());
        let help = "Age of the oldest XA transaction that waits for its outcome";
        let metric = self.xa_oldest_pending_seconds.clone();
        registry.register_with_unit("xa_oldest_pending", help, Unit::Seconds, metric);
        let help = "1 while another instance streams and this one waits, else 0";
        registry.register("standby", help, self.standby.clone());
        let help = "Starts after another instance ended or fell silent";
        registry.register("takeovers", help, self.takeovers.clone());
        let help = "Tables whose rows are still to be read";
        registry.register("snapshot_tables", help, self.snapshot_tables.clone());
        let help = "Rows still to be read, as the source estimates them";
        registry.register("snapshot_rows_left", help, self.snapshot_rows_left.clone());
    }

    /// What shows whether all is well.
    fn register_outage(&mut self) {
        let Self { registry, .. } = self;
        let help = "Age of the oldest source transaction not committed to Kafka; 0 when caught up";
        let metric = self.source_lag_seconds.clone();
        registry.register_with_unit("source_lag", help, Unit::Seconds, metric);
        let help = "Source transactions not committed to Kafka; NaN while not known";
        let metric = self.source_transactions_behind.clone();
        registry.register("source_transactions_behind", help, metric);
        let help = "Bytes of binlog not committed to Kafka; NaN while not known";
        registry.register("source_bytes_behind", help, self.source_bytes_behind.clone());
        let help = "Time since deliveries stopped that should continue; 0 while they do";
        registry.register_with_unit("outage", help, Unit::Seconds, self.outage_seconds.clone());
        registry.register("halted", "1 after a halt, by its reason", self.halted.clone());
    }

    /// Shows how far behind the source Kafka is, and for how long nothing was delivered. Set when
    /// the metrics are read, so that they are as old as the reading.
    #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "for a gauge")]
    pub fn behind(
        &self,
        lag: Duration,
        (transactions, bytes): (Option<u64>, Option<u64>),
        outage: Duration,
    ) {
        let number = |count: Option<u64>| count.map_or(f64::NAN, |count| count as f64);
        self.source_lag_seconds.set(lag.as_secs_f64());
        self.source_transactions_behind.set(number(transactions));
        self.source_bytes_behind.set(number(bytes));
        self.outage_seconds.set(outage.as_secs_f64());
    }

    /// Shows why the connector has halted; `None` if it has not.
    pub fn halted(&self, reason: Option<Reason>) {
        self.halted.clear();
        if let Some(reason) = reason {
            self.halted.get_or_create(&ReasonLabels { reason: reason.name() }).set(1);
        }
    }

    /// The counters of one table, the same each time.
    pub fn table(&self, name: &TableName) -> TableMetrics {
        let mut tables = self.tables();
        if let Some(table) = tables.get(name) {
            return table.clone();
        }
        let table = self.new_table(name);
        tables.insert(name.clone(), table.clone());
        table
    }

    /// What was sent of these tables and of those that changed last, `most` together, and of how
    /// many tables something was sent.
    pub fn sent(&self, named: &BTreeSet<&TableName>, most: usize) -> (Vec<TableCounts>, usize) {
        let tables = self.tables();
        // Read once, because the numbers grow while they are sorted.
        let rank = |(name, table): (&'_ _, &TableMetrics)| {
            (!named.contains(name), Reverse(table.last_change_us()))
        };
        let mut sent: Vec<_> = tables.iter().map(|entry| (rank(entry), entry)).collect();
        let order = |&(rank, (name, _)): &(_, (_, _))| (rank, name);
        if most < sent.len() {
            sent.select_nth_unstable_by_key(most, order);
            sent.truncate(most);
        }
        sent.sort_unstable_by_key(order);
        (sent.iter().map(|(_, (name, table))| table.counts(name)).collect(), tables.len())
    }

    fn tables(&self) -> MutexGuard<'_, BTreeMap<TableName, TableMetrics>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new_table(&self, name: &TableName) -> TableMetrics {
        let counters = OPERATIONS.map(|operation| {
            let labels = RowLabels {
                database: name.database.clone(),
                table: name.table.clone(),
                operation: operation.name(),
            };
            let rows = self.rows.get_or_create_owned(&labels);
            (rows, self.record_bytes.get_or_create_owned(&labels))
        });
        TableMetrics::new(counters)
    }

    /// Shows how many rows of a table are still to be read; `None` when it is read.
    pub fn snapshot_rows_left(&self, name: &TableName, rows: Option<u64>) {
        let labels = TableLabels { database: name.database.clone(), table: name.table.clone() };
        match rows {
            Some(rows) => {
                let rows = i64::try_from(rows).unwrap_or(i64::MAX);
                self.snapshot_rows_left.get_or_create(&labels).set(rows);
            }
            None => drop(self.snapshot_rows_left.remove(&labels)),
        }
    }

    /// Counts a discarded epoch.
    pub fn recycled(&self, reason: Reason) {
        self.recycles.get_or_create(&ReasonLabels { reason: reason.name() }).inc();
    }

    /// Counts a statement that changed captured tables.
    pub fn statement(&self, kind: &'static str) {
        self.statements.get_or_create(&StatementLabels { kind }).inc();
    }

    /// Counts a rows event whose rows were not delivered, as a person requested.
    pub fn event_skipped(&self, name: &TableName) {
        let (database, table) = (name.database.clone(), name.table.clone());
        self.events_skipped.get_or_create(&TableLabels { database, table }).inc();
    }

    /// Counts what changed for the readers of a table's records.
    pub fn schema_changed(&self, name: &TableName, change: SchemaChange) {
        let labels = SchemaLabels {
            database: name.database.clone(),
            table: name.table.clone(),
            change: match change {
                SchemaChange::Version => "version",
                SchemaChange::ImplicitDefault => "implicit_default",
                SchemaChange::KeptNullable => "kept_nullable",
                SchemaChange::Unit => "unit",
                SchemaChange::Key => "key",
            },
        };
        self.schema_changes.get_or_create(&labels).inc();
    }

    /// Everything in the text form that Prometheus scrapes.
    pub fn render(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a String cannot fail");
        text
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use super::{Metrics, SchemaChange};
    use crate::{
        error::Reason,
        model::{change::Operation, table::TableName},
    };

    #[test]
    fn counters_appear_under_their_documented_names() {
        let metrics = Metrics::default();
        let name = TableName { database: "shop".into(), table: "orders".into() };
        metrics.table(&name).count(Operation::Update, 3, 900);
        metrics.recycled(Reason::MysqlConnectionLost);
        metrics.statement("drop");
        metrics.schema_changed(&name, SchemaChange::Unit);
        metrics.behind(Duration::from_millis(1500), (Some(7), None), Duration::from_secs(2));
        metrics.halted(Some(Reason::KeyChanged));
        let text = metrics.render();
        for line in [
            "tailwater_rows_total{database=\"shop\",table=\"orders\",operation=\"update\"} 3",
            "tailwater_record_bytes_total{database=\"shop\",table=\"orders\",operation=\"update\"} 900",
            "tailwater_recycles_total{reason=\"mysql_connection_lost\"} 1",
            "tailwater_statements_total{kind=\"drop\"} 1",
            "tailwater_schema_changes_total{database=\"shop\",table=\"orders\",change=\"unit\"} 1",
            "tailwater_source_lag_seconds 1.5",
            "tailwater_source_transactions_behind 7.0",
            "tailwater_source_bytes_behind NaN",
            "tailwater_outage_seconds 2.0",
            "tailwater_halted{reason=\"key_changed\"} 1",
            "tailwater_batch_bytes_count 0",
            "tailwater_queue_bytes 0",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        metrics.halted(None);
        assert!(!metrics.render().contains("tailwater_halted{"));
    }

    #[test]
    fn the_tables_that_changed_last_are_shown_and_those_that_are_named() {
        let metrics = Metrics::default();
        let name = |number| TableName { database: "shop".into(), table: format!("t{number}") };
        for number in 0..9 {
            metrics.table(&name(number)).changed(number);
        }
        // Another version of a table has the same counters.
        metrics.table(&name(5)).count(Operation::Insert, 2, 20);
        metrics.table(&name(5)).count(Operation::Read, 1, 10);
        let (sent, count) = metrics.sent(&BTreeSet::from([&name(5)]), 3);
        let shown: Vec<_> = sent.iter().map(|counts| counts.table.table.as_str()).collect();
        assert_eq!((shown, count), (vec!["t5", "t8", "t7"], 9));
        let first = sent.first().unwrap();
        assert_eq!((first.changes, first.snapshot_rows, first.bytes), (2, 1, 30));
        assert_eq!(first.last_change_us, 5);
        assert_eq!(metrics.sent(&BTreeSet::new(), 100).0.len(), 9);
    }
}
