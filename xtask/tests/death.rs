//! Nothing outlives the command that started it, whatever ends that.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use xtask::stack::StackAddress;
use xtask::stopwatch::Stopwatch;

/// When waiting has become pointless.
const VAIN_WAIT: Duration = Duration::from_mins(1);

/// A running `cargo xtask stack`, and how to reach its servers.
struct Running {
    command: Child,
    address: StackAddress,
    /// `tailwater.toml`, which is in a temporary folder of the run.
    configuration: String,
}

fn run_stack() -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("stack")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut file = String::new();
    let mut configuration = String::new();
    for line in BufReader::new(command.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some((_, path)) = line.split_once("TAILWATER_STACK=") {
            path.clone_into(&mut file);
        }
        if let Some((_, path)) = line.split_once("--config ") {
            path.clone_into(&mut configuration);
        }
        if line.contains("curl") {
            break;
        }
    }
    let address = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    Running { command, address, configuration }
}

impl Running {
    fn send(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.command.id()).unwrap()), signal).unwrap();
    }

    fn ports(&self) -> Vec<String> {
        let address = &self.address;
        let registry = address.registry_url.trim_start_matches("http://");
        vec![
            format!("{}:{}", address.mysql_host, address.mysql_port),
            address.kafka_bootstrap.clone(),
            registry.split('/').next().unwrap().to_owned(),
        ]
    }

    fn wait_until_servers_are_gone(&self) {
        let stopwatch = Stopwatch::start();
        for port in self.ports() {
            while TcpStream::connect(&port).is_ok() {
                assert!(stopwatch.elapsed() < VAIN_WAIT, "{port} is still served");
                thread::yield_now();
            }
        }
    }
}

#[test]
fn ctrl_c_ends_the_servers_and_removes_their_data() {
    let mut running = run_stack();
    assert!(running.ports().iter().all(|port| TcpStream::connect(port).is_ok()));
    assert!(Path::new(&running.configuration).exists());

    running.send(Signal::SIGINT);

    assert!(running.command.wait().unwrap().success());
    assert!(running.ports().iter().all(|port| TcpStream::connect(port).is_err()));
    assert!(!Path::new(&running.configuration).exists());
}

#[test]
fn a_killed_command_takes_its_servers_along_and_the_next_one_removes_their_data() {
    let mut killed = run_stack();

    killed.send(Signal::SIGKILL);
    killed.command.wait().unwrap();

    killed.wait_until_servers_are_gone();
    let mut next = run_stack();
    assert!(!Path::new(&killed.configuration).exists());
    next.send(Signal::SIGTERM);
    next.command.wait().unwrap();
}
