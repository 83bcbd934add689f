//! Steps that the worlds of the simulation do not reach.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    Action, Doubt, Ending, Event, Protocol, ProtocolSettings, RowsTaken, TransactionEnd,
    TransactionName, nothing_of,
};
use crate::{
    config::Guarantee,
    model::{
        change::Operation,
        gtid::{Gtid, GtidSet, ServerUuid},
        position::{FilePosition, PartialTransaction, Position},
        table::{TableName, TableVersionId},
    },
    produce::Commit,
    state::PositionRecord,
};

const SERVER: ServerUuid = ServerUuid([7; 16]);
const FILE: &str = "binlog.000001";

fn protocol(partials: Vec<PartialTransaction>) -> Protocol {
    let settings = ProtocolSettings {
        guarantee: Guarantee::ExactlyOnce,
        batch_bytes_max: 100,
        batch_age_max: Duration::from_secs(1),
        open_max: Duration::from_secs(20),
    };
    let position = Position {
        server_uuid: SERVER,
        gtid_set: Some(GtidSet::default()),
        file: FilePosition { file: FILE.to_owned(), offset: 4 },
        source_time_us: 0,
    };
    let record = PositionRecord { partials, ..PositionRecord::resumed(None, 1, position) };
    Protocol::new(settings, record, Instant::now())
}

/// Does what the protocol says until it waits or ends the epoch; `commit` is how commits end.
fn drive(protocol: &mut Protocol, event: Event<'_>, commit: Commit) -> Action {
    let mut action = protocol.step(Instant::now(), event);
    loop {
        let done = match action {
            Action::Begin => Event::Opened,
            Action::Flush => Event::Flushed,
            Action::SendPosition => Event::PositionSent,
            Action::SendSign => Event::SignSent,
            Action::Commit => Event::Committed(commit),
            Action::Wait | Action::Recycle(_) => return action,
        };
        action = protocol.step(Instant::now(), done);
    }
}

#[test]
fn after_a_doubt_at_once_the_first_commit_has_records() {
    let ready = |is_after_doubt| Event::Ready { is_after_doubt };
    let mut first = protocol(Vec::new());
    let ended = drive(&mut first, ready(false), Commit::Doubtful);
    assert_eq!(ended, Action::Recycle(Doubt::Commit));
    assert!(first.is_doubted_at_once());
    // The next epoch begins with records; only then the doubt ends it.
    let mut second = protocol(Vec::new());
    assert_eq!(second.step(Instant::now(), ready(true)), Action::Wait);
    assert_eq!(drive(&mut second, Event::Begun, Commit::Doubtful), Action::Wait);
    assert_eq!(drive(&mut second, Event::Sending, Commit::Doubtful), Action::Wait);
    let extra = Event::SentExtra { rows: 1, bytes: 1 };
    assert_eq!(drive(&mut second, extra, Commit::Doubtful), Action::Wait);
    let ended = drive(&mut second, Event::Due, Commit::Doubtful);
    assert_eq!(ended, Action::Recycle(Doubt::Commit));
    assert!(!second.is_doubted_at_once());
}

#[test]
fn after_a_doubt_at_once_no_sign_of_life_throws_away_what_was_read() {
    // GIVEN an epoch after one that ended in doubt at once
    let after = |seconds| Instant::now() + Duration::from_secs(seconds);
    let mut protocol = protocol(Vec::new());
    protocol.step(after(0), Event::Ready { is_after_doubt: true });
    // WHEN it reads a source transaction of which it captures nothing for long
    protocol.step(after(0), Event::Begun);
    // THEN it commits nothing that moves nothing
    assert_eq!(protocol.step(after(60), Event::Tick), Action::Wait);
    // AND what moved is committed, as is what is read after a commit that was not in doubt
    protocol.step(after(60), Event::Changed);
    assert_eq!(protocol.step(after(60), Event::Tick), Action::Begin);
    for event in [Event::Opened, Event::PositionSent, Event::Committed(Commit::Clean)] {
        protocol.step(after(60), event);
    }
    assert_eq!(protocol.step(after(62), Event::Tick), Action::Begin);
}

#[test]
fn a_cut_keeps_the_notes_of_other_source_transactions() {
    // GIVEN a source transaction that another server delivered three rows of
    let gtid = |number: u64| format!("{SERVER}:{number}").parse::<Gtid>().unwrap();
    let (noted, other) = (gtid(1), gtid(2));
    let name = |gtid| TransactionName {
        gtid: Some(gtid),
        server_uuid: SERVER,
        file: FILE,
        begin_offset: 4,
    };
    let note = PartialTransaction { rows_done: 3, parts: 1, ..nothing_of(name(&noted)) };
    let mut protocol = protocol(vec![note.clone()]);
    let table = TableName { database: "shop".to_owned(), table: "orders".to_owned() };
    // WHEN another one comes before it and is cut
    let (version, operation) = (TableVersionId(0), Operation::Insert);
    let taken = RowsTaken { version, table: &table, operation, rows: 2, bytes: b"rows" };
    for event in [Event::Begun, Event::Rows(name(&other)), Event::Sending, Event::Sent(taken, 100)]
    {
        assert_eq!(drive(&mut protocol, event, Commit::Clean), Action::Wait);
    }
    let rows: Vec<_> = protocol.record().partials.iter().map(|note| note.rows_done).collect();
    assert_eq!(rows, [3, 2]);
    // THEN its end removes its own note, and the rows of the first are still skipped
    let end = TransactionEnd {
        file: FILE,
        offset: 99,
        file_begun: None,
        commit_time_us: 1,
        ending: Ending::Done,
    };
    drive(&mut protocol, Event::Ended(name(&other), end), Commit::Clean);
    assert_eq!(protocol.record().partials, [note]);
    drive(&mut protocol, Event::Rows(name(&noted)), Commit::Clean);
    assert_eq!(protocol.rows_to_skip(), 3);
}
