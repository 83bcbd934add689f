//! What `tailwater position` reads and writes outside a running connector: the committed position,
//! how it stands to the source, and another one in its place.

mod kept;
mod place;
mod report;
mod set;
mod signs_of_life;
mod target;

pub use self::{
    kept::Dropped,
    report::{PositionReport, SourceReport, report_position},
    set::{PositionChange, SetRequest, set_position},
    signs_of_life::Life,
    target::PositionTarget,
};
pub(super) use self::{set::instance_runs, signs_of_life::look_for_life};
