//! Kafka: brokers, their advertised addresses, topics. No producer is fenced: `init_transactions`
//! is not called.

use std::{collections::BTreeMap, sync::Arc};

use super::{ANSWER_MAX, ExaminedEnd, Fact, listeners};
use crate::{
    config::{Config, ReadConfig},
    error::{Failure, Reason},
    model::{record::RecordShape, table::TableName},
    patience::Patience,
    pipeline::{checks::kafka as checks, ends::Target, threads::on_thread},
    produce::{self, Cluster, Producer},
    shutdown::Shutdown,
    state::{self, TableRecord},
};

/// The settings that a connection needs.
const KEYS: [&str; 2] = ["kafka.bootstrap_servers", "kafka.properties"];

/// What is remembered of tables.
type Known = BTreeMap<TableName, TableRecord>;

/// Kafka, where it can be reached.
pub(super) struct ReachedKafka {
    config: Arc<Config>,
    producer: Producer,
    /// Brokers that are alive.
    brokers: usize,
    /// What is remembered of tables; `None` where it could not be read.
    pub(super) known: Option<Known>,
}

/// Looks at the brokers and at the state topic.
pub(super) async fn look(read: &ReadConfig) -> (ExaminedEnd, Option<ReachedKafka>) {
    let Some(config) = read.config_with(&KEYS) else {
        return (ExaminedEnd::skipped("Kafka"), None);
    };
    let mut end = ExaminedEnd::new("Kafka", config.kafka.bootstrap_servers.as_str());
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
    let reached = end.taken(connect(Arc::clone(&config)).await);
    let Some((producer, cluster)) = reached else { return (end, None) };
    end.facts.extend(facts_of(&cluster));
    let unreachable = listeners::check(&cluster.brokers).await;
    let is_reachable = unreachable.len() < cluster.brokers.len();
    end.findings.extend(unreachable);
    // What follows goes to the advertised addresses.
    if !is_reachable || !has_name {
        return (end, None);
    }
    let servers = end.address.clone();
    let examined = on_thread("kafka", move || {
        let reached = examine(config, producer, &cluster, &mut end);
        (end, reached)
    });
    ended(examined.await, servers)
}

/// Looks at the topics of tables.
pub(super) async fn look_at_topics(
    mut end: ExaminedEnd,
    reached: ReachedKafka,
    shapes: Arc<Vec<RecordShape>>,
) -> ExaminedEnd {
    let servers = end.address.clone();
    let examined = on_thread("kafka", move || {
        topics(reached, &shapes, &mut end);
        (end, ())
    });
    ended(examined.await.map(|(end, ())| (end, None::<()>)), servers).0
}

/// What a thread made of the end; a thread that gave nothing is a finding.
fn ended<T>(
    examined: Result<(ExaminedEnd, Option<T>), Failure>,
    servers: String,
) -> (ExaminedEnd, Option<T>) {
    examined.unwrap_or_else(|failure| {
        let mut end = ExaminedEnd::new("Kafka", servers);
        end.findings.push(failure.into());
        (end, None)
    })
}

/// A producer that has fenced nobody, and what the bootstrap servers say of their cluster.
async fn connect(config: Arc<Config>) -> Result<(Producer, Cluster), Failure> {
    let connected = on_thread("kafka", move || {
        let (patience, shutdown) = waits();
        let producer = Target::producer(&config, &patience, &shutdown)?;
        let cluster = Cluster::of(&producer, &config.state_topic())?;
        Ok::<_, Failure>((producer, cluster))
    });
    connected.await?
}

fn waits() -> (Patience, Shutdown) {
    (Patience::at_most(ANSWER_MAX), Shutdown::default())
}

/// The brokers' limits and the state topic.
fn examine(
    config: Arc<Config>,
    producer: Producer,
    cluster: &Cluster,
    end: &mut ExaminedEnd,
) -> Option<ReachedKafka> {
    let timeout_ms = producer.transaction_timeout_ms();
    let settings = cluster.brokers.first().map(|broker| producer.broker_settings(broker.id));
    let settings = settings.and_then(|settings| end.taken(settings.map_err(Failure::from)));
    let max_ms = settings
        .flatten()
        .and_then(|settings| settings.get("transaction.max.timeout.ms")?.parse().ok());
    end.findings.extend(checks::broker(timeout_ms, max_ms));
    let brokers = cluster.brokers.len();
    let Target { producer, state_topic } = end.taken(Target::find(producer, &config, false))?;
    let Some(topic) = state_topic else {
        end.findings.extend(checks::replicas(&config, brokers, Some(&config.state_topic())));
        return Some(ReachedKafka { config, producer, brokers, known: Some(Known::new()) });
    };
    if let Some(facts) = producer.topic_facts(topic) {
        let (name, layout) = (config.state_topic(), (facts.replicas, facts.brokers));
        let danger = state::danger(&name, layout, facts.min_insync_replicas);
        end.findings.extend(checks::state_topic(danger));
        end.findings.extend(checks::too_few_replicas(&name, facts));
    }
    let (patience, shutdown) = waits();
    let loaded = state::peek(&config, (ANSWER_MAX, &patience), &shutdown);
    let known = end.taken(loaded.map_err(Failure::from)).map(|loaded| loaded.tables);
    Some(ReachedKafka { config, producer, brokers, known })
}

fn topics(reached: ReachedKafka, shapes: &[RecordShape], end: &mut ExaminedEnd) {
    let ReachedKafka { config, mut producer, brokers, .. } = reached;
    let mut missing = Vec::new();
    for shape in shapes {
        let found = producer.existing_topic(&shape.topic).map_err(Failure::from);
        let is_lost = found.as_ref().is_err_and(|failure| failure.verdict.is_retried());
        match end.taken(found) {
            Some(Some(topic)) => {
                let facts = producer.topic_facts(topic);
                let found = facts.map(|facts| checks::data_topic(shape, facts));
                end.findings.extend(found.into_iter().flatten());
            }
            Some(None) => missing.push(shape.topic.as_str()),
            // One is enough: the next one would get no answer either.
            None if is_lost => return,
            None => {}
        }
    }
    let is_said = end.findings.iter().any(|finding| finding.reason == Reason::KafkaTopicRefused);
    if !is_said {
        end.findings.extend(checks::replicas(&config, brokers, missing.first().copied()));
    }
    let text = format!("{}, {} to be created", shapes.len() - missing.len(), missing.len());
    end.facts.push(Fact::with_value("topics of tables", text, shapes.len() - missing.len()));
}

fn facts_of(Cluster { id, brokers }: &Cluster) -> Vec<Fact> {
    let addresses: Vec<_> =
        brokers.iter().map(|broker| format!("{}:{}", broker.host, broker.port)).collect();
    let text = format!("{}: {}", brokers.len(), addresses.join(", "));
    let mut facts = vec![Fact::with_value("brokers", text, addresses)];
    facts.extend(id.as_ref().map(|id| Fact::new("cluster id", id.as_str())));
    facts
}
