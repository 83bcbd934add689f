//! Keys that went from a table without row events: found in its topic after the table was read
//! again, and deleted there.
//!
//! `snapshot/gone.rs` has the proof that a key with no record since the reading began is in no row.
//! What is left to show is that the record which is found is the newest one. A slice of the keys
//! goes through three passes over the topic, in the pipeline's thread and at boundaries of source
//! transactions:
//!
//! ```text
//! OLD     records from before the reading: the newest of each key, if it is a row
//!         everything so far is committed, and the ends of the topic are taken
//! NEW     from there to these ends: keys with a record are taken out
//!         and so is every key that is sent from now on
//! AGAIN   the records that are left: each gives its row to a delete
//! ```
//!
//! # Why no key gets a delete that has a newer record
//! A record that is sent before the ends are taken is committed before them, so NEW finds it. One
//! that is sent later takes its key out as it is given to the producer ([`note`]): rows of the
//! stream, among them those of parts and of XA transactions, rows that are held back, and chunks
//! have no other way. A row that is read over goes to no producer: that of an earlier part is in
//! the topic, that of a transaction which is rolled back is in no table, and that of a skipped
//! event ends the search. At the boundaries at which a search goes on no row is held back and no source
//! transaction is open.
//!
//! Retention may remove records between the passes, oldest first. AGAIN reads the old record before
//! it deletes the key, so NEW, which was earlier and read what is behind, had all of it.
//!
//! The deletes are in the Kafka transactions of ordinary batches. After a kill the search begins
//! again: a key that got its delete has a newer record then, so no delete comes twice.

use std::collections::BTreeMap;

use tokio::time::{Duration, Instant};

use super::{Delivery, message_bytes};
use crate::{
    encode::{OldEnvelope, OldRow, SchemaId, TablePlan},
    error::Failure,
    failpoints::{self, Point},
    model::{
        change::{Operation, RowsOrigin, Transaction},
        table::TableName,
    },
    pipeline::candidates::{BYTES_MAX, Candidates},
    produce::TopicId,
    protocol::Event,
    runtime::since_epoch,
    snapshot::Ends,
    state::{Scan, Scanned},
};

/// How long the stream waits for the search at a time, and how long it does not in between.
const BUSY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(80));

/// How long the search may take at a time when nothing waits in the stream.
const IDLE: Duration = Duration::from_millis(50);

/// How long the reading of a table waits for the rest of a source transaction that is delivered in
/// part. After a fail-over it may never come.
const PART_WAIT_MAX: Duration = Duration::from_secs(60);

/// Which records are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    Old,
    New,
    Again,
}

/// The search of a table's topic.
pub(super) struct Search {
    table: TableName,
    topic_name: String,
    topic: TopicId,
    plan: TablePlan,
    /// What the table's keys begin with. Others are of another schema, and may name rows that are
    /// there under their present key.
    key_frame: [u8; 5],
    began: Ends,
    /// The ends of the topic when all records up to there were committed.
    ends: Vec<i64>,
    candidates: Candidates,
    pass: Pass,
    partition: usize,
    scan: Option<Scan>,
    /// The schemas of values, by id; `None` for one that shows no row.
    envelopes: BTreeMap<u32, Option<OldEnvelope>>,
    deleted: u64,
    /// Records with keys of another schema, and values that cannot be read.
    unreadable: u64,
}

/// Notes what is sent to the topic that is searched.
pub(super) fn note(search: &mut Option<Search>, topic: TopicId, key: Option<&[u8]>) {
    if let Some(search) = search.as_mut().filter(|search| search.topic == topic)
        && let Some(key) = key
    {
        search.candidates.remove(key);
    }
}

