//! `tailwater position show`: the committed position, as text or JSON.

use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::{
    arguments::ConnectorFile,
    facts::{bytes, fact, paragraph, position_json, transactions, when},
};
use crate::{
    cli::say::say,
    config::Config,
    error::Failure,
    pipeline::{self, PositionReport, SourceReport},
    state::PositionRecord,
};

/// Most entries of a list that the text names.
const LISTED_MAX: usize = 5;

#[derive(Debug, Args)]
#[command(after_help = "Reads Kafka, and MySQL if it answers; changes nothing.\n\n\
    Examples:\n  \
    tailwater position show --config shop.toml\n  \
    tailwater position show --json > position.json")]
pub(super) struct ShowArguments {
    /// Print one JSON object; `position set --from-file` reads it.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    pub(super) connector: ConnectorFile,
}

/// Prints the position.
pub(super) async fn run(config: Config, arguments: &ShowArguments) -> Result<(), Failure> {
    let config = Arc::new(config);
    let report = pipeline::report_position(&config).await?;
    if arguments.json {
        say(&format!("{:#}", as_json(&config, &report)));
    } else {
        print(&config, &report);
    }
    Ok(())
}

fn address(config: &Config) -> String {
    format!("{}:{}", config.mysql.host, config.mysql.port)
}

fn print(config: &Config, report: &PositionReport) {
    fact("connector", &format!("{}, state topic {}", config.name, config.state_topic()));
    match &report.saved {
        None => fact("position", "none yet: the connector has never run"),
        Some(saved) => print_saved(saved),
    }
    let source = match &report.source {
        Ok(source) => source,
        Err(failure) => {
            fact("source", &format!("unknown: {}", failure.message));
            return;
        }
    };
    let end = &source.end.position;
    fact("source", &format!("{}, its binlog ends at {}", address(config), end.file));
    let Some(saved) = &report.saved else {
        return fact("next", "the first start begins at the end of the source's binlog");
    };
    fact("behind", &behind(saved, source));
    match &source.break_at {
        None => fact("next", "the source still has everything after the position"),
        Some(failure) => {
            fact("next", "no start can continue at the position:");
            paragraph(&failure.message);
            paragraph(&failure.hint);
        }
    }
}

fn print_saved(saved: &PositionRecord) {
    let position = &saved.position;
    let place = match position.file.file.as_str() {
        "" => "after its GTIDs; the place in a file is not known yet".to_owned(),
        _ => position.file.to_string(),
    };
    fact("position", &place);
    match &position.gtid_set {
        Some(set) if set.is_empty() => fact("GTIDs", "none yet"),
        Some(set) => fact("GTIDs", &set.to_string()),
        None => fact("GTIDs", "none: the position counts by file and offset"),
    }
    fact("server", &position.server_uuid.to_string());
    fact("committed", &when(position.source_time_us));
    let instance = match (saved.instance, saved.released) {
        (Some(instance), true) => format!("instance {instance}, which has ended"),
        (Some(instance), false) => format!("instance {instance}, which has not said that it ended"),
        (None, _) => "a command, not an instance".to_owned(),
    };
    fact("written by", &format!("generation {}, number {}", saved.generation, saved.seq));
    fact("", &instance);
    for partial in &saved.partials {
        let name = partial.gtid.as_ref().map_or_else(String::new, |gtid| format!("{gtid} "));
        let rows = indicatif::HumanCount(partial.rows_done);
        fact("in part", &format!("{name}({}): {rows} rows are delivered", partial.begin));
    }
    let prepared = saved.prepared.values().map(ToString::to_string);
    list("prepared", "XA transactions wait for their outcome", prepared.collect());
    let skips = saved.skips.iter().map(|skip| skip.event.to_string());
    list("to skip", "rows events", skips.collect());
}

fn list(label: &str, what: &str, names: Vec<String>) {
    if names.is_empty() {
        return;
    }
    let count = names.len();
    let more = if LISTED_MAX < count { ", …" } else { "" };
    let shown: Vec<String> = names.into_iter().take(LISTED_MAX).collect();
    fact(label, &format!("{count} {what}: {}{more}", shown.join(", ")));
}

fn behind(saved: &PositionRecord, SourceReport { end, .. }: &SourceReport) -> String {
    let position = saved.accounted_for();
    match (end.transactions_after(&position), end.bytes_after(&position)) {
        (Some(0), Some(0) | None) | (None, Some(0)) => "nothing".to_owned(),
        (Some(count), Some(size)) => format!("{}, {}", transactions(count), bytes(size)),
        (Some(count), None) => transactions(count),
        (None, Some(size)) => format!("{}; without GTIDs no transaction is counted", bytes(size)),
        (None, None) => "not known: the position is on another server".to_owned(),
    }
}

fn as_json(config: &Config, report: &PositionReport) -> Value {
    let source = match &report.source {
        Err(failure) => json!({ "address": address(config), "problem": failure.message,
            "reason": failure.reason.name() }),
        Ok(source) => {
            let end = &source.end;
            let position = report.saved.as_ref().map(PositionRecord::accounted_for);
            let position = position.as_ref();
            let problem = source.break_at.as_ref();
            json!({
                "address": address(config),
                "server_uuid": end.position.server_uuid.to_string(),
                "gtid_set": end.position.gtid_set.as_ref().map(ToString::to_string),
                "file": end.position.file.file,
                "pos": end.position.file.offset,
                "transactions_behind": position.and_then(|it| end.transactions_after(it)),
                "bytes_behind": position.and_then(|it| end.bytes_after(it)),
                "has_what_follows": position.map(|_| problem.is_none()),
                "problem": problem.map(|failure| &failure.message),
                "reason": problem.map(|failure| failure.reason.name()),
            })
        }
    };
    json!({
        "connector": config.name,
        "state_topic": config.state_topic(),
        "position": report.saved.as_ref().map(saved_json),
        "source": source,
    })
}

fn saved_json(saved: &PositionRecord) -> Value {
    let partials = saved.partials.iter().map(|partial| {
        json!({
            "gtid": partial.gtid.as_ref().map(ToString::to_string),
            "begin": partial.begin.to_string(),
            "rows_done": partial.rows_done,
        })
    });
    let prepared = saved.prepared.values().map(|prepared| {
        json!({
            "gtid": prepared.gtid.as_ref().map(ToString::to_string),
            "begin": prepared.begin.to_string(),
        })
    });
    let skips = saved.skips.iter().map(|it| it.event.to_string());
    let mut fields = position_json(&saved.position);
    let more = [
        ("generation", json!(saved.generation)),
        ("seq", json!(saved.seq)),
        ("instance", json!(saved.instance.map(|instance| instance.to_string()))),
        ("released", json!(saved.released)),
        ("in_part", json!(partials.collect::<Vec<_>>())),
        ("prepared", json!(prepared.collect::<Vec<_>>())),
        ("skip_events", json!(skips.collect::<Vec<_>>())),
    ];
    fields.extend(more.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(fields)
}
