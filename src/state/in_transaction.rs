//! The note of a source transaction that is delivered in part, as the position record has it.

use serde::{Deserialize, Serialize};

use super::{error::RecordError, position_record::parsed};
use crate::model::position::{FilePosition, PartialTransaction};

/// A source transaction of which a part is delivered.
#[derive(Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub(super) struct InTransaction {
    /// Its GTID; null for an anonymous one.
    gtid: Option<String>,
    /// The server whose `file` and `begin_pos` these are.
    server_uuid: String,
    /// The binlog file it begins in.
    file: String,
    /// The offset at which it begins.
    begin_pos: u64,
    /// How many of its rows are delivered.
    rows_done: u64,
    /// CRC-32 of the delivered rows as the binlog has them.
    prefix_digest: u32,
    /// How many Kafka transactions hold them.
    parts: u32,
}

impl From<&PartialTransaction> for InTransaction {
    fn from(partial: &PartialTransaction) -> Self {
        Self {
            gtid: partial.gtid.as_ref().map(ToString::to_string),
            server_uuid: partial.server_uuid.to_string(),
            file: partial.begin.file.clone(),
            begin_pos: partial.begin.offset,
            rows_done: partial.rows_done,
            prefix_digest: partial.digest,
            parts: partial.parts,
        }
    }
}

impl TryFrom<InTransaction> for PartialTransaction {
    type Error = RecordError;

    fn try_from(fields: InTransaction) -> Result<Self, RecordError> {
        Ok(Self {
            gtid: fields.gtid.as_deref().map(parsed).transpose()?,
            server_uuid: parsed(&fields.server_uuid)?,
            begin: FilePosition { file: fields.file, offset: fields.begin_pos },
            rows_done: fields.rows_done,
            digest: fields.prefix_digest,
            parts: fields.parts,
        })
    }
}
