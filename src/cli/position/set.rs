//! `tailwater position set`: another position, shown next to the saved one before it is written.

use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use clap::Args;
use serde_json::{Value, json};

use super::{
    arguments::{CONFIG_DEFAULT, ConnectorFile},
    duration,
    facts::{bytes, fact, paragraph, position_json, transactions},
};
use crate::{
    cli::say::say,
    config,
    error::{Failure, Reason, Verdict},
    model::{gtid::GtidSet, position::FilePosition, position::Position, utc_time::UtcTime},
    pipeline::{self, Life, PositionChange, PositionTarget, SetRequest},
};

/// How wide the column of the saved position is.
const COLUMN_WIDTH: usize = 32;

/// Largest file that is read as a position, in bytes: a GTID set has 16 MiB at most.
const FILE_BYTES_MAX: u64 = 32 << 20;

#[derive(Debug, Args)]
#[command(
    after_help = "Without --execute nothing is changed: the command shows the saved and the new \
    position, how much is skipped or delivered again, and the command to run.\n\n\
    Examples:\n  \
    tailwater position set --to-earliest\n  \
    tailwater position set --to-datetime \"2026-11-30 10:00:00\" --execute\n  \
    tailwater position set binlog.000042:197 --execute"
)]
pub(super) struct SetArguments {
    #[command(flatten)]
    target: TargetArguments,

    /// Set the position; without this option nothing changes.
    #[arg(long)]
    execute: bool,

    /// Also if an instance of the connector runs: it is fenced and ends with exit code 75.
    #[arg(long)]
    fence: bool,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    connector: ConnectorFile,
}

/// Where to resume: exactly one of these.
#[derive(Debug, Args)]
#[group(id = "target", required = true, multiple = false)]
struct TargetArguments {
    /// Resume after exactly these transactions, or at this place in the source's binlog.
    #[arg(value_name = "GTID-SET|FILE:POS")]
    named: Option<NamedTarget>,

    /// Resume at the first transaction that the source still has.
    #[arg(long)]
    to_earliest: bool,

    /// Resume at the end of the source's binlog: everything before is skipped.
    #[arg(long)]
    to_current: bool,

    /// Resume at the first transaction committed at this time or later: RFC 3339, or
    /// "2026-11-30 10:00:00", which is UTC.
    #[arg(long, value_name = "TIME")]
    to_datetime: Option<UtcTime>,

    /// The same, this long before now: an ISO 8601 duration such as PT1H, PT30M or P1D.
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    by_duration: Option<Duration>,

    /// Resume at the position in this file, which `tailwater position show --json` printed.
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
}

/// A GTID set or a place, as a person writes it.
#[derive(Clone, Debug)]
enum NamedTarget {
    Gtids(GtidSet),
    Place(FilePosition),
}

impl FromStr for NamedTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const NEEDED: &str = "a GTID set or a place is needed, such as \
            3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5 or binlog.000002:1234";
        let text = text.trim();
        let set: Result<GtidSet, _> = text.parse();
        match set {
            Ok(set) if !set.is_empty() => return Ok(Self::Gtids(set)),
            Ok(_) => return Err(NEEDED.to_owned()),
            // A UUID has four hyphens; a file's name has a point and a number behind it.
            Err(error) if 4 <= text.matches('-').count() && !text.contains('.') => {
                return Err(error.to_string());
            }
            Err(_) => {}
        }
        let (file, offset) = text.rsplit_once(':').ok_or(NEEDED)?;
        let offset = offset.parse().map_err(|_| NEEDED)?;
        let place = FilePosition { file: file.to_owned(), offset };
        if place.file_number().is_none() || !file.contains('.') {
            return Err(NEEDED.to_owned());
        }
        Ok(Self::Place(place))
    }
}

/// Shows or sets the position.
pub(super) async fn run(arguments: SetArguments) -> Result<(), Failure> {
    let config = Arc::new(config::load(&arguments.connector.config)?);
    let (target, option) = arguments.target.read()?;
    let SetArguments { execute, fence, json, .. } = arguments;
    let request = SetRequest { target, execute, fence };
    let change = pipeline::set_position(&config, request).await?;
    if json {
        say(&format!("{:#}", as_json(&change, execute)));
        return Ok(());
    }
    print(&change, execute);
    say("");
    if execute {
        paragraph("The position is set: the next start of the connector resumes there.");
    } else {
        paragraph("Nothing is changed. To set the position, run:");
        say(&format!("  {}", arguments.command(&option, change.life)));
    }
    Ok(())
}

impl TargetArguments {
    /// The target, and the words by which the command line names it.
    fn read(&self) -> Result<(PositionTarget, String), Failure> {
        Ok(if let Some(named) = &self.named {
            match named {
                NamedTarget::Gtids(set) => (PositionTarget::Gtids(set.clone()), set.to_string()),
                NamedTarget::Place(place) => {
                    (PositionTarget::Place(place.clone()), place.to_string())
                }
            }
        } else if let Some(time) = self.to_datetime {
            (PositionTarget::Time(time), format!("--to-datetime \"{}Z\"", exact(time)))
        } else if let Some(duration) = self.by_duration {
            let option = format!("--by-duration PT{}S", duration.as_secs());
            (PositionTarget::Ago(duration), option)
        } else if let Some(path) = &self.from_file {
            (read_file(path)?, format!("--from-file {}", path.display()))
        } else if self.to_earliest {
            (PositionTarget::Earliest, "--to-earliest".to_owned())
        } else {
            (PositionTarget::Current, "--to-current".to_owned())
        })
    }
}

