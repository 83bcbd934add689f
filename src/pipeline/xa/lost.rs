//! Rows of XA transactions that became visible and cannot be read any more.

use crate::{
    error::{Failure, Reason, Verdict},
    model::{change::Transaction, position::FilePosition, xa::PreparedTransaction},
};

/// What is left where rows became visible that cannot be read any more.
const READ_AGAIN: &str = "Its rows are in their tables and not in the topics. Set capture.lost_xa = \
    \"ignore\", start, have the tables that it may have changed read again (tailwater snapshot \
    --table …), and take the key out again.";

/// XA COMMIT of a transaction whose rows are in no binlog. Which tables it changed cannot be said:
/// the statement names none.
pub(super) fn unknown(transaction: &Transaction, end: &FilePosition) -> Failure {
    let name = match &transaction.gtid {
        Some(gtid) => format!("GTID {gtid}"),
        None => format!("at {end}"),
    };
    Failure::new(
        Verdict::Halt,
        Reason::XaPrepareMissed,
        format!(
            "XA COMMIT ({name}) of a transaction that was prepared before the connector's first \
             position, in a binlog that is gone: it is not known what it changed"
        ),
    )
    .hint(READ_AGAIN)
}

pub(super) fn purged(prepared: &PreparedTransaction, failure: &Failure) -> Failure {
    let message = format!(
        "the XA transaction that was prepared as {prepared} is committed, and the binlog with its \
         rows ({}) is gone: {}",
        prepared.begin.file, failure.message
    );
    let hint = format!(
        "Keep binlogs longer than transactions stay prepared (binlog_expire_logs_seconds), or \
         point mysql.host to a server that still has that file. {READ_AGAIN}"
    );
    Failure { verdict: Verdict::Halt, reason: Reason::XaPreparePurged, message, hint }
}
