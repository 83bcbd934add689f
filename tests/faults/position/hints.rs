//! Halts after which the connector cannot continue: the command that the message has is run as it
//! is written, and the connector runs on.

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use testkit::Result;
use testkit::xtask::stack::Mysql;

use super::{assert_says, borrowed, command_in, ids, insert, printed, setup_on};
use crate::support::setup::{Setup, private_mysql};

/// The connector halts for this reason; the arguments of the command in its message.
fn halt(setup: &Setup, reason: &str) -> Result<Vec<String>> {
    let exit = setup.launch()?.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    let last = exit.stderr.rfind("tailwater: ").map_or("", |start| &exit.stderr[start..]);
    assert!(last.contains(&format!("reason: {reason}\n")), "not {reason}: {last}");
    Ok(command_in(last))
}

/// Runs the command of a message, which must have `target`; then what the next run delivers.
fn run_on(setup: &mut Setup, command: &[String], target: &str, next: u64) -> Result<Vec<u64>> {
    assert_eq!(command, ["set", target, "--execute"]);
    let before = ids(setup)?.len();
    assert_says(&printed(setup, &borrowed(command))?, &["The position is set"]);
    insert(setup, [next])?;
    setup.catch_up()?;
    Ok(ids(setup)?.split_off(before))
}

/// Writes a record under the key `position`; `None` is a tombstone.
fn write_position(setup: &Setup, value: Option<&str>) -> Result<()> {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", &setup.address.kafka_bootstrap).create()?;
    let topic = setup.settings.state_topic();
    let record = BaseRecord::<str, str>::to(&topic).key("position");
    let record = match value {
        Some(value) => record.payload(value),
        None => record,
    };
    producer.send(record).map_err(|(error, _)| error)?;
    Ok(producer.flush(testkit::LIMIT)?)
}

#[test]
fn commands_in_messages_of_the_source_run_as_written_and_the_connector_runs_on() -> Result<()> {
    let mysql = private_mysql(&[])?;
    let mut setup = setup_on(&mysql, "position_hints")?;
    insert(&mut setup, [0])?;
    setup.catch_up()?;
    what_follows_is_purged(&mut setup, &mysql)?;
    the_source_is_reset(&mut setup, &mysql)
}

fn what_follows_is_purged(setup: &mut Setup, mysql: &Mysql) -> Result<()> {
    // GIVEN rows whose binlog is gone, and rows whose binlog is there
    insert(setup, 1..=2)?;
    mysql.sql("FLUSH BINARY LOGS; PURGE BINARY LOGS TO 'binlog.000002'")?;
    insert(setup, [3])?;
    // WHEN the command of the message is run THEN what is there comes
    let command = halt(setup, "position_purged")?;
    let dry = printed(setup, &borrowed(&command[..2]))?;
    assert_says(&dry, &["Skipped: 2 transactions", "Consumers never get these changes"]);
    assert_eq!(run_on(setup, &command, "--to-earliest", 4)?, [3, 4]);
    Ok(())
}

fn the_source_is_reset(setup: &mut Setup, mysql: &Mysql) -> Result<()> {
    mysql.sql("FLUSH BINARY LOGS; RESET BINARY LOGS AND GTIDS")?;
    insert(setup, [5])?;
    let command = halt(setup, "source_reset")?;
    assert_eq!(run_on(setup, &command, "--to-current", 6)?, [6]);
    Ok(())
}

#[test]
fn a_position_that_cannot_be_read_or_is_missing_is_replaced() -> Result<()> {
    let mut setup = Setup::with_tables("position_unreadable", &[super::ITEMS])?;
    // The record of a table, so that a topic without a position is not a new one.
    setup.catch_up()?;
    insert(&mut setup, [1])?;
    setup.catch_up()?;
    for (next, value, reason) in
        [(2, Some("not by Tailwater"), "position_unreadable"), (3, None, "position_missing")]
    {
        write_position(&setup, value)?;
        let command = halt(&setup, reason)?;
        let dry = printed(&setup, &borrowed(&command[..2]))?;
        assert_says(&dry, &["The saved position cannot be used: the "]);
        assert_eq!(run_on(&mut setup, &command, "--to-current", next)?, [next]);
    }
    Ok(())
}
