//! Decides when the state topic is read far enough, without doing requests.

/// Whether no transaction with a record before `end` is open any more.
pub fn is_decided(end: i64, last_stable: i64) -> bool {
    end <= last_stable
}

/// Whether a reader that has met this end of the partition has read all that is before `end`. An
/// answer that ends before it comes from a broker that is behind the one that named `end`.
pub fn is_whole(end: i64, met: Option<i64>) -> bool {
    Some(end) <= met
}
