//! Whether the source continues exactly where the saved position ends. Without this check the
//! connector could lose or repeat changes after a fail-over, a restore or a reset.
//!
//! # What must hold
//! Let D be the transactions that are delivered, E those that the source has executed and P those
//! of E whose binlogs are gone (`gtid_purged`). A dump that leaves out D sends E − P − D. So
//! nothing is missing if P ⊆ D, and nothing was delivered that the source does not have if D ⊆ E.
//! The server itself refuses only GTIDs of its own UUID that it lacks; those of another are
//! accepted in silence, so a fail-over to a server that lost transactions shows here or nowhere.
//!
//! Sets of numbers show nothing about a server that gives numbers a second time: after a RESET, a
//! restore or a crash that lost the end of the binlog, it soon has them all again, for other
//! transactions. Its files show it. On the server of the saved position, the saved file must be as
//! long as it was, a transaction must end at the position, files must be numbered upwards, and the
//! saved file must have been created in the same second: after a reset, the same statements give
//! the same bytes at the same places.
//!
//! # Without GTIDs
//! With a `gtid_mode` other than `ON` a transaction may have no GTID, and the position is the
//! place in the file, which is valid on one server only. A position changes from one kind to the
//! other only where both mean the same: the GTIDs before the place are exactly the saved ones.

use std::{collections::BTreeSet, time::Duration};

use mysql_async::Conn;
use tokio::time::Instant;

use super::{
    binlog_events::BinlogEvents,
    connection::address,
    discontinuity::{Discontinuity, DiscontinuityKind},
    error::MysqlError,
    file_creation,
    server::Server,
};
use crate::{
    config::Config,
    model::{
        gtid::{GtidSet, ServerUuid},
        position::{FilePosition, Position},
    },
};

/// How long a replica may lack delivered transactions without getting any of them. Long enough
/// for one that applies a large transaction, short enough for a person to learn of it.
const BEHIND_PATIENCE: Duration = Duration::from_mins(10);

/// Offsets from here on are not reliable in a stream by GTIDs that began in the middle of a file:
/// the wire has 32 bits for them. The end of a file needs no check: it is a boundary.
const OFFSET_MAX: u64 = FilePosition::DUMP_OFFSET_MAX;

/// What is remembered about the source from one connection to the next.
#[derive(Default)]
pub struct Continuity {
    /// When the replica that is waited for last came nearer, and how much it lacked then.
    behind: Option<(Instant, u64)>,
    /// Servers whose transactions appeared since the position was saved, and were logged.
    logged: BTreeSet<ServerUuid>,
}

/// What became of the saved place on the server it belongs to.
#[derive(Debug, PartialEq, Eq)]
enum SavedPlace {
    /// The file is there and reaches to the place.
    Kept { file_bytes: u64 },
    /// The file is gone, as old ones go.
    Gone,
}

impl Continuity {
    /// Where to continue on this server from a saved position; an error if that would lose a change
    /// or deliver one twice. `begun` is the time at which its file was created, if known.
    pub async fn resume(
        &mut self,
        connection: &mut Conn,
        config: &Config,
        server: &Server,
        (saved, begun): (&Position, Option<u32>),
    ) -> Result<Position, MysqlError> {
        let mut binlog = BinlogEvents::new(connection, config);
        let judged = self.judge(server, saved, Instant::now());
        if let Ok(SavedPlace::Kept { file_bytes }) = place_of(server, saved)
            && judged.is_ok()
        {
            expect_boundary(&mut binlog, config, &saved.file, file_bytes).await?;
        }
        // Another file under the same name says why the source lacks what was delivered, too.
        if matches!(
            judged,
            Ok(_) | Err(DiscontinuityKind::Truncated { .. } | DiscontinuityKind::Diverged { .. })
        ) && let Some(replaced) = replaced(config, server, saved, begun).await?
        {
            return Err(discontinuity_of(replaced, config));
        }
        let mut position = judged.map_err(|breach| discontinuity_of(breach, config))?;
        match (&saved.gtid_set, server.counts_by_gtids()) {
            (Some(delivered), false) => {
                let before = binlog.before(&saved.file).await?;
                if before.gtids != *delivered {
                    let mode = server.gtid_mode.clone();
                    return Err(discontinuity_of(DiscontinuityKind::GtidsOff { mode }, config));
                }
                tracing::warn!(
                    gtid_mode = server.gtid_mode,
                    "transactions may have no GTID from here on: the position counts by file and \
                     offset, and is valid on this server only"
                );
                position.gtid_set = None;
            }
            (None, true) => {
                let before = binlog.before(&saved.file).await?;
                // A dump by GTIDs ends at a transaction without one in its first file, delivered
                // or not, and skips those in files before that one.
                let unnamed = unnamed_after(&mut binlog, server, saved).await?;
                if !before.has_anonymous && unnamed.is_none() {
                    tracing::info!(
                        "every transaction has a GTID now: the position counts by GTIDs"
                    );
                    position.gtid_set = Some(before.gtids);
                }
            }
            (Some(delivered), true) => {
                if let Some(file) = unnamed_after(&mut binlog, server, saved).await? {
                    return Err(discontinuity_of(DiscontinuityKind::Unnamed { file }, config));
                }
                self.log_new_servers(server, saved, delivered);
            }
            (None, false) => {}
        }
        Ok(position)
    }

