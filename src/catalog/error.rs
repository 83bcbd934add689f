//! What can go wrong when the catalog is read.

use thiserror::Error;

use crate::{
    error::{Explain, Explanation, Reason, Verdict},
    model::table::TableName,
};

/// `information_schema` could not be read.
#[derive(Debug, Error)]
#[error("cannot read information_schema for {table}: {error}")]
pub struct CatalogError {
    pub(super) table: TableName,
    pub(super) error: mysql_async::Error,
}

impl Explain for CatalogError {
    fn explain(&self) -> Explanation {
        // The next epoch reads it again; a lasting trouble shows when that epoch connects.
        Explanation::new(Verdict::Recycle, Reason::CatalogUnreadable, "")
    }
}
