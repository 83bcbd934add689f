//! What the binlog of one script says of its tables: when each was made, and whether a statement
//! changed its rows without an event for each.

use anyhow::{Context, Result};

use crate::Database;

/// The name of a binlog file and an offset in it: names grow.
pub(super) type Place = (String, u64);

/// The statements of a part of the binlog that change tables, in order.
#[derive(Debug, Default)]
pub(super) struct History {
    statements: Vec<(Place, Statement)>,
}

/// A statement that the binlog has as text.
#[derive(Debug)]
struct Statement {
    /// The database of names without one, in lower case.
    database: String,
    /// The words in lower case: names, keywords, `.`, `,` and `(`; other signs are left out.
    words: Vec<String>,
}

/// What is known of a table's rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Life {
    /// The place of the statement that made it.
    pub(super) from: Place,
    /// Whether a later statement could change rows without an event for each.
    pub(super) is_altered: bool,
}

impl History {
    /// Reads the binlog from the beginning of this file on.
    ///
    /// # Errors
    /// When the server does not answer.
    pub(super) fn read(database: &mut Database, first_file: &str) -> Result<Self> {
        let mut history = Self::default();
        let text =
            |cell: Option<Vec<u8>>| String::from_utf8_lossy(&cell.unwrap_or_default()).into_owned();
        let files = database.texts("SHOW BINARY LOGS")?;
        let files = files.into_iter().filter_map(|row| row.into_iter().next()).map(text);
        let files: Vec<_> = files.skip_while(|file| file != first_file).collect();
        for file in files {
            for row in database.texts(&format!("SHOW BINLOG EVENTS IN '{file}'"))? {
                let mut cells = row.into_iter().map(text);
                let offset = cells.nth(1).context("an event without position")?.parse()?;
                let (kind, info) = (cells.next(), cells.nth(2));
                if kind.is_some_and(|kind| kind == "Query") {
                    history.add((file.clone(), offset), &info.unwrap_or_default());
                }
            }
        }
        Ok(history)
    }

    fn add(&mut self, place: Place, text: &str) {
        let statement = Statement::of(text);
        if statement.is_about_tables() {
            self.statements.push((place, statement));
        }
    }

    /// The database and name that this table had before it was renamed, and where it was renamed.
    pub(super) fn origin(&self, database: &str, table: &str) -> Option<(String, String, Place)> {
        self.statements.iter().find_map(|(place, statement)| {
            let words: Vec<_> = statement.words.iter().map(String::as_str).collect();
            let ["rename", "table", from @ .., "to", to_database, ".", to_table] = words.as_slice()
            else {
                return None;
            };
            let (from_database, from_table) = match from {
                [table] => (statement.database.as_str(), *table),
                [database, ".", table] => (*database, *table),
                _ => return None,
            };
            let is_it = *to_database == database && *to_table == table;
            is_it.then(|| (from_database.to_owned(), from_table.to_owned(), place.clone()))
        })
    }

    /// What is known of this table, up to a place if one is given.
    pub(super) fn life(&self, database: &str, table: &str, until: Option<&Place>) -> Life {
        let (database, table) = (database.to_lowercase(), table.to_lowercase());
        let mut life = Life::default();
        let mut exists = false;
        for (place, statement) in &self.statements {
            if until.is_some_and(|until| until <= place) {
                break;
            }
            match statement.effect_on(&database, &table) {
                Effect::None => {}
                Effect::Made { unless_exists } if unless_exists && exists => {}
                Effect::Made { .. } => {
                    (exists, life) = (true, Life { from: place.clone(), is_altered: false });
                }
                Effect::Gone => {
                    (exists, life) = (false, Life { from: place.clone(), is_altered: false });
                }
                Effect::Altered => life.is_altered = true,
            }
        }
        life
    }
}

/// What a statement does to one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    None,
    Made { unless_exists: bool },
    Gone,
    Altered,
}

