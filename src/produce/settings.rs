//! The librdkafka properties: those that are set, those that the user may set, those that are
//! refused.
//!
//! Every value here was measured or is needed for the guarantee; the comments say which.

use std::time::Duration;

use rdkafka::{ClientConfig, config::RDKafkaLogLevel, error::KafkaError, types::RDKafkaConfRes};

use super::error::ProduceError;
use crate::{
    config,
    error::{Failure, Reason, Verdict},
};

/// Set for every client, before the user's properties, which may change them.
const DEFAULTS: &[(&str, &str)] = &[
    ("client.id", "tailwater"),
    // Longer than a record stays in the queue (about 30 ms at 8 MiB): past it librdkafka's broker
    // thread spins instead of sleeping. Commits flush, so it delays nothing.
    ("linger.ms", "100"),
    // With idempotence one request is in flight for each partition, so throughput is batch size
    // by round trip. 1 MB stays under the broker's own default for `message.max.bytes`.
    ("batch.size", "1000000"),
    ("batch.num.messages", "10000"),
    // Value bytes; memory is 1.8 times that. Draining it is what a commit waits for: 25 ms.
    ("queue.buffering.max.kbytes", "8192"),
    // The bytes above are the limit that counts, also for small records.
    ("queue.buffering.max.messages", "1000000"),
    // After this time brokers must end an abandoned transaction.
    ("transaction.timeout.ms", "60000"),
    // librdkafka waits half of this before it connects to the first broker it has learnt of.
    ("reconnect.backoff.ms", "20"),
    // The default of 10 s would add to every outage.
    ("reconnect.backoff.max.ms", "2000"),
    ("socket.nagle.disable", "true"),
    ("socket.keepalive.enable", "true"),
    // Metrics pushed to the broker: useless requests, for which the end would wait.
    ("enable.metrics.push", "false"),
];

/// Properties that the user may not set: the name, the value and why.
const OWNED: &[(&str, Option<&str>, &str)] = &[
    ("bootstrap.servers", None, "it is set by kafka.bootstrap_servers"),
    ("metadata.broker.list", None, "it is set by kafka.bootstrap_servers"),
    (
        "transactional.id",
        None,
        "the connector makes it from its name, so that it fences older instances",
    ),
    ("enable.idempotence", Some("true"), "without it records could be duplicated or reordered"),
    ("enable.gapless.guarantee", None, "a failed delivery ends the transaction anyway"),
    ("acks", Some("all"), "a record counts as delivered when every in-sync replica has it"),
    (
        "request.required.acks",
        None,
        "a record counts as delivered when every in-sync replica has it",
    ),
    ("retries", None, "a record that is given up would be a lost row"),
    ("message.send.max.retries", None, "a record that is given up would be a lost row"),
    ("message.timeout.ms", None, "a record that is given up would be a lost row"),
    ("delivery.timeout.ms", None, "a record that is given up would be a lost row"),
    ("partitioner", Some("murmur2_random"), "all producers of a topic must agree where a key goes"),
    ("queuing.strategy", None, "records of a key must stay in order"),
    ("allow.auto.create.topics", Some("false"), "topics are created as kafka.topic says"),
    ("delivery.report.only.error", Some("true"), "the commit is the proof of delivery"),
    (
        "message.max.bytes",
        None,
        "it follows from queue.buffering.max.kbytes; topics have limits of their own",
    ),
    ("log.connection.close", Some("true"), "the log says which connection was lost"),
    ("log_level", None, "--log says what is logged"),
    // A consumer's property that librdkafka's offset queries obey in every client: the producer
    // queries the end of the state topic with open transactions counted in.
    ("isolation.level", Some("read_uncommitted"), "the position is read in a way of its own"),
    ("group.id", None, "the position is kept in the state topic, not in a consumer group"),
    ("group.instance.id", None, "the position is kept in the state topic, not in a consumer group"),
    ("auto.offset.reset", None, "the position is read from the start of the state topic"),
    (
        "enable.auto.commit",
        None,
        "the position is kept in the state topic, not in a consumer group",
    ),
    ("enable.partition.eof", None, "the position is read in a way of its own"),
];

