//! Verdicts on saved positions without a server: the tests put its answers together.

use std::time::Duration;

use tokio::time::Instant;

use super::{BEHIND_PATIENCE, Continuity};
use crate::{
    error::{Failure, Reason, Verdict},
    model::position::{FilePosition, Position},
    mysql::{
        discontinuity::{Discontinuity, DiscontinuityKind},
        error::MysqlError,
        server::{BinlogFile, BinlogFilter, Server},
    },
};

const A: &str = "aaaaaaaa-a33b-11ea-80f1-02010a22a99e";
const B: &str = "bbbbbbbb-a33b-11ea-80f1-02010a22a99e";

fn file(number: u32, bytes: u64) -> BinlogFile {
    BinlogFile { name: format!("binlog.{number:06}"), bytes }
}

/// A position on server A.
fn saved(gtids: Option<&str>, number: u32, offset: u64) -> Position {
    Position {
        server_uuid: A.parse().unwrap(),
        gtid_set: gtids.map(|text| text.parse().unwrap()),
        file: FilePosition { file: file(number, 0).name, offset },
        source_time_us: 7,
    }
}

/// A server with these executed and purged GTIDs and binlog files; without GTIDs if `executed` is
/// none.
fn server(
    uuid: &str,
    executed: Option<&str>,
    purged: &str,
    files: impl IntoIterator<Item = (u32, u64)>,
) -> Server {
    let files: Vec<_> = files.into_iter().map(|(number, bytes)| file(number, bytes)).collect();
    let last = files.last().unwrap();
    Server {
        uuid: uuid.parse().unwrap(),
        current: Position {
            server_uuid: uuid.parse().unwrap(),
            gtid_set: executed.map(|text| text.parse().unwrap()),
            file: FilePosition { file: last.name.clone(), offset: last.bytes },
            source_time_us: 0,
        },
        binlog_retention: None,
        lower_case_table_names: false,
        binlog_filter: BinlogFilter::default(),
        logs_cascades: true,
        gtid_mode: if executed.is_some() { "ON" } else { "ON_PERMISSIVE" }.to_owned(),
        purged: purged.parse().unwrap(),
        files,
        is_replica: false,
    }
}

fn judge(server: &Server, saved: &Position) -> Result<Position, DiscontinuityKind> {
    Continuity::default().judge(server, saved, Instant::now())
}

#[track_caller]
fn check(server: &Server, saved: &Position, reason: Reason) {
    let what = judge(server, saved).unwrap_err();
    let failure = failure(what);
    assert_eq!((failure.verdict, failure.reason), (Verdict::Halt, reason), "{failure}");
    let target = if reason == Reason::PositionPurged { "--to-earliest" } else { "--to-current" };
    let way_out = format!(": tailwater position set {target} --execute (");
    assert!(failure.hint.contains(&way_out), "{failure}");
}

fn failure(what: DiscontinuityKind) -> Failure {
    MysqlError::Discontinuity(Box::new(Discontinuity { what, address: "db:3306".to_owned() }))
        .into()
}

#[test]
fn a_server_with_all_that_is_delivered_and_all_that_follows_is_accepted() {
    let position = saved(Some(&format!("{A}:1-9,{B}:4")), 7, 500);
    let more = format!("{A}:1-12,{B}:1-6");
    let same = server(A, Some(&more), &format!("{A}:1-9"), [(7, 500), (8, 900)]);
    assert_eq!(judge(&same, &position).unwrap(), position);
    // Old files may go when what was in them is delivered.
    let purged = server(A, Some(&more), &format!("{A}:1-9"), [(8, 900)]);
    assert_eq!(judge(&purged, &position).unwrap(), position);
    // On another server the file means nothing.
    let other = judge(&server(B, Some(&more), "", [(1, 300)]), &position).unwrap();
    assert_eq!((other.server_uuid, other.file.file), (B.parse().unwrap(), String::new()));
    assert_eq!(other.gtid_set, position.gtid_set);
    // Other names say nothing about numbers.
    let mut renamed = position.clone();
    renamed.file.file = "mysql-bin.000009".to_owned();
    assert!(judge(&same, &renamed).is_ok());
}

