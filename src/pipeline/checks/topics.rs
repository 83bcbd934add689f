//! Whether each captured table has a topic of its own: what Kafka forbids in names is replaced, so
//! two names can become one.

use std::collections::BTreeMap;

use super::{Finding, facts::Facts};
use crate::{
    config::Config,
    error::{Reason, Verdict},
    map,
    model::table::TableName,
};

/// Tables that would share a topic are refused. Those whose topics differ in `.` and `_` only are
/// warned of: Apache Kafka refuses to create the second of them, others do not.
pub(super) fn topics(config: &Config, facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut owners: BTreeMap<String, (&TableName, String)> = BTreeMap::new();
    for table in &facts.captured {
        // One that is too long is refused with its first row.
        let Ok(topic) = map::topic_name(&config.name, table) else { continue };
        let Some((first, its)) = owners.get(&topic.replace('.', "_")) else {
            owners.insert(topic.replace('.', "_"), (table, topic));
            continue;
        };
        let hint = format!("Take one of them out: `[capture] exclude_tables = [\"{table}\"]`.");
        findings.push(if *its == topic {
            let message = format!("{first} and {table} would both go to the topic {topic}");
            Finding::error(Verdict::Halt, Reason::TopicNameClash, message, hint)
        } else {
            let message = format!(
                "{first} and {table} would go to the topics {its} and {topic}, which Kafka takes \
                 for one: it creates the first of them only"
            );
            Finding::warning(Reason::TopicNameClash, message, hint)
        });
    }
    findings
}
