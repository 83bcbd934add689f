//! Where in its life the connector is.

/// Where in its life the connector is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Connecting to the servers and reading the saved position.
    #[default]
    Starting,
    /// Another instance streams; this one starts when that one ends or falls silent.
    Standby,
    /// Changes flow.
    Streaming,
    /// Something failed that may get better; the next try comes.
    Waiting,
    /// A stop is requested: finishing the current source transaction.
    Draining,
    /// Stopped for good; a person must act.
    Halted,
}

impl State {
    /// The name in `/status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Standby => "standby",
            Self::Streaming => "streaming",
            Self::Waiting => "waiting",
            Self::Draining => "draining",
            Self::Halted => "halted",
        }
    }

    /// Whether the pipeline thread should move.
    pub(super) fn is_streaming(self) -> bool {
        matches!(self, Self::Streaming | Self::Draining)
    }
}
