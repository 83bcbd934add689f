//! Columns that `capture.exclude_columns` leaves out, from one version of a table to the next.
//!
//! A column that is renamed would be delivered under its new name. So if a pattern matches a column
//! that the table had, or has now, and none of the version at hand, no column may be delivered that
//! was not in the table together with the one that matched: it may be that one, renamed. A column
//! that was only dropped, or is yet to be added, leaves no such column.

use crate::{
    config::Capture,
    error::{Failure, Reason, Verdict},
    map::Filter,
    model::table::TableVersion,
    state::TableRecord,
};

/// What is remembered of a table's columns.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Columns {
    /// All of the version; none if no pattern names the table.
    pub(super) all: Vec<String>,
    /// Those that are left out, of earlier versions too.
    pub(super) excluded: Vec<String>,
}

/// Compares a version with the last one and with the table as it is now, if that is another.
pub(super) fn check(
    capture: &Capture,
    version: &TableVersion,
    known: Option<&TableRecord>,
    now: &[String],
) -> Result<Columns, Failure> {
    let (filter, table) = (Filter::new(capture), &version.name);
    let patterns = filter.column_patterns(table);
    if patterns.is_empty() {
        return Ok(Columns::default());
    }
    let all: Vec<String> = version.columns.iter().map(|column| column.name.clone()).collect();
    let (mut excluded, delivered): (Vec<String>, Vec<String>) =
        all.iter().cloned().partition(|column| filter.excludes_column(table, column));
    let before = known.map_or(&[][..], |known| &known.columns);
    for columns in [before, now] {
        for pattern in &patterns {
            let hidden = columns.iter().find(|column| pattern.matches(table, column));
            let is_here = all.iter().any(|column| pattern.matches(table, column));
            let Some(hidden) = hidden.filter(|_| !is_here) else { continue };
            let other = delivered.iter().find(|name| !columns.iter().any(|it| same(it, name)));
            if let Some(other) = other {
                return Err(renamed(version, hidden, other));
            }
            tracing::warn!(
                %table, column = hidden,
                "a column that capture.exclude_columns leaves out is not in these rows"
            );
        }
    }
    let earlier = known.iter().flat_map(|known| &known.excluded);
    let missing: Vec<_> = earlier.filter(|name| !excluded.contains(name)).cloned().collect();
    excluded.extend(missing);
    excluded.sort_unstable();
    Ok(Columns { all, excluded })
}

/// MySQL's column names ignore case.
fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn renamed(version: &TableVersion, hidden: &str, other: &str) -> Failure {
    let table = &version.name;
    Failure::new(
        Verdict::Halt,
        Reason::ExcludedColumnRenamed,
        format!(
            "{table} has a column `{other}` where it has no `{hidden}`, which \
             capture.exclude_columns leaves out: it may be the same column under another name"
        ),
    )
    .hint(format!(
        "If it is, add it and keep the other one: `[capture] exclude_columns = \
         [\"{table}.{hidden}\", \"{table}.{other}\"]`. If `{hidden}` was dropped and `{other}` may \
         be delivered, take `{table}.{hidden}` out of the list."
    ))
}

#[cfg(test)]
mod tests {
    use super::{Columns, check};
    use crate::{
        config::Capture,
        model::table::{Column, ColumnKind, TableName, TableVersion},
        state::TableRecord,
    };

    fn version(columns: &[&str]) -> TableVersion {
        let column = |name: &&str| Column {
            name: (*name).to_owned(),
            kind: ColumnKind::Text,
            nullable: true,
        };
        TableVersion {
            name: TableName { database: "shop".into(), table: "users".into() },
            columns: columns.iter().map(column).collect(),
            primary_key: vec![0],
            decoration: None,
        }
    }

    fn names(columns: &[&str]) -> Vec<String> {
        columns.iter().map(|name| (*name).to_owned()).collect()
    }

    fn capture(patterns: &str) -> Capture {
        toml::from_str(&format!("tables = [\"shop.*\"]\nexclude_columns = {patterns}")).unwrap()
    }

    fn known(columns: &[&str], excluded: &[&str]) -> TableRecord {
        TableRecord {
            name: version(&[]).name,
            topic: "t".into(),
            topic_state: None,
            key: None,
            key_schema: None,
            value_schema: 1,
            loosened: [].into(),
            version: 1,
            decoration: None,
            columns: names(columns),
            excluded: names(excluded),
            legal_namespace: false,
        }
    }

    #[test]
    fn a_column_that_may_be_a_hidden_one_under_another_name_halts() {
        let secret = capture(r#"["shop.users.secret"]"#);
        let both = capture(r#"["shop.users.secret", "shop.users.TOKEN"]"#);
        let before = known(&["id", "secret"], &["secret"]);
        let with_token = version(&["id", "token"]);
        for (what, capture, version, known, now, is_refused) in [
            ("renamed", &secret, &with_token, Some(&before), &[][..], true),
            ("renamed, both named", &both, &with_token, Some(&before), &[], false),
            ("dropped", &secret, &version(&["id"]), Some(&before), &[], false),
            ("unchanged", &secret, &version(&["id", "Secret"]), Some(&before), &[], false),
            ("another added", &secret, &version(&["id", "secret", "x"]), Some(&before), &[], false),
            ("yet to be added", &secret, &version(&["id"]), None, &["id", "secret"], false),
            ("yet to be renamed", &secret, &with_token, None, &["id", "secret"], true),
            ("nothing known", &secret, &with_token, None, &[], false),
        ] {
            let result = check(capture, version, known, &names(now));
            assert_eq!(result.is_err(), is_refused, "{what}: {result:?}");
        }
    }

    #[test]
    fn what_was_left_out_once_is_remembered() {
        let capture = capture(r#"["*.users.token"]"#);
        let before = known(&["id", "secret"], &["secret"]);
        let columns = check(&capture, &version(&["id", "token"]), Some(&before), &[]).unwrap();
        let expected =
            Columns { all: names(&["id", "token"]), excluded: names(&["secret", "token"]) };
        assert_eq!(columns, expected);
        let none = check(&self::capture("[]"), &version(&["id"]), Some(&before), &[]).unwrap();
        assert_eq!(none, Columns::default());
    }
}
