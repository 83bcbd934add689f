//! What a topic cannot take is refused before it spoils the transaction, with words that help.

use tailwater::{
    config::TopicSettings,
    error::{Failure, Verdict},
    produce::{ProduceError, TopicId},
};

use super::support::{Isolation, Setup, Started, position};

/// Kafka's default for `max.message.bytes`: 1 MiB and the old message framing.
const TOPIC_BYTES_MAX: usize = 1_048_588;

/// Bytes that no compression makes smaller.
fn noise(bytes: usize) -> Vec<u8> {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random.to_le_bytes()[0]
    };
    (0..bytes).map(|_| next()).collect()
}

fn topic_with(started: &mut Started, name: &str, config: &[(&str, &str)]) -> TopicId {
    started.producer.topic(name, &settings(config)).unwrap()
}

fn settings(config: &[(&str, &str)]) -> TopicSettings {
    let config = config.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    TopicSettings { config, ..TopicSettings::default() }
}

fn text(error: ProduceError) -> String {
    Failure::from(error).to_string()
}

#[test]
fn an_oversize_record_is_refused_and_the_transaction_stays_whole() {
    let setup = Setup::shared("oversize");
    let rows = setup.topic("rows");
    let mut started = setup.start();
    let topic = started.topic(&rows);
    started.producer.begin().unwrap();
    let large = vec![b'x'; TOPIC_BYTES_MAX];
    let error = started.producer.send(topic, Some(b"key"), Some(&large), &[]).unwrap_err();
    assert_eq!(error.verdict(), Verdict::Halt);
    let text = text(error);
    assert!(text.contains(&rows) && text.contains("max.message.bytes"), "{text}");
    // One byte less than what is refused is taken by the broker too.
    let largest = (0..=large.len())
        .rev()
        .find(|&bytes| {
            started.producer.send(topic, Some(b"key"), Some(&large[..bytes]), &[]).is_ok()
        })
        .unwrap();
    assert!(TOPIC_BYTES_MAX - largest < 200, "{largest}");
    started.send_position(&position(1, 1)).unwrap();
    started.producer.commit().unwrap();
    assert_eq!(setup.values(&rows, Isolation::Committed).len(), 1);
}

#[test]
fn a_record_larger_than_the_queue_is_refused_instead_of_waiting_for_ever() {
    let setup = Setup::shared("queue");
    let rows = setup.topic("rows");
    let mut started = setup.start();
    let topic = topic_with(&mut started, &rows, &[("max.message.bytes", "104857600")]);
    started.producer.begin().unwrap();
    let large = vec![b'x'; 8 << 20];
    let error = started.producer.send(topic, Some(b"key"), Some(&large), &[]).unwrap_err();
    assert_eq!(error.verdict(), Verdict::Halt);
    let text = text(error);
    let limit = "queue.buffering.max.kbytes in kafka.properties is 8192 (8388608 bytes)";
    assert!(text.contains(limit), "{text}");
    assert!(text.contains("\"queue.buffering.max.kbytes\" = \"8193\" or more"), "{text}");
    started.producer.send(topic, Some(b"key"), Some(&large[..8_000_000]), &[]).unwrap();
    started.producer.commit().unwrap();
}

#[test]
fn a_record_without_key_is_refused_for_a_compacted_topic_only() {
    let setup = Setup::shared("null-key");
    let mut started = setup.start();
    let compacted = topic_with(
        &mut started,
        &setup.topic("compacted"),
        &[("cleanup.policy", "compact,delete")],
    );
    let plain = started.topic(&setup.topic("plain"));
    started.producer.begin().unwrap();
    let error = started.producer.send(compacted, None, Some(b"v"), &[]).unwrap_err();
    assert_eq!(error.verdict(), Verdict::Halt);
    let text = text(error);
    assert!(text.contains(".compacted") && text.contains("message_key_columns"), "{text}");
    started.producer.send(plain, None, Some(b"v"), &[]).unwrap();
    started.producer.send(compacted, Some(b""), Some(b"v"), &[]).unwrap();
    started.producer.commit().unwrap();
}

#[test]
fn with_compression_the_broker_decides_what_is_too_large() {
    let address = Setup::shared("unused").config.kafka.bootstrap_servers;
    let properties = "properties = { \"compression.type\" = \"lz4\" }";
    let setup = Setup::at(&address, "compressed", properties);
    let mut started = setup.start();
    let topic = started.topic(&setup.topic("rows"));
    let even = vec![b'x'; 2 * TOPIC_BYTES_MAX];
    started.producer.begin().unwrap();
    started.producer.send(topic, Some(b"key"), Some(&even), &[]).unwrap();
    started.producer.commit().unwrap();

    started.producer.begin().unwrap();
    started.producer.send(topic, Some(b"key"), Some(&noise(2 * TOPIC_BYTES_MAX)), &[]).unwrap();
    let error = started.producer.flush().unwrap_err();
    assert_eq!(error.verdict(), Verdict::Halt, "{error}");
    started.producer.abort();
}

#[test]
fn a_topic_that_takes_smaller_batches_than_librdkafka_makes_is_refused_with_the_fix() {
    let setup = Setup::shared("batch");
    let rows = setup.topic("rows");
    let mut started = setup.start();
    let small = settings(&[("max.message.bytes", "500000")]);
    let error = started.producer.topic(&rows, &small).unwrap_err();
    assert_eq!(error.verdict(), Verdict::Halt);
    let text = text(error);
    assert!(text.contains(&rows) && text.contains("\"batch.size\" = 500000"), "{text}");
}

#[test]
fn a_topic_that_cannot_be_created_says_why_and_where_to_change_it() {
    let setup = Setup::shared("refused");
    let mut started = setup.start();
    let three = TopicSettings { replication_factor: 3, ..TopicSettings::default() };
    let cases = [
        (three, "replication_factor under kafka.topic"),
        (settings(&[("retention.ms", "soon")]), "config under kafka.topic"),
        (TopicSettings { partitions: 0, ..TopicSettings::default() }, "by hand"),
    ];
    for (settings, hint) in cases {
        let error = started.producer.topic(&setup.topic("rows"), &settings).unwrap_err();
        assert_eq!(error.verdict(), Verdict::Halt, "{error}");
        let text = text(error);
        assert!(text.contains(&setup.topic("rows")) && text.contains(hint), "{text}");
    }
    let error = started.producer.topic("no spaces", &TopicSettings::default()).unwrap_err();
    assert_eq!(error.verdict(), Verdict::Halt, "{error}");
}

#[test]
fn an_existing_topic_is_used_as_it_is() {
    let setup = Setup::shared("existing");
    let rows = setup.topic("rows");
    let mut started = setup.start();
    let three = TopicSettings { partitions: 3, ..settings(&[("cleanup.policy", "compact")]) };
    let topic = started.producer.topic(&rows, &three).unwrap();
    let facts = started.producer.topic_facts(topic).unwrap().clone();
    assert_eq!((facts.partitions, facts.cleanup_policy.as_deref()), (3, Some("compact")));
    drop(started);
    let mut started = setup.start();
    let topic = started.topic(&rows);
    assert_eq!(started.producer.topic_facts(topic), Some(&facts));
}
