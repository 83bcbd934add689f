//! Row images: how the rows of a table version are laid out, and a walk over them.

pub(super) mod decimal;
pub(super) mod layout;
mod partial_update;
mod reader;
mod temporal;

pub use self::reader::RowReader;