impl Delivery {
    /// Before anything else is sent: looks up where the topics of tables end that begin to be read
    /// again. Until then no chunk of them is read.
    pub(super) fn note_ends(&mut self) -> Result<(), Failure> {
        let tables = self.snapshot.wanting_ends();
        if tables.is_empty() {
            self.ends_wanted = None;
            return Ok(());
        }
        if !self.protocol.record().partials.is_empty() {
            // Its rows are read over when they come again, and may lie before these ends.
            let since = *self.ends_wanted.get_or_insert_with(Instant::now);
            let why = "a source transaction was delivered in part when the reading began";
            let waits = since.elapsed() < PART_WAIT_MAX;
            // One that was made is not read: its rows come by the stream, and do not wait.
            let given_up = tables.iter().filter(|table| !waits || !self.snapshot.is_read(table));
            let given_up: Vec<_> = given_up.collect();
            for table in &given_up {
                self.snapshot.give_up_search(table, why);
            }
            return if given_up.is_empty() { Ok(()) } else { self.after(Event::Changed) };
        }
        self.ends_wanted = None;
        // What was sent of the rows before is to lie before these ends.
        self.producers.rows().flush()?;
        for table in tables {
            let name = match self.plans.keyed_topic(&table) {
                Ok(topic) => topic.map(|(name, _)| name),
                Err(why) => {
                    self.snapshot.give_up_search(&table, why);
                    continue;
                }
            };
            let log = match &name {
                Some(name) => self.producers.rows().topic_states(&[name])?.remove(name),
                None => None,
            };
            let ends = log.as_ref().map(Ends::of);
            let ends = ends.filter(|ends| ends.offsets().iter().any(|&end| 0 < end));
            self.snapshot.set_ends(&table, ends);
        }
        self.after(Event::Changed)
    }

    /// Rows of a table changed: those of its children may have changed without row events.
    pub(super) fn read_cascaded(&mut self, table: &TableName, operation: Operation, moved: bool) {
        for child in self.plans.cascades().to_read(table, operation, moved) {
            self.snapshot.changed_unseen(&child, table);
        }
    }

    /// At a boundary of source transactions while more waits: a little of the search.
    pub(super) fn search_busy(&mut self) -> Result<(), Failure> {
        let (time, pause) = BUSY;
        if self.searched.elapsed() < pause { Ok(()) } else { self.search(time) }
    }

    /// At a boundary while nothing waits in the stream: more of it.
    pub(in crate::pipeline) fn search_idle(&mut self) -> Result<(), Failure> {
        self.search(IDLE)
    }

    fn search(&mut self, time: Duration) -> Result<(), Failure> {
        self.give_up_searches();
        let Some((table, ends)) = self.snapshot.to_search() else {
            self.search = None;
            return Ok(());
        };
        let current = self.search.take().filter(|search| search.is_of(table, ends));
        let (table, ends) = (table.clone(), ends.clone());
        let begun = match current {
            None => self.begin_search(&table, ends)?,
            current => current,
        };
        let Some(mut search) = begun else { return Ok(()) };
        let until = Instant::now() + time;
        let mut is_over = false;
        while !is_over && self.is_wanted(&search) && Instant::now() < until {
            match self.search_step(&mut search)? {
                Scanned::Something => {}
                Scanned::Nothing => break,
                Scanned::All => is_over = self.next_partition(&mut search)?,
            }
        }
        self.searched = Instant::now();
        if !is_over {
            self.search = Some(search);
        }
        Ok(())
    }

    fn begin_search(&mut self, table: &TableName, began: Ends) -> Result<Option<Search>, Failure> {
        let Ok(Some((topic_name, key_schema))) = self.plans.keyed_topic(table) else {
            self.snapshot.give_up_search(table, "its records have no keys any more");
            return Ok(None);
        };
        let Some((plan, topic)) = self.plans.for_gone(table, self.producers.rows())? else {
            self.snapshot.searched(table);
            return Ok(None);
        };
        tracing::info!(
            %table,
            topic = topic_name,
            "the table was read again: its topic is searched for keys that went meanwhile"
        );
        let [a, b, c, d] = key_schema.to_be_bytes();
        Ok(Some(Search {
            table: table.clone(),
            topic_name,
            topic,
            plan,
            key_frame: [0, a, b, c, d],
            began,
            ends: Vec::new(),
            candidates: Candidates::new(failpoints::search_bytes_max(BYTES_MAX)),
            pass: Pass::Old,
            partition: 0,
            scan: None,
            envelopes: BTreeMap::new(),
            deleted: 0,
            unreadable: 0,
        }))
    }

