//! The entry point for the fuzz target of compressed transactions; see `decode::fuzzing`.

use mysql_async::binlog::{
    BinlogVersion,
    events::{BinlogEventFooter, FormatDescriptionEvent},
};

use super::{RawEvent, payload::Payload};

/// A compressed transaction: one byte says in its lowest bit whether the rest is the event's body
/// as it came or what the body expands to.
pub fn payload(input: &[u8]) {
    let Some((options, rest)) = input.split_first() else { return };
    if options & 1 == 0 {
        return expand(rest);
    }
    let Ok(compressed) = zstd::encode_all(rest, 1) else { return };
    let mut body = vec![2, 1, 0];
    for (field, size) in [(3, rest.len()), (1, compressed.len())] {
        body.extend([field, 9, 0xfe]);
        body.extend(u64::try_from(size).unwrap_or(u64::MAX).to_le_bytes());
    }
    body.push(0);
    body.extend(compressed);
    expand(&body);
}

fn expand(body: &[u8]) {
    let mut bytes = vec![0, 0, 0, 0, 40, 1, 0, 0, 0];
    bytes.extend(u32::try_from(19 + body.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend([0; 6]);
    bytes.extend(body);
    let footer = BinlogEventFooter::default();
    let format = FormatDescriptionEvent::new(BinlogVersion::Version4).with_footer(footer);
    let Ok(event) = RawEvent::read(&format, bytes.as_slice()) else { return };
    let Some(Ok(mut payload)) = Payload::open(&event) else { return };
    while let Ok(Some(_)) = payload.next() {}
}
