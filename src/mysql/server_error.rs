//! What the errors of a MySQL server mean for a connector: one table, by error number.
//!
//! A server has thousands of errors, most of them about statements that the connector never sends.
//! The table has those that a client which logs in and reads can meet, with the one question that
//! counts: does the error pass by itself? If it passes, the connector retries for as long as it
//! lasts. If a person must fix it, the process ends. An error that is not in the table can be
//! either, so the connector retries for a bounded time (`pipeline/recovery.rs`).
//!
//! `docs/OPERATING.md` has the table too, and `tests/docs/error_page.rs` compares the two.

use crate::error::{Reason, Verdict};

/// What an error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The connection is over; another one can be made.
    ConnectionLost,
    /// A proxy answered that reaches no server.
    NoServerBehind,
    /// The server has been taken out of service.
    Offline,
    /// The server has no connection or query left for this account, or for any account.
    Limit,
    /// The server has no memory, thread or disk left.
    Resources,
    /// A lock, group replication, or an option or limit of the server is in the way for the moment.
    Busy,
    /// The account or how it logs in must be changed.
    Login,
    /// The server refuses connections from this host.
    Host,
    /// A privilege is missing.
    Grants,
    /// A variable of the server must be changed.
    Setting,
    /// Error 1236 has many causes; only its text distinguishes them.
    ByText,
}

/// An error of the server.
#[derive(Clone, Copy, Debug)]
pub struct ServerError {
    /// Its number.
    pub code: u16,
    /// Its name in the server's manual; for a client error that a proxy forwards, in the client's
    /// manual.
    pub name: &'static str,
    /// What happened.
    pub meaning: &'static str,
    /// What it means for the connector.
    pub class: Class,
}

impl Class {
    /// What the connector does, and the reason code; `None` if the text of the error decides.
    pub fn verdict(self) -> Option<(Verdict, Reason)> {
        Some(match self {
            Self::ConnectionLost => (Verdict::Recycle, Reason::MysqlConnectionLost),
            Self::NoServerBehind => (Verdict::Recycle, Reason::MysqlUnreachable),
            Self::Offline => (Verdict::Recycle, Reason::MysqlOffline),
            Self::Limit => (Verdict::Recycle, Reason::MysqlLimit),
            Self::Resources => (Verdict::Recycle, Reason::MysqlResources),
            Self::Busy => (Verdict::Recycle, Reason::MysqlBusy),
            Self::Login => (Verdict::Config, Reason::MysqlAccessDenied),
            Self::Host => (Verdict::Config, Reason::MysqlHostRefused),
            Self::Grants => (Verdict::Halt, Reason::MysqlGrants),
            Self::Setting => (Verdict::Config, Reason::MysqlSetting),
            Self::ByText => return None,
        })
    }
}

const fn row(code: u16, name: &'static str, class: Class, meaning: &'static str) -> ServerError {
    ServerError { code, name, meaning, class }
}

