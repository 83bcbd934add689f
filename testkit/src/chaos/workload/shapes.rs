//! The writer of tables whose definition changes in every way that asks for no decision, of tables
//! that come and go or leave the capture list, and of what is logged as statements.
//!
//! Each of its statements is a transaction of its own, so the ledger does not count them.

use anyhow::Result;

use super::{IGNORED, MARKER, SHAPES, STAGING, VISITS, Writer};
use crate::Database;

/// How many rows the tables have at most.
const ROWS: u64 = 200;

/// A change of a definition: what it is counted as, and its statements.
type Change = (&'static str, &'static [&'static str]);

/// What may happen to the definition of `shapes`. Some do not fit its present form; the server
/// refuses these.
const CHANGES: [Change; 24] = [
    ("ADD COLUMN instant", &["ALTER TABLE shapes ADD COLUMN extra_1 INT, ALGORITHM=INSTANT"]),
    (
        "ADD COLUMN in the middle",
        &["ALTER TABLE shapes ADD COLUMN extra_2 INT DEFAULT 7 AFTER id, ALGORITHM=INSTANT"],
    ),
    (
        "ADD COLUMN in place",
        &["ALTER TABLE shapes ADD COLUMN extra_3 INT NOT NULL DEFAULT 3, ALGORITHM=INPLACE"],
    ),
    ("ADD COLUMN by a copy", &["ALTER TABLE shapes ADD COLUMN extra_4 INT, ALGORITHM=COPY"]),
    ("DROP COLUMN", &["ALTER TABLE shapes DROP COLUMN extra_1, ALGORITHM=INSTANT"]),
    ("DROP COLUMN", &["ALTER TABLE shapes DROP COLUMN extra_2, ALGORITHM=INSTANT"]),
    ("DROP COLUMN", &["ALTER TABLE shapes DROP COLUMN extra_3, ALGORITHM=INPLACE"]),
    ("DROP COLUMN", &["ALTER TABLE shapes DROP COLUMN extra_4, ALGORITHM=COPY"]),
    ("MODIFY COLUMN by a copy", &["ALTER TABLE shapes MODIFY hits BIGINT NOT NULL"]),
    ("MODIFY COLUMN by a copy", &["ALTER TABLE shapes MODIFY hits INT NOT NULL"]),
    ("MODIFY COLUMN in place", &["ALTER TABLE shapes MODIFY label VARCHAR(30) DEFAULT 'a'"]),
    ("RENAME COLUMN", &["ALTER TABLE shapes RENAME COLUMN label TO title"]),
    ("RENAME COLUMN", &["ALTER TABLE shapes RENAME COLUMN title TO label"]),
    (
        "RENAME TABLE out and back",
        &["RENAME TABLE shapes TO shapes_away", "RENAME TABLE shapes_away TO shapes"],
    ),
    (
        "swap as by gh-ost",
        &[
            "DROP TABLE IF EXISTS _shapes_gho, _shapes_del",
            "CREATE TABLE _shapes_gho LIKE shapes",
            "ALTER TABLE _shapes_gho COMMENT 'a copy'",
            "INSERT INTO _shapes_gho SELECT * FROM shapes",
            "RENAME TABLE shapes TO _shapes_del, _shapes_gho TO shapes",
            "DROP TABLE _shapes_del",
        ],
    ),
    ("TRUNCATE", &["TRUNCATE TABLE shapes"]),
    ("PARTITION BY", &["ALTER TABLE shapes PARTITION BY HASH (id) PARTITIONS 3"]),
    ("REMOVE PARTITIONING", &["ALTER TABLE shapes REMOVE PARTITIONING"]),
    ("ADD PARTITION", &["ALTER TABLE shapes ADD PARTITION PARTITIONS 1"]),
    ("COALESCE PARTITION", &["ALTER TABLE shapes COALESCE PARTITION 1"]),
    ("REBUILD PARTITION", &["ALTER TABLE shapes REBUILD PARTITION ALL"]),
    ("CONVERT TO CHARACTER SET", &["ALTER TABLE shapes CONVERT TO CHARACTER SET latin1"]),
    ("CONVERT TO CHARACTER SET", &["ALTER TABLE shapes CONVERT TO CHARACTER SET utf8mb4"]),
    ("ALTER without a change", &["ALTER TABLE shapes ENGINE = InnoDB"]),
];

impl Writer {
    /// One change of these tables.
    pub(super) fn shape(&mut self, connection: &mut Database) -> Result<()> {
        match self.random.in_range(0..100) {
            0..30 => self.visit(connection),
            30..60 => self.fill(connection),
            60..75 => self.stage(connection),
            75..85 => self.logged_as_statements(connection),
            _ => self.change_shapes(connection),
        }
    }

    /// Rows of the table that is left out of some runs.
    fn visit(&mut self, connection: &mut Database) -> Result<()> {
        let id = self.random.in_range(0..ROWS);
        connection.execute(&match self.random.in_range(0..5) {
            1 => format!("DELETE FROM {VISITS} WHERE id % 13 = {}", id % 13),
            0 => format!("UPDATE {VISITS} SET hits = hits + 1 WHERE id % 17 = {}", id % 17),
            _ => format!(
                "INSERT INTO {VISITS} VALUES ({id}, 1, 'visit {id} {MARKER}')
                    ON DUPLICATE KEY UPDATE hits = hits + 1"
            ),
        })
    }

    /// Rows of the table whose definition changes.
    fn fill(&mut self, connection: &mut Database) -> Result<()> {
        let id = self.random.in_range(0..ROWS);
        connection.execute(&match self.random.in_range(0..6) {
            0 => format!("DELETE FROM {SHAPES} WHERE id % 13 = {}", id % 13),
            1 => format!("UPDATE {SHAPES} SET hits = hits + 1 WHERE id % 17 = {}", id % 17),
            _ => format!(
                "INSERT INTO {SHAPES} (id, hits, note) VALUES ({id}, 1, 'shape {id} {MARKER}')
                    ON DUPLICATE KEY UPDATE hits = hits + 1"
            ),
        })
    }

    /// A table that comes and goes.
    fn stage(&mut self, connection: &mut Database) -> Result<()> {
        if self.random.is_one_in(8) {
            connection.execute(&format!("DROP TABLE IF EXISTS {STAGING}"))?;
            self.counts.add("DROP TABLE");
        }
        connection.execute(&super::create_staging("CREATE TABLE IF NOT EXISTS"))?;
        let note = format!("staged {} {MARKER}", self.random.in_range(0..1 << 40));
        connection
            .execute(&format!("INSERT INTO {STAGING} (note) VALUES ('{note}'), ('{MARKER}')"))?;
        connection.execute(&format!("UPDATE {STAGING} SET note = 'done' ORDER BY id LIMIT 1"))
    }

    /// Statements in the binlog that change what is not captured. They are in a database of which
    /// nothing is: elsewhere a trigger could have changed what is, so the connector halts.
    fn logged_as_statements(&mut self, connection: &mut Database) -> Result<()> {
        let number = self.random.in_range(0..ROWS);
        let ignored = format!("REPLACE INTO {IGNORED} VALUES ({number}, '{MARKER}')");
        connection.execute(&ignored)?;
        connection.execute("SET SESSION binlog_format = STATEMENT")?;
        let notes = format!("`{}_other`.notes", connection.name());
        for statement in [
            format!("REPLACE INTO {notes} VALUES ({number}, '{MARKER}')"),
            format!("UPDATE {notes} SET note = CONCAT('{MARKER}', id) WHERE id < {number}"),
            format!("DELETE FROM {notes} WHERE id = {number} + 1"),
        ] {
            connection.execute(&statement)?;
            self.counts.add("statement-logged");
        }
        connection.execute("SET SESSION binlog_format = ROW")
    }

    fn change_shapes(&mut self, connection: &mut Database) -> Result<()> {
        // What an earlier death left undone.
        drop(connection.execute("RENAME TABLE shapes_away TO shapes"));
        let (what, statements) = *self.random.one_of(&CHANGES);
        for (number, statement) in statements.iter().enumerate() {
            if let Err(error) = connection.execute(statement) {
                // Only a first statement may not fit; a server that is gone shows at the next.
                return if number == 0 { Ok(()) } else { Err(error) };
            }
        }
        self.counts.add(what);
        Ok(())
    }
}
