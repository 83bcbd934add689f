//! What to do about each reason, for the table in `docs/OPERATING.md`: links lead into that page.
//!
//! The hint of a failure knows the case at hand and has the statement to run. A remedy holds in
//! every case.

use super::Reason as R;

/// One match over all reasons: the compiler misses none.
macro_rules! remedies {
    ($($reason:pat => $text:expr,)+) => {
        impl R {
            /// What to do about it, in sentences.
            pub fn remedy(self) -> &'static str {
                match self { $($reason => $text,)+ }
            }
        }
    };
}

const WAITS: &str = "Nothing: the connector retries until it works, and logs one line at once and \
    then every 10 s.";

const BUG: &str = "This is a bug: report it with the log. The position has not moved past what was \
    delivered.";

const START_OVER: &str = "The message has the place in the binlog; the hint says what to check \
    there. To start over at the source's current position, see \
    [below](#when-the-source-does-not-continue-where-the-position-ends).";

const ONE_ROW: &str = "The message has table and column. Correct the row, change the setting that \
    the hint names, leave the column out with `capture.exclude_columns`, or skip \
    [one event that cannot be delivered](#one-event-that-cannot-be-delivered).";

const CAPTURE: &str =
    "The message has the table; the hint has the key under `[capture]` to change.";

const ADDRESS: &str = "Check `admin.listen` of the connector and `--admin` of the command.";

const XA: &str = "See [XA transactions](#xa-transactions).";

const TABLES_THAT_CHANGE: &str = "See [tables that change](#tables-that-change).";

const TOPICS_THAT_CHANGE: &str = "See [topics that change](#topics-that-change).";

const NOT_LOGGED: &str = "See [what the server does not log](#what-the-server-does-not-log).";

const BREAK: &str = "The message has the way out; see \
    [below](#when-the-source-does-not-continue-where-the-position-ends).";