/// In the order of their numbers.
pub const SERVER_ERRORS: &[ServerError] = &{
    use Class::{
        Busy, ByText, ConnectionLost, Grants, Host, Limit, Login, NoServerBehind, Offline,
        Resources, Setting,
    };
    [
        row(1021, "ER_DISK_FULL", Resources, "a disk is full"),
        row(1037, "ER_OUTOFMEMORY", Resources, "no memory"),
        row(1038, "ER_OUT_OF_SORTMEMORY", Resources, "`sort_buffer_size` is too small for a row"),
        row(1040, "ER_CON_COUNT_ERROR", Limit, "`max_connections` are open"),
        row(1041, "ER_OUT_OF_RESOURCES", Resources, "no memory"),
        row(1043, "ER_HANDSHAKE_ERROR", ConnectionLost, "the handshake was cut"),
        row(1044, "ER_DBACCESS_DENIED_ERROR", Grants, "no privilege on a database"),
        row(1045, "ER_ACCESS_DENIED_ERROR", Login, "wrong account or password, or `REQUIRE SSL`"),
        row(1053, "ER_SERVER_SHUTDOWN", ConnectionLost, "the server stops"),
        row(1079, "ER_SHUTDOWN_COMPLETE", ConnectionLost, "the server has stopped"),
        row(1080, "ER_FORCING_CLOSE", ConnectionLost, "the server closes the connection"),
        row(1104, "ER_TOO_BIG_SELECT", Setting, "`max_join_size` is less than a table has rows"),
        row(1114, "ER_RECORD_FILE_FULL", Resources, "a temporary table has no room"),
        row(1129, "ER_HOST_IS_BLOCKED", Host, "too many connections from this host were cut"),
        row(1130, "ER_HOST_NOT_PRIVILEGED", Host, "no account for this host"),
        row(1135, "ER_CANT_CREATE_THREAD", Resources, "no thread for the connection"),
        row(1152, "ER_ABORTING_CONNECTION", ConnectionLost, "the connection was aborted"),
        row(1153, "ER_NET_PACKET_TOO_LARGE", ConnectionLost, "a packet was too large"),
        row(1154, "ER_NET_READ_ERROR_FROM_PIPE", ConnectionLost, "a network error"),
        row(1155, "ER_NET_FCNTL_ERROR", ConnectionLost, "a network error"),
        row(1156, "ER_NET_PACKETS_OUT_OF_ORDER", ConnectionLost, "a network error"),
        row(1157, "ER_NET_UNCOMPRESS_ERROR", ConnectionLost, "a network error"),
        row(1158, "ER_NET_READ_ERROR", ConnectionLost, "a network error"),
        row(1159, "ER_NET_READ_INTERRUPTED", ConnectionLost, "the server waited too long for us"),
        row(1160, "ER_NET_ERROR_ON_WRITE", ConnectionLost, "a network error"),
        row(1161, "ER_NET_WRITE_INTERRUPTED", ConnectionLost, "the server waited too long for us"),
        row(1184, "ER_NEW_ABORTING_CONNECTION", ConnectionLost, "`init_connect` has failed"),
        row(1203, "ER_TOO_MANY_USER_CONNECTIONS", Limit, "`max_user_connections` are open"),
        row(1205, "ER_LOCK_WAIT_TIMEOUT", Busy, "a table is locked"),
        row(1206, "ER_LOCK_TABLE_FULL", Resources, "no memory for locks"),
        row(1213, "ER_LOCK_DEADLOCK", Busy, "a deadlock"),
        row(1226, "ER_USER_LIMIT_REACHED", Limit, "the account has used up one of its limits"),
        row(1227, "ER_SPECIFIC_ACCESS_DENIED_ERROR", Grants, "a privilege is missing"),
        row(1236, "ER_SOURCE_FATAL_ERROR_READING_BINLOG", ByText, "the binlog cannot be sent"),
        row(1251, "ER_NOT_SUPPORTED_AUTH_MODE", Login, "the account uses an old authentication"),
        row(1290, "ER_OPTION_PREVENTS_STATEMENT", Busy, "an option such as `read_only` refuses"),
        row(1317, "ER_QUERY_INTERRUPTED", ConnectionLost, "the query was ended by `KILL`"),
        row(1524, "ER_PLUGIN_IS_NOT_LOADED", Login, "the account's plugin is not loaded"),
        row(1689, "ER_LOCK_ABORTED", Busy, "another statement has precedence"),
        row(1698, "ER_ACCESS_DENIED_NO_PASSWORD_ERROR", Login, "the account takes no password"),
        row(1792, "ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION", Busy, "read only"),
        row(1820, "ER_MUST_CHANGE_PASSWORD", Login, "the password has expired"),
        row(1836, "ER_READ_ONLY_MODE", Busy, "the server is read only for the moment"),
        row(1862, "ER_MUST_CHANGE_PASSWORD_LOGIN", Login, "the password has expired"),
        row(2002, "CR_CONNECTION_ERROR", NoServerBehind, "a proxy reaches no server"),
        row(2003, "CR_CONN_HOST_ERROR", NoServerBehind, "a proxy reaches no server"),
        row(2005, "CR_UNKNOWN_HOST", NoServerBehind, "a proxy reaches no server"),
        row(2006, "CR_SERVER_GONE_ERROR", ConnectionLost, "a proxy lost its server"),
        row(2013, "CR_SERVER_LOST", ConnectionLost, "a proxy lost its server"),
        row(2055, "CR_SERVER_LOST_EXTENDED", ConnectionLost, "a proxy lost its server"),
        row(3015, "ER_ENGINE_OUT_OF_MEMORY", Resources, "no memory"),
        row(3024, "ER_QUERY_TIMEOUT", Busy, "`max_execution_time` is over"),
        row(3032, "ER_SERVER_OFFLINE_MODE", Offline, "`offline_mode` is on"),
        row(3100, "ER_RUN_HOOK_ERROR", Busy, "group replication refuses for the moment"),
        row(3101, "ER_TRANSACTION_ROLLBACK_DURING_COMMIT", Busy, "group replication, likewise"),
        row(3118, "ER_ACCOUNT_HAS_BEEN_LOCKED", Login, "the account is locked"),
        row(3159, "ER_SECURE_TRANSPORT_REQUIRED", Login, "`require_secure_transport` is on"),
        row(3168, "ER_SERVER_ISNT_AVAILABLE", Offline, "the server starts or stops"),
        row(3169, "ER_SESSION_WAS_KILLED", ConnectionLost, "the session was ended by `KILL`"),
        row(3781, "ER_GR_HOLD_WAIT_TIMEOUT", Busy, "a new primary still applies"),
        row(3782, "ER_GR_HOLD_KILLED", Busy, "a new primary still applies"),
        row(3783, "ER_GR_HOLD_MEMBER_STATUS_ERROR", Busy, "the member has left its group"),
        row(3796, "ER_GRP_TRX_CONSISTENCY_NOT_ALLOWED", Busy, "the member recovers"),
        row(3797, "ER_GRP_TRX_CONSISTENCY_BEFORE", Busy, "the member is behind its group"),
        row(3798, "ER_GRP_TRX_CONSISTENCY_AFTER_ON_TRX_BEGIN", Busy, "the member is behind"),
        row(3799, "ER_GRP_TRX_CONSISTENCY_BEGIN_NOT_ALLOWED", Busy, "the member recovers"),
        row(
            3955,
            "ER_USER_ACCESS_DENIED_FOR_USER_ACCOUNT_BLOCKED_BY_PASSWORD_LOCK",
            Login,
            "too many wrong passwords have locked the account",
        ),
        row(3985, "ER_MDL_OUT_OF_RESOURCES", Resources, "no memory for locks"),
        row(4031, "ER_CLIENT_INTERACTION_TIMEOUT", ConnectionLost, "`wait_timeout` is over"),
        row(4081, "ER_DA_GLOBAL_CONN_LIMIT", Resources, "`global_connection_memory_limit`"),
        row(4082, "ER_DA_CONN_LIMIT", Resources, "`connection_memory_limit`"),
        row(6400, "ER_SERVER_OFFLINE_MODE_REASON", Offline, "`offline_mode` is on"),
        row(9001, "ProxySQL", NoServerBehind, "the proxy reaches no server"),
        row(9002, "ProxySQL", NoServerBehind, "the proxy reaches no server"),
        row(9003, "ProxySQL", NoServerBehind, "the proxy reaches no server"),
        row(9004, "ProxySQL", NoServerBehind, "the proxy reaches no server"),
        row(9005, "ProxySQL", NoServerBehind, "the proxy reaches no server"),
    ]
};

