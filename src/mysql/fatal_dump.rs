//! What error 1236 means, with which a server refuses to send its binlog or stops to.

use crate::error::{Explanation, Reason, Verdict};

/// Error 1236 is many things; only its text tells them apart. The texts are those of MySQL 8.0 to
/// 9.7 (sql/rpl_binlog_sender.cc and share/messages_to_clients.txt in its source).
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
        let hint = "The server lost transactions or was reset: point mysql.host to the server \
                    that has them.";
        (Reason::SourceDiverged, hint)
    } else if means(&["replicate anonymous transaction", "AUTO_POSITION mode"]) {
        let hint = "GTIDs were turned on before all transactions without one were read, or off: \
                    SET GLOBAL gtid_mode = ON_PERMISSIVE; lets it catch up, ON comes after that.";
        (Reason::GtidMode, hint)
    } else if means(&["replicate GTID-transaction"]) {
        let hint = "GTIDs were turned off before all transactions with one were read: SET GLOBAL \
                    gtid_mode = OFF_PERMISSIVE; lets it catch up, OFF comes after that.";
        (Reason::GtidMode, hint)
    } else if means(&["exceeded max_allowed_packet"]) {
        let hint = "An event is larger than the source may send, or a file is damaged: SET \
                    PERSIST max_allowed_packet = 1073741824; then try again.";
        (Reason::BinlogUnreadable, hint)
    } else {
        let hint = "The source cannot read its own binlog there: its error log and mysqlbinlog \
                    --verify-binlog-checksum say more.";
        (Reason::BinlogUnreadable, hint)
    };
    Explanation::new(Verdict::RecycleOnce, reason, hint)
}
