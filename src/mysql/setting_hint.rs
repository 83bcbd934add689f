//! How to correct a server variable whose value cannot work.

use super::flavour::Flavour;

/// The statement that sets it, or what to do instead.
pub(super) fn setting_hint(variable: &str, needed: &str, flavour: Flavour) -> String {
    match variable {
        "log_bin" => return flavour.way_to_log().to_owned(),
        "server_id" => {}
        _ => {
            if let Some(way) = flavour.way_to_set(variable, needed) {
                return way;
            }
        }
    }
    match variable {
        // The variable cannot change while the server runs.
        "log_replica_updates" => "Run: SET PERSIST_ONLY log_replica_updates = ON; and restart the \
                                  server. Transactions that it applied before are not in its \
                                  binlog."
            .to_owned(),
        // A server without an id sends its binlog to no client (error 1236).
        "server_id" if needed == "1" => "Run: SET PERSIST server_id = 1; or any other number that \
                                         none of the server's replicas has."
            .to_owned(),
        "server_id" => "Set mysql.server_id to another number, or change the server's.".to_owned(),
        _ => format!(
            "Run: SET PERSIST {variable} = {needed}; then reconnect the clients that write: open \
             sessions keep their old value."
        ),
    }
}