/// The row of an error, if it is in the table.
pub(super) fn server_error(code: u16) -> Option<&'static ServerError> {
    SERVER_ERRORS.iter().find(|error| error.code == code)
}

/// Whether an error is about the server or the account, and not about a statement.
pub fn is_about_the_server(code: u16) -> bool {
    server_error(code).is_some()
}

/// The account of a login, and its encryption.
pub(super) struct Login<'a> {
    /// The account.
    pub(super) user: &'a str,
    /// Whether TLS was used, and with a certificate of the client's.
    pub(super) tls: Transport,
}

/// How a connection is encrypted, which an account's REQUIRE clause checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Without TLS.
    Plain,
    /// With TLS, without a certificate of the client's.
    Encrypted,
    /// With TLS and a certificate of the client's.
    Identified,
}

/// How to fix it, with the statement to run where there is one.
pub(super) fn hint(code: u16, message: &str, login: &Login<'_>) -> String {
    let user = login.user;
    match server_error(code).map(|error| error.class) {
        Some(Class::NoServerBehind) => {
            "At mysql.host and mysql.port a proxy answers that reaches no server: check its log \
             and the servers behind it."
                .to_owned()
        }
        Some(Class::Offline) => "The connector continues when the server accepts connections \
                                 again. To end the offline mode, run: SET GLOBAL offline_mode = \
                                 OFF;"
            .to_owned(),
        Some(Class::Resources) => "The connector continues when the server has resources \
                                   again; the server's error log says what it lacks."
            .to_owned(),
        Some(Class::Limit) => limit_hint(code, message, user),
        Some(Class::Grants) => grants_hint(user),
        Some(Class::Setting) => "Run: SET PERSIST max_join_size = 18446744073709551615;".to_owned(),
        Some(Class::Host) if code == 1129 => {
            "Run: TRUNCATE TABLE performance_schema.host_cache; and find out what interrupts \
             connections from this host."
                .to_owned()
        }
        Some(Class::Host) => format!(
            "The account exists for other hosts only. Run: CREATE USER '{user}'@'%' IDENTIFIED BY \
             'the password'; and grant it the privileges of the other one."
        ),
        Some(Class::Login) => login_hint(code, login),
        Some(Class::ConnectionLost | Class::Busy | Class::ByText) | None => String::new(),
    }
}

