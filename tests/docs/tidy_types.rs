//! The rules of `tidy` on types: each has a name of its own, a file of its own beside the contents
//! of its module, and its methods in few files.

use std::collections::{BTreeMap, BTreeSet};

use super::tidy::{File, check, code, identifier};

/// What opens the definition of a type.
const TYPES: [&str; 3] = ["struct ", "enum ", "trait "];

/// Most lines of a `mod.rs`: what the module is for and how it works, its contents, and at most its
/// one type.
const CONTENTS_LINES_MAX: usize = 300;

/// Most files that the inherent methods of one type are spread over.
const METHOD_FILES_MAX: usize = 2;

/// A longer one: the reading list's rules belong together.
const LONG_CONTENTS: [&str; 1] = ["src/snapshot/reading_list/mod.rs"];

/// Where each type of the program is defined, by its name.
pub(super) type Types = BTreeMap<String, String>;

/// A name that two types have means two things: a reader has to look which. Those of tests are
/// their own.
pub(super) fn named_twice(types: &mut Types, file: &File<'_>) -> Vec<String> {
    let Some(program) = program(file) else { return Vec::new() };
    let names = program.lines().map(code).filter_map(type_name);
    let twice = names.filter_map(|name| {
        let first = types.insert(name.clone(), file.path.to_owned())?;
        Some(format!("{}: `{name}` is the name of a type in {first} too", file.path))
    });
    twice.collect()
}

/// What a file has of the program, without its tests.
fn program<'a>(file: &File<'a>) -> Option<&'a str> {
    let ends = ["tests.rs", "fuzzing.rs", "simulation.rs"];
    let is_tests = ends.iter().any(|end| file.path.ends_with(end));
    if !file.path.starts_with("src/") || is_tests || file.path.contains("/simulation/") {
        return None;
    }
    let tested = file.text.find("#[cfg(test)]\nmod tests {").unwrap_or(file.text.len());
    Some(&file.text[..tested])
}

/// The files with inherent methods of each type of the program, by its name.
pub(super) type MethodFiles = BTreeMap<String, BTreeSet<String>>;

pub(super) fn note_methods(methods: &mut MethodFiles, file: &File<'_>) {
    for name in program(file).into_iter().flat_map(str::lines).filter_map(extended_type) {
        methods.entry(name).or_default().insert(file.path.to_owned());
    }
}

/// The type whose inherent methods this line opens, which the formatter writes in one line.
fn extended_type(line: &str) -> Option<String> {
    let rest = code(line).strip_prefix("impl")?;
    let rest = match rest.strip_prefix('<') {
        Some(rest) => rest.split_once("> ")?.1,
        None => rest.strip_prefix(' ')?,
    };
    let is_inherent = !rest.contains(" for ") && !rest.contains("::");
    identifier(rest).filter(|_| is_inherent)
}

/// A type with methods in many files has more than one subject.
pub(super) fn spread(methods: &MethodFiles) -> Vec<String> {
    let many = methods.iter().filter(|(_, files)| METHOD_FILES_MAX < files.len());
    many.map(|(name, files)| {
        let files = files.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        format!("`{name}` has methods in {files}: cut it by subject")
    })
    .collect()
}

/// The name of the type whose definition this line opens.
fn type_name(line: &str) -> Option<String> {
    let line = line.trim_start();
    let line = match line.strip_prefix("pub") {
        Some(rest) => match rest.strip_prefix('(') {
            Some(rest) => rest.split_once(')')?.1,
            None => rest,
        },
        None => line,
    };
    let line = line.trim_start();
    TYPES.iter().find_map(|word| line.strip_prefix(word)).and_then(identifier)
}

/// A `mod.rs` is a short table of contents and at most the module's one type.
pub(super) fn contents(file: &File<'_>) -> Vec<String> {
    let Some(program) = program(file).filter(|_| is_contents(file.path)) else {
        return Vec::new();
    };
    let mut complaints = Vec::new();
    let public = program.lines().map(code).filter(|line| line.starts_with("pub"));
    let types: Vec<_> = public.filter_map(type_name).collect();
    if 1 < types.len() {
        let types = types.join("`, `");
        complaints.push(format!("defines `{types}`: each in a file of its name, all but one"));
    }
    let lines = file.text.lines().count();
    if CONTENTS_LINES_MAX < lines {
        let max = CONTENTS_LINES_MAX;
        complaints.push(format!("has {lines} lines, a table of contents at most {max}"));
    }
    complaints
}

fn is_contents(path: &str) -> bool {
    path.ends_with("/mod.rs") && !LONG_CONTENTS.contains(&path)
}

#[test]
fn a_type_name_that_is_taken_is_refused() {
    let mut types = Types::new();
    let mut complaints = |path, text| named_twice(&mut types, &File { path, text });
    assert!(complaints("src/map/mod.rs", "pub struct Change<T>(T);\nenum Kind {}").is_empty());
    let twice = complaints("src/decode/mod.rs", "    pub(in crate::decode) enum Change {");
    assert_eq!(twice.len(), 1, "{twice:?}");
    assert!(twice[0].contains("`Change` is the name of a type in src/map/mod.rs"), "{twice:?}");
    assert_eq!(complaints("src/cli/mod.rs", "trait Kind {}").len(), 1);
    for (path, text) in [
        ("src/decode/tests.rs", "struct Change;"),
        ("src/protocol/simulation/source.rs", "struct Change;"),
        ("tests/faults/restart.rs", "struct Change;"),
        ("src/encode/mod.rs", "#[cfg(test)]\nmod tests {\n    struct Change;\n}"),
        ("src/encode/mod.rs", "// struct Change;\nlet constructed = Change;"),
    ] {
        assert!(complaints(path, text).is_empty(), "{path}: {text}");
    }
}

#[test]
fn contents_that_are_a_second_type_or_long_are_refused() {
    let one = "pub struct Plan;\nstruct Private;\nimpl Plan {}";
    check("src/map/mod.rs", one, None);
    let two = format!("{one}\npub(super) enum Kind {{}}");
    check("src/map/mod.rs", &two, Some("defines `Plan`, `Kind`"));
    check("src/map/plan.rs", &two, None);
    check("src/protocol/simulation/mod.rs", &two, None);
    check("src/map/mod.rs", &format!("{one}\n#[cfg(test)]\nmod tests {{\npub enum A {{}}"), None);
    let long = "mod plan;\n".repeat(CONTENTS_LINES_MAX);
    check("src/map/mod.rs", &long, Some("has 301 lines"));
    check("src/map/plan.rs", &long, None);
}

#[test]
fn methods_of_one_type_in_many_files_are_refused() {
    let mut methods = MethodFiles::new();
    let mut note = |path, text| {
        note_methods(&mut methods, &File { path, text });
        spread(&methods)
    };
    assert!(note("src/map/a.rs", "impl Plan {}\nimpl Plan {}").is_empty());
    assert!(note("src/map/b.rs", "impl<'a, T: Into<u8>> Plan<'a, T> {\n").is_empty());
    assert!(note("src/map/c.rs", "impl Drop for Plan {}\nimpl<T> From<T> for Plan {}").is_empty());
    assert!(note("src/map/tests.rs", "impl Plan {}").is_empty());
    let many = note("src/map/d.rs", "impl Plan {");
    assert_eq!(many.len(), 1, "{many:?}");
    assert!(many[0].contains("`Plan` has methods in src/map/a.rs, src/map/b.rs, src/map/d.rs"));
}
