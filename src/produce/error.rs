//! What can go wrong on the way to Kafka, and what it means.

use rdkafka::error::RDKafkaErrorCode;
use thiserror::Error;

use super::{
    codes::{ErrorMeaning, meaning},
    context::BrokerError,
};
use crate::error::{Explain, Explanation, Reason, Verdict};

/// An error of the producer.
#[derive(Debug, Error)]
pub enum ProduceError {
    /// A property that the user may not set, that librdkafka does not know or whose value it does
    /// not accept.
    #[error("kafka.properties: `{key}` {reason}")]
    Property {
        /// Its name.
        key: String,
        /// What is wrong with it; never its value.
        reason: String,
    },
    /// Properties that do not go together, or a file that one of them names.
    #[error("librdkafka refuses the settings: {0}")]
    Settings(String),
    /// The system has no thread left.
    #[error("cannot start the thread that serves librdkafka: {0}")]
    Thread(#[from] std::io::Error),
    /// No broker answers.
    #[error("kafka does not answer at {servers}: {detail}")]
    Unreachable {
        /// `kafka.bootstrap_servers`.
        servers: String,
        /// What librdkafka saw last.
        detail: String,
    },
    /// A bootstrap server answers, but the address that it advertises to clients does not.
    #[error("kafka answers at {servers}, but not at the address that it advertises: {detail}")]
    Advertised {
        /// `kafka.bootstrap_servers`.
        servers: String,
        /// What librdkafka saw last, the address first.
        detail: String,
    },
    /// The broker refuses user or password.
    #[error("kafka refuses the login: {0}")]
    Login(String),
    /// No encrypted connection.
    #[error("no TLS connection to kafka: {0}")]
    Tls(String),
    /// A missing topic that cannot be created.
    #[error("topic {topic} does not exist, and kafka refuses to create it: {detail}")]
    TopicRefused {
        /// Its name.
        topic: String,
        /// Kafka's code.
        code: RDKafkaErrorCode,
        /// Kafka's words.
        detail: String,
    },
    /// A topic whose batches must be smaller than those librdkafka makes.
    #[error(
        "topic {topic} accepts batches of at most {bytes_max} bytes, and `batch.size` is \
         {batch_bytes_max}"
    )]
    BatchTooLarge {
        /// Its name.
        topic: String,
        /// Its `max.message.bytes`.
        bytes_max: usize,
        /// librdkafka's `batch.size`.
        batch_bytes_max: usize,
    },
    /// A record that the topic or the queue cannot take.
    #[error("a record for topic {topic} has {bytes} bytes, and {}", limit_is(limit, *bytes_max))]
    RecordTooLarge {
        /// The topic.
        topic: String,
        /// Bytes of key, value and framing.
        bytes: usize,
        /// The limit's name.
        limit: &'static str,
        /// The limit, in bytes whatever its own unit is.
        bytes_max: usize,
    },
    /// A record without a key for a compacted topic, which would spoil the whole transaction.
    #[error("a record for topic {topic} has no key, and the topic is compacted")]
    NullKey {
        /// The topic.
        topic: String,
    },
    /// A record that its topic refuses on every attempt.
    #[error("kafka refuses a record for topic {topic}: {code}")]
    Refused {
        /// The topic.
        topic: String,
        /// Kafka's code.
        code: RDKafkaErrorCode,
    },
    /// Kafka refused, or librdkafka gave up.
    #[error("{during}: {code}: {detail}")]
    Kafka {
        /// What was being done.
        during: &'static str,
        /// Kafka's or librdkafka's code.
        code: RDKafkaErrorCode,
        /// Its words.
        detail: String,
    },
    /// librdkafka counts records as delivered, but no broker gave their offsets.
    #[error("librdkafka counts records as delivered, but no broker gave their offsets")]
    Unplaced,
    /// Nothing was acknowledged for too long.
    #[error("{during}: nothing acknowledged for {seconds} s: {detail}")]
    Stalled {
        /// What was being done.
        during: &'static str,
        /// How long.
        seconds: u64,
        /// What librdkafka saw last.
        detail: String,
    },
    /// The process is to stop; the call gave up waiting.
    #[error("stopped while waiting for kafka")]
    Stopped,
}

impl ProduceError {
    /// What `init_transactions` would fail with where the broker grants less.
    pub fn transaction_timeout(wanted_ms: u64, max_ms: u64) -> Self {
        Self::Kafka {
            during: "starting as the only producer of the transactional id",
            code: RDKafkaErrorCode::InvalidTransactionTimeout,
            detail: format!(
                "transaction.timeout.ms is {wanted_ms}, and the broker's \
                 transaction.max.timeout.ms is {max_ms}"
            ),
        }
    }

