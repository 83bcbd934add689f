//! What consumers see of a batch, and when.

use std::slice;

use rdkafka::{Message as _, message::Headers as _};
use tailwater::{config::TopicSettings, model::record::Header, produce::Commit};

use super::support::{Isolation, Setup, position};

#[test]
fn records_and_their_position_become_visible_together() {
    let setup = Setup::shared("together");
    let (rows, state) = (setup.topic("rows"), setup.config.state_topic());
    let mut started = setup.start();
    let topic = started.topic(&rows);
    started.producer.begin().unwrap();
    started.send(topic, &["a", "b"]).unwrap();
    started.producer.flush().unwrap();
    started.send_position(&position(1, 1)).unwrap();
    started.producer.flush().unwrap();
    assert_eq!(setup.values(&rows, Isolation::Uncommitted), ["a", "b"]);
    assert!(setup.values(&rows, Isolation::CommittedSoFar).is_empty());
    assert!(setup.values(&state, Isolation::CommittedSoFar).is_empty());

    started.producer.commit().unwrap();
    assert_eq!(setup.values(&rows, Isolation::Committed), ["a", "b"]);
    assert_eq!(setup.values(&state, Isolation::Committed).len(), 1);
    assert_eq!(setup.start().saved, Some(position(1, 1)));
}

#[test]
fn a_commit_that_nothing_disturbed_leaves_no_doubt() {
    let setup = Setup::shared("clean");
    let mut started = setup.start();
    let topic = started.topic(&setup.topic("rows"));
    for number in 1..=3 {
        let commit = started.commit(topic, &["row"], &position(1, number)).unwrap();
        assert_eq!(commit, Commit::Clean);
    }
}

#[test]
fn aborted_records_and_their_position_are_never_visible() {
    let setup = Setup::shared("aborted");
    let rows = setup.topic("rows");
    let mut started = setup.start();
    let topic = started.topic(&rows);
    started.commit(topic, &["before"], &position(1, 1)).unwrap();
    started.producer.begin().unwrap();
    started.send(topic, &["aborted"]).unwrap();
    started.send_position(&position(1, 2)).unwrap();
    started.producer.flush().unwrap();
    started.producer.abort();

    let mut started = setup.start();
    assert_eq!(started.saved, Some(position(1, 1)));
    let topic = started.topic(&rows);
    started.commit(topic, &["after"], &position(2, 2)).unwrap();
    assert_eq!(setup.values(&rows, Isolation::Committed), ["before", "after"]);
    assert_eq!(setup.values(&rows, Isolation::Uncommitted), ["before", "aborted", "after"]);
}

#[test]
fn a_dropped_producer_leaves_nothing_visible() {
    let setup = Setup::shared("dropped");
    let rows = setup.topic("rows");
    let mut started = setup.start();
    let topic = started.topic(&rows);
    started.producer.begin().unwrap();
    started.send(topic, &["lost"]).unwrap();
    started.producer.flush().unwrap();
    started.send_position(&position(1, 1)).unwrap();
    drop(started);

    let started = setup.start();
    assert_eq!(started.saved, None);
    assert!(setup.values(&rows, Isolation::Committed).is_empty());
}

#[test]
fn keys_values_and_headers_arrive_as_they_were_sent() {
    let setup = Setup::shared("as-sent");
    let rows = setup.topic("rows");
    let mut started = setup.start();
    let topic = started.topic(&rows);
    started.producer.begin().unwrap();
    let header = Header { name: c"__debezium.newkey", value: b"\0\xff".to_vec() };
    let more = Header { name: c"more", value: Vec::new() };
    started.producer.send(topic, Some(b""), Some(b""), &[]).unwrap();
    started.producer.send(topic, Some(b"k"), None, slice::from_ref(&header)).unwrap();
    started.producer.send(topic, None, Some(b"v"), &[header, more]).unwrap();
    started.producer.commit().unwrap();
    let read = setup.read(&rows, 0, Isolation::Committed, |message| {
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        let headers: Vec<_> = headers
            .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
            .collect();
        (message.key().map(<[u8]>::to_vec), message.payload().map(<[u8]>::to_vec), headers)
    });
    let header = ("__debezium.newkey".to_owned(), Some(b"\0\xff".to_vec()));
    let more = ("more".to_owned(), Some(Vec::new()));
    assert_eq!(
        read,
        [
            (Some(Vec::new()), Some(Vec::new()), Vec::new()),
            (Some(b"k".to_vec()), None, vec![header.clone()]),
            (None, Some(b"v".to_vec()), vec![header, more]),
        ]
    );
}

/// The hashes are those of Kafka's own `UtilsTest.testMurmur2`.
#[test]
fn keys_go_where_the_java_client_puts_them() {
    let setup = Setup::shared("partitions");
    let rows = setup.topic("rows");
    let mut started = setup.start();
    let settings = TopicSettings { partitions: 7, ..TopicSettings::default() };
    let topic = started.producer.topic(&rows, &settings).unwrap();
    assert_eq!(started.producer.topic_facts(topic).unwrap().partitions, 7);
    let keys = [
        ("21", -973_932_308_i32),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
    ];
    started.producer.begin().unwrap();
    for (key, _) in keys {
        started.producer.send(topic, Some(key.as_bytes()), Some(b"v"), &[]).unwrap();
    }
    started.producer.commit().unwrap();
    for (key, hash) in keys {
        let partition = (hash & i32::MAX) % 7;
        let found = setup.read(&rows, partition, Isolation::Committed, |message| {
            message.key() == Some(key.as_bytes())
        });
        assert!(found.contains(&true), "{key} is not in partition {partition}");
    }
}

#[test]
fn a_pinned_topic_gets_all_records_in_one_partition_whatever_their_keys() {
    let setup = Setup::shared("pinned");
    let rows = setup.topic("rows");
    let mut started = setup.start();
    let settings = TopicSettings { partitions: 3, ..TopicSettings::default() };
    let topic = started.producer.topic(&rows, &settings).unwrap();
    started.producer.pin(topic, 0);
    started.producer.begin().unwrap();
    let header = Header { name: c"h", value: Vec::new() };
    for key in ["21", "foobar", "position", "a-little-bit-long-string"] {
        started.producer.send(topic, Some(key.as_bytes()), Some(b"v"), &[]).unwrap();
        let headers = slice::from_ref(&header);
        started.producer.send(topic, Some(key.as_bytes()), Some(b"v"), headers).unwrap();
    }
    started.producer.commit().unwrap();
    assert_eq!(setup.values(&rows, Isolation::Committed), ["v"; 8]);
}
