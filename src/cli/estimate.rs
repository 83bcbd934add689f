//! `tailwater snapshot estimate`: how much there is to read. It queries only the source, so it
//! works before a connector runs.

use std::sync::Arc;

use indicatif::{HumanBytes, HumanCount};

use super::{bars::human, say::say};
use crate::{
    config::Config,
    error::{Failure, Reason, Verdict},
    map::Filter,
    mysql::{self, Server},
    snapshot::{self, ListedTable},
};

/// Prints the estimated rows and bytes of all captured tables, or of the named ones among them.
pub(super) async fn run(config: Config, named: &[String]) -> Result<(), Failure> {
    let mut connection = mysql::connect(&config.mysql).await?;
    let server = Server::inspect(&mut connection, &config).await?;
    let config = &Arc::new(config).for_source(server.lower_case_table_names);
    let filter = Filter::new(&config.capture);
    let mut tables =
        snapshot::list(&mut connection, config, |table| filter.captures(table), |_| true).await?;
    let is = |table: &ListedTable, name: &str| {
        config.capture.is_same_name(&table.name.to_string(), name)
    };
    if let Some(missing) = named.iter().find(|name| !tables.iter().any(|it| is(it, name))) {
        let message = format!("{missing} does not exist, or is not captured");
        return Err(Failure::new(Verdict::Halt, Reason::NotCaptured, message)
            .hint("Write database.table, and see capture.tables."));
    }
    tables.retain(|table| named.is_empty() || named.iter().any(|name| is(table, name)));
    let amount = |rows, bytes| format!("about {} rows, {}", HumanCount(rows), HumanBytes(bytes));
    let (mut rows, mut bytes) = (0_u64, 0_u64);
    for ListedTable { name, rows_estimate, bytes_estimate } in &tables {
        say(&format!("{name}: {}", amount(*rows_estimate, *bytes_estimate)));
        rows = rows.saturating_add(*rows_estimate);
        bytes = bytes.saturating_add(*bytes_estimate);
    }
    say(&format!("together: {}", amount(rows, bytes)));
    if let Some(retention) = server.binlog_retention {
        say(&format!("the source keeps its binlogs for {}", human(retention.as_secs())));
    }
    say("2 s after reading begins, the log and /status show how long it takes");
    Ok(())
}
