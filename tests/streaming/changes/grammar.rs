//! What a transaction may begin with, hold and end with, apart from rows.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use testkit::xtask::stack::{Mysql, StackAddress};
use testkit::{Result, compare, topics};

use super::{ITEMS, afters, capture};
use crate::support::setup::{Setup, operations, private_mysql};

const MYISAM: &str =
    "CREATE TABLE loose (id INT NOT NULL PRIMARY KEY, name VARCHAR(200)) ENGINE = MyISAM";

#[test]
fn rows_that_an_error_left_behind_are_delivered() -> Result<()> {
    // GIVEN a table that knows no transactions
    let mut setup = Setup::with_tables("half_way", &[MYISAM])?;
    let mut connector = setup.start()?;
    // WHEN an INSERT of many rows fails at the third
    setup.database.execute("INSERT INTO loose VALUES (3, 'first')")?;
    let failing = "INSERT INTO loose VALUES (1, 'stays'), (2, 'stays'), (3, 'again'), (4, 'not')";
    setup.database.execute(failing).unwrap_err();
    connector.stop()?;
    setup.catch_up()?;
    // THEN the two before it are there
    let records = setup.records("loose")?;
    assert_eq!(operations(&records), ["c", "c", "c"]);
    let comparison = compare(&mut setup.database, "loose", &records)?;
    assert!(comparison.is_equal(), "{comparison}");
    Ok(())
}

#[test]
fn a_rollback_takes_back_what_the_engines_take_back() -> Result<()> {
    // GIVEN a server that lets a transaction change tables of both kinds
    let arguments = ["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"];
    let mysql = private_mysql(&arguments)?;
    let mut setup = Setup::on(StackAddress::from_environment()?, &mysql, "mixed_engines")?;
    setup.database.execute_all(&[ITEMS, MYISAM])?;
    // WHEN such transactions are rolled back and committed
    let statements = [
        "BEGIN",
        "INSERT INTO items VALUES (1, 'never')",
        "INSERT INTO loose VALUES (1, 'stays')",
        "INSERT INTO items VALUES (2, 'never')",
        "CREATE TEMPORARY TABLE hidden (id INT)",
        "INSERT INTO hidden VALUES (1)",
        "ROLLBACK",
        "BEGIN",
        "INSERT INTO loose VALUES (2, 'stays')",
        "INSERT INTO items VALUES (3, 'stays')",
        "SAVEPOINT mistake",
        "INSERT INTO items VALUES (4, 'never')",
        "INSERT INTO loose VALUES (3, 'stays')",
        "ROLLBACK TO mistake",
        "COMMIT",
    ];
    let records = capture(&mut setup, &statements, &["items", "loose"])?;
    // THEN both topics equal their tables
    assert_eq!(operations(&records[0]), ["c"]);
    assert_eq!(operations(&records[1]), ["c", "c", "c"]);
    for (table, records) in ["items", "loose"].iter().zip(&records) {
        let comparison = compare(&mut setup.database, table, records)?;
        assert!(comparison.is_equal(), "{comparison}");
    }
    Ok(())
}

#[test]
fn a_table_made_from_a_query_comes_with_its_rows_and_others_are_no_trouble() -> Result<()> {
    let mut setup = Setup::with_tables("made_from", &[ITEMS])?;
    let statements = [
        "INSERT INTO items VALUES (1, 'one'), (2, 'two')",
        "CREATE TABLE copied (PRIMARY KEY (id)) SELECT * FROM items",
        "CREATE TABLE shaped LIKE items",
        "CREATE VIEW seen AS SELECT * FROM items",
        "CREATE TEMPORARY TABLE hidden SELECT * FROM items",
        "UPDATE hidden SET name = 'hidden'",
        "INSERT INTO shaped SELECT * FROM hidden WHERE id = 2",
        "UPDATE seen SET name = 'through the view' WHERE id = 1",
        "DROP TEMPORARY TABLE hidden",
        "ALTER VIEW seen AS SELECT id FROM items",
        "DROP VIEW seen",
    ];
    let tables = ["items", "copied", "shaped"];
    let records = capture(&mut setup, &statements, &tables)?;
    for (records, expected) in
        records.iter().zip([&["c", "c", "u"][..], &["c", "c"][..], &["c"][..]])
    {
        assert_eq!(operations(records), expected);
    }
    for (table, records) in tables.iter().zip(&records) {
        let comparison = compare(&mut setup.database, table, records)?;
        assert!(comparison.is_equal(), "{comparison}");
    }
    let all = topics(&setup.address)?;
    for table in ["hidden", "seen"] {
        assert!(!all.contains(&setup.topic(table)), "{table} has a topic");
    }
    Ok(())
}

