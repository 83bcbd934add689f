//! `tailwater state`: the state of a connector as a file, and back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use testkit::{Connector, Exit, Result, raw_records, wait_for};

use super::Admin;
use crate::faults::position::{ITEMS, assert_says, ids, insert};
use crate::support::setup::{Setup, operations, private_kafka, program};

/// Runs `tailwater state` with these arguments to its end.
fn state(setup: &Setup, arguments: &[&str]) -> Result<Exit> {
    let arguments = [&["state"], arguments].concat();
    Connector::start_with(program(), &setup.settings, &arguments)?.wait_for_exit()
}

/// What it prints when it ends with 0.
fn printed(setup: &Setup, arguments: &[&str]) -> Result<String> {
    let exit = state(setup, arguments)?;
    assert_eq!(exit.code, Some(0), "{arguments:?}: {}{}", exit.stdout, exit.stderr);
    Ok(exit.stdout)
}

/// A connector that has read a table and delivered a change, and a folder for its file.
fn setup(name: &str) -> Result<(Setup, tempfile::TempDir)> {
    let mut setup = Setup::with_tables(name, &[ITEMS])?;
    insert(&mut setup, [1])?;
    setup.settings.set("snapshot.mode", "initial");
    setup.catch_up()?;
    insert(&mut setup, [2])?;
    setup.catch_up()?;
    Ok((setup, tempfile::tempdir()?))
}

#[test]
fn a_state_topic_that_was_deleted_comes_back_from_its_file() -> Result<()> {
    let (mut setup, folder) = setup("state_file")?;
    let file = folder.path().join("state.json");
    let path = file.to_str().unwrap();
    assert_eq!(printed(&setup, &["export", path])?, "");
    assert_eq!(fs::metadata(&file)?.permissions().mode() & 0o777, 0o600);
    let exported: serde_json::Value = serde_json::from_slice(&fs::read(&file)?)?;
    let printed_one: serde_json::Value = serde_json::from_str(&printed(&setup, &["export"])?)?;
    assert_eq!(exported["records"], printed_one["records"]);
    // AND a file that is there is left as it is
    let exit = state(&setup, &["export", path])?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    assert_says(&exit.stderr, &["cannot write", "Name another file", "state_file_unusable"]);
    // GIVEN that the topic is gone, and rows came meanwhile
    insert(&mut setup, [3])?;
    let topic = setup.settings.state_topic();
    Admin::of(&setup)?.delete(&topic)?;
    // WHEN the file is imported
    let dry = printed(&setup, &["import", path])?;
    assert_says(&dry, &["replaces nothing: the state topic is empty", "Nothing is changed."]);
    assert!(!testkit::topics(&setup.address)?.contains(&topic));
    let done = printed(&setup, &["import", path, "--execute"])?;
    assert_says(&done, &["The state is imported", "table records: 1, snapshot records: 1"]);
    assert!(!done.contains("table(s)"), "nothing is left out in the same cluster: {done}");
    // THEN nothing is lost, doubled or read again
    setup.catch_up()?;
    assert_eq!(ids(&setup)?, [1, 2, 3]);
    assert_eq!(operations(&setup.records("items")?), ["r", "c", "c"]);
    let records = raw_records(&setup.address, &topic)?;
    let table = records.iter().rfind(|(key, _)| key.starts_with("table/")).unwrap();
    assert!(table.1.contains("topic_log"), "{}", table.1);
    Ok(())
}

