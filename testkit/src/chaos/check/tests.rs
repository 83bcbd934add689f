//! Each oracle on a planted fault, and none of them without one.

use super::repeats::Repeats;
use super::{Checker, Content, Kind, Observed, Saved};
use crate::chaos::gtid::GtidSet;
use crate::chaos::truth::{Change, Row};

/// Three transactions: two inserts, a multi-row one with a changed key, a delete.
fn changes() -> Vec<Change> {
    vec![
        change("a:1", None, row(&["1", "x"])),
        change("a:1", None, row(&["2", "x"])),
        change("a:2", row(&["1", "x"]), row(&["1", "y"])),
        change("a:2", row(&["2", "x"]), row(&["3", "x"])),
        change("a:3", row(&["1", "y"]), None),
    ]
}

/// What a faithful connector makes of them, in one partition.
fn records() -> Vec<Observed> {
    let contents = [
        ("1", event("c", "a:1", None, row(&["1", "x"]))),
        ("2", event("c", "a:1", None, row(&["2", "x"]))),
        ("1", event("u", "a:2", row(&["1", "x"]), row(&["1", "y"]))),
        ("2", event("d", "a:2", row(&["2", "x"]), None)),
        ("2", Content::Tombstone),
        ("3", event("c", "a:2", None, row(&["3", "x"]))),
        ("1", event("d", "a:3", row(&["1", "y"]), None)),
        ("1", Content::Tombstone),
    ];
    let record = |(offset, (key, content)): (i64, (&str, Content))| Observed {
        table: "t".to_owned(),
        partition: 0,
        offset,
        key: vec![Some(key.to_owned())],
        content,
    };
    (0..).zip(contents).map(record).collect()
}

fn positions() -> Vec<Saved> {
    vec![saved(1, 1, "a:1", 10), saved(1, 2, "a:1-2", 20), saved(2, 3, "a:1-3", 30)]
}

#[expect(clippy::unnecessary_wraps, reason = "an image of a row may be missing")]
fn row(values: &[&str]) -> Option<Row> {
    Some(values.iter().map(|value| Some((*value).to_owned())).collect())
}

fn change(gtid: &str, before: Option<Row>, after: Option<Row>) -> Change {
    Change { gtid: gtid.to_owned(), table: "t".to_owned(), before, after }
}

fn event(operation: &str, gtid: &str, before: Option<Row>, after: Option<Row>) -> Content {
    Content::Event { operation: operation.to_owned(), gtid: gtid.to_owned(), before, after }
}

fn saved(generation: u64, seq: u64, gtids: &str, offset: u64) -> Saved {
    let gtids = GtidSet::parse(gtids).unwrap();
    let (server, place) = ("one".to_owned(), ("binlog.000001".to_owned(), offset));
    Saved { generation, seq, gtids, server, place, part: None }
}

fn checker() -> Checker {
    Checker::new([("t".to_owned(), vec![0])])
}

