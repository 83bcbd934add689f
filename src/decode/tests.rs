//! The decoder against recordings of a real server.

use mysql_async::binlog::events::Event;

use super::{
    DecodeError, Decoded, Decoder, Problem,
    recorded::{RECORDINGS, decoder, events, inserted, recording, text, transcript},
};
use crate::model::{
    change::Operation,
    position::FilePosition,
    table::{ColumnKind, TableVersion},
    value::RowImages as _,
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
fn documents_read_as_the_server_prints_them() {
    check_values("json", include_str!("../../tests/data/binlog/json.tsv"));
}

#[test]
fn shapes_and_vectors_read_as_the_server_holds_them() {
    check_values("shapes", include_str!("../../tests/data/binlog/shapes.tsv"));
}

#[test]
fn text_of_every_character_set_reads_as_the_server_converts_it() {
    check_values("charsets", include_str!("../../tests/data/binlog/charsets.tsv"));
}

/// What a recording's rows hold in the columns that are read, the others gone over.
fn columns_read(name: &str, is_read: fn(usize) -> bool) -> Vec<String> {
    let mut decoder = decoder(&["no_document"]);
    let mut values = Vec::new();
    for event in events(recording(name)) {
        let Decoded::Rows(mut rows) = decoder.decode(&event).unwrap() else { continue };
        while rows.images.more() {
            for _ in 0..if rows.operation == Operation::Update { 2 } else { 1 } {
                rows.images.next_image().unwrap();
                for (index, column) in rows.table.columns.iter().enumerate() {
                    if is_read(index) {
                        values.push(text(rows.images.next_value().unwrap(), &column.kind));
                    } else {
                        rows.images.skip_value().unwrap();
                    }
                }
            }
        }
    }
    values
}

#[test]
fn a_value_that_is_gone_over_is_as_long_as_one_that_is_read() {
    for name in ["numbers", "times", "strings", "labels", "charsets", "json", "shapes", "partial"] {
        let halves = [columns_read(name, |at| at % 2 == 0), columns_read(name, |at| at % 2 == 1)];
        let [mut whole, mut parts] = [columns_read(name, |_| true), halves.concat()];
        assert!(whole.len() > 10 && halves.iter().all(|half| half.len() > 3), "{name}");
        whole.sort_unstable();
        parts.sort_unstable();
        assert_eq!(parts, whole, "{name}");
    }
}

#[test]
fn every_kind_of_transaction_is_understood() {
    let text = transcript(&mut decoder(&[]), &events(recording("grammar"))).unwrap();
    assert_eq!(text, include_str!("../../tests/data/binlog/grammar.txt"), "{text}");
}

#[test]
fn nothing_in_a_table_that_is_not_captured_is_an_error() {
    for (name, file) in RECORDINGS {
        let mut none = Decoder::new(Box::new(|_| false), "binlog.000001".into());
        let text = transcript(&mut none, &events(file)).unwrap();
        assert!(!text.contains("shop"), "{name}: {text}");
        // The last event is the ROTATE that leads to the next file.
        let end = FilePosition { file: "binlog.000002".into(), offset: 4 };
        assert_eq!(*none.file_position(), end, "{name}");
    }
}

#[test]
fn a_server_without_checksums_and_gtids_is_understood() {
    let text = transcript(&mut decoder(&[]), &events(recording("unchecked"))).unwrap();
    let expected = "end\nend Create shop.a\n\
         begin\n  insert shop.a 1,x\nend\n\
         begin\n  insert shop.a 2,packed\nend\n";
    assert_eq!(text, expected);
}

#[test]
fn a_transaction_knows_its_writer_time_and_place() {
    let mut decoder = decoder(&[]);
    let mut begun = Vec::new();
    for event in events(recording("grammar")) {
        if let Decoded::Begun(transaction) = decoder.decode(&event).unwrap() {
            begun.push(transaction.clone());
        }
    }
    let first = begun.first().unwrap();
    assert_eq!(first.gtid.as_ref().unwrap().number, 4);
    assert_eq!(first.server_id, 1);
    assert!(first.thread_id.is_some());
    assert!(first.begin_offset > 4);
    // The recording's commit times are not round: whole seconds would come from the header.
    assert!(begun.iter().any(|transaction| transaction.commit_time_us % 1_000_000 != 0));
    assert!(begun.is_sorted_by_key(|transaction| transaction.begin_offset));
    assert_eq!(
        begun.iter().filter(|transaction| transaction.gtid_text.contains("blue")).count(),
        1
    );
}

#[test]
fn a_sessions_settings_are_obeyed() {
    let events = events(recording("sessions"));
    let text = transcript(&mut decoder(&[]), &events).unwrap();
    let expected = "end 1\nend 2 Create shop.a\nend 3 Create shop.café\n\
         begin 4\n  insert shop.a 1\nend 4\nbegin blue:1\n  insert shop.a 2\nend blue:1\n\
         end 5 Rename shop.a shop.b\nend 6 Alter shop.b\nend 7 Truncate shop.café\n\
         begin 8\n  Create shop.Ã©b shop.ÃƒÂ©b\n  insert shop.Ã©b 1\nend 8\n";
    assert_eq!(text, expected);
    // The times that the transactions bring along from another server.
    let mut decoder = decoder(&[]);
    let mut times = Vec::new();
    for event in &events {
        if let Decoded::Begun(transaction) = decoder.decode(event).unwrap() {
            times.push(transaction.commit_time_us);
        }
    }
    assert_eq!(times.get(..2), Some(&[1_700_000_000_123_456, 1_700_000_000_654_321][..]));
}

#[test]
fn a_file_that_is_still_written_has_the_same_checksum() {
    let mut file = recording("numbers").to_vec();
    // The flag in the header of the format description, which is the first event.
    file[4 + 17] |= 1;
    transcript(&mut decoder(&[]), &events(&file)).unwrap();
}

/// The versions of the tables whose rows are read.
fn versions(name: &str, skipped: &'static [&'static str]) -> Vec<TableVersion> {
    let mut decoder = decoder(skipped);
    let mut versions = Vec::new();
    for event in events(recording(name)) {
        if let Decoded::Rows(rows) = decoder.decode(&event).unwrap() {
            versions.push(rows.table.clone());
            let version = rows.version;
            assert_eq!(decoder.version(version), versions.last());
        }
    }
    versions
}

