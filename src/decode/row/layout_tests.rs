//! Values that no server writes.

use super::*;

/// What a column of this kind makes of these bytes.
fn read(kind: &ColumnKind, length_bytes: u8, bytes: &[u8]) -> Result<String, ValueProblem> {
    let json = JsonText::Mysql;
    let storage = Storage { length_bytes, charset: Charset::Utf8, unread: Unread::Unknown, json };
    let cell = Cell::new(kind, storage).unwrap();
    let mut scratch = String::new();
    cell.read(&mut Wire(bytes), &mut scratch).map(|value| format!("{value:?}"))
}

#[test]
fn a_value_that_its_type_does_not_have_is_refused() {
    let labels = || vec!["a".to_owned(), "b".to_owned()];
    let range = |name| Err(ValueProblem::Range(name));
    let time = ColumnKind::Time { fraction: 2 };
    let date_time = ColumnKind::DateTime { fraction: 0 };
    let cases: [(&ColumnKind, &[u8], _); 14] = [
        (&ColumnKind::Bit { width: 7 }, &[0x80], range("BIT")),
        (&ColumnKind::Bit { width: 7 }, &[0x7f], Ok("Bits(127)".to_owned())),
        (&ColumnKind::Enum(labels()), &[3], range("ENUM")),
        (&ColumnKind::Enum(labels()), &[2], Ok("Enum(2)".to_owned())),
        (&ColumnKind::Set(labels()), &[4], range("SET")),
        (&ColumnKind::Set(labels()), &[3], Ok("Set(3)".to_owned())),
        // 839 hours; 60 minutes; 60 seconds; 100 hundredths.
        (&time, &[0xb4, 0x70, 0, 0], range("TIME")),
        (&time, &[0x80, 0x0f, 0, 0], range("TIME")),
        (&time, &[0x80, 0, 0x3c, 0], range("TIME")),
        (&time, &[0x80, 0, 0, 100], range("fraction of a second")),
        // 24 hours; a year after 9999; the sign of a time before zero.
        (&date_time, &[0x99, 0xb2, 0x81, 0x80, 0], range("DATETIME")),
        (&date_time, &[0xff, 0xff, 0xc2, 0, 0], range("DATE")),
        (&date_time, &[0x19, 0xb2, 0x80, 0, 0], range("DATETIME")),
        (&ColumnKind::Date, &[0xa1, 0x01, 0x00], range("DATE")),
    ];
    for (kind, bytes, expected) in cases {
        assert_eq!(read(kind, 1, bytes), expected, "{kind:?} of {bytes:x?}");
    }
    // A group of nine digits that is not below a thousand million.
    let decimal = ColumnKind::Decimal { precision: 9, scale: 0 };
    assert_eq!(read(&decimal, 0, &[0xff, 0xff, 0xff, 0xff]), range("DECIMAL"));
    assert_eq!(read(&ColumnKind::Text, 1, &[2, 0xc3, 0x28]), Err(ValueProblem::Text("utf8mb4")));
}

#[test]
fn a_value_that_ends_early_is_refused() {
    for (kind, bytes) in [
        (ColumnKind::Text, &[5, b'a'][..]),
        (ColumnKind::Bytes, &[]),
        (ColumnKind::Int { bits: 24, unsigned: false }, &[1, 2]),
        (ColumnKind::DateTime { fraction: 6 }, &[0x99, 0xb2, 0x81, 0, 0, 1, 2]),
        (ColumnKind::Decimal { precision: 65, scale: 30 }, &[0x80; 29]),
    ] {
        assert_eq!(read(&kind, 1, bytes), Err(ValueProblem::CutShort), "{kind:?}");
    }
}
