//! What can go wrong on the way to Kafka, and what it means.

use rdkafka::error::RDKafkaErrorCode;
use thiserror::Error;

use super::context::BrokerError;
use crate::error::{Failure, Verdict};

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
    /// A bootstrap server answers, but the address it tells clients to use does not.
    #[error("kafka answers at {servers}, but not at the address it advertises: {detail}")]
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
    #[error("topic {topic} does not exist and kafka does not create it: {detail}")]
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
        "topic {topic} takes batches of {bytes_max} bytes at most, and `batch.size` is {batch_bytes_max}"
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
    /// Kafka said no, or librdkafka gave up.
    #[error("{during}: {code}: {detail}")]
    Kafka {
        /// What was being done.
        during: &'static str,
        /// Kafka's or librdkafka's code.
        code: RDKafkaErrorCode,
        /// Its words.
        detail: String,
    },
    /// librdkafka counts records as delivered, and no broker said where they are stored.
    #[error("records count as delivered, and kafka did not say at which offsets")]
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
    /// What a call means that got no answer, by the last broker error or else by what librdkafka
    /// said to the call.
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

    /// Whether it will be the same on every try, so that waiting for a broker is in vain. A TLS
    /// handshake that ends for another reason than a certificate may be with a broker that is
    /// just stopping.
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
            Self::TopicRefused { code, .. } | Self::Kafka { code, .. } => verdict_of(*code),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Property { .. } | Self::Settings(_) => "kafka_properties_invalid",
            Self::Thread(_) => "kafka_thread_missing",
            Self::Unreachable { .. } => "kafka_unreachable",
            Self::Advertised { .. } => "kafka_advertised_address_unreachable",
            Self::Login(_) => "kafka_login_refused",
            Self::Tls(_) => "kafka_tls_failed",
            Self::TopicRefused { .. } => "kafka_topic_refused",
            Self::BatchTooLarge { .. } => "kafka_batch_too_large",
            Self::RecordTooLarge { .. } => "kafka_record_too_large",
            Self::NullKey { .. } => "kafka_record_without_key",
            Self::Kafka { code, .. } => match verdict_of(*code) {
                Verdict::Fenced => "kafka_fenced",
                Verdict::Config => "kafka_login_refused",
                Verdict::Halt if is_authorization(*code) => "kafka_access_denied",
                Verdict::Halt => "kafka_request_refused",
                Verdict::Recycle | Verdict::Bug => "kafka_transaction_lost",
            },
            Self::Unplaced => "kafka_delivery_unproved",
            Self::Stalled { .. } => "kafka_stalled",
            Self::Stopped => "stopped",
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Property { .. } | Self::Settings(_) => {
                "Correct it under properties in the [kafka] section.".to_owned()
            }
            Self::Unreachable { .. } => {
                "Check kafka.bootstrap_servers, that the brokers run, and, if they want TLS or a \
                 login, security.protocol in kafka.properties."
                    .to_owned()
            }
            Self::Advertised { .. } => {
                "Clients must reach every broker at its advertised.listeners; correct that in the \
                 broker's configuration, or make the name resolve here."
                    .to_owned()
            }
            Self::Login(_) => {
                "Check sasl.mechanism, sasl.username and sasl.password in kafka.properties."
                    .to_owned()
            }
            Self::Tls(_) => "Check security.protocol and ssl.ca.location in kafka.properties, and \
                             that the certificate names the host in kafka.bootstrap_servers."
                .to_owned(),
            Self::TopicRefused { topic, code, .. } => topic_hint(topic, *code),
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
                "Give the table a primary key or name key columns in \
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
                "A partition's leader may have moved; the records are delivered again.".to_owned()
            }
            Self::Stalled { .. } => "Check that the brokers run and that the topics have as many \
                                     replicas in sync as their min.insync.replicas."
                .to_owned(),
            Self::Kafka { .. } | Self::Stopped | Self::Thread(_) => String::new(),
        }
    }
}

impl From<ProduceError> for Failure {
    fn from(error: ProduceError) -> Self {
        Self::new(error.verdict(), error.reason(), error.to_string()).hint(error.hint())
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

/// The classes of Kafka's and librdkafka's codes. What is not named here may pass: the
/// transaction is thrown away and the connector starts again from the committed position.
fn verdict_of(code: RDKafkaErrorCode) -> Verdict {
    use RDKafkaErrorCode as Code;
    match code {
        _ if is_authorization(code) => Verdict::Halt,
        Code::MessageSizeTooLarge
        | Code::MessageBatchTooLarge
        | Code::InvalidRecord
        | Code::PolicyViolation
        | Code::UnsupportedVersion
        | Code::UnsupportedFeature
        | Code::UnsupportedForMessageFormat
        | Code::InvalidTransactionTimeout
        | Code::InvalidConfig
        | Code::InvalidTopic
        | Code::InvalidPartitions
        | Code::InvalidReplicationFactor
        | Code::InvalidArgument => Verdict::Halt,
        Code::Fenced | Code::InvalidProducerEpoch | Code::ProducerFenced => Verdict::Fenced,
        Code::Authentication
        | Code::SaslAuthenticationFailed
        | Code::UnsupportedSASLMechanism
        | Code::IllegalSASLState => Verdict::Config,
        _ => Verdict::Recycle,
    }
}

fn is_authorization(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::TransactionalIdAuthorizationFailed
    )
}

fn topic_hint(topic: &str, code: RDKafkaErrorCode) -> String {
    let fix = match code {
        _ if is_authorization(code) => "Grant the connector's principal Create on it",
        RDKafkaErrorCode::InvalidReplicationFactor => {
            "Set replication_factor under kafka.topic to no more than the number of brokers"
        }
        RDKafkaErrorCode::InvalidConfig => "Correct config under kafka.topic",
        RDKafkaErrorCode::InvalidPartitions => "Correct partitions under kafka.topic",
        RDKafkaErrorCode::PolicyViolation => {
            "Change partitions, replication_factor or config under kafka.topic as the brokers' \
             policy wants"
        }
        _ => return format!("Create topic {topic} by hand."),
    };
    format!("{fix}, or create topic {topic} by hand.")
}
