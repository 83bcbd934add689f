//! What the statement of a QUERY event does to rows.
//!
//! This is no SQL parser. It sorts statements into five kinds: transaction control, changes of
//! tables (whose names are read), changes of rows (which should have been logged as rows),
//! statements that change no rows of any table, and the rest. The rest is refused if it names a
//! captured table.

use std::collections::BTreeSet;

use super::tokens::{Token, Tokens, Unreadable, unquoted};
use crate::{
    charset::Charset,
    decode::event::query::{Dialect, Query},
    model::{table::TableName, xa::Xid},
};

/// What a statement does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    Begin,
    Commit,
    Rollback,
    Savepoint(String),
    RollbackTo(String),
    /// RELEASE SAVEPOINT, and statements that change no rows and no columns of any table.
    Harmless,
    XaStart(Xid),
    XaEnd,
    XaCommit(Xid),
    XaRollback(Xid),
    Table(StatementKind, Vec<TableName>),
    /// DROP DATABASE, with its name.
    DropDatabase(String),
    /// CREATE TABLE … SELECT as a statement. It can change no other table: the server refuses
    /// functions that would (error 1746).
    Filled(Vec<TableName>),
    /// INSERT, UPDATE, DELETE and the like, with every name in it that could be a table's.
    Rows(Vec<TableName>),
    /// Something that may call stored functions.
    Calls,
    /// Something else, with every name in it that could be a table's.
    Unknown(Vec<TableName>),
}

/// What a statement does to the tables that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementKind {
    /// CREATE TABLE that would have failed if the table had been there.
    Create,
    /// CREATE TABLE IF NOT EXISTS, which is logged although the table is there.
    CreateIfAbsent,
    /// ALTER TABLE, CREATE INDEX, DROP INDEX.
    Alter,
    /// ALTER TABLE that takes rows away or brings rows without row events: DROP, TRUNCATE or
    /// EXCHANGE PARTITION, DISCARD or IMPORT TABLESPACE.
    AlterRows,
    /// RENAME TABLE and ALTER TABLE … RENAME, old and new names.
    Rename,
    /// DROP TABLE.
    Drop,
    /// DROP DATABASE.
    DropDatabase,
    /// TRUNCATE TABLE: all rows are gone without row events.
    Truncate,
}

impl StatementKind {
    /// The name used in metric labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create | Self::CreateIfAbsent => "create",
            Self::Alter => "alter",
            Self::AlterRows => "alter_rows",
            Self::Rename => "rename",
            Self::Drop => "drop",
            Self::DropDatabase => "drop_database",
            Self::Truncate => "truncate",
        }
    }
}

/// Most names that are collected of one statement; one with more is not understood.
const NAMES_MAX: usize = 10_000;

/// Reads a statement.
pub(super) fn parse(query: &Query<'_>) -> Result<Parsed, Unreadable> {
    // Nearly all statements of a binlog are these two, as the server writes them.
    match query.text {
        b"BEGIN" => return Ok(Parsed::Begin),
        b"COMMIT" => return Ok(Parsed::Commit),
        _ => {}
    }
    let utf8 = Dialect { charset: None, ..query.dialect };
    let in_utf8 = read(query, utf8);
    if matches!(query.dialect.charset, None | Some(Charset::Utf8)) || query.text.is_ascii() {
        return in_utf8;
    }
    // The server writes a statement as the client sent it, but one that it makes itself in UTF-8,
    // and does not say which (CREATE TABLE … SELECT becomes another statement).
    let in_dialect = read(query, query.dialect).or_else(|Unreadable| {
        // In a DROP TABLE that it makes for a client with gb18030, MySQL 9.7 doubles every byte
        // that looks like a backtick.
        read(query, Dialect { by_bytes: true, ..query.dialect })
    });
    let is_utf8 = str::from_utf8(query.text).is_ok();
    let (likely, other) = if is_utf8 { (in_utf8, in_dialect) } else { (in_dialect, in_utf8) };
    match (likely, other) {
        (Ok(likely), Ok(other)) => Ok(likely.or_also(other)),
        (Ok(only), Err(Unreadable)) | (Err(Unreadable), Ok(only)) => Ok(only),
        (Err(Unreadable), Err(Unreadable)) => Err(Unreadable),
    }
}