/// Records may be as large as the queue; librdkafka aborts the process if one with its framing
/// passes `message.max.bytes`, so that is this much larger.
const FRAMING_BYTES_MAX: usize = 1 << 20;

/// A batch must be able to end several times before the broker ends its transaction.
const BATCHES_IN_TIMEOUT_MIN: u64 = 4;

/// What follows from the settings.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Largest record that ever fits the queue, in bytes of key and value.
    pub(super) queue_bytes_max: usize,
    /// Largest batch, in bytes.
    pub(super) batch_bytes_max: usize,
    /// Whether batches are compressed, which makes them smaller than the records in them.
    pub(super) compressed: bool,
    /// When the broker ends a transaction by itself, in milliseconds.
    pub(super) transaction_timeout_ms: u64,
}

/// librdkafka's version, and what is built into it, such as `ssl` and `sasl_scram`.
pub fn client_library() -> (String, Vec<String>) {
    let (_, version) = rdkafka::util::get_rdkafka_version();
    let native = ClientConfig::new().create_native_config();
    let features = native.and_then(|native| native.get("builtin.features")).unwrap_or_default();
    let features = features.split([',', '\0']).filter(|name| !name.is_empty());
    (version, features.map(str::to_owned).collect())
}

/// Checks `kafka.properties` without connecting to anything: names that librdkafka does not know,
/// values that it does not accept, properties that are not the user's to set, and that a batch of
/// this age ends well before the broker ends its transaction. Returns all that is wrong.
pub fn faults(kafka: &config::Kafka, batch_age_max: Duration) -> Vec<Failure> {
    let checked = |key: &String| checked_property(kafka, key).err().map(Failure::from);
    let mut faults: Vec<_> = kafka.properties.keys().filter_map(checked).collect();
    if faults.is_empty() {
        faults.extend(check_batch_age(kafka, batch_age_max).err());
    }
    faults
}

fn check_batch_age(kafka: &config::Kafka, batch_age_max: Duration) -> Result<(), Failure> {
    const KEY: &str = "transaction.timeout.ms";
    let text = match kafka.properties.get(KEY) {
        Some(_) => checked_property(kafka, KEY)?,
        None => DEFAULTS.iter().find(|(key, _)| *key == KEY).map_or("", |(_, value)| value).into(),
    };
    let timeout_ms: u64 = text.parse().unwrap_or_default();
    let limit_ms = timeout_ms / BATCHES_IN_TIMEOUT_MIN;
    if batch_age_max <= Duration::from_millis(limit_ms) {
        return Ok(());
    }
    let message = format!(
        "`delivery.batch_age_max_ms`: must be at most {limit_ms}, a quarter of {KEY} \
         ({timeout_ms}): a Kafka transaction must end well before the broker ends it"
    );
    let hint = format!("Lower it, or set \"{KEY}\" in kafka.properties higher.");
    Err(Failure::new(Verdict::Config, Reason::Config, message).hint(hint))
}

/// The settings of a producer, with transactions if it has an id for them, and what follows from
/// them.
pub(super) fn client_config(
    kafka: &config::Kafka,
    transactional_id: Option<&str>,
) -> Result<(ClientConfig, Limits), ProduceError> {
    let mut client = ClientConfig::new();
    for (key, value) in DEFAULTS {
        client.set(*key, *value);
    }
    for key in kafka.properties.keys() {
        let value = checked_property(kafka, key)?;
        client.set(canonical(key), value);
    }
    for (key, value, _) in OWNED {
        if let Some(value) = value {
            client.set(*key, *value);
        }
    }
    client.set_log_level(RDKafkaLogLevel::Info);
    client.set("bootstrap.servers", &kafka.bootstrap_servers);
    match transactional_id {
        Some(id) => client.set("transactional.id", id),
        // With transactions librdkafka waits as long as the transaction may; without them it would
        // give a record up after 5 minutes.
        None => client.set("message.timeout.ms", "0"),
    };
    let limits = limits(&client)?;
    let message_bytes_max = limits.queue_bytes_max.saturating_add(FRAMING_BYTES_MAX);
    client.set("message.max.bytes", message_bytes_max.to_string());
    warn_if_unverified(&client);
    Ok((client, limits))
}

