//! Servers that are the same by name and number and have another history than the one delivered.

use std::fs::File;

use testkit::xtask::stack::{Mysql, Server as _};
use testkit::{LIMIT, Result, wait_for};

use super::{assert_halted, assert_halts, copy_data, end_of_binlog, setup_on};
use crate::support::setup::{Setup, private_mysql};

/// More transactions than a test made before, so that every number is there again.
const MANY: usize = 60;

#[test]
fn a_server_with_another_history_is_refused() -> Result<()> {
    let mut mysql = private_mysql(&[])?;
    an_older_copy_is_restored(&mut mysql)?;
    the_end_of_the_binlog_is_lost(&mut mysql)?;
    it_is_reset_and_does_the_same_again(&mysql)?;
    it_is_reset(&mysql)?;
    it_is_reset_while_it_is_read(&mysql)?;
    it_is_reset_twice_while_it_is_read(&mysql)?;
    it_is_reset_and_stays_shorter_than_it_was(&mysql)
}

fn insert(setup: &mut Setup, count: usize) -> Result<()> {
    insert_text(setup, "x", count)
}

/// What is not as long as the rows before ends at other places of a file.
fn insert_text(setup: &mut Setup, text: &str, count: usize) -> Result<()> {
    for _ in 0..count {
        let insert = format!("INSERT INTO rows_written (text) VALUES ('{text}')");
        setup.database.execute(&insert)?;
    }
    Ok(())
}

/// A file that is begun in the same second as the last one cannot be told from it.
fn reset_in_another_second(mysql: &Mysql) -> Result<()> {
    let now = || mysql.sql("SELECT UNIX_TIMESTAMP()");
    let before = now()?;
    wait_for("the next second", LIMIT, || Ok((now()? != before).then_some(())))?;
    mysql.sql("RESET BINARY LOGS AND GTIDS").map(drop)
}

fn an_older_copy_is_restored(mysql: &mut Mysql) -> Result<()> {
    // GIVEN changes that are delivered and younger than a copy of the data
    let mut setup = setup_on(mysql, "restored")?;
    setup.catch_up()?;
    let data = mysql.data_folder();
    let copy = data.with_file_name("copy");
    mysql.stop()?;
    copy_data(&data, &copy)?;
    mysql.start_again()?;
    setup.database = setup.database.connect_again()?;
    insert(&mut setup, 20)?;
    setup.catch_up()?;
    // WHEN the copy takes their place
    mysql.stop()?;
    copy_data(&copy, &data)?;
    std::fs::remove_dir_all(&copy)?;
    mysql.start_again()?;
    setup.database = setup.database.connect_again()?;
    // THEN it stops, and still does when all the numbers are there again
    assert_halts(&setup, "source_reset", &["was created at", "--to-current --execute"])?;
    insert_text(&mut setup, "another history", MANY)?;
    assert_halts(&setup, "source_reset", &["no transaction ends at", "--to-current --execute"])
}

fn the_end_of_the_binlog_is_lost(mysql: &mut Mysql) -> Result<()> {
    // GIVEN a delivered change at the end of the binlog
    let mut setup = setup_on(mysql, "lost_tail")?;
    setup.catch_up()?;
    let (file, offset) = end_of_binlog(mysql)?;
    insert(&mut setup, 3)?;
    setup.catch_up()?;
    // WHEN the server crashes and that end was not on the disk
    mysql.kill()?;
    let binlog = mysql.data_folder().join(&file);
    File::options().write(true).open(binlog)?.set_len(offset)?;
    mysql.start_again()?;
    setup.database = setup.database.connect_again()?;
    // THEN it stops, and still does when the numbers are given again
    assert_halts(&setup, "source_lost_tail", &["sync_binlog", &file, "--to-current --execute"])?;
    insert(&mut setup, MANY)?;
    assert_halts(&setup, "source_lost_tail", &["sync_binlog", &file])
}

