//! QUERY events: a statement, its session, and how to read its text.

use std::borrow::Cow;

use crate::{
    charset::Charset,
    decode::{
        error::Problem,
        wire::{CutShort, Wire},
    },
};

/// What is read of a QUERY or an EXECUTE_LOAD_QUERY event.
#[derive(Debug)]
pub(in crate::decode) struct Query<'a> {
    /// The connection that ran it.
    pub(in crate::decode) thread_id: u32,
    /// The database that names without one belong to; empty without.
    pub(in crate::decode) database: Cow<'a, str>,
    /// The statement.
    pub(in crate::decode) text: &'a [u8],
    /// How its text is to be read.
    pub(in crate::decode) dialect: Dialect,
    /// The databases of all tables that it changed, those that triggers changed among them.
    pub(in crate::decode) changed: Changed<'a>,
}

/// The databases that a statement changed tables of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::decode) enum Changed<'a> {
    /// The event does not name them, or there are too many for it.
    #[default]
    Unknown,
    /// Their names, each with a zero behind it.
    Names(&'a [u8]),
}

/// What a session's settings change about a statement's text.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::decode) struct Dialect {
    /// ANSI_QUOTES: `"x"` is a name.
    pub(in crate::decode) ansi_quotes: bool,
    /// NO_BACKSLASH_ESCAPES: a backslash in a text is a plain character.
    pub(in crate::decode) plain_backslash: bool,
    /// The character set of the text, if the event has it.
    pub(in crate::decode) charset: Option<Charset>,
    /// Quotes were doubled byte by byte, so that the text is split byte by byte too.
    pub(in crate::decode) by_bytes: bool,
}

impl Dialect {
    /// Bytes of the first character.
    pub(in crate::decode) fn character_bytes(self, bytes: &[u8]) -> usize {
        match self.charset {
            Some(charset) if !self.by_bytes => charset.split_bytes(bytes),
            _ => 1,
        }
    }
}

/// Bits of `sql_mode` (MySQL source, `sql/system_variables.h`).
const MODE_ANSI_QUOTES: u64 = 1 << 2;
const MODE_NO_BACKSLASH_ESCAPES: u64 = 1 << 20;

/// Bytes that an EXECUTE_LOAD_QUERY event has between a QUERY event's header and its variables:
/// the loaded file's id, two places in the text, how duplicates are handled.
const LOAD_BYTES: usize = 13;

/// The number that means more than 16 databases.
const TOO_MANY_DATABASES: u8 = 254;

/// Reads a QUERY event; `is_load` for an EXECUTE_LOAD_QUERY event.
pub(in crate::decode) fn parse(data: &[u8], is_load: bool) -> Result<Query<'_>, Problem> {
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
    let mut query = Query {
        thread_id,
        database,
        text: wire.0,
        dialect: Dialect::default(),
        changed: Changed::default(),
    };
    // Up to the first variable of an unknown kind: the needed ones come before it.
    let mut variables = Wire(variables);
    while let Ok(kind) = variables.u8()
        && query.add_variable(kind, &mut variables) == Ok(true)
    {}
    Ok(query)
}

impl<'a> Query<'a> {
    /// Takes in a variable of this kind; `false` for one that is not known (MySQL source,
    /// `Query_event_post_header` in `libs/mysql/binlog/event/statement_events.h`).
    fn add_variable(&mut self, kind: u8, wire: &mut Wire<'a>) -> Result<bool, CutShort> {
        let dialect = &mut self.dialect;
        match kind {
            // Flags of the session; auto-increment step and start.
            0 | 3 => wire.u32().map(|_| ())?,
            1 => {
                let mode = wire.u64()?;
                dialect.ansi_quotes = mode & MODE_ANSI_QUOTES != 0;
                dialect.plain_backslash = mode & MODE_NO_BACKSLASH_ESCAPES != 0;
            }
            // Collations of client, connection and server.
            4 => {
                let client = Wire(wire.take(6)?).u16()?;
                dialect.charset = Charset::of_collation(u64::from(client));
            }
            // Time zone, catalog: length and text.
            5 | 6 => text(wire)?,
            // Names of days and months, the database's collation.
            7 | 8 => wire.u16().map(|_| ())?,
            // The tables of an update of many.
            9 => wire.u64().map(|_| ())?,
            // The user and the host of a definer.
            11 => {
                text(wire)?;
                text(wire)?;
            }
            12 => self.changed = Changed::read(wire)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl<'a> Changed<'a> {
    fn read(wire: &mut Wire<'a>) -> Result<Self, CutShort> {
        let count = wire.u8()?;
        if count == TOO_MANY_DATABASES {
            return Ok(Self::Unknown);
        }
        let all = wire.0;
        for _ in 0..count {
            let length = wire.0.iter().position(|&byte| byte == 0).ok_or(CutShort)?;
            wire.take(length + 1)?;
        }
        let bytes = all.len().saturating_sub(wire.0.len());
        Ok(Self::Names(all.get(..bytes).unwrap_or_default()))
    }

    /// Whether one of them may be such a database.
    pub(in crate::decode) fn may_be(self, is_wanted: impl Fn(&str) -> bool) -> bool {
        let Self::Names(names) = self else { return true };
        names
            .split(|&byte| byte == 0)
            .filter(|name| !name.is_empty())
            .any(|name| is_wanted(&String::from_utf8_lossy(name)))
    }
}

/// A text behind its length in one byte.
fn text(wire: &mut Wire<'_>) -> Result<(), CutShort> {
    let length = wire.u8()?;
    wire.take(usize::from(length)).map(|_| ())
}
