//! What to do about each reason, for the table in `docs/OPERATING.md`: links lead into that page.
//!
//! The hint of a failure knows the case and has the statement to run. This is what holds in every
//! case.

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

const WAITS: &str = "Nothing: the connector tries again until it works, with one line in the log \
    at once and every 10 s.";

const BUG: &str = "Report it with the log: it is a bug. The position has not moved past what was \
    delivered.";

const START_OVER: &str = "The message has the place in the binlog, the hint what to check there. \
    To start over at the source's current position, see \
    [below](#when-the-source-does-not-go-on-where-the-position-ends).";

const ONE_ROW: &str = "The message has table and column: correct the row, change the setting that \
    the hint names, or leave the column out with `capture.exclude_columns`; or see \
    [one event that cannot be delivered](#one-event-that-cannot-be-delivered).";

const CAPTURE: &str = "The message has the table and the hint the key under `[capture]` to change.";

const ADDRESS: &str = "Check `admin.listen` of the connector and `--admin` of the command.";

const XA: &str = "See [XA transactions](#xa-transactions).";

const TABLES_THAT_CHANGE: &str = "See [tables that change](#tables-that-change).";

const TOPICS_THAT_CHANGE: &str = "See [topics that change](#topics-that-change).";

const NOT_LOGGED: &str = "See [what the server does not log](#what-the-server-does-not-log).";

const BREAK: &str = "The message has the way out; see \
    [below](#when-the-source-does-not-go-on-where-the-position-ends).";