/// Reads a statement, its names in the dialect's character set.
fn read(query: &Query<'_>, dialect: Dialect) -> Result<Parsed, Unreadable> {
    let mut parser = Parser::new(query, dialect)?;
    if let Some(parsed) = parser.statement()? {
        return Ok(parsed);
    }
    // Half a statement that is known: what it names decides.
    let names = Parser::new(query, dialect)?.every_name()?;
    Ok(Parsed::Unknown(names.into_iter().collect()))
}

impl Parsed {
    /// The same statement, with the names of another way to read it as well.
    fn or_also(mut self, other: Self) -> Self {
        match (&mut self, other) {
            (Self::Table(_, names), Self::Table(_, others))
            | (Self::Filled(names), Self::Filled(others))
            | (
                Self::Rows(names) | Self::Unknown(names),
                Self::Rows(others) | Self::Unknown(others),
            ) => names.extend(others),
            _ => {}
        }
        self
    }
}

/// The server's own database.
pub(super) const SYSTEM_DATABASE: &str = "mysql";

#[derive(Clone)]
struct Parser<'a> {
    tokens: Tokens<'a>,
    ahead: Option<Token<'a>>,
    database: String,
    /// Its character set is that of the names, where they are not in UTF-8.
    dialect: Dialect,
}

impl<'a> Parser<'a> {
    fn new(query: &Query<'a>, dialect: Dialect) -> Result<Self, Unreadable> {
        let mut tokens = Tokens::new(query.text, dialect);
        let ahead = tokens.next()?;
        let database = query.database.clone().into_owned();
        Ok(Self { tokens, ahead, database, dialect })
    }

    /// The statement's kind; `None` if its beginning is known and the rest is not.
    fn statement(&mut self) -> Result<Option<Parsed>, Unreadable> {
        let Some(Token::Word(first)) = self.ahead else {
            return Ok(if self.ahead.is_none() { Some(Parsed::Harmless) } else { None });
        };
        let first = first.to_ascii_uppercase();
        let after_first = self.tokens.clone();
        self.advance()?;
        match first.as_slice() {
            b"BEGIN" => Ok(Some(Parsed::Begin)),
            b"COMMIT" => Ok(Some(Parsed::Commit)),
            b"ROLLBACK" => self.rollback(),
            b"SAVEPOINT" => Ok(self.name()?.map(Parsed::Savepoint)),
            b"XA" => self.xa(after_first),
            b"CREATE" => self.create(),
            b"ALTER" => self.alter(),
            b"DROP" => self.drop(),
            b"RENAME" => self.rename(),
            b"TRUNCATE" => {
                self.skip_word(b"TABLE")?;
                Ok(self.table()?.map(|name| Parsed::Table(StatementKind::Truncate, vec![name])))
            }
            b"INSERT" | b"REPLACE" | b"UPDATE" | b"DELETE" | b"LOAD" | b"WITH" => {
                let (target, is_alone) = self.clone().target()?;
                if is_alone && target.iter().any(|table| table.database == SYSTEM_DATABASE) {
                    // Managed services write changes of their own tables into every binlog.
                    return Ok(Some(Parsed::Harmless));
                }
                let names = self.every_name()?;
                Ok(Some(Parsed::Rows(target.into_iter().chain(names).collect())))
            }
            b"SELECT" | b"CALL" | b"DO" | b"TABLE" | b"VALUES" | b"EXECUTE" | b"IMPORT" => {
                Ok(Some(Parsed::Calls))
            }
            b"RELEASE" | b"GRANT" | b"REVOKE" | b"SET" | b"FLUSH" | b"ANALYZE" | b"OPTIMIZE"
            | b"REPAIR" | b"CHECK" | b"CHECKSUM" | b"INSTALL" | b"UNINSTALL" | b"RESET"
            | b"KILL" | b"USE" | b"CHANGE" | b"CLONE" | b"RESTART" => Ok(Some(Parsed::Harmless)),
            _ => Ok(None),
        }
    }