/// The kinds of violations that a doctored history is found to have.
fn kinds(doctor: impl Fn(&mut Vec<Observed>, &mut Vec<Saved>)) -> Vec<Kind> {
    let (mut records, mut positions) = (records(), positions());
    doctor(&mut records, &mut positions);
    let violations = checker().check(changes(), records, &positions);
    let mut kinds: Vec<_> = violations.into_iter().map(|violation| violation.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

#[test]
fn a_faithful_history_has_no_violation() {
    assert_eq!(kinds(|_, _| {}), []);
    let mut checker = checker();
    assert!(checker.check(changes(), records(), &positions()).is_empty());
    assert!(checker.is_complete());
    assert!(checker.check_table("t", &[row(&["3", "x"]).unwrap()]).is_empty());
    assert_eq!(checker.compared().records, 8);
    assert_eq!(checker.compared().transactions, 3);
    assert_eq!(checker.compared().generation, 2);
}

#[test]
fn a_history_can_be_checked_in_parts() {
    let (changes, records, positions) = (changes(), records(), positions());
    let mut checker = checker();
    let first = checker.check(changes, records[..6].to_vec(), &positions[..2]);
    assert!(first.is_empty(), "{first:?}");
    assert!(!checker.is_complete());
    let second = checker.check(Vec::new(), records[6..].to_vec(), &positions[2..]);
    assert!(second.is_empty(), "{second:?}");
    assert!(checker.is_complete());
}

#[test]
fn a_lost_record_is_found_whichever_it_is() {
    for lost in 0..records().len() {
        let kinds = kinds(|records, _| drop(records.remove(lost)));
        assert!(kinds.contains(&Kind::Lost), "record {lost}: {kinds:?}");
    }
}

#[test]
fn a_lost_transaction_is_found_and_is_not_torn() {
    let kinds = kinds(|records, _| records.truncate(6));
    assert_eq!(kinds, [Kind::Lost]);
}

#[test]
fn a_part_of_a_transaction_is_torn() {
    assert_eq!(kinds(|records, _| drop(records.remove(1))), [Kind::Lost, Kind::Torn]);
}

#[test]
fn a_record_that_came_twice_is_found_whichever_it_is() {
    for twice in 0..records().len() {
        let kinds = kinds(|records, _| {
            let mut again = records[twice].clone();
            again.offset = 100;
            records.push(again);
        });
        assert!(kinds.contains(&Kind::Twice), "record {twice}: {kinds:?}");
    }
}

#[test]
fn a_key_out_of_order_is_found() {
    let kinds = kinds(|records, _| {
        (records[0].offset, records[2].offset) = (2, 0);
    });
    assert_eq!(kinds, [Kind::Disordered]);
}

#[test]
fn keys_out_of_order_among_each_other_are_found() {
    let kinds = kinds(|records, _| {
        (records[0].offset, records[1].offset) = (1, 0);
    });
    assert_eq!(kinds, [Kind::Disordered]);
}

#[test]
fn a_wrong_value_or_origin_is_found() {
    let wrong_value = event("c", "a:1", None, row(&["1", "z"]));
    let wrong_gtid = event("c", "a:2", None, row(&["1", "x"]));
    let wrong_operation = event("u", "a:1", None, row(&["1", "x"]));
    for wrong in [wrong_value, wrong_gtid, wrong_operation] {
        let kinds = kinds(|records, _| records[0].content = wrong.clone());
        assert!(kinds.contains(&Kind::Unexplained) && kinds.contains(&Kind::Lost), "{kinds:?}");
    }
}

#[test]
fn a_record_ahead_of_the_position_is_found() {
    let kinds = kinds(|_, positions| positions.truncate(2));
    assert_eq!(kinds, [Kind::Unexplained]);
}

#[test]
fn a_position_ahead_of_its_records_is_found() {
    let kinds = kinds(|records, _| records.truncate(2));
    assert_eq!(kinds, [Kind::Lost]);
}

#[test]
fn a_transaction_may_be_there_in_the_part_that_the_position_counts() {
    let part = |rows| {
        let mut saved = saved(1, 2, "a:1", 20);
        saved.part = Some(("a:2".to_owned(), rows));
        saved
    };
    let (changes, records, positions) = (changes(), records(), positions());
    let mut faithful = checker();
    let begun = [positions[0].clone(), part(1)];
    assert!(faithful.check(changes.clone(), records[..3].to_vec(), &begun).is_empty());
    let mut again = part(1);
    again.seq = 3;
    assert!(faithful.check(Vec::new(), Vec::new(), &[again]).is_empty());
    let mut last = positions[2].clone();
    last.seq = 4;
    let violations = faithful.check(Vec::new(), records[3..].to_vec(), &[last]);
    assert!(violations.is_empty(), "{violations:?}");
    // A part that is not there, that is there unannounced, or that is more than there is.
    for (seen, rows, kind) in
        [(2, 1, Kind::Lost), (6, 1, Kind::Unexplained), (6, 3, Kind::Position)]
    {
        let begun = [positions[0].clone(), part(rows)];
        let violations = checker().check(changes.clone(), records[..seen].to_vec(), &begun);
        assert!(violations.iter().any(|violation| violation.kind == kind), "{violations:?}");
    }
}

#[test]
fn a_change_of_partition_is_found() {
    assert!(kinds(|records, _| records[2].partition = 1).contains(&Kind::Moved));
}

#[test]
fn a_break_in_the_chain_of_positions_is_found() {
    let doctors: [fn(&mut Saved); 5] = [
        |saved| saved.seq += 1,
        |saved| saved.generation += 1,
        |saved| saved.generation = 0,
        |saved| saved.gtids = GtidSet::parse("a:2-3").unwrap(),
        |saved| saved.place.1 = 5,
    ];
    for doctor in doctors {
        let kinds = kinds(|_, positions| doctor(&mut positions[2]));
        assert!(kinds.contains(&Kind::Position), "{kinds:?}");
    }
}

#[test]
fn a_position_with_a_hole_is_found() {
    let kinds = kinds(|_, positions| {
        positions.truncate(1);
        positions.push(saved(1, 2, "a:1:3", 30));
    });
    assert!(kinds.contains(&Kind::Position), "{kinds:?}");
}

#[test]
fn a_topic_that_is_not_its_table_is_found() {
    let mut checker = checker();
    checker.check(changes(), records(), &positions());
    let rows = |values: &[&[&str]]| -> Vec<Row> {
        values.iter().map(|values| row(values).unwrap()).collect()
    };
    let is_found = |rows: &[Row]| {
        let violations = checker.check_table("t", rows);
        violations.first().is_some_and(|violation| violation.kind == Kind::Diverged)
    };
    assert!(is_found(&rows(&[])));
    assert!(is_found(&rows(&[&["3", "y"]])));
    assert!(is_found(&rows(&[&["3", "x"], &["4", "x"]])));
    let mut with_new_column = rows(&[&["3", "x"]]);
    with_new_column[0].push(None);
    assert!(!is_found(&with_new_column));
}

/// Key 1 as it was read after the insert, after the update, or after the delete.
fn read_again(place: usize, read: &[&str]) -> Vec<Kind> {
    kinds(|records, _| {
        let mut again = records[0].clone();
        again.content = event("r", "", None, row(read));
        records.insert(place, again);
        for (offset, record) in (0..).zip(records) {
            record.offset = offset;
        }
    })
}

#[test]
fn a_row_that_was_read_is_the_row_of_its_key_at_that_place() {
    assert_eq!(read_again(2, &["1", "x"]), []);
    assert_eq!(read_again(3, &["1", "y"]), []);
    assert_eq!(read_again(3, &["1", "y", "NULL"]), [Kind::Misread]);
    for (place, read) in [(2, ["1", "y"]), (3, ["1", "x"]), (8, ["1", "y"]), (0, ["1", "x"])] {
        assert_eq!(read_again(place, &read), [Kind::Misread], "{place} {read:?}");
    }
}

/// Key 1 as it was found to be gone, after the insert, after the update, or after the delete.
fn gone(place: usize, before: &[&str]) -> Vec<Kind> {
    kinds(|records, _| {
        let mut delete = records[0].clone();
        delete.content = event("d", "", row(before), None);
        let tombstone = Observed { content: Content::Tombstone, ..delete.clone() };
        records.splice(place..place, [delete, tombstone]);
        for (offset, record) in (0..).zip(records) {
            record.offset = offset;
        }
    })
}

#[test]
fn a_row_that_is_gone_is_the_row_of_its_key_at_that_place() {
    assert_eq!(gone(2, &["1", "x"]), []);
    assert_eq!(gone(3, &["1", "y"]), []);
    for (place, before) in [(2, ["1", "y"]), (3, ["1", "x"]), (8, ["1", "y"]), (0, ["1", "x"])] {
        assert_eq!(gone(place, &before), [Kind::Misread], "{place} {before:?}");
    }
}

#[test]
fn another_server_counts_its_binlog_in_its_own_way() {
    let elsewhere = |gtids: &'static str| {
        kinds(move |_, positions| {
            positions[2].server = "two".to_owned();
            positions[2].place.1 = 5;
            positions[2].gtids = GtidSet::parse(gtids).unwrap();
        })
    };
    assert_eq!(elsewhere("a:1-3"), []);
    // What was delivered must be in its GTIDs all the same.
    assert!(elsewhere("a:2-3").contains(&Kind::Position));
}

/// The same history, of a table that a run left out: its records are as doctored.
fn loose(doctor: impl Fn(&mut Vec<Observed>, &mut Vec<Saved>), table: &[&[&str]]) -> Vec<Kind> {
    let (mut records, mut positions) = (records(), positions());
    doctor(&mut records, &mut positions);
    let mut checker = checker().with_loose(&["t"]);
    let mut violations = checker.check(changes(), records, &positions);
    let rows: Vec<_> = table.iter().map(|values| row(values).unwrap()).collect();
    violations.extend(checker.check_table("t", &rows));
    violations.into_iter().map(|violation| violation.kind).collect()
}

#[test]
fn of_a_loose_table_only_the_fold_counts() {
    assert_eq!(loose(|_, _| {}, &[&["3", "x"]]), []);
    assert_eq!(loose(|_, _| {}, &[]), [Kind::Diverged]);
    // Records may be missing and rows read in their place.
    let read = |key: &str, values: &[&str], offset| Observed {
        table: "t".to_owned(),
        partition: 0,
        offset,
        key: vec![Some(key.to_owned())],
        content: event("r", "", None, row(values)),
    };
    let left_out = |records: &mut Vec<Observed>| {
        records.truncate(1);
        records.push(read("1", &["1", "z"], 9));
    };
    assert_eq!(loose(|records, _| left_out(records), &[&["1", "z"]]), []);
    assert_eq!(loose(|records, _| left_out(records), &[&["1", "y"]]), [Kind::Diverged]);
    let truncated = |records: &mut Vec<Observed>| {
        let mut last = read("", &[], 9);
        (last.key, last.content) = (Row::new(), event("t", "a:4", None, None));
        records.push(last);
    };
    assert_eq!(loose(|records, _| truncated(records), &[]), []);
    assert_eq!(loose(|records, _| truncated(records), &[&["3", "x"]]), [Kind::Diverged]);
    // A part of one of its transactions counts rows that are not compared.
    let part = |positions: &mut Vec<Saved>| {
        positions.truncate(1);
        positions[0].part = Some(("a:2".to_owned(), 1));
    };
    assert_eq!(loose(|_, positions| part(positions), &[&["3", "x"]]), []);
}

#[test]
fn a_table_that_is_not_watched_is_not_missed() {
    let mut changes = changes();
    changes.push(Change { table: "other".to_owned(), ..changes[0].clone() });
    assert!(checker().check(changes, records(), &positions()).is_empty());
}

/// What at-least-once delivery of the same changes is found to be, by the numbers of the records
/// in the order in which they came.
fn repeats(numbers: &[usize]) -> Vec<Kind> {
    let records = records();
    let seen = (0..).zip(numbers).map(|(offset, number)| {
        let mut record = records[*number].clone();
        record.offset = offset;
        record
    });
    let mut checker = Repeats::new([("t".to_owned(), vec![0])]);
    checker.expect(&changes());
    let violations = checker.check(seen.collect());
    violations.into_iter().map(|violation| violation.kind).collect()
}

#[test]
fn at_least_once_records_may_come_again_in_order() {
    for numbers in [
        vec![0, 1, 2, 3, 4, 5, 6, 7],
        vec![0, 1, 2, 0, 1, 2, 3, 4, 5, 6, 7],
        vec![0, 1, 2, 3, 1, 2, 1, 2, 3, 4, 5, 6, 7, 7],
    ] {
        assert_eq!(repeats(&numbers), [], "{numbers:?}");
    }
}

#[test]
fn at_least_once_nothing_is_missing_and_nothing_old_comes_last() {
    for lost in 0..8 {
        let numbers: Vec<_> = (0..8).filter(|number| *number != lost).collect();
        assert_eq!(repeats(&numbers), [Kind::Lost], "{lost}");
    }
    for lost in 1..8 {
        // What comes again comes with all that follows it.
        let again: Vec<_> = (0..8).chain((0..8).filter(|number| *number != lost)).collect();
        assert_eq!(repeats(&again), [Kind::Lost], "{lost}");
    }
    assert_eq!(repeats(&[0, 1, 2, 3, 4, 5, 6, 7, 0]), [Kind::Lost]);
    assert!(repeats(&[]).contains(&Kind::Lost));
    let mut checker = Repeats::new([("t".to_owned(), vec![0])]);
    let kinds: Vec<_> = checker.check(records()).into_iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [Kind::Unexplained]);
}
