//! The brokers of a campaign, each behind a proxy of its own, and what can be done to them.

use std::net::{Ipv4Addr, SocketAddr};

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
    cluster: KafkaCluster,
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
        Ok(Self { cluster })
    }

    /// `bootstrap.servers`, around the proxies.
    pub fn bootstrap(&self) -> String {
        self.cluster.bootstrap()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.cluster.brokers().len()
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
        let mut brokers = self.cluster.brokers_mut().iter_mut();
        brokers.find(|broker| i32::from(broker.id()) == id).context("no such broker")
    }

    /// The id of one of them.
    pub fn any(&self, random: &mut Random) -> i32 {
        let ids: Vec<_> =
            self.cluster.brokers().iter().map(|broker| i32::from(broker.id())).collect();
        *random.one_of(&ids)
    }

    /// The controller, if there is one beside the brokers.
    pub fn controller(&mut self) -> Option<&mut Kafka> {
        self.cluster.controller_mut()
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
        self.cluster.brokers_mut().iter_mut().try_for_each(Kafka::resume)?;
        self.await_whole()
    }

    /// Starts those that were killed, and waits until each replica has everything again: else the
    /// next death could cost the only copy of a record.
    ///
    /// # Errors
    /// When that does not happen.
    pub fn start_dead(&mut self) -> Result<()> {
        if let Some(controller) = self.cluster.controller_mut().filter(|it| !it.is_running()) {
            controller.start_again()?;
        }
        for broker in self.cluster.brokers_mut() {
            if !broker.is_running() {
                broker.start_again()?;
            }
        }
        self.await_whole()
    }

    /// Waits until each replica has everything.
    ///
    /// # Errors
    /// When that does not happen.
    pub fn await_whole(&self) -> Result<()> {
        if self.count() == 1 { Ok(()) } else { leaders::await_all_in_sync(&self.bootstrap()) }
    }
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
