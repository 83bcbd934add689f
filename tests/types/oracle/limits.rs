//! Each type at its limits: the values that a random choice could miss.

use serde_json::json;
use testkit::{Random, Result};

use super::alphabet::{Alphabets, Collation, every_character};
use super::column::{Column, Kind};
use super::literal::{self, text};
use super::table::{Key, Row, Table};
use super::{alphabets, assert_equal, capture, document};
use crate::support::setup::Setup;

/// Characters of one text.
const CHARACTERS: usize = 400;

/// Columns of one table.
const COLUMNS: usize = 40;

#[test]
fn every_character_of_every_set_is_what_select_prints() -> Result<()> {
    let sets = alphabets()?.one_of_each_set();
    let mut database = Setup::new("oracle_characters")?.database;
    let characters = every_character(&mut database, &sets)?;
    let mut tables = Vec::new();
    for (collation, characters) in sets.into_iter().zip(characters) {
        let texts = characters.chunks(CHARACTERS).map(|part| text(&String::from_iter(part)));
        let texts: Vec<String> = texts.collect();
        let name = format!("characters_of_{}", collation.character_set);
        let column = text_column("TEXT", 0, collation);
        tables.push(Table::of_column(&name, column, Key::Id, &texts));
    }
    assert_equal(tables)
}

#[test]
fn the_limits_of_every_type_are_what_select_prints() -> Result<()> {
    let alphabets = alphabets()?;
    let limits = limits(&alphabets)?;
    let mut tables = Vec::new();
    for nullable in [false, true] {
        for (number, part) in limits.chunks(COLUMNS).enumerate() {
            tables.push(table(&format!("limits_{number}_{nullable}"), part, nullable));
        }
    }
    assert_equal(tables)
}

#[test]
fn the_limits_of_every_type_in_a_key_are_what_select_prints() -> Result<()> {
    let limits = limits(&alphabets()?)?;
    // One type of each kind: a key of a type is written as a row's field is.
    let mut kinds = Vec::new();
    let mut tables = Vec::new();
    for (kind, literals) in limits.into_iter().filter(|(kind, _)| kind.can_be_in_key()) {
        let kind_of = std::mem::discriminant(&kind);
        if kinds.iter().filter(|other| **other == kind_of).count() == 2 {
            continue;
        }
        kinds.push(kind_of);
        let column = Column { name: "c".to_owned(), kind, nullable: false, default: None };
        let name = format!("key_{}", tables.len());
        tables.push(Table::of_column(&name, column, Key::FirstAndId, &literals));
    }
    assert_equal(tables)
}

#[test]
fn texts_and_blobs_of_tens_of_mib_are_what_select_prints() -> Result<()> {
    let alphabets = alphabets()?;
    let utf8 = alphabets.collation("utf8mb4_0900_ai_ci")?;
    let gbk = alphabets.collation("gbk_chinese_ci")?;
    let columns = [
        Column { name: "c0".to_owned(), ..text_column("LONGTEXT", 0, utf8) },
        Column { name: "c1".to_owned(), ..text_column("LONGTEXT", 0, gbk) },
        bytes_column("c2", "LONGBLOB", 0),
    ];
    let table = Table {
        name: "long_values".to_owned(),
        key: Key::Id,
        columns: columns.to_vec(),
        rows: Vec::new(),
    };
    let mut setup = Setup::new("oracle_long")?;
    // A record of more than a broker takes by default, and than the producer's queue does.
    setup.settings.set("kafka.topic.config", json!({ "max.message.bytes": "100000000" }));
    setup.settings.set("kafka.properties", json!({ "queue.buffering.max.kbytes": "200000" }));
    setup.database.execute(&table.create())?;
    setup.catch_up()?;
    // Lengths on both sides of what fits into two bytes, and more than a packet's 16 MiB.
    let lengths = [65_535, 65_536, 20 << 20];
    for (id, bytes) in lengths.iter().enumerate() {
        setup.database.execute(&format!(
            "INSERT INTO long_values VALUES
             ({id}, 0, CONCAT('é', REPEAT('žlu🐟', ({bytes} - 2) DIV 9)), NULL, NULL),
             ({id} + 10, 0, NULL, REPEAT('说a', {bytes} DIV 3), NULL),
             ({id} + 20, 0, NULL, NULL, RPAD(x'00ff', {bytes}, x'8000'))"
        ))?;
    }
    let texts = capture::select(&mut setup.database, &table)?;
    setup.database.execute("DELETE FROM long_values WHERE id < 10")?;
    // Who looks for a GTID need not read this file from its start.
    setup.database.execute("FLUSH BINARY LOGS")?;
    setup.catch_up()?;
    let records = setup.records("long_values")?;
    for record in &records {
        let row = if record.operation() == "d" { record.before() } else { record.after() };
        if record.value.is_some() {
            capture::row(&table, &texts, row, record.key.as_ref())?;
        }
    }
    assert_eq!(records.len(), 3 * lengths.len() + 2 * lengths.len());
    Ok(())
}