remedies! {
    R::Config => "The message names the key.",
    R::ConfigSecret => "Check the path and the permissions of the file that the message names. If \
        an earlier login worked, the connector retries for two minutes first.",
    R::SecretInFile => "A warning of `tailwater check`. Put the secret in a variable or in a file of \
        its own: `password = { env = \"NAME\" }`.",
    R::AdminListen => "Set `admin.listen` to a free address; port 0 picks one.",
    R::NameMatchesNothing => "Ends with 78. The message has the key and the nearest names; see \
        [what is checked at the start](#what-is-checked-at-the-start).",
    R::Fenced => "Ends with 75. Run one instance for each connector name, or start all instances \
        of a name with `--standby`.",
    R::DrainTimeout => "Nothing is lost: the next start resumes at the committed position. Raise \
        `delivery.drain_timeout_ms`, or find out why Kafka or MySQL did not finish in time.",
    R::Stopped => "Nothing: the next start resumes at the committed position.",
    R::NoThread | R::KafkaThreadMissing => "Raise the limit of processes and threads of the \
        account or container. The connector retries until it works.",
    R::Panic
    | R::PlanMissing
    | R::Runtime
    | R::AdminClient
    | R::ReaderGone
    | R::GtidSet
    | R::ValueTypeMismatch
    | R::SnapshotKey
    | R::SnapshotRows
    | R::XaPreparedTwice => BUG,
    R::AdminUnreachable | R::AdminUnknown => ADDRESS,
    R::AdminRefused => "Set `admin.token` to the same value for the command and the connector.",
    R::OrderRefused => "The message says why.",
    R::NotCaptured => "Write `database.table`, and check `capture.tables`.",
    R::OutputNotWritable => "Free space where its stdout goes, or send it elsewhere.",
    R::SkipRefused => "The message says why; see [one event that cannot be \
        delivered](#one-event-that-cannot-be-delivered).",
    R::SkipRequested => "Start the connector.",
    R::PositionRefused => "The message says why; see [another position](#another-position).",
    R::StateFileUnusable => "The message says why; see [the state as a \
        file](#the-state-as-a-file).",
    R::InstanceRuns => "Stop the instance first, or add `--fence`: then it ends with 75.",

    R::MysqlAccessDenied => "Check `mysql.user` and `mysql.password`; the hint has the statement \
        for an account that is locked, expired or requires TLS. If an earlier login worked, the \
        connector retries for two minutes first.",
    R::MysqlHostRefused | R::MysqlGrants => "The message has the statement to run.",
    R::MysqlTls => "Check `mysql.tls`, `mysql.ca_file` and `mysql.host`.",
    R::MysqlDatabaseInvisible => "Check the name in `capture.tables`; the message has the GRANT.",
    R::MysqlTableInvisible => "The message has the GRANT; see [what is checked at the \
        start](#what-is-checked-at-the-start).",
    R::PrivilegesExcessive => "A warning of `tailwater check`. Give the connector an account of its \
        own with `REPLICATION SLAVE`, `REPLICATION CLIENT` and `SELECT` on what it captures.",
    R::BinlogRetentionShort => "A warning of `tailwater check`. Raise `binlog_expire_logs_seconds`, \
        or on RDS `binlog retention hours`, to the longest time that the connector may be stopped.",
    R::MysqlSetting => "The message has the statement to run. Open sessions keep their old value: \
        reconnect the clients that write.",
    R::MysqlSession => "Something between connector and server, such as a proxy, changes it: set \
        `mysql.host` to the server itself.",
    R::DatabaseNotLogged | R::ColumnMislogged => NOT_LOGGED,
    R::CascadesNotLogged => "The connector halts if `capture.cascades` is `halt`, or if it is \
        `read` and a parent table is not captured; see [what the server does not \
        log](#what-the-server-does-not-log).",

    R::MysqlUnreachable
    | R::MysqlConnectionLost
    | R::MysqlOffline
    | R::MysqlLimit
    | R::MysqlResources
    | R::MysqlBusy => "Nothing: the connector retries until it works, and logs one line at once \
        and then every 10 s; see [server errors](#server-errors).",
    R::MysqlError => "The connector retries for two minutes, then halts: report it with the log; \
        see [server errors](#server-errors).",
    R::MysqlClient => "Report it with the log.",
    R::MysqlAnswer => "Set `mysql.host` to the server itself, not to a proxy.",
    R::ServerIdTaken => "Give each client its own `mysql.server_id`, and check that no second \
        instance of this connector runs.",
    R::MysqlServerChanged
    | R::CatalogUnreadable
    | R::RegistryTimeout
    | R::RegistryUnavailable
    | R::RegistryIdUnknown
    | R::KafkaTransactionLost
    | R::KafkaCommitDoubtful
    | R::KafkaDeliveryUnproved
    | R::StateTopicUnreadable
    | R::StateTopicBehind => WAITS,

    R::PositionPurged => "Keep binlogs longer (`binlog_expire_logs_seconds`; on RDS \
        `mysql.rds_set_configuration('binlog retention hours', …)`); see \
        [below](#when-the-source-does-not-continue-where-the-position-ends).",
    R::SourceBehind => "Nothing: the connector continues when the server has applied them. If the \
        server applies none for 10 minutes, the connector halts with `source_diverged`.",
    R::SourceDiverged | R::SourceReset | R::SourceLostTail => BREAK,
    R::SourceChanged => "Point `mysql.host` to the earlier server again.",
    R::GtidMode => "The message names the `gtid_mode` with which the connector can continue.",
    R::OffsetTooLarge => "Run `FLUSH BINARY LOGS;` and wait until the position is in the new \
        file.",

    R::BinlogUnreadable => "Check the source's error log, and the file with `mysqlbinlog \
        --verify-binlog-checksum`.",
    R::EventUnreadable => "The message has the last place that was read. Check that file with \
        `mysqlbinlog --verify-binlog-checksum`; a replica may have it undamaged.",
    R::BinlogChecksumWrong
    | R::BinlogMalformed
    | R::BinlogGap
    | R::BinlogGroupBroken
    | R::BinlogIncident
    | R::BinlogEventUnknown
    | R::TransactionRolledBack => START_OVER,
    R::TransactionChanged => "Nothing: the connector delivers the transaction again from its \
        start. Rows that come twice are counted in `tailwater_rows_repeated_total`.",
    R::BinlogVersionUnsupported => "Use MySQL 8.0 or later, with `log_bin_use_v1_row_events` off.",
    R::BinlogPayloadUnreadable => "Turn `binlog_transaction_compression` off for future \
        transactions, and report it.",
    R::BinlogRowMetadataNotFull => "Run `SET PERSIST binlog_row_metadata = 'FULL';` and reconnect \
        the clients that write. Rows that were written before stay unreadable.",
    R::BinlogRowImageNotFull => "Run `SET PERSIST binlog_row_image = 'FULL';` and reconnect the \
        clients that write: open sessions keep their old value.",
    R::BinlogFormatStatement => "Run `SET PERSIST binlog_format = 'ROW';` and find the session \
        that sets another value.",
    R::StatementNotUnderstood => "Report it with the place in the binlog, which the message has.",
    R::XaPrepareMissed | R::XaPreparePurged | R::XaPrepareDiffers => XA,
    R::XaTooManyPending => "Find out why they are not committed or rolled back: `XA RECOVER;` \
        lists them.",

    R::RowsRemovedByStatement => "Decide what a TRUNCATE means to consumers, then set \
        `capture.truncate`.",
    R::TruncateOnCompactedTopic => "Set `cleanup.policy=delete` on the topic, or set \
        `capture.truncate` to `ignore`.",
    R::TableRenamedIn | R::ExcludedColumnRenamed | R::KeyChanged => TABLES_THAT_CHANGE,
    R::ChangesMissing => "While the connector runs, read the table with `tailwater snapshot \
        --table`; see [on demand](#on-demand).",
    R::ColumnTypeUnsupported => "Leave the column out with `capture.exclude_columns`.",
    R::TextInvalid => "The message has table and column. Correct the row, or leave the column out \
        with `capture.exclude_columns`.",
    R::ValueInvalid
    | R::UnsignedBigintTooLarge
    | R::NullInNotNullColumn
    | R::EnumLabelUnknown
    | R::EnumErrorValue
    | R::SetLabelUnknown
    | R::TimeOutOfRange
    | R::TimeNotOfDay
    | R::ZeroDate
    | R::GeometryIsNoPoint
    | R::GeometryMalformed
    | R::SridTooLarge
    | R::SridUnexpected
    | R::VectorCutShort
    | R::SnapshotValue => ONE_ROW,

    R::KeyUnknown => "Name its key in `capture.message_key_columns`, or accept records without a \
        key with `capture.key_change = \"accept\"`.",
    R::KeyColumnMissing | R::KeyColumnTwice | R::FlatWithoutKey | R::FieldNameClash => CAPTURE,
    R::SchemaNameForbidden => "Set `format.schema_names` to `avro`.",
    R::TopicNameClash => "Leave one of them out with `capture.exclude_tables`.",
    R::TopicNameTooLong => "Shorten `name`, or leave the table out with `capture.exclude_tables`.",

    R::SnapshotDenied => "The message has the GRANT to run.",
    R::SnapshotNeedsGtids => "Turn GTIDs on, or run the GRANT in the message. With `snapshot.mode \
        = \"never\"` the connector reads no tables.",
    R::SnapshotWhere => "Correct the condition; the message has the server's objection.",
    R::SnapshotDefinition => "Leave the table out with `capture.exclude_tables`, and report it \
        with the table's definition.",
    R::SnapshotOtherServer => "Point `mysql.host` to one server, not to a proxy that spreads \
        connections. The connector retries until it works.",
    R::SnapshotRecordUnreadable | R::PositionVersionUnknown => "Run the version that wrote it, or \
        a newer one.",
    R::SnapshotReaderGone => "This is a bug: report it with the log. With `snapshot.mode = \
        \"never\"` the connector streams without reading tables.",

    R::RegistryUrlInvalid => "Set `schema_registry.url`, for example to `http://127.0.0.1:8081`.",
    R::RegistrySecretMissing => "Set the variable or the file that `schema_registry` names.",
    R::RegistryCaFileUnusable => "Set it to a PEM file with the authority's certificate.",
    R::RegistrySettingsInvalid => "Correct the section `[schema_registry]`.",
    R::RegistryTlsRefused => "Check `schema_registry.ca_file`, and `http` or `https` and the host \
        in `schema_registry.url`.",
    R::RegistryAccessDenied => "Check the user or token in `[schema_registry]` and its rights. If \
        an earlier login worked, the connector retries for two minutes first.",
    R::RegistryPathWrong => "Set `schema_registry.url` to the address at which Confluent's API \
        begins.",
    R::RegistryUnreachable => "Nothing: the connector retries until it works. If it has never \
        worked, check `schema_registry.url`.",
    R::RegistryErrorUnknown | R::KafkaErrorUnknown => "The connector retries for two minutes, \
        then halts: report it with the log.",
    R::RegistrySchemasLost => "Restore the registry's store if consumers must read the earlier \
        records; the connector registers the schemas again and continues.",
    R::RegistrySchemaMismatch => "Consumers would decode records by a wrong schema. Check that \
        all addresses in `schema_registry.url` are one registry, and that its store is undamaged.",
    R::SchemaIncompatible => "The message has the registry's reply and each difference. Undo the \
        change, or lower the subject's compatibility level.",
    R::SchemaRefused => "The message has the registry's reply.",
    R::SchemaIdUnknown => "See [the schema registry](#the-schema-registry).",
    R::SchemaRegistrationSlow => "Nothing: the connector retries. If it happens often, check the \
        load of the registry and of MySQL's information_schema.",

    R::KafkaPropertiesInvalid => "Correct the property under `properties` in the section \
        `[kafka]`.",
    R::KafkaLoginRefused => "Check `sasl.mechanism`, `sasl.username` and `sasl.password` in \
        `kafka.properties`. If an earlier login worked, the connector retries for two minutes \
        first.",
    R::KafkaTlsFailed => "Check `security.protocol` and `ssl.ca.location` in `kafka.properties`, \
        and that the certificate names the host in `kafka.bootstrap_servers`.",
    R::KafkaAccessDenied | R::KafkaRequestRefused => "The message names the topic or the right; \
        the code is in [errors of Kafka](#errors-of-kafka-and-of-the-registry).",
    R::KafkaUnreachable => "Nothing: the connector retries until it works. If it has never \
        worked, check `kafka.bootstrap_servers` and `security.protocol`.",
    R::KafkaAdvertisedAddressUnreachable => "Correct `advertised.listeners` of that broker, or \
        make its name resolve on this host. The connector retries until it works.",
    R::KafkaStalled => "Check that the brokers run and that the topics have as many replicas in \
        sync as `min.insync.replicas` requires. The connector retries until it works.",
    R::KafkaFenced => "Nothing: if there is no newer instance, the connector retries; otherwise \
        it ends with `fenced`.",
    R::KafkaTimestampRefused => "Raise the topic's `message.timestamp.before.max.ms` and \
        `message.timestamp.after.max.ms`, or correct the clocks.",
    R::KafkaRecordTooLarge => "Raise the limit that the message names, leave the large column out \
        with `capture.exclude_columns`, or skip [one event that cannot be \
        delivered](#one-event-that-cannot-be-delivered).",
    R::KafkaBatchTooLarge => "Raise the topic's `max.message.bytes`, or lower `batch.size` in \
        `kafka.properties`.",
    R::KafkaRecordWithoutKey => "Name a key in `capture.message_key_columns`, or set \
        `cleanup.policy=delete` on the topic.",
    R::TableWithoutKey => "A warning of `tailwater check`. Give the table a primary key, or name \
        columns in `capture.message_key_columns`.",
    R::TopicSettings => "A warning of `tailwater check`. The message has topic and setting; change it \
        with `kafka-configs.sh`.",
    R::KafkaTopicRefused => "The message has Kafka's reply. Kafka refuses a topic whose name \
        differs from another topic's only in `.` and `_` (tables `a.b` and `a_b`): the start \
        warns of such tables. Leave one of them out with `capture.exclude_tables`.",
    R::TopicMissing | R::TopicRecreated | R::TopicLostTail | R::TopicPartitionsChanged => {
        TOPICS_THAT_CHANGE
    },

    R::StateTopicUnsafe => "The message says what to do.",
    R::StateTopicMissing | R::PositionMissing => "Restore it, or set [another \
        position](#another-position), as the message says.",
    R::StateTopicRecreated | R::PositionWentBack => "See [Kafka](#kafka).",
    R::StateTopicTransactionOpen => "Nothing: the connector waits until the broker ends the \
        transaction. Only Tailwater may write to the state topic.",
    R::PositionUnreadable => "Only Tailwater may write to the state topic: find out what else \
        did; then set [another position](#another-position).",
    R::PositionOfAnotherConnector => "Give each connector a `name` of its own.",
    R::PositionNotWritable => "Report it with the log.",
}
