//! Everything that a script left, table by table, compared with what was delivered of it.

use anyhow::Result;
use serde_json::Value;
use xtask::stack::StackAddress;

use super::history::{History, Life, Place};
use super::keep::KEPT;
use super::report::{Result as Outcome, TableState};
use super::rows;
use super::run::{MARKS, OF_SYSTEM};
use super::script::Script;
use crate::{Consumer, Database, Record, ServerAddress, topics};

/// What scripts do that want changes to be in no binlog; the last one writes a table's file.
const UNLOGGED: [&str; 3] = ["sql_log_bin", "innodb_read_only", "write_file $mysqld_datadir"];

/// The records that hold the rows of a table.
struct Origin {
    schema: String,
    table: String,
    life: Life,
    /// Where the table was renamed to what it is now.
    until: Option<Place>,
}

/// Compares every table that is left; the binlog of the script begins with this file.
pub(super) fn compare(
    script: &Script,
    address: &StackAddress,
    connector: &str,
    first_file: &str,
    outcome: &mut Outcome,
) -> Result<()> {
    let prefix = format!("{connector}.");
    let topics = topics(address)?;
    let topics: Vec<_> =
        topics.iter().filter(|topic| topic.starts_with(&prefix)).map(String::as_str).collect();
    let records = Consumer::open(address, &topics)?.rest()?;
    outcome.records = u64::try_from(records.len())?;
    let mut database = Database::connect_on(ServerAddress::from(address), MARKS)?;
    let history = History::read(&mut database, first_file)?;
    let is_unlogged = script.mentions(&UNLOGGED)?;
    for (schema, table) in tables(&mut database)? {
        let Some(origin) = Origin::of(&schema, &table, &history) else { continue };
        // Not captured: a table that a script keeps in the server's own databases.
        if OF_SYSTEM.contains(&format!("'{}'", origin.schema)) {
            continue;
        }
        let records: Vec<_> = records.iter().filter(|record| origin.has(record)).collect();
        let compared = rows::selected(&mut database, &schema, &table)
            .and_then(|rows| Ok(rows::differences(&rows, &rows::folded(&records)?)));
        let state = match compared {
            Ok(lines) if lines.is_empty() => TableState::Equal,
            Ok(lines) if origin.life.is_altered => TableState::Altered(lines),
            Ok(lines) if is_unlogged => TableState::Unlogged(lines),
            Ok(lines) => TableState::Differs(lines),
            Err(error) => TableState::Unreadable(format!("{error:#}")),
        };
        let name = format!("{schema}.{table} ({}.{})", origin.schema, origin.table);
        outcome.tables.push((name, state));
    }
    Ok(())
}

impl Origin {
    fn of(schema: &str, table: &str, history: &History) -> Option<Self> {
        let (schema, table, until) = if schema == KEPT {
            let (schema, table, place) = history.origin(schema, table)?;
            (schema, table, Some(place))
        } else {
            (schema.to_owned(), table.to_owned(), None)
        };
        let life = history.life(&schema, &table, until.as_ref());
        Some(Self { schema, table, life, until })
    }

    fn has(&self, record: &Record) -> bool {
        let source = record.source();
        let text = |name| source.get(name).and_then(Value::as_str).unwrap_or_default();
        let offset = source.get("pos").and_then(Value::as_u64).unwrap_or_default();
        let place = (text("file").to_owned(), offset);
        text("db").eq_ignore_ascii_case(&self.schema)
            && text("table").eq_ignore_ascii_case(&self.table)
            && self.life.from <= place
            && self.until.as_ref().is_none_or(|until| place < *until)
    }
}

/// All tables of scripts that keep rows.
fn tables(database: &mut Database) -> Result<Vec<(String, String)>> {
    let rows = database.texts(&format!(
        "SELECT table_schema, table_name FROM information_schema.tables
         WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ({OF_SYSTEM}, '{MARKS}')
         AND engine NOT IN ('BLACKHOLE', 'MRG_MYISAM', 'FEDERATED') ORDER BY 1, 2"
    ))?;
    let text =
        |cell: Option<Vec<u8>>| String::from_utf8_lossy(&cell.unwrap_or_default()).into_owned();
    let pair = |row: Vec<Option<Vec<u8>>>| {
        let mut cells = row.into_iter().map(text);
        cells.next().zip(cells.next())
    };
    Ok(rows.into_iter().filter_map(pair).collect())
}
