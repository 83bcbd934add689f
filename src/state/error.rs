//! What can be wrong with the saved state, and what it means.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use thiserror::Error;

use super::{place::Place, position_record::RECORD_BYTES_MAX};
use crate::error::{Explain, Explanation, Reason, Verdict};

/// An error of the state topic or the position record.
#[derive(Debug, Error)]
pub enum CommitError {
    /// A state topic that would lose or reorder positions.
    #[error("the state topic {topic} {problem}")]
    Topic {
        /// Its name.
        topic: String,
        /// What is wrong with it.
        problem: String,
        /// What repairs it.
        fix: String,
    },
    /// A record of the state topic that cannot be understood whole.
    #[error("the record at offset {offset} of {topic} {problem}")]
    Record {
        /// The state topic.
        topic: String,
        /// Its offset.
        offset: i64,
        /// What is wrong with it.
        problem: RecordError,
    },
    /// A position that cannot be used.
    #[error("the position at offset {offset} of {topic} {problem}")]
    Position {
        /// The state topic.
        topic: String,
        /// Its offset.
        offset: i64,
        /// What is wrong with it.
        problem: RecordError,
    },
    /// The topic of a connector that has run, and no position in it.
    #[error("the state topic {topic} has no position, although the connector has run before")]
    PositionMissing {
        /// The state topic.
        topic: String,
    },
    /// A state topic that this process has used, and that is there no more.
    #[error("the state topic {topic} was deleted while the connector ran")]
    Deleted {
        /// The state topic.
        topic: String,
    },
    /// Another topic than the one that the position was written to first.
    #[error(
        "the state topic {topic} was deleted and created again: all its records but the position \
         are gone"
    )]
    Recreated {
        /// The state topic.
        topic: String,
    },
    /// A position older than one that this process has seen.
    #[error("the position in {topic} went back: it is {found}, and {seen} was there before")]
    WentBack {
        /// The state topic.
        topic: String,
        /// The place of the position that is there.
        found: Place,
        /// The place of the newest one that this process has loaded or committed.
        seen: Place,
    },
    /// A position before the least offset that it can have.
    #[error(
        "the state topic {topic} has lost records: its position is at offset {offset}, and without \
         a loss it would be at {least} or later"
    )]
    LostTail {
        /// The state topic.
        topic: String,
        /// The position's offset.
        offset: i64,
        /// The least offset that it can have.
        least: i64,
    },
    /// Another producer's transaction is open on the state topic.
    #[error(
        "another producer's transaction is open on the state topic {topic}: offsets up to \
         {high_watermark} are written, and those up to {last_stable} are decided"
    )]
    OpenTransaction {
        /// The state topic.
        topic: String,
        /// Next offset the partition gives.
        high_watermark: i64,
        /// First undecided offset.
        last_stable: i64,
    },
    /// The broker that answers has less than another one has named.
    #[error(
        "the state topic {topic} reaches offset {end}, but the broker that answered has it only up \
         to {reached}"
    )]
    Behind {
        /// The state topic.
        topic: String,
        /// How far it was read.
        reached: i64,
        /// How far it reaches.
        end: i64,
    },
    /// A secret that is not where the configuration says.
    #[error("kafka.properties: `{key}` has no value: {problem}")]
    Secret {
        /// The property.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// Kafka or librdkafka failed.
    #[error("reading the state topic {topic}: {problem}")]
    Kafka {
        /// The state topic.
        topic: String,
        /// Its words.
        problem: KafkaError,
    },
    /// No answer in time.
    #[error("reading the state topic {topic}: no answer in time: {detail}")]
    Unreachable {
        /// The state topic.
        topic: String,
        /// What librdkafka saw last.
        detail: String,
    },
    /// The process is to stop; the call gave up waiting.
    #[error("stopped while reading the state topic")]
    Stopped,
}

