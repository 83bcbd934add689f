//! A producer client, as far as the protocol can notice it: one request at a time on each
//! connection, sent again after the connection is lost, whatever happened to the first copy.

use std::collections::{BTreeSet, VecDeque};

use super::{
    broker::{Answer, Entry, Request, STATE},
    network::{Network, Packet},
};

/// Connections: one to the leader of each partition, then the coordinator's.
pub(super) const CONNECTIONS: usize = STATE + 2;

const COORDINATOR: usize = STATE + 1;

/// Most records of one batch.
const BATCH_ENTRIES: usize = 3;

/// What is the matter with a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Fenced,
    /// The transaction cannot be committed.
    Lost,
}

/// A request that is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PendingCall {
    Nothing,
    Init,
    End { commit: bool },
}

#[derive(Debug)]
pub(super) struct Client {
    pub(super) number: usize,
    /// Epoch or number of the producer; 0 before it has one.
    pub(super) producer: u32,
    transactional: bool,
    /// How often each connection was opened, and whether a request is on its way on it.
    connections: [(u32, bool); CONNECTIONS],
    outbox: Vec<VecDeque<Entry>>,
    next: Vec<u32>,
    /// How many records of each partition were sent as a batch: sent again it is the same batch,
    /// or the broker takes what is new in it for a repetition.
    batch: Vec<usize>,
    added: BTreeSet<usize>,
    pending: PendingCall,
    /// Requests to commit or abort that were sent since the last answer to one.
    ends_under_way: u32,
    /// Those that were sent before one that was answered, and not answered.
    ends_lost: u32,
    pub(super) trouble: Option<Trouble>,
    pub(super) in_transaction: bool,
}

impl Client {
    pub(super) fn new(number: usize, plain: Option<u32>) -> Self {
        Self {
            number,
            producer: plain.unwrap_or_default(),
            transactional: plain.is_none(),
            connections: [(0, false); CONNECTIONS],
            outbox: vec![VecDeque::new(); STATE + 1],
            next: vec![0; STATE + 1],
            batch: vec![0; STATE + 1],
            added: BTreeSet::new(),
            pending: PendingCall::Nothing,
            ends_under_way: 0,
            ends_lost: 0,
            trouble: None,
            in_transaction: false,
        }
    }

    pub(super) fn request_epoch(&mut self) {
        self.pending = PendingCall::Init;
    }

    pub(super) fn begin(&mut self) {
        self.added.clear();
        self.in_transaction = true;
    }

    pub(super) fn send(&mut self, partition: usize, entry: Entry) {
        self.outbox[partition].push_back(entry);
    }

    pub(super) fn end(&mut self, commit: bool) {
        self.pending = PendingCall::End { commit };
        if !commit {
            self.outbox.iter_mut().for_each(VecDeque::clear);
        }
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.outbox.iter().all(VecDeque::is_empty)
    }

    /// Whether the request is answered.
    pub(super) fn is_answered(&self) -> bool {
        self.pending == PendingCall::Nothing
    }

    /// Whether a request to commit or abort may still arrive (`produce` counts as this does).
    pub(super) fn is_doubtful(&self) -> bool {
        0 < self.ends_under_way || 0 < self.ends_lost
    }

    /// Whether an EndTxn of this client's epoch is somewhere on its way.
    pub(super) fn has_end_on_its_way(&self, network: &Network) -> bool {
        network.packets.iter().any(|packet| {
            packet.producer == self.producer && matches!(packet.request, Request::End { .. })
        })
    }

    /// Sends what can be sent.
    pub(super) fn work(&mut self, network: &mut Network) {
        for connection in 0..CONNECTIONS {
            let (generation, busy) = self.connections[connection];
            if busy || self.trouble == Some(Trouble::Fenced) {
                continue;
            }
            let Some(request) = self.next_request(connection) else { continue };
            if let Request::Produce { partition, entries, .. } = &request {
                self.batch[*partition] = entries.len();
            }
            self.ends_under_way += u32::from(matches!(request, Request::End { .. }));
            self.connections[connection].1 = true;
            let (client, producer, from_ms) = (self.number, self.producer, network.from_ms);
            let packet = Packet { client, connection, generation, producer, request, from_ms };
            network.packets.push(packet);
        }
    }

    fn next_request(&self, connection: usize) -> Option<Request> {
        if connection == COORDINATOR {
            let waiting = |partition: &usize| {
                !self.outbox[*partition].is_empty() && !self.added.contains(partition)
            };
            return match self.pending {
                PendingCall::Init => Some(Request::Init),
                PendingCall::End { commit } if self.is_flushed() => Some(Request::End { commit }),
                _ if !self.transactional => None,
                _ => (0..=STATE).find(waiting).map(Request::AddPartition),
            };
        }
        let ready = !self.transactional || self.added.contains(&connection);
        if self.outbox[connection].is_empty() || !ready || self.trouble.is_some() {
            return None;
        }
        let count = Some(self.batch[connection]).filter(|&sent| 0 < sent).unwrap_or(BATCH_ENTRIES);
        let entries = self.outbox[connection].iter().take(count).cloned().collect();
        Some(Request::Produce { partition: connection, first: self.next[connection], entries })
    }

    /// Whether the connection that a request was sent on is still open.
    pub(super) fn awaits(&self, packet: &Packet) -> bool {
        self.connections[packet.connection].0 == packet.generation
    }

    /// The answer to a request has come.
    pub(super) fn answered(&mut self, packet: &Packet, answer: Answer) {
        if !self.awaits(packet) {
            return;
        }
        self.connections[packet.connection].1 = false;
        if matches!(packet.request, Request::End { .. }) {
            self.ends_lost += self.ends_under_way.saturating_sub(1);
            self.ends_under_way = 0;
        }
        match (answer, &packet.request) {
            (Answer::Again, _) => {}
            (Answer::Fenced, _) => self.trouble = Some(Trouble::Fenced),
            (Answer::Refused, _) => self.trouble = Some(Trouble::Lost),
            (Answer::Epoch(epoch), _) => {
                self.producer = epoch;
                self.pending = PendingCall::Nothing;
            }
            (Answer::Done, Request::AddPartition(partition)) => {
                self.added.insert(*partition);
            }
            (Answer::Done, Request::Produce { partition, entries, .. }) => {
                self.batch[*partition] = 0;
                let count = entries.len().min(self.outbox[*partition].len());
                self.outbox[*partition].drain(..count);
                self.next[*partition] += u32::try_from(count).unwrap();
            }
            (Answer::Done, _) => {
                self.pending = PendingCall::Nothing;
                self.in_transaction = false;
            }
        }
    }

    /// A connection is lost. Where that goes unnoticed, what was sent on it is not missed.
    pub(super) fn lose(&mut self, connection: usize, noticed: bool) {
        let (generation, busy) = &mut self.connections[connection];
        *generation += 1;
        *busy = false;
        if !noticed {
            self.ends_under_way = 0;
        }
    }
}
