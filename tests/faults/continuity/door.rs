//! One address behind which the server changes, as behind a proxy or a name.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use testkit::Result;

/// Forwards connections on threads that end with the process.
pub(super) struct Door {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    target: SocketAddr,
    open: Vec<TcpStream>,
}

impl Door {
    pub(super) fn to(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State { target, open: Vec::new() }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                // A connection that fails is the client's to notice.
                drop(client.and_then(|client| forward(client, &shared)));
            }
        });
        Ok(Self { address, state })
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Leads to another server from now on; who is connected is cut off.
    pub(super) fn lead_to(&self, target: SocketAddr) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.target = target;
        for connection in state.open.drain(..) {
            // It may be closed already.
            drop(connection.shutdown(Shutdown::Both));
        }
    }
}

fn forward(client: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let server = TcpStream::connect(state.target)?;
    for (from, to) in [(&client, &server), (&server, &client)] {
        let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
        thread::spawn(move || {
            let copied = io::copy(&mut from, &mut to);
            drop(to.shutdown(Shutdown::Both));
            copied.is_ok()
        });
    }
    state.open.extend([client, server]);
    Ok(())
}