#[test]
fn an_import_replaces_what_is_there_and_needs_fence_while_an_instance_runs() -> Result<()> {
    let (mut setup, folder) = setup("state_again")?;
    let file = folder.path().join("state.json");
    let path = file.to_str().unwrap();
    printed(&setup, &["export", path])?;
    // GIVEN an instance that is further
    let mut connector = setup.start()?;
    insert(&mut setup, [3])?;
    wait_for("the row", testkit::LIMIT, || Ok((ids(&setup)? == [1, 2, 3]).then_some(())))?;
    let exit = state(&setup, &["import", path, "--execute"])?;
    assert_eq!(exit.code, Some(1), "{}", exit.stdout);
    assert_says(&exit.stderr, &["add --fence", "reason: instance_runs"]);
    let dry = printed(&setup, &["import", path])?;
    assert_says(&dry, &["records, with the position binlog.", "--execute --fence"]);
    // WHEN the file is imported all the same THEN the instance ends, and the next goes back
    let done = printed(&setup, &["import", path, "--execute", "--fence"])?;
    assert_says(&done, &["The instance that ran is fenced"]);
    assert_eq!(connector.wait_for_exit()?.code, Some(75));
    setup.catch_up()?;
    assert_eq!(ids(&setup)?, [1, 2, 3, 3]);
    Ok(())
}

#[test]
fn in_another_cluster_what_counts_in_one_is_left_out() -> Result<()> {
    let (mut setup, folder) = setup("state_moved")?;
    let file = folder.path().join("state.json");
    let path = file.to_str().unwrap();
    printed(&setup, &["export", path])?;
    insert(&mut setup, [3])?;
    // WHEN another cluster gets it
    let kafka = private_kafka(&[])?;
    setup.address.kafka_bootstrap = kafka.bootstrap();
    setup.settings.set("kafka.bootstrap_servers", kafka.bootstrap());
    let dry = printed(&setup, &["import", path])?;
    assert_says(&dry, &["1 table(s): their topics are not in this cluster"]);
    // AND under another name, where topics and keys are named otherwise
    let earlier = setup.settings.name().to_owned();
    setup.settings.set_name(format!("{earlier}_2"));
    let done = printed(&setup, &["import", path, "--execute"])?;
    let names = format!("The file is of connector {earlier}, and this one is {earlier}_2");
    assert_says(&done, &[&names, "the form of the tables' records is left out"]);
    // THEN it resumes exactly, and does not read the table again
    setup.catch_up()?;
    assert_eq!(ids(&setup)?, [3]);
    Ok(())
}

#[test]
fn what_is_no_file_of_a_state_is_refused_and_nothing_is_changed() -> Result<()> {
    let (setup, folder) = setup("state_refused")?;
    let topic = setup.settings.state_topic();
    let before = raw_records(&setup.address, &topic)?.len();
    let file = folder.path().join("state.json");
    let path = file.to_str().unwrap();
    printed(&setup, &["export", path])?;
    let text = fs::read_to_string(&file)?;
    let damaged = text.replace("\"tailwater_state\": 1", "\"tailwater_state\": 7");
    let foreign = text.replace("\"seq\"", "\"sec\"");
    for (text, words) in [
        ("", "has no state of a connector"),
        ("{}", "`tailwater_state` is missing"),
        (&damaged, "it has version 7, and this Tailwater knows 1"),
        (&foreign, "its record position cannot be read"),
    ] {
        fs::write(&file, text)?;
        let exit = state(&setup, &["import", path, "--execute"])?;
        assert_eq!(exit.code, Some(1), "{}", exit.stdout);
        assert_says(&exit.stderr, &[words, "tailwater state export"]);
    }
    let exit = state(&setup, &["import", "/nothing/there"])?;
    assert_says(&exit.stderr, &["cannot read /nothing/there"]);
    assert_eq!(state(&setup, &["import"])?.code, Some(64));
    assert_eq!(raw_records(&setup.address, &topic)?.len(), before);
    // AND a connector that never ran has none
    let new = Setup::with_tables("state_none", &[ITEMS])?;
    let exit = state(&new, &["export"])?;
    assert_eq!((exit.code, exit.stdout.as_str()), (Some(1), ""), "{}", exit.stderr);
    assert_says(&exit.stderr, &["has no position to export"]);
    Ok(())
}
