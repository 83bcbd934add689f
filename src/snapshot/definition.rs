//! The definition by which a table is read: the catalog's, once the stream is known to have the
//! same one.
//!
//! The stream is behind the catalog while a statement is on its way. Rows that it has of another
//! version cannot be noted by the plan's key, so nothing is read until the stream has reached the
//! place behind which the definition was read.

use std::sync::Arc;

use super::{ReadPlan, SnapshotError, reader::Chunk};
use crate::model::{
    position::FilePosition,
    table::{TableName, TableVersion, TableVersionId},
};

/// How often in a row the stream may show a table with other columns than the catalog does. The
/// stream is behind while a statement is on its way; for ever it is only if they cannot agree.
const DISAGREEMENTS_MAX: u32 = 1000;

/// What is known of a table's definition.
#[derive(Debug)]
pub(super) struct Definition {
    /// How the table is read; `None` while its definition must be read first.
    plan: Option<Arc<ReadPlan>>,
    /// A place in the binlog behind which the plan's definition was read.
    plan_high: FilePosition,
    /// The version in the stream that is known to be the plan's.
    agreed: Option<TableVersionId>,
    disagreements: u32,
    /// The stream has rows of an older version than the plan's: nothing is read until it has
    /// reached this place, where it has the plan's.
    waits_for: Option<FilePosition>,
    /// What the cursors' key must be made of, if it was read by another plan.
    expected_key: Option<String>,
}

impl Definition {
    /// Nothing is known but what the key of an earlier run's cursors was made of.
    pub(super) fn unknown(expected_key: Option<String>) -> Self {
        Self {
            plan: None,
            plan_high: FilePosition::default(),
            agreed: None,
            disagreements: 0,
            waits_for: None,
            expected_key,
        }
    }

    /// How the table is read, if that is known.
    pub(super) fn plan(&self) -> Option<&Arc<ReadPlan>> {
        self.plan.as_ref()
    }

    /// Whether rows are known to have a key, and so an order.
    pub(super) fn has_key(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.has_key())
    }

    /// What the cursors' key is made of; `None` if there are no cursors yet.
    pub(super) fn key_form(&self) -> Option<String> {
        let known = self.plan.as_ref().map(|plan| plan.key_form());
        known.or_else(|| self.expected_key.clone())
    }

    /// Takes in how a chunk was read; `false` if its key is not that of the cursors.
    pub(super) fn learn(&mut self, table: &TableName, chunk: &Chunk) -> bool {
        let plan = &chunk.plan;
        match &self.plan {
            // It knows more of labels, if anything.
            Some(known) if known.is_of(&plan.version) => {}
            Some(_) => return true,
            None => {
                if self.expected_key.take().is_some_and(|key| key != plan.key_form()) {
                    return false;
                }
                if !plan.has_key() {
                    tracing::warn!(
                        %table,
                        "the table has no key: a single SELECT reads it, and starts at the first \
                         row again after an interruption; a row that changes meanwhile can arrive \
                         with its old value after the change"
                    );
                }
                self.agreed = None;
                self.plan_high = chunk.high.clone();
            }
        }
        self.plan = Some(Arc::clone(plan));
        true
    }

    /// Whether the plan is of this version in the stream. If not, the definition is to be read
    /// again, and nothing is read before the stream is where it was read last.
    pub(super) fn agrees_with(
        &mut self,
        id: TableVersionId,
        version: &TableVersion,
    ) -> Result<bool, SnapshotError> {
        if self.agreed == Some(id) {
            return Ok(true);
        }
        if self.plan.as_ref().is_some_and(|plan| plan.is_of(version)) {
            self.disagreements = 0;
            self.agreed = Some(id);
            return Ok(true);
        }
        self.disagreements += 1;
        if self.disagreements > DISAGREEMENTS_MAX {
            return Err(SnapshotError::Definition { table: version.name.clone() });
        }
        self.waits_for = Some(self.plan_high.clone());
        Ok(false)
    }

    /// Whether nothing may be read until the stream is further.
    pub(super) fn waits(&self) -> bool {
        self.waits_for.is_some()
    }

    /// The stream is at this boundary of source transactions.
    pub(super) fn reached(&mut self, boundary: &FilePosition) {
        match &self.waits_for {
            Some(place) if boundary < place => self.disagreements = 0,
            _ => self.waits_for = None,
        }
    }

    /// The definition must be read again. Cursors hold only if the key is the same then.
    pub(super) fn forget(&mut self, has_cursors: bool) {
        self.agreed = None;
        if let Some(plan) = self.plan.take()
            && has_cursors
        {
            self.expected_key = Some(plan.key_form());
        }
    }

    /// The definition must be read again, and there are no cursors any more.
    pub(super) fn start_over(&mut self) {
        self.agreed = None;
        self.plan = None;
        self.expected_key = None;
    }
}
