//! Documents in both forms, large ones, and bytes that no server writes.

use proptest::prelude::*;

use super::{JsonText, write_document};
use crate::decode::{
    Decoded,
    error::ValueProblem,
    recorded::{decoder, events, inserted, lines, recording},
};

/// The text of a document in a form.
fn text(bytes: &[u8], form: JsonText) -> Result<String, ValueProblem> {
    let mut out = String::new();
    write_document(bytes, form, &mut out).map(|()| out)
}

#[track_caller]
fn check(bytes: &[u8], mysql: &str, compact: &str) {
    assert_eq!(text(bytes, JsonText::Mysql).as_deref(), Ok(mysql));
    assert_eq!(text(bytes, JsonText::Compact).as_deref(), Ok(compact));
}

/// The rows that a recording inserts into a table, documents in the compact form.
fn compact_rows(name: &str, table: &str) -> Vec<String> {
    let mut decoder = decoder(&["source", "no_document"]).json_text(JsonText::Compact);
    let mut all = Vec::new();
    for event in events(recording(name)) {
        if let Decoded::Rows(mut rows) = decoder.decode(&event).unwrap()
            && rows.table.name.table == table
        {
            all.extend(lines(&mut rows).unwrap().concat());
        }
    }
    all
}

/// A line of documents without the spaces between their tokens.
fn without_spaces(line: &str) -> String {
    let (mut out, mut in_text, mut is_escaped) = (String::new(), false, false);
    for character in line.chars() {
        if !in_text && character == ' ' {
            continue;
        }
        in_text ^= character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        out.push(character);
    }
    out
}

#[test]
fn the_compact_form_differs_in_space_where_documents_hold_json_alone() {
    let mysql = inserted("json");
    for table in ["documents", "doubles"] {
        let compact = compact_rows("json", table);
        assert!(compact.len() > 40, "{compact:?}");
        let expected: Vec<_> = mysql[table].iter().map(|line| without_spaces(line)).collect();
        assert_eq!(compact, expected);
        assert_ne!(compact, mysql[table]);
    }
}

