//! Brokers and topics that will refuse what the connector sends, or lose it.

use super::Finding;
use crate::{
    config::Config,
    error::{Failure, Reason},
    model::record::RecordShape,
    produce::{ProduceError, TopicFacts},
};

/// A topic that loses records sooner is reported.
const RETENTION_MIN_MS: u64 = 86_400_000;

/// Clocks of hosts differ by less than that.
const CLOCKS_DIFFER_MAX_MS: u64 = 60_000;

/// A broker's settings that limit a producer.
pub(in crate::pipeline) fn broker(
    transaction_timeout_ms: u64,
    transaction_timeout_max_ms: Option<u64>,
) -> Option<Finding> {
    let max_ms = transaction_timeout_max_ms.filter(|max_ms| *max_ms < transaction_timeout_ms)?;
    Some(Failure::from(ProduceError::transaction_timeout(transaction_timeout_ms, max_ms)).into())
}

/// More replicas than brokers: topics would not be created.
pub(in crate::pipeline) fn replicas(
    config: &Config,
    brokers: usize,
    missing: Option<&str>,
) -> Option<Finding> {
    let wanted = usize::try_from(config.kafka.topic.replication_factor).ok()?;
    let topic = missing.filter(|_| brokers < wanted)?;
    Some(Failure::from(ProduceError::too_few_brokers(topic, wanted, brokers)).into())
}

/// The topic of a table as it is.
pub(in crate::pipeline) fn data_topic(shape: &RecordShape, facts: &TopicFacts) -> Vec<Finding> {
    let topic = &shape.topic;
    let mut findings = Vec::new();
    let is_compacted =
        facts.cleanup_policy.as_deref().is_some_and(|policy| policy.contains("compact"));
    if is_compacted && shape.key.is_empty() {
        let refused = ProduceError::NullKey { topic: topic.clone() };
        findings.push(Failure::from(refused).into());
    }
    findings.extend(too_few_replicas(topic, facts));
    let number = |setting: &str| facts.settings.get(setting)?.parse::<u64>().ok();
    let alter = |setting: &str| {
        format!(
            "Run: kafka-configs.sh --bootstrap-server … --alter --entity-type topics \
             --entity-name {topic} --add-config {setting}"
        )
    };
    let deletes = facts.cleanup_policy.as_deref().is_some_and(|policy| policy.contains("delete"));
    if let Some(ms) = number("retention.ms").filter(|&ms| deletes && ms < RETENTION_MIN_MS) {
        findings.push(Finding::warning(
            Reason::TopicSettings,
            format!(
                "the topic {topic} keeps records for {ms} ms (retention.ms): a consumer that is \
                 down for a day misses changes"
            ),
            alter("retention.ms=604800000"),
        ));
    }
    for setting in ["message.timestamp.before.max.ms", "message.timestamp.after.max.ms"] {
        if let Some(ms) = number(setting).filter(|&ms| ms < CLOCKS_DIFFER_MAX_MS) {
            findings.push(Finding::warning(
                Reason::KafkaTimestampRefused,
                format!(
                    "the topic {topic} refuses records whose time differs from its broker's clock \
                     by more than {ms} ms ({setting}): records have the time at which they are \
                     sent, and clocks differ"
                ),
                alter(&format!("{setting}=3600000")),
            ));
        }
    }
    findings
}

/// With fewer replicas than `min.insync.replicas` a topic takes nothing.
pub(in crate::pipeline) fn too_few_replicas(topic: &str, facts: &TopicFacts) -> Option<Finding> {
    let needed = facts.min_insync_replicas.filter(|&needed| facts.replicas < needed)?;
    Some(Finding::error(
        crate::error::Verdict::Recycle,
        Reason::KafkaStalled,
        format!(
            "the topic {topic} has {} of the {needed} replicas that min.insync.replicas needs: it \
             takes no record",
            facts.replicas
        ),
        format!(
            "Give it more replicas with kafka-reassign-partitions.sh, or lower the setting. Run: \
             kafka-configs.sh --bootstrap-server … --alter --entity-type topics --entity-name \
             {topic} --add-config min.insync.replicas={}",
            facts.replicas.max(1)
        ),
    ))
}

/// A state topic that loses the position with one broker.
pub(in crate::pipeline) fn state_topic(danger: Option<String>) -> Option<Finding> {
    danger.map(|danger| Finding::warning(Reason::StateTopicUnsafe, danger, String::new()))
}

#[cfg(test)]
mod tests {
    use super::{TopicFacts, broker, too_few_replicas};

    #[test]
    fn a_transaction_may_take_no_longer_than_the_broker_grants() {
        assert_eq!(broker(60_000, None), None);
        assert_eq!(broker(60_000, Some(60_000)), None);
        let finding = broker(60_001, Some(60_000)).unwrap();
        assert!(finding.is_error() && finding.hint.contains("transaction.max.timeout.ms"));
    }

    #[test]
    fn a_topic_needs_as_many_replicas_as_must_be_in_sync() {
        let facts = |replicas, needed| TopicFacts {
            partitions: 1,
            replicas,
            brokers: 3,
            cleanup_policy: None,
            min_insync_replicas: needed,
            settings: [].into(),
        };
        assert_eq!(too_few_replicas("t", &facts(2, Some(2))), None);
        assert_eq!(too_few_replicas("t", &facts(1, None)), None);
        assert!(too_few_replicas("t", &facts(1, Some(2))).unwrap().is_error());
    }
}
