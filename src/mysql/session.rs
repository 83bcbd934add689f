//! Sets up every session at the source in the same way, whatever the server's settings are.
//!
//! A session begins with the server's globals, and `init_connect` may change it before the first
//! statement. Administrators set both for their applications: a client character set, a row limit
//! against careless queries, another isolation. Each of these changes answers in silence: a table
//! is cut, an old row is read, a name does not decode. So [`prepare`] sets every variable that can
//! change an answer, on every connection, and reads the values back.
//!
//! The values are MySQL's own defaults; where one is not, a comment says why.
//! `tests/streaming/sessions/mod.rs` reads all session variables of a real server and has a
//! decision on each.

use mysql_async::{Conn, Row, prelude::Queryable as _};

use super::{connection::address, error::MysqlError, query::column};
use crate::config::Mysql;

/// A session variable and the value that it must have.
struct SessionVariable {
    name: &'static str,
    /// As `SET` takes it and as `SELECT` shows it.
    value: &'static str,
    /// The first version of the server that has the variable, as comments for one version have
    /// it; 0 for a variable that each has.
    since: u32,
}

const fn variable(name: &'static str, value: &'static str) -> SessionVariable {
    SessionVariable { name, value, since: 0 }
}

const fn newer(since: u32, name: &'static str, value: &'static str) -> SessionVariable {
    SessionVariable { name, value, since }
}

/// In the order in which they are set: `collation_connection` follows `character_set_connection`,
/// `sql_big_selects` follows `max_join_size`.
const VARIABLES: &[SessionVariable] = &[
    // Transactions: each SELECT sees the newest committed rows, and locks none of them. Nothing
    // is ever written.
    variable("completion_type", "NO_CHAIN"),
    variable("autocommit", "1"),
    variable("transaction_isolation", "REPEATABLE-READ"),
    variable("transaction_read_only", "1"),
    // Text: all that comes is UTF-8.
    variable("character_set_client", "utf8mb4"),
    variable("character_set_connection", "utf8mb4"),
    variable("collation_connection", "utf8mb4_0900_ai_ci"),
    variable("character_set_results", "utf8mb4"),
    // The language: MySQL's own in all but one mode. A chunk may begin behind a date that does not
    // exist, a zero date or 30 February, and a condition on either must not be refused.
    variable("sql_mode", "ALLOW_INVALID_DATES"),
    variable("sql_auto_is_null", "0"),
    variable("div_precision_increment", "4"),
    variable("default_week_format", "0"),
    variable("block_encryption_mode", "aes-128-ecb"),
    variable("windowing_use_high_precision", "1"),
    variable("group_concat_max_len", "1024"),
    variable("lc_time_names", "en_US"),
    // The English text of error 1236 shows its cause.
    variable("lc_messages", "en_US"),
    // TIMESTAMP values come in UTC.
    variable("time_zone", "+00:00"),
    // Limits: an answer is whole, or an error.
    variable("sql_select_limit", "18446744073709551615"),
    variable("max_join_size", "18446744073709551615"),
    variable("sql_big_selects", "1"),
    variable("sql_safe_updates", "0"),
    variable("max_execution_time", "0"),
    variable("sql_buffer_result", "0"),
    variable("cte_max_recursion_depth", "1000"),
    // The largest value. The default, 1024, is less than a key may have: rows that differ behind
    // it would come in any order.
    variable("max_sort_length", "8388608"),
    // Not the default, a 64th of it: the longest keys of a hash index, and columns that a
    // condition of the configuration sorts by, need more. The server takes as much as it uses.
    variable("sort_buffer_size", "16777216"),
    // A range that needs more than this is read as the whole table.
    variable("range_optimizer_max_mem_size", "8388608"),
    // The catalog: as the binlog has the tables.
    variable("sql_quote_show_create", "1"),
    variable("show_create_table_verbosity", "0"),
    newer(80018, "show_create_table_skip_secondary_engine", "0"),
    newer(80030, "show_gipk_in_create_table_and_information_schema", "1"),
    // Not the default, with which sizes are those of up to a day ago: of a table that was just
    // filled, none.
    variable("information_schema_stats_expiry", "0"),
    newer(80026, "terminology_use_previous", "NONE"),
    // A secondary engine follows the tables and may lag.
    newer(80013, "use_secondary_engine", "OFF"),
    // Time: the connector's own limits decide. The server waits for as long as a broker may take
    // to come back, where its default of 60 s would end the binlog stream.
    variable("lock_wait_timeout", "31536000"),
    variable("innodb_lock_wait_timeout", "50"),
    variable("net_read_timeout", "3600"),
    variable("net_write_timeout", "3600"),
    variable("wait_timeout", "28800"),
];

