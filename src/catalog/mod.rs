//! What `information_schema` has about a table and the binlog lacks: defaults, unique keys,
//! FLOAT(M,D).
//!
//! The catalog shows the table as it is now, an event shows it as it was. So the catalog's data is
//! used only if it describes the same version: the same columns in the same order, of the same
//! types. Otherwise the version does without, and `map` halts where it needs the data.

mod catalog_column;
mod column_type;
mod defaults;
mod describe;
mod error;
mod identifier;
mod inventory;
mod look_up;
mod matching;

pub use self::{
    describe::{Description, KeyOrder, describe},
    error::CatalogError,
    inventory::{Access, Cascade, Inventory},
    look_up::look_up,
};
use crate::model::table::Decoration;

/// What the catalog says about a version.
#[derive(Clone, Debug, PartialEq)]
pub enum Catalog {
    /// It shows this version, with this to add.
    Same(Decoration),
    /// It shows another version of the table, with these columns.
    Other(Vec<String>),
    /// There is no such table any more.
    Gone,
    /// It shows no such table, because the account may not see it.
    Hidden,
}
