//! Makes `corpus/<target>/` from the recorded binlogs, for the fuzz targets to start from.
//!
//! `cargo +nightly run --example seeds`, in this folder.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

const TABLE_MAP: u8 = 19;
const ROWS: std::ops::RangeInclusive<u8> = 30..=32;
const PARTIAL_UPDATE_ROWS: u8 = 39;
const TRANSACTION_PAYLOAD: u8 = 40;
const XID: u8 = 16;
const ROTATE: u8 = 4;
const JSON: u8 = 245;
const HEADER_BYTES: usize = 19;
/// Larger seeds only slow the fuzzer down.
const SEED_BYTES_MAX: usize = 4096;

fn main() {
    let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/binlog");
    for entry in fs::read_dir(recordings).expect("the recordings") {
        let path = entry.expect("a recording").path();
        if path.extension().is_some_and(|extension| extension == "bin") {
            seed(&fs::read(&path).expect("a readable recording"));
        }
    }
    for (index, text) in [
        "0e4d5dcd-a33b-11ea-80f1-02010a22a99e:1-5:7",
        "0e4d5dcd-a33b-11ea-80f1-02010a22a99e:blue:1-9223372036854775806,\n\
         4c1a2b3d-a33b-11ea-80f1-02010a22a99e:3:tag_1:4-5",
    ]
    .iter()
    .enumerate()
    {
        write("gtid_set", &format!("{index}"), text.as_bytes());
    }
    let position = include_bytes!("position.json");
    write("position", "position", position);
    // -12345678.90 and 10^29 + 0.5.
    write("decimal", "narrow", b"\x0a\x02\x7f\x43\x9e\xb1\xa5");
    write("decimal", "wide", &[&[65, 30, 0x80][..], &[1; 30]].concat());
}

/// Seeds of one file's events.
fn seed(file: &[u8]) {
    let mut rest = file.strip_prefix(b"\xfebin").expect("a binlog");
    let mut maps = BTreeMap::new();
    let mut stream = Vec::new();
    while let Some(size) = rest.get(9..13) {
        let size = u32::from_le_bytes(size.try_into().expect("four bytes"));
        let (event, after) = rest.split_at(usize::try_from(size).expect("a size"));
        rest = after;
        // The format description names the checksum's algorithm; recordings have one but a few.
        let event_type = event[4];
        let body = &event[HEADER_BYTES..event.len().saturating_sub(4).max(HEADER_BYTES)];
        write("framing", &format!("type-{event_type}"), &[&[0], event].concat());
        let length = u16::try_from(body.len()).unwrap_or(u16::MAX).to_le_bytes();
        if event_type != ROTATE {
            stream.push(event_type);
            stream.extend(length);
            stream.extend(&body[..body.len().min(usize::from(u16::MAX))]);
        }
        if event_type == TRANSACTION_PAYLOAD {
            write_numbered("payload", &[&[0], body].concat());
            write_numbered("payload", &[&[1], &file[4..file.len().min(SEED_BYTES_MAX)]].concat());
        }
        if event_type == XID {
            write_numbered("events", &stream);
            stream.clear();
        }
        let table_id = body.get(..6).unwrap_or_default().to_vec();
        if event_type == TABLE_MAP {
            write_numbered("table_map", body);
            maps.insert(table_id, body);
        } else if (ROWS.contains(&event_type) || event_type == PARTIAL_UPDATE_ROWS)
            && let Some(map) = maps.get(&table_id)
        {
            let length = u16::try_from(map.len()).expect("a short TABLE_MAP").to_le_bytes();
            write_numbered("rows", &[&[event_type][..], &length, map, body].concat());
            if map.contains(&JSON) {
                documents(body);
            }
        }
    }
}

/// Wherever four bytes could be a document's length, what follows them is a seed.
fn documents(body: &[u8]) {
    for (at, length) in body.windows(4).enumerate() {
        let length = u32::from_le_bytes(length.try_into().expect("four bytes"));
        let Some(document) =
            usize::try_from(length).ok().and_then(|length| body.get(at + 4..)?.get(..length))
        else {
            continue;
        };
        if document.len() > 8 && document[0] < 16 {
            write_numbered("json", document);
            let changes = b"\0\x06$[0].a\x03\x05\x07\0\x01\x03$.b\x02\x04\0\x02\x05$.\"c\"";
            let length = u16::try_from(document.len()).unwrap_or(u16::MAX).to_le_bytes();
            write_numbered("json_diff", &[&length[..], document, changes].concat());
        }
    }
}

fn write_numbered(target: &str, bytes: &[u8]) {
    let name = bytes.iter().fold(0_u64, |sum, byte| {
        sum.wrapping_mul(0x0100_0000_01b3).wrapping_add(u64::from(*byte) + 1)
    });
    write(target, &format!("{name:016x}"), bytes);
}

fn write(target: &str, name: &str, bytes: &[u8]) {
    if bytes.len() > SEED_BYTES_MAX {
        return;
    }
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder).expect("a folder for seeds");
    fs::write(folder.join(name), bytes).expect("a seed");
}
