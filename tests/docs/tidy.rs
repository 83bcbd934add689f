//! Holds the source to the rules of its architecture, those that a compiler does not know.
//!
//! Imports point down only and no stage knows another; each external crate has its place; every
//! file opens with what it is for and stays short. A rule is a function from a file to complaints,
//! so that each can be tested on a planted violation.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::tidy_types::{MethodFiles, Types, contents, named_twice, note_methods, spread};

/// A module of the program and the modules it may import, in the order of `lib.rs`.
struct Module(&'static str, &'static [&'static [&'static str]]);

const GROUND: &[&str] = &["model", "error"];
const SERVICES: &[&str] =
    &["config", "metrics", "runtime", "shutdown", "patience", "status", "requests", "failpoints"];
const STAGES: &[&str] =
    &["mysql", "catalog", "decode", "map", "encode", "produce", "state", "snapshot", "admin"];

const MODULES: &[Module] = &[
    Module("model", &[]),
    Module("error", &[]),
    Module("charset", &[]),
    Module("config", &[GROUND]),
    Module("shutdown", &[GROUND]),
    Module("patience", &[GROUND]),
    Module("runtime", &[GROUND]),
    Module("logging", &[GROUND, &["runtime"]]),
    Module("metrics", &[GROUND]),
    Module("status", &[GROUND]),
    Module("requests", &[GROUND]),
    Module("failpoints", &[GROUND]),
    Module("mysql", &[GROUND, SERVICES]),
    Module("catalog", &[GROUND, SERVICES, &["mysql"]]),
    Module("decode", &[GROUND, SERVICES, &["charset"]]),
    Module("map", &[GROUND, SERVICES]),
    Module("encode", &[GROUND, SERVICES]),
    Module("produce", &[GROUND, SERVICES]),
    Module("state", &[GROUND, SERVICES]),
    Module("snapshot", &[GROUND, SERVICES, &["catalog", "charset", "mysql"]]),
    Module("admin", &[GROUND, SERVICES]),
    // With the words of the position, of commits and, in its tests, of chunks.
    Module("protocol", &[GROUND, SERVICES, &["state", "produce", "snapshot"]]),
    Module("pipeline", &[GROUND, SERVICES, STAGES, &["protocol"]]),
    Module("cli", &[GROUND, SERVICES, STAGES, &["logging", "pipeline"]]),
    Module("main", &[&["cli"]]),
    Module("lib", &[]),
];

/// Where the program may use a crate: paths as they stand in the text, and modules.
const CRATES: &[(&str, &[&str])] = &[
    ("mysql_async::binlog", &["mysql", "catalog", "snapshot", "decode"]),
    ("mysql_async", &["mysql", "catalog", "snapshot"]),
    ("mysql_common", &["mysql", "decode"]),
    ("openssl", &["mysql", "admin"]),
    ("rdkafka", &["produce", "state"]),
    ("rdkafka_sys", &["produce"]),
    ("apache_avro", &[]),
    ("reqwest", &["encode", "admin"]),
    ("axum", &["admin"]),
    ("hyper", &["admin"]),
    ("hyper_util", &["admin"]),
    ("indicatif", &["cli"]),
    ("clap", &["cli"]),
    ("console", &["cli"]),
    ("nix", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("prometheus_client", &["metrics"]),
    ("zstd", &["mysql"]),
];

/// Words that may stand in the code of a few places only.
const WORDS: &[(&str, &[&str])] = &[
    ("unsafe ", &["src/produce/librdkafka"]),
    ("(unsafe_code", &["src/produce/librdkafka"]),
    (
        "env::var",
        &[
            "src/config",
            "src/mysql/buffer_cap.rs",
            "xtask/src/environment.rs",
            "testkit/src/environment.rs",
            "testkit/src/connector.rs",
        ],
    ),
    // A session that is not set up gives other answers: see `src/mysql/session.rs`.
    ("Conn::", &["src/mysql/connection.rs", "testkit/src/database.rs"]),
    ("process::exit", &["src/main.rs"]),
    ("#[ignore", &[]),
];

/// Words that must not even stand in a comment.
const NOTES: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

/// Where records of the state topic are made: what a name in the code may not change.
const RECORDS: [&str; 4] =
    ["src/state", "src/snapshot", "src/pipeline/tables/history.rs", "src/model"];

const LINES_MAX: usize = 500;

/// A source file: its path from the workspace's folder, and its text.
pub(super) struct File<'a> {
    pub(super) path: &'a str,
    pub(super) text: &'a str,
}