    fn rollback(&mut self) -> Result<Option<Parsed>, Unreadable> {
        self.skip_word(b"WORK")?;
        if !self.skip_word(b"TO")? {
            return Ok(Some(Parsed::Rollback));
        }
        self.skip_word(b"SAVEPOINT")?;
        Ok(self.name()?.map(Parsed::RollbackTo))
    }

    /// The server writes an XA transaction's name the same way in all of its statements.
    fn xa(&mut self, after_xa: Tokens<'a>) -> Result<Option<Parsed>, Unreadable> {
        let mut after_verb = after_xa;
        after_verb.next()?;
        let xid = str::from_utf8(after_verb.rest()).ok().and_then(|text| text.trim().parse().ok());
        Ok(match (self.word()?.as_slice(), xid) {
            (b"START" | b"BEGIN", Some(xid)) => Some(Parsed::XaStart(xid)),
            (b"END", Some(_)) => Some(Parsed::XaEnd),
            (b"COMMIT", Some(xid)) => Some(Parsed::XaCommit(xid)),
            (b"ROLLBACK", Some(xid)) => Some(Parsed::XaRollback(xid)),
            _ => return Err(Unreadable),
        })
    }

    fn create(&mut self) -> Result<Option<Parsed>, Unreadable> {
        let mut word = self.word()?;
        if word == b"TEMPORARY" {
            return Ok(Some(Parsed::Harmless));
        }
        while matches!(word.as_slice(), b"UNIQUE" | b"FULLTEXT" | b"SPATIAL") {
            word = self.word()?;
        }
        match word.as_slice() {
            b"TABLE" => {
                let is_conditional = self.skip_word(b"IF")?;
                if is_conditional {
                    self.skip_word(b"NOT")?;
                    self.skip_word(b"EXISTS")?;
                }
                let Some(name) = self.table()? else { return Ok(None) };
                self.created(name, is_conditional).map(Some)
            }
            b"INDEX" => self.index(),
            b"DATABASE" | b"SCHEMA" | b"VIEW" | b"OR" | b"USER" | b"ROLE" | b"PROCEDURE"
            | b"FUNCTION" | b"AGGREGATE" | b"TRIGGER" | b"EVENT" | b"DEFINER" | b"ALGORITHM"
            | b"SQL" | b"SERVER" | b"TABLESPACE" | b"UNDO" | b"LOGFILE" | b"RESOURCE"
            | b"REFERENCE" | b"LIBRARY" | b"JSON" | b"MASKING" => Ok(Some(Parsed::Harmless)),
            _ => Ok(None),
        }
    }

    /// What CREATE TABLE does, by what is behind the table's name.
    ///
    /// In row format the server writes the rows of CREATE TABLE … SELECT as rows, and START
    /// TRANSACTION in place of the query: a query here was logged as a statement. Of the words
    /// that begin one, all are reserved, and only VALUES has another meaning, for partitions.
    fn created(&mut self, name: TableName, is_conditional: bool) -> Result<Parsed, Unreadable> {
        let mut kind =
            if is_conditional { StatementKind::CreateIfAbsent } else { StatementKind::Create };
        while let Some(token) = self.ahead {
            self.advance()?;
            // Behind a dot even a reserved word is a name.
            if token == Token::Symbol(b'.') {
                self.advance()?;
            }
            let Token::Word(word) = token else { continue };
            match word.to_ascii_uppercase().as_slice() {
                b"SELECT" | b"TABLE" => return Ok(Parsed::Filled(vec![name])),
                b"VALUES" if !self.ahead_is(&[b"LESS", b"IN"]) => {
                    return Ok(Parsed::Filled(vec![name]));
                }
                // Nothing is logged of a query for a table that is there already.
                b"START" if self.ahead_is(&[b"TRANSACTION"]) => kind = StatementKind::Create,
                _ => {}
            }
        }
        Ok(Parsed::Table(kind, vec![name]))
    }