impl Statement {
    fn of(text: &str) -> Self {
        // The server adds the number of its own transaction.
        let text = text.split("/* xid=").next().unwrap_or_default();
        let mut words = words(&text.replace("\\n", " ").to_lowercase());
        // `use db;` before the statement is its default database.
        let mut database = String::new();
        if words.first().is_some_and(|word| word == "use") {
            database = words.drain(..2.min(words.len())).next_back().unwrap_or_default();
        }
        // MySQL takes TABLES for TABLE where a statement may name several.
        if let [verb, noun, ..] = words.as_mut_slice()
            && ["drop", "rename"].contains(&verb.as_str())
            && noun == "tables"
        {
            "table".clone_into(noun);
        }
        Self { database, words }
    }

    fn starts_with(&self, words: &[&str]) -> bool {
        self.words.iter().zip(words).filter(|(a, b)| a == b).count() == words.len()
    }

    /// The words behind these, and behind the others if they follow.
    fn behind(&self, words: &[&str], if_any: &[&str]) -> Option<&[String]> {
        let all = [words, if_any].concat();
        let count = if self.starts_with(&all) { all.len() } else { words.len() };
        self.starts_with(words).then(|| self.words.get(count..)).flatten()
    }

    fn is_about_tables(&self) -> bool {
        ["create", "drop", "alter", "rename", "truncate"]
            .iter()
            .any(|verb| self.starts_with(&[verb]))
    }

    fn effect_on(&self, database: &str, table: &str) -> Effect {
        let mentions = |name: &str| self.words.iter().any(|word| word == name);
        if self.starts_with(&["drop", "database"]) || self.starts_with(&["drop", "schema"]) {
            return if mentions(database) { Effect::Gone } else { Effect::None };
        }
        let is_default = self.database.is_empty() || self.database == database;
        if !self.mentions_table(table) || !(is_default || mentions(database)) {
            return Effect::None;
        }
        let is_it = |name: &[String]| match name {
            [first, dot, second, ..] if dot == "." => first == database && second == table,
            [first, ..] => is_default && first == table,
            [] => false,
        };
        if let Some(name) = self.behind(&["create", "table"], &["if", "not", "exists"]) {
            let unless_exists = self.starts_with(&["create", "table", "if", "not", "exists"]);
            return if is_it(name) { Effect::Made { unless_exists } } else { Effect::None };
        }
        if let Some(names) = self.behind(&["drop", "table"], &["if", "exists"]) {
            let is_dropped = names.split(|word| word == ",").any(is_it);
            return if is_dropped { Effect::Gone } else { Effect::None };
        }
        let changes_tables = self.starts_with(&["alter", "table"])
            || self.starts_with(&["rename", "table"])
            || self.starts_with(&["truncate"]);
        if changes_tables { Effect::Altered } else { Effect::None }
    }

    /// A name with signs in it counts as mentioned, because its words are not looked for.
    fn mentions_table(&self, table: &str) -> bool {
        let is_word = table.chars().all(|it| it.is_alphanumeric() || "_$".contains(it));
        !is_word || self.words.iter().any(|word| word == table)
    }
}

