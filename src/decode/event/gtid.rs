//! GTID events: the name and the commit time of a transaction.

use crate::{
    decode::{
        error::Problem,
        wire::{CutShort, Wire},
    },
    model::gtid::{Gtid, GtidSource, NUMBER_MAX, ServerUuid, TAG_BYTES_MAX},
};

/// What is read of a GTID event.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::decode) struct GtidEvent {
    /// `None` for an anonymous transaction.
    pub(in crate::decode) gtid: Option<Gtid>,
    /// When it committed where it was first written, in microseconds; `None` before MySQL 8.0.1.
    pub(in crate::decode) commit_time_us: Option<u64>,
}

/// Marks the logical clock fields (MySQL source, `Gtid_event::LOGICAL_TIMESTAMP_TYPECODE`).
const LOGICAL_TIMESTAMP: u8 = 2;
/// Set in the immediate commit time when the original one follows.
const ORIGINAL_TIME_FOLLOWS: u64 = 1 << 55;
/// The version of the serialization format that tagged events use.
const SERIALIZATION_VERSION: u8 = 2;

/// Reads a GTID or an ANONYMOUS_GTID event.
pub(in crate::decode) fn parse(data: &[u8], anonymous: bool) -> Result<GtidEvent, Problem> {
    let mut wire = Wire(data);
    wire.u8()?;
    let uuid = ServerUuid(wire.array()?);
    let number = wire.u64()?;
    let source = GtidSource { uuid, tag: None };
    let gtid = if anonymous { None } else { Some(named(source, number)?) };
    let mut commit_time_us = None;
    if wire.u8() == Ok(LOGICAL_TIMESTAMP) {
        wire.take(16)?;
        if let Ok(immediate) = wire.u56() {
            commit_time_us =
                Some(if immediate & ORIGINAL_TIME_FOLLOWS == 0 { immediate } else { wire.u56()? });
        }
    }
    Ok(GtidEvent { gtid, commit_time_us })
}

/// Reads a tagged GTID event.
///
/// Fields are in ascending order, each after its number, integers in a variable length (MySQL
/// source, `Gtid_event::define_fields` and `libs/mysql/serialization`).
pub(in crate::decode) fn parse_tagged(data: &[u8]) -> Result<GtidEvent, Problem> {
    let mut wire = Wire(data);
    if wire.u8()? != SERIALIZATION_VERSION {
        return Err(Problem::Malformed("an unknown serialization version"));
    }
    let _size = variable(&mut wire)?;
    let last_needed = variable(&mut wire)?;
    let (mut uuid, mut number, mut tag) = (None, None, None);
    let (mut immediate, mut original) = (None, None);
    while !wire.is_empty() {
        match variable(&mut wire)? {
            1 => uuid = Some(variable_uuid(&mut wire)?),
            // A zigzag integer; a negative one has the lowest bit set.
            2 => number = Some(variable(&mut wire)?).filter(|raw| raw & 1 == 0).map(|raw| raw >> 1),
            3 => tag = Some(variable_tag(&mut wire)?),
            6 => immediate = Some(variable(&mut wire)?),
            7 => original = Some(variable(&mut wire)?),
            0 | 4 | 5 | 8..=11 => {
                variable(&mut wire)?;
            }
            unknown if unknown <= last_needed => {
                return Err(Problem::Malformed("an unknown field that must not be ignored"));
            }
            _ => break,
        }
    }
    let (Some(uuid), Some(number), Some(tag)) = (uuid, number, tag) else {
        return Err(Problem::Malformed("a GTID without UUID, number or tag"));
    };
    let source = GtidSource { uuid, tag: (!tag.is_empty()).then(|| tag.into()) };
    Ok(GtidEvent { gtid: Some(named(source, number)?), commit_time_us: original.or(immediate) })
}

fn named(source: GtidSource, number: u64) -> Result<Gtid, Problem> {
    if (1..=NUMBER_MAX).contains(&number) {
        Ok(Gtid { source, number })
    } else {
        Err(Problem::Malformed("a GTID's number"))
    }
}

/// An integer whose first byte says by its trailing ones how many bytes follow it.
fn variable(wire: &mut Wire<'_>) -> Result<u64, CutShort> {
    let first = wire.u8()?;
    let more = first.trailing_ones();
    let mut value = u64::from(first);
    for index in 1..=more.min(7) {
        value |= u64::from(wire.u8()?) << (8 * index);
    }
    if more < 8 {
        return Ok(value >> (more + 1));
    }
    // A first byte of ones is followed by eight bytes; seven of them are read.
    Ok(value >> 8 | u64::from(wire.u8()?) << 56)
}

fn variable_uuid(wire: &mut Wire<'_>) -> Result<ServerUuid, Problem> {
    let mut uuid = ServerUuid([0; 16]);
    for byte in &mut uuid.0 {
        *byte = u8::try_from(variable(wire)?).map_err(|_| Problem::Malformed("a UUID"))?;
    }
    Ok(uuid)
}

fn variable_tag<'a>(wire: &mut Wire<'a>) -> Result<&'a str, Problem> {
    let length = usize::try_from(variable(wire)?).ok().filter(|&length| length <= TAG_BYTES_MAX);
    let bytes = wire.take(length.ok_or(Problem::Malformed("a GTID's tag"))?)?;
    std::str::from_utf8(bytes).map_err(|_| Problem::Malformed("a GTID's tag"))
}
