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

use super::{
    driver::Driver,
    outlet::{message_bytes, now_ns},
};
use crate::{
    encode::{OldEnvelope, OldRow, SchemaId, TablePlan},
    error::Failure,
    failpoints::{self, Point},
    model::{
        change::{RowsOrigin, Transaction},
        table::TableName,
    },
    pipeline::candidates::{BYTES_MAX, Candidates},
    produce::TopicId,
    protocol::Event,
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

/// When tables' topics are searched.
pub(super) struct TopicSearch {
    /// Since when tables wait for the ends of their topics, if they do.
    ends_wanted: Option<Instant>,
    /// When something was last done of the search.
    searched: Instant,
}

/// The search of a table's topic.
pub(super) struct Search {
    topic: SearchedTopic,
    began: Ends,
    /// The ends of the topic when all records up to there were committed.
    ends: Vec<i64>,
    candidates: Candidates,
    place: SearchPlace,
    /// The schemas of values, by id; `None` for one that shows no row.
    envelopes: BTreeMap<u32, Option<OldEnvelope>>,
    deleted: u64,
    /// Records with keys of another schema, and values that cannot be read.
    unreadable: u64,
}

/// What is searched.
struct SearchedTopic {
    table: TableName,
    name: String,
    id: TopicId,
    plan: TablePlan,
    /// What the table's keys begin with. Others are of another schema, and may name rows that are
    /// there under their present key.
    key_frame: [u8; 5],
}

/// How far a slice's search is.
struct SearchPlace {
    pass: Pass,
    partition: usize,
    scan: Option<Scan>,
}

/// Which records are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    Old,
    New,
    Again,
}

/// Notes what is sent to the topic that is searched.
pub(super) fn note(search: &mut Option<Search>, topic: TopicId, key: Option<&[u8]>) {
    if let Some(search) = search.as_mut().filter(|search| search.topic.id == topic)
        && let Some(key) = key
    {
        search.candidates.remove(key);
    }
}

impl TopicSearch {
    /// Nothing is searched yet.
    pub(super) fn new() -> Self {
        Self { ends_wanted: None, searched: Instant::now() }
    }

    /// Before anything else is sent: looks up where the topics of tables end that begin to be read
    /// again. Until then no chunk of them is read.
    pub(super) fn note_ends(&mut self, driver: &mut Driver) -> Result<(), Failure> {
        let tables = driver.snapshot.tables.wanting_ends();
        if tables.is_empty() {
            self.ends_wanted = None;
            return Ok(());
        }
        if !driver.record().partials.is_empty() {
            // Its rows are skipped when they come again, and may lie before these ends.
            let since = *self.ends_wanted.get_or_insert_with(Instant::now);
            let why = "a source transaction was delivered in part when the reading began";
            let waits = since.elapsed() < PART_WAIT_MAX;
            // One that was made is not read: its rows come by the stream, and do not wait.
            let given_up =
                tables.iter().filter(|table| !waits || !driver.snapshot.tables.is_read(table));
            let given_up: Vec<_> = given_up.collect();
            for table in &given_up {
                driver.snapshot.tables.give_up_search(table, why);
            }
            return if given_up.is_empty() { Ok(()) } else { driver.after(Event::Changed) };
        }
        self.ends_wanted = None;
        // What was sent of the rows before is to lie before these ends.
        driver.outlet.producers.rows().flush()?;
        for table in tables {
            let name = match driver.plans.keyed_topic(&table) {
                Ok(topic) => topic.map(|(name, _)| name),
                Err(why) => {
                    driver.snapshot.tables.give_up_search(&table, why);
                    continue;
                }
            };
            let state = match &name {
                Some(name) => driver.outlet.producers.rows().topic_states(&[name])?.remove(name),
                None => None,
            };
            let ends = state.as_ref().map(Ends::of);
            let ends = ends.filter(|ends| ends.offsets().iter().any(|&end| 0 < end));
            driver.snapshot.tables.set_ends(&table, ends);
        }
        driver.after(Event::Changed)
    }

    /// At a boundary of source transactions while more waits: a little of the search.
    pub(super) fn busy(&mut self, driver: &mut Driver) -> Result<(), Failure> {
        let (time, pause) = BUSY;
        if self.searched.elapsed() < pause { Ok(()) } else { self.search(driver, time) }
    }

    /// At a boundary while nothing waits in the stream: more of it.
    pub(super) fn idle(&mut self, driver: &mut Driver) -> Result<(), Failure> {
        self.search(driver, IDLE)
    }

