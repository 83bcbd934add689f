//! What earlier runs delivered of each table.
//!
//! A progress record says how far a table was read. It is valid only as long as every later change
//! is delivered. A run that does not capture the table breaks that, so its first commit marks the
//! record, and a later run knows that changes are missing.

use super::ProgressRecord;
use crate::model::position::FilePosition;

/// What a run that captures a table finds of earlier runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlierRun<'a> {
    /// None has read it, or begun to.
    Nothing,
    /// From this place on the table was not captured. Nothing else in the record is valid.
    Left(&'a str),
    /// Some of its rows are delivered.
    Begun(&'a ProgressRecord),
    /// All its rows are delivered.
    Read(&'a ProgressRecord),
}

impl<'a> EarlierRun<'a> {
    /// Reads a table's record.
    pub fn of(record: Option<&'a ProgressRecord>) -> Self {
        match record {
            None => Self::Nothing,
            Some(ProgressRecord { left_at: Some(left_at), .. }) => Self::Left(left_at),
            Some(record) if record.done => Self::Read(record),
            Some(record) => Self::Begun(record),
        }
    }

    /// The record of a table that is not captured from this place on; `None` if its record says
    /// that it was not captured before.
    pub fn left(self, at: &FilePosition) -> Option<ProgressRecord> {
        (!matches!(self, Self::Left(_))).then(|| ProgressRecord::left(at))
    }
}