#[test]
fn transactions_of_nothing_and_numbers_that_are_left_out_are_passed() -> Result<()> {
    // GIVEN a server on which GTIDs are taken by hand, in any order, for nothing or for rows
    let mysql = private_mysql(&[])?;
    let mut setup = Setup::on(StackAddress::from_environment()?, &mysql, "injected")?;
    setup.database.execute(ITEMS)?;
    let mut connector = setup.start()?;
    let uuid = "aaaaaaaa-1111-2222-3333-444444444444";
    for (number, statement) in [
        (7, "COMMIT"),
        (3, "INSERT INTO items VALUES (1, 'three')"),
        (100, "INSERT INTO items VALUES (2, 'hundred')"),
        (4, "COMMIT"),
    ] {
        setup.database.execute_all(&[
            &format!("SET gtid_next = '{uuid}:{number}'"),
            "BEGIN",
            statement,
            "COMMIT",
        ])?;
    }
    // AND changes that are kept out of the binlog
    setup.database.execute_all(&[
        "SET gtid_next = 'AUTOMATIC'",
        "SET sql_log_bin = 0",
        "INSERT INTO items VALUES (3, 'invisible')",
        "SET sql_log_bin = 1",
        "INSERT INTO items VALUES (4, 'visible')",
        &format!("SET gtid_next = '{uuid}:5'"),
        "BEGIN",
        "COMMIT",
    ])?;
    connector.stop()?;
    // THEN a run to the end reaches it, although the last transaction has nothing
    setup.catch_up()?;
    let records = setup.records("items")?;
    let ids: Vec<_> = afters(&records).iter().map(|row| row["id"].clone()).collect();
    assert_eq!(ids, [1, 2, 4]);
    let position = crate::streaming::parts::positions(&setup)?.pop().unwrap();
    let delivered = position["gtid_set"].as_str().unwrap();
    assert!(delivered.contains(&format!("{uuid}:3-5:7:100")), "{delivered}");
    Ok(())
}

/// The binlog file that is being written.
fn current_file(mysql: &Mysql) -> Result<PathBuf> {
    let status = mysql.sql("SHOW BINARY LOG STATUS")?;
    Ok(mysql.data_folder().join(status.split('\t').next().unwrap_or_default()))
}

/// Makes the last COMMIT of a binlog file a ROLLBACK, as servers wrote it that could not take rows
/// out: the database's name becomes two letters shorter for it.
fn roll_back_last(file: &Path) -> Result<()> {
    let mut bytes = fs::read(file)?;
    let end = bytes.windows(7).rposition(|window| window == b"\0COMMIT").unwrap() + 7;
    // Header, thread id, duration, length of the name, error, length of the variables, variables.
    let starts = (0..end).rev().filter(|&start| {
        let size = bytes.get(start + 9..start + 13).and_then(|size| size.try_into().ok());
        let is_query = bytes.get(start + 4) == Some(&2);
        let size = size.map(u32::from_le_bytes).and_then(|size| usize::try_from(size).ok());
        is_query && size == Some(end + 4 - start)
    });
    let start = starts.max().unwrap();
    bytes[start + 19 + 8] -= 2;
    bytes[end - 9..end].copy_from_slice(b"\0ROLLBACK");
    let checksum = crc32fast::hash(&bytes[start..end]);
    bytes[end..end + 4].copy_from_slice(&checksum.to_le_bytes());
    Ok(fs::write(file, bytes)?)
}

