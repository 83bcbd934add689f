//! `tailwater position skip`: one rows event that cannot be delivered is skipped, and nothing else.

use serde_json::{Value as Json, json};
use testkit::{Connector, Context as _, Exit, LIMIT, Result, wait_for};

use crate::streaming::parts::positions;
use crate::support::setup::{Setup, program};

pub(crate) const READINGS: &str = "CREATE TABLE readings (id BIGINT UNSIGNED NOT NULL PRIMARY KEY)";

/// A number that a key cannot hold.
pub(crate) const BAD: &str = "(18446744073709551615)";

const REASON: &str = "reason: unsigned_bigint_too_large\n";

/// A connector that has begun.
fn setup(name: &str, envelope: &str) -> Result<Setup> {
    let mut setup = Setup::with_tables(name, &[READINGS])?;
    setup.settings.set("format.envelope", envelope).set("format.unsigned_bigint", "long");
    setup.catch_up()?;
    Ok(setup)
}

/// The keys of the records of `readings`.
fn ids(setup: &Setup) -> Result<Vec<Option<u64>>> {
    let id = |key: &Option<Json>| key.as_ref().and_then(|key| key["id"].as_u64());
    Ok(setup.records("readings")?.iter().map(|record| id(&record.key)).collect())
}

pub(crate) fn expect_ids(setup: &Setup, expected: &[u64]) -> Result<()> {
    let expected: Vec<_> = expected.iter().copied().map(Some).collect();
    assert_eq!(ids(setup)?, expected);
    Ok(())
}

/// Runs the program with these arguments to its end.
fn run(setup: &Setup, arguments: &[&str]) -> Result<Exit> {
    Connector::start_with(program(), &setup.settings, arguments)?.wait_for_exit()
}

/// Starts the connector, which halts; the command that its hint names, as arguments.
pub(crate) fn halt(setup: &Setup) -> Result<Vec<String>> {
    halt_logging(setup).map(|(command, _)| command)
}

/// The same and what the run logged.
pub(crate) fn halt_logging(setup: &Setup) -> Result<(Vec<String>, String)> {
    let exit = setup.launch()?.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    assert!(exit.stderr.contains(REASON), "{}", exit.stderr);
    let hint = exit.stderr.split("`tailwater position skip ").nth(1);
    let options = hint.and_then(|hint| hint.split('`').next()).context("no command in the hint")?;
    let options = options.split(' ');
    let command = ["position", "skip"].into_iter().chain(options).map(str::to_owned).collect();
    Ok((command, exit.stderr))
}

