//! Reading while the tables change: writers, late visibility, statements, deaths.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use testkit::xtask::interrupt;
use testkit::xtask::stack::StackAddress;
use testkit::{Connector, Database, Result, environment};

use super::writers::{DEFINITIONS, ROWS, TABLES, Writers, assert_consistent, fill};
use crate::support::setup::{Setup, private_mysql, program};
use crate::support::turnstile::Turnstile;

/// Tables with rows, to be read in small chunks.
fn filled(mut setup: Setup) -> Result<Setup> {
    setup.database.execute_all(&DEFINITIONS)?;
    fill(&mut setup.database)?;
    setup.settings.set("snapshot.mode", "initial").set("snapshot.chunk_rows_max", 40);
    Ok(setup)
}

/// Runs `disturb` again and again while `run` runs.
fn while_disturbed(
    database: &Database,
    disturb: impl Fn(&mut Database) -> Result<()> + Send + 'static,
    run: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let is_over = Arc::new(AtomicBool::new(false));
    let (over, mut database) = (Arc::clone(&is_over), database.connect_again()?);
    let thread = std::thread::spawn(move || {
        while !over.load(Ordering::Relaxed) {
            disturb(&mut database)?;
        }
        Ok::<_, testkit::Error>(())
    });
    let result = run();
    is_over.store(true, Ordering::Relaxed);
    thread.join().map_err(|_| testkit::Error::msg("the disturber panicked"))??;
    result
}

#[test]
fn no_row_is_lost_or_goes_back_while_sixteen_writers_change_the_tables() -> Result<()> {
    let seed = environment::seed();
    eprintln!("TAILWATER_SEED={seed}");
    // GIVEN tables that change all the time
    let mut setup = filled(Setup::new("snapshot_writers")?)?;
    let writers = Writers::start(&setup.database, 16, seed)?;
    // WHEN they are read
    setup.catch_up()?;
    writers.stop()?;
    setup.catch_up()?;
    // THEN every record fits the one before it, and the topics equal the tables
    let read = assert_consistent(&mut setup)?;
    assert!(read > 1000, "only {read} rows were read");
    Ok(())
}

#[test]
fn rows_that_become_visible_late_do_not_go_back() -> Result<()> {
    let seed = environment::seed();
    eprintln!("TAILWATER_SEED={seed}");
    // GIVEN a server whose commits are in the binlog long before they are visible: each time
    // semi-synchronous replication is turned on, the next one waits for a replica that is not there
    let mysql = private_mysql(&[])?;
    let setup = Setup::on(StackAddress::from_environment()?, &mysql, "snapshot_semi_sync")?;
    let mut setup = filled(setup)?;
    setup.database.execute_all(&[
        "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'",
        "SET GLOBAL rpl_semi_sync_source_timeout = 300",
    ])?;
    let stall = |database: &mut Database| {
        database.execute("SET GLOBAL rpl_semi_sync_source_enabled = ON")?;
        interrupt::pause(Duration::from_millis(350))?;
        database.execute("SET GLOBAL rpl_semi_sync_source_enabled = OFF")
    };
    let writers = Writers::start(&setup.database, 8, seed)?;
    // WHEN its tables are read
    while_disturbed(&setup.database, stall, || setup.catch_up())?;
    writers.stop()?;
    setup.catch_up()?;
    // THEN no row goes back to what it was before
    assert_consistent(&mut setup)?;
    Ok(())
}

#[test]
fn rows_of_xa_transactions_are_neither_lost_nor_early() -> Result<()> {
    let seed = environment::seed();
    eprintln!("TAILWATER_SEED={seed}");
    // GIVEN tables that XA transactions change, some of them prepared before the first position
    let mysql = private_mysql(&[])?;
    let setup = Setup::on(StackAddress::from_environment()?, &mysql, "snapshot_xa")?;
    let mut setup = filled(setup)?;
    setup.settings.set("delivery.batch_bytes_max", 100_000);
    let writers = Writers::start_xa(&setup.database, 12, seed)?;
    // WHEN they are read, and the connector dies now and then
    for point in ["chunk_sent:4", "committed:9", "chunk_selected:7", "sent:30"] {
        setup.settings.set_environment("TAILWATER_FAILPOINT", point);
        let exit = setup.launch()?.wait_for_exit()?;
        assert_eq!(exit.code, None, "{point} was not reached: {}", exit.stderr);
    }
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    setup.catch_up()?;
    writers.stop()?;
    setup.catch_up()?;
    // THEN every record fits the one before it, and the topics equal the tables
    assert_consistent(&mut setup)?;
    Ok(())
}

