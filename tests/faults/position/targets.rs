//! Each way to name a position, and exactly what the next run delivers from there.

use std::fs;

use serde_json::Value as Json;
use testkit::xtask::stack::Mysql;
use testkit::{LIMIT, Result, wait_for};

use super::{assert_says, borrowed, command_in, ids, insert, position, printed, setup_on, show};
use crate::support::setup::{Setup, private_mysql};

/// What names one place of the source.
struct Mark {
    gtid_set: Option<String>,
    place: String,
    time: String,
    json: Json,
}

/// The source's end now, and a time between what is committed and what will be.
fn mark(setup: &mut Setup, mysql: &Mysql) -> Result<Mark> {
    let clock = || mysql.sql("SELECT NOW(6)").map(|now| now.trim().to_owned());
    let time = clock()?;
    wait_for("another moment", LIMIT, || Ok((clock()? != time).then_some(())))?;
    let mut json = show(setup)?;
    let source = json["source"].clone();
    let gtid_set = source["gtid_set"].as_str().map(str::to_owned);
    let place = format!("{}:{}", source["file"].as_str().unwrap(), source["pos"]);
    for key in ["gtid_set", "file", "pos"] {
        json["position"][key] = source[key].clone();
    }
    Ok(Mark { gtid_set, place, time, json })
}

/// Sets the position with `--execute`, runs the connector, and returns what it delivered.
fn delivered_after(setup: &Setup, target: &[&str], words: &[&str]) -> Result<Vec<u64>> {
    let before = ids(setup)?.len();
    // Without `--execute` nothing changes, and the command to run is the one that is meant.
    let dry = printed(setup, &[&["set"], target].concat())?;
    assert_says(&dry, &["Nothing is changed. To set the position, run:"]);
    assert_says(&dry, words);
    let command = command_in(&dry);
    assert!(command.last().is_some_and(|word| word == "--execute"), "{dry}");
    let saved = show(setup)?["position"].clone();
    let executed = printed(setup, &[&["set"], target, &["--execute"]].concat())?;
    assert_says(&executed, words);
    assert_says(&executed, &["The position is set: the next start"]);
    let set = show(setup)?["position"].clone();
    let generation = |position: &Json| position["generation"].as_u64();
    assert_eq!(generation(&set), generation(&saved).map(|it| it + 1), "{saved} {set}");
    assert_eq!(set["released"], true);
    setup.catch_up()?;
    Ok(ids(setup)?.split_off(before))
}

