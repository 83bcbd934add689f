//! What values and schemas look like: MySQL, recordings and other decoders are the judges.

mod defaults;
mod differential;
mod flat;
mod formats;
mod golden;
mod oracle;
mod schema_command;