    /// Everything that can be judged without another query.
    fn judge(
        &mut self,
        server: &Server,
        saved: &Position,
        now: Instant,
    ) -> Result<Position, DiscontinuityKind> {
        let is_same = saved.server_uuid == server.uuid;
        let place = place_of(server, saved);
        if let (Some(delivered), Some(executed)) = (&saved.gtid_set, &server.current.gtid_set) {
            let missing = delivered.minus(executed);
            if !missing.is_empty() {
                place?;
                return Err(self.without(&missing, server, now));
            }
            self.behind = None;
            let missing = server.purged.minus(delivered);
            if !missing.is_empty() {
                return Err(DiscontinuityKind::Purged { missing: missing.brief().to_string() });
            }
            place?;
            return Ok(saved.clone().on_server(server.uuid));
        }
        if !is_same {
            return Err(match &saved.gtid_set {
                Some(_) => DiscontinuityKind::GtidsOff { mode: server.gtid_mode.clone() },
                None => DiscontinuityKind::OtherServer {
                    saved: saved.file.clone(),
                    was: saved.server_uuid,
                    is: server.uuid,
                },
            });
        }
        match place? {
            SavedPlace::Kept { .. } => Ok(saved.clone()),
            SavedPlace::Gone => Err(DiscontinuityKind::Purged { missing: saved.file.file.clone() }),
        }
    }

    /// Delivered transactions that the server does not have: it is behind, or it is another
    /// history.
    fn without(&mut self, missing: &GtidSet, server: &Server, now: Instant) -> DiscontinuityKind {
        let lacks_own = missing.uuids().any(|uuid| uuid == server.uuid);
        let count = missing.len();
        let since = match self.behind {
            Some((since, before)) if before <= count => since,
            _ => now,
        };
        let is_waiting = server.is_replica && !lacks_own;
        self.behind = is_waiting.then_some((since, count));
        let missing = missing.brief().to_string();
        if is_waiting && now.duration_since(since) < BEHIND_PATIENCE {
            return DiscontinuityKind::Behind { missing, count };
        }
        DiscontinuityKind::Diverged { missing, count, lacks_own }
    }

    /// A fail-over is logged each time, a server whose transactions were never seen before once.
    fn log_new_servers(&mut self, server: &Server, saved: &Position, delivered: &GtidSet) {
        if saved.server_uuid != server.uuid {
            tracing::info!(
                was = %saved.server_uuid,
                is = %server.uuid,
                "the source is another server than before; continuing by GTIDs"
            );
        }
        let mut known: BTreeSet<ServerUuid> = delivered.uuids().collect();
        // The server that the position is of may have had nothing to say until now.
        known.insert(saved.server_uuid);
        let fresh = server.current.gtid_set.iter().flat_map(GtidSet::uuids);
        for uuid in fresh.filter(|uuid| !known.contains(uuid)) {
            if self.logged.insert(uuid) {
                tracing::warn!(
                    server_uuid = %uuid,
                    "the source has transactions of a server that had none before: they are \
                     delivered like all others; after a fail-over they may be errant \
                     transactions, which no other server has"
                );
            }
        }
    }
}