    /// What the creation of a topic would fail with.
    pub fn too_few_brokers(topic: &str, wanted: usize, brokers: usize) -> Self {
        Self::TopicRefused {
            topic: topic.to_owned(),
            code: RDKafkaErrorCode::InvalidReplicationFactor,
            detail: format!(
                "kafka.topic has replication_factor = {wanted}, and {brokers} brokers are alive"
            ),
        }
    }

    /// The error of a call without an answer: by the last broker error, or else by librdkafka's
    /// text for the call.
    pub(super) fn unreachable(
        servers: &str,
        broker_error: Option<BrokerError>,
        said: &str,
    ) -> Self {
        let servers = servers.to_owned();
        let Some(error) = broker_error else {
            return Self::Unreachable { servers, detail: said.to_owned() };
        };
        let is_learnt = error.is_of_learnt_broker();
        let BrokerError { code, text } = error;
        match code {
            RDKafkaErrorCode::Authentication => Self::Login(text),
            RDKafkaErrorCode::SSL => Self::Tls(text),
            _ if text.contains("SSL_HANDSHAKE") => Self::Tls(text),
            _ if is_learnt => Self::Advertised { servers, detail: text },
            _ => Self::Unreachable { servers, detail: text },
        }
    }

    /// Whether every attempt would fail, so that waiting for a broker is of no use. A TLS handshake
    /// that fails for another reason than a certificate may have met a broker that is stopping.
    pub(super) fn is_definite(&self) -> bool {
        match self {
            Self::Login(_) => true,
            Self::Tls(text) => text.contains("certificate"),
            _ => false,
        }
    }

    /// What to do about it.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Property { .. } | Self::Settings(_) | Self::Login(_) | Self::Tls(_) => {
                Verdict::Config
            }
            Self::Thread(_)
            | Self::Unreachable { .. }
            | Self::Advertised { .. }
            | Self::Unplaced
            | Self::Stalled { .. }
            | Self::Stopped => Verdict::Recycle,
            Self::BatchTooLarge { .. } | Self::RecordTooLarge { .. } | Self::NullKey { .. } => {
                Verdict::Halt
            }
            Self::TopicRefused { code, .. }
            | Self::Refused { code, .. }
            | Self::Kafka { code, .. } => meaning(*code).verdict(),
        }
    }

    fn reason(&self) -> Reason {
        match self {
            Self::Property { .. } | Self::Settings(_) => Reason::KafkaPropertiesInvalid,
            Self::Thread(_) => Reason::KafkaThreadMissing,
            Self::Unreachable { .. } => Reason::KafkaUnreachable,
            Self::Advertised { .. } => Reason::KafkaAdvertisedAddressUnreachable,
            Self::Login(_) => Reason::KafkaLoginRefused,
            Self::Tls(_) => Reason::KafkaTlsFailed,
            Self::TopicRefused { .. } => Reason::KafkaTopicRefused,
            Self::BatchTooLarge { .. } => Reason::KafkaBatchTooLarge,
            Self::RecordTooLarge { .. } => Reason::KafkaRecordTooLarge,
            Self::NullKey { .. } => Reason::KafkaRecordWithoutKey,
            Self::Refused { code, .. } | Self::Kafka { code, .. } => meaning(*code).reason(),
            Self::Unplaced => Reason::KafkaDeliveryUnproved,
            Self::Stalled { .. } => Reason::KafkaStalled,
            Self::Stopped => Reason::Stopped,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Property { .. } | Self::Settings(_) => {
                "Correct the property under properties in the [kafka] section.".to_owned()
            }
            Self::Unreachable { .. } => {
                "Check kafka.bootstrap_servers, that the brokers run, and, if they require TLS or \
                 a login, security.protocol in kafka.properties."
                    .to_owned()
            }
            Self::Advertised { .. } => {
                "Clients must reach every broker at its advertised.listeners: correct it in the \
                 broker's configuration, or make the name resolve on this host."
                    .to_owned()
            }
            Self::Login(_) => {
                "Check sasl.mechanism, sasl.username and sasl.password in kafka.properties."
                    .to_owned()
            }
            Self::Tls(_) => "Check security.protocol and ssl.ca.location in kafka.properties, and \
                             that the certificate names the host in kafka.bootstrap_servers."
                .to_owned(),
            Self::TopicRefused { topic, code, .. } => {
                let collides = self.is_collision();
                topic_hint(topic, *code, collides)
            }
            Self::Refused { topic, code } => record_hint(topic, meaning(*code)),
            Self::BatchTooLarge { topic, bytes_max, .. } => format!(
                "Raise max.message.bytes of topic {topic}, or set \"batch.size\" = {bytes_max} \
                 in kafka.properties."
            ),
            Self::RecordTooLarge { topic, bytes, limit, .. } => {
                let raise = if *limit == TOPIC_LIMIT {
                    format!("Raise {limit} of topic {topic} to {bytes} or more")
                } else {
                    let kbytes = bytes.div_ceil(1024);
                    format!("Set \"{limit}\" = \"{kbytes}\" or more in kafka.properties")
                };
                format!("{raise}, or leave the large column out with capture.exclude_columns.")
            }
            Self::NullKey { topic } => format!(
                "Give the table a primary key, name key columns in \
                 capture.message_key_columns, or set cleanup.policy=delete on topic {topic}."
            ),
            Self::Kafka { code, .. } if is_authorization(*code) => {
                "Grant the connector's principal Write and Describe on its transactional id, and \
                 Write, Create and DescribeConfigs on its topics."
                    .to_owned()
            }
            Self::Kafka { code: RDKafkaErrorCode::InvalidTransactionTimeout, .. } => {
                "Set \"transaction.timeout.ms\" in kafka.properties to no more than the broker's \
                 transaction.max.timeout.ms."
                    .to_owned()
            }
            Self::Unplaced => {
                "The leader of a partition may have moved; the connector delivers the records \
                 again."
                    .to_owned()
            }
            Self::Stalled { .. } => "Check that the brokers run and that the topics have as many \
                                     replicas in sync as their min.insync.replicas."
                .to_owned(),
            Self::Kafka { .. } | Self::Stopped | Self::Thread(_) => String::new(),
        }
    }
}

