//! The plan of each table version: made when its first row comes, kept as long as the epoch.
//!
//! Making one queries the catalog, the registry and Kafka. While a Kafka transaction is open that
//! must be quick, because an open transaction holds back every consumer of its topics; a registry
//! that is down must not keep one open.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{
    runtime::Handle,
    time::{Instant, timeout_at},
};

use super::{
    catalog_entry::CatalogEntry,
    history::{TableHistory, fingerprint},
    made::{MadePlans, missing},
    registration::{self, Agreed, agree},
    topic_guard::{OwnTopics, TopicGuard},
};
use crate::{
    catalog::{Cascade, Inventory},
    config::{self, Config},
    encode::{Registry, SchemaId, SchemaIds, TablePlan, key_form},
    error::{Failure, Reason, Verdict},
    map::{self, Filter, Topics},
    metrics::{Metrics, TableMetrics},
    model::{
        record::{self, RecordShape, TopicState},
        table::{TableName, TableVersion, TableVersionId},
    },
    mysql,
    pipeline::{cascades::Cascades, exclusions},
    produce::{ProduceError, Producer, TopicId},
    shutdown::Shutdown,
    state::TableRecord,
};

/// How long a plan may take to make while a Kafka transaction is open.
const OPEN_TRANSACTION_MAX: Duration = Duration::from_secs(2);

/// How long it may take otherwise; the registry's client gives up sooner by itself.
const PLAN_MAX: Duration = Duration::from_secs(60);

/// What is done with the rows of one table version.
pub(in crate::pipeline) struct Plan {
    pub(super) name: TableName,
    pub(in crate::pipeline) table: TablePlan,
    pub(in crate::pipeline) topic: TopicId,
    pub(in crate::pipeline) metrics: TableMetrics,
}

/// The plans made so far.
pub(in crate::pipeline) struct Plans {
    config: Arc<Config>,
    registry: Arc<Registry>,
    metrics: Arc<Metrics>,
    runtime: Handle,
    topics: Topics,
    made: MadePlans,
    history: TableHistory,
    topic_guard: TopicGuard,
    cascades: Cascades,
    /// A version whose plan took too long while a transaction was open.
    unfinished: Option<TableVersion>,
}

/// What a plan is made of.
struct Resolved {
    agreed: Agreed,
    record: TableRecord,
}

impl Plans {
    /// No plans yet. Must be made inside the runtime, which drives the requests.
    pub(in crate::pipeline) fn new(
        config: Arc<Config>,
        registry: Arc<Registry>,
        metrics: Arc<Metrics>,
        tables: BTreeMap<TableName, TableRecord>,
        own: OwnTopics,
        unlogged_cascades: Option<Vec<Cascade>>,
    ) -> Self {
        Self {
            cascades: Cascades::new(Arc::clone(&config), unlogged_cascades),
            history: TableHistory::new(tables, config.capture.key_change, Arc::clone(&metrics)),
            topic_guard: TopicGuard::new(config.kafka.topic_change, own),
            config,
            registry,
            metrics,
            runtime: Handle::current(),
            topics: Topics::default(),
            made: MadePlans::default(),
            unfinished: None,
        }
    }

    /// Makes the plan of a table version if this is its first row.
    pub(in crate::pipeline) fn ensure(
        &mut self,
        id: TableVersionId,
        version: &TableVersion,
        producer: &mut Producer,
        transaction_is_open: bool,
    ) -> Result<(), Failure> {
        if self.made.get(id).is_none() {
            let plan = self.make(version, producer, transaction_is_open)?;
            self.made.keep(id, plan);
        }
        Ok(())
    }

    /// The plan of a table version, which is made.
    #[inline]
    pub(in crate::pipeline) fn get(&self, id: TableVersionId) -> Result<&Plan, Failure> {
        self.made.get(id).ok_or_else(missing)
    }

    /// Whether the plan for rows that are read from a table is made.
    pub(in crate::pipeline) fn has_chunk_plan(&self, version: &TableVersion) -> bool {
        self.made.for_chunk(version).is_some()
    }

    /// Makes the plan for rows that are read from their table if these are the first.
    pub(in crate::pipeline) fn ensure_for_chunk(
        &mut self,
        version: &TableVersion,
        producer: &mut Producer,
        transaction_is_open: bool,
    ) -> Result<(), Failure> {
        if !self.has_chunk_plan(version) {
            let plan = self.make(version, producer, transaction_is_open)?;
            self.made.keep_for_chunk(version, plan);
        }
        Ok(())
    }

