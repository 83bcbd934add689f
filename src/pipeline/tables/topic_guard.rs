//! Whether the data topics are what they were: nothing that is delivered may go behind the
//! connector's back.
//!
//! Each table's record says which topic its records went to, by the id that Kafka gave it, with
//! how many partitions and how far each of them reached. It is compared before an epoch delivers
//! anything, when a topic is first used in it, and whenever how far they reach is written again.
//! Kafka gives no offset twice and takes no id back, so whatever is not as it was or further has
//! been deleted, created again, cut off at its end (an unclean election, a lost disk) or given more
//! partitions, which moves keys.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::history::TableHistory;
use crate::{
    config::TopicChangePolicy,
    error::{Failure, Reason, Verdict},
    map::Filter,
    model::{record::TopicState, table::TableName},
    produce::Producer,
    state::TableRecord,
};

/// How far topics reach is written this often at most: what Kafka loses of the records since then
/// is not seen.
const WRITTEN_APART: Duration = Duration::from_secs(60);

/// Names of topics that a process shares between its epochs.
pub(in crate::pipeline) type OwnTopics = Arc<Mutex<BTreeSet<String>>>;

/// Compares the topics with what they were.
pub(super) struct TopicGuard {
    policy: TopicChangePolicy,
    /// Topics that had no record when this process first looked: what is in them is its own, also
    /// records of transactions that were aborted.
    own: OwnTopics,
    /// Tables that records were sent of in this epoch.
    used: BTreeSet<TableName>,
    /// Those of which it was not written in this epoch how far their topics reach.
    fresh: BTreeSet<TableName>,
    /// When it was written for all, or the epoch began.
    written: Instant,
    /// Whether records were committed since.
    stale: bool,
    /// Whether the next position is the last of the run.
    is_last: bool,
    /// Tables whose topics are not known to have all that was sent, and why.
    doubted: Vec<(TableName, &'static str)>,
}

/// What happened to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
enum TopicChange {
    Missing,
    Recreated { was: String, is: String },
    Partitions { were: usize, are: usize },
    LostTail { partition: usize, reached: i64, end: i64 },
}

impl TopicGuard {
    pub(super) fn new(policy: TopicChangePolicy, own: OwnTopics) -> Self {
        Self {
            policy,
            own,
            used: BTreeSet::new(),
            fresh: BTreeSet::new(),
            written: Instant::now(),
            stale: false,
            is_last: false,
            doubted: Vec::new(),
        }
    }

    /// The topic of a table is not known to have all that was sent, under the keys of today.
    pub(super) fn doubt(&mut self, table: &TableName, why: &'static str) {
        self.doubted.push((table.clone(), why));
    }

    /// Those that were doubted since this was called last.
    pub(super) fn take_doubted(&mut self) -> Vec<(TableName, &'static str)> {
        std::mem::take(&mut self.doubted)
    }

    /// Before anything is delivered: compares the topics of all captured tables. One that does not
    /// exist is warned of only: that of a dropped table may be deleted; its next record halts.
    pub(super) fn check(
        &mut self,
        history: &mut TableHistory,
        filter: &Filter,
        producer: &Producer,
    ) -> Result<(), Failure> {
        let checked =
            |record: &&TableRecord| record.topic_state.is_some() && filter.captures(&record.name);
        let records: Vec<_> = history.records().filter(checked).cloned().collect();
        let topics: Vec<_> = records.iter().map(|record| record.topic.as_str()).collect();
        let states = producer.topic_states(&topics)?;
        for record in &records {
            if let Some(state) = states.get(&record.topic) {
                self.judge(history, record, Some(state))?;
            } else {
                tracing::warn!(
                    table = %record.name,
                    topic = record.topic,
                    "the topic that records of the table went to does not exist any more"
                );
            }
        }
        Ok(())
    }

    /// Before the first record of a table in this epoch, and before its topic is created.
    pub(super) fn begin(
        &mut self,
        history: &mut TableHistory,
        (table, topic): (&TableName, &str),
        producer: &Producer,
    ) -> Result<(), Failure> {
        if self.used.contains(table) {
            return Ok(());
        }
        let states = producer.topic_states(&[topic])?;
        let state = states.get(topic);
        match history.get(table).filter(|record| record.topic == topic).cloned() {
            Some(record) => self.judge(history, &record, state)?,
            None => self.judge_unknown(table, topic, state),
        }
        self.used.insert(table.clone());
        self.fresh.insert(table.clone());
        Ok(())
    }

    /// Warns of records in a topic that the state topic knows of none in.
    fn judge_unknown(&self, table: &TableName, topic: &str, state: Option<&TopicState>) {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let is_empty = state.is_none_or(|state| state.ends.iter().all(|&end| end == 0));
        if is_empty {
            own.insert(topic.to_owned());
        } else if !own.contains(topic) {
            tracing::warn!(
                %table,
                topic,
                "the topic has records, and the state topic knows of none: they are another \
                 producer's, those of a connector whose state topic was deleted, or those of \
                 transactions that were aborted"
            );
        }
    }

    /// Before a position is sent, when all records before it are stored: has it written how far
    /// the topics reach, if it is time. `has_rows` says whether there are records before it.
    pub(super) fn write(
        &mut self,
        history: &mut TableHistory,
        has_rows: bool,
        producer: &Producer,
    ) -> Result<(), Failure> {
        self.stale |= has_rows;
        let is_time = self.is_last || WRITTEN_APART <= self.written.elapsed();
        let tables = if self.stale && is_time { &self.used } else { &self.fresh };
        let is_all = tables.len() == self.used.len();
        let records = tables.iter().filter_map(|table| history.get(table).cloned());
        let records: Vec<_> = records.collect();
        let topics: Vec<_> = records.iter().map(|record| record.topic.as_str()).collect();
        let states = producer.topic_states(&topics)?;
        for record in records {
            let state = states.get(&record.topic);
            self.judge(history, &record, state)?;
            history.remember(TableRecord { topic_state: state.cloned(), ..record });
        }
        if is_all {
            self.written = Instant::now();
            self.stale = false;
        }
        self.fresh.clear();
        Ok(())
    }