#[test]
fn the_source_keeps_the_rules() {
    let mut complaints = Vec::new();
    let mut types = Types::new();
    let mut methods = MethodFiles::new();
    let mut count = 0;
    for folder in ["src", "tests", "testkit", "xtask", "benches"] {
        visit(Path::new(folder), &mut |path, text| {
            count += 1;
            let file = File { path, text };
            complaints.extend(complain(&file));
            complaints.extend(named_twice(&mut types, &file));
            note_methods(&mut methods, &file);
        });
    }
    complaints.extend(spread(&methods));
    assert!(count > 20, "only {count} files were found");
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn visit(folder: &Path, look: &mut impl FnMut(&str, &str)) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut entries: Vec<_> =
        fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap()).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = folder.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            visit(&path, look);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            look(path.to_str().unwrap(), &fs::read_to_string(entry.path()).unwrap());
        }
    }
}

fn complain(file: &File<'_>) -> Vec<String> {
    let rules = [header, length, contents, imports, crates, words, records, notes];
    let complaints = rules.iter().flat_map(|rule| rule(file));
    complaints.map(|complaint| format!("{}: {complaint}", file.path)).collect()
}

fn header(file: &File<'_>) -> Vec<String> {
    let is_missing = !file.text.starts_with("//! ");
    is_missing.then(|| "does not open with `//!` and what it is for".into()).into_iter().collect()
}

fn length(file: &File<'_>) -> Vec<String> {
    let lines = file.text.lines().count();
    let is_long = LINES_MAX < lines;
    is_long.then(|| format!("has {lines} lines, at most {LINES_MAX}")).into_iter().collect()
}

/// Links in documentation count too: a reader of a lower module need not know the upper one.
fn imports(file: &File<'_>) -> Vec<String> {
    let Some(module) = module_of(file.path) else { return Vec::new() };
    let Some(Module(_, allowed)) = MODULES.iter().find(|Module(name, _)| *name == module) else {
        return vec![format!("module `{module}` has no place in the table of imports")];
    };
    let mut imported = imported(file.text, "crate::");
    if module == "main" {
        imported.extend(self::imported(file.text, "tailwater::"));
    }
    // `super` from the own file of a module at the top leads to the crate's root, but not from a
    // module inside of it.
    if file.path == format!("src/{module}/mod.rs") {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(module);
        imported.extend(self::imported(file.text, "super::").into_iter().filter(|name| {
            !folder.join(format!("{name}.rs")).exists() && !folder.join(name).exists()
        }));
    }
    imported
        .into_iter()
        .filter(|name| MODULES.iter().any(|Module(known, _)| known == name))
        .filter(|name| name != module && !allowed.iter().any(|names| names.contains(&&**name)))
        .map(|name| format!("`{module}` must not import `{name}`"))
        .collect()
}

/// The module at the top level that a file of the program belongs to.
fn module_of(path: &str) -> Option<&str> {
    let path = path.strip_prefix("src/")?;
    Some(path.split_once('/').map_or(path.strip_suffix(".rs")?, |(folder, _)| folder))
}

/// The first names after each `prefix` in the text; of `prefix{…}` the first of each part.
fn imported(text: &str, prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (start, _) in text.match_indices(prefix) {
        let before = text[..start].chars().next_back();
        if before.is_some_and(|character| character.is_alphanumeric() || character == '_') {
            continue;
        }
        let rest = &text[start + prefix.len()..];
        match rest.strip_prefix('{') {
            None => names.extend(identifier(rest)),
            Some(group) => names.extend(parts(group).into_iter().filter_map(identifier)),
        }
    }
    names
}