#[test]
fn columns_and_keys_are_those_of_the_table() {
    let versions = versions("unusual", &[]);
    let table = |name: &str| versions.iter().find(|table| table.name.table == name).unwrap();
    let columns = |name: &str| -> Vec<&str> {
        table(name).columns.iter().map(|column| column.name.as_str()).collect()
    };
    assert_eq!(table("key_order").primary_key, [2, 0]);
    assert_eq!(table("key_prefix").primary_key, [1, 0]);
    // MySQL takes the first unique key without NULL and prefixes where there is no primary key.
    assert_eq!(table("unique_key").primary_key, [1]);
    assert_eq!(table("unique_prefix").primary_key, [0; 0]);
    let nullable: Vec<_> =
        table("unique_key").columns.iter().map(|column| column.nullable).collect();
    assert_eq!(nullable, [false, false, true]);
    assert_eq!(columns("made"), ["id", "hidden", "kept", "computed"]);
    assert_eq!(columns("given_key"), ["my_row_id", "name"]);
    assert_eq!(columns("we ird.`name"), ["a b", "ünï"]);
    assert_eq!(table("wide").columns.len(), 301);
    let required: Vec<_> =
        table("wide").columns.iter().filter(|column| !column.nullable).map(|c| &c.name).collect();
    assert_eq!(required, ["id", "c299"]);
    let unsigned = ColumnKind::Int { bits: 32, unsigned: true };
    assert!(table("wide").columns.iter().skip(1).all(|column| column.kind == unsigned));
}

#[test]
fn columns_that_indexes_hide_are_not_in_the_binlog_and_others_are() {
    let text = transcript(&mut decoder(&[]), &events(recording("hidden"))).unwrap();
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("  ")).map(str::trim).collect();
    let expected = [
        r#"insert shop.f 1,{"a": [1, 2], "b": ["x", "y"]},one"#,
        "insert shop.f 2,NULL,NULL",
        r#"update shop.f 1,{"a": [1, 2], "b": ["x", "y"]},one -> 1,{"a": [3]},uno"#,
        "delete shop.f 2,NULL,NULL",
        r#"insert shop.f 3,6,{"b": ["z"]},three,three!,4"#,
        "insert shop.ai 1,1",
        "insert shop.ai 2,2",
        "insert shop.g 1,x",
        "insert shop.g 2,y",
        "update shop.g 2,y -> 2,z",
        &format!("insert shop.big 1,{}", "x".repeat(1000)),
        &format!("insert shop.pages 1,{}", "y".repeat(100)),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn columns_of_every_place_are_read() {
    let mut decoder = decoder(&[]);
    let text = transcript(&mut decoder, &events(recording("unusual"))).unwrap();
    assert!(text.contains("insert shop.made 5,7,10,15\n"), "{text}");
    assert!(text.contains("insert shop.given_key 1,x\n"), "{text}");
    let wide = text.lines().find(|line| line.contains("shop.wide 1")).unwrap();
    let set: Vec<_> = wide.split(',').filter(|text| *text != "NULL").collect();
    assert_eq!(set, ["  insert shop.wide 1", "0", "7", "8", "255", "299"]);
}

#[test]
fn equal_definitions_share_a_version() {
    let mut decoder = decoder(&[]);
    let mut versions = Vec::new();
    for event in events(recording("grammar")) {
        if let Decoded::Rows(rows) = decoder.decode(&event).unwrap() {
            versions.push((rows.version.0, rows.table.name.to_string(), rows.table.columns.len()));
        }
    }
    // Table a has two columns, then three, then it is table b, which still has two.
    versions.sort_unstable();
    versions.dedup();
    let of_a: Vec<_> = versions.iter().filter(|(_, name, _)| name == "shop.a").collect();
    assert_eq!(of_a.len(), 2, "{versions:?}");
    let highest = versions.iter().map(|(id, ..)| *id).max().unwrap();
    assert_eq!(u32::try_from(versions.len()).unwrap(), highest + 1);
}

fn refusal(name: &str, skipped: &'static [&'static str]) -> DecodeError {
    transcript(&mut decoder(skipped), &events(recording(name))).unwrap_err()
}

