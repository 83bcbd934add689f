//! Statements of QUERY events: what they do to captured tables and to the transaction.

mod parser;
mod query_effect;
#[cfg(test)]
mod tests;
mod tokens;

pub use self::parser::StatementKind;
