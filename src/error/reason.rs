//! The reason codes: one name for each kind of trouble, for alerts, metrics and documentation.
//!
//! A code never changes its name and never comes to mean something else, because dashboards and
//! alerts hold it. `docs/OPERATING.md` has the table of all of them, and `tests/error_page.rs`
//! holds the table to this file and to `remedy`.

/// The comment of a variant is what the page says of it.
macro_rules! reasons {
    ($($(#[doc = $meaning:literal])+ $variant:ident = $name:literal,)+) => {
        /// Why an epoch ended, a process halted or a warning was logged.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Reason { $($(#[doc = $meaning])+ $variant,)+ }

        impl Reason {
            /// All of them, in the order of the page.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The code: it never changes.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it means, as a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($meaning),+).trim_ascii(),)+ }
            }
        }
    };
}

reasons! {
    // The configuration, the process and the commands.
    /// The configuration has a value that cannot work.
    Config = "config",
    /// A secret or a file that the section `[mysql]` names cannot be read.
    ConfigSecret = "config_secret",
    /// The option `--log` is not understood.
    LogLevel = "log_level",
    /// The admin server cannot listen on `admin.listen`.
    AdminListen = "admin_listen",
    /// A name in the configuration matches nothing on the source, and what it should hide would be
    /// delivered.
    NameMatchesNothing = "name_matches_nothing",
    /// Another instance of the same connector name has taken over.
    Fenced = "fenced",
    /// The process was stopped, and delivering what was begun took longer than
    /// `delivery.drain_timeout_ms`.
    DrainTimeout = "drain_timeout",
    /// The process was stopped during an attempt.
    Stopped = "stopped",
    /// The system gave the process no further thread.
    NoThread = "no_thread",
    /// The system gave librdkafka no further thread.
    KafkaThreadMissing = "kafka_thread_missing",
    /// The asynchronous runtime does not start.
    Runtime = "runtime",
    /// A thread of the connector panicked.
    Panic = "panic",
    /// The plan for the records of a table is missing.
    PlanMissing = "plan_missing",
    /// No connector answers at the address of the admin server.
    AdminUnreachable = "admin_unreachable",
    /// The connector does not take the token of the command.
    AdminRefused = "admin_refused",
    /// What answers at the address is no connector that reads tables on demand.
    AdminUnknown = "admin_unknown",
    /// The HTTP client of the command cannot be made.
    AdminClient = "admin_client",
    /// The connector refuses a request of `tailwater snapshot`, or could not read the table.
    OrderRefused = "order_refused",
    /// The command names a table that does not exist or is not captured.
    NotCaptured = "not_captured",
    /// `tailwater position skip` cannot skip that event; nothing is changed.
    SkipRefused = "skip_refused",
    /// The same skip is requested already; nothing is changed.
    SkipRequested = "skip_requested",

    // The source: login, rights and settings.
    /// MySQL refuses the login.
    MysqlAccessDenied = "mysql_access_denied",
    /// MySQL does not let this host in.
    MysqlHostRefused = "mysql_host_refused",
    /// TLS to MySQL fails or is refused.
    MysqlTls = "mysql_tls",
    /// The account lacks a privilege.
    MysqlGrants = "mysql_grants",
    /// A database that `capture.tables` names does not exist, or the account may not see it.
    MysqlDatabaseInvisible = "mysql_database_invisible",
    /// A captured table exists, or could, and the account may not read it.
    MysqlTableInvisible = "mysql_table_invisible",
    /// A server variable has a value that cannot work.
    MysqlSetting = "mysql_setting",
    /// A session variable does not keep the value that the connector set.
    MysqlSession = "mysql_session",
    /// The binlog leaves out a captured database.
    DatabaseNotLogged = "database_not_logged",
    /// Foreign keys of captured tables change rows below the binlog.
    CascadesNotLogged = "cascades_not_logged",

    // The source: connections.
    /// MySQL does not answer.
    MysqlUnreachable = "mysql_unreachable",
    /// A connection to MySQL was lost, or nothing came on it.
    MysqlConnectionLost = "mysql_connection_lost",
    /// MySQL is in offline mode.
    MysqlOffline = "mysql_offline",
    /// MySQL has no connection left for the account, or for any.
    MysqlLimit = "mysql_limit",
    /// MySQL has no memory, thread or disk left.
    MysqlResources = "mysql_resources",
    /// Another session of MySQL or an administrator's limit is in the way.
    MysqlBusy = "mysql_busy",
    /// Another server answers than a moment ago.
    MysqlServerChanged = "mysql_server_changed",
    /// An error of the server that is in no table.
    MysqlError = "mysql_error",
    /// MySQL's client library reports an error that the connector does not know.
    MysqlClient = "mysql_client",
    /// MySQL answered something that no MySQL answers.
    MysqlAnswer = "mysql_answer",
    /// A table's definition cannot be read.
    CatalogUnreadable = "catalog_unreadable",
    /// Another client reads the binlog with the same server id.
    ServerIdTaken = "server_id_taken",
    /// The task that reads the binlog is gone without an error.
    ReaderGone = "reader_gone",
    /// A GTID set cannot be sent to the server.
    GtidSet = "gtid_set",

    // The source: where the position is.
    /// Binlogs that were not read are gone.
    PositionPurged = "position_purged",
    /// The server lacks transactions that were delivered: the wrong server, or a fail-over that
    /// lost some.
    SourceDiverged = "source_diverged",
    /// The server is a replica that has yet to apply transactions that were delivered.
    SourceBehind = "source_behind",
    /// The server's binlog has another history than the one delivered:
    /// `RESET BINARY LOGS AND GTIDS`, a restored copy. The connector notices a reset while it
    /// streams within 30 s.
    SourceReset = "source_reset",
    /// The saved binlog file is shorter than it was: a crash with `sync_binlog` other than 1, a
    /// restored copy.
    SourceLostTail = "source_lost_tail",
    /// Without GTIDs a position counts on one server, and this is another one.
    SourceChanged = "source_changed",
    /// GTIDs were turned on or off before everything written under the mode before was read.
    GtidMode = "gtid_mode",
    /// Without GTIDs the source cannot send a binlog file from beyond its first 4 GiB.
    OffsetTooLarge = "offset_too_large",

    // The binlog.
    /// The source cannot read its own binlog there, although its history goes on from the saved
    /// position.
    BinlogUnreadable = "binlog_unreadable",
    /// What the source sent is no event. The connector stops when it comes twice: then it is no
    /// accident of the connection.
    EventUnreadable = "event_unreadable",
    /// The checksum of a binlog event is wrong.
    BinlogChecksumWrong = "binlog_checksum_wrong",
    /// A binlog event is not formed as it must be.
    BinlogMalformed = "binlog_malformed",
    /// Events are missing between two events that came one after the other.
    BinlogGap = "binlog_gap",
    /// Events do not make up a transaction, or a rows event does not go with its table.
    BinlogGroupBroken = "binlog_group_broken",
    /// The server has written that its binlog lost events.
    BinlogIncident = "binlog_incident",
    /// The binlog has a kind of event that this version does not know.
    BinlogEventUnknown = "binlog_event_unknown",
    /// The binlog is of a version or has a checksum that this version does not read.
    BinlogVersionUnsupported = "binlog_version_unsupported",
    /// A compressed transaction cannot be read.
    BinlogPayloadUnreadable = "binlog_payload_unreadable",
    /// Rows of a captured table are logged without full metadata.
    BinlogRowMetadataNotFull = "binlog_row_metadata_not_full",
    /// Rows of a captured table are logged without all columns.
    BinlogRowImageNotFull = "binlog_row_image_not_full",
    /// A change of a captured table is logged as a statement.
    BinlogFormatStatement = "binlog_format_statement",
    /// A statement in the binlog could not be read, so it may have changed a captured table.
    StatementNotUnderstood = "statement_not_understood",
    /// A transaction whose rows are in the binlog ends with ROLLBACK. The connector stops if
    /// consumers have seen a part of it: no server since 8.0 writes that.
    TransactionRolledBack = "transaction_rolled_back",
    /// The first rows of a large transaction are others than those that were delivered.
    TransactionChanged = "transaction_changed",
    /// An XA transaction is committed that was prepared before the connector's first position, in
    /// a binlog that is gone.
    XaPrepareMissed = "xa_prepare_missed",
    /// The binlog with the rows of an XA transaction is gone.
    XaPreparePurged = "xa_prepare_purged",
    /// The binlog has something else where the rows of an XA transaction were.
    XaPrepareDiffers = "xa_prepare_differs",
    /// More XA transactions wait for their outcome than the saved position can hold.
    XaTooManyPending = "xa_too_many_pending",
    /// Two prepared XA transactions have one name, which no server allows.
    XaPreparedTwice = "xa_prepared_twice",

    // Tables and their values.
    /// A TRUNCATE or a dropped partition removed rows without row events.
    RowsRemovedByStatement = "rows_removed_by_statement",
    /// The record of a TRUNCATE has no key, and the topic is compacted.
    TruncateOnCompactedTopic = "truncate_on_compacted_topic",
    /// Another table took a captured name, and `capture.renamed_in` is `halt`.
    TableRenamedIn = "table_renamed_in",
    /// A column that `capture.exclude_columns` leaves out is gone where another one is new.
    ExcludedColumnRenamed = "excluded_column_renamed",
    /// Changes are missing in a table's topic, and `snapshot.mode = "never"` reads nothing
    /// (a warning).
    ChangesMissing = "changes_missing",
    /// A column's type or labels cannot be delivered.
    ColumnTypeUnsupported = "column_type_unsupported",
    /// A text has bytes that its character set does not have.
    TextInvalid = "text_invalid",
    /// The bytes of a value in the binlog are not those of its type.
    ValueInvalid = "value_invalid",
    /// A value is of another type than its table has.
    ValueTypeMismatch = "value_type_mismatch",
    /// A BIGINT UNSIGNED is above 2^63 - 1.
    UnsignedBigintTooLarge = "unsigned_bigint_too_large",
    /// A NOT NULL column holds NULL.
    NullInNotNullColumn = "null_in_not_null_column",
    /// An ENUM holds a number without a label.
    EnumLabelUnknown = "enum_label_unknown",
    /// An ENUM holds the error value '', and the field is an Avro enum.
    EnumErrorValue = "enum_error_value",
    /// A SET holds a bit without a label.
    SetLabelUnknown = "set_label_unknown",
    /// A time is outside the years 0 to 9999.
    TimeOutOfRange = "time_out_of_range",
    /// A TIME is no time of a day, and its field can hold nothing else.
    TimeNotOfDay = "time_not_of_day",
    /// A date does not exist, such as 0000-00-00, and `format.zero_dates` is `halt`.
    ZeroDate = "zero_date",
    /// A POINT column holds another geometry.
    GeometryIsNoPoint = "geometry_is_no_point",
    /// A geometry column holds bytes that are no geometry.
    GeometryMalformed = "geometry_malformed",
    /// A geometry has a SRID above 2^31 - 1.
    SridTooLarge = "srid_too_large",
    /// A geometry has another SRID than its column demands.
    SridUnexpected = "srid_unexpected",
    /// The last number of a VECTOR is cut short.
    VectorCutShort = "vector_cut_short",

    // How tables become records.
    /// The columns, order or types of a table's record key are others than before, or the registry
    /// gives its schema another id.
    KeyChanged = "key_changed",
    /// A table without primary key whose key is not known: its records had another key, and its
    /// rows are from before a change; or the envelope demands one.
    KeyUnknown = "key_unknown",
    /// `capture.message_key_columns` names a column that the table does not have.
    KeyColumnMissing = "key_column_missing",
    /// `capture.message_key_columns` names a column of a table twice.
    KeyColumnTwice = "key_column_twice",
    /// A table has no key, and the envelope `flat` demands one.
    FlatWithoutKey = "flat_without_key",
    /// Two columns of a table would be one field.
    FieldNameClash = "field_name_clash",
    /// Avro forbids a name, and `format.schema_names` is `none`.
    SchemaNameForbidden = "schema_name_forbidden",
    /// Two tables would go to one topic, or to two that Kafka takes for one.
    TopicNameClash = "topic_name_clash",
    /// A topic's name would be longer than Kafka allows.
    TopicNameTooLong = "topic_name_too_long",

    // Reading tables.
    /// The account may not read a table.
    SnapshotDenied = "snapshot_denied",
    /// Tables cannot be read while streaming: the source has no GTIDs, and the account may not
    /// read `performance_schema.log_status`.
    SnapshotNeedsGtids = "snapshot_needs_gtids",
    /// The server refuses a condition in `snapshot.where`.
    SnapshotWhere = "snapshot_where",
    /// A value of a row that was read cannot be delivered.
    SnapshotValue = "snapshot_value",
    /// The binlog and the catalog describe a table differently.
    SnapshotDefinition = "snapshot_definition",
    /// The connection that reads tables leads to another server than the binlog's.
    SnapshotOtherServer = "snapshot_other_server",
    /// The saved record of how far a table is read cannot be understood.
    SnapshotRecordUnreadable = "snapshot_record_unreadable",
    /// A value of a table's key has a type that a key cannot have.
    SnapshotKey = "snapshot_key",
    /// Rows that were kept in memory do not read back.
    SnapshotRows = "snapshot_rows",
    /// A task that reads tables panicked.
    SnapshotReaderGone = "snapshot_reader_gone",

    // The schema registry.
    /// `schema_registry.url` is no address.
    RegistryUrlInvalid = "registry_url_invalid",
    /// A secret of `schema_registry` cannot be read.
    RegistrySecretMissing = "registry_secret_missing",
    /// `schema_registry.ca_file` cannot be used.
    RegistryCaFileUnusable = "registry_ca_file_unusable",
    /// The settings in `schema_registry` make no HTTP client.
    RegistrySettingsInvalid = "registry_settings_invalid",
    /// No TLS connection to the registry can be made.
    RegistryTlsRefused = "registry_tls_refused",
    /// The registry refuses the login.
    RegistryAccessDenied = "registry_access_denied",
    /// What answers at `schema_registry.url` is no registry.
    RegistryPathWrong = "registry_path_wrong",
    /// The registry cannot be reached.
    RegistryUnreachable = "registry_unreachable",
    /// The registry did not answer in time.
    RegistryTimeout = "registry_timeout",
    /// The registry answers that it cannot answer now.
    RegistryUnavailable = "registry_unavailable",
    /// The registry answers with a status that is in no table.
    RegistryErrorUnknown = "registry_error_unknown",
    /// The registry does not know yet the id that it gave.
    RegistryIdUnknown = "registry_id_unknown",
    /// The registry no longer has schemas that records are written with.
    RegistrySchemasLost = "registry_schemas_lost",
    /// The registry gave an id under which it has another schema.
    RegistrySchemaMismatch = "registry_schema_mismatch",
    /// The registry refuses a table's new schema, because it does not go with those before.
    SchemaIncompatible = "schema_incompatible",
    /// The registry does not take a schema at all.
    SchemaRefused = "schema_refused",
    /// A TRUNCATE is to be delivered, and the registry no longer has a schema of the table.
    SchemaIdUnknown = "schema_id_unknown",
    /// Registering a schema takes longer than a Kafka transaction may wait.
    SchemaRegistrationSlow = "schema_registration_slow",

    // Kafka.
    /// A property in `kafka.properties` is refused.
    KafkaPropertiesInvalid = "kafka_properties_invalid",
    /// Kafka refuses the login.
    KafkaLoginRefused = "kafka_login_refused",
    /// No TLS connection to Kafka can be made.
    KafkaTlsFailed = "kafka_tls_failed",
    /// The account may not do something in Kafka.
    KafkaAccessDenied = "kafka_access_denied",
    /// No broker answers.
    KafkaUnreachable = "kafka_unreachable",
    /// A broker names an address at which it cannot be reached.
    KafkaAdvertisedAddressUnreachable = "kafka_advertised_address_unreachable",
    /// Kafka acknowledges nothing.
    KafkaStalled = "kafka_stalled",
    /// The Kafka transaction was lost with a connection, a leader or a coordinator.
    KafkaTransactionLost = "kafka_transaction_lost",
    /// A commit succeeded after trouble, so that a late copy of it could end the next transaction.
    KafkaCommitDoubtful = "kafka_commit_doubtful",
    /// A record counts as delivered, and no broker said where.
    KafkaDeliveryUnproved = "kafka_delivery_unproved",
    /// The broker ended the transaction, or a newer producer has the transactional id.
    KafkaFenced = "kafka_fenced",
    /// An error of Kafka that is in no table.
    KafkaErrorUnknown = "kafka_error_unknown",
    /// A broker refuses a record or a request every time.
    KafkaRequestRefused = "kafka_request_refused",
    /// A topic refuses the time of records, which is the time at which they are sent.
    KafkaTimestampRefused = "kafka_timestamp_refused",
    /// A row's record is larger than its topic or the producer's queue takes.
    KafkaRecordTooLarge = "kafka_record_too_large",
    /// A batch of records is larger than a topic takes.
    KafkaBatchTooLarge = "kafka_batch_too_large",
    /// A record has no key, and its topic is compacted.
    KafkaRecordWithoutKey = "kafka_record_without_key",
    /// A topic does not exist, and Kafka does not create it.
    KafkaTopicRefused = "kafka_topic_refused",
    /// A data topic was deleted, and a row would go there.
    TopicMissing = "topic_missing",
    /// A data topic was deleted and created again.
    TopicRecreated = "topic_recreated",
    /// A partition of a data topic ends before the offset that it had reached.
    TopicLostTail = "topic_lost_tail",
    /// A data topic has another number of partitions.
    TopicPartitionsChanged = "topic_partitions_changed",

    // The state topic and the position.
    /// The state topic has another `cleanup.policy` than `compact`, or more than one partition.
    StateTopicUnsafe = "state_topic_unsafe",
    /// The state topic was deleted.
    StateTopicMissing = "state_topic_missing",
    /// The state topic was deleted and created again under a running connector, which wrote its
    /// position there: the other records are gone.
    StateTopicRecreated = "state_topic_recreated",
    /// The state topic cannot be read.
    StateTopicUnreadable = "state_topic_unreadable",
    /// The broker that was read has less of the state topic than another one has named.
    StateTopicBehind = "state_topic_behind",
    /// Another producer has a transaction open on the state topic, which hides the newest position.
    StateTopicTransactionOpen = "state_topic_transaction_open",
    /// The position was deleted from the state topic.
    PositionMissing = "position_missing",
    /// The state topic has an older position than this process has loaded or committed, or lost
    /// records before the newest one: a broker lost them, or an older copy was restored.
    PositionWentBack = "position_went_back",
    /// A record of the state topic cannot be read.
    PositionUnreadable = "position_unreadable",
    /// A newer version wrote a record of the state topic.
    PositionVersionUnknown = "position_version_unknown",
    /// The state topic belongs to another connector.
    PositionOfAnotherConnector = "position_of_another_connector",
    /// A record of the state topic would be larger than a record may be.
    PositionNotWritable = "position_not_writable",
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Reason;

    #[test]
    fn every_code_is_in_snake_case_and_belongs_to_one_reason() {
        let is_code = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        assert!(Reason::ALL.iter().all(|reason| is_code(reason.name())));
        let names: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
    }

    #[test]
    fn every_reason_says_in_sentences_what_it_means_and_what_to_do() {
        for reason in Reason::ALL {
            for text in [reason.meaning(), reason.remedy()] {
                assert!(text.ends_with('.') && !text.contains(['|', '\n']), "{reason}: {text}");
                assert!(text.starts_with(|c: char| c.is_uppercase() || c == '`'), "{reason}");
            }
        }
    }
}
