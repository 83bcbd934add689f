//! The delivery protocol as a pure state machine: it decides the next step and performs none.
//!
//! [`Protocol::step`] takes an event and returns an action. It does no I/O and reads no clock, so
//! `simulation` can run it, unchanged, in a model in which everything fails that can: hundreds of
//! thousands of times, and once for each rule with the rule left out. `delivery` runs it for real.
//! Without these rules rows would be lost or come twice; decision 8 says why they are apart.
//!
//! ```text
//!             a record comes      a source transaction ends and the batch is due, or nothing waits
//! STREAMING ── Begin ─▶ STREAMING ── Flush ─▶ SendPosition ─▶ Commit ─▶ STREAMING
//!     └─ a position without records ── Begin ────────┘          └─ any doubt ─▶ Recycle
//! ```
//!
//! # The rules
//! 1. A position covers only what was taken in before it is sent: it moves at the end of a source
//!    transaction, and inside one it notes how many rows of it are delivered ([`PartialDelivery`]).
//! 2. Every record is known to be stored before the position after it is sent, and the position is
//!    the last record of its Kafka transaction, with the least offset that it can have.
//! 3. The first commit of an epoch announces its generation, so that a fenced older instance sees
//!    that there is a newer one. It repeats the position that the epoch starts from. After an epoch
//!    that such a commit ended, it is left out: then the first commit has records, or the end of a
//!    source transaction. It also names the instance, because two instances that have loaded the
//!    same position take the same generation.
//! 4. Something is sent to the state topic at least every [`SIGN_OF_LIFE_EVERY`](crate::state::SIGN_OF_LIFE_EVERY), while events come
//!    and while the epoch waits for them. The last position before an end in order says that it is
//!    the last. The exception: after an epoch as in rule 3, nothing is sent inside a source
//!    transaction before the first commit, unless there is something to save.
//! 5. After a commit that could take effect a second time (a request for it has no answer, however
//!    long the others took), and after any failure, the epoch is over. Nothing that it knew is used
//!    again: the next epoch reads what Kafka has.
//!
//! Without Kafka transactions ([`Guarantee::AtLeastOnce`](crate::config::Guarantee::AtLeastOnce)) the records are sent outside of the
//! transaction that holds the position. So they are visible at once, and come again after a
//! failure. There, rule 2 alone prevents losses.

mod batch;
mod event;
mod partial_delivery;
mod notes;
mod position;
#[cfg(test)]
mod simulation;
mod state_machine;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    batch::{Batch, ProtocolSettings},
    event::{Action, Doubt, Ending, Event, TransactionEnd},
    partial_delivery::{PartialDelivery, RowsTaken, TransactionName, is_same, nothing_of},
    position::{advance, reach},
    state_machine::Protocol,
};