/// The parts of a group between commas, up to its closing brace; groups inside stay whole.
fn parts(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (index, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&group[start..index]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts
}

pub(super) fn identifier(text: &str) -> Option<String> {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

fn crates(file: &File<'_>) -> Vec<String> {
    let Some(module) = module_of(file.path) else { return Vec::new() };
    if file.path.ends_with("tests.rs") {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    for line in file.text.lines().map(code) {
        let used = CRATES.iter().find(|(name, _)| {
            line.match_indices(name).any(|(start, _)| {
                let before = line[..start].chars().next_back();
                let after = &line[start + name.len()..];
                before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '"')
                    && (after.starts_with("::") || line.starts_with("use "))
            })
        });
        if let Some((name, modules)) = used
            && !modules.contains(&module)
        {
            complaints.push(format!("`{module}` must not use the crate `{name}`: {}", line.trim()));
        }
    }
    complaints
}

fn words(file: &File<'_>) -> Vec<String> {
    if file.path == "tests/docs/tidy.rs" {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    for line in file.text.lines().map(code) {
        for (word, places) in WORDS {
            if line.contains(word) && !places.iter().any(|place| file.path.starts_with(place)) {
                complaints.push(format!("`{word}` has no place here: {}", line.trim()));
            }
        }
    }
    complaints
}

/// `{:?}` prints names of the code. In the state topic a renamed variant would be another table.
fn records(file: &File<'_>) -> Vec<String> {
    if !RECORDS.iter().any(|place| file.path.starts_with(place)) || file.path.ends_with("tests.rs")
    {
        return Vec::new();
    }
    let tested = file.text.find("#[cfg(test)]").unwrap_or(file.text.len());
    let lines = file.text[..tested].lines().map(code);
    lines
        .filter(|line| line.contains(":?}"))
        .map(|line| format!("`{{:?}}` must not reach a record, see `stored_text`: {}", line.trim()))
        .collect()
}

fn notes(file: &File<'_>) -> Vec<String> {
    let noted = NOTES.iter().filter(|note| file.text.contains(*note));
    noted.map(|note| format!("{note}: do it, or file it as an issue")).collect()
}

/// A line without the comment at its end.
pub(super) fn code(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

/// A planted violation gives exactly this complaint; `None` is a file in order.
#[track_caller]
pub(super) fn check(path: &str, text: &str, expected: Option<&str>) {
    let complaints = complain(&File { path, text: &format!("//! Planted.\n{text}") });
    match expected {
        None => assert!(complaints.is_empty(), "{complaints:?}"),
        Some(words) => {
            assert_eq!(complaints.len(), 1, "{complaints:?}");
            assert!(complaints[0].contains(words), "{complaints:?}");
        }
    }
}

#[test]
fn an_import_that_points_up_or_sideways_is_refused() {
    check("src/map/topics.rs", "use crate::model::table::TableName;", None);
    check("src/model/table.rs", "use crate::config::Config;", Some("must not import `config`"));
    check("src/map/topics.rs", "use crate::encode::Plan;", Some("`map` must not import `encode`"));
    check("src/catalog/mod.rs", "use crate::mysql::connect;", None);
    check("src/mysql/mod.rs", "use super::catalog::X;", Some("must not import `catalog`"));
    check("src/error/mod.rs", "/// See [`crate::pipeline`].", Some("must not import `pipeline`"));
    check("src/main.rs", "fn main() { tailwater::pipeline::run() }", Some("must not import"));
    check("src/new/mod.rs", "", Some("has no place in the table"));
}

#[test]
fn every_part_of_a_grouped_import_is_seen() {
    let group = "use crate::{\n    config::{Config, Mysql},\n    produce::Producer,\n};";
    check("src/state/mod.rs", group, Some("`state` must not import `produce`"));
    check("src/pipeline/mod.rs", group, None);
}

#[test]
fn a_crate_outside_its_fence_is_refused() {
    check("src/produce/mod.rs", "use rdkafka::error::KafkaError;", None);
    check("src/encode/mod.rs", "use rdkafka::error::KafkaError;", Some("the crate `rdkafka`"));
    check("src/decode/mod.rs", "use mysql_async::binlog::EventType;", None);
    check("src/decode/mod.rs", "use mysql_async::Conn;", Some("the crate `mysql_async`"));
    check("src/encode/avro.rs", "fn a(s: &apache_avro::Schema) {}", Some("`apache_avro`"));
    check("src/encode/tests.rs", "use apache_avro::Schema;", None);
    check("src/config/mod.rs", "/// Passed to librdkafka::X.", None);
}

#[test]
fn words_with_one_place_are_refused_elsewhere() {
    check("src/produce/librdkafka/mod.rs", "unsafe { call() }", None);
    check("src/decode/mod.rs", "unsafe { call() }", Some("unsafe"));
    check("src/config/load.rs", "std::env::var(name)", None);
    check("src/cli/mod.rs", "std::env::var(name)", Some("env::var"));
    check("src/cli/mod.rs", "std::process::exit(1)", Some("process::exit"));
    check("src/snapshot/reader.rs", "Conn::new(options).await", Some("Conn::"));
    check("src/snapshot/plan.rs", "format!(\"{kind:?}\")", Some("must not reach a record"));
    check("src/snapshot/plan.rs", "#[cfg(test)]\nformat!(\"{kind:?}\")", None);
    check("src/pipeline/stream.rs", "format!(\"{kind:?}\")", None);
    check("tests/faults/restart.rs", "#[ignore = \"slow\"]", Some("ignore"));
    check("src/cli/mod.rs", &format!("// {}: later", NOTES[0]), Some("file it as an issue"));
}

#[test]
fn a_file_without_header_or_end_is_refused() {
    let complaints = |text: &str| complain(&File { path: "xtask/src/main.rs", text });
    assert!(complaints("fn main() {}")[0].contains("does not open with"));
    let long = "//! Long.\n".repeat(LINES_MAX + 1);
    assert!(complaints(&long)[0].contains("501 lines"));
}
