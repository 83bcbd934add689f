//! Which broker leads which partition, and how to change that.
//!
//! librdkafka has no call that moves a leader, so the two requests are written here (Kafka
//! protocol guide, "AlterPartitionReassignments" and "ElectLeaders"). Any broker passes them on to
//! the controller. That a request took effect is seen in the metadata, not in its answer.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use crate::{LIMIT, wait_for};

/// How long the controller may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A partition as the brokers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its topic.
    pub topic: String,
    /// Its number.
    pub id: i32,
    /// The broker that leads it; −1 if none does.
    pub leader: i32,
    /// The brokers that have it, the preferred leader first.
    pub replicas: Vec<i32>,
    /// Those that have all of it.
    pub in_sync: Vec<i32>,
}

/// How a leader is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Election {
    /// The first of the replicas that has everything.
    Preferred = 0,
    /// Any that is there, also one that lacks records: they are lost.
    Unclean = 1,
}

/// All partitions, those of internal topics too.
///
/// # Errors
/// When no broker answers.
pub fn partitions(bootstrap: &str) -> Result<Vec<Partition>> {
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "leaders")
        .create()?;
    let metadata = client.fetch_metadata(None, ANSWER_LIMIT)?;
    let topics = metadata.topics().iter().flat_map(|topic| {
        topic.partitions().iter().map(|partition| Partition {
            topic: topic.name().to_owned(),
            id: partition.id(),
            leader: partition.leader(),
            replicas: partition.replicas().to_vec(),
            in_sync: partition.isr().to_vec(),
        })
    });
    Ok(topics.collect())
}

/// One partition.
///
/// # Errors
/// When no broker answers or there is no such partition.
pub fn partition(bootstrap: &str, topic: &str, id: i32) -> Result<Partition> {
    let found = partitions(bootstrap)?.into_iter().find(|it| it.topic == topic && it.id == id);
    found.with_context(|| format!("no partition {id} of {topic}"))
}

/// Waits until every replica of every partition has all of it.
///
/// # Errors
/// When that does not happen in time.
pub fn await_all_in_sync(bootstrap: &str) -> Result<()> {
    wait_for("all replicas to be in sync", LIMIT, || {
        // A broker that is just starting may answer nothing.
        let Ok(partitions) = partitions(bootstrap) else { return Ok(None) };
        let is_whole = |it: &Partition| it.in_sync.len() == it.replicas.len() && 0 <= it.leader;
        Ok(partitions.iter().all(is_whole).then_some(()))
    })
}

/// Lets another broker that has the partition lead it, and waits until it does.
///
/// # Errors
/// When no broker answers or it does not happen in time.
pub fn move_leader(bootstrap: &str, partition: &Partition, to: i32) -> Result<()> {
    let others = partition.replicas.iter().copied().filter(|id| *id != to);
    let replicas: Vec<_> = std::iter::once(to).chain(others).collect();
    send(bootstrap, 45, 0, &reassignment(&partition.topic, partition.id, &replicas)?)?;
    let (topic, id) = (&partition.topic, partition.id);
    wait_for("another leader", LIMIT, || {
        let election = election(topic, id, Election::Preferred)?;
        send(bootstrap, 43, 2, &election)?;
        Ok((self::partition(bootstrap, topic, id)?.leader == to).then_some(()))
    })
}

/// Requests an election of one partition's leader.
///
/// # Errors
/// When no broker answers.
pub fn elect(bootstrap: &str, topic: &str, id: i32, kind: Election) -> Result<()> {
    send(bootstrap, 43, 2, &election(topic, id, kind)?)
}

/// The body of AlterPartitionReassignments, version 0.
fn reassignment(topic: &str, partition: i32, replicas: &[i32]) -> Result<Vec<u8>> {
    let mut body = timeout().to_vec();
    body.push(2); // one topic: compact arrays count one more
    put_text(&mut body, topic)?;
    body.push(2); // one partition
    body.extend(partition.to_be_bytes());
    body.push(u8::try_from(replicas.len() + 1)?);
    body.extend(replicas.iter().flat_map(|id| id.to_be_bytes()));
    body.extend([0, 0, 0]); // no tagged fields: partition, topic, request
    Ok(body)
}

/// The body of ElectLeaders, version 2.
fn election(topic: &str, partition: i32, kind: Election) -> Result<Vec<u8>> {
    let kind = match kind {
        Election::Preferred => 0,
        Election::Unclean => 1,
    };
    let mut body = vec![kind, 2]; // one topic
    put_text(&mut body, topic)?;
    body.push(2); // one partition
    body.extend(partition.to_be_bytes());
    body.push(0); // no tagged fields of the topic
    body.extend(timeout());
    body.push(0);
    Ok(body)
}

fn timeout() -> [u8; 4] {
    10_000_i32.to_be_bytes()
}

/// A text with its length plus one in front; one byte is enough for a topic's name.
fn put_text(bytes: &mut Vec<u8>, text: &str) -> Result<()> {
    let length = u8::try_from(text.len() + 1).ok().filter(|length| *length < 128);
    bytes.push(length.context("a topic's name too long for this client")?);
    bytes.extend(text.as_bytes());
    Ok(())
}

/// Sends a request to the first broker that takes it, and waits for its answer.
fn send(bootstrap: &str, key: i16, version: i16, body: &[u8]) -> Result<()> {
    let mut request = Vec::new();
    request.extend(key.to_be_bytes());
    request.extend(version.to_be_bytes());
    request.extend(7_i32.to_be_bytes()); // correlation id
    request.extend((-1_i16).to_be_bytes()); // no client id
    request.push(0); // no tagged fields
    request.extend(body);
    let mut result = Ok(());
    for broker in bootstrap.split(',') {
        result = send_to(broker, &request);
        if result.is_ok() {
            break;
        }
    }
    result
}

fn send_to(broker: &str, request: &[u8]) -> Result<()> {
    let mut connection = TcpStream::connect(broker).with_context(|| broker.to_owned())?;
    connection.set_read_timeout(Some(ANSWER_LIMIT))?;
    connection.write_all(&i32::try_from(request.len())?.to_be_bytes())?;
    connection.write_all(request)?;
    let mut length = [0; 4];
    connection.read_exact(&mut length)?;
    let length = usize::try_from(i32::from_be_bytes(length))?;
    ensure!(length <= ANSWER_BYTES_MAX, "an answer of {length} bytes");
    let mut answer = vec![0; length];
    connection.read_exact(&mut answer)?;
    Ok(())
}
