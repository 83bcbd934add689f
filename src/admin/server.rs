//! Connections to the admin server: few and small. No client can hold one open by sending slowly or
//! by reading nothing.
//!
//! A new connection is always accepted: at the limit the oldest one ends for it. So a health check
//! is answered, however many connections other clients hold.

use std::{collections::VecDeque, net::SocketAddr};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
    time::Duration,
};

use super::write_limit::WriteLimit;

/// Most connections at a time; for a further one the oldest ends.
const CONNECTIONS_MAX: usize = 64;

/// How long a request's head may take to come, and how long a connection may be idle.
const HEAD_MAX: Duration = Duration::from_secs(10);

/// How long a part of an answer may wait until the peer reads.
const WRITE_MAX: Duration = Duration::from_secs(10);

/// Most bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// The pause after an accept that failed, for want of file descriptors mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The sender of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Serves for ever. Dropping it ends all connections.
pub(super) async fn serve(listener: TcpListener, router: Router) {
    let mut connections = JoinSet::new();
    // The oldest first.
    let mut held: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let router = router.clone().layer(axum::Extension(Peer(peer)));
                held.retain(|connection| !connection.is_finished());
                if CONNECTIONS_MAX <= held.len()
                    && let Some(oldest) = held.pop_front()
                {
                    oldest.abort();
                }
                held.push_back(connections.spawn(connection(stream, router)));
            }
            Err(error) => {
                tracing::debug!(%error, "the admin server cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, router: Router) {
    let stream = WriteLimit::new(stream, WRITE_MAX);
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection to the admin server ended early");
    }
}
