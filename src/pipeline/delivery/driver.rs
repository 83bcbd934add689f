//! Does what the protocol says: opens a Kafka transaction, flushes, sends the position and what is
//! saved with it, commits.
//!
//! `protocol` decides and does nothing; here nothing is decided. Whatever happens is reported to it
//! as an event ([`Driver::after`]), and its actions are done until it waits for the next one.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    outlet::Outlet,
    producers::Producers,
    report::{Reporter, log_cut},
    skips::RequestedSkips,
};
use crate::{
    config::Config,
    error::{Failure, Reason, Verdict},
    failpoints::{self, Point, Rule},
    model::{change::Transaction, position::Position},
    pipeline::{run::Run, state_topic::StateTopic, tables::plans::Plans, xa},
    produce::{Commit, ProduceError},
    protocol::{Action, Doubt, Event, Protocol, ProtocolSettings, TransactionName},
    runtime::since_epoch,
    shutdown::Shutdown,
    snapshot::SnapshotCoordinator,
    state::{ALIVE_KEY, POSITION_KEY, Place, PositionRecord, RecordError, SNAPSHOT_KEY_START},
};

/// The protocol, and what its actions need.
pub(super) struct Driver {
    pub(super) config: Arc<Config>,
    pub(super) reporter: Reporter,
    pub(super) protocol: Protocol,
    pub(super) outlet: Outlet,
    state_topic: StateTopic,
    /// What they remember of tables is saved with the position.
    pub(super) plans: Plans,
    /// How far it is with each table is saved with the position.
    pub(super) snapshot: SnapshotCoordinator,
    pub(super) skips: RequestedSkips,
    /// The newest position that was committed in this epoch.
    committed: Option<Place>,
}

impl Driver {
    pub(super) fn new(
        run: &Run,
        producers: Producers,
        state_topic: StateTopic,
        mut record: PositionRecord,
        plans: Plans,
        snapshot: SnapshotCoordinator,
    ) -> Self {
        let config = &run.config;
        let settings = ProtocolSettings {
            guarantee: config.delivery.guarantee,
            batch_bytes_max: config.delivery.batch_bytes_max,
            batch_age_max: config.delivery.batch_age_max(),
            open_max: producers.fenced.stall_limit(),
        };
        let skips = RequestedSkips::new(&record.skips);
        record.state_topic.clone_from(&state_topic.id);
        Self {
            config: Arc::clone(config),
            reporter: Reporter::new(run.status.clone(), Arc::clone(&run.metrics)),
            protocol: Protocol::new(settings, record, Instant::now()),
            outlet: Outlet::new(config, producers),
            state_topic,
            plans,
            snapshot,
            skips,
            committed: None,
        }
    }

    /// Reports what happened to the protocol and does what it says, until it waits.
    pub(super) fn after(&mut self, event: Event<'_>) -> Result<(), Failure> {
        let mut action = self.protocol.step(Instant::now(), event);
        loop {
            let done = match action {
                Action::Wait => return Ok(()),
                Action::Begin => {
                    self.outlet.producers.fenced.begin()?;
                    Event::Opened
                }
                Action::Flush => {
                    if !failpoints::lacks(Rule::FlushBeforePosition) {
                        self.outlet.producers.rows().flush()?;
                    }
                    failpoints::reach(Point::Flushed);
                    Event::Flushed
                }
                Action::SendPosition => {
                    self.send_position()?;
                    Event::PositionSent
                }
                Action::SendSign => {
                    self.send_state(ALIVE_KEY, None)?;
                    Event::SignSent
                }
                Action::Commit => Event::Committed(self.commit()?),
                Action::Recycle(doubt) => return Err(self.doubtful(doubt)),
            };
            action = self.protocol.step(Instant::now(), done);
        }
    }

    /// A record is about to be sent: a Kafka transaction is open after this.
    pub(super) fn open(&mut self) -> Result<(), Failure> {
        if self.is_open() {
            return Ok(());
        }
        self.after(Event::Sending)?;
        failpoints::reach(Point::Begun);
        Ok(())
    }

    /// Whether records were sent that are not committed.
    pub(super) fn is_open(&self) -> bool {
        self.protocol.batch().opened.is_some()
    }

    /// The saved position, as it is after the last source transaction that was taken in.
    pub(super) fn record(&self) -> &PositionRecord {
        self.protocol.record()
    }