impl SetArguments {
    /// The command that does what was shown.
    fn command(&self, target: &str, life: Life) -> String {
        let config = self.connector.config.display().to_string();
        let config = match config.as_str() {
            CONFIG_DEFAULT => String::new(),
            _ => format!(" --config {config}"),
        };
        let fence = if life == Life::Runs { " --fence" } else { "" };
        format!("tailwater position set {target} --execute{fence}{config}")
    }
}

/// The time with all its microseconds, as `--to-datetime` reads it.
fn exact(time: UtcTime) -> String {
    let seconds = UtcTime { us: time.us / 1_000_000 * 1_000_000 }.to_string();
    let seconds = seconds.split('.').next().unwrap_or_default().replace(' ', "T");
    format!("{seconds}.{:06}", time.us % 1_000_000)
}

/// The position in a file that `tailwater position show --json` printed.
fn read_file(path: &Path) -> Result<PositionTarget, Failure> {
    let unusable = |problem: String| {
        Failure::new(
            Verdict::Halt,
            Reason::PositionRefused,
            format!("{} has no position: {problem}", path.display()),
        )
        .hint("Write it with: tailwater position show --json > position.json")
    };
    let bytes = fs::metadata(path).map_err(|error| unusable(error.to_string()))?.len();
    if FILE_BYTES_MAX < bytes {
        return Err(unusable(format!("it has {bytes} bytes")));
    }
    let json = fs::read(path).map_err(|error| unusable(error.to_string()))?;
    shown(&json).map_err(unusable)
}

fn shown(json: &[u8]) -> Result<PositionTarget, String> {
    let json: Value = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let position = json.get("position").unwrap_or(&Value::Null);
    if position.is_null() {
        return Err("`position` is missing or null".to_owned());
    }
    let text = |key: &str| position.get(key).and_then(Value::as_str);
    let server_uuid = text("server_uuid").and_then(|uuid| uuid.parse().ok());
    let gtid_set = match position.get("gtid_set") {
        None | Some(Value::Null) => None,
        Some(set) => {
            let set = set.as_str().ok_or("`gtid_set` is not text")?;
            Some(set.parse().map_err(|error| format!("`gtid_set`: {error}"))?)
        }
    };
    let place = text("file").zip(position.get("pos").and_then(Value::as_u64));
    let (file, offset) = place.ok_or("`file` or `pos` is missing")?;
    Ok(PositionTarget::Shown {
        server_uuid: server_uuid.ok_or("`server_uuid` is missing or none")?,
        gtid_set,
        file: FilePosition { file: file.to_owned(), offset },
    })
}

fn print(change: &PositionChange, is_executed: bool) {
    let PositionChange { saved, problem, new, .. } = change;
    if let Some(problem) = problem {
        paragraph(&format!("The saved position cannot be used: {}.", problem.message));
        say("");
    }
    let place = |position: &Position| match position.file.file.as_str() {
        "" => "not known".to_owned(),
        _ => position.file.to_string(),
    };
    let time = |position: &Position| match position.source_time_us {
        0 => "not known".to_owned(),
        us => UtcTime { us }.to_string(),
    };
    let columns = |label: &str, of: &dyn Fn(&Position) -> String| {
        let old = saved.as_ref().map_or_else(|| "none".to_owned(), of);
        fact(label, &format!("{old:<COLUMN_WIDTH$}{}", of(new)));
    };
    fact("", &format!("{:<COLUMN_WIDTH$}new", "saved"));
    columns("place", &place);
    columns("last commit", &time);
    if let Some(set) = saved.as_ref().and_then(|saved| saved.gtid_set.as_ref()) {
        fact("saved GTIDs", &set.to_string());
    }
    match &new.gtid_set {
        Some(set) if set.is_empty() => fact("new GTIDs", "none: before the first transaction"),
        Some(set) => fact("new GTIDs", &set.to_string()),
        None => {}
    }
    say("");
    for text in consequences(change, is_executed) {
        paragraph(&text);
    }
}

