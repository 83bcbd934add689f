//! Reads the source's binlog files by `SHOW BINLOG EVENTS`: the event at a place, and the
//! transactions before it.

use mysql_async::{Conn, Error, Row};

use super::{
    error::MysqlError,
    query::{BoundedQueries, column},
};
use crate::{
    config::Config,
    model::{
        gtid::{GtidSet, ServerUuid},
        position::FilePosition,
    },
};

/// Events of one answer: few enough to stay small, enough to read a file of 1 GiB in a minute.
const EVENTS_MAX: usize = 10_000;

/// ER_ERROR_WHEN_EXECUTING_COMMAND: what the server answers when no event can be read there.
const CANNOT_READ: u16 = 1220;

/// The query.
const WHAT: &str = "SHOW BINLOG EVENTS";

/// Types of events that name the transaction behind them.
const GTIDS: [&str; 3] = ["Gtid", "Gtid_tagged_log_event", "Anonymous_Gtid"];

/// Types of events that a file has between two transactions; the first three begin one. What is
/// inside a compressed transaction is listed too, with the place where that ends.
const BETWEEN: [&str; 7] = [
    "Gtid",
    "Gtid_tagged_log_event",
    "Anonymous_Gtid",
    "Format_desc",
    "Previous_gtids",
    "Rotate",
    "Stop",
];

/// Types of events with rows.
const ROWS: [&str; 4] = ["Write_rows", "Update_rows", "Delete_rows", "Update_rows_partial"];

/// Types of events with which a file begins.
const OPENING: [&str; 2] = ["Format_desc", "Previous_gtids"];

/// What the source has at a place of its binlog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventAt {
    /// The source.
    pub server_uuid: ServerUuid,
    /// The event's type, as the source calls it; `None` where no event begins.
    pub kind: Option<String>,
    /// Whether a transaction begins there that is an XA COMMIT.
    pub is_xa_commit: bool,
}

impl EventAt {
    /// Finds the event that the source has at this place.
    pub async fn find(
        connection: &mut Conn,
        config: &Config,
        place: &FilePosition,
    ) -> Result<Self, MysqlError> {
        let mut binlog = BinlogEvents::new(connection, config);
        let server_uuid = binlog.queries.variable("server_uuid").await?;
        let server_uuid = server_uuid.parse();
        let server_uuid = server_uuid.map_err(|_| MysqlError::Answer { what: "@@server_uuid" })?;
        let events = binlog.events(place, 2).await?.unwrap_or_default();
        let first = events.first().filter(|event| event.start == place.offset);
        let is_named = first.is_some_and(|event| GTIDS.contains(&event.kind.as_str()));
        let statement = if is_named { events.get(1) } else { first };
        let is_xa_commit = statement
            .is_some_and(|event| event.kind == "Query" && event.info.contains("XA COMMIT "));
        Ok(Self { server_uuid, kind: first.map(|event| event.kind.clone()), is_xa_commit })
    }

    /// Whether it is an event with rows.
    pub fn has_rows(&self) -> bool {
        self.kind.as_ref().is_some_and(|kind| ROWS.contains(&kind.as_str()))
    }

    /// Whether it has rows events inside, which have no place of their own.
    pub fn has_rows_inside(&self) -> bool {
        self.is_xa_commit || self.kind.as_deref() == Some("Transaction_payload")
    }
}

/// The GTIDs of all transactions before a file, purged ones included.
pub async fn previous_gtids(
    connection: &mut Conn,
    config: &Config,
    file: &str,
) -> Result<GtidSet, MysqlError> {
    let start = FilePosition { file: file.to_owned(), offset: FilePosition::OFFSET_MIN };
    let mut binlog = BinlogEvents::new(connection, config);
    let events = binlog.events(&start, OPENING.len()).await?.unwrap_or_default();
    let previous = events.iter().find(|event| event.kind == "Previous_gtids");
    let gtids = previous.map(|event| event.info.parse());
    gtids.and_then(Result::ok).ok_or(MysqlError::Answer { what: WHAT })
}

/// What a file and all files before it hold up to a place.
pub(super) struct Before {
    /// Every GTID that was ever written before the place, purged ones included.
    pub(super) gtids: GtidSet,
    /// Whether a transaction in the same file, before the place, has no GTID.
    pub(super) has_anonymous: bool,
}

