//! Why a row cannot be encoded.

use thiserror::Error;

use crate::error::{Explain, Explanation, Reason, Verdict};

/// Why a row cannot be encoded: what reads it failed, or a value has no place in its field.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum EncodeError<E> {
    /// The row's bytes are wrong, as their reader says.
    #[error(transparent)]
    Images(E),
    /// A value cannot be what its field holds.
    #[error("the column {table}.{column} {problem}")]
    Value {
        /// The table, with its database.
        table: String,
        /// The column.
        column: String,
        /// What is wrong with the value. Messages never show the value itself.
        problem: EncodeProblem,
    },
}

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum EncodeProblem {
    /// A NOT NULL column holds NULL.
    #[error("is NOT NULL and holds NULL")]
    Null,
    /// A BIGINT UNSIGNED that 64 signed bits cannot hold.
    #[error("holds a number above 2^63 - 1, which the field's 64 signed bits cannot hold")]
    UnsignedTooLarge,
    /// An ENUM's number without a label.
    #[error("holds an ENUM number for which the table has no label")]
    EnumWithoutLabel,
    /// A SET's bit without a label.
    #[error("holds a SET bit for which the table has no label")]
    SetWithoutLabel,
    /// An instant outside the years 0 to 9999.
    #[error("holds a time outside the years 0 to 9999")]
    TimeOutOfRange,
    /// A POINT column holds another geometry, or bytes that are none.
    #[error("is a POINT and holds another geometry")]
    NotAPoint,
    /// A spatial reference system's number that 32 signed bits cannot hold.
    #[error("holds a geometry whose SRID is above 2^31 - 1, which the field cannot hold")]
    SridTooLarge,
    /// Bytes that are no geometry.
    #[error("is a geometry and holds bytes that are not one")]
    NotAGeometry,
    /// Another spatial reference system than the column demands.
    #[error("holds a geometry with another SRID than the column requires")]
    OtherSrid,
    /// A TIME that is a duration, where the field holds a time of day.
    #[error("holds a TIME outside of a day, which the field cannot hold")]
    NotATimeOfDay,
    /// A date that does not exist, and the configuration refuses it.
    #[error("holds a date that does not exist, such as 0000-00-00")]
    ZeroDate,
    /// MySQL's error value of an ENUM, where the field is an Avro enum.
    #[error("holds the ENUM error value '' (number 0), which is not a symbol of the field's enum")]
    EnumErrorValue,
    /// A VECTOR whose bytes are not four for each number.
    #[error("holds a VECTOR whose last number is cut short")]
    VectorCutShort,
    /// A value of another type than the table version says.
    #[error("holds a value of another type than the column")]
    OtherType,
}

impl<E: Explain> Explain for EncodeError<E> {
    fn explain(&self) -> Explanation {
        match self {
            Self::Images(error) => error.explain(),
            Self::Value { table, column, problem } => problem.explain(table, column),
        }
    }
}

impl EncodeProblem {
    fn explain(self, table: &str, column: &str) -> Explanation {
        let leave_out =
            format!("Leave it out: `[capture] exclude_columns = [\"{table}.{column}\"]`.");
        let halt = |reason, hint| Explanation::new(Verdict::Halt, reason, hint);
        let or_leave_out = |hint: &str| format!("{hint} {leave_out}");
        match self {
            Self::UnsignedTooLarge => {
                let hint = "Set `format.unsigned_bigint = \"precise\"` to deliver BIGINT UNSIGNED \
                            as a decimal.";
                halt(Reason::UnsignedBigintTooLarge, or_leave_out(hint))
            }
            Self::Null => halt(Reason::NullInNotNullColumn, String::new()),
            Self::EnumWithoutLabel => halt(Reason::EnumLabelUnknown, String::new()),
            Self::SetWithoutLabel => halt(Reason::SetLabelUnknown, String::new()),
            Self::TimeOutOfRange => halt(Reason::TimeOutOfRange, leave_out),
            Self::NotAPoint => halt(Reason::GeometryIsNoPoint, leave_out),
            Self::SridTooLarge => halt(Reason::SridTooLarge, leave_out),
            Self::NotAGeometry => halt(Reason::GeometryMalformed, leave_out),
            Self::OtherSrid => halt(Reason::SridUnexpected, leave_out),
            Self::NotATimeOfDay => {
                let hint = "Change `format.time`: `adaptive` and `microseconds` hold durations \
                            with the envelope `debezium`, `isostring` (as text) with `flat`.";
                halt(Reason::TimeNotOfDay, or_leave_out(hint))
            }
            Self::ZeroDate => {
                let hint = "Set `format.zero_dates = \"debezium\"` to deliver such dates as null, \
                            or as 1970 where the column is NOT NULL.";
                halt(Reason::ZeroDate, or_leave_out(hint))
            }
            Self::EnumErrorValue => {
                let hint =
                    "Set `format.envelope = \"debezium\"`, which delivers it as an empty text.";
                halt(Reason::EnumErrorValue, or_leave_out(hint))
            }
            Self::VectorCutShort => halt(Reason::VectorCutShort, leave_out),
            Self::OtherType => Explanation::new(Verdict::Bug, Reason::ValueTypeMismatch, ""),
        }
    }
}
