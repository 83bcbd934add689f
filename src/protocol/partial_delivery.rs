//! How far into a source transaction delivery has come, for one that is too large for one Kafka
//! transaction.
//!
//! Such a transaction is cut: its first rows are committed with a position before it and a note of
//! how many rows these are. An epoch that finds the note reads the transaction again from its
//! start, skips that many rows and continues behind them.
//!
//! # Why nothing is lost and nothing comes twice
//! The note is in the Kafka transaction that holds the rows it counts, so both are visible or
//! neither is. Rows are counted in the order of the binlog. On the same server the transaction is
//! read again byte for byte. Another server can have applied its rows in another order (a table
//! without a key, searched by hashes): the digest of the skipped rows shows it. If it differs,
//! nothing is assumed: the note is dropped and the whole transaction is delivered again, so that
//! its first rows come twice, which is counted and logged.
//!
//! The digest is a CRC-32 over the rows' bytes as the binlog has them, and over table and
//! operation wherever these change. How the rows are put into events does not show in it, because
//! that differs between servers (`binlog_row_event_max_size`).

use crc32fast::Hasher;

use super::notes;
use crate::model::{
    change::Operation,
    gtid::{Gtid, ServerUuid},
    position::{FilePosition, PartialTransaction},
    table::{TableName, TableVersionId},
};

/// What a source transaction is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TransactionName<'a> {
    /// Its GTID; `None` for an anonymous one.
    pub(crate) gtid: Option<&'a Gtid>,
    /// The server that `file` and `begin_offset` belong to.
    pub(crate) server_uuid: ServerUuid,
    /// The binlog file it is in.
    pub(crate) file: &'a str,
    /// Where it begins.
    pub(crate) begin_offset: u64,
}

impl<'a> TransactionName<'a> {
    /// The name that a note has.
    pub(super) fn of(note: &'a PartialTransaction) -> Self {
        Self {
            gtid: note.gtid.as_ref(),
            server_uuid: note.server_uuid,
            file: &note.begin.file,
            begin_offset: note.begin.offset,
        }
    }
}

/// Rows of one event that were taken in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowsTaken<'a> {
    pub(crate) version: TableVersionId,
    pub(crate) table: &'a TableName,
    pub(crate) operation: Operation,
    pub(crate) rows: u64,
    /// The rows as the binlog has them.
    pub(crate) bytes: &'a [u8],
}

/// A source transaction between its first row and its end.
#[derive(Debug)]
pub(crate) struct PartialDelivery {
    /// Its name, and what of it is committed: the note as it was saved last, or would be.
    note: PartialTransaction,
    /// Rows taken in: skipped, sent or held back.
    rows: u64,
    digest: Hasher,
    /// The table and the operation of the last row.
    run: Option<(TableVersionId, Operation)>,
    /// Rows and digest without the row that is held back; `None` if none is.
    sent: Option<(u64, u32)>,
    /// Whether the rows that the note counts have not all been skipped.
    skipping: bool,
}

/// The skipped rows are not those that were delivered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PrefixDiffers;

impl PartialDelivery {
    /// A source transaction begins. `notes` is what the position says of those that are delivered
    /// in part: this one and, after a fail-over, others that come later.
    pub(super) fn begin(name: TransactionName<'_>, notes: &[PartialTransaction]) -> Self {
        let noted = notes::find(notes, name);
        Self {
            skipping: noted.is_some(),
            note: noted.cloned().unwrap_or_else(|| nothing_of(name)),
            rows: 0,
            digest: Hasher::new(),
            run: None,
            sent: None,
        }
    }

    /// How many of the next rows are to be skipped.
    #[inline]
    pub(super) fn rows_to_skip(&self) -> u64 {
        if self.skipping { self.note.rows_done.saturating_sub(self.rows) } else { 0 }
    }

    /// How many rows were taken in, skipped or sent.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes in rows of one event.
    pub(super) fn take(&mut self, taken: &RowsTaken<'_>) {
        let &RowsTaken { version, table, operation, rows, bytes } = taken;
        if rows == 0 {
            return;
        }
        if self.run != Some((version, operation)) {
            self.run = Some((version, operation));
            for name in [operation.name(), &table.database, &table.table] {
                self.digest.update(name.as_bytes());
                // No name holds this byte.
                self.digest.update(&[0]);
            }
        }
        self.digest.update(bytes);
        self.rows = self.rows.saturating_add(rows);
    }

    /// Takes in a row whose records are held back.
    pub(super) fn hold(&mut self, taken: &RowsTaken<'_>) {
        self.sent = Some((self.rows, self.digest()));
        self.take(taken);
    }

    /// The row that was held back is sent.
    pub(super) fn release(&mut self) {
        self.sent = None;
    }

    /// Stops skipping rows once all that were delivered have come by.
    pub(super) fn resume(&mut self) -> Result<(), PrefixDiffers> {
        if !self.skipping || self.rows < self.note.rows_done {
            return Ok(());
        }
        self.skipping = false;
        let same = self.rows == self.note.rows_done && self.digest() == self.note.digest;
        if same { Ok(()) } else { Err(PrefixDiffers) }
    }

    /// The transaction ends: all rows that were delivered must have come by.
    pub(super) fn end(&mut self) -> Result<(), PrefixDiffers> {
        self.resume()?;
        if self.skipping { Err(PrefixDiffers) } else { Ok(()) }
    }

