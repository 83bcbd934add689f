//! Character sets of East Asia, with one to four bytes per character.
//!
//! The characters come from the WHATWG tables of `encoding_rs`. Every character of these sets was
//! compared with `CONVERT` of MySQL 9.7; where the two differ, MySQL's character is used. MySQL
//! stores well-formed bytes that it has no character for, and prints them as `?`. They are `?` here
//! too, even if the WHATWG table has a character.

use std::ops::RangeInclusive;

use encoding_rs::{BIG5, DecoderResult, EUC_JP, EUC_KR, Encoding, GB18030, GBK, SHIFT_JIS};

/// A character set of East Asia.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MultiByte {
    Big5,
    Cp932,
    Eucjpms,
    Euckr,
    Gb18030,
    Gb2312,
    Gbk,
    Sjis,
    Ujis,
}

/// How MySQL prints a character that Unicode does not have.
const UNKNOWN: char = '?';

/// What becomes of a character.
enum CharacterMeaning {
    /// What `encoding_rs` says.
    Table,
    /// This one.
    Character(char),
    /// MySQL knows none for it.
    Unknown,
}

impl MultiByte {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Big5 => "big5",
            Self::Cp932 => "cp932",
            Self::Eucjpms => "eucjpms",
            Self::Euckr => "euckr",
            Self::Gb18030 => "gb18030",
            Self::Gb2312 => "gb2312",
            Self::Gbk => "gbk",
            Self::Sjis => "sjis",
            Self::Ujis => "ujis",
        }
    }

    /// Bytes of the first character as the server's parser splits a statement: two or four only
    /// if they are well formed (MySQL source, `ismbchar_…` in `strings/ctype-….cc`).
    pub(super) fn split_bytes(self, bytes: &[u8]) -> usize {
        let is_pair = |lead, trail: u8| match self {
            Self::Big5 => matches!((lead, trail), (0xa1..=0xf9, 0x40..=0x7e | 0xa1..=0xfe)),
            Self::Cp932 | Self::Sjis => {
                matches!((lead, trail), (0x81..=0x9f | 0xe0..=0xfc, 0x40..=0x7e | 0x80..=0xfc))
            }
            Self::Gb18030 | Self::Gbk => {
                matches!((lead, trail), (0x81..=0xfe, 0x40..=0x7e | 0x80..=0xfe))
            }
            // No byte of their characters is ASCII, so that splitting them changes nothing.
            Self::Eucjpms | Self::Euckr | Self::Gb2312 | Self::Ujis => false,
        };
        match *bytes {
            [0x81..=0xfe, b'0'..=b'9', 0x81..=0xfe, b'0'..=b'9', ..] if self == Self::Gb18030 => 4,
            [lead, trail, ..] if is_pair(lead, trail) => 2,
            _ => 1,
        }
    }

    fn encoding(self) -> &'static Encoding {
        match self {
            Self::Big5 => BIG5,
            Self::Cp932 | Self::Sjis => SHIFT_JIS,
            Self::Eucjpms | Self::Ujis => EUC_JP,
            Self::Euckr => EUC_KR,
            Self::Gb18030 => GB18030,
            Self::Gb2312 | Self::Gbk => GBK,
        }
    }

    /// Appends the text of `bytes` to `out`; returns whether all of them were well formed.
    pub(super) fn decode(self, bytes: &[u8], out: &mut String) -> bool {
        // Characters that the table has right are converted together.
        let mut pending = 0;
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let length = self.character_bytes(rest);
            let Some(character) = rest.get(..length) else { return false };
            let meaning = self.meaning(character);
            if !matches!(meaning, CharacterMeaning::Table) {
                if !self.by_table(bytes.get(pending..at).unwrap_or_default(), out) {
                    return false;
                }
                match meaning {
                    CharacterMeaning::Character(character) => out.push(character),
                    _ if self.is_well_formed(character) => out.push(UNKNOWN),
                    _ => return false,
                }
                pending = at + length;
            }
            at += length;
        }
        self.by_table(bytes.get(pending..).unwrap_or_default(), out)
    }

    fn by_table(self, bytes: &[u8], out: &mut String) -> bool {
        if self.all_by_table(bytes, out) {
            return true;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some((character, after)) = rest.split_at_checked(self.character_bytes(rest)) else {
                return false;
            };
            if !self.all_by_table(character, out) {
                if !self.is_well_formed(character) {
                    return false;
                }
                out.push(UNKNOWN);
            }
            rest = after;
        }
        true
    }

    /// Appends the text of characters that the table has all of, or nothing.
    fn all_by_table(self, bytes: &[u8], out: &mut String) -> bool {
        let before = out.len();
        let mut decoder = self.encoding().new_decoder_without_bom_handling();
        // No character becomes more than three times as long.
        out.reserve(bytes.len().saturating_mul(3).saturating_add(4));
        let (result, read) = decoder.decode_to_string_without_replacement(bytes, out, true);
        let are_characters = matches!(result, DecoderResult::InputEmpty) && read == bytes.len();
        if !are_characters {
            out.truncate(before);
        }
        are_characters
    }

    /// Whether MySQL stores these bytes as one character of this set, whether or not it knows one
    /// of Unicode for it (MySQL source, `ismbchar_…` in `strings/ctype-….cc`).
    fn is_well_formed(self, character: &[u8]) -> bool {
        match self {
            Self::Eucjpms | Self::Ujis => matches!(
                character,
                [0x8e, 0xa0..=0xdf] | [0xa1..=0xfe, 0xa1..=0xfe] | [0x8f, 0xa1..=0xfe, 0xa1..=0xfe]
            ),
            Self::Euckr => {
                matches!(character, [0x81..=0xfe, 0x41..=0x5a | 0x61..=0x7a | 0x81..=0xfe])
            }
            Self::Gb2312 => matches!(character, [0xa1..=0xf7, 0xa1..=0xfe]),
            Self::Big5 | Self::Cp932 | Self::Gb18030 | Self::Gbk | Self::Sjis => {
                1 < character.len() && self.split_bytes(character) == character.len()
            }
        }
    }

    /// Bytes of the first character.
    fn character_bytes(self, bytes: &[u8]) -> usize {
        match (self, bytes) {
            (_, [0..=0x7f, ..]) | (Self::Cp932 | Self::Sjis, [0xa1..=0xdf, ..]) => 1,
            (Self::Eucjpms | Self::Ujis, [0x8f, ..]) => 3,
            (Self::Gb18030, [_, b'0'..=b'9', ..]) => 4,
            _ => 2,
        }
    }

    /// Where MySQL differs from the WHATWG tables.
    fn meaning(self, character: &[u8]) -> CharacterMeaning {
        let code = match *character {
            [a, b] => u32::from_be_bytes([0, 0, a, b]),
            [a, b, c] => u32::from_be_bytes([0, a, b, c]),
            _ => return CharacterMeaning::Table,
        };
        if self.is_unknown(code) {
            return CharacterMeaning::Unknown;
        }
        let other = match self {
            Self::Cp932 | Self::Euckr | Self::Gbk => None,
            Self::Big5 => match code {
                0xc6a1.. => return big5_kana(code),
                _ => other_character(code, &BIG5_DIFFERS),
            },
            Self::Gb2312 => other_character(code, &GB2312_DIFFERS),
            Self::Gb18030 => other_character(code, &GB18030_DIFFERS),
            Self::Sjis => other_character(code, &SJIS_DIFFERS),
            Self::Ujis => private_use(character).or_else(|| other_character(code, &UJIS_DIFFERS)),
            Self::Eucjpms => match code {
                0x8f_a2c3 => Some('\u{ffe4}'),
                _ => private_use(character).or_else(|| ibm_extension(character)),
            },
        };
        other.map_or(CharacterMeaning::Table, CharacterMeaning::Character)
    }

    /// Whether MySQL has no character for a code that the WHATWG table has one for.
    fn is_unknown(self, code: u32) -> bool {
        let ranges: &[RangeInclusive<u32>] = match self {
            Self::Big5 => &BIG5_UNKNOWN,
            Self::Gb2312 => &GB2312_UNKNOWN,
            Self::Gbk => &GBK_UNKNOWN,
            Self::Sjis => &SJIS_UNKNOWN,
            Self::Ujis => &UJIS_UNKNOWN,
            Self::Cp932 | Self::Eucjpms | Self::Euckr | Self::Gb18030 => &[],
        };
        let at = ranges.partition_point(|range| *range.end() < code);
        ranges.get(at).is_some_and(|range| range.contains(&code))
    }
}

