//! What really happened: the binlog as MySQL's own `mysqlbinlog` reads it.
//!
//! It shares no code with the connector and needs no server, so it tells what was committed even
//! after a crash. Rows come without names, by the place of the column, and values as text; the
//! workload uses only types whose text is unmistakable: integers and ASCII strings.
//!
//! Rows of an XA transaction count at its XA COMMIT, with that statement's GTID: `mysqlbinlog`
//! prints them at XA PREPARE, and whether they count is not known before.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use xtask::stack::Mysql;

/// The values of a row in the order of its columns; `None` is NULL.
pub type Row = Vec<Option<String>>;

/// A committed change of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The transaction.
    pub gtid: String,
    /// The table, without its database.
    pub table: String,
    /// The row before; `None` for an insert.
    pub before: Option<Row>,
    /// The row after; `None` for a delete.
    pub after: Option<Row>,
}

/// Reads the binlog of one database, from where the last reading ended.
#[derive(Debug)]
pub struct Truth {
    database: String,
    file: String,
    offset: u64,
    prepared: Prepared,
}

/// Changes of XA transactions that are prepared and not decided, by the transaction's id.
type Prepared = BTreeMap<String, Vec<Change>>;

impl Truth {
    /// Begins at the present end of the binlog.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn from_now(mysql: &Mysql, database: &str) -> Result<Self> {
        let (file, offset) = end_of_binlog(mysql)?;
        Ok(Self { database: database.to_owned(), file, offset, prepared: Prepared::new() })
    }

    /// Goes on at the present end of another server's binlog, which has everything that was read
    /// so far and nothing else.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn go_to(&mut self, mysql: &Mysql) -> Result<()> {
        (self.file, self.offset) = end_of_binlog(mysql)?;
        Ok(())
    }

    /// All changes committed since the last reading, in commit order.
    ///
    /// # Errors
    /// When the server does not answer or its binlog cannot be read.
    pub fn read_on(&mut self, mysql: &Mysql) -> Result<Vec<Change>> {
        let (last_file, end) = end_of_binlog(mysql)?;
        let files = mysql.sql("SHOW BINARY LOGS")?;
        let files = files.lines().filter_map(|line| line.split('\t').next());
        let files: Vec<_> = files
            .skip_while(|file| *file != self.file)
            .take_while(|file| *file != last_file)
            .collect();
        let mut command = mysql.client("mysqlbinlog");
        command.args(["--verbose", "--base64-output=DECODE-ROWS"]);
        command.arg(format!("--start-position={}", self.offset));
        command.arg(format!("--stop-position={end}"));
        for file in files.into_iter().chain([last_file.as_str()]) {
            command.arg(mysql.data_folder().join(file));
        }
        let changes = parse(&output(command)?, &self.database, &mut self.prepared)?;
        (self.file, self.offset) = (last_file, end);
        Ok(changes)
    }
}

fn end_of_binlog(mysql: &Mysql) -> Result<(String, u64)> {
    let status = mysql.sql("SHOW BINARY LOG STATUS")?;
    let mut columns = status.split('\t');
    let file = columns.next().context("no binlog")?.to_owned();
    Ok((file, columns.next().context("no position")?.parse()?))
}

