//! A source transaction that ends with ROLLBACK although its rows are in the binlog.
//!
//! Current servers take them out; older ones, and tools that write binlogs, leave them. That it
//! ends so is known at its end only, when its rows are sent: the epoch is thrown away with what it
//! sent, and the next one steps over them.

use super::{Delivery, name_of};
use crate::{
    config::Guarantee,
    decode::{Finished, Rows},
    error::{Failure, Reason, Verdict},
    model::position::PartialTransaction,
    protocol::{PartialDelivery, is_same, nothing_of},
};

impl Delivery {
    /// Names a source transaction whose rows are to be stepped over.
    pub(in crate::pipeline) fn step_over(&mut self, rolled_back: Option<PartialTransaction>) {
        self.rolled_back = rolled_back;
    }

    /// The source transaction whose rows are to be stepped over from now on.
    pub(in crate::pipeline) fn stepped_over(&mut self) -> Option<PartialTransaction> {
        self.rolled_back.take()
    }

    /// Whether these rows are known to be rolled back.
    pub(in crate::pipeline) fn is_rolled_back(&self, rows: &Rows<'_>) -> bool {
        let Some(rolled_back) = &self.rolled_back else { return false };
        let origin = &rows.origin;
        let name = name_of(origin.transaction, origin.file, self.position().server_uuid);
        is_same(rolled_back, name)
    }

    /// Rows of captured tables are rolled back.
    pub(in crate::pipeline) fn roll_back(
        &mut self,
        finished: &Finished<'_>,
    ) -> Result<(), Failure> {
        let server_uuid = self.position().server_uuid;
        let name = name_of(finished.transaction, &finished.end.file, server_uuid);
        let is_known = self.rolled_back.as_ref().is_some_and(|known| is_same(known, name));
        if is_known {
            return self.finish(finished);
        }
        // Its rows are in the open batch and must not be committed.
        self.spoil();
        let parts =
            self.protocol.partial().map_or(0, |partial: &PartialDelivery| partial.note().parts);
        let is_visible = 0 < parts || self.config.delivery.guarantee == Guarantee::AtLeastOnce;
        let place = format!("the source transaction that ends at {} is rolled back", finished.end);
        if is_visible {
            let message = format!("{place}, and consumers have seen rows of it");
            let hint = "They were never part of their tables. To start over at the source's \
                        current position, delete the state topic.";
            return Err(
                Failure::new(Verdict::Halt, Reason::TransactionRolledBack, message).hint(hint)
            );
        }
        self.rolled_back = Some(nothing_of(name));
        let message = format!("{place} behind rows of captured tables; they are taken back");
        Err(Failure::new(Verdict::Recycle, Reason::TransactionRolledBack, message))
    }
}