#[test]
fn what_was_purged_and_not_delivered_is_missed() {
    let position = saved(Some(&format!("{A}:1-9")), 7, 500);
    let purged = server(A, Some(&format!("{A}:1-20")), &format!("{A}:1-10"), [(9, 200)]);
    check(&purged, &position, Reason::PositionPurged);
    let foreign = format!("{A}:1-20,{B}:1");
    check(
        &server(B, Some(&foreign), &format!("{B}:1"), [(9, 200)]),
        &position,
        Reason::PositionPurged,
    );
    check(&server(A, None, "", [(8, 200)]), &saved(None, 7, 500), Reason::PositionPurged);
}

#[test]
fn what_was_delivered_and_is_not_there_is_a_divergence() {
    let position = saved(Some(&format!("{A}:1-9")), 7, 500);
    for executed in [format!("{A}:1-8"), format!("{A}:1-7:9-20"), format!("{B}:1-20")] {
        check(&server(B, Some(&executed), "", [(1, 200)]), &position, Reason::SourceDiverged);
    }
    let own = judge(&server(A, Some(&format!("{A}:1-8")), "", [(7, 600)]), &position);
    assert!(own.unwrap_err().to_string().contains("its own"));
}

#[test]
fn numbers_given_a_second_time_show_by_the_files() {
    let position = saved(Some(&format!("{A}:1-9")), 7, 500);
    for executed in [format!("{A}:1-3"), format!("{A}:1-50")] {
        let executed = Some(executed.as_str());
        check(&server(A, executed, "", [(1, 900), (2, 500)]), &position, Reason::SourceReset);
        check(&server(A, executed, "", [(6, 900), (7, 499)]), &position, Reason::SourceLostTail);
        // Files are numbered, not spelled: 1000000 comes behind 999999.
        let far = saved(Some(&format!("{A}:1-9")), 1_000_000, 500);
        check(&server(A, executed, "", [(999_999, 600)]), &far, Reason::SourceReset);
    }
    check(&server(A, None, "", [(1, 900)]), &saved(None, 7, 500), Reason::SourceReset);
    check(&server(A, None, "", [(7, 499)]), &saved(None, 7, 500), Reason::SourceLostTail);
    let near = saved(None, 999_999, 500);
    assert!(judge(&server(A, None, "", [(999_999, 600), (1_000_000, 158)]), &near).is_ok());
    check(&server(A, None, "", [(1_000_000, 900)]), &near, Reason::PositionPurged);
}

#[test]
fn a_place_in_a_file_counts_on_its_server_only() {
    // GIVEN a file of the same name that is long enough
    let other = server(B, None, "", [(7, 900)]);
    check(&other, &saved(None, 7, 500), Reason::SourceChanged);
    check(&server(B, Some(""), "", [(7, 900)]), &saved(None, 7, 500), Reason::SourceChanged);
    // AND what counts by GTIDs counts nowhere without them
    check(&other, &saved(Some(&format!("{A}:1-9")), 7, 500), Reason::GtidMode);
}

#[test]
fn a_replica_is_waited_for_as_long_as_it_comes_nearer() {
    let position = saved(Some(&format!("{A}:1-9")), 7, 500);
    let behind = |last: u32| {
        let executed = format!("{A}:1-{last}");
        Server { is_replica: true, ..server(B, Some(&executed), "", [(1, 200)]) }
    };
    let (mut source, mut now) = (Continuity::default(), Instant::now());
    for last in 1..9 {
        let waits = source.judge(&behind(last), &position, now).unwrap_err();
        assert!(
            matches!(waits, DiscontinuityKind::Behind { count, .. } if count == 9 - u64::from(last))
        );
        let failure = failure(waits);
        assert_eq!((failure.verdict, failure.reason), (Verdict::Recycle, Reason::SourceBehind));
        now += BEHIND_PATIENCE.saturating_sub(Duration::from_secs(1));
    }
    let waits = source.judge(&behind(8), &position, now);
    assert!(matches!(waits, Err(DiscontinuityKind::Behind { .. })), "{waits:?}");
    // WHEN nothing comes for too long, THEN a person must learn of it
    now += Duration::from_secs(1);
    let waits = source.judge(&behind(8), &position, now);
    assert!(matches!(waits, Err(DiscontinuityKind::Diverged { .. })), "{waits:?}");
    // AND what the server had by itself does not come from another one
    let own = Server { is_replica: true, ..server(A, Some(&format!("{A}:1-8")), "", [(7, 600)]) };
    assert!(matches!(
        Continuity::default().judge(&own, &position, now),
        Err(DiscontinuityKind::Diverged { lacks_own: true, .. })
    ));
}
