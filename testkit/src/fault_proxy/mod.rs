//! A TCP proxy that misbehaves on command: what lies between the connector and a server.
//!
//! It forwards bytes as they are until a [`Fault`] is set. A fault holds for all connections, old
//! and new, until [`FaultProxy::heal`]. For Kafka the proxy reads the frames, so that a single
//! request or answer can be held, lost or delivered late by its API key; everything else is bytes.
//!
//! What is held is not thrown away: it arrives when the fault ends, as it would from a network
//! that drops packets for a while, because TCP sends them again.

mod connection;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::{LIMIT, wait_for};

/// Where bytes flow to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the connector to the server: requests.
    ToServer,
    /// From the server to the connector: answers.
    ToClient,
}

/// What the proxy understands of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Nothing.
    Bytes,
    /// Kafka's frames: a length, then for a request its API key, version and correlation id, for
    /// an answer the correlation id (Kafka protocol guide, "Protocol Primitive Types").
    Kafka,
}

/// A request of Kafka by its number, the API key (Kafka protocol guide, "API Keys").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Records.
    Produce = 0,
    /// The same without a transaction.
    ProduceAlone,
    /// A producer asks for its id and epoch, which fences the one before.
    InitProducerId = 22,
    /// A partition joins the open transaction.
    AddPartitionsToTxn = 24,
    /// The transaction commits or aborts.
    EndTxn = 26,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Everything arrives this much later, as over a long way: what follows is under way meanwhile.
    Delay(Duration),
    /// So many bytes pass in a second, in each direction of each connection.
    Throttle(u32),
    /// Nothing passes, in one direction or both; connections stay open, new ones are taken.
    BlackHole(Option<Direction>),
    /// After this many further bytes in one direction, over all connections, the connection that
    /// carried the last one ends: in order (FIN), or by a reset that may cost the receiver what it
    /// has not read yet. It happens once.
    Cut {
        /// The direction whose bytes are counted.
        direction: Direction,
        /// How many bytes still pass.
        after_bytes: u32,
        /// Whether both ends get a reset.
        reset: bool,
    },
    /// Connections end, new ones end at once: the port of a process that is gone.
    Refuse,
    /// The server's side of every connection ends and the client is not told until the fault
    /// ends.
    HalfOpen,
    /// The next such request waits, and all that follows on its connection, until the fault ends.
    HoldRequest(Request),
    /// The answer to the next such request waits in the same way.
    HoldAnswer(Request),
    /// The next such request arrives, and its connection ends before the answer.
    LoseAnswer(Request),
    /// The connection of the next such request ends before it arrives, so that the client sends it
    /// again elsewhere; the first copy arrives when the fault ends. That it has arrived counts as
    /// another strike.
    Late(Request),
}

/// A proxy before one server. Dropping it ends all its connections.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    is_over: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// What goes wrong now, if anything. The number tells a fault from the same one set again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Rule {
    number: u64,
    fault: Option<Fault>,
}

/// What all connections of a proxy look at.
#[derive(Debug)]
struct Shared {
    protocol: Protocol,
    /// The server, once it is known.
    target: watch::Sender<Option<SocketAddr>>,
    rule: watch::Sender<Rule>,
    /// What a fault that happens once still has to pass: bytes before a cut, requests of its kind.
    left: AtomicI64,
    /// How often the present fault touched something.
    strikes: AtomicU64,
}