    /// `… INDEX name [USING type] ON table`: the table whose index is made or dropped.
    fn index(&mut self) -> Result<Option<Parsed>, Unreadable> {
        while self.ahead.is_some() {
            if self.skip_word(b"ON")? {
                let name = self.table()?;
                return Ok(name.map(|name| Parsed::Table(StatementKind::Alter, vec![name])));
            }
            self.advance()?;
        }
        Ok(None)
    }

    fn alter(&mut self) -> Result<Option<Parsed>, Unreadable> {
        while self.skip_word(b"IGNORE")? || self.skip_word(b"ONLINE")? {}
        if !self.skip_word(b"TABLE")? {
            // Databases, views, users, instances: none has columns or rows.
            return Ok(Some(Parsed::Harmless));
        }
        let Some(table) = self.table()? else { return Ok(None) };
        let mut tables = vec![table];
        let mut kind = StatementKind::Alter;
        while let Some(token) = self.ahead {
            self.advance()?;
            let Token::Word(word) = token else { continue };
            match word.to_ascii_uppercase().as_slice() {
                b"RENAME" => {
                    if self.ahead_is(&[b"COLUMN", b"INDEX", b"KEY"]) {
                        continue;
                    }
                    let _ = self.skip_word(b"TO")? || self.skip_word(b"AS")? || self.skip(b'=')?;
                    let Some(name) = self.table()? else { return Ok(None) };
                    tables.push(name);
                    kind = StatementKind::Rename;
                }
                b"EXCHANGE" | b"TRUNCATE" | b"DROP" if self.ahead_is(&[b"PARTITION"]) => {
                    kind = StatementKind::AlterRows;
                }
                b"DISCARD" | b"IMPORT" if self.ahead_is(&[b"PARTITION", b"TABLESPACE"]) => {
                    kind = StatementKind::AlterRows;
                }
                b"WITH" if self.skip_word(b"TABLE")? => {
                    let Some(name) = self.table()? else { return Ok(None) };
                    tables.push(name);
                }
                _ => {}
            }
        }
        Ok(Some(Parsed::Table(kind, tables)))
    }

    fn drop(&mut self) -> Result<Option<Parsed>, Unreadable> {
        match self.word()?.as_slice() {
            b"TABLE" | b"TABLES" => {
                if self.skip_word(b"IF")? {
                    self.skip_word(b"EXISTS")?;
                }
                let mut tables = Vec::new();
                loop {
                    let Some(name) = self.table()? else { return Ok(None) };
                    tables.push(name);
                    if tables.len() > NAMES_MAX {
                        return Ok(None);
                    }
                    if !self.skip(b',')? {
                        return Ok(Some(Parsed::Table(StatementKind::Drop, tables)));
                    }
                }
            }
            b"INDEX" => self.index(),
            b"DATABASE" | b"SCHEMA" => {
                if self.skip_word(b"IF")? {
                    self.skip_word(b"EXISTS")?;
                }
                Ok(self.name()?.map(Parsed::DropDatabase))
            }
            _ => Ok(Some(Parsed::Harmless)),
        }
    }

    fn rename(&mut self) -> Result<Option<Parsed>, Unreadable> {
        if self.skip_word(b"USER")? {
            return Ok(Some(Parsed::Harmless));
        }
        if !self.skip_word(b"TABLE")? && !self.skip_word(b"TABLES")? {
            return Ok(None);
        }
        let mut tables = Vec::new();
        loop {
            let Some(from) = self.table()? else { return Ok(None) };
            let _ = self.skip_word(b"TO")? || self.skip_word(b"AS")?;
            let Some(to) = self.table()? else { return Ok(None) };
            tables.extend([from, to]);
            if tables.len() > NAMES_MAX {
                return Ok(None);
            }
            if !self.skip(b',')? {
                return Ok(Some(Parsed::Table(StatementKind::Rename, tables)));
            }
        }
    }

