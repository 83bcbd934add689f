//! Places in the source: file and offset, GTIDs, and the saved position.

use std::{cmp::Ordering, fmt, num::NonZeroU64, str::FromStr};

use super::gtid::{Gtid, GtidSet, ServerUuid};

/// A place in one server's binlog.
///
/// Ordered by the number in the file's name, then by offset: `binlog.1000000` comes after
/// `binlog.999999`, which a comparison of the names as text gets wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilePosition {
    /// The binlog file's name, without a folder.
    pub file: String,
    /// Bytes from the file's start. Counted in 64 bits: `log_pos` on the wire has 32 and wraps.
    pub offset: u64,
}

/// Everything before this point of the source is delivered or proved irrelevant.
///
/// Made by `pipeline` at the end of each source transaction, saved by `state` only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The server the file position belongs to; on another server only the GTIDs count.
    pub server_uuid: ServerUuid,
    /// Every source transaction that is done; `None` for a source without GTIDs.
    pub gtid_set: Option<GtidSet>,
    /// The end of the last transaction that is done: a transaction boundary.
    pub file: FilePosition,
    /// When the last transaction committed at the source, in microseconds since the epoch; 0
    /// before the first one.
    pub source_time_us: u64,
}

/// A source transaction too large for one Kafka transaction, of which a part is delivered.
///
/// Rows are counted, not events: how rows are put into events differs between servers
/// (`binlog_row_event_max_size`), so that a replica has the same transaction in other events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartialTransaction {
    /// Its GTID; `None` for an anonymous one, which only `begin` names.
    pub gtid: Option<Gtid>,
    /// The server that `begin` belongs to.
    pub server_uuid: ServerUuid,
    /// Where it begins.
    pub begin: FilePosition,
    /// How many of its rows are delivered, from the first on.
    pub rows_done: u64,
    /// Digest of these rows as the binlog has them.
    pub digest: u32,
    /// How many Kafka transactions hold them.
    pub parts: u32,
}

/// A rows event that a person gave up: its rows are not delivered.
///
/// A place counts on one server only: another one has another event there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSkip {
    /// The server that the event's place belongs to.
    pub server_uuid: ServerUuid,
    /// Which event it is.
    pub event: RowsEvent,
}

/// Which rows event of a server's binlog, as people write it: `binlog.000002:1234`, or
/// `binlog.000002:1234:2` for one that has no place of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowsEvent {
    /// Where it begins; without a place of its own, where the compressed transaction begins that
    /// it is in, or the XA COMMIT by which its rows are delivered.
    pub place: FilePosition,
    /// Its number among the rows events of its transaction, from 1 on, if it has no place of its
    /// own.
    pub number: Option<NonZeroU64>,
}

impl EventSkip {
    /// Whether a rows event of this server at this place is the one.
    pub fn is_at(
        &self,
        server_uuid: ServerUuid,
        (file, offset): (&str, u64),
        number: Option<NonZeroU64>,
    ) -> bool {
        let Self { server_uuid: server, event: RowsEvent { place, number: own } } = self;
        *server == server_uuid && *own == number && place.offset == offset && place.file == file
    }

    /// Whether the event cannot come any more: it is before the position, or on another server.
    pub fn is_passed(&self, position: &Position) -> bool {
        self.server_uuid != position.server_uuid || self.event.place < position.file
    }
}

impl fmt::Display for RowsEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place)?;
        self.number.map_or(Ok(()), |number| write!(f, ":{number}"))
    }
}

impl FromStr for RowsEvent {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const NEEDED: &str = "a file and an offset are needed, such as binlog.000002:1234; for an \
            event without a place of its own also its number: binlog.000002:1234:2";
        fn number<T: FromStr>(text: &str) -> Option<(&str, T)> {
            let (before, number) = text.rsplit_once(':')?;
            Some((before, number.parse().ok()?))
        }
        // A file's name ends in a number behind a point, so there is one way to read it.
        let (before, last) = number::<u64>(text).ok_or(NEEDED)?;
        let (file, offset, number) = match number(before) {
            None => (before, last, None),
            Some((file, offset)) => (file, offset, Some(last.try_into().map_err(|_| NEEDED)?)),
        };
        let place = FilePosition { file: file.to_owned(), offset };
        if file.is_empty() { Err(NEEDED) } else { Ok(Self { place, number }) }
    }
}

impl FilePosition {
    /// The offset of each file's first event, behind the magic number.
    pub const OFFSET_MIN: u64 = 4;

    /// Largest offset at which a dump by file and offset can begin: `COM_BINLOG_DUMP` has 32 bits.
    pub const DUMP_OFFSET_MAX: u64 = 0xffff_ffff;

    /// The file's name without the number at its end: the server's `log_bin`.
    pub fn base_name(&self) -> &str {
        self.file.rsplit_once('.').map_or(self.file.as_str(), |(base, _)| base)
    }

    /// The number at the end of the file's name, if it ends in one.
    pub fn file_number(&self) -> Option<u64> {
        self.file.rsplit('.').next()?.parse().ok()
    }
}

impl PartialOrd for FilePosition {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for FilePosition {
    fn cmp(&self, other: &Self) -> Ordering {
        self.file_number()
            .cmp(&other.file_number())
            .then_with(|| self.file.cmp(&other.file))
            .then_with(|| self.offset.cmp(&other.offset))
    }
}

impl fmt::Display for FilePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.offset)
    }
}

impl Position {
    /// The same position as it counts on a server. On another one than before the GTIDs stay and
    /// the file means nothing until the next transaction ends.
    #[must_use]
    pub fn on_server(self, server_uuid: ServerUuid) -> Self {
        let same = self.server_uuid == server_uuid;
        let file = if same { self.file } else { FilePosition::default() };
        Self { server_uuid, file, ..self }
    }

    /// Whether everything up to `target` is delivered.
    ///
    /// By GTIDs where both sides have them, by file and offset otherwise.
    pub fn has_reached(&self, target: &Self) -> bool {
        match (&self.gtid_set, &target.gtid_set) {
            (Some(done), Some(wanted)) => wanted.is_subset(done),
            _ => target.file <= self.file,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.gtid_set {
            Some(set) => write!(f, "{} (GTIDs {set})", self.file),
            None => self.file.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FilePosition, RowsEvent};

    #[test]
    fn files_are_ordered_by_their_number() {
        let at = |file: &str, offset| FilePosition { file: file.into(), offset };
        assert!(at("binlog.999999", 500) < at("binlog.1000000", 4));
        assert!(at("binlog.000002", 4) < at("binlog.000002", 5));
    }

    #[test]
    fn a_rows_event_is_read_as_it_is_written() {
        for text in ["binlog.000002:4", "a:b.000001:18446744073709551615", "binlog.000002:4:1"] {
            let event: RowsEvent = text.parse().unwrap();
            assert_eq!(event.to_string(), text);
        }
        for text in ["binlog", ":4", ":4:5", "binlog.000002:x", "binlog.000002:4:0", "", "b:-1"] {
            assert!(text.parse::<RowsEvent>().is_err(), "{text}");
        }
    }
}