#[test]
fn rows_before_a_rollback_are_taken_back() -> Result<()> {
    // GIVEN a binlog in which a transaction has rows and ends with ROLLBACK, between two others
    let mysql = private_mysql(&[])?;
    let mut setup = Setup::on(StackAddress::from_environment()?, &mysql, "rolled_back")?;
    setup.database.execute_all(&[ITEMS, MYISAM])?;
    setup.catch_up()?;
    let file = current_file(&mysql)?;
    setup.database.execute_all(&[
        "INSERT INTO items VALUES (1, 'before')",
        "INSERT INTO loose VALUES (1, 'taken back'), (2, 'taken back')",
        "FLUSH BINARY LOGS",
        "INSERT INTO items VALUES (2, 'after')",
    ])?;
    roll_back_last(&file)?;
    // WHEN the connector reads it
    let mut connector = setup.start()?;
    connector.wait_for_line("transaction_rolled_back")?;
    let records = setup.consumer("items")?.take(2)?;
    connector.stop()?;
    setup.catch_up()?;
    // THEN the others come once, and of it nothing is ever seen
    assert_eq!(operations(&records), ["c", "c"]);
    assert_eq!(setup.records("items")?.len(), 2);
    assert_eq!(setup.records("loose")?.len(), 0);
    Ok(())
}

#[test]
fn rows_that_were_seen_before_a_rollback_stop_it() -> Result<()> {
    // GIVEN such a transaction that is too large for one Kafka transaction
    let mysql = private_mysql(&[])?;
    let mut setup = Setup::on(StackAddress::from_environment()?, &mysql, "rolled_back_late")?;
    setup.settings.set("delivery.batch_bytes_max", 30_000);
    setup.database.execute(MYISAM)?;
    setup.catch_up()?;
    let file = current_file(&mysql)?;
    setup.database.execute_all(&[
        "INSERT INTO loose WITH RECURSIVE ids (id) AS
            (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 1000)
            SELECT id, REPEAT('x', 200) FROM ids",
        "FLUSH BINARY LOGS",
    ])?;
    roll_back_last(&file)?;
    // THEN nothing can take back what consumers have seen
    let exit = setup.launch()?.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    for word in ["transaction_rolled_back", "consumers have seen", "position set --to-current"] {
        assert!(exit.stderr.contains(word), "{word} is not in {}", exit.stderr);
    }
    Ok(())
}

#[test]
fn statements_of_clients_with_east_asian_character_sets_are_read() -> Result<()> {
    // GIVEN tables whose names have characters that end in a backtick, a backslash, a bar
    let mut setup = Setup::with_tables("east_asian", &[ITEMS])?;
    let names: [(&str, [&[u8]; 3]); 5] = [
        ("gbk", [b"\x81\x60", b"\x81\x5c", b"\x81\x7c"]),
        ("gb18030", [b"\x81\x60", b"\x81\x5c", b"\x81\x7c"]),
        ("big5", [b"\xa4\x60", b"\xa4\x5c", b"\xa4\x7c"]),
        ("sjis", [b"\x83\x60", b"\x83\x5c", b"\x83\x7c"]),
        ("cp932", [b"\x83\x60", b"\x83\x5c", b"\x83\x7c"]),
    ];
    // WHEN clients with these character sets make, change and drop them, quoted and bare
    let mut statements = Vec::new();
    for (charset, names) in names {
        statements.push(format!("SET NAMES {charset}"));
        for name in names {
            for parts in [
                [
                    b"CREATE TABLE `".as_slice(),
                    name,
                    b"` (id INT PRIMARY KEY, k INT COMMENT '\\'')",
                ],
                [b"ALTER TABLE ", name, b" ADD a INT"],
                [b"CREATE INDEX i ON `", name, b"` (k)"],
                [b"TRUNCATE ", name, b""],
                [b"DROP TABLE `", name, b"`"],
            ] {
                let hex = parts.concat().iter().fold(String::new(), |mut hex, byte| {
                    write!(hex, "{byte:02x}").unwrap();
                    hex
                });
                statements.push(format!("SET @statement = 0x{hex}"));
                statements.push("PREPARE statement FROM @statement".to_owned());
                statements.push("EXECUTE statement".to_owned());
            }
        }
    }
    statements.push("SET NAMES utf8mb4".to_owned());
    statements.push("INSERT INTO items VALUES (1, 'behind them')".to_owned());
    // THEN the change behind them arrives
    let name = setup.database.name().to_owned();
    setup.settings.set("capture.tables", json!([format!("{name}.items")]));
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    let records = capture(&mut setup, &statements, &["items"])?.remove(0);
    assert_eq!(operations(&records), ["c"]);
    Ok(())
}
