//! One epoch's producer: its transactions, its waits for brokers, and when it gives up.

use std::{collections::BTreeMap, ffi::CString, ops::Range, sync::Arc, thread, time::Duration};

use rdkafka::error::RDKafkaErrorCode;
use tokio::time::Instant;

use super::{
    ProduceError,
    codes::meaning,
    context::{FailedDelivery, ProducerCallbacks},
    librdkafka::{Handle, NativeError},
    poll::Poll,
    settings::{self, Limits},
    topics::{Topic, TopicId},
};
use crate::{
    config, error::Verdict, model::record::Header, patience::Patience, shutdown::Shutdown,
};

/// A commit that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// Once, and surely so.
    Clean,
    /// A request to commit has no answer and may arrive later: discard the producer before the next
    /// transaction.
    Doubtful,
}

/// A transactional producer: one epoch of one transactional id.
pub struct Producer {
    pub(super) topics: Vec<Topic>,
    pub(super) ids: BTreeMap<String, TopicId>,
    pub(super) handle: Arc<Handle>,
    poll: Poll,
    pub(super) limits: Limits,
    servers: String,
    shutdown: Shutdown,
    /// Whether this producer has fenced all others, or is one that does not.
    is_started: bool,
    patience: Patience,
    in_transaction: bool,
}

/// How long a call may take before it gives up and says why, where answers are fast. The caller
/// says it to the user and tries again with a new producer, so this is also how often the user
/// reads it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same where every broker refused the connection. Not at once: a name may have several
/// addresses (`localhost` has `::1`), and librdkafka tries one at a time.
const PATIENCE_ALL_DOWN: Duration = Duration::from_millis(500);

/// How long calls may take after a stop request, where answers are fast.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// How long an abort may take. It only spares consumers the wait until the broker ends the
/// transaction by itself.
const ABORT_MAX: Duration = Duration::from_secs(3);

/// How often a wait looks around: for failed deliveries, a lost transaction, a stop request.
const STEP: Duration = Duration::from_millis(100);

/// The pause before a call that got no result is tried again: some answers come at once.
const AGAIN_PAUSE: Duration = Duration::from_millis(5);

/// The pause before a full queue is tried again: 8 MiB drain in 25 ms, so it has room by then, and
/// shorter ones cost more than they gain.
const QUEUE_FULL_PAUSE: Duration = Duration::from_micros(250);

/// A full queue from which nothing leaves for this long holds no full batch, only records of many
/// partitions that linger.
const LINGERING: Duration = Duration::from_millis(10);

impl Producer {
    /// Makes the client, which starts to connect, and the thread that serves it. Fails on
    /// settings only.
    pub fn new(
        kafka: &config::Kafka,
        transactional_id: &str,
        patience: Patience,
        shutdown: Shutdown,
    ) -> Result<Self, ProduceError> {
        Self::with(kafka, Some(transactional_id), patience, shutdown)
    }

    /// Makes a client whose records are visible as soon as they are stored. It never opens a
    /// transaction, and nothing fences it.
    pub fn without_transactions(
        kafka: &config::Kafka,
        patience: Patience,
        shutdown: Shutdown,
    ) -> Result<Self, ProduceError> {
        Self::with(kafka, None, patience, shutdown)
    }

    fn with(
        kafka: &config::Kafka,
        transactional_id: Option<&str>,
        patience: Patience,
        shutdown: Shutdown,
    ) -> Result<Self, ProduceError> {
        let (config, limits) = settings::client_config(kafka, transactional_id)?;
        let handle = Handle::new(&config, ProducerCallbacks::new(patience.clone()))
            .map_err(|error| ProduceError::Settings(error.to_string()))?;
        let handle = Arc::new(handle);
        Ok(Self {
            topics: Vec::new(),
            ids: BTreeMap::new(),
            poll: Poll::start(Arc::clone(&handle))?,
            handle,
            limits,
            servers: kafka.bootstrap_servers.clone(),
            shutdown,
            is_started: transactional_id.is_none(),
            patience,
            in_transaction: false,
        })
    }

