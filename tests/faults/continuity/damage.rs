//! A binlog that is damaged where the server does not look.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use testkit::{Context, Result};

use super::{assert_halts, end_of_binlog, setup_on};
use crate::support::load::numbers;
use crate::support::setup::private_mysql;

/// Where a TABLE_MAP has the length of the database's name: behind the header of 19 bytes, the
/// table's number of 6 and 2 of flags (MySQL source, `rows_event.h`, `Table_map_event`).
const NAME_LENGTH_AT: u64 = 19 + 6 + 2;

#[test]
fn an_event_that_cannot_be_read_halts_at_its_place_and_nothing_is_skipped() -> Result<()> {
    // GIVEN changes that were not delivered yet
    let mysql = private_mysql(&[])?;
    let mut setup = setup_on(&mysql, "damage")?;
    setup.catch_up()?;
    setup.database.execute("INSERT INTO rows_written (text) VALUES ('before')")?;
    setup.database.execute("FLUSH BINARY LOGS")?;
    for text in ["damaged", "after"] {
        setup.database.execute(&format!("INSERT INTO rows_written (text) VALUES ('{text}')"))?;
    }
    let (file, _) = end_of_binlog(&mysql)?;
    setup.database.execute("FLUSH BINARY LOGS")?;
    // WHEN one of their events is damaged in such a way that it has no end
    let listed = mysql.sql(&format!("SHOW BINLOG EVENTS IN '{file}'"))?;
    let table_map = listed.lines().find(|line| line.contains("\tTable_map\t"));
    let offset = table_map.and_then(|line| line.split('\t').nth(1)).context("no TABLE_MAP")?;
    let at = offset.parse::<u64>()? + NAME_LENGTH_AT;
    let path = mysql.data_folder().join(&file);
    let right = change_byte(&path, at, 0xff)?;
    // THEN it halts and names the place, each time
    for _ in 0..2 {
        assert_halts(&setup, "event_unreadable", &[&format!("after {file}:{offset}")])?;
    }
    assert_eq!(numbers(&setup.records("rows_written")?, "id")?, [1]);
    // AND goes on behind what was delivered once it can be read
    change_byte(&path, at, right)?;
    setup.catch_up()?;
    assert_eq!(numbers(&setup.records("rows_written")?, "id")?, [1, 2, 3]);
    Ok(())
}

/// Changes one byte of a file and returns what it was.
fn change_byte(path: &Path, at: u64, to: u8) -> Result<u8> {
    let file = File::options().read(true).write(true).open(path)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, at)?;
    file.write_all_at(&[to], at)?;
    let [was] = byte;
    Ok(was)
}
