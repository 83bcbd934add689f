//! Statements in hints work as they are written: each is run on a real server.

use mysql_async::{Error, ServerError};
use tailwater::error::Failure;
use tailwater::model::position::FilePosition;
use tailwater::model::table::TableName;
use tailwater::mysql::{
    Discontinuity, DiscontinuityKind, Flavour, MysqlError, SERVER_ERRORS, Transport,
};
use tailwater::snapshot::SnapshotError;
use testkit::xtask::stack::Mysql;
use testkit::{Context as _, Result};

use crate::support::setup::private_mysql;

/// What a statement in a hint begins with.
const BEGINNINGS: [&str; 11] = [
    "SET PERSIST",
    "SET GLOBAL",
    "ALTER USER",
    "CREATE USER",
    "GRANT ",
    "TRUNCATE TABLE",
    "FLUSH ",
    "SHOW ",
    "SELECT ",
    "START REPLICA",
    "CALL ",
];

/// What only another kind of server has: a replica, Amazon's RDS.
const ELSEWHERE: [&str; 2] = ["START REPLICA", "CALL mysql.rds_"];

/// The account and the database that the hints are about.
const ACCOUNT: &str = "reader";

/// The statements in a hint: each ends with a semicolon.
pub(crate) fn statements(hint: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut rest = hint;
    while let Some((before, after)) = rest.split_once(';') {
        let start = BEGINNINGS.iter().filter_map(|beginning| before.find(beginning)).min();
        statements.extend(start.map(|start| before[start..].to_owned()));
        rest = after;
    }
    statements
}

fn uuid() -> tailwater::model::gtid::ServerUuid {
    "0e4d5dcd-a33b-11ea-80f1-02010a22a99e".parse().unwrap()
}

/// Every error that is about the source.
fn failures() -> Vec<Failure> {
    let mut failures: Vec<Failure> = Vec::new();
    for transport in [Transport::Plain, Transport::Encrypted, Transport::Identified] {
        for (code, message) in SERVER_ERRORS.iter().map(|error| (error.code, "")).chain([
            (1226, "'max_questions'"),
            (1226, "'max_updates'"),
            (1226, "'max_connections_per_hour'"),
            (1226, "'max_user_connections'"),
            (1236, "purged required binary logs"),
            (1236, "has more GTIDs than the source"),
            (1236, "replicate anonymous transaction"),
            (1236, "replicate GTID-transaction"),
            (1236, "exceeded max_allowed_packet"),
        ]) {
            let answer = ServerError { code, message: message.into(), state: "HY000".into() };
            failures.push(Failure::from(MysqlError::Client {
                doing: "connect to",
                address: "db:3306".into(),
                user: ACCOUNT.into(),
                transport,
                error: Box::new(Error::Server(answer)),
            }));
        }
    }
    let settings = [
        ("log_bin", "1"),
        ("binlog_format", "ROW"),
        ("binlog_row_image", "FULL"),
        ("binlog_row_metadata", "FULL"),
        ("log_replica_updates", "ON"),
    ];
    failures.extend(settings.map(|(variable, needed)| {
        let address = "db:3306".to_owned();
        let (found, flavour) = (String::new(), Flavour::SelfRun);
        MysqlError::Setting { address, variable, found, needed, flavour }.into()
    }));
    failures.extend(discontinuity().map(|what| {
        let discontinuity = Discontinuity { what, address: "db:3306".into() };
        Failure::from(MysqlError::Discontinuity(Box::new(discontinuity)))
    }));
    let table = TableName { database: "shop".into(), table: "orders".into() };
    let user = || ACCOUNT.to_owned();
    failures.extend([
        MysqlError::OffsetTooLarge(String::new()).into(),
        SnapshotError::NoFence { user: user() }.into(),
        SnapshotError::Denied { table, user: user() }.into(),
    ]);
    failures
}

fn discontinuity() -> [DiscontinuityKind; 8] {
    let saved = FilePosition { file: "binlog.000001".into(), offset: 4 };
    [
        DiscontinuityKind::Purged { missing: String::new() },
        DiscontinuityKind::Reset { saved: saved.clone(), last: String::new() },
        DiscontinuityKind::Truncated { saved: saved.clone(), bytes: 4 },
        DiscontinuityKind::Diverged { missing: String::new(), count: 1, lacks_own: false },
        DiscontinuityKind::Behind { missing: String::new(), count: 1 },
        DiscontinuityKind::OtherServer { saved, was: uuid(), is: uuid() },
        DiscontinuityKind::GtidsOff { mode: "ON_PERMISSIVE".into() },
        DiscontinuityKind::Unnamed { file: String::new() },
    ]
}

fn fresh_server() -> Result<Mysql> {
    let mysql = private_mysql(&[])?;
    mysql.sql(&format!("CREATE DATABASE shop; CREATE USER {ACCOUNT}@'%' IDENTIFIED BY 'old'"))?;
    Ok(mysql)
}

#[test]
fn every_statement_in_a_hint_about_the_source_runs_as_written() -> Result<()> {
    let mysql = fresh_server()?;
    let mut run = 0;
    let mut tried = std::collections::BTreeSet::new();
    for failure in failures() {
        let all = statements(&failure.hint);
        let here = all.into_iter().filter(|statement| {
            !ELSEWHERE.iter().any(|elsewhere| statement.starts_with(elsewhere))
        });
        for statement in here.filter(|statement| tried.insert(statement.clone())) {
            // What a hint sets is set back, so that the next one meets the same server.
            if statement.starts_with("CREATE USER") {
                mysql.sql(&format!("DROP USER {ACCOUNT}@'%'"))?;
            }
            if statement.starts_with("SET GLOBAL gtid_mode") {
                mysql.sql("SET GLOBAL gtid_mode = ON_PERMISSIVE")?;
            }
            mysql.sql(&statement).with_context(|| failure.to_string())?;
            run += 1;
        }
    }
    assert!(run > 20, "only {run} statements were found: {tried:?}");
    Ok(())
}

#[test]
fn statements_are_found_in_a_hint() {
    let hint = "It may pass; if not, run: SET PERSIST a = 1; then SHOW b; and wait.";
    assert_eq!(statements(hint), ["SET PERSIST a = 1", "SHOW b"]);
    assert!(statements("Check mysql.user and SHOW nothing.").is_empty());
}