#[test]
fn rows_of_tables_without_transactions_do_not_go_back() -> Result<()> {
    let seed = environment::seed();
    eprintln!("TAILWATER_SEED={seed}");
    // GIVEN tables whose changes are visible as soon as their statement lets go of the table, also
    // where it fails halfway
    let mut setup = filled(Setup::new("snapshot_myisam")?)?;
    for table in TABLES {
        setup.database.execute(&format!("ALTER TABLE {table} ENGINE=MyISAM"))?;
    }
    let writers = Writers::start_single(&setup.database, 4, seed)?;
    // WHEN they are read, and all rows change behind a SELECT
    let turnstile = Turnstile::new(&mut setup, "chunk_selected", 20)?;
    let mut connector = Connector::start_until_caught_up(program(), &setup.settings)?;
    turnstile.wait_until_held(&mut connector)?;
    for table in TABLES {
        setup.database.execute(&format!("UPDATE {table} SET v = v + 1"))?;
    }
    turnstile.open()?;
    connector.wait_for_success()?;
    writers.stop()?;
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    setup.catch_up()?;
    // THEN every record fits the one before it, and the topics equal the tables
    let read = assert_consistent(&mut setup)?;
    assert!(read > 1000, "only {read} rows were read");
    Ok(())
}

#[test]
fn statements_on_a_table_that_is_being_read_leave_nothing_out() -> Result<()> {
    let seed = environment::seed();
    eprintln!("TAILWATER_SEED={seed}");
    // GIVEN tables that change all the time, and are altered, renamed and swapped
    let mut setup = filled(Setup::new("snapshot_statements")?)?;
    let renames = AtomicU32::new(0);
    let alter = move |database: &mut Database| {
        // A table that is renamed is read again, so it must not be renamed for ever.
        if renames.fetch_add(1, Ordering::Relaxed) < 3 {
            database.execute("RENAME TABLE words TO words_away, words_away TO words")?;
        }
        database.execute_all(&[
            "ALTER TABLE numbers MODIFY note VARCHAR(400)",
            "ALTER TABLE pairs ADD INDEX by_note (note)",
            "CREATE TABLE numbers_copy LIKE numbers",
            "DROP TABLE numbers_copy",
            "ALTER TABLE pairs DROP INDEX by_note",
            "ALTER TABLE numbers MODIFY note VARCHAR(40)",
        ])?;
        interrupt::pause(Duration::from_millis(100))
    };
    let writers = Writers::start(&setup.database, 4, seed)?;
    // WHEN they are read
    while_disturbed(&setup.database, alter, || setup.catch_up())?;
    writers.stop()?;
    setup.catch_up()?;
    // THEN nothing is lost and nothing goes back
    assert_consistent(&mut setup)?;
    Ok(())
}

#[test]
fn after_a_death_at_any_point_of_a_chunk_the_next_chunk_follows() -> Result<()> {
    let seed = environment::seed();
    eprintln!("TAILWATER_SEED={seed}");
    // GIVEN tables that change all the time
    let mut setup = filled(Setup::new("snapshot_deaths")?)?;
    let writers = Writers::start(&setup.database, 3, seed)?;
    // WHEN the connector dies at each point of a chunk, at first and later
    for point in ["chunk_fenced", "chunk_selected", "chunk_bounded", "chunk_sent"] {
        for time in [1, 12] {
            let failpoint = format!("{point}:{time}");
            setup.settings.set_environment("TAILWATER_FAILPOINT", &failpoint);
            let exit = setup.launch()?.wait_for_exit()?;
            assert_eq!(exit.code, None, "{failpoint} was not reached: {}", exit.stderr);
        }
    }
    for point in ["flushed:5", "positioned:5", "committed:5"] {
        setup.settings.set_environment("TAILWATER_FAILPOINT", point);
        assert_eq!(setup.launch()?.wait_for_exit()?.code, None, "{point} was not reached");
    }
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    setup.catch_up()?;
    writers.stop()?;
    setup.catch_up()?;
    // THEN nothing is lost, nothing goes back, and nothing that was committed is read again
    let read = assert_consistent(&mut setup)?;
    let rows = usize::try_from(3 * (ROWS + 200)).unwrap();
    assert!(read <= rows, "{read} rows were read of tables that never had more than {rows}");
    Ok(())
}

#[test]
fn deaths_inside_large_transactions_let_no_row_go_back() -> Result<()> {
    let seed = environment::seed();
    eprintln!("TAILWATER_SEED={seed}");
    // GIVEN transactions so large that each comes in parts, and writers
    let mut setup = filled(Setup::new("snapshot_parts")?)?;
    setup.settings.set("delivery.batch_bytes_max", 50_000);
    let update = |database: &mut Database| {
        // It may lose against a writer.
        drop(database.execute("UPDATE numbers SET v = v + 1"));
        interrupt::pause(Duration::from_millis(600))
    };
    let writers = Writers::start(&setup.database, 2, seed)?;
    // WHEN the connector dies in the middle of them while it reads the tables
    let database = setup.database.connect_again()?;
    while_disturbed(&database, update, || {
        for point in ["committed:4", "flushed:9", "chunk_sent:15", "positioned:14", "committed:20"]
        {
            setup.settings.set_environment("TAILWATER_FAILPOINT", point);
            assert_eq!(setup.launch()?.wait_for_exit()?.code, None, "{point} was not reached");
        }
        setup.settings.unset_environment("TAILWATER_FAILPOINT");
        setup.catch_up()
    })?;
    writers.stop()?;
    setup.catch_up()?;
    // THEN nothing is lost and nothing goes back
    assert_consistent(&mut setup)?;
    Ok(())
}
