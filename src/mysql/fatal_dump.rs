//! The meanings of error 1236, with which a server refuses to send its binlog or stops sending it.

use crate::error::{Explanation, Reason, Verdict};

/// Error 1236 has many causes; only its text distinguishes them. The texts are those of MySQL 8.0
/// to 9.7 (sql/rpl_binlog_sender.cc and share/messages_to_clients.txt in its source).
pub(super) fn fatal_dump_explained(message: &str) -> Explanation {
    let means = |words: &[&str]| words.iter().any(|words| message.contains(words));
    let (reason, hint) = if means(&["same server_uuid/server_id"]) {
        let hint = "Another client reads the binlog with this server id: give each its own \
                    mysql.server_id, and check that no second instance of this connector runs.";
        (Reason::ServerIdTaken, hint)
    } else if means(&["purged required binary logs", "Could not find first log file name"]) {
        (
            Reason::PositionPurged,
            "Keep binlogs longer: SET PERSIST binlog_expire_logs_seconds = 604800;",
        )
    } else if means(&["has more GTIDs than the source", "position > file size"]) {
        let hint = "The server lost transactions or was reset: point mysql.host to a server that \
                    has them.";
        (Reason::SourceDiverged, hint)
    } else if means(&["replicate anonymous transaction", "AUTO_POSITION mode"]) {
        let hint = "GTIDs were turned off, or turned on before all transactions without one were \
                    read. Run SET GLOBAL gtid_mode = ON_PERMISSIVE; let the connector catch up, \
                    then set it to ON.";
        (Reason::GtidMode, hint)
    } else if means(&["replicate GTID-transaction"]) {
        let hint = "GTIDs were turned off before all transactions with one were read. Run SET \
                    GLOBAL gtid_mode = OFF_PERMISSIVE; let the connector catch up, then set it to \
                    OFF.";
        (Reason::GtidMode, hint)
    } else if means(&["exceeded max_allowed_packet"]) {
        let hint = "An event is larger than the source may send, or a file is damaged: SET \
                    PERSIST max_allowed_packet = 1073741824; then try again.";
        (Reason::BinlogUnreadable, hint)
    } else {
        let hint = "The source cannot read its own binlog there: check its error log, and the file \
                    with mysqlbinlog --verify-binlog-checksum.";
        (Reason::BinlogUnreadable, hint)
    };
    Explanation::new(Verdict::RecycleOnce, reason, hint)
}