    /// Where the last source transaction that was taken in ends.
    pub(super) fn position(&self) -> &Position {
        &self.record().position
    }

    /// The newest position that the epoch committed.
    pub(super) fn committed(&self) -> Option<Place> {
        self.committed
    }

    /// Ends the epoch: an open transaction is aborted, so that no consumer waits for it.
    pub(super) fn end(self, shutdown: &Shutdown) {
        self.outlet.producers.fenced.abort();
        self.plans.finish(shutdown);
    }

    /// Names a source transaction.
    pub(super) fn name_of<'a>(
        &self,
        transaction: &'a Transaction,
        file: &'a str,
    ) -> TransactionName<'a> {
        let (server_uuid, begin_offset) = (self.position().server_uuid, transaction.begin_offset);
        TransactionName { gtid: transaction.gtid.as_ref(), server_uuid, file, begin_offset }
    }

    /// Ends the searches of topics that may lack records which were sent since a reading began.
    pub(super) fn give_up_searches(&mut self) {
        let doubted = self.plans.take_doubted();
        if doubted.is_empty() {
            return;
        }
        let wanting = self.snapshot.tables.wanting_ends();
        for (table, why) in doubted {
            // What was before the ends are taken does not matter.
            if !wanting.contains(&table) {
                self.snapshot.tables.give_up_search(&table, why);
            }
        }
    }

    /// Sends everything that is saved, the position last.
    fn send_position(&mut self) -> Result<(), Failure> {
        let has_rows = self.is_open();
        let changed = self.plans.take_changed(has_rows, self.outlet.producers.rows())?;
        let producer = &mut self.outlet.producers.fenced;
        for table in changed {
            let json =
                table.to_json(&self.config.name).map_err(|problem| not_writable(&problem))?;
            self.state_topic.send(producer, &table.key(), Some(&json))?;
        }
        self.give_up_searches();
        for (table, record) in self.snapshot.tables.take_records() {
            self.send_state(format!("{SNAPSHOT_KEY_START}{table}").as_bytes(), record.as_deref())?;
        }
        let now_us = u64::try_from(since_epoch().as_micros()).unwrap_or(u64::MAX);
        self.protocol.set_least_offset(self.state_topic.least_offset());
        let json = self.record().to_json(&self.config.name, now_us);
        let json = json.map_err(|problem| {
            xa::too_many_pending(self.record(), &problem).unwrap_or_else(|| not_writable(&problem))
        })?;
        self.send_state(POSITION_KEY, Some(&json))?;
        if self.is_open() {
            failpoints::reach(Point::Positioned);
        }
        Ok(())
    }

    fn send_state(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), ProduceError> {
        self.state_topic.send(&mut self.outlet.producers.fenced, key, value)
    }

    /// Commits, and reports what is committed.
    fn commit(&mut self) -> Result<Commit, Failure> {
        let commit = self.outlet.producers.fenced.commit()?;
        self.state_topic.committed();
        self.committed = Some(self.record().place());
        if self.is_open() {
            failpoints::reach(Point::Committed);
        }
        self.reporter.committed(&self.protocol);
        self.skips.drop_passed(&self.protocol.record().skips);
        self.reporter.forgotten(&self.protocol.take_dropped());
        log_cut(&self.protocol);
        Ok(if failpoints::lacks(Rule::DoubtEndsEpoch) { Commit::Clean } else { commit })
    }

    /// Why the epoch ends although nothing failed.
    #[cold]
    fn doubtful(&self, doubt: Doubt) -> Failure {
        match doubt {
            Doubt::Commit => Failure::new(
                Verdict::Recycle,
                Reason::KafkaCommitDoubtful,
                "a commit succeeded after Kafka had trouble, so the next one could be taken for it",
            ),
            Doubt::OtherRows(rows) => {
                self.reporter.metrics.rows_repeated.inc_by(rows);
                Failure::new(
                    Verdict::Recycle,
                    Reason::TransactionChanged,
                    format!(
                        "the source transaction after {} has other first rows than the {rows} \
                         that were delivered of it; it is delivered again from its start",
                        self.position()
                    ),
                )
            }
        }
    }
}

/// A record of the state topic that would be larger than a record may be.
pub(in crate::pipeline) fn not_writable(problem: &RecordError) -> Failure {
    Failure::new(
        Verdict::Halt,
        Reason::PositionNotWritable,
        format!("a record of the state {problem}"),
    )
}
