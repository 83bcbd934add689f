//! Changes for people: when, what happened, to which row, and what is new.
//!
//! On a terminal a change takes as many lines as it needs, and no value more than one of them;
//! elsewhere it is one line, whole, so that `grep` finds it.

use std::{collections::BTreeMap, io};

use console::{Style, Term, measure_text_width};

use super::{
    columns::{cut, cut_both, name_of, text_of},
    write_out,
};
use crate::{
    decode::StatementKind,
    encode::{Message, ReadField, TablePlan},
    model::{
        change::{Operation, RowsOrigin, Transaction},
        table::TableName,
        utc_time::UtcTime,
    },
    pipeline::{ShownRow, TailForm, TailOutput},
};

/// What the lines of a change behind its first one begin with.
const INDENT: &str = "    ";

/// Between two parts of a change.
const GAP: &str = "  ";

/// Between what was and what is.
const ARROW: &str = " → ";

/// Lines are not cut to less than this, however narrow the terminal.
const WIDTH_MIN: usize = 40;

/// Writes changes for people.
pub(super) struct Pretty {
    waiting: String,
    terminal: Option<Term>,
    is_colored: bool,
    /// The source transaction of the last line, as its header names it.
    header: String,
    has_shown: bool,
}

/// A part of a change: its text, and how it is shown.
struct ChangePart {
    width: usize,
    text: String,
}

impl Pretty {
    /// For a terminal, whose width counts, or for something else.
    pub(super) fn new(is_terminal: bool, is_colored: bool) -> Self {
        let terminal = is_terminal.then(Term::stdout);
        Self {
            waiting: String::new(),
            terminal,
            is_colored,
            header: String::new(),
            has_shown: false,
        }
    }

    fn width(&self) -> Option<usize> {
        let width = usize::from(self.terminal.as_ref()?.size().1);
        Some(width.max(WIDTH_MIN))
    }

    fn paint(&self, style: &Style, text: &str) -> String {
        if self.is_colored {
            style.clone().force_styling(true).apply_to(text).to_string()
        } else {
            text.to_owned()
        }
    }

    fn piece(&self, style: &Style, text: &str) -> ChangePart {
        ChangePart { width: measure_text_width(text), text: self.paint(style, text) }
    }

    /// A line above the first change of each source transaction, behind an empty one.
    fn show_transaction(&mut self, origin: &RowsOrigin<'_>) {
        let RowsOrigin { transaction, file, .. } = origin;
        let place = format!("{file}:{}", transaction.begin_offset);
        let header = if transaction.gtid_text.is_empty() {
            format!("-- {place}")
        } else {
            format!("-- {}{GAP}{place}", transaction.gtid_text)
        };
        if self.has_shown && header == self.header {
            return;
        }
        if self.has_shown {
            self.waiting.push('\n');
        }
        let line = self.paint(&Style::new().dim(), &header);
        self.waiting.push_str(&line);
        self.waiting.push('\n');
        self.header = header;
        self.has_shown = true;
    }

    /// When, what and where: what each change begins with.
    fn head(
        &self,
        origin: &RowsOrigin<'_>,
        word: &str,
        style: &Style,
        table: &str,
    ) -> Vec<ChangePart> {
        let time = UtcTime { us: origin.transaction.commit_time_us }.to_string();
        vec![
            self.piece(&Style::new().dim(), &time),
            self.piece(style, word),
            self.piece(&Style::new().bold(), &name_of(table)),
        ]
    }

    /// Appends the parts of a change, in as many lines as it takes.
    fn flow(&mut self, pieces: &[ChangePart]) {
        let width_max = self.width();
        let mut width = 0;
        for (position, piece) in pieces.iter().enumerate() {
            let is_full = width_max.is_some_and(|max| max < width + GAP.len() + piece.width);
            let before = match position {
                0 => "",
                _ if is_full => {
                    self.waiting.push('\n');
                    width = 0;
                    INDENT
                }
                _ => GAP,
            };
            self.waiting.push_str(before);
            self.waiting.push_str(&piece.text);
            width += before.len() + piece.width;
        }
        self.waiting.push('\n');
    }

    /// The columns that a part may take.
    fn room(&self) -> Option<usize> {
        self.width().map(|width| width - INDENT.len())
    }

    /// A column with its value.
    fn column(&self, field: &ReadField<'_>, between: &str, style: &Style) -> ChangePart {
        let (name, room) = (name_of(field.column), self.room());
        let text = text_of(&field.value, room);
        let left = room.map(|room| room.saturating_sub(measure_text_width(&name) + between.len()));
        let text = left.map_or_else(|| text.clone(), |left| cut(&text, left));
        self.named(&name, between, (measure_text_width(&text), self.paint(style, &text)))
    }

