//! Settings of MySQL with which a connector works today and may not tomorrow.

use serde_json::json;
use testkit::xtask::stack::StackAddress;
use testkit::{Database, Result};

use super::{ITEMS, assert_says, check, heads};
use crate::support::setup::{Setup, private_mysql};

#[test]
fn binlogs_that_are_gone_after_an_hour_are_a_warning_with_the_statement() -> Result<()> {
    let mysql = private_mysql(&["--binlog-expire-logs-seconds=3600", "--max-allowed-packet=1M"])?;
    let mut setup = Setup::on(StackAddress::from_environment()?, &mysql, "check_retention")?;
    setup.database.execute(ITEMS)?;
    let exit = check(&setup, 0)?;
    let heads_now = heads(&exit);
    assert_eq!(
        heads_now,
        ["warning: MySQL: binlog_retention_short", "warning: MySQL: mysql_setting"]
    );
    assert_says(&exit, &["keeps its binlogs for 3600 s only", "binlogs kept 60 min"]);
    assert_says(&exit, &["SET PERSIST binlog_expire_logs_seconds = 604800;"]);
    assert_says(&exit, &["max_allowed_packet=1048576"]);
    // AND the statements mend it
    for statement in ["binlog_expire_logs_seconds = 604800", "max_allowed_packet = 67108864"] {
        setup.database.execute(&format!("SET PERSIST {statement}"))?;
    }
    assert_eq!(heads(&check(&setup, 0)?), Vec::<&str>::new());
    Ok(())
}

#[test]
fn an_account_that_may_write_is_a_warning_without_a_statement() -> Result<()> {
    let mut setup = Setup::with_tables("check_rights", &[ITEMS])?;
    let name = setup.database.name().to_owned();
    setup.database.execute_all(&[
        &format!("CREATE ROLE `{name}_writer`"),
        &format!("GRANT INSERT, DELETE ON `{name}`.* TO `{name}_writer`"),
        &format!("GRANT `{name}_writer` TO `{name}`@'%'"),
        &format!("SET DEFAULT ROLE `{name}_writer` TO `{name}`@'%'"),
    ])?;
    let exit = check(&setup, 0)?;
    assert_eq!(heads(&exit), ["warning: MySQL: privileges_excessive"]);
    assert_says(&exit, &[&format!("INSERT, DELETE on `{name}`.*"), "an account of its own"]);
    // An application may use the account: nothing to run is printed.
    let fixes = super::check_with(&setup.settings, &["--fix-sql"])?;
    assert_eq!(fixes.stdout, "");
    Ok(())
}

#[test]
fn sessions_that_log_statements_are_found_where_the_account_may_look() -> Result<()> {
    let mut setup = Setup::with_tables("check_sessions", &[ITEMS])?;
    assert_says(&check(&setup, 0)?, &["open sessions not tested"]);
    let user = setup.database.user().to_owned();
    let view = "performance_schema.variables_by_thread";
    setup.database.execute(&format!("GRANT SELECT ON {view} TO `{user}`@'%'"))?;
    let mut other = Database::connect_on(setup.database.server().clone(), setup.database.name())?;
    other.execute("SET SESSION binlog_row_image = 'MINIMAL'")?;
    let exit = check(&setup, 0)?;
    assert_says(&exit, &["with binlog_row_image=MINIMAL", "halts the connector"]);
    Ok(())
}

#[test]
fn tables_without_a_key_are_named() -> Result<()> {
    let keyless = "CREATE TABLE log (at DATETIME, text VARCHAR(20))";
    let mut setup = Setup::with_tables("check_keyless", &[ITEMS, keyless])?;
    let table = format!("{}.log", setup.database.name());
    let exit = check(&setup, 0)?;
    assert_eq!(heads(&exit), ["warning: MySQL: table_without_key"], "{}", exit.stdout);
    assert_says(&exit, &[&table, "message_key_columns"]);
    // AND with columns that make one there is nothing to say
    setup.settings.set("capture.message_key_columns", json!({ table: ["at"] }));
    assert_eq!(heads(&check(&setup, 0)?), Vec::<&str>::new());
    Ok(())
}

#[test]
fn a_server_id_that_a_client_has_is_a_warning() -> Result<()> {
    let setup = Setup::with_tables("check_server_id", &[ITEMS])?;
    let mut streaming = setup.start()?;
    let exit = check(&setup, 0)?;
    assert_eq!(heads(&exit), ["warning: MySQL: server_id_taken"]);
    assert_says(&exit, &["this connector, if it runs"]);
    streaming.stop()?;
    Ok(())
}
