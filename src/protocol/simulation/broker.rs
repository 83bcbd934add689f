//! Kafka, as far as the protocol can notice it: partitions with open transactions, and a
//! transaction coordinator of the protocol before KIP-890, which takes a late EndTxn for a new one.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use crate::{snapshot::ProgressRecord, state::PositionRecord};

/// Partitions of the data topics; the state topic's one partition follows them.
pub(super) const DATA_PARTITIONS: usize = 2;

/// The state topic's partition.
pub(super) const STATE: usize = DATA_PARTITIONS;

/// Producers without transactions have numbers from here on; below are epochs.
pub(super) const PLAIN: u32 = 1 << 20;

/// A foreign transactional producer.
pub(super) const FOREIGN: u32 = u32::MAX;

/// What is saved with the position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Extras {
    /// Chunks that are delivered.
    pub(super) chunks: u32,
    /// Statements on tables that were taken in.
    pub(super) statements: usize,
    /// Requests that are done.
    pub(super) requests: u32,
    /// The record of the table that some runs do not capture.
    pub(super) optional: Option<ProgressRecord>,
}

/// A record.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// A row, by its number in the source.
    Row(u32),
    Position(Rc<PositionRecord>),
    Extras(Rc<Extras>),
    /// A sign of life.
    Sign,
    /// The end of a transaction, which has an offset like any record.
    Marker,
}

/// The request of a client.
#[derive(Clone, Debug)]
pub(super) enum Request {
    /// InitProducerId: fences every other instance.
    Init,
    AddPartition(usize),
    Produce {
        partition: usize,
        first: u32,
        entries: Vec<Entry>,
    },
    /// EndTxn.
    End {
        commit: bool,
    },
}

fn is_position((entry, fate): &(Entry, Fate)) -> bool {
    matches!(entry, Entry::Position(_)) && *fate == Fate::Committed
}

/// What the broker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Epoch(u32),
    Done,
    /// Repeat the request.
    Again,
    /// There is a newer epoch.
    Fenced,
    /// Not in this state: the transaction is lost.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    Committed,
    Aborted,
}

#[derive(Debug, Default)]
struct Partition {
    log: Vec<(Entry, Fate)>,
    /// Open transactions: the producer, and the offsets of its records.
    open: BTreeMap<u32, Vec<usize>>,
    /// The next sequence number of each producer.
    next: BTreeMap<u32, u32>,
}

impl Partition {
    fn append(&mut self, producer: u32, entry: Entry) {
        let offset = self.log.len();
        let fate = if (PLAIN..FOREIGN).contains(&producer) {
            Fate::Committed
        } else {
            self.open.entry(producer).or_default().push(offset);
            Fate::Open
        };
        self.log.push((entry, fate));
    }

    /// Writes a marker; returns what it committed.
    fn decide(&mut self, producer: u32, commit: bool) -> Vec<Entry> {
        let mut decided = Vec::new();
        for offset in self.open.remove(&producer).unwrap_or_default() {
            let (entry, fate) = &mut self.log[offset];
            *fate = if commit { Fate::Committed } else { Fate::Aborted };
            decided.push(entry.clone());
        }
        self.log.push((Entry::Marker, Fate::Committed));
        if commit { decided } else { Vec::new() }
    }

    fn last_stable_offset(&self) -> usize {
        let firsts = self.open.values().filter_map(|offsets| offsets.first().copied());
        firsts.min().unwrap_or(self.log.len())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Empty,
    Ongoing,
    /// Decided; markers are being written.
    Preparing {
        commit: bool,
    },
    Complete {
        commit: bool,
    },
}

/// A Kafka transaction of which all markers are written.
#[derive(Debug, Default)]
pub(super) struct Committed {
    /// Whose it was.
    pub(super) producer: u32,
    /// The rows, by partition.
    pub(super) rows: [Vec<u32>; DATA_PARTITIONS],
    pub(super) positions: Vec<Rc<PositionRecord>>,
    pub(super) extras: Option<Extras>,
}

/// The cluster.
#[derive(Debug)]
pub(super) struct Broker {
    partitions: Vec<Partition>,
    epoch: u32,
    state: State,
    /// The partitions of the transaction.
    added: BTreeSet<usize>,
    /// Whose transaction is being decided.
    deciding: u32,
    since_ms: u64,
    committing: Committed,
    /// Transactions that were committed and not checked yet.
    pub(super) committed: Vec<Committed>,
    /// When the broker ends a transaction by itself.
    timeout_ms: u64,
    /// Where the state topic ended when it had lost records.
    lost_at: Option<usize>,
}

impl Broker {
    pub(super) fn new(timeout_ms: u64) -> Self {
        Self {
            partitions: (0..=STATE).map(|_| Partition::default()).collect(),
            epoch: 0,
            state: State::Empty,
            added: BTreeSet::new(),
            deciding: 0,
            since_ms: 0,
            committing: Committed::default(),
            committed: Vec::new(),
            timeout_ms,
            lost_at: None,
        }
    }

