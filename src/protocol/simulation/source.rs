//! The binlogs: source transactions in order, on one server and on a replica that has some of them
//! in another order, some with their rows in another order, and some that only it has.

use std::collections::{BTreeMap, BTreeSet};

use super::broker::DATA_PARTITIONS;
use crate::{
    model::{
        gtid::{Gtid, GtidSet, ServerUuid},
        position::{FilePosition, Position},
        xa::Xid,
    },
    state::PositionRecord,
};
use testkit::Random;

/// Snapshot rows are numbered from here on.
const CHUNK: u32 = 1 << 20;

/// How many rows are in one.
const CHUNK_ROWS: u32 = 3;

/// Rows of a table that is read are numbered from here on.
const READ: u32 = 1 << 21;

/// Rows of transactions that only the replica has are numbered from here on.
const ERRANT: u32 = 1 << 16;

/// A source transaction.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// Its number, the same on each server that has it.
    pub(super) id: usize,
    pub(super) gtid: Option<Gtid>,
    pub(super) begin: u64,
    pub(super) end: FilePosition,
    /// Whether it begins a file.
    is_first: bool,
    /// Whether it is a statement on a captured table.
    pub(super) has_statement: bool,
    /// Its rows, by number.
    pub(super) rows: Vec<u32>,
    /// Whether its rows come with long pauses.
    pub(super) slow: bool,
    /// How long rows come behind them that are not captured.
    pub(super) tail_ms: u64,
    /// How many of its rows come before one that cannot be delivered, if there is one.
    pub(super) bad: Option<usize>,
    pub(super) ends: Ends,
}

/// What a configuration captures: two tables, or the one that all capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Captures {
    #[default]
    Both,
    One,
}

/// What a run sees.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) server: usize,
    pub(super) captures: Captures,
}

/// What the end of a source transaction decides.
#[derive(Clone, Debug)]
pub(super) enum Ends {
    Done,
    /// An XA transaction is prepared; its rows count where it is committed.
    Prepared(Xid),
    /// One that was prepared is committed: these are its rows.
    Committed(Xid),
    RolledBack(Xid),
}

/// A server and its binlog.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) uuid: ServerUuid,
    /// What its binlog will hold.
    groups: Vec<Group>,
    /// How many of these there are so far.
    pub(super) written: usize,
    /// Whether a file has begun that holds nothing.
    rotated: bool,
}

#[derive(Debug)]
pub(super) struct Source {
    pub(super) servers: [Server; 2],
    /// The server that the connector reaches.
    pub(super) current: usize,
    /// Whether the row that cannot be delivered can be by now.
    pub(super) is_mended: bool,
}

/// The partition of a row's key.
pub(super) fn partition_of(row: u32) -> usize {
    usize::try_from(row).unwrap() % DATA_PARTITIONS
}

impl Captures {
    /// Whether a row is captured.
    pub(super) fn has(self, row: u32) -> bool {
        self == Self::Both || !is_optional(row)
    }

    pub(super) fn other(self) -> Self {
        if self == Self::Both { Self::One } else { Self::Both }
    }
}

impl Group {
    /// Its rows that a run captures.
    pub(super) fn captured(&self, captures: Captures) -> Vec<u32> {
        self.rows.iter().copied().filter(|row| captures.has(*row)).collect()
    }
}

impl Source {
    pub(super) fn new(random: &mut Random) -> Self {
        let has_gtids = !random.is_one_in(4);
        let first = groups(random, has_gtids);
        let mut second = first.clone();
        for group in &mut second {
            if random.is_one_in(3) {
                group.rows.reverse();
            }
        }
        if has_gtids && random.is_one_in(2) {
            shuffle(random, &mut second);
        }
        if has_gtids && random.is_one_in(4) {
            add_errant(random, &mut second);
        }
        let server = |number, groups| {
            let uuid = ServerUuid([number; 16]);
            Server { uuid, groups: placed(groups), written: 1, rotated: false }
        };
        Self { servers: [server(1, first), server(2, second)], current: 0, is_mended: false }
    }

    pub(super) fn groups(&self, server: usize) -> &[Group] {
        &self.servers[server].groups
    }

    pub(super) fn has_gtids(&self) -> bool {
        self.groups(0)[0].gtid.is_some()
    }

    pub(super) fn server_of(&self, uuid: ServerUuid) -> usize {
        self.servers.iter().position(|server| server.uuid == uuid).unwrap()
    }

    /// The current server commits one more transaction.
    pub(super) fn write(&mut self) {
        let Server { groups, written, .. } = &mut self.servers[self.current];
        *written = (*written + 1).min(groups.len());
    }

    /// The current server begins a file behind everything.
    pub(super) fn rotate(&mut self) {
        self.servers[self.current].rotated = true;
    }

