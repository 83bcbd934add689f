//! Values as text on a terminal: quoted, escaped, cut.

use std::fmt::Write as _;

use console::{measure_text_width, truncate_str};

use crate::encode::ReadValue;

/// What a text that is cut ends with, or begins with.
const CUT: &str = "…";

/// How much two long values have in common before the place where they differ.
const COMMON_SHOWN: usize = 8;

/// A value as it is shown. What is far longer than the line is not made whole.
pub(super) fn text_of(value: &ReadValue, width_max: Option<usize>) -> String {
    // An escaped letter is at least as wide as the letter.
    let letters_max = width_max.map_or(usize::MAX, |width| width.saturating_add(1));
    match value {
        ReadValue::Null => "NULL".to_owned(),
        ReadValue::Text(text) => {
            let mut out = "'".to_owned();
            text.chars().take(letters_max).for_each(|letter| escape_quoted(&mut out, letter));
            out.push('\'');
            out
        }
        ReadValue::Plain(text) => {
            let mut out = String::new();
            text.chars().take(letters_max).for_each(|letter| escape(&mut out, letter));
            out
        }
        ReadValue::Bytes(bytes) => {
            let mut out = "0x".to_owned();
            for byte in bytes.iter().take(letters_max) {
                write!(out, "{byte:02x}").expect("writing to a String cannot fail");
            }
            out
        }
    }
}

/// A name as it is shown.
pub(super) fn name_of(name: &str) -> String {
    let mut out = String::new();
    name.chars().for_each(|letter| escape(&mut out, letter));
    out
}

fn escape_quoted(out: &mut String, letter: char) {
    match letter {
        '\'' => out.push_str("\\'"),
        '\\' => out.push_str("\\\\"),
        _ => escape(out, letter),
    }
}

/// Appends a letter, and what could move the cursor, change colours or turn the line around as its
/// number.
fn escape(out: &mut String, letter: char) {
    match letter {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => {
            out.extend(letter.escape_unicode());
        }
        _ if letter.is_control() => out.extend(letter.escape_unicode()),
        _ => out.push(letter),
    }
}

/// The text, cut to so many columns.
pub(super) fn cut(text: &str, width_max: usize) -> String {
    truncate_str(text, width_max, CUT).into_owned()
}

/// Two values of a change, cut so that both fit into so many columns together. Where they begin
/// alike, the place where they differ is shown.
pub(super) fn cut_both(old: &str, new: &str, width_max: usize) -> (String, String) {
    let (old_width, new_width) = (measure_text_width(old), measure_text_width(new));
    if old_width + new_width <= width_max {
        return (old.to_owned(), new.to_owned());
    }
    let half = width_max / 2;
    let old_max = if new_width < half { width_max - new_width } else { half };
    let new_max = if old_width < half { width_max - old_width } else { half };
    let common = old.chars().zip(new.chars()).take_while(|(one, other)| one == other).count();
    let skipped = if common + CUT.len() < half { 0 } else { common.saturating_sub(COMMON_SHOWN) };
    let from = |text: &str, max| {
        if skipped == 0 {
            return cut(text, max);
        }
        let rest: String = text.chars().skip(skipped).collect();
        cut(&format!("{CUT}{rest}"), max)
    };
    (from(old, old_max), from(new, new_max))
}

#[cfg(test)]
mod tests {
    use super::{ReadValue, cut, cut_both, text_of};

    #[test]
    fn null_is_told_from_a_text_and_nothing_reaches_the_terminal_as_it_is() {
        for (value, expected) in [
            (ReadValue::Null, "NULL"),
            (ReadValue::Text("NULL".to_owned()), "'NULL'"),
            (ReadValue::Text(String::new()), "''"),
            (ReadValue::Text("it's\na\\b\u{1b}[31m".to_owned()), r"'it\'s\na\\b\u{1b}[31m'"),
            (ReadValue::Text("\u{202e}abc\u{200b}".to_owned()), r"'\u{202e}abc\u{200b}'"),
            (ReadValue::Plain("{\"a\":\"\\n\u{7f}\"}".to_owned()), r#"{"a":"\n\u{7f}"}"#),
            (ReadValue::Bytes(vec![0, 0xff]), "0x00ff"),
            (ReadValue::Bytes(Vec::new()), "0x"),
        ] {
            assert_eq!(text_of(&value, None), expected);
        }
    }

    #[test]
    fn a_long_value_is_cut_and_a_change_shows_where_it_is() {
        assert_eq!(cut("'abcdef'", 5), "'abc…");
        assert_eq!(cut("'日本語'", 5), "'日…");
        assert_eq!(cut_both("'a'", "'b'", 20), ("'a'".to_owned(), "'b'".to_owned()));
        let (old, new) = (format!("'{}old'", "x".repeat(60)), format!("'{}new'", "x".repeat(60)));
        let (old, new) = cut_both(&old, &new, 40);
        assert_eq!((&*old, &*new), ("…xxxxxxxxold'", "…xxxxxxxxnew'"));
        let (old, new) = cut_both(&"a".repeat(60), "NULL", 40);
        assert_eq!((old.chars().count(), &*new), (36, "NULL"));
    }

    #[test]
    fn a_value_far_longer_than_the_line_is_not_made_whole() {
        let long = ReadValue::Text("x".repeat(1 << 20));
        assert!(text_of(&long, Some(80)).len() < 100);
    }
}
