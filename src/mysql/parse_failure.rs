//! Distinguishes bytes that are no event from a connection that ended.
//!
//! The library reports both as I/O errors.

use mysql_async::{Error, IoError};

/// What is wrong with bytes that arrived complete but that the library could not parse as an event;
/// `None` if the connection failed.
pub(super) fn parse_failure(error: &Error) -> Option<String> {
    use std::io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    /// The texts of the library and its framing for a connection that ended, between packets and
    /// inside one.
    const ENDED: [&str; 2] = ["connection closed", "bytes remaining on stream"];
    let Error::Io(IoError::Io(error)) = error else { return None };
    let is_parsers = matches!(error.kind(), InvalidData | InvalidInput | Other | UnexpectedEof);
    let is_tls = error
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<openssl::ssl::Error>);
    let text = error.to_string();
    let is_connection = error.raw_os_error().is_some() || is_tls || ENDED.contains(&text.as_str());
    (is_parsers && !is_connection).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::parse_failure;

    #[test]
    fn bytes_that_are_no_event_differ_from_a_connection_that_ended() {
        let is_unreadable = |error: Error| parse_failure(&error.into()).is_some();
        for (kind, text) in [
            (ErrorKind::UnexpectedEof, "can't parse: buf doesn't have enough data"),
            (ErrorKind::InvalidData, "invalid tag"),
            (ErrorKind::Other, "bad binlog checksum"),
        ] {
            assert!(is_unreadable(Error::new(kind, text)), "{text}");
        }
        for (kind, text) in [
            (ErrorKind::UnexpectedEof, "connection closed"),
            (ErrorKind::Other, "bytes remaining on stream"),
            (ErrorKind::ConnectionReset, "reset"),
            (ErrorKind::TimedOut, "timed out"),
        ] {
            assert!(!is_unreadable(Error::new(kind, text)), "{text}");
        }
        assert!(!is_unreadable(Error::from_raw_os_error(5)), "an answer of the system");
    }
}
