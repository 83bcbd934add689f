//! A proxy before a broker that loses the answer to a commit.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Kafka's number for EndTxn, the request that commits.
const END_TXN: [u8; 2] = 26_i16.to_be_bytes();

/// Listens first, so that the broker can advertise it, and forwards once it knows where to.
pub(super) struct Proxy {
    listener: TcpListener,
}

/// What a test tells a running proxy.
#[derive(Clone, Default)]
pub(super) struct Orders {
    lose_commit_answer: Arc<AtomicBool>,
}

impl Proxy {
    pub(super) fn bind() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").unwrap() }
    }

    pub(super) fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// Forwards every connection to the broker, on threads that end with the process.
    pub(super) fn forward(self, broker: String) -> Orders {
        let orders = Orders::default();
        let given = orders.clone();
        thread::spawn(move || {
            for client in self.listener.incoming() {
                let (client, orders) = (client.unwrap(), given.clone());
                let server = TcpStream::connect(&broker).unwrap();
                let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                // A side that closes ends the copying, which is all that can go wrong.
                thread::spawn(move || io::copy(&mut from, &mut to).is_ok());
                thread::spawn(move || forward_requests(client, server, &orders).is_ok());
            }
        });
        orders
    }
}

impl Orders {
    /// The next commit reaches the broker, and the connection ends before the answer.
    pub(super) fn lose_commit_answer(&self) {
        self.lose_commit_answer.store(true, Ordering::SeqCst);
    }

    pub(super) fn are_done(&self) -> bool {
        !self.lose_commit_answer.load(Ordering::SeqCst)
    }
}

fn forward_requests(
    mut client: TcpStream,
    mut server: TcpStream,
    orders: &Orders,
) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        client.read_exact(&mut length)?;
        let mut request = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        client.read_exact(&mut request)?;
        let lose = request.starts_with(&END_TXN)
            && orders.lose_commit_answer.swap(false, Ordering::SeqCst);
        if lose {
            client.shutdown(Shutdown::Both)?;
        }
        server.write_all(&length)?;
        server.write_all(&request)?;
    }
}
