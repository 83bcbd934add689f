//! A server that refuses an account, or has no room for it: the message names the cause, and the
//! statement in it mends it.

use testkit::xtask::stack::StackAddress;

use super::*;
use crate::docs::hints::statements;
use crate::support::setup::private_mysql;

/// The connector ends with 78 after `spoil` in a message with all `words`; the statements in the
/// message mend it, and with the settings that `mend` makes it goes on.
fn check_mended(
    setup: &mut Setup,
    words: &[&str],
    spoil: &[String],
    mend: impl FnOnce(&mut Setup),
) -> Result<()> {
    for statement in spoil {
        setup.database.execute(statement)?;
    }
    setup.database.execute("INSERT INTO items VALUES (NULL)")?;
    let said = message(setup, Exit(78), words)?;
    for word in words {
        assert!(said.contains(word), "“{word}” is not in: {said}");
    }
    assert!(said.len() <= MESSAGE_LENGTH_MAX, "too long: {said}");
    for statement in statements(&said) {
        setup.database.execute(&statement)?;
    }
    mend(setup);
    setup.catch_up()
}

#[test]
fn an_account_that_may_not_log_in_learns_why_and_the_statement_fixes_it() -> Result<()> {
    let mysql = private_mysql(&[])?;
    let mut setup = Setup::on(StackAddress::from_environment()?, &mysql, "login")?;
    let items = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY AUTO_INCREMENT)";
    setup.database.execute(items)?;
    setup.catch_up()?;
    let user = setup.database.user().to_owned();
    let alter = |change: &str| vec![format!("ALTER USER `{user}`@'%' {change}")];
    // What the account requires of the connection
    check_mended(&mut setup, &["REQUIRE X509", "mysql.cert_file"], &alter("REQUIRE X509"), |_| ())?;
    setup.settings.set("mysql.tls", "disabled");
    let words = ["requires TLS", "mysql.tls"];
    check_mended(&mut setup, &words, &alter("REQUIRE SSL"), |_| ())?;
    let spoil = ["SET GLOBAL require_secure_transport = ON".to_owned()];
    check_mended(&mut setup, &["error 3159", "mysql.tls", "required"], &spoil, |setup| {
        setup.settings.set("mysql.tls", "required");
    })?;
    // What an administrator did to it
    check_mended(&mut setup, &["locked", "ACCOUNT UNLOCK"], &alter("ACCOUNT LOCK"), |_| ())?;
    let new_password = |setup: &mut Setup| {
        setup.settings.set_environment("MYSQL_PASSWORD", "new password");
    };
    check_mended(
        &mut setup,
        &["expired", "mysql.password"],
        &alter("PASSWORD EXPIRE"),
        new_password,
    )?;
    let mut spoil = vec!["INSTALL PLUGIN auth_socket SONAME 'auth_socket.so'".to_owned()];
    spoil.extend(alter("IDENTIFIED WITH auth_socket"));
    spoil.push("UNINSTALL PLUGIN auth_socket".to_owned());
    let words = ["auth_socket", "error 1524", "caching_sha2_password"];
    check_mended(&mut setup, &words, &spoil, new_password)?;
    assert_eq!(setup.records("items")?.len(), 6);
    Ok(())
}

#[test]
fn a_server_that_is_taken_offline_or_has_no_connection_left_is_waited_for() -> Result<()> {
    let mysql = private_mysql(&[])?;
    let mut setup = Setup::on(StackAddress::from_environment()?, &mysql, "waited")?;
    setup.database.execute("CREATE TABLE items (id INT NOT NULL PRIMARY KEY AUTO_INCREMENT)")?;
    let mut connector = setup.start()?;
    setup.database.execute("INSERT INTO items VALUES (NULL)")?;
    let mut consumer = setup.consumer("items")?;
    consumer.take(1)?;
    let user = setup.database.user().to_owned();
    let limit = |limit: &str| format!("ALTER USER `{user}`@'%' WITH {limit}");
    for (close, reason, open) in [
        (
            "SET GLOBAL offline_mode = ON".to_owned(),
            "mysql_offline",
            "SET GLOBAL offline_mode = OFF".to_owned(),
        ),
        (limit("MAX_CONNECTIONS_PER_HOUR 1"), "mysql_limit", limit("MAX_CONNECTIONS_PER_HOUR 0")),
    ] {
        // GIVEN a connector that streams
        setup.database.execute("INSERT INTO items VALUES (NULL)")?;
        consumer.take(1)?;
        // WHEN the server lets it in no more, THEN it says so and waits
        setup.database.execute(&close)?;
        if reason == "mysql_limit" {
            setup.kill_dump()?;
        }
        let line = connector.wait_while_running("the reason", |connector| {
            let stderr = connector.stderr();
            let line = stderr.lines().find(|line| line.contains(&format!("\"{reason}\"")));
            Ok(line.map(ToOwned::to_owned))
        })?;
        assert_eq!(connector.get("/health/ready")?.status, 503);
        // AND goes on when it may, or when the statement in the message was run
        let said = statements(&line.replace("\\\"", "\""));
        assert!(!said.is_empty(), "no statement in {line}");
        for statement in said {
            setup.database.execute(&statement)?;
        }
        setup.database.execute(&open)?;
        setup.database.execute("INSERT INTO items VALUES (NULL)")?;
        consumer.take(1)?;
    }
    connector.stop().map(drop)
}

#[test]
fn tables_are_read_by_as_many_connections_as_the_account_may_have() -> Result<()> {
    // GIVEN tables to be read by two connections
    let mysql = private_mysql(&[])?;
    for limit in [2, 3] {
        let mut setup = Setup::on(StackAddress::from_environment()?, &mysql, "limited")?;
        setup.settings.set("snapshot.mode", "initial").set("snapshot.chunk_rows_max", 50);
        setup.database.execute_all(&[
            "CREATE TABLE items (id INT NOT NULL PRIMARY KEY AUTO_INCREMENT)",
            "INSERT INTO items WITH RECURSIVE n (n) AS
                (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 500) SELECT n FROM n",
            "CREATE TABLE others AS SELECT * FROM items",
            "ALTER TABLE others ADD PRIMARY KEY (id)",
        ])?;
        // WHEN the account may have fewer than stream, catalog and both need
        let user = setup.database.user().to_owned();
        let statement = format!("ALTER USER `{user}`@'%' WITH MAX_USER_CONNECTIONS {limit}");
        setup.database.execute(&statement)?;
        // THEN they are read all the same
        setup.catch_up()?;
        for table in ["items", "others"] {
            assert_eq!(operations(&setup.records(table)?), ["r"; 500], "{limit} connections");
        }
    }
    Ok(())
}
