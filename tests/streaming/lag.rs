//! What looks well must be well: lag, readiness and the outage while nothing can be delivered.

use serde_json::Value;
use testkit::Result;
use testkit::fault_proxy::{Fault, FaultProxy, Protocol};
use testkit::xtask::stack::{Kafka, Server as _};

use crate::support::setup::{Running, Setup, private_kafka};

const ITEMS: &str = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY)";

/// Waits until the status is as it should be, and returns it.
fn await_status(
    connector: &mut Running,
    what: &str,
    is_there: impl Fn(&Value) -> bool,
) -> Result<Value> {
    connector.wait_while_running(what, |connector| {
        let status = connector.get("/status")?.json()?;
        Ok(is_there(&status).then_some(status))
    })
}

fn lag(status: &Value) -> f64 {
    status["lag_seconds"].as_f64().unwrap()
}

/// Waits until everything is delivered, and is said to be.
fn await_nothing_behind(connector: &mut Running) -> Result<()> {
    let status = await_status(connector, "nothing that waits", |status| {
        lag(status) == 0.0 && status["transactions_behind"] == 0 && status["outage"].is_null()
    })?;
    assert_eq!(status["bytes_behind"], 0, "{status}");
    connector.wait_until_ready()
}

/// Waits until the lag is above the one of a moment before, `times` times, while the connector is
/// not ready and at least so many transactions wait.
fn await_growth(connector: &mut Running, times: usize, transactions: u64) -> Result<Value> {
    let mut before = 1.0;
    let mut last = Value::Null;
    for _ in 0..times {
        last = await_status(connector, "a lag that grows", |status| {
            let behind = status["transactions_behind"].as_u64().unwrap_or_default();
            let bytes = status["bytes_behind"].as_u64().unwrap_or_default();
            before + 0.5 < lag(status)
                && transactions <= behind
                && 0 < bytes
                && status["ready"] == false
                && !status["outage"].is_null()
        })?;
        before = lag(&last);
    }
    assert_eq!(connector.get("/health/ready")?.status, 503);
    assert_eq!(connector.get("/health/live")?.status, 200);
    let metrics = connector.get("/metrics")?.body;
    let value = |name: &str| -> f64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {metrics}")).trim().parse().unwrap()
    };
    assert!(before <= value("tailwater_source_lag_seconds"), "{metrics}");
    assert!(0.0 < value("tailwater_outage_seconds"), "{metrics}");
    assert!(1.0 <= value("tailwater_source_transactions_behind"), "{metrics}");
    assert!(1.0 <= value("tailwater_source_bytes_behind"), "{metrics}");
    Ok(last)
}

fn insert(setup: &mut Setup, ids: std::ops::Range<u32>) -> Result<()> {
    ids.into_iter()
        .try_for_each(|id| setup.database.execute(&format!("INSERT INTO items VALUES ({id})")))
}

/// A proxy before a server of the stack.
fn proxy_before(address: impl std::net::ToSocketAddrs) -> Result<FaultProxy> {
    let proxy = FaultProxy::bind(Protocol::Bytes)?;
    proxy.forward_to(address.to_socket_addrs()?.next().unwrap());
    Ok(proxy)
}

/// A connector that writes to a broker of its own and has delivered a row.
fn on_own_broker(name: &str) -> Result<(Kafka, Setup, Running)> {
    let kafka = private_kafka(&[])?;
    let mut setup = Setup::on_kafka(&kafka, name)?;
    setup.database.execute(ITEMS)?;
    let mut connector = setup.start()?;
    insert(&mut setup, 0..1)?;
    setup.consumer("items")?.take(1)?;
    await_nothing_behind(&mut connector)?;
    Ok((kafka, setup, connector))
}

#[test]
fn a_frozen_broker_is_not_ready_and_what_waits_for_it_grows() -> Result<()> {
    // GIVEN a connector that has delivered everything
    let (mut kafka, mut setup, mut connector) = on_own_broker("lag_frozen_kafka")?;
    // WHEN the broker freezes, THEN it is not ready, although nothing is there to be delivered
    kafka.pause()?;
    let status = await_status(&mut connector, "no readiness", |status| status["ready"] == false)?;
    assert!(!status["outage"].is_null(), "{status}");
    // AND what comes now is behind
    insert(&mut setup, 1..11)?;
    await_growth(&mut connector, 5, 10)?;
    // WHEN the broker works again, THEN all is well
    kafka.resume()?;
    await_nothing_behind(&mut connector)?;
    connector.stop().map(drop)
}

