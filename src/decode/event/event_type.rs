//! The binlog's event types by number (MySQL source, `libs/mysql/binlog/event/binlog_event.h`).

pub(in crate::decode) const QUERY: u8 = 2;
pub(in crate::decode) const STOP: u8 = 3;
pub(in crate::decode) const ROTATE: u8 = 4;
pub(in crate::decode) const INTVAR: u8 = 5;
pub(in crate::decode) const APPEND_BLOCK: u8 = 9;
pub(in crate::decode) const DELETE_FILE: u8 = 11;
pub(in crate::decode) const RAND: u8 = 13;
pub(in crate::decode) const USER_VAR: u8 = 14;
pub(in crate::decode) const FORMAT_DESCRIPTION: u8 = 15;
pub(in crate::decode) const XID: u8 = 16;
pub(in crate::decode) const BEGIN_LOAD_QUERY: u8 = 17;
pub(in crate::decode) const EXECUTE_LOAD_QUERY: u8 = 18;
pub(in crate::decode) const TABLE_MAP: u8 = 19;
/// Row events of MySQL 5.0, and those of 5.1 to 5.5: 20 to 22 and 23 to 25.
pub(in crate::decode) const WRITE_ROWS_V0: u8 = 20;
pub(in crate::decode) const DELETE_ROWS_V1: u8 = 25;
pub(in crate::decode) const INCIDENT: u8 = 26;
pub(in crate::decode) const HEARTBEAT: u8 = 27;
pub(in crate::decode) const IGNORABLE: u8 = 28;
pub(in crate::decode) const ROWS_QUERY: u8 = 29;
pub(in crate::decode) const WRITE_ROWS: u8 = 30;
pub(in crate::decode) const UPDATE_ROWS: u8 = 31;
pub(in crate::decode) const DELETE_ROWS: u8 = 32;
pub(in crate::decode) const GTID: u8 = 33;
pub(in crate::decode) const ANONYMOUS_GTID: u8 = 34;
pub(in crate::decode) const PREVIOUS_GTIDS: u8 = 35;
pub(in crate::decode) const TRANSACTION_CONTEXT: u8 = 36;
pub(in crate::decode) const VIEW_CHANGE: u8 = 37;
pub(in crate::decode) const XA_PREPARE: u8 = 38;
pub(in crate::decode) const PARTIAL_UPDATE_ROWS: u8 = 39;
pub(in crate::decode) const TRANSACTION_PAYLOAD: u8 = 40;
pub(in crate::decode) const HEARTBEAT_V2: u8 = 41;
pub(in crate::decode) const GTID_TAGGED: u8 = 42;

/// The name used in messages.
pub(in crate::decode) fn name(kind: u8) -> &'static str {
    match kind {
        QUERY => "QUERY",
        STOP => "STOP",
        ROTATE => "ROTATE",
        FORMAT_DESCRIPTION => "FORMAT_DESCRIPTION",
        XID => "XID",
        BEGIN_LOAD_QUERY => "BEGIN_LOAD_QUERY",
        EXECUTE_LOAD_QUERY => "EXECUTE_LOAD_QUERY",
        TABLE_MAP => "TABLE_MAP",
        INCIDENT => "INCIDENT",
        HEARTBEAT => "HEARTBEAT",
        WRITE_ROWS => "WRITE_ROWS",
        UPDATE_ROWS => "UPDATE_ROWS",
        DELETE_ROWS => "DELETE_ROWS",
        GTID => "GTID",
        ANONYMOUS_GTID => "ANONYMOUS_GTID",
        XA_PREPARE => "XA_PREPARE",
        PARTIAL_UPDATE_ROWS => "PARTIAL_UPDATE_ROWS",
        TRANSACTION_PAYLOAD => "TRANSACTION_PAYLOAD",
        GTID_TAGGED => "GTID_TAGGED",
        WRITE_ROWS_V0..=DELETE_ROWS_V1 => "ROWS (version 0 or 1)",
        _ => "unnamed",
    }
}