    /// Where a server is that has sent everything up to this transaction and has no more so far.
    pub(super) fn boundary(&self, server: usize, group: usize) -> FilePosition {
        let Server { groups, rotated, .. } = &self.servers[server];
        let mut boundary = groups[group.saturating_sub(1)].end.clone();
        match groups.get(group) {
            Some(next) if group == 0 || next.is_first => {
                boundary.file.clone_from(&next.end.file);
                boundary.offset = next.begin;
            }
            None if *rotated => {
                boundary.file = file_name(boundary.file_number().unwrap_or_default() + 1);
                boundary.offset = 4;
            }
            _ => {}
        }
        boundary
    }

    /// Whether a position is in the file that the current server writes to.
    pub(super) fn is_in_last_file(&self, record: &PositionRecord) -> bool {
        let groups = self.groups(self.current);
        record.position.file.file == self.boundary(self.current, groups.len()).file
    }

    /// Whether the connector can be sent to the other server: that one has, or gets, everything
    /// that this one has.
    pub(super) fn can_fail_over(&self) -> bool {
        let has = |id| self.groups(1 - self.current).iter().any(|group| group.id == id);
        self.has_gtids() && self.groups(self.current).iter().all(|group| has(group.id))
    }

    /// The other server takes over, once it has everything that this one has.
    pub(super) fn fail_over(&mut self) {
        let Server { groups, written, .. } = &self.servers[self.current];
        let ids = groups[..*written].iter().map(|group| group.id).collect::<BTreeSet<_>>();
        self.current = 1 - self.current;
        let Server { groups, written, .. } = &mut self.servers[self.current];
        let last = groups.iter().rposition(|group| ids.contains(&group.id)).unwrap();
        *written = (*written).max(last + 1);
    }

    /// Before everything.
    pub(super) fn start(&self) -> Position {
        Position {
            server_uuid: self.servers[self.current].uuid,
            gtid_set: self.has_gtids().then(GtidSet::default),
            file: FilePosition { file: file_name(1), offset: 4 },
            source_time_us: 0,
        }
    }

    /// The source transactions that a position says are done.
    pub(super) fn done(&self, record: &PositionRecord) -> BTreeSet<usize> {
        let is_done = |group: &&Group| match (&record.position.gtid_set, &group.gtid, &group.ends) {
            (Some(_), _, Ends::Prepared(xid)) if record.prepared.contains_key(xid) => true,
            (Some(set), Some(gtid), _) => set.contains(gtid),
            _ => group.end <= record.position.file,
        };
        // Without GTIDs there is one server only.
        let servers = if self.has_gtids() { 2 } else { 1 };
        let groups = self.servers[..servers].iter().flat_map(|server| &server.groups);
        groups.filter(is_done).map(|group| group.id).collect()
    }

    /// How many rows a position says are delivered of others, by their number.
    pub(super) fn noted(&self, record: &PositionRecord) -> Result<BTreeMap<usize, usize>, String> {
        let mut noted = BTreeMap::new();
        for note in &record.partials {
            let server = self.server_of(note.server_uuid);
            let is_meant = |group: &&Group| match &group.gtid {
                Some(_) => note.gtid == group.gtid,
                None => note.begin.offset == group.begin && note.begin.file == group.end.file,
            };
            let group = self.groups(server).iter().find(is_meant).ok_or("a note about nothing")?;
            if noted.insert(group.id, usize::try_from(note.rows_done).unwrap()).is_some() {
                return Err("two notes about one transaction".to_owned());
            }
        }
        Ok(noted)
    }

    /// How many of these transactions are statements.
    pub(super) fn statements(&self, done: &BTreeSet<usize>) -> usize {
        let groups = self.groups(0).iter().filter(|group| group.has_statement);
        groups.filter(|group| done.contains(&group.id)).count()
    }

    /// The rows of the table that some runs do not capture, of these transactions.
    pub(super) fn optional_rows(&self, server: usize, done: &BTreeSet<usize>) -> BTreeSet<u32> {
        let groups = self.groups(server).iter().filter(|group| done.contains(&group.id));
        groups.flat_map(|group| &group.rows).copied().filter(|row| is_optional(*row)).collect()
    }

    /// Whether two runs, each with its server, see a transaction with other first rows.
    pub(super) fn differ(&self, id: usize, rows: usize, (one, other): (View, View)) -> bool {
        let first = |view: View| {
            let group = self.groups(view.server).iter().find(|group| group.id == id);
            let mut seen = group.map_or_else(Vec::new, |group| group.captured(view.captures));
            seen.truncate(rows);
            seen
        };
        first(one) != first(other)
    }
}

