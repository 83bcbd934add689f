//! Rows cost no allocation: everything a row needs is there once the first ones have been seen.

use allocation_counter::measure;
use tailwater::model::change::Operation;

use crate::support::reference::{Stages, groups};

/// Allocations that a transaction may cost besides its rows.
const PER_TRANSACTION_MAX: u64 = 4;

/// Counts the allocations of whole transactions of 64 and more rows after a first pass.
#[track_caller]
fn check(format: &str) {
    let mut stages = Stages::new(format);
    let groups = groups();
    let operations = [Operation::Insert, Operation::Update, Operation::Delete];
    for table in ["orders", "documents"] {
        for operation in operations {
            let of = |group: &&_| is(group, table, operation);
            let group = groups.iter().find(of).unwrap();
            let first = stages.encode(&group.events);
            let mut again = 0;
            let counted = measure(|| again = stages.encode(&group.events));
            assert_eq!(again, first);
            assert_eq!(stages.decode(&group.events), group.rows);
            assert!(
                counted.count_total <= PER_TRANSACTION_MAX,
                "{} allocations for {} rows of {table}, {operation:?}, [format] {format}",
                counted.count_total,
                group.rows
            );
        }
    }
}

fn is(group: &crate::support::reference::Group, table: &str, operation: Operation) -> bool {
    group.rows >= 64 && group.table == table && group.operation == operation
}

#[test]
fn the_count_sees_an_allocation() {
    let counted = measure(|| drop(std::hint::black_box(vec![1])));
    assert_eq!(counted.count_total, 1);
}

#[test]
fn no_row_allocates_in_debeziums_envelope() {
    check("");
}

#[test]
fn no_row_allocates_in_the_flat_envelope() {
    check("envelope = \"flat\"");
}

#[test]
fn no_row_allocates_whatever_its_values_become() {
    check("decimal = \"string\"\ntime = \"isostring\"\nbinary = \"base64\"\njson = \"mysql\"");
    check("decimal = \"double\"\ntime = \"connect\"\nbinary = \"hex\"");
    check("time = \"microseconds\"");
}
