//! Makes a failing case small: halves of its tables, columns, rows and texts are left out while
//! what is left still fails.

use testkit::Result;

use super::literal;
use super::table::Table;

/// The smallest case found that still fails, and what is said of it.
///
/// # Errors
/// What `check` fails with.
pub(super) fn shrink(
    mut tables: Vec<Table>,
    mut failure: String,
    mut check: impl FnMut(&[Table]) -> Result<Option<String>>,
) -> Result<(Vec<Table>, String)> {
    for part in [tables_of, rows_of, columns_of, texts_of] {
        loop {
            let mut smaller = None;
            for candidate in part(&tables) {
                if let Some(still) = check(&candidate)? {
                    smaller = Some((candidate, still));
                    break;
                }
            }
            let Some(found) = smaller else { break };
            (tables, failure) = found;
        }
    }
    Ok((tables, failure))
}

fn tables_of(tables: &[Table]) -> Vec<Vec<Table>> {
    halves(tables)
}

fn rows_of(tables: &[Table]) -> Vec<Vec<Table>> {
    let [table] = tables else { return Vec::new() };
    let with = |rows| vec![Table { rows, ..table.clone() }];
    halves(&table.rows).into_iter().map(with).collect()
}

/// The first column stays if it is part of the key.
fn columns_of(tables: &[Table]) -> Vec<Vec<Table>> {
    let [table] = tables else { return Vec::new() };
    let (key, _) = table.key_columns();
    let (kept, free) = table.columns.split_at(key.len());
    let indexes: Vec<usize> = (0..free.len()).collect();
    let mut choices = halves(&indexes);
    if indexes.len() == 1 && !kept.is_empty() {
        choices.push(Vec::new());
    }
    let with = |free: Vec<usize>| {
        let chosen: Vec<usize> =
            (0..kept.len()).chain(free.iter().map(|index| index + kept.len())).collect();
        let mut smaller = table.clone();
        smaller.columns = chosen.iter().map(|&index| table.columns[index].clone()).collect();
        for row in &mut smaller.rows {
            row.inserted = chosen.iter().map(|&index| row.inserted[index].clone()).collect();
            row.updated = chosen.iter().map(|&index| row.updated[index].clone()).collect();
        }
        vec![smaller]
    };
    choices.into_iter().map(with).collect()
}

/// Half of the text that is inserted, or of the one that it is updated to.
fn texts_of(tables: &[Table]) -> Vec<Vec<Table>> {
    let [table] = tables else { return Vec::new() };
    let [row] = &table.rows[..] else { return Vec::new() };
    let [inserted, updated] = [&row.inserted, &row.updated].map(|literals| {
        let text = literals.last().and_then(|literal| literal::parse_text(literal));
        let characters: Vec<char> = text.unwrap_or_default().chars().collect();
        let halves = halves(&characters).into_iter().map(String::from_iter);
        halves.map(|half: String| literal::text(&half)).collect::<Vec<_>>()
    });
    let with = |literal: String, is_inserted: bool| {
        let mut smaller = table.clone();
        let row = &mut smaller.rows[0];
        let literals = if is_inserted { &mut row.inserted } else { &mut row.updated };
        *literals.last_mut().expect("a text was found in it") = literal;
        vec![smaller]
    };
    let inserted = inserted.into_iter().map(|literal| with(literal, true));
    inserted.chain(updated.into_iter().map(|literal| with(literal, false))).collect()
}

/// The first and the second half of several things.
fn halves<T: Clone>(things: &[T]) -> Vec<Vec<T>> {
    if things.len() < 2 {
        return Vec::new();
    }
    let (first, second) = things.split_at(things.len() / 2);
    vec![first.to_vec(), second.to_vec()]
}
