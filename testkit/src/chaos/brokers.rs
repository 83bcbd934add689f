//! The brokers of a campaign, each behind a proxy of its own, and what can be done to them.

use std::any::Any;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use xtask::stack::{Cache, ClusterOptions, Kafka, KafkaCluster, KafkaOptions, Server as _};

use crate::Random;
use crate::fault_proxy::FaultProxy;
use crate::leaders;

/// All listeners, those of the controller too, are without TLS.
const PROTOCOLS: &str = "PLAINTEXT:PLAINTEXT,FAULTY:PLAINTEXT,CONTROLLER:PLAINTEXT";

/// One broker, or several with a controller of their own.
#[derive(Debug)]
pub struct Brokers {
    /// Absent while dead ones start.
    cluster: Option<KafkaCluster>,
    revival: Option<JoinHandle<Result<KafkaCluster>>>,
    bootstrap: String,
    count: usize,
}

impl Brokers {
    /// Starts a broker behind each of these proxies.
    ///
    /// # Errors
    /// When one does not start.
    pub fn start(cache: &Cache, proxies: &[FaultProxy]) -> Result<Self> {
        let is_cluster = proxies.len() > 1;
        let brokers = proxies.iter().map(|proxy| KafkaOptions {
            extra_properties: properties(proxy.address(), is_cluster),
        });
        // With one broker the controller's options are the broker's.
        let silence = if is_cluster { 3000 } else { 1000 };
        let controller =
            KafkaOptions { extra_properties: vec![format!("broker.session.timeout.ms={silence}")] };
        let options = ClusterOptions { controller, brokers: brokers.collect() };
        let cluster = KafkaCluster::start(cache, &options)?;
        for (broker, proxy) in cluster.brokers().iter().zip(proxies) {
            proxy.forward_to(SocketAddr::from((Ipv4Addr::LOCALHOST, broker.further_port())));
        }
        let (bootstrap, count) = (cluster.bootstrap(), cluster.brokers().len());
        Ok(Self { cluster: Some(cluster), revival: None, bootstrap, count })
    }

    /// `bootstrap.servers`, around the proxies.
    pub fn bootstrap(&self) -> String {
        self.bootstrap.clone()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// When no broker answers or the topic is refused.
    pub fn create_topic(&self, topic: &str, partitions: i32) -> Result<()> {
        let client: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", self.bootstrap()).create()?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let replicas = i32::try_from(self.count().min(3))?;
        let topics = [NewTopic::new(topic, partitions, TopicReplication::Fixed(replicas))];
        let created = runtime
            .block_on(client.create_topics(&topics, &AdminOptions::new()))?
            .into_iter()
            .next();
        created
            .context("no answer")?
            .map_err(|(topic, code)| anyhow::anyhow!("{topic}: {code}"))?;
        Ok(())
    }

    /// The broker with this id.
    ///
    /// # Errors
    /// When there is none.
    pub fn with_id(&mut self, id: i32) -> Result<&mut Kafka> {
        let mut brokers = self.cluster()?.brokers_mut().iter_mut();
        brokers.find(|broker| i32::from(broker.id()) == id).context("no such broker")
    }

    /// The id of one of them.
    pub fn any(&self, random: &mut Random) -> i32 {
        let count = u64::try_from(self.count).unwrap_or(1);
        i32::try_from(random.in_range(1..count + 1)).unwrap_or(1)
    }

    /// The controller, if there is one beside the brokers.
    ///
    /// # Errors
    /// When those that died before do not start.
    pub fn controller(&mut self) -> Result<Option<&mut Kafka>> {
        Ok(self.cluster()?.controller_mut())
    }

    /// `kill -9` of one.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill_one(&mut self, random: &mut Random) -> Result<()> {
        let id = self.any(random);
        self.with_id(id)?.kill()
    }

    /// Freezes one.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause_one(&mut self, random: &mut Random) -> Result<()> {
        let id = self.any(random);
        self.with_id(id)?.pause()
    }

    /// Lets all go on.
    ///
    /// # Errors
    /// When one does not run.
    pub fn resume_all(&mut self) -> Result<()> {
        self.cluster()?.brokers_mut().iter_mut().try_for_each(Kafka::resume)?;
        self.start_dead()
    }

    /// Starts those that were killed. In a cluster other things go on meanwhile; the next call
    /// that disturbs brokers waits until each replica has everything again, else the next death
    /// could cost the only copy of a record.
    ///
    /// # Errors
    /// When that does not happen.
    pub fn start_dead(&mut self) -> Result<()> {
        let mut cluster = self.take()?;
        let (is_cluster, bootstrap) = (self.count > 1, self.bootstrap());
        self.revival = Some(thread::spawn(move || {
            if let Some(controller) = cluster.controller_mut().filter(|it| !it.is_running()) {
                controller.start_again()?;
            }
            let dead = cluster.brokers_mut().iter_mut().filter(|broker| !broker.is_running());
            thread::scope(|scope| {
                let starts: Vec<_> =
                    dead.map(|broker| scope.spawn(|| broker.start_again())).collect();
                starts.into_iter().try_for_each(|start| start.join().map_err(panicked)?)
            })?;
            if is_cluster {
                leaders::await_all_in_sync(&bootstrap)?;
            }
            Ok(cluster)
        }));
        if is_cluster { Ok(()) } else { self.settle() }
    }

    /// Waits until those that were killed are back and each replica has everything.
    ///
    /// # Errors
    /// When that does not happen.
    pub fn settle(&mut self) -> Result<()> {
        self.cluster().map(drop)
    }

    /// All nodes, as soon as the dead ones are back.
    fn cluster(&mut self) -> Result<&mut KafkaCluster> {
        let cluster = self.take()?;
        Ok(self.cluster.insert(cluster))
    }

    fn take(&mut self) -> Result<KafkaCluster> {
        match self.revival.take() {
            Some(revival) => revival.join().map_err(panicked)?,
            None => self.cluster.take().context("the brokers did not start again"),
        }
    }

    /// Waits until each replica has everything.
    ///
    /// # Errors
    /// When that does not happen.
    pub fn await_whole(&self) -> Result<()> {
        if self.count == 1 { Ok(()) } else { leaders::await_all_in_sync(&self.bootstrap) }
    }
}

fn panicked(_: Box<dyn Any + Send>) -> anyhow::Error {
    anyhow::anyhow!("a thread that started a broker panicked")
}

fn properties(proxy: SocketAddr, is_cluster: bool) -> Vec<String> {
    let mut listeners =
        "listeners=PLAINTEXT://127.0.0.1:{port},FAULTY://127.0.0.1:{further_port}".to_owned();
    if !is_cluster {
        listeners.push_str(",CONTROLLER://127.0.0.1:{controller_port}");
    }
    let mut lines = vec![
        listeners,
        format!("advertised.listeners=PLAINTEXT://127.0.0.1:{{port}},FAULTY://{proxy}"),
        format!("listener.security.protocol.map={PROTOCOLS}"),
        // The checker reads every position, so none may be compacted away.
        "log.cleaner.enable=false".to_owned(),
    ];
    // A killed broker may come back as soon as its controller has forgotten the one before.
    if is_cluster {
        lines.push("broker.heartbeat.interval.ms=500".to_owned());
    } else {
        lines.push("broker.session.timeout.ms=1000".to_owned());
        lines.push("broker.heartbeat.interval.ms=200".to_owned());
    }
    lines
}
