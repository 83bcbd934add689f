//! The demo: a shop in MySQL, its changes in Kafka, seen as they arrive and compared at the end.
//!
//! Needs `TAILWATER_STACK` (running servers) and `TAILWATER_BIN` (the program); `cargo xtask demo`
//! provides both. Ends with 0 if every topic equals its table and every change arrived once.

mod screen;
mod shop;
mod viewer;

use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::time::Duration;

use testkit::xtask::interrupt::{self, Interrupted};
use testkit::xtask::progress::human;
use testkit::xtask::stack::StackAddress;
use testkit::xtask::stopwatch::Stopwatch;
use testkit::{Connector, Database, Result, Settings, compare, environment};

use screen::Screen;
use shop::{STEPS, TABLES};
use viewer::Viewer;

/// Between two steps, so that a person can read along.
const PAUSE: Duration = Duration::from_millis(650);

fn main() -> ExitCode {
    let screen = Screen::default();
    match interrupt::listen().and_then(|()| run(&screen)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if error.is::<Interrupted>() => ExitCode::from(interrupt::EXIT_CODE),
        Err(error) => {
            screen.error(&error);
            ExitCode::FAILURE
        }
    }
}

/// Shows the whole story; true if both sides are equal at the end.
fn run(screen: &Screen) -> Result<bool> {
    let address = StackAddress::from_environment()?;
    let program = environment::program()?;
    let mut shop = Database::create_exactly(&address, "shop")?;
    shop.execute_all(&TABLES.map(|table| table.definition))?;
    let mut settings = Settings::new(&address, &shop);
    settings.set_name(format!("demo{}", std::process::id()));
    screen.title(&address, settings.name());

    let stopwatch = Stopwatch::start();
    let mut connector = Connector::start(&program, &settings)?;
    connector.wait_until_ready()?;
    screen.note(&format!("tailwater streams, {} after its start", human(stopwatch.elapsed())));

    let (sender, changes) = channel();
    let viewer = Viewer::open(&address, &settings, sender);
    for step in &STEPS {
        shop.execute("BEGIN")?;
        shop.execute_all(step.statements)?;
        shop.execute("COMMIT")?;
        screen.transaction(step.title, &viewer::receive(&changes, step.changes)?);
        interrupt::pause(PAUSE)?;
    }
    connector.stop()?;
    catch_up(&program, &settings)?;
    let records = viewer.finish()?;
    let changes = records.iter().flatten().filter(|record| record.value.is_some());
    let arrived = changes.count();

    screen.headline("every topic, folded by key, beside its table");
    let mut is_equal = true;
    for (table, records) in TABLES.iter().zip(records) {
        let comparison = compare(&mut shop, table.name, &records)?;
        is_equal &= comparison.is_equal();
        screen.comparison(&comparison);
    }
    let expected = STEPS.iter().map(|step| step.changes).sum();
    screen.summary(arrived, expected, is_equal);
    Ok(is_equal && arrived == expected)
}

/// Runs once more until everything that MySQL has committed is committed in Kafka.
fn catch_up(program: &Path, settings: &Settings) -> Result<()> {
    Connector::start_until_caught_up(program, settings)?.wait_for_success().map(drop)
}
