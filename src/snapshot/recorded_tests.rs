//! Recorded records of snapshot progress.

use super::{
    Ends, ProgressRecord,
    cursor::Bound,
    progress::{AskedFor, Rest},
};
use crate::model::{position::FilePosition, record::TopicState, recorded_tests::check};

fn number(text: &str) -> Bound {
    Bound::Number(text.to_owned())
}

/// A bound of each kind.
fn each_kind() -> Vec<Bound> {
    vec![
        number("-1.5e-7"),
        Bound::Time("-838:59:59.000000".to_owned()),
        Bound::Time("2000-02-29 23:59:59.999999".to_owned()),
        Bound::Bytes(String::new()),
        Bound::Bytes("00FF".to_owned()),
        Bound::Text { charset: "gbk".to_owned(), hex: "6B".to_owned() },
        Bound::Enum(0),
        Bound::Set(u64::MAX),
    ]
}

fn reading() -> ProgressRecord {
    let key = "id Int { bits: 64, unsigned: true }  , name Text utf8mb4_bin DESC";
    let after =
        Some(vec![number("5"), Bound::Text { charset: "utf8mb4".into(), hex: String::new() }]);
    ProgressRecord::reading(7, key.to_owned(), vec![Rest { after, until: None }])
}

fn records() -> Vec<(&'static str, ProgressRecord)> {
    let ranges = vec![
        Rest { after: None, until: Some(number("1")) },
        Rest { after: Some(vec![number("5")]), until: Some(number("9")) },
        Rest { after: Some(vec![number("9")]), until: None },
    ];
    let kinds = vec![Rest { after: Some(each_kind()), until: None }];
    let condition = || Some("id > 5 AND name <> 'é\"'".to_owned());
    let asked = |r#where, was_read| Some(AskedFor { r#where, was_read });
    let ends = |id: Option<&str>| {
        Some(Ends::of(&TopicState { id: id.map(str::to_owned), ends: vec![7, 0] }))
    };
    let left = FilePosition { file: "binlog.000002".to_owned(), offset: 4_294_967_300 };
    vec![
        ("beginning", ProgressRecord::beginning()),
        ("reading", reading()),
        ("reading_ranges", ProgressRecord::reading(7, "id Float  ".to_owned(), ranges)),
        ("reading_each_kind", ProgressRecord::reading(1, "a Year  ".to_owned(), kinds)),
        ("reading_where", reading().chosen_by(condition())),
        ("done", ProgressRecord::done(12_345_678_901)),
        ("done_empty", ProgressRecord::done(0)),
        ("done_where", ProgressRecord::done(3).chosen_by(condition())),
        ("requested", ProgressRecord::beginning().with(asked(None, true), false)),
        ("requested_where", reading().with(asked(condition(), false), false)),
        ("paused", reading().with(asked(None, false), true)),
        ("left", ProgressRecord::left(&left)),
        // From here on as builds that look for keys that are gone write them.
        ("again", ProgressRecord::again()),
        ("again_reading", reading().with_ends(ends(Some("AAAAAAAAAAAAAAAAAAAAAQ")))),
        ("again_searching", ProgressRecord::done(3).with_ends(ends(None))),
        ("once_more", reading().with_ends(ends(None)).once_more(true)),
    ]
}

#[test]
fn recorded_progress_is_read_and_written_as_it_is() {
    check("progress.tsv", &records(), ProgressRecord::to_json, |json| {
        ProgressRecord::from_json(json, "shop.orders").unwrap()
    });
}