impl ProduceError {
    /// Whether a topic is refused because another one has its name but for `.` and `_`, which
    /// Kafka's metrics do not distinguish (`org.apache.kafka.common.internals.Topic`).
    pub fn is_collision(&self) -> bool {
        matches!(
            self,
            Self::TopicRefused { code: RDKafkaErrorCode::InvalidTopic, detail, .. }
                if detail.contains("collide")
        )
    }
}

impl Explain for ProduceError {
    fn explain(&self) -> Explanation {
        Explanation::new(self.verdict(), self.reason(), self.hint())
    }
}

/// The limit that a topic sets, by its name in Kafka.
pub(super) const TOPIC_LIMIT: &str = "max.message.bytes";

/// The limit that librdkafka's queue sets.
pub(super) const QUEUE_LIMIT: &str = "queue.buffering.max.kbytes";

/// What a limit is, in its own unit.
fn limit_is(limit: &str, bytes_max: usize) -> String {
    if limit == QUEUE_LIMIT {
        let kbytes = bytes_max / 1024;
        format!("{limit} in kafka.properties is {kbytes} ({bytes_max} bytes)")
    } else {
        format!("{limit} is {bytes_max}")
    }
}

fn is_authorization(code: RDKafkaErrorCode) -> bool {
    meaning(code) == ErrorMeaning::Access
}

/// What to do about a record that the topic refuses.
fn record_hint(topic: &str, meaning: ErrorMeaning) -> String {
    match meaning {
        ErrorMeaning::Timestamp => format!(
            "The timestamp of a record is the time at which it is sent, so the topic's bounds \
             exclude the present, or the broker's clock differs from this host's: raise \
             message.timestamp.before.max.ms and message.timestamp.after.max.ms of topic {topic} \
             (kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config …), \
             or correct the clock."
        ),
        ErrorMeaning::Access => {
            format!("Grant the connector's principal Write and Describe on {topic}.")
        }
        _ => format!(
            "Find the rule that refuses records of topic {topic} in the broker's log (a size \
             limit, a validation, a policy) and change it, or leave the table out with \
             capture.exclude_tables."
        ),
    }
}

fn topic_hint(topic: &str, code: RDKafkaErrorCode, collides: bool) -> String {
    let fix = match code {
        _ if collides => {
            return format!(
                "Kafka refuses a topic whose name differs from another topic's only in `.` and \
                 `_`. Leave the table of topic {topic}, or that of the other topic, out with \
                 capture.exclude_tables; or delete the other topic if nothing writes to it."
            );
        }
        _ if is_authorization(code) => "Grant the connector's principal Create on it",
        RDKafkaErrorCode::InvalidReplicationFactor => {
            "Set replication_factor under kafka.topic to no more than the number of brokers"
        }
        RDKafkaErrorCode::InvalidConfig => "Correct config under kafka.topic",
        RDKafkaErrorCode::InvalidPartitions => "Correct partitions under kafka.topic",
        RDKafkaErrorCode::PolicyViolation => {
            "Change partitions, replication_factor or config under kafka.topic as the brokers' \
             policy requires"
        }
        _ => return format!("Create topic {topic} by hand."),
    };
    format!("{fix}, or create topic {topic} by hand.")
}
