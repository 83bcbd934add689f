//! Binary JSON: what a JSON column's bytes hold (MySQL source, `sql-common/json_binary.h`).
//!
//! A document is a type and a value. An array or object starts with the number of its elements
//! and its size in bytes. Entries of a fixed size follow: in an object first one for each key
//! (where it is, how long it is), in both one for each value (its type, and where it is or, if it
//! is short, itself); then the keys and values that the entries point to. All places count from
//! the array's or object's first byte. Small ones have numbers of two bytes, large ones of four.
//! An object's keys are sorted by length, then by bytes.
//!
//! # Why hostile bytes cost no more than honest ones
//!
//! Nothing stops an entry from pointing where another one points, so that a few bytes could
//! describe a text without end. The server never writes that: the parts of its documents do not
//! overlap, so reading a whole document reads each byte at most once. Every read byte is paid
//! for, byte by byte, from a [`Budget`] of the document's length, and a document that needs more is
//! refused. So time and text are at most a few times the length: the most expensive byte is a
//! control character, which becomes the six bytes of `\u0001`.

use crate::decode::{error::ValueProblem, wire::Wire};

/// How deep arrays and objects may be nested (`JSON_DOCUMENT_MAX_DEPTH`).
pub(super) const DEPTH_MAX: usize = 100;

const SMALL_OBJECT: u8 = 0;
const LARGE_OBJECT: u8 = 1;
const SMALL_ARRAY: u8 = 2;
const LARGE_ARRAY: u8 = 3;
const LITERAL: u8 = 4;
const INT16: u8 = 5;
const UINT16: u8 = 6;
const INT32: u8 = 7;
const UINT32: u8 = 8;
const INT64: u8 = 9;
const UINT64: u8 = 10;
const DOUBLE: u8 = 11;
const TEXT: u8 = 12;
const OPAQUE: u8 = 15;

/// One value of a document.
#[derive(Clone, Copy, Debug)]
pub(super) enum Json<'a> {
    Null,
    Boolean(bool),
    Int(i64),
    UnsignedInt(u64),
    Double(f64),
    Text(&'a str),
    /// A value of a type that JSON does not have, as MySQL's own columns know it.
    Opaque {
        /// The type's number as a column type.
        column_type: u8,
        bytes: &'a [u8],
    },
    Container(Container<'a>),
}

/// An array or object whose elements are read one by one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Container<'a> {
    /// From its number of elements to its end.
    bytes: &'a [u8],
    count: usize,
    pub(super) is_object: bool,
    is_large: bool,
}

/// How many bytes of a document may still be looked at.
#[derive(Debug)]
pub(super) struct Budget(usize);

impl Budget {
    /// A budget for bytes in which nothing overlaps.
    pub(super) fn new(bytes: usize) -> Self {
        Self(bytes)
    }

    fn pay(&mut self, bytes: usize) -> Result<(), ValueProblem> {
        self.0 = self.0.checked_sub(bytes).ok_or(ValueProblem::Json("parts that overlap"))?;
        Ok(())
    }
}

impl<'a> Json<'a> {
    /// The value that a document consists of.
    pub(super) fn document(bytes: &'a [u8], budget: &mut Budget) -> Result<Self, ValueProblem> {
        let mut wire = Wire(bytes);
        let kind = wire.u8()?;
        let (value, length) = Self::read(kind, wire.0)?;
        budget.pay(length)?;
        Ok(value)
    }

    /// The value of this type at the bytes' front, and how many bytes were looked at.
    fn read(kind: u8, bytes: &'a [u8]) -> Result<(Self, usize), ValueProblem> {
        let mut wire = Wire(bytes);
        let value = match kind {
            SMALL_OBJECT | LARGE_OBJECT | SMALL_ARRAY | LARGE_ARRAY => {
                let is_object = matches!(kind, SMALL_OBJECT | LARGE_OBJECT);
                let is_large = matches!(kind, LARGE_OBJECT | LARGE_ARRAY);
                let container = Container::read(bytes, is_object, is_large)?;
                return Ok((Self::Container(container), container.values_at(container.count)));
            }
            LITERAL => match wire.u8()? {
                0 => Self::Null,
                1 => Self::Boolean(true),
                2 => Self::Boolean(false),
                _ => return Err(ValueProblem::Json("an unknown literal")),
            },
            INT16 => Self::Int(i64::from(wire.u16()?.cast_signed())),
            UINT16 => Self::UnsignedInt(u64::from(wire.u16()?)),
            INT32 => Self::Int(i64::from(wire.u32()?.cast_signed())),
            UINT32 => Self::UnsignedInt(u64::from(wire.u32()?)),
            INT64 => Self::Int(wire.u64()?.cast_signed()),
            UINT64 => Self::UnsignedInt(wire.u64()?),
            DOUBLE => Self::Double(f64::from_le_bytes(wire.array()?)),
            TEXT => Self::Text(text(run(&mut wire)?)?),
            OPAQUE => Self::Opaque { column_type: wire.u8()?, bytes: run(&mut wire)? },
            _ => return Err(ValueProblem::Json("an unknown type")),
        };
        Ok((value, bytes.len() - wire.0.len()))
    }
}

