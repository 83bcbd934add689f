//! The source of a campaign: a server and its replica, which change places in a fail-over.

use anyhow::{Context as _, Result};
use xtask::stack::{Cache, Mysql, MysqlOptions, Server as _};

use crate::{LIMIT, wait_for};

/// The account that the replica logs in with, and its password.
const REPLICA: &str = "replica";

/// Two servers with GTIDs; the second replicates the first.
#[derive(Debug)]
pub struct Source {
    active: Mysql,
    replica: Mysql,
}

impl Source {
    /// Starts both; the replica follows from the first transaction on.
    ///
    /// # Errors
    /// When one does not start.
    pub fn start(cache: &Cache) -> Result<Self> {
        let second = MysqlOptions {
            extra_arguments: vec!["--server-id=2".to_owned()],
            ..MysqlOptions::default()
        };
        let (active, replica) = std::thread::scope(|scope| {
            let replica = scope.spawn(|| Mysql::start(cache, &second));
            (Mysql::start(cache, &MysqlOptions::default()), replica.join())
        });
        let panicked = |_| anyhow::anyhow!("a thread that started a server panicked");
        let source = Self { active: active?, replica: replica.map_err(panicked)?? };
        // Of its own, because a fail-over ends whatever root has open: a replica that connects
        // again at once would be ended again and again.
        source.active.sql(&format!(
            "CREATE USER '{REPLICA}'@'%' IDENTIFIED BY '{REPLICA}';
             GRANT REPLICATION SLAVE ON *.* TO '{REPLICA}'@'%'"
        ))?;
        source.follow()?;
        Ok(source)
    }

    /// The server that takes writes.
    pub fn active(&self) -> &Mysql {
        &self.active
    }

    /// The same, to be disturbed.
    pub fn active_mut(&mut self) -> &mut Mysql {
        &mut self.active
    }

    /// The server that follows.
    pub fn replica(&self) -> &Mysql {
        &self.replica
    }

    /// Makes the active server refuse writes, ends its writers, and waits until the replica has
    /// received all that was committed; what it has not applied by then it may still have to.
    ///
    /// # Errors
    /// When a server refuses or the replica does not receive it.
    pub fn close(&self) -> Result<()> {
        self.active.sql("SET GLOBAL super_read_only = ON")?;
        let writers = "SELECT ID FROM information_schema.PROCESSLIST
            WHERE USER = 'root' AND HOST LIKE '%:%'";
        wait_for("the end of all writers", LIMIT, || {
            let ids = self.active.sql(writers)?;
            for id in ids.lines() {
                // It may have ended meanwhile.
                drop(self.active.sql(&format!("KILL {id}")));
            }
            Ok(ids.trim().is_empty().then_some(()))
        })
        .with_context(|| self.active.sql("SHOW FULL PROCESSLIST").unwrap_or_default())?;
        let received = "(SELECT GROUP_CONCAT(RECEIVED_TRANSACTION_SET)
            FROM performance_schema.replication_connection_status)";
        self.await_on_replica(&format!("CONCAT_WS(',', @@GLOBAL.gtid_executed, {received})"))
    }

    /// Waits until the replica has applied all that the active server committed; `committed` is
    /// what [`Self::committed`] said.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn await_applied(&self, committed: &str) -> Result<()> {
        let question = format!("SELECT GTID_SUBSET('{committed}', @@GLOBAL.gtid_executed)");
        wait_for("the replica to apply everything", LIMIT, || {
            Ok((self.replica.sql(&question)?.trim() == "1").then_some(()))
        })
        .with_context(|| self.replica.sql("SHOW REPLICA STATUS").unwrap_or_default())
    }

    /// The GTIDs that the active server has committed.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn committed(&self) -> Result<String> {
        let executed = self.active.sql("SELECT @@GLOBAL.gtid_executed")?;
        Ok(executed.trim().replace("\\n", ""))
    }

    fn await_on_replica(&self, set: &str) -> Result<()> {
        let question = format!("SELECT GTID_SUBSET('{}', {set})", self.committed()?);
        wait_for("the replica to receive everything", LIMIT, || {
            Ok((self.replica.sql(&question)?.trim() == "1").then_some(()))
        })
        .with_context(|| self.replica.sql("SHOW REPLICA STATUS").unwrap_or_default())
    }

    /// The replica, which has applied everything, takes writes from now on; the other one, which
    /// may have to be started first, follows it.
    ///
    /// # Errors
    /// When a server refuses.
    pub fn change_places(&mut self) -> Result<()> {
        self.replica.sql("STOP REPLICA; RESET REPLICA ALL; SET GLOBAL super_read_only = OFF")?;
        std::mem::swap(&mut self.active, &mut self.replica);
        if self.replica.process().is_none() {
            self.replica.start_again()?;
        }
        self.follow()
    }

    /// The one that is the replica now follows the other.
    fn follow(&self) -> Result<()> {
        self.replica.sql(&format!(
            "SET GLOBAL super_read_only = ON;
             CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {},
                 SOURCE_USER = '{REPLICA}', SOURCE_PASSWORD = '{REPLICA}',
                 SOURCE_AUTO_POSITION = 1,
                 SOURCE_CONNECT_RETRY = 1, SOURCE_RETRY_COUNT = 86400, GET_SOURCE_PUBLIC_KEY = 1;
             START REPLICA",
            self.active.port()
        ))?;
        Ok(())
    }
}
