//! When the state topic is read as far as it must be: what is decided, without the requests.

/// Whether no transaction with a record before `end` is open any more.
pub fn is_decided(end: i64, last_stable: i64) -> bool {
    end <= last_stable
}

/// Whether a reader that has met this end of the partition has read all that is before `end`. An
/// answer that ends before it comes from a broker that is behind the one that named `end`.
pub fn is_whole(end: i64, met: Option<i64>) -> bool {
    Some(end) <= met
}
