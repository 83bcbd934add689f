//! What to do about an error.

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The cause is outside the connector and may pass: discard the epoch and start again from the
    /// committed position, with growing pauses, for ever.
    Recycle,
    /// As `Recycle`, but it halts when it comes again soon. The next epoch first looks at what the
    /// source has, which says more than the source's error does.
    RecycleOnce,
    /// Every attempt would fail in the same way: stop and say why. Exit code 1.
    Halt,
    /// The configuration is wrong. Exit code 78.
    Config,
    /// This producer is fenced: a newer instance has taken over, or the broker ended a transaction
    /// that took too long. Exit code 75.
    Fenced,
    /// A bug in Tailwater. Exit code 70.
    Bug,
}

impl Verdict {
    /// Whether the next epoch may succeed.
    pub fn is_retried(self) -> bool {
        matches!(self, Self::Recycle | Self::RecycleOnce)
    }
}
