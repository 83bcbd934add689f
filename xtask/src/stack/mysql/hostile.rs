//! A server whose settings bend answers: what administrators set for their applications, all of it
//! at once. A client that counts on the usual settings without setting them gets cut tables, old
//! rows and names that do not decode.

use super::MysqlOptions;

/// What the server runs at each start, one statement in a line.
const STATEMENTS: &[&str] = &[
    "SET GLOBAL completion_type = 'RELEASE'",
    "SET GLOBAL autocommit = 0",
    "SET GLOBAL transaction_isolation = 'READ-UNCOMMITTED'",
    "SET GLOBAL sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,IGNORE_SPACE,NO_UNSIGNED_SUBTRACTION,\
     HIGH_NOT_PRECEDENCE,PAD_CHAR_TO_FULL_LENGTH,REAL_AS_FLOAT,NO_BACKSLASH_ESCAPES,\
     TIME_TRUNCATE_FRACTIONAL,STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE'",
    "SET GLOBAL sql_select_limit = 100",
    "SET GLOBAL max_join_size = 10",
    "SET GLOBAL sql_safe_updates = 1",
    "SET GLOBAL sql_auto_is_null = 1",
    "SET GLOBAL sql_buffer_result = 1",
    "SET GLOBAL max_execution_time = 1",
    "SET GLOBAL max_sort_length = 4",
    "SET GLOBAL group_concat_max_len = 4",
    "SET GLOBAL div_precision_increment = 0",
    "SET GLOBAL default_week_format = 7",
    "SET GLOBAL block_encryption_mode = 'aes-256-cbc'",
    "SET GLOBAL windowing_use_high_precision = 0",
    "SET GLOBAL cte_max_recursion_depth = 1",
    "SET GLOBAL range_optimizer_max_mem_size = 1",
    "SET GLOBAL lc_time_names = 'de_DE'",
    "SET GLOBAL lc_messages = 'de_DE'",
    "SET GLOBAL time_zone = '+08:00'",
    "SET GLOBAL sql_quote_show_create = 0",
    "SET GLOBAL show_create_table_verbosity = 1",
    "SET GLOBAL show_gipk_in_create_table_and_information_schema = 0",
    "SET GLOBAL information_schema_stats_expiry = 31536000",
    "SET GLOBAL terminology_use_previous = 'BEFORE_8_0_26'",
    "SET GLOBAL lock_wait_timeout = 1",
    "SET GLOBAL innodb_lock_wait_timeout = 1",
    "SET GLOBAL net_read_timeout = 1",
    "SET GLOBAL net_write_timeout = 1",
    "SET GLOBAL wait_timeout = 1",
    "SET GLOBAL big_tables = 1",
    "SET GLOBAL default_collation_for_utf8mb4 = 'utf8mb4_general_ci'",
    // Not for accounts with CONNECTION_ADMIN, such as root.
    "SET GLOBAL init_connect = 'SET NAMES latin1; SET autocommit = 0, timestamp = 1, \
     show_create_table_skip_secondary_engine = 1; SET use_secondary_engine = FORCED; START \
     TRANSACTION WITH CONSISTENT SNAPSHOT'",
];

/// What a test's own session is like on any server: MySQL's defaults of what is hostile above.
pub const USUAL_SESSION: &str = "SET SESSION completion_type = 'NO_CHAIN', autocommit = 1, \
    transaction_isolation = 'REPEATABLE-READ', sql_mode = 'ONLY_FULL_GROUP_BY,\
    STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,\
    NO_ENGINE_SUBSTITUTION', sql_select_limit = 18446744073709551615, \
    max_join_size = 18446744073709551615, sql_big_selects = 1, sql_safe_updates = 0, \
    sql_auto_is_null = 0, sql_buffer_result = 0, max_execution_time = 0, max_sort_length = 1024, \
    group_concat_max_len = 1024, div_precision_increment = 4, default_week_format = 0, \
    block_encryption_mode = 'aes-128-ecb', windowing_use_high_precision = 1, \
    cte_max_recursion_depth = 1000, range_optimizer_max_mem_size = 8388608, \
    lc_time_names = 'en_US', lc_messages = 'en_US', sql_quote_show_create = 1, \
    show_create_table_verbosity = 0, show_gipk_in_create_table_and_information_schema = 1, \
    information_schema_stats_expiry = 86400, terminology_use_previous = 'NONE', \
    lock_wait_timeout = 31536000, innodb_lock_wait_timeout = 50, net_read_timeout = 30, \
    net_write_timeout = 60, wait_timeout = 28800, big_tables = 0, \
    default_collation_for_utf8mb4 = 'utf8mb4_0900_ai_ci'";

impl MysqlOptions {
    /// A server with settings that bend the answers of a client that counts on the usual ones.
    pub fn hostile() -> Self {
        Self { start_statements: STATEMENTS.join(";\n") + ";\n", ..Self::default() }
    }
}