remedies! {
    R::Config => "The message names the key.",
    R::ConfigSecret => "Check the path and the rights of the file that the message names. After a \
        login that worked, it is tried again for two minutes.",
    R::LogLevel => "Write a level, such as `--log info`, or levels by module.",
    R::AdminListen => "Set `admin.listen` to a free address; port 0 picks one.",
    R::NameMatchesNothing => "Ends with 78. The message has the key and the nearest names; see \
        [what is checked at the start](#what-is-checked-at-the-start).",
    R::Fenced => "Ends with 75. Run one instance for each name, or all of a name with `--standby`.",
    R::DrainTimeout => "Nothing is lost: the next start goes on from the committed position. Raise \
        `delivery.drain_timeout_ms`, or look for what kept Kafka or MySQL from finishing.",
    R::Stopped => "Nothing: the next start goes on from the committed position.",
    R::NoThread | R::KafkaThreadMissing => "Raise the limit of processes and threads of the \
        account or container. It is tried again until it works.",
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
    R::NotCaptured => "Write `database.table`, and see `capture.tables`.",
    R::SkipRefused => "The message says why; see \
        [one event that cannot be delivered](#one-event-that-cannot-be-delivered).",
    R::SkipRequested => "Start the connector.",

    R::MysqlAccessDenied => "Check `mysql.user` and `mysql.password`; the hint has the statement \
        for an account that is locked, expired or bound to TLS. After a login that worked, it is \
        tried again for two minutes.",
    R::MysqlHostRefused | R::MysqlGrants => "The message has the statement.",
    R::MysqlTls => "Check `mysql.tls`, `mysql.ca_file` and `mysql.host`.",
    R::MysqlDatabaseInvisible => "Check the name in `capture.tables`; the message has the GRANT.",
    R::MysqlTableInvisible => "The message has the GRANT; see \
        [what is checked at the start](#what-is-checked-at-the-start).",
    R::MysqlSetting => "The message has the statement; sessions keep the value they began with.",
    R::MysqlSession => "A proxy or the like between connector and server changes it: name the \
        server itself in `mysql.host`.",
    R::DatabaseNotLogged => NOT_LOGGED,
    R::CascadesNotLogged => "The connector stops where `capture.cascades` is `halt`, or where it \
        is `read` and a parent is not captured; see \
        [what the server does not log](#what-the-server-does-not-log).",

    R::MysqlUnreachable
    | R::MysqlConnectionLost
    | R::MysqlOffline
    | R::MysqlLimit
    | R::MysqlResources
    | R::MysqlBusy => "Nothing: the connector tries again until it works, with one line in the log \
        at once and every 10 s; see [server errors](#server-errors).",
    R::MysqlError => "It is tried again for two minutes, then it stops the connector: report it \
        with the log; see [server errors](#server-errors).",
    R::MysqlClient => "Report it with the log.",
    R::MysqlAnswer => "Name the server itself in `mysql.host`, not a proxy.",
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
        [below](#when-the-source-does-not-go-on-where-the-position-ends).",
    R::SourceBehind => "Nothing: the connector goes on when they are applied; after 10 minutes \
        without one it stops with `source_diverged`.",
    R::SourceDiverged | R::SourceReset | R::SourceLostTail => BREAK,
    R::SourceChanged => "Point `mysql.host` back.",
    R::GtidMode => "The message has the mode with which it goes on.",
    R::OffsetTooLarge => "Run `FLUSH BINARY LOGS;` and wait until the position is in the new file.",

    R::BinlogUnreadable => "The source's error log and `mysqlbinlog --verify-binlog-checksum` say \
        more.",
    R::EventUnreadable => "The message has the last place that was read: \
        `mysqlbinlog --verify-binlog-checksum` on that file says more, and a replica may have it \
        whole.",
    R::BinlogChecksumWrong
    | R::BinlogMalformed
    | R::BinlogGap
    | R::BinlogGroupBroken
    | R::BinlogIncident
    | R::BinlogEventUnknown
    | R::TransactionRolledBack => START_OVER,
    R::TransactionChanged => "Nothing: it is delivered again from its start. Rows of it come \
        twice, counted in `tailwater_rows_repeated_total`.",
    R::BinlogVersionUnsupported => "MySQL 8.0 or later is needed, with \
        `log_bin_use_v1_row_events` off.",
    R::BinlogPayloadUnreadable => "Turn `binlog_transaction_compression` off for the transactions \
        to come, and report it.",
    R::BinlogRowMetadataNotFull => "Run `SET PERSIST binlog_row_metadata = 'FULL';` and reconnect \
        the clients that write. What was written before stays unreadable.",
    R::BinlogRowImageNotFull => "Run `SET PERSIST binlog_row_image = 'FULL';` and reconnect the \
        clients that write: sessions keep the value they began with.",
    R::BinlogFormatStatement => "Run `SET PERSIST binlog_format = 'ROW';` and find the session \
        that sets another value.",
    R::StatementNotUnderstood => "Report it with the binlog's place, which the message has.",
    R::XaPrepareMissed | R::XaPreparePurged | R::XaPrepareDiffers => XA,
    R::XaTooManyPending => "Find out why they are not finished: `XA RECOVER;` lists them.",

    R::RowsRemovedByStatement => "Decide, then set `capture.truncate`.",
    R::TruncateOnCompactedTopic => "Make the topic `cleanup.policy=delete`, or set \
        `capture.truncate` to `ignore`.",
    R::TableRenamedIn | R::ExcludedColumnRenamed | R::KeyChanged => TABLES_THAT_CHANGE,
    R::ChangesMissing => "While the connector runs: `tailwater snapshot --table`, see \
        [on demand](#on-demand).",
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

    R::KeyUnknown => "Name its key in `capture.message_key_columns`, or accept that it has none \
        with `capture.key_change = \"accept\"`.",
    R::KeyColumnMissing | R::KeyColumnTwice | R::FlatWithoutKey | R::FieldNameClash => CAPTURE,
    R::SchemaNameForbidden => "Set `format.schema_names` to `avro`.",
    R::TopicNameClash => "Take one of them out with `capture.exclude_tables`.",
    R::TopicNameTooLong => "Shorten `name`, or take the table out with `capture.exclude_tables`.",

    R::SnapshotDenied => "The message has the GRANT.",
    R::SnapshotNeedsGtids => "Turn GTIDs on, or run the GRANT in the message; \
        `snapshot.mode = \"never\"` reads no tables.",
    R::SnapshotWhere => "Correct the condition.",
    R::SnapshotDefinition => "Leave the table out with `capture.exclude_tables`, and report it \
        with the table's definition.",
    R::SnapshotOtherServer => "Point `mysql.host` to one server, not to a proxy that spreads \
        connections. It is tried again until it works.",
    R::SnapshotRecordUnreadable | R::PositionVersionUnknown => "Run the version that wrote it, or \
        a newer one.",
    R::SnapshotReaderGone => "Report it with the log: it is a bug. With \
        `snapshot.mode = \"never\"` the connector streams without reading tables.",

    R::RegistryUrlInvalid => "Set `schema_registry.url`, for example to `http://127.0.0.1:8081`.",
    R::RegistrySecretMissing => "Set the variable or the file that `schema_registry` names.",
    R::RegistryCaFileUnusable => "Name a PEM file with the authority's certificate.",
    R::RegistrySettingsInvalid => "Correct the section `[schema_registry]`.",
    R::RegistryTlsRefused => "Check `schema_registry.ca_file`, and `http` or `https` and the host \
        in `schema_registry.url`.",
    R::RegistryAccessDenied => "Check the user or token in `[schema_registry]` and its rights. \
        After a login that worked, it is tried again for two minutes.",
    R::RegistryPathWrong => "Set `schema_registry.url` to where Confluent's API begins.",
    R::RegistryUnreachable => "Nothing: the connector tries again until it works. Check \
        `schema_registry.url` if it never did.",
    R::RegistryErrorUnknown | R::KafkaErrorUnknown => "It is tried again for two minutes, then it \
        stops the connector: report it with the log.",
    R::RegistrySchemasLost => "Give the registry back its store if consumers must read the \
        records; the connector registers the schemas again and goes on.",
    R::RegistrySchemaMismatch => "Readers would decode garbage. Its addresses are not one \
        registry, or its store is damaged.",
    R::SchemaIncompatible => "The message has the registry's words and each difference. Undo the \
        change, or lower the subject's compatibility.",
    R::SchemaRefused => "The registry's words are in the message.",
    R::SchemaIdUnknown => "See [the schema registry](#the-schema-registry).",
    R::SchemaRegistrationSlow => "Nothing: the connector tries again. If it comes often, check the \
        load of the registry and of MySQL's information_schema.",

    R::KafkaPropertiesInvalid => "Correct it under `properties` in the section `[kafka]`.",
    R::KafkaLoginRefused => "Check `sasl.mechanism`, `sasl.username` and `sasl.password` in \
        `kafka.properties`. After a login that worked, it is tried again for two minutes.",
    R::KafkaTlsFailed => "Check `security.protocol` and `ssl.ca.location` in `kafka.properties`, \
        and that the certificate names the host in `kafka.bootstrap_servers`.",
    R::KafkaAccessDenied | R::KafkaRequestRefused => "The message names the topic or the right; \
        the code is in [errors of Kafka](#errors-of-kafka-and-of-the-registry).",
    R::KafkaUnreachable => "Nothing: the connector tries again until it works. Check \
        `kafka.bootstrap_servers` and `security.protocol` if it never did.",
    R::KafkaAdvertisedAddressUnreachable => "Correct `advertised.listeners` of that broker, or \
        make its name resolve here. It is tried again until it works.",
    R::KafkaStalled => "Check that the brokers run and that the topics have as many replicas in \
        sync as `min.insync.replicas` demands. It is tried again until it works.",
    R::KafkaFenced => "Nothing: where no newer instance is seen, the connector tries again; else \
        it ends with `fenced`.",
    R::KafkaTimestampRefused => "Raise the topic's `message.timestamp.before.max.ms` and \
        `message.timestamp.after.max.ms`, or set the clocks.",
    R::KafkaRecordTooLarge => "Raise the limit that the message names, or leave the large column \
        out with `capture.exclude_columns`; or see \
        [one event that cannot be delivered](#one-event-that-cannot-be-delivered).",
    R::KafkaBatchTooLarge => "Raise the topic's `max.message.bytes`, or lower `batch.size` in \
        `kafka.properties`.",
    R::KafkaRecordWithoutKey => "Name a key in `capture.message_key_columns`, or set \
        `cleanup.policy=delete` on the topic.",
    R::KafkaTopicRefused => "The message has Kafka's words. Kafka takes topics whose names differ \
        in `.` and `_` only for one (tables `a.b` and `a_b`): a start warns of such tables, and \
        the second topic is refused; take one of the tables out.",
    R::TopicMissing | R::TopicRecreated | R::TopicLostTail | R::TopicPartitionsChanged => {
        TOPICS_THAT_CHANGE
    },

    R::StateTopicUnsafe => "The message has what to do.",
    R::StateTopicMissing | R::PositionMissing => "Restore it, or start over as the message says.",
    R::StateTopicRecreated | R::PositionWentBack => "See [Kafka](#kafka).",
    R::StateTopicTransactionOpen => "Nothing: the connector waits until the broker ends the \
        transaction. Nothing but Tailwater may write to the state topic.",
    R::PositionUnreadable => "Nothing but Tailwater may write to the state topic: find out what \
        did.",
    R::PositionOfAnotherConnector => "Give each connector a `name` of its own.",
    R::PositionNotWritable => "Report it with the log.",
}