    fn search(&mut self, driver: &mut Driver, time: Duration) -> Result<(), Failure> {
        driver.give_up_searches();
        let Some((table, ends)) = driver.snapshot.tables.to_search() else {
            driver.outlet.search = None;
            return Ok(());
        };
        let current = driver.outlet.search.take().filter(|search| search.is_of(table, ends));
        let (table, ends) = (table.clone(), ends.clone());
        let begun = match current {
            None => Search::begin(driver, &table, ends)?,
            current => current,
        };
        let Some(mut search) = begun else { return Ok(()) };
        let until = Instant::now() + time;
        let mut is_over = false;
        while !is_over && search.is_wanted(driver) && Instant::now() < until {
            match search.step(driver)? {
                Scanned::Something => {}
                Scanned::Nothing => break,
                Scanned::All => is_over = search.next_partition(driver)?,
            }
        }
        self.searched = Instant::now();
        if !is_over {
            driver.outlet.search = Some(search);
        }
        Ok(())
    }
}

impl Search {
    fn begin(driver: &mut Driver, table: &TableName, began: Ends) -> Result<Option<Self>, Failure> {
        let Ok(Some((name, key_schema))) = driver.plans.keyed_topic(table) else {
            driver.snapshot.tables.give_up_search(table, "its records have no keys any more");
            return Ok(None);
        };
        let producer = driver.outlet.producers.rows();
        let Some((plan, id)) = driver.plans.for_gone(table, producer)? else {
            driver.snapshot.tables.searched(table);
            return Ok(None);
        };
        tracing::info!(
            %table,
            topic = name,
            "the table was read again: its topic is searched for keys that went meanwhile"
        );
        let [a, b, c, d] = key_schema.to_be_bytes();
        let key_frame = [0, a, b, c, d];
        Ok(Some(Self {
            topic: SearchedTopic { table: table.clone(), name, id, plan, key_frame },
            began,
            ends: Vec::new(),
            candidates: Candidates::new(failpoints::search_bytes_max(BYTES_MAX)),
            place: SearchPlace { pass: Pass::Old, partition: 0, scan: None },
            envelopes: BTreeMap::new(),
            deleted: 0,
            unreadable: 0,
        }))
    }

    /// Whether it is for this table, read again since then.
    fn is_of(&self, table: &TableName, began: &Ends) -> bool {
        self.topic.table == *table && self.began == *began
    }

    /// Whether the search may go on: nothing ended it meanwhile.
    fn is_wanted(&self, driver: &Driver) -> bool {
        driver.snapshot.tables.to_search().is_some_and(|(table, ends)| self.is_of(table, ends))
    }

    /// Takes in one record.
    fn step(&mut self, driver: &mut Driver) -> Result<Scanned, Failure> {
        let partition = i32::try_from(self.place.partition).unwrap_or(i32::MAX);
        if self.place.scan.is_none() {
            let range = self.range(partition);
            let scan = Scan::new(&driver.config, &self.topic.name, partition, range)?;
            self.place.scan = Some(scan);
        }
        let SearchPlace { pass, scan, .. } = &mut self.place;
        let Some(scan) = scan else { return Ok(Scanned::Nothing) };
        let (frame, candidates) = (&self.topic.key_frame, &mut self.candidates);
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
        self.unreadable += other_key;
        if let Some((key, value)) = found {
            self.delete_by(driver, &key, &value)?;
        }
        Ok(scanned.unwrap_or_else(|error| {
            tracing::warn!(
                table = %self.topic.table,
                topic = self.topic.name,
                hint = "Grant READ on the topic to the account, and start again.",
                "the topic cannot be searched for keys that went: {error}; consumers keep them"
            );
            driver.snapshot.tables.leave_search(&self.topic.table);
            Scanned::Nothing
        }))
    }

    /// The offsets of a partition that the pass reads.
    fn range(&self, partition: i32) -> std::ops::Range<i64> {
        let of = |offsets: &[i64]| offsets.get(self.place.partition).copied().unwrap_or_default();
        match self.place.pass {
            Pass::Old => 0..of(self.began.offsets()),
            Pass::New => of(self.began.offsets())..of(&self.ends),
            Pass::Again => self.candidates.offsets(partition),
        }
    }