/// Whether a transaction begins at this place of the server's binlog, or the file ends there; an
/// error if not.
pub async fn check_place(
    connection: &mut Conn,
    config: &Config,
    server: &Server,
    place: &FilePosition,
) -> Result<(), MysqlError> {
    let mut binlog = BinlogEvents::new(connection, config);
    let at = Position { gtid_set: None, file: place.clone(), ..server.current.clone() };
    match place_of(server, &at).map_err(|breach| discontinuity_of(breach, config))? {
        SavedPlace::Kept { file_bytes } => {
            expect_boundary(&mut binlog, config, place, file_bytes).await
        }
        SavedPlace::Gone => {
            let missing = place.file.clone();
            Err(discontinuity_of(DiscontinuityKind::Purged { missing }, config))
        }
    }
}

/// Fails unless a transaction begins at this place or the file, which has so many bytes, ends in
/// order behind it.
async fn expect_boundary(
    binlog: &mut BinlogEvents<'_>,
    config: &Config,
    place: &FilePosition,
    file_bytes: u64,
) -> Result<(), MysqlError> {
    if file_bytes.min(OFFSET_MAX) <= place.offset || binlog.is_boundary(place, file_bytes).await? {
        return Ok(());
    }
    Err(discontinuity_of(DiscontinuityKind::Rewritten { saved: place.clone() }, config))
}

/// The first file, from the saved place on, that begins with a transaction without a GTID.
///
/// A dump by GTIDs begins in the last file before which everything is delivered, by the GTIDs at
/// its head: it would skip such a file in silence. The server begins a file with each
/// change of `gtid_mode`, and all transactions that begin on it while it gives no GTIDs have none,
/// so the first one of each file decides.
async fn unnamed_after(
    binlog: &mut BinlogEvents<'_>,
    server: &Server,
    saved: &Position,
) -> Result<Option<String>, MysqlError> {
    if saved.server_uuid != server.uuid {
        return Ok(None);
    }
    for file in &server.files {
        let mut place = FilePosition { file: file.name.clone(), offset: FilePosition::OFFSET_MIN };
        if file.name == saved.file.file {
            place.offset = saved.file.offset;
        } else if place < saved.file {
            continue;
        }
        if place.offset < file.bytes && binlog.begins_anonymous(&place).await? {
            return Ok(Some(place.file));
        }
    }
    Ok(None)
}

/// Whether the saved file was begun at another time than the one of its name that is there.
async fn replaced(
    config: &Config,
    server: &Server,
    saved: &Position,
    begun: Option<u32>,
) -> Result<Option<DiscontinuityKind>, MysqlError> {
    let file = &saved.file.file;
    let is_there =
        saved.server_uuid == server.uuid && server.files.iter().any(|there| there.name == *file);
    let Some(was) = begun.filter(|_| is_there) else { return Ok(None) };
    let is = file_creation::creation_time(config, file).await?.filter(|is| *is != was);
    Ok(is.map(|is| DiscontinuityKind::Replaced { saved: saved.file.clone(), was, is }))
}

fn discontinuity_of(what: DiscontinuityKind, config: &Config) -> MysqlError {
    MysqlError::Discontinuity(Box::new(Discontinuity { what, address: address(&config.mysql) }))
}

/// What became of the saved file and offset. On another server they mean nothing.
fn place_of(server: &Server, saved: &Position) -> Result<SavedPlace, DiscontinuityKind> {
    let at = &saved.file;
    if saved.server_uuid != server.uuid || at.file.is_empty() {
        return Ok(SavedPlace::Gone);
    }
    if let Some(file) = server.files.iter().find(|file| file.name == at.file) {
        if file.bytes < at.offset {
            return Err(DiscontinuityKind::Truncated { saved: at.clone(), bytes: file.bytes });
        }
        return Ok(SavedPlace::Kept { file_bytes: file.bytes });
    }
    let end = &server.current.file;
    // A server with another `log_bin` counts from the start, under another name.
    if end.base_name() == at.base_name() && end.file_number() < at.file_number() {
        return Err(DiscontinuityKind::Reset { saved: at.clone(), last: end.file.clone() });
    }
    Ok(SavedPlace::Gone)
}

#[cfg(test)]
#[path = "continuity_tests.rs"]
mod tests;
