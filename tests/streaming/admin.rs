//! What the admin server answers to monitoring, and to clients that attack it.

use std::io::{ErrorKind::WouldBlock, Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;
use testkit::{LIMIT, Result, wait_for};

use crate::support::setup::{Running, Setup};

const ITEMS: &str = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, name VARCHAR(20))";

/// The value of the metric, labels included, that starts so; 0 while it is not there.
fn metric(connector: &mut Running, start: &str) -> Result<u64> {
    let text = connector.get("/metrics")?.body;
    let mut values = text.lines().filter_map(|line| line.strip_prefix(start));
    Ok(values.next().map_or(0, |value| value.trim().parse().unwrap()))
}

#[test]
fn it_is_live_at_once_and_ready_once_it_streams() -> Result<()> {
    // GIVEN a connector whose broker cannot be reached
    let mut setup = Setup::new("readiness")?;
    setup.settings.set("kafka.bootstrap_servers", "127.0.0.1:1");
    let mut connector = setup.launch()?;
    // THEN it is live, and not ready for a reason that it tells
    assert_eq!(connector.get("/health/live")?.status, 200);
    let body = wait_for("a reason", LIMIT, || {
        let answer = connector.get("/health/ready")?;
        assert_eq!(answer.status, 503, "{}", answer.body);
        Ok(answer.body.contains("127.0.0.1:1").then_some(answer.body))
    })?;
    assert!(body.starts_with("waiting"), "{body}");
    let status = connector.get("/status")?.json()?;
    assert_eq!(status["state"], "waiting", "{status}");
    assert!(status["failure"]["hint"].as_str().unwrap().contains("kafka.bootstrap_servers"));
    connector.stop()?;
    // WHEN it can be reached
    setup.settings.set("kafka.bootstrap_servers", setup.address.kafka_bootstrap.as_str());
    let mut connector = setup.launch()?;
    connector.wait_until_ready()?;
    // THEN it is live and ready
    assert_eq!(connector.get("/health/live")?.status, 200);
    assert_eq!(connector.get("/health/ready")?.status, 200);
    assert_eq!(connector.get("/no/such/page")?.status, 404);
    connector.stop()?;
    Ok(())
}

#[test]
fn metrics_count_rows_by_table_and_operation() -> Result<()> {
    let mut setup = Setup::with_tables("metrics", &[ITEMS])?;
    let mut connector = setup.start()?;
    setup.database.execute_all(&[
        "INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')",
        "UPDATE items SET name = 'x' WHERE id = 1",
        "DELETE FROM items WHERE id = 2",
    ])?;
    let name = setup.database.name().to_owned();
    for (operation, count) in [("insert", 3), ("update", 1), ("delete", 1)] {
        let start = format!(
            r#"tailwater_rows_total{{database="{name}",table="items",operation="{operation}"}}"#
        );
        wait_for(&start, LIMIT, || {
            let value = metric(&mut connector, &start)?;
            assert!(value <= count, "{start} {value}");
            Ok((value == count).then_some(()))
        })?;
    }
    assert!(metric(&mut connector, "tailwater_commits_total")? >= 1);
    assert!(metric(&mut connector, "tailwater_batch_rows_count")? >= 1);
    assert_eq!(metric(&mut connector, "tailwater_streaming")?, 1);
    connector.stop()?;
    Ok(())
}

#[test]
fn status_has_the_committed_position() -> Result<()> {
    // GIVEN a connector that streams
    let mut setup = Setup::with_tables("status", &[ITEMS])?;
    let mut connector = setup.start()?;
    let status = connector.get("/status")?.json()?;
    assert_eq!(status["name"], setup.settings.name());
    assert_eq!(status["state"], "streaming", "{status}");
    assert_eq!(status["failure"], Value::Null);
    // WHEN a row changes
    setup.database.execute("INSERT INTO items VALUES (1, 'a')")?;
    let record = setup.consumer("items")?.take(1)?.remove(0);
    // THEN the position holds its transaction, in or after the record's file
    let gtid = record.source()["gtid"].as_str().unwrap().to_owned();
    let position = wait_for("the transaction in the position", LIMIT, || {
        let status = connector.get("/status")?.json()?;
        let set = status["position"]["gtid_set"].as_str().unwrap_or_default().to_owned();
        let contains = format!("SELECT GTID_SUBSET('{gtid}', '{set}')");
        let is_in = setup.database.value::<i64>(&contains)? == 1;
        Ok(is_in.then(|| status["position"].clone()))
    })?;
    assert!(position["file"].as_str() >= record.source()["file"].as_str(), "{position}");
    assert!(position["offset"].as_u64().unwrap() > 4, "{position}");
    connector.stop()?;
    Ok(())
}