fn output(mut command: Command) -> Result<String> {
    let output = command.output().context("cannot run mysqlbinlog")?;
    if !output.status.success() {
        bail!("mysqlbinlog failed: {}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Which image of a row the lines that come belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Image {
    Before,
    After,
}

/// The row changes of `database` in what `mysqlbinlog --verbose` prints.
pub(super) fn parse(text: &str, database: &str, prepared: &mut Prepared) -> Result<Vec<Change>> {
    let mut changes: Vec<Change> = Vec::new();
    let mut gtid = "";
    let mut group = 0; // where the present transaction begins
    let mut image = Image::Before;
    let mut is_ours = false;
    for line in text.lines() {
        let Some(line) = line.strip_prefix("### ") else {
            if let Some(next) = line.strip_prefix("SET @@SESSION.GTID_NEXT= '") {
                gtid = next.split('\'').next().unwrap_or_default();
                group = changes.len();
            } else if line.starts_with("ROLLBACK/*!*/") {
                changes.truncate(group);
            } else if let Some(id) = line.strip_prefix("XA PREPARE ") {
                prepared.insert(xa_id(id), changes.split_off(group));
            } else if let Some(id) = line.strip_prefix("XA ROLLBACK ") {
                prepared.remove(&xa_id(id));
            } else if let Some(id) = line.strip_prefix("XA COMMIT ") {
                let rows = prepared.remove(&xa_id(id)).unwrap_or_default();
                changes.extend(rows.into_iter().map(|row| Change { gtid: gtid.to_owned(), ..row }));
            }
            continue;
        };
        if let Some(table) = ["INSERT INTO ", "UPDATE ", "DELETE FROM "]
            .iter()
            .find_map(|statement| line.strip_prefix(statement))
        {
            let (schema, table) = names(table)?;
            is_ours = schema == database;
            if is_ours {
                let (gtid, table) = (gtid.to_owned(), table.to_owned());
                changes.push(Change { gtid, table, before: None, after: None });
            }
            continue;
        }
        let Some(change) = changes.last_mut().filter(|_| is_ours) else { continue };
        match line {
            "WHERE" => image = Image::Before,
            "SET" => image = Image::After,
            // The partition of a partitioned table.
            _ if line.starts_with("Extra row info") => {}
            _ => {
                let row = match image {
                    Image::Before => change.before.get_or_insert_default(),
                    Image::After => change.after.get_or_insert_default(),
                };
                add_column(row, line)?;
            }
        }
    }
    Ok(changes)
}

/// The id in `X'6f6e65',X'',1` and what `mysqlbinlog` writes behind it.
fn xa_id(text: &str) -> String {
    text.split([' ', '/']).next().unwrap_or_default().to_owned()
}

/// The names in `` `database`.`table` ``.
fn names(text: &str) -> Result<(&str, &str)> {
    let names = text.strip_prefix('`').and_then(|text| text.strip_suffix('`'));
    names.and_then(|names| names.split_once("`.`")).with_context(|| format!("no table: {text}"))
}

/// Reads `  @3='text'`.
fn add_column(row: &mut Row, line: &str) -> Result<()> {
    let column = line.trim_start().strip_prefix('@').and_then(|column| column.split_once('='));
    let (number, value) = column.with_context(|| format!("no column: {line}"))?;
    ensure!(number.parse() == Ok(row.len() + 1), "columns are missing before {line}");
    row.push(match value.strip_prefix('\'') {
        Some(text) => {
            let text = text.strip_suffix('\'').with_context(|| format!("open text: {line}"))?;
            ensure!(!text.contains('\\'), "a text that mysqlbinlog had to escape: {line}");
            Some(text.to_owned())
        }
        None if value == "NULL" => None,
        // A negative number is followed by what it would be without a sign.
        None => value.split(' ').next().map(ToOwned::to_owned),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Change, Prepared, Row, parse};

    /// As mysqlbinlog 9.7 prints it, without lines that are passed over.
    const PRINTED: &str = r"
# at 4
ROLLBACK/*!*/;
SET @@SESSION.GTID_NEXT= 'a:3'/*!*/;
BEGIN
/*!*/;
# at 704
#261120 20:49:33 server id 1  end_log_pos 772 CRC32 0xdc04a822 	Table_map: `d`.`t` mapped to number 85
### INSERT INTO `d`.`t`
### SET
###   @1=1
###   @2=-5 (18446744073709551611)
###   @3='a = b'
### Extra row info for partitioning: partition: 0
### INSERT INTO `d`.`t`
### SET
###   @1=2
###   @2=NULL
###   @3=''
COMMIT/*!*/;
SET @@SESSION.GTID_NEXT= 'a:4'/*!*/;
### UPDATE `other`.`t`
### WHERE
###   @1=1
### SET
###   @1=2
COMMIT/*!*/;
SET @@SESSION.GTID_NEXT= 'a:5'/*!*/;
### INSERT INTO `d`.`t`
### SET
###   @1=7
ROLLBACK/*!*/;
SET @@SESSION.GTID_NEXT= 'a:6'/*!*/;
### UPDATE `d`.`u`
### WHERE
###   @1=1
### SET
###   @1=2
### DELETE FROM `d`.`u`
### WHERE
###   @1=2
COMMIT/*!*/;
SET @@SESSION.GTID_NEXT= 'AUTOMATIC' /* added by mysqlbinlog */ /*!*/;
";

    #[expect(clippy::unnecessary_wraps, reason = "an image of a row may be missing")]
    fn row(values: &[&str]) -> Option<Row> {
        let value = |value: &&str| (*value != "NULL").then(|| (*value).to_owned());
        Some(values.iter().map(value).collect())
    }

    #[test]
    fn changes_are_read_with_their_transactions() {
        let change = |gtid: &str, table: &str, before, after| Change {
            gtid: gtid.to_owned(),
            table: table.to_owned(),
            before,
            after,
        };
        assert_eq!(
            parse(PRINTED, "d", &mut Prepared::new()).unwrap(),
            [
                change("a:3", "t", None, row(&["1", "-5", "a = b"])),
                change("a:3", "t", None, row(&["2", "NULL", ""])),
                change("a:6", "u", row(&["1"]), row(&["2"])),
                change("a:6", "u", row(&["2"]), None),
            ]
        );
    }

    #[test]
    fn rows_of_xa_transactions_count_at_their_commit() {
        let prepared_row = |gtid: &str, id: &str| {
            format!(
                "SET @@SESSION.GTID_NEXT= '{gtid}'/*!*/;\nXA START X'{id}',X'',1\n/*!*/;\n\
                 ### INSERT INTO `d`.`t`\n### SET\n###   @1={id}\nXA END X'{id}',X'',1\n/*!*/;\n\
                 XA PREPARE X'{id}',X'',1\n/*!*/;\n"
            )
        };
        let mut prepared = Prepared::new();
        let first = prepared_row("a:1", "31") + &prepared_row("a:2", "32");
        assert_eq!(parse(&first, "d", &mut prepared).unwrap(), []);
        let then = "SET @@SESSION.GTID_NEXT= 'a:3'/*!*/;\nXA ROLLBACK X'31',X'',1\n/*!*/;\n\
                    SET @@SESSION.GTID_NEXT= 'a:4'/*!*/;\nXA COMMIT X'32',X'',1\n/*!*/;\n";
        let changes = parse(then, "d", &mut prepared).unwrap();
        let row = row(&["32"]);
        let (gtid, table) = ("a:4".to_owned(), "t".to_owned());
        assert_eq!(changes, [Change { gtid, table, before: None, after: row }]);
        assert!(prepared.is_empty());
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for (from, to) in [("###   @2=NULL", "###   @3=NULL"), ("'a = b'", "'a"), ("a = b", r"a\n")]
        {
            let printed = PRINTED.replacen(from, to, 1);
            assert!(parse(&printed, "d", &mut Prepared::new()).is_err(), "{to}");
        }
    }
}
