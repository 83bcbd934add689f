//! Bytes that are no event, told apart from a connection that ended.
//!
//! The library's parser and its connection fail alike, with errors of input and output.

use mysql_async::{Error, IoError};

/// What is wrong with bytes that came whole and of which the library could not make an event;
/// `None` for trouble with the connection. Both come as errors of input and output.
pub(super) fn parse_failure(error: &Error) -> Option<String> {
    use std::io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    /// How the library and its framing say that the connection ended, between packets and inside.
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
    fn bytes_that_are_no_event_are_told_apart_from_a_connection_that_ended() {
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
