//! Everything that a page names exists: tests and suites, modules and types of the program, and
//! paths, those in comments of the code too. Its links lead to pages and headings that are there.
//!
//! `docs/RELIABILITY.md` claims that each fault is handled and names the test that shows it. If the
//! test was renamed, nothing shows the claim. The binary lists its own tests, so none is missed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Pages whose names are checked; the changelog speaks of what was.
const PAGES: [&str; 5] =
    ["docs", "README.md", "CONTRIBUTING.md", "schemas/README.md", "tests/data"];

/// Folders with code whose comments are checked.
const CODE: [&str; 5] = ["src", "tests", "testkit", "xtask", "benches"];

/// What a path from the workspace's folder begins with.
const ROOTS: [&str; 7] = ["src/", "tests/", "testkit/", "xtask/", "benches/", "docs/", "deploy/"];

/// The section of `docs/RELIABILITY.md` whose tables name a test in the last column.
const FAULTS: &str = "## Faults, one by one";

/// The tests of this binary, each as `folder::suite::test`.
fn tests() -> Vec<String> {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).args(["--list", "--format", "terse"]).output().unwrap();
    let list = String::from_utf8(output.stdout).unwrap();
    let tests = list.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned);
    tests.collect()
}

/// Whether the name is of a suite or a test, with the folder in front or without. `…` at its end
/// stands for the rest.
fn is_test(tests: &[String], name: &str) -> bool {
    let matches = |path: &str| match name.strip_suffix('…') {
        Some(start) => path.starts_with(start),
        None => {
            path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        }
    };
    tests.iter().any(|test| {
        matches(test) || test.split_once("::").is_some_and(|(_, inside)| matches(inside))
    })
}

/// Whether a name is of a module of the program, or of a type or function in it.
fn is_of_the_program(name: &str) -> bool {
    let mut segments = name.split("::").peekable();
    let mut place = root().join("src");
    while let Some(segment) = segments.peek() {
        let file = place.join(format!("{segment}.rs"));
        let folder = place.join(segment);
        place = if file.exists() { file } else { folder };
        if !place.exists() {
            break;
        }
        segments.next();
    }
    let Some(item) = segments.next() else { return true };
    let Some(module) = name.split_once("::").map(|(module, _)| root().join("src").join(module))
    else {
        return false;
    };
    let item: String = item.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let definitions = ["struct ", "enum ", "trait ", "fn "].map(|word| format!("{word}{item}"));
    let mut is_defined = false;
    visit(&module, &mut |_, text| is_defined |= definitions.iter().any(|d| text.contains(d)));
    is_defined
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Shows each file below, with its path from the workspace's folder.
fn visit(place: &Path, look: &mut impl FnMut(&str, &str)) {
    if place.is_dir() {
        for entry in fs::read_dir(place).unwrap() {
            visit(&entry.unwrap().path(), look);
        }
    } else if let Ok(text) = fs::read_to_string(place) {
        look(place.strip_prefix(root()).unwrap().to_str().unwrap(), &text);
    }
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|of_path| of_path == extension)
}

/// The texts between backticks in a line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Names in a page that nothing has.
fn unknown_names(tests: &[String], path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut is_fault = false;
    for line in text.lines() {
        is_fault = if line.starts_with("## ") { line == FAULTS } else { is_fault };
        for name in quoted(line).filter(|name| is_name(name)) {
            if !is_test(tests, name) && !is_of_the_program(name) {
                complaints.push(format!("{path}: `{name}` is no test and nothing in src"));
            }
        }
        let proof = line.trim_end_matches([' ', '|']).rsplit_once('|').map_or("", |(_, cell)| cell);
        let suites = quoted(proof).filter(|name| {
            is_fault && name.chars().all(|c| c.is_lowercase() || c == '_' || c == '…')
        });
        for name in suites.filter(|name| !is_test(tests, name)) {
            complaints.push(format!("{path}: `{name}` is no suite"));
        }
    }
    complaints
}

/// Whether it is `a::b`, and no call or generic type.
fn is_name(text: &str) -> bool {
    text.contains("::")
        && text.starts_with(|c: char| c.is_lowercase())
        && !text.contains([' ', '<', '[', '/', ','])
}

