//! One file a command.

pub(crate) mod chaos;
pub(crate) mod demo;
pub(crate) mod lint;
pub(crate) mod mysql_suite;
pub(crate) mod stack;
pub(crate) mod test;

mod cargo;
mod slowest;
mod together;
