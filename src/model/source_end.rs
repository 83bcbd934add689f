//! The end of the source's binlog as the source reported it, and how far a position is from it.

use super::position::Position;

/// Where the source's binlog ended at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceEnd {
    /// The end: what the source had committed.
    pub position: Position,
    /// The source's binlog files in order, each with its size in bytes; empty if only the last one
    /// matters.
    pub files: Vec<(String, u64)>,
}

impl SourceEnd {
    /// How many source transactions follow the position; `None` without GTIDs, which alone are
    /// counted.
    pub fn transactions_after(&self, position: &Position) -> Option<u64> {
        let (end, done) = (self.position.gtid_set.as_ref()?, position.gtid_set.as_ref()?);
        Some(end.minus(done).len())
    }

    /// Whether the binlog ends before a place of the same server that it had, by the files of one
    /// `log_bin`.
    pub fn is_before(&self, read: &Position) -> bool {
        let (end, read_file) = (&self.position, &read.file);
        end.server_uuid == read.server_uuid
            && end.file.base_name() == read_file.base_name()
            && end.file < *read_file
    }

    /// How many bytes of binlog follow the position; `None` if it is on another server, or in a
    /// file that the source did not list.
    pub fn bytes_after(&self, position: &Position) -> Option<u64> {
        let end = &self.position;
        if end.server_uuid != position.server_uuid {
            return None;
        }
        let (first, last) = (&position.file, &end.file);
        if first.file == last.file {
            return Some(last.offset.saturating_sub(first.offset));
        }
        let begins = self.files.iter().position(|(name, _)| *name == first.file)?;
        let between = self.files.iter().skip(begins).take_while(|(name, _)| *name != last.file);
        let bytes = between.fold(0_u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
        Some(bytes.saturating_add(last.offset).saturating_sub(first.offset))
    }
}

#[cfg(test)]
mod tests {
    use super::SourceEnd;
    use crate::model::position::{FilePosition, Position};

    const UUID: &str = "0e4d5dcd-a33b-11ea-80f1-02010a22a99e";

    fn position(gtids: Option<&str>, file: &str, offset: u64) -> Position {
        Position {
            server_uuid: UUID.parse().unwrap(),
            gtid_set: gtids.map(|numbers| format!("{UUID}:{numbers}").parse().unwrap()),
            file: FilePosition { file: file.to_owned(), offset },
            source_time_us: 0,
        }
    }

    #[test]
    fn transactions_are_counted_by_gtids_and_bytes_across_files() {
        let files = [("b.000001", 900), ("b.000002", 500), ("b.000003", 300)];
        let end = SourceEnd {
            position: position(Some("1-20"), "b.000003", 250),
            files: files.map(|(name, bytes)| (name.to_owned(), bytes)).to_vec(),
        };
        let behind = position(Some("1-8:11"), "b.000001", 400);
        assert_eq!(end.transactions_after(&behind), Some(11));
        assert_eq!(end.bytes_after(&behind), Some(500 + 500 + 250));
        let near = position(None, "b.000003", 200);
        assert_eq!(end.transactions_after(&near), None);
        assert_eq!(end.bytes_after(&near), Some(50));
        // The connector can be further than what was known a moment ago.
        let ahead = position(Some("1-30"), "b.000003", 290);
        assert_eq!((end.transactions_after(&ahead), end.bytes_after(&ahead)), (Some(0), Some(0)));
        assert!(end.is_before(&ahead) && !end.is_before(&near) && !end.is_before(&behind));
        assert!(!end.is_before(&position(None, "other.000009", 4)), "another log_bin");
        // A file that the source does not list, and another server's.
        assert_eq!(end.bytes_after(&position(None, "b.000000", 4)), None);
        assert_eq!(
            end.bytes_after(&Position {
                server_uuid: crate::model::gtid::ServerUuid([0; 16]),
                ..near
            }),
            None
        );
    }
}
