//! Free loopback ports.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result, bail};

use super::cache::Cache;

/// Below Linux's ephemeral ports (32768 and up), so that no outgoing connection takes the port of a
/// server that is down for a moment.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port that is ours until dropped: no process listens on it, and a lock in the cache folder
/// keeps other processes that use this library from picking it.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    pub(crate) fn pick(cache: &Cache) -> Result<Self> {
        static OFFSET: AtomicU16 = AtomicU16::new(0);
        let folder = cache.folder().join("ports");
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        // Processes start at different places; the prime spreads consecutive process ids.
        let start = process::id().wrapping_mul(7_919) % u32::from(COUNT);
        let start = u16::try_from(start)?;
        for _ in 0..COUNT {
            let offset = OFFSET.fetch_add(1, Ordering::Relaxed) % COUNT;
            let number = FIRST + (start + offset) % COUNT;
            let lock = File::create(folder.join(number.to_string()))?;
            let free =
                lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok();
            if free {
                return Ok(Self { number, _lock: lock });
            }
        }
        bail!("no free port between {FIRST} and {}", FIRST + COUNT)
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}
