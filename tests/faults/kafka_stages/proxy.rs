//! A proxy before a broker that loses the answer to a commit, answers itself to records, or reads
//! as a replica that is behind.

use std::{
    collections::BTreeMap,
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Kafka's number for Produce, the request that carries records.
const PRODUCE: [u8; 2] = 0_i16.to_be_bytes();

/// Kafka's number for Fetch, the request that reads.
const FETCH: [u8; 2] = 1_i16.to_be_bytes();

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
    refusal: Arc<Mutex<Option<Refusal>>>,
    fetches: Arc<Mutex<Fetches>>,
}

/// What was read so far, and whether the same is answered to the same question.
#[derive(Default)]
struct Fetches {
    answers: BTreeMap<Vec<u8>, Vec<u8>>,
    is_behind: bool,
    repeated: usize,
}

/// The Fetch requests of a connection that wait for an answer, by their correlation ids.
type Asked = Mutex<BTreeMap<[u8; 4], Vec<u8>>>;

/// Records that the broker is not given, and what the proxy says to them.
struct Refusal {
    topic: String,
    code: i16,
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
                let from = server.try_clone().unwrap();
                let to = Arc::new(Mutex::new(client.try_clone().unwrap()));
                let answers = Arc::clone(&to);
                let asked = Arc::new(Asked::default());
                // A side that closes ends the copying, which is all that can go wrong.
                let (given, noted) = (orders.clone(), Arc::clone(&asked));
                thread::spawn(move || forward_answers(from, &to, &noted, &given).is_ok());
                let sides = (server, answers);
                thread::spawn(move || forward_requests(client, &sides, &asked, &orders).is_ok());
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

    /// The next batch of records for the topic is not stored and answered with this error.
    pub(super) fn refuse_records(&self, topic: &str, code: i16) {
        *self.refusal.lock().unwrap() = Some(Refusal { topic: topic.to_owned(), code });
    }

    /// Reads end where they ended before, as on a replica that has got nothing since.
    pub(super) fn be_behind(&self, is_behind: bool) {
        self.fetches.lock().unwrap().is_behind = is_behind;
    }

    /// How often a read was answered as before.
    pub(super) fn repeated(&self) -> usize {
        self.fetches.lock().unwrap().repeated
    }

    pub(super) fn are_done(&self) -> bool {
        !self.lose_commit_answer.load(Ordering::SeqCst) && self.refusal.lock().unwrap().is_none()
    }

    /// What the proxy answers to a request in place of the broker, if it does.
    fn answer(&self, request: &[u8], asked: &Asked) -> Option<Vec<u8>> {
        if request.starts_with(&FETCH) {
            // What is the same in all requests for the same: no correlation id.
            let question = [&request[..4], &request[8..]].concat();
            let mut fetches = self.fetches.lock().unwrap();
            if let Some(answer) = fetches.answers.get(&question).filter(|_| fetches.is_behind) {
                let answer = [&request[4..8], answer].concat();
                fetches.repeated += 1;
                return Some(answer);
            }
            asked.lock().unwrap().insert(request[4..8].try_into().unwrap(), question);
            return None;
        }
        let mut refusal = self.refusal.lock().unwrap();
        let names = |topic: &str| {
            let mut windows = request.windows(topic.len());
            request.starts_with(&PRODUCE) && windows.any(|window| window == topic.as_bytes())
        };
        let Refusal { topic, code } = refusal.take_if(|refusal| names(&refusal.topic))?;
        Some(produce_answer(request, &topic, code))
    }
}

/// The answer to a Produce request for partition 0 of a topic (Kafka protocol guide, "Produce
/// Response (Version: 9)", the same up to version 12).
fn produce_answer(request: &[u8], topic: &str, code: i16) -> Vec<u8> {
    let version = i16::from_be_bytes(request[2..4].try_into().unwrap());
    assert!((9..=12).contains(&version), "Produce has version {version}");
    let mut answer = Vec::new();
    answer.extend(&request[4..8]);
    // No tags; one topic, by its name; one partition.
    answer.extend([0, 2, u8::try_from(topic.len()).unwrap() + 1]);
    answer.extend(topic.as_bytes());
    answer.push(2);
    answer.extend(0_i32.to_be_bytes());
    answer.extend(code.to_be_bytes());
    // No offset, no time, no first offset of the log.
    answer.extend([0xff; 24]);
    // No record errors, no text, no tags of partition and topic; no throttling; no tags.
    answer.extend([1, 0, 0, 0]);
    answer.extend([0, 0, 0, 0, 0]);
    answer
}

fn read_frame(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut frame = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    from.read_exact(&mut frame)?;
    Ok(frame)
}

fn write_frame(mut to: &TcpStream, frame: &[u8]) -> io::Result<()> {
    to.write_all(&u32::try_from(frame.len()).unwrap().to_be_bytes())?;
    to.write_all(frame)
}

fn forward_answers(
    mut from: TcpStream,
    to: &Mutex<TcpStream>,
    asked: &Asked,
    orders: &Orders,
) -> io::Result<()> {
    loop {
        let answer = read_frame(&mut from)?;
        let (correlation, body) = answer.split_at(4);
        let question = asked.lock().unwrap().remove(correlation);
        if let Some(question) = question {
            let mut fetches = orders.fetches.lock().unwrap();
            if !fetches.is_behind {
                fetches.answers.insert(question, body.to_vec());
            }
        }
        write_frame(&to.lock().unwrap(), &answer)?;
    }
}

fn forward_requests(
    mut client: TcpStream,
    (server, answers): &(TcpStream, Arc<Mutex<TcpStream>>),
    asked: &Asked,
    orders: &Orders,
) -> io::Result<()> {
    loop {
        let request = read_frame(&mut client)?;
        if let Some(answer) = orders.answer(&request, asked) {
            write_frame(&answers.lock().unwrap(), &answer)?;
            continue;
        }
        let lose = request.starts_with(&END_TXN)
            && orders.lose_commit_answer.swap(false, Ordering::SeqCst);
        if lose {
            client.shutdown(Shutdown::Both)?;
        }
        write_frame(server, &request)?;
    }
}
