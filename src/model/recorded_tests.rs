//! Records of the state topic as builds wrote them, in `tests/data/state_topic`:
//! a connector that starts today resumes from any of them.
//!
//! A line is a name, a tab and the bytes of a record. Lines are added and never changed: a build
//! that writes a record differently has still to read the one that is there.

use std::{collections::BTreeMap, fmt::Debug, path::Path};

/// Compares the records of a file with their values: each line must be read as its value, and the
/// value must be written as that line.
pub(crate) fn check<T: Debug + PartialEq>(
    file: &str,
    values: &[(&str, T)],
    write: impl Fn(&T) -> Vec<u8>,
    read: impl Fn(&[u8]) -> T,
) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/state_topic").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut lines: BTreeMap<&str, &str> =
        lines.map(|line| line.split_once('\t').unwrap()).collect();
    let mut missing = Vec::new();
    for (name, value) in values {
        let written = String::from_utf8(write(value)).unwrap();
        match lines.remove(name) {
            None => missing.push(format!("{name}\t{written}")),
            Some(line) => {
                assert_eq!(read(line.as_bytes()), *value, "{file}: {name}");
                assert_eq!(written, line, "{file}: {name}");
            }
        }
    }
    assert!(missing.is_empty(), "{file} has no line for these records:\n{}", missing.join("\n"));
    assert!(lines.is_empty(), "{file} has records without a value: {lines:?}");
}
