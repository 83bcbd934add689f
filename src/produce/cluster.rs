//! The cluster as its brokers describe it: its id, and where each broker wants to be reached.

use std::time::Duration;

use super::{
    ProduceError,
    producer::{Attempt, Producer},
};

/// A cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Its id; `None` if it did not say in time.
    pub id: Option<String>,
    /// Its brokers that are alive.
    pub brokers: Vec<BrokerAddress>,
}

/// A broker's address, as it advertises it to clients (`advertised.listeners`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerAddress {
    /// Its `node.id`.
    pub id: i32,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// How long the bootstrap server may take to answer.
const FIRST_ANSWER_MAX: Duration = Duration::from_millis(1500);

impl Cluster {
    /// What the first bootstrap server that answers says of its cluster. Any `topic` will do: the
    /// answer about it names the brokers.
    pub fn of(producer: &Producer, topic: &str) -> Result<Self, ProduceError> {
        let brokers = producer.wait(|producer, step| {
            // Until the first answer there is only the bootstrap server to ask. Once its answer is
            // in, also one that was given up, the next request may go to an advertised address.
            let limit = step.max(FIRST_ANSWER_MAX);
            let metadata = match producer.handle.client().fetch_metadata(Some(topic), limit) {
                Ok(metadata) => metadata,
                Err(error) => return Attempt::Again(error.to_string()),
            };
            let broker = |broker: &rdkafka::metadata::MetadataBroker| BrokerAddress {
                id: broker.id(),
                host: broker.host().to_owned(),
                port: u16::try_from(broker.port()).unwrap_or_default(),
            };
            let mut brokers: Vec<_> = metadata.brokers().iter().map(broker).collect();
            brokers.sort_by_key(|broker| broker.id);
            if brokers.is_empty() {
                return Attempt::Again("kafka names no broker".to_owned());
            }
            Attempt::Done(brokers)
        })?;
        let id = producer.handle.client().fetch_cluster_id(producer.call_patience());
        Ok(Self { id, brokers })
    }
}
