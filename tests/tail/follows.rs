//! It follows: through lost connections, compressed transactions, XA and next to a connector.

use testkit::{LIMIT, Result, wait_for};

use super::{TailSetup, changes, lines, wait_for_words};
use crate::support::setup::Setup;

const TABLE: &str = "CREATE TABLE t (id INT PRIMARY KEY, doc JSON)";

#[test]
fn a_lost_connection_is_one_line_and_no_change_comes_twice_or_never() -> Result<()> {
    let mut test = TailSetup::new("tail_lost", &[TABLE])?;
    let mut tail = test.start(&["--since", &test.begin, "--json"])?;
    for id in 1..=3 {
        test.execute(&[&format!("INSERT INTO t VALUES ({id}, NULL)")])?;
        wait_for_words(&mut tail, &format!(r#":{{"id":{id}}}"#))?;
        test.setup.kill_dump()?;
    }
    test.execute(&["INSERT INTO t VALUES (4, NULL)"])?;
    wait_for_words(&mut tail, r#":{"id":4}"#)?;
    let exit = tail.stop()?;
    let ids: Vec<_> =
        lines(&exit.stdout)?.iter().filter_map(|line| line["key"]["id"].as_u64()).collect();
    assert_eq!(ids, [1, 2, 3, 4]);
    let warnings = exit.stderr.lines().filter(|line| line.contains("trying again")).count();
    assert!(0 < warnings && warnings <= 3, "{}", exit.stderr);
    Ok(())
}

#[test]
fn compressed_xa_and_partial_updates_are_shown_as_a_run_delivers_them() -> Result<()> {
    let mut test = TailSetup::new("tail_forms", &[TABLE])?;
    test.execute(&[
        "SET binlog_transaction_compression = ON",
        "INSERT INTO t VALUES (1, '{\"a\": 1, \"b\": \"long enough to be worth a diff\"}')",
        "SET binlog_transaction_compression = OFF, binlog_row_value_options = PARTIAL_JSON",
        "UPDATE t SET doc = JSON_SET(doc, '$.a', 2)",
        "SET binlog_row_value_options = ''",
        "XA START 'tail'",
        "INSERT INTO t VALUES (2, NULL)",
        "XA END 'tail'",
        "XA PREPARE 'tail'",
        "INSERT INTO t VALUES (3, NULL)",
        "XA COMMIT 'tail'",
        "XA START 'gone'",
        "INSERT INTO t VALUES (4, NULL)",
        "XA END 'gone'",
        "XA PREPARE 'gone'",
        "XA ROLLBACK 'gone'",
        "INSERT INTO t VALUES (5, NULL)",
    ])?;
    let stdout = test.show(&[], "id=5")?;
    let shown = changes(&stdout).join("\n").replace(&format!("{}.", test.database()), "");
    let expected = r#"insert  t  id=1  doc {"a":1,"b":"long enough to be worth a diff"}
update  t  id=1  doc {"a":1,"b":"long enough to be worth a diff"} → {"a":2,"b":"long enough to be worth a diff"}
insert  t  id=3  doc NULL
insert  t  id=2  doc NULL
insert  t  id=5  doc NULL"#;
    assert_eq!(shown, expected, "{stdout}");
    Ok(())
}

#[test]
fn it_disturbs_neither_a_connector_that_runs_nor_another_tail() -> Result<()> {
    let mut setup = Setup::with_tables("tail_beside", &[TABLE])?;
    let mut connector = setup.start()?;
    let begin = super::end_of_binlog(&mut setup)?;
    let mut test = TailSetup { setup, begin };
    let mut tails =
        [test.start(&["--since", &test.begin])?, test.start(&["--since", "1h", "--json"])?];
    test.execute(&["INSERT INTO t VALUES (1, NULL)"])?;
    wait_for_words(&mut tails[0], "id=1")?;
    wait_for_words(&mut tails[1], r#"{"id":1}"#)?;
    wait_for("the record", LIMIT, || Ok((test.setup.records("t")?.len() == 1).then_some(())))?;
    for tail in &mut tails {
        let stderr = tail.stop()?.stderr;
        assert!(!stderr.contains("trying again"), "{stderr}");
    }
    let metrics = connector.get("/metrics")?.body;
    let restarted = metrics.lines().any(|line| line.contains("server_id_taken"));
    assert!(!restarted, "{metrics}");
    connector.stop()?;
    Ok(())
}

#[test]
fn a_source_that_logs_too_little_is_refused_as_by_a_run() -> Result<()> {
    let mysql = crate::support::setup::private_mysql(&["--binlog-row-image=MINIMAL"])?;
    let address = testkit::xtask::stack::StackAddress::from_environment()?;
    let setup = Setup::on(address, &mysql, "tail_minimal")?;
    let test = TailSetup { setup, begin: "1h".to_owned() };
    let exit = test.fail(&[])?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    let run = test.setup.launch()?.wait_for_exit()?;
    let reason = |stderr: &str| {
        stderr.lines().find(|line| line.contains("binlog_row_image=MINIMAL")).map(str::to_owned)
    };
    assert!(reason(&exit.stderr).is_some(), "{}", exit.stderr);
    assert!(run.stderr.contains("binlog_row_image=MINIMAL"), "{}", run.stderr);
    Ok(())
}
