//! MySQL's own regression tests as a workload: `mysql_suite PATTERNS`.
//!
//! Needs `TAILWATER_BIN` (the program); `cargo xtask test --mysql-suite` builds it and passes the
//! patterns. Ends with 0 if the connector halted nowhere but by design and no table differs. Each
//! script's result is a line of JSON in `mysql-suite.jsonl` next to the program.

use std::fs::File;
use std::io::Write as _;
use std::process::ExitCode;

use testkit::mysql_suite::{Report, Runner, scripts};
use testkit::xtask::interrupt::{self, Interrupted};
use testkit::xtask::progress::{human, say};
use testkit::xtask::stack::Cache;
use testkit::xtask::stopwatch::Stopwatch;
use testkit::{Error, Result, environment};

fn main() -> ExitCode {
    match interrupt::listen().and_then(|()| run()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs all scripts that fit; true if there is nothing to look into.
fn run() -> Result<bool> {
    let patterns = std::env::args().nth(1).unwrap_or_else(|| "*".to_owned());
    let stopwatch = Stopwatch::start();
    let mut runner = Runner::new(environment::program()?, &Cache::open()?)?;
    let scripts = scripts(&runner.folder(), &patterns)?;
    let file = std::env::current_exe()?.with_file_name("mysql-suite.jsonl");
    let mut results = File::create(&file)?;
    say(format!("{} scripts; results are in {}", scripts.len(), file.display()));
    let mut report = Report::default();
    let mut outcome = Ok(());
    for (number, script) in scripts.iter().enumerate() {
        let result = match runner.run(script) {
            Ok(result) => result,
            Err(error) => {
                outcome = Err(error);
                break;
            }
        };
        writeln!(results, "{}", result.to_json())?;
        say(format!("{}/{} {result}", number + 1, scripts.len()));
        report.add(result);
    }
    say(format!("after {}\n{report}", human(stopwatch.elapsed())));
    if outcome.as_ref().is_err_and(Error::is::<Interrupted>) {
        return Ok(false);
    }
    outcome?;
    Ok(report.is_clean())
}
