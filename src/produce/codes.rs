//! Error codes of Kafka and librdkafka with their meaning. `docs/OPERATING.md` shows the table.
//!
//! A code that is not in the table may pass, so the connector retries, but not for ever: see
//! [`ErrorMeaning::Unknown`].

use rdkafka::error::RDKafkaErrorCode as Code;

use crate::error::{Reason, Verdict};

/// What an error code means for the connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorMeaning {
    /// It passes: the connector discards the Kafka transaction and starts again from the committed
    /// position, for as long as it takes.
    Passes,
    /// Another producer has the transactional id, or the broker ended the transaction.
    Fenced,
    /// The login is refused.
    Login,
    /// The account lacks a right.
    Access,
    /// The topic refuses the record's timestamp, on every attempt.
    Timestamp,
    /// The topic refuses the record, on every attempt.
    Record,
    /// The broker refuses the request, on every attempt.
    Request,
    /// The code is unknown, or says nothing about the cause.
    Unknown,
}

/// An error code with its meaning.
#[derive(Clone, Copy, Debug)]
pub struct KafkaCode {
    /// Its number: Kafka's are positive, librdkafka's below -1.
    pub number: i32,
    /// Its name in Kafka's protocol or in librdkafka.
    pub name: &'static str,
    /// What happened.
    pub says: &'static str,
    /// What it means.
    pub meaning: ErrorMeaning,
    code: Code,
}

const fn row(
    code: Code,
    number: i32,
    name: &'static str,
    says: &'static str,
    meaning: ErrorMeaning,
) -> KafkaCode {
    KafkaCode { number, name, says, meaning, code }
}

use ErrorMeaning::{Access, Fenced, Login, Passes, Record, Request, Timestamp, Unknown};