/// The arguments, borrowed.
fn borrowed(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

/// Runs the command of a hint as it is written.
pub(crate) fn execute(setup: &Setup, command: &[String]) -> Result<()> {
    let exit = run(setup, &borrowed(command))?;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert!(exit.stdout.contains("requested: the next start skips"), "{}", exit.stdout);
    Ok(())
}

/// The committed position.
fn position(setup: &Setup) -> Result<Json> {
    positions(setup)?.pop().context("no position")
}

/// One source transaction with a row that no key can hold, and one behind it.
fn write_bad_row(setup: &mut Setup) -> Result<()> {
    setup.database.execute_all(&[
        "BEGIN",
        "INSERT INTO readings VALUES (1), (2)",
        &format!("INSERT INTO readings VALUES (3), {BAD}, (5)"),
        "INSERT INTO readings VALUES (6)",
        "COMMIT",
        "INSERT INTO readings VALUES (7)",
    ])
}

#[test]
fn the_event_of_a_row_that_cannot_be_delivered_is_skipped_on_request() -> Result<()> {
    for envelope in ["debezium", "flat"] {
        let mut setup = setup("skips_event", envelope)?;
        // GIVEN a row that stops the connector, inside an event inside a transaction
        write_bad_row(&mut setup)?;
        let command = halt(&setup)?;
        expect_ids(&setup, &[1, 2, 3])?;
        // WHEN the hint's command runs without `--execute` THEN nothing is changed
        let before = positions(&setup)?.len();
        let dry: Vec<_> = command.iter().filter(|word| *word != "--execute").cloned().collect();
        let exit = run(&setup, &borrowed(&dry))?;
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
        assert!(exit.stdout.contains("Write_rows, after the position"), "{}", exit.stdout);
        assert!(exit.stdout.contains("nothing is changed"), "{}", exit.stdout);
        assert_eq!(positions(&setup)?.len(), before);
        assert_eq!(halt(&setup)?, command);
        // WHEN it runs as it is written
        execute(&setup, &command)?;
        assert_eq!(position(&setup)?["skip_events"].as_array().map(Vec::len), Some(1));
        let again = run(&setup, &borrowed(&command))?;
        assert_eq!(again.code, Some(1), "{}", again.stderr);
        assert!(again.stderr.contains("reason: skip_requested\n"), "{}", again.stderr);
        // THEN the next start delivers every other row once, and says what it skipped
        let mut connector = setup.start()?;
        let line = connector.wait_for_line("rows are skipped as requested")?;
        assert!(line.contains(r#""rows":2"#) && line.contains(".readings"), "{line}");
        wait_for("the rows behind", LIMIT, || {
            Ok((ids(&setup)?.last() == Some(&Some(7))).then_some(()))
        })?;
        expect_ids(&setup, &[1, 2, 3, 6, 7])?;
        let metrics = connector.get("/metrics")?.body;
        let counted = metrics.lines().find(|line| line.contains("events_skipped_total{"));
        assert!(counted.is_some_and(|line| line.ends_with(" 1")), "{counted:?}");
        connector.stop()?;
        // AND the request is gone with the event, and what follows is delivered
        let last = position(&setup)?;
        assert!(last.get("skip_events").is_none(), "{last}");
        setup.database.execute("INSERT INTO readings VALUES (8)")?;
        setup.catch_up()?;
        expect_ids(&setup, &[1, 2, 3, 6, 7, 8])?;
    }
    Ok(())
}

#[test]
fn skipped_rows_count_where_a_transaction_is_delivered_in_parts() -> Result<()> {
    for envelope in ["debezium", "flat"] {
        let mut setup = setup("skips_parts", envelope)?;
        // GIVEN two such events in one transaction, the first of them skipped
        setup.database.execute_all(&[
            "BEGIN",
            "INSERT INTO readings VALUES (1), (2)",
            &format!("INSERT INTO readings VALUES {BAD}, (4)"),
            "INSERT INTO readings VALUES (5)",
            "DELETE FROM readings WHERE id > 5",
            "INSERT INTO readings VALUES (6)",
            &format!("INSERT INTO readings VALUES {BAD}"),
            "COMMIT",
        ])?;
        let first = halt(&setup)?;
        expect_ids(&setup, &[1, 2])?;
        execute(&setup, &first)?;
        // WHEN the connector comes to the delete of that row, and to its second insert
        let second = halt(&setup)?;
        assert_ne!(second, first);
        expect_ids(&setup, &[1, 2, 5])?;
        assert_eq!(position(&setup)?["in_txn"]["rows_done"].as_u64(), Some(5));
        execute(&setup, &second)?;
        let third = halt(&setup)?;
        assert_ne!(third, second);
        execute(&setup, &third)?;
        assert_eq!(position(&setup)?["skip_events"].as_array().map(Vec::len), Some(3));
        // THEN it goes on behind all of them, and every other row comes once
        let log = setup.catch_up_logging()?;
        assert_eq!(log.matches("rows are skipped as requested").count(), 1, "{log}");
        assert!(!log.contains("no rows event came"), "{log}");
        expect_ids(&setup, &[1, 2, 5, 6])?;
        assert!(position(&setup)?.get("skip_events").is_none());
    }
    Ok(())
}

#[test]
fn a_request_that_meets_no_event_is_dropped_with_a_warning() -> Result<()> {
    let mut setup = setup("skips_unmet", "debezium")?;
    setup.database.execute("CREATE TABLE others (id INT NOT NULL PRIMARY KEY)")?;
    setup.database.execute(&format!("INSERT INTO readings VALUES {BAD}"))?;
    execute(&setup, &halt(&setup)?)?;
    // GIVEN that the event is of no captured table any more
    let left_out = format!("{}.readings", setup.database.name());
    setup.settings.set("capture.exclude_tables", json!([left_out]));
    setup.database.execute("INSERT INTO others VALUES (1)")?;
    // WHEN the position passes its place
    let log = setup.catch_up_logging()?;
    // THEN the log says that nothing was skipped, and the request is gone
    assert!(log.contains("no rows event came that was to be skipped"), "{log}");
    assert!(!log.contains("rows are skipped as requested"), "{log}");
    assert_eq!(setup.records("others")?.len(), 1);
    assert!(position(&setup)?.get("skip_events").is_none());
    Ok(())
}

#[test]
fn a_place_that_has_no_event_to_skip_is_refused_and_nothing_is_changed() -> Result<()> {
    let mut setup = setup("skips_refused", "debezium")?;
    write_bad_row(&mut setup)?;
    let command = halt(&setup)?;
    let event = command.iter().find(|word| word.contains(':')).context("no place")?;
    let (file, offset) = event.rsplit_once(':').context("no offset")?;
    let offset: u64 = offset.parse()?;
    let before = positions(&setup)?.len();
    for (place, says) in [
        (format!("{file}:4"), "is before the committed position"),
        (format!("{file}:{}", offset + 1), "no"),
        (format!("{file}:{}", offset + (1 << 40)), "no"),
        ("nothing.000009:4".to_owned(), ""),
    ] {
        let arguments = ["position", "skip", "--execute", "--event", &place];
        let exit = run(&setup, &arguments)?;
        assert_eq!(exit.code, Some(1), "{place}: {} {}", exit.stdout, exit.stderr);
        assert!(exit.stderr.contains(says), "{place}: {}", exit.stderr);
    }
    for (place, code) in [("binlog", 64), (":4", 64), ("binlog.000001:x", 64)] {
        let exit = run(&setup, &["position", "skip", "--event", place])?;
        assert_eq!(exit.code, Some(code), "{place}: {}", exit.stderr);
    }
    setup.settings.set("mysql.password", "wrong");
    let exit = run(&setup, &borrowed(&command))?;
    assert_eq!(exit.code, Some(78), "{}", exit.stderr);
    assert_eq!(positions(&setup)?.len(), before);
    Ok(())
}

/// Statements of one source transaction; its rows have no place of their own in the binlog.
struct Placeless {
    name: &'static str,
    begin: &'static [&'static str],
    end: &'static [&'static str],
    /// What the source has at the place.
    kind: &'static str,
}

const PLACELESS: [Placeless; 2] = [
    Placeless {
        name: "skips_compressed",
        begin: &["SET SESSION binlog_transaction_compression = ON", "BEGIN"],
        end: &["COMMIT"],
        kind: "Transaction_payload",
    },
    Placeless {
        name: "skips_xa",
        begin: &["XA START 'bad'"],
        end: &["XA END 'bad'", "XA PREPARE 'bad'", "XA COMMIT 'bad'"],
        kind: "XA COMMIT",
    },
];

#[test]
fn events_of_compressed_and_xa_transactions_are_skipped_by_their_number() -> Result<()> {
    for Placeless { name, begin, end, kind } in PLACELESS {
        let mut setup = setup(name, "debezium")?;
        setup.database.execute("CREATE TABLE others (id INT NOT NULL PRIMARY KEY)")?;
        let left_out = format!("{}.others", setup.database.name());
        setup.settings.set("capture.exclude_tables", json!([left_out]));
        // GIVEN two events that cannot be delivered, among others that can and one that is of no
        // captured table
        setup.database.execute_all(begin)?;
        setup.database.execute_all(&[
            "INSERT INTO others VALUES (1)",
            "INSERT INTO readings VALUES (1)",
            &format!("INSERT INTO readings VALUES (2), {BAD}, (3)"),
            "INSERT INTO readings VALUES (4)",
            "DELETE FROM readings WHERE id > 4",
            "INSERT INTO readings VALUES (5)",
        ])?;
        setup.database.execute_all(end)?;
        setup.database.execute("INSERT INTO readings VALUES (6)")?;
        // WHEN the hint's commands run as they are written
        let first = halt(&setup)?;
        let event = first.iter().find(|word| word.contains(':')).context("no event")?;
        assert!(event.ends_with(":3"), "{event}");
        expect_ids(&setup, &[1, 2])?;
        let dry: Vec<_> = first.iter().filter(|word| *word != "--execute").cloned().collect();
        let exit = run(&setup, &borrowed(&dry))?;
        assert!(exit.stdout.contains(&format!("{event}, {kind}, after")), "{}", exit.stdout);
        execute(&setup, &first)?;
        let again = run(&setup, &borrowed(&first))?;
        assert!(again.stderr.contains("reason: skip_requested\n"), "{}", again.stderr);
        let second = halt(&setup)?;
        assert_eq!(
            second.join(" "),
            first.join(" ").replace(&format!("{event} "), &{
                let place = event.strip_suffix(":3").context("no number")?;
                format!("{place}:5 ")
            })
        );
        expect_ids(&setup, &[1, 2, 4])?;
        execute(&setup, &second)?;
        // THEN every other row comes once
        let log = setup.catch_up_logging()?;
        assert_eq!(log.matches("rows are skipped as requested").count(), 1, "{log}");
        assert!(!log.contains("no rows event came"), "{log}");
        expect_ids(&setup, &[1, 2, 4, 5, 6])?;
        assert!(position(&setup)?.get("skip_events").is_none());
    }
    Ok(())
}

#[test]
fn an_event_is_named_by_a_number_where_it_has_no_place_and_only_there() -> Result<()> {
    for Placeless { name, begin, end, .. } in PLACELESS {
        let mut setup = setup(&format!("{name}_names"), "debezium")?;
        // GIVEN a row with a place and a row without one
        setup.database.execute(&format!("INSERT INTO readings VALUES {BAD}"))?;
        setup.database.execute("DELETE FROM readings")?;
        setup.database.execute_all(begin)?;
        setup.database.execute(&format!("INSERT INTO readings VALUES {BAD}"))?;
        setup.database.execute_all(end)?;
        let mut wrong = Vec::new();
        for _ in 0..2 {
            let command = halt(&setup)?;
            let event = command.iter().find(|word| word.contains(':')).context("no event")?;
            wrong.push(format!("{event}:1"));
            execute(&setup, &command)?;
        }
        let command = halt(&setup)?;
        let event = command.iter().find(|word| word.contains(':')).context("no event")?;
        wrong.push(event.strip_suffix(":1").context("no number")?.to_owned());
        // WHEN each is named in the other's way THEN it is refused
        let before = positions(&setup)?.len();
        for event in wrong {
            let exit = run(&setup, &["position", "skip", "--execute", "--event", &event])?;
            assert_eq!(exit.code, Some(1), "{event}: {}", exit.stdout);
            assert!(exit.stderr.contains("reason: skip_refused\n"), "{event}: {}", exit.stderr);
        }
        assert_eq!(positions(&setup)?.len(), before);
    }
    Ok(())
}
