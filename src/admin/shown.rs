//! What the handlers show.

use std::{
    sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::{sync::Mutex, time::Instant};

use super::{
    access::AdminAccess,
    activity::{ServersAnswer, SettingAnswer},
    history::{History, Sample},
};
use crate::{
    config::{Config, EffectiveSetting},
    metrics::Metrics,
    requests::RequestQueue,
    runtime::wall_clock,
    status::{Delivered, Status},
};

/// What the handlers show, and what they need to serve requests.
#[derive(Clone)]
pub struct Shown {
    /// The connector's name.
    pub name: String,
    /// What it is doing.
    pub status: Status,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    /// Where requests wait for it.
    pub requests: RequestQueue,
    pub(super) access: AdminAccess,
    /// Held while metrics or status are written, so that many requests for them take turns with
    /// everything else that the runtime does.
    pub(super) turn: Arc<Mutex<()>>,
    /// When the process started.
    pub(super) started: SystemTime,
    pub(super) servers: Arc<ServersAnswer>,
    pub(super) settings: Arc<[SettingAnswer]>,
    history: Arc<StdMutex<History>>,
}

impl Shown {
    /// What a connector shows of itself and of its configuration, and lets clients request.
    pub fn new(
        (config, settings): (&Config, &[EffectiveSetting]),
        status: Status,
        metrics: Arc<Metrics>,
        requests: RequestQueue,
    ) -> Self {
        Self {
            name: config.name.clone(),
            status,
            metrics,
            requests,
            access: AdminAccess::new(&config.admin),
            turn: Arc::default(),
            started: wall_clock(),
            servers: Arc::new(ServersAnswer::new(config, settings)),
            settings: settings.iter().map(SettingAnswer::from).collect(),
            history: Arc::default(),
        }
    }

    pub(super) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is counted by now.
    pub(super) fn sample(&self, lag: Duration, delivered: &Delivered) -> Sample {
        Sample {
            at: Instant::now(),
            lag,
            rows: delivered.rows,
            bytes: delivered.bytes,
            transactions: self.metrics.transactions.get(),
        }
    }
}
