//! The fault proxies before one kind of server, disturbed together: where a request goes is the
//! client's choice, so a fault waits for it at each.

use std::net::SocketAddr;

use anyhow::{Context, Result};

use crate::fault_proxy::{Fault, FaultProxy};
use crate::{LIMIT, wait_for};

/// A proxy for each server of a kind. Dropping it ends all their connections.
#[derive(Debug)]
pub struct Proxies {
    proxies: Vec<FaultProxy>,
}

impl Proxies {
    /// Takes these together.
    pub fn of(proxies: Vec<FaultProxy>) -> Self {
        Self { proxies }
    }

    /// Where they listen, separated by commas.
    pub fn addresses(&self) -> String {
        let addresses = self.proxies.iter().map(|proxy| proxy.address().to_string());
        addresses.collect::<Vec<_>>().join(",")
    }

    /// The port of the first.
    ///
    /// # Errors
    /// When there is none.
    pub fn port(&self) -> Result<u16> {
        Ok(self.proxies.first().context("no proxy")?.address().port())
    }

    /// Names the server of all.
    pub fn forward_to(&self, target: SocketAddr) {
        self.proxies.iter().for_each(|proxy| proxy.forward_to(target));
    }

    /// From now on this goes wrong, and nothing else.
    pub fn set(&self, fault: Fault) {
        self.proxies.iter().for_each(|proxy| proxy.set(fault));
    }

    /// From now on nothing goes wrong; what was held arrives.
    pub fn heal(&self) {
        self.proxies.iter().for_each(FaultProxy::heal);
    }

    /// How often the fault that was set last has touched something.
    pub fn strikes(&self) -> u64 {
        self.proxies.iter().map(FaultProxy::strikes).sum()
    }

    /// Waits until the fault that was set last has touched something.
    ///
    /// # Errors
    /// When it does not for too long.
    pub fn await_strike(&self) -> Result<()> {
        wait_for("the fault to strike", LIMIT, || Ok((0 < self.strikes()).then_some(())))
    }
}
