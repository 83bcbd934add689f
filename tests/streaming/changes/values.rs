//! Values of every type that is read so far: MySQL itself says what they are.

use serde_json::json;
use testkit::{Result, compare};

use super::capture;
use crate::support::setup::Setup;

/// Inserts rows, and holds the topic, folded by key, against the table.
#[track_caller]
fn check(name: &str, columns: &str, rows: &[&str]) -> Result<()> {
    let table = format!("CREATE TABLE samples (id INT NOT NULL PRIMARY KEY, {columns})");
    let mut setup = Setup::with_tables(name, &[&table])?;
    let numbered = rows.iter().enumerate();
    let mut inserts: Vec<String> =
        numbered.map(|(id, row)| format!("INSERT INTO samples VALUES ({id}, {row})")).collect();
    inserts.insert(0, "SET sql_mode = ''".to_owned());
    let inserts: Vec<&str> = inserts.iter().map(String::as_str).collect();
    let records = capture(&mut setup, &inserts, &["samples"])?.remove(0);
    assert_eq!(records.len(), rows.len());
    let comparison = compare(&mut setup.database, "samples", &records)?;
    assert!(comparison.is_equal(), "{comparison}");
    Ok(())
}

#[test]
fn integers_keep_their_sign_and_size() -> Result<()> {
    check(
        "integers",
        "a TINYINT, b TINYINT UNSIGNED, c SMALLINT, d SMALLINT UNSIGNED, e MEDIUMINT,
         f MEDIUMINT UNSIGNED, g INT, h INT UNSIGNED, i BIGINT, j BIGINT UNSIGNED, k BOOLEAN,
         l YEAR",
        &[
            "-128, 0, -32768, 0, -8388608, 0, -2147483648, 0, -9223372036854775808, 0, 0, 1901",
            "127, 255, 32767, 65535, 8388607, 16777215, 2147483647, 4294967295,
             9223372036854775807, 9223372036854775807, 1, 2155",
            "-1, 1, -1, 1, -1, 1, -1, 1, -1, 1, TRUE, 2026",
            "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
        ],
    )
}

#[test]
fn fractions_keep_every_digit() -> Result<()> {
    check(
        "fractions",
        "a FLOAT, b DOUBLE, c DECIMAL(10,2), d DECIMAL(65,30), e DECIMAL(5,0), f DECIMAL(3,3)",
        &[
            "1.5, -2.25, 12345678.90, 1.000000000000000000000000000001, 7, 0.001",
            "-3.4028235e38, 1.7976931348623157e308, -0.01,
             -99999999999999999999999999999999999.999999999999999999999999999999, -99999, -0.999",
            "0.1, 0.1, 0, 0, 0, 0",
            "NULL, NULL, NULL, NULL, NULL, NULL",
        ],
    )
}

#[test]
fn texts_of_every_length_arrive_whole() -> Result<()> {
    check(
        "texts",
        "a CHAR(8), b VARCHAR(300), c TEXT, d TINYTEXT, e MEDIUMTEXT, f LONGTEXT",
        &[
            "'žluť', REPEAT('ř', 300), REPEAT('long ', 10000), '', REPEAT('𝄞', 20000), 'x'",
            "'pad ', '', '', REPEAT('x', 255), '', ''",
            "'\\0', '\\n\\t\"''', '👩‍👩‍👧', 'a', 'a', 'a'",
            "NULL, NULL, NULL, NULL, NULL, NULL",
        ],
    )
}

#[test]
fn texts_are_the_same_in_every_character_set() -> Result<()> {
    // GIVEN a table with a column in each character set that the server has
    let mut setup = Setup::new("character_sets")?;
    let (_, sets) = setup.database.query(
        "SELECT character_set_name, maxlen FROM information_schema.character_sets
         WHERE character_set_name <> 'binary' ORDER BY 1",
    )?;
    let sets: Vec<(String, u64)> = sets.into_iter().map(mysql_async::from_row).collect();
    let column = |(set, _): &(String, u64)| format!("{set}_text TEXT CHARACTER SET {set}");
    let columns = sets.iter().map(column).collect::<Vec<_>>().join(", ");
    setup.database.execute(&format!("CREATE TABLE texts (id INT PRIMARY KEY, {columns})"))?;
    // WHEN each holds what it can of a text in many scripts (`?` for the rest), and then, if its
    // characters have one byte, all characters from space on
    let scripts = "'Aß€ žluťoučký Ωμέγα עברית عربي ไทย 中文 日本 かな ｶﾅ 한국 ქართული'";
    let converted = sets.iter().map(|(set, _)| format!("CONVERT({scripts} USING {set})"));
    let mut raw = Vec::new();
    for (set, longest) in &sets {
        raw.push(if *longest == 1 {
            format!("_{set} x'{}'", characters(&mut setup, set)?)
        } else {
            "NULL".to_owned()
        });
    }
    let converted = converted.collect::<Vec<_>>().join(", ");
    let statements = [
        format!("INSERT INTO texts VALUES (1, {converted})"),
        format!("INSERT INTO texts VALUES (2, {})", raw.join(", ")),
    ];
    let statements = statements.each_ref().map(String::as_str);
    let records = capture(&mut setup, &statements, &["texts"])?.remove(0);
    // THEN each arrives as the server itself prints it
    assert_eq!(records.len(), 2);
    let comparison = compare(&mut setup.database, "texts", &records)?;
    assert!(comparison.is_equal(), "{comparison}");
    Ok(())
}

