//! QUERY events: a statement, who ran it, and how its text is to be read.

use std::borrow::Cow;

use super::{charset::Charset, error::Problem, wire::Wire};

/// What is read of a QUERY or an EXECUTE_LOAD_QUERY event.
#[derive(Debug)]
pub(super) struct Query<'a> {
    /// The connection that ran it.
    pub(super) thread_id: u32,
    /// The database that names without one belong to; empty without.
    pub(super) database: Cow<'a, str>,
    /// The statement.
    pub(super) text: &'a [u8],
    /// How its text is to be read.
    pub(super) dialect: Dialect,
}

/// What a session's settings change about a statement's text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dialect {
    /// ANSI_QUOTES: `"x"` is a name.
    pub(super) ansi_quotes: bool,
    /// NO_BACKSLASH_ESCAPES: a backslash in a text stands for itself.
    pub(super) plain_backslash: bool,
    /// The character set of the text, where the event tells.
    pub(super) charset: Option<Charset>,
}

/// Bits of `sql_mode` (MySQL source, `sql/system_variables.h`).
const MODE_ANSI_QUOTES: u64 = 1 << 2;
const MODE_NO_BACKSLASH_ESCAPES: u64 = 1 << 20;

/// Bytes that an EXECUTE_LOAD_QUERY event has between a QUERY event's header and its variables:
/// the loaded file's id, two places in the text, how duplicates are handled.
const LOAD_BYTES: usize = 13;

/// Reads a QUERY event; `is_load` for an EXECUTE_LOAD_QUERY event.
pub(super) fn parse(data: &[u8], is_load: bool) -> Result<Query<'_>, Problem> {
    let mut wire = Wire(data);
    let thread_id = wire.u32()?;
    let _duration_seconds = wire.u32()?;
    let database_bytes = wire.u8()?;
    let _error = wire.u16()?;
    let variable_bytes = wire.u16()?;
    if is_load {
        wire.take(LOAD_BYTES)?;
    }
    let variables = wire.take(usize::from(variable_bytes))?;
    // The server writes names in UTF-8; what is not matches no table.
    let database = String::from_utf8_lossy(wire.take(usize::from(database_bytes))?);
    if wire.u8()? != 0 {
        return Err(Problem::Malformed("a database's name without end"));
    }
    Ok(Query { thread_id, database, text: wire.0, dialect: Dialect::parse(variables) })
}

impl Dialect {
    /// Reads the variables up to the first of an unknown kind: what is needed stands before it.
    fn parse(variables: &[u8]) -> Self {
        let mut dialect = Self::default();
        let mut wire = Wire(variables);
        while let Ok(kind) = wire.u8() {
            let read = match kind {
                // Flags of the session.
                0 => wire.take(4).map(|_| ()),
                1 => wire.u64().map(|mode| {
                    dialect.ansi_quotes = mode & MODE_ANSI_QUOTES != 0;
                    dialect.plain_backslash = mode & MODE_NO_BACKSLASH_ESCAPES != 0;
                }),
                // Auto-increment step and start.
                3 => wire.take(4).map(|_| ()),
                // Collations of client, connection and server.
                4 => wire.take(6).map(|collations| {
                    let client = Wire(collations).u16().unwrap_or_default();
                    dialect.charset = Charset::of_collation(u64::from(client));
                }),
                // Time zone, catalog: length and text.
                5 | 6 => wire.u8().and_then(|length| wire.take(usize::from(length))).map(|_| ()),
                _ => return dialect,
            };
            if read.is_err() {
                return dialect;
            }
        }
        dialect
    }
}
