//! Damaged events: whatever the bytes are, the answer is a value or an error.

use mysql_async::binlog::{
    BinlogVersion,
    events::{Event, FormatDescriptionEvent},
};
use proptest::prelude::*;

use super::{
    Decoded, Problem,
    event::event_type::{FORMAT_DESCRIPTION, ROTATE},
    recorded::{RECORDINGS, decoder, events, lines, raw_events, recording},
};

/// The place of an event's size in its header: the stream reader notices damage there.
const SIZE_FIELD: std::ops::Range<usize> = 9..13;

#[test]
fn every_flipped_bit_is_found_by_the_checksum() {
    for name in ["grammar", "strings"] {
        let mut format = FormatDescriptionEvent::new(BinlogVersion::Version4);
        for raw in raw_events(recording(name)) {
            let event = Event::read(&format, raw).unwrap();
            let is_format = event.header().event_type_raw() == FORMAT_DESCRIPTION;
            if is_format {
                format = event.read_event::<FormatDescriptionEvent<'_>>().unwrap().into_owned();
                format = format.with_footer(event.footer());
            }
            for at in (0..raw.len()).filter(|at| !SIZE_FIELD.contains(at)) {
                // The flag of a file in use changes behind the checksum's back.
                if is_format && at == 17 {
                    continue;
                }
                let mut bytes = raw.to_vec();
                bytes[at] ^= 1 << (at % 8);
                let damaged = Event::read(&format, bytes.as_slice()).unwrap();
                let error = decoder(&[]).decode(&damaged).unwrap_err();
                // A format description has its own version and checksum algorithm.
                let was_format = damaged.header().event_type_raw() == FORMAT_DESCRIPTION;
                let is_found = matches!(error.problem(), Problem::Checksum);
                assert!(is_found || is_format || was_format, "byte {at} of {raw:?}: {error}");
            }
        }
    }
}

/// One way to damage an event's body.
#[derive(Clone, Debug)]
enum Damage {
    Cut(prop::sample::Index),
    Flip(Vec<(prop::sample::Index, u8)>),
    Insert(prop::sample::Index, Vec<u8>),
    Zero(prop::sample::Index, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        index().prop_map(Damage::Cut),
        prop::collection::vec((index(), 0_u8..8), 1..4).prop_map(Damage::Flip),
        (index(), prop::collection::vec(any::<u8>(), 1..12))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (index(), any::<u8>()).prop_map(|(at, count)| Damage::Zero(at, count)),
    ]
}

impl Damage {
    fn apply(&self, data: &mut Vec<u8>) {
        if data.is_empty() {
            return;
        }
        match self {
            Self::Cut(at) => data.truncate(at.index(data.len())),
            Self::Flip(bits) => {
                for (at, bit) in bits {
                    let at = at.index(data.len());
                    data[at] ^= 1 << bit;
                }
            }
            Self::Insert(at, bytes) => {
                let at = at.index(data.len());
                data.splice(at..at, bytes.iter().copied());
            }
            Self::Zero(at, count) => {
                let at = at.index(data.len());
                data.iter_mut().skip(at).take(usize::from(*count)).for_each(|byte| *byte = 0xff);
            }
        }
    }
}

/// The event with another body, at the same place and without checksum.
fn with_body(event: &Event, data: &[u8]) -> Event {
    let header = event.header();
    let size = u32::try_from(19 + data.len()).unwrap();
    let end = header.log_pos() - header.event_size() + size;
    let mut bytes = header.timestamp().to_le_bytes().to_vec();
    bytes.push(header.event_type_raw());
    for number in [header.server_id(), size, end] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(header.flags_raw().to_le_bytes());
    bytes.extend(data);
    Event::read(&FormatDescriptionEvent::new(BinlogVersion::Version4), bytes.as_slice()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn a_damaged_event_is_a_value_or_an_error(
        recording in 0..RECORDINGS.len(),
        target in any::<prop::sample::Index>(),
        damage in damage(),
    ) {
        let events = events(RECORDINGS[recording].1);
        let target = target.index(events.len());
        let mut decoder = decoder(&[]);
        for (index, event) in events.iter().enumerate() {
            let kind = event.header().event_type_raw();
            let is_inside = !event.footer().get_checksum_enabled();
            let mut damaged = None;
            if index == target && kind != FORMAT_DESCRIPTION && kind != ROTATE && !is_inside {
                let mut data = event.data().to_vec();
                damage.apply(&mut data);
                damaged = Some(with_body(event, &data));
            }
            match decoder.decode(damaged.as_ref().unwrap_or(event)) {
                Ok(Decoded::Rows(mut rows)) => {
                    if lines(&mut rows).is_err() {
                        return Ok(());
                    }
                }
                Ok(_) => {}
                Err(_) => return Ok(()),
            }
        }
    }
}