#[test]
fn an_address_that_is_taken_is_said_to_be() -> Result<()> {
    let mut setup = Setup::new("admin_port")?;
    let taken = testkit::StubServer::start("200 OK", "text/plain", "")?;
    let address = taken.address().to_string();
    setup.settings.set("admin.listen", address.as_str());
    let exit = setup.launch()?.wait_for_exit()?;
    assert_eq!(exit.code, Some(78), "{}", exit.stderr);
    assert!(exit.stderr.contains("admin.listen"), "{}", exit.stderr);
    assert!(exit.stderr.contains(&address), "{}", exit.stderr);
    Ok(())
}

/// Sends bytes as they are; the first line of the answer, empty if the connection was closed.
fn raw(address: &str, request: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    let mut answer = Vec::new();
    // A server that has heard enough may reset the connection while more is being sent.
    drop(stream.write_all(request.as_bytes()));
    drop(stream.read_to_end(&mut answer));
    let answer = String::from_utf8_lossy(&answer).into_owned();
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

#[test]
fn a_page_in_a_browser_may_not_change_anything() -> Result<()> {
    let setup = Setup::with_tables("admin_browser", &[ITEMS])?;
    let mut connector = setup.start()?;
    let address = connector.admin_address()?;
    let post = |host: &str, content_type: &str| {
        let request = format!(
            "POST /snapshot HTTP/1.1\r\nHost: {host}\r\nContent-Type: {content_type}\r\n\
             Content-Length: 2\r\nConnection: close\r\n\r\n{{}}"
        );
        raw(&address, &request)
    };
    assert!(post(&address, "text/plain")?.contains("415"));
    assert!(post("evil.example", "application/json")?.contains("403"));
    // Whoever may ask is told what is wrong with the request.
    assert!(post(&address, "application/json")?.contains("400"));
    connector.stop()?;
    Ok(())
}

#[test]
fn requests_that_are_large_slow_or_nonsense_are_cut_off() -> Result<()> {
    let setup = Setup::with_tables("admin_hostile", &[ITEMS])?;
    let mut connector = setup.start()?;
    let address = connector.admin_address()?;
    let large = format!("GET /status HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let answer = raw(&address, &large)?;
    assert!(answer.is_empty() || answer.contains("431") || answer.contains("400"), "{answer}");
    assert!(raw(&address, "nonsense\r\n\r\n")?.contains("400"));
    let up = "GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert!(raw(&address, up)?.contains("404"));
    // A head that never ends: the server closes, and answers others meanwhile.
    let mut slow = Vec::new();
    for _ in 0..64 {
        let mut stream = TcpStream::connect(&address)?;
        stream.write_all(b"GET /status HTTP/1.1\r\nHost: ")?;
        slow.push(stream);
    }
    assert_eq!(connector.get("/health/live")?.status, 200);
    for mut stream in slow {
        stream.set_read_timeout(Some(LIMIT))?;
        drop(stream.read_to_end(&mut Vec::new()));
    }
    connector.stop()?;
    Ok(())
}

/// Requests much on one connection, as long as the server takes requests, and reads nothing.
fn request_and_read_nothing(address: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nonblocking(true)?;
    let requests = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000);
    while stream.write(requests.as_bytes()).is_ok() {}
    Ok(stream)
}

#[test]
fn health_answers_while_others_hold_all_connections_and_read_nothing() -> Result<()> {
    let setup = Setup::with_tables("admin_held", &[ITEMS])?;
    let mut connector = setup.start()?;
    let address = connector.admin_address()?;
    // GIVEN more connections than the server holds, on which answers wait
    let held = (0..300).map(|_| request_and_read_nothing(&address));
    let held = held.collect::<Result<Vec<_>>>()?;
    // THEN a health check is answered, and each further one
    for _ in 0..10 {
        assert_eq!(connector.get("/health/live")?.status, 200);
    }
    // AND every one of them ends that the server has to wait for
    for mut stream in held {
        wait_for("an end", LIMIT, || {
            let written = stream.write(b"GET / HTTP/1.1\r\n");
            let is_open = matches!(&written, Err(error) if error.kind() == WouldBlock);
            Ok((written.is_err() && !is_open).then_some(()))
        })?;
    }
    assert_eq!(connector.get("/health/ready")?.status, 200);
    connector.stop().map(drop)
}
