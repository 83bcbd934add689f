//! Statements of QUERY events: what they do to captured tables and to the transaction.

mod parser;
mod statement_reader;
#[cfg(test)]
mod tests;
mod tokens;

pub use self::parser::StatementKind;
pub(super) use self::statement_reader::StatementReader;
