//! Sessions of every kind as a server sees them while a connector works.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use tailwater::mysql::session_variables;
use testkit::xtask::stack::StackAddress;
use testkit::{Connector, Result};

use crate::setup::{Setup, hostile_mysql, program};
use crate::snapshot::turnstile::Turnstile;

/// What a new session sends first.
const FIRST: [&str; 3] =
    ["ROLLBACK AND NO CHAIN", "SET SESSION timestamp", "SELECT CAST(@@SESSION"];

/// By what each kind of session is known: each must have been there.
const KINDS: [&str; 8] = [
    // The stream, the one that reads XA transactions again, the look at a file's first event.
    "Binlog Dump GTID",
    "Binlog Dump",
    "@@GLOBAL.binlog_format",
    "FROM information_schema.columns",
    "WAIT_FOR_EXECUTED_GTID_SET",
    "KILL QUERY",
    "table_rows",
    "SHOW BINARY LOGS",
];

/// A table whose last rows are so much larger that a chunk which they fill is ended early.
const UNEVEN: [&str; 2] = [
    "CREATE TABLE uneven (id INT PRIMARY KEY, text LONGTEXT)",
    "INSERT INTO uneven WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n
        WHERE n < 3000) SELECT n, REPEAT('x', IF(n <= 2500, 20, 200000)) FROM n",
];

#[test]
fn every_session_is_set_up_before_anything_else() -> Result<()> {
    // GIVEN a server with settings for other clients that logs all statements
    let mysql = hostile_mysql(&["--general-log=ON", "--log-output=TABLE"])?;
    let mut setup = Setup::on(StackAddress::from_environment()?, &mysql, "live")?;
    setup.database.execute("SET cte_max_recursion_depth = 10000")?;
    setup.database.execute_all(&UNEVEN)?;
    // WHEN a connector opens sessions of all kinds
    open_all_kinds(&mut setup)?;
    // THEN each began with the same statements
    let sessions = sessions(&mut setup)?;
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (id, statements) in &sessions {
        let (begin, rest) = statements.split_at(FIRST.len().min(statements.len()));
        for (statement, first) in begin.iter().zip(FIRST) {
            assert!(statement.starts_with(first), "session {id}: {statements:?}");
        }
        assert!(begin.len() == FIRST.len() || rest.is_empty(), "session {id}: {statements:?}");
        let is_kind = |kind: &&str| rest.iter().any(|statement| statement.contains(kind));
        seen.extend(KINDS.into_iter().filter(is_kind));
    }
    assert_eq!(seen, BTreeSet::from(KINDS), "not all kinds of sessions were opened");
    Ok(())
}

/// The stream, readers, a chunk that is ended, what the catalog says, an XA transaction that is
/// read again, a start behind a position, sizes, a standby.
fn open_all_kinds(setup: &mut Setup) -> Result<()> {
    setup.settings.set("snapshot.mode", "initial");
    setup.catch_up()?;
    let mut connector = setup.start()?;
    let mut standby = setup.stand_by()?;
    setup.database.execute_all(&[
        "XA START 'large'",
        "INSERT INTO uneven VALUES (4001, REPEAT('y', 600000))",
        "XA END 'large'",
        "XA PREPARE 'large'",
        "XA COMMIT 'large'",
    ])?;
    setup.consumer("uneven")?.take(3001)?;
    standby.wait_for_line("standby")?;
    standby.stop()?;
    connector.stop()?;
    let arguments = ["snapshot", "estimate"];
    let estimate =
        Connector::start_with(program(), &setup.settings, &arguments)?.wait_for_exit()?;
    assert_eq!(estimate.code, Some(0), "{}", estimate.stderr);
    Ok(())
}

/// The statements of each session of the connector, but for those that the server runs by itself.
fn sessions(setup: &mut Setup) -> Result<BTreeMap<String, Vec<String>>> {
    let init: String = setup.database.value("SELECT @@GLOBAL.init_connect")?;
    let user = setup.database.user().to_owned();
    let rows = setup.database.texts(&format!(
        "SELECT thread_id, command_type, CONVERT(argument USING utf8mb4) FROM mysql.general_log
         WHERE thread_id IN (SELECT thread_id FROM mysql.general_log
             WHERE command_type = 'Connect' AND argument LIKE '{user}@%')"
    ))?;
    let mut sessions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        let text =
            |index: usize| String::from_utf8_lossy(row[index].as_deref().unwrap_or_default());
        let (id, command, argument) = (text(0), text(1).into_owned(), text(2).into_owned());
        let statements = sessions.entry(id.into_owned()).or_default();
        match command.as_str() {
            "Connect" | "Quit" | "Close stmt" | "Prepare" => {}
            "Query" if init.split("; ").any(|part| part == argument.trim_end_matches(';')) => {}
            "Query" | "Execute" => statements.push(argument),
            other => statements.push(format!("{other} {argument}")),
        }
    }
    assert!(sessions.len() > 8, "{sessions:?}");
    Ok(sessions)
}

#[test]
fn what_is_set_holds_while_a_session_lives() -> Result<()> {
    // GIVEN a connector with a dump and a reader, which is held
    let mysql = hostile_mysql(&[])?;
    let mut setup = Setup::on(StackAddress::from_environment()?, &mysql, "held")?;
    setup.database.execute_all(&[
        "CREATE TABLE items (id INT PRIMARY KEY)",
        "INSERT INTO items VALUES (1), (2)",
    ])?;
    setup.settings.set("snapshot.mode", "initial").set("snapshot.threads", 1);
    let turnstile = Turnstile::new(&mut setup, "chunk_selected", 0)?;
    let mut connector = setup.launch()?;
    turnstile.wait_until_held(&mut connector)?;
    // WHEN the server is asked for their variables
    let user = setup.database.user().to_owned();
    let rows = setup.database.texts(&format!(
        "SELECT processlist_command, variable_name, variable_value
         FROM performance_schema.variables_by_thread
         JOIN performance_schema.threads USING (thread_id) WHERE processlist_user = '{user}'"
    ))?;
    // THEN both are as they must be, but that a reader takes text as it is stored
    let mut checked = BTreeMap::new();
    for row in rows {
        let text = |index: usize| {
            row[index].as_ref().map(|text| String::from_utf8_lossy(text).into_owned())
        };
        let (command, name) = (text(0).unwrap_or_default(), text(1).unwrap_or_default());
        let Some((_, needed)) = session_variables().find(|(set, _)| *set == name) else { continue };
        let found = match text(2).as_deref() {
            Some("ON") => "1".to_owned(),
            Some("OFF") if needed == "0" => "0".to_owned(),
            found => found.unwrap_or_default().to_owned(),
        };
        let is_dump = command.starts_with("Binlog Dump");
        let needed = if name == "character_set_results" && !is_dump { "" } else { needed };
        assert_eq!(found, needed, "{name} of {command}");
        *checked.entry(is_dump).or_insert(0) += 1;
    }
    let all = session_variables().count();
    assert_eq!(json!(checked), json!({ "false": all, "true": all }));
    turnstile.open()?;
    connector.stop().map(drop)
}