/// MySQL's big5 has kana and other characters from C6A1 to C7FC, where the WHATWG table has them
/// in another order; from C940 on both agree.
fn big5_kana(code: u32) -> CharacterMeaning {
    let [_, _, lead, trail] = code.to_be_bytes();
    // 157 characters to a lead byte: the trail bytes 40 to 7E and A1 to FE.
    let column = match trail {
        0x40..=0x7e => trail - 0x40,
        0xa1..=0xfe => trail - 0xa1 + 63,
        _ => return CharacterMeaning::Unknown,
    };
    let place = match lead {
        0xc6 => u32::from(column),
        0xc7 => u32::from(column) + 157,
        0xc8 => return CharacterMeaning::Unknown,
        _ => return CharacterMeaning::Table,
    };
    let character = match place {
        63..=66 => character_at(place - 63, "ヾゝゞ々"),
        67..=149 => char::from_u32(0x3041 + place - 67),
        150..=235 => char::from_u32(0x30a1 + place - 150),
        236.. => character_at(place - 236, BIG5_AFTER_KANA),
        _ => None,
    };
    character.map_or(CharacterMeaning::Unknown, CharacterMeaning::Character)
}

/// IBM's characters in the second plane of eucjpms, from 8FF3F3 to 8FF4FE.
fn ibm_extension(character: &[u8]) -> Option<char> {
    let [0x8f, row @ (0xf3 | 0xf4), column @ 0xa1..=0xfe] = *character else { return None };
    let place = u32::from(row - 0xf3) * 94 + u32::from(column - 0xa1);
    character_at(place.checked_sub(82)?, EUCJPMS_IBM)
}

