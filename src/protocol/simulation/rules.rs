//! The rules of the protocol, each of which can be left out to see that it is needed.

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Older producers are fenced before the position is read.
    FenceBeforeLoad,
    /// The position is read up to the high watermark, not only to the last stable offset.
    LoadToHighWatermark,
    /// The position is read on until that end is met, whatever the broker that answers has.
    ReadToTheEnd,
    /// A position with a lower number than one that was seen is refused.
    CompareTheNumber,
    /// A position before the least offset that it can have is refused.
    CompareTheOffset,
    /// What follows comes after what Kafka has, not after what this process remembers.
    StartFromKafka,
    /// The first commit of an epoch says its generation.
    AnnounceGeneration,
    /// A position names the instance that wrote it: its generation does not, because another one
    /// that has loaded the same position takes the same.
    NameTheInstance,
    /// Everything is stored before the position after it is sent.
    FlushBeforePosition,
    /// A commit that may take effect again ends the epoch.
    DoubtEndsEpoch,
    /// How long a commit takes says nothing of it.
    TimeIsNoDoubt,
    /// After an epoch that ended in doubt at once, nothing is committed before there are records
    /// or the end of a source transaction.
    RecordsAfterDoubt,
    /// A commit without an answer has not happened and has not failed.
    FailureEndsEpoch,
    /// An abort ends the producer.
    AbortEndsProducer,
    /// The position moves at the end of a source transaction, not at its begin.
    MoveAtTheEnd,
    /// A source transaction that is cut is noted with the rows that are delivered.
    NoteThePart,
    /// The notes of other source transactions stay when one is cut.
    KeepOtherNotes,
    /// Skipped rows are compared with those that were delivered.
    CompareTheDigest,
    /// Skipped rows are counted one by one.
    CountTheRows,
    /// What is prepared is saved with the position.
    RememberThePrepared,
    /// The rows of what is prepared come when it is committed.
    WaitForTheOutcome,
    /// A batch is cut long before the broker ends its transaction.
    CutInTime,
    /// A batch is cut by time alone too, when no captured row comes.
    CutWithoutRows,
    /// Records saved with the position are in the Kafka transaction that makes them true.
    SaveBeside,
    /// A chunk counts as delivered when its rows are sent, not before.
    CountSentChunks,
    /// The protocol learns of changes of the records saved with the position.
    TellOfChanges,
    /// A request is saved before it is answered.
    SaveBeforeAnswer,
    /// A table that is not captured any more is marked before its rows are left out.
    MarkWhatLeaves,
    /// A table with such a mark is read again when it is captured again.
    ReadWhatReturns,
    /// Everything is committed before an end in order, and that it ends.
    SettleAtTheEnd,
    /// The position moves into the next file although nothing changes.
    FollowTheFiles,
    /// What precedes a halt is committed before it.
    CommitBeforeHalt,
    /// A fenced instance ends if there is a newer instance.
    LeaveToTheNewer,
    /// A fenced instance starts again if there is no newer instance.
    StayIfAlone,
}

impl Rule {
    pub(super) const ALL: [Self; 34] = [
        Self::FenceBeforeLoad,
        Self::LoadToHighWatermark,
        Self::ReadToTheEnd,
        Self::CompareTheNumber,
        Self::CompareTheOffset,
        Self::StartFromKafka,
        Self::AnnounceGeneration,
        Self::NameTheInstance,
        Self::FlushBeforePosition,
        Self::DoubtEndsEpoch,
        Self::TimeIsNoDoubt,
        Self::RecordsAfterDoubt,
        Self::FailureEndsEpoch,
        Self::AbortEndsProducer,
        Self::MoveAtTheEnd,
        Self::NoteThePart,
        Self::KeepOtherNotes,
        Self::CompareTheDigest,
        Self::CountTheRows,
        Self::RememberThePrepared,
        Self::WaitForTheOutcome,
        Self::CutInTime,
        Self::CutWithoutRows,
        Self::SaveBeside,
        Self::CountSentChunks,
        Self::TellOfChanges,
        Self::SaveBeforeAnswer,
        Self::MarkWhatLeaves,
        Self::ReadWhatReturns,
        Self::SettleAtTheEnd,
        Self::FollowTheFiles,
        Self::CommitBeforeHalt,
        Self::LeaveToTheNewer,
        Self::StayIfAlone,
    ];
}
