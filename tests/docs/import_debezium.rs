//! `tailwater import-debezium`: the file that it makes is one that `run` takes, has no secret in it,
//! and says of every option what became of it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use testkit::Result;

use crate::support::setup::program;

/// A connector with options of each kind.
const CONNECTOR: &str = "tests/data/debezium/connector.json";

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Result<(String, Option<i32>)> {
    let mut command = Command::new(program());
    command.args(arguments).envs(variables.iter().copied());
    let Output { status, stdout, stderr } = command.output()?;
    Ok((String::from_utf8([stdout, stderr].concat())?, status.code()))
}

fn connector() -> Result<Value> {
    Ok(serde_json::from_str(&fs::read_to_string(CONNECTOR)?)?)
}

#[test]
fn the_file_is_one_that_the_connector_takes_and_has_every_option() -> Result<()> {
    // GIVEN the configuration of a connector WHEN it is translated
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("tailwater.toml");
    let file = file.to_str().unwrap();
    let (said, code) = run(&["import-debezium", CONNECTOR, "--out", file], &[])?;
    // THEN the exit code says that consumers would notice something, and the output what
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("differs: transforms: "), "{said}");
    // AND the file is what it was when it was last looked at
    let text = fs::read_to_string(file)?;
    let expected = fs::read_to_string("tests/data/debezium/tailwater.toml")?;
    assert_eq!(text, expected, "{text}");
    // AND no secret is in it, and the program takes it
    assert!(!text.contains("secret"), "{text}");
    let variables = [("MYSQL_PASSWORD", "a"), ("SCHEMA_REGISTRY_PASSWORD", "b")];
    let (shown, code) = run(&["config", "show", "--config", file], &variables)?;
    assert_eq!(code, Some(0), "{shown}");
    // AND of each option there is a word, but for those that say nothing
    let said_by_others = [
        "name",
        "connector.class",
        "tasks.max",
        // The table list alone counts.
        "database.include.list",
        // Off, and the key's converter has to be the value's.
        "provide.transaction.metadata",
        "key.converter",
        "key.converter.schema.registry.url",
        "value.converter",
        "transforms.route.type",
        "snapshot.select.statement.overrides.inventory.orders",
        "producer.override.compression.type",
        "topic.creation.default.cleanup.policy",
        "field.name.adjustment.mode",
    ];
    for option in connector()?["config"].as_object().unwrap().keys() {
        let is_there =
            text.contains(&format!("# {option}")) || text.contains(&format!("   {option}:"));
        assert!(is_there || said_by_others.contains(&&**option), "{option}: {text}");
    }
    // AND a file is not replaced
    let (said, code) = run(&["import-debezium", CONNECTOR, "--out", file], &[])?;
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("File exists"), "{said}");
    Ok(())
}

#[test]
fn a_connector_without_differences_is_translated_in_silence() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let write = |name: &str, json: &Value| -> Result<String> {
        let path = folder.path().join(name);
        fs::write(&path, json.to_string())?;
        Ok(path.to_str().unwrap().to_owned())
    };
    let mut json = connector()?;
    let config = json["config"].as_object_mut().unwrap();
    for option in ["binary.handling.mode", "foo.bar", "transforms", "transforms.route.type"] {
        config.remove(option);
    }
    config.insert("include.schema.changes".into(), json!("false"));
    let connector = write("connector.json", &json)?;
    let (text, code) = run(&["import-debezium", &connector], &[])?;
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("would notice"), "{text}");
    assert!(text.contains("mode = \"initial\" "), "{text}");
    // With an offset the rows are in the topics, and the command that continues is printed.
    let uuid = "0e4d0000-0000-0000-0000-000000000001";
    let offset = json!({"offsets": [{
        "partition": {"server": "shop"},
        "offset": {"file": "binlog.000042", "pos": 157, "gtids": format!("{uuid}:1-5"), "event": 0},
    }]});
    let offset = write("offset.json", &offset)?;
    let (text, code) = run(&["import-debezium", &connector, "--offset", &offset], &[])?;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("mode = \"never\" "), "{text}");
    assert!(text.contains(&format!("tailwater position set '{uuid}:1-5' --execute")), "{text}");
    Ok(())
}

#[test]
fn what_is_no_connector_or_offset_is_refused_with_what_is_needed() -> Result<()> {
    for (arguments, said) in [
        (vec!["/no/such/file"], "cannot read /no/such/file"),
        (vec!["Cargo.toml"], "a line without `=`"),
        (vec![CONNECTOR, "--offset", "README.md"], "GET /connectors/NAME/offsets"),
    ] {
        let (text, code) = run(&[&["import-debezium"], &arguments[..]].concat(), &[])?;
        assert_eq!(code, Some(78), "{text}");
        assert!(text.contains(said), "{text}");
    }
    assert!(Path::new(CONNECTOR).exists());
    Ok(())
}
