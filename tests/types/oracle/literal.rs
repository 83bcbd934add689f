//! Values as SQL literals: half of them at and around a type's limits, half of them anywhere.

use std::fmt::Write as _;

use testkit::Random;

use super::alphabet::Alphabets;
use super::column::Kind;
use super::document;

/// A value of a type, not NULL. What is out of range the server brings into it, because the
/// session is not strict.
pub(super) fn random(kind: &Kind, random: &mut Random, alphabets: &Alphabets) -> String {
    match kind {
        Kind::Integer { bits, unsigned, .. } => integer(random, *bits, *unsigned).to_string(),
        Kind::Decimal { precision, scale, .. } => decimal(random, *precision, *scale),
        Kind::Float { is_double, .. } => float(random, *is_double),
        Kind::Bit { width } => {
            let all = u64::MAX >> (64 - width);
            let anywhere = shifted(random) & all;
            let one = 1 << random.in_range(0..u64::from(*width));
            format!("b'{:b}'", random.one_of(&[0, 1, all, one, all ^ one, anywhere, anywhere]))
        }
        Kind::Year => {
            let anywhere = random.in_range(1901..2156);
            random.one_of(&[0, 1901, 1969, 2000, 2155, anywhere, anywhere]).to_string()
        }
        Kind::Date => format!("'{}'", date(random)),
        Kind::Time { .. } => time(random),
        Kind::DateTime { .. } => format!("'{} {}'", date(random), clock(random)),
        Kind::Timestamp { .. } => timestamp(random),
        Kind::Text { characters_max, collation, .. } => {
            let characters = length(random, *characters_max);
            text(&alphabets.text(collation, random, characters))
        }
        Kind::Bytes { bytes_max, .. } => {
            let length = length(random, *bytes_max);
            let byte = *random.one_of(&[0x00, 0x20, 0x80, 0xff]);
            let uniform = random.is_one_in(4);
            let bytes = (0..length).map(|_| match random.bits() & 0xff {
                any if !uniform && any % 8 < 5 => any,
                _ => byte,
            });
            bytes_literal(bytes)
        }
        Kind::Enum { labels, .. } => {
            let last = u64::try_from(labels.len()).expect("few");
            let anywhere = random.in_range(1..last + 1);
            random.one_of(&[0, 1, last, anywhere, anywhere, anywhere]).to_string()
        }
        Kind::Set { labels, .. } => {
            let all = u64::MAX >> (64 - labels.len());
            let anywhere = shifted(random) & all;
            random.one_of(&[0, 1, all, all ^ (all >> 1), anywhere, anywhere]).to_string()
        }
        Kind::Json { only_json } => document::json(random, alphabets, *only_json),
        Kind::Geometry { declared } => document::geometry(random, declared),
        Kind::Vector { dimensions } => document::vector(random, *dimensions),
    }
}

/// A text as a literal that no session setting changes.
pub(super) fn text(text: &str) -> String {
    format!("_utf8mb4 {}", bytes_literal(text.bytes()))
}

pub(super) fn bytes_literal(bytes: impl Iterator<Item = impl Into<u64>>) -> String {
    let mut literal = "x'".to_owned();
    for byte in bytes {
        write!(literal, "{:02x}", byte.into()).expect("a String takes all");
    }
    literal + "'"
}

/// The text of such a literal; `None` for any other literal.
pub(super) fn parse_text(literal: &str) -> Option<String> {
    let digits = literal.strip_prefix("_utf8mb4 x'")?.strip_suffix('\'')?;
    let pairs = (0..digits.len()).step_by(2).map(|at| digits.get(at..at + 2));
    let bytes = pairs.map(|pair| u8::from_str_radix(pair?, 16).ok());
    String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()
}

/// All bits but so many that small numbers are as likely as large ones.
fn shifted(random: &mut Random) -> u64 {
    random.bits() >> random.in_range(0..64)
}

fn length(random: &mut Random, max: u32) -> u64 {
    let max = u64::from(max);
    let anywhere = random.in_range(0..max + 1);
    let short = random.in_range(0..max.min(12) + 1);
    *random.one_of(&[0, 1, max, max.saturating_sub(1), anywhere, short, short, short])
}

fn integer(random: &mut Random, bits: u8, unsigned: bool) -> i128 {
    let (min, max) = if unsigned {
        (0, (1_i128 << bits) - 1)
    } else {
        (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)
    };
    let power = 1_i128 << random.in_range(0..u64::from(bits));
    let near = i128::from(random.in_range(0..3)) - 1;
    let sign = if unsigned || random.is_one_in(2) { 1 } else { -1 };
    let anywhere = sign * i128::from(shifted(random));
    let around = sign * power + near;
    (*random.one_of(&[min, max, 0, 1, -1, around, around, anywhere, anywhere])).clamp(min, max)
}

