//! Chunks over every kind of key: the server compares and sorts, so the order is its own.

use testkit::Result;
use testkit::xtask::stack::{Mysql, StackAddress};

use super::{assert_equal, with_small_chunks};
use crate::support::setup::{Setup, operations, private_mysql};

/// A kind of key: the column's type, and an expression of a number `n` that gives its values.
const KEYS: &[(&str, &str, &str)] = &[
    ("tinyint_key", "TINYINT", "n - 30"),
    ("bigint_unsigned_key", "BIGINT UNSIGNED", "18446744073709551000 + n"),
    ("negative_key", "BIGINT", "-9223372036854775808 + n"),
    ("decimal_key", "DECIMAL(30,10)", "(n - 30) * 1234567.0000000001"),
    ("float_key", "FLOAT", "(n - 30) * 0.1e0"),
    ("double_key", "DOUBLE", "(n - 30) * 0.1e0 / 3e100"),
    ("bit_key", "BIT(20)", "n * 1000"),
    ("year_key", "YEAR", "IF(n = 1, 0, 1900 + n)"),
    ("date_key", "DATE", "DATE'2024-02-01' + INTERVAL n DAY"),
    (
        "datetime_key",
        "DATETIME(6)",
        "TIMESTAMP'2024-02-01 00:00:00' + INTERVAL n * 1001 MICROSECOND",
    ),
    (
        "timestamp_key",
        "TIMESTAMP(3)",
        "TIMESTAMP'2024-02-01 00:00:00' + INTERVAL n * 1001000 MICROSECOND",
    ),
    ("time_key", "TIME(2)", "SEC_TO_TIME((n - 30) * 10000.37)"),
    (
        "char_key",
        "CHAR(10) COLLATE utf8mb4_0900_ai_ci",
        "CONCAT(CHAR(96 + n % 26 USING ascii), ' é', n)",
    ),
    ("varchar_key", "VARCHAR(30) COLLATE utf8mb4_0900_as_cs", "CONCAT(n % 7, 'ß', n)"),
    ("padded_key", "VARCHAR(30) COLLATE utf8mb4_general_ci", "CONCAT('Ä', n)"),
    ("gbk_key", "VARCHAR(30) CHARACTER SET gbk", "CONCAT('中文', n)"),
    ("sjis_key", "VARCHAR(30) CHARACTER SET sjis", "CONCAT('ソ表', n)"),
    ("utf16_key", "VARCHAR(30) CHARACTER SET utf16", "CONCAT('ab', n)"),
    ("quoted_key", "VARCHAR(30)", "CONCAT('\\\\', \"'\", '\"', n)"),
    ("binary_key", "BINARY(16)", "UNHEX(RPAD(LPAD(HEX(n * 5), 4, '0'), 32, '0'))"),
    (
        "varbinary_key",
        "VARBINARY(16)",
        "UNHEX(CONCAT(LPAD(HEX(n % 3 * 100), 2, '0'), '00', LPAD(HEX(n), 4, '0')))",
    ),
    (
        "enum_key",
        "ENUM('z','it''s','','a,b','back\\\\slash','é','x1','x2','x3','x4','x5')",
        "IF(n <= 11, n, NULL)",
    ),
    ("set_key", "SET('a','b','c','d','e','f')", "n"),
];

/// A database on a server of its own, which remembers the statements of this test only.
fn with_small_chunks_on(mysql: &Mysql, name: &str) -> Result<Setup> {
    let mut setup = Setup::on(StackAddress::from_environment()?, mysql, name)?;
    setup.settings.set("snapshot.mode", "initial").set("snapshot.chunk_rows_max", 7);
    Ok(setup)
}

