//! Finds places in the source's binlog: of a GTID set, of a time, of an offset.
//!
//! GTID sets before a file only grow from one file to the next, and so do the times at which files
//! were begun. So a binary search finds the file, and this one is read from its first event on, of
//! each transaction its first event.

use std::ops::AsyncFnMut;

use crate::{
    config::Config,
    decode::{FileScan, NamedTransaction, ScannedEvent},
    error::Failure,
    model::gtid::GtidSet,
    mysql::{FileDump, MysqlError},
};

/// What a file has before a place.
#[derive(Clone, Debug, Default)]
pub(super) struct FilePart {
    /// The place: where the wanted transaction begins, or the file's end.
    pub(super) offset: u64,
    /// The last place between two transactions before it.
    pub(super) before: u64,
    /// Whether the wanted place was found before the file's end.
    pub(super) is_found: bool,
    /// When the file was begun, in seconds since the epoch.
    pub(super) begun: Option<u32>,
    /// The GTIDs of the file's transactions before the place.
    pub(super) gtids: GtidSet,
    /// When the last transaction before the place committed; 0 if there is none.
    pub(super) time_us: u64,
}

/// A place between two transactions, and the transaction that begins there if there is one.
pub(super) struct Between<'a> {
    pub(super) start: u64,
    pub(super) transaction: Option<&'a NamedTransaction>,
}

/// Reads a file up to the first place of which `is_wanted` says so.
pub(super) async fn scan(
    config: &Config,
    file: &str,
    mut is_wanted: impl FnMut(&Between<'_>) -> bool,
) -> Result<FilePart, Failure> {
    tracing::info!(file, "reading a binlog file of the source");
    let mut dump = FileDump::open(config, file).await?;
    let mut scan = FileScan::new(file);
    let mut part = FilePart::default();
    while let Some(event) = dump.next().await? {
        let (start, transaction) = match scan.scan(&event)? {
            ScannedEvent::Inside => continue,
            ScannedEvent::Between { start, begun } => {
                part.begun = part.begun.or(begun);
                (start, None)
            }
            ScannedEvent::Begins { start, transaction } => (start, Some(transaction)),
        };
        if is_wanted(&Between { start, transaction: transaction.as_ref() }) {
            return Ok(FilePart { offset: start, is_found: true, ..part });
        }
        part.before = start;
        if let Some(NamedTransaction { gtid, commit_time_us }) = transaction {
            if let Some(gtid) = gtid {
                part.gtids.add(&gtid);
            }
            part.time_us = commit_time_us.unwrap_or(part.time_us);
        }
    }
    part.offset = scan.end();
    Ok(part)
}

/// When a file was begun, in seconds since the epoch.
pub(super) async fn begun(config: &Config, file: &str) -> Result<Option<u32>, Failure> {
    let mut dump = FileDump::open(config, file).await?;
    let mut scan = FileScan::new(file);
    while let Some(event) = dump.next().await? {
        if let ScannedEvent::Between { begun, .. } = scan.scan(&event)? {
            return Ok(begun);
        }
    }
    Ok(None)
}

/// The number of the last one of these files for which something holds that holds for all before
/// it too; `None` if it holds for none.
pub(super) async fn last_that<E: From<MysqlError>>(
    files: &[String],
    mut holds: impl AsyncFnMut(&str) -> Result<bool, E>,
) -> Result<Option<usize>, E> {
    let (mut known, mut refused) = (0, files.len());
    while known < refused {
        let middle = known + (refused - known) / 2;
        let Some(file) = files.get(middle) else { break };
        if holds(file).await? {
            known = middle + 1;
        } else {
            refused = middle;
        }
    }
    Ok(known.checked_sub(1))
}

#[cfg(test)]
mod tests {
    use super::{Failure, last_that};

    #[tokio::test]
    async fn the_last_file_for_which_it_holds_is_found_with_few_looks() {
        for count in 0..20_usize {
            let files: Vec<String> = (0..count).map(|number| number.to_string()).collect();
            for holding in 0..=count {
                let mut looks = 0;
                let found = last_that::<Failure>(&files, async |file: &str| {
                    looks += 1;
                    Ok(file.parse::<usize>().unwrap() < holding)
                });
                assert_eq!(found.await.unwrap(), holding.checked_sub(1), "{count} {holding}");
                assert!(looks <= 5, "{looks} looks at {count} files");
            }
        }
    }
}
