//! The frame of an event: its header, its checksum, and its place in the file.

use mysql_async::binlog::{BinlogChecksumAlg::BINLOG_CHECKSUM_ALG_CRC32, events::Event};

use super::event_type::{FORMAT_DESCRIPTION, HEARTBEAT, HEARTBEAT_V2, PREVIOUS_GTIDS, ROTATE};
use crate::{
    decode::{error::Problem, wire::Wire},
    model::position::FilePosition,
};

/// Bytes of an event's header.
const HEADER_BYTES: usize = 19;
/// Bytes of the magic number before a file's first event.
const FILE_HEADER_BYTES: u64 = 4;
/// CRC32's number as a checksum algorithm, the last byte that a format description's covers.
const CHECKSUM_CRC32: u8 = 1;

/// Header flag of the event that opens a file still being written; not part of the checksum.
const FLAG_IN_USE: u16 = 0x01;
/// Header flag of an event that the server made for this stream: it is in no file.
const FLAG_ARTIFICIAL: u16 = 0x20;
/// Header flag of an event that a reader may skip without knowing its type.
const FLAG_IGNORABLE: u16 = 0x80;

/// An event whose checksum is right: its header and its bytes after header, without checksum.
#[derive(Clone, Copy, Debug)]
pub(in crate::decode) struct Frame<'a> {
    pub(in crate::decode) event_type: u8,
    /// When the statement ran, in seconds since the epoch.
    pub(in crate::decode) timestamp: u32,
    pub(in crate::decode) server_id: u32,
    size: u32,
    /// The low 32 bits of where the event ends in its file; 0 for an artificial one.
    log_pos: u32,
    flags: u16,
    /// Whether the event came out of a TRANSACTION_PAYLOAD event.
    pub(in crate::decode) inside_payload: bool,
    pub(in crate::decode) data: &'a [u8],
}

/// Checks size and checksum.
pub(in crate::decode) fn check(event: &Event) -> Result<Frame<'_>, Problem> {
    let header = event.header();
    let footer = event.footer();
    let frame = Frame {
        event_type: header.event_type_raw(),
        timestamp: header.timestamp(),
        server_id: header.server_id(),
        size: header.event_size(),
        log_pos: header.log_pos(),
        flags: header.flags_raw(),
        // The stream reader takes the checksum off these by this flag, whatever the algorithm.
        inside_payload: !footer.get_checksum_enabled(),
        data: event.data(),
    };
    let is_format = frame.event_type == FORMAT_DESCRIPTION;
    let algorithm = footer.get_checksum_alg().map_err(|alg| Problem::ChecksumAlgorithm(alg.0))?;
    // A server before 5.6.1 names no algorithm, not even that there is none.
    let algorithm = algorithm.ok_or(Problem::OldServer)?;
    let checked = algorithm == BINLOG_CHECKSUM_ALG_CRC32 && !frame.inside_payload;
    let footer_bytes = match (is_format, checked) {
        // A format description names the algorithm and has a checksum's bytes even without one.
        (true, _) => 5,
        (false, true) => 4,
        (false, false) => 0,
    };
    let size = frame.data.len().checked_add(HEADER_BYTES + footer_bytes);
    if size != usize::try_from(frame.size).ok() {
        return Err(Problem::Malformed("its size is not that of its bytes"));
    }
    if checked {
        let expected = event.checksum().map(u32::from_le_bytes);
        if Some(frame.checksum(is_format)) != expected {
            return Err(Problem::Checksum);
        }
    }
    Ok(frame)
}

impl Frame<'_> {
    /// Whether a reader may skip the event without knowing its type.
    pub(in crate::decode) fn may_be_ignored(&self) -> bool {
        self.flags & FLAG_IGNORABLE != 0
    }

    /// Whether the server made the event for this stream only, so that it is in no file.
    pub(in crate::decode) fn is_artificial(&self) -> bool {
        self.flags & FLAG_ARTIFICIAL != 0 || self.log_pos == 0
    }

    /// CRC32 over the event as it is in the file, made from its parts.
    fn checksum(&self, is_format: bool) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        // The header's fields one behind the other: 4, 1, 4, 4, 4 and 2 bytes.
        let [.., last] = self.log_pos.to_le_bytes();
        let unchecked = if is_format { FLAG_IN_USE } else { 0 };
        let [flags_low, flags_high] = (self.flags & !unchecked).to_le_bytes();
        let first = u128::from(self.timestamp)
            | u128::from(self.event_type) << 32
            | u128::from(self.server_id) << 40
            | u128::from(self.size) << 72
            | u128::from(self.log_pos) << 104;
        hasher.update(&first.to_le_bytes());
        hasher.update(&[last, flags_low, flags_high]);
        hasher.update(self.data);
        if is_format {
            hasher.update(&[CHECKSUM_CRC32]);
        }
        hasher.finalize()
    }
}

