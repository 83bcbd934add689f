//! The committed position, as text and as JSON.

use testkit::xtask::stack::Server as _;
use testkit::{Result, Settings};

use super::{ITEMS, assert_says, insert, position, printed, setup_on, show};
use crate::support::setup::{Setup, private_mysql};

#[test]
fn the_position_is_shown_with_how_far_the_source_is_ahead() -> Result<()> {
    let mut mysql = private_mysql(&[])?;
    let mut setup = setup_on(&mysql, "position_shown")?;
    insert(&mut setup, 1..=3)?;
    setup.catch_up()?;
    // GIVEN a position at the source's end
    let text = printed(&setup, &["show"])?;
    let uuid = show(&setup)?["position"]["server_uuid"].as_str().unwrap_or_default().to_owned();
    assert_says(&text, &["behind nothing", "UTC at the source", "which has ended", &uuid]);
    assert_says(&text, &["the source still has everything after the position"]);
    // WHEN the source is ahead
    insert(&mut setup, 4..=5)?;
    assert_says(&printed(&setup, &["show"])?, &["behind 2 transactions", "B of binlog"]);
    let shown = show(&setup)?;
    assert_eq!(shown["source"]["transactions_behind"], 2);
    assert_eq!(shown["source"]["has_what_follows"], true);
    let offsets =
        [&shown["source"]["pos"], &shown["position"]["pos"]].map(serde_json::Value::as_u64);
    assert_eq!(
        shown["source"]["bytes_behind"].as_u64(),
        Some(offsets[0].unwrap() - offsets[1].unwrap())
    );
    // AND when what follows is gone there
    mysql.sql("FLUSH BINARY LOGS; PURGE BINARY LOGS BEFORE NOW(6)")?;
    mysql.sql("FLUSH BINARY LOGS; PURGE BINARY LOGS TO 'binlog.000003'")?;
    let text = printed(&setup, &["show"])?;
    assert_says(&text, &["no start can continue", "was purged", "set --to-earliest --execute"]);
    let shown = show(&setup)?;
    assert_eq!(shown["source"]["has_what_follows"], false);
    assert_eq!(shown["source"]["reason"], "position_purged");
    // AND when the source does not answer THEN what Kafka has is shown all the same
    mysql.stop()?;
    let text = printed(&setup, &["show"])?;
    assert_says(
        &text,
        &["position binlog.00000", &uuid, "source unknown: cannot connect to MySQL"],
    );
    assert_eq!(show(&setup)?["source"]["reason"], "mysql_unreachable");
    Ok(())
}

#[test]
fn a_connector_without_a_position_and_one_without_kafka_are_said_to_be_so() -> Result<()> {
    let mut setup = Setup::with_tables("position_none", &[ITEMS])?;
    assert_says(&printed(&setup, &["show"])?, &["none yet: the connector has never run"]);
    assert!(show(&setup)?["position"].is_null());
    let settings: &mut Settings = &mut setup.settings;
    settings.set("mysql.password", "wrong");
    assert_says(&printed(&setup, &["show"])?, &["never run", "source unknown:"]);
    setup.settings.set("kafka.properties", serde_json::json!({"sasl.mechanism": "PLAIN"}));
    setup.settings.set("kafka.bootstrap_servers", "");
    let exit = position(&setup, &["show"])?;
    assert_eq!(exit.code, Some(78), "{}", exit.stderr);
    assert_eq!(exit.stdout, "");
    Ok(())
}
