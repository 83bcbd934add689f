//! The picture of the pipeline: source, connector, Kafka and the schema registry.

use super::{
    parts::kind,
    text::{Escaped, bytes, count, rate},
};
use crate::admin::status::StatusAnswer;

/// Where trouble can be, besides the connector itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Station {
    Source,
    Kafka,
    Registry,
}

/// The picture as HTML.
pub(super) fn picture(answer: &StatusAnswer) -> String {
    let trouble = trouble(answer);
    let class = |place| if trouble == Some(place) { kind(answer) } else { "" };
    let servers = &answer.servers;
    let position = answer
        .position
        .as_ref()
        .map_or_else(String::new, |position| format!("{}:{}", position.file, position.offset));
    let node = |area: &str, class: &str, name: &str, address: &str, detail: &str| {
        format!(
            "<div class=\"node {area} {class}\"><b>{name}</b><span title=\"{0}\">{0}</span>\
             <small>{1}</small></div>",
            Escaped(address),
            Escaped(detail)
        )
    };
    let is_flowing = answer.state == "streaming" && answer.ready;
    let link = |area: &str, text: String, is_broken: bool| {
        let flow = match (is_broken, is_flowing) {
            (true, _) => "broken",
            (false, true) => "flowing",
            (false, false) => "still",
        };
        format!("<div class=\"link {area} {flow}\"><i></i><span>{text}</span></div>")
    };
    let rates = &answer.rates;
    let read = format!("{} transactions/s", rate(rates.transactions_per_second));
    let sent = format!(
        "{} rows/s<em>, </em><br>{}/s",
        rate(rates.rows_per_second),
        bytes(rates.bytes_per_second)
    );
    let commits = format!("{} commits", count(answer.delivered.commits));
    let mysql = class(Station::Source);
    let kafka = class(Station::Kafka);
    let registry = class(Station::Registry);
    [
        node("mysql", mysql, "MySQL", &servers.mysql, &position),
        link("read", read, !mysql.is_empty()),
        node("me", kind(answer), "Tailwater", &answer.name, answer.state),
        link("sent", sent, !kafka.is_empty()),
        node("kafka", kafka, "Kafka", &servers.kafka, &commits),
        link("asks", String::new(), !registry.is_empty()),
        node("registry", registry, "Schema registry", &servers.schema_registry, ""),
    ]
    .concat()
}

/// Where the reason of the failure says that it is.
fn trouble(answer: &StatusAnswer) -> Option<Station> {
    let reason = answer.failure.as_ref()?.reason;
    let begins = |words: &[&str]| words.iter().any(|word| reason.starts_with(word));
    if begins(&["kafka", "topic"]) {
        Some(Station::Kafka)
    } else if begins(&["registry", "schema"]) {
        Some(Station::Registry)
    } else if begins(&["mysql", "source", "binlog", "gtid", "server_id"]) {
        Some(Station::Source)
    } else {
        None
    }
}
