//! Writes JSON as Java's libraries do: string escapes and floating point numbers.

use std::fmt::Write as _;

/// Appends a string with its quotes. Only what JSON demands is escaped, the short way where there
/// is one, as Jackson does; everything else is raw UTF-8.
pub(super) fn string(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..'\u{20}' => append(out, format_args!("\\u{:04X}", u32::from(letter))),
            _ => out.push(letter),
        }
    }
    out.push('"');
}

/// Appends bytes as the string whose characters have their numbers (ISO 8859-1), which is how Avro
/// writes a default of the type bytes.
pub(super) fn latin1(out: &mut String, bytes: &[u8]) {
    let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
    string(out, &text);
}

/// Appends something that prints itself.
pub(super) fn append(out: &mut String, what: std::fmt::Arguments<'_>) {
    out.write_fmt(what).expect("writing to a String cannot fail");
}

/// Appends a double or a float as Java's `toString` does: at least one digit after the point, and
/// an exponent below 10^-3 and from 10^7 on. `shortest` is the number in Rust's `{:e}` form, which
/// has the fewest digits that read back as the same number.
pub(super) fn float(out: &mut String, shortest: &str) {
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits = mantissa.replace('.', "");
    out.push_str(sign);
    let (whole, fraction, suffix) = match exponent {
        0..7 => {
            let point = usize::try_from(exponent).unwrap_or(0) + 1;
            let padded = format!("{digits:0<point$}");
            let (whole, fraction) = padded.split_at_checked(point).unwrap_or((&padded, ""));
            (whole.to_owned(), fraction.to_owned(), String::new())
        }
        -3..0 => {
            let zeros = usize::try_from(-exponent - 1).unwrap_or(0);
            ("0".to_owned(), format!("{}{digits}", "0".repeat(zeros)), String::new())
        }
        _ => {
            let (first, rest) = digits.split_at_checked(1).unwrap_or((&digits, ""));
            (first.to_owned(), rest.to_owned(), format!("E{exponent}"))
        }
    };
    let fraction = if fraction.is_empty() { "0" } else { &fraction };
    append(out, format_args!("{whole}.{fraction}{suffix}"));
}

#[cfg(test)]
mod tests {
    use super::{float, string};

    #[test]
    fn numbers_look_as_in_java() {
        for (number, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.25, "1.25"),
            (-0.5, "-0.5"),
            (100.0, "100.0"),
            (1_234_567.125, "1234567.125"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (1.5e300, "1.5E300"),
            (0.001, "0.001"),
            (0.012, "0.012"),
            (0.000_12, "1.2E-4"),
            (5e-324, "5.0E-324"),
        ] {
            let mut out = String::new();
            float(&mut out, &format!("{number:e}"));
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn strings_are_escaped_as_by_jackson() {
        let mut out = String::new();
        string(&mut out, "a\"b\\c\n\u{1}\u{1f}\u{7f}\u{96}é/");
        assert_eq!(out, "\"a\\\"b\\\\c\\n\\u0001\\u001F\u{7f}\u{96}é/\"");
    }
}
