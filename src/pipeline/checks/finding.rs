//! What a check finds.

use crate::error::{Failure, Reason, Verdict};

/// What announces a statement in a hint.
const RUN: &str = "Run: ";

/// What commands of the shell begin with.
const COMMANDS: [&str; 2] = ["curl ", "kafka-"];

/// What statements begin with.
const VERBS: [&str; 7] = ["ALTER ", "CALL ", "CREATE ", "FLUSH ", "GRANT ", "REVOKE ", "SET "];

/// What stands for something that only the reader knows.
const PLACEHOLDERS: [&str; 2] = ["'the password'", "'new password'"];

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The connector does not start, with this verdict.
    Error(Verdict),
    /// It starts.
    Warning,
}

/// Something that a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Why, by a code that never changes.
    pub reason: Reason,
    /// What is wrong: a lowercase fragment.
    pub message: String,
    /// How to fix it.
    pub hint: String,
}

impl Finding {
    pub(in crate::pipeline) fn error(
        verdict: Verdict,
        reason: Reason,
        message: String,
        hint: String,
    ) -> Self {
        Self { severity: Severity::Error(verdict), reason, message, hint }
    }

    pub(in crate::pipeline) fn warning(reason: Reason, message: String, hint: String) -> Self {
        Self { severity: Severity::Warning, reason, message, hint }
    }

    /// Whether the connector cannot work with it, now or until something is changed.
    pub fn is_error(&self) -> bool {
        self.severity != Severity::Warning
    }

    /// The SQL statements that fix it: those that the hint says to run, without placeholders.
    pub fn sql(&self) -> Vec<String> {
        statements(&self.hint)
    }

    /// The hint, divided into prose and what it says to run.
    pub fn hint_parts(&self) -> Vec<HintPart<'_>> {
        parts(&self.hint)
    }

    /// Logs a warning; an error fails.
    pub(in crate::pipeline) fn report(self) -> Result<(), Failure> {
        let Self { severity, reason, message, hint } = self;
        match severity {
            Severity::Error(verdict) => Err(Failure::new(verdict, reason, message).hint(hint)),
            Severity::Warning => {
                tracing::warn!(reason = reason.name(), hint, "{message}");
                Ok(())
            }
        }
    }
}

impl From<Failure> for Finding {
    fn from(failure: Failure) -> Self {
        let Failure { verdict, reason, message, hint } = failure;
        Self::error(verdict, reason, message, hint)
    }
}

/// A part of a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintPart<'a> {
    /// Words.
    Prose(&'a str),
    /// A statement or a command of the shell, to be copied as it is.
    Command(&'a str),
}

/// Divides a hint into prose and what it says to run. A statement ends with its semicolon, and
/// others may follow it; a command of the shell goes on to the end of the hint.
fn parts(hint: &str) -> Vec<HintPart<'_>> {
    let mut parts = Vec::new();
    let mut rest = hint;
    let is_verb = |text: &str| VERBS.iter().any(|verb| text.starts_with(verb));
    let is_command = |text: &str| COMMANDS.iter().any(|name| text.starts_with(name));
    while let Some((before, after)) = rest.split_once(RUN).filter(|_| !rest.is_empty()) {
        if is_command(after) {
            parts.extend([HintPart::Prose(before), HintPart::Prose(RUN), HintPart::Command(after)]);
            rest = "";
            break;
        }
        if !is_verb(after) {
            break;
        }
        parts.extend([HintPart::Prose(before), HintPart::Prose(RUN)]);
        rest = after;
        while is_verb(rest)
            && let Some(end) = rest.find(';')
            && let Some((statement, after)) = rest.split_at_checked(end + 1)
        {
            parts.push(HintPart::Command(statement));
            rest = after.trim_start();
        }
    }
    parts.push(HintPart::Prose(rest));
    parts.retain(|part| !matches!(part, HintPart::Prose(words) if words.trim().is_empty()));
    parts
}

/// The statements among what a hint says to run.
fn statements(hint: &str) -> Vec<String> {
    let statement = |part| match part {
        HintPart::Command(text) if text.ends_with(';') => Some(text.to_owned()),
        _ => None,
    };
    let has_gap = |text: &String| PLACEHOLDERS.iter().any(|gap| text.contains(gap));
    parts(hint).into_iter().filter_map(statement).filter(|text| !has_gap(text)).collect()
}

#[cfg(test)]
mod tests {
    use super::statements;

    #[test]
    fn statements_are_those_that_a_hint_says_to_run() {
        for (hint, expected) in [
            ("Run: SET PERSIST a = 1; then reconnect.", &["SET PERSIST a = 1;"][..]),
            (
                "Run: GRANT a ON *.* TO 'b'@'%'; SET x = 2; Or not.",
                &["GRANT a ON *.* TO 'b'@'%';", "SET x = 2;"],
            ),
            ("Run: SET a = 1; b. Run: SET c = 2;", &["SET a = 1;", "SET c = 2;"]),
            ("Run: kafka-configs.sh --alter; or wait.", &[]),
            ("Run: CREATE USER 'b'@'%' IDENTIFIED BY 'the password'; and grant it.", &[]),
            ("Start the server with the option log_bin.", &[]),
        ] {
            assert_eq!(statements(hint), expected, "{hint}");
        }
    }
}
