//! JSON documents: from the text that SELECT prints to the compact text that the stream delivers.
//!
//! They differ in the space after `,` and `:`, and in values that JSON has no type for: SELECT
//! prints bytes as `"base64:type252:…"` and times with six digits of a fraction, the compact text
//! has plain base64 and no zeros at a fraction's end. A string that only looks like such a value
//! must stay as it is. The text does not distinguish the two, so the same statement selects the
//! places of strings that look so: see [`strings_that_look_special`].

use std::collections::BTreeSet;

/// The place of a document that is one scalar value.
const SCALAR: i64 = 0;

/// The expression selected with a JSON column: the places of strings that look like other values,
/// as an array of numbers; NULL where no string looks so, which is nearly always.
///
/// A place is a number among all elements of arrays in the document, counted from 1, or the
/// negative number among all members of objects. MySQL takes the arrays, and the objects, in the
/// order in which the text opens them, and all values of one before those of the next
/// (`Json_dom::seek` in MySQL's source).
///
/// Only where some string looks so are all values listed, which takes time in proportion to the
/// document. JSON_SEARCH for all of them would sort each path into those found before it: its time
/// grows with the square (2.4 s for 40,000 strings, JSON_TABLE 0.1 s).
pub(super) fn strings_that_look_special(column: &str) -> String {
    const PATTERNS: [&str; 2] = ["base64:type%", "%:__.______"];
    let value = "COALESCE(element, member)";
    let is_none = PATTERNS.map(|it| format!("JSON_SEARCH({column}, 'one', '{it}') IS NULL"));
    let is_like = PATTERNS.map(|it| format!("JSON_UNQUOTE({value}) LIKE '{it}'"));
    format!(
        "CASE WHEN {} THEN NULL WHEN JSON_TYPE({column}) = 'STRING' THEN JSON_ARRAY({SCALAR}) \
         ELSE (SELECT JSON_ARRAYAGG(CAST(COALESCE(e, -m) AS SIGNED)) FROM JSON_TABLE({column}, '$' \
         COLUMNS (NESTED PATH '$**[*]' COLUMNS (e FOR ORDINALITY, element JSON PATH '$'), \
         NESTED PATH '$**.*' COLUMNS (m FOR ORDINALITY, member JSON PATH '$'))) AS found \
         WHERE JSON_TYPE({value}) = 'STRING' AND ({})) END",
        is_none.join(" AND "),
        is_like.join(" OR ")
    )
}

/// The places in an answer.
pub(super) fn places(answer: &[u8]) -> Option<BTreeSet<i64>> {
    serde_json::from_slice(answer).ok()
}

/// The text before a string's closing quote, and the text after it.
fn split_string(text: &str) -> (&str, &str) {
    let mut is_escaped = false;
    let end = text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    });
    let (string, rest) = text.split_at(end.unwrap_or(text.len()));
    (string, rest.get(1..).unwrap_or_default())
}

/// An array or an object that is open: the place of its value that is read, and what is added for
/// the next value.
#[derive(Clone, Copy, Debug)]
struct OpenContainer {
    place: i64,
    step: i64,
}

/// What ends plain text: what a document's structure is made of, and quotes.
const MARKS: [char; 8] = ['{', '[', '}', ']', ',', ':', ' ', '"'];

/// Appends the document in its compact form. `strings` are the places of strings that look like
/// other values and are none.
pub(super) fn compact(text: &str, strings: &BTreeSet<i64>, out: &mut String) {
    let containers = if strings.is_empty() { Vec::new() } else { containers(text) };
    let mut containers = containers.into_iter();
    let mut opened: Vec<OpenContainer> = Vec::new();
    let mut is_key = false;
    let mut rest = text;
    while let Some(at) = rest.find(MARKS) {
        let (plain, tail) = rest.split_at(at);
        out.push_str(plain);
        let mut characters = tail.chars();
        let mark = characters.next().unwrap_or(' ');
        rest = characters.as_str();
        match mark {
            ' ' => continue,
            '"' => {
                let (string, after) = split_string(rest);
                rest = after;
                out.push('"');
                if is_key {
                    out.push_str(string);
                } else {
                    let place = opened.last().map_or(SCALAR, |it| it.place);
                    push_string(string, || strings.contains(&place), out);
                }
            }
            '{' | '[' => opened.push(containers.next().unwrap_or(first_of(mark))),
            '}' | ']' => drop(opened.pop()),
            ',' => {
                if let Some(container) = opened.last_mut() {
                    container.place += container.step;
                }
            }
            _ => {}
        }
        match mark {
            '"' => {}
            ':' => is_key = false,
            _ => is_key = opened.last().is_some_and(|it| it.step < 0),
        }
        out.push(mark);
    }
    out.push_str(rest);
}

