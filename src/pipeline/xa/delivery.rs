//! What the rows of an XA transaction are handed to, once it is committed.

use crate::{
    decode::{Finished, Rows, Statement},
    error::Failure,
    model::change::RowsOrigin,
    state::PositionRecord,
};

/// Takes the rows of the stream in, and keeps the position that has the prepared transactions.
pub(in crate::pipeline) trait XaDelivery {
    /// Takes in the rows of an event.
    fn rows(&mut self, rows: Rows<'_>) -> Result<(), Failure>;

    /// A statement changed captured tables. `origin` is where it comes from; `None` inside a
    /// transaction that goes on.
    fn statement(
        &mut self,
        statement: &Statement,
        origin: Option<&RowsOrigin<'_>>,
    ) -> Result<(), Failure>;

    /// A source transaction has ended.
    fn finish(&mut self, finished: &Finished<'_>) -> Result<(), Failure>;

    /// The position after the last source transaction that was taken in.
    fn record(&self) -> &PositionRecord;

    /// How many rows of the open source transaction were taken in.
    fn rows_taken_in(&self) -> u64;

    /// Rows of a prepared transaction are awaited, and none has come: what is before it does not
    /// wait with it.
    fn await_rows(&mut self) -> Result<(), Failure>;

    /// Comes every now and then while rows are awaited.
    fn show_life(&mut self) -> Result<(), Failure>;

    /// What was taken in of the open source transaction is not of it.
    fn spoil(&mut self);

    /// Rows of an XA transaction are lost, and nothing says of which tables.
    fn lose_rows(&mut self);
}
