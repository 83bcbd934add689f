//! From what a person names, a GTID set, a place, a time, to a position that the source has.

use std::time::Duration;

use super::place::{self, Between, FilePart, last_that};
use crate::{
    config::Config,
    error::{Failure, Reason, Verdict},
    model::{
        gtid::{GtidSet, ServerUuid},
        position::{FilePosition, Position},
        utc_time::UtcTime,
    },
    mysql::{self, Connection, Continuity, MysqlError, Server},
};

/// Where a connector is to resume, as a person names it.
#[derive(Clone, Debug)]
pub enum PositionTarget {
    /// After exactly these transactions.
    Gtids(GtidSet),
    /// At this place of a file.
    Place(FilePosition),
    /// At the first transaction that the source still has.
    Earliest,
    /// At the end of the source's binlog.
    Current,
    /// Before the first transaction that committed at this time or later.
    Time(UtcTime),
    /// The same, this long ago by the source's clock.
    Ago(Duration),
    /// At a position that was shown before: by its GTIDs if it has them, by its place otherwise.
    Shown {
        /// The server of the place.
        server_uuid: ServerUuid,
        /// The GTIDs.
        gtid_set: Option<GtidSet>,
        /// The place.
        file: FilePosition,
    },
}

/// A position that the source has.
#[derive(Clone, Debug)]
pub(super) struct SourcePlace {
    pub(super) position: Position,
    /// When its file was begun, in seconds since the epoch.
    pub(super) file_begun: Option<u32>,
}

/// The source, and the configuration under whose server id its files are read.
pub(super) struct SourceFiles<'a> {
    pub(super) connection: &'a mut Connection,
    pub(super) config: &'a Config,
    pub(super) server: &'a Server,
}

/// A refusal with this message.
pub(super) fn refused(message: impl Into<String>) -> Failure {
    Failure::new(Verdict::Halt, Reason::PositionRefused, message)
}