fn it_is_reset(mysql: &Mysql) -> Result<()> {
    // GIVEN a position in a later file
    let mut setup = setup_on(mysql, "reset")?;
    mysql.sql("RESET BINARY LOGS AND GTIDS; FLUSH BINARY LOGS; FLUSH BINARY LOGS")?;
    setup.catch_up()?;
    insert(&mut setup, 3)?;
    setup.catch_up()?;
    // WHEN the server forgets everything
    mysql.sql("RESET BINARY LOGS AND GTIDS")?;
    // THEN it stops, and still does when all the numbers are there again
    assert_halts(&setup, "source_reset", &["binlog.000003", "binlog.000001"])?;
    insert(&mut setup, MANY)?;
    assert_halts(&setup, "source_reset", &["binlog.000003", "binlog.000001"])?;
    // AND when the saved file is there again, with something else in it
    mysql.sql("FLUSH BINARY LOGS; FLUSH BINARY LOGS")?;
    insert_text(&mut setup, "another history", MANY)?;
    assert_halts(&setup, "source_reset", &["no transaction ends at", "binlog.000003"])
}

/// Byte for byte, but for the times.
fn it_is_reset_and_does_the_same_again(mysql: &Mysql) -> Result<()> {
    // GIVEN a position in the first file
    let mut setup = setup_on(mysql, "same_again")?;
    mysql.sql("RESET BINARY LOGS AND GTIDS")?;
    setup.catch_up()?;
    insert(&mut setup, 3)?;
    setup.catch_up()?;
    let end = end_of_binlog(mysql)?;
    // WHEN the same happens after a reset, in another second
    reset_in_another_second(mysql)?;
    insert(&mut setup, 3)?;
    assert_eq!(end_of_binlog(mysql)?, end);
    // THEN every number and place is as it was, and it stops all the same
    assert_halts(&setup, "source_reset", &["was created at", "--to-current --execute"])?;
    insert(&mut setup, 3)?;
    assert_halts(&setup, "source_reset", &["was created at", &end.0])
}

fn it_is_reset_while_it_is_read(mysql: &Mysql) -> Result<()> {
    let mut setup = setup_on(mysql, "reset_running")?;
    let mut connector = setup.start()?;
    insert(&mut setup, 3)?;
    setup.consumer("rows_written")?.take(3)?;
    mysql.sql("RESET BINARY LOGS AND GTIDS")?;
    insert(&mut setup, 1)?;
    let exit = connector.wait_for_exit()?;
    assert_halted(&exit, "source_reset", &["--to-current --execute"]);
    Ok(())
}

fn it_is_reset_twice_while_it_is_read(mysql: &Mysql) -> Result<()> {
    // GIVEN a dump of a server that has nothing yet
    let mut setup = setup_on(mysql, "reset_twice")?;
    mysql.sql("RESET BINARY LOGS AND GTIDS")?;
    let mut connector = setup.start()?;
    // WHEN it is reset before anything was delivered, THEN nothing is lost and it goes on
    reset_in_another_second(mysql)?;
    insert(&mut setup, 1)?;
    let mut consumer = setup.consumer("rows_written")?;
    consumer.take(1)?;
    // AND when it is reset again, the source has every number and place, and it stops for what
    // happened, not for what the server says of its files
    reset_in_another_second(mysql)?;
    insert(&mut setup, 2)?;
    let exit = connector.wait_for_exit()?;
    assert_halted(&exit, "source_reset", &["was created at", "--to-current --execute"]);
    Ok(())
}

/// The server waits with the dump until its binlog is as long as it was.
fn it_is_reset_and_stays_shorter_than_it_was(mysql: &Mysql) -> Result<()> {
    let mut setup = setup_on(mysql, "reset_short")?;
    mysql.sql("RESET BINARY LOGS AND GTIDS")?;
    let mut connector = setup.start()?;
    insert(&mut setup, 5)?;
    setup.consumer("rows_written")?.take(5)?;
    reset_in_another_second(mysql)?;
    insert(&mut setup, 1)?;
    let exit = connector.wait_for_exit()?;
    assert_halted(&exit, "source_reset", &["binlog.000001", "--to-current --execute"]);
    Ok(())
}