/// One event.
struct ListedEvent {
    kind: String,
    start: u64,
    end: u64,
    info: String,
}

/// The events that the source's binlog files have.
pub(super) struct BinlogEvents<'a> {
    queries: BoundedQueries<'a>,
}

impl<'a> BinlogEvents<'a> {
    pub(super) fn new(connection: &'a mut Conn, config: &'a Config) -> Self {
        Self { queries: BoundedQueries::new(connection, config) }
    }

    /// Whether a transaction begins at this place, or the file, which has so many bytes, ends in
    /// order behind it. The server reads the bytes there as an event, whatever they are: for some
    /// places it answers with an error, for others with nothing or with an event past the end.
    pub(super) async fn is_boundary(
        &mut self,
        place: &FilePosition,
        file_bytes: u64,
    ) -> Result<bool, MysqlError> {
        let Some(events) = self.events(place, 1).await? else { return Ok(false) };
        Ok(events
            .first()
            .is_some_and(|event| BETWEEN.contains(&event.kind.as_str()) && event.end <= file_bytes))
    }

    /// Whether the first transaction from this place of a file on has no GTID.
    pub(super) async fn begins_anonymous(
        &mut self,
        place: &FilePosition,
    ) -> Result<bool, MysqlError> {
        let events = self.events(place, OPENING.len() + 1).await?.unwrap_or_default();
        let first = events.iter().find(|event| !OPENING.contains(&event.kind.as_str()));
        Ok(first.is_some_and(|event| event.kind == "Anonymous_Gtid"))
    }

    /// The GTIDs before this place.
    pub(super) async fn before(&mut self, place: &FilePosition) -> Result<Before, MysqlError> {
        let mut before = Before { gtids: GtidSet::default(), has_anonymous: false };
        let mut next = FilePosition { file: place.file.clone(), offset: 4 };
        loop {
            let events = self.events(&next, EVENTS_MAX).await?;
            let events = events.ok_or(MysqlError::Answer { what: WHAT })?;
            let is_last = events.len() < EVENTS_MAX;
            for event in events {
                // What opens a file counts before any place in it.
                if place.offset <= event.start && !OPENING.contains(&event.kind.as_str()) {
                    return Ok(before);
                }
                let gtids = match event.kind.as_str() {
                    "Previous_gtids" => event.info.as_str(),
                    "Gtid" | "Gtid_tagged_log_event" => quoted(&event.info),
                    "Anonymous_Gtid" => {
                        before.has_anonymous = true;
                        ""
                    }
                    _ => "",
                };
                let gtids: GtidSet =
                    gtids.parse().map_err(|_| MysqlError::Answer { what: WHAT })?;
                before.gtids.add_all(&gtids);
                next.offset = next.offset.max(event.end);
            }
            if is_last {
                return Ok(before);
            }
        }
    }

    /// The events from a place on, `None` if there is none that can be read.
    async fn events(
        &mut self,
        from: &FilePosition,
        events_max: usize,
    ) -> Result<Option<Vec<ListedEvent>>, MysqlError> {
        let query = format!(
            "SHOW BINLOG EVENTS IN '{}' FROM {} LIMIT {events_max}",
            from.file.replace(['\'', '\\'], ""),
            from.offset
        );
        match self.queries.rows_of(&query).await? {
            Ok(rows) => {
                let events = rows.iter().map(listed).collect::<Option<_>>();
                events.map(Some).ok_or(MysqlError::Answer { what: WHAT })
            }
            Err(Error::Server(error)) if error.code == CANNOT_READ => Ok(None),
            Err(error) => Err(self.queries.failed(error)),
        }
    }
}

fn listed(row: &Row) -> Option<ListedEvent> {
    Some(ListedEvent {
        start: column(row, 1)?,
        kind: column(row, 2)?,
        end: column(row, 4)?,
        info: String::from_utf8_lossy(&column::<Vec<u8>>(row, 5)?).into_owned(),
    })
}

/// The GTID in `SET @@SESSION.GTID_NEXT= '…'`.
fn quoted(info: &str) -> &str {
    info.split('\'').nth(1).unwrap_or(info)
}
