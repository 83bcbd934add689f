//! Recorded rows that can be decoded and encoded again and again without a server: what the bench
//! measures and what the count of allocations looks at.

use std::collections::BTreeMap;

use mysql_async::binlog::{
    BinlogVersion,
    events::{Event, FormatDescriptionEvent},
};
use tailwater::{
    config::Config,
    decode::{Decoded, Decoder, Rows},
    encode::{Encoder, SchemaId, SchemaIds, TablePlan},
    map::map,
    model::{change::Operation, table::TableVersionId, value::RowImages as _},
};

/// What `tests/data/binlog/reference.sql` makes.
const RECORDING: &[u8] = include_bytes!("../data/binlog/reference.bin");

/// The name that the recording had on its server.
const FILE: &str = "binlog.000001";

const FORMAT_DESCRIPTION: u8 = 15;
const ROTATE: u8 = 4;
const GTID: u8 = 33;
const TABLE_MAP: u8 = 19;

/// One recorded source transaction: events of rows of one table and one operation.
pub(crate) struct Group {
    /// The table's name without its database.
    pub(crate) table: String,
    /// What happened to all rows.
    pub(crate) operation: Operation,
    /// How many rows.
    pub(crate) rows: u64,
    /// A ROTATE event that leads a decoder to the start of the transaction, then its events.
    pub(crate) events: Vec<Event>,
}

/// A decoder and an encoder that have seen every table of the recording.
pub(crate) struct Stages {
    decoder: Decoder,
    encoder: Encoder,
    plans: BTreeMap<TableVersionId, TablePlan>,
}

/// The recording's transactions with rows.
pub(crate) fn groups() -> Vec<Group> {
    let events = events();
    let starts: Vec<usize> = (0..events.len())
        .filter(|&at| raw_type(&events[at]) == GTID)
        .chain([events.len()])
        .collect();
    let mut stages = Stages::new("");
    let groups = starts.windows(2).filter_map(|ends| {
        let group = &events[ends[0]..ends[1]];
        group.iter().find(|event| raw_type(event) == TABLE_MAP)?;
        let header = group[0].header();
        let start = header.log_pos() - header.event_size();
        let events: Vec<Event> =
            [rotate_to(start, &events[0])].into_iter().chain(group.iter().cloned()).collect();
        let mut found = None;
        let mut count = 0;
        for event in &events {
            if let Decoded::Rows(mut rows) = stages.decoder.decode(event).unwrap() {
                found = Some((rows.table.name.table.clone(), rows.operation));
                count += read(&mut rows);
            }
        }
        let (table, operation) = found?;
        Some(Group { table, operation, rows: count, events })
    });
    groups.collect()
}

impl Stages {
    /// With these lines of the configuration's section `[format]`.
    pub(crate) fn new(format: &str) -> Self {
        let config: Config = toml::from_str(&format!(
            "name = \"shop\"\n\
             mysql = {{ host = \"localhost\", user = \"nobody\" }}\n\
             kafka = {{ bootstrap_servers = \"localhost:9092\" }}\n\
             schema_registry = {{ url = \"http://localhost:8081\" }}\n\
             [capture]\ntables = [\"*.*\"]\n[format]\n{format}"
        ))
        .unwrap();
        let mut decoder = Decoder::new(Box::new(|_| true), FILE.to_owned());
        let mut plans = BTreeMap::new();
        for event in &events() {
            if let Decoded::Rows(rows) = decoder.decode(event).unwrap() {
                let shape = map(rows.table, &config).unwrap();
                let ids = SchemaIds { key: Some(SchemaId(1)), value: SchemaId(2) };
                plans.insert(rows.version, TablePlan::compile(&shape, ids));
            }
        }
        Self { decoder, encoder: Encoder::new("shop", "0.1.0"), plans }
    }

    /// Checks and decodes the events and encodes their rows; returns the bytes of all messages.
    pub(crate) fn encode(&mut self, events: &[Event]) -> usize {
        let mut bytes = 0;
        for event in events {
            let Decoded::Rows(mut rows) = self.decoder.decode(event).unwrap() else { continue };
            let plan = &self.plans[&rows.version];
            self.encoder.start_event(plan, &rows.origin, 1_700_000_000_123_456_789);
            let mut row = 0;
            while rows.images.more() {
                let messages = self.encoder.row(plan, rows.operation, row, &mut rows.images);
                for message in messages.unwrap() {
                    bytes += message.key.map_or(0, <[u8]>::len);
                    bytes += message.value.map_or(0, <[u8]>::len);
                }
                row += 1;
            }
        }
        bytes
    }

    /// Checks and decodes the events and reads every value; returns the number of values.
    pub(crate) fn decode(&mut self, events: &[Event]) -> u64 {
        let mut values = 0;
        for event in events {
            if let Decoded::Rows(mut rows) = self.decoder.decode(event).unwrap() {
                values += read(&mut rows);
            }
        }
        values
    }
}

/// Reads all rows of an event; returns how many there are.
fn read(rows: &mut Rows<'_>) -> u64 {
    let images = if rows.operation == Operation::Update { 2 } else { 1 };
    let mut count = 0;
    while rows.images.more() {
        for _ in 0..images {
            rows.images.next_image().unwrap();
            for _ in &rows.table.columns {
                std::hint::black_box(rows.images.next_value().unwrap());
            }
        }
        count += 1;
    }
    count
}

fn raw_type(event: &Event) -> u8 {
    event.header().event_type_raw()
}

fn events() -> Vec<Event> {
    events_of(RECORDING)
}

/// The events of a binlog file as a stream yields them; no compressed ones.
pub(crate) fn events_of(file: &[u8]) -> Vec<Event> {
    let mut format = FormatDescriptionEvent::new(BinlogVersion::Version4);
    let mut rest = file.strip_prefix(b"\xfebin").unwrap();
    let mut events = Vec::new();
    while let Some(size) = rest.get(9..13) {
        let size = u32::from_le_bytes(size.try_into().unwrap());
        let (bytes, after) = rest.split_at(usize::try_from(size).unwrap());
        let event = Event::read(&format, bytes).unwrap();
        if raw_type(&event) == FORMAT_DESCRIPTION {
            format = event.read_event::<FormatDescriptionEvent<'_>>().unwrap().into_owned();
            format = format.with_footer(event.footer());
        }
        events.push(event);
        rest = after;
    }
    events
}

/// The event with which a server begins a stream at an offset of the file: made for the stream,
/// so in no file, but with a checksum.
fn rotate_to(offset: u32, format: &Event) -> Event {
    const ARTIFICIAL: u16 = 0x20;
    let mut data = u64::from(offset).to_le_bytes().to_vec();
    data.extend_from_slice(FILE.as_bytes());
    let size = u32::try_from(19 + data.len() + 4).unwrap();
    let mut bytes = vec![0; 4];
    bytes.push(ROTATE);
    bytes.extend_from_slice(&1_u32.to_le_bytes());
    bytes.extend_from_slice(&size.to_le_bytes());
    bytes.extend_from_slice(&0_u32.to_le_bytes());
    bytes.extend_from_slice(&ARTIFICIAL.to_le_bytes());
    bytes.extend_from_slice(&data);
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    let description = format.read_event::<FormatDescriptionEvent<'_>>().unwrap().into_owned();
    Event::read(&description.with_footer(format.footer()), &bytes[..]).unwrap()
}
