//! The read plan of a table: the statement for its next rows.

use super::{
    compact_json,
    cursor::{Bound, Cursor},
    labels,
};
use crate::{
    catalog::{Description, KeyOrder},
    model::{
        stored_text::KindText,
        table::{Column, ColumnKind, TableName, TableVersion},
    },
};

/// How one version of a table is read.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadPlan {
    /// The table as it was when this plan was made.
    pub version: TableVersion,
    /// Whether each column belongs to the key, in table order; all false without a key.
    pub is_key: Vec<bool>,
    charsets: Vec<Option<String>>,
    collations: Vec<Option<String>>,
    key_index: Option<String>,
    key_order: Vec<KeyOrder>,
    /// The condition of the configuration.
    filter: Option<String>,
}

impl ReadPlan {
    /// A plan for a table as it is now.
    pub fn new(description: Description, filter: Option<String>) -> Self {
        let Description { version, character_sets, collations, key_index, key_order } = description;
        let is_key =
            (0..version.columns.len()).map(|at| version.primary_key.contains(&at)).collect();
        Self { version, is_key, charsets: character_sets, collations, key_index, key_order, filter }
    }

    /// Whether it was made for this version, as far as the catalog shows a table: in labels that
    /// no row has, it prints `?` for some characters, and a label that is no text it cuts.
    pub(super) fn is_of(&self, version: &TableVersion) -> bool {
        let is_same = |(one, other): (&Column, &Column)| {
            one.name == other.name
                && one.nullable == other.nullable
                && match (&one.kind, &other.kind) {
                    (ColumnKind::Enum(one), ColumnKind::Enum(other))
                    | (ColumnKind::Set(one), ColumnKind::Set(other)) => {
                        let is_same = |(one, other): (&String, &String)| {
                            one == other || *one == other.replace(|c| c > '\u{ffff}', "?")
                        };
                        one.len() == other.len() && one.iter().zip(other).all(is_same)
                    }
                    // No record shows it.
                    (_, ColumnKind::Unsupported(_)) => true,
                    (one, other) => one == other,
                }
        };
        let (known, columns) = (&self.version.columns, &version.columns);
        // Of a key that is not stored the binlog says nothing.
        let key = &version.primary_key;
        (key.is_empty() || self.version.primary_key == *key)
            && known.len() == columns.len()
            && known.iter().zip(columns).all(is_same)
    }

    /// Some row shows labels of a column that are no text: the catalog has them cut, the binlog has
    /// them as they are, and there the column is one that cannot be delivered.
    pub(super) fn has_unreadable_labels(&mut self, at: usize) {
        if let Some(column) = self.version.columns.get_mut(at) {
            column.kind = ColumnKind::UNREADABLE_LABELS;
        }
    }

    /// Whether rows have a key, and so an order and an identity.
    pub fn has_key(&self) -> bool {
        self.key_index.is_some()
    }

    /// The text by which a cursor of an older run is checked: the key's columns, their types and
    /// order.
    pub fn key_form(&self) -> String {
        let columns = self.key_columns().map(|KeyColumn { at, column, order, .. }| {
            let collation = self.collations.get(at).and_then(Option::as_deref).unwrap_or_default();
            let prefix = order.prefix.map(|length| format!("({length})")).unwrap_or_default();
            let down = if order.descends { "DESC" } else { "" };
            format!("{}{prefix} {} {collation} {down}", column.name, KindText(&column.kind))
        });
        columns.collect::<Vec<_>>().join(", ")
    }