    /// The note for the Kafka transaction that is about to be committed; `None` if it holds no
    /// rows of this source transaction.
    pub(super) fn cut(&mut self) -> Option<&PartialTransaction> {
        if !self.has_rows_to_note() {
            return None;
        }
        let (rows, digest) = self.sent.unwrap_or_else(|| (self.rows, self.digest()));
        self.note.rows_done = rows;
        self.note.digest = digest;
        self.note.parts = self.note.parts.saturating_add(1);
        Some(&self.note)
    }

    /// Whether rows of it were sent that no note counts.
    pub(super) fn has_rows_to_note(&self) -> bool {
        let rows = self.sent.map_or(self.rows, |(rows, _)| rows);
        !self.skipping && rows != self.note.rows_done
    }

    /// What it is called and how much of it is committed.
    pub(crate) fn note(&self) -> &PartialTransaction {
        &self.note
    }

    fn digest(&self) -> u32 {
        self.digest.clone().finalize()
    }
}

/// A source transaction of which nothing is delivered.
pub(crate) fn nothing_of(name: TransactionName<'_>) -> PartialTransaction {
    PartialTransaction {
        gtid: name.gtid.cloned(),
        server_uuid: name.server_uuid,
        begin: FilePosition { file: name.file.to_owned(), offset: name.begin_offset },
        rows_done: 0,
        digest: 0,
        parts: 0,
    }
}

/// Whether both are one source transaction: by GTID, or by place on one server.
pub(crate) fn is_same(one: &PartialTransaction, other: TransactionName<'_>) -> bool {
    match (&one.gtid, other.gtid) {
        (Some(one), Some(other)) => one == other,
        (None, None) => {
            one.server_uuid == other.server_uuid
                && one.begin.file == other.file
                && one.begin.offset == other.begin_offset
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{PartialDelivery, PrefixDiffers, RowsTaken, TransactionName};
    use crate::model::{
        change::Operation,
        position::PartialTransaction,
        table::{TableName, TableVersionId},
    };

    /// A row: its table, its operation, its bytes.
    type Row = (u32, bool, Vec<u8>);

    fn name(begin_offset: u64) -> TransactionName<'static> {
        let server_uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562".parse().unwrap();
        TransactionName { gtid: None, server_uuid, file: "binlog.000001", begin_offset }
    }

    fn take(partial: &mut PartialDelivery, (table, insert, bytes): &Row) {
        let name = TableName { database: "shop".into(), table: format!("t{table}") };
        let operation = if *insert { Operation::Insert } else { Operation::Delete };
        let version = TableVersionId(*table);
        partial.take(&RowsTaken { version, table: &name, operation, rows: 1, bytes });
    }

    /// The note after these rows.
    fn cut(rows: &[Row]) -> PartialTransaction {
        let mut partial = PartialDelivery::begin(name(4), &[]);
        for row in rows {
            take(&mut partial, row);
        }
        partial.cut().unwrap().clone()
    }

    /// Skips what the note counts; the number of rows after which delivery continues.
    fn pass(rows: &[Row], noted: &PartialTransaction) -> Result<usize, PrefixDiffers> {
        let mut partial = PartialDelivery::begin(name(4), std::slice::from_ref(noted));
        for (position, row) in rows.iter().enumerate() {
            if partial.rows_to_skip() == 0 {
                return Ok(position);
            }
            take(&mut partial, row);
            partial.resume()?;
        }
        partial.end().map(|()| rows.len())
    }

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        // Each row of a binlog has bytes: those of its NULLs at least.
        let bytes = proptest::collection::vec(any::<u8>(), 1..100);
        proptest::collection::vec((0_u32..3, any::<bool>(), bytes), 1..20)
    }

    proptest! {
        #[test]
        fn a_transaction_continues_behind_what_is_delivered(rows in rows(), at in any::<prop::sample::Index>()) {
            let done = at.index(rows.len()) + 1;
            prop_assert_eq!(pass(&rows, &cut(&rows[..done])), Ok(done));
        }

        #[test]
        fn other_rows_in_front_are_seen(rows in rows(), at in any::<prop::sample::Index>(), bit in 0_usize..8) {
            let noted = cut(&rows);
            let mut other = rows.clone();
            let row = at.index(rows.len());
            if bit < 6 {
                other[row].2[0] ^= 1 << bit;
            } else if bit % 2 == 0 {
                other[row].1 = !other[row].1;
            } else {
                other[row].0 += 3;
            }
            prop_assert_eq!(pass(&other, &noted), Err(PrefixDiffers));
        }
    }

    #[test]
    fn a_transaction_that_ends_too_early_is_another_one() {
        let row = (0, true, vec![1]);
        let noted = cut(&[row.clone(), row.clone()]);
        assert_eq!(pass(&[row], &noted), Err(PrefixDiffers));
        assert_eq!(pass(&[], &noted), Err(PrefixDiffers));
    }

    #[test]
    fn another_transaction_skips_nothing() {
        let noted = cut(&[(0, true, vec![1])]);
        let mut partial = PartialDelivery::begin(name(99), &[noted]);
        assert_eq!(partial.rows_to_skip(), 0);
        assert_eq!(partial.end(), Ok(()));
    }

    #[test]
    fn a_cut_counts_parts_and_says_nothing_without_new_rows() {
        let mut partial = PartialDelivery::begin(name(4), &[]);
        assert_eq!(partial.cut(), None);
        for part in 1..=3 {
            take(&mut partial, &(0, true, vec![1]));
            assert_eq!(
                partial.cut().map(|note| (note.parts, note.rows_done)),
                Some((part, part.into()))
            );
            assert_eq!(partial.cut(), None);
        }
        assert_eq!(partial.end(), Ok(()));
    }
}
