//! Each variable that a session of the server has is set by the connector, or is here with the
//! reason why not.

use std::collections::BTreeSet;

use tailwater::mysql::session_variables;
use testkit::Result;

use crate::support::setup::Setup;

/// What decides how long an answer takes, or how much memory; the answer is the same. Of limits
/// that are too small the server tells by an error.
const EFFORT: &[&str] = &[
    "big_tables",
    "bulk_insert_buffer_size",
    "connection_memory_chunk_size",
    "connection_memory_limit",
    "enable_secondary_engine_statistics",
    "eq_range_index_dive_limit",
    "global_connection_memory_tracking",
    "group_replication_consistency",
    "histogram_generation_max_mem_size",
    "innodb_parallel_read_threads",
    "internal_tmp_mem_storage_engine",
    "join_buffer_size",
    "long_query_time",
    "max_heap_table_size",
    "max_length_for_sort_data",
    "max_points_in_geometry",
    "max_seeks_for_key",
    "min_examined_row_limit",
    "myisam_stats_method",
    "net_retry_count",
    "optimizer_max_subgraph_pairs",
    "optimizer_prune_level",
    "optimizer_search_depth",
    "optimizer_switch",
    "parser_max_mem_size",
    "preload_buffer_size",
    "query_alloc_block_size",
    "query_prealloc_size",
    "range_alloc_block_size",
    "read_buffer_size",
    "read_rnd_buffer_size",
    "secondary_engine_cost_threshold",
    "set_operations_buffer_size",
    "tmp_table_size",
    "transaction_alloc_block_size",
    "transaction_prealloc_size",
];

/// What concerns writing and defining, which the connector never does.
const WRITING: &[&str] = &[
    "auto_increment_increment",
    "auto_increment_offset",
    "binlog_direct_non_transactional_updates",
    "binlog_format",
    "binlog_row_image",
    "binlog_row_value_options",
    "binlog_rows_query_log_events",
    "binlog_transaction_compression",
    "binlog_transaction_compression_level_zstd",
    "default_storage_engine",
    "default_table_encryption",
    "default_tmp_storage_engine",
    "enable_cascade_triggers",
    "explicit_defaults_for_timestamp",
    "external_table_secondary_storage_engine",
    "external_table_storage_engine",
    "foreign_key_checks",
    "generated_random_password_length",
    "gtid_next",
    "innodb_ddl_buffer_size",
    "innodb_ddl_threads",
    "innodb_ft_enable_stopword",
    "innodb_ft_user_stopword_table",
    "innodb_strict_mode",
    "innodb_table_locks",
    "innodb_tmpdir",
    "insert_id",
    "keep_files_on_create",
    "low_priority_updates",
    "max_delayed_threads",
    "max_insert_delayed_threads",
    "myisam_sort_buffer_size",
    "old_alter_table",
    "original_commit_timestamp",
    "original_server_version",
    "immediate_server_version",
    "pseudo_replica_mode",
    "pseudo_slave_mode",
    "rbr_exec_mode",
    "require_row_format",
    "restrict_fk_on_non_standard_key",
    "select_into_buffer_size",
    "select_into_disk_sync",
    "select_into_disk_sync_delay",
    "sql_generate_invisible_primary_key",
    "sql_log_bin",
    "sql_require_primary_key",
    "transaction_allow_batching",
    "unique_checks",
    "updatable_views_with_limit",
    "xa_detach_on_prepare",
];

/// What the connector never asks for: other statements, diagnostics, stored programs.
const UNASKED: &[&str] = &[
    "end_markers_in_json",
    "explain_format",
    "explain_json_format_version",
    "interactive_timeout",
    "max_error_count",
    "max_sp_recursion_depth",
    "optimizer_trace",
    "optimizer_trace_features",
    "optimizer_trace_limit",
    "optimizer_trace_max_mem_size",
    "optimizer_trace_offset",
    "print_identified_with_as_hex",
    "profiling",
    "profiling_history_size",
    "rand_seed1",
    "rand_seed2",
    "session_track_gtids",
    "session_track_schema",
    "session_track_state_change",
    "session_track_system_variables",
    "session_track_transaction_info",
    "sql_log_off",
    "sql_notes",
    "sql_warnings",
];

/// What another variable decides before this one is looked at: every text has a character set and
/// a collation, and every table's name its database.
const SETTLED: &[&str] = &[
    "character_set_database",
    "character_set_filesystem",
    "character_set_server",
    "collation_database",
    "collation_server",
    "default_collation_for_utf8mb4",
    // The library does not have the capability without which the server refuses another value.
    "resultset_metadata",
];

/// What is no setting but says how things are; `timestamp` is set, and shows the time.
const FACTS: &[&str] = &[
    "error_count",
    "external_user",
    "gtid_owned",
    "identity",
    "last_insert_id",
    "max_allowed_packet",
    "max_user_connections",
    "net_buffer_length",
    "proxy_user",
    "pseudo_thread_id",
    "statement_id",
    "timestamp",
    "warning_count",
];

#[test]
fn each_variable_of_a_session_is_set_or_left_alone_for_a_reason() -> Result<()> {
    let mut setup = Setup::new("variables")?;
    let rows = setup.database.texts(
        "SELECT variable_name FROM performance_schema.variables_by_thread
         JOIN performance_schema.threads USING (thread_id)
         WHERE processlist_id = CONNECTION_ID()",
    )?;
    let names = rows.into_iter().flatten().flatten().map(|name| Ok(String::from_utf8(name)?));
    let names = names.collect::<Result<BTreeSet<String>>>()?;
    assert!(names.len() > 150, "only {} variables", names.len());
    let set = session_variables().map(|(name, _)| name);
    let left = [EFFORT, WRITING, UNASKED, SETTLED, FACTS].concat();
    let decided: BTreeSet<&str> = set.chain(left).collect();
    let undecided: Vec<_> = names.iter().filter(|name| !decided.contains(name.as_str())).collect();
    assert!(undecided.is_empty(), "can they bend an answer? {undecided:?}");
    Ok(())
}