    /// The statement for the rows after the cursor and up to a value of the key's first column, at
    /// most so many, in the order of the index; without a key all rows as they come. Behind the
    /// columns comes one answer for each JSON column, then the start of each key column of which
    /// the index has no more, then the labels of each ENUM and SET.
    ///
    /// A composite key is compared column by column: MySQL finds no range for `(a, b) > (1, 2)`.
    ///
    /// Rows whose index has the starts of texts are sorted, because MySQL reads no such index in
    /// its order. They are sorted by these starts, which tell rows apart: to sort whole texts, the
    /// server makes room for the longest that the column can have, up to 8 MiB for each row, and
    /// refuses it where `sort_buffer_size` is less than 15 of them (error 1038).
    pub(super) fn statement(
        &self,
        cursor: Option<&Cursor>,
        until: Option<&Bound>,
        rows_max: u32,
    ) -> String {
        let mut columns: Vec<String> = self.version.columns.iter().map(expression).collect();
        for column in self.version.columns.iter().filter(|column| column.kind == ColumnKind::Json) {
            columns.push(compact_json::strings_that_look_special(&reference(column)));
        }
        columns.extend(self.prefixes().map(|key| key.reference()));
        columns.extend(labels::columns(&self.version).map(|(_, column)| reference(column)));
        let table = self.table();
        let index =
            self.key_index.as_ref().map(|index| format!(" FORCE INDEX ({})", quoted(index)));
        let after = cursor.map(|cursor| self.after(cursor));
        let first = self.key_columns().next().map(|key| key.reference());
        let until = until.zip(first).map(|(until, first)| until.until(&first));
        // On lines of its own, so that a comment at its end comments nothing else out.
        let filter = self.filter.as_ref().map(|filter| format!("(\n{filter}\n)"));
        let conditions: Vec<String> = after.into_iter().chain(until).chain(filter).collect();
        let conditions = if conditions.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", conditions.join(" AND "))
        };
        let order: Vec<String> = self
            .key_columns()
            .map(|key| key.reference() + if key.order.descends { " DESC" } else { "" })
            .collect();
        let order =
            self.has_key().then(|| format!(" ORDER BY {} LIMIT {rows_max}", order.join(", ")));
        format!(
            "SELECT {} FROM {table} AS t{}{conditions}{}",
            columns.join(", "),
            index.unwrap_or_default(),
            order.unwrap_or_default()
        )
    }

    /// The statement for the largest value of the key's first column, if that is an integer and
    /// the index goes up: one look at the index's end.
    pub(super) fn highest(&self) -> Option<String> {
        let first = self.key_columns().next().filter(|_| self.has_key())?;
        let is_number = matches!(first.column.kind, ColumnKind::Int { .. });
        let (column, table) = (first.reference(), self.table());
        (is_number && !first.order.descends)
            .then(|| format!("SELECT MAX({column}) FROM {table} AS t"))
    }

    fn table(&self) -> String {
        quoted_name(&self.version.name)
    }

    /// The cursor at a row of an answer to the statement; `None` for values that no key has.
    pub(super) fn cursor(&self, row: &[Option<mysql_async::Value>]) -> Option<Cursor> {
        let behind = self.prefixes().count() + labels::columns(&self.version).count();
        let mut prefixes = row.iter().skip(row.len().checked_sub(behind)?);
        let bound = |KeyColumn { at, column, charset, order }: KeyColumn<'_>| {
            let value = match order.prefix {
                Some(_) => prefixes.next()?,
                None => row.get(at)?,
            };
            Bound::new(value.as_ref()?, &column.kind, charset)
        };
        self.key_columns().map(bound).collect()
    }

    /// `a > 1 OR (a = 1 AND b > 2)`
    fn after(&self, cursor: &Cursor) -> String {
        let mut equal = String::new();
        let mut ranges = Vec::new();
        for (key, bound) in self.key_columns().zip(cursor) {
            let (reference, kind) = (key.reference(), &key.column.kind);
            ranges.push(format!("({equal}{})", bound.after(&reference, kind, key.order.descends)));
            equal += &bound.equal(&reference, kind);
            equal += " AND ";
        }
        format!("({})", ranges.join(" OR "))
    }

    fn key_columns(&self) -> impl Iterator<Item = KeyColumn<'_>> {
        self.version.primary_key.iter().zip(&self.key_order).filter_map(|(&at, &order)| {
            let charset = self.charsets.get(at).and_then(Option::as_deref);
            Some(KeyColumn { at, column: self.version.columns.get(at)?, charset, order })
        })
    }

    /// The key's columns of which the index has the start only.
    fn prefixes(&self) -> impl Iterator<Item = KeyColumn<'_>> {
        self.key_columns().filter(|key| key.order.prefix.is_some())
    }
}

/// A column of the key that rows are read by.
struct KeyColumn<'a> {
    /// Its place in the table.
    at: usize,
    column: &'a Column,
    charset: Option<&'a str>,
    order: KeyOrder,
}

impl KeyColumn<'_> {
    /// What the index has of it, as SQL.
    fn reference(&self) -> String {
        match self.order.prefix {
            Some(length) => format!("LEFT({}, {length})", reference(self.column)),
            None => reference(self.column),
        }
    }
}

fn reference(column: &Column) -> String {
    format!("t.{}", quoted(&column.name))
}

