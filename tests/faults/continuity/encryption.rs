//! Encrypted binlogs: their files are longer than the positions in them.

use std::fs::File;

use testkit::Result;
use testkit::xtask::stack::{Mysql, MysqlOptions, Server as _};

use super::{assert_halts, end_of_binlog, setup_on};
use crate::support::setup::{Setup, operations, private_mysql_with};

/// What an encrypted file has before the first byte that positions count.
const HEADER_BYTES: u64 = 512;

fn encrypted(gtid_mode: &str) -> Result<Mysql> {
    let arguments = ["--binlog-encryption=ON", gtid_mode];
    private_mysql_with(&MysqlOptions {
        extra_arguments: arguments.map(ToOwned::to_owned).into(),
        has_keyring: true,
        ..MysqlOptions::default()
    })
}

fn insert(setup: &mut Setup) -> Result<()> {
    setup.database.execute("INSERT INTO rows_written (text) VALUES ('x')")
}

#[test]
fn a_position_in_an_encrypted_binlog_is_resumed() -> Result<()> {
    for gtid_mode in ["--gtid-mode=ON", "--gtid-mode=OFF"] {
        // GIVEN a source whose binlog is encrypted, and a connector that has read all of it
        let mysql = encrypted(gtid_mode)?;
        let mut setup = setup_on(&mysql, "encrypted")?;
        let mut connector = setup.start()?;
        insert(&mut setup)?;
        let mut consumer = setup.consumer("rows_written")?;
        consumer.take(1)?;
        // WHEN the dump ends while the source is idle, THEN it is opened again
        setup.kill_dump()?;
        insert(&mut setup)?;
        consumer.take(1)?;
        // AND a start goes on, also behind files that are not encrypted, and in front of one
        connector.stop()?;
        setup.catch_up()?;
        for statement in
            ["FLUSH BINARY LOGS", "SET GLOBAL binlog_encryption = OFF", "FLUSH BINARY LOGS"]
        {
            setup.database.execute(statement)?;
            setup.catch_up()?;
            insert(&mut setup)?;
            setup.catch_up()?;
            setup.catch_up()?;
        }
        setup.database.execute("SET GLOBAL binlog_encryption = ON")?;
        insert(&mut setup)?;
        setup.catch_up()?;
        assert_eq!(operations(&consumer.rest()?), ["c"; 4]);
    }
    Ok(())
}

#[test]
fn an_encrypted_binlog_that_lost_its_end_is_noticed() -> Result<()> {
    // GIVEN a delivered change at the end of an encrypted binlog
    let mut mysql = encrypted("--gtid-mode=ON")?;
    let mut setup = setup_on(&mysql, "encrypted_tail")?;
    setup.catch_up()?;
    let (file, offset) = end_of_binlog(&mysql)?;
    insert(&mut setup)?;
    setup.catch_up()?;
    // WHEN the server crashes and that end was not on the disk
    mysql.kill()?;
    let binlog = mysql.data_folder().join(&file);
    File::options().write(true).open(binlog)?.set_len(HEADER_BYTES + offset)?;
    mysql.start_again()?;
    // THEN it stops
    assert_halts(&setup, "source_lost_tail", &["sync_binlog", &file])
}
