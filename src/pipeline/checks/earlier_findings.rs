//! What earlier epochs of the process found, so that nothing is said twice.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use crate::model::table::TableName;

/// What earlier epochs of the process found.
#[derive(Default)]
pub(in crate::pipeline) struct EarlierFindings {
    /// What the log has already.
    pub(super) logged: BTreeSet<String>,
    /// Whether the names in the configuration were judged: the source may change under a process
    /// that runs, the configuration does not.
    pub(super) names_are_judged: bool,
    /// Helper tables of schema change tools that the log has named.
    pub(in crate::pipeline) helpers: Arc<Mutex<BTreeSet<TableName>>>,
}

impl EarlierFindings {
    /// Whether the names in the configuration are still to be judged, for which it takes what is
    /// remembered of the tables.
    pub(in crate::pipeline) fn judges_names(&self) -> bool {
        !self.names_are_judged
    }
}
