//! The delivery as what takes the rows of XA transactions, once they are committed.

use super::Delivery;
use crate::{
    decode::{Finished, Rows, Statement},
    error::Failure,
    model::change::RowsOrigin,
    pipeline::xa::XaDelivery,
    protocol::{Event, PartialDelivery},
    state::PositionRecord,
};

impl XaDelivery for Delivery {
    fn rows(&mut self, rows: Rows<'_>) -> Result<(), Failure> {
        Self::rows(self, rows)
    }

    fn statement(
        &mut self,
        statement: &Statement,
        origin: Option<&RowsOrigin<'_>>,
    ) -> Result<(), Failure> {
        Self::statement(self, statement, origin)
    }

    fn finish(&mut self, finished: &Finished<'_>) -> Result<(), Failure> {
        Self::finish(self, finished)
    }

    fn record(&self) -> &PositionRecord {
        self.driver.record()
    }

    fn rows_taken_in(&self) -> u64 {
        self.driver.protocol.partial().map_or(0, PartialDelivery::rows)
    }

    fn await_rows(&mut self) -> Result<(), Failure> {
        let is_before = self.driver.protocol.partial().is_none();
        if is_before { self.driver.after(Event::ChunkEnded) } else { Ok(()) }
    }

    fn show_life(&mut self) -> Result<(), Failure> {
        Self::show_life(self)
    }

    /// The open batch holds records that no position may count.
    fn spoil(&mut self) {
        self.driver.outlet.is_spoilt = true;
    }

    fn lose_rows(&mut self) {
        self.driver.snapshot.tables.give_up_searches("rows of an XA transaction are lost");
    }
}
