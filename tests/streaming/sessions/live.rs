//! Sessions of every kind as a server sees them while a connector works.

use std::collections::{BTreeMap, BTreeSet};

use tailwater::mysql::session_variables;
use testkit::xtask::stack::StackAddress;
use testkit::{Connector, Result};

use crate::support::setup::{Setup, hostile_mysql, program};
use crate::support::turnstile::Turnstile;

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
    // WHEN the server is asked for their variables, THEN both are as they must be, but that a reader
    // takes text as it is stored. A session that was opened a moment ago may still be set up.
    connector.wait_while_running("sessions that are set up", |_| {
        let sessions = variables_of_sessions(&mut setup)?;
        let is_right = |(is_dump, found): &(bool, Variables)| {
            session_variables().all(|(name, needed)| {
                let as_stored = name == "character_set_results" && !is_dump;
                match (found.get(name).map(String::as_str), if as_stored { "" } else { needed }) {
                    (Some("ON"), "1") | (Some("OFF"), "0") => true,
                    (found, needed) => found == Some(needed),
                }
            })
        };
        let kinds: BTreeSet<bool> = sessions.values().map(|(is_dump, _)| *is_dump).collect();
        Ok((kinds.len() == 2 && sessions.values().all(is_right)).then_some(()))
    })?;
    turnstile.open()?;
    connector.stop().map(drop)
}

/// The values of session variables by their names.
type Variables = BTreeMap<String, String>;

/// The variables of the connector's sessions by thread, and whether it is a dump.
fn variables_of_sessions(setup: &mut Setup) -> Result<BTreeMap<String, (bool, Variables)>> {
    let user = setup.database.user().to_owned();
    let rows = setup.database.texts(&format!(
        "SELECT thread_id, processlist_command, variable_name, variable_value
         FROM performance_schema.variables_by_thread
         JOIN performance_schema.threads USING (thread_id) WHERE processlist_user = '{user}'"
    ))?;
    let mut sessions = BTreeMap::new();
    for row in rows {
        let text = |index: usize| {
            let text = row.get(index).and_then(Option::as_ref);
            text.map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default()
        };
        let is_dump = text(1).starts_with("Binlog Dump");
        let session = sessions.entry(text(0)).or_insert_with(|| (is_dump, BTreeMap::new()));
        session.1.insert(text(2), text(3));
    }
    Ok(sessions)
}
