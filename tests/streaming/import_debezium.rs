//! The switch from Debezium: with the file and the command that `tailwater import-debezium` makes, a
//! connector continues where Debezium stopped, and delivers nothing twice.

use std::fs;

use serde_json::json;
use testkit::{Consumer, Result};

use crate::support::setup::{Setup, operations, run_program};

#[test]
fn a_connector_continues_where_debezium_stopped() -> Result<()> {
    // GIVEN a table with rows that Debezium delivered, its stored offset, and a change after it
    let mut setup = Setup::with_tables("switched", &["CREATE TABLE items (id INT PRIMARY KEY)"])?;
    let database = setup.database.name().to_owned();
    let user = setup.database.user().to_owned();
    setup.database.execute("INSERT INTO items VALUES (1), (2)")?;
    let gtids: String = setup.database.value("SELECT @@GLOBAL.gtid_executed")?;
    let file: String =
        setup.database.value("SELECT REGEXP_SUBSTR(@@log_bin_basename, '[^/]*$')")?;
    setup.database.execute("INSERT INTO items VALUES (3)")?;
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (connector, offset, out) = (path("connector.json"), path("offset.json"), path("out.toml"));
    let prefix = format!("dbz_{database}");
    let config = json!({
        "connector.class": "io.debezium.connector.mysql.MySqlConnector",
        "database.hostname": setup.address.mysql_host,
        "database.port": setup.address.mysql_port.to_string(),
        "database.user": user,
        "database.password": setup.database.password(),
        "topic.prefix": prefix,
        "database.include.list": database,
        "schema.history.internal.kafka.bootstrap.servers": setup.address.kafka_bootstrap,
        "include.schema.changes": "false",
        "key.converter": "io.confluent.connect.avro.AvroConverter",
        "value.converter": "io.confluent.connect.avro.AvroConverter",
        "value.converter.schema.registry.url": setup.address.registry_url,
    });
    fs::write(&connector, json!({ "name": "x", "config": config }).to_string())?;
    let stored = json!({ "file": format!("{file}.000001"), "pos": 4, "gtids": gtids, "event": 0 });
    let partition = json!({ "server": prefix });
    let offsets = json!({ "offsets": [{ "partition": partition, "offset": stored }] });
    fs::write(&offset, offsets.to_string())?;
    // WHEN its configuration is translated and the printed command is run as it is written
    let (text, code) =
        run_program(&setup, &["import-debezium", &connector, "--offset", &offset, "--out", &out])?;
    assert_eq!(code, Some(0), "{text}");
    let command = text.lines().find_map(|line| line.trim().strip_prefix("tailwater position set "));
    let words: Vec<String> = command
        .unwrap_or_else(|| panic!("no command: {text}"))
        .split(' ')
        .map(|word| word.trim_matches('\'').to_owned())
        .collect();
    let mut arguments = vec!["position", "set"];
    arguments.extend(words.iter().map(String::as_str));
    arguments.extend(["--config", &out]);
    let (text, code) = run_program(&setup, &arguments)?;
    assert_eq!(code, Some(0), "{text}");
    // THEN the connector delivers what came after the offset, and reads no table
    fs::write(&out, fs::read_to_string(&out)? + "\n[admin]\nlisten = \"127.0.0.1:0\"\n")?;
    let (text, code) = run_program(&setup, &["run", "--config", &out, "--until-caught-up"])?;
    assert_eq!(code, Some(0), "{text}");
    let topic = format!("{prefix}.{database}.items");
    let records = Consumer::open(&setup.address, &[&topic])?.rest()?;
    assert_eq!(operations(&records), ["c"]);
    assert_eq!(records[0].after()["id"], 3);
    Ok(())
}
