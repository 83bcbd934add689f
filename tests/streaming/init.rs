//! `tailwater init`: the file that it writes is one that a connector runs with.

use std::fs;

use testkit::{Consumer, Result};

use crate::support::setup::{Setup, operations, run_program};

#[test]
fn a_connector_runs_with_the_file_as_it_is_written() -> Result<()> {
    // GIVEN a table with a row, and the addresses of the three ends
    let mut setup = Setup::with_tables("first_hour", &["CREATE TABLE items (id INT PRIMARY KEY)"])?;
    setup.database.execute("INSERT INTO items VALUES (1)")?;
    let database = setup.database.name().to_owned();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("tailwater.toml");
    let file = file.to_str().unwrap();
    let mysql = format!("127.0.0.1:{}", setup.address.mysql_port);
    let (user, tables) = (setup.database.user().to_owned(), format!("{database}.*"));
    let name = format!("init_{database}");
    let mut arguments = vec!["init", "--out", file, "--name", &name, "--mysql", &mysql];
    arguments.extend(["--user", &user, "--tables", &tables]);
    // WHEN some are missing where nobody can be asked, THEN the message names them
    let (text, code) = run_program(&setup, &arguments)?;
    assert_eq!(code, Some(78), "{text}");
    assert!(text.contains("missing: --kafka, --registry"), "{text}");
    // WHEN all are given, THEN the file is written, once
    arguments.extend(["--kafka", &setup.address.kafka_bootstrap]);
    arguments.extend(["--registry", &setup.address.registry_url]);
    let (text, code) = run_program(&setup, &arguments)?;
    // AND checked
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(&format!("tailwater run --config {file}")), "{text}");
    assert!(text.contains("; the connector would start"), "{text}");
    let (text, code) = run_program(&setup, &arguments)?;
    assert_eq!(code, Some(78), "{text}");
    assert!(text.contains("exists, and is not replaced"), "{text}");
    // AND the command that it named delivers the row
    fs::write(file, fs::read_to_string(file)? + "\n[admin]\nlisten = \"127.0.0.1:0\"\n")?;
    let (text, code) = run_program(&setup, &["run", "--config", file, "--until-caught-up"])?;
    assert_eq!(code, Some(0), "{text}");
    let topic = format!("{name}.{database}.items");
    assert_eq!(operations(&Consumer::open(&setup.address, &[&topic])?.rest()?), ["r"]);
    Ok(())
}