    /// The table that the rest of an INSERT, UPDATE, DELETE or LOAD names first, and whether the
    /// statement can change no other one.
    fn target(mut self) -> Result<(Option<TableName>, bool), Unreadable> {
        let before: [&[u8]; 11] = [
            b"LOW_PRIORITY",
            b"HIGH_PRIORITY",
            b"DELAYED",
            b"QUICK",
            b"IGNORE",
            b"INTO",
            b"FROM",
            b"DATA",
            b"INFILE",
            b"LOCAL",
            b"TABLE",
        ];
        while self.ahead_is(&before) || matches!(self.ahead, Some(Token::Text)) {
            self.advance()?;
        }
        let table = self.table()?;
        // A second table would follow a comma, a JOIN or USING.
        let is_alone = match self.ahead {
            None | Some(Token::Symbol(b'(')) => true,
            _ => self.ahead_is(&[b"SET", b"WHERE", b"VALUES", b"VALUE", b"SELECT", b"LIMIT"]),
        };
        Ok((table, is_alone))
    }

    /// Every word and name in the rest of the statement as if it were a table's: `a.b` is table b
    /// of database a, and both a and b could be tables of the default database.
    fn every_name(&mut self) -> Result<BTreeSet<TableName>, Unreadable> {
        let mut names = BTreeSet::new();
        while let Some(token) = self.ahead {
            let is_number =
                matches!(token, Token::Word(word) if word.iter().all(u8::is_ascii_digit));
            let name = if is_number { None } else { self.name()? };
            let Some(first) = name else {
                self.advance()?;
                continue;
            };
            names.insert(TableName { database: self.database.clone(), table: first.clone() });
            if self.skip(b'.')?
                && let Some(second) = self.name()?
            {
                names.insert(TableName { database: first, table: second });
            }
            if names.len() > NAMES_MAX {
                return Err(Unreadable);
            }
        }
        Ok(names)
    }

    /// A table's name, with the default database where it has none.
    fn table(&mut self) -> Result<Option<TableName>, Unreadable> {
        // `.t` is a table of the default database too.
        self.skip(b'.')?;
        let Some(first) = self.name()? else { return Ok(None) };
        if !self.skip(b'.')? {
            return Ok(Some(TableName { database: self.database.clone(), table: first }));
        }
        Ok(self.name()?.map(|table| TableName { database: first, table }))
    }

    /// A name, quoted or not.
    fn name(&mut self) -> Result<Option<String>, Unreadable> {
        let bytes = match self.ahead {
            Some(Token::Word(word)) => word.to_vec(),
            Some(Token::Name(name, quote)) => unquoted(name, quote, self.dialect),
            _ => return Ok(None),
        };
        self.advance()?;
        let mut name = String::new();
        let is_text = self.dialect.charset.unwrap_or(Charset::Utf8).decode(&bytes, &mut name);
        if is_text { Ok(Some(name)) } else { Err(Unreadable) }
    }

    /// The next word in upper case; empty if something else comes.
    fn word(&mut self) -> Result<Vec<u8>, Unreadable> {
        let Some(Token::Word(word)) = self.ahead else { return Ok(Vec::new()) };
        self.advance()?;
        Ok(word.to_ascii_uppercase())
    }

    fn ahead_is(&self, words: &[&[u8]]) -> bool {
        matches!(self.ahead, Some(Token::Word(ahead))
            if words.iter().any(|word| ahead.eq_ignore_ascii_case(word)))
    }

    fn skip_word(&mut self, word: &[u8]) -> Result<bool, Unreadable> {
        let found = self.ahead_is(&[word]);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn skip(&mut self, symbol: u8) -> Result<bool, Unreadable> {
        let found = self.ahead == Some(Token::Symbol(symbol));
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn advance(&mut self) -> Result<(), Unreadable> {
        self.ahead = self.tokens.next()?;
        Ok(())
    }
}
