//! From where on changes are shown.

use testkit::{LIMIT, Result, wait_for};

use super::{TailSetup, changes, end_of_binlog, lines};

const TABLE: &str = "CREATE TABLE t (id INT PRIMARY KEY)";

/// The rows that a tail showed.
fn ids(stdout: &str) -> Result<Vec<u64>> {
    Ok(lines(stdout)?.iter().filter_map(|line| line["key"]["id"].as_u64()).collect())
}

/// Waits until the source's clock is in the next second, which it returns as text.
fn next_second(test: &mut TailSetup) -> Result<String> {
    let query = "SELECT CAST(UTC_TIMESTAMP() AS CHAR)";
    let now: String = test.setup.database.value(query)?;
    wait_for("the next second", LIMIT, || {
        let then: String = test.setup.database.value(query)?;
        Ok((then != now).then_some(then))
    })
}

#[test]
fn since_begins_at_a_place_a_time_a_gtid_set_and_so_long_ago() -> Result<()> {
    let mut test = TailSetup::new("tail_since", &[TABLE])?;
    // Row 2 is in the same file as those behind the time.
    test.execute(&["INSERT INTO t VALUES (1)", "FLUSH BINARY LOGS", "INSERT INTO t VALUES (2)"])?;
    let time = next_second(&mut test)?;
    let place = end_of_binlog(&mut test.setup)?;
    let gtids: String = test.setup.database.value("SELECT @@GLOBAL.gtid_executed")?;
    test.execute(&["INSERT INTO t VALUES (3)", "INSERT INTO t VALUES (4)"])?;
    let show =
        |since: &str| ids(&test.show_from(&["--since", since], &["--json"], r#":{"id":4}"#)?);
    assert_eq!(show(&place)?, [3, 4]);
    assert_eq!(show(&time)?, [3, 4]);
    assert_eq!(show(&format!("{}Z", time.replace(' ', "T")))?, [3, 4]);
    assert_eq!(show(&gtids.replace('\n', ""))?, [3, 4]);
    // All of the test, and what others wrote, which is not captured.
    assert_eq!(show("1h")?, [1, 2, 3, 4]);
    let header = test.show_from(&["--since", &place], &[], "id=4")?;
    let begin = header.lines().find_map(|line| line.strip_prefix("-- "));
    let begin = begin.and_then(|line| line.rsplit("  ").next()).unwrap_or_default().to_owned();
    assert_eq!(changes(&header).len(), 2);
    assert_eq!(show(&begin)?, [3, 4], "the place of a header can be given to --since");
    Ok(())
}

#[test]
fn without_since_the_next_change_is_the_first() -> Result<()> {
    let mut test = TailSetup::new("tail_now", &[TABLE])?;
    test.execute(&["INSERT INTO t VALUES (1)"])?;
    let mut tail = test.start(&["--json"])?;
    wait_for("a dump", LIMIT, || test.setup.dump())?;
    let mut id = 2;
    tail.wait_while_running("a change", |tail| {
        test.setup.database.execute(&format!("INSERT INTO t VALUES ({id})"))?;
        id += 1;
        Ok(tail.stdout().contains("\"id\"").then_some(()))
    })?;
    let shown = ids(&tail.stop()?.stdout)?;
    assert!(!shown.contains(&1), "{shown:?}");
    Ok(())
}

#[test]
fn a_place_that_is_none_is_refused_with_what_helps() -> Result<()> {
    let mut test = TailSetup::new("tail_nowhere", &[TABLE])?;
    test.execute(&["INSERT INTO t VALUES (1)"])?;
    let (file, offset) = test.begin.rsplit_once(':').unwrap_or_default();
    let offset: u64 = offset.parse()?;
    let unknown = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5";
    for (since, code, words) in [
        ("yesterday".to_owned(), 64, "a duration (10m, 2h, 1d), a time"),
        ("2026-11-31 10:00:00".to_owned(), 64, "a GTID set is needed"),
        (format!("{file}:{}", offset + 1), 1, "no transaction begins at"),
        (format!("{file}:999999999999"), 1, "ends at"),
        ("binlog.999999:4".to_owned(), 1, "the source has no binlog.999999"),
        ("other.000001:4".to_owned(), 1, "no binlog with other.000001 any more"),
        (unknown.to_owned(), 1, "the source has not executed 3e11fa47"),
    ] {
        let exit = test.fail(&["--since", &since])?;
        assert_eq!(exit.code, Some(code), "{since}: {}", exit.stderr);
        assert!(exit.stderr.contains(words), "{since}: {}", exit.stderr);
        assert!(code == 64 || exit.stderr.contains("--since"), "{since}: {}", exit.stderr);
        for word in ["saved position", "state topic", "kafka-topics"] {
            assert!(!exit.stderr.contains(word), "{since}: {}", exit.stderr);
        }
    }
    Ok(())
}
