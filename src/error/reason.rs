//! The reason codes: one name for each kind of trouble, for alerts, metrics and documentation.
//!
//! A code never changes its name or its meaning, because dashboards and alerts depend on it.
//! `docs/OPERATING.md` has the table of all codes, and `tests/docs/error_page.rs` compares the
//! table with this file and with `remedy`.

/// The comment of a variant is its text in `docs/OPERATING.md`.
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
    /// A secret is in the configuration file as text.
    SecretInFile = "secret_in_file",
    /// The admin server cannot listen on `admin.listen`.
    AdminListen = "admin_listen",
    /// A name in the configuration matches nothing on the source, and the data that it should leave
    /// out would be delivered.
    NameMatchesNothing = "name_matches_nothing",
    /// Another instance of the same connector name has taken over.
    Fenced = "fenced",
    /// The process was stopped, and finishing the work in progress took longer than
    /// `delivery.drain_timeout_ms`.
    DrainTimeout = "drain_timeout",
    /// The process was stopped while it waited for Kafka.
    Stopped = "stopped",
    /// The operating system has no further thread for the process.
    NoThread = "no_thread",
    /// The operating system has no further thread for librdkafka.
    KafkaThreadMissing = "kafka_thread_missing",
    /// The asynchronous runtime does not start.
    Runtime = "runtime",
    /// A thread of the connector panicked.
    Panic = "panic",
    /// The plan for the records of a table is missing.
    PlanMissing = "plan_missing",
    /// `tailwater tail` cannot write what it shows.
    OutputNotWritable = "output_not_writable",
    /// No connector answers at the address of the admin server.
    AdminUnreachable = "admin_unreachable",
    /// The connector does not accept the token of the command.
    AdminRefused = "admin_refused",
    /// The address of the admin server belongs to another program.
    AdminUnknown = "admin_unknown",
    /// The HTTP client of the command cannot be made.
    AdminClient = "admin_client",
    /// The connector refused a request of `tailwater snapshot`, or could not read the table.
    OrderRefused = "order_refused",
    /// The command names a table that does not exist or is not captured.
    NotCaptured = "not_captured",
    /// `tailwater position skip` cannot skip that event; nothing was changed.
    SkipRefused = "skip_refused",
    /// The same skip is already requested; nothing was changed.
    SkipRequested = "skip_requested",
    /// `tailwater position set` cannot set that position; nothing was changed.
    PositionRefused = "position_refused",
    /// An instance of the connector runs, so the command changed nothing.
    InstanceRuns = "instance_runs",
    /// The file is none that `tailwater state export` wrote, or cannot be read or written.
    StateFileUnusable = "state_file_unusable",

    // The source: login, rights and settings.
    /// MySQL refuses the login.
    MysqlAccessDenied = "mysql_access_denied",
    /// MySQL refuses connections from this host.
    MysqlHostRefused = "mysql_host_refused",
    /// TLS to MySQL fails or is refused.
    MysqlTls = "mysql_tls",
    /// The account lacks a privilege.
    MysqlGrants = "mysql_grants",
    /// A database that `capture.tables` names does not exist, or the account may not see it.
    MysqlDatabaseInvisible = "mysql_database_invisible",
    /// A captured table exists, or may exist, and the account may not read it.
    MysqlTableInvisible = "mysql_table_invisible",
    /// The account may do more than a connector needs.
    PrivilegesExcessive = "privileges_excessive",
    /// The source keeps its binlogs for so short that a connector that is stopped for a day may not
    /// continue.
    BinlogRetentionShort = "binlog_retention_short",
    /// A server variable has a value that cannot work.
    MysqlSetting = "mysql_setting",
    /// A session variable does not keep the value that the connector set.
    MysqlSession = "mysql_session",
    /// The binlog leaves out a captured database.
    DatabaseNotLogged = "database_not_logged",
    /// Foreign keys of captured tables change rows without row events.
    CascadesNotLogged = "cascades_not_logged",
    /// MySQL may log wrong values of a captured column.
    ColumnMislogged = "column_mislogged",

    // The source: connections.
    /// MySQL does not answer.
    MysqlUnreachable = "mysql_unreachable",
    /// A connection to MySQL was lost or went silent.
    MysqlConnectionLost = "mysql_connection_lost",
    /// MySQL is in offline mode.
    MysqlOffline = "mysql_offline",
    /// MySQL has no connection left for this account, or for any account.
    MysqlLimit = "mysql_limit",
    /// MySQL has no memory, thread or disk left.
    MysqlResources = "mysql_resources",
    /// A lock, group replication, or an option or limit of the server is in the way for the moment.
    MysqlBusy = "mysql_busy",
    /// The address of MySQL leads to another server than a moment ago.
    MysqlServerChanged = "mysql_server_changed",
    /// MySQL reports an error that the connector does not know.
    MysqlError = "mysql_error",
    /// MySQL's client library reports an error that the connector does not know.
    MysqlClient = "mysql_client",
    /// MySQL's answer cannot be read: no MySQL server answers like that.
    MysqlAnswer = "mysql_answer",
    /// A table's definition cannot be read.
    CatalogUnreadable = "catalog_unreadable",
    /// Another client reads the binlog with the same server id.
    ServerIdTaken = "server_id_taken",
    /// The task that reads the binlog ended without an error.
    ReaderGone = "reader_gone",
    /// A GTID set cannot be sent to the server.
    GtidSet = "gtid_set",

    // The source: where the position is.
    /// The source has purged binlogs that were not read.
    PositionPurged = "position_purged",
    /// The server lacks transactions that were delivered: it is the wrong server, or a fail-over
    /// lost them.
    SourceDiverged = "source_diverged",
    /// The server is a replica that has not yet applied transactions that were delivered.
    SourceBehind = "source_behind",
    /// The server's binlog has another history than the delivered one, after
    /// `RESET BINARY LOGS AND GTIDS` or because it is a restored copy. While it streams, the
    /// connector notices a reset within 30 s.
    SourceReset = "source_reset",
    /// The saved binlog file is shorter than it was, after a crash with `sync_binlog` other than 1
    /// or because the server is a restored copy.
    SourceLostTail = "source_lost_tail",
    /// Without GTIDs a position is valid on one server only, and this is another server.
    SourceChanged = "source_changed",
    /// GTIDs were turned on or off before the connector had read everything written in the earlier
    /// mode.
    GtidMode = "gtid_mode",
    /// The position is beyond the first 4 GiB of a binlog file; without GTIDs the source cannot
    /// send the file from there.
    OffsetTooLarge = "offset_too_large",

    // The binlog.
    /// The source cannot read its own binlog at the saved position, although its history continues
    /// from there.
    BinlogUnreadable = "binlog_unreadable",
    /// The source sent bytes that are no event. The connector halts when they come twice: then the
    /// connection is not the cause.
    EventUnreadable = "event_unreadable",
    /// The checksum of a binlog event is wrong.
    BinlogChecksumWrong = "binlog_checksum_wrong",
    /// A binlog event is malformed.
    BinlogMalformed = "binlog_malformed",
    /// Events are missing between two binlog events.
    BinlogGap = "binlog_gap",
    /// Binlog events do not form a transaction, or a rows event does not fit its table.
    BinlogGroupBroken = "binlog_group_broken",
    /// The server has written into its binlog that events are lost.
    BinlogIncident = "binlog_incident",
    /// The binlog has an event type that this version does not know.
    BinlogEventUnknown = "binlog_event_unknown",
    /// The binlog has a format version or a checksum algorithm that this version does not read.
    BinlogVersionUnsupported = "binlog_version_unsupported",
    /// A compressed transaction cannot be read.
    BinlogPayloadUnreadable = "binlog_payload_unreadable",
    /// Rows of a captured table are logged without full metadata.
    BinlogRowMetadataNotFull = "binlog_row_metadata_not_full",
    /// Rows of a captured table are logged without all columns.
    BinlogRowImageNotFull = "binlog_row_image_not_full",
    /// A change of a captured table is logged as a statement.
    BinlogFormatStatement = "binlog_format_statement",
    /// A statement in the binlog was not understood, so it may have changed a captured table.
    StatementNotUnderstood = "statement_not_understood",
    /// A transaction whose rows are in the binlog ends with ROLLBACK. The connector halts if
    /// consumers have seen a part of it; no server since 8.0 writes that.
    TransactionRolledBack = "transaction_rolled_back",
    /// The first rows of a large transaction differ from those that were delivered.
    TransactionChanged = "transaction_changed",
    /// A committed XA transaction was prepared before the connector's first position, in a binlog
    /// that is gone.
    XaPrepareMissed = "xa_prepare_missed",
    /// The binlog with the rows of an XA transaction is gone.
    XaPreparePurged = "xa_prepare_purged",
    /// The binlog has other events at the place where the rows of an XA transaction were.
    XaPrepareDiffers = "xa_prepare_differs",
    /// More prepared XA transactions wait for their outcome than the saved position can hold.
    XaTooManyPending = "xa_too_many_pending",
    /// Two prepared XA transactions have the same name, which no server allows.
    XaPreparedTwice = "xa_prepared_twice",

    // Tables and their values.
    /// A TRUNCATE or a dropped partition removed rows without row events.
    RowsRemovedByStatement = "rows_removed_by_statement",
    /// The record of a TRUNCATE has no key, and the topic is compacted.
    TruncateOnCompactedTopic = "truncate_on_compacted_topic",
    /// Another table took a captured name, and `capture.renamed_in` is `halt`.
    TableRenamedIn = "table_renamed_in",
    /// A column that `capture.exclude_columns` leaves out is gone, and a new column may be the same
    /// one renamed.
    ExcludedColumnRenamed = "excluded_column_renamed",
    /// A table's topic lacks changes, and `snapshot.mode = "never"` does not read the table (a
    /// warning).
    ChangesMissing = "changes_missing",
    /// A column's type or labels cannot be delivered.
    ColumnTypeUnsupported = "column_type_unsupported",
    /// A text has bytes that are invalid in its character set.
    TextInvalid = "text_invalid",
    /// The bytes of a value in the binlog are invalid for its type.
    ValueInvalid = "value_invalid",
    /// A value has another type than its column.
    ValueTypeMismatch = "value_type_mismatch",
    /// A BIGINT UNSIGNED is above 2^63 - 1.
    UnsignedBigintTooLarge = "unsigned_bigint_too_large",
    /// A NOT NULL column holds NULL.
    NullInNotNullColumn = "null_in_not_null_column",
    /// An ENUM holds a number that has no label.
    EnumLabelUnknown = "enum_label_unknown",
    /// An ENUM holds the error value '', which the Avro enum of its field does not have.
    EnumErrorValue = "enum_error_value",
    /// A SET holds a bit that has no label.
    SetLabelUnknown = "set_label_unknown",
    /// A time is outside the years 0 to 9999.
    TimeOutOfRange = "time_out_of_range",
    /// A TIME is outside of a day, and its field can hold only times of a day.
    TimeNotOfDay = "time_not_of_day",
    /// A date such as 0000-00-00 does not exist, and `format.zero_dates` is `halt`.
    ZeroDate = "zero_date",
    /// A POINT column holds another geometry.
    GeometryIsNoPoint = "geometry_is_no_point",
    /// A geometry column holds bytes that are no geometry.
    GeometryMalformed = "geometry_malformed",
    /// A geometry has an SRID above 2^31 - 1.
    SridTooLarge = "srid_too_large",
    /// A geometry has another SRID than its column requires.
    SridUnexpected = "srid_unexpected",
    /// The last number of a VECTOR is cut short.
    VectorCutShort = "vector_cut_short",

    // How tables become records.
    /// The record key of a table has other columns, another order or other types than before, or
    /// the registry gives its schema another id.
    KeyChanged = "key_changed",
    /// The key of a table without a primary key is unknown: its rows are from before a change of
    /// the table, and its records had another key or the envelope requires one.
    KeyUnknown = "key_unknown",
    /// `capture.message_key_columns` names a column that the table does not have.
    KeyColumnMissing = "key_column_missing",
    /// `capture.message_key_columns` names a column of a table twice.
    KeyColumnTwice = "key_column_twice",
    /// A table has no key, and the envelope `flat` requires one.
    FlatWithoutKey = "flat_without_key",
    /// Two columns of a table would have the same field name.
    FieldNameClash = "field_name_clash",
    /// Avro forbids a name, and `format.schema_names` is `none`.
    SchemaNameForbidden = "schema_name_forbidden",
    /// Two tables would have the same topic, or two topics that Kafka treats as one.
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
    /// The saved snapshot progress of a table cannot be read.
    SnapshotRecordUnreadable = "snapshot_record_unreadable",
    /// A value of a table's key has a type that a key cannot have.
    SnapshotKey = "snapshot_key",
    /// Snapshot rows that were kept in memory cannot be read back.
    SnapshotRows = "snapshot_rows",
    /// A task that reads tables panicked.
    SnapshotReaderGone = "snapshot_reader_gone",

    // The schema registry.
    /// `schema_registry.url` is not a URL.
    RegistryUrlInvalid = "registry_url_invalid",
    /// A secret of `schema_registry` cannot be read.
    RegistrySecretMissing = "registry_secret_missing",
    /// `schema_registry.ca_file` cannot be used.
    RegistryCaFileUnusable = "registry_ca_file_unusable",
    /// No HTTP client can be made with the settings in `schema_registry`.
    RegistrySettingsInvalid = "registry_settings_invalid",
    /// No TLS connection to the registry can be made.
    RegistryTlsRefused = "registry_tls_refused",
    /// The registry refuses the login.
    RegistryAccessDenied = "registry_access_denied",
    /// The server at `schema_registry.url` is not a schema registry.
    RegistryPathWrong = "registry_path_wrong",
    /// The registry cannot be reached.
    RegistryUnreachable = "registry_unreachable",
    /// The registry did not answer in time.
    RegistryTimeout = "registry_timeout",
    /// The registry reports that it is unavailable.
    RegistryUnavailable = "registry_unavailable",
    /// The registry answers with a status that the connector does not know.
    RegistryErrorUnknown = "registry_error_unknown",
    /// The registry does not yet know a schema id that it gave.
    RegistryIdUnknown = "registry_id_unknown",
    /// The registry has lost schemas that records refer to.
    RegistrySchemasLost = "registry_schemas_lost",
    /// The registry gave an id under which it has another schema.
    RegistrySchemaMismatch = "registry_schema_mismatch",
    /// The registry refuses a table's new schema, because it is incompatible with earlier ones.
    SchemaIncompatible = "schema_incompatible",
    /// The registry refuses a schema for another reason than compatibility.
    SchemaRefused = "schema_refused",
    /// The connector has to deliver a TRUNCATE, and the registry no longer has the table's schema.
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
    /// A commit succeeded after a failed request, so a late copy of that request could end the next
    /// transaction.
    KafkaCommitDoubtful = "kafka_commit_doubtful",
    /// A record counts as delivered in librdkafka, but no broker has given its offset.
    KafkaDeliveryUnproved = "kafka_delivery_unproved",
    /// The broker ended the transaction, or a newer producer has the transactional id.
    KafkaFenced = "kafka_fenced",
    /// Kafka reports an error that the connector does not know.
    KafkaErrorUnknown = "kafka_error_unknown",
    /// A broker refuses a record or a request every time.
    KafkaRequestRefused = "kafka_request_refused",
    /// A topic refuses the timestamp of records, which is the time at which they are sent.
    KafkaTimestampRefused = "kafka_timestamp_refused",
    /// The record of a row is larger than its topic or the producer's queue accepts.
    KafkaRecordTooLarge = "kafka_record_too_large",
    /// A batch of records is larger than a topic accepts.
    KafkaBatchTooLarge = "kafka_batch_too_large",
    /// A record has no key, and its topic is compacted.
    KafkaRecordWithoutKey = "kafka_record_without_key",
    /// A captured table has no key, so its records have none.
    TableWithoutKey = "table_without_key",
    /// A topic has settings with which consumers may miss records.
    TopicSettings = "topic_settings",
    /// A topic does not exist, and Kafka does not create it.
    KafkaTopicRefused = "kafka_topic_refused",
    /// A data topic was deleted, and there is a row to deliver to it.
    TopicMissing = "topic_missing",
    /// A data topic was deleted and created again.
    TopicRecreated = "topic_recreated",
    /// A partition of a data topic ends before the offset that it had reached earlier.
    TopicLostTail = "topic_lost_tail",
    /// A data topic has another number of partitions than before.
    TopicPartitionsChanged = "topic_partitions_changed",

    // The state topic and the position.
    /// The state topic has another `cleanup.policy` than `compact`, or more than one partition.
    StateTopicUnsafe = "state_topic_unsafe",
    /// The state topic was deleted.
    StateTopicMissing = "state_topic_missing",
    /// The state topic was deleted and created again while the connector ran. The connector wrote
    /// its position to the new topic; all other records are gone.
    StateTopicRecreated = "state_topic_recreated",
    /// The state topic cannot be read.
    StateTopicUnreadable = "state_topic_unreadable",
    /// The broker that answered has less of the state topic than another broker has reported.
    StateTopicBehind = "state_topic_behind",
    /// An open transaction of another producer on the state topic hides the newest position.
    StateTopicTransactionOpen = "state_topic_transaction_open",
    /// The position was deleted from the state topic.
    PositionMissing = "position_missing",
    /// The state topic has an older position than this process has loaded or committed, or it lacks
    /// records before the newest one: a broker lost records, or an older copy was restored.
    PositionWentBack = "position_went_back",
    /// A record of the state topic cannot be read.
    PositionUnreadable = "position_unreadable",
    /// A newer version of Tailwater wrote a record of the state topic.
    PositionVersionUnknown = "position_version_unknown",
    /// The state topic belongs to another connector.
    PositionOfAnotherConnector = "position_of_another_connector",
    /// A record of the state topic would be larger than the limit.
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