/// All bytes from space on that a column of this set can hold, in hexadecimal digits. The server
/// prints those that are no characters as `?` or U+FFFD.
fn characters(setup: &mut Setup, set: &str) -> Result<String> {
    setup.database.value(&format!(
        "WITH RECURSIVE bytes (byte) AS (SELECT 32 UNION ALL SELECT byte + 1 FROM bytes
            WHERE byte < 255)
         SELECT GROUP_CONCAT(HEX(byte) ORDER BY byte SEPARATOR '') FROM bytes
         WHERE byte < 128 OR '{set}' <> 'ascii'"
    ))
}

#[test]
fn every_code_that_the_server_stores_in_east_asian_sets_is_read_from_tables_and_stream()
-> Result<()> {
    // GIVEN all codes of two bytes, and the second plane of EUC-JP, in each set that has them
    const SETS: [&str; 9] =
        ["big5", "cp932", "eucjpms", "euckr", "gb18030", "gb2312", "gbk", "sjis", "ujis"];
    let columns = SETS.map(|set| format!("{set}_text VARCHAR(1) CHARACTER SET {set}")).join(", ");
    let definition = format!("CREATE TABLE codes (id INT PRIMARY KEY, {columns})");
    let stored = SETS.map(|set| {
        let text = format!("CONVERT(UNHEX(HEX(id)) USING {set})");
        format!("IF(CHAR_LENGTH({text}) = 1, {text}, NULL)")
    });
    let insert = format!(
        "INSERT INTO codes WITH RECURSIVE n (id) AS (SELECT 0x8000 + 0 UNION ALL
            SELECT id + 1 FROM n WHERE id < 0xffff),
         codes (id) AS (SELECT id FROM n UNION ALL SELECT 0x8f0000 + id FROM n
            WHERE 0xa1a1 <= id AND 0xa1 <= id % 256)
         SELECT id, {} FROM codes",
        stored.join(", ")
    );
    let mut setup = Setup::with_tables("codes", &[&definition])?;
    let statements = ["SET cte_max_recursion_depth = 100000, sql_mode = ''", &insert];
    let streamed = capture(&mut setup, &statements, &["codes"])?.remove(0);
    // WHEN a second connector reads the table
    let name = format!("{}_read", setup.settings.name());
    setup.settings.set_name(name).set("snapshot.mode", "initial_only");
    setup.launch()?.wait_for_success()?;
    let read = setup.records("codes")?;
    // THEN both have what the server prints, which is `?` or U+FFFD where it knows no character
    let printed = SETS.map(|set| format!("CONVERT({set}_text USING utf8mb4)")).join(", ");
    let printed = setup.database.texts(&format!("SELECT id, {printed} FROM codes ORDER BY id"))?;
    let sorted = |records: &[testkit::Record]| {
        let mut rows: Vec<_> = records.iter().map(|record| record.after().clone()).collect();
        rows.sort_by_key(|row| row["id"].as_u64());
        rows
    };
    let rows = sorted(&streamed);
    assert_eq!(rows, sorted(&read));
    assert_eq!(rows.len(), printed.len());
    for (row, printed) in rows.iter().zip(&printed) {
        for (set, text) in SETS.iter().zip(&printed[1..]) {
            let found = row[format!("{set}_text")].as_str();
            let text = text.as_deref().map(|bytes| str::from_utf8(bytes).unwrap());
            assert_eq!(found, text, "{set} {}", row["id"]);
        }
    }
    Ok(())
}