#[test]
fn an_outage_lasts_from_its_first_failure_to_the_next_delivery() -> Result<()> {
    // GIVEN a connector whose broker is gone
    let (mut kafka, mut setup, mut connector) = on_own_broker("lag_no_kafka")?;
    kafka.stop()?;
    insert(&mut setup, 1..11)?;
    let first = await_growth(&mut connector, 1, 10)?;
    // WHEN further epochs fail
    await_status(&mut connector, "another epoch", |status| {
        status["state"] == "waiting" && status["since"].as_str() > first["since"].as_str()
    })?;
    // THEN the outage has the same beginning
    let second = await_growth(&mut connector, 2, 10)?;
    assert_eq!(first["outage"]["since"], second["outage"]["since"], "{first} {second}");
    // UNTIL they deliver
    kafka.start_again()?;
    await_nothing_behind(&mut connector)?;
    connector.stop().map(drop)
}

#[test]
fn without_registry_or_source_the_lag_grows() -> Result<()> {
    // GIVEN a connector behind proxies that has delivered everything
    let mut setup = Setup::with_tables("lag_proxies", &[ITEMS])?;
    let server = setup.database.server();
    let source = proxy_before((server.host.as_str(), server.port))?;
    let url = setup.address.registry_url.clone();
    let place = url.trim_start_matches("http://").split('/').next().unwrap();
    let registry = proxy_before(place)?;
    setup.settings.set("mysql.port", source.address().port());
    let url = url.replace(place, &registry.address().to_string());
    setup.settings.set("schema_registry.url", url);
    let mut connector = setup.start()?;
    insert(&mut setup, 0..1)?;
    setup.consumer("items")?.take(1)?;
    await_nothing_behind(&mut connector)?;
    // WHEN a schema cannot be registered, THEN the lag grows, and all that waits is behind
    registry.set(Fault::Refuse);
    setup.database.execute("ALTER TABLE items ADD more INT")?;
    setup.database.execute("INSERT INTO items VALUES (1, 1)")?;
    await_growth(&mut connector, 3, 2)?;
    registry.heal();
    await_nothing_behind(&mut connector)?;
    // WHEN the source cannot be reached, THEN what it has is not known, and the lag grows
    source.set(Fault::Refuse);
    let status = await_status(&mut connector, "a lag", |status| {
        status["state"] == "waiting" && 3.0 < lag(status)
    })?;
    await_status(&mut connector, "more lag", |later| lag(&status) + 2.0 < lag(later))?;
    source.heal();
    await_nothing_behind(&mut connector)?;
    connector.stop().map(drop)
}

#[test]
fn after_a_halt_the_lag_grows_and_a_metric_has_the_reason() -> Result<()> {
    // GIVEN a connector that has halted and stays
    let mut setup = Setup::with_tables("lag_halted", &[ITEMS])?;
    setup.settings.set("admin.stay_after_halt", true);
    let mut connector = setup.start()?;
    insert(&mut setup, 0..1)?;
    setup.consumer("items")?.take(1)?;
    await_nothing_behind(&mut connector)?;
    assert!(!connector.get("/metrics")?.body.contains("tailwater_halted{"));
    setup.database.execute("TRUNCATE items")?;
    await_status(&mut connector, "the halt", |status| status["state"] == "halted")?;
    // WHEN more happens at the source, THEN it is behind, and its age grows
    insert(&mut setup, 1..6)?;
    let status = await_growth(&mut connector, 3, 6)?;
    let reason = status["failure"]["reason"].as_str().unwrap();
    let metrics = connector.get("/metrics")?.body;
    let line = format!("tailwater_halted{{reason=\"{reason}\"}} 1\n");
    assert!(metrics.contains(&line), "{line} is not in {metrics}");
    connector.terminate()?;
    connector.wait_for_exit().map(drop)
}
