//! The parts of the page. Each text that is not from here is escaped.

use super::{
    chart, pipeline,
    text::{Escaped, ago, bytes, count, duration, lasted, number, rate, whole_duration},
};
use crate::{
    admin::{
        activity::{CommitAnswer, NoticeAnswer, RecentTableAnswer, SettingAnswer},
        status::{FailureAnswer, PositionAnswer, StatusAnswer},
        timestamps::Timestamp,
    },
    status::State,
};

/// The part of this name; empty for an unknown name.
pub(super) fn part(name: &str, answer: &StatusAnswer, has_token: bool) -> String {
    match name {
        "name" => Escaped(&answer.name).to_string(),
        "version" => answer.version.to_owned(),
        "state" => answer.state.to_owned(),
        "kind" => kind(answer).to_owned(),
        "badge" => badge(answer),
        "uptime" => lasted(answer.started, answer.now),
        "alert" => alert(answer),
        "pipeline" => pipeline::picture(answer),
        "numbers" => numbers(answer),
        "chart" => chart::lag(&answer.lag_history.lag_seconds),
        "snapshot" => snapshot(answer),
        "tables" => tables(answer),
        "tables_note" => tables_note(answer),
        "position" => position(answer.position.as_ref(), answer.now),
        "commits" => commits(answer),
        "notices" => notices(answer),
        "configuration" => answer.configuration.iter().map(setting).collect(),
        "token" if has_token => "yes".to_owned(),
        _ => String::new(),
    }
}

/// How the state looks: the class of its color.
pub(super) fn kind(answer: &StatusAnswer) -> &'static str {
    let is = |state: State| answer.state == state.name();
    if is(State::Halted) {
        "bad"
    } else if is(State::Waiting) || (!answer.ready && is(State::Streaming)) {
        "warn"
    } else if answer.ready {
        "ok"
    } else {
        "calm"
    }
}

fn badge(answer: &StatusAnswer) -> String {
    let sign = match kind(answer) {
        "bad" => "✕",
        "warn" => "!",
        "ok" => "✓",
        _ => "…",
    };
    let since = answer.since.map(|since| format!(" for {}", lasted(since, answer.now)));
    format!(
        "<span class=\"badge {}\"><b aria-hidden=\"true\">{sign}</b> {}</span>\
         <span class=\"muted\">{}</span>",
        kind(answer),
        answer.state,
        since.unwrap_or_default()
    )
}

fn alert(answer: &StatusAnswer) -> String {
    let outage = answer.outage.as_ref().map_or_else(String::new, |outage| {
        let delivered = whole_duration(outage.seconds);
        format!("<p class=\"muted\">Nothing has been delivered for {delivered}.</p>")
    });
    let kind = kind(answer);
    match &answer.failure {
        Some(FailureAnswer { reason, message, hint }) => {
            let what =
                if kind == "bad" { "Halted: a person must act" } else { "Trying again by itself" };
            let hint = if hint.is_empty() { String::new() } else { as_hint(hint) };
            format!(
                "<div class=\"alert {kind}\" role=\"alert\"><h2>{what}</h2><p>{}</p>{hint}{outage}\
                 <p class=\"muted\">Reason code <code>{reason}</code>, see docs/OPERATING.md.</p>\
                 </div>",
                Escaped(sentence(message))
            )
        }
        None if !outage.is_empty() => format!(
            "<div class=\"alert warn\" role=\"alert\"><h2>Nothing moves</h2><p>The connector \
             waits for Kafka, the schema registry or the source.</p>{outage}</div>"
        ),
        None => String::new(),
    }
}

fn as_hint(hint: &str) -> String {
    format!("<p class=\"hint\"><b>What to do</b> <span>{}</span></p>", Escaped(hint))
}

/// A lowercase fragment as a sentence.
fn sentence(fragment: &str) -> String {
    let mut characters = fragment.chars();
    let Some(first) = characters.next() else { return String::new() };
    let end = if fragment.ends_with(['.', '!', '?']) { "" } else { "." };
    first.to_uppercase().chain(characters).collect::<String>() + end
}