fn login_hint(code: u16, login: &Login<'_>) -> String {
    let user = login.user;
    match code {
        // ER_SECURE_TRANSPORT_REQUIRED
        3159 => "The server takes encrypted connections only: set mysql.tls to required, or to \
                 verify_ca with mysql.ca_file."
            .to_owned(),
        // ER_MUST_CHANGE_PASSWORD, ER_MUST_CHANGE_PASSWORD_LOGIN
        1820 | 1862 => format!(
            "The password has expired. Run: ALTER USER '{user}'@'%' IDENTIFIED BY 'new password' \
             PASSWORD EXPIRE NEVER; and put it where mysql.password says."
        ),
        // ER_ACCOUNT_HAS_BEEN_LOCKED, …_BLOCKED_BY_PASSWORD_LOCK
        3118 | 3955 => {
            format!("The account is locked. Run: ALTER USER '{user}'@'%' ACCOUNT UNLOCK;")
        }
        // ER_NOT_SUPPORTED_AUTH_MODE, ER_PLUGIN_IS_NOT_LOADED, ER_ACCESS_DENIED_NO_PASSWORD_ERROR
        1251 | 1524 | 1698 => format!(
            "The account cannot log in with a password by that plugin. Run: ALTER USER \
             '{user}'@'%' IDENTIFIED WITH caching_sha2_password BY 'new password'; and put it \
             where mysql.password says."
        ),
        _ => match login.tls {
            Transport::Plain => format!(
                "Check mysql.user and mysql.password. An account that requires TLS is refused in \
                 the same words, and mysql.tls is disabled: set it to required, or run: ALTER \
                 USER '{user}'@'%' REQUIRE NONE;"
            ),
            Transport::Encrypted => format!(
                "Check mysql.user and mysql.password. An account that requires a certificate \
                 (REQUIRE X509) is refused in the same words: set mysql.cert_file and \
                 mysql.key_file, or run: ALTER USER '{user}'@'%' REQUIRE SSL;"
            ),
            Transport::Identified => format!(
                "Check mysql.user and mysql.password. An account that requires another \
                 certificate (REQUIRE SUBJECT, ISSUER) is refused in the same words: SHOW CREATE \
                 USER '{user}'@'%'; says which."
            ),
        },
    }
}

/// The statement that raises the limit. The server's message names a limit by another word than the
/// statement.
fn limit_hint(code: u16, message: &str, user: &str) -> String {
    let statement = match code {
        // ER_CON_COUNT_ERROR
        1040 => {
            return "The connector continues when a connection is free. To allow more, run: SET \
                    PERSIST max_connections = 500;"
                .to_owned();
        }
        // ER_TOO_MANY_USER_CONNECTIONS
        1203 => "SET PERSIST max_user_connections = 0;".to_owned(),
        _ => {
            let limits = [
                ("max_user_connections", "MAX_USER_CONNECTIONS"),
                ("max_connections_per_hour", "MAX_CONNECTIONS_PER_HOUR"),
                ("max_questions", "MAX_QUERIES_PER_HOUR"),
                ("max_updates", "MAX_UPDATES_PER_HOUR"),
            ];
            let named = limits.iter().find(|(name, _)| message.contains(name));
            let limit = named.map_or("MAX_USER_CONNECTIONS", |(_, limit)| limit);
            format!("ALTER USER '{user}'@'%' WITH {limit} 0;")
        }
    };
    format!(
        "The connector continues when the limit allows. It needs three connections, and one more \
         for each of snapshot.threads. Run: {statement}"
    )
}

pub(super) fn grants_hint(user: &str) -> String {
    format!("Run: GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO '{user}'@'%';")
}