    /// The plan for rows that are read from their table, which is made.
    pub(in crate::pipeline) fn for_chunk(&self, version: &TableVersion) -> Result<&Plan, Failure> {
        self.made.for_chunk(version).ok_or_else(missing)
    }

    /// Drops the plans of these tables: their next rows make new ones.
    pub(in crate::pipeline) fn forget(&mut self, tables: &[TableName]) {
        self.made.forget(tables);
    }

    /// Fails if the registry was found to have lost what records are written with.
    pub(in crate::pipeline) fn check_registry(&self) -> Result<(), Failure> {
        self.registry.take_lost().map_or(Ok(()), |lost| Err(lost.into()))
    }

    /// Compares all topics with what they were, before anything is delivered.
    pub(in crate::pipeline) fn check_topics(&mut self, producer: &Producer) -> Result<(), Failure> {
        let filter = Filter::new(&self.config.capture);
        self.topic_guard.check(&mut self.history, &filter, producer)
    }

    /// What must be committed with the next position: all records before it are stored, if it
    /// `has_rows` before it.
    pub(in crate::pipeline) fn take_changed(
        &mut self,
        has_rows: bool,
        producer: &Producer,
    ) -> Result<Vec<&TableRecord>, Failure> {
        self.topic_guard.write(&mut self.history, has_rows, producer)?;
        Ok(self.history.take_changed())
    }

    /// The next position is the last of the run; true if what it must be committed with makes it
    /// worth one.
    pub(in crate::pipeline) fn end(&mut self) -> bool {
        self.topic_guard.end()
    }

    /// A plan and the topic for a record of a table that shows no row; `None` if no record of the
    /// table was ever delivered.
    pub(in crate::pipeline) fn rowless(
        &mut self,
        table: &TableName,
        producer: &mut Producer,
    ) -> Result<Option<(TablePlan, TopicId)>, Failure> {
        let Some(shape) = self.history.rowless(table) else { return Ok(None) };
        let schema = self.rowless_schema(&shape)?;
        self.without_rows(&shape, schema, producer).map(Some)
    }

    /// The tables to be read again because rows of another one changed.
    pub(in crate::pipeline) fn cascades(&self) -> &Cascades {
        &self.cascades
    }

