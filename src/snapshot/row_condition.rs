//! Which rows of a table are read: the configuration has a condition, and a request another one or
//! none.

use super::progress::AskedFor;

/// The condition on a table's rows, and where it comes from.
#[derive(Clone, Debug)]
pub(super) struct RowCondition {
    configured: Option<String>,
    /// If a request is why the table is read.
    request: Option<AskedFor>,
}

impl RowCondition {
    pub(super) fn new(configured: Option<String>, request: Option<AskedFor>) -> Self {
        Self { configured, request }
    }

    /// The condition by which rows are read, as SQL. That of a request replaces the
    /// configuration's, even if it is none.
    pub(super) fn filter(&self) -> Option<&String> {
        match &self.request {
            Some(request) => request.r#where.as_ref(),
            None => self.configured.as_ref(),
        }
    }

    /// Whether a request is why the table is read.
    pub(super) fn is_requested(&self) -> bool {
        self.request.is_some()
    }

    /// The request, to be saved.
    pub(super) fn request(&self) -> Option<&AskedFor> {
        self.request.as_ref()
    }

    /// The configuration's condition, if it chose the rows that are delivered at the end: not if a
    /// request reads all rows.
    pub(super) fn chosen_by(&self) -> Option<String> {
        let chooses = self.request.as_ref().is_none_or(|request| request.r#where.is_some());
        self.configured.clone().filter(|_| chooses)
    }

    /// Whether the table counts as read even if it is not read to its end: not if a request reads
    /// it that had not been read before.
    pub(super) fn was_read(&self) -> bool {
        self.request.as_ref().is_none_or(|request| request.was_read)
    }
}
