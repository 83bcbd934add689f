//! What can go wrong at the source, and what it means.

use std::path::PathBuf;

use mysql_async::{DriverError, Error, IoError};
use thiserror::Error as ThisError;

use super::{
    connection::address,
    discontinuity::Discontinuity,
    fatal_dump::fatal_dump_explained,
    flavour::Flavour,
    server_error::{Class, Login, Transport, grants_hint, hint, server_error},
    setting_hint::setting_hint,
};
use crate::{
    config::{Mysql, TlsMode},
    error::{Explain, Explanation, Reason, Verdict},
    model::position::FilePosition,
};

/// What is being done while the server checks user and password.
pub(super) const CONNECTING: &str = "connect to";

/// ER_ACCESS_DENIED_ERROR
const ACCESS_DENIED: u16 = 1045;

/// What went wrong at the source.
#[derive(Debug, ThisError)]
pub enum MysqlError {
    /// The server or the connection to it answered with an error.
    #[error("cannot {doing} MySQL {address}: {}", text(error))]
    Client {
        /// What was tried.
        doing: &'static str,
        /// Host and port.
        address: String,
        /// The account.
        user: String,
        /// How it was logged in.
        transport: Transport,
        /// The answer.
        error: Box<Error>,
    },
    /// No connection within the time allowed.
    #[error("cannot connect to MySQL {address}: no answer for {seconds} s")]
    ConnectTimeout {
        /// Host and port.
        address: String,
        /// The time allowed.
        seconds: u64,
    },
    /// A connection that is open and does not answer.
    #[error("MySQL {address} did not answer for {seconds} s")]
    NoAnswer {
        /// Host and port.
        address: String,
        /// The time allowed.
        seconds: u64,
    },
    /// A configured file cannot be read.
    #[error("cannot read {path} named by {key}: {error}", path = path.display())]
    File {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The password is not where the configuration says.
    #[error("cannot read mysql.password: {0}")]
    Secret(String),
    /// Certificate and key do not fit or are no PEM.
    #[error("mysql.cert_file and mysql.key_file are not a certificate and its key in PEM form")]
    ClientCertificate,
    /// A server variable has a value that cannot work.
    #[error("MySQL {address} runs with {variable}={found}, needed is {needed}")]
    Setting {
        /// Host and port.
        address: String,
        /// The server variable.
        variable: &'static str,
        /// Its value.
        found: String,
        /// What it must be.
        needed: &'static str,
        /// Where the server runs, which says how to set it.
        flavour: Flavour,
    },
    /// Several wrong settings, reported together so that they can be fixed together.
    #[error("{}", several(.0))]
    Several(Vec<Self>),
    /// A session variable that does not keep the value that it was given.
    #[error(
        "the session at MySQL {address} has {variable}='{found}' after the connector set it to \
         '{needed}'"
    )]
    Session {
        /// Host and port.
        address: String,
        /// The session variable.
        variable: &'static str,
        /// Its value.
        found: String,
        /// What it was set to.
        needed: &'static str,
    },
    /// An answer that no MySQL server gives.
    #[error("MySQL's answer to {what} cannot be read")]
    Answer {
        /// The request.
        what: &'static str,
    },
    /// The source cannot be read on from the saved position.
    #[error("{0}")]
    Discontinuity(Box<Discontinuity>),
    /// Another server than the one that is being read.
    #[error("MySQL {address} is another server than a moment ago")]
    ServerChanged {
        /// Host and port.
        address: String,
    },
    /// The binlog is shorter than what was read of it.
    #[error("the binlog of MySQL {address} ends at {end} now and was read up to {read}")]
    WentBack {
        /// Host and port.
        address: String,
        /// Where it ends.
        end: FilePosition,
        /// Up to where it is delivered.
        read: FilePosition,
    },
    /// Without GTIDs a dump cannot start that far into a file.
    #[error("cannot start at {0}: without GTIDs a dump starts in the first 4 GiB of a file")]
    OffsetTooLarge(String),
    /// A GTID source that the dump request cannot hold.
    #[error("the GTID source {0} cannot be requested")]
    GtidSet(String),
    /// Bytes that the library cannot parse as an event.
    #[error("the event after {after} in the binlog cannot be read: {problem}")]
    Unreadable {
        /// The last place that was read.
        after: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No event and no heartbeat came.
    #[error("MySQL was silent for {0} s, though it promised heartbeats")]
    Silent(u64),
    /// The server closed the stream.
    #[error("MySQL ended the binlog stream")]
    StreamEnded,
    /// The reader's task ended without an error.
    #[error("the binlog reader ended without a reason")]
    ReaderGone,
}

