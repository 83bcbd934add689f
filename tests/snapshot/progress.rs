//! What people see of tables that are being read: how much there is, how far it is, on a terminal
//! and elsewhere.

use serde_json::Value;
use testkit::{Connector, Result, Terminal, get};

use crate::support::setup::{Running, Setup, program};

const ITEMS: &str = "CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(20))";
const ORDERS: &str = "CREATE TABLE orders (id INT PRIMARY KEY, item INT)";

/// A thousand rows, which the source knows of.
const ROWS: [&str; 2] = [
    "INSERT INTO items WITH RECURSIVE n (n) AS
        (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000) SELECT n, CONCAT('i', n) FROM n",
    "ANALYZE TABLE items",
];

/// Tables to be read in chunks of a few rows.
fn to_be_read(name: &str) -> Result<Setup> {
    let mut setup = Setup::with_tables(name, &[ITEMS, ORDERS, ROWS[0], ROWS[1]])?;
    setup.settings.set("snapshot.mode", "initial").set("snapshot.chunk_rows_max", 7);
    Ok(setup)
}

#[test]
fn how_much_there_is_shows_before_anything_is_read() -> Result<()> {
    // GIVEN a table that cannot be read yet
    let setup = to_be_read("progress_estimate")?;
    let mut other = setup.database.connect_again()?;
    other.execute("LOCK TABLES items WRITE, orders WRITE")?;
    // WHEN a connector begins to read it, THEN its log says how much there is
    let mut connector = setup.start()?;
    let line: Value =
        serde_json::from_str(&connector.wait_for_line("reading tables while streaming")?)?;
    assert_eq!(line["tables"], 2, "{line}");
    assert!((900..=1100).contains(&line["rows_estimate"].as_u64().unwrap()), "{line}");
    assert!(16_384 <= line["bytes_estimate"].as_u64().unwrap(), "{line}");
    // AND so does the status, which does not know how long it takes
    let reading = connector.wait_while_running("what is read", |connector| {
        let reading = connector.get("/status")?.json()?["reading"].clone();
        Ok((!reading.is_null()).then_some(reading))
    })?;
    for field in ["tables", "rows", "rows_estimate", "bytes_estimate"] {
        assert_eq!(reading[field], line[field], "{field} of {reading}");
    }
    assert_eq!(reading["seconds_left"], Value::Null, "{reading}");
    // AND the metrics
    let left = format!(
        "tailwater_snapshot_rows_left{{database=\"{}\",table=\"items\"}} {}\n",
        setup.database.name(),
        reading["rows_estimate"]
    );
    let metrics = connector.get("/metrics")?.body;
    assert!(metrics.contains(&left), "{left} is not in {metrics}");
    // UNTIL it is read
    other.execute("UNLOCK TABLES")?;
    connector.wait_while_running("the end of it", |connector| {
        Ok(connector.get("/status")?.json()?["reading"].is_null().then_some(()))
    })?;
    assert!(!connector.get("/metrics")?.body.contains("snapshot_rows_left{"));
    // AND a file has the lines of the log, nothing else
    let stderr = connector.stop()?.stderr;
    assert!(!stderr.contains(['\r', '\u{1b}']) && !is_bar(&stderr), "{stderr:?}");
    Ok(())
}

#[test]
fn the_estimate_works_before_a_connector_runs() -> Result<()> {
    // GIVEN tables, of one of which the source has told what it knew when it was empty
    let mut setup = to_be_read("progress_before")?;
    let rows = "SELECT CAST(table_rows AS SIGNED) FROM information_schema.tables
        WHERE table_schema = DATABASE() AND table_name = 'orders'";
    assert_eq!(setup.database.value::<i64>(rows)?, 0);
    setup.database.execute("INSERT INTO orders SELECT id, id FROM items")?;
    assert_eq!(setup.database.value::<i64>(rows)?, 0);
    let ask = |arguments: &[&str]| {
        let arguments = [&["snapshot", "estimate"], arguments].concat();
        Connector::start_with(program(), &setup.settings, &arguments)?.wait_for_exit()
    };
    // WHEN somebody asks, THEN each table is told, and all together
    let exit = ask(&[])?;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let name = setup.database.name();
    let lines: Vec<_> = exit.stdout.lines().collect();
    let [items, orders, total, retention, _] = lines[..] else { panic!("{}", exit.stdout) };
    assert!(items.starts_with(&format!("{name}.items: about 1,000 rows, ")), "{items}");
    assert!(orders.starts_with(&format!("{name}.orders: about 1,000 rows, ")), "{orders}");
    assert!(total.starts_with("together: about 2,000 rows, "), "{total}");
    assert_eq!(retention, "the source keeps its binlogs for 30 days");
    // AND one of them alone, if it is there
    let exit = ask(&["--table", &format!("{name}.items")])?;
    assert!(exit.stdout.contains("together: about 1,000 rows"), "{}", exit.stdout);
    let exit = ask(&["--table", "no.such"])?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    assert!(exit.stderr.contains("no.such does not exist, or is not captured"), "{}", exit.stderr);
    Ok(())
}