/// Digits in groups of nine, each group all zeros, all nines or anything, up to the column's.
fn decimal(random: &mut Random, precision: u8, scale: u8) -> String {
    let mut digits = |count: u8| -> String {
        let style = random.in_range(0..4);
        let digit = |random: &mut Random| match style {
            0 => 0,
            1 => 9,
            _ => random.in_range(0..10),
        };
        (0..count).map(|_| digit(random).to_string()).collect()
    };
    let (whole, fraction) = (digits(precision - scale), digits(scale));
    let kept = random.in_range(0..u64::from(precision - scale) + 1);
    let whole =
        if random.is_one_in(2) { &whole[..usize::try_from(kept).expect("few")] } else { &whole };
    let sign = random.one_of(&["", "-"]);
    format!("{sign}0{whole}.{fraction}0")
}

fn float(random: &mut Random, is_double: bool) -> String {
    let sign = *random.one_of(&["", "-"]);
    let anywhere = if is_double {
        format!("{:e}", f64::from_bits(random.bits() >> 1))
    } else {
        let bits = u32::try_from(random.bits() >> 33).expect("31 bits");
        format!("{:e}", f32::from_bits(bits))
    };
    let edge = match (is_double, random.in_range(0..9)) {
        (true, 0) => "1.7976931348623157e308",
        (false, 0) => "3.4028234663852886e38",
        (true, 1) => "5e-324",
        (false, 1) => "1.401298464324817e-45",
        (true, 2) => "2.2250738585072014e-308",
        (false, 2) => "1.1754943508222875e-38",
        (_, 3) => "0e0",
        (_, 4) => "1e0",
        (_, 5) => "1e-1",
        (true, 6) => "9007199254740993e0",
        (false, 6) => "16777217e0",
        _ if anywhere.contains(['N', 'i']) => "0.5e0",
        _ => &anywhere,
    };
    format!("{sign}{edge}")
}

/// Dates at the ends of the calendar, zero and part-zero ones, one that does not exist.
pub(super) const DATES: &[&str] = &[
    "0000-00-00",
    "2010-00-10",
    "2010-10-00",
    "2010-00-00",
    "0000-01-01",
    "0001-01-01",
    "0099-12-31",
    "1000-01-01",
    "1582-10-10",
    "1900-02-28",
    "1900-03-01",
    "1969-12-31",
    "1970-01-01",
    "2000-02-29",
    "2023-02-31",
    "2024-02-29",
    "2038-01-19",
    "9999-12-31",
];

fn date(random: &mut Random) -> String {
    if random.is_one_in(2) {
        return (*random.one_of(DATES)).to_owned();
    }
    let years = if random.is_one_in(3) { 1..10_000 } else { 1900..2100 };
    let (year, month) = (random.in_range(years), random.in_range(1..13));
    format!("{year:04}-{month:02}-{:02}", random.in_range(1..29))
}

fn clock(random: &mut Random) -> String {
    let fraction = fraction(random);
    let (hour, minute) = (random.in_range(0..24), random.in_range(0..60));
    let second = random.in_range(0..60);
    let anywhere = format!("{hour:02}:{minute:02}:{second:02}.{fraction}");
    let edges = ["00:00:00", "00:00:00.000001", "23:59:59.999999", "23:59:59", "00:00:00.1"];
    if random.is_one_in(3) { (*random.one_of(&edges)).to_owned() } else { anywhere }
}

fn fraction(random: &mut Random) -> String {
    let anywhere = random.in_range(0..1_000_000);
    format!("{:06}", random.one_of(&[0, 1, 10, 99, 100_000, 900_000, 999_999, anywhere, anywhere]))
}

/// Durations at the limits, and where digits and bytes end.
pub(super) const TIMES: &[&str] = &[
    "838:59:59",
    "838:59:58.999999",
    "00:00:00",
    "00:00:00.000001",
    "00:00:00.1",
    "00:00:00.99",
    "00:00:01",
    "00:00:59.999999",
    "00:01:00",
    "01:00:00",
    "01:02:03.400000",
    "23:59:59.999999",
    "24:00:00",
    "255:59:59.5",
    "256:00:00",
    "511:01:01.000100",
];

fn time(random: &mut Random) -> String {
    let sign = random.one_of(&["", "-"]);
    if random.is_one_in(3) {
        return format!("'{sign}{}'", random.one_of(TIMES));
    }
    let hours = *random.one_of(&[1, 24, 839]);
    let (hour, minute) = (random.in_range(0..hours), random.in_range(0..60));
    let second = random.in_range(0..60);
    format!("'{sign}{hour:02}:{minute:02}:{second:02}.{}'", fraction(random))
}

/// Instants at the limits, and zero.
pub(super) const TIMESTAMPS: &[&str] = &[
    "0000-00-00 00:00:00",
    "1970-01-01 00:00:01",
    "1970-01-01 00:00:01.000001",
    "2038-01-19 03:14:07",
    "2038-01-19 03:14:07.499999",
    "2001-09-09 01:46:40",
    "2024-02-29 23:59:59.999999",
    "2024-01-02 03:04:05.6",
];

fn timestamp(random: &mut Random) -> String {
    if random.is_one_in(3) {
        return format!("'{}'", random.one_of(TIMESTAMPS));
    }
    let (year, month) = (random.in_range(1970..2038), random.in_range(1..13));
    format!("'{year:04}-{month:02}-{:02} {}'", random.in_range(2..29), clock(random))
}
