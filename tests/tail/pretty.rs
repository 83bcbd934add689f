//! What people read: when, what, which row, what is new.

use testkit::{Result, Terminal};

use super::{TailSetup, changes};
use crate::support::setup::program;

const ORDERS: &str = "CREATE TABLE orders (id INT PRIMARY KEY, status VARCHAR(200), \
    price DECIMAL(10,2), raw VARBINARY(20), doc JSON, placed DATETIME(3), flags BIT(4))";
const NOTES: &str = "CREATE TABLE notes (body TEXT)";

#[test]
fn each_change_says_when_what_which_row_and_what_is_new() -> Result<()> {
    let mut test = TailSetup::new("tail_pretty", &[ORDERS, NOTES])?;
    test.execute(&[
        "INSERT INTO orders VALUES (1, 'new', 39.90, x'00ff', '{\"a\": [1, null]}', \
         '2026-11-30 10:00:00.120', b'0101'), (2, NULL, NULL, NULL, NULL, NULL, NULL)",
        "BEGIN",
        "UPDATE orders SET status = 'NULL', price = 40 WHERE id = 1",
        "UPDATE orders SET id = 3, status = '' WHERE id = 2",
        "COMMIT",
        "INSERT INTO notes VALUES ('it''s\n\tme \\\\ \u{1b}[31m')",
        "UPDATE notes SET body = NULL",
        "DELETE FROM orders WHERE id = 3",
        "ALTER TABLE orders ADD COLUMN more INT",
        "INSERT INTO orders (id, more) VALUES (4, 7)",
        "TRUNCATE orders",
        "DROP TABLE notes",
    ])?;
    let stdout = test.show(&[], "drop")?;
    let database = test.database();
    let expected = [
        "insert  D.orders  id=1  status 'new'  price 39.90  raw 0x00ff  doc {\"a\":[1,null]}  \
         placed 2026-11-30 10:00:00.12  flags b'0101'",
        "insert  D.orders  id=2  status NULL  price NULL  raw NULL  doc NULL  placed NULL  \
         flags NULL",
        "update  D.orders  id=1  status 'new' → 'NULL'  price 39.90 → 40.00",
        "update  D.orders  id=2 → 3  status NULL → ''",
        r"insert  D.notes  body 'it\'s\n\tme \\ \u{1b}[31m'",
        r"update  D.notes  body 'it\'s\n\tme \\ \u{1b}[31m' → NULL",
        "delete  D.orders  id=3  status ''  price NULL  raw NULL  doc NULL  placed NULL  flags NULL",
        "alter  D.orders",
        "insert  D.orders  id=4  status NULL  price NULL  raw NULL  doc NULL  placed NULL  \
         flags NULL  more 7",
        "truncate  D.orders  (all rows are gone, without a line for each)",
        "drop  D.notes",
    ];
    let expected = expected.map(|line| line.replace("D.", &format!("{database}.")));
    assert_eq!(changes(&stdout), expected, "{stdout}");
    // Each source transaction has a header, with its GTID and its place, behind an empty line.
    let headers = stdout.lines().filter(|line| line.starts_with("-- ")).count();
    let empty = stdout.lines().filter(|line| line.is_empty()).count();
    assert_eq!((headers, empty), (9, 8), "{stdout}");
    let first = stdout.lines().next().unwrap_or_default();
    let place = first.rsplit("  ").next().unwrap_or_default();
    assert!(first.matches('-').count() > 4 && place.contains("binlog"), "{first}");
    // No colours and no control characters where stdout is no terminal.
    assert!(!stdout.contains('\u{1b}'), "{stdout}");
    Ok(())
}