    /// Goes on with the next partition, pass or slice; true at the end.
    fn next_partition(&mut self, driver: &mut Driver) -> Result<bool, Failure> {
        self.place.scan = None;
        self.place.partition += 1;
        if self.place.partition < self.began.offsets().len() {
            return Ok(false);
        }
        self.place.partition = 0;
        match self.place.pass {
            Pass::Old => {
                driver.after(Event::Due)?;
                let name = &self.topic.name;
                let state = driver.outlet.producers.rows().topic_states(&[name])?.remove(name);
                let Some(state) = state.filter(|state| self.began.fit(state)) else {
                    let why = "its topic is not the one that it was when the reading began";
                    driver.snapshot.tables.give_up_search(&self.topic.table, why);
                    driver.after(Event::Changed)?;
                    return Ok(true);
                };
                // Found to have lost records, the search is ended before it goes on.
                driver.plans.check_topic(&self.topic.table, &state)?;
                driver.give_up_searches();
                self.ends = state.ends;
                failpoints::reach(Point::SearchBounded);
                self.place.pass = Pass::New;
            }
            Pass::New => self.place.pass = Pass::Again,
            Pass::Again => return self.next_slice(driver),
        }
        Ok(false)
    }

    fn next_slice(&mut self, driver: &mut Driver) -> Result<bool, Failure> {
        self.place.pass = Pass::Old;
        if self.candidates.next_slice() { Ok(false) } else { self.end(driver) }
    }

    fn end(&self, driver: &mut Driver) -> Result<bool, Failure> {
        let (table, deleted) = (&self.topic.table, self.deleted);
        if 0 < self.unreadable {
            tracing::warn!(
                %table,
                records = self.unreadable,
                "records of the topic have keys or values of other schemas, or are another \
                 connector's: keys of theirs that went stay with consumers"
            );
        }
        tracing::info!(%table, deleted, "keys that went from the table have their deletes");
        driver.snapshot.tables.searched(table);
        driver.after(Event::Changed)?;
        Ok(true)
    }

    /// Deletes a key whose newest record is this one, if that shows a row.
    fn delete_by(&mut self, driver: &mut Driver, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        if self.topic.plan.is_without_envelope() {
            return self.delete(driver, key, None);
        }
        let Some((frame, id)) = frame_of(value) else {
            self.unreadable += 1;
            return Ok(());
        };
        let is_known = self.envelopes.contains_key(&id);
        if !is_known {
            // The registry may take its time; no Kafka transaction waits for it.
            driver.after(Event::Due)?;
            let schema = driver.plans.schema(SchemaId(id))?;
            self.envelopes.insert(id, schema.as_deref().and_then(OldEnvelope::parse));
        }
        let envelope = self.envelopes.get(&id).and_then(Option::as_ref);
        match envelope.map_or(OldRow::Unreadable, |envelope| envelope.row(value)) {
            OldRow::Row(row, writer) if writer == driver.config.name.as_bytes() => {
                self.delete(driver, key, Some((frame, row)))
            }
            OldRow::Gone => Ok(()),
            OldRow::Row(..) | OldRow::Unreadable => {
                self.unreadable += 1;
                Ok(())
            }
        }
    }

    fn delete(
        &mut self,
        driver: &mut Driver,
        key: &[u8],
        record: Option<(&[u8], &[u8])>,
    ) -> Result<(), Failure> {
        driver.open()?;
        // What was committed meanwhile may have shown that records are missing.
        driver.give_up_searches();
        if !self.is_wanted(driver) {
            return Ok(());
        }
        let position = driver.position().clone();
        let transaction = Transaction {
            commit_time_us: position.source_time_us,
            begin_offset: position.file.offset,
            ..Transaction::default()
        };
        let (file, offset) = (position.file.file.as_str(), position.file.offset);
        let origin = RowsOrigin { transaction: &transaction, file, offset };
        let outlet = &mut driver.outlet;
        outlet.encoder.start_chunk(&self.topic.plan, &origin, now_ns());
        outlet.encoder.continue_transaction(0);
        outlet.encoder.set_part(1);
        let producer = outlet.producers.rows();
        let mut bytes = 0;
        outlet.is_spoilt = true;
        for message in outlet.encoder.gone(&self.topic.plan, key, record) {
            bytes += message_bytes(&message);
            producer.send(self.topic.id, message.key, message.value, message.headers)?;
        }
        outlet.is_spoilt = false;
        failpoints::reach(Point::GoneSent);
        self.deleted += 1;
        driver.after(Event::SentExtra { rows: 1, bytes })?;
        driver.after(Event::ChunkEnded)
    }
}

/// What a value begins with, and the id of its schema in it.
fn frame_of(value: &[u8]) -> Option<(&[u8], u32)> {
    let (frame, _) = value.split_at_checked(5)?;
    let [0, a, b, c, d] = *frame else { return None };
    Some((frame, u32::from_be_bytes([a, b, c, d])))
}