/// A table with these columns; each row has the next literals of all of them.
fn table(name: &str, limits: &[(Kind, Vec<String>)], nullable: bool) -> Table {
    let column = |(number, (kind, _)): (usize, &(Kind, Vec<String>))| Column {
        name: format!("c{number}"),
        kind: kind.clone(),
        nullable,
        default: None,
    };
    let literals = |row: usize| {
        let of_column = |(_, literals): &(Kind, Vec<String>)| match row % (literals.len() + 1) {
            0 if nullable => "NULL".to_owned(),
            0 => literals[0].clone(),
            number => literals[number - 1].clone(),
        };
        limits.iter().map(of_column).collect::<Vec<_>>()
    };
    let rows = limits.iter().map(|(_, literals)| literals.len() + 1).max().unwrap_or(0);
    let row = |row| Row { inserted: literals(row), updated: literals(row + 1) };
    Table {
        name: name.to_owned(),
        key: Key::Id,
        columns: limits.iter().enumerate().map(column).collect(),
        rows: (0..rows).map(row).collect(),
    }
}

/// Types and literals of their limits.
fn limits(alphabets: &Alphabets) -> Result<Vec<(Kind, Vec<String>)>> {
    let latin1 = alphabets.collation("latin1_swedish_ci")?;
    let utf8 = alphabets.collation("utf8mb4_0900_ai_ci")?;
    let mut limits = numbers();
    limits.extend(times());
    for (declared, length, collation, character) in [
        ("CHAR(255)", 255, &latin1, "€"),
        ("CHAR(255)", 255, &utf8, "🐟"),
        ("VARCHAR(255)", 255, &latin1, "é"),
        ("VARCHAR(256)", 256, &latin1, "ÿ"),
        ("VARCHAR(63)", 63, &utf8, "🐟"),
        ("VARCHAR(64)", 64, &utf8, "🐟"),
        ("TINYTEXT", 255, &latin1, "ß"),
        ("TEXT", 65_535, &latin1, "œ"),
        ("MEDIUMTEXT", 70_000, &utf8, "ř"),
    ] {
        let lengths = [0, 1, length - 1, length];
        let lengths = lengths.map(|count| text(&character.repeat(count.try_into().expect("few"))));
        let odd = ["\0", " a ", "\\'\"\n", "\u{7f}"].map(text);
        let kind = text_column(declared, length, collation.clone()).kind;
        limits.push((kind, [&lengths[..], &odd[..]].concat()));
    }
    for (declared, length) in [
        ("BINARY(1)", 1),
        ("BINARY(255)", 255),
        ("VARBINARY(255)", 255),
        ("VARBINARY(256)", 256),
        ("TINYBLOB", 255),
        ("BLOB", 65_535),
    ] {
        let bytes =
            |byte: &str, count: u32| format!("x'{}'", byte.repeat(count.try_into().expect("few")));
        let literals = vec![
            bytes("", 0),
            bytes("00", 1),
            bytes("ff", length),
            bytes("00", length),
            bytes("80", length - 1),
        ];
        limits.push((bytes_column("", declared, length).kind, literals));
    }
    let mut random = Random::new(1);
    for count in [1, 2, 255, 256, 300, 3000] {
        let labels = (0..count).map(|number| format!("{number} ž,'\\")).collect();
        let kind = Kind::Enum { labels, collation: utf8.clone() };
        let literals = [0, 1, count - 1, count].map(|number| number.to_string());
        limits.push((kind, literals.to_vec()));
    }
    for count in 1..=64 {
        let labels = (0..count).map(|number| format!("{number} é'\\")).collect();
        let kind = Kind::Set { labels, collation: latin1.clone() };
        let literals = (0..12).map(|_| literal::random(&kind, &mut random, alphabets));
        let all = u64::MAX >> (64 - count);
        let literals = literals.chain([all.to_string(), (all / 2 + 1).to_string()]).collect();
        limits.push((kind, literals));
    }
    limits.push((Kind::Json { only_json: false }, document::limits()));
    Ok(limits)
}