fn character_at(place: u32, characters: &str) -> Option<char> {
    characters.chars().nth(usize::try_from(place).ok()?)
}

/// The user-defined rows of both planes of EUC-JP, F5 to FE.
fn private_use(character: &[u8]) -> Option<char> {
    let (first, row, column) = match *character {
        [row, column] => (0xe000, row, column),
        [0x8f, row, column] => (0xe3ac, row, column),
        _ => return None,
    };
    let row = row.checked_sub(0xf5).filter(|row| *row <= 9)?;
    let column = column.checked_sub(0xa1).filter(|column| *column <= 93)?;
    char::from_u32(first + u32::from(row) * 94 + u32::from(column))
}

fn other_character(code: u32, differs: &[(u32, char)]) -> Option<char> {
    let at = differs.binary_search_by_key(&code, |(other, _)| *other).ok()?;
    differs.get(at).map(|(_, character)| *character)
}

// The codes that MySQL prints as `?` and the WHATWG table has characters for: those of private use,
// and those that vendors or wider sets added. A range also spans codes that neither has.
const BIG5_UNKNOWN: [RangeInclusive<u32>; 2] = [0xa3c0..=0xa3e1, 0xf9dd..=0xf9fe];

const GB2312_UNKNOWN: [RangeInclusive<u32>; 14] = [
    0xa2a1..=0xa2b0,
    0xa2e3..=0xa2e4,
    0xa2ef..=0xa2f0,
    0xa2fd..=0xa2fe,
    0xa4f4..=0xa4fe,
    0xa5f7..=0xa5fe,
    0xa6b9..=0xa6c0,
    0xa6d9..=0xa6fe,
    0xa7c2..=0xa7d0,
    0xa7f2..=0xa7fe,
    0xa8bb..=0xa8c4,
    0xa8ea..=0xa9a3,
    0xa9f0..=0xaffe,
    0xd7fa..=0xd7fe,
];

const GBK_UNKNOWN: [RangeInclusive<u32>; 41] = [
    0xa140..=0xa1a0,
    0xa240..=0xa2a0,
    0xa2ab..=0xa2b0,
    0xa2e3..=0xa2e4,
    0xa2ef..=0xa2f0,
    0xa2fd..=0xa3a0,
    0xa440..=0xa4a0,
    0xa4f4..=0xa5a0,
    0xa5f7..=0xa6a0,
    0xa6b9..=0xa6c0,
    0xa6d9..=0xa6df,
    0xa6ec..=0xa6ed,
    0xa6f3..=0xa6f3,
    0xa6f6..=0xa7a0,
    0xa7c2..=0xa7d0,
    0xa7f2..=0xa7fe,
    0xa896..=0xa8a0,
    0xa8bc..=0xa8bc,
    0xa8bf..=0xa8bf,
    0xa8c1..=0xa8c4,
    0xa8ea..=0xa8fe,
    0xa958..=0xa958,
    0xa95b..=0xa95b,
    0xa95d..=0xa95f,
    0xa989..=0xa995,
    0xa997..=0xa9a3,
    0xa9f0..=0xa9fe,
    0xaaa1..=0xaafe,
    0xaba1..=0xabfe,
    0xaca1..=0xacfe,
    0xada1..=0xadfe,
    0xaea1..=0xaefe,
    0xafa1..=0xaffe,
    0xd7fa..=0xd7fe,
    0xf8a1..=0xf8fe,
    0xf9a1..=0xf9fe,
    0xfaa1..=0xfafe,
    0xfba1..=0xfbfe,
    0xfca1..=0xfcfe,
    0xfda1..=0xfdfe,
    0xfe50..=0xfefe,
];