#[test]
fn a_column_that_is_left_out_of_records_is_not_shown() -> Result<()> {
    let table = "CREATE TABLE users (id INT PRIMARY KEY, name VARCHAR(20), secret VARCHAR(20))";
    let mut test = TailSetup::new("tail_secret", &[table])?;
    let column = format!("{}.users.secret", test.database());
    test.setup.settings.set("capture.exclude_columns", serde_json::json!([column]));
    test.execute(&[
        "INSERT INTO users VALUES (1, 'Ada', 'hush')",
        "UPDATE users SET secret = 'hush2'",
        "DELETE FROM users",
    ])?;
    for arguments in [&[][..], &["--json"]] {
        let last = if arguments.is_empty() { "delete" } else { r#""op":"d""# };
        let stdout = test.show(arguments, last)?;
        assert!(!stdout.contains("hush") && stdout.contains("Ada"), "{stdout}");
        assert!(!arguments.is_empty() || stdout.contains("(no shown column changed)"), "{stdout}");
    }
    Ok(())
}

#[test]
fn operations_and_tables_choose_what_is_shown() -> Result<()> {
    let tables = ["CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE b (id INT PRIMARY KEY)"];
    let mut test = TailSetup::new("tail_choose", &tables)?;
    test.execute(&[
        "INSERT INTO a VALUES (1)",
        "INSERT INTO b VALUES (2)",
        "UPDATE a SET id = 3",
        "DELETE FROM a",
        "DELETE FROM b",
        "INSERT INTO b VALUES (9)",
        "DELETE FROM b",
        "INSERT INTO a VALUES (10)",
    ])?;
    let database = test.database().to_owned();
    let shown = |stdout: &str| {
        let names = changes(stdout).join(", ").replace(&format!("{database}."), "");
        names.replace("  ", " ")
    };
    let stdout = test.show(&["--operations", "insert"], "id=10")?;
    assert_eq!(shown(&stdout), "insert a id=1, insert b id=2, insert b id=9, insert a id=10");
    let only_b = format!("{database}.b*");
    let stdout = test.show(&["--operations", "delete,update", "--table", &only_b], "id=9")?;
    assert_eq!(shown(&stdout), "delete b id=2, delete b id=9");
    // A glob replaces capture.tables.
    test.setup.settings.set("capture.tables", serde_json::json!([format!("{database}.b")]));
    let stdout = test.show(&["--table", &format!("{database}.a")], "id=10")?;
    assert_eq!(shown(&stdout), "insert a id=1, update a id=1 → 3, delete a id=3, insert a id=10");
    Ok(())
}

#[test]
fn on_a_terminal_lines_are_coloured_wrapped_and_values_cut() -> Result<()> {
    let table = "CREATE TABLE t (id INT PRIMARY KEY, a TEXT, b TEXT)";
    let mut test = TailSetup::new("tail_terminal", &[table])?;
    test.execute(&[
        "INSERT INTO t VALUES (1, REPEAT('x', 3000), 'short')",
        "UPDATE t SET a = CONCAT(a, 'end')",
    ])?;
    for plain in [false, true] {
        let terminal = Terminal::open()?;
        let mut command = std::process::Command::new(program());
        let folder = std::env::temp_dir().join(format!("{}-{plain}.toml", test.database()));
        std::fs::write(&folder, test.setup.settings.to_toml())?;
        command.args(["tail", "--since", &test.begin, "--config"]).arg(&folder);
        command.envs(test.setup.settings.environment()).env("TERM", "xterm");
        if plain {
            command.env("NO_COLOR", "1");
        } else {
            command.env_remove("NO_COLOR");
        }
        command.stdin(std::process::Stdio::null()).stdout(terminal.stdio()?);
        let mut child = command.stderr(std::process::Stdio::null()).spawn()?;
        let shown = testkit::wait_for("the update", testkit::LIMIT, || {
            Ok(terminal.printed().contains("end'").then_some(()))
        });
        child.kill()?;
        child.wait()?;
        shown?;
        let (lines, printed) = (terminal.lines(), terminal.printed());
        assert_eq!(printed.contains("\u{1b}["), !plain, "{printed}");
        // The terminal of tests has 1000 columns.
        assert!(lines.iter().all(|line| line.chars().count() <= 1000), "{lines:?}");
        let cut = lines.iter().find(|line| line.starts_with("    a 'xxx"));
        assert!(cut.is_some_and(|line| line.ends_with('…')), "{lines:?}");
        let change = lines.iter().find(|line| line.contains("→"));
        assert!(change.is_some_and(|line| line.contains("xxxxxxxxend'")), "{lines:?}");
    }
    Ok(())
}

#[test]
fn a_glob_that_matches_nothing_warns_with_the_nearest_name() -> Result<()> {
    let test = TailSetup::new("tail_typo", &["CREATE TABLE orders (id INT PRIMARY KEY)"])?;
    let database = test.database().to_owned();
    let wrong = format!("{database}.oders");
    let mut tail = test.start(&["--table", &wrong])?;
    let line = tail.wait_for_line("matches no table")?;
    assert!(line.contains("--table") && line.contains(&format!("`{database}.orders`")), "{line}");
    tail.stop()?;
    // A database that is not there too; its table may come.
    let mut tail = test.start(&["--table", "tail_typo_not_there.orders"])?;
    let line = tail.wait_for_line("tail_typo_not_there")?;
    assert!(line.contains("in --table is not there") && !line.contains("capture.tables"), "{line}");
    tail.stop()?;
    let exit = test.fail(&["--table", "orders"])?;
    assert_eq!(exit.code, Some(64), "{}", exit.stderr);
    assert!(exit.stderr.contains("a glob over database.table is needed"), "{}", exit.stderr);
    let exit = test.fail(&["--operations", "upsert"])?;
    assert_eq!(exit.code, Some(64), "{}", exit.stderr);
    assert!(exit.stderr.contains("insert, update, delete"), "{}", exit.stderr);
    Ok(())
}
