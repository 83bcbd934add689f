//! Formats that drop a part of a key's value, so that several rows share one record key.

use crate::model::{
    record::FieldKind,
    table::{Column, ColumnKind, TableName},
};

/// Decimal digits that a double always keeps (IEEE 754 binary64).
const DOUBLE_DIGITS: u8 = 15;

/// Digits of a second in milliseconds.
const MILLISECOND_DIGITS: u8 = 3;

/// Warns of a key column whose field cannot hold each of its values.
pub(super) fn warn_of_lossy_key(table: &TableName, column: &Column, field: &FieldKind) {
    let Some(option) = lossy_option(&column.kind, field) else { return };
    tracing::warn!(
        %table, column = column.name,
        "`[format] {option}` shortens a column of the key: rows whose keys differ only in the part \
         that it drops share one record key, so consumers see them as one row; choose another \
         value of this option"
    );
}

/// The option under which `field` is shorter than the column; `None` where it is not.
fn lossy_option(kind: &ColumnKind, field: &FieldKind) -> Option<&'static str> {
    match (kind, field) {
        (&ColumnKind::Decimal { precision, .. }, FieldKind::DecimalDouble { .. }) => {
            (DOUBLE_DIGITS < precision).then_some("decimal = \"double\"")
        }
        (
            &(ColumnKind::Time { fraction } | ColumnKind::DateTime { fraction }),
            FieldKind::TimeMillis | FieldKind::TimestampMillis,
        ) => (MILLISECOND_DIGITS < fraction).then_some("time = \"connect\""),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::lossy_option;
    use crate::{
        config::{DecimalMode, Format, TimeMode},
        map::types::field_kind,
        model::table::{ColumnDecoration, ColumnKind},
    };

    #[test]
    fn an_option_is_named_where_it_shortens_and_only_there() {
        let long = Format { decimal: DecimalMode::Precise, ..Format::default() };
        let short =
            Format { decimal: DecimalMode::Double, time: TimeMode::Connect, ..Format::default() };
        for (kind, expected) in [
            (ColumnKind::Decimal { precision: 15, scale: 2 }, None),
            (ColumnKind::Decimal { precision: 16, scale: 2 }, Some("decimal = \"double\"")),
            (ColumnKind::DateTime { fraction: 3 }, None),
            (ColumnKind::DateTime { fraction: 4 }, Some("time = \"connect\"")),
            (ColumnKind::Time { fraction: 6 }, Some("time = \"connect\"")),
            (ColumnKind::Timestamp { fraction: 6 }, None),
            (ColumnKind::Double, None),
        ] {
            let found = |format: &Format| {
                let field = field_kind(&kind, &ColumnDecoration::default(), format, "k").unwrap();
                lossy_option(&kind, &field)
            };
            assert_eq!(found(&long), None, "{kind:?}");
            assert_eq!(found(&short), expected, "{kind:?}");
        }
    }
}
