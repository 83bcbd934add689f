//! Character sets: which one a collation has, and text out of its bytes.
//!
//! Bytes that are no character of the set are an error and never replaced: a replacement would be
//! wrong data.

/// A character set that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    /// No text: bytes.
    Binary,
    /// utf8mb3 and utf8mb4.
    Utf8,
    /// ascii.
    Ascii,
    /// latin1, which in MySQL is cp1252 with its five holes at U+0081, 8D, 8F, 90 and 9D.
    Latin1,
}

impl Charset {
    /// The character set of a collation by its number (`information_schema.collations`); `None`
    /// for one that is not read.
    pub(super) fn of_collation(id: u64) -> Option<Self> {
        Some(match id {
            63 => Self::Binary,
            33 | 45 | 46 | 76 | 83 | 192..=215 | 223..=247 | 255..=323 => Self::Utf8,
            11 | 65 => Self::Ascii,
            5 | 8 | 15 | 31 | 47..=49 | 94 => Self::Latin1,
            _ => return None,
        })
    }

    /// Its name in MySQL.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Utf8 => "utf8mb4",
            Self::Ascii => "ascii",
            Self::Latin1 => "latin1",
        }
    }

    /// Whether the second byte of a character can look like ASCII.
    pub(super) fn is_double_byte(self) -> bool {
        false
    }

    /// Appends the text of `bytes` to `out`; returns whether all of them were characters.
    pub(super) fn decode(self, bytes: &[u8], out: &mut String) -> bool {
        match self {
            Self::Binary => return false,
            Self::Utf8 => match std::str::from_utf8(bytes) {
                Ok(text) => out.push_str(text),
                Err(_) => return false,
            },
            Self::Ascii => {
                if !bytes.is_ascii() {
                    return false;
                }
                out.extend(bytes.iter().copied().map(char::from));
            }
            Self::Latin1 => {
                let text = encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0;
                out.push_str(&text);
            }
        }
        true
    }
}
