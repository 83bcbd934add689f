//! Compressed transactions put together by hand: cases that a healthy server does not send.

use mysql_async::binlog::{
    BinlogVersion,
    events::{BinlogEventFooter, FormatDescriptionEvent},
};

use super::{Payload, RawEvent, TRANSACTION_PAYLOAD};

const ROWS: u8 = 30;

/// An event as bytes.
fn event(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 100, kind, 1, 0, 0, 0];
    bytes.extend(u32::try_from(19 + body.len()).unwrap().to_le_bytes());
    bytes.extend([0; 6]);
    bytes.extend(body);
    bytes
}

/// A payload with this inside, compressed, which states this expanded size.
fn payload(stated: usize, compressed: &[u8]) -> RawEvent {
    let mut body = vec![2, 1, 0, 3, 9, 0xfe];
    body.extend(u64::try_from(stated).unwrap().to_le_bytes());
    body.extend([1, 9, 0xfe]);
    body.extend(u64::try_from(compressed.len()).unwrap().to_le_bytes());
    // A field that does not exist yet, then the end.
    body.extend([77, 2, 9, 9, 0]);
    body.extend(compressed);
    raw(&event(TRANSACTION_PAYLOAD, &body))
}

fn raw(bytes: &[u8]) -> RawEvent {
    let footer = BinlogEventFooter::default();
    let format = FormatDescriptionEvent::new(BinlogVersion::Version4).with_footer(footer);
    RawEvent::read(&format, bytes).unwrap()
}

fn compressed(inside: &[u8]) -> Vec<u8> {
    zstd::encode_all(inside, 3).unwrap()
}

/// The bodies of the events inside, or the problem.
fn bodies(event: &RawEvent) -> Result<Vec<Vec<u8>>, String> {
    let mut payload = Payload::open(event).unwrap()?;
    let mut bodies = Vec::new();
    while let Some(event) = payload.next()? {
        assert!(!event.footer().get_checksum_enabled(), "an event inside has no checksum");
        bodies.push(event.data().to_vec());
    }
    Ok(bodies)
}

#[test]
fn the_events_inside_come_one_after_the_other() {
    let large = vec![7; 1 << 20];
    let inside = [event(ROWS, b"one"), event(ROWS, &large), event(16, b"")].concat();
    let whole = payload(inside.len(), &compressed(&inside));
    assert_eq!(bodies(&whole).unwrap(), [b"one".to_vec(), large, Vec::new()]);
    assert!(Payload::open(&raw(&event(ROWS, b"one"))).is_none());
}

/// What an event states is believed as far as the payload states as much and the bytes come.
#[test]
fn a_bomb_does_not_fill_the_memory() {
    let first = event(ROWS, b"first");
    let mut stated = event(ROWS, b"");
    stated[9..13].copy_from_slice(&0xffff_ffff_u32.to_le_bytes());
    let bombs = [
        // An event of 4 GiB, of which the payload states that it is there.
        (usize::MAX, [&first[..], &stated].concat()),
        // An event larger than all that the payload states.
        (first.len() + 30, [&first[..], &event(ROWS, &[0; 4096])].concat()),
        // Bytes that are no event.
        (first.len() + 4096, [&first[..], &[0; 4096]].concat()),
    ];
    for (stated, inside) in bombs {
        let event = payload(stated, &compressed(&inside));
        let mut payload = Payload::open(&event).unwrap().unwrap();
        assert_eq!(payload.next().unwrap().unwrap().data(), b"first");
        let most = allocation_counter::measure(|| assert!(payload.next().is_err()));
        assert!(most.bytes_max < 1 << 16, "{} bytes for {stated}", most.bytes_max);
    }
}

#[test]
fn a_long_inside_of_small_events_takes_the_memory_of_one() {
    let inside = event(ROWS, &[0; 1000]).repeat(100_000);
    let event = payload(inside.len(), &compressed(&inside));
    let most = allocation_counter::measure(|| {
        let mut payload = Payload::open(&event).unwrap().unwrap();
        while payload.next().unwrap().is_some() {}
    });
    assert!(most.bytes_max < 1 << 20, "{} bytes for {}", most.bytes_max, inside.len());
}

#[test]
fn an_inside_that_is_not_what_the_payload_states_is_an_error() {
    let problem = |event: RawEvent| bodies(&event).unwrap_err();
    let inside = event(ROWS, b"one").repeat(3);
    let small = compressed(&inside);
    assert!(problem(payload(inside.len() + 1, &small)).contains("cut short"));
    assert!(problem(payload(inside.len() - 1, &small)).contains("more than there can be"));
    assert!(problem(payload(inside.len(), &small[..small.len() - 6])).contains("does not expand"));
    assert!(problem(payload(inside.len(), b"no zstd at all")).contains("does not expand"));
    let part = compressed(&inside[..inside.len() - 1]);
    assert!(problem(payload(inside.len(), &part)).contains("cut short"));
    let nested = event(TRANSACTION_PAYLOAD, b"");
    assert!(problem(payload(nested.len(), &compressed(&nested))).contains("another one in it"));
}

#[test]
fn a_header_that_is_damaged_is_an_error() {
    let problem = |body: &[u8]| bodies(&raw(&event(TRANSACTION_PAYLOAD, body))).unwrap_err();
    assert!(problem(b"").contains("cut short"));
    assert!(problem(&[1, 0xff]).contains("cut short"));
    assert!(problem(&[1, 9, 0xfe, 1]).contains("cut short"));
    assert!(problem(&[0]).contains("another size"));
    assert!(problem(&[1, 1, 1, 0, 7]).contains("compressed as None"));
    assert!(problem(&[1, 1, 1, 2, 3, 0xfc, 255, 0, 0, 7]).contains("compressed as Some(255)"));
    let empty = compressed(b"");
    let size = u8::try_from(empty.len()).unwrap();
    let unstated = [&[1, 1, size, 2, 1, 0, 0][..], &empty].concat();
    assert!(problem(&unstated).contains("expanded size"));
}
