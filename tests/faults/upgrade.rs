//! Another build takes over under load: the process of the old one is killed, and a process of the
//! new one goes on from its position.

use testkit::{Result, environment};

use crate::support::load::{self, BUSY, Load, assert_exactly_once, await_progress};
use crate::support::setup::{Setup, program};

/// How often, unless the environment says otherwise.
const UPGRADES: u64 = 2;

/// `TAILWATER_OLD_BIN` names the old build; without it both are this one. A build must read what
/// each one before it has left in the state topic.
#[test]
fn a_build_that_replaces_another_under_load_loses_and_doubles_nothing() -> Result<()> {
    let old = environment::old_program().unwrap_or_else(|| program().to_owned());
    for number in 0..environment::upgrades().unwrap_or(UPGRADES) {
        // GIVEN the old build, which streams a source that changes all the time
        let mut setup = Setup::with_tables("upgrade", &load::TABLES)?;
        let mut before = setup.start_build(&old)?;
        let load = Load::start(&setup.database, number, BUSY)?;
        let mut consumer = setup.consumer("rows_written")?;
        consumer.take(10)?;
        // WHEN its process is killed and the new build starts
        before.kill()?;
        let mut after = setup.start()?;
        await_progress(&mut setup, &mut consumer)?;
        load.stop()?;
        after.stop()?;
        setup.catch_up()?;
        // THEN each row is there once, in order
        assert_exactly_once(&mut setup)?;
    }
    Ok(())
}
