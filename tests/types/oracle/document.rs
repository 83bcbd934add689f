//! Random JSON documents and geometries, as SQL expressions that make them.

use testkit::Random;

use super::alphabet::Alphabets;
use super::literal::{bytes_literal, text};

/// A document: what JSON's own syntax can say, and what only functions put into one.
///
/// `only_json` leaves out decimals, times and bytes, whose text depends on `format.json`.
pub(super) fn json(random: &mut Random, alphabets: &Alphabets, only_json: bool) -> String {
    match random.in_range(0..6) {
        0 => format!("CAST('{}' AS JSON)", nested(random)),
        1 => format!("CAST('{}' AS JSON)", random.one_of(TEXTS)),
        _ => format!("JSON_EXTRACT(JSON_ARRAY({}), '$[0]')", part(random, alphabets, only_json, 3)),
    }
}

/// Documents at the limits of numbers, lengths and syntax.
pub(super) const TEXTS: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0.0",
    "0.0",
    "1.0",
    "-1",
    "1e100",
    "1e-7",
    "123456789012345678",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1.7976931348623157e308",
    "5e-324",
    "2.2250738585072014e-308",
    "0.1",
    "32767",
    "32768",
    "-32768",
    "-32769",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "-2147483649",
    "4294967295",
    "4294967296",
    r#""""#,
    r#""\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001""#,
    r#""žluť 🐟""#,
    "[]",
    "{}",
    "[[]]",
    r#"{"": ""}"#,
    r#"{"b": 1, "a": 2, "aa": 3, "a": 4}"#,
    "[1, 2.5, null, true, \"x\"]",
    "1e15",
    "1e16",
    "123456789.125",
    "1e21",
    "100000000000000000000",
];

/// Documents of one value at the limits of numbers.
pub(super) fn limits() -> Vec<String> {
    let texts = TEXTS.iter().map(|text| format!("CAST('{text}' AS JSON)"));
    let decimals = [
        "9".repeat(65),
        "9".repeat(81),
        format!("0.{}", "9".repeat(72)),
        format!("-0.{}12", "0".repeat(70)),
        format!("-{}.{}", "9".repeat(50), "9".repeat(27)),
        format!("1.{}", "0".repeat(72)),
    ];
    texts.chain(decimals.map(|decimal| format!("CAST({decimal} AS JSON)"))).collect()
}

