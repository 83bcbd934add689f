//! The decoder against recordings of a real server.

use super::{
    Problem,
    recorded::{decoder, events, inserted, recording, transcript},
};

/// Compares the rows of a recording with the server's own text of its tables.
fn check_values(name: &str, expected: &str) {
    let mut ours = String::new();
    for (table, lines) in inserted(name) {
        ours = ours + "# " + &table + "\n" + &lines.join("\n") + "\n";
    }
    let mut is_approximate = false;
    for (ours, server) in ours.lines().zip(expected.lines()) {
        if server.starts_with("# ") {
            is_approximate = server == "# approximate";
        }
        if is_approximate {
            // The server prints a double in another style: its bits count.
            let numbers = |line: &str| -> Vec<Option<u64>> {
                line.split('\t').map(|text| text.parse().ok().map(f64::to_bits)).collect()
            };
            assert_eq!(numbers(ours), numbers(server), "{ours} read, {server} on the server");
        } else {
            assert_eq!(ours, server);
        }
    }
    assert_eq!(ours.lines().count(), expected.lines().count());
}

#[test]
fn numbers_read_as_the_server_prints_them() {
    check_values("numbers", include_str!("../../tests/data/binlog/numbers.tsv"));
}

#[test]
fn times_read_as_the_server_prints_them() {
    check_values("times", include_str!("../../tests/data/binlog/times.tsv"));
}

#[test]
fn strings_read_as_the_server_prints_them() {
    check_values("strings", include_str!("../../tests/data/binlog/strings.tsv"));
}

#[test]
fn labels_read_as_the_server_prints_them() {
    check_values("labels", include_str!("../../tests/data/binlog/labels.tsv"));
}

#[test]
fn every_kind_of_transaction_is_understood() {
    let text = transcript(&mut decoder(&[]), &events(recording("grammar"))).unwrap();
    assert_eq!(text, include_str!("../../tests/data/binlog/grammar.txt"), "{text}");
}

#[test]
fn rows_of_an_xa_transaction_are_refused_unless_their_table_is_not_captured() {
    let events = events(recording("xa"));
    let error = transcript(&mut decoder(&[]), &events).unwrap_err();
    assert!(matches!(error.problem(), Problem::XaRows(table) if table.table == "a"), "{error}");
    let text = transcript(&mut decoder(&["a"]), &events).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("end")).count(), 7, "{text}");
}
