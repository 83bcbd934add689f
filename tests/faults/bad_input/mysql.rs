//! Wrong about the source.

use testkit::xtask::stack::StackAddress;
use testkit::{LIMIT, Settings};

use super::*;
use crate::support::setup::private_mysql;

#[test]
fn a_host_that_does_not_exist_is_named() -> Result<()> {
    check("host", Retry, &["nowhere.invalid:", "mysql.host"], |setup| {
        setup.settings.set("mysql.host", "nowhere.invalid");
        Ok(Vec::new())
    })
}

#[test]
fn a_port_without_a_listener_is_named() -> Result<()> {
    check("port", Retry, &["127.0.0.1:1:", "mysql.port"], |setup| {
        setup.settings.set("mysql.port", 1);
        Ok(Vec::new())
    })
}

#[test]
fn a_port_of_something_else_is_said_to_be_no_mysql() -> Result<()> {
    let other = testkit::StubServer::start("200 OK", "text/plain", "hello")?;
    let address = other.address();
    let words = [&address.to_string(), "mysql.port"];
    check("not_mysql", Retry, &words, |setup| {
        setup.settings.set("mysql.port", address.port());
        Ok(Vec::new())
    })
}

#[test]
fn an_unknown_user_is_refused_with_the_place_to_look() -> Result<()> {
    check("user", Exit(78), &["nobody", "mysql.user", "mysql.password", "127.0.0.1:"], |setup| {
        setup.settings.set("mysql.user", "nobody");
        Ok(Vec::new())
    })
}

#[test]
fn a_wrong_password_is_refused_with_the_place_to_look() -> Result<()> {
    check("password", Exit(78), &["mysql.user", "mysql.password", "127.0.0.1:"], |setup| {
        setup.settings.set_environment("MYSQL_PASSWORD", "wrong");
        Ok(Vec::new())
    })
}

#[test]
fn a_missing_replication_grant_is_given_as_a_statement() -> Result<()> {
    for grant in ["REPLICATION SLAVE", "REPLICATION CLIENT"] {
        check("grant", Exit(1), &["GRANT ", grant, " ON *.* TO"], |setup| {
            let user = setup.database.user().to_owned();
            setup.database.execute(&format!("REVOKE {grant} ON *.* FROM `{user}`@'%'"))?;
            Ok(vec![format!("GRANT {grant} ON *.* TO `{user}`@'%'")])
        })?;
    }
    Ok(())
}

#[test]
fn a_database_that_may_not_be_read_is_named_with_the_grant() -> Result<()> {
    check("no_select", Exit(1), &["GRANT SELECT ON", "capture.tables", "no_select_"], |setup| {
        let name = setup.database.name().to_owned();
        setup.database.execute(&format!("REVOKE SELECT ON `{name}`.* FROM `{name}`@'%'"))?;
        Ok(vec![format!("GRANT SELECT ON `{name}`.* TO `{name}`@'%'")])
    })
}

#[test]
fn a_database_that_does_not_exist_is_named() -> Result<()> {
    check("no_database", Exit(1), &["no_such_shop", "capture.tables"], |setup| {
        setup.settings.set("capture.tables", serde_json::json!(["no_such_shop.*"]));
        Ok(Vec::new())
    })
}

#[test]
fn a_server_variable_that_cannot_work_is_given_with_the_statement_that_sets_it() -> Result<()> {
    let mysql = private_mysql(&[])?;
    for (variable, wrong, right) in [
        ("binlog_format", "STATEMENT", "ROW"),
        ("binlog_format", "MIXED", "ROW"),
        ("binlog_row_metadata", "MINIMAL", "FULL"),
        ("binlog_row_image", "MINIMAL", "FULL"),
        ("server_id", "0", "1"),
    ] {
        let mut setup = Setup::on(StackAddress::from_environment()?, &mysql, "variable")?;
        setup.database.execute("CREATE TABLE items (id INT NOT NULL PRIMARY KEY)")?;
        let fix = format!("SET PERSIST {variable} = {right}");
        let found = format!("{variable}={wrong}");
        check_in(setup, Exit(1), &[&found, &fix, "127.0.0.1:"], |setup| {
            setup.database.execute(&format!("SET GLOBAL {variable} = {wrong}"))?;
            Ok(vec![format!("SET GLOBAL {variable} = {right}")])
        })?;
    }
    Ok(())
}

#[test]
fn a_server_without_a_binlog_is_refused() -> Result<()> {
    let mysql = private_mysql(&["--skip-log-bin"])?;
    let setup = Setup::on(StackAddress::from_environment()?, &mysql, "no_binlog")?;
    let said = message(&setup, Exit(1), &[])?;
    assert!(said.contains("log_bin"), "{said}");
    Ok(())
}

#[test]
fn a_position_whose_binlogs_are_gone_stops_it() -> Result<()> {
    // GIVEN a connector that is stopped, and changes whose binlogs are purged
    let mysql = private_mysql(&[])?;
    let mut setup = Setup::on(StackAddress::from_environment()?, &mysql, "purged")?;
    setup.database.execute("CREATE TABLE items (id INT NOT NULL PRIMARY KEY)")?;
    setup.catch_up()?;
    setup.database.execute_all(&["INSERT INTO items VALUES (1)", "FLUSH BINARY LOGS"])?;
    let last = mysql.sql("SHOW BINARY LOG STATUS")?;
    let last = last.split('\t').next().unwrap();
    setup.database.execute(&format!("PURGE BINARY LOGS TO '{last}'"))?;
    // WHEN it starts, THEN it halts, each time, instead of leaving them out in silence
    for _ in 0..2 {
        let said = message(&setup, Exit(1), &[])?;
        for word in ["purged", "position", "binlog_expire_logs_seconds"] {
            assert!(said.contains(word), "“{word}” is not in: {said}");
        }
    }
    Ok(())
}

#[test]
fn a_server_id_that_another_connector_has_stops_one_of_them() -> Result<()> {
    // GIVEN two connectors with one server id
    let mut setup = Setup::new("server_id")?;
    setup.settings.set("mysql.server_id", 987_654);
    let mut other = Settings::new(&setup.address, &setup.database);
    other.set_name(format!("{}_other", setup.settings.name())).set("mysql.server_id", 987_654);
    // WHEN both stream
    let mut connectors = [setup.start()?, launch(&other)?];
    // THEN one of them ends with a message, instead of both throwing each other out for ever
    let exit = wait_for("the end of one", LIMIT, || {
        for connector in &mut connectors {
            if connector.has_ended()? {
                return connector.wait_for_exit().map(Some);
            }
        }
        Ok(None)
    })?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    assert!(last_words(&exit.stderr).contains("mysql.server_id"), "{}", exit.stderr);
    Ok(())
}

#[test]
fn the_server_id_of_the_source_itself_is_refused() -> Result<()> {
    check("own_server_id", Exit(1), &["server_id=1", "mysql.server_id"], |setup| {
        setup.settings.set("mysql.server_id", 1);
        Ok(Vec::new())
    })
}