fn numbers(answer: &StatusAnswer) -> String {
    let unknown = || "–".to_owned();
    let last = answer.position.as_ref().and_then(|position| position.committed);
    let numbers = [
        ("Lag", duration(answer.lag_seconds)),
        ("Transactions behind", answer.transactions_behind.map_or_else(unknown, count)),
        ("Binlog behind", answer.bytes_behind.map(number).map_or_else(unknown, bytes)),
        ("Rows per second", rate(answer.rates.rows_per_second)),
        ("Data per second", bytes(answer.rates.bytes_per_second)),
        ("Last commit to Kafka", last.map_or_else(unknown, |last| ago(last, answer.now))),
    ];
    let card = |(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>");
    numbers.map(card).concat()
}

fn snapshot(answer: &StatusAnswer) -> String {
    let is_paused = answer.tables.iter().any(|table| table.state == "paused");
    let Some(reading) = &answer.reading else {
        return if is_paused {
            "<p data-reading=\"yes\">Paused.</p>".to_owned()
        } else {
            "<p class=\"muted\">No table is being read.</p>".to_owned()
        };
    };
    let left = reading
        .seconds_left
        .map(number)
        .map_or_else(String::new, |seconds| format!(", about {} left", whole_duration(seconds)));
    let tables = if reading.tables == 1 {
        "1 table".to_owned()
    } else {
        format!("{} tables", count(number_of(reading.tables)))
    };
    let most = reading.rows_estimate.max(reading.rows).max(1);
    format!(
        "<div data-reading=\"yes\"><progress max=\"{most}\" value=\"{}\"></progress>\
         <p>{tables}: {} of about {} rows, {} rows/s{left}</p></div>",
        reading.rows,
        count(reading.rows),
        count(reading.rows_estimate),
        rate(reading.rows_per_second),
    )
}

fn number_of(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn tables(answer: &StatusAnswer) -> String {
    if answer.recent_tables.is_empty() {
        let what = if answer.captured.is_none() {
            "The connector has not read the list of tables yet."
        } else {
            "No table matches capture.tables."
        };
        return format!("<tr><td colspan=\"7\" class=\"empty\">{what}</td></tr>");
    }
    answer.recent_tables.iter().map(|table| table_row(table, answer.now)).collect()
}

fn table_row(table: &RecentTableAnswer, now: Timestamp) -> String {
    let never = || "<span class=\"muted\">no change yet</span>".to_owned();
    let lag = if table.lag_seconds == 0.0 {
        "<span class=\"muted\">0 s</span>".to_owned()
    } else {
        format!("<b>{}</b>", duration(table.lag_seconds))
    };
    let snapshot = match (table.snapshot, table.percent) {
        (Some(state), Some(percent)) if state != "done" => format!(
            "<progress max=\"100\" value=\"{percent}\"></progress> {percent} % \
             <span class=\"muted\">{state}</span>"
        ),
        (Some(state), _) => format!("<span class=\"muted\">{state}</span>"),
        (None, _) => "<span class=\"muted\">–</span>".to_owned(),
    };
    let name = Escaped(&table.table);
    format!(
        "<tr><th scope=\"row\" title=\"{name}\"><bdi>{name}</bdi></th>\
         <td data-label=\"Changes\">{}</td><td data-label=\"Snapshot rows\">{}</td>\
         <td data-label=\"Bytes\">{}</td><td data-label=\"Last change\">{}</td>\
         <td data-label=\"Lag\">{lag}</td><td data-label=\"Snapshot\">{snapshot}</td></tr>",
        count(table.changes),
        count(table.snapshot_rows),
        bytes(number(table.bytes)),
        table.last_change.map_or_else(never, |last| ago(last, now)),
    )
}

fn tables_note(answer: &StatusAnswer) -> String {
    let shown = answer.recent_tables.len();
    match answer.other_tables {
        0 => String::new(),
        others => format!(
            "{} tables are shown: those that are being read, then those that changed last. \
             {} more are captured.",
            count(number_of(shown)),
            count(number_of(others))
        ),
    }
}

fn position(position: Option<&PositionAnswer>, now: Timestamp) -> String {
    let Some(position) = position else {
        return "<p class=\"muted\">No position is committed yet.</p>".to_owned();
    };
    let row = |name: &str, value: String| format!("<dt>{name}</dt><dd>{value}</dd>");
    let code = |text: &str| format!("<code>{}</code>", Escaped(text));
    let mut rows = row("Binlog", code(&format!("{}:{}", position.file, position.offset)));
    if let Some(set) = position.gtid_set.as_deref().filter(|set| !set.is_empty()) {
        rows += &row("GTIDs", format!("<div class=\"scroll\">{}</div>", code(set)));
    }
    rows += &row("Server", code(&position.server_uuid));
    if let Some(time) = position.source_time {
        rows += &row("Last change", ago(time, now));
    }
    format!("<dl class=\"facts\">{rows}</dl>")
}

fn commits(answer: &StatusAnswer) -> String {
    if answer.commits.is_empty() {
        return "<tr><td colspan=\"5\" class=\"empty\">No rows were committed since the start.\
                </td></tr>"
            .to_owned();
    }
    let row = |commit: &CommitAnswer| {
        format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td><code>{}</code></td></tr>",
            ago(commit.time, answer.now),
            count(commit.rows),
            bytes(number(commit.bytes)),
            duration(commit.seconds),
            Escaped(&commit.position),
        )
    };
    answer.commits.iter().map(row).collect()
}

fn notices(answer: &StatusAnswer) -> String {
    if answer.notices.is_empty() {
        return "<li class=\"empty\">No errors or warnings since the start.</li>".to_owned();
    }
    answer.notices.iter().map(|notice| notice_item(notice, answer.now)).collect()
}

fn notice_item(notice: &NoticeAnswer, now: Timestamp) -> String {
    let (kind, sign) = if notice.level == "error" { ("bad", "✕") } else { ("warn", "!") };
    let times =
        if notice.count == 1 { String::new() } else { format!(", {} times", count(notice.count)) };
    let reason = notice
        .reason
        .as_ref()
        .map_or_else(String::new, |reason| format!(" <code>{}</code>", Escaped(reason)));
    let hint = notice.hint.as_deref().map(as_hint).unwrap_or_default();
    format!(
        "<li><p class=\"muted\"><span class=\"badge {kind}\"><b aria-hidden=\"true\">{sign}</b> {}\
         </span>{reason} {}{times}</p><p>{}</p>{hint}</li>",
        notice.level,
        ago(notice.time, now),
        Escaped(sentence(&notice.message))
    )
}

fn setting(setting: &SettingAnswer) -> String {
    format!(
        "<tr><th scope=\"row\"><code>{}</code></th><td><code>{}</code></td>\
         <td class=\"muted\">{}</td></tr>",
        Escaped(&setting.key),
        Escaped(&setting.value),
        Escaped(&setting.origin)
    )
}
