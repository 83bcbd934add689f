//! Writes one value into one field: the frequent kinds. Other files have the rest.

mod spatial;
mod time_text;
mod uncommon;

use super::{EncodeProblem, avro, plan::ColumnPlan};
use crate::model::{
    decimal::Decimal,
    record::FieldKind,
    value::{DateTime, Instant, MICROSECONDS_PER_DAY, Value},
};

impl ColumnPlan {
    /// Appends the value as the field holds it.
    ///
    /// A date that does not exist (`0000-00-00`, `2024-00-10`) becomes null, or the epoch where
    /// the field has no null, and is counted: that is what the schema leaves room for.
    #[inline]
    pub(super) fn write(
        &self,
        out: &mut Vec<u8>,
        value: &Value<'_>,
        zero_dates: &mut u32,
    ) -> Result<(), EncodeProblem> {
        if matches!(value, Value::Null) {
            out.push(self.null.ok_or(EncodeProblem::Null)?);
            return Ok(());
        }
        if let Some(branch) = self.branch {
            out.push(branch);
        }
        match (&self.kind, value) {
            (
                FieldKind::Int16 | FieldKind::Int32 | FieldKind::Int64 | FieldKind::UnsignedInt64,
                Value::Int(number),
            ) => avro::long(out, *number),
            (
                FieldKind::Int16 | FieldKind::Int32 | FieldKind::Int64 | FieldKind::UnsignedInt64,
                Value::UnsignedInt(number),
            ) => avro::long(
                out,
                i64::try_from(*number).map_err(|_| EncodeProblem::UnsignedTooLarge)?,
            ),
            (FieldKind::Text, Value::Text(text)) | (FieldKind::Json, Value::Json(text)) => {
                avro::bytes(out, text.as_bytes());
            }
            (FieldKind::Bytes, Value::Bytes(bytes)) => avro::bytes(out, bytes),
            (FieldKind::Decimal { .. }, Value::Decimal(decimal)) => {
                avro::bytes(out, decimal.to_twos_complement(&mut [0; 32]));
            }
            (FieldKind::Decimal { .. }, Value::UnsignedInt(number)) => {
                avro::bytes(out, Decimal::from(*number).to_twos_complement(&mut [0; 32]));
            }
            (FieldKind::Float32, Value::Float(number)) => {
                out.extend_from_slice(&number.to_le_bytes());
            }
            (FieldKind::Float64, Value::Float(number)) => {
                out.extend_from_slice(&f64::from(*number).to_le_bytes());
            }
            (FieldKind::Float64, Value::Double(number)) => {
                out.extend_from_slice(&number.to_le_bytes());
            }
            (FieldKind::MicroTime, Value::Time(us)) => avro::long(out, *us),
            (FieldKind::Year, Value::Year(year)) => avro::long(out, (*year).into()),
            (FieldKind::Date | FieldKind::LogicalDate, Value::Date(date)) => {
                let days = date.days_since_epoch().map(i64::from);
                self.write_or_epoch(out, days, zero_dates)?;
            }
            (FieldKind::Timestamp | FieldKind::TimestampMillis, Value::DateTime(time)) => {
                let ms = wall_clock_us(*time).map(|us| us.div_euclid(1000));
                self.write_or_epoch(out, ms, zero_dates)?;
            }
            (
                FieldKind::MicroTimestamp | FieldKind::LocalTimestampMicros,
                Value::DateTime(time),
            ) => self.write_or_epoch(out, wall_clock_us(*time), zero_dates)?,
            (FieldKind::ZonedTimestamp { fraction }, Value::Timestamp(instant)) => {
                self.write_instant(out, *instant, *fraction, zero_dates)?;
            }
            (FieldKind::TimestampMicros, Value::Timestamp(instant)) => {
                self.write_or_epoch(out, instant.map(instant_us), zero_dates)?;
            }
            (kind, _) => {
                if uncommon::write_temporal(self, out, value, zero_dates)?.is_none() {
                    uncommon::write(out, kind, value)?;
                }
            }
        }
        Ok(())
    }

    /// Appends a date's number, or the replacement of a date that does not exist.
    #[inline]
    fn write_or_epoch(
        &self,
        out: &mut Vec<u8>,
        number: Option<i64>,
        zero_dates: &mut u32,
    ) -> Result<(), EncodeProblem> {
        if number.is_none() && self.write_null_for_zero(out, zero_dates)? {
            return Ok(());
        }
        avro::long(out, number.unwrap_or(0));
        Ok(())
    }

    fn write_instant(
        &self,
        out: &mut Vec<u8>,
        instant: Option<Instant>,
        fraction: u8,
        zero_dates: &mut u32,
    ) -> Result<(), EncodeProblem> {
        if instant.is_none() && self.write_null_for_zero(out, zero_dates)? {
            return Ok(());
        }
        let epoch = Instant { seconds: 0, microseconds: 0 };
        time_text::write_instant(out, instant.unwrap_or(epoch), fraction)
            .ok_or(EncodeProblem::TimeOutOfRange)
    }

    /// Counts a date that does not exist and turns the branch that has been written into that of
    /// null; `false` where the field has no null.
    #[cold]
    fn write_null_for_zero(
        &self,
        out: &mut Vec<u8>,
        zero_dates: &mut u32,
    ) -> Result<bool, EncodeProblem> {
        if self.refuses_zero_dates {
            return Err(EncodeProblem::ZeroDate);
        }
        *zero_dates = zero_dates.saturating_add(1);
        self.warn_of_zero_date();
        let Some(null) = self.null else { return Ok(false) };
        out.pop();
        out.push(null);
        Ok(true)
    }
}

/// A wall clock read as UTC, in microseconds since 1970; `None` for a date that does not exist.
#[inline]
fn wall_clock_us(time: DateTime) -> Option<i64> {
    let days = i64::from(time.date.days_since_epoch()?);
    Some(days * MICROSECONDS_PER_DAY + i64::try_from(time.time_us).ok()?)
}

/// An instant in microseconds since 1970. Seconds of 32 bits, as TIMESTAMP has them, fit; others
/// end at the last that does.
#[inline]
fn instant_us(instant: Instant) -> i64 {
    instant.seconds.saturating_mul(1_000_000).saturating_add(instant.microseconds.into())
}
