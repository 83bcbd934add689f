//! Kafka: librdkafka settings, transactions, delivery reports, topics.
//!
//! One [`Producer`] is one epoch: it fences every earlier producer when it starts, and is discarded
//! after any doubt, never repaired. It blocks and belongs to the pipeline thread. librdkafka works
//! on threads of its own, and one more thread here serves its events.
//!
//! # Why a commit is safe
//! If librdkafka sends an EndTxn twice, the broker could apply the second one to the next
//! transaction: brokers and librdkafka without KIP-890 cannot distinguish a late EndTxn from a new
//! one. So
//!
//! 1. the position record is sent only after [`Producer::flush`] proved that every record before
//!    it is stored: a commit that came too early then holds too little, never a position without
//!    its records;
//! 2. an abort ends the producer: [`Producer::abort`] takes it;
//! 3. a commit after which any EndTxn of this producer is without an answer is
//!    [`Commit::Doubtful`], and the caller discards the producer although the commit succeeded.
//!    One that was answered cannot arrive any more, however long it took (`librdkafka/answers.rs`).

mod cluster;
mod codes;
mod context;
mod error;
mod librdkafka;
mod poll;
mod producer;
pub mod settings;
mod topics;

pub use cluster::{BrokerAddress, Cluster};
pub use codes::{ErrorMeaning, KAFKA_CODES, KafkaCode};
pub use error::ProduceError;
pub use producer::{Commit, Producer};
pub use topics::{TopicFacts, TopicId};