impl MysqlError {
    /// The server's answer to something that was tried.
    pub fn while_doing(doing: &'static str, config: &Mysql, error: Error) -> Self {
        Self::Client {
            doing,
            address: address(config),
            user: config.user.clone(),
            transport: match config.tls {
                TlsMode::Disabled => Transport::Plain,
                _ if config.cert_file.is_some() => Transport::Identified,
                _ => Transport::Encrypted,
            },
            error: Box::new(error),
        }
    }

    /// Whether it stays as it is until a person changes something.
    pub(super) fn is_lasting(&self) -> bool {
        !self.explain().verdict.is_retried()
    }

    /// The errors in it, each for itself.
    pub fn each(self) -> Vec<Self> {
        match self {
            Self::Several(errors) => errors,
            error => vec![error],
        }
    }

    /// Whether the server has no connection left for this account, or for any account.
    pub fn is_limit(&self) -> bool {
        let Self::Client { error, .. } = self else { return false };
        let Error::Server(answer) = error.as_ref() else { return false };
        server_error(answer.code).is_some_and(|error| error.class == Class::Limit)
    }
}

fn several(errors: &[MysqlError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The answer without the library's wrapping.
fn text(error: &Error) -> String {
    match error {
        Error::Server(server) => format!("{} (error {})", server.message, server.code),
        Error::Io(IoError::Io(io)) => io.to_string(),
        Error::Io(IoError::Tls(tls)) => format!("TLS failed: {tls}"),
        Error::Driver(DriverError::UnknownAuthPlugin { name }) => {
            format!("it requires the authentication plugin {name}, which is not supported")
        }
        Error::Driver(driver) => driver.to_string(),
        other => other.to_string(),
    }
}

impl Explain for MysqlError {
    fn explain(&self) -> Explanation {
        use Verdict::{Bug, Config, Halt, Recycle};
        let (verdict, reason, hint) = match self {
            Self::Client { doing, error, user, transport, .. } => {
                return client_explained(doing, error, &Login { user, tls: *transport });
            }
            Self::Setting { variable, needed, flavour, .. } => {
                let hint = setting_hint(variable, needed, *flavour);
                return Explanation::new(Halt, Reason::MysqlSetting, hint);
            }
            Self::Several(errors) => return several_explained(errors),
            Self::Discontinuity(discontinuity) => return discontinuity.explain(),
            Self::Unreadable { after, .. } => return unreadable_explained(after),
            Self::ConnectTimeout { .. } | Self::NoAnswer { .. } => {
                (Recycle, Reason::MysqlUnreachable, UNREACHABLE_HINT)
            }
            Self::File { .. } | Self::Secret(_) | Self::ClientCertificate => (
                Config,
                Reason::ConfigSecret,
                "Check the path, and that the connector's process may read the file.",
            ),
            Self::Session { .. } => (
                Halt,
                Reason::MysqlSession,
                "Something between connector and server, such as a proxy, changes session \
                 variables: set mysql.host and mysql.port to the server itself.",
            ),
            Self::Answer { .. } => (Halt, Reason::MysqlAnswer, ""),
            Self::ServerChanged { .. } => (Recycle, Reason::MysqlServerChanged, ""),
            // The next start finds out what it is and halts.
            Self::WentBack { .. } => (Recycle, Reason::SourceReset, ""),
            Self::OffsetTooLarge(_) => (
                Halt,
                Reason::OffsetTooLarge,
                "Run FLUSH BINARY LOGS; and wait until the position is in the new file. With \
                 gtid_mode=ON there is no such limit.",
            ),
            Self::GtidSet(_) => (Bug, Reason::GtidSet, ""),
            Self::Silent(_) | Self::StreamEnded => (Recycle, Reason::MysqlConnectionLost, ""),
            Self::ReaderGone => (Bug, Reason::ReaderGone, ""),
        };
        Explanation::new(verdict, reason, hint)
    }
}

/// The first error decides the verdict; the hint has all statements.
fn several_explained(errors: &[MysqlError]) -> Explanation {
    let explained: Vec<_> = errors.iter().map(MysqlError::explain).collect();
    let hints: Vec<_> = explained.iter().map(|it| it.hint.as_str()).collect();
    let (verdict, reason) = explained
        .first()
        .map_or((Verdict::Halt, Reason::MysqlSetting), |first| (first.verdict, first.reason));
    Explanation::new(verdict, reason, hints.join(" "))
}

/// A second attempt may get the event undamaged; damage in the file stays.
fn unreadable_explained(after: &str) -> Explanation {
    let hint = format!(
        "The binlog is damaged there or has something that this version does not know: check the \
         file of {after} with mysqlbinlog --verify-binlog-checksum. A replica may have it \
         undamaged: point mysql.host to that replica."
    );
    Explanation::new(Verdict::RecycleOnce, Reason::EventUnreadable, hint)
}

const UNREACHABLE_HINT: &str = "Check mysql.host and mysql.port, and that the server runs.";

fn client_explained(doing: &str, error: &Error, login: &Login<'_>) -> Explanation {
    use Verdict::{Config, Halt, Recycle};
    let (verdict, reason, hint) = match error {
        // To COM_BINLOG_DUMP the server answers a missing grant with the code of a wrong login.
        Error::Server(server) if server.code == ACCESS_DENIED && doing != CONNECTING => {
            return Explanation::new(Halt, Reason::MysqlGrants, grants_hint(login.user));
        }
        Error::Server(server) => return server_explained(server.code, &server.message, login),
        // The server hides which accounts exist: it requires a random plugin of an unknown one
        // (`decoy_user` in sql/auth/sql_authentication.cc).
        Error::Driver(DriverError::UnknownAuthPlugin { .. }) => {
            let hint = format!(
                "Check mysql.user and mysql.password: an account that does not exist gets this \
                 answer too, and '{}' may be one. One that does must use caching_sha2_password or \
                 mysql_native_password.",
                login.user
            );
            return Explanation::new(Config, Reason::MysqlAccessDenied, hint);
        }
        Error::Io(IoError::Io(_)) => (Recycle, Reason::MysqlUnreachable, UNREACHABLE_HINT),
        Error::Io(IoError::Tls(tls)) if is_cut(tls) => (Recycle, Reason::MysqlConnectionLost, ""),
        Error::Io(IoError::Tls(_)) => {
            (Config, Reason::MysqlTls, "Check mysql.tls, mysql.ca_file and mysql.host.")
        }
        Error::Driver(DriverError::NoClientSslFlagFromServer) => (
            Config,
            Reason::MysqlTls,
            "The server offers no TLS: set mysql.tls to preferred or disabled, or enable it there.",
        ),
        Error::Driver(DriverError::ConnectionClosed | DriverError::PacketOutOfOrder) => {
            (Recycle, Reason::MysqlConnectionLost, "")
        }
        _ => (Halt, Reason::MysqlClient, ""),
    };
    Explanation::new(verdict, reason, hint)
}

/// Whether a TLS error is a connection that ended: a server that stops ends its handshakes too.
/// One that got half a message before the end complains of it first: inside TLS by an alert
/// (RFC 8446, 6.2, `decode_error`), before it by an error packet in plain text, which the client
/// takes for a TLS record of an unknown version.
fn is_cut(error: &(dyn std::error::Error + 'static)) -> bool {
    let is_io = error.downcast_ref::<std::io::Error>().is_some();
    let is_end = || {
        let text = error.to_string().to_ascii_lowercase();
        ["unexpected eof", "alert decode error", "wrong version number"]
            .iter()
            .any(|words| text.contains(words))
    };
    is_io || is_end() || error.source().is_some_and(is_cut)
}

/// By error number; what is not in the table is retried for a bounded time.
fn server_explained(code: u16, message: &str, login: &Login<'_>) -> Explanation {
    let Some(known) = server_error(code) else {
        return Explanation::new(Verdict::Recycle, Reason::MysqlError, "");
    };
    match known.class.verdict() {
        Some((verdict, reason)) => Explanation::new(verdict, reason, hint(code, message, login)),
        None => fatal_dump_explained(message),
    }
}

#[cfg(test)]
mod tests {
    use mysql_async::{DriverError, Error, ServerError};

    use super::{MysqlError, Transport, is_cut};
    use crate::error::{Failure, Reason, Verdict};

    fn check(code: u16, message: &str, verdict: Verdict, reason: Reason) {
        check_while("connect to", code, message, verdict, reason);
    }

    fn check_while(
        doing: &'static str,
        code: u16,
        message: &str,
        verdict: Verdict,
        reason: Reason,
    ) {
        let answer = ServerError { code, message: message.into(), state: "HY000".into() };
        let failure = Failure::from(MysqlError::Client {
            doing,
            address: "db:3306".into(),
            user: "tailwater".into(),
            transport: Transport::Plain,
            error: Box::new(Error::Server(answer)),
        });
        assert_eq!((failure.verdict, failure.reason), (verdict, reason), "{code} {message}");
        assert!(failure.message.contains("db:3306") && failure.message.contains(message));
    }

    /// The texts are those of MySQL 9.7.
    #[test]
    fn the_text_of_error_1236_decides_its_meaning() {
        let start = "A replica with the same server_uuid/server_id as this replica has connected \
                     to the source; the first event '' at 4";
        check(1236, start, Verdict::RecycleOnce, Reason::ServerIdTaken);
        for (text, reason) in [
            (
                "Cannot replicate because the source purged required binary logs.",
                Reason::PositionPurged,
            ),
            ("Could not find first log file name in binary log index file", Reason::PositionPurged),
            (
                "Replica has more GTIDs than the source has, using the source's",
                Reason::SourceDiverged,
            ),
            (
                "Client requested source to start replication from position > file size",
                Reason::SourceDiverged,
            ),
            (
                "Cannot replicate anonymous transaction when AUTO_POSITION = 1, at file binlog.02",
                Reason::GtidMode,
            ),
            (
                "Cannot replicate anonymous transaction when @@GLOBAL.GTID_MODE = ON, at file b.1",
                Reason::GtidMode,
            ),
            (
                "Cannot replicate GTID-transaction when @@GLOBAL.GTID_MODE = OFF, at",
                Reason::GtidMode,
            ),
            (
                "The replication sender thread cannot start in AUTO_POSITION mode: this server has \
                 GTID_MODE = OFF instead of ON.",
                Reason::GtidMode,
            ),
            ("log event entry exceeded max_allowed_packet; Increase", Reason::BinlogUnreadable),
            ("binlog truncated in the middle of event; consider out of", Reason::BinlogUnreadable),
            (
                "bogus data in log event; the first event 'binlog.000001' at 157",
                Reason::BinlogUnreadable,
            ),
            ("could not find next log; the first event 'b.1' at 4", Reason::BinlogUnreadable),
            ("something that no version said yet", Reason::BinlogUnreadable),
        ] {
            check(1236, text, Verdict::RecycleOnce, reason);
        }
    }

    /// The server picks the plugin for an unknown account at random.
    #[test]
    fn an_account_that_needs_another_plugin_is_reported_like_a_refused_login() {
        let name = "sha256_password".to_owned();
        let failure = Failure::from(MysqlError::Client {
            doing: "connect to",
            address: "db:3306".into(),
            user: "mallory".into(),
            transport: Transport::Plain,
            error: Box::new(Error::Driver(DriverError::UnknownAuthPlugin { name })),
        });
        assert_eq!((failure.verdict, failure.reason), (Verdict::Config, Reason::MysqlAccessDenied));
        for word in ["mallory", "mysql.user", "mysql.password", "db:3306", "sha256_password"] {
            assert!(failure.to_string().contains(word), "{word} is not in {failure}");
        }
    }

    #[test]
    fn a_handshake_that_was_cut_is_no_wrong_certificate() {
        #[derive(Debug, thiserror::Error)]
        #[error("error:0A{0}:lib/file.c:918:")]
        struct Tls(&'static str);
        for cut in [
            "000126:SSL routines::unexpected eof while reading",
            "00041A:SSL routines:ssl3_read_bytes:tlsv1 alert decode error",
            "00010B:SSL routines:tls_validate_record_header:wrong version number",
        ] {
            assert!(is_cut(&Tls(cut)), "{cut}");
        }
        for wrong in [
            "000086:SSL routines:tls_post_process_server_certificate:certificate verify failed",
            "00042E:SSL routines:ssl3_read_bytes:tlsv1 alert protocol version",
        ] {
            assert!(!is_cut(&Tls(wrong)), "{wrong}");
        }
    }

    #[test]
    fn a_refused_login_is_configuration_and_a_shutdown_is_the_world() {
        let denied = "Access denied for user 'tailwater'@'localhost' (using password: YES)";
        check(1045, denied, Verdict::Config, Reason::MysqlAccessDenied);
        check_while("open the binlog of", 1045, denied, Verdict::Halt, Reason::MysqlGrants);
        let grant = "Access denied; you need (at least one of) the REPLICATION SLAVE privilege(s)";
        check(1227, grant, Verdict::Halt, Reason::MysqlGrants);
        check(1053, "Server shutdown in progress", Verdict::Recycle, Reason::MysqlConnectionLost);
    }

    #[test]
    fn an_error_that_is_in_no_table_is_retried() {
        check(19_999, "something new", Verdict::Recycle, Reason::MysqlError);
    }
}
