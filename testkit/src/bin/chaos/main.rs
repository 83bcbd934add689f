//! The long run of the fault suite: `chaos MINUTES SEED BROKERS`.
//!
//! Needs `TAILWATER_BIN` (the program); `cargo xtask chaos` builds it and passes the arguments.
//! Ends with 0 if no promise was broken. Round n of a run has the seed SEED + n, so a failed round
//! is repeated, as the first of its run, by its own seed.

use std::process::ExitCode;
use std::time::Duration;

use testkit::chaos::{Campaign, plan};
use testkit::xtask::interrupt::{self, Interrupted};
use testkit::xtask::progress::{human, say};
use testkit::xtask::stack::Cache;
use testkit::xtask::stopwatch::Stopwatch;
use testkit::{Context, Error, Result, environment};

fn main() -> ExitCode {
    match interrupt::listen().and_then(|()| run()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if error.is::<Interrupted>() => ExitCode::from(interrupt::EXIT_CODE),
        Err(error) => {
            say(format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// How many violations of a round are printed; its log has all of them.
const TOLD_MAX: u32 = 10;

/// Runs rounds until the time is up or a promise is broken; true if none is.
fn run() -> Result<bool> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().context("usage: chaos MINUTES SEED BROKERS");
    let minutes: u64 = argument()?.parse()?;
    let seed: u64 = argument()?.parse()?;
    let brokers: u16 = argument()?.parse()?;
    let stopwatch = Stopwatch::start();
    let mut campaign = Campaign::start(environment::program()?, &Cache::open()?, "chaos", brokers)?;
    say(format!("seed {seed}; servers and workload are ready"));
    let mut outcome = Ok(());
    for number in 0.. {
        let seed = seed.wrapping_add(number);
        let steps = plan::round(seed, brokers);
        let mut told = 0;
        let is_over = || Duration::from_secs(60 * minutes) <= stopwatch.elapsed();
        outcome = campaign.round(seed, &steps, is_over, |violation| {
            told += 1;
            if told <= TOLD_MAX {
                say(format!("VIOLATION {violation}"));
            }
        });
        if outcome.as_ref().is_err_and(Error::is::<Interrupted>) {
            break;
        }
        if outcome.is_err() || !campaign.report().violations.is_empty() {
            let log = std::env::current_exe()?.with_file_name(format!("chaos-{seed}.log"));
            std::fs::write(&log, campaign.log())?;
            say(format!(
                "round {number} failed after {}: its log is {}; repeat it with --seed {seed}",
                human(stopwatch.elapsed()),
                log.display()
            ));
            break;
        }
        let report = campaign.report();
        say(format!(
            "round {number}, seed {seed}, {}: {} kill -9, {} proxy faults, {} row changes, no \
             violation",
            human(stopwatch.elapsed()),
            report.kills,
            report.faults_struck(),
            report.compared.changes
        ));
        if is_over() {
            break;
        }
    }
    let report = campaign.report();
    say(format!("seed {seed}, {}\n{report}", human(stopwatch.elapsed())));
    outcome?;
    Ok(report.violations.is_empty())
}
