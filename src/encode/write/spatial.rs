//! Geometries and vectors.

use crate::{
    encode::{
        EncodeProblem,
        avro::{self, FIRST_BRANCH, SECOND_BRANCH},
    },
    model::value::Geometry,
};

/// The flag in a geometry's type that says that its SRID follows (PostGIS, "Extended WKB").
const HAS_SRID: u32 = 0x2000_0000;

/// Appends a geometry as Debezium's structure.
pub(super) fn write_geometry(
    out: &mut Vec<u8>,
    geometry: Geometry<'_>,
) -> Result<(), EncodeProblem> {
    avro::bytes(out, geometry.wkb);
    write_srid(out, geometry.srid)
}

/// Appends a point as Debezium's structure.
pub(super) fn write_point(out: &mut Vec<u8>, point: Geometry<'_>) -> Result<(), EncodeProblem> {
    let [x, y] = coordinates(point.wkb).ok_or(EncodeProblem::NotAPoint)?;
    out.extend_from_slice(&x.to_le_bytes());
    out.extend_from_slice(&y.to_le_bytes());
    out.push(SECOND_BRANCH);
    write_geometry(out, point)
}

/// Appends a geometry as bytes. Its SRID is the schema's; any other SRID is in the bytes
/// after the type, in the extended form, and without one there is no SRID.
pub(super) fn write_binary(
    out: &mut Vec<u8>,
    geometry: Geometry<'_>,
    srid: Option<u32>,
) -> Result<(), EncodeProblem> {
    match srid {
        Some(srid) if srid != geometry.srid => return Err(EncodeProblem::OtherSrid),
        None if geometry.srid != 0 => {}
        _ => {
            avro::bytes(out, geometry.wkb);
            return Ok(());
        }
    }
    let (order, rest) = geometry.wkb.split_first().ok_or(EncodeProblem::NotAGeometry)?;
    let (kind, rest) = rest.split_first_chunk::<4>().ok_or(EncodeProblem::NotAGeometry)?;
    let (kind, srid) = match order {
        0 => ((u32::from_be_bytes(*kind) | HAS_SRID).to_be_bytes(), geometry.srid.to_be_bytes()),
        1 => ((u32::from_le_bytes(*kind) | HAS_SRID).to_le_bytes(), geometry.srid.to_le_bytes()),
        _ => return Err(EncodeProblem::NotAGeometry),
    };
    avro::length(out, geometry.wkb.len().saturating_add(srid.len()));
    out.push(*order);
    out.extend_from_slice(&kind);
    out.extend_from_slice(&srid);
    out.extend_from_slice(rest);
    Ok(())
}

/// Appends a geometry's spatial reference system, a union of null and int: null for none.
fn write_srid(out: &mut Vec<u8>, srid: u32) -> Result<(), EncodeProblem> {
    if srid == 0 {
        out.push(FIRST_BRANCH);
        return Ok(());
    }
    let srid = i32::try_from(srid).map_err(|_| EncodeProblem::SridTooLarge)?;
    avro::optional_long(out, srid.into());
    Ok(())
}

/// The coordinates of a point, in the order in which they are stored; `None` for anything else.
///
/// Well-known binary is a byte order (0 for big-endian, 1 for little-endian), the geometry's type
/// in four bytes (1 for a point) and the coordinates as doubles.
fn coordinates(wkb: &[u8]) -> Option<[f64; 2]> {
    let (order, rest) = wkb.split_first()?;
    let (kind, rest) = rest.split_first_chunk::<4>()?;
    let (x, rest) = rest.split_first_chunk::<8>()?;
    let (y, rest) = rest.split_first_chunk::<8>()?;
    let (kind, point) = match order {
        0 => (u32::from_be_bytes(*kind), [f64::from_be_bytes(*x), f64::from_be_bytes(*y)]),
        1 => (u32::from_le_bytes(*kind), [f64::from_le_bytes(*x), f64::from_le_bytes(*y)]),
        _ => return None,
    };
    (kind == 1 && rest.is_empty()).then_some(point)
}

/// Appends an array of singles. MySQL stores them as Avro does, so they are copied as they are,
/// in one block.
pub(super) fn write_vector(out: &mut Vec<u8>, singles: &[u8]) -> Result<(), EncodeProblem> {
    if !singles.len().is_multiple_of(4) {
        return Err(EncodeProblem::VectorCutShort);
    }
    if !singles.is_empty() {
        avro::length(out, singles.len() / 4);
        out.extend_from_slice(singles);
    }
    // A block of no items ends the array.
    out.push(0);
    Ok(())
}