    /// A column with what it was and what it is.
    fn changed(&self, (old, new): (&ReadField<'_>, &ReadField<'_>), between: &str) -> ChangePart {
        let name = name_of(new.column);
        // Whole, because the place where they differ may be at their end.
        let (mut before, mut after) = (text_of(&old.value, None), text_of(&new.value, None));
        if let Some(room) = self.room() {
            let taken = measure_text_width(&name) + between.len() + measure_text_width(ARROW);
            (before, after) = cut_both(&before, &after, room.saturating_sub(taken));
        }
        let width = [&*before, ARROW, &*after].map(measure_text_width).iter().sum();
        let before = self.paint(&Style::new().red(), &before);
        let after = self.paint(&Style::new().green(), &after);
        self.named(&name, between, (width, format!("{before}{ARROW}{after}")))
    }

    fn named(&self, name: &str, between: &str, (width, text): (usize, String)) -> ChangePart {
        let width = measure_text_width(name) + between.len() + width;
        let name = self.paint(&Style::new().dim(), name);
        ChangePart { width, text: format!("{name}{between}{text}") }
    }

    /// The key, with what it was if the change moved the row.
    fn key(&self, plan: &TablePlan, old: Option<&[u8]>, new: Option<&[u8]>) -> Vec<ChangePart> {
        let fields = |key: Option<&[u8]>| key.map_or_else(Vec::new, |key| plan.key_fields(key));
        let (old, new) = (fields(old), fields(new));
        let pieces = old.iter().zip(&new).map(|(old, new)| {
            if old.value == new.value {
                self.column(new, "=", &Style::new().bold())
            } else {
                self.changed((old, new), "=")
            }
        });
        pieces.collect()
    }

    /// The columns of a row that came or went; its key is shown already.
    fn row_columns(&self, row: &[ReadField<'_>], style: &Style) -> Vec<ChangePart> {
        let columns = row.iter().filter(|field| !field.is_key);
        columns.map(|field| self.column(field, " ", style)).collect()
    }

    /// The columns that an update changed; all of them where no key says which row it is.
    fn update_columns(
        &self,
        (before, after): (&[ReadField<'_>], &[ReadField<'_>]),
        has_key: bool,
    ) -> Vec<ChangePart> {
        let old: BTreeMap<&str, &ReadField<'_>> =
            before.iter().map(|field| (field.column, field)).collect();
        let columns = after.iter().filter(|field| !field.is_key);
        let piece = |new: &ReadField<'_>| match old.get(new.column) {
            Some(old) if old.value != new.value => Some(self.changed((old, new), " ")),
            _ if has_key => None,
            _ => Some(self.column(new, " ", &Style::new())),
        };
        columns.filter_map(piece).collect()
    }
}

impl TailOutput for Pretty {
    fn form(&self) -> TailForm {
        TailForm::Rows
    }

    fn row(&mut self, row: &ShownRow<'_>, records: &[Message<'_>]) {
        // A change of the key has a record of the old row and one of the new row, and between them
        // there may be a tombstone.
        let mut values = records.iter().filter_map(|record| Some((record.key, record.value?)));
        let Some((old_key, first)) = values.next() else { return };
        let (new_key, last) = values.next_back().unwrap_or((old_key, first));
        let [before, after] = row.plan.row_fields(first);
        let after = if old_key == new_key { after } else { row.plan.row_fields(last)[1].clone() };
        let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
        self.show_transaction(&row.origin);
        let (word, style) = match row.operation {
            Operation::Insert => ("insert", Style::new().green().bold()),
            Operation::Update => ("update", Style::new().yellow().bold()),
            Operation::Delete => ("delete", Style::new().red().bold()),
            Operation::Read => ("read", Style::new()),
        };
        let mut pieces = self.head(&row.origin, word, &style, &row.table.to_string());
        let head = pieces.len();
        pieces.extend(self.key(row.plan, old_key, new_key));
        let has_key = head < pieces.len();
        match row.operation {
            Operation::Update => {
                let columns = self.update_columns((&before, &after), has_key);
                if columns.is_empty() && old_key == new_key {
                    pieces.push(self.piece(&Style::new().dim(), "(no shown column changed)"));
                }
                pieces.extend(columns);
            }
            Operation::Delete => pieces.extend(self.row_columns(&before, &Style::new())),
            Operation::Insert | Operation::Read => {
                pieces.extend(self.row_columns(&after, &Style::new()));
            }
        }
        self.flow(&pieces);
    }

    fn statement(&mut self, kind: StatementKind, tables: &[TableName], origin: &RowsOrigin<'_>) {
        self.show_transaction(origin);
        let word = match kind {
            StatementKind::AlterRows => "alter".to_owned(),
            kind => kind.name().replace('_', " "),
        };
        let names = tables.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let mut pieces = self.head(origin, &word, &Style::new().magenta().bold(), &names);
        let note = match kind {
            StatementKind::Truncate => "(all rows are gone, without a line for each)",
            StatementKind::AlterRows => "(rows came or went without a line for each)",
            _ => "",
        };
        if !note.is_empty() {
            pieces.push(self.piece(&Style::new(), note));
        }
        self.flow(&pieces);
    }

    fn truncated(&mut self, _: &str, _: &TablePlan, _: &Message<'_>) {}

    fn end_transaction(&mut self, _: &Transaction, _: bool) {}

    fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn discard(&mut self) {
        self.waiting.clear();
        self.header.clear();
    }

    fn write(&mut self) -> io::Result<()> {
        write_out(&mut self.waiting)
    }
}