/// The transactions of the first server, in order.
fn groups(random: &mut Random, has_gtids: bool) -> Vec<Group> {
    let has_slow = random.is_one_in(8);
    let has_xa = random.is_one_in(2);
    let has_tails = random.is_one_in(8);
    let has_bad = random.is_one_in(6);
    let mut prepared = Vec::new();
    let mut groups = Vec::new();
    let mut row = 0;
    for number in 1..random.in_range(4..12) {
        let gtid = has_gtids.then(|| gtid(1, number));
        let ends = match random.in_range(0..6) {
            0..=1 if has_xa => {
                let xid = Xid::new(1, &number.to_be_bytes(), b"").unwrap();
                prepared.push(xid.clone());
                Ends::Prepared(xid)
            }
            2..=3 if !prepared.is_empty() => {
                let xid = prepared.swap_remove(0);
                let commits = !random.is_one_in(4);
                if commits { Ends::Committed(xid) } else { Ends::RolledBack(xid) }
            }
            _ => Ends::Done,
        };
        let count = match ends {
            Ends::Prepared(_) | Ends::RolledBack(_) => 0,
            _ if random.is_one_in(3) => random.in_range(8..16),
            _ => random.in_range(0..4),
        };
        let slow = has_slow && 8 <= count;
        let tail_ms = if has_tails && random.is_one_in(3) { 4_000 } else { 0 };
        let bad = (has_bad && 0 < count && random.is_one_in(3))
            .then(|| usize::try_from(random.in_range(0..count)).unwrap());
        let rows = rows(row, count);
        row += u32::try_from(count).unwrap();
        let id = groups.len();
        let has_statement = count == 0 && matches!(ends, Ends::Done);
        groups.push(Group {
            id,
            gtid,
            begin: 0,
            end: FilePosition::default(),
            is_first: random.is_one_in(4),
            has_statement,
            rows,
            slow,
            tail_ms,
            bad,
            ends,
        });
    }
    groups
}

fn gtid(server: u8, number: u64) -> Gtid {
    format!("{}:{number}", ServerUuid([server; 16])).parse().unwrap()
}

fn rows(first: u32, count: u64) -> Vec<u32> {
    (first..).take(usize::try_from(count).unwrap()).collect()
}

/// Changes places of neighbours, as appliers do that need not keep the order of commits.
fn shuffle(random: &mut Random, groups: &mut [Group]) {
    for second in 1..groups.len() {
        let [one, other] = [&groups[second - 1].ends, &groups[second].ends];
        // What an XA transaction ends with follows what prepares it.
        if random.is_one_in(2) && (one.xid() != other.xid() || one.xid().is_none()) {
            groups.swap(second - 1, second);
        }
    }
}

/// Adds transactions that the other server does not have.
fn add_errant(random: &mut Random, groups: &mut Vec<Group>) {
    let mut row = ERRANT;
    for number in 1..random.in_range(2..4) {
        let count = random.in_range(0..12);
        let errant = Group {
            id: usize::try_from(u64::from(ERRANT) + number).unwrap(),
            gtid: Some(gtid(2, number)),
            begin: 0,
            end: FilePosition::default(),
            is_first: false,
            has_statement: false,
            rows: rows(row, count),
            slow: false,
            tail_ms: 0,
            bad: None,
            ends: Ends::Done,
        };
        row += u32::try_from(count).unwrap();
        let places = u64::try_from(groups.len()).unwrap() + 1;
        groups.insert(usize::try_from(random.in_range(0..places)).unwrap(), errant);
    }
}

/// Says where in a binlog each one is.
fn placed(mut groups: Vec<Group>) -> Vec<Group> {
    let (mut file, mut offset) = (1, 4);
    for group in &mut groups {
        if group.is_first {
            (file, offset) = (file + 1, 4);
        }
        group.begin = offset;
        offset += 100 + u64::try_from(group.rows.len()).unwrap();
        group.end = FilePosition { file: file_name(file), offset };
    }
    groups
}

fn file_name(number: u64) -> String {
    format!("binlog.{number:06}")
}

/// The rows of a chunk.
pub(super) fn chunk(number: u32) -> Vec<u32> {
    let first = CHUNK + number * CHUNK_ROWS;
    (first..first + CHUNK_ROWS).collect()
}

/// Whether a row is of a chunk.
pub(super) fn is_of_chunk(row: u32) -> bool {
    (CHUNK..READ).contains(&row)
}

/// Whether a row is of the table that some runs do not capture.
pub(super) fn is_optional(row: u32) -> bool {
    row < CHUNK && 2 <= row % 4
}

/// The number of a row that is read although the stream has it too.
pub(super) fn read_again(row: u32) -> u32 {
    READ + row
}

/// The row that has this number when it is read.
pub(super) fn row_read(row: u32) -> Option<u32> {
    row.checked_sub(READ)
}

impl Ends {
    fn xid(&self) -> Option<&Xid> {
        match self {
            Self::Done => None,
            Self::Prepared(xid) | Self::Committed(xid) | Self::RolledBack(xid) => Some(xid),
        }
    }
}
