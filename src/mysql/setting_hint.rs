//! How a server variable that cannot work is set right.

/// The statement that sets it, or what else there is to do.
pub(super) fn setting_hint(variable: &str, needed: &str) -> String {
    match variable {
        "log_bin" => "Start the server with log_bin.".to_owned(),
        // Read only while the server runs.
        "log_replica_updates" => "Run: SET PERSIST_ONLY log_replica_updates = ON; and restart the \
                                  server. What it applied before is not in its binlog."
            .to_owned(),
        // A server without an id sends nobody its binlog (error 1236).
        "server_id" if needed == "1" => "Run: SET PERSIST server_id = 1; or any other number that \
                                         none of the server's replicas has."
            .to_owned(),
        "server_id" => "Set mysql.server_id to another number, or the server's.".to_owned(),
        _ => format!(
            "Run: SET PERSIST {variable} = {needed}; then reconnect the clients that write, since \
             sessions keep the value they began with."
        ),
    }
}