/// Each variable that a session is given, with its value as `SELECT` shows it. Sessions that read
/// tables have another `character_set_results`: NULL.
pub fn session_variables() -> impl Iterator<Item = (&'static str, &'static str)> {
    VARIABLES.iter().map(|variable| (variable.name, variable.value))
}

/// Set and not read back: what they show changes.
const UNREAD: [&str; 1] = ["timestamp = DEFAULT"];

/// Whether values of tables come as they are stored or as UTF-8.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    /// As UTF-8.
    Converted,
    /// In the column's own character set.
    AsStored,
}

/// Makes a new session what it must be, and checks that it is.
pub(super) async fn prepare(
    connection: &mut Conn,
    config: &Mysql,
    text: Text,
) -> Result<(), MysqlError> {
    let failed = |error| MysqlError::while_doing("set up the session at", config, error);
    // `init_connect` may have begun a transaction, whose view of the rows would be an old one.
    connection.query_drop("ROLLBACK AND NO CHAIN NO RELEASE").await.map_err(failed)?;
    connection.query_drop(set_statement(text)).await.map_err(failed)?;
    let row: Option<Row> = connection.query_first(select_statement()).await.map_err(failed)?;
    let row = row.ok_or(MysqlError::Answer { what: "the session's variables" })?;
    for (index, shown) in row.columns_ref().iter().enumerate() {
        let name = shown.name_str();
        let Some(variable) = VARIABLES.iter().find(|variable| variable.name == name) else {
            return Err(MysqlError::Answer { what: "the session's variables" });
        };
        let (found, needed) = (column::<String>(&row, index), variable.needed(text));
        if found.as_deref() != needed {
            return Err(MysqlError::Session {
                address: address(config),
                variable: variable.name,
                found: found.unwrap_or_else(|| "NULL".to_owned()),
                needed: needed.unwrap_or("NULL"),
            });
        }
    }
    Ok(())
}

impl SessionVariable {
    /// The value that it must show; `None` for NULL.
    fn needed(&self, text: Text) -> Option<&'static str> {
        let is_null = text == Text::AsStored && self.name == "character_set_results";
        (!is_null).then_some(self.value)
    }

    fn assignment(&self, text: Text) -> String {
        let name = self.name;
        match self.needed(text) {
            None => format!("{name} = NULL"),
            Some(value) if value.parse::<u64>().is_ok() => format!("{name} = {value}"),
            Some(value) => format!("{name} = '{value}'"),
        }
    }

    /// Behind others, in a comment that older servers leave out.
    fn listed(&self, part: &str) -> String {
        match self.since {
            0 => format!(", {part}"),
            since => format!(" /*!{since:05} , {part} */"),
        }
    }
}

fn set_statement(text: Text) -> String {
    let mut statement = format!("SET SESSION {}", UNREAD.join(", "));
    for variable in VARIABLES {
        statement.push_str(&variable.listed(&variable.assignment(text)));
    }
    statement
}

fn select_statement() -> String {
    let mut statement = String::new();
    for variable in VARIABLES {
        let name = variable.name;
        let part = format!("CAST(@@SESSION.{name} AS CHAR) AS {name}");
        statement.push_str(&variable.listed(&part));
    }
    format!("SELECT {}", statement.trim_start_matches(", "))
}

#[cfg(test)]
mod tests {
    use super::{Text, VARIABLES, select_statement, set_statement};

    #[test]
    fn a_variable_that_older_servers_lack_is_in_a_comment_of_its_version() {
        let set = set_statement(Text::Converted);
        assert!(set.starts_with("SET SESSION timestamp = DEFAULT, completion_type = 'NO_CHAIN'"));
        assert!(set.contains(" /*!80026 , terminology_use_previous = 'NONE' */"), "{set}");
        let select = select_statement();
        assert!(select.starts_with("SELECT CAST(@@SESSION.completion_type AS CHAR) AS "));
        assert!(select.contains(
            " /*!80026 , CAST(@@SESSION.terminology_use_previous AS CHAR) AS \
             terminology_use_previous */"
        ));
        // The text before the first comment is never a comment itself.
        assert_eq!(VARIABLES.first().map(|variable| variable.since), Some(0));
    }

    #[test]
    fn rows_come_in_the_character_set_of_their_columns() {
        let utf8 = "character_set_results = 'utf8mb4'";
        assert!(set_statement(Text::Converted).contains(utf8));
        let stored = set_statement(Text::AsStored);
        assert!(stored.contains("character_set_results = NULL") && !stored.contains(utf8));
    }
}
