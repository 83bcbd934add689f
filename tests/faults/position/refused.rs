//! Positions that are refused, and refusals while an instance runs.

use testkit::{Result, wait_for};

use super::{ITEMS, assert_says, ids, insert, position, printed, setup_on, show};
use crate::support::setup::{Setup, private_mysql};

/// A UUID that no server of the tests has.
const NOBODY: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

#[test]
fn a_position_that_the_source_does_not_have_is_refused_and_nothing_is_changed() -> Result<()> {
    let mysql = private_mysql(&[])?;
    let mut setup = setup_on(&mysql, "position_refused")?;
    insert(&mut setup, 1..=2)?;
    setup.catch_up()?;
    mysql.sql("FLUSH BINARY LOGS; PURGE BINARY LOGS TO 'binlog.000002'")?;
    insert(&mut setup, [3])?;
    let before = show(&setup)?;
    let uuid = before["position"]["server_uuid"].as_str().unwrap();
    let end = before["source"]["pos"].as_u64().unwrap();
    let empty = tempfile::NamedTempFile::new()?;
    let empty = empty.path().to_str().unwrap();
    let (inside, behind) =
        (format!("binlog.000002:{}", end - 31), format!("binlog.000002:{}", end + 1));
    for (arguments, code, words) in [
        (&[&format!("{NOBODY}:1-5")[..]][..], 1, "has not executed 5 of these transactions"),
        (&[&format!("{uuid}:1-9999")], 1, "has not executed"),
        (&[&format!("{uuid}:1-2")], 1, "are gone: "),
        (&["binlog.000009:4"], 1, "has no binlog file binlog.000009: it has binlog.000002 to"),
        (&["binlog.000001:4"], 1, "has no binlog file binlog.000001"),
        (&[&inside], 1, "no transaction begins or ends at"),
        (&[&behind], 1, "ends at"),
        (&["--to-datetime", "2020-01-01 00:00:00"], 1, "--to-earliest"),
        (
            &["--to-datetime", "2999-01-01T00:00:00+01:00"],
            1,
            "2998-12-31 23:00:00.000 UTC is in the future",
        ),
        (&["--by-duration", "P9999D"], 1, "its oldest, was begun at"),
        (&["--from-file", "/nothing/there"], 1, "tailwater position show --json"),
        (&["--from-file", empty], 1, "has no position"),
        (&["--to-datetime", "yesterday"], 64, "a time is needed"),
        (&["--by-duration", "1h"], 64, "an ISO 8601 duration is needed"),
        (&["--by-duration", "P1M"], 64, "years and months have no fixed length"),
        (&["binlog"], 64, "a GTID set or a place is needed"),
        (&[&format!("{uuid}:0")], 64, "is not a GTID set"),
        (&["--to-current", "--to-earliest"], 64, "cannot be used with"),
        (&["binlog.000002:4", "--to-earliest"], 64, "cannot be used with"),
        (&[], 64, "required"),
    ] {
        let exit = position(&setup, &[&["set", "--execute"], arguments].concat())?;
        assert_eq!(exit.code, Some(code), "{arguments:?}: {}{}", exit.stdout, exit.stderr);
        assert_says(&exit.stderr, &[words]);
        assert_eq!(exit.stdout, "", "{arguments:?}");
    }
    assert_eq!(show(&setup)?["position"], before["position"]);
    setup.settings.set("mysql.password", "wrong");
    let exit = position(&setup, &["set", "--to-current", "--execute"])?;
    assert_eq!(exit.code, Some(78), "{}", exit.stderr);
    Ok(())
}

#[test]
fn the_nearest_places_of_a_refusal_are_places() -> Result<()> {
    let mysql = private_mysql(&[])?;
    let mut setup = setup_on(&mysql, "position_nearest")?;
    insert(&mut setup, 1..=2)?;
    setup.catch_up()?;
    let end = show(&setup)?["source"]["pos"].as_u64().unwrap();
    let exit = position(&setup, &["set", &format!("binlog.000001:{}", end - 31)])?;
    let hint = exit.stderr.split("two transactions are ").nth(1).unwrap_or_default();
    let hint = hint.lines().next().unwrap_or_default().trim_end_matches('.');
    let (before, behind) = hint.split_once(" and ").unwrap_or_default();
    assert_eq!(behind, format!("binlog.000001:{end}"), "{}", exit.stderr);
    assert_says(&printed(&setup, &["set", before])?, &["Delivered again: 1 transaction, "]);
    Ok(())
}

#[test]
fn while_an_instance_runs_a_position_is_set_only_by_fencing_it() -> Result<()> {
    let mut setup = Setup::with_tables("position_running", &[ITEMS])?;
    setup.catch_up()?;
    insert(&mut setup, [1])?;
    let from = show(&setup)?["position"]["gtid_set"].as_str().unwrap().to_owned();
    let mut connector = setup.start()?;
    wait_for("the first row", testkit::LIMIT, || Ok((ids(&setup)? == [1]).then_some(())))?;
    // WHEN the position is set THEN it is refused, and the dry run says what is needed
    let exit = position(&setup, &["set", &from, "--execute"])?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    assert_says(&exit.stderr, &["runs: it has written", "add --fence", "reason: instance_runs"]);
    let dry = printed(&setup, &["set", &from])?;
    assert_says(&dry, &["An instance of the connector runs: stop it first", "--execute --fence"]);
    assert!(!connector.has_ended()?);
    // AND by fencing the instance ends, and the next one repeats the row
    let set = printed(&setup, &["set", &from, "--execute", "--fence"])?;
    assert_says(&set, &["that ran is fenced: it ends with exit code 75"]);
    let exit = connector.wait_for_exit()?;
    assert_eq!(exit.code, Some(75), "{}", exit.stderr);
    setup.catch_up()?;
    assert_eq!(ids(&setup)?, [1, 1]);
    // AND an instance that died is not taken for one that runs
    let mut connector = setup.start()?;
    connector.kill()?;
    let set = printed(&setup, &["set", &from, "--execute"])?;
    assert_says(&set, &["shows signs of life: its state topic did not change for 3 s."]);
    setup.catch_up()?;
    assert_eq!(ids(&setup)?, [1, 1, 1]);
    Ok(())
}
