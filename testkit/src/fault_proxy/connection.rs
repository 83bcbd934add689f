//! One connection through the proxy: two pumps, and the fault that stops them.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::Instant;

use super::{Direction, Fault, Protocol, Request, Rule, Shared, frame_length};

/// The largest piece that passes at once.
const PIECE_BYTES: usize = 16 << 10;

/// How many pieces or frames of one direction may be under way at a time.
const UNDER_WAY_MAX: usize = 64;

/// A piece or frame, and when it arrived at the proxy.
type Arrived = (Instant, Vec<u8>);

/// What the two directions of a connection tell each other: the API keys of requests without an
/// answer, and the one whose answer is to be lost or held.
#[derive(Default)]
struct Conversation {
    requests: Mutex<BTreeMap<i32, i16>>,
    marked: Mutex<Option<i32>>,
}

/// How long a connection that was cut in order stays half closed.
const CLOSING: Duration = Duration::from_millis(20);

/// How a pump ended.
enum Ended {
    /// One side closed, or the network did.
    Closed,
    /// Both sides are to get a reset.
    Reset,
    /// The client's connection ends now, and these bytes reach the server when the fault ends.
    Late(Vec<u8>, Rule),
}

/// Serves one client until one side closes or a fault ends the connection.
pub(super) async fn serve(client: TcpStream, shared: Arc<Shared>) {
    // An error is the end of the connection, which is what a proxy has to tell of it.
    drop(forward(client, &shared).await);
}

async fn forward(mut client: TcpStream, shared: &Shared) -> Result<()> {
    if shared.fault() == Some(Fault::Refuse) {
        shared.strike();
        client.set_zero_linger()?;
        return Ok(());
    }
    client.set_nodelay(true)?;
    let mut server = shared.connect().await?;
    server.set_nodelay(true)?;
    let ended = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let conversation = Conversation::default();
        let pump = |direction| Pump { direction, shared, conversation: &conversation };
        let (requests, answers) = (pump(Direction::ToServer), pump(Direction::ToClient));
        tokio::select! {
            ended = requests.run(from_client, to_server) => ended,
            ended = answers.run(from_server, to_client) => ended,
            () = shared.await_fault(Fault::Refuse) => {
                shared.strike();
                Ok(Ended::Reset)
            }
            () = shared.await_fault(Fault::HalfOpen) => {
                shared.strike();
                Ok(Ended::Closed)
            }
        }
    };
    let rule = shared.rule();
    match ended? {
        Ended::Closed if rule.fault == Some(Fault::HalfOpen) => {
            drop(server);
            shared.await_end(rule).await;
            client.set_zero_linger()?;
        }
        Ended::Closed => {}
        Ended::Reset => {
            client.set_zero_linger()?;
            server.set_zero_linger()?;
        }
        Ended::Late(frame, rule) => {
            client.set_zero_linger()?;
            drop(client);
            shared.await_end(rule).await;
            server.write_all(&frame).await?;
            // The server has it when it answers; nobody is there to read what.
            drop(tokio::time::timeout(LATE_ANSWER_LIMIT, server.readable()).await);
            shared.strike();
        }
    }
    Ok(())
}

/// How long a late request's connection stays open for its answer.
const LATE_ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// One direction of a connection.
struct Pump<'a> {
    direction: Direction,
    shared: &'a Shared,
    conversation: &'a Conversation,
}

