//! JSON documents: from the text that SELECT prints to the compact text that the stream delivers.
//!
//! They differ in the space after `,` and `:`, and in values that JSON has no type for: SELECT
//! prints bytes as `"base64:type252:…"` and times with six digits of a fraction, the compact text
//! has plain base64 and no zeros at a fraction's end. A string that only looks like such a value
//! must stay as it is. The text does not tell the two apart, so the server is asked in the same
//! statement where strings stand that look so: see [`strings_that_look_special`].

use std::collections::BTreeSet;

/// What is asked beside a JSON column: the paths of strings that look like other values. JSON_SEARCH
/// finds strings only (MySQL source, `sql/item_json_func.cc`, `find_matches`).
pub(super) fn strings_that_look_special(column: &str) -> [String; 2] {
    ["base64:type%", "%:__.______"]
        .map(|pattern| format!("JSON_SEARCH({column}, 'all', '{pattern}')"))
}

/// The paths in an answer of JSON_SEARCH: a path or an array of paths, as JSON.
pub(super) fn paths(answer: &[u8]) -> Option<BTreeSet<String>> {
    let found: Vec<String> = match answer.first() {
        Some(b'[') => serde_json::from_slice(answer).ok()?,
        _ => vec![serde_json::from_slice(answer).ok()?],
    };
    Some(found.iter().map(|path| with_quotes(path)).collect())
}

/// The path with every key in quotes; the server leaves them out where it can.
fn with_quotes(path: &str) -> String {
    let mut out = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('.') {
        out.push_str(before);
        out.push_str(".\"");
        let (key, left) = match after.strip_prefix('"') {
            Some(quoted) => split_string(quoted),
            None => after.split_at(after.find(['.', '[']).unwrap_or(after.len())),
        };
        out.push_str(key);
        out.push('"');
        rest = left;
    }
    out.push_str(rest);
    out
}

/// What stands in front of a string's closing quote, and behind it.
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

/// Where a value stands in its container.
#[derive(Debug)]
enum Leg<'a> {
    Key(&'a str),
    Index(usize),
}

/// Appends the document in its compact form. `strings` are the paths of strings that look like
/// other values and are none.
pub(super) fn compact(text: &str, strings: &BTreeSet<String>, out: &mut String) {
    let mut legs: Vec<Leg<'_>> = Vec::new();
    let mut is_key = false;
    let mut rest = text;
    while let Some(at) = rest.find(['{', '[', '}', ']', ',', ':', ' ', '"']) {
        let (plain, tail) = rest.split_at(at);
        out.push_str(plain);
        let mut characters = tail.chars();
        let character = characters.next().unwrap_or(' ');
        rest = characters.as_str();
        match character {
            ' ' => continue,
            '"' => {
                let (string, after) = split_string(rest);
                rest = after;
                out.push('"');
                match legs.last_mut() {
                    Some(Leg::Key(key)) if is_key => {
                        *key = string;
                        out.push_str(string);
                    }
                    _ => push_string(string, &legs, strings, out),
                }
            }
            '{' => legs.push(Leg::Key("")),
            '[' => legs.push(Leg::Index(0)),
            '}' | ']' => drop(legs.pop()),
            ',' => {
                if let Some(Leg::Index(index)) = legs.last_mut() {
                    *index += 1;
                }
            }
            _ => {}
        }
        match character {
            '"' => {}
            ':' => is_key = false,
            _ => is_key = matches!(legs.last(), Some(Leg::Key(_))),
        }
        out.push(character);
    }
    out.push_str(rest);
}

/// Appends a string, or what the compact form has for the value that is printed so.
fn push_string(text: &str, legs: &[Leg<'_>], strings: &BTreeSet<String>, out: &mut String) {
    let is_string = || !strings.is_empty() && strings.contains(&path(legs));
    if let Some(base64) = after_type(text) {
        if !is_string() {
            return out.extend(base64.split("\\n"));
        }
    } else if is_time(text) && !is_string() {
        return out.push_str(text.trim_end_matches('0').trim_end_matches('.'));
    }
    out.push_str(text);
}

fn path(legs: &[Leg<'_>]) -> String {
    legs.iter().fold("$".to_owned(), |path, leg| match leg {
        Leg::Key(key) => format!("{path}.\"{key}\""),
        Leg::Index(index) => format!("{path}[{index}]"),
    })
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

    use super::{compact, paths};

    fn check(text: &str, strings: &[u8], expected: &str) {
        let strings =
            if strings.is_empty() { BTreeSet::new() } else { paths(strings).expect("paths") };
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
        let strings = br#"["$.a.\"b c\"[2]", "$.t"]"#;
        let expected = r#"{"a":{"b c":["x","AAEC","base64:type252:AAEC"]},"t":"12:34:56.000000","u":"12:34:56"}"#;
        check(text, strings, expected);
        check("\"12:34:56.000000\"", br#""$""#, "\"12:34:56.000000\"");
    }

    #[test]
    fn a_document_of_a_million_strings_takes_no_longer_for_each_of_them() {
        let times: Vec<String> = (0..1_000_000).map(|_| "\"12:34:56.000000\"".to_owned()).collect();
        let text = format!("[{}]", times.join(", "));
        let found: Vec<String> = (0..1_000_000).map(|index| format!("\"$[{index}]\"")).collect();
        let strings = format!("[{}]", found.join(", "));
        check(&text, strings.as_bytes(), &format!("[{}]", times.join(",")));
    }
}