/// Every code that is sorted, by number.
#[rustfmt::skip]
pub const KAFKA_CODES: &[KafkaCode] = &[
    row(Code::BrokerDestroy, -197, "_DESTROY", "the client is closing", Passes),
    row(Code::Fail, -196, "_FAIL", "librdkafka failed", Unknown),
    row(Code::BrokerTransportFailure, -195, "_TRANSPORT", "a connection was lost", Passes),
    row(Code::Resolve, -193, "_RESOLVE", "a broker's name has no address", Passes),
    row(Code::MessageTimedOut, -192, "_MSG_TIMED_OUT", "a record was not stored in time", Passes),
    row(Code::UnknownPartition, -190, "_UNKNOWN_PARTITION", "a partition is gone", Passes),
    row(Code::UnknownTopic, -188, "_UNKNOWN_TOPIC", "a topic is gone", Passes),
    row(Code::AllBrokersDown, -187, "_ALL_BROKERS_DOWN", "no broker answers", Passes),
    row(Code::InvalidArgument, -186, "_INVALID_ARG", "a setting is refused", Request),
    row(Code::OperationTimedOut, -185, "_TIMED_OUT", "no answer in time", Passes),
    row(Code::QueueFull, -184, "_QUEUE_FULL", "the queue does not drain", Passes),
    row(Code::SSL, -181, "_SSL", "a TLS connection was lost", Passes),
    row(Code::WaitingForCoordinator, -180, "_WAIT_COORD", "no transaction coordinator yet", Passes),
    row(Code::PreviousInProgress, -177, "_PREV_IN_PROGRESS", "an earlier request is under way", Passes),
    row(Code::State, -172, "_STATE", "the transaction is in another state", Passes),
    row(Code::Authentication, -169, "_AUTHENTICATION", "a broker refuses the login", Login),
    row(Code::Outdated, -167, "_OUTDATED", "newer data is there", Passes),
    row(Code::TimedOutQueue, -166, "_TIMED_OUT_QUEUE", "a request was not sent in time", Passes),
    row(Code::UnsupportedFeature, -165, "_UNSUPPORTED_FEATURE", "brokers are too old", Request),
    row(Code::WaitCache, -164, "_WAIT_CACHE", "topics are not known yet", Passes),
    row(Code::Interrupted, -163, "_INTR", "a call was interrupted", Passes),
    row(Code::Retry, -153, "_RETRY", "the request must be sent again", Passes),
    row(Code::PurgeQueue, -152, "_PURGE_QUEUE", "the records of a lost transaction are discarded", Passes),
    row(Code::PurgeInflight, -151, "_PURGE_INFLIGHT", "the records of a lost transaction are discarded", Passes),
    row(Code::Fatal, -150, "_FATAL", "the producer is unusable", Passes),
    row(Code::Inconsistent, -149, "_INCONSISTENT", "a record of the transaction failed", Passes),
    row(Code::GaplessGuarantee, -148, "_GAPLESS_GUARANTEE", "a record before it failed", Passes),
    row(Code::Fenced, -144, "_FENCED", "a newer producer has the transactional id", Fenced),
    row(Code::Noop, -141, "_NOOP", "nothing was done", Passes),
    row(Code::Unknown, -1, "UNKNOWN_SERVER_ERROR", "a broker failed without a named cause", Unknown),
    row(Code::OffsetOutOfRange, 1, "OFFSET_OUT_OF_RANGE", "a partition ends before that offset", Passes),
    row(Code::InvalidMessage, 2, "CORRUPT_MESSAGE", "a batch was damaged on its way", Passes),
    row(Code::UnknownTopicOrPartition, 3, "UNKNOWN_TOPIC_OR_PARTITION", "the broker does not have the topic", Passes),
    row(Code::LeaderNotAvailable, 5, "LEADER_NOT_AVAILABLE", "a leader is being elected", Passes),
    row(Code::NotLeaderForPartition, 6, "NOT_LEADER_OR_FOLLOWER", "the leader moved", Passes),
    row(Code::RequestTimedOut, 7, "REQUEST_TIMED_OUT", "replicas did not answer in time", Passes),
    row(Code::BrokerNotAvailable, 8, "BROKER_NOT_AVAILABLE", "a broker is down", Passes),
    row(Code::ReplicaNotAvailable, 9, "REPLICA_NOT_AVAILABLE", "a replica is down", Passes),
    row(Code::MessageSizeTooLarge, 10, "MESSAGE_TOO_LARGE", "a record is larger than the topic accepts", Record),
    row(Code::NetworkException, 13, "NETWORK_EXCEPTION", "a connection was lost", Passes),
    row(Code::CoordinatorLoadInProgress, 14, "COORDINATOR_LOAD_IN_PROGRESS", "the coordinator is starting", Passes),
    row(Code::CoordinatorNotAvailable, 15, "COORDINATOR_NOT_AVAILABLE", "there is no coordinator", Passes),
    row(Code::NotCoordinator, 16, "NOT_COORDINATOR", "the coordinator moved", Passes),
    row(Code::InvalidTopic, 17, "INVALID_TOPIC_EXCEPTION", "the topic's name is not allowed", Request),
    row(Code::MessageBatchTooLarge, 18, "RECORD_LIST_TOO_LARGE", "a batch is larger than a segment", Record),
    row(Code::NotEnoughReplicas, 19, "NOT_ENOUGH_REPLICAS", "fewer replicas in sync than min.insync.replicas", Passes),
    row(Code::NotEnoughReplicasAfterAppend, 20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", "the same, after the leader stored it", Passes),
    row(Code::InvalidRequiredAcks, 21, "INVALID_REQUIRED_ACKS", "the brokers do not accept acks=all", Request),
    row(Code::TopicAuthorizationFailed, 29, "TOPIC_AUTHORIZATION_FAILED", "a right on a topic is missing", Access),
    row(Code::GroupAuthorizationFailed, 30, "GROUP_AUTHORIZATION_FAILED", "a right on a group is missing", Access),
    row(Code::ClusterAuthorizationFailed, 31, "CLUSTER_AUTHORIZATION_FAILED", "a right on the cluster is missing", Access),
    row(Code::InvalidTimestamp, 32, "INVALID_TIMESTAMP", "the record's timestamp is outside the topic's bounds", Timestamp),
    row(Code::UnsupportedSASLMechanism, 33, "UNSUPPORTED_SASL_MECHANISM", "the broker does not support sasl.mechanism", Login),
    row(Code::IllegalSASLState, 34, "ILLEGAL_SASL_STATE", "the login went out of step", Login),
    row(Code::UnsupportedVersion, 35, "UNSUPPORTED_VERSION", "the brokers are too old", Request),
    row(Code::TopicAlreadyExists, 36, "TOPIC_ALREADY_EXISTS", "another client created the topic first", Passes),
    row(Code::InvalidPartitions, 37, "INVALID_PARTITIONS", "kafka.topic.partitions is refused", Request),
    row(Code::InvalidReplicationFactor, 38, "INVALID_REPLICATION_FACTOR", "fewer brokers than replicas", Request),
    row(Code::InvalidConfig, 40, "INVALID_CONFIG", "kafka.topic.config is refused", Request),
    row(Code::NotController, 41, "NOT_CONTROLLER", "the controller moved", Passes),
    row(Code::InvalidRequest, 42, "INVALID_REQUEST", "a broker does not accept the request", Unknown),
    row(Code::UnsupportedForMessageFormat, 43, "UNSUPPORTED_FOR_MESSAGE_FORMAT", "the topic's format is too old", Request),
    row(Code::PolicyViolation, 44, "POLICY_VIOLATION", "the brokers' policy forbids it", Record),
    row(Code::OutOfOrderSequenceNumber, 45, "OUT_OF_ORDER_SEQUENCE_NUMBER", "a broker lost records of this producer", Passes),
    row(Code::DuplicateSequenceNumber, 46, "DUPLICATE_SEQUENCE_NUMBER", "a batch came twice", Passes),
    row(Code::InvalidProducerEpoch, 47, "INVALID_PRODUCER_EPOCH", "the broker ended the transaction, or a newer producer did", Fenced),
    row(Code::InvalidTransactionalState, 48, "INVALID_TXN_STATE", "the transaction is in another state", Passes),
    row(Code::InvalidProducerIdMapping, 49, "INVALID_PRODUCER_ID_MAPPING", "the transactional id expired", Passes),
    row(Code::InvalidTransactionTimeout, 50, "INVALID_TRANSACTION_TIMEOUT", "transaction.timeout.ms is larger than the brokers allow", Request),
    row(Code::ConcurrentTransactions, 51, "CONCURRENT_TRANSACTIONS", "the last transaction is being decided", Passes),
    row(Code::TransactionCoordinatorFenced, 52, "TRANSACTION_COORDINATOR_FENCED", "the coordinator moved", Passes),
    row(Code::TransactionalIdAuthorizationFailed, 53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "a right on the transactional id is missing", Access),
    row(Code::SecurityDisabled, 54, "SECURITY_DISABLED", "the broker has no security features", Request),
    row(Code::KafkaStorageError, 56, "KAFKA_STORAGE_ERROR", "a broker's disk failed", Passes),
    row(Code::SaslAuthenticationFailed, 58, "SASL_AUTHENTICATION_FAILED", "a broker refuses the login", Login),
    row(Code::UnknownProducerId, 59, "UNKNOWN_PRODUCER_ID", "the broker forgot this producer", Passes),
    row(Code::ReassignmentInProgress, 60, "REASSIGNMENT_IN_PROGRESS", "partitions are being moved", Passes),
    row(Code::ListenerNotFound, 72, "LISTENER_NOT_FOUND", "a leader has no such listener yet", Passes),
    row(Code::FencedLeaderEpoch, 74, "FENCED_LEADER_EPOCH", "the leader moved", Passes),
    row(Code::UnknownLeaderEpoch, 75, "UNKNOWN_LEADER_EPOCH", "the leader moved", Passes),
    row(Code::UnsupportedCompressionType, 76, "UNSUPPORTED_COMPRESSION_TYPE", "the brokers do not know compression.type", Request),
    row(Code::OffsetNotAvailable, 78, "OFFSET_NOT_AVAILABLE", "a new leader does not know its end yet", Passes),
    row(Code::InvalidRecord, 87, "INVALID_RECORD", "the broker's validation refuses a record", Record),
    row(Code::ThrottlingQuotaExceeded, 89, "THROTTLING_QUOTA_EXCEEDED", "a quota is used up", Passes),
    row(Code::ProducerFenced, 90, "PRODUCER_FENCED", "a newer producer has the transactional id", Fenced),
    row(Code::UnknownTopicId, 100, "UNKNOWN_TOPIC_ID", "the topic was deleted or created again", Passes),
];

/// What a code means.
pub(super) fn meaning(code: Code) -> ErrorMeaning {
    let row = KAFKA_CODES.iter().find(|row| row.code == code);
    row.map_or(Unknown, |row| row.meaning)
}

impl ErrorMeaning {
    /// What is done about it.
    pub(super) fn verdict(self) -> Verdict {
        match self {
            Passes | Unknown => Verdict::Recycle,
            Fenced => Verdict::Fenced,
            Login => Verdict::Config,
            Access | Timestamp | Record | Request => Verdict::Halt,
        }
    }

    /// The reason code.
    pub(super) fn reason(self) -> Reason {
        match self {
            Passes => Reason::KafkaTransactionLost,
            Fenced => Reason::KafkaFenced,
            Login => Reason::KafkaLoginRefused,
            Access => Reason::KafkaAccessDenied,
            Timestamp => Reason::KafkaTimestampRefused,
            Record | Request => Reason::KafkaRequestRefused,
            Unknown => Reason::KafkaErrorUnknown,
        }
    }

    /// What the connector does, for `docs/OPERATING.md`.
    pub fn does(self) -> String {
        let reason = self.reason();
        match self {
            Passes => format!("retries (`{reason}`)"),
            Fenced => {
                "ends with 75 if there is a newer instance (`fenced`), otherwise retries".to_owned()
            }
            Login => {
                format!(
                    "ends with 78 (`{reason}`), after two minutes of retries if an earlier login \
                     worked"
                )
            }
            Unknown => format!("retries for two minutes, then halts (`{reason}`)"),
            Access | Timestamp | Record | Request => format!("halts (`{reason}`)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::{bindings::rd_kafka_resp_err_t, error::RDKafkaErrorCode as Code};

    use super::{ErrorMeaning, KAFKA_CODES, meaning};

    #[test]
    fn every_number_is_that_of_its_code_and_they_are_in_order() {
        for row in KAFKA_CODES {
            let code = rd_kafka_resp_err_t::try_from(row.number).map(Code::from);
            assert_eq!(code.ok(), Some(row.code), "{}", row.name);
        }
        assert!(KAFKA_CODES.windows(2).all(|rows| rows[0].number < rows[1].number));
    }

    #[test]
    fn what_is_not_sorted_is_unknown() {
        assert_eq!(meaning(Code::Conflict), ErrorMeaning::Unknown);
        assert_eq!(meaning(Code::InvalidTimestamp), ErrorMeaning::Timestamp);
    }
}