/// Where the stream is: the end of the last event, counted in 64 bits.
///
/// The wire has 32 bits for an event's end, and a file can be longer than 4 GiB (one transaction
/// is never split over two files). The high half is counted here: an event's end lies behind its
/// start, so a smaller number means that the low half went around. A stream that begins by GTIDs
/// shows a file's beginning and then leaps to its first transaction, so what the leap's high half
/// is must be known from where the stream before ended. Where that is not known either, offsets
/// beyond 4 GiB are too small by a multiple of 4 GiB until the next file, which is why a start by
/// offset is refused there.
#[derive(Debug)]
pub(in crate::decode) struct Track {
    position: FilePosition,
    /// Where the TRANSACTION_PAYLOAD event starts whose inside is being read.
    payload_start: Option<u64>,
    /// Where the first transaction of the start's file is or behind it; 0 when it is not known or
    /// has been reached.
    resumed_from: u64,
    /// When the file was begun, in seconds since the epoch; `None` until its first event has come.
    begun: Option<u32>,
}

impl Track {
    pub(in crate::decode) fn new(start_file: String) -> Self {
        Self {
            position: FilePosition { file: start_file, offset: FILE_HEADER_BYTES },
            payload_start: None,
            resumed_from: 0,
            begun: None,
        }
    }

    /// A track on which this event, the last one of this track, is the next one.
    pub(in crate::decode) fn before(&self, event: &Event) -> Self {
        let mut position = self.position.clone();
        if self.payload_start.is_none() {
            position.offset = position.offset.saturating_sub(event.header().event_size().into());
        }
        let (payload_start, begun) = (self.payload_start, self.begun);
        Self { position, payload_start, resumed_from: 0, begun }
    }

    /// Sets the place in the start's file at or before the first transaction. A place that the wire
    /// can hold needs no setting.
    pub(in crate::decode) fn resumed_from(&mut self, offset: u64) {
        self.resumed_from = if u64::from(u32::MAX) < offset { offset } else { 0 };
    }

    /// The end of the last event.
    pub(in crate::decode) fn position(&self) -> &FilePosition {
        &self.position
    }

    /// Where in its file this event starts, after going to its end.
    ///
    /// Events of one transaction follow each other directly; between transactions the server
    /// leaves out what the GTID set of the request has.
    pub(in crate::decode) fn advance(
        &mut self,
        frame: &Frame<'_>,
        in_group: bool,
    ) -> Result<u64, Problem> {
        // An event inside a payload has no place of its own: it has the payload's.
        if frame.inside_payload {
            return self.payload_start.ok_or(Problem::Payload);
        }
        if matches!(frame.event_type, ROTATE | HEARTBEAT | HEARTBEAT_V2) || frame.is_artificial() {
            return Ok(self.position.offset);
        }
        if self.payload_start.is_some() {
            return Err(Problem::Payload);
        }
        if !matches!(frame.event_type, FORMAT_DESCRIPTION | PREVIOUS_GTIDS) {
            self.position.offset = self.position.offset.max(std::mem::take(&mut self.resumed_from));
        }
        let expected = self.position.offset;
        let end = extend(frame.log_pos, expected).ok_or(Problem::Malformed("its end"))?;
        let start = end.checked_sub(u64::from(frame.size)).ok_or(Problem::Malformed("its end"))?;
        if start < expected || (in_group && start != expected) {
            return Err(Problem::Gap { start, expected });
        }
        self.position.offset = end;
        Ok(start)
    }

    /// From here on events come out of the payload event that starts here.
    pub(in crate::decode) fn enter_payload(&mut self, start: u64) {
        self.payload_start = Some(start);
    }

    /// Whether events come out of a payload event.
    pub(in crate::decode) fn is_inside_payload(&self) -> bool {
        self.payload_start.is_some()
    }

    /// The payload's transaction has ended.
    pub(in crate::decode) fn leave_payload(&mut self) {
        self.payload_start = None;
    }

    /// Goes to the file that a ROTATE event names.
    pub(in crate::decode) fn rotate(&mut self, data: &[u8]) -> Result<(), Problem> {
        let mut wire = Wire(data);
        let offset = wire.u64()?;
        let file = std::str::from_utf8(wire.0).map_err(|_| Problem::Malformed("a file's name"))?;
        if file.is_empty() || file.contains('\0') {
            return Err(Problem::Malformed("a file's name"));
        }
        if file != self.position.file {
            self.resumed_from = 0;
        }
        file.clone_into(&mut self.position.file);
        self.position.offset = offset;
        self.begun = None;
        Ok(())
    }

    /// The file's first event. A stream that starts behind it shows it too, with its own time.
    pub(in crate::decode) fn begin_file(&mut self, time_s: u32) {
        self.begun = Some(time_s);
    }

    pub(in crate::decode) fn begun(&self) -> Option<u32> {
        self.begun
    }

    /// Goes to where a heartbeat says that the server is.
    ///
    /// One that names another file moves nothing: the ROTATE event that leads there comes first.
    pub(in crate::decode) fn heartbeat(&mut self, frame: &Frame<'_>) {
        if frame.data == self.position.file.as_bytes() {
            let offset = with_high_half(frame.log_pos, self.position.offset);
            self.position.offset = self.position.offset.max(offset);
        }
    }
}

/// The first number not below `from` whose low half is `low`.
fn extend(low: u32, from: u64) -> Option<u64> {
    let near = with_high_half(low, from);
    if near >= from { Some(near) } else { near.checked_add(1 << 32) }
}

fn with_high_half(low: u32, from: u64) -> u64 {
    from & !u64::from(u32::MAX) | u64::from(low)
}
