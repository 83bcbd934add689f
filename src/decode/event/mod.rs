//! Events: their framing, their types, and those that hold neither tables nor rows.

pub(super) mod event_type;
pub(super) mod framing;
pub(super) mod gtid;
pub(super) mod query;
