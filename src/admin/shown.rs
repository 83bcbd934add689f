//! What the handlers show.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::access::AdminAccess;
use crate::{config::Config, metrics::Metrics, requests::RequestQueue, status::Status};

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
}

impl Shown {
    /// What a connector shows of itself and lets clients request.
    pub fn new(
        config: &Config,
        status: Status,
        metrics: Arc<Metrics>,
        requests: RequestQueue,
    ) -> Self {
        let access = AdminAccess::new(&config.admin);
        let turn = Arc::default();
        Self { name: config.name.clone(), status, metrics, requests, access, turn }
    }
}