    /// Fences every older producer of the transactional id and waits until its transaction is
    /// decided; only then is the saved position the last one.
    ///
    /// Call [`Self::topic`] for the state topic first: without a connection to a real broker,
    /// not only to a bootstrap server, librdkafka finds no coordinator and pauses 500 ms.
    pub fn init_transactions(&mut self) -> Result<(), ProduceError> {
        const DURING: &str = "starting as the only producer of the transactional id";
        self.wait(|producer, step| match producer.handle.init_transactions(step) {
            Ok(()) => Attempt::Done(()),
            Err(error) if error.retriable => Attempt::Again(error.text),
            Err(error) => Attempt::Failed(producer.failure(DURING, error)),
        })?;
        self.is_started = true;
        Ok(())
    }

    /// Opens a transaction. Nothing is sent yet.
    pub fn begin(&mut self) -> Result<(), ProduceError> {
        let begun = self.handle.begin_transaction();
        begun.map_err(|error| self.failure("opening a transaction", error))?;
        self.in_transaction = true;
        Ok(())
    }

    /// Refuses a record that [`Self::send`] would refuse.
    pub fn check(
        &self,
        topic: TopicId,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> Result<(), ProduceError> {
        let Some(topic) = self.topics.get(topic.0) else {
            return Err(self.unknown_topic());
        };
        topic.check(key, value, headers)
    }

    /// Copies a record into the queue; waits while the queue is full and drains.
    pub fn send(
        &mut self,
        topic: TopicId,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> Result<(), ProduceError> {
        let Some(topic) = self.topics.get(topic.0) else {
            return Err(self.unknown_topic());
        };
        topic.check(key, value, headers)?;
        match topic.produce(key, value, headers) {
            Ok(()) => Ok(()),
            Err(RDKafkaErrorCode::QueueFull) => {
                self.wait_for_room(|| topic.produce(key, value, headers))
            }
            Err(code) => Err(self.send_failure(code)),
        }
    }

    /// Waits until every record sent is stored by the brokers. Success is the proof that nothing
    /// is missing: a broker has returned the offset of every batch.
    pub fn flush(&mut self) -> Result<(), ProduceError> {
        let mut progress = QueueProgress::new(self);
        while !self.handle.flush(STEP) {
            self.check_progress("delivering records", &mut progress)?;
        }
        let context = self.handle.context();
        match context.failed_delivery() {
            None if context.answers().has_unplaced() => Err(ProduceError::Unplaced),
            None => Ok(()),
            Some(failed) => Err(self.delivery_failure(&failed)),
        }
    }

    /// Delivers what is left and commits. After any error the outcome is unknown: throw the
    /// producer away and read the saved position.
    pub fn commit(&mut self) -> Result<Commit, ProduceError> {
        let started = Instant::now();
        // librdkafka would flush too, but not look whether brokers said where the records are.
        self.flush()?;
        let limit = self.stall_limit();
        while let Err(error) = self.handle.commit_transaction(limit) {
            if !error.retriable || limit <= started.elapsed() {
                return Err(self.failure("committing a transaction", error));
            }
        }
        self.in_transaction = false;
        let doubtful = self.handle.context().answers().has_unanswered_end();
        Ok(if doubtful { Commit::Doubtful } else { Commit::Clean })
    }

    /// Aborts the open transaction, so that consumers need not wait until the broker does it, and
    /// ends the producer: see the head of `produce`.
    ///
    /// It may fail where nothing is wrong. Right after a commit the coordinator still writes that
    /// one's markers and lets the first partition of the next transaction wait
    /// (CONCURRENT_TRANSACTIONS); librdkafka sends EndTxn all the same, and the coordinator, which
    /// has no open transaction, answers INVALID_TXN_STATE.
    pub fn abort(self) {
        if !self.in_transaction {
            return;
        }
        self.handle.context().aborting();
        if let Err(error) = self.handle.abort_transaction(ABORT_MAX) {
            tracing::debug!(code = %error.code, "left to the broker to abort: {}", error.text);
        }
    }

    /// The oldest offset of a partition and the next one it will give, open transactions counted
    /// in: the high watermark, not the last stable offset.
    pub fn watermarks(&self, topic: &str, partition: i32) -> Result<Range<i64>, ProduceError> {
        const DURING: &str = "reading a topic's offsets";
        self.wait(|producer, step| {
            let client = producer.handle.client();
            let error = match client.fetch_watermarks(topic, partition, step) {
                Ok((low, high)) => return Attempt::Done(low..high),
                Err(error) => error,
            };
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
            let detail = format!("topic {topic}");
            let failure = ProduceError::Kafka { during: DURING, code, detail };
            match failure.verdict() {
                Verdict::Recycle => Attempt::Again(failure.to_string()),
                _ => Attempt::Failed(failure),
            }
        })
    }

    /// Repeats an attempt until it has a result, brokers are silent for too long or the process
    /// must stop. The attempt waits for at most the time it is given.
    pub(super) fn wait<T>(
        &self,
        mut attempt: impl FnMut(&Self, Duration) -> Attempt<T>,
    ) -> Result<T, ProduceError> {
        let context = self.handle.context();
        if self.is_started {
            context.forget_broker_errors();
        }
        let started = Instant::now();
        let mut step = self.patience.attempt(STEP);
        loop {
            let said = match attempt(self, step) {
                Attempt::Done(result) => {
                    context.forget_settled();
                    return Ok(result);
                }
                Attempt::Failed(error) => return Err(error),
                Attempt::Again(said) => said,
            };
            if self.must_stop() {
                return Err(ProduceError::Stopped);
            }
            let down = context.all_brokers_down_since();
            let down = down.is_some_and(|since| PATIENCE_ALL_DOWN <= since.elapsed());
            let error = self.unreachable(&said);
            if error.is_definite() || down || self.call_patience() <= started.elapsed() {
                return Err(error);
            }
            step = Patience::longer(step);
            thread::sleep(AGAIN_PAUSE);
        }
    }

    /// Whether a wait ends because the process does. While a producer starts, at once. Later what
    /// has begun is finished, so that the last position can say that the instance ends; where Kafka
    /// does not answer, for a moment only.
    fn must_stop(&self) -> bool {
        let grace = if self.is_started { self.patience.call(STOP_GRACE) } else { Duration::ZERO };
        self.shutdown.is_overdue(grace)
    }

    /// How long a call may take now.
    pub(super) fn call_patience(&self) -> Duration {
        self.patience.call(PATIENCE)
    }

    fn wait_for_room(
        &self,
        mut produce: impl FnMut() -> Result<(), RDKafkaErrorCode>,
    ) -> Result<(), ProduceError> {
        let mut progress = QueueProgress::new(self);
        loop {
            thread::sleep(QUEUE_FULL_PAUSE);
            match produce() {
                Ok(()) => return Ok(()),
                Err(RDKafkaErrorCode::QueueFull) => {}
                Err(code) => return Err(self.send_failure(code)),
            }
            if LINGERING <= progress.since.elapsed() {
                self.handle.flush(Duration::from_millis(1));
            }
            self.check_progress("waiting for room in the queue", &mut progress)?;
        }
    }

    /// Fails if the transaction is lost or nothing was acknowledged for too long.
    fn check_progress(
        &self,
        during: &'static str,
        progress: &mut QueueProgress,
    ) -> Result<(), ProduceError> {
        let outstanding = self.handle.outstanding();
        if outstanding != progress.outstanding {
            *progress = QueueProgress { outstanding, since: Instant::now(), ..*progress };
        }
        if progress.checked.elapsed() < STEP {
            return Ok(());
        }
        progress.checked = Instant::now();
        if let Some(failed) = self.handle.context().failed_delivery() {
            return Err(self.delivery_failure(&failed));
        }
        if let Some(error) = self.lost_transaction() {
            return Err(self.failure(during, error));
        }
        if self.stall_limit() <= progress.since.elapsed() {
            let seconds = progress.since.elapsed().as_secs();
            return Err(ProduceError::Stalled { during, seconds, detail: self.last_seen() });
        }
        Ok(())
    }

    /// Why the open transaction cannot be committed any more. librdkafka reports it when another
    /// transaction is opened; while the open one is sound, it reports a wrong state.
    fn lost_transaction(&self) -> Option<NativeError> {
        if !self.in_transaction {
            return None;
        }
        let error = self.handle.begin_transaction().err()?;
        (error.code != RDKafkaErrorCode::State).then_some(error)
    }

    /// The error of a call, or the one behind it where librdkafka only says that there is one.
    fn failure(&self, during: &'static str, error: NativeError) -> ProduceError {
        let failed = self.handle.context().failed_delivery();
        // Whatever else it led to, it is what has to be changed.
        if let Some(FailedDelivery { code, topic }) =
            failed.clone().filter(|failed| meaning(failed.code).verdict() == Verdict::Halt)
        {
            return ProduceError::Refused { topic, code };
        }
        let fatal = self.handle.client().fatal_error();
        let (code, detail) = fatal.unwrap_or((error.code, error.text));
        match (code, failed) {
            (RDKafkaErrorCode::Inconsistent, Some(FailedDelivery { code, .. })) => {
                ProduceError::Kafka { during, code, detail }
            }
            (RDKafkaErrorCode::OperationTimedOut, _) => {
                let detail = format!("{detail}; {}", self.last_seen());
                ProduceError::Kafka { during, code, detail }
            }
            _ => ProduceError::Kafka { during, code, detail },
        }
    }

    fn delivery_failure(&self, &FailedDelivery { code, .. }: &FailedDelivery) -> ProduceError {
        const DURING: &str = "delivering records";
        // The lost transaction has the cause, purged records do not.
        let text = "a record was not delivered".to_owned();
        let error = NativeError { code, text, retriable: false };
        self.failure(DURING, self.lost_transaction().unwrap_or(error))
    }

    fn send_failure(&self, code: RDKafkaErrorCode) -> ProduceError {
        let text = "a record was not taken".to_owned();
        let error = NativeError { code, text, retriable: false };
        self.failure("sending a record", self.lost_transaction().unwrap_or(error))
    }

    fn unknown_topic(&self) -> ProduceError {
        self.send_failure(RDKafkaErrorCode::UnknownTopic)
    }

    pub(super) fn unreachable(&self, said: &str) -> ProduceError {
        ProduceError::unreachable(&self.servers, self.handle.context().broker_error(), said)
    }

    fn last_seen(&self) -> String {
        let error = self.handle.context().broker_error();
        error.map_or_else(|| "no connection failed".to_owned(), |error| error.text)
    }

    /// `transaction.timeout.ms`: when the broker ends a transaction by itself.
    pub fn transaction_timeout_ms(&self) -> u64 {
        self.limits.transaction_timeout_ms
    }

    /// A third of what the broker grants a transaction: time enough is left to start again before
    /// the broker ends it and every consumer waits for that.
    pub fn stall_limit(&self) -> Duration {
        Duration::from_millis(self.limits.transaction_timeout_ms) / 3
    }
}

impl Drop for Producer {
    /// Discards what is queued and does not wait for brokers.
    fn drop(&mut self) {
        self.handle.purge();
        self.poll.stop(&self.handle);
    }
}

/// What came of one attempt of a call that waits for brokers.
pub(super) enum Attempt<T> {
    /// It has a result.
    Done(T),
    /// It will fail again.
    Failed(ProduceError),
    /// Nothing yet, and what librdkafka said.
    Again(String),
}

/// When something last left the queue.
#[derive(Clone, Copy)]
struct QueueProgress {
    outstanding: i32,
    since: Instant,
    checked: Instant,
}

impl QueueProgress {
    fn new(producer: &Producer) -> Self {
        let now = Instant::now();
        Self { outstanding: producer.handle.outstanding(), since: now, checked: now }
    }
}

/// A name as C takes it. Topic names have no zero byte: Kafka's have letters, digits, `.`, `_`
/// and `-` only.
pub(super) fn c_string(text: &str) -> Result<CString, ProduceError> {
    CString::new(text).map_err(|_| {
        let code = RDKafkaErrorCode::InvalidArgument;
        let detail = "a name or setting has a zero byte".to_owned();
        ProduceError::Kafka { during: "naming a topic", code, detail }
    })
}