fn numbers() -> Vec<(Kind, Vec<String>)> {
    let mut limits = Vec::new();
    for bits in [8, 16, 24, 32, 64] {
        for (unsigned, zerofill) in [(false, false), (true, false), (true, true)] {
            let last = if unsigned { (1_i128 << bits) - 1 } else { (1 << (bits - 1)) - 1 };
            let first = if unsigned { 0 } else { -last - 1 };
            let half = 1 << (bits - 1);
            let numbers = [first, first + 1, -1, 0, 1, last / 2, half - 1, half, last - 1, last];
            let literals = numbers.iter().filter(|number| (first..=last).contains(number));
            let kind = Kind::Integer { bits, unsigned, zerofill };
            limits.push((kind, literals.map(ToString::to_string).collect()));
        }
    }
    for precision in 1..=65 {
        for scale in [0, 1, 9, 10, 30, precision] {
            if scale <= precision.min(30) {
                limits.push((decimal(precision, scale), decimals(precision, scale)));
            }
        }
    }
    let floats = [
        "0e0",
        "-0e0",
        "1e0",
        "-1e0",
        "0.1e0",
        "1e-45",
        "-1e-45",
        "1.1754943508222875e-38",
        "3.4028234663852886e38",
        "-3.4028234663852886e38",
        "5e-324",
        "-5e-324",
        "2.2250738585072014e-308",
        "1.7976931348623157e308",
        "-1.7976931348623157e308",
        "16777217e0",
        "9007199254740993e0",
        "1234.56789e0",
        "-0.00001e0",
    ];
    for declared in [
        "FLOAT",
        "FLOAT(24)",
        "FLOAT(25)",
        "FLOAT(7,4)",
        "FLOAT(20,0)",
        "FLOAT UNSIGNED",
        "DOUBLE",
        "DOUBLE(10,3)",
        "DOUBLE UNSIGNED",
    ] {
        let kind = Kind::Float { declared: declared.to_owned(), is_double: false };
        limits.push((kind, floats.map(ToOwned::to_owned).to_vec()));
    }
    for width in 1..=64 {
        let all = u64::MAX >> (64 - width);
        let bits =
            [0, 1, all, all ^ (all >> 1), all & 0x5555_5555_5555_5555, all & 0x0102_0408_1020_4080];
        limits.push((Kind::Bit { width }, bits.map(|bits| format!("b'{bits:b}'")).to_vec()));
    }
    limits.push((Kind::Year, [0, 1901, 1970, 2000, 2155].map(|year| year.to_string()).to_vec()));
    limits
}

fn decimal(precision: u8, scale: u8) -> Kind {
    Kind::Decimal { precision, scale, unsigned: false, zerofill: false }
}

/// Zero, the largest and the smallest, with both signs, and one digit each at both ends.
fn decimals(precision: u8, scale: u8) -> Vec<String> {
    let (whole, fraction) = (usize::from(precision - scale), usize::from(scale));
    let digits = [
        format!("0{}.{}", "9".repeat(whole), "9".repeat(fraction)),
        format!("0{}.{}1", "0".repeat(whole), "0".repeat(fraction.saturating_sub(1))),
        format!("01{}.0", "0".repeat(whole.saturating_sub(1))),
        format!("0{}.{}", &"1234567890".repeat(7)[..whole], &"9876543210".repeat(7)[..fraction]),
    ];
    let signed = digits.iter().flat_map(|digits| [digits.clone(), format!("-{digits}")]);
    signed.chain(["0".to_owned()]).collect()
}

fn times() -> Vec<(Kind, Vec<String>)> {
    let quoted = |texts: &[String]| texts.iter().map(|text| format!("'{text}'")).collect();
    let dates: Vec<String> = literal::DATES.iter().map(|date| (*date).to_owned()).collect();
    let moments = |days: &[String]| -> Vec<String> {
        let clocks = ["00:00:00", "00:00:00.000001", "23:59:59.999999", "12:34:56.5", "01:02:03"];
        let moments = days.iter().zip(clocks.iter().cycle());
        moments.map(|(day, clock)| format!("{day} {clock}")).collect()
    };
    let instants: Vec<String> = literal::TIMESTAMPS.iter().map(|it| (*it).to_owned()).collect();
    let times: Vec<String> =
        literal::TIMES.iter().flat_map(|time| [(*time).to_owned(), format!("-{time}")]).collect();
    let mut limits = vec![(Kind::Date, quoted(&dates))];
    for fraction in 0..=6 {
        limits.push((Kind::Time { fraction }, quoted(&times)));
        limits.push((Kind::DateTime { fraction }, quoted(&moments(&dates))));
        limits.push((Kind::Timestamp { fraction }, quoted(&instants)));
    }
    limits
}

fn text_column(declared: &str, characters_max: u32, collation: Collation) -> Column {
    let kind = Kind::Text { declared: declared.to_owned(), characters_max, collation };
    Column { name: "c".to_owned(), kind, nullable: true, default: None }
}

fn bytes_column(name: &str, declared: &str, bytes_max: u32) -> Column {
    let kind = Kind::Bytes { declared: declared.to_owned(), bytes_max };
    Column { name: name.to_owned(), kind, nullable: true, default: None }
}