/// What the new position means, in sentences.
fn consequences(change: &PositionChange, is_executed: bool) -> Vec<String> {
    let mut texts = Vec::new();
    if change.saved.is_none() {
        texts.push(
            "There is no saved position to compare with: how much is skipped or delivered again \
             is not known."
                .to_owned(),
        );
    }
    let skipped = amount(change, change.skipped, !change.goes_back);
    if let Some(amount) = &skipped {
        texts.push(format!(
            "Skipped: {amount}. Consumers never get these changes; afterwards, while the connector \
             runs, read the tables again: tailwater snapshot --table DATABASE.TABLE"
        ));
    }
    let repeated = amount(change, change.repeated, change.goes_back);
    if change.saved.is_some() && skipped.is_none() && repeated.is_none() {
        texts.push("Nothing is skipped, and nothing is delivered again.".to_owned());
    }
    if let Some(amount) = repeated {
        texts.push(format!("Delivered again: {amount}. Consumers get these changes twice."));
    }
    if !change.dropped.is_nothing() {
        texts.push(format!("Dropped from the saved position: {}.", change.dropped));
    }
    if change.dropped.partials != 0 {
        texts.push(
            "Consumers keep the rows that are delivered of a transaction in part; if it is \
             skipped, its other rows never come."
                .to_owned(),
        );
    }
    if skipped.is_some() && change.is_reading {
        texts.push(
            "Tables are being read: rows that are delivered already lack the skipped changes; the \
             other rows are read as they are then."
                .to_owned(),
        );
    }
    texts.push(match change.life {
        Life::NeverRan => "No instance of the connector has run yet.".to_owned(),
        Life::Released => "No instance of the connector runs: the last one has ended.".to_owned(),
        Life::Silent(time) => format!(
            "No instance of the connector shows signs of life: its state topic did not change for \
             {} s.",
            time.as_secs()
        ),
        Life::Runs if is_executed => {
            "The instance of the connector that ran is fenced: it ends with exit code 75."
                .to_owned()
        }
        Life::Runs => "An instance of the connector runs: stop it first, or use --fence, and it \
                       ends with exit code 75."
            .to_owned(),
    });
    texts
}

/// How much lies between the positions; `None` if nothing does in this direction.
fn amount(change: &PositionChange, counted: Option<u64>, is_direction: bool) -> Option<String> {
    let size = change.bytes.filter(|_| is_direction);
    let is_same = change.saved.as_ref().is_some_and(|saved| saved.file == change.new.file);
    match (counted, size) {
        (Some(0), _) => None,
        (Some(count), Some(size)) => Some(format!("{}, {}", transactions(count), bytes(size))),
        (Some(count), None) => Some(transactions(count)),
        (None, _) if change.saved.is_none() || !is_direction || is_same => None,
        (None, Some(size)) => {
            Some(format!("{}; without GTIDs no transaction is counted", bytes(size)))
        }
        (None, None) => Some("an unknown number of transactions".to_owned()),
    }
}

fn as_json(change: &PositionChange, is_executed: bool) -> Value {
    let size = |is_direction: bool| change.bytes.filter(|_| is_direction);
    json!({
        "saved": change.saved.as_ref().map(position_json),
        "problem": change.problem.as_ref().map(|failure| &failure.message),
        "position": position_json(&change.new),
        "skipped_transactions": change.skipped,
        "skipped_bytes": size(!change.goes_back),
        "repeated_transactions": change.repeated,
        "repeated_bytes": size(change.goes_back),
        "dropped": {
            "in_part": change.dropped.partials,
            "prepared": change.dropped.prepared,
            "skip_events": change.dropped.skips,
        },
        "instance_runs": change.life == Life::Runs,
        "executed": is_executed,
    })
}

#[cfg(test)]
mod tests {
    use super::{NamedTarget, exact, shown};
    use crate::{model::utc_time::UtcTime, pipeline::PositionTarget};

    const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    #[test]
    fn a_gtid_set_and_a_place_are_told_apart() {
        let read = |text: &str| text.parse::<NamedTarget>();
        assert!(matches!(read(&format!("{UUID}:1-5,{UUID}:9")), Ok(NamedTarget::Gtids(_))));
        assert!(matches!(read("binlog.000002:1234"), Ok(NamedTarget::Place(_))));
        assert!(matches!(read("a-b-c-d-e.000002:4"), Ok(NamedTarget::Place(_))));
        for text in ["", "binlog", "binlog:4", "binlog.000002", "binlog.x:4", "binlog.000002:x"] {
            assert!(read(text).unwrap_err().contains("is needed"), "{text}");
        }
        assert!(read(&format!("{UUID}:0")).unwrap_err().contains("is not a GTID set"));
    }

    #[test]
    fn the_position_of_a_file_is_what_show_printed() {
        let file = |gtids: &str| {
            format!(
                r#"{{"connector":"shop","position":{{"server_uuid":"{UUID}","gtid_set":{gtids},
                "file":"binlog.000002","pos":4294967300}},"source":null}}"#
            )
        };
        let read = |text: &str| shown(text.as_bytes());
        let with = read(&file(&format!("\"{UUID}:1-5\""))).unwrap();
        assert!(matches!(with, PositionTarget::Shown { gtid_set: Some(_), .. }));
        let without = read(&file("null")).unwrap();
        let PositionTarget::Shown { file: place, .. } = without else { panic!("{without:?}") };
        assert_eq!(place.to_string(), "binlog.000002:4294967300");
        for text in ["", "{}", r#"{"position":null}"#, &file("5"), &file("\"x\"")] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_keeps_its_microseconds_on_the_command_line() {
        let time = UtcTime { us: 1_700_000_000_123_456 };
        let text = format!("{}Z", exact(time));
        assert_eq!(text, "2023-11-14T22:13:20.123456Z");
        assert_eq!(text.parse(), Ok(time));
    }
}
