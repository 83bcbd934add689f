//! The producers of an epoch: one for everything, or a second one for records outside of
//! transactions.

use std::sync::Arc;

use crate::{
    config::{Config, Guarantee},
    patience::Patience,
    produce::{ProduceError, Producer},
    shutdown::Shutdown,
};

/// The producers of an epoch.
pub(in crate::pipeline) struct Producers {
    /// The one that may commit positions; exactly once, records too.
    pub(in crate::pipeline) fenced: Producer,
    /// At least once, the one that sends records. Nothing fences it: records that a paused
    /// instance had queued can come after those of a newer one.
    plain: Option<Producer>,
}

impl Producers {
    /// Adds what the guarantee needs to the producer that has fenced all others.
    pub(in crate::pipeline) fn new(
        fenced: Producer,
        config: &Arc<Config>,
        (patience, shutdown): (&Patience, &Shutdown),
    ) -> Result<Self, ProduceError> {
        let plain = match config.delivery.guarantee {
            Guarantee::ExactlyOnce => None,
            Guarantee::AtLeastOnce => {
                let (patience, shutdown) = (patience.clone(), shutdown.clone());
                Some(Producer::without_transactions(&config.kafka, patience, shutdown)?)
            }
        };
        Ok(Self { fenced, plain })
    }

    /// The one that sends records.
    #[inline]
    pub(super) fn rows(&mut self) -> &mut Producer {
        self.plain.as_mut().unwrap_or(&mut self.fenced)
    }
}
