//! `cargo xtask stack`: real servers for work by hand.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use xtask::interrupt;
use xtask::progress::say;
use xtask::stack::{Cache, ROOT_PASSWORD, ROOT_USER, Stack};

/// A database to capture, and a user with exactly the grants that capturing needs.
const SAMPLE: &str = "
CREATE DATABASE inventory;
CREATE TABLE inventory.products (
  id INT PRIMARY KEY AUTO_INCREMENT,
  name VARCHAR(100) NOT NULL,
  price DECIMAL(10, 2) NOT NULL,
  changed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP
);
INSERT INTO inventory.products (name, price) VALUES ('scooter', 89.90), ('hammer', 12.50);
CREATE USER tailwater@'%' IDENTIFIED BY 'tailwater';
GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO tailwater@'%';
GRANT SELECT ON inventory.* TO tailwater@'%';
";

/// Starts the servers, prints how to use them, and keeps them until a signal comes.
pub(crate) fn run(brokers: u16) -> Result<ExitCode> {
    let stack = Stack::start(&Cache::open()?, brokers)?;
    stack.mysql.sql(SAMPLE)?;
    let configuration = stack.folder().join("tailwater.toml");
    fs::write(&configuration, configuration_text(&stack))?;
    let client = stack.folder().join("mysql");
    write_client(&stack, &client)?;
    io::stdout().write_all(usage(&stack, &configuration, &client).as_bytes())?;
    say("the servers run until Ctrl-C");
    while interrupt::pause(Duration::from_millis(100)).is_ok() {}
    drop(stack);
    say("all servers are stopped, their data is removed");
    Ok(ExitCode::SUCCESS)
}

fn configuration_text(stack: &Stack) -> String {
    format!(
        r#"name = "inventory"

[mysql]
host = "{}"
port = {}
user = "tailwater"
password = "tailwater"

[capture]
tables = ["inventory.*"]

[kafka]
bootstrap_servers = "{}"

[schema_registry]
url = "{}"
"#,
        stack.mysql.host(),
        stack.mysql.port(),
        stack.kafka.bootstrap(),
        stack.registry.url(),
    )
}

/// A script that runs the fetched `mysql` client, which the machine itself may lack.
fn write_client(stack: &Stack, file: &Path) -> Result<()> {
    let command = stack.mysql.client("mysql");
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> =
        words.map(|word| format!("'{}'", word.to_string_lossy().replace('\'', r"'\''"))).collect();
    fs::write(file, format!("#!/bin/sh\nexec {} \"$@\"\n", words.join(" ")))?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn usage(stack: &Stack, configuration: &Path, client: &Path) -> String {
    let (configuration, client) = (configuration.display(), client.display());
    format!(
        "
MySQL      {host}:{port}, user {ROOT_USER}, password {ROOT_PASSWORD}
Kafka      {bootstrap}
registry   {registry}
address    TAILWATER_STACK={address}

A configuration for the sample database `inventory` is in
{configuration}:

{text}
Try, each in a terminal of its own:
  cargo run --bin tailwater -- run --config {configuration}
  {client} inventory -e \"INSERT INTO products (name, price) VALUES ('drill', 59.00)\"
  curl {registry}/subjects

",
        host = stack.mysql.host(),
        port = stack.mysql.port(),
        bootstrap = stack.kafka.bootstrap(),
        registry = stack.registry.url(),
        address = stack.address_file().display(),
        text = configuration_text(stack),
    )
}
