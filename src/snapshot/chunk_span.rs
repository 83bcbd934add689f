//! Which rows a chunk has: it begins behind a row, or where the chunk before it ends, which may be
//! read at the same moment by another reader.

use tokio::sync::oneshot;

use super::cursor::{Bound, Cursor};

/// Where a chunk begins.
#[derive(Debug)]
pub(super) enum Start {
    /// Behind this row; at the first one without a cursor.
    After(Option<Cursor>),
    /// Where another chunk ends, which is read before this one; at `None` nothing follows.
    WhereTheLastEnds(oneshot::Receiver<Option<Cursor>>),
}

/// From where to where a chunk is read.
#[derive(Debug)]
pub(super) struct ChunkSpan {
    start: Start,
    /// The last value of the key's first column that is read.
    until: Option<Bound>,
    /// Gets where the chunk ends; `None` at the end of its range.
    ended: oneshot::Sender<Option<Cursor>>,
}

/// The chunk before was the last one of its range, or is not read: nothing follows it.
pub(super) struct NothingFollows;

impl ChunkSpan {
    /// Also returns where another chunk of the range can begin.
    pub(super) fn new(start: Start, until: Option<Bound>) -> (Self, Start) {
        let (ended, end) = oneshot::channel();
        (Self { start, until, ended }, Start::WhereTheLastEnds(end))
    }

    /// Waits until it is known where the chunk begins: the row before it, `None` if it begins with
    /// the table's first row.
    pub(super) async fn begin(&mut self) -> Result<Option<Cursor>, NothingFollows> {
        match &mut self.start {
            Start::After(cursor) => Ok(cursor.clone()),
            Start::WhereTheLastEnds(end) => match end.await {
                Ok(Some(cursor)) => Ok(Some(cursor)),
                Ok(None) | Err(_) => Err(NothingFollows),
            },
        }
    }

    /// The last value of the key's first column that is read; all without it.
    pub(super) fn until(&self) -> Option<&Bound> {
        self.until.as_ref()
    }

    /// The chunk ends with this row, or with its range: the next chunk may begin.
    pub(super) fn end(self, last: Option<Cursor>) {
        // There is no receiver if no next chunk is wanted.
        drop(self.ended.send(last));
    }

    #[cfg(test)]
    pub(super) fn start(&self) -> &Start {
        &self.start
    }
}
