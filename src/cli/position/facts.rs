//! Facts as lines of a label and a value, at most 80 columns wide.

use std::time::{Duration, UNIX_EPOCH};

use indicatif::{HumanBytes, HumanCount};
use serde_json::{Map, Value, json};

use crate::{
    cli::{bars::human, say::say},
    model::{position::Position, utc_time::UtcTime},
    runtime::wall_clock,
};

/// Where values begin.
const LABEL_WIDTH: usize = 12;

/// How wide a line may be.
pub(super) const WIDTH: usize = 80;

/// Prints a fact; what is too long goes on below itself.
pub(in crate::cli) fn fact(label: &str, value: &str) {
    for (number, line) in wrap(value, WIDTH - LABEL_WIDTH).iter().enumerate() {
        let label = if number == 0 { label } else { "" };
        say(&format!("{label:<LABEL_WIDTH$}{line}"));
    }
}

/// A position as JSON.
pub(super) fn position_json(position: &Position) -> Map<String, Value> {
    let fields = [
        ("server_uuid", json!(position.server_uuid.to_string())),
        ("gtid_set", json!(position.gtid_set.as_ref().map(ToString::to_string))),
        ("file", json!(position.file.file)),
        ("pos", json!(position.file.offset)),
        ("source_ts_us", json!(position.source_time_us)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Prints a text.
pub(in crate::cli) fn paragraph(text: &str) {
    for line in wrap(text, WIDTH) {
        say(&line);
    }
}

/// The text in lines: they break between words, and in GTID sets before a source or an interval.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_inclusive(' ') {
        let is_long = width < word.trim_end().chars().count();
        let parts = if is_long { pieces(word) } else { vec![word] };
        for part in parts {
            let last = lines.last_mut().map_or(0, |line| line.chars().count());
            if last != 0 && width < last + part.trim_end().chars().count() {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                line.push_str(part);
            }
        }
    }
    lines.into_iter().map(|line| line.trim_end().to_owned()).collect()
}

/// A long word in pieces that end in a comma or begin with a colon.
fn pieces(word: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    for source in word.split_inclusive(',') {
        let mut rest = source;
        while let Some((at, _)) = rest.char_indices().skip(1).find(|&(_, letter)| letter == ':') {
            let (piece, after) = rest.split_at(at);
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
    }
    pieces
}

/// A time at the source, and how long ago it is.
pub(super) fn when(time_us: u64) -> String {
    if time_us == 0 {
        return "not known: no transaction was delivered yet".to_owned();
    }
    let now = wall_clock().duration_since(UNIX_EPOCH).unwrap_or_default();
    let ago = now.saturating_sub(Duration::from_micros(time_us));
    format!("{} UTC at the source, {} ago", UtcTime { us: time_us }, human(ago.as_secs()))
}

/// A number of source transactions.
pub(super) fn transactions(count: u64) -> String {
    let noun = if count == 1 { "transaction" } else { "transactions" };
    format!("{} {noun}", HumanCount(count))
}

/// An amount of binlog.
pub(super) fn bytes(bytes: u64) -> String {
    format!("{} of binlog", HumanBytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn text_breaks_between_words_and_gtid_sets_between_intervals() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("", 8), [""]);
        let set = "0e4d5dcd-a33b-11ea-80f1-02010a22a99e:1-5:8:blue:1-200,\
                   1e4d5dcd-a33b-11ea-80f1-02010a22a99e:77";
        let lines = wrap(set, 44);
        assert_eq!(
            lines,
            [
                "0e4d5dcd-a33b-11ea-80f1-02010a22a99e:1-5:8",
                ":blue:1-200,",
                "1e4d5dcd-a33b-11ea-80f1-02010a22a99e:77"
            ]
        );
        assert_eq!(lines.concat(), set);
    }
}
