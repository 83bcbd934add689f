//! Options that no key of `tailwater.toml` stands for (Debezium 3.6, and Kafka Connect's own for
//! source connectors).

/// What becomes of an option that is not taken over.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Remainder {
    /// Nothing is to be said of it.
    Nothing,
    /// It has nothing to do here, for this reason.
    NotNeeded(&'static str),
    /// Consumers or people would notice that it is gone.
    Missing(&'static str),
}

use Remainder::{Missing, NotNeeded, Nothing};

/// Names that are whole, or starts of names that end in `*`, in the order in which they are tried.
const OPTIONS: &[(&str, Remainder)] = &[
    ("name", Nothing),
    ("connector.class", Nothing),
    ("tasks.max", Nothing),
    ("config.action.reload", Nothing),
    (
        "schema.history.*",
        NotNeeded("there is no schema history: names and types come with the rows"),
    ),
    (
        "database.history.*",
        NotNeeded("there is no schema history: names and types come with the rows"),
    ),
    ("include.schema.changes", Missing("there is no topic of schema changes")),
    ("include.schema.comments", Missing("schemas have no comments of columns")),
    ("include.query", Missing("records have no statement")),
    (
        "provide.transaction.metadata",
        Missing("there is no transaction topic and no `transaction` block"),
    ),
    ("topic.transaction", Nothing),
    ("transaction.metadata.factory", Nothing),
    ("transaction.boundary*", NotNeeded("a Kafka transaction ends between source transactions")),
    ("exactly.once.support", NotNeeded("exactly once is the default")),
    ("offsets.storage.topic", NotNeeded("the position is in `__tailwater.<name>`")),
    ("column.include.list", Missing("name the columns to leave out in capture.exclude_columns")),
    (
        "column.truncate.*",
        Missing("columns are delivered whole; leave them out with capture.exclude_columns"),
    ),
    (
        "column.mask.*",
        Missing("columns are delivered as they are; leave them out with capture.exclude_columns"),
    ),
    ("column.propagate.source.type", Missing("schemas have no parameters of the source's types")),
    ("datatype.propagate.source.type", Missing("schemas have no parameters of the source's types")),
    (
        "skip.messages.without.change",
        NotNeeded("an update that changes nothing in the row is no row event in MySQL"),
    ),
    (
        "snapshot.include.collection.list",
        Missing("all captured tables are read; capture.exclude_tables leaves one out"),
    ),
    ("snapshot.locking.*", NotNeeded("tables are read without locks")),
    ("snapshot.lock.timeout.ms", NotNeeded("tables are read without locks")),
    ("snapshot.query.*", NotNeeded("tables are read in chunks by their keys")),
    ("snapshot.fetch.size", NotNeeded("tables are read in chunks, see snapshot.chunk_rows_max")),
    ("snapshot.delay.ms", NotNeeded("tables are read while the connector streams")),
    ("snapshot.*", NotNeeded("tables are read in chunks while the connector streams")),
    (
        "incremental.snapshot.*",
        NotNeeded("every snapshot is incremental; see snapshot.chunk_rows_max"),
    ),
    ("streaming.delay.ms", NotNeeded("streaming and reading tables go on at the same time")),
    ("read.only", NotNeeded("nothing is ever written to the source")),
    ("signal.*", NotNeeded("`tailwater snapshot` replaces signals")),
    ("notification.*", NotNeeded("`/status` and the metrics show progress")),
    ("heartbeat.*", NotNeeded("the position of an idle source moves by itself")),
    ("topic.heartbeat.*", NotNeeded("the position of an idle source moves by itself")),
    ("topic.naming.strategy", Missing("topics are `<name>.<database>.<table>`")),
    ("topic.delimiter", Missing("topics are `<name>.<database>.<table>`")),
    ("topic.cache.size", NotNeeded("no limit is needed")),
    ("topic.creation.enable", NotNeeded("topics that are missing are created")),
    (
        "topic.creation.*",
        Missing("create the topics of these groups beforehand: one setting counts for all"),
    ),
    (
        "transforms",
        Missing("transforms are not there; format.envelope = \"flat\" has the row alone"),
    ),
    ("transforms.*", Nothing),
    ("predicates*", Nothing),
    ("converters", Missing("custom converters are not there; see docs/TYPES.md for each type")),
    ("post.processors*", Missing("post processors are not there")),
    ("header.converter*", NotNeeded("headers are the bytes that Debezium's default makes")),
    ("unavailable.value.placeholder", Nothing),
    ("sourceinfo.struct.maker", Missing("the `source` block is Debezium's default")),
    ("gtid.source.*", Missing("transactions of all servers are delivered")),
    ("gtid.ignore.on.recovery", NotNeeded("the position has the GTID set")),
    ("enable.time.adjuster", NotNeeded("MySQL stores years with four digits")),
    ("table.ignore.builtin", NotNeeded("the server's own databases are never captured")),
    ("event.*.failure.handling.mode", NotNeeded("a change that is not understood halts")),
    ("inconsistent.schema.handling.mode", NotNeeded("a change that is not understood halts")),
    (
        "errors.tolerance",
        NotNeeded("a record that cannot be delivered halts, see `tailwater position skip`"),
    ),
    ("errors.*", NotNeeded("retries have no limit; see docs/OPERATING.md, \"When it halts\"")),
    ("retriable.restart.connector.wait.ms", NotNeeded("retries have pauses of their own")),
    ("custom.retriable.exception", NotNeeded("retries are decided by the kind of error")),
    ("max.batch.size", NotNeeded("queues are bounded in bytes, see [delivery]")),
    ("max.queue.*", NotNeeded("queues are bounded in bytes, see [delivery]")),
    ("poll.*", NotNeeded("nothing is polled")),
    ("min.row.count.to.stream.results", NotNeeded("results are read row by row")),
    ("binlog.*", NotNeeded("the connection's own settings fit")),
    ("connect.*", NotNeeded("connections are kept alive and made again")),
    ("connection.*", NotNeeded("connections are kept alive and made again")),
    ("database.connectionTimeZone", NotNeeded("sessions are in UTC")),
    ("database.query.timeout.ms", NotNeeded("no query takes long")),
    ("database.initial.statements", Missing("sessions are set up by Tailwater alone")),
    ("database.protocol", NotNeeded("no JDBC driver is used")),
    ("database.jdbc.driver", NotNeeded("no JDBC driver is used")),
    (
        "database.server.id.offset",
        NotNeeded("one server id is used, a second one while an XA transaction is looked for"),
    ),
    ("database.*", NotNeeded("no JDBC driver is used")),
    ("driver.*", NotNeeded("no JDBC driver is used")),
    (
        "use.nongraceful.disconnect",
        NotNeeded("connections end by a stop within delivery.drain_timeout_ms"),
    ),
    ("executor.shutdown.timeout.ms", NotNeeded("see delivery.drain_timeout_ms")),
    ("custom.metric.tags", Missing("add labels in Prometheus' scrape configuration")),
    ("advanced.metrics.enable", NotNeeded("all metrics are there")),
    ("statistics.metrics.enabled", NotNeeded("all metrics are there")),
    ("guardrail.*", NotNeeded("the start logs how many tables are captured")),
    ("openlineage.*", Missing("OpenLineage is not there")),
    ("queue.provider.type", NotNeeded("queues are in memory and bounded in bytes")),
    ("log.position.check.enable", NotNeeded("the position is checked at every start")),
    ("internal.*", NotNeeded("it is internal to Debezium")),
];

/// What is said of an option that no part of the translation took.
pub(super) fn remainder(option: &str, value: &str) -> Remainder {
    let is_off = value.eq_ignore_ascii_case("false") || value.is_empty();
    let matches = |name: &str| match name.split_once('*') {
        None => name == option,
        Some((start, end)) => option.starts_with(start) && option.ends_with(end),
    };
    match OPTIONS.iter().find(|(name, _)| matches(name)) {
        Some((_, Missing(_))) if is_off => Nothing,
        Some((_, NotNeeded(why))) => NotNeeded(why),
        Some((_, Missing(what))) => Missing(what),
        Some((_, Nothing)) => Nothing,
        None => Missing("is not known here: look up what it did"),
    }
}
