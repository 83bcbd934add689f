//! The rows that the stream has changed since a window opened.

use std::collections::BTreeSet;

use super::{ChunkRows, KeyTap, SnapshotError};
use crate::model::value::RowImages;

/// Most memory of one window's identities. A table that changes faster than this during one
/// SELECT is read in smaller chunks.
const BYTES_MAX: usize = 4 << 20;

/// The size of a set's entry without its bytes, roughly: the box, its share of a tree node, the
/// allocator's own.
const ENTRY_BYTES: usize = 48;

/// Identities of changed rows.
#[derive(Debug, Default)]
pub struct ChangedKeys {
    identities: BTreeSet<Box<[u8]>>,
    bytes: usize,
    /// Once the chunk's rows are known, no other identity needs to be kept.
    only: Option<BTreeSet<Box<[u8]>>>,
}

impl ChangedKeys {
    /// Whether the stream has changed no row.
    pub fn is_empty(&self) -> bool {
        self.identities.is_empty()
    }

    /// Whether the stream has changed this row.
    pub fn contains(&self, identity: &[u8]) -> bool {
        self.identities.contains(identity)
    }

    /// Notes a changed row; `false` if there are too many.
    pub(super) fn add(&mut self, identity: &[u8]) -> bool {
        let matters = self.only.as_ref().is_none_or(|only| only.contains(identity));
        if matters && !self.identities.contains(identity) {
            self.identities.insert(identity.into());
            self.bytes += identity.len() + ENTRY_BYTES;
        }
        self.bytes <= BYTES_MAX || self.only.is_some()
    }

    /// Keeps the identities of these rows only, now and from now on: at most as many as there are
    /// rows.
    pub(super) fn narrow(
        &mut self,
        rows: &ChunkRows,
        is_key: &[bool],
    ) -> Result<(), SnapshotError> {
        let mut only = BTreeSet::new();
        let mut buffer = Vec::new();
        let mut images = rows.images();
        let found = |identity: &[u8]| {
            only.insert(identity.into());
        };
        let mut identified = KeyTap::new(&mut images, is_key, &mut buffer, found);
        for _ in 0..rows.len() {
            identified.next_image()?;
            for _ in is_key {
                identified.next_value()?;
            }
        }
        self.identities.retain(|identity| only.contains(identity));
        self.only = Some(only);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{BYTES_MAX, ChangedKeys};
    use crate::{model::value::Value, snapshot::ChunkRows};

    #[test]
    fn a_flood_of_changes_is_narrowed_to_the_rows_of_the_chunk() {
        let mut rows = ChunkRows::default();
        for id in 0..3 {
            rows.push(&Value::Int(id));
            rows.push(&Value::Text("not of the key"));
            rows.end_row();
        }
        let identity = |id: i64| {
            let mut row = ChunkRows::default();
            row.push(&Value::Int(id));
            row.filled_bytes().to_vec()
        };
        let mut changed_keys = ChangedKeys::default();
        let mut id = 2;
        while changed_keys.add(&identity(id)) {
            id += 1;
        }
        assert!(usize::try_from(id).unwrap() < BYTES_MAX / 40);
        changed_keys.narrow(&rows, &[true, false]).unwrap();
        assert!(changed_keys.contains(&identity(2)) && !changed_keys.contains(&identity(3)));
        assert!(changed_keys.add(&identity(4)) && !changed_keys.contains(&identity(4)));
        assert!(changed_keys.add(&identity(1)) && changed_keys.contains(&identity(1)));
    }
}