/// The expression that selects a column: for ENUM and SET the number, as the binlog has it.
fn expression(column: &Column) -> String {
    match column.kind {
        ColumnKind::Enum(_) | ColumnKind::Set(_) | ColumnKind::UNREADABLE_LABELS => {
            format!("CAST({} AS UNSIGNED)", reference(column))
        }
        _ => reference(column),
    }
}

/// A table's name as SQL.
pub(super) fn quoted_name(table: &TableName) -> String {
    format!("{}.{}", quoted(&table.database), quoted(&table.table))
}

/// An identifier in backticks, those inside doubled.
pub(super) fn quoted(identifier: &str) -> String {
    format!("`{}`", identifier.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::ReadPlan;
    use crate::{
        catalog::{Description, KeyOrder},
        model::table::{Column, ColumnKind, TableName, TableVersion},
        snapshot::cursor::Bound,
    };

    fn description() -> Description {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind, nullable: false };
        let name = TableName { database: "d".into(), table: "t`x".into() };
        let columns = vec![
            column("a", ColumnKind::Date),
            column("b", ColumnKind::Double),
            column("e", ColumnKind::Enum(vec!["x".into()])),
        ];
        let version = TableVersion { name, columns, primary_key: vec![1, 0], decoration: None };
        let key_index = Some("PRIMARY".to_owned());
        let (character_sets, collations) = (vec![None; 3], vec![None; 3]);
        let key_order = vec![KeyOrder { descends: true, prefix: None }, KeyOrder::default()];
        Description { version, character_sets, collations, key_index, key_order }
    }

    #[test]
    fn a_statement_reads_on_behind_the_cursor() {
        let plan = ReadPlan::new(description(), Some("a > 0 -- all".to_owned()));
        let start = "SELECT t.`a`, t.`b`, CAST(t.`e` AS UNSIGNED), t.`e` FROM `d`.`t``x` AS t FORCE INDEX \
                     (`PRIMARY`) WHERE ";
        let end = "(\na > 0 -- all\n) ORDER BY t.`b` DESC, t.`a` LIMIT 5";
        assert_eq!(plan.statement(None, None, 5), format!("{start}{end}"));
        let cursor = vec![Bound::Number("1e0".into()), Bound::Time("2024-01-02".into())];
        let after = "((t.`b` < 1e0) OR (t.`b` = 1e0 AND t.`a` > '2024-01-02')) AND ";
        assert_eq!(plan.statement(Some(&cursor), None, 5), format!("{start}{after}{end}"));
        assert_eq!(plan.highest(), None);
        assert_eq!(plan.is_key, [true, true, false]);
    }

    #[test]
    fn a_range_of_an_integer_key_ends_with_a_value_of_its_first_column() {
        let mut description = description();
        description.version.columns[0].kind = ColumnKind::Int { bits: 64, unsigned: false };
        description.version.primary_key = vec![0, 1];
        description.key_order = vec![KeyOrder::default(); 2];
        let plan = ReadPlan::new(description, None);
        assert_eq!(plan.highest().unwrap(), "SELECT MAX(t.`a`) FROM `d`.`t``x` AS t");
        // GIVEN the bound of a range, which has no value for the other columns of the key
        let (after, until) = (vec![Bound::Number("-5".into())], Bound::Number("7".into()));
        let statement = plan.statement(Some(&after), Some(&until), 5);
        let (_, condition) = statement.split_once(" WHERE ").unwrap();
        assert_eq!(condition, "((t.`a` > -5)) AND t.`a` <= 7 ORDER BY t.`a`, t.`b` LIMIT 5");
    }

    #[test]
    fn a_column_that_is_not_read_may_differ() {
        let plan = ReadPlan::new(description(), None);
        let mut version = description().version;
        version.columns[2].kind = ColumnKind::Enum(vec!["y".into()]);
        assert!(!plan.is_of(&version));
        version.columns[2].kind = ColumnKind::UNREADABLE_LABELS;
        assert!(plan.is_of(&version));
    }

    #[test]
    fn without_a_key_a_statement_reads_everything() {
        let mut description = description();
        description.version.primary_key.clear();
        description.key_index = None;
        let plan = ReadPlan::new(description, None);
        let text = "SELECT t.`a`, t.`b`, CAST(t.`e` AS UNSIGNED), t.`e` FROM `d`.`t``x` AS t";
        assert_eq!(plan.statement(None, None, 5), text);
    }
}
