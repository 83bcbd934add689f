//! The optional metadata at the end of a TABLE_MAP event, which `binlog_row_metadata = FULL` adds.
//!
//! A field is type, length, value (MySQL source, `Table_map_event` in
//! `libs/mysql/binlog/event/rows_event.h`). A field of an unknown type is skipped: a reader may do
//! so, as the server's own readers do.

use std::collections::BTreeMap;

use crate::decode::{error::Problem, wire::Wire};

const SIGNEDNESS: u8 = 1;
const DEFAULT_CHARSET: u8 = 2;
const COLUMN_CHARSET: u8 = 3;
const COLUMN_NAME: u8 = 4;
const SET_LABELS: u8 = 5;
const ENUM_LABELS: u8 = 6;
const GEOMETRY_TYPE: u8 = 7;
const SIMPLE_PRIMARY_KEY: u8 = 8;
const PRIMARY_KEY_WITH_PREFIX: u8 = 9;
const LABEL_DEFAULT_CHARSET: u8 = 10;
const LABEL_COLUMN_CHARSET: u8 = 11;

/// The fields, most of them as bytes that are read column by column.
#[derive(Debug, Default)]
pub(super) struct Metadata<'a> {
    signedness: Signedness<'a>,
    /// Collations of CHAR, VARCHAR, TEXT and their binary kin.
    pub(super) text_collations: Collations<'a>,
    /// Collations of ENUM and SET.
    pub(super) label_collations: Collations<'a>,
    names: Option<Wire<'a>>,
    enum_labels: Option<Wire<'a>>,
    set_labels: Option<Wire<'a>>,
    geometry_types: Option<Wire<'a>>,
    /// Columns of the primary key, in the key's order.
    pub(super) primary_key: Vec<usize>,
}

/// One bit for each numeric column, the first in the top bit of the first byte; set is UNSIGNED.
#[derive(Debug, Default)]
struct Signedness<'a> {
    bits: &'a [u8],
    next: usize,
}

/// The collations of some of the columns.
#[derive(Debug, Default)]
pub(super) enum Collations<'a> {
    /// Not in the event.
    #[default]
    Missing,
    /// One for all but a few, which are numbered among the columns that have a collation.
    Default { default: u64, others: BTreeMap<u64, u64>, next: u64 },
    /// One for each.
    Each(Wire<'a>),
}

impl<'a> Metadata<'a> {
    pub(super) fn parse(mut wire: Wire<'a>) -> Result<Self, Problem> {
        let mut metadata = Self::default();
        while !wire.is_empty() {
            let field = wire.u8()?;
            let value = wire.length_encoded_bytes()?;
            metadata.add(field, value)?;
        }
        Ok(metadata)
    }

    fn add(&mut self, field: u8, value: &'a [u8]) -> Result<(), Problem> {
        let mut wire = Wire(value);
        match field {
            SIGNEDNESS => self.signedness.bits = value,
            DEFAULT_CHARSET => self.text_collations = Collations::with_default(wire)?,
            COLUMN_CHARSET => self.text_collations = Collations::Each(wire),
            LABEL_DEFAULT_CHARSET => self.label_collations = Collations::with_default(wire)?,
            LABEL_COLUMN_CHARSET => self.label_collations = Collations::Each(wire),
            COLUMN_NAME => self.names = Some(wire),
            ENUM_LABELS => self.enum_labels = Some(wire),
            SET_LABELS => self.set_labels = Some(wire),
            GEOMETRY_TYPE => self.geometry_types = Some(wire),
            SIMPLE_PRIMARY_KEY | PRIMARY_KEY_WITH_PREFIX => {
                while !wire.is_empty() {
                    let column = wire.length_encoded()?;
                    if field == PRIMARY_KEY_WITH_PREFIX {
                        // How many characters of the column the index holds: rows are distinguished
                        // by the whole column all the more.
                        wire.length_encoded()?;
                    }
                    let column = usize::try_from(column).map_err(|_| KEY_OUT_OF_RANGE)?;
                    self.primary_key.push(column);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether the next numeric column is UNSIGNED.
    pub(super) fn next_is_unsigned(&mut self) -> Result<bool, Problem> {
        let Signedness { bits, next } = &mut self.signedness;
        let byte = bits.get(*next / 8).ok_or(Problem::Malformed("signedness is missing"))?;
        let unsigned = byte >> (7 - *next % 8) & 1 == 1;
        *next += 1;
        Ok(unsigned)
    }

    /// The next column's name; `None` if names are not in the event.
    pub(super) fn next_name(&mut self) -> Result<Option<String>, Problem> {
        let Some(names) = &mut self.names else { return Ok(None) };
        let name = std::str::from_utf8(names.length_encoded_bytes()?);
        name.map(|name| Some(name.to_owned())).map_err(|_| Problem::Malformed("a column's name"))
    }

    /// The number of the next GEOMETRY column's type; `None` if they are not in the event.
    pub(super) fn next_geometry_type(&mut self) -> Result<Option<u64>, Problem> {
        let Some(types) = &mut self.geometry_types else { return Ok(None) };
        Ok(Some(types.length_encoded()?))
    }

    /// Whether everything has been read that the event has for its columns.
    pub(super) fn is_used_up(&self) -> bool {
        let wires = [self.names, self.enum_labels, self.set_labels, self.geometry_types];
        wires.iter().flatten().all(Wire::is_empty)
            && self.text_collations.is_used_up()
            && self.label_collations.is_used_up()
    }

    /// The next ENUM's or SET's labels; `None` if they are not in the event.
    pub(super) fn next_labels(&mut self, is_enum: bool) -> Result<Option<Vec<&'a [u8]>>, Problem> {
        let field = if is_enum { &mut self.enum_labels } else { &mut self.set_labels };
        let Some(wire) = field else { return Ok(None) };
        let count = wire.length_encoded()?;
        // Not `with_capacity(count)`: the count is foreign, the labels behind it are real bytes.
        let mut labels = Vec::new();
        for _ in 0..count {
            labels.push(wire.length_encoded_bytes()?);
        }
        Ok(Some(labels))
    }
}

/// A key that names a column the table does not have.
pub(super) const KEY_OUT_OF_RANGE: Problem =
    Problem::Malformed("a primary key of columns that the table does not have");

impl<'a> Collations<'a> {
    fn with_default(mut wire: Wire<'a>) -> Result<Self, Problem> {
        let default = wire.length_encoded()?;
        let mut others = BTreeMap::new();
        while !wire.is_empty() {
            others.insert(wire.length_encoded()?, wire.length_encoded()?);
        }
        Ok(Self::Default { default, others, next: 0 })
    }

    /// The next column's collation; `None` if they are not in the event.
    pub(super) fn next(&mut self) -> Result<Option<u64>, Problem> {
        Ok(match self {
            Self::Missing => None,
            Self::Default { default, others, next } => {
                let collation = others.get(next).copied().unwrap_or(*default);
                *next += 1;
                Some(collation)
            }
            Self::Each(wire) => Some(wire.length_encoded()?),
        })
    }

    fn is_used_up(&self) -> bool {
        match self {
            Self::Missing => true,
            Self::Default { others, next, .. } => others.keys().all(|column| column < next),
            Self::Each(wire) => wire.is_empty(),
        }
    }
}