#[test]
fn the_compact_form_shows_values_of_mysqls_own_types_as_the_stream_of_debezium_does() {
    let rows = compact_rows("json", "opaque");
    let (_, first) = rows[0].split_once('\t').unwrap();
    let expected = [
        r#"{"b":"AAU=","e":"two","f":0.10000000149011612,"g":{"crs":{"type":"name","properties":"#,
        r#"{"name":"urn:ogc:def:crs:MySQL::0"}},"type":"Point","coordinates":[1.5,-2.0]},"#,
        r#""s":"p,q","t":"é","y":2024,"b1":"AQ==","bi":"YmkA","bl":"YmxvYg==","#,
        r#""d0":"2024-01-02 03:04:05","da":"2024-01-02","de":-12.340,"#,
        r#""dt":"2024-01-02 03:04:05.678","iu":18446744073709551615,"lb":""#,
        &("YWJhYmFi".repeat(33) + "YWI="),
        r#"","mb":"bQ==","t0":"00:00:00","tb":"dA==","ti":"01:02:03.4","#,
        r#""ts":"2024-01-02 03:04:05.000001","vb":"dmI=","#,
        r#""big":12345678901234567890123456789012345.123456789012345678901234567890,"#,
        r#""whole":12345678901234567890}"#,
    ];
    let expected = expected.concat();
    assert_eq!(first, expected);
    // A negative TIME is MySQL's own text.
    assert!(rows[1].contains(r#""ti":"-838:59:59.000000""#), "{}", rows[1]);
    assert!(rows[1].contains(r#""t0":"838:59:59""#), "{}", rows[1]);
}

#[test]
fn documents_of_more_than_64_kib_are_read() {
    let rows = &inserted("json_large")["large"];
    let document = |index: usize| rows[index].split_once('\t').unwrap().1;
    let expected = format!(
        r#"{{"a": "{}", "b": 1, "d": 70000, "e": -70000, "f": 5000000000, "g": [1, "small"], "#,
        "x".repeat(70_000)
    ) + r#""h": true, "i": 32768, "j": 4000000000, "cc": -1}"#;
    assert_eq!(document(0), expected);
    let numbers: Vec<_> = (1..=22_000).map(|number| (number / 20_000).to_string()).collect();
    assert_eq!(document(1), format!("[{}]", numbers.join(", ")));
    let text = "v".repeat(50);
    let members = (1..=1200).map(|number| format!(r#""k{number}": {{"v": "{text}"}}"#));
    assert_eq!(document(2), format!("{{{}}}", members.collect::<Vec<_>>().join(", ")));
    assert_eq!(document(3), format!("[\"{}\"]", "y".repeat(3_000_000)));
    assert_eq!(document(4), format!(r#"{{"{}": "{}"}}"#, "k".repeat(65_535), "z".repeat(16_384)));
}

#[test]
fn a_document_without_bytes_is_the_json_null() {
    let mut decoder = decoder(&["large"]);
    let mut rows_seen = Vec::new();
    for event in events(recording("json_large")) {
        if let Decoded::Rows(mut rows) = decoder.decode(&event).unwrap() {
            rows_seen.push(lines(&mut rows).unwrap().concat());
        }
    }
    assert_eq!(rows_seen, [["1\tnull"]]);
}

/// A small array of values of this type at these places, with bytes behind its entries.
fn array(values: &[(u8, u16)], rest: &[u8]) -> Vec<u8> {
    let size = 4 + 3 * values.len() + rest.len();
    let mut bytes = vec![2];
    bytes.extend(u16::try_from(values.len()).unwrap().to_le_bytes());
    bytes.extend(u16::try_from(size).unwrap().to_le_bytes());
    for (kind, place) in values {
        bytes.push(*kind);
        bytes.extend(place.to_le_bytes());
    }
    bytes.extend(rest);
    bytes
}

#[test]
fn a_document_put_together_by_hand_reads_like_a_real_one() {
    check(
        &array(&[(4, 0), (5, 0xffff), (12, 13)], b"\x01x"),
        r#"[null, -1, "x"]"#,
        r#"[null,-1,"x"]"#,
    );
    check(b"\x0c\x03a\"b", r#""a\"b""#, r#""a\"b""#);
    // 23:59:59.5 and -00:00:01 as TIME, year 2024 as YEAR.
    check(b"\x0f\x0b\x08\x20\xa1\x07\xfb\x7e\x01\0\0", r#""23:59:59.500000""#, r#""23:59:59.5""#);
    let back = (-1_i64 << 24).to_le_bytes();
    let second = [&b"\x0f\x0b\x08"[..], &back].concat();
    check(&second, r#""-00:00:01.000000""#, r#""-00:00:01.000000""#);
    check(b"\x0f\x0d\x042024", r#""base64:type13:MjAyNA==""#, r#""MjAyNA==""#);
}

#[test]
fn bytes_that_are_no_document_are_refused() {
    let problem = |bytes: &[u8]| text(bytes, JsonText::Mysql).unwrap_err();
    let json = ValueProblem::Json;
    assert_eq!(problem(b""), ValueProblem::CutShort);
    assert_eq!(problem(b"\x0d"), json("an unknown type"));
    assert_eq!(problem(b"\x04\x03"), json("an unknown literal"));
    assert_eq!(problem(b"\x0c\x02a"), ValueProblem::CutShort);
    assert_eq!(problem(b"\x0c\x01\xff"), json("text that is not UTF-8"));
    assert_eq!(problem(b"\x0c\x81\x81\x81\x81\x81\x01"), json("a length of more than five bytes"));
    assert_eq!(problem(b"\x0b\0\0\0\0\0\0\xf0\x7f"), json("a number that is none"));
    assert_eq!(problem(b"\x02\xff\xff\x07\0\0\0\0"), json("more elements than bytes"));
    assert_eq!(problem(b"\x02\x01\0\x08\0\x04\0\0"), ValueProblem::CutShort);
    assert_eq!(problem(&array(&[(12, 200)], b"\x01x")), ValueProblem::CutShort);
    assert_eq!(problem(b"\x0f\xf6\x02\x52\0"), json("a DECIMAL of an unknown size"));
    // A year of 10000, the hour 24, a minute of 60, a million microseconds, a negative date.
    let hour_24 = 24_i64 << 36;
    for (kind, packed) in [
        (10, (10_000 * 13 + 1) << 46),
        (12, hour_24),
        (11, 60 << 30),
        (11, 1_000_000),
        (10, -(2024 * 13 + 1) << 46),
        (11, 839 << 36),
    ] {
        let bytes = [&[0x0f, kind, 8][..], &packed.to_le_bytes()].concat();
        let expected = json("a date or time that does not exist");
        assert_eq!(problem(&bytes), expected, "type {kind}, {packed}");
    }
}

#[test]
fn a_document_is_as_deep_as_the_server_allows_and_no_deeper() {
    let nested = |depth: usize| {
        let mut bytes = array(&[], b"");
        for _ in 1..depth {
            bytes = array(&[(2, 7)], &bytes[1..]);
        }
        bytes
    };
    let deepest = "[".repeat(100) + &"]".repeat(100);
    check(&nested(100), &deepest, &deepest);
    let problem = text(&nested(101), JsonText::Mysql).unwrap_err();
    assert_eq!(problem, ValueProblem::Json("deeper than 100 arrays and objects"));
}

#[test]
fn parts_that_overlap_cannot_make_a_document_without_end() {
    // Each array holds the next one twice: 2^90 elements in less than a kilobyte.
    let mut bytes = array(&[], b"");
    for _ in 0..90 {
        bytes = array(&[(2, 10), (2, 10)], &bytes[1..]);
    }
    assert!(bytes.len() < 1000);
    let problem = text(&bytes, JsonText::Mysql).unwrap_err();
    assert_eq!(problem, ValueProblem::Json("parts that overlap"));
    // So are one text behind two entries and a key of a thousand entries.
    let twice = array(&[(12, 10), (12, 10)], b"\x05hello");
    assert_eq!(text(&twice, JsonText::Mysql).unwrap_err(), problem);
}

/// Documents to be damaged.
fn documents() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (kind, rest) in [(12, &b"\x02ab"[..]), (9, &[7; 8]), (11, &[63; 8]), (0, b"\0\0\x04\0")] {
        all.push(array(&[(kind, 13), (4, 1), (5, 9)], rest));
    }
    let object = b"\x02\0\x22\0\x12\0\x01\0\x13\0\x02\0\x0c\x15\0\x0f\x18\0abc\x02xy\x0c\x08";
    all.push([&[0], &object[..], &[0; 8]].concat());
    all.push(b"\x0f\xf6\x08\x0a\x03\x80\0\0\x0c\x01\x54".to_vec());
    all
}

#[test]
fn documents_are_good_before_they_are_damaged() {
    for document in documents() {
        text(&document, JsonText::Mysql).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn a_damaged_document_is_a_short_text_or_an_error(
        document in prop::sample::select(documents()),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        form in prop::sample::select(vec![JsonText::Mysql, JsonText::Compact]),
    ) {
        let mut bytes = document;
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        if let Ok(text) = text(&bytes, form) {
            prop_assert!(text.len() <= 6 * bytes.len() + 32, "{} of {}", text.len(), bytes.len());
        }
    }
}
