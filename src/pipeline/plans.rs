//! The plan of each table version: made when its first row comes, kept as long as the epoch.
//!
//! Making one asks the catalog, the registry and Kafka. While a Kafka transaction is open that
//! must be quick, because an open transaction holds back every consumer of its topics; a registry
//! that is down must not keep one open.

use std::{sync::Arc, time::Duration};

use tokio::runtime::Handle;

use crate::{
    catalog,
    config::Config,
    encode::{Registry, SchemaIds, TablePlan, key_schema, value_schema},
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
    plans: Vec<Option<Plan>>,
}

impl Plans {
    /// No plans yet. Must be made inside the runtime, which drives the requests.
    pub(super) fn new(config: Arc<Config>, registry: Arc<Registry>, metrics: Arc<Metrics>) -> Self {
        let runtime = Handle::current();
        Self { config, registry, metrics, runtime, topics: Topics::default(), plans: Vec::new() }
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
        if !self.plans.get(index).is_some_and(Option::is_some) {
            let plan = self.resolve(version, producer, transaction_is_open)?;
            if self.plans.len() <= index {
                self.plans.resize_with(index + 1, || None);
            }
            if let Some(place) = self.plans.get_mut(index) {
                *place = Some(plan);
            }
        }
        let plan = self.plans.get(index).and_then(Option::as_ref);
        plan.ok_or_else(|| Failure::new(Verdict::Bug, "plan_missing", "a plan was not kept"))
    }

    /// Drops the plans of these tables: their next rows make new ones.
    pub(super) fn forget(&mut self, tables: &[TableName]) {
        for plan in &mut self.plans {
            if plan.as_ref().is_some_and(|plan| tables.contains(&plan.name)) {
                *plan = None;
            }
        }
    }

    #[cold]
    fn resolve(
        &mut self,
        version: &TableVersion,
        producer: &mut Producer,
        transaction_is_open: bool,
    ) -> Result<Plan, Failure> {
        let limit = if transaction_is_open { OPEN_TRANSACTION_MAX } else { PLAN_MAX };
        let describing = describe(&self.config, &self.registry, version);
        let timed = async { tokio::time::timeout(limit, describing).await };
        let Ok(described) = self.runtime.block_on(timed) else {
            return Err(slow(&version.name, limit));
        };
        let Described { shape, ids } = described?;
        self.topics.claim(&shape.topic, &shape.table)?;
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

/// A table version's records and the ids of their schemas.
struct Described {
    shape: RecordShape,
    ids: SchemaIds,
}

async fn describe(
    config: &Config,
    registry: &Registry,
    version: &TableVersion,
) -> Result<Described, Failure> {
    let mut version = version.clone();
    let mut connection = mysql::connect(&config.mysql).await?;
    version.decoration = catalog::decorate(&mut connection, &version).await?;
    let shape = map::map(&version, config)?;
    let key = match key_schema(&shape) {
        Some(schema) => Some(registry.register(&format!("{}-key", shape.topic), &schema).await?),
        None => None,
    };
    let value = registry.register(&format!("{}-value", shape.topic), &value_schema(&shape)).await?;
    Ok(Described { shape, ids: SchemaIds { key, value } })
}

fn slow(table: &TableName, limit: Duration) -> Failure {
    Failure::new(
        Verdict::Recycle,
        "schema_registration_slow",
        format!("registering the schema of {table} took longer than {} s", limit.as_secs()),
    )
    .hint("Check the load of the schema registry and of MySQL's information_schema.")
}