    /// The topic that a table's records went to, and the id of their keys' schema; `None` if there
    /// are no records, and why if nothing can be said of their keys.
    pub(in crate::pipeline) fn keyed_topic(
        &self,
        table: &TableName,
    ) -> Result<Option<(String, u32)>, &'static str> {
        let Some(record) = self.history.get(table) else { return Ok(None) };
        match (&record.key, record.key_schema) {
            (None, _) => Err("its records have no keys"),
            (Some(_), None) => Err("an earlier version did not note which schema its keys have"),
            (Some(_), Some(id)) => Ok(Some((record.topic.clone(), id))),
        }
    }

    /// The tables of which records may be missing, or under other keys, since this was
    /// called last, and why.
    pub(in crate::pipeline) fn take_doubted(&mut self) -> Vec<(TableName, &'static str)> {
        self.topic_guard.take_doubted()
    }

    /// Compares the topic of a table with what it was, as a start does.
    pub(in crate::pipeline) fn check_topic(
        &mut self,
        table: &TableName,
        state: &TopicState,
    ) -> Result<(), Failure> {
        let Some(record) = self.history.get(table).cloned() else { return Ok(()) };
        self.topic_guard.judge(&mut self.history, &record, Some(state))
    }

    /// A plan and the topic for deletes of a table that are made of older records: their keys and
    /// frames are those of these.
    pub(in crate::pipeline) fn for_gone(
        &mut self,
        table: &TableName,
        producer: &mut Producer,
    ) -> Result<Option<(TablePlan, TopicId)>, Failure> {
        let Some(shape) = self.history.rowless(table) else { return Ok(None) };
        let envelope = match self.config.format.envelope {
            config::EnvelopeFormat::Debezium => record::Envelope::Debezium,
            config::EnvelopeFormat::Flat => record::Envelope::Flat { name: String::new() },
        };
        let shape = RecordShape { envelope, tombstones: self.config.format.tombstones, ..shape };
        self.without_rows(&shape, SchemaId(0), producer).map(Some)
    }

    /// A plan and the topic for records that are not made of rows.
    fn without_rows(
        &mut self,
        shape: &RecordShape,
        schema: SchemaId,
        producer: &mut Producer,
    ) -> Result<(TablePlan, TopicId), Failure> {
        self.topic_guard.begin(&mut self.history, (&shape.table, &shape.topic), producer)?;
        let topic = producer.topic(&shape.topic, &self.config.kafka.topic)?;
        let ids = SchemaIds { key: None, value: schema };
        Ok((TablePlan::compile(shape, ids), topic))
    }

    /// The schema behind an id; `None` if the registry has none.
    pub(in crate::pipeline) fn schema(&self, id: SchemaId) -> Result<Option<String>, Failure> {
        Ok(self.runtime.block_on(self.registry.schema(id))?)
    }

    /// The schema of a record that shows no row: the one of the table's last values, if the registry
    /// has it under that id still; else the newest one that it has for them.
    fn rowless_schema(&mut self, shape: &RecordShape) -> Result<SchemaId, Failure> {
        let Some(mut record) = self.history.get(&shape.table).cloned() else {
            return Err(Failure::new(Verdict::Bug, Reason::PlanMissing, "a table is not known"));
        };
        let last = SchemaId(record.value_schema);
        let subject = format!("{}-value", shape.topic);
        let (runtime, deadline) = (self.runtime.clone(), Instant::now() + OPEN_TRANSACTION_MAX);
        let found = runtime.block_on(async {
            timeout_at(deadline, registration::of_values(&self.registry, &subject, last)).await
        });
        let found = found.map_err(|_| slow(&shape.table, OPEN_TRANSACTION_MAX))??;
        let id = found.ok_or_else(|| unknown_schema(&shape.table, &subject, last))?;
        record.value_schema = id.0;
        self.history.remember(record);
        Ok(id)
    }

    /// Finishes what took too long while a transaction was open, now that none is: the next epoch
    /// then finds it in the registry's client.
    pub(in crate::pipeline) fn finish(mut self, shutdown: &Shutdown) {
        let Some(version) = self.unfinished.take() else { return };
        let runtime = self.runtime.clone();
        runtime.block_on(async {
            tokio::select! {
                resolved = timeout_at(Instant::now() + PLAN_MAX, self.resolve(&version)) => {
                    let is_done = matches!(resolved, Ok(Ok(_)));
                    tracing::info!(
                        table = %version.name,
                        is_done,
                        "schema registration retried outside the transaction"
                    );
                }
                () = shutdown.requested() => {}
            }
        });
    }

    #[cold]
    fn make(
        &mut self,
        version: &TableVersion,
        producer: &mut Producer,
        transaction_is_open: bool,
    ) -> Result<Plan, Failure> {
        let limit = if transaction_is_open { OPEN_TRANSACTION_MAX } else { PLAN_MAX };
        let runtime = self.runtime.clone();
        let deadline = Instant::now() + limit;
        let resolved =
            runtime.block_on(async { timeout_at(deadline, self.resolve(version)).await });
        let Resolved { agreed, mut record } = resolved.map_err(|_| {
            self.unfinished = transaction_is_open.then(|| version.clone());
            slow(&version.name, limit)
        })??;
        self.topic_guard.begin(&mut self.history, (&version.name, &record.topic), producer)?;
        let topic = producer.topic(&agreed.shape.topic, &self.config.kafka.topic);
        let topic = topic.map_err(|error| topic_failure(error, &version.name))?;
        let known = self.history.get(&version.name).filter(|known| known.topic == record.topic);
        record.topic_state = known.and_then(|known| known.topic_state.clone());
        if self.history.get(&version.name).is_some_and(|known| known.has_other_keys(&record)) {
            self.topic_guard.doubt(&version.name, "its keys or its topic changed");
        }
        self.history.report(&agreed, &record);
        tracing::info!(
            table = %version.name,
            topic = agreed.shape.topic,
            columns = version.columns.len(),
            schema_id = agreed.ids.value.0,
            "a table version was seen for the first time"
        );
        self.history.remember(record);
        Ok(Plan {
            name: version.name.clone(),
            table: TablePlan::compile(&agreed.shape, agreed.ids),
            topic,
            metrics: self.metrics.table(&version.name),
        })
    }

    /// Decides what the records of a version look like and registers their schemas.
    async fn resolve(&mut self, version: &TableVersion) -> Result<Resolved, Failure> {
        let (version, shape, columns) = self.shape(version).await?;
        // Before anything is registered: another table's subjects must stay as they are.
        self.topics.claim(&shape.topic, &shape.table)?;
        let key = self.history.key(&shape.table, key_form(&shape))?;
        let known = self.history.get(&shape.table);
        let agreed = agree(&self.registry, shape, key.as_ref(), known).await?;
        self.history.check_key_id(&agreed.shape.topic, &version.name, agreed.ids)?;
        let mut loosened = known.map(|known| known.loosened.clone()).unwrap_or_default();
        loosened.extend(agreed.loosened.clone());
        let record = TableRecord {
            name: version.name.clone(),
            topic: agreed.shape.topic.clone(),
            topic_state: None,
            key,
            key_schema: agreed.ids.key.map(|SchemaId(id)| id),
            value_schema: agreed.ids.value.0,
            loosened,
            version: fingerprint(&version),
            decoration: version.decoration,
            columns: columns.all,
            excluded: columns.excluded,
            legal_namespace: !map::allows_debezium_namespace(&agreed.shape.topic)
                && known.is_none_or(|known| known.legal_namespace),
        };
        Ok(Resolved { agreed, record })
    }

    /// What the records of a table version look like, with what the catalog adds: the catalog as
    /// it is now if it shows this version, else as it was when it did.
    async fn shape(
        &mut self,
        version: &TableVersion,
    ) -> Result<(TableVersion, RecordShape, exclusions::Columns), Failure> {
        let mut version = version.clone();
        let mut connection = mysql::connect_when_free(&self.config.mysql).await?;
        let CatalogEntry { decoration, columns_now, absence } =
            CatalogEntry::look_up(&mut connection, &self.config, &version).await?;
        version.decoration = decoration.or_else(|| self.history.decoration(&version));
        if version.decoration.is_none() {
            tracing::warn!(
                table = %version.name,
                "information_schema does not show this version of the table, because {absence}: \
                 its schema goes without defaults"
            );
        }
        let known = self.history.get(&version.name);
        let columns = exclusions::check(&self.config.capture, &version, known, &columns_now)?;
        let inventory = Inventory::new(&mut connection, &self.config.mysql);
        self.cascades.look_for(inventory, &version.name).await?;
        let mut shape = map::map(&version, &self.config)?;
        if known.is_some_and(|known| !known.legal_namespace) {
            map::keep_debezium_namespace(&mut shape);
        }
        if !map::knows_key(&version, &self.config.capture) {
            self.history.keyless(&version.name)?;
        }
        Ok((version, shape, columns))
    }
}

