//! Kafka: brokers and the state topic. No producer is fenced: `init_transactions` is not called.

use std::{collections::BTreeMap, sync::Arc};

use super::{ANSWER_MAX, ExaminedEnd, Fact};
use crate::{
    config::{Config, ReadConfig},
    error::Failure,
    model::table::TableName,
    patience::Patience,
    pipeline::{ends::Target, threads::on_thread},
    produce::{self, Cluster},
    shutdown::Shutdown,
    state::{self, TableRecord},
};

/// The settings that a connection needs.
const KEYS: [&str; 2] = ["kafka.bootstrap_servers", "kafka.properties"];

/// What is remembered of tables.
type Known = BTreeMap<TableName, TableRecord>;

/// Looks at Kafka. What is remembered of tables is `None` where it could not be read.
pub(super) async fn look(read: &ReadConfig) -> (ExaminedEnd, Option<Known>) {
    let Some(config) = read.config_with(&KEYS) else {
        return (ExaminedEnd::skipped("Kafka"), None);
    };
    let servers = &config.kafka.bootstrap_servers;
    let mut end = ExaminedEnd::new("Kafka", servers.as_str());
    if let Some(config) = read.config_with(&["delivery"]) {
        let age_max = config.delivery.batch_age_max();
        let faults = produce::settings::faults(&config.kafka, age_max);
        end.findings.extend(faults.into_iter().map(Into::into));
        if !end.findings.is_empty() {
            return (end, None);
        }
    }
    let has_name = read.config_with(&["name"]).is_some();
    let config = Arc::new(config.clone());
    let work = on_thread("kafka", move || {
        let known = examine(&config, has_name, &mut end);
        (end, known)
    });
    match work.await {
        Ok(done) => done,
        Err(failure) => {
            let mut end = ExaminedEnd::new("Kafka", servers.as_str());
            end.findings.push(failure.into());
            (end, None)
        }
    }
}

fn examine(config: &Config, has_name: bool, end: &mut ExaminedEnd) -> Option<Known> {
    let (patience, shutdown) = (Patience::at_most(ANSWER_MAX), Shutdown::default());
    let producer = end.taken(Target::producer(config, &patience, &shutdown))?;
    let name = config.state_topic();
    let cluster = end.taken(producer.cluster(&name).map_err(Failure::from))?;
    end.facts.extend(facts_of(&cluster));
    if !has_name {
        return None;
    }
    let Target { state_topic, .. } = end.taken(Target::find(producer, config, false))?;
    if state_topic.is_none() {
        return Some(Known::new());
    }
    let loaded = state::peek(config, (ANSWER_MAX, &patience), &shutdown);
    end.taken(loaded.map_err(Failure::from)).map(|loaded| loaded.tables)
}

fn facts_of(Cluster { id, brokers }: &Cluster) -> Vec<Fact> {
    let addresses: Vec<_> =
        brokers.iter().map(|broker| format!("{}:{}", broker.host, broker.port)).collect();
    let text = format!("{}: {}", brokers.len(), addresses.join(", "));
    let mut facts = vec![Fact::with_value("brokers", text, addresses)];
    facts.extend(id.as_ref().map(|id| Fact::new("cluster id", id.as_str())));
    facts
}
