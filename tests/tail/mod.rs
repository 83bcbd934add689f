//! `tailwater tail`: what it shows, from where on, and how it ends.

mod ends;
mod follows;
mod pretty;
pub(crate) mod records;
mod since;

use serde_json::{Value as Json, json};
use testkit::{Connector, Context as _, Exit, Result};

use crate::support::setup::{Setup, program};

/// A database, a connector's settings with a Kafka and a registry that nobody is at, and the place
/// from which on tests read.
pub(crate) struct TailSetup {
    pub(crate) setup: Setup,
    /// `FILE:POS`, before anything that the test writes.
    pub(crate) begin: String,
}

impl TailSetup {
    /// With these tables. A tail must show what follows without Kafka.
    pub(crate) fn new(name: &str, tables: &[&str]) -> Result<Self> {
        let mut setup = Setup::with_tables(name, tables)?;
        setup.settings.set("kafka.bootstrap_servers", "127.0.0.1:1");
        setup.settings.set("schema_registry.url", "http://127.0.0.1:1");
        let begin = end_of_binlog(&mut setup)?;
        Ok(Self { setup, begin })
    }

    pub(crate) fn execute(&mut self, statements: &[&str]) -> Result<()> {
        self.setup.database.execute_all(statements)
    }

    /// Starts `tail` with these arguments.
    pub(crate) fn start(&self, arguments: &[&str]) -> Result<Connector> {
        let arguments = [&["tail"], arguments].concat();
        Connector::start_with(program(), &self.setup.settings, &arguments)
    }

    /// Runs `tail` from the beginning of the test on until it has shown these words, then stops it.
    /// What it has shown.
    pub(crate) fn show(&self, arguments: &[&str], last: &str) -> Result<String> {
        self.show_from(&["--since", &self.begin], arguments, last)
    }

    /// The same from elsewhere on.
    pub(crate) fn show_from(
        &self,
        since: &[&str],
        arguments: &[&str],
        last: &str,
    ) -> Result<String> {
        let mut tail = self.start(&[since, arguments].concat())?;
        wait_for_words(&mut tail, last)?;
        Ok(tail.stop()?.stdout)
    }

    /// Runs `tail` to its end.
    pub(crate) fn fail(&self, arguments: &[&str]) -> Result<Exit> {
        self.start(arguments)?.wait_for_exit()
    }

    pub(crate) fn database(&self) -> &str {
        self.setup.database.name()
    }
}

/// Waits until a tail has printed these words.
pub(crate) fn wait_for_words(tail: &mut Connector, words: &str) -> Result<()> {
    tail.wait_while_running(&format!("“{words}”"), |tail| {
        Ok(tail.stdout().contains(words).then_some(()))
    })
}

/// Where the source's binlog ends.
pub(crate) fn end_of_binlog(setup: &mut Setup) -> Result<String> {
    let (_, rows) = setup.database.query("SHOW BINARY LOG STATUS")?;
    let row = rows.into_iter().next().context("no binlog")?;
    let file: String = row.get(0).context("no file")?;
    let offset: u64 = row.get(1).context("no offset")?;
    Ok(format!("{file}:{offset}"))
}

/// The lines of what a tail printed, as JSON.
pub(crate) fn lines(stdout: &str) -> Result<Vec<Json>> {
    stdout.lines().map(|line| serde_json::from_str(line).context(line.to_owned())).collect()
}

/// The changes that a tail printed, without headers of transactions and without times.
pub(crate) fn changes(stdout: &str) -> Vec<&str> {
    let is_change = |line: &&str| !line.is_empty() && !line.starts_with("-- ");
    stdout
        .lines()
        .filter(is_change)
        .map(|line| &line["2026-11-30 10:00:00.123  ".len()..])
        .collect()
}

/// A value of a record as testkit decodes it, in the form that `--json` has.
pub(crate) fn as_shown(value: &Json) -> Json {
    match value {
        Json::Object(members) => match (members.get("hex"), members.get("decimal")) {
            (Some(Json::String(hex)), None) => base64(hex).into(),
            (None, Some(Json::String(decimal))) => {
                serde_json::from_str(decimal).unwrap_or(json!(null))
            }
            _ => members.iter().map(|(name, value)| (name.clone(), as_shown(value))).collect(),
        },
        Json::Array(items) => items.iter().map(as_shown).collect(),
        other => other.clone(),
    }
}

/// Hexadecimal digits as Base64.
fn base64(hex: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let byte = |at: usize| u32::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let bytes: Vec<u32> = (0..hex.len()).step_by(2).map(byte).collect();
    let group = |group: &[u32]| {
        let at = |index: usize| group.get(index).copied().unwrap_or(0);
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        let letters = [18, 12, 6, 0]
            .map(|shift| char::from(LETTERS[usize::try_from(bits >> shift & 63).unwrap()]));
        let text: String = letters.iter().take(group.len() + 1).collect();
        format!("{text:=<4}")
    };
    bytes.chunks(3).map(group).collect()
}

/// Whether two values are the same; singles are told apart by what a single can hold.
pub(crate) fn is_same(shown: &Json, record: &Json) -> bool {
    match (shown, record) {
        (Json::Number(one), Json::Number(other)) if one != other => {
            let single = |number: &serde_json::Number| number.to_string().parse::<f32>().ok();
            (one.is_f64() || other.is_f64()) && single(one) == single(other)
        }
        (Json::Object(one), Json::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, value)| other.get(name).is_some_and(|other| is_same(value, other)))
        }
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, it)| is_same(one, it))
        }
        (one, other) => one == other,
    }
}