#[test]
fn half_characters_of_ucs2_are_question_marks_from_tables_and_stream() -> Result<()> {
    // GIVEN texts of halves of surrogate pairs, alone, among others and in a whole pair
    let table = "CREATE TABLE halves (id INT PRIMARY KEY, text VARCHAR(9) CHARACTER SET ucs2)";
    let insert = "INSERT INTO halves VALUES (1, x'd800'), (2, x'dfff'), (3, x'0041d8000042'),
        (4, x'0041dc00d83d'), (5, x'd83dde00')";
    let mut setup = Setup::with_tables("halves", &[table])?;
    let streamed = capture(&mut setup, &[insert], &["halves"])?.remove(0);
    // WHEN a second connector reads the table
    let name = format!("{}_read", setup.settings.name());
    setup.settings.set_name(name).set("snapshot.mode", "initial_only");
    setup.launch()?.wait_for_success()?;
    let read = setup.records("halves")?;
    // THEN a half is the `?` that the server makes of it where it converts it to UTF-16, and both
    // halves of a character are that character
    let printed = setup.database.texts(
        "SELECT CONVERT(CONVERT(text USING utf16) USING utf8mb4) FROM halves ORDER BY id LIMIT 4",
    )?;
    let printed = printed.into_iter().map(|mut row| row.remove(0).unwrap());
    let mut expected: Vec<_> = printed.map(|text| String::from_utf8(text).unwrap()).collect();
    assert_eq!(expected, ["?", "?", "A?B", "A??"]);
    expected.push("\u{1f600}".to_owned());
    for records in [&streamed, &read] {
        let texts = records.iter().map(|record| record.after()["text"].as_str().unwrap());
        assert_eq!(texts.collect::<Vec<_>>(), expected);
    }
    Ok(())
}

#[test]
fn bytes_are_not_touched() -> Result<()> {
    check(
        "bytes",
        "a BINARY(4), b VARBINARY(300), c BLOB, d TINYBLOB, e BIT(1), f BIT(12), g BIT(64)",
        &[
            "x'00ff', REPEAT(x'80', 300), REPEAT(x'00', 70000), x'', b'1', b'101', x'8000000000000001'",
            "x'61620000', '', '', x'ff', b'0', b'111111111111', x'ffffffffffffffff'",
            "NULL, NULL, NULL, NULL, NULL, NULL, NULL",
        ],
    )
}

#[test]
fn moments_and_durations_keep_their_microseconds() -> Result<()> {
    check(
        "moments",
        "a DATE, b DATETIME, c DATETIME(3), d DATETIME(6), e TIMESTAMP NULL, f TIMESTAMP(6) NULL,
         g TIME, h TIME(2), i TIME(6)",
        &[
            "'2024-02-29', '1999-12-31 23:59:59', '2024-01-02 03:04:05.678',
             '9999-12-31 23:59:59.999999', '1970-01-01 00:00:01', '2038-01-19 03:14:07.999999',
             '838:59:59', '-01:02:03.45', '-838:59:59.000000'",
            "'1000-01-01', '1000-01-01 00:00:00', '1969-12-31 23:59:59.999',
             '1969-12-31 23:59:59.999999', '2024-07-01 12:00:00', '2024-07-01 12:00:00.000001',
             '-00:00:01', '00:00:00.01', '-00:00:00.000001'",
            "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
        ],
    )
}

#[test]
fn enums_and_sets_are_their_labels() -> Result<()> {
    check(
        "labels",
        "a ENUM('small','großgeschrieben','c,d') , b SET('red','green','blau'), c ENUM('x','y') NOT NULL",
        &["'small', 'red,blau', 'y'", "'c,d', '', 'x'", "2, 'green', 'invalid'", "NULL, NULL, 'x'"],
    )
}

#[test]
fn generated_and_invisible_columns_are_captured() -> Result<()> {
    let table = "CREATE TABLE samples (id INT NOT NULL PRIMARY KEY,
        doubled INT GENERATED ALWAYS AS (id * 2) STORED, next INT AS (id + 1) VIRTUAL,
        hidden INT INVISIBLE DEFAULT 5)";
    let mut setup = Setup::with_tables("generated", &[table])?;
    let insert = ["INSERT INTO samples (id) VALUES (4)"];
    let records = capture(&mut setup, &insert, &["samples"])?.remove(0);
    assert_eq!(records[0].after(), &json!({ "id": 4, "doubled": 8, "next": 5, "hidden": 5 }));
    Ok(())
}
