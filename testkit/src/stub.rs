//! A server whose HTTP answers a test decides, in place of a registry that is misconfigured, broken
//! or lying.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Result;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, as it was sent.
    pub path: String,
    /// The header `Authorization`; empty without one.
    pub authorization: String,
    /// The body.
    pub body: String,
}

/// What is answered: a status line (`404 Not Found`) and a JSON body.
pub type Reply = (&'static str, String);

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
        let answer = answer(status, content_type, body);
        Self::serving(move |_| answer.clone())
    }

    /// Answers each request with what `reply` says to it, as JSON.
    ///
    /// # Errors
    /// When no port is free.
    pub fn replying(mut reply: impl FnMut(&Request) -> Reply + Send + 'static) -> Result<Self> {
        Self::serving(move |request| {
            let (status, body) = reply(request);
            answer(status, "application/json", &body)
        })
    }

    fn serving(mut answer: impl FnMut(&Request) -> String + Send + 'static) -> Result<Self> {
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
                drop(connection.and_then(|connection| serve(&connection, &mut answer)));
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

fn answer(status: &str, content_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

/// Reads one request to the end of its body, because closing with unread bytes would reset the
/// connection and lose the answer.
fn serve(connection: &TcpStream, answer: &mut impl FnMut(&Request) -> String) -> io::Result<()> {
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ').map(ToOwned::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (mut body_length, mut authorization) = (0, String::new());
    line.clear();
    while reader.read_line(&mut line)? > 0 && line != "\r\n" {
        if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            body_length = length.trim().parse().unwrap_or(0);
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("authorization")
        {
            value.trim().clone_into(&mut authorization);
        }
        line.clear();
    }
    let mut body = String::new();
    reader.take(body_length).read_to_string(&mut body)?;
    let answer = answer(&Request { method, path, authorization, body });
    (&mut &*connection).write_all(answer.as_bytes())
}
