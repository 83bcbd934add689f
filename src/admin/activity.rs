//! What `/status` and the page say of tables, commits, the log and the configuration.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::Serialize;

use super::timestamps::Timestamp;
use crate::{
    config::{Config, EffectiveSetting},
    metrics::{Metrics, TableCounts},
    model::table::TableName,
    status::{CommittedBatch, Notice, ReadState, StatusSnapshot, TableProgress},
};

/// Most tables that are shown.
const TABLES_MAX: usize = 200;

/// Most of them that are shown because they are being read.
const READ_TABLES_MAX: usize = 100;

/// Most characters of a value of the configuration that are shown.
const VALUE_CHARACTERS_MAX: usize = 500;

/// Where the servers are.
#[derive(Serialize)]
pub(super) struct ServersAnswer {
    pub(super) mysql: String,
    pub(super) kafka: String,
    pub(super) schema_registry: String,
}

impl ServersAnswer {
    pub(super) fn new(config: &Config, settings: &[EffectiveSetting]) -> Self {
        // As it is shown elsewhere: without the account that the address may have.
        let is_registry = |setting: &&EffectiveSetting| setting.key() == "schema_registry.url";
        let registry = settings.iter().find(is_registry).and_then(|it| it.value.as_str());
        Self {
            mysql: format!("{}:{}", config.mysql.host, config.mysql.port),
            kafka: config.kafka.bootstrap_servers.clone(),
            schema_registry: registry.unwrap_or_default().to_owned(),
        }
    }
}

/// A setting with its value, which is masked if it is secret.
#[derive(Clone, Serialize)]
pub(super) struct SettingAnswer {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) origin: String,
}

impl From<&EffectiveSetting> for SettingAnswer {
    fn from(setting: &EffectiveSetting) -> Self {
        let mut value = setting.toml();
        if let Some((end, _)) = value.char_indices().nth(VALUE_CHARACTERS_MAX) {
            value.truncate(end);
            value.push('…');
        }
        Self { key: setting.key(), value, origin: setting.origin.to_string() }
    }
}

/// What was delivered since the process started.
#[derive(Serialize)]
pub(super) struct DeliveredAnswer {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) transactions: u64,
    pub(super) commits: u64,
}

/// A Kafka transaction with records.
#[derive(Serialize)]
pub(super) struct CommitAnswer {
    pub(super) time: Timestamp,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    pub(super) position: String,
}

impl From<&CommittedBatch> for CommitAnswer {
    fn from(commit: &CommittedBatch) -> Self {
        Self {
            time: Timestamp(commit.time),
            rows: commit.rows,
            bytes: commit.bytes,
            seconds: commit.took.as_secs_f64(),
            position: commit.position.clone(),
        }
    }
}

/// An error or a warning of the log.
#[derive(Serialize)]
pub(super) struct NoticeAnswer {
    pub(super) time: Timestamp,
    pub(super) level: &'static str,
    pub(super) reason: Option<String>,
    pub(super) message: String,
    pub(super) hint: Option<String>,
    pub(super) count: u64,
}

impl From<Notice> for NoticeAnswer {
    fn from(notice: Notice) -> Self {
        Self {
            time: Timestamp(notice.time),
            level: if notice.is_error { "error" } else { "warning" },
            reason: notice.reason,
            message: notice.message,
            hint: notice.hint,
            count: notice.count,
        }
    }
}

/// A table that is being read or has changed.
#[derive(Serialize)]
pub(super) struct RecentTableAnswer {
    pub(super) table: String,
    pub(super) changes: u64,
    pub(super) snapshot_rows: u64,
    pub(super) bytes: u64,
    /// When the last change that was sent committed at the source.
    pub(super) last_change: Option<Timestamp>,
    /// Age of that change if it is not committed to Kafka, otherwise 0.
    pub(super) lag_seconds: f64,
    /// What becomes of its snapshot, if it has one.
    pub(super) snapshot: Option<&'static str>,
    pub(super) percent: Option<u64>,
}

/// The tables that are being read, then those that changed last, and the number of the others.
pub(super) fn recent_tables(
    snapshot: &StatusSnapshot,
    metrics: &Metrics,
    now: SystemTime,
) -> (Vec<RecentTableAnswer>, usize) {
    let mut reads: Vec<_> = snapshot.tables.iter().filter(|it| is_open(it.state)).collect();
    reads.sort_by_key(|progress| progress.state == ReadState::Waiting);
    reads.truncate(READ_TABLES_MAX);
    let named: BTreeSet<_> = reads.iter().map(|progress| &progress.table).collect();
    let (mut counts, sent) = metrics.sent(&named, TABLES_MAX);
    let known: BTreeSet<_> = counts.iter().map(|counts| counts.table.clone()).collect();
    // Those of which nothing was sent, as long as there is room.
    let captured = snapshot.captured.iter().flat_map(|captured| &captured.tables);
    let mut silent: Vec<&TableName> = named.iter().copied().chain(captured).collect();
    let mut seen = BTreeSet::new();
    silent.retain(|name| !known.contains(*name) && seen.insert(*name));
    counts.extend(silent.into_iter().map(nothing_sent));
    counts.truncate(TABLES_MAX);
    let all = snapshot.captured.as_ref().map_or(0, |captured| captured.count).max(sent);
    let others = all.saturating_sub(counts.len());
    let progress: BTreeMap<_, _> =
        snapshot.tables.iter().map(|progress| (&progress.table, progress)).collect();
    let committed_us = snapshot.position.as_ref().map_or(0, |position| position.source_time_us);
    let answer = |counts: TableCounts| {
        let progress = progress.get(&counts.table).copied();
        table_answer(&counts, progress, committed_us, now)
    };
    (counts.into_iter().map(answer).collect(), others)
}

/// Whether a table's rows are still to be read, or a person must look at it.
pub(super) fn is_open(state: ReadState) -> bool {
    !matches!(state, ReadState::Done | ReadState::Cancelled)
}

fn nothing_sent(table: &TableName) -> TableCounts {
    TableCounts { table: table.clone(), changes: 0, snapshot_rows: 0, bytes: 0, last_change_us: 0 }
}

fn table_answer(
    counts: &TableCounts,
    progress: Option<&TableProgress>,
    committed_us: u64,
    now: SystemTime,
) -> RecentTableAnswer {
    let last = (0 < counts.last_change_us)
        .then(|| UNIX_EPOCH + Duration::from_micros(counts.last_change_us));
    let waits = last.filter(|_| committed_us < counts.last_change_us);
    let age = |since: SystemTime| now.duration_since(since).unwrap_or_default();
    RecentTableAnswer {
        table: counts.table.to_string(),
        changes: counts.changes,
        snapshot_rows: counts.snapshot_rows,
        bytes: counts.bytes,
        last_change: last.map(Timestamp),
        lag_seconds: waits.map(age).unwrap_or_default().as_secs_f64(),
        snapshot: progress.map(|progress| progress.state.name()),
        percent: progress.map(TableProgress::percent),
    }
}
