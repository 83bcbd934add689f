//! Source transactions that are delivered in parts: passing over what an earlier epoch delivered,
//! and cutting what is too large. `group` has the proof.

use super::{
    Delivery, chunks,
    group::{Group, PrefixDiffers},
};
use crate::{
    decode::{DecodeError, Finished, Rows},
    error::{Failure, Verdict},
    model::{
        change::{Operation, Transaction},
        position::{FilePosition, PartialTransaction, Position},
        value::RowImages,
    },
    snapshot::Identified,
};

impl Delivery {
    /// Reads over the rows that an earlier epoch delivered; says how many of this event they are.
    pub(super) fn pass_over(&mut self, rows: &mut Rows<'_>) -> Result<u32, Failure> {
        let group = self.group.get_or_insert_with(|| {
            let begins = name_of(rows.origin.transaction, rows.origin.file, &self.record.position);
            Group::begin(begins, self.record.partial.as_ref())
        });
        let mut passed = 0;
        while 0 < group.rows_to_pass() && rows.images.more() {
            let before = rows.images.unread();
            let (images, columns) = (images_of(rows.operation), rows.table.columns.len());
            match chunks::touching(&mut self.snapshot, rows)? {
                None => read_over(&mut rows.images, images, columns)?,
                Some(mut touching) => {
                    let plan = std::sync::Arc::clone(&touching.plan);
                    let found = |identity: &[u8]| touching.add(identity);
                    let identity = &mut self.identity;
                    let reader = &mut rows.images;
                    let mut reader = Identified::new(reader, &plan.is_key, identity, found);
                    read_over(&mut reader, images, columns)?;
                }
            }
            let bytes = before.len() - rows.images.unread().len();
            let bytes = before.get(..bytes).unwrap_or_default();
            group.take((rows.version, &rows.table.name), rows.operation, 1, bytes);
            passed += 1;
        }
        match group.resume() {
            Ok(false) => Ok(passed),
            Ok(true) => {
                let note = group.note();
                tracing::info!(
                    rows = note.rows_done,
                    parts = note.parts,
                    "going on inside a source transaction"
                );
                Ok(passed)
            }
            Err(PrefixDiffers) => Err(self.repeat()),
        }
    }

    /// Whether the open batch must end although its last source transaction has not.
    pub(super) fn must_cut(&self) -> bool {
        self.batch.opened.is_some_and(|opened| {
            self.config.delivery.batch_bytes_max <= self.batch.bytes
                || self.producer.stall_limit() <= opened.elapsed()
        })
    }

    /// Commits the rows of the source transaction that have come so far, with a note of how many.
    pub(super) fn cut(&mut self) -> Result<(), Failure> {
        let Some(note) = self.group.as_mut().and_then(Group::cut) else { return Ok(()) };
        if note.parts == 1 {
            tracing::info!(
                rows = note.rows_done,
                "a source transaction is too large for one Kafka transaction and is cut"
            );
        }
        self.record.partial = Some(note.clone());
        if let Some(held_back) = &mut self.held_back {
            held_back.send(&mut self.producer)?;
        }
        self.commit()
    }

    /// Commits that nothing of the source transaction counts as delivered; the failure starts the
    /// epoch that delivers it whole.
    #[cold]
    fn repeat(&mut self) -> Failure {
        let rows = self.record.partial.take().map_or(0, |note| note.rows_done);
        self.metrics.rows_repeated.inc_by(rows);
        self.group = None;
        if let Err(failure) = self.commit() {
            return failure;
        }
        Failure::new(
            Verdict::Recycle,
            "transaction_changed",
            format!(
                "the source transaction after {} has other first rows than the {rows} that were \
                 delivered of it; it is delivered again from its start",
                self.record.position
            ),
        )
    }

    /// The source transaction's note is done with, if there was one.
    pub(super) fn end_group(&mut self, finished: &Finished<'_>) -> Result<(), Failure> {
        let noted = self.record.partial.as_ref();
        let group = match (self.group.take(), noted) {
            (None, None) => return Ok(()),
            (Some(group), _) => group,
            (None, Some(_)) => {
                let ends = name_of(finished.transaction, &finished.end.file, &self.record.position);
                Group::begin(ends, noted)
            }
        };
        match { group }.end() {
            Ok(true) => self.record.partial = None,
            Ok(false) => {}
            Err(PrefixDiffers) => return Err(self.repeat()),
        }
        Ok(())
    }
}

/// Names a source transaction, with nothing of it delivered.
fn name_of(transaction: &Transaction, file: &str, position: &Position) -> PartialTransaction {
    PartialTransaction {
        gtid: transaction.gtid.clone(),
        server_uuid: position.server_uuid,
        begin: FilePosition { file: file.to_owned(), offset: transaction.begin_offset },
        rows_done: 0,
        digest: 0,
        parts: 0,
    }
}

/// How many images a row of this operation has.
fn images_of(operation: Operation) -> u32 {
    if operation == Operation::Update { 2 } else { 1 }
}

/// Reads one row and does nothing with it.
fn read_over<I>(reader: &mut I, images: u32, columns: usize) -> Result<(), DecodeError>
where
    I: RowImages<Error = DecodeError>,
{
    for _ in 0..images {
        reader.next_image()?;
        for _ in 0..columns {
            reader.skip_value()?;
        }
    }
    Ok(())
}
