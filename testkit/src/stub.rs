//! A server that gives one fixed HTTP answer, in place of a registry that is misconfigured.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Result;

/// Listens until it is dropped.
#[derive(Debug)]
pub struct StubServer {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl StubServer {
    /// Answers every request with this status line (`404 Not Found`), content type and body.
    ///
    /// # Errors
    /// When no port is free.
    pub fn start(status: &str, content_type: &str, body: &str) -> Result<Self> {
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        );
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let thread = thread::Builder::new().name("stub server".to_owned()).spawn(move || {
            for connection in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                // A client that hangs up early has its answer or does not want it.
                drop(connection.and_then(|connection| serve(&connection, &answer)));
            }
        })?;
        Ok(Self { address, is_over, thread: Some(thread) })
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for StubServer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address)); // wakes the thread
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// Reads one request to the end of its body, because closing with unread bytes would reset the
/// connection and lose the answer.
fn serve(connection: &TcpStream, answer: &str) -> io::Result<()> {
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(connection);
    let mut body_length = 0;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 && line != "\r\n" {
        if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            body_length = length.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    io::copy(&mut reader.take(body_length), &mut io::sink())?;
    (&mut &*connection).write_all(answer.as_bytes())
}
