//! Which tests take longest, from what libtest prints.
//!
//! How can durations be known, where libtest prints only that a test has ended? (Its own
//! `--report-time` is not stable.) It starts tests in the order of their names, so many at once as
//! it has threads, and the next one when one ends. So with n threads the first n tests of a binary
//! begin when it begins, and each later one when one more test has ended: test i (from 0) begins at
//! the end number i - n of all ends in order of time.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::time::Duration;

use xtask::stopwatch::Stopwatch;

/// How many are reported.
const COUNT: usize = 10;

/// When each test of one binary ended, since the binary began.
type Ends = Vec<(String, Duration)>;

/// Copies libtest's output to stdout and returns the slowest tests of all binaries.
pub(crate) fn copy(output: impl Read, threads: usize) -> io::Result<Vec<(String, Duration)>> {
    let mut output = BufReader::new(output);
    let (mut stopwatch, mut ends, mut durations) = (Stopwatch::start(), Ends::new(), Vec::new());
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? != 0 {
        io::stdout().write_all(&line)?;
        let text = String::from_utf8_lossy(&line);
        if text.starts_with("running ") {
            durations.append(&mut durations_of(std::mem::take(&mut ends), threads));
            stopwatch = Stopwatch::start();
        } else if let Some(name) = ended(&text) {
            ends.push((name.to_owned(), stopwatch.elapsed()));
        }
        line.clear();
    }
    durations.append(&mut durations_of(ends, threads));
    durations.sort_by_key(|(_, duration)| std::cmp::Reverse(*duration));
    durations.truncate(COUNT);
    Ok(durations)
}

/// The test that this line says has ended.
fn ended(line: &str) -> Option<&str> {
    let (name, result) = line.trim_end().strip_prefix("test ")?.split_once(" ... ")?;
    matches!(result, "ok" | "FAILED").then_some(name)
}

fn durations_of(mut ends: Ends, threads: usize) -> Vec<(String, Duration)> {
    let mut starts = vec![Duration::ZERO; threads];
    starts.extend(ends.iter().map(|(_, end)| *end));
    ends.sort();
    let starts = starts.into_iter();
    ends.into_iter()
        .zip(starts)
        .map(|((name, end), start)| (name, end.saturating_sub(start)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_begins_when_a_thread_is_free() {
        let second = Duration::from_secs;
        // Two threads: a and b begin at 0, c at the end of b, d at the end of a.
        let ends = [("b", 1), ("a", 4), ("c", 6), ("d", 7)];
        let ends = ends.map(|(name, end)| (name.to_owned(), second(end)));
        let expected = [("a", 4), ("b", 1), ("c", 5), ("d", 3)];
        let expected = expected.map(|(name, took)| (name.to_owned(), second(took)));
        assert_eq!(durations_of(ends.to_vec(), 2), expected);
    }

    #[test]
    fn only_a_test_that_has_ended_counts() {
        assert_eq!(ended("test a::b ... ok\n"), Some("a::b"));
        assert_eq!(ended("test a::b ... FAILED\n"), Some("a::b"));
        assert_eq!(ended("test a::b has been running for over 60 seconds\n"), None);
        assert_eq!(ended("test result: ok. 1 passed\n"), None);
        assert_eq!(ended("test a ... ignored\n"), None);
    }
}
