//! An XA transaction that waits for its outcome, as the position record has it.

use serde::{Deserialize, Serialize};

use super::{error::RecordError, position_record::parsed};
use crate::model::{
    position::FilePosition,
    xa::{PreparedTransaction, Xid},
};

/// An XA transaction that is prepared.
#[derive(Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub(super) struct PendingXa {
    /// Its name as the server writes it: `X'…',X'…',1`.
    xid: String,
    /// The GTID of its XA PREPARE; null for an anonymous one.
    gtid: Option<String>,
    /// The server whose `file` and `begin_pos` these are.
    server_uuid: String,
    /// The binlog file that has its rows.
    file: String,
    /// The offset at which its group begins.
    begin_pos: u64,
    /// When it was prepared, microseconds since the epoch.
    prepared_ts_us: u64,
    /// Whether it changed captured tables.
    has_rows: bool,
}

impl From<(&Xid, &PreparedTransaction)> for PendingXa {
    fn from((xid, prepared): (&Xid, &PreparedTransaction)) -> Self {
        Self {
            xid: xid.as_str().to_owned(),
            gtid: prepared.gtid.as_ref().map(ToString::to_string),
            server_uuid: prepared.server_uuid.to_string(),
            file: prepared.begin.file.clone(),
            begin_pos: prepared.begin.offset,
            prepared_ts_us: prepared.time_us,
            has_rows: prepared.has_rows,
        }
    }
}

impl PendingXa {
    /// What it says.
    pub(super) fn read(self) -> Result<(Xid, PreparedTransaction), RecordError> {
        let prepared = PreparedTransaction {
            gtid: self.gtid.as_deref().map(parsed).transpose()?,
            server_uuid: parsed(&self.server_uuid)?,
            begin: FilePosition { file: self.file, offset: self.begin_pos },
            time_us: self.prepared_ts_us,
            has_rows: self.has_rows,
            is_restored: true,
        };
        Ok((parsed(&self.xid)?, prepared))
    }
}
