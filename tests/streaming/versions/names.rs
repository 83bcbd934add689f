//! Names of databases and tables that Avro forbids.

use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use serde_json::{Value, json};
use testkit::{Result, get, raw_records};

use crate::support::setup::Setup;

/// The newest schema of a subject, as the registry has it.
fn registered(setup: &Setup, subject: &str) -> Result<String> {
    let registry = &setup.address.registry_url;
    let answer = get(&format!("{registry}/subjects/{subject}/versions/latest"))?.json()?;
    Ok(answer["schema"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_database_and_a_table_that_begin_with_a_digit_have_schemas_that_avro_allows() -> Result<()> {
    for (envelope, names) in [
        ("debezium", ["Key", "Envelope"].map(|name| format!("2items.{name}"))),
        ("flat", ["2items_key".to_owned(), "2items".to_owned()]),
    ] {
        // GIVEN names of which Avro allows none
        let mut setup =
            Setup::with_tables("1digit", &["CREATE TABLE 2items (3id INT PRIMARY KEY)"])?;
        setup.settings.set("format.envelope", envelope);
        setup.catch_up()?;
        setup.database.execute("INSERT INTO 2items VALUES (1)")?;
        setup.catch_up()?;
        // THEN the records are read by schemas that a strict reader parses
        let records = setup.records("2items")?;
        assert_eq!(records[0].key, Some(json!({ "_3id": 1 })));
        let name = setup.database.name();
        let schemas = [&records[0].key_schema, &records[0].value_schema];
        for (schema, name_in_database) in schemas.into_iter().zip(names) {
            let json: Value = serde_json::from_str(&schema.as_ref().unwrap().text)?;
            let [namespace, record] = ["namespace", "name"].map(|it| json[it].as_str().unwrap());
            let full = format!("{namespace}.{record}");
            assert_eq!(full, format!("_{name}._{name}._{name_in_database}"));
            if envelope == "debezium" {
                assert_eq!(json["connect.name"], full);
            }
        }
    }
    Ok(())
}

#[test]
fn a_table_whose_records_have_debeziums_namespace_keeps_it() -> Result<()> {
    let mut setup = Setup::with_tables("1older", &["CREATE TABLE 2items (id INT PRIMARY KEY)"])?;
    setup.catch_up()?;
    setup.database.execute("INSERT INTO 2items VALUES (1)")?;
    setup.catch_up()?;
    let subject = setup.topic("2items");
    let name = setup.database.name().to_owned();
    let [legal, debeziums] = [format!("_{name}._{name}._2items"), format!("_{name}.{name}.2items")];
    assert!(registered(&setup, &format!("{subject}-key"))?.contains(&legal));
    // GIVEN a record about the table as an older Tailwater wrote it
    let key = format!("table/{name}.2items");
    let state = raw_records(&setup.address, &setup.settings.state_topic())?;
    let (_, text) = state.iter().rfind(|(found, _)| *found == key).unwrap();
    let mut json: Value = serde_json::from_str(text)?;
    assert_eq!(json["legal_namespace"], true);
    let fields = json.as_object_mut().unwrap();
    fields.remove("legal_namespace");
    fields.remove("key_schema_id");
    let schema = json["key"]["schema"].as_str().unwrap().replace(&legal, &debeziums);
    json["key"]["schema"] = schema.clone().into();
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", &setup.address.kafka_bootstrap).create()?;
    let (topic, text) = (setup.settings.state_topic(), json.to_string());
    producer.send(BaseRecord::to(&topic).key(&key).payload(&text)).map_err(|(error, _)| error)?;
    producer.flush(testkit::LIMIT)?;
    // WHEN rows come THEN the schemas are those that its records had
    for part in ["key", "value"] {
        super::allow_any(&setup, &format!("{subject}-{part}"))?;
    }
    setup.database.execute("INSERT INTO 2items VALUES (2)")?;
    setup.catch_up()?;
    assert_eq!(registered(&setup, &format!("{subject}-key"))?, schema);
    let value = registered(&setup, &format!("{subject}-value"))?;
    assert!(value.contains(&debeziums) && !value.contains(&legal), "{value}");
    // AND the next start keeps them
    setup.database.execute("ALTER TABLE 2items ADD n INT")?;
    setup.database.execute("INSERT INTO 2items VALUES (3, 3)")?;
    setup.catch_up()?;
    assert_eq!(registered(&setup, &format!("{subject}-key"))?, schema);
    let value = registered(&setup, &format!("{subject}-value"))?;
    assert!(value.contains(&debeziums) && !value.contains(&legal), "{value}");
    Ok(())
}
