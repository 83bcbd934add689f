//! The order of the stages, and what happens when one fails.
//!
//! An epoch is one producer and one dump, from fencing to the first trouble. There is one way to
//! recover from anything: throw the epoch away and begin the next one from the position that is
//! committed in Kafka. What `kill -9` tests is the path every soft error takes.
//!
//! ```text
//! supervisor  the loop over epochs; `recovery` decides what follows a failure
//!   standby   waits until this instance may stream
//!   epoch     builds the stages and awaits their end
//!     start     look at MySQL, the registry and Kafka       nothing is changed yet
//!               fence:  init_transactions                  no older instance can commit from here on
//!               load:   the saved position                 it is the last one, because of the fence
//!               check:  the source still has what follows
//!     stream    commit: the same position, new generation  a fenced instance sees a newer one
//!               begin; records ...; position last; commit  at boundaries of source transactions
//!
//! mysql ─ events ─▶ stream ─▶ decode ─ rows ─▶ delivery ─ records, position ─▶ Kafka
//!                               ▲                 ▲  └─ plans ─ one for each table version (tables)
//!                               └─ xa ────────────┘     snapshot rows, between source transactions
//! ```
//!
//! # Why nothing is lost and nothing comes twice
//! Records and the position after them are in one Kafka transaction, so a consumer that reads
//! committed records sees both or neither. A start reads the position after it has fenced all
//! older producers, so no other instance can move it any more, and streams what follows it.
//! `docs/ARCHITECTURE.md` has what could break this and why it does not, `protocol` the decisions
//! apart from their execution.

mod candidates;
mod captured;
mod cascades;
pub mod checks;
mod delivery;
mod ends;
mod epoch;
mod examination;
mod exclusions;
mod lag;
mod last_look;
mod locate_time;
mod position;
mod recovery;
mod registry_watch;
mod run;
mod skip;
mod standby;
mod start;
mod state_file;
mod state_topic;
mod stop;
mod stream;
mod supervisor;
mod table_schemas;
mod tables;
mod tail;
mod threads;
mod trouble_log;
mod visitor;
mod xa;

pub use self::{
    examination::{ExaminedEnd, Fact, examine},
    lag::watch_source,
    position::{
        Dropped, Life, PositionChange, PositionReport, PositionTarget, SetRequest, SourceReport,
        report_position, set_position,
    },
    run::{Run, RunOutcome},
    skip::{ResolvedSkip, skip_event},
    state_file::{FILE_BYTES_MAX, StateFile, StateImport, export_state, import_state},
    supervisor::run,
    table_schemas::{SubjectAnswer, SubjectComparison, compare_schemas, table_schemas},
    tail::{ShownRow, Since, Tail, TailForm, TailOutput, tail},
};
