//! The source goes on exactly where the saved position ends, or the connector stops and says why:
//! fail-overs, servers with another history, changes of `gtid_mode`, lost rights, dead connections.
//!
//! Servers are private and shared by the phases of a test, because each takes seconds to start.

use std::fs;
use std::net::SocketAddr;

use testkit::xtask::stack::{Mysql, StackAddress};
use testkit::{Exit, Result, wait_for};

use crate::support::load;
use crate::support::setup::Setup;

mod connections;
mod damage;
mod door;
mod encryption;
mod files;
mod gtid_modes;
mod histories;
mod parts;
mod replicas;
mod skips;

/// A database of the load's tables on a private server.
fn setup_on(mysql: &Mysql, name: &str) -> Result<Setup> {
    let mut setup = Setup::on(StackAddress::from_environment()?, mysql, name)?;
    setup.database.execute_all(&load::TABLES)?;
    Ok(setup)
}

/// The connector ends with code 1 and this reason, in a message with all `words`; its way out is
/// a command about its own state topic where changes are given up.
fn assert_halts(setup: &Setup, reason: &str, words: &[&str]) -> Result<()> {
    let exit = setup.launch()?.wait_for_exit()?;
    assert_halted(&exit, reason, words);
    Ok(())
}

fn assert_halted(exit: &Exit, reason: &str, words: &[&str]) {
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    let last = exit.stderr.rfind("tailwater: ").map_or("", |start| &exit.stderr[start..]);
    assert!(last.contains(&format!("reason: {reason}\n")), "not {reason}: {last}");
    for word in words {
        assert!(last.contains(word), "“{word}” is not in: {last}");
    }
    assert!(last.len() < 900, "too long: {last}");
}

/// What a server says of its binlog: the current file and where it ends.
fn end_of_binlog(mysql: &Mysql) -> Result<(String, u64)> {
    let status = mysql.sql("SHOW BINARY LOG STATUS")?;
    let mut columns = status.split('\t');
    let file = columns.next().unwrap_or_default().to_owned();
    Ok((file, columns.next().unwrap_or_default().parse()?))
}

fn address_of(mysql: &Mysql) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], mysql.port()))
}

/// Waits until a server has everything that another has.
fn await_everything(from: &Mysql, to: &Mysql) -> Result<()> {
    let executed = from.sql("SELECT REPLACE(@@GLOBAL.gtid_executed, '\n', '')")?;
    let executed = executed.trim().replace("\\n", "");
    let question = format!("SELECT GTID_SUBSET('{executed}', @@GLOBAL.gtid_executed)");
    wait_for("a replica to catch up", testkit::LIMIT, || {
        Ok((to.sql(&question)?.trim() == "1").then_some(()))
    })
}

/// Puts the data folder of a stopped server aside, or back.
fn copy_data(from: &std::path::Path, to: &std::path::Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_data(&entry.path(), &target)?;
        } else if entry.file_type()?.is_file() {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
