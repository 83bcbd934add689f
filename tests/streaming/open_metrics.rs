//! `/metrics` is OpenMetrics: a small parser of its own reads it as the specification says.

use std::collections::{BTreeMap, BTreeSet};

use testkit::{LIMIT, Result, wait_for};

use crate::support::setup::Setup;

/// A sample: name, labels in their order, value.
type Sample = (String, Vec<(String, String)>, f64);

/// Reads the whole text; the error says which line breaks which rule.
fn parse(text: &str) -> std::result::Result<Vec<Sample>, String> {
    let body = text.strip_suffix("# EOF\n").ok_or("does not end with # EOF")?;
    let mut types: BTreeMap<String, String> = BTreeMap::new();
    let (mut samples, mut series) = (Vec::new(), BTreeSet::new());
    let mut family = String::new();
    for line in body.lines() {
        let wrong = |what: &str| Err(format!("{what}: {line}"));
        if let Some(meta) = line.strip_prefix("# ") {
            let mut words = meta.splitn(3, ' ');
            let (kind, name) = (words.next().unwrap(), words.next().unwrap_or_default());
            if !is_name(name) {
                return wrong("no name");
            }
            let text = words.next().unwrap_or_default();
            if kind == "TYPE" && types.insert(name.to_owned(), text.to_owned()).is_some() {
                return wrong("a family that comes twice");
            }
            if kind == "UNIT" && !name.ends_with(&format!("_{text}")) {
                return wrong("a unit that is not the end of the name");
            }
            if !["HELP", "TYPE", "UNIT"].contains(&kind) {
                return wrong("an unknown comment");
            }
            name.clone_into(&mut family);
            continue;
        }
        let (name, labels, value) = sample(line)?;
        let suffixes: &[&str] = match types.get(&family).map(String::as_str) {
            Some("counter") => &["_total"],
            Some("gauge") => &[""],
            Some("histogram") => &["_sum", "_count", "_bucket"],
            _ => return wrong("a sample of a family without a type"),
        };
        if !suffixes.iter().any(|suffix| name == format!("{family}{suffix}")) {
            return wrong("a sample that is not of its family");
        }
        if family.is_empty() || !series.insert((name.clone(), labels.clone())) {
            return wrong("a series that comes twice");
        }
        if name.ends_with("_total") && !(0.0 <= value && value.is_finite()) {
            return wrong("a counter that is no count");
        }
        samples.push((name, labels, value));
    }
    Ok(samples)
}

fn is_name(text: &str) -> bool {
    let is_part = |character: char| character.is_ascii_alphanumeric() || "_:".contains(character);
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.chars().all(is_part)
}

/// `name{label="value"} 1`
fn sample(line: &str) -> std::result::Result<Sample, String> {
    let wrong = |what: &str| format!("{what}: {line}");
    let end = line.find(['{', ' ']).ok_or_else(|| wrong("no value"))?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"").ok_or_else(|| wrong("no label"))?;
            let (value, after) = quoted(after).ok_or_else(|| wrong("a label without end"))?;
            if !is_name(label) {
                return Err(wrong("no label's name"));
            }
            labels.push((label.to_owned(), value));
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').ok_or_else(|| wrong("no space"))?;
    let value = value.replace("+Inf", "inf").parse().map_err(|_| wrong("no number"))?;
    is_name(name).then(|| (name.to_owned(), labels, value)).ok_or_else(|| wrong("no name"))
}

/// A value without its escapes, and what follows its quotation mark.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[index + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            '\n' => return None,
            _ => value.push(character),
        }
    }
    None
}

#[test]
fn the_parser_refuses_what_is_no_open_metrics() {
    let counter = "# HELP a A.\n# TYPE a counter\n";
    assert!(parse(&format!("{counter}a_total{{t=\"x\\\"\\n,y\"}} 1\n# EOF\n")).is_ok());
    for wrong in [
        "a_total 1\n",
        "a_total 1\na_total 1\n# EOF\n",
        "a 1\n# EOF\n",
        "a_total -1\n# EOF\n",
        "a_total{t=\"x} 1\n# EOF\n",
        "a_total x\n# EOF\n",
        "# TYPE a gauge\n# EOF\n",
    ] {
        assert!(parse(&format!("{counter}{wrong}")).is_err(), "{wrong}");
    }
}

#[test]
fn metrics_are_open_metrics_whatever_a_table_is_called() -> Result<()> {
    // GIVEN a connector that delivered a row of a table with an awkward name
    let name = "say \"hi\"\\n";
    let create = format!("CREATE TABLE `{name}` (id INT NOT NULL PRIMARY KEY)");
    let mut setup = Setup::with_tables("open_metrics", &[&create])?;
    let mut connector = setup.start()?;
    setup.database.execute(&format!("INSERT INTO `{name}` VALUES (1)"))?;
    // THEN the parser finds the row under that name
    wait_for("the row", LIMIT, || {
        let text = connector.get("/metrics")?.body;
        let samples = parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let is_row = |(metric, labels, value): &Sample| {
            metric == "tailwater_rows_total"
                && labels.contains(&label("table", name))
                && labels.contains(&label("operation", "insert"))
                && 0.5 < *value
        };
        Ok(samples.iter().any(is_row).then_some(()))
    })?;
    connector.stop().map(drop)
}