    /// The next position is the last of the run; true if it is not written yet how far the topics
    /// reach.
    pub(super) fn end(&mut self) -> bool {
        self.is_last = true;
        self.stale
    }

    /// Halts if a topic is not what it was, or takes it as it is if that is accepted.
    pub(super) fn judge(
        &mut self,
        history: &mut TableHistory,
        record: &TableRecord,
        state: Option<&TopicState>,
    ) -> Result<(), Failure> {
        let change = record.topic_state.as_ref().and_then(|was| change(was, state));
        let Some(change) = change else { return Ok(()) };
        let failure = change.failure(record);
        if self.policy == TopicChangePolicy::Halt {
            return Err(failure);
        }
        tracing::warn!(
            reason = failure.reason.name(),
            "as kafka.topic_change allows: {}",
            failure.message
        );
        history.remember(TableRecord { topic_state: state.cloned(), ..record.clone() });
        self.doubt(&record.name, "its topic changed, as kafka.topic_change allows");
        Ok(())
    }
}

/// How a topic differs from what it was, if it does; `None` for one that does not exist.
fn change(was: &TopicState, is: Option<&TopicState>) -> Option<TopicChange> {
    let Some(is) = is else { return Some(TopicChange::Missing) };
    // Without ids, before Kafka 2.8, a topic that was created again shows by its offsets only.
    if let (Some(was), Some(is)) = (&was.id, &is.id)
        && was != is
    {
        return Some(TopicChange::Recreated { was: was.clone(), is: is.clone() });
    }
    let (were, are) = (was.ends.len(), is.ends.len());
    if were != are {
        return Some(TopicChange::Partitions { were, are });
    }
    let mut ends = was.ends.iter().zip(&is.ends).enumerate();
    let (partition, (&reached, &end)) = ends.find(|(_, (reached, end))| end < reached)?;
    Some(TopicChange::LostTail { partition, reached, end })
}

impl TopicChange {
    fn failure(&self, record: &TableRecord) -> Failure {
        let (table, topic) = (&record.name, &record.topic);
        let (reason, message, loses) = match self {
            Self::Missing => (
                Reason::TopicMissing,
                format!("topic {topic}, which records of {table} went to, does not exist any more"),
                true,
            ),
            Self::Recreated { was, is } => (
                Reason::TopicRecreated,
                format!(
                    "topic {topic} was deleted and created again (its id was {was} and is {is}): \
                     the records of {table} before that are gone"
                ),
                true,
            ),
            Self::Partitions { were, are } => (
                Reason::TopicPartitionsChanged,
                format!(
                    "topic {topic} has {are} partitions and had {were}: keys of {table} go to \
                     others from here on, and their older records stay where they are"
                ),
                false,
            ),
            Self::LostTail { partition, reached, end } => (
                Reason::TopicLostTail,
                format!(
                    "partition {partition} of topic {topic} ends at offset {end} and had reached \
                     {reached}: kafka lost records of {table} that it had acknowledged"
                ),
                true,
            ),
        };
        let again = if loses {
            format!(
                " While it runs, `tailwater snapshot --table {table}` delivers the table's rows \
                 again."
            )
        } else {
            String::new()
        };
        Failure::new(Verdict::Halt, reason, message).hint(format!(
            "Make consumers ready for it, set kafka.topic_change = \"accept\", start, and take it \
             out again.{again}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::{TopicChange, change};
    use crate::model::record::TopicState;

    fn state(id: Option<&str>, ends: &[i64]) -> TopicState {
        TopicState { id: id.map(str::to_owned), ends: ends.to_vec() }
    }

    #[test]
    fn a_topic_may_grow_and_nothing_else() {
        let was = state(Some("a"), &[7, 0, 3]);
        assert_eq!(change(&was, Some(&was)), None);
        assert_eq!(change(&was, Some(&state(Some("a"), &[7, 9, 4]))), None);
        assert_eq!(change(&was, None), Some(TopicChange::Missing));
        let recreated = TopicChange::Recreated { was: "a".to_owned(), is: "b".to_owned() };
        assert_eq!(change(&was, Some(&state(Some("b"), &[7, 9, 4]))), Some(recreated));
        let partitions = TopicChange::Partitions { were: 3, are: 4 };
        assert_eq!(change(&was, Some(&state(Some("a"), &[7, 0, 3, 0]))), Some(partitions));
        let cut = TopicChange::LostTail { partition: 2, reached: 3, end: 2 };
        assert_eq!(change(&was, Some(&state(Some("a"), &[9, 0, 2]))), Some(cut));
    }

    /// Brokers before 2.8 give no ids; one that was upgraded gives them from then on.
    #[test]
    fn where_no_id_is_known_offsets_tell() {
        let (unnamed, named) = (state(None, &[7]), state(Some("a"), &[7]));
        assert_eq!(change(&unnamed, Some(&named)), None);
        assert_eq!(change(&named, Some(&unnamed)), None);
        let cut = TopicChange::LostTail { partition: 0, reached: 7, end: 0 };
        assert_eq!(change(&unnamed, Some(&state(None, &[0]))), Some(cut));
    }
}
