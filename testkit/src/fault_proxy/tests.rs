//! The proxy before an echo server, and before one that answers frames as a broker does.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use super::{Direction, Fault, FaultProxy, Protocol, Request};

/// Long enough for anything that is going to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a test looks for what must not come.
const GLANCE: Duration = Duration::from_millis(150);

/// A server that sends back what it gets; every byte is told to the test as well.
fn echo_server() -> (SocketAddr, Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, received) = channel();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let (mut connection, sender) = (connection.unwrap(), sender.clone());
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = connection.read(&mut buffer) {
                    sender.send(buffer[..length].to_vec()).unwrap();
                    if connection.write_all(&buffer[..length]).is_err() {
                        break;
                    }
                }
            });
        }
    });
    (address, received)
}

fn proxy(protocol: Protocol) -> (FaultProxy, Receiver<Vec<u8>>) {
    let proxy = FaultProxy::bind(protocol).unwrap();
    let (address, received) = echo_server();
    proxy.forward_to(address);
    (proxy, received)
}

fn connect(proxy: &FaultProxy) -> TcpStream {
    let connection = TcpStream::connect(proxy.address()).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection
}

/// Sends and waits for the echo.
fn exchange(connection: &mut TcpStream, bytes: &[u8]) {
    connection.write_all(bytes).unwrap();
    assert_eq!(read(connection, bytes.len()), bytes);
}

fn read(connection: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    connection.read_exact(&mut bytes).unwrap();
    bytes
}

/// What is left until the connection ends, in order or by a reset.
fn read_to_the_end(connection: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match connection.read_to_end(&mut bytes) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => bytes,
    }
}