#[test]
fn every_type_of_key_is_read_whole_and_once() -> Result<()> {
    // GIVEN a table for each type of key
    let mysql = private_mysql(&[])?;
    let mut setup = with_small_chunks_on(&mysql, "snapshot_keys")?;
    setup.settings.set("format.unsigned_bigint", "precise");
    setup.database.execute("SET sql_mode = ''")?;
    for (table, column_type, values) in KEYS {
        setup.database.execute_all(&[
            &format!("CREATE TABLE {table} (k {column_type} NOT NULL PRIMARY KEY, v INT)"),
            &format!(
                "INSERT INTO {table} WITH RECURSIVE numbers (n) AS
                    (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 60)
                    SELECT {values}, n FROM numbers WHERE {values} IS NOT NULL"
            ),
        ])?;
    }
    // WHEN a connector reads them
    setup.catch_up()?;
    // THEN each row is there, once
    for (table, ..) in KEYS {
        let (comparison, records) = assert_equal(&mut setup, table)?;
        assert!(comparison.rows > 10, "{comparison}");
        assert_eq!(operations(&records), vec!["r"; comparison.rows], "{table}");
        // AND no chunk was sorted or searched for from the table's start; SET has no other way
        if *table != "set_key" {
            assert_reads_are_ranges(&mut setup, table)?;
        }
    }
    // AND the tables whose keys can be divided were read in ranges
    for table in ["tinyint_key", "bigint_unsigned_key", "negative_key"] {
        assert_read_in_ranges(&mut setup, table)?;
    }
    Ok(())
}

#[test]
fn a_chunk_may_end_on_a_date_that_does_not_exist() -> Result<()> {
    // GIVEN tables with keys in months of 31 days each
    let mut setup = with_small_chunks("snapshot_invalid_dates", &[])?;
    setup.database.execute("SET sql_mode = 'ALLOW_INVALID_DATES'")?;
    for (table, column_type) in [("dates", "DATE"), ("times", "DATETIME(1)")] {
        setup.database.execute_all(&[
            &format!("CREATE TABLE {table} (k {column_type}, v INT, PRIMARY KEY (k, v))"),
            &format!(
                "INSERT INTO {table} WITH RECURSIVE numbers (n) AS
                    (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 60)
                    SELECT CONCAT('2023-', 2 + n DIV 31, '-', 1 + n % 31, ' 23:59:59.5'), n
                    FROM numbers"
            ),
        ])?;
    }
    // WHEN a connector reads them
    setup.catch_up()?;
    // THEN each row is there, once
    for table in ["dates", "times"] {
        let (comparison, records) = assert_equal(&mut setup, table)?;
        assert_eq!(comparison.rows, 60);
        assert_eq!(operations(&records), ["r"; 60], "{table}");
    }
    Ok(())
}

/// The server sorted nothing for the chunks of a table, and looked at hardly more rows than it
/// sent.
#[track_caller]
fn assert_reads_are_ranges(setup: &mut Setup, table: &str) -> Result<()> {
    let database = setup.database.name().to_owned();
    let (_, rows) = setup.database.query(&format!(
        "SELECT CAST(SUM(sum_sort_rows) AS SIGNED), CAST(SUM(sum_rows_examined) AS SIGNED),
            CAST(SUM(sum_rows_sent) AS SIGNED), CAST(SUM(count_star) AS SIGNED)
            FROM performance_schema.events_statements_summary_by_digest
            WHERE digest_text LIKE '%FROM `{database}` . `{table}` AS %LIMIT%'"
    ))?;
    let number = |column| rows[0].get::<Option<i64>, _>(column).flatten();
    let numbers = [0, 1, 2, 3].map(number);
    let [Some(sorted), Some(examined), Some(sent), Some(chunks)] = numbers else {
        panic!("the server knows no chunk of {table}")
    };
    assert!(chunks > 1, "{table} was read in {chunks} chunks");
    assert!(
        sorted == 0 && examined <= sent + chunks,
        "of {table}, {sorted} rows were sorted and {examined} looked at to send {sent}"
    );
    Ok(())
}

/// Chunks of a table ended where another range of its keys begins.
#[track_caller]
fn assert_read_in_ranges(setup: &mut Setup, table: &str) -> Result<()> {
    let database = setup.database.name().to_owned();
    let (_, rows) = setup.database.query(&format!(
        "SELECT CAST(COUNT(*) AS SIGNED) FROM performance_schema.events_statements_summary_by_digest
            WHERE digest_text LIKE '%FROM `{database}` . `{table}` AS % <= ? ORDER %LIMIT%'"
    ))?;
    assert!(rows[0].get::<i64, _>(0) > Some(0), "{table} was not read in ranges");
    Ok(())
}

