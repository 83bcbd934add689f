//! The plan of each table version: how its rows are encoded, and the topic that they would go to.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{runtime::Handle, time::timeout};

use super::TailForm;
use crate::{
    config::Config,
    encode::{SchemaId, SchemaIds, TablePlan},
    error::{Failure, Reason, Verdict},
    map,
    model::{
        record::{Envelope, RecordShape},
        table::{TableName, TableVersion, TableVersionId},
    },
    mysql::{self, MysqlError},
    pipeline::{exclusions, tables::catalog_entry::CatalogEntry},
};

/// How long the look at the catalog may take.
const PLAN_MAX: Duration = Duration::from_secs(60);

/// The registry's ids are not known, and not shown.
const NO_ID: SchemaId = SchemaId(0);

/// How the rows of a table version are shown.
pub(super) struct TailPlan {
    name: TableName,
    pub(super) topic: String,
    pub(super) table: TablePlan,
}

/// The plans made so far.
pub(super) struct TailPlans {
    config: Arc<Config>,
    form: TailForm,
    made: BTreeMap<TableVersionId, TailPlan>,
}

impl TailPlans {
    /// No plans yet.
    pub(super) fn new(config: Arc<Config>, form: TailForm) -> Self {
        Self { config, form, made: BTreeMap::new() }
    }

    /// Makes the plan of a table version if these are its first rows.
    pub(super) fn ensure(
        &mut self,
        runtime: &Handle,
        id: TableVersionId,
        version: &TableVersion,
    ) -> Result<(), Failure> {
        if !self.made.contains_key(&id) {
            let plan = runtime.block_on(async { timeout(PLAN_MAX, self.make(version)).await });
            let plan = plan.map_err(|_| MysqlError::NoAnswer {
                address: format!("{}:{}", self.config.mysql.host, self.config.mysql.port),
                seconds: PLAN_MAX.as_secs(),
            })??;
            self.made.insert(id, plan);
        }
        Ok(())
    }

    /// The plan of a table version, which is made.
    pub(super) fn get(&self, id: TableVersionId) -> Result<&TailPlan, Failure> {
        let missing = || Failure::new(Verdict::Bug, Reason::PlanMissing, "a plan was not kept");
        self.made.get(&id).ok_or_else(missing)
    }

    /// Drops the plans of these tables: their next rows make new ones.
    pub(super) fn forget(&mut self, tables: &[TableName]) {
        self.made.retain(|_, plan| !tables.contains(&plan.name));
    }

    /// A plan for a record of a table that shows no row, and its topic.
    pub(super) fn rowless(&self, table: &TableName) -> Result<TailPlan, Failure> {
        let topic = map::topic_name(&self.config.name, table)?;
        Ok(plan(RecordShape::rowless(table.clone(), topic)))
    }

    async fn make(&self, version: &TableVersion) -> Result<TailPlan, Failure> {
        let mut version = version.clone();
        let mut connection = mysql::connect_when_free(&self.config.mysql).await?;
        let CatalogEntry { decoration, columns_now, .. } =
            CatalogEntry::look_up(&mut connection, &self.config, &version).await?;
        version.decoration = decoration;
        exclusions::check(&self.config.capture, &version, None, &columns_now)?;
        let mut shape = map::map(&version, &self.config)?;
        if self.form == TailForm::Rows {
            shape.envelope = Envelope::Debezium;
        }
        Ok(plan(shape))
    }
}

fn plan(shape: RecordShape) -> TailPlan {
    let key = (!shape.key.is_empty()).then_some(NO_ID);
    let table = TablePlan::compile(&shape, SchemaIds { key, value: NO_ID });
    TailPlan { name: shape.table, topic: shape.topic, table }
}
