//! The events of small XA transactions, kept until they are decided.
//!
//! To read a group again takes a connection and a dump, tens of milliseconds. A source that works
//! with XA decides within as much, and its transactions are small: their events are kept from
//! when the stream skipped them. What is not kept, because it is large, because there are
//! many, or because the connector was started in between, is read again.

use std::collections::VecDeque;

use super::Xid;
use crate::{decode::XaStart, mysql::RawEvent};

/// Most bytes that one transaction may have.
const GROUP_BYTES_MAX: usize = 256 << 10;

/// Most bytes of all of them: thousands of usual ones.
const BYTES_MAX: usize = 8 << 20;

/// What an event takes besides its bytes, about.
const EVENT_BYTES: usize = 256;

/// What is kept; the oldest goes first.
#[derive(Default)]
pub(in crate::pipeline) struct EventCache {
    /// The group that is being read.
    open: Option<CachedGroup>,
    groups: VecDeque<(Xid, CachedGroup)>,
    bytes: usize,
}

/// The events of a group from XA START on.
pub(super) struct CachedGroup {
    pub(super) start: XaStart,
    pub(super) events: Vec<RawEvent>,
    bytes: usize,
}

impl EventCache {
    /// A group begins with this event.
    pub(in crate::pipeline) fn begin(&mut self, start: XaStart, event: &RawEvent) {
        self.open = Some(CachedGroup { start, events: Vec::new(), bytes: 0 });
        self.add(event);
    }

    /// The next event, if a group is being read.
    #[inline]
    pub(in crate::pipeline) fn add(&mut self, event: &RawEvent) {
        let Some(group) = &mut self.open else { return };
        group.bytes += event.data().len() + EVENT_BYTES;
        if GROUP_BYTES_MAX < group.bytes {
            self.open = None;
        } else {
            group.events.push(event.clone());
        }
    }

    /// The group that is being read, at its end.
    pub(super) fn take_open(&mut self) -> Option<CachedGroup> {
        self.open.take()
    }

    /// Keeps a group that is prepared under this name.
    pub(super) fn keep(&mut self, xid: &Xid, group: CachedGroup) {
        self.bytes += group.bytes;
        self.groups.push_back((xid.clone(), group));
        while BYTES_MAX < self.bytes
            && let Some((_, oldest)) = self.groups.pop_front()
        {
            self.bytes -= oldest.bytes;
        }
    }

    /// The group of this name, which is decided.
    pub(super) fn take(&mut self, xid: &Xid) -> Option<CachedGroup> {
        let at = self.groups.iter().position(|(name, _)| name == xid)?;
        let (_, group) = self.groups.remove(at)?;
        self.bytes -= group.bytes;
        Some(group)
    }
}