/// What is wrong with a record of the state topic.
#[derive(Debug, Error)]
pub enum RecordError {
    /// It is no JSON or lacks a field.
    #[error("cannot be read: {0}")]
    Malformed(String),
    /// A newer Tailwater wrote it.
    #[error("has version {0}, and this Tailwater reads version 1")]
    Version(u64),
    /// It has a state that this Tailwater cannot resume.
    #[error("has `{0}`, which this Tailwater does not know how to resume")]
    Unsupported(&'static str),
    /// It belongs to another connector.
    #[error("belongs to the connector `{0}`")]
    Connector(String),
    /// It is older than the one before it.
    #[error("has generation {0} and number {1}, not after those of the record before it")]
    OutOfOrder(u64, u64),
    /// It is too large to be written.
    #[error("has {0} bytes, more than {RECORD_BYTES_MAX}")]
    TooLarge(usize),
}

impl CommitError {
    /// What to do about it.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Topic { .. }
            | Self::Record { .. }
            | Self::Position { .. }
            | Self::PositionMissing { .. }
            | Self::Deleted { .. }
            | Self::Recreated { .. }
            | Self::LostTail { .. }
            | Self::WentBack { .. } => Verdict::Halt,
            Self::Kafka { problem, .. } => match problem.rdkafka_error_code() {
                Some(RDKafkaErrorCode::TopicAuthorizationFailed) => Verdict::Halt,
                Some(RDKafkaErrorCode::Authentication) => Verdict::Config,
                _ => Verdict::Recycle,
            },
            Self::Secret { .. } => Verdict::Config,
            Self::OpenTransaction { .. }
            | Self::Behind { .. }
            | Self::Unreachable { .. }
            | Self::Stopped => Verdict::Recycle,
        }
    }

    fn reason(&self) -> Reason {
        match self {
            Self::Topic { .. } => Reason::StateTopicUnsafe,
            Self::Record { problem: RecordError::Version(_), .. } => Reason::PositionVersionUnknown,
            Self::Record { problem: RecordError::Connector(_), .. } => {
                Reason::PositionOfAnotherConnector
            }
            Self::Record { .. } | Self::Position { .. } => Reason::PositionUnreadable,
            Self::PositionMissing { .. } => Reason::PositionMissing,
            Self::Deleted { .. } => Reason::StateTopicMissing,
            Self::Recreated { .. } => Reason::StateTopicRecreated,
            Self::WentBack { .. } | Self::LostTail { .. } => Reason::PositionWentBack,
            Self::OpenTransaction { .. } => Reason::StateTopicTransactionOpen,
            Self::Behind { .. } => Reason::StateTopicBehind,
            Self::Secret { .. } => Reason::KafkaPropertiesInvalid,
            Self::Kafka { .. } if self.verdict() == Verdict::Halt => Reason::KafkaAccessDenied,
            Self::Kafka { .. } if self.verdict() == Verdict::Config => Reason::KafkaLoginRefused,
            Self::Kafka { .. } => Reason::StateTopicUnreadable,
            Self::Unreachable { .. } => Reason::KafkaUnreachable,
            Self::Stopped => Reason::Stopped,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Topic { fix, .. } => fix.clone(),
            Self::Record {
                problem: RecordError::Version(_) | RecordError::Unsupported(_), ..
            } => "Run the Tailwater version that wrote it, or a newer one.".to_owned(),
            Self::Record { problem: RecordError::Connector(_), .. } => {
                "Give this connector a `name` of its own.".to_owned()
            }
            Self::Record { topic, .. } => {
                format!("Only Tailwater may write to {topic}; find out what else did.")
            }
            Self::Position { topic, .. } => format!(
                "Only Tailwater may write to {topic}; find out what else did. Then set another \
                 position, and prepare for changes that are skipped or come twice: tailwater \
                 position set --to-current --execute (or --by-duration PT1H, to begin an hour ago)"
            ),
            Self::Recreated { .. } => {
                "The snapshot progress and the record format of each table are lost: set \
                 kafka.topic_change = \"accept\", start, and remove the setting again. The \
                 connector then cannot compare keys with earlier ones, and it reads the tables \
                 again unless snapshot.mode is \"never\"."
                    .to_owned()
            }
            Self::LostTail { topic, .. } => format!(
                "Kafka lost the newest records of {topic} while the connector ran (a failed disk, \
                 an unclean leader election, an older copy), and the connector continued. The \
                 position is right; the snapshot progress and the record format of tables may be \
                 lost. Restore {topic} as it was; or prepare consumers for rows that are read \
                 again, set kafka.topic_change = \"accept\", start, and remove the setting again. \
                 The connector then cannot compare the keys of tables whose record is lost."
            ),
            Self::WentBack { topic, .. } => format!(
                "Kafka lost the newest records of {topic}: a broker lost them (a failed disk, an \
                 unclean leader election) or an older copy was restored. Restore {topic} as it \
                 was. Otherwise the next start resumes at the older position and delivers the \
                 changes since then a second time: prepare consumers for that first."
            ),
            Self::PositionMissing { topic } => format!(
                "The position was removed from {topic}, so the connector cannot know where to \
                 resume. Restore it, or set another one: tailwater position set --to-current --execute \
                 (changes since the last position are not delivered; with --by-duration PT1H \
                 instead, those of the last hour are delivered, some a second time)"
            ),
            Self::Deleted { topic } => format!(
                "Restore {topic} with its records, or start without it: then the connector starts \
                 at the source's current position, and changes since the last position are not \
                 delivered. To begin earlier, run before the start, for example: tailwater \
                 position set --by-duration PT1H --execute"
            ),
            Self::OpenTransaction { topic, .. } => format!(
                "Only Tailwater may write to {topic}. The connector retries until the broker ends \
                 the transaction."
            ),
            Self::Kafka { .. } if self.verdict() == Verdict::Halt => {
                "Grant the connector's principal Read and Describe on the state topic.".to_owned()
            }
            Self::Secret { .. } => {
                "Correct the property under properties in the [kafka] section.".to_owned()
            }
            Self::Behind { .. } => {
                "The replica catches up by itself if its broker works: check the \
                                    replicas of the topic."
                    .to_owned()
            }
            Self::Kafka { .. } | Self::Unreachable { .. } | Self::Stopped => String::new(),
        }
    }
}

impl Explain for CommitError {
    fn explain(&self) -> Explanation {
        Explanation::new(self.verdict(), self.reason(), self.hint())
    }
}