/// All arrays and objects of a document as they are when they open.
fn containers(text: &str) -> Vec<OpenContainer> {
    // While the text is read, `place` is the number of values.
    let mut all: Vec<OpenContainer> = Vec::new();
    let mut opened = Vec::new();
    let mut rest = text;
    while let Some((_, tail)) = rest.find(MARKS).and_then(|at| rest.split_at_checked(at)) {
        let mut characters = tail.chars();
        let mark = characters.next().unwrap_or(' ');
        rest = characters.as_str();
        match mark {
            '"' => rest = split_string(rest).1,
            '{' | '[' => {
                let is_empty = rest.trim_start().starts_with(['}', ']']);
                opened.push(all.len());
                all.push(OpenContainer { place: i64::from(!is_empty), ..first_of(mark) });
            }
            '}' | ']' => drop(opened.pop()),
            ',' => {
                if let Some(container) = opened.last().and_then(|&at| all.get_mut(at)) {
                    container.place += 1;
                }
            }
            _ => {}
        }
    }
    let (mut array, mut object) = (first_of('['), first_of('{'));
    for container in &mut all {
        let next = if container.step < 0 { &mut object } else { &mut array };
        let count = std::mem::replace(&mut container.place, next.place);
        next.place += next.step * count;
    }
    all
}

/// The first container that opens with this mark.
fn first_of(mark: char) -> OpenContainer {
    let step = if mark == '{' { -1 } else { 1 };
    OpenContainer { place: step, step }
}

/// Appends a string, or what the compact form has for the value that is printed so.
fn push_string(text: &str, is_string: impl Fn() -> bool, out: &mut String) {
    if let Some(base64) = after_type(text) {
        if !is_string() {
            return out.extend(base64.split("\\n"));
        }
    } else if is_time(text) && !is_string() {
        return out.push_str(text.trim_end_matches('0').trim_end_matches('.'));
    }
    out.push_str(text);
}

/// The bytes of `base64:type252:AAEC`.
fn after_type(text: &str) -> Option<&str> {
    let (number, base64) = text.strip_prefix("base64:type")?.split_once(':')?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(base64)
}

/// Whether it looks like a TIME that is not negative, or a DATETIME: it ends in `:05.678000`.
fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let end = bytes.len().checked_sub(10).and_then(|start| bytes.get(start..));
    let has_fraction = |end: &[u8]| {
        let is_digit = |at: usize| end.get(at).is_some_and(u8::is_ascii_digit);
        end.first() == Some(&b':')
            && end.get(3) == Some(&b'.')
            && [1, 2, 4, 5, 6, 7, 8, 9].into_iter().all(is_digit)
    };
    let starts = bytes.first().is_some_and(u8::is_ascii_digit);
    starts && end.is_some_and(has_fraction)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{compact, places};

    fn check(text: &str, strings: &[u8], expected: &str) {
        let strings =
            if strings.is_empty() { BTreeSet::new() } else { places(strings).expect("places") };
        let mut out = String::new();
        compact(text, &strings, &mut out);
        assert_eq!(out, expected);
    }

    #[test]
    fn space_goes_outside_of_strings_only() {
        let text = r#"{"a b": [1, -2.5, null, "x, y: \" [z"], "": {}, "q\\": "\\\""}"#;
        check(text, b"", r#"{"a b":[1,-2.5,null,"x, y: \" [z"],"":{},"q\\":"\\\""}"#);
        check("\"a  b\"", b"", "\"a  b\"");
        check("17", b"", "17");
    }

    #[test]
    fn values_without_a_type_have_the_form_of_the_stream() {
        let text = r#"["base64:type252:AAEC\nAw==", "12:34:56.780000", "-01:02:03.400000", "2024-01-02 03:04:05.000000", "2024-01-02"]"#;
        let expected =
            r#"["AAECAw==","12:34:56.78","-01:02:03.400000","2024-01-02 03:04:05","2024-01-02"]"#;
        check(text, b"", expected);
    }

    #[test]
    fn strings_that_look_like_them_stay() {
        let text = r#"{"a": {"b c": ["x", "base64:type252:AAEC", "base64:type252:AAEC"]}, "t": "12:34:56.000000", "u": "12:34:56.000000"}"#;
        let expected = r#"{"a":{"b c":["x","AAEC","base64:type252:AAEC"]},"t":"12:34:56.000000","u":"12:34:56"}"#;
        check(text, b"[3, -2]", expected);
        check("\"12:34:56.000000\"", b"[0]", "\"12:34:56.000000\"");
    }

    #[test]
    fn the_values_of_one_array_are_counted_before_those_inside_them() {
        let text = r#"[[], [[{}, "1:00:00.000000"], "2:00:00.000000"], {"k": ["3:00:00.000000"], "12:34:56.000000": "4:00:00.000000"}, "5:00:00.000000"]"#;
        let all = r#"[[],[[{},"1:00:00"],"2:00:00"],{"k":["3:00:00"],"12:34:56.000000":"4:00:00"},"5:00:00"]"#;
        check(text, b"", all);
        for (place, hour) in [(8, 1), (6, 2), (9, 3), (-2, 4), (4, 5)] {
            let (time, string) = (format!("\"{hour}:00:00\""), format!("\"{hour}:00:00.000000\""));
            check(text, format!("[{place}]").as_bytes(), &all.replace(&time, &string));
        }
    }

    #[test]
    fn a_document_of_a_million_strings_takes_no_longer_for_each_of_them() {
        let times: Vec<String> = (0..1_000_000).map(|_| "\"12:34:56.000000\"".to_owned()).collect();
        let text = format!("[{}]", times.join(", "));
        let places: Vec<String> = (1..=1_000_000).map(|place: u32| place.to_string()).collect();
        let strings = format!("[{}]", places.join(", "));
        check(&text, strings.as_bytes(), &format!("[{}]", times.join(",")));
    }
}