#[test]
fn every_way_to_name_a_position_repeats_and_skips_exactly_what_it_says() -> Result<()> {
    let mysql = private_mysql(&[])?;
    let mut setup = setup_on(&mysql, "position_forms")?;
    // GIVEN a place in the middle of a file, with files before and behind it
    insert(&mut setup, 1..=2)?;
    mysql.sql("FLUSH BINARY LOGS")?;
    insert(&mut setup, [3])?;
    let middle = mark(&mut setup, &mysql)?;
    setup.database.execute("SET SESSION binlog_transaction_compression = ON")?;
    insert(&mut setup, [4])?;
    mysql.sql("FLUSH BINARY LOGS")?;
    insert(&mut setup, 5..=6)?;
    setup.catch_up()?;
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), middle.json.to_string())?;
    let from_file = file.path().to_str().unwrap();
    let gtid_set = middle.gtid_set.as_deref().unwrap();
    // WHEN the position is set to it THEN what is behind it comes again, and nothing else
    let again = ["Delivered again: 3 transactions, "];
    for target in [
        &[gtid_set][..],
        &[&middle.place],
        &["--to-datetime", &middle.time],
        &["--to-datetime", &format!("{}Z", middle.time.replace(' ', "T"))],
        &["--from-file", from_file],
    ] {
        assert_eq!(delivered_after(&setup, target, &again)?, [4, 5, 6], "{target:?}");
    }
    // AND from the first transaction that is there
    let all = delivered_after(&setup, &["--to-earliest"], &["before the first transaction"])?;
    assert_eq!(all, [1, 2, 3, 4, 5, 6]);
    // AND going forward, what is before it never comes
    insert(&mut setup, 7..=8)?;
    let ahead = mark(&mut setup, &mysql)?;
    insert(&mut setup, [9])?;
    let skipped = ["Skipped: 2 transactions, ", "tailwater snapshot --table DATABASE.TABLE"];
    let gtid_set = ahead.gtid_set.as_deref().unwrap();
    assert_eq!(delivered_after(&setup, &[gtid_set], &skipped)?, [9]);
    insert(&mut setup, 10..=11)?;
    let skipped = ["Skipped: 2 transactions, "];
    assert!(delivered_after(&setup, &["--to-current"], &skipped)?.is_empty());
    let nothing = ["Nothing is skipped, and nothing is delivered again."];
    assert!(delivered_after(&setup, &["--to-current"], &nothing)?.is_empty());
    // AND by a duration: no transaction is younger than that
    insert(&mut setup, [12])?;
    setup.catch_up()?;
    wait_for("a second without transactions", LIMIT, || {
        let at = show(&setup)?["position"]["source_ts_us"].as_u64().unwrap_or_default();
        let now = mysql.sql("SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED)")?;
        Ok((at + 2_000_000 < now.trim().parse()?).then_some(()))
    })?;
    assert!(delivered_after(&setup, &["--by-duration", "PT1S"], &nothing)?.is_empty());
    insert(&mut setup, [13])?;
    setup.catch_up()?;
    assert_eq!(ids(&setup)?.last(), Some(&13));
    Ok(())
}

#[test]
fn a_source_without_gtids_counts_by_places() -> Result<()> {
    let mysql = private_mysql(&["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"])?;
    let mut setup = setup_on(&mysql, "position_files")?;
    insert(&mut setup, 1..=2)?;
    let middle = mark(&mut setup, &mysql)?;
    insert(&mut setup, [3])?;
    mysql.sql("FLUSH BINARY LOGS")?;
    insert(&mut setup, [4])?;
    setup.catch_up()?;
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), middle.json.to_string())?;
    let again = ["Delivered again: ", "without GTIDs no transaction is counted"];
    for target in [
        &[middle.place.as_str()][..],
        &["--to-datetime", &middle.time],
        &["--from-file", file.path().to_str().unwrap()],
    ] {
        assert_eq!(delivered_after(&setup, target, &again)?, [3, 4], "{target:?}");
    }
    assert_eq!(delivered_after(&setup, &["--to-earliest"], &again)?, [1, 2, 3, 4]);
    insert(&mut setup, [5])?;
    assert!(delivered_after(&setup, &["--to-current"], &["Skipped: "])?.is_empty());
    // AND a GTID set means nothing there
    let exit = position(&setup, &["set", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"])?;
    assert_eq!(exit.code, Some(1), "{}", exit.stdout);
    assert_says(&exit.stderr, &["gtid_mode=OFF", "Give a place in its binlog instead"]);
    Ok(())
}

#[test]
fn a_first_start_begins_where_the_position_was_set() -> Result<()> {
    // GIVEN rows from before a connector's first start
    let mysql = private_mysql(&[])?;
    let mut setup = Setup::on(
        testkit::xtask::stack::StackAddress::from_environment()?,
        &mysql,
        "position_first",
    )?;
    setup.database.execute(super::ITEMS)?;
    insert(&mut setup, 1..=3)?;
    // WHEN a position is set by the command that was shown
    let dry = printed(&setup, &["set", "--to-earliest"])?;
    assert_says(&dry, &["There is no saved position", "No instance of the connector has run yet."]);
    assert_says(&printed(&setup, &borrowed(&command_in(&dry)))?, &["The position is set"]);
    // THEN it begins there
    let log = setup.catch_up_logging()?;
    assert!(log.contains("resuming"), "{log}");
    assert_eq!(ids(&setup)?, [1, 2, 3]);
    Ok(())
}
