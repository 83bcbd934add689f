//! The plans that an epoch has made: for the stream by the number of the table version, for
//! snapshot rows by table.

use std::collections::BTreeMap;

use super::plans::Plan;
use crate::{
    error::{Failure, Reason, Verdict},
    model::table::{TableName, TableVersion, TableVersionId},
};

/// All plans that were made and are not out of date.
#[derive(Default)]
pub(super) struct MadePlans {
    /// By number of the table version.
    for_stream: Vec<Option<Plan>>,
    /// For rows that are read from their table, with the version that each is made for.
    for_chunks: BTreeMap<TableName, (TableVersion, Plan)>,
}

impl MadePlans {
    /// The plan of a table version.
    #[inline]
    pub(super) fn get(&self, TableVersionId(id): TableVersionId) -> Option<&Plan> {
        let index = usize::try_from(id).ok()?;
        self.for_stream.get(index).and_then(Option::as_ref)
    }

    /// Keeps the plan of a table version.
    pub(super) fn keep(&mut self, TableVersionId(id): TableVersionId, plan: Plan) {
        let index = usize::try_from(id).unwrap_or(usize::MAX);
        if self.for_stream.len() <= index {
            self.for_stream.resize_with(index + 1, || None);
        }
        if let Some(place) = self.for_stream.get_mut(index) {
            *place = Some(plan);
        }
    }

    /// The plan for rows that are read from their table, as it is in this version.
    pub(super) fn for_chunk(&self, version: &TableVersion) -> Option<&Plan> {
        let (known, plan) = self.for_chunks.get(&version.name)?;
        (known == version).then_some(plan)
    }

    /// Keeps the plan for rows that are read from their table.
    pub(super) fn keep_for_chunk(&mut self, version: &TableVersion, plan: Plan) {
        self.for_chunks.insert(version.name.clone(), (version.clone(), plan));
    }

    /// Drops the plans of these tables.
    pub(super) fn forget(&mut self, tables: &[TableName]) {
        for plan in &mut self.for_stream {
            if plan.as_ref().is_some_and(|plan| tables.contains(&plan.name)) {
                *plan = None;
            }
        }
        self.for_chunks.retain(|table, _| !tables.contains(table));
    }
}

/// The failure where a plan is used that was not made before.
#[cold]
pub(super) fn missing() -> Failure {
    Failure::new(Verdict::Bug, Reason::PlanMissing, "a plan was not kept")
}
