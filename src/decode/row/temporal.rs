//! Dates and times as rows hold them (MySQL source, `mysys/my_time.cc`, `my_*_from_binary`).
//!
//! A fraction of a second takes one byte for every two digits, big-endian, counted in the last
//! digit that the bytes can hold: 0.5 s in a TIME(1) is the byte 50.

use crate::{
    decode::{error::ValueProblem, wire::Wire},
    model::value::{Date, DateTime, Instant},
};

/// Microseconds of the last digit of a fraction of 0 to 3 bytes.
const FRACTION_UNIT_US: [u32; 4] = [1_000_000, 10_000, 100, 1];

const US_PER_SECOND: u64 = 1_000_000;
/// MySQL's longest TIME: 838:59:59.
const TIME_HOURS_MAX: u64 = 838;

/// Bytes that hold this many digits.
pub(super) fn fraction_bytes(digits: u8) -> u8 {
    digits.div_ceil(2)
}

/// DATE: day in 5 bits, month in 4, year in 15.
#[inline]
pub(super) fn date(wire: &mut Wire<'_>) -> Result<Date, ValueProblem> {
    let packed = wire.u24()?;
    date_of(packed >> 9, packed >> 5 & 0xf, packed & 0x1f)
}

/// TIME: one integer over seconds and fraction, shifted so that it is never negative. Counted
/// from its middle, it is the time's magnitude in both directions.
#[inline]
pub(super) fn time(wire: &mut Wire<'_>, fraction_bytes: u8) -> Result<i64, ValueProblem> {
    let shift = 8 * u32::from(fraction_bytes);
    let middle = 0x80_0000_u64 << shift;
    let packed = wire.big_endian(3 + fraction_bytes)?;
    let magnitude = packed.abs_diff(middle);
    let seconds = magnitude >> shift;
    let (hours, minute, second) = (seconds >> 12, seconds >> 6 & 0x3f, seconds & 0x3f);
    if hours > TIME_HOURS_MAX || minute > 59 || second > 59 {
        return Err(ValueProblem::Range("TIME"));
    }
    let fraction_us = fraction_us(magnitude & !(u64::MAX << shift), fraction_bytes)?;
    let time_us = ((hours * 60 + minute) * 60 + second) * US_PER_SECOND + u64::from(fraction_us);
    let time_us = i64::try_from(time_us).map_err(|_| ValueProblem::Range("TIME"))?;
    Ok(if packed < middle { -time_us } else { time_us })
}

/// DATETIME: sign, year and month as one number to the base 13, day, hour, minute, second.
#[inline]
pub(super) fn date_time(wire: &mut Wire<'_>, fraction_bytes: u8) -> Result<DateTime, ValueProblem> {
    const OUT_OF_RANGE: ValueProblem = ValueProblem::Range("DATETIME");
    let packed = wire.big_endian(5)?.checked_sub(0x80_0000_0000).ok_or(OUT_OF_RANGE)?;
    let fraction = wire.big_endian(fraction_bytes)?;
    let (year_month, day) = (low_u32(packed >> 22), low_u32(packed >> 17 & 0x1f));
    let (hour, minute, second) = (packed >> 12 & 0x1f, packed >> 6 & 0x3f, packed & 0x3f);
    if hour > 23 || minute > 59 || second > 59 {
        return Err(OUT_OF_RANGE);
    }
    let fraction_us = u64::from(fraction_us(fraction, fraction_bytes)?);
    Ok(DateTime {
        date: date_of(year_month / 13, year_month % 13, day)?,
        time_us: ((hour * 60 + minute) * 60 + second) * US_PER_SECOND + fraction_us,
    })
}

/// TIMESTAMP: seconds since the epoch; zero is `0000-00-00 00:00:00`.
#[inline]
pub(super) fn timestamp(
    wire: &mut Wire<'_>,
    fraction_bytes: u8,
) -> Result<Option<Instant>, ValueProblem> {
    let seconds = u32::from_be_bytes(wire.array()?);
    let fraction = wire.big_endian(fraction_bytes)?;
    let microseconds = fraction_us(fraction, fraction_bytes)?;
    if seconds == 0 && microseconds == 0 {
        return Ok(None);
    }
    Ok(Some(Instant { seconds: i64::from(seconds), microseconds }))
}

#[inline]
fn date_of(year: u32, month: u32, day: u32) -> Result<Date, ValueProblem> {
    const OUT_OF_RANGE: ValueProblem = ValueProblem::Range("DATE");
    let date = Date {
        year: u16::try_from(year).map_err(|_| OUT_OF_RANGE)?,
        month: u8::try_from(month).map_err(|_| OUT_OF_RANGE)?,
        day: u8::try_from(day).map_err(|_| OUT_OF_RANGE)?,
    };
    if date.year > 9999 || date.month > 12 || date.day > 31 {
        return Err(OUT_OF_RANGE);
    }
    Ok(date)
}

#[inline]
fn fraction_us(fraction: u64, fraction_bytes: u8) -> Result<u32, ValueProblem> {
    const OUT_OF_RANGE: ValueProblem = ValueProblem::Range("fraction of a second");
    let unit = FRACTION_UNIT_US.get(usize::from(fraction_bytes)).ok_or(OUT_OF_RANGE)?;
    let microseconds = low_u32(fraction).checked_mul(*unit).ok_or(OUT_OF_RANGE)?;
    if microseconds > 999_999 { Err(OUT_OF_RANGE) } else { Ok(microseconds) }
}

/// The number, which all callers keep below 2^32.
#[inline]
fn low_u32(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
