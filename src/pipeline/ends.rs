//! What a start looks at before it changes anything: source, registry and Kafka, all three. So
//! everything that is wrong with them is reported in one run, nothing was created for it, and no
//! instance that works was fenced for it.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    checks,
    run::{Progress, Run},
    start::LOAD_PATIENCE,
    threads::{on_thread, panicked},
    trouble_log::TroubleLog,
};
use crate::{
    catalog::{Cascade, Inventory},
    config::Config,
    error::Failure,
    model::table::TableName,
    mysql::{self, Connection, MysqlError, Server},
    patience::Patience,
    produce::{Producer, TopicId},
    shutdown::Shutdown,
    state::{self, CommitError, Loaded, TableRecord},
};

/// The three ends of a connector that may start. Of the registry nothing is kept.
pub(super) struct ConnectorEnds {
    pub(super) connection: Connection,
    pub(super) server: Server,
    pub(super) target: Target,
    /// Foreign keys whose cascades are in no binlog; `None` where all are.
    pub(super) cascades: Option<Vec<Cascade>>,
}

/// Kafka, reached by a producer that has fenced no other.
pub(super) struct Target {
    pub(super) producer: Producer,
    /// `None` where it does not exist.
    pub(super) state_topic: Option<TopicId>,
}

/// Looks at all three ends. Fails with the worst failure, and logs the others.
pub(super) async fn look(run: &Run, progress: &mut Progress) -> Result<ConnectorEnds, Failure> {
    let Progress { registry, trouble, found, known, patience, .. } = progress;
    let source = async {
        let mut connection = mysql::connect(&run.config.mysql).await?;
        trouble.logged_in.at_source = true;
        let server = Server::inspect(&mut connection, &run.config).await?;
        Ok::<_, MysqlError>((connection, server))
    };
    let target = reach(run, patience, known.seen.is_some(), found.judges_names());
    let (source, registry, target) = tokio::join!(source, registry.probe(), target);
    let mut failures = Vec::new();
    let mut source = taken(source, &mut failures);
    taken(registry, &mut failures);
    let (target, tables) = taken(target, &mut failures).unzip();
    let mut cascades = None;
    if let Some((connection, server)) = &mut source {
        let config = run.config.for_source(server.lower_case_table_names);
        let inventory = Inventory::new(connection, &config.mysql);
        let (shown, tables) = ((&*config, &run.status), tables.flatten());
        let checked = checks::run(inventory, shown, server, tables.as_ref(), found).await;
        cascades = taken(checked, &mut failures).flatten();
    }
    match (worst(failures, &mut trouble.log), source, target) {
        (None, Some((connection, server)), Some(target)) => {
            Ok(ConnectorEnds { connection, server, target, cascades })
        }
        (failure, ..) => Err(failure.unwrap_or_else(|| panicked("kafka"))),
    }
}

/// What is there; a failure goes to the others.
fn taken<T>(result: Result<T, impl Into<Failure>>, failures: &mut Vec<Failure>) -> Option<T> {
    result.map_err(|failure| failures.push(failure.into())).ok()
}

/// Reaches Kafka, and reads what is remembered of the tables if that is requested and not known to
/// be nothing.
async fn reach(
    run: &Run,
    patience: &Patience,
    has_run: bool,
    reads_tables: bool,
) -> Result<(Target, Option<BTreeMap<TableName, TableRecord>>), Failure> {
    let (config, patience, shutdown) =
        (Arc::clone(&run.config), patience.clone(), run.shutdown.clone());
    on_thread("kafka", move || {
        let waits = (&patience, &shutdown);
        let target = Target::reach(&config, waits, has_run)?;
        let is_new = target.state_topic.is_none();
        let known = match (reads_tables, is_new) {
            (false, _) => None,
            (true, true) => Some(BTreeMap::new()),
            (true, false) => Some(tables(&config, waits)?),
        };
        Ok((target, known))
    })
    .await?
}

fn tables(
    config: &Config,
    (patience, shutdown): (&Patience, &Shutdown),
) -> Result<BTreeMap<TableName, TableRecord>, Failure> {
    let Loaded { tables, .. } = state::peek(config, (LOAD_PATIENCE, patience), shutdown)?;
    Ok(tables)
}

impl Target {
    /// Connects, and checks the state topic if it is there; where the process has read a position
    /// it must be.
    pub(super) fn reach(
        config: &Config,
        (patience, shutdown): (&Patience, &Shutdown),
        has_run: bool,
    ) -> Result<Self, Failure> {
        Self::find(Self::producer(config, patience, shutdown)?, config, has_run)
    }

    /// A producer that has fenced nobody. Fails on settings only.
    pub(super) fn producer(
        config: &Config,
        patience: &Patience,
        shutdown: &Shutdown,
    ) -> Result<Producer, Failure> {
        let id = config.transactional_id();
        Ok(Producer::new(&config.kafka, &id, patience.clone(), shutdown.clone())?)
    }

    /// Finds the state topic.
    pub(super) fn find(
        mut producer: Producer,
        config: &Config,
        has_run: bool,
    ) -> Result<Self, Failure> {
        let name = config.state_topic();
        let state_topic = producer.existing_topic(&name)?;
        if state_topic.is_none() && has_run {
            return Err(CommitError::Deleted { topic: name }.into());
        }
        if let Some(facts) = state_topic.and_then(|topic| producer.topic_facts(topic)) {
            state::check_topic(&name, facts.partitions, facts.cleanup_policy.as_deref())?;
        }
        Ok(Self { producer, state_topic })
    }
}

/// The failure that decides what comes next, which says that there are others. These are logged:
/// each time where the process ends, else now and then.
pub(super) fn worst(mut failures: Vec<Failure>, trouble_log: &mut TroubleLog) -> Option<Failure> {
    let ends = |failure: &Failure| !failure.verdict.is_retried();
    let first = failures.iter().position(ends).unwrap_or_default();
    if failures.is_empty() {
        return None;
    }
    let worst = failures.swap_remove(first);
    for other in &failures {
        if ends(&worst) {
            let Failure { reason, message, hint, .. } = other;
            tracing::error!(reason = reason.name(), hint, "{message}");
        } else {
            trouble_log.log(other);
        }
    }
    Some(worst.and_others(failures.len()))
}