impl SourceFiles<'_> {
    /// The position, once it is certain that a start can continue there.
    pub(super) async fn resolve(mut self, target: PositionTarget) -> Result<SourcePlace, Failure> {
        let found = self.find(target).await?;
        let Self { connection, config, server } = self;
        let SourcePlace { position, file_begun } = &found;
        let has_gtids = server.counts_by_gtids();
        if !has_gtids && FilePosition::DUMP_OFFSET_MAX < position.file.offset {
            return Err(MysqlError::OffsetTooLarge(position.file.to_string()).into());
        }
        let mut continuity = Continuity::default();
        let resumed = continuity.resume(connection, config, server, (position, *file_begun)).await;
        match resumed.map_err(Failure::from) {
            Ok(_) => Ok(found),
            Err(failure) if failure.verdict == Verdict::Halt => {
                Err(refused(format!("no start could continue there: {}", failure.message)))
            }
            Err(failure) => Err(failure),
        }
    }

    async fn find(&mut self, target: PositionTarget) -> Result<SourcePlace, Failure> {
        match target {
            PositionTarget::Gtids(gtids) => self.after(gtids).await,
            PositionTarget::Place(place) => self.at(&place).await,
            PositionTarget::Earliest => self.earliest().await,
            PositionTarget::Current => {
                let position = self.server.current.clone();
                let file_begun = place::begun(self.config, &position.file.file).await?;
                Ok(SourcePlace { position, file_begun })
            }
            PositionTarget::Time(time) => self.at_time(time).await,
            PositionTarget::Ago(duration) => {
                let now = mysql::clock_us(self.connection, self.config).await?;
                let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
                let before = now.checked_sub(us);
                let us = before.ok_or_else(|| refused("that long ago is before 1970"))?;
                self.at_time(UtcTime { us }).await
            }
            PositionTarget::Shown { gtid_set: Some(gtids), .. }
                if self.server.counts_by_gtids() =>
            {
                self.after(gtids).await
            }
            PositionTarget::Shown { server_uuid, file, .. } => {
                if server_uuid != self.server.uuid {
                    return Err(refused(format!(
                        "the position in the file belongs to the server {server_uuid}, and \
                         mysql.host is {}: without GTIDs a place counts on one server only",
                        self.server.uuid
                    )));
                }
                self.at(&file).await
            }
        }
    }

    /// After these transactions and before all others.
    async fn after(&mut self, gtids: GtidSet) -> Result<SourcePlace, Failure> {
        let server = self.server;
        let Some(executed) = &server.current.gtid_set else {
            return Err(refused(format!(
                "the source runs with gtid_mode={}, so its transactions may have no GTID",
                server.gtid_mode()
            ))
            .hint("Give a place in its binlog instead, such as binlog.000002:1234."));
        };
        let missing = gtids.minus(executed);
        if !missing.is_empty() {
            return Err(refused(format!(
                "the source has not executed {} of these transactions: {}",
                missing.len(),
                missing.brief()
            ))
            .hint("SELECT @@GLOBAL.gtid_executed; shows those that it has."));
        }
        let missing = server.purged().minus(&gtids);
        if !missing.is_empty() {
            return Err(refused(format!(
                "the binlogs of {} transaction(s) that would have to follow are gone: {}",
                missing.len(),
                missing.brief()
            ))
            .hint(
                "The set must have all of SELECT @@GLOBAL.gtid_purged; the first position that \
                 the source still has is: tailwater position set --to-earliest",
            ));
        }
        let files = self.files();
        let found = last_that(&files, async |file: &str| {
            let before = mysql::previous_gtids(self.connection, self.config, file).await?;
            Ok::<_, Failure>(before.is_subset(&gtids))
        });
        let found = found.await?.unwrap_or_default();
        let is_next = |between: &Between<'_>| {
            let gtid = between.transaction.and_then(|transaction| transaction.gtid.as_ref());
            gtid.is_some_and(|gtid| !gtids.contains(gtid))
        };
        let (file, part) = self.scan_from(&files, found, is_next).await?;
        Ok(self.place(file, &part, Some(gtids)))
    }

    /// At a place of a file, which must be between two transactions.
    async fn at(&mut self, place: &FilePosition) -> Result<SourcePlace, Failure> {
        let files = self.server.end().files;
        let Some((file, bytes)) = files.iter().find(|(name, _)| *name == place.file) else {
            let (first, last) = (files.first(), files.last());
            let range = first.zip(last).map_or_else(String::new, |((first, _), (last, _))| {
                format!(": it has {first} to {last}")
            });
            return Err(refused(format!("the source has no binlog file {}{range}", place.file)));
        };
        if *bytes < place.offset {
            return Err(refused(format!("{file} ends at {bytes}, before {place}")));
        }
        let part = place::scan(self.config, file, |at| place.offset <= at.start).await?;
        let at_end = *bytes == place.offset || part.offset == place.offset;
        if part.is_found && part.offset != place.offset || !part.is_found && !at_end {
            return Err(refused(format!("no transaction begins or ends at {place}")).hint(
                format!(
                    "The nearest places between two transactions are {file}:{} and {file}:{}.",
                    part.before, part.offset
                ),
            ));
        }
        let gtids = self.gtids_before(file, &part).await?;
        let part = FilePart { offset: place.offset, ..part };
        Ok(self.place(file.clone(), &part, gtids))
    }

    /// At the first event of the first file.
    async fn earliest(&mut self) -> Result<SourcePlace, Failure> {
        let files = self.files();
        let file = files.first().ok_or_else(|| refused("the source has no binlog file"))?;
        let begun = place::begun(self.config, file).await?;
        let part = FilePart { offset: FilePosition::OFFSET_MIN, begun, ..FilePart::default() };
        let gtids = self.gtids_before(file, &part).await?;
        Ok(self.place(file.clone(), &part, gtids))
    }

    /// Before the first transaction that committed at a time or later.
    async fn at_time(&mut self, time: UtcTime) -> Result<SourcePlace, Failure> {
        let now = UtcTime { us: mysql::clock_us(self.connection, self.config).await? };
        if now < time {
            return Err(refused(format!(
                "{time} UTC is in the future: by the source's clock it is {now} UTC"
            )));
        }
        let files = self.files();
        // Whole seconds: a file may have been begun up to a second after what they say.
        let found = last_that(&files, async |file: &str| {
            let begun = place::begun(self.config, file).await?;
            Ok::<_, Failure>(
                begun.is_some_and(|begun| (u64::from(begun) + 1) * 1_000_000 <= time.us),
            )
        });
        let found = found.await?.unwrap_or_default();
        let oldest = files.first().map_or("", String::as_str);
        if found == 0 {
            let begun = place::begun(self.config, oldest).await?.unwrap_or_default();
            let begun = UtcTime { us: u64::from(begun) * 1_000_000 };
            if time < begun {
                return Err(refused(format!(
                    "the source has no binlog of {time} UTC any more: {oldest}, its oldest, was \
                     begun at {begun} UTC"
                ))
                .hint("To begin with the oldest: tailwater position set --to-earliest"));
            }
        }
        let is_late = |between: &Between<'_>| {
            let committed = between.transaction.and_then(|transaction| transaction.commit_time_us);
            committed.is_some_and(|committed| time.us <= committed)
        };
        let (file, part) = self.scan_from(&files, found, is_late).await?;
        let gtids = self.gtids_before(&file, &part).await?;
        Ok(self.place(file, &part, gtids))
    }

    /// Reads from this file on until the place is found: the end of the last file if it is nowhere.
    async fn scan_from(
        &mut self,
        files: &[String],
        first: usize,
        mut is_wanted: impl FnMut(&Between<'_>) -> bool,
    ) -> Result<(String, FilePart), Failure> {
        let mut last = None;
        for file in files.iter().skip(first) {
            let part = place::scan(self.config, file, &mut is_wanted).await?;
            let is_found = part.is_found;
            last = Some((file.clone(), part));
            if is_found {
                break;
            }
        }
        last.ok_or_else(|| refused("the source has no binlog file"))
    }

    /// Every GTID before a place, if the source's transactions have them. What was purged without
    /// ever having been in a file of the source counts as before.
    async fn gtids_before(
        &mut self,
        file: &str,
        part: &FilePart,
    ) -> Result<Option<GtidSet>, Failure> {
        if !self.server.counts_by_gtids() {
            return Ok(None);
        }
        let mut gtids = mysql::previous_gtids(self.connection, self.config, file).await?;
        gtids.add_all(&part.gtids);
        gtids.add_all(self.server.purged());
        Ok(Some(gtids))
    }

    fn place(&self, file: String, part: &FilePart, gtid_set: Option<GtidSet>) -> SourcePlace {
        let file = FilePosition { file, offset: part.offset };
        let (server_uuid, source_time_us) = (self.server.uuid, part.time_us);
        let position = Position { server_uuid, gtid_set, file, source_time_us };
        SourcePlace { position, file_begun: part.begun }
    }

    fn files(&self) -> Vec<String> {
        self.server.end().files.into_iter().map(|(name, _)| name).collect()
    }
}