/// Paths between backticks that lead nowhere, with `::` and a function of the file or without. A
/// path ends at `*`, a blank or `#`.
fn missing_paths(path: &str, text: &str) -> Vec<String> {
    let is_code = has_extension(path, "rs");
    let lines = text.lines().filter(|line| !is_code || line.trim_start().starts_with("//"));
    let named = lines.flat_map(quoted).filter(|name| ROOTS.iter().any(|at| name.starts_with(at)));
    let missing = named.filter(|name| {
        let name = match name.split_once('*') {
            Some((start, _)) => start.rsplit_once('/').map_or("", |(folder, _)| folder),
            None => name.split([' ', '#']).next().unwrap_or_default(),
        };
        let (file, function) = name.split_once("::").unwrap_or((name, ""));
        let place = root().join(file);
        let has = |text: String| text.contains(&format!("fn {function}("));
        let is_there = match function {
            "" => place.exists(),
            _ => fs::read_to_string(place).is_ok_and(has),
        };
        !is_there
    });
    missing.map(|name| format!("{path}: there is no `{name}`")).collect()
}

/// The headings of a page as anchors of links.
pub(super) fn anchors(text: &str) -> BTreeSet<String> {
    let is_part = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
    let anchor = |heading: &str| -> String {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        heading.chars().filter(is_part).collect::<String>().replace(' ', "-")
    };
    text.lines().filter(|line| line.starts_with('#')).map(anchor).collect()
}

/// Links inside the repository that lead nowhere.
fn dead_links(path: &str, text: &str) -> Vec<String> {
    let folder = Path::new(path).parent().unwrap();
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let dead = links.filter(|link| {
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        let target = match file {
            "" => Some(text.to_owned()),
            // A picture is no text, and no link leads into it.
            file => fs::read(root().join(folder).join(file))
                .ok()
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        };
        let leads = |text: String| anchor.is_empty() || anchors(&text).contains(anchor);
        !link.contains("://") && !target.is_some_and(leads)
    });
    dead.map(|link| format!("{path}: the link {link} leads nowhere")).collect()
}

#[test]
fn every_link_of_a_page_leads_to_a_page_and_a_heading_that_are_there() {
    let mut complaints = Vec::new();
    let mut links = 0;
    for page in PAGES.into_iter().chain(["CHANGELOG.md"]) {
        visit(&root().join(page), &mut |path, text| {
            if has_extension(path, "md") {
                links += text.matches("](").count();
                complaints.extend(dead_links(path, text));
            }
        });
    }
    assert!(links > 50, "only {links} links were found");
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
    let dead = |text: &str| dead_links("docs/X.md", text).len();
    assert_eq!(dead("# A `b` c\n[a](#a-b-c), [b](OPERATING.md#health), [c](../README.md)"), 0);
    assert_eq!(dead("[a](#a), [b](OPERATING.md#healths), [c](README.md)"), 3);
}

#[test]
fn everything_that_a_page_names_exists() {
    let tests = tests();
    let mut complaints = Vec::new();
    for page in PAGES {
        visit(&root().join(page), &mut |path, text| {
            if has_extension(path, "md") {
                complaints.extend(unknown_names(&tests, path, text));
                complaints.extend(missing_paths(path, text));
            }
        });
    }
    for folder in CODE {
        visit(&root().join(folder), &mut |path, text| {
            if has_extension(path, "rs") {
                complaints.extend(missing_paths(path, text));
            }
        });
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn names_that_nothing_has_are_found() {
    let tests = tests();
    let check = |line: &str, expected: usize| {
        let text = format!("{FAULTS}\n{line}\n");
        let complaints = unknown_names(&tests, "docs/X.md", &text);
        assert_eq!(complaints.len(), expected, "{line}: {complaints:?}");
    };
    check("| a fault | halts | `faults::halts`, `halts`, `restart::kills_at_any_moment_…` |", 0);
    check("`state::Position`, `pipeline::recovery`, `protocol::Protocol::step(now, event)`", 0);
    check("| a fault | `halts_never` | `halts_never`, `restart::kills_at_no_moment_…` |", 2);
    check("`state::NoPosition`, `pipeline::not_recovery`", 2);
    let paths = |text: &str| missing_paths("src/lib.rs", text).len();
    assert_eq!(paths("/// See `tests/main.rs`, `src/decode/json/*_tests.rs`."), 0);
    assert_eq!(paths("/// See `tests/no_main.rs`."), 1);
    assert_eq!(paths("/// See `src/lib.rs::no_function`."), 1);
    assert_eq!(paths("let path = \"`tests/no_main.rs`\";"), 0);
}
