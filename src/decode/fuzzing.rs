//! Entry points for the fuzz targets in `fuzz/`: private parts of this stage, each fed with
//! arbitrary bytes. They exist only with `--cfg fuzzing`.
//!
//! Each function must return for every input, in time and memory proportional to its length; its
//! result does not matter.

use mysql_async::binlog::{
    BinlogChecksumAlg, BinlogVersion,
    events::{BinlogEventFooter, Event, FormatDescriptionEvent},
};

use super::{
    Decoded, Decoder, JsonText,
    event::event_type::{GTID, QUERY, TABLE_MAP},
    json::{diff::write_changed, text::write_document},
    row::decimal::Shape,
    table::table_map::TableMap,
    wire::Wire,
};
use crate::model::{change::Operation, value::RowImages as _};

/// Bytes of an event's header.
const HEADER_BYTES: usize = 19;

/// A single event, header and all: one byte says in its lowest bit whether a checksum is made for
/// it, the rest is the event. Its size is put right, as the stream reader has done before.
pub fn framing(input: &[u8]) {
    let Some((options, event)) = input.split_first() else { return };
    let is_checked = options & 1 == 1;
    let mut bytes = event.to_vec();
    let size = bytes.len() + if is_checked { 4 } else { 0 };
    let Ok(size) = u32::try_from(size) else { return };
    if bytes.len() < HEADER_BYTES {
        return;
    }
    if let Some(field) = bytes.get_mut(9..13) {
        field.copy_from_slice(&size.to_le_bytes());
    }
    if is_checked {
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    }
    let algorithm = if is_checked {
        BinlogChecksumAlg::BINLOG_CHECKSUM_ALG_CRC32
    } else {
        BinlogChecksumAlg::BINLOG_CHECKSUM_ALG_OFF
    };
    let footer = BinlogEventFooter::new(algorithm);
    let format = FormatDescriptionEvent::new(BinlogVersion::Version4).with_footer(footer);
    if let Ok(event) = Event::read(&format, bytes.as_slice()) {
        take(&mut decoder(), &event);
    }
}

/// A stream of events: for each one its type, the length of its body in two bytes, the body.
/// Headers are made for them.
pub fn events(input: &[u8]) {
    let mut stream = Stream::new();
    let mut wire = Wire(input);
    while let Ok(event_type) = wire.u8() {
        let Ok(length) = wire.u16() else { return };
        let body = wire.take(usize::from(length)).unwrap_or(wire.0);
        if !stream.add(event_type, body) {
            return;
        }
    }
}

/// A TABLE_MAP event's body.
pub fn table_map(input: &[u8]) {
    if let Ok(map) = TableMap::split(input) {
        let _ = map.name_bytes();
        let _ = map.table(JsonText::Mysql);
    }
}

/// A rows event's type, the length of its TABLE_MAP event's body in two bytes, that body, and the
/// rows event's own.
pub fn rows(input: &[u8]) {
    let mut wire = Wire(input);
    let (Ok(event_type), Ok(length)) = (wire.u8(), wire.u16()) else { return };
    let Ok(map) = wire.take(usize::from(length)) else { return };
    let mut stream = Stream::new();
    let begin = b"\x07\0\0\0\0\0\0\0\0\0\0\0\0\0BEGIN";
    let _ = stream.add(GTID, &[1; 25])
        && stream.add(QUERY, begin)
        && stream.add(TABLE_MAP, map)
        && stream.add(event_type, wire.0);
}

/// A JSON document.
pub fn json(input: &[u8]) {
    for form in [JsonText::Compact, JsonText::Mysql] {
        let mut out = String::new();
        if write_document(input, form, &mut out).is_ok() {
            assert!(out.len() <= 6 * input.len() + 32, "a text of {} bytes", out.len());
        }
    }
}

/// The length of a JSON document in two bytes, the document, changes of it.
pub fn json_diff(input: &[u8]) {
    let mut wire = Wire(input);
    let Ok(length) = wire.u16() else { return };
    let Ok(document) = wire.take(usize::from(length)) else { return };
    let mut out = String::new();
    if write_changed(document, wire.0, JsonText::Mysql, &mut out).is_ok() {
        assert!(out.len() <= 12 * input.len() + 64, "a text of {} bytes", out.len());
    }
}

/// Precision and scale of a DECIMAL, then its bytes.
pub fn decimal(input: &[u8]) {
    let mut wire = Wire(input);
    let (Ok(precision), Ok(scale)) = (wire.u8(), wire.u8()) else { return };
    let Some(shape) = Shape::new(precision, scale) else { return };
    if let Ok(decimal) = shape.read(&mut wire) {
        let text = decimal.to_text(scale);
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        assert!(digits <= usize::from(precision.max(scale + 1)), "{digits} digits");
        let bytes = *decimal.to_twos_complement(&mut [0; 32]).first_chunk::<1>().unwrap_or(&[0]);
        assert_eq!(decimal.negative && !decimal.is_zero(), bytes[0] >= 0x80);
    }
}

fn decoder() -> Decoder {
    Decoder::new(Box::new(|_| true), "binlog.000001".into())
}

/// Events of one file, one behind the other.
struct Stream {
    decoder: Decoder,
    format: FormatDescriptionEvent<'static>,
    offset: u32,
}

impl Stream {
    fn new() -> Self {
        let format = FormatDescriptionEvent::new(BinlogVersion::Version4);
        Self { decoder: decoder(), format, offset: 4 }
    }

    /// Adds an event; `false` when the stream has ended.
    fn add(&mut self, event_type: u8, body: &[u8]) -> bool {
        let size = u32::try_from(HEADER_BYTES + body.len()).unwrap_or(0);
        self.offset = self.offset.wrapping_add(size);
        let mut bytes = vec![0, 0, 0, 100, event_type, 1, 0, 0, 0];
        bytes.extend(size.to_le_bytes());
        bytes.extend(self.offset.to_le_bytes());
        bytes.extend([0, 0]);
        bytes.extend(body);
        Event::read(&self.format, bytes.as_slice())
            .is_ok_and(|event| take(&mut self.decoder, &event))
    }
}

/// Decodes an event and reads all that it holds; `false` for an error.
fn take(decoder: &mut Decoder, event: &Event) -> bool {
    match decoder.decode(event) {
        Ok(Decoded::Rows(mut rows)) => {
            let images = if rows.operation == Operation::Update { 2 } else { 1 };
            while rows.images.more() {
                for image in 0..images {
                    if rows.images.next_image().is_err() {
                        return false;
                    }
                    for column in 0..rows.table.columns.len() {
                        // Some columns are gone over: what that does must not differ.
                        let is_skipped = (image + column) % 3 == 2;
                        let is_bad = if is_skipped {
                            rows.images.skip_value().is_err()
                        } else {
                            rows.images.next_value().is_err()
                        };
                        if is_bad {
                            return false;
                        }
                    }
                }
            }
            true
        }
        Ok(_) => true,
        Err(error) => {
            // The message is made too.
            assert!(!error.to_string().is_empty());
            false
        }
    }
}