/// Names and keywords, a quoted name as one, and each `(`, `.` and `,`: they tell a column from a
/// table, and a table's database from another table.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (number, part) in text.split('`').enumerate() {
        if number % 2 == 1 {
            words.push(part.to_owned());
            continue;
        }
        let is_name = |character: char| character.is_alphanumeric() || "_$".contains(character);
        let part = part.replace('(', " ( ").replace('.', " . ").replace(',', " , ");
        let plain = part.split(|character| !is_name(character) && !"(.,".contains(character));
        words.extend(plain.filter(|word| !word.is_empty()).map(ToOwned::to_owned));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::{History, Life};

    fn life(statements: &[&str]) -> Life {
        let mut history = History::default();
        for (number, statement) in statements.iter().enumerate() {
            history.add(("binlog.000001".to_owned(), number.try_into().unwrap()), statement);
        }
        history.life("d", "t1", None)
    }

    #[test]
    fn a_table_with_a_point_in_its_name_outlives_others() {
        let mut history = History::default();
        let place = |number| ("binlog.000001".to_owned(), number);
        history.add(place(1), "use `d`; CREATE TABLE `a.b` (a INT)");
        history.add(place(2), "use `d`; DROP TABLE IF EXISTS `a.c`");
        assert_eq!(history.life("d", "a.b", None).from, place(1));
        history.add(place(3), "use `d`; DROP TABLE `a.b`");
        assert_eq!(history.life("d", "a.b", None).from, place(3));
    }

    #[test]
    fn a_table_lives_from_its_last_creation_on() {
        let made = |offset| Life { from: ("binlog.000001".to_owned(), offset), is_altered: false };
        assert_eq!(life(&["BEGIN", "use `d`; CREATE TABLE t1 (a INT)"]), made(1));
        assert_eq!(life(&["CREATE TABLE t1 (a INT)", "DROP TABLE `t2`,`t1`"]), made(1));
        assert_eq!(life(&["CREATE TABLE t1 (a INT)", "CREATE TABLE IF NOT EXISTS d.t1"]), made(0));
        assert_eq!(life(&["CREATE TABLE t1 (a INT)", "CREATE TABLE t2 LIKE t1"]), made(0));
        assert_eq!(life(&["CREATE TABLE d.t1 (a INT)", "DROP DATABASE d"]), made(1));
        // Another database has a table of this name.
        let other = "use `d_d`; CREATE TABLE t1 (a INT)";
        assert_eq!(life(&["use `d`; CREATE TABLE t1 (a INT)", other]), made(0));
        assert_eq!(
            life(&["use `d`; CREATE TABLE t1 (a INT)", "use `d_d`; DROP TABLE t1"]),
            made(0)
        );
        assert_eq!(life(&["use `d_d`; CREATE TABLE d.t1 (a INT)"]), made(0));
        // Tables of this name in another database, and of other names, are dropped.
        let made_here = "use `d`; CREATE TABLE t1 (a INT)";
        for other in [
            "DROP TABLE IF EXISTS d_d.t1",
            "DROP TABLE d_d.t1, t2",
            "DROP TABLE `d_d`.`t1`,`d`.`t2` /* generated by server */",
            "DROP TABLE `t1.d`, d.t2",
        ] {
            assert_eq!(life(&[made_here, &format!("use `d`; {other}")]), made(0), "{other}");
        }
        for own in ["DROP TABLE IF EXISTS d_d.t1, t1", "DROP TABLE t2,`d`.`t1` /* generated */"] {
            assert_eq!(life(&[made_here, &format!("use `d`; {own}")]), made(1), "{own}");
        }
        // The second one makes a table of the database's name with a column of the table's.
        assert_eq!(life(&["CREATE TABLE t1 (a INT)", "use `d`; CREATE TABLE d(t1 INT)"]), made(0));
    }

    #[test]
    fn a_renamed_table_is_found_by_its_old_name() {
        let mut history = History::default();
        let place = ("binlog.000001".to_owned(), 7);
        history.add(place.clone(), "use `d`; RENAME TABLE `t1` TO `kept`.`t3` /* xid=7 */");
        let origin = ("d".to_owned(), "t1".to_owned(), place.clone());
        assert_eq!(history.origin("kept", "t3"), Some(origin));
        history.add(place.clone(), "use `d`; RENAME TABLE `a.b` TO `kept`.`t5`");
        let origin = ("d".to_owned(), "a.b".to_owned(), place);
        assert_eq!(history.origin("kept", "t5"), Some(origin));
        assert_eq!(history.origin("kept", "t4"), None);
    }

    #[test]
    fn statements_that_change_rows_without_events_are_known() {
        for statement in [
            "ALTER TABLE t1 ADD b INT",
            "RENAME TABLE t0 TO d.t1",
            "RENAME TABLES t2 TO t0, t0 TO t1",
            "truncate t1",
        ] {
            assert!(life(&["CREATE TABLE t1 (a INT)", statement]).is_altered, "{statement}");
        }
        for statement in ["ALTER TABLE t2 ADD b INT", "CREATE INDEX i ON t1 (a)"] {
            assert!(!life(&["CREATE TABLE t1 (a INT)", statement]).is_altered, "{statement}");
        }
    }
}
