//! The source fails over to its replica under load, and back the next time.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use xtask::interrupt;
use xtask::stack::Server as _;

use super::campaign::Campaign;
use crate::Random;
use crate::fault_proxy::Fault;

impl Campaign {
    /// The address of the source leads to the replica. In some cases the old server dies first, or
    /// the replica has yet to apply a part of what the connector has delivered, or the connector
    /// dies meanwhile.
    ///
    /// No committed transaction is left behind, as with replication that loses none: a source that
    /// lost what was delivered is nothing to go on from.
    pub(super) fn fail_over(&mut self, random: &mut Random) -> Result<()> {
        self.ensure_streaming()?;
        let (dies, is_behind, restarts) =
            (random.is_one_in(2), random.is_one_in(2), random.is_one_in(3));
        self.note(&format!(
            "the old server dies: {dies}, the replica is behind: {is_behind}, the connector \
             restarts: {restarts}"
        ));
        if is_behind {
            self.arena.mysql.replica().sql("STOP REPLICA SQL_THREAD")?;
            interrupt::pause(Duration::from_millis(random.in_range(0..400)))?;
        }
        self.route.close();
        self.arena.mysql.close()?;
        let committed = self.arena.mysql.committed()?;
        self.take_changes()?;
        if dies {
            self.arena.mysql.active_mut().kill()?;
        }
        if restarts {
            self.kill_connector()?;
        }
        let replica = SocketAddr::from((Ipv4Addr::LOCALHOST, self.arena.mysql.replica().port()));
        self.arena.mysql_proxy.set(Fault::Refuse);
        self.arena.mysql_proxy.forward_to(replica);
        self.arena.mysql_proxy.heal();
        if restarts {
            self.launch()?;
        }
        if is_behind {
            interrupt::pause(Duration::from_millis(random.in_range(0..3_000)))?;
            self.arena.mysql.replica().sql("START REPLICA SQL_THREAD")?;
        }
        self.arena.mysql.await_applied(&committed)?;
        self.truth.go_to(self.arena.mysql.replica())?;
        self.arena.mysql.change_places()?;
        self.arena.database = self.arena.database.connect_to(self.arena.mysql.active())?;
        self.route.lead_to(self.arena.database.address());
        self.count("fail-over of the source");
        if dies {
            self.count("… the old server having died");
        }
        if is_behind {
            self.count("… the replica being behind");
        }
        Ok(())
    }
}