/// Arrays and objects in each other, up to the 100 that MySQL takes.
fn nested(random: &mut Random) -> String {
    let depth = *random.one_of(&[1, 2, 50, 98]);
    let (mut start, mut end) = (String::new(), String::new());
    for _ in 0..depth {
        let is_array = random.is_one_in(2);
        start += if is_array { "[1, " } else { r#"{"k": "# };
        end.insert(0, if is_array { ']' } else { '}' });
    }
    format!("{start}{}{end}", random.one_of(&["1", "[]", "null", "\"x\""]))
}

fn part(random: &mut Random, alphabets: &Alphabets, only_json: bool, depth: u64) -> String {
    let kinds = if depth == 0 { 5 } else { 9 };
    let plain = random.in_range(0..kinds);
    if !only_json && random.is_one_in(4) {
        return opaque(random);
    }
    match plain {
        0 => format!("CAST('{}' AS JSON)", random.one_of(TEXTS)),
        1 => (random.bits() >> random.in_range(0..64)).to_string(),
        2 => format!("-{}", random.bits() >> random.in_range(2..64)),
        3 => format!("{:e}", f64::from_bits(random.bits() & !(1 << 62))),
        4 => {
            let length = *random.one_of(&[0, 1, 5, 127, 128, 300]);
            let utf8 = alphabets.any_of_set("utf8mb4");
            text(&alphabets.text(&utf8, random, length))
        }
        5 | 6 => {
            let parts =
                (0..random.in_range(0..6)).map(|_| part(random, alphabets, only_json, depth - 1));
            format!("JSON_ARRAY({})", parts.collect::<Vec<_>>().join(", "))
        }
        _ => {
            let members = (0..random.in_range(0..6)).map(|number| {
                let utf8 = alphabets.any_of_set("utf8mb4");
                let characters = random.in_range(0..9);
                let name = format!("{}{number}", alphabets.text(&utf8, random, characters));
                let value = part(random, alphabets, only_json, depth - 1);
                format!("{}, {value}", text(&name))
            });
            format!("JSON_OBJECT({})", members.collect::<Vec<_>>().join(", "))
        }
    }
}

/// What JSON has no syntax for.
fn opaque(random: &mut Random) -> String {
    let number = random.in_range(0..1_000_000);
    let (hour, day) = (number % 24, number % 28 + 1);
    let fraction = random.in_range(0..7);
    match random.in_range(0..10) {
        0 => format!("CAST(-{number}.25 AS DECIMAL(20,{}))", random.in_range(0..10)),
        1 => format!("CAST('{number}{number}.{number}' AS DECIMAL(65,30))"),
        2 => format!("CAST('2024-02-{day:02}' AS DATE)"),
        3 => {
            format!("CAST('2024-02-{day:02} {hour:02}:59:59.{number:06}' AS DATETIME({fraction}))")
        }
        4 => format!("CAST('-{}:02:03.{number:06}' AS TIME({fraction}))", number % 839),
        5 => format!("x'{:x}'", random.in_range(1 << 60..1 << 63)),
        6 => long_decimal(random),
        // Strings that SELECT prints like the others.
        7 => format!("'2024-02-{day:02} {hour:02}:59:59.{number:06}'"),
        8 => "'base64:type252:AAEC'".to_owned(),
        _ => format!("CAST(b'{number:b}' AS UNSIGNED)"),
    }
}

/// A number of more digits than a column takes: as many as nine groups of nine hold, where no
/// group has digits of both sides of the point.
fn long_decimal(random: &mut Random) -> String {
    let whole = random.in_range(1..82);
    let fraction = random.in_range(0..9 * (9 - whole.div_ceil(9)) + 1);
    let mut digits =
        |count| -> String { (0..count).map(|_| *random.one_of(&['0', '0', '1', '9'])).collect() };
    let (whole, fraction) = (digits(whole), digits(fraction));
    let sign = random.one_of(&["", "-"]);
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// The types of columns that hold geometries.
pub(super) const GEOMETRIES: &[&str] = &[
    "GEOMETRY",
    "POINT",
    "LINESTRING",
    "POLYGON",
    "MULTIPOINT",
    "MULTILINESTRING",
    "MULTIPOLYGON",
    "GEOMETRYCOLLECTION",
];

/// A geometry that a column of this type takes.
pub(super) fn geometry(random: &mut Random, declared: &str) -> String {
    let subtype = if declared == "GEOMETRY" { random.one_of(GEOMETRIES) } else { declared };
    let well_known = well_known_text(random, if subtype == "GEOMETRY" { "POINT" } else { subtype });
    let srid = random.one_of(&[0, 0, 4326, 3857]);
    format!("ST_GeomFromText('{well_known}', {srid})")
}

fn well_known_text(random: &mut Random, subtype: &str) -> String {
    let point = |random: &mut Random| {
        let mut coordinate = || {
            let anywhere = random.in_range(0..16_000_000);
            let sign = random.one_of(&["", "-"]);
            format!("{sign}{}.{:05}", anywhere / 200_000, anywhere % 100_000)
        };
        format!("{} {}", coordinate(), coordinate())
    };
    let points = |random: &mut Random| {
        let points = (0..random.in_range(2..6)).map(|_| point(random));
        points.collect::<Vec<_>>().join(", ")
    };
    let ring = |random: &mut Random| {
        let [x, y] = [0, 1].map(|_| random.in_range(1..70));
        format!("({x} {y}, {x}.5 {y}, {x}.5 {y}.5, {x} {y})")
    };
    match subtype {
        "POINT" => format!("POINT({})", point(random)),
        "LINESTRING" => format!("LINESTRING({})", points(random)),
        "POLYGON" => format!("POLYGON({})", ring(random)),
        "MULTIPOINT" => format!("MULTIPOINT({})", points(random)),
        "MULTILINESTRING" => format!("MULTILINESTRING(({}), ({}))", points(random), points(random)),
        "MULTIPOLYGON" => format!("MULTIPOLYGON(({}), ({}))", ring(random), ring(random)),
        _ if random.is_one_in(4) => "GEOMETRYCOLLECTION EMPTY".to_owned(),
        _ => {
            let parts = ["POINT", "LINESTRING", "POLYGON"].map(|it| well_known_text(random, it));
            format!("GEOMETRYCOLLECTION({})", parts.join(", "))
        }
    }
}

/// A vector of at most so many numbers.
pub(super) fn vector(random: &mut Random, dimensions: u32) -> String {
    let most = u64::from(dimensions);
    let count = *random.one_of(&[1, most, most]);
    let number = |random: &mut Random| {
        let anywhere = f32::from_bits(u32::try_from(random.bits() >> 33).expect("31 bits"));
        let anywhere = if anywhere.is_finite() { anywhere } else { 0.5 };
        let number = *random.one_of(&[0.0, 1.0, 0.1, f32::MAX, anywhere, anywhere]);
        if random.is_one_in(2) { -number } else { number }
    };
    let numbers: Vec<[u8; 4]> = (0..count).map(|_| number(random).to_le_bytes()).collect();
    bytes_literal(numbers.as_flattened().iter().copied())
}