    /// Whether the search may go on: nothing ended it meanwhile.
    fn is_wanted(&self, search: &Search) -> bool {
        self.snapshot.to_search().is_some_and(|(table, ends)| search.is_of(table, ends))
    }

    /// Ends the searches of topics that may lack records which were sent since a reading began.
    pub(super) fn give_up_searches(&mut self) {
        let doubted = self.plans.take_doubted();
        if doubted.is_empty() {
            return;
        }
        let wanting = self.snapshot.wanting_ends();
        for (table, why) in doubted {
            // What was before the ends are taken does not matter.
            if !wanting.contains(&table) {
                self.snapshot.give_up_search(&table, why);
            }
        }
    }

    /// Takes in one record.
    fn search_step(&mut self, search: &mut Search) -> Result<Scanned, Failure> {
        let partition = i32::try_from(search.partition).unwrap_or(i32::MAX);
        if search.scan.is_none() {
            let range = search.range(partition);
            let scan = Scan::new(&self.config, &search.topic_name, partition, range)?;
            search.scan = Some(scan);
        }
        let Some(scan) = &mut search.scan else { return Ok(Scanned::Nothing) };
        let (pass, frame, candidates) = (search.pass, &search.key_frame, &mut search.candidates);
        let (mut found, mut other_key) = (None, 0);
        let scanned = scan.step(|offset, key, value| {
            let Some(key) = key else { return };
            match pass {
                Pass::Old if key.starts_with(frame) => {
                    candidates.old(key, (partition, offset), value.is_some());
                }
                // Each slice meets it again.
                Pass::Old if candidates.is_first_slice() => other_key = u64::from(value.is_some()),
                Pass::New => candidates.remove(key),
                Pass::Again if candidates.take(key, (partition, offset)) => {
                    found = value.map(|value| (key.to_vec(), value.to_vec()));
                }
                Pass::Old | Pass::Again => {}
            }
        });
        search.unreadable += other_key;
        if let Some((key, value)) = found {
            self.delete_by(search, &key, &value)?;
        }
        Ok(scanned.unwrap_or_else(|error| {
            tracing::warn!(
                table = %search.table,
                topic = search.topic_name,
                hint = "Grant READ on the topic to the account, and start again.",
                "the topic cannot be searched for keys that went: {error}; consumers keep them"
            );
            self.snapshot.leave_search(&search.table);
            Scanned::Nothing
        }))
    }

    /// Goes on with the next partition, pass or slice; true at the end.
    fn next_partition(&mut self, search: &mut Search) -> Result<bool, Failure> {
        search.scan = None;
        search.partition += 1;
        if search.partition < search.began.offsets().len() {
            return Ok(false);
        }
        search.partition = 0;
        match search.pass {
            Pass::Old => {
                self.after(Event::Due)?;
                let name = &search.topic_name;
                let log = self.producers.rows().topic_states(&[name])?.remove(name);
                let Some(log) = log.filter(|log| search.began.fit(log)) else {
                    let why = "its topic is not the one that it was when the reading began";
                    self.snapshot.give_up_search(&search.table, why);
                    self.after(Event::Changed)?;
                    return Ok(true);
                };
                // Found to have lost records, the search is ended before it goes on.
                self.plans.check_topic(&search.table, &log)?;
                self.give_up_searches();
                search.ends = log.ends;
                failpoints::reach(Point::SearchBounded);
                search.pass = Pass::New;
            }
            Pass::New => search.pass = Pass::Again,
            Pass::Again => return self.next_slice(search),
        }
        Ok(false)
    }

    fn next_slice(&mut self, search: &mut Search) -> Result<bool, Failure> {
        search.pass = Pass::Old;
        if search.candidates.next_slice() { Ok(false) } else { self.end_search(search) }
    }