impl<'a> Container<'a> {
    fn read(bytes: &'a [u8], is_object: bool, is_large: bool) -> Result<Self, ValueProblem> {
        let mut container = Self { bytes, count: 0, is_object, is_large };
        container.count = container.number(0)?;
        let size = container.number(container.number_bytes())?;
        container.bytes = bytes.get(..size).ok_or(ValueProblem::CutShort)?;
        if container.values_at(container.count) > size {
            return Err(ValueProblem::Json("more elements than bytes"));
        }
        Ok(container)
    }

    /// How many elements it has.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// An object's key by its place in the object.
    pub(super) fn key(&self, index: usize, budget: &mut Budget) -> Result<&'a str, ValueProblem> {
        let key = self.key_bytes(index)?;
        budget.pay(key.len())?;
        text(key)
    }

    /// The same without looking at the key itself.
    pub(super) fn key_bytes(&self, index: usize) -> Result<&'a [u8], ValueProblem> {
        let entry = 2 * self.number_bytes() + index * self.key_entry_bytes();
        let start = self.number(entry)?;
        let length = Wire(self.from(entry + self.number_bytes())?).u16()?;
        Ok(Wire(self.from(start)?).take(usize::from(length))?)
    }

    /// A value by its place.
    pub(super) fn value(
        &self,
        index: usize,
        budget: &mut Budget,
    ) -> Result<Json<'a>, ValueProblem> {
        let mut entry = Wire(self.from(self.values_at(index))?);
        let kind = entry.u8()?;
        let is_inside = match kind {
            LITERAL | INT16 | UINT16 => true,
            INT32 | UINT32 => self.is_large,
            _ => false,
        };
        if is_inside {
            // Paid for with its entry.
            return Ok(Json::read(kind, entry.take(self.number_bytes())?)?.0);
        }
        let start = self.number(self.values_at(index) + 1)?;
        let (value, length) = Json::read(kind, self.from(start)?)?;
        budget.pay(length)?;
        Ok(value)
    }

    /// The place of the entry of the value of this index; for the index after the last, where the
    /// entries end. Counts and indexes have at most 32 bits, so this is far from overflowing.
    fn values_at(&self, index: usize) -> usize {
        2 * self.number_bytes()
            + self.count * self.key_entry_bytes()
            + index * (1 + self.number_bytes())
    }

    fn key_entry_bytes(&self) -> usize {
        if self.is_object { self.number_bytes() + 2 } else { 0 }
    }

    /// Bytes of a count, a size or a place.
    fn number_bytes(&self) -> usize {
        if self.is_large { 4 } else { 2 }
    }

    fn number(&self, at: usize) -> Result<usize, ValueProblem> {
        let mut wire = Wire(self.from(at)?);
        let number = if self.is_large { wire.u32()? } else { u32::from(wire.u16()?) };
        usize::try_from(number).map_err(|_| ValueProblem::CutShort)
    }

    fn from(&self, at: usize) -> Result<&'a [u8], ValueProblem> {
        self.bytes.get(at..).ok_or(ValueProblem::CutShort)
    }
}

/// The bytes behind their length: seven bits in each byte, the lowest first, the top bit set in
/// all but the last.
fn run<'a>(wire: &mut Wire<'a>) -> Result<&'a [u8], ValueProblem> {
    let mut length = 0_u64;
    for shift in [0, 7, 14, 21, 28] {
        let byte = wire.u8()?;
        length |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let length = usize::try_from(length).map_err(|_| ValueProblem::CutShort)?;
            return Ok(wire.take(length)?);
        }
    }
    Err(ValueProblem::Json("a length of more than five bytes"))
}

fn text(bytes: &[u8]) -> Result<&str, ValueProblem> {
    std::str::from_utf8(bytes).map_err(|_| ValueProblem::Json("text that is not UTF-8"))
}
