//! The inside of a compressed transaction, one event after the other.
//!
//! `binlog_transaction_compression` puts a transaction's events into one TRANSACTION_PAYLOAD event
//! (MySQL source, `libs/mysql/binlog/event/transaction_payload_event.h`). Its size says nothing
//! about theirs: a few KiB can hold a GiB. So it is expanded as a stream. Memory holds one event of
//! the inside, and the window that the compression looks back on: 2 MiB at the server's default
//! level, 128 MiB at its highest (`binlog_transaction_compression_level_zstd`).

use std::io::{BufRead as _, BufReader, Cursor, Read as _};

use mysql_async::binlog::events::FormatDescriptionEvent;

use super::RawEvent;

/// The type of the event around a compressed transaction.
const TRANSACTION_PAYLOAD: u8 = 40;

/// Bytes of an event's header.
const HEADER_BYTES: usize = 19;

/// The largest event: as outside of a payload, where it is a packet.
const EVENT_BYTES_MAX: u64 = 1 << 30;

/// Most bytes of a buffer that is kept from one event to the next.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// What a field of the payload's header is (`Transaction_payload_event::Fields`).
mod field {
    pub(super) const END: u64 = 0;
    pub(super) const SIZE: u64 = 1;
    pub(super) const COMPRESSION: u64 = 2;
    pub(super) const EXPANDED_SIZE: u64 = 3;
}

/// How a payload is compressed (MySQL source, `libs/mysql/binlog/event/compression/base.h`).
const ZSTD: u64 = 0;

/// A payload that is being read.
pub(super) struct Payload {
    inside: BufReader<zstd::Decoder<'static, BufReader<Cursor<Vec<u8>>>>>,
    /// What the payload says that is left of its inside.
    left_bytes: u64,
    /// The format of the events inside: that of the stream, without checksums.
    format: FormatDescriptionEvent<'static>,
    buffer: Vec<u8>,
    /// Where the payload ends in its file.
    end: u64,
}

impl Payload {
    /// Opens the event if it is a compressed transaction.
    pub(super) fn open(event: &RawEvent) -> Option<Result<Self, String>> {
        (event.header().event_type_raw() == TRANSACTION_PAYLOAD).then(|| {
            Self::parse(event).map_err(|problem| format!("a compressed transaction {problem}"))
        })
    }

    fn parse(event: &RawEvent) -> Result<Self, String> {
        let (mut size, mut compression, mut expanded) = (None, None, None);
        let mut rest = event.data();
        loop {
            let kind = length_encoded(&mut rest).ok_or(CUT_SHORT)?;
            if kind == field::END {
                break;
            }
            let bytes = length_encoded(&mut rest).and_then(|bytes| usize::try_from(bytes).ok());
            let split = bytes.and_then(|bytes| rest.split_at_checked(bytes));
            let (mut value, after) = split.ok_or(CUT_SHORT)?;
            rest = after;
            let slot = match kind {
                field::SIZE => &mut size,
                field::COMPRESSION => &mut compression,
                field::EXPANDED_SIZE => &mut expanded,
                // The server's own reader skips fields that it does not know.
                _ => continue,
            };
            *slot = Some(length_encoded(&mut value).ok_or(CUT_SHORT)?);
        }
        if size != u64::try_from(rest.len()).ok() {
            return Err("states another size than it has".to_owned());
        }
        if compression != Some(ZSTD) {
            return Err(format!("is compressed as {compression:?}, not as zstd"));
        }
        let failed = |error| format!("does not expand: {error}");
        let inside = zstd::Decoder::new(Cursor::new(rest.to_vec())).map_err(failed)?;
        let mut footer = event.fde().footer();
        footer.set_checksum_enabled(false);
        Ok(Self {
            inside: BufReader::new(inside),
            left_bytes: expanded.ok_or("does not state its expanded size")?,
            format: event.fde().clone().with_footer(footer),
            buffer: Vec::new(),
            end: event.header().log_pos().into(),
        })
    }

    /// Where it ends in its file, as its header states it.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The next event, `None` behind the last one.
    pub(super) fn next(&mut self) -> Result<Option<RawEvent>, String> {
        self.read().map_err(|problem| format!("the inside of a compressed transaction {problem}"))
    }

    fn read(&mut self) -> Result<Option<RawEvent>, String> {
        let failed = |error| format!("does not expand: {error}");
        if self.inside.fill_buf().map_err(failed)?.is_empty() {
            let is_whole = self.left_bytes == 0;
            return if is_whole { Ok(None) } else { Err(CUT_SHORT.to_owned()) };
        }
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BYTES_MAX);
        self.append(HEADER_BYTES)?;
        let stated = self.buffer.get(9..).and_then(<[u8]>::first_chunk);
        let size = stated.map_or(0, |bytes| u32::from_le_bytes(*bytes));
        if self.left_bytes.min(EVENT_BYTES_MAX) < u64::from(size) {
            return Err(format!("has an event that states {size} bytes, more than there can be"));
        }
        let body = usize::try_from(size).ok().and_then(|size| size.checked_sub(HEADER_BYTES));
        self.append(body.ok_or("has an event without a header")?)?;
        self.left_bytes -= u64::from(size);
        let event = RawEvent::read(&self.format, self.buffer.as_slice()).map_err(failed)?;
        if event.header().event_type_raw() == TRANSACTION_PAYLOAD {
            return Err("has another one in it".to_owned());
        }
        Ok(Some(event))
    }

    /// Reads so many bytes behind those in the buffer. It grows by what comes, not by what an event
    /// states.
    fn append(&mut self, bytes: usize) -> Result<(), String> {
        let limit = u64::try_from(bytes).unwrap_or(u64::MAX);
        let read = (&mut self.inside).take(limit).read_to_end(&mut self.buffer);
        let read = read.map_err(|error| format!("does not expand: {error}"))?;
        if read < bytes { Err(CUT_SHORT.to_owned()) } else { Ok(()) }
    }
}

const CUT_SHORT: &str = "is cut short";

/// A number of one to nine bytes (MySQL manual of its source, "Protocol::LengthEncodedInteger").
fn length_encoded(bytes: &mut &[u8]) -> Option<u64> {
    let (&first, rest) = bytes.split_first()?;
    let length = match first {
        0..=0xfa => {
            *bytes = rest;
            return Some(first.into());
        }
        0xfc => 2,
        0xfd => 3,
        0xfe => 8,
        _ => return None,
    };
    let (number, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(number.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

#[cfg(test)]
#[path = "payload_tests.rs"]
mod tests;