#[test]
fn a_chunk_that_is_full_early_is_not_read_to_its_end() -> Result<()> {
    // GIVEN a table whose last rows are ten thousand times as large as the others
    let mysql = private_mysql(&[])?;
    let mut setup = Setup::on(StackAddress::from_environment()?, &mysql, "snapshot_full")?;
    setup.settings.set("snapshot.mode", "initial");
    setup.database.execute_all(&[
        "CREATE TABLE uneven (id INT PRIMARY KEY, text LONGTEXT)",
        "SET cte_max_recursion_depth = 10000",
        "INSERT INTO uneven WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n
            WHERE n < 3000) SELECT n, REPEAT('x', IF(n <= 2500, 20, 200000)) FROM n",
    ])?;
    // WHEN it is read
    setup.catch_up()?;
    // THEN the server has sent hardly more rows than there are
    let (_, rows) = setup.database.query(
        "SELECT CAST(SUM(sum_rows_sent) AS SIGNED)
            FROM performance_schema.events_statements_summary_by_digest
            WHERE digest_text LIKE '%`uneven` AS %LIMIT%'",
    )?;
    let sent = rows[0].get::<i64, _>(0).unwrap();
    assert!((3000..3200).contains(&sent), "{sent} rows were sent");
    Ok(())
}

#[test]
fn composite_keys_are_read_whole_and_once() -> Result<()> {
    let tables = [
        "CREATE TABLE pairs (v INT, a INT, b VARCHAR(9), c DATETIME(3), PRIMARY KEY (b, a, c))",
        "CREATE TABLE enums (e ENUM('z', 'y', 'x') NOT NULL, n INT, PRIMARY KEY (e, n))",
        "CREATE TABLE descending (a INT, b INT, PRIMARY KEY (a DESC, b))",
        "CREATE TABLE promoted (x INT, b BINARY(3) NOT NULL, a INT NOT NULL, UNIQUE (a, b))",
        "CREATE TABLE prefixed (t VARCHAR(50), PRIMARY KEY (t(4)))",
        // The sort of whole values would need room for 8 MiB of each row.
        "CREATE TABLE prefixed_long (t LONGTEXT CHARACTER SET latin1 NOT NULL, b BLOB NOT NULL,
            n INT, PRIMARY KEY (t(5), b(2) DESC, n))",
        "CREATE TABLE hashed (t VARCHAR(750) COLLATE utf8mb4_unicode_ci PRIMARY KEY) ENGINE = MEMORY",
        "CREATE TABLE nothing (id INT PRIMARY KEY)",
    ];
    let mysql = private_mysql(&[])?;
    let mut setup = with_small_chunks_on(&mysql, "snapshot_composite")?;
    setup.database.execute_all(&tables)?;
    let numbers = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 99)";
    setup.database.execute_all(&[
        &format!("INSERT INTO pairs {numbers} SELECT n, n % 3, n % 5, '2024-01-01' + INTERVAL n SECOND FROM n"),
        "INSERT INTO enums WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n
            WHERE n < 999) SELECT n % 3 + 1, n FROM n",
        &format!("INSERT INTO descending {numbers} SELECT n % 4, n FROM n"),
        &format!("INSERT INTO promoted {numbers} SELECT n, UNHEX(CONCAT(LPAD(HEX(n), 2, '0'), '00')), n % 4 FROM n"),
        &format!("INSERT INTO prefixed {numbers} SELECT CONCAT(LPAD(n, 4, 'é'), n) FROM n"),
        &format!("INSERT INTO prefixed_long {numbers} SELECT CONCAT(LPAD(n % 5, 5, 'é'), REPEAT('x', 99 - n)),
            UNHEX(CONCAT('00', LPAD(HEX(n % 3), 2, '0'), LPAD(HEX(99 - n), 2, '0'))), n FROM n"),
        &format!("INSERT INTO hashed {numbers} SELECT n FROM n"),
    ])?;
    setup.catch_up()?;
    for table in ["pairs", "enums", "descending", "promoted", "prefixed", "prefixed_long", "hashed"]
    {
        let (comparison, records) = assert_equal(&mut setup, table)?;
        assert_eq!(comparison.rows, if table == "enums" { 999 } else { 99 });
        assert_eq!(operations(&records), vec!["r"; comparison.rows], "{table}");
        // Rows are sorted where the index has only the start of each text, or no order; and where a
        // label has many rows the server may scan from the label's first.
        if !["prefixed", "prefixed_long", "hashed", "enums"].contains(&table) {
            assert_reads_are_ranges(&mut setup, table)?;
        }
    }
    Ok(())
}
