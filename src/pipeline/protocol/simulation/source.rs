//! The binlog: source transactions in order, on one server and on a replica that has applied the
//! rows of some of them in another order.

use super::broker::DATA_PARTITIONS;
use crate::{
    commit::PositionRecord,
    model::{
        gtid::{Gtid, GtidSet, ServerUuid},
        position::{FilePosition, PartialTransaction, Position},
        xa::Xid,
    },
};
use testkit::Random;

pub(super) const FILE: &str = "binlog.000001";

/// A source transaction.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) gtid: Option<Gtid>,
    pub(super) begin: u64,
    pub(super) end: u64,
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

#[derive(Debug)]
pub(super) struct Source {
    /// What each server's binlog will hold.
    pub(super) servers: Vec<(ServerUuid, Vec<Group>)>,
    /// The server that the connector reaches.
    pub(super) current: usize,
    /// How many source transactions there are so far.
    pub(super) written: usize,
    /// Whether the row that cannot be delivered can be by now.
    pub(super) is_mended: bool,
}

/// The partition of a row's key.
pub(super) fn partition_of(row: u32) -> usize {
    usize::try_from(row).unwrap() % DATA_PARTITIONS
}

impl Source {
    pub(super) fn new(random: &mut Random) -> Self {
        let uuid = |last: u8| ServerUuid([last; 16]);
        let has_gtids = !random.is_one_in(4);
        let has_slow = random.is_one_in(8);
        let has_xa = random.is_one_in(2);
        let has_tails = random.is_one_in(8);
        let has_bad = random.is_one_in(6);
        let mut prepared = Vec::new();
        let mut servers = vec![(uuid(1), Vec::new()), (uuid(2), Vec::new())];
        let (mut row, mut offset) = (0, 4);
        for number in 1..random.in_range(4..12) {
            let gtid = has_gtids.then(|| format!("{}:{number}", uuid(1)).parse::<Gtid>().unwrap());
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
            let rows = (row..).take(usize::try_from(count).unwrap()).collect::<Vec<u32>>();
            row += u32::try_from(count).unwrap();
            let slow = has_slow && 8 <= count;
            let tail_ms = if has_tails && random.is_one_in(3) { 4_000 } else { 0 };
            let bad = (has_bad && 0 < count && random.is_one_in(3))
                .then(|| usize::try_from(random.in_range(0..count)).unwrap());
            let (begin, end) = (offset, offset + 100 + count);
            offset = end;
            let mut reordered = rows.clone();
            if random.is_one_in(3) {
                reordered.reverse();
            }
            for ((_, groups), rows) in servers.iter_mut().zip([rows, reordered]) {
                let (gtid, ends) = (gtid.clone(), ends.clone());
                groups.push(Group { gtid, begin, end, rows, slow, tail_ms, bad, ends });
            }
        }
        Self { servers, current: 0, written: 1, is_mended: false }
    }

    pub(super) fn groups(&self, server: usize) -> &[Group] {
        &self.servers[server].1
    }

    pub(super) fn len(&self) -> usize {
        self.groups(0).len()
    }

    pub(super) fn has_gtids(&self) -> bool {
        self.groups(0)[0].gtid.is_some()
    }

    pub(super) fn server_of(&self, uuid: ServerUuid) -> usize {
        self.servers.iter().position(|(server, _)| *server == uuid).unwrap()
    }

    /// Before everything.
    pub(super) fn start(&self) -> Position {
        Position {
            server_uuid: self.servers[self.current].0,
            gtid_set: self.has_gtids().then(GtidSet::default),
            file: FilePosition { file: FILE.to_owned(), offset: 4 },
            source_time_us: 0,
        }
    }

    /// How many source transactions are before a position; `None` if these are not the first ones.
    pub(super) fn done(&self, record: &PositionRecord) -> Option<usize> {
        let is_done = |group: &Group| match (&record.position.gtid_set, &group.gtid, &group.ends) {
            (Some(_), _, Ends::Prepared(xid)) if record.prepared.contains_key(xid) => true,
            (Some(set), Some(gtid), _) => set.contains(gtid),
            _ => group.end <= record.position.file.offset,
        };
        let done = self.groups(0).iter().take_while(|group| is_done(group)).count();
        (!self.groups(0).iter().skip(done).any(is_done)).then_some(done)
    }

    /// Whether a note is about this source transaction.
    pub(super) fn is_about(&self, note: &PartialTransaction, group: usize) -> bool {
        let group = &self.groups(0)[group];
        match &group.gtid {
            Some(_) => note.gtid == group.gtid,
            None => note.begin.offset == group.begin,
        }
    }
}