    /// Answers a request of a producer.
    pub(super) fn handle(&mut self, producer: u32, request: &Request, now_ms: u64) -> Answer {
        match request {
            Request::Init => self.init(),
            Request::Produce { partition, first, entries } => {
                self.produce(producer, *partition, *first, entries)
            }
            _ if producer != self.epoch => Answer::Fenced,
            Request::AddPartition(partition) => match self.state {
                State::Preparing { .. } => Answer::Again,
                state => {
                    if state != State::Ongoing {
                        self.state = State::Ongoing;
                        self.since_ms = now_ms;
                        self.added.clear();
                    }
                    self.added.insert(*partition);
                    Answer::Done
                }
            },
            Request::End { commit } => match self.state {
                State::Ongoing => {
                    self.decide(*commit);
                    Answer::Done
                }
                State::Preparing { commit: decided } if decided == *commit => Answer::Again,
                State::Complete { commit: decided } if decided == *commit => Answer::Done,
                _ => Answer::Refused,
            },
        }
    }

    /// Whether nothing has fenced this producer.
    pub(super) fn is_current(&self, producer: u32) -> bool {
        producer == self.epoch
    }

    fn init(&mut self) -> Answer {
        match self.state {
            State::Ongoing => {
                self.decide(false);
                self.epoch += 1;
                Answer::Again
            }
            State::Preparing { .. } => Answer::Again,
            State::Empty | State::Complete { .. } => {
                self.epoch += 1;
                self.state = State::Empty;
                Answer::Epoch(self.epoch)
            }
        }
    }

    fn produce(
        &mut self,
        producer: u32,
        partition: usize,
        first: u32,
        entries: &[Entry],
    ) -> Answer {
        let transactional = producer < PLAIN;
        let in_transaction = self.state == State::Ongoing && self.added.contains(&partition);
        let log = &mut self.partitions[partition];
        // A partition that holds the producer's open transaction takes more without a check.
        if transactional && !log.open.contains_key(&producer) {
            if producer != self.epoch {
                return Answer::Fenced;
            }
            if !in_transaction {
                return Answer::Refused;
            }
        }
        let next = log.next.entry(producer).or_default();
        if first < *next {
            return Answer::Done;
        }
        if *next < first {
            return Answer::Again;
        }
        *next += u32::try_from(entries.len()).unwrap();
        for entry in entries {
            log.append(producer, entry.clone());
        }
        Answer::Done
    }

    fn decide(&mut self, commit: bool) {
        self.state = State::Preparing { commit };
        self.deciding = self.epoch;
        self.committing = Committed { producer: self.epoch, ..Committed::default() };
    }

    /// Writes one marker of a transaction that is decided; false if there is none to write.
    pub(super) fn write_marker(&mut self) -> bool {
        let State::Preparing { commit } = self.state else { return false };
        if let Some(partition) = self.added.pop_first() {
            for entry in self.partitions[partition].decide(self.deciding, commit) {
                match entry {
                    Entry::Row(row) => self.committing.rows[partition].push(row),
                    Entry::Position(record) => self.committing.positions.push(record),
                    Entry::Extras(extras) => self.committing.extras = Some((*extras).clone()),
                    Entry::Sign | Entry::Marker => {}
                }
            }
        }
        if self.added.is_empty() {
            self.state = State::Complete { commit };
            let committed = std::mem::take(&mut self.committing);
            if commit {
                self.committed.push(committed);
            }
        }
        true
    }

