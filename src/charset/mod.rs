//! Character sets: the set of each collation, and decoding bytes to text.
//!
//! Bytes that MySQL would not store as text of the set are an error. They are never replaced,
//! because a replacement would be wrong data. Bytes that MySQL stores without knowing a Unicode
//! character for them become what MySQL prints: `?`, and U+FFFD in tis620 and for seven codes of
//! big5. Half a surrogate pair, which MySQL stores in ucs2, becomes the `?` that MySQL makes of it
//! in utf16 (`CONVERT` to utf8mb4 is NULL); both halves become their character.

mod multi_byte;
mod single_byte;
#[cfg(test)]
mod tests;

use self::{multi_byte::MultiByte, single_byte::SingleByte};

/// A character set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    /// No text: bytes.
    Binary,
    /// utf8mb3 and utf8mb4.
    Utf8,
    /// ascii.
    Ascii,
    /// One byte a character.
    Single(&'static SingleByte),
    /// East Asian sets.
    Multi(MultiByte),
    /// ucs2: code units of UTF-16, of which MySQL also stores halves of characters.
    Ucs2,
    /// utf16.
    Utf16,
    /// utf16le.
    Utf16Le,
    /// utf32.
    Utf32,
}

impl Charset {
    /// The character set of a collation by its number (`information_schema.collations` of MySQL
    /// 9.7); `None` for an unknown one.
    pub(crate) fn of_collation(id: u64) -> Option<Self> {
        Some(match id {
            63 => Self::Binary,
            33 | 45 | 46 | 76 | 83 | 192..=215 | 223..=247 | 255..=323 => Self::Utf8,
            11 | 65 => Self::Ascii,
            35 | 90 | 128..=151 | 159 => Self::Ucs2,
            54 | 55 | 101..=124 => Self::Utf16,
            56 | 62 => Self::Utf16Le,
            60 | 61 | 160..=183 => Self::Utf32,
            1 | 84 => Self::Multi(MultiByte::Big5),
            95 | 96 => Self::Multi(MultiByte::Cp932),
            97 | 98 => Self::Multi(MultiByte::Eucjpms),
            19 | 85 => Self::Multi(MultiByte::Euckr),
            248..=250 => Self::Multi(MultiByte::Gb18030),
            24 | 86 => Self::Multi(MultiByte::Gb2312),
            28 | 87 => Self::Multi(MultiByte::Gbk),
            13 | 88 => Self::Multi(MultiByte::Sjis),
            12 | 91 => Self::Multi(MultiByte::Ujis),
            _ => Self::Single(single_byte_set(id)?),
        })
    }

    /// Its name in MySQL.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Utf8 => "utf8mb4",
            Self::Ascii => "ascii",
            Self::Single(set) => set.name,
            Self::Multi(set) => set.name(),
            Self::Ucs2 => "ucs2",
            Self::Utf16 => "utf16",
            Self::Utf16Le => "utf16le",
            Self::Utf32 => "utf32",
        }
    }

    /// Bytes of the first character of a statement. A byte after the first one can look like a
    /// quote or a backslash.
    pub(crate) fn split_bytes(self, bytes: &[u8]) -> usize {
        match self {
            Self::Multi(set) => set.split_bytes(bytes),
            _ => 1,
        }
    }

    /// Whether bytes that are ASCII are the same text in UTF-8.
    #[inline]
    pub(crate) fn has_ascii(self) -> bool {
        match self {
            Self::Utf8 | Self::Ascii | Self::Multi(_) => true,
            Self::Single(set) => set.has_ascii(),
            Self::Binary | Self::Ucs2 | Self::Utf16 | Self::Utf16Le | Self::Utf32 => false,
        }
    }

    /// Appends the text of `bytes` to `out`; returns whether all of them were well formed.
    pub(crate) fn decode(self, bytes: &[u8], out: &mut String) -> bool {
        match self {
            Self::Binary => false,
            Self::Utf8 => push(std::str::from_utf8(bytes).ok(), out),
            Self::Ascii => {
                push(bytes.is_ascii().then(|| std::str::from_utf8(bytes).ok()).flatten(), out)
            }
            Self::Single(set) => {
                out.extend(bytes.iter().map(|&byte| set.character(byte).unwrap_or(set.unknown())));
                true
            }
            Self::Multi(set) => set.decode(bytes, out),
            Self::Ucs2 => utf16(bytes, u16::from_be_bytes, Some('?'), out),
            Self::Utf16 => utf16(bytes, u16::from_be_bytes, None, out),
            Self::Utf16Le => utf16(bytes, u16::from_le_bytes, None, out),
            Self::Utf32 => {
                let (characters, rest) = bytes.as_chunks::<4>();
                let mut codes = characters.iter().map(|code| u32::from_be_bytes(*code));
                rest.is_empty() && codes.all(|code| push_char(char::from_u32(code), out))
            }
        }
    }
}

/// Decodes text of the collation with this number to the end of `out`; `false` for bytes that are
/// no characters of its character set.
pub(crate) fn decode_text(collation: u16, bytes: &[u8], out: &mut String) -> bool {
    Charset::of_collation(collation.into()).is_some_and(|charset| charset.decode(bytes, out))
}

/// `half` is what becomes of half a surrogate pair; without it, it is no text.
fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16, half: Option<char>, out: &mut String) -> bool {
    let (units, rest) = bytes.as_chunks::<2>();
    let mut characters = char::decode_utf16(units.iter().map(|bytes| unit(*bytes)));
    rest.is_empty() && characters.all(|character| push_char(character.ok().or(half), out))
}

fn push(text: Option<&str>, out: &mut String) -> bool {
    text.inspect(|text| out.push_str(text)).is_some()
}

fn push_char(character: Option<char>, out: &mut String) -> bool {
    character.inspect(|character| out.push(*character)).is_some()
}

fn single_byte_set(id: u64) -> Option<&'static SingleByte> {
    Some(match id {
        32 | 64 => &single_byte::ARMSCII8,
        26 | 34 | 44 | 66 | 99 => &single_byte::CP1250,
        14 | 23 | 50..=52 => &single_byte::CP1251,
        57 | 67 => &single_byte::CP1256,
        29 | 58 | 59 => &single_byte::CP1257,
        4 | 80 => &single_byte::CP850,
        40 | 81 => &single_byte::CP852,
        36 | 68 => &single_byte::CP866,
        3 | 69 => &single_byte::DEC8,
        92 | 93 => &single_byte::GEOSTD8,
        25 | 70 => &single_byte::GREEK,
        16 | 71 => &single_byte::HEBREW,
        6 | 72 => &single_byte::HP8,
        37 | 73 => &single_byte::KEYBCS2,
        7 | 74 => &single_byte::KOI8R,
        22 | 75 => &single_byte::KOI8U,
        5 | 8 | 15 | 31 | 47..=49 | 94 => &single_byte::LATIN1,
        2 | 9 | 21 | 27 | 77 => &single_byte::LATIN2,
        30 | 78 => &single_byte::LATIN5,
        20 | 41 | 42 | 79 => &single_byte::LATIN7,
        38 | 43 => &single_byte::MACCE,
        39 | 53 => &single_byte::MACROMAN,
        10 | 82 => &single_byte::SWE7,
        18 | 89 => &single_byte::TIS620,
        _ => return None,
    })
}
