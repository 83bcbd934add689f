//! The fault grid, short: everything that `cargo xtask chaos` does for hours, once.

use testkit::chaos::{Campaign, plan};
use testkit::xtask::stack::{Cache, StackAddress};
use testkit::{Result, environment};

use crate::support::setup::program;

#[test]
fn faults_at_every_place_and_phase_lose_and_double_nothing() -> Result<()> {
    // GIVEN a connector between servers of its own, and a workload that goes on all the time
    let seed = environment::seed();
    eprintln!("TAILWATER_SEED={seed}");
    let cache = Cache::at(&StackAddress::from_environment()?.cache_folder)?;
    let mut campaign = Campaign::start(program().to_owned(), &cache, "grid", 1)?;
    // WHEN connections are cut, processes are killed and everything stalls, in every phase
    campaign.round(seed, &plan::grid(seed), || false, |violation| eprintln!("{violation}"))?;
    // THEN the topics hold exactly what the binlog says, and every exit was the right one
    let report = campaign.report();
    eprintln!("{report}");
    assert!(report.violations.is_empty(), "{}", campaign.log());
    // AND that says something
    assert!(0 < report.kills && 0 < report.faults_struck() && 0 < report.compared.changes);
    Ok(())
}
