//! Why the source cannot be read from the saved position on, and the command to run next.

use std::fmt;

use thiserror::Error;

use crate::{
    error::{Explain, Explanation, Reason, Verdict},
    model::{gtid::ServerUuid, position::FilePosition},
};

/// A break between what is delivered and what the source has, and where to act on it.
#[derive(Debug)]
pub struct Discontinuity {
    /// What is wrong.
    pub what: DiscontinuityKind,
    /// Host and port.
    pub address: String,
}

/// A break between what is delivered and what the source has.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DiscontinuityKind {
    /// Binlogs that were not read are gone.
    #[error("the binlogs after the saved position are gone from it: {missing} was purged")]
    Purged {
        /// What is missing, as a GTID set or a file.
        missing: String,
    },
    /// The server's files are numbered below the saved one.
    #[error(
        "it was reset or restored from an older copy: its last binlog is {last}, the saved \
         position is {saved}"
    )]
    Reset {
        /// The saved place.
        saved: FilePosition,
        /// The last file.
        last: String,
    },
    /// The saved file is shorter than it was.
    #[error(
        "it lost the end of its binlog: the saved position is {saved}, and the file ends at {bytes}"
    )]
    Truncated {
        /// The saved place.
        saved: FilePosition,
        /// Where the file ends.
        bytes: u64,
    },
    /// No transaction begins or ends where one did.
    #[error("it has another binlog than before: no transaction ends at the saved position {saved}")]
    Rewritten {
        /// The saved place.
        saved: FilePosition,
    },
    /// The saved file was begun at another time.
    #[error(
        "it has another binlog than before: {} was created at {is}, but the file of the saved \
         position at {was} (seconds since 1970)", saved.file
    )]
    Replaced {
        /// The saved place.
        saved: FilePosition,
        /// When the saved file was begun, in seconds since the epoch.
        was: u32,
        /// The same of the file that is there.
        is: u32,
    },
    /// The server lacks what was delivered, and will not get it.
    #[error(
        "it lacks {count} transaction(s) that were delivered: {missing}{}",
        if *lacks_own { ", some of which are its own" } else { "" }
    )]
    Diverged {
        /// What it lacks.
        missing: String,
        /// How many that are.
        count: u64,
        /// Whether it numbered some of them itself, so that it had them.
        lacks_own: bool,
    },
    /// A replica that has not applied what was delivered.
    #[error("it is a replica that has not yet applied {count} delivered transaction(s): {missing}")]
    Behind {
        /// What it lacks.
        missing: String,
        /// How many that are.
        count: u64,
    },
    /// A place in a file of another server.
    #[error("it is server {is}, but the saved position {saved} belongs to server {was}")]
    OtherServer {
        /// The saved place.
        saved: FilePosition,
        /// The server it belongs to.
        was: ServerUuid,
        /// The server that answered.
        is: ServerUuid,
    },
    /// A position by GTIDs on a server where a transaction may have none.
    #[error("it runs with gtid_mode={mode}, and the saved position counts by GTIDs")]
    GtidsOff {
        /// Its `gtid_mode`.
        mode: String,
    },
    /// Transactions without GTIDs that were not read, on a server that sends none any more.
    #[error("it runs with gtid_mode=ON, and transactions in {file} have no GTID and were not read")]
    Unnamed {
        /// The first file with such a transaction.
        file: String,
    },
}

impl fmt::Display for Discontinuity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot continue reading MySQL {}: {}", self.address, self.what)
    }
}

impl Explain for Discontinuity {
    fn explain(&self) -> Explanation {
        let (reason, hint) = match &self.what {
            DiscontinuityKind::Purged { .. } => (
                Reason::PositionPurged,
                "Keep binlogs longer: SET PERSIST binlog_expire_logs_seconds = 604800; (on \
                     RDS: CALL mysql.rds_set_configuration('binlog retention hours', 168);). Point \
                     mysql.host to a server that still has them, if there is one, or give up what \
                     is gone: tailwater position set --to-earliest --execute (without --execute it \
                     shows what that skips)"
                    .to_owned(),
            ),
            DiscontinuityKind::Reset { .. }
            | DiscontinuityKind::Rewritten { .. }
            | DiscontinuityKind::Replaced { .. } => (
                Reason::SourceReset,
                format!("Point mysql.host to the server that has the old history, or {START_OVER}"),
            ),
            DiscontinuityKind::Truncated { .. } => (
                Reason::SourceLostTail,
                format!(
                    "The server crashed before it had written all of the file (SET PERSIST \
                     sync_binlog = 1; prevents that), or it is an older copy. Point mysql.host to \
                     a server that has the whole file, or {START_OVER}"
                ),
            ),
            DiscontinuityKind::Diverged { .. } => (
                Reason::SourceDiverged,
                format!(
                    "Point mysql.host to the server that has them (there, SELECT \
                     @@GLOBAL.gtid_executed; shows them), or {START_OVER}"
                ),
            ),
            DiscontinuityKind::Behind { .. } => return behind(),
            DiscontinuityKind::OtherServer { was, .. } => (
                Reason::SourceChanged,
                format!(
                    "Without GTIDs a position is valid on one server only. Point mysql.host to \
                     the server whose SELECT @@server_uuid; is {was}, or {START_OVER}"
                ),
            ),
            DiscontinuityKind::Unnamed { .. } => (
                Reason::GtidMode,
                format!(
                    "Run SET GLOBAL gtid_mode = ON_PERMISSIVE; let the connector catch up, then \
                     set it to ON; or {START_OVER}"
                ),
            ),
            DiscontinuityKind::GtidsOff { .. } => (
                Reason::GtidMode,
                format!(
                    "Turn GTIDs on again, step by step: SET PERSIST gtid_mode = OFF_PERMISSIVE; \
                     SET PERSIST gtid_mode = ON_PERMISSIVE; SET PERSIST gtid_mode = ON; or \
                     {START_OVER}"
                ),
            ),
        };
        Explanation::new(Verdict::Halt, reason, hint)
    }
}

/// The way out that gives changes up.
const START_OVER: &str = "give up the changes since the saved position: tailwater position set \
    --to-current --execute (without --execute it shows what that skips)";

fn behind() -> Explanation {
    let hint = "The connector continues when the replica has applied them. SHOW REPLICA STATUS; \
                there says what it waits for; a stopped replica needs START REPLICA;";
    Explanation::new(Verdict::Recycle, Reason::SourceBehind, hint)
}
