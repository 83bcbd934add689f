//! One epoch of a tail: from connecting to the first trouble or the end.

use std::{collections::BTreeSet, sync::Arc};

use tokio::time::Instant;

use super::{
    since::{self, Since},
    stream::TailStream,
    tables,
    view::View,
};
use crate::{
    config::Config,
    decode::Decoder,
    error::{Failure, Reason, Verdict},
    map::Filter,
    mysql::{self, Connection, Continuity, Dump, Server},
    pipeline::{
        captured,
        epoch::{QUEUE_BYTES_MAX, json_text},
        recovery::{LoggedIn, Recovery},
        stop::StopCheck,
        threads::on_thread,
        trouble_log::TroubleLog,
        xa::XaSource,
    },
    runtime::TaskGroup,
    shutdown::Shutdown,
    state::PositionRecord,
};

/// How long the tasks of an epoch may take to end.
const TASKS_END_WITHIN: std::time::Duration = std::time::Duration::from_millis(500);

/// What outlives an epoch.
pub(super) struct TailProgress {
    config: Arc<Config>,
    since: Since,
    /// Whether tables were named on the command line.
    names_tables: bool,
    /// `None` while an epoch has it.
    view: Option<View>,
    continuity: Continuity,
    pub(super) recovery: Recovery,
    pub(super) log: TroubleLog,
    pub(super) logged_in: LoggedIn,
    /// What the checks have found and the log has.
    logged: BTreeSet<String>,
}

/// What an epoch needs before it streams.
struct TailStart {
    config: Arc<Config>,
    server: Server,
    dump: Dump,
    record: PositionRecord,
}

impl TailProgress {
    pub(super) fn new(config: Arc<Config>, since: Since, names_tables: bool, view: View) -> Self {
        Self {
            config,
            since,
            names_tables,
            view: Some(view),
            continuity: Continuity::default(),
            recovery: Recovery::new(Instant::now()),
            log: TroubleLog::default(),
            logged_in: LoggedIn::default(),
            logged: BTreeSet::new(),
        }
    }

    /// Connects, checks the source and opens the dump.
    async fn start(&mut self) -> Result<TailStart, Failure> {
        let mut connection = mysql::connect(&self.config.mysql).await?;
        self.logged_in.at_source = true;
        let server = Server::inspect(&mut connection, &self.config).await?;
        let config = self.config.for_source(server.lower_case_table_names);
        let source = (&mut connection, &*config, &server);
        tables::check(source, self.names_tables, &mut self.logged).await?;
        let record = self.place(&mut connection, &config, &server).await?;
        let from = record.accounted_for();
        let dump = Dump::open(connection, &config, &from).await?;
        Ok(TailStart { config, server, dump, record })
    }

    /// From where on is shown: at the first start as requested, then behind what was shown.
    async fn place(
        &mut self,
        connection: &mut Connection,
        config: &Arc<Config>,
        server: &Server,
    ) -> Result<PositionRecord, Failure> {
        let saved = self.view.as_ref().and_then(View::saved);
        let Some(saved) = saved else {
            let position = since::resolve(&self.since, connection, config, server).await?;
            return Ok(PositionRecord::resumed(None, 1, position));
        };
        let from = (&saved.accounted_for(), saved.file_begun);
        let continuity = &mut self.continuity;
        let position = since::resume(continuity, connection, config, server, from).await?;
        Ok(PositionRecord::resumed(Some(saved), saved.generation + 1, position))
    }
}

/// Shows changes up to the first trouble; `Ok` if a stop was requested or the output is closed.
pub(super) async fn epoch(progress: &mut TailProgress, shutdown: &Shutdown) -> Result<(), Failure> {
    let start = tokio::select! {
        start = progress.start() => start?,
        () = shutdown.requested() => return Ok(()),
    };
    let TailStart { config, server, dump, record } = start;
    let lost = || Failure::new(Verdict::Bug, Reason::Panic, "the tail's output is lost");
    let mut view = progress.view.take().ok_or_else(lost)?;
    let from = record.accounted_for().file;
    let began_at = record.position.clone();
    view.begin(&config, record);

    let (sender, queue) = mysql::queue(QUEUE_BYTES_MAX);
    let tasks = TaskGroup::new();
    let filter = Filter::new(&config.capture);
    let decoder = Decoder::new(captured::captures(&config, Arc::default()), from.file.clone())
        .resumed_from(from.offset)
        .captured_databases(Box::new(move |database| filter.captures_any_in(database)))
        .lower_case_names(server.lower_case_table_names)
        .json_text(json_text(&config));
    let shown = super::stream::SharedPosition::default();
    let committed = {
        let shown = Arc::clone(&shown);
        move || shown.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    };
    let stream = TailStream {
        decoder,
        queue,
        stop: StopCheck::new(shutdown.clone(), std::time::Duration::ZERO),
        xa_source: XaSource::new(Arc::clone(&config), tasks.clone()),
        shown,
    };
    let reader =
        tasks.spawn("binlog reader", mysql::follow(dump, sender, Arc::clone(&config), committed));
    let ended = on_thread("tail", move || {
        let ended = stream.run(&mut view);
        (view, ended)
    });
    let ended = ended.await;
    reader.abort();
    if !tasks.finish(TASKS_END_WITHIN).await {
        tracing::debug!("tasks of the epoch did not end in time");
    }
    let (view, ended) = ended?;
    if view.position().is_some_and(|position| position != began_at) {
        progress.recovery.delivered(Instant::now());
    }
    progress.view = Some(view);
    ended
}
