//! A private Apicurio Registry 2.1: in memory, with Confluent's API, refusing incompatible schemas.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::cache::Cache;
use super::folder::RunFolder;
use super::maven;
use super::port::Port;
use super::recipe::{Recipe, require_programs};
use super::server::{START_LIMIT, Server, start_on_free_ports};
use crate::process::{Process, bound_command};

pub(super) const RECIPE: Recipe = Recipe {
    name: "registry-2.1.5-r1",
    expected_bytes: 280_000_000,
    programs: &["java", "mvn"],
    fill,
};

/// Where Apicurio serves Confluent's API.
const API: &str = "/apis/ccompat/v6";

/// A running registry. Its schemas are in memory: a stop forgets them. Dropping it removes it.
#[derive(Debug)]
pub struct Registry {
    process: Option<Process>,
    installation: PathBuf,
    port: Port,
    folder: RunFolder,
}

impl Registry {
    /// Starts a registry and waits until it answers; compatibility is `BACKWARD`, Confluent's
    /// default.
    pub fn start(cache: &Cache) -> Result<Self> {
        require_programs(&["java"])?;
        let installation = cache.fetch(&RECIPE)?;
        start_on_free_ports(|| {
            let mut registry = Self {
                process: None,
                installation: installation.clone(),
                port: Port::pick(cache)?,
                folder: RunFolder::create("registry")?,
            };
            registry.start_again()?;
            Ok(registry)
        })
    }

    /// Base URL of Confluent's API, path included.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}{API}", self.port.number())
    }

    /// What it logs.
    pub fn log_file(&self) -> PathBuf {
        self.folder.path().join("registry.log")
    }
}

impl Server for Registry {
    fn launch(&self) -> Result<Process> {
        let port = self.port.number();
        let mut command = bound_command("java");
        // The quick compiler alone: it lives for seconds, and starting is most of its work.
        command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        command.arg("-Dquarkus.http.host=127.0.0.1");
        command.arg(format!("-Dquarkus.http.port={port}"));
        // With more than one connection to its in-memory database, registrations at the same time
        // violate its keys and leave tables locked for good.
        for size in ["min-size", "initial-size", "max-size"] {
            command.arg(format!("-Dquarkus.datasource.jdbc.{size}=1"));
        }
        command.arg("-jar").arg(self.installation.join("target/registry-1-runner.jar"));
        let mut process = Process::start_logged("the registry", command, &self.log_file())?;
        process.wait_until(START_LIMIT, || {
            request(port, "GET", "/subjects", "").is_ok_and(|status| status == 200)
        })?;
        let status = request(port, "PUT", "/config", r#"{"compatibility":"BACKWARD"}"#)?;
        if status != 200 {
            bail!("the registry refused its compatibility level with HTTP status {status}");
        }
        Ok(process)
    }

    fn process(&mut self) -> &mut Option<Process> {
        &mut self.process
    }
}

/// Lets Quarkus assemble the server and keeps what runs.
fn fill(folder: &Path) -> Result<()> {
    maven::run(folder, include_str!("../../recipes/registry.xml"), &["package"])?;
    for entry in fs::read_dir(folder.join("target"))? {
        let path = entry?.path();
        let runs = path.ends_with("lib") || path.ends_with("registry-1-runner.jar");
        match (runs, path.is_dir()) {
            (true, _) => {}
            (false, true) => fs::remove_dir_all(path)?,
            (false, false) => fs::remove_file(path)?,
        }
    }
    Ok(())
}

/// One HTTP request without a client library; returns the status.
fn request(port: u16, method: &str, path: &str, body: &str) -> Result<u16> {
    let limit = Some(Duration::from_secs(10));
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    connection.set_read_timeout(limit)?;
    let length = body.len();
    write!(
        connection,
        "{method} {API}{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).context("not an HTTP answer")?;
    Ok(status.parse()?)
}
