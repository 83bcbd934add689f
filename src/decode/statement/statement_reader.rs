//! Reads the statements of QUERY events: their effect on the transaction, and which captured tables
//! they change.

use super::{
    parser::{Parsed, SYSTEM_DATABASE, StatementKind, parse},
    tokens::Unreadable,
};
use crate::{
    decode::{
        GroupEnding, Statement, Xa,
        dispatch::Step,
        error::Problem,
        event::{framing::Frame, query::Query},
        grammar::TransactionGrammar,
        table::Tables,
    },
    model::table::TableName,
};

/// Reads statements, and keeps the last one that changes captured tables.
pub(in crate::decode) struct StatementReader {
    last: Statement,
    /// Whether names may be written in another case than the tables have.
    lower_case_names: bool,
}

impl StatementReader {
    pub(in crate::decode) fn new() -> Self {
        let last = Statement {
            kind: StatementKind::Create,
            tables: Vec::new(),
            renamed: Vec::new(),
            offset: 0,
        };
        Self { last, lower_case_names: false }
    }

    /// Says whether names may be written in another case than the tables have.
    pub(in crate::decode) fn set_lower_case_names(&mut self, lower_case_names: bool) {
        self.lower_case_names = lower_case_names;
    }

    /// The last statement that was read and changes captured tables.
    pub(in crate::decode) fn last(&self) -> &Statement {
        &self.last
    }

    /// Takes in a statement.
    pub(in crate::decode) fn query<'e>(
        &mut self,
        (group, tables): (&mut TransactionGrammar, &Tables),
        query: &Query<'_>,
        frame: &Frame<'e>,
        start: u64,
    ) -> Result<Step<'e>, Problem> {
        let parsed = match parse(query) {
            Ok(parsed) => parsed,
            // Whatever it does, it does it elsewhere.
            Err(Unreadable) if !query.changed.may_be(|name| tables.captures_any_in(name)) => {
                Parsed::Harmless
            }
            Err(Unreadable) => return Err(Problem::Statement),
        };
        self.last.offset = start;
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
            _ if group.is_begun() => return self.inner_statement((group, tables), parsed, query),
            _ => {
                group.statement_alone(query.thread_id, frame, start)?;
                let (has_statement, ending) = self.lone_statement(tables, parsed, query)?;
                group.close();
                return Ok(Step::Finished { has_statement, ending });
            }
        }
        Ok(Step::COMMITTED)
    }

    /// A statement inside BEGIN.
    fn inner_statement(
        &mut self,
        (group, tables): (&mut TransactionGrammar, &Tables),
        parsed: Parsed,
        query: &Query<'_>,
    ) -> Result<Step<'static>, Problem> {
        match parsed {
            Parsed::Savepoint(name) => group.savepoint(name),
            Parsed::RollbackTo(name) => group.rollback_to(&name)?,
            Parsed::XaEnd => {}
            Parsed::XaCommit(_) | Parsed::XaRollback(_) => {
                return Err(Problem::Group("an XA statement inside a transaction"));
            }
            other => {
                if self.any_statement(tables, other, query)? {
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
        tables: &Tables,
        parsed: Parsed,
        query: &Query<'_>,
    ) -> Result<(bool, GroupEnding), Problem> {
        match parsed {
            Parsed::XaCommit(xid) => Ok((false, GroupEnding::Xa(Xa::Committed { xid }))),
            Parsed::XaRollback(xid) => Ok((false, GroupEnding::Xa(Xa::RolledBack { xid }))),
            Parsed::Savepoint(_) | Parsed::RollbackTo(_) | Parsed::XaEnd => {
                Err(Problem::Group("a statement of a transaction that did not begin"))
            }
            other => Ok((self.any_statement(tables, other, query)?, GroupEnding::Committed)),
        }
    }

    /// A statement that may touch tables. Returns whether it changes captured ones.
    fn any_statement(
        &mut self,
        tables: &Tables,
        parsed: Parsed,
        query: &Query<'_>,
    ) -> Result<bool, Problem> {
        match parsed {
            Parsed::Table(kind, names) => {
                let case = |name| if self.lower_case_names { lower_case(&name) } else { name };
                let names: Vec<TableName> = names.into_iter().map(case).collect();
                let changed = &mut self.last.tables;
                changed.clear();
                self.last.renamed.clear();
                if let (StatementKind::Rename, (pairs, _)) = (kind, names.as_chunks::<2>()) {
                    let captured = pairs.iter().filter(|[_, to]| tables.captures(to));
                    let pair = |[from, to]: &[TableName; 2]| (from.clone(), to.clone());
                    self.last.renamed.extend(captured.map(pair));
                }
                for name in names {
                    if tables.captures(&name) && !changed.contains(&name) {
                        changed.push(name);
                    }
                }
                self.last.kind = kind;
                Ok(!self.last.tables.is_empty())
            }
            Parsed::DropDatabase(mut name) => {
                if self.lower_case_names {
                    name = name.to_lowercase();
                }
                self.last.kind = StatementKind::DropDatabase;
                self.last.renamed.clear();
                self.last.tables = tables.captured_in(&name);
                Ok(!self.last.tables.is_empty())
            }
            Parsed::Filled(names) => {
                match names.iter().find(|name| may_be_captured(tables, name)) {
                    Some(name) => Err(Problem::StatementFormat(name.clone())),
                    None => Ok(false),
                }
            }
            Parsed::Rows(names) => match names.as_slice() {
                // The first one is what the statement changes, the others are words of it that
                // could be names, each in the session's database.
                [first, ..] if may_be_captured(tables, first) => {
                    Err(Problem::StatementFormat(first.clone()))
                }
                // The server lists the databases of all tables that it uses, of an update of many
                // and of triggers too.
                _ if query.changed.may_be(|name| tables.captures_any_in(name)) => {
                    Err(Problem::StatementTarget)
                }
                _ => Ok(false),
            },
            Parsed::Calls if query.database != SYSTEM_DATABASE => Err(Problem::StatementTarget),
            Parsed::Unknown(names) if names.iter().any(|name| may_be_captured(tables, name)) => {
                Err(Problem::Statement)
            }
            _ => Ok(false),
        }
    }
}

/// Whether the name, however its case is read, is that of a captured table.
fn may_be_captured(tables: &Tables, name: &TableName) -> bool {
    name.database != SYSTEM_DATABASE
        && (tables.captures(name) || tables.captures(&lower_case(name)))
}

fn lower_case(name: &TableName) -> TableName {
    TableName { database: name.database.to_lowercase(), table: name.table.to_lowercase() }
}
