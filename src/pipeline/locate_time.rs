//! Finds the place of a time in the source's binlog: the first transaction that was committed then
//! or later.
//!
//! A file's first event has the time at which the file was begun, so a binary search finds the last
//! file that was begun by then. That file and those behind it are read until a transaction is late
//! enough. What is in earlier files was written before.

use std::sync::Arc;

use super::{epoch::QUEUE_BYTES_MAX, stop::IDLE_STEP, threads::on_thread};
use crate::{
    config::Config,
    decode::{Decoded, Decoder},
    error::Failure,
    model::{
        position::{FilePosition, Position},
        utc_time::UtcTime,
    },
    mysql::{self, EventReceiver, Received, Server},
    runtime::TaskGroup,
};

/// Where a time is in a binlog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TimePlace {
    /// Where the first transaction begins that was committed at that time or later: the end of the
    /// binlog if there is none.
    pub(super) place: FilePosition,
    /// Whether the binlogs before that time are gone: earlier transactions than the one at `place`
    /// may belong to it too.
    pub(super) is_oldest: bool,
}

/// Finds the place of a time. The server is read under the second server id of the configuration.
pub(super) async fn locate_time(
    config: &Arc<Config>,
    server: &Server,
    time: UtcTime,
) -> Result<TimePlace, Failure> {
    let files: Vec<String> = server.end().files.into_iter().map(|(name, _)| name).collect();
    let mut search = FileSearch::new(files.len());
    while let Some(name) = search.next().and_then(|index| files.get(index)) {
        let begun = mysql::creation_time(config, name).await?;
        // Whole seconds: the file may have been begun up to a second after what they say.
        search.note(begun.is_some_and(|seconds| (u64::from(seconds) + 1) * 1_000_000 <= time.us));
    }
    let (first, is_before_all) = search.found();
    let mut is_oldest = false;
    if let Some(oldest) = files.first().filter(|_| is_before_all) {
        let begun = mysql::creation_time(config, oldest).await?;
        is_oldest = begun.is_some_and(|seconds| time.us < u64::from(seconds) * 1_000_000);
    }
    let end = server.current.file.clone();
    let Some(file) = files.get(first) else { return Ok(TimePlace { place: end, is_oldest }) };
    let start = FilePosition { file: file.clone(), offset: FilePosition::OFFSET_MIN };
    if is_oldest {
        return Ok(TimePlace { place: start, is_oldest });
    }
    tracing::info!(file, "looking for {time} UTC in the source's binlog");
    let from = Position { gtid_set: None, file: start.clone(), ..server.current.clone() };
    let (sender, queue) = mysql::queue(QUEUE_BYTES_MAX);
    // Dropping the group ends the reader.
    let tasks = TaskGroup::new();
    tasks.spawn("time search", mysql::read_second_dump(Arc::clone(config), from, sender));
    let read = move || {
        let decoder = Decoder::new(Box::new(|_| false), start.file);
        first_at(&queue, decoder, &end, time)
    };
    Ok(TimePlace { place: on_thread("time search", read).await??, is_oldest })
}

/// Reads transactions until one was committed at the time or later, or until the end.
fn first_at(
    queue: &EventReceiver,
    mut decoder: Decoder,
    end: &FilePosition,
    time: UtcTime,
) -> Result<FilePosition, Failure> {
    loop {
        let batch = match queue.receive(IDLE_STEP) {
            Received::Batch(batch) => batch,
            Received::Empty => continue,
            Received::Ended(error) => return Err(error.into()),
        };
        for event in &batch.events {
            let late = match decoder.decode(event)? {
                Decoded::Begun(transaction) => Some(transaction),
                Decoded::Finished(finished) => Some(finished.transaction),
                Decoded::Nothing | Decoded::Rows(_) | Decoded::Statement(_) => None,
            };
            let late = late.filter(|transaction| time.us <= transaction.commit_time_us);
            let offset = late.map(|transaction| transaction.begin_offset);
            let file = &decoder.file_position().file;
            if let Some(offset) = offset {
                return Ok(FilePosition { file: file.clone(), offset });
            }
            if decoder.boundary().is_some_and(|boundary| end <= boundary) {
                return Ok(end.clone());
            }
        }
    }
}

/// A binary search for the last file that was begun by a time.
#[derive(Debug)]
struct FileSearch {
    /// How many files from the first on were begun by then, as far as is known.
    begun: usize,
    /// From this one on they were begun later, as far as is known.
    later: usize,
}

impl FileSearch {
    fn new(files: usize) -> Self {
        Self { begun: 0, later: files }
    }

    /// The file to look at next; `None` when the search is over.
    fn next(&self) -> Option<usize> {
        let middle = self.begun + (self.later - self.begun) / 2;
        (self.begun < self.later).then_some(middle)
    }

    /// Whether that file was begun by the time.
    fn note(&mut self, was_begun: bool) {
        let Some(middle) = self.next() else { return };
        if was_begun {
            self.begun = middle + 1;
        } else {
            self.later = middle;
        }
    }

    /// The file to read from, and whether no file was begun by the time.
    fn found(&self) -> (usize, bool) {
        (self.begun.saturating_sub(1), self.begun == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::FileSearch;

    #[test]
    fn the_last_file_that_was_begun_by_then_is_found() {
        for files in 0..9_usize {
            for begun in 0..=files {
                let mut search = FileSearch::new(files);
                let mut looks = 0;
                while let Some(index) = search.next() {
                    search.note(index < begun);
                    looks += 1;
                }
                assert_eq!(search.found(), (begun.saturating_sub(1), begun == 0));
                assert!(looks <= 4, "{looks} looks at {files} files");
            }
        }
    }
}