    fn end_search(&mut self, search: &Search) -> Result<bool, Failure> {
        let (table, deleted) = (&search.table, search.deleted);
        if 0 < search.unreadable {
            tracing::warn!(
                %table,
                records = search.unreadable,
                "records of the topic have keys or values of other schemas, or are another \
                 connector's: keys of theirs that went stay with consumers"
            );
        }
        tracing::info!(%table, deleted, "keys that went from the table have their deletes");
        self.snapshot.searched(table);
        self.after(Event::Changed)?;
        Ok(true)
    }

    /// Deletes a key whose newest record is this one, if that shows a row.
    fn delete_by(&mut self, search: &mut Search, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        if search.plan.is_without_envelope() {
            return self.delete(search, key, None);
        }
        let Some((frame, id)) = frame_of(value) else {
            search.unreadable += 1;
            return Ok(());
        };
        let is_known = search.envelopes.contains_key(&id);
        if !is_known {
            // The registry may take its time; no Kafka transaction waits for it.
            self.after(Event::Due)?;
            let schema = self.plans.schema(SchemaId(id))?;
            search.envelopes.insert(id, schema.as_deref().and_then(OldEnvelope::parse));
        }
        let envelope = search.envelopes.get(&id).and_then(Option::as_ref);
        match envelope.map_or(OldRow::Unreadable, |envelope| envelope.row(value)) {
            OldRow::Row(row, writer) if writer == self.config.name.as_bytes() => {
                self.delete(search, key, Some((frame, row)))
            }
            OldRow::Gone => Ok(()),
            OldRow::Row(..) | OldRow::Unreadable => {
                search.unreadable += 1;
                Ok(())
            }
        }
    }

    fn delete(
        &mut self,
        search: &mut Search,
        key: &[u8],
        record: Option<(&[u8], &[u8])>,
    ) -> Result<(), Failure> {
        self.open()?;
        // What was committed meanwhile may have shown that records are missing.
        self.give_up_searches();
        if !self.is_wanted(search) {
            return Ok(());
        }
        let position = self.position().clone();
        let transaction = Transaction {
            commit_time_us: position.source_time_us,
            begin_offset: position.file.offset,
            ..Transaction::default()
        };
        let (file, offset) = (position.file.file.as_str(), position.file.offset);
        let origin = RowsOrigin { transaction: &transaction, file, offset };
        let now_ns = i64::try_from(since_epoch().as_nanos()).unwrap_or(i64::MAX);
        self.encoder.start_chunk(&search.plan, &origin, now_ns);
        self.encoder.continue_transaction(0);
        self.encoder.set_part(1);
        let producer = self.producers.rows();
        let mut bytes = 0;
        self.is_spoilt = true;
        for message in self.encoder.gone(&search.plan, key, record) {
            bytes += message_bytes(&message);
            producer.send(search.topic, message.key, message.value, message.headers)?;
        }
        self.is_spoilt = false;
        failpoints::reach(Point::GoneSent);
        search.deleted += 1;
        self.after(Event::SentExtra { rows: 1, bytes })?;
        self.after(Event::ChunkEnded)
    }
}

impl Search {
    /// Whether it is for this table, read again since then.
    fn is_of(&self, table: &TableName, began: &Ends) -> bool {
        self.table == *table && self.began == *began
    }

    /// The offsets of a partition that the pass reads.
    fn range(&self, partition: i32) -> std::ops::Range<i64> {
        let of = |offsets: &[i64]| offsets.get(self.partition).copied().unwrap_or_default();
        match self.pass {
            Pass::Old => 0..of(self.began.offsets()),
            Pass::New => of(self.began.offsets())..of(&self.ends),
            Pass::Again => self.candidates.offsets(partition),
        }
    }
}

/// What a value begins with, and the id of its schema in it.
fn frame_of(value: &[u8]) -> Option<(&[u8], u32)> {
    let (frame, _) = value.split_at_checked(5)?;
    let [0, a, b, c, d] = *frame else { return None };
    Some((frame, u32::from_be_bytes([a, b, c, d])))
}