fn is_silent(connection: &mut TcpStream) -> bool {
    connection.set_read_timeout(Some(GLANCE)).unwrap();
    let answer = connection.read(&mut [0]);
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    answer.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// A frame whose answer, in the eyes of the proxy, is the echo of its own bytes 4 to 8; so key
/// and version together are the correlation id of the echo.
fn frame(key: i16, name: u8) -> Vec<u8> {
    let mut frame = 9_u32.to_be_bytes().to_vec();
    frame.extend_from_slice(&key.to_be_bytes());
    frame.extend_from_slice(&0_i16.to_be_bytes());
    frame.extend_from_slice(&(i32::from(key) << 16).to_be_bytes());
    frame.push(name);
    frame
}

#[test]
fn without_a_fault_everything_passes() {
    for protocol in [Protocol::Bytes, Protocol::Kafka] {
        let (proxy, _received) = proxy(protocol);
        let mut connection = connect(&proxy);
        exchange(&mut connection, &frame(3, 1));
        exchange(&mut connection, &frame(0, 2));
    }
}

#[test]
fn a_cut_lets_exactly_its_bytes_pass_and_happens_once() {
    for after_bytes in 0..20_u8 {
        let (proxy, received) = proxy(Protocol::Bytes);
        let mut connection = connect(&proxy);
        exchange(&mut connection, b"before");
        received.recv().unwrap();
        let direction = Direction::ToServer;
        proxy.set(Fault::Cut { direction, after_bytes: after_bytes.into(), reset: false });
        connection.write_all(b"twenty bytes to pass").unwrap();
        let echo = read_to_the_end(&mut connection);
        assert!(echo.len() <= usize::from(after_bytes));
        assert_eq!(proxy.strikes(), 1);
        let mut passed = Vec::new();
        while passed.len() < usize::from(after_bytes) {
            passed.extend(received.recv_timeout(PATIENCE).unwrap());
        }
        assert_eq!(passed, b"twenty bytes to pass"[..usize::from(after_bytes)]);
        exchange(&mut connect(&proxy), b"all of a further connection");
    }
}

#[test]
fn a_reset_ends_the_connection_at_both_ends() {
    let (proxy, _received) = proxy(Protocol::Bytes);
    let mut connection = connect(&proxy);
    exchange(&mut connection, b"before");
    let direction = Direction::ToClient;
    proxy.set(Fault::Cut { direction, after_bytes: 0, reset: true });
    connection.write_all(b"gone").unwrap();
    let error = connection.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_black_hole_delivers_when_it_ends() {
    for direction in [None, Some(Direction::ToServer), Some(Direction::ToClient)] {
        let (proxy, _received) = proxy(Protocol::Bytes);
        let mut connection = connect(&proxy);
        exchange(&mut connection, b"before");
        proxy.set(Fault::BlackHole(direction));
        connection.write_all(b"held").unwrap();
        assert!(is_silent(&mut connection));
        let mut newcomer = connect(&proxy);
        newcomer.write_all(b"also").unwrap();
        assert!(is_silent(&mut newcomer));
        assert!(0 < proxy.strikes());
        proxy.heal();
        assert_eq!(read(&mut connection, 4), b"held");
        assert_eq!(read(&mut newcomer, 4), b"also");
    }
}

#[test]
fn a_refusal_ends_connections_old_and_new() {
    let (proxy, _received) = proxy(Protocol::Bytes);
    let mut connection = connect(&proxy);
    exchange(&mut connection, b"before");
    proxy.set(Fault::Refuse);
    assert!(read_to_the_end(&mut connection).is_empty());
    assert!(read_to_the_end(&mut connect(&proxy)).is_empty());
    proxy.heal();
    exchange(&mut connect(&proxy), b"after");
}

#[test]
fn a_half_open_connection_is_silent_until_the_fault_ends() {
    let (proxy, _received) = proxy(Protocol::Bytes);
    let mut connection = connect(&proxy);
    exchange(&mut connection, b"before");
    proxy.set(Fault::HalfOpen);
    proxy.await_strike().unwrap();
    connection.write_all(b"to nobody").unwrap();
    assert!(is_silent(&mut connection));
    proxy.heal();
    assert!(read_to_the_end(&mut connection).is_empty());
}

#[test]
fn a_delay_and_a_throttle_change_nothing_but_the_time() {
    for fault in [Fault::Delay(Duration::from_millis(5)), Fault::Throttle(20_000)] {
        let (proxy, _received) = proxy(Protocol::Bytes);
        proxy.set(fault);
        let mut connection = connect(&proxy);
        exchange(&mut connection, b"slowly");
        assert!(2 <= proxy.strikes());
    }
}

#[test]
fn the_one_request_of_its_kind_is_held() {
    let (proxy, received) = proxy(Protocol::Kafka);
    let mut connection = connect(&proxy);
    proxy.set(Fault::HoldRequest(Request::EndTxn));
    exchange(&mut connection, &frame(0, 1));
    connection.write_all(&frame(26, 2)).unwrap();
    proxy.await_strike().unwrap();
    assert!(is_silent(&mut connection));
    // Another connection is free, even for a request of the same kind: only one is held.
    exchange(&mut connect(&proxy), &frame(26, 3));
    proxy.heal();
    assert_eq!(read(&mut connection, 13), frame(26, 2));
    assert_eq!(received.iter().take(3).count(), 3);
}

#[test]
fn records_in_no_transaction_differ_from_others() {
    let produce = |id: u8| {
        // Key, version, correlation id, the client's name, no tags, the transactional id.
        let body = [&[0, 0, 0, 9, 0, 0, 0, 7, 0, 2, b'c', b'c', 0, id], &b"abc"[..]].concat();
        [&u32::try_from(body.len()).unwrap().to_be_bytes(), &body[..]].concat()
    };
    let (proxy, _received) = proxy(Protocol::Kafka);
    let mut connection = connect(&proxy);
    proxy.set(Fault::HoldRequest(Request::ProduceAlone));
    exchange(&mut connection, &produce(4));
    connection.write_all(&produce(0)).unwrap();
    proxy.await_strike().unwrap();
    assert!(is_silent(&mut connection));
}

#[test]
fn an_answer_is_held_or_lost_after_the_request_arrived() {
    for fault in [Fault::HoldAnswer(Request::Produce), Fault::LoseAnswer(Request::Produce)] {
        let (proxy, received) = proxy(Protocol::Kafka);
        let mut connection = connect(&proxy);
        proxy.set(fault);
        connection.write_all(&frame(0, 1)).unwrap();
        assert_eq!(received.recv_timeout(PATIENCE).unwrap(), frame(0, 1));
        proxy.await_strike().unwrap();
        if fault == Fault::HoldAnswer(Request::Produce) {
            assert!(is_silent(&mut connection));
            proxy.heal();
            assert_eq!(read(&mut connection, 13), frame(0, 1));
        } else {
            assert!(read_to_the_end(&mut connection).is_empty());
        }
    }
}

#[test]
fn a_late_request_arrives_after_the_one_that_was_sent_again() {
    let (proxy, received) = proxy(Protocol::Kafka);
    let mut connection = connect(&proxy);
    proxy.set(Fault::Late(Request::EndTxn));
    connection.write_all(&frame(26, 1)).unwrap();
    assert!(read_to_the_end(&mut connection).is_empty());
    exchange(&mut connect(&proxy), &frame(26, 2));
    proxy.heal();
    let arrived: Vec<_> = received.iter().take(2).collect();
    assert_eq!(arrived, [frame(26, 2), frame(26, 1)]);
}