impl FaultProxy {
    /// Listens on a free port of the loopback interface; connections wait for
    /// [`Self::forward_to`].
    ///
    /// # Errors
    /// When no port or thread is to be had.
    pub fn bind(protocol: Protocol) -> Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            protocol,
            target: watch::Sender::new(None),
            rule: watch::Sender::new(Rule::default()),
            left: AtomicI64::new(0),
            strikes: AtomicU64::new(0),
        });
        let is_over = watch::Sender::new(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (of_thread, mut over) = (Arc::clone(&shared), is_over.subscribe());
        let thread = thread::Builder::new().name("fault proxy".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    // Accepting fails only when the process is out of files; the test then shows
                    // it by everything else.
                    _ = accept(listener, of_thread) => {}
                    _ = over.changed() => {}
                }
            });
        })?;
        Ok(Self { address, shared, is_over, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Names the server.
    pub fn forward_to(&self, target: SocketAddr) {
        self.shared.target.send_replace(Some(target));
    }

    /// From now on this goes wrong, and nothing else.
    pub fn set(&self, fault: Fault) {
        let left = match fault {
            Fault::Cut { after_bytes, .. } => i64::from(after_bytes),
            _ => 1,
        };
        // The old fault ends first: it must not take what the new one counts for its own.
        self.shared.change(None);
        self.shared.left.store(left, Ordering::SeqCst);
        self.shared.strikes.store(0, Ordering::SeqCst);
        self.shared.change(Some(fault));
    }

    /// From now on nothing goes wrong; what was held arrives.
    pub fn heal(&self) {
        self.shared.change(None);
    }

    /// How often the fault that was set last has touched something.
    pub fn strikes(&self) -> u64 {
        self.shared.strikes.load(Ordering::SeqCst)
    }

    /// Waits until the fault that was set last has touched something.
    ///
    /// # Errors
    /// When it does not for too long.
    pub fn await_strike(&self) -> Result<()> {
        self.await_strikes(1)
    }

    /// Waits until the fault that was set last has touched so much.
    ///
    /// # Errors
    /// When it does not for too long.
    pub fn await_strikes(&self, count: u64) -> Result<()> {
        wait_for("the fault to strike", LIMIT, || Ok((count <= self.strikes()).then_some(())))
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.is_over.send_replace(true);
        drop(self.thread.take().map(JoinHandle::join));
    }
}

impl Shared {
    fn change(&self, fault: Option<Fault>) {
        self.rule.send_modify(|rule| *rule = Rule { number: rule.number + 1, fault });
    }

    fn rule(&self) -> Rule {
        *self.rule.borrow()
    }

    fn fault(&self) -> Option<Fault> {
        self.rule().fault
    }

    fn strike(&self) {
        self.strikes.fetch_add(1, Ordering::SeqCst);
    }

    /// Claims a fault that happens once; true for the first who asks.
    fn claim(&self) -> bool {
        let claimed = self.left.swap(0, Ordering::SeqCst) == 1;
        if claimed {
            self.strike();
        }
        claimed
    }

    /// Waits until this is what goes wrong.
    async fn await_fault(&self, fault: Fault) {
        let mut rules = self.rule.subscribe();
        // The sender lives in `self`, so the channel cannot close while this waits.
        drop(rules.wait_for(|rule| rule.fault == Some(fault)).await);
    }

    /// Waits until something else goes wrong, or nothing.
    async fn await_end(&self, rule: Rule) {
        let mut rules = self.rule.subscribe();
        drop(rules.wait_for(|now| *now != rule).await);
    }

    /// The server, as soon as it is known.
    async fn connect(&self) -> Result<TcpStream> {
        let mut target = self.target.subscribe();
        let target = *target.wait_for(Option::is_some).await?;
        Ok(TcpStream::connect(target.context("no target")?).await?)
    }
}

async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>) -> Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                connections.spawn(connection::serve(accepted?.0, Arc::clone(&shared)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

impl Fault {
    /// A word for what it is, for counts.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Delay(_) => "delay",
            Self::Throttle(_) => "throttle",
            Self::BlackHole(None) => "black hole",
            Self::BlackHole(Some(_)) => "black hole one way",
            Self::Cut { reset: false, .. } => "cut at byte n",
            Self::Cut { reset: true, .. } => "reset at byte n",
            Self::Refuse => "refuse",
            Self::HalfOpen => "half-open",
            Self::HoldRequest(_) => "hold request",
            Self::HoldAnswer(_) => "hold answer",
            Self::LoseAnswer(_) => "lose answer",
            Self::Late(_) => "late request",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:?}")
    }
}

impl Request {
    fn key(self) -> i16 {
        match self {
            Self::Produce | Self::ProduceAlone => 0,
            Self::InitProducerId => 22,
            Self::AddPartitionsToTxn => 24,
            Self::EndTxn => 26,
        }
    }

    /// Whether the frame of a request is of this kind.
    fn is(self, frame: &[u8]) -> bool {
        let is_key = frame.get(4..6) == Some(&self.key().to_be_bytes());
        is_key && (self != Self::ProduceAlone || has_no_transaction(frame))
    }
}

/// Whether the transactional id of a Produce request is null (Kafka protocol guide, "Request Header
/// v2" and "Produce Request (Version: 9)"): it follows the client's name and a byte for no tags.
fn has_no_transaction(frame: &[u8]) -> bool {
    let name = frame.get(12..14).and_then(|bytes| bytes.try_into().ok()).map(u16::from_be_bytes);
    let id = name.map(|length| 14 + usize::from(length) + 1);
    id.and_then(|id| frame.get(id)) == Some(&0)
}

/// The largest frame taken: more than any client here sends or fetches at once.
const FRAME_BYTES_MAX: usize = 64 << 20;

/// The length of a frame by its first four bytes.
fn frame_length(bytes: [u8; 4]) -> Result<usize> {
    let length = usize::try_from(u32::from_be_bytes(bytes))?;
    ensure!(length <= FRAME_BYTES_MAX, "a frame of {length} bytes");
    Ok(length)
}

#[cfg(test)]
mod tests;
