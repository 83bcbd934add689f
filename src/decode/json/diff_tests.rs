//! Changes of documents: recorded ones against the server's own images, made-up ones against what
//! they should give.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::write_changed;
use crate::{
    decode::{
        Decoded, JsonText,
        error::ValueProblem,
        event::event_type::{PARTIAL_UPDATE_ROWS, UPDATE_ROWS},
        recorded::{decoder, events, lines, recording},
    },
    model::{change::Operation, value::RowImages as _},
};

/// A document of the server's making: `{"a": [1, "x", true], "b": {"k": null}, "cc": 7}`.
const DOCUMENT: &[u8] = b"\0\x03\0\x3d\0\
    \x19\0\x01\0\x1a\0\x01\0\x1b\0\x02\0\x02\x1d\0\0\x2c\0\x05\x07\0abcc\
    \x03\0\x0f\0\x05\x01\0\x0c\x0d\0\x04\x01\0\x01x\
    \x01\0\x0c\0\x0b\0\x01\0\x04\0\0k\0\0\0\0\0";

/// Changes as the server writes them: kind, path and, but for a removal, value.
fn changes(list: &[(u8, &str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, path, value) in list {
        bytes.push(*kind);
        bytes.push(u8::try_from(path.len()).unwrap());
        bytes.extend(path.as_bytes());
        if *kind != 2 {
            bytes.push(u8::try_from(value.len()).unwrap());
            bytes.extend(*value);
        }
    }
    bytes
}

fn changed(list: &[(u8, &str, &[u8])]) -> Result<String, ValueProblem> {
    let mut out = String::new();
    write_changed(DOCUMENT, &changes(list), JsonText::Mysql, &mut out).map(|()| out)
}

/// The number 9 and an empty array.
const NINE: &[u8] = b"\x05\x09\0";
const EMPTY: &[u8] = b"\x02\0\0\x04\0";

#[test]
fn each_kind_of_change_does_what_its_function_does() {
    for (list, expected) in [
        (&[][..], r#"{"a": [1, "x", true], "b": {"k": null}, "cc": 7}"#),
        (&[(0, "$.a[1]", NINE)], r#"{"a": [1, 9, true], "b": {"k": null}, "cc": 7}"#),
        (&[(0, "$.a", NINE)], r#"{"a": 9, "b": {"k": null}, "cc": 7}"#),
        (&[(1, "$.a[1]", NINE)], r#"{"a": [1, 9, "x", true], "b": {"k": null}, "cc": 7}"#),
        (&[(1, "$.a[77]", NINE)], r#"{"a": [1, "x", true, 9], "b": {"k": null}, "cc": 7}"#),
        (&[(1, "$.b.j", NINE)], r#"{"a": [1, "x", true], "b": {"j": 9, "k": null}, "cc": 7}"#),
        (
            &[(1, r#"$."\"b\"""#, NINE)],
            r#"{"a": [1, "x", true], "b": {"k": null}, "cc": 7, "\"b\"": 9}"#,
        ),
        (&[(2, "$.a[0]", b"")], r#"{"a": ["x", true], "b": {"k": null}, "cc": 7}"#),
        (&[(2, "$.b", b"")], r#"{"a": [1, "x", true], "cc": 7}"#),
        (
            &[(1, "$.c", EMPTY), (1, "$.c[0]", NINE), (1, "$.c[0]", EMPTY), (2, "$.cc", b"")],
            r#"{"a": [1, "x", true], "b": {"k": null}, "c": [[], 9]}"#,
        ),
        (
            &[(2, "$.a[2]", b""), (2, "$.a[1]", b""), (2, "$.a[0]", b""), (1, "$.a[0]", NINE)],
            r#"{"a": [9], "b": {"k": null}, "cc": 7}"#,
        ),
        (
            &[(2, "$.b", b""), (1, "$.b", EMPTY), (0, "$.b", NINE), (1, "$.\"\"", NINE)],
            r#"{"": 9, "a": [1, "x", true], "b": 9, "cc": 7}"#,
        ),
    ] {
        assert_eq!(changed(list).as_deref(), Ok(expected), "{list:?}");
    }
}

#[test]
fn a_change_that_does_not_fit_is_refused() {
    for list in [
        (0, "$", NINE),
        (0, "", NINE),
        (0, "$.nothing", NINE),
        (0, "$.a.b", NINE),
        (0, "$.a[3]", NINE),
        (0, "$.b[0]", NINE),
        (0, "$.cc.c", NINE),
        (0, "$.nothing.c", NINE),
        (0, "$.a[x]", NINE),
        (0, "$.a[1", NINE),
        (0, "$.\"a", NINE),
        (0, "$.\"\\q\"", NINE),
        (0, "$a", NINE),
        (1, "$.b", NINE),
        (1, "$.cc[0]", NINE),
        (1, "$.a.b", NINE),
        (2, "$.nothing", b""),
        (2, "$.a[3]", b""),
        (2, "$", b""),
    ] {
        assert_eq!(changed(&[list]), Err(super::OTHER_DOCUMENT), "{list:?}");
    }
    assert_eq!(changed(&[(3, "$.a", NINE)]), Err(ValueProblem::Json("an unknown kind of change")));
    assert_eq!(changed(&[(0, "$.a", b"")]), Err(ValueProblem::CutShort));
    // What was removed cannot be changed.
    let twice = [(2, "$.b", &b""[..]), (0, "$.b", NINE)];
    assert_eq!(changed(&twice), Err(super::OTHER_DOCUMENT));
}

#[test]
fn recorded_changes_give_the_rows_that_the_server_had_next() {
    let events = events(recording("partial"));
    let kinds =
        |kind| events.iter().filter(|event| event.header().event_type_raw() == kind).count();
    assert!(kinds(PARTIAL_UPDATE_ROWS) >= 20);
    assert_eq!(kinds(UPDATE_ROWS), 0);
    let mut decoder = decoder(&[]);
    // By id: the row as the last event left it.
    let mut rows_by_id = BTreeMap::<String, String>::new();
    let (mut compared, mut copied) = (0, 0);
    for event in &events {
        let Decoded::Rows(mut rows) = decoder.decode(event).unwrap() else { continue };
        let is_copy = rows.table.name.table == "final";
        for images in lines(&mut rows).unwrap() {
            let id = images[0].split_once('\t').unwrap().0.to_owned();
            match rows.operation {
                Operation::Insert if is_copy => {
                    copied += 1;
                    assert_eq!(rows_by_id[&id], images[0]);
                }
                Operation::Insert => {
                    rows_by_id.insert(id, images[0].clone());
                }
                _ => {
                    compared += 1;
                    assert_eq!(rows_by_id[&id], images[0]);
                    rows_by_id.insert(id, images[1].clone());
                }
            }
        }
    }
    assert_eq!(copied, 3);
    assert!(compared > 25, "{compared}");
}

#[test]
fn documents_that_are_not_needed_are_skipped() {
    let names = |want_documents: bool| {
        let mut decoder = decoder(&["final"]);
        let mut names = Vec::new();
        for event in events(recording("partial")) {
            let Decoded::Rows(mut rows) = decoder.decode(&event).unwrap() else { continue };
            while rows.images.more() {
                let images = if rows.operation == Operation::Update { 2 } else { 1 };
                for _ in 0..images {
                    rows.images.next_image().unwrap();
                    for column in &rows.table.columns {
                        // Every other document is gone over, so that each of the others must
                        // still find the one that it changes.
                        if column.name == "name" || (want_documents && column.name == "k") {
                            names.push(format!("{:?}", rows.images.next_value().unwrap()));
                        } else {
                            rows.images.skip_value().unwrap();
                        }
                    }
                }
            }
        }
        names
    };
    let (without, with) = (names(false), names(true));
    assert!(without.len() > 50);
    assert_eq!(with.len(), 2 * without.len());
    assert!(with.iter().step_by(2).eq(&without));
    assert!(without.iter().any(|name| name == "Text(\"m alone\")"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn damaged_changes_are_a_document_or_an_error(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        of_document in any::<bool>(),
    ) {
        let mut parts = [
            DOCUMENT.to_vec(),
            changes(&[
                (1, "$.a[1]", NINE), (0, "$.b.k", EMPTY), (1, "$.\"x y\"", EMPTY),
                (2, "$.a[0]", b""), (0, "$.a[0]", DOCUMENT), (2, "$.cc", b""),
            ]),
        ];
        let part = &mut parts[usize::from(!of_document)];
        for (at, byte) in damage {
            let at = at.index(part.len());
            part[at] = byte;
        }
        part.truncate(cut.index(part.len()) + 1);
        let mut out = String::new();
        if write_changed(&parts[0], &parts[1], JsonText::Compact, &mut out).is_ok() {
            prop_assert!(out.len() <= 12 * (parts[0].len() + parts[1].len()) + 64);
        }
    }
}
