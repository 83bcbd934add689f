//! The effect of each kind of statement on the decoder.

use super::{
    parser::{Parsed, SYSTEM_DATABASE, StatementKind, parse},
    tokens::Unreadable,
};
use crate::{
    decode::{
        Decoder, GroupEnding, Xa,
        dispatch::Step,
        error::Problem,
        event::{framing::Frame, query::Query},
    },
    model::table::TableName,
};

impl Decoder {
    /// A statement.
    pub(in crate::decode) fn query<'e>(
        &mut self,
        query: &Query<'_>,
        frame: &Frame<'e>,
        start: u64,
    ) -> Result<Step<'e>, Problem> {
        let parsed = match parse(query) {
            Ok(parsed) => parsed,
            // Whatever it does, it does it elsewhere.
            Err(Unreadable) if !query.changed.may_be(|name| self.tables.captures_any_in(name)) => {
                Parsed::Harmless
            }
            Err(Unreadable) => return Err(Problem::Statement),
        };
        self.statement.offset = start;
        let group = &mut self.group;
        match parsed {
            Parsed::Begin => {
                group.begin(query.thread_id, frame, start)?;
                return Ok(Step::Begun);
            }
            Parsed::XaStart(name) => {
                group.begin_xa(name, query.thread_id, frame, start)?;
                return Ok(Step::Begun);
            }
            Parsed::Commit if group.is_open() => group.commit()?,
            Parsed::Rollback if group.is_open() => {
                let ending = GroupEnding::RolledBack { has_rows: group.rollback()? };
                return Ok(Step::Finished { has_statement: false, ending });
            }
            Parsed::Commit | Parsed::Rollback => {
                return Err(Problem::Group("an end without begin"));
            }
            _ if group.is_begun() => return self.inner_statement(parsed, query),
            _ => {
                group.statement_alone(query.thread_id, frame, start)?;
                let (has_statement, ending) = self.lone_statement(parsed, query)?;
                self.group.close();
                return Ok(Step::Finished { has_statement, ending });
            }
        }
        Ok(Step::COMMITTED)
    }

    /// A statement inside BEGIN.
    fn inner_statement(
        &mut self,
        parsed: Parsed,
        query: &Query<'_>,
    ) -> Result<Step<'static>, Problem> {
        match parsed {
            Parsed::Savepoint(name) => self.group.savepoint(name),
            Parsed::RollbackTo(name) => self.group.rollback_to(&name)?,
            Parsed::XaEnd => {}
            Parsed::XaCommit(_) | Parsed::XaRollback(_) => {
                return Err(Problem::Group("an XA statement inside a transaction"));
            }
            other => {
                if self.any_statement(other, query)? {
                    return Ok(Step::Statement);
                }
            }
        }
        Ok(Step::Nothing)
    }

    /// A statement that is a group by itself. Returns whether it changes captured tables, and
    /// what becomes of its group.
    fn lone_statement(
        &mut self,
        parsed: Parsed,
        query: &Query<'_>,
    ) -> Result<(bool, GroupEnding), Problem> {
        match parsed {
            Parsed::XaCommit(xid) => Ok((false, GroupEnding::Xa(Xa::Committed { xid }))),
            Parsed::XaRollback(xid) => Ok((false, GroupEnding::Xa(Xa::RolledBack { xid }))),
            Parsed::Savepoint(_) | Parsed::RollbackTo(_) | Parsed::XaEnd => {
                Err(Problem::Group("a statement of a transaction that did not begin"))
            }
            other => Ok((self.any_statement(other, query)?, GroupEnding::Committed)),
        }
    }

    /// A statement that may touch tables. Returns whether it changes captured ones.
    fn any_statement(&mut self, parsed: Parsed, query: &Query<'_>) -> Result<bool, Problem> {
        match parsed {
            Parsed::Table(kind, names) => {
                let case = |name| if self.lower_case_names { lower_case(&name) } else { name };
                let names: Vec<TableName> = names.into_iter().map(case).collect();
                let tables = &mut self.statement.tables;
                tables.clear();
                self.statement.renamed.clear();
                if let (StatementKind::Rename, (pairs, _)) = (kind, names.as_chunks::<2>()) {
                    let captured = pairs.iter().filter(|[_, to]| self.tables.captures(to));
                    let pair = |[from, to]: &[TableName; 2]| (from.clone(), to.clone());
                    self.statement.renamed.extend(captured.map(pair));
                }
                for name in names {
                    if self.tables.captures(&name) && !tables.contains(&name) {
                        tables.push(name);
                    }
                }
                self.statement.kind = kind;
                Ok(!self.statement.tables.is_empty())
            }
            Parsed::DropDatabase(mut name) => {
                if self.lower_case_names {
                    name = name.to_lowercase();
                }
                self.statement.kind = StatementKind::DropDatabase;
                self.statement.renamed.clear();
                self.statement.tables = self.tables.captured_in(&name);
                Ok(!self.statement.tables.is_empty())
            }
            Parsed::Filled(names) => match names.iter().find(|name| self.may_be_captured(name)) {
                Some(name) => Err(Problem::StatementFormat(name.clone())),
                None => Ok(false),
            },
            Parsed::Rows(names) => match names.as_slice() {
                // The first one is what the statement changes, the others are words of it that
                // could be names, each in the session's database.
                [first, ..] if self.may_be_captured(first) => {
                    Err(Problem::StatementFormat(first.clone()))
                }
                // The server lists the databases of all tables that it uses, of an update of many
                // and of triggers too.
                _ if query.changed.may_be(|name| self.tables.captures_any_in(name)) => {
                    Err(Problem::StatementTarget)
                }
                _ => Ok(false),
            },
            Parsed::Calls if query.database != SYSTEM_DATABASE => Err(Problem::StatementTarget),
            Parsed::Unknown(names) if names.iter().any(|name| self.may_be_captured(name)) => {
                Err(Problem::Statement)
            }
            _ => Ok(false),
        }
    }

    /// Whether the name, however its case is read, is that of a captured table.
    fn may_be_captured(&self, name: &TableName) -> bool {
        name.database != SYSTEM_DATABASE
            && (self.tables.captures(name) || self.tables.captures(&lower_case(name)))
    }
}

fn lower_case(name: &TableName) -> TableName {
    TableName { database: name.database.to_lowercase(), table: name.table.to_lowercase() }
}