impl Pump<'_> {
    /// Reads while it passes on: what follows on a slow link need not wait for what is under way.
    async fn run(&self, from: ReadHalf<'_>, to: WriteHalf<'_>) -> Result<Ended> {
        let (arrive, arrived) = channel(UNDER_WAY_MAX);
        let read = async {
            // What arrived before an error passes, as before the end of the connection.
            drop(self.read(from, arrive).await);
            std::future::pending().await
        };
        tokio::select! {
            ended = self.pass(arrived, to) => ended,
            never = read => never,
        }
    }

    async fn read(&self, mut from: ReadHalf<'_>, arrive: Sender<Arrived>) -> Result<()> {
        loop {
            let mut bytes = Vec::new();
            match self.shared.protocol {
                Protocol::Bytes => read_piece(&mut from, &mut bytes).await?,
                Protocol::Kafka => read_frame(&mut from, &mut bytes).await?,
            }
            if bytes.is_empty() {
                return Ok(());
            }
            arrive.send((Instant::now(), bytes)).await?;
        }
    }

    async fn pass(&self, mut arrived: Receiver<Arrived>, mut to: WriteHalf<'_>) -> Result<Ended> {
        while let Some((at, bytes)) = arrived.recv().await {
            if self.shared.protocol == Protocol::Kafka
                && let Some(ended) = self.look_at_frame(&bytes).await
            {
                return Ok(ended);
            }
            for piece in bytes.chunks(PIECE_BYTES) {
                let allowed = self.admit(piece.len(), at).await;
                let (now, never) = piece.split_at_checked(allowed).unwrap_or((piece, &[]));
                to.write_all(now).await?;
                if let (false, Some(Fault::Cut { reset, .. })) =
                    (never.is_empty(), self.shared.fault())
                {
                    if reset {
                        return Ok(Ended::Reset);
                    }
                    // The other end has a moment to read what passed; closing at once can reset
                    // the connection and take it away.
                    to.shutdown().await?;
                    tokio::time::sleep(CLOSING).await;
                    return Ok(Ended::Closed);
                }
            }
        }
        Ok(Ended::Closed)
    }

    /// Waits until a piece that arrived then may pass; how many of its bytes may.
    async fn admit(&self, length: usize, arrived: Instant) -> usize {
        let rule = self.shared.rule();
        match rule.fault {
            Some(Fault::Delay(pause)) => {
                self.shared.strike();
                tokio::time::sleep_until(arrived + pause).await;
            }
            Some(Fault::Throttle(bytes_per_s)) => {
                self.shared.strike();
                let length = u32::try_from(length).unwrap_or(u32::MAX);
                let pause = Duration::from_secs(1) * length / bytes_per_s.max(1);
                drop(tokio::time::timeout(pause, self.shared.await_end(rule)).await);
            }
            Some(Fault::BlackHole(swallowed))
                if swallowed.is_none_or(|direction| direction == self.direction) =>
            {
                self.shared.strike();
                self.shared.await_end(rule).await;
            }
            Some(Fault::Cut { direction, .. }) if direction == self.direction => {
                return self.admit_before_cut(length);
            }
            _ => {}
        }
        length
    }

    /// How many of `length` bytes pass before the cut; all of them once it has happened.
    fn admit_before_cut(&self, length: usize) -> usize {
        let wanted = i64::try_from(length).unwrap_or(i64::MAX);
        let before = self.shared.left.fetch_sub(wanted, Ordering::SeqCst);
        match usize::try_from(before) {
            Ok(before) if before < length => {
                self.shared.strike();
                before
            }
            _ => length,
        }
    }

    /// Does to a frame what the fault asks for by its API key. `Some` ends the connection.
    async fn look_at_frame(&self, frame: &[u8]) -> Option<Ended> {
        match self.direction {
            Direction::ToServer => self.look_at_request(frame).await,
            Direction::ToClient => self.look_at_answer(frame).await,
        }
    }

    async fn look_at_request(&self, frame: &[u8]) -> Option<Ended> {
        let (key, correlation) = request_header(frame)?;
        locked(&self.conversation.requests).insert(correlation, key);
        let rule = self.shared.rule();
        let is_it = |request: Request| request.is(frame) && self.shared.claim();
        match rule.fault? {
            Fault::HoldRequest(request) if is_it(request) => self.shared.await_end(rule).await,
            Fault::Late(request) if is_it(request) => {
                return Some(Ended::Late(frame.to_vec(), rule));
            }
            Fault::HoldAnswer(request) | Fault::LoseAnswer(request)
                if request.is(frame) && self.shared.left.swap(0, Ordering::SeqCst) == 1 =>
            {
                *locked(&self.conversation.marked) = Some(correlation);
            }
            _ => {}
        }
        None
    }

    async fn look_at_answer(&self, frame: &[u8]) -> Option<Ended> {
        let correlation = integer(frame, 4)?;
        locked(&self.conversation.requests).remove(&correlation);
        if *locked(&self.conversation.marked) != Some(correlation) {
            return None;
        }
        *locked(&self.conversation.marked) = None;
        self.shared.strike();
        let rule = self.shared.rule();
        match rule.fault {
            Some(Fault::LoseAnswer(_)) => return Some(Ended::Closed),
            Some(Fault::HoldAnswer(_)) => self.shared.await_end(rule).await,
            _ => {}
        }
        None
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads what is there, at most one piece; nothing at the end.
async fn read_piece(from: &mut ReadHalf<'_>, bytes: &mut Vec<u8>) -> Result<()> {
    bytes.clear();
    bytes.reserve(PIECE_BYTES);
    from.take(u64::try_from(PIECE_BYTES)?).read_buf(bytes).await?;
    Ok(())
}

/// Reads one frame with its length.
async fn read_frame(from: &mut ReadHalf<'_>, bytes: &mut Vec<u8>) -> Result<()> {
    let mut prefix = [0; 4];
    from.read_exact(&mut prefix).await?;
    let length = frame_length(prefix)?;
    bytes.clear();
    bytes.extend_from_slice(&prefix);
    let read = from.take(u64::try_from(length)?).read_to_end(bytes).await?;
    if read < length {
        bail!("the connection ended within a frame");
    }
    Ok(())
}

/// The API key and the correlation id of a request.
fn request_header(frame: &[u8]) -> Option<(i16, i32)> {
    let key = frame.get(4..6)?.try_into().ok()?;
    Some((i16::from_be_bytes(key), integer(frame, 8)?))
}

fn integer(frame: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(frame.get(at..at + 4)?.try_into().ok()?))
}
