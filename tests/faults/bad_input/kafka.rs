//! Wrong about the target.

use serde_json::json;

use super::*;
use crate::support::setup::private_kafka;

#[test]
fn a_broker_that_is_down_is_named() -> Result<()> {
    check("broker_down", Retry, &["127.0.0.1:1", "kafka.bootstrap_servers"], |setup| {
        setup.settings.set("kafka.bootstrap_servers", "127.0.0.1:1");
        Ok(Vec::new())
    })
}

#[test]
fn a_broker_that_advertises_an_unreachable_name_is_recognized() -> Result<()> {
    let kafka = private_kafka(&["advertised.listeners=PLAINTEXT://nowhere.invalid:9092"])?;
    let words = ["nowhere.invalid:9092", "advertised.listeners", &kafka.bootstrap()];
    check("advertised", Retry, &words, |setup| {
        setup.settings.set("kafka.bootstrap_servers", kafka.bootstrap());
        Ok(Vec::new())
    })
}

#[test]
fn a_topic_that_cannot_be_created_is_named_with_its_setting() -> Result<()> {
    let words = ["replication_factor", ".items", "kafka.topic"];
    check("topic_refused", Exit(1), &words, |setup| {
        setup.settings.set("kafka.topic", json!({ "replication_factor": 3 }));
        Ok(Vec::new())
    })
}

#[test]
fn a_property_that_is_not_the_users_to_set_is_refused_by_name() -> Result<()> {
    check("own_property", Exit(78), &["transactional.id", "kafka.properties"], |setup| {
        setup.settings.set("kafka.properties", json!({ "transactional.id": "mine" }));
        Ok(Vec::new())
    })
}

#[test]
fn a_property_that_does_not_exist_is_refused_by_name() -> Result<()> {
    check("no_property", Exit(78), &["compresion.type", "kafka.properties"], |setup| {
        setup.settings.set("kafka.properties", json!({ "compresion.type": "lz4" }));
        Ok(Vec::new())
    })
}
