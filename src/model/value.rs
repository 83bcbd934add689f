//! One column's value, borrowed from its row image.
//!
//! A value is what MySQL stored. How a record shows it is not decided here: the plan decides
//! whether a DATETIME becomes milliseconds or microseconds.

use super::decimal::Decimal;

/// Microseconds in a day without leap second.
pub const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;

/// One column's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// SQL NULL.
    Null,
    /// TINYINT to BIGINT, signed.
    Int(i64),
    /// TINYINT to BIGINT, UNSIGNED.
    UnsignedInt(u64),
    /// FLOAT.
    Float(f32),
    /// DOUBLE.
    Double(f64),
    /// DECIMAL: the digits as one integer, the column's scale says where the point is.
    Decimal(Decimal),
    /// BIT(n): the bits as one number.
    Bits(u64),
    /// YEAR: 0 or 1901 to 2155.
    Year(u16),
    /// DATE.
    Date(Date),
    /// TIME, in microseconds, negative or over 24 hours too.
    Time(i64),
    /// DATETIME: wall clock without a zone.
    DateTime(DateTime),
    /// TIMESTAMP: an instant; `None` for `0000-00-00 00:00:00`.
    Timestamp(Option<Instant>),
    /// CHAR, VARCHAR and TEXT, decoded from the column's character set.
    Text(&'a str),
    /// BINARY, VARBINARY and BLOB. A BINARY(n) is as the binlog has it, without trailing zeros.
    Bytes(&'a [u8]),
    /// ENUM: 1 for the first label, 0 for MySQL's error value `''`.
    Enum(u16),
    /// SET: bit 0 for the first label.
    Set(u64),
    /// JSON, as text in the form of `format.json`: values of a document that JSON lacks (decimals,
    /// dates, bytes) exist only in the text.
    Json(&'a str),
    /// GEOMETRY and its subtypes.
    Geometry(Geometry<'a>),
    /// VECTOR: little-endian IEEE 754 singles, four bytes each.
    Vector(&'a [u8]),
}

/// A calendar date as MySQL stores it: parts can be zero (`0000-00-00`, `2024-00-10`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// 0 to 9999.
    pub year: u16,
    /// 0 to 12.
    pub month: u8,
    /// 0 to 31.
    pub day: u8,
}

/// A date and a time of day, without a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// The date.
    pub date: Date,
    /// Microseconds since midnight, below 86,400,000,000.
    pub time_us: u64,
}

/// An instant on the UTC time line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instant {
    /// Seconds since 1970-01-01 00:00:00 UTC.
    pub seconds: i64,
    /// Microseconds within the second, below 1,000,000.
    pub microseconds: u32,
}

/// A geometry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry<'a> {
    /// Number of the spatial reference system; 0 for none.
    pub srid: u32,
    /// Well-known binary (OGC 06-103r4, section 8), as MySQL stores it.
    pub wkb: &'a [u8],
}

/// A row event's rows, read one value after another without building anything per row.
///
/// `decode` walks row images, a snapshot walks result rows; `encode` pulls from either. The order
/// of calls is fixed: `next_image`, then `next_value` or `skip_value` once for each column of the
/// table in table order; for an update first the before image, then the after image.
pub trait RowImages {
    /// What is wrong with the bytes.
    type Error;

    /// Goes to the next image. The one before must have been read to its end.
    fn next_image(&mut self) -> Result<(), Self::Error>;

    /// The next column's value in the current image.
    fn next_value(&mut self) -> Result<Value<'_>, Self::Error>;

    /// Skips the next column's value, which is not needed: nothing in it can be an error.
    fn skip_value(&mut self) -> Result<(), Self::Error>;
}

impl Date {
    /// Days since 1970-01-01 in the proleptic Gregorian calendar, or `None` if a part is zero or
    /// the date does not exist.
    ///
    /// The arithmetic counts years from March, so that the leap day is a year's last.
    pub fn days_since_epoch(self) -> Option<i32> {
        let (year, month, day) = (u32::from(self.year), u32::from(self.month), u32::from(self.day));
        if month == 0 || day == 0 || year == 0 || day > days_in_month(year, month) {
            return None;
        }
        let shifted = if month <= 2 { year - 1 } else { year };
        let (era, year_of_era) = (shifted / 400, shifted % 400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        i32::try_from(era * 146_097 + day_of_era).ok()?.checked_sub(719_468)
    }

    /// The date that many days after 1970-01-01; `None` outside the years 0 to 9999.
    pub fn from_days_since_epoch(days: i64) -> Option<Self> {
        // Counted from a March four centuries before the year 0, so that nothing is negative.
        let shifted = u32::try_from(days.checked_add(719_468 + 146_097)?).ok()?;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = (year_of_era + era * 400 + u32::from(month <= 2)).checked_sub(400)?;
        if year > 9999 {
            return None;
        }
        Some(Self {
            year: u16::try_from(year).ok()?,
            month: u8::try_from(month).ok()?,
            day: u8::try_from(day).ok()?,
        })
    }
}

fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        1..=12 => 31,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::Date;

    #[test]
    fn every_day_of_ten_thousand_years_goes_there_and_back() {
        let mut expected = Date { year: 1, month: 1, day: 1 }.days_since_epoch().unwrap();
        assert_eq!(expected, -719_162);
        for year in 1..=9999 {
            for month in 1..=12 {
                for day in 1..=31 {
                    let date = Date { year, month, day };
                    let Some(days) = date.days_since_epoch() else { continue };
                    assert_eq!(days, expected);
                    assert_eq!(Date::from_days_since_epoch(i64::from(days)), Some(date));
                    expected += 1;
                }
            }
        }
        assert_eq!(Date { year: 1970, month: 1, day: 1 }.days_since_epoch(), Some(0));
    }

    #[test]
    fn a_date_with_a_zero_part_has_no_day_number() {
        for (year, month, day) in [(0, 0, 0), (2024, 0, 10), (2024, 2, 30), (2023, 2, 29)] {
            assert_eq!(Date { year, month, day }.days_since_epoch(), None);
        }
    }
}