    /// Ends a transaction that is open for too long; its producer counts as fenced.
    pub(super) fn time_out(&mut self, now_ms: u64) {
        if self.state == State::Ongoing && self.timeout_ms <= now_ms - self.since_ms {
            self.decide(false);
            self.epoch += 1;
        }
    }

    /// A foreign producer writes to the state topic, in a transaction that stays open, or ends it.
    pub(super) fn foreign_transaction(&mut self, position: &Rc<PositionRecord>) {
        self.end_foreign_transaction();
        let state = &mut self.partitions[STATE];
        if state.last_stable_offset() == state.log.len() {
            state.append(FOREIGN, Entry::Position(Rc::clone(position)));
        }
    }

    /// Ends the transaction of the foreign producer.
    pub(super) fn end_foreign_transaction(&mut self) {
        let state = &mut self.partitions[STATE];
        if state.open.contains_key(&FOREIGN) {
            state.decide(FOREIGN, false);
        }
    }

    /// The end of the state topic, open transactions counted in.
    pub(super) fn high_watermark(&self) -> usize {
        self.partitions[STATE].log.len()
    }

    /// Up to where a consumer of committed records reads the state topic.
    pub(super) fn last_stable_offset(&self) -> usize {
        self.partitions[STATE].last_stable_offset()
    }

    /// The last position that a consumer of committed records finds.
    pub(super) fn last_position(&self) -> Option<Rc<PositionRecord>> {
        self.last_position_before(self.last_stable_offset())
    }

    /// The same where the broker that answers has no more than this.
    pub(super) fn last_position_before(&self, end: usize) -> Option<Rc<PositionRecord>> {
        self.found_before(end).map(|(_, record)| record)
    }

    /// The same with its offset.
    pub(super) fn found_before(&self, end: usize) -> Option<(usize, Rc<PositionRecord>)> {
        let log = &self.partitions[STATE].log;
        log[..end].iter().enumerate().rev().find_map(|(at, (entry, fate))| match entry {
            Entry::Position(record) if *fate == Fate::Committed => Some((at, Rc::clone(record))),
            _ => None,
        })
    }

    /// What is saved with that position.
    pub(super) fn extras_before(&self, end: usize) -> Extras {
        let log = &self.partitions[STATE].log;
        let extras = log[..end].iter().rev().find_map(|(entry, fate)| match entry {
            Entry::Extras(extras) if *fate == Fate::Committed => Some((**extras).clone()),
            _ => None,
        });
        extras.unwrap_or_default()
    }

    /// Whether everything in the state topic is decided, and no marker is being written.
    pub(super) fn is_quiet(&self) -> bool {
        let is_preparing = matches!(self.state, State::Preparing { .. });
        !is_preparing && self.last_stable_offset() == self.high_watermark()
    }

    /// The state topic loses its newest records, down to so many positions before the last and
    /// the marker behind that one. Where producers are forgotten too, those that go on are
    /// refused.
    pub(super) fn lose(&mut self, positions: usize, producers: bool) {
        let Partition { log, next, .. } = &mut self.partitions[STATE];
        let kept = (0..log.len()).rev().filter(|&at| is_position(&log[at])).nth(positions);
        let is_marker = |(entry, _): &(Entry, Fate)| matches!(entry, Entry::Marker);
        let marker = kept.and_then(|last| Some(last + log[last..].iter().position(is_marker)?));
        log.truncate(marker.map_or(0, |marker| marker + 1));
        self.lost_at = Some(log.len());
        if producers {
            next.clear();
        }
    }

    /// Whether the state topic has lost records and no position has been committed since.
    pub(super) fn has_silent_loss(&self) -> bool {
        let log = &self.partitions[STATE].log;
        self.lost_at.is_some_and(|end| !log[end..].iter().any(is_position))
    }

    /// The rows in a partition that a consumer can see, whatever became of their transactions.
    pub(super) fn rows(&self, partition: usize) -> impl Iterator<Item = u32> {
        let rows = self.partitions[partition].log.iter();
        rows.filter_map(|(entry, fate)| match entry {
            Entry::Row(row) if *fate == Fate::Committed => Some(*row),
            _ => None,
        })
    }
}
