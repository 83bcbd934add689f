//! A source transaction that ends with ROLLBACK although its rows are in the binlog.
//!
//! Current servers take them out; older ones, and tools that write binlogs, leave them. That it
//! ends so is known at its end only, when its rows are sent: the epoch is thrown away with what it
//! sent, and the next one skips them.

use crate::{
    config::Guarantee,
    decode::Finished,
    error::{Failure, Reason, Verdict},
    model::position::PartialTransaction,
    protocol::{PartialDelivery, TransactionName, is_same, nothing_of},
};

use super::driver::Driver;

/// The source transaction whose rows are not delivered, if there is one.
#[derive(Default)]
pub(in crate::pipeline) struct RolledBack(Option<PartialTransaction>);

impl RolledBack {
    /// Whether the transaction of this name is known to be rolled back.
    pub(super) fn is(&self, name: TransactionName<'_>) -> bool {
        let Self(known) = self;
        known.as_ref().is_some_and(|known| is_same(known, name))
    }

    /// A source transaction was found to be rolled back when its rows were sent. The failure ends
    /// the epoch; the next one skips them, unless consumers have seen some.
    pub(super) fn found(&mut self, driver: &mut Driver, finished: &Finished<'_>) -> Failure {
        // Its rows are in the open batch and must not be committed.
        driver.outlet.is_spoilt = true;
        let parts =
            driver.protocol.partial().map_or(0, |partial: &PartialDelivery| partial.note().parts);
        let is_visible = 0 < parts || driver.config.delivery.guarantee == Guarantee::AtLeastOnce;
        let place = format!("the source transaction that ends at {} is rolled back", finished.end);
        if is_visible {
            let message = format!("{place}, and consumers have seen rows of it");
            let hint = "They were never part of their tables. To start over at the source's \
                        current position, run `tailwater position set --to-current \
                        --execute`.";
            return Failure::new(Verdict::Halt, Reason::TransactionRolledBack, message).hint(hint);
        }
        let name = driver.name_of(finished.transaction, &finished.end.file);
        *self = Self(Some(nothing_of(name)));
        let message = format!("{place} behind rows of captured tables; they are taken back");
        Failure::new(Verdict::Recycle, Reason::TransactionRolledBack, message)
    }
}
