//! A check as text for a terminal of 80 columns.

use std::fmt::Write as _;

use super::findings::{Findings, counted};
use crate::pipeline::{
    ExaminedEnd,
    checks::{Finding, HintPart},
};

/// Most columns of a line. A statement or command stays on one line, whatever its length.
const WIDTH: usize = 79;

/// What lines of a finding begin with.
const INDENT: &str = "    ";

/// Columns of the names of facts.
const NAMES_WIDTH: usize = 18;

/// Facts first, then the findings, then what follows.
pub(super) fn print(ends: &[ExaminedEnd], findings: &Findings<'_>, is_coloured: bool) -> String {
    let mut text = String::new();
    for end in ends {
        print_end(&mut text, end, is_coloured);
    }
    for (end, finding) in &findings.all {
        print_finding(&mut text, end, finding, is_coloured);
    }
    push(&mut text, &format!("\n{}", summary(findings)));
    text
}

/// What `--fix-sql` says of the findings for which there is no statement.
pub(super) fn without_sql(findings: &Findings<'_>, statements: usize) -> String {
    let others = findings.all.iter().filter(|(_, finding)| finding.sql().is_empty()).count();
    let statements = counted(statements, "statement");
    if others == 0 {
        return statements;
    }
    format!("{statements}; {} without one: see `tailwater check`", counted(others, "finding"))
}

fn summary(findings: &Findings<'_>) -> String {
    let count = match (findings.errors, findings.warnings) {
        (0, 0) => "nothing is wrong".to_owned(),
        (0, warnings) => counted(warnings, "warning"),
        (errors, 0) => counted(errors, "error"),
        (errors, warnings) => {
            format!("{}, {}", counted(errors, "error"), counted(warnings, "warning"))
        }
    };
    format!("{count}; {}", findings.outlook())
}

fn print_end(text: &mut String, end: &ExaminedEnd, is_coloured: bool) {
    let word = match (end.is_examined, end.errors(), end.findings.len()) {
        (false, ..) => "not tested",
        (true, 0, 0) => "ok",
        (true, 0, _) => "warning",
        (true, ..) => "error",
    };
    let padding = " ".repeat(11_usize.saturating_sub(word.len()));
    let address = if end.is_examined { &end.address } else { "its settings are wrong in the file" };
    let word = coloured(word, is_coloured);
    push(text, format!("{:<14} {word}{padding}{address}", end.name).trim_end());
    for fact in &end.facts {
        let indent = " ".repeat(4 + NAMES_WIDTH);
        let lines = wrapped(&fact.text, WIDTH.saturating_sub(indent.len()));
        for (index, line) in lines.iter().enumerate() {
            let name = if index == 0 { fact.name } else { "" };
            push(text, &format!("  {name:<width$}{line}", width = NAMES_WIDTH + 2));
        }
    }
}

fn print_finding(text: &mut String, end: &str, finding: &Finding, is_coloured: bool) {
    let word = coloured(if finding.is_error() { "error" } else { "warning" }, is_coloured);
    push(text, &format!("\n{word}: {end}: {}", finding.reason));
    let width = WIDTH.saturating_sub(INDENT.len());
    let prose = |text: &mut String, words: &str| {
        for line in wrapped(words, width) {
            push(text, &format!("{INDENT}{line}"));
        }
    };
    for line in finding.message.lines() {
        prose(text, line);
    }
    for (index, part) in finding.hint_parts().into_iter().enumerate() {
        match part {
            HintPart::Prose(words) if index == 0 && words.trim() != "Run:" => {
                prose(text, &format!("fix: {words}"));
            }
            HintPart::Prose(words) => prose(text, words),
            HintPart::Command(command) => push(text, &format!("{INDENT}{INDENT}{command}")),
        }
    }
}

/// Adds a line.
fn push(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a string succeeds");
}

/// Breaks words into lines of at most so many columns; a longer word has a line of its own.
fn wrapped(words: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The word in its colour.
fn coloured(word: &str, is_coloured: bool) -> String {
    let colour = match word {
        "ok" => "32",
        "warning" | "not tested" => "33",
        _ => "31",
    };
    if is_coloured { format!("\u{1b}[1;{colour}m{word}\u{1b}[0m") } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{counted, wrapped};

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one-two-three four", 7), ["one-two-three", "four"]);
        assert_eq!(wrapped("", 7), Vec::<String>::new());
    }

    #[test]
    fn one_error_is_no_errors() {
        assert_eq!([counted(1, "error"), counted(0, "error")], ["1 error", "0 errors"]);
    }
}