const SJIS_UNKNOWN: [RangeInclusive<u32>; 2] = [0x8740..=0x879c, 0xed40..=0xfc4b];

const UJIS_UNKNOWN: [RangeInclusive<u32>; 1] = [0xada1..=0xadfc];

const BIG5_DIFFERS: [(u32, char); 18] = [
    (0xa145, '\u{2022}'),
    (0xa14e, '\u{ff64}'),
    (0xa15a, '\u{fffd}'),
    (0xa1c2, '\u{203e}'),
    (0xa1c3, '\u{fffd}'),
    (0xa1c5, '\u{fffd}'),
    (0xa1e3, '\u{223c}'),
    (0xa1f2, '\u{2641}'),
    (0xa1f3, '\u{2609}'),
    (0xa1fe, '\u{fffd}'),
    (0xa240, '\u{fffd}'),
    (0xa241, '\u{ff0f}'),
    (0xa242, '\u{ff3c}'),
    (0xa244, '\u{a5}'),
    (0xa246, '\u{a2}'),
    (0xa247, '\u{a3}'),
    (0xa2cc, '\u{fffd}'),
    (0xa2ce, '\u{fffd}'),
];

const GB2312_DIFFERS: [(u32, char); 2] = [(0xa1a4, '\u{30fb}'), (0xa1aa, '\u{2015}')];

const GB18030_DIFFERS: [(u32, char); 19] = [
    (0xa3a0, '\u{e5e5}'),
    (0xa6d9, '\u{e78d}'),
    (0xa6da, '\u{e78e}'),
    (0xa6db, '\u{e78f}'),
    (0xa6dc, '\u{e790}'),
    (0xa6dd, '\u{e791}'),
    (0xa6de, '\u{e792}'),
    (0xa6df, '\u{e793}'),
    (0xa6ec, '\u{e794}'),
    (0xa6ed, '\u{e795}'),
    (0xa6f3, '\u{e796}'),
    (0xfe59, '\u{e81e}'),
    (0xfe61, '\u{e826}'),
    (0xfe66, '\u{e82b}'),
    (0xfe67, '\u{e82c}'),
    (0xfe6d, '\u{e832}'),
    (0xfe7e, '\u{e843}'),
    (0xfe90, '\u{e854}'),
    (0xfea0, '\u{e864}'),
];

const SJIS_DIFFERS: [(u32, char); 7] = [
    (0x815f, '\\'),
    (0x8160, '\u{301c}'),
    (0x8161, '\u{2016}'),
    (0x817c, '\u{2212}'),
    (0x8191, '\u{a2}'),
    (0x8192, '\u{a3}'),
    (0x81ca, '\u{ac}'),
];

const UJIS_DIFFERS: [(u32, char); 8] = [
    (0xa1c0, '\\'),
    (0xa1c1, '\u{301c}'),
    (0xa1c2, '\u{2016}'),
    (0xa1dd, '\u{2212}'),
    (0xa1f1, '\u{a2}'),
    (0xa1f2, '\u{a3}'),
    (0xa2cc, '\u{ac}'),
    (0x8f_a2b7, '~'),
];

/// What follows the kana in big5, in the order of the codes.
const BIG5_AFTER_KANA: &str = "ДЕЁЖЗИЙКЛМУФХЦЧШЩЪЫЬЭЮЯабвгдеёжзийклмнопрсту\
    фхцчшщъыьэюя①②③④⑤⑥⑦⑧⑨⑩⑴⑵⑶⑷⑸⑹⑺⑻⑼⑽";

/// IBM's characters in the order of their codes in eucjpms. Those that Unicode takes for forms of
/// others are escaped, so that no editor changes them.
const EUCJPMS_IBM: &str = "ⅰⅱⅲⅳⅴⅵⅶⅷⅸⅹⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩ＇＂㈱№℡炻仼僴凬匇匤\u{fa0e}咊坙\u{fa0f}\u{fa10}增寬峵嵓\u{fa11}\
    德悅愠敎昻晥\u{fa12}\u{f929}栁\u{fa13}\u{fa14}橫櫢淸淲瀨\u{fa15}\u{fa16}甁皂皞\
    \u{fa17}礰\u{fa18}\u{fa19}\u{fa1a}\u{fa1b}竧\u{fa1c}\u{fa1d}綠緖\u{fa1e}荢\u{fa1f}薰\
    \u{fa20}\u{fa21}蠇\u{fa22}譿賴赶\u{fa23}\u{fa24}\u{fa25}郞\u{fa26}鄕\u{fa27}\u{fa28}\
    閒\u{f9dc}\u{fa29}霻靍靑\u{fa2a}\u{fa2b}\u{fa2c}馞髙魲\u{fa2d}黑";
