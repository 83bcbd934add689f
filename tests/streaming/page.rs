//! The status page as a browser without JavaScript gets it, and what `/status` has for it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;
use testkit::{LIMIT, Result, wait_for};

use crate::support::setup::{Running, Setup};

const ITEMS: &str = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, name VARCHAR(20))";

/// A table that would be markup if its name were not escaped.
const MARKUP: &str = "CREATE TABLE `<b>x` (id INT NOT NULL PRIMARY KEY)";

/// The head of the answer and the page.
fn page(connector: &mut Running) -> Result<(String, String)> {
    let mut stream = TcpStream::connect(connector.admin_address()?)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, page) = answer.split_once("\r\n\r\n").unwrap();
    Ok((head.to_lowercase(), page.to_owned()))
}

/// What is in the element with this id, up to the end of an element of its kind.
fn part<'a>(page: &'a str, id: &str, end: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("id=\"{id}\"")).unwrap();
    rest.split_once(end).unwrap().0
}

fn table<'a>(status: &'a Value, name: &str) -> Option<&'a Value> {
    let tables = status["recent_tables"].as_array().unwrap();
    tables.iter().find(|table| table["table"].as_str().unwrap().ends_with(name))
}

#[test]
fn the_page_shows_state_lag_and_tables_and_no_secret() -> Result<()> {
    // GIVEN a connector with secrets in its configuration, and rows that it delivered
    let mut setup = Setup::with_tables("page", &[ITEMS, MARKUP])?;
    setup.settings.set("admin.token", "s3cr3t-token");
    let password = setup.database.password().to_owned();
    setup.settings.set("mysql.password", password.as_str());
    let mut connector = setup.start()?;
    setup.database.execute_all(&[
        "INSERT INTO items VALUES (1, 'Mirabelle'), (2, 'Quitte')",
        "UPDATE items SET name = 'Schlehe'",
        "INSERT INTO `<b>x` VALUES (1)",
    ])?;
    let status = wait_for("the rows in /status", LIMIT, || {
        let status = connector.get("/status")?.json()?;
        let is_there = status["delivered"]["rows"] == 5 && status["lag_seconds"] == 0.0;
        Ok(is_there.then_some(status))
    })?;
    // THEN /status has what was sent of each table
    let items = table(&status, ".items").unwrap();
    assert_eq!((&items["changes"], &items["snapshot_rows"]), (&4.into(), &0.into()), "{items}");
    assert!(items["bytes"].as_u64() > Some(0) && items["last_change"].is_string(), "{items}");
    assert_eq!(items["lag_seconds"], 0.0, "{items}");
    assert_eq!(table(&status, ".<b>x").unwrap()["changes"], 1);
    assert_eq!(status["other_tables"], 0);
    // AND commits, servers, rates, samples and the configuration
    let rows = |commit: &Value| commit["rows"].as_u64().unwrap();
    assert_eq!(status["commits"].as_array().unwrap().iter().map(rows).sum::<u64>(), 5);
    assert_eq!(status["servers"]["kafka"], setup.address.kafka_bootstrap);
    assert!(status["rates"]["rows_per_second"].is_number(), "{status}");
    assert_eq!(status["lag_history"]["interval_seconds"], 10);
    assert!(!status["lag_history"]["lag_seconds"].as_array().unwrap().is_empty());
    let settings = status["configuration"].as_array().unwrap();
    let token = settings.iter().find(|setting| setting["key"] == "admin.token").unwrap();
    assert_eq!(token["value"], "\"***\"");
    // AND the page has it as text
    let (head, page) = page(&mut connector)?;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(part(&page, "badge", "</div>").contains("streaming"), "{page}");
    assert!(part(&page, "numbers", "</dl>").contains("<dt>Lag</dt><dd>0 s</dd>"), "{page}");
    let tables = part(&page, "tables", "</tbody>");
    assert!(tables.contains(".items</bdi>"), "{tables}");
    assert!(tables.contains(".&lt;b&gt;x</bdi>"), "{tables}");
    assert!(!page.contains("<b>x"), "{tables}");
    assert!(page.contains("No errors or warnings") || page.contains("warning</span>"), "{page}");
    // AND neither has a secret or a value of a row
    let status = status.to_string();
    for text in [page.as_str(), status.as_str()] {
        for secret in ["s3cr3t-token", &password, "Mirabelle", "Quitte", "Schlehe"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
    connector.stop().map(drop)
}

#[test]
fn the_page_is_not_kept_and_may_load_nothing_else() -> Result<()> {
    let setup = Setup::with_tables("page_head", &[ITEMS])?;
    let mut connector = setup.start()?;
    let (head, page) = page(&mut connector)?;
    for line in [
        "cache-control: no-store",
        "content-type: text/html; charset=utf-8",
        "x-content-type-options: nosniff",
        "content-security-policy: default-src 'none'; script-src 'sha256-",
    ] {
        assert!(head.contains(line), "{line} is not in {head}");
    }
    assert!(!head.contains("access-control") && !head.contains("unsafe"), "{head}");
    assert!(!page.contains("{{"), "a part is missing: {page}");
    // Without JavaScript there is nothing to click that would need it.
    assert!(page.contains("<form id=\"controls\" data-token=\"\" hidden>"), "{page}");
    connector.stop().map(drop)
}

#[test]
fn the_page_of_a_halted_connector_says_why_and_what_to_do() -> Result<()> {
    // GIVEN a connector that is to stay after a halt
    let mut setup = Setup::with_tables("page_halted", &[ITEMS])?;
    setup.settings.set("admin.stay_after_halt", true);
    let mut connector = setup.start()?;
    // WHEN it halts
    setup.database.execute("INSERT INTO items VALUES (1, 'Mirabelle')")?;
    setup.database.execute("TRUNCATE items")?;
    let status = wait_for("a halt", LIMIT, || {
        let status = connector.get("/status")?.json()?;
        Ok((status["state"] == "halted").then_some(status))
    })?;
    // THEN the page has the reason and the hint, among the last errors too
    let failure = &status["failure"];
    let (reason, hint) = (failure["reason"].as_str().unwrap(), failure["hint"].as_str().unwrap());
    let (_, page) = page(&mut connector)?;
    assert!(part(&page, "badge", "</div>").contains("halted"), "{page}");
    let escaped = hint.replace('\'', "&#39;").replace('"', "&quot;").replace('>', "&gt;");
    for id in ["alert", "notices"] {
        let end = if id == "alert" { "</section>" } else { "</ul>" };
        let part = part(&page, id, end);
        assert!(part.contains(reason) && part.contains(&escaped), "{reason} {hint} in {part}");
    }
    assert_eq!(status["notices"][0]["level"], "error", "{status}");
    assert_eq!(status["notices"][0]["reason"], reason, "{status}");
    assert!(!page.contains("Mirabelle"));
    connector.terminate()?;
    connector.wait_for_exit().map(drop)
}
