//! The plan of each table version: made when its first row comes, kept as long as the epoch.
//!
//! Making one asks the catalog, the registry and Kafka. While a Kafka transaction is open that
//! must be quick, because an open transaction holds back every consumer of its topics; a registry
//! that is down must not keep one open.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{
    runtime::Handle,
    time::{Instant, timeout_at},
};

use crate::{
    catalog,
    config::Config,
    encode::{Registry, RegistryError, SchemaIds, TablePlan, key_schema, value_schema},
    error::{Failure, Verdict},
    map::{self, Topics},
    metrics::{Metrics, TableMetrics},
    model::{
        record::RecordShape,
        table::{TableName, TableVersion, TableVersionId},
    },
    mysql,
    produce::{Producer, TopicId},
};

/// How long a plan may take to make while a Kafka transaction is open.
const OPEN_TRANSACTION_MAX: Duration = Duration::from_secs(2);

/// How long it may take otherwise; the registry's client gives up sooner by itself.
const PLAN_MAX: Duration = Duration::from_secs(60);

/// What is done with the rows of one table version.
pub(super) struct Plan {
    name: TableName,
    pub(super) table: TablePlan,
    pub(super) topic: TopicId,
    pub(super) metrics: TableMetrics,
}

/// The plans made so far.
pub(super) struct Plans {
    config: Arc<Config>,
    registry: Arc<Registry>,
    metrics: Arc<Metrics>,
    runtime: Handle,
    topics: Topics,
    /// By number of the table version.
    made: Vec<Option<Plan>>,
    /// For rows that are read from their table, with the version that each is made for.
    for_chunks: BTreeMap<TableName, (TableVersion, Plan)>,
}

impl Plans {
    /// No plans yet. Must be made inside the runtime, which drives the requests.
    pub(super) fn new(config: Arc<Config>, registry: Arc<Registry>, metrics: Arc<Metrics>) -> Self {
        let runtime = Handle::current();
        Self {
            config,
            registry,
            metrics,
            runtime,
            topics: Topics::default(),
            made: Vec::new(),
            for_chunks: BTreeMap::new(),
        }
    }

    /// The plan of a table version, made now if this is its first row.
    pub(super) fn get_or_resolve(
        &mut self,
        id: TableVersionId,
        version: &TableVersion,
        producer: &mut Producer,
        transaction_is_open: bool,
    ) -> Result<&Plan, Failure> {
        let index = usize::try_from(id.0).unwrap_or(usize::MAX);
        if !self.made.get(index).is_some_and(Option::is_some) {
            let plan = self.resolve(version, producer, transaction_is_open)?;
            if self.made.len() <= index {
                self.made.resize_with(index + 1, || None);
            }
            if let Some(place) = self.made.get_mut(index) {
                *place = Some(plan);
            }
        }
        let plan = self.made.get(index).and_then(Option::as_ref);
        plan.ok_or_else(|| Failure::new(Verdict::Bug, "plan_missing", "a plan was not kept"))
    }

    /// Whether the plan for rows that are read from a table is made.
    pub(super) fn has_chunk_plan(&self, version: &TableVersion) -> bool {
        self.for_chunks.get(&version.name).is_some_and(|(known, _)| known == version)
    }

    /// The plan for rows that are read from their table, made now if these are the first.
    pub(super) fn for_chunk(
        &mut self,
        version: &TableVersion,
        producer: &mut Producer,
        transaction_is_open: bool,
    ) -> Result<&Plan, Failure> {
        if !self.has_chunk_plan(version) {
            let plan = self.resolve(version, producer, transaction_is_open)?;
            self.for_chunks.insert(version.name.clone(), (version.clone(), plan));
        }
        let plan = self.for_chunks.get(&version.name).map(|(_, plan)| plan);
        plan.ok_or_else(|| Failure::new(Verdict::Bug, "plan_missing", "a plan was not kept"))
    }

    /// Drops the plans of these tables: their next rows make new ones.
    pub(super) fn forget(&mut self, tables: &[TableName]) {
        for plan in &mut self.made {
            if plan.as_ref().is_some_and(|plan| tables.contains(&plan.name)) {
                *plan = None;
            }
        }
        self.for_chunks.retain(|table, _| !tables.contains(table));
    }

    #[cold]
    fn resolve(
        &mut self,
        version: &TableVersion,
        producer: &mut Producer,
        transaction_is_open: bool,
    ) -> Result<Plan, Failure> {
        let limit = if transaction_is_open { OPEN_TRANSACTION_MAX } else { PLAN_MAX };
        let deadline = Instant::now() + limit;
        let late = || slow(&version.name, limit);
        let shape = shape(&self.config, version);
        let shape = self.runtime.block_on(async { timeout_at(deadline, shape).await });
        let shape = shape.map_err(|_| late())??;
        // Before anything is registered: another table's subjects must stay as they are.
        self.topics.claim(&shape.topic, &shape.table)?;
        let ids = register(&self.registry, &shape);
        let ids = self.runtime.block_on(async { timeout_at(deadline, ids).await });
        let ids = ids.map_err(|_| late())??;
        let topic = producer.topic(&shape.topic, &self.config.kafka.topic)?;
        tracing::info!(
            table = %version.name,
            topic = shape.topic,
            columns = version.columns.len(),
            schema_id = ids.value.0,
            "a table version was seen for the first time"
        );
        Ok(Plan {
            name: version.name.clone(),
            table: TablePlan::compile(&shape, ids),
            topic,
            metrics: self.metrics.table(&version.name),
        })
    }
}

/// What the records of a table version look like, with what the catalog adds.
async fn shape(config: &Config, version: &TableVersion) -> Result<RecordShape, Failure> {
    let mut version = version.clone();
    let mut connection = mysql::connect(&config.mysql).await?;
    version.decoration = catalog::decorate(&mut connection, &version).await?;
    Ok(map::map(&version, config)?)
}

async fn register(registry: &Registry, shape: &RecordShape) -> Result<SchemaIds, RegistryError> {
    let key = match key_schema(shape) {
        Some(schema) => Some(registry.register(&format!("{}-key", shape.topic), &schema).await?),
        None => None,
    };
    let value = registry.register(&format!("{}-value", shape.topic), &value_schema(shape)).await?;
    Ok(SchemaIds { key, value })
}

fn slow(table: &TableName, limit: Duration) -> Failure {
    Failure::new(
        Verdict::Recycle,
        "schema_registration_slow",
        format!("registering the schema of {table} took longer than {} s", limit.as_secs()),
    )
    .hint("Check the load of the schema registry and of MySQL's information_schema.")
}