#[test]
fn rows_without_all_columns_are_refused() {
    let error = refusal("settings", &["a"]);
    assert!(matches!(error.problem(), Problem::ImageNotFull(table) if table.table == "b"));
}

#[test]
fn a_table_without_full_metadata_is_refused() {
    let error = refusal("minimal", &[]);
    assert!(matches!(error.problem(), Problem::MetadataNotFull(table) if table.table == "a"));
    transcript(&mut decoder(&["a"]), &events(recording("minimal"))).unwrap();
}

#[test]
fn a_change_of_a_captured_table_that_was_logged_as_a_statement_is_refused() {
    let capturing = |name: &'static str| {
        Decoder::new(Box::new(move |table| table.to_string() == name), "binlog.000001".into())
    };
    let events = events(recording("statements"));
    let error = transcript(&mut capturing("shop.a"), &events).unwrap_err();
    assert!(matches!(error.problem(), Problem::StatementFormat(table) if table.table == "a"));
    transcript(&mut capturing("shop.b"), &events).unwrap();
}

#[test]
fn a_change_of_a_captured_database_by_a_trigger_of_a_statement_is_refused() {
    let events = events(recording("triggers"));
    let capturing = |name: &'static str| {
        Decoder::new(Box::new(move |table| table.to_string() == name), "binlog.000001".into())
            .captured_databases(Box::new(|database| database == "shop"))
    };
    let mut decoder = capturing("shop.a");
    let results: Vec<_> = events.iter().map(|event| decoder.decode(event).map(|_| ())).collect();
    let first = results.iter().position(Result::is_err).unwrap();
    assert_eq!(*results[first].as_ref().unwrap_err().problem(), Problem::StatementTarget);
    // What names no other database was passed: the INSERT and the UPDATE before the trigger.
    let statements = |events: &[Event]| {
        let is_dml = |event: &&Event| {
            let text = String::from_utf8_lossy(event.data()).into_owned();
            text.contains("INSERT INTO") || text.contains("UPDATE c")
        };
        events.iter().filter(is_dml).count()
    };
    // The CREATE TRIGGER holds an INSERT too.
    assert_eq!(statements(&events[..=first]), 4);
}

/// The XA steps of a transcript: `end 3 Prepared { … }` without the name.
fn xa_steps(text: &str) -> Vec<&str> {
    let steps = text.lines().filter_map(|line| line.strip_prefix("end "));
    steps.filter(|line| line.contains("{ ")).collect()
}

#[test]
fn rows_of_an_xa_transaction_are_skipped_until_it_is_decided() {
    let events = events(recording("xa"));
    let text = transcript(&mut decoder(&[]), &events).unwrap();
    let expected = [
        "3 Prepared { xid: Xid(…), has_rows: true }",
        "4 Committed { xid: Xid(…) }",
        "5 Prepared { xid: Xid(…), has_rows: true }",
        "6 RolledBack { xid: Xid(…) }",
        "7 CommittedInOnePhase { has_rows: true }",
    ];
    assert_eq!(xa_steps(&text), expected);
    assert!(!text.contains("insert"), "{text}");
    let text = transcript(&mut decoder(&["a"]), &events).unwrap();
    let expected = expected.map(|line| line.replace("true", "false"));
    assert_eq!(xa_steps(&text), expected);
}

#[test]
fn what_is_decided_is_read_in_a_side_stream_and_the_stream_continues() {
    let events = events(recording("xa"));
    let begins = |group: usize| {
        let mut gtids = events
            .iter()
            .enumerate()
            .filter(|(_, event)| event.header().event_type_raw() == super::event::event_type::GTID);
        gtids.nth(group - 1).unwrap().0
    };
    let mut decoder = decoder(&[]);
    // Up to the XA COMMIT in group 4.
    transcript(&mut decoder, &events[..begins(5)]).unwrap();
    let before = decoder.file_position().clone();
    decoder.enter_side_stream(&FilePosition { file: "binlog.000001".into(), offset: 4 });
    let text = transcript(&mut decoder, &events[begins(3)..begins(4)]).unwrap();
    assert_eq!(
        text,
        "begin 3\n  insert shop.a 1\nend 3 Prepared { xid: Xid(…), has_rows: true }\n"
    );
    decoder.leave_side_stream();
    assert_eq!(*decoder.file_position(), before);
    let text = transcript(&mut decoder, &events[begins(5)..]).unwrap();
    assert_eq!(text.lines().count(), 5, "{text}");
}