/// Waits until what stands on the screen is as it should be.
fn await_screen(
    connector: &mut Running,
    terminal: &Terminal,
    what: &str,
    is_there: impl Fn(&[String]) -> bool,
) -> Result<()> {
    let awaited =
        connector.wait_while_running(what, |_| Ok(is_there(&terminal.lines()).then_some(())));
    awaited.map_err(|error| error.context(terminal.lines().join("\n")))
}

/// Whether a line is one of the log, and whole: its time, then its level.
fn is_logged(line: &str) -> bool {
    let level = line.split_whitespace().nth(1);
    line.starts_with("20") && matches!(level, Some("INFO" | "WARN"))
}

fn is_bar(line: &str) -> bool {
    line.contains(['░', '█'])
}

#[test]
fn a_terminal_shows_bars_below_the_log_until_the_tables_are_read() -> Result<()> {
    // GIVEN a table that cannot be read yet, and one after it
    let mut setup = to_be_read("progress_bars")?;
    setup.settings.set("snapshot.threads", 1);
    let mut other = setup.database.connect_again()?;
    other.execute("LOCK TABLES items WRITE")?;
    setup.settings.set_environment("TERM", "xterm").set_environment("NO_COLOR", "");
    // WHEN a connector prints to a terminal
    let mut terminal = Terminal::open()?;
    let mut connector = setup.launch_unread(terminal.stdio()?)?;
    // THEN there is a bar with what is known of the table
    let is_bar_of_items =
        |line: &String| line.contains("items [░") && line.contains("/~1,000 rows");
    await_screen(&mut connector, &terminal, "a bar", |lines| lines.iter().any(is_bar_of_items))?;
    // AND it stays below the lines that come
    setup.database.execute("INSERT INTO orders VALUES (1, 1)")?;
    setup.database.execute("ALTER TABLE orders ADD more INT")?;
    await_screen(&mut connector, &terminal, "a line above the bar", |lines| {
        let [.., logged, bar, rest] = lines else { return false };
        let is_below = is_bar_of_items(bar) && rest == "1 more table to read";
        logged.contains("kind=Alter") && is_below
    })?;
    let lines = terminal.lines();
    assert_eq!(lines.iter().filter(|line| !is_logged(line)).count(), 2, "{lines:#?}");
    // WHEN somebody stops the terminal, THEN nothing waits for it
    terminal.stop()?;
    let mut consumer = setup.consumer("orders")?;
    consumer.take(1)?;
    for id in 2..4 {
        setup.database.execute(&format!("INSERT INTO orders VALUES ({id}, 1, 1)"))?;
        consumer.take(1)?;
    }
    other.execute("UNLOCK TABLES")?;
    setup.consumer("items")?.take(1000)?;
    // AND when it goes on, the bars go with the end of the tables
    terminal.go_on()?;
    await_screen(&mut connector, &terminal, "the end of the table", |lines| {
        let is_read = |line: &String| line.contains("a table is read") && line.contains("items");
        lines.iter().any(is_read) && !lines.iter().any(|line| is_bar(line))
    })?;
    connector.stop()?;
    let lines = terminal.lines();
    let (last, lines) = lines.split_last().unwrap();
    assert!(last.is_empty() && lines.iter().all(|line| is_logged(line)), "{lines:#?}");
    // The cursor was never hidden, so no end can leave it so.
    assert!(!terminal.printed().contains("[?25l"));
    Ok(())
}

#[test]
fn a_terminal_that_is_to_show_text_alone_shows_no_bars() -> Result<()> {
    for (variable, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        // GIVEN a table that is being read and not at its end
        let mut setup = to_be_read("progress_plain")?;
        let mut other = setup.database.connect_again()?;
        other.execute("LOCK TABLES items WRITE")?;
        setup.settings.set_environment("TERM", "xterm").set_environment("NO_COLOR", "");
        setup.settings.set_environment(variable, value);
        let terminal = Terminal::open()?;
        let mut connector = setup.launch_unread(terminal.stdio()?)?;
        connector.wait_while_running("a table that is read", |_| {
            let lines = terminal.lines();
            let address = lines.iter().find_map(|line| line.split_once("admin listening address="));
            let Some((_, address)) = address else { return Ok(None) };
            let status = get(&format!("http://{address}/status"))?.json()?;
            Ok(status["tables"][0]["state"].eq("reading").then_some(()))
        })?;
        // WHEN further lines come, after each of which bars would be drawn
        for column in ["more", "most"] {
            setup.database.execute(&format!("ALTER TABLE orders ADD {column} INT"))?;
            await_screen(&mut connector, &terminal, "another line", |lines| {
                let told = lines.iter().filter(|line| line.contains("kind=Alter"));
                told.count() == if column == "more" { 1 } else { 2 }
            })?;
        }
        // THEN there is text and nothing else, not even a color
        let printed = terminal.printed();
        assert!(!printed.contains('\u{1b}') && !is_bar(&printed), "{variable}: {printed:?}");
        connector.stop()?;
    }
    Ok(())
}