/// The value of one of the user's properties, if the user may set it and librdkafka takes it.
fn checked_property(kafka: &config::Kafka, key: &str) -> Result<String, ProduceError> {
    let refused = |reason: String| ProduceError::Property { key: key.to_owned(), reason };
    if let Some((_, _, reason)) = OWNED.iter().find(|(owned, _, _)| *owned == key) {
        return Err(refused(format!("is not for users to set: {reason}")));
    }
    let secret = kafka.properties.get(key).ok_or_else(|| refused("is not set".to_owned()))?;
    let value = secret.reveal().map_err(|error| refused(format!("has no value: {error}")))?;
    let mut alone = ClientConfig::new();
    alone.set(key, &value);
    match alone.create_native_config() {
        Ok(_) => Ok(value),
        // librdkafka's text for a bad value repeats the value, which may be a secret.
        Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, text, _, _)) => {
            Err(refused(format!("is not a property of librdkafka: {text}")))
        }
        Err(_) => Err(refused("has a value that librdkafka does not accept".to_owned())),
    }
}

/// One name for the properties that have two and that Tailwater sets, so that a default does not
/// compete with the user's value.
fn canonical(key: &str) -> &str {
    match key {
        "queue.buffering.max.ms" => "linger.ms",
        "compression.codec" => "compression.type",
        _ => key,
    }
}

fn limits(client: &ClientConfig) -> Result<Limits, ProduceError> {
    let refused = |error: KafkaError| ProduceError::Settings(error.to_string());
    let native = client.create_native_config().map_err(refused)?;
    let text = |key: &str| native.get(key).map_err(refused);
    let number = |key: &str| {
        let value = text(key)?;
        value.parse::<u64>().map_err(|_| ProduceError::Settings(format!("{key} is no number")))
    };
    let bytes = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Ok(Limits {
        queue_bytes_max: bytes(number("queue.buffering.max.kbytes")?.saturating_mul(1024)),
        batch_bytes_max: bytes(number("batch.size")?),
        compressed: text("compression.type")? != "none",
        transaction_timeout_ms: number("transaction.timeout.ms")?,
    })
}

fn warn_if_unverified(client: &ClientConfig) {
    let is = |key: &str, value: &str| client.get(key) == Some(value);
    if is("enable.ssl.certificate.verification", "false")
        || is("ssl.endpoint.identification.algorithm", "none")
    {
        tracing::warn!("kafka.properties turn off the verification of the brokers' certificates");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::check_batch_age;
    use crate::config::Kafka;

    const KEY: &str = "transaction.timeout.ms";

    #[test]
    fn a_batch_may_be_open_for_a_quarter_of_the_transaction_timeout() {
        let kafka = |timeout_ms: Option<&str>| -> Kafka {
            let properties = timeout_ms.map_or(json!({}), |it| json!({ KEY: it }));
            let settings = json!({ "bootstrap_servers": "b", "properties": properties });
            serde_json::from_value(settings).unwrap()
        };
        for (timeout_ms, limit_ms) in
            [(None, 15_000), (Some("6000"), 1500), (Some("900000"), 225_000)]
        {
            let check = |age_ms| check_batch_age(&kafka(timeout_ms), Duration::from_millis(age_ms));
            assert!(check(limit_ms).is_ok(), "{timeout_ms:?}");
            let refused = check(limit_ms + 1).unwrap_err();
            assert!(refused.message.contains(&format!("at most {limit_ms},")), "{refused}");
        }
    }
}