/// The registry has no schema that a table's values had.
fn unknown_schema(table: &TableName, subject: &str, SchemaId(last): SchemaId) -> Failure {
    let message = format!(
        "the records of {table} had the schema {last}, and the registry has nothing under {subject} \
         any more"
    );
    Failure::new(Verdict::Halt, Reason::SchemaIdUnknown, message).hint(
        "A record of a TRUNCATE shows no row, so its schema cannot be made. Give the registry back \
         its schemas; or set capture.truncate = \"ignore\", start, and take it out again: this \
         TRUNCATE is not delivered then.",
    )
}

/// What a topic is refused with. Of two tables on topics that Kafka takes for one, the one that
/// comes later is named, since the other has its topic.
fn topic_failure(error: ProduceError, table: &TableName) -> Failure {
    let collides = error.is_collision();
    let failure = Failure::from(error);
    if !collides {
        return failure;
    }
    let way_out =
        format!("Take it out: `[capture] exclude_tables = [\"{table}\"]`. {}", failure.hint);
    failure.hint(way_out)
}

fn slow(table: &TableName, limit: Duration) -> Failure {
    Failure::new(
        Verdict::Recycle,
        Reason::SchemaRegistrationSlow,
        format!("registering the schema of {table} took longer than {} s", limit.as_secs()),
    )
    .hint("Check the load of the schema registry and of MySQL's information_schema.")
}
