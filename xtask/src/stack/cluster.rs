//! A private Kafka of several brokers, with a controller of its own: any broker, and any number
//! of them, can die, and the controller still decides which one leads.

use std::process::Command;
use std::thread;

use anyhow::{Result, anyhow, ensure};

use super::cache::Cache;
use super::kafka::{Kafka, KafkaOptions, Place, Role};
use super::server::{Server, start_on_free_ports};

/// How a private cluster differs from the usual one.
#[derive(Debug, Clone, Default)]
pub struct ClusterOptions {
    /// Of the controller: how long a broker may be silent, which elections are clean.
    pub controller: KafkaOptions,
    /// Of each broker. A broker alone is its own controller.
    pub brokers: Vec<KafkaOptions>,
}

/// Running brokers. Topics have three replicas where there are as many brokers, two of which must
/// have a record before it counts (`min.insync.replicas`), internal topics too. Dropping it
/// removes all of it.
#[derive(Debug)]
pub struct KafkaCluster {
    brokers: Vec<Kafka>,
    controller: Option<Kafka>,
}

impl ClusterOptions {
    /// The usual cluster of so many brokers.
    pub fn of(brokers: u16) -> Self {
        let brokers = (0..brokers).map(|_| KafkaOptions::default()).collect();
        Self { controller: KafkaOptions::default(), brokers }
    }
}

impl KafkaCluster {
    /// Starts all at once and waits until each broker takes part.
    pub fn start(cache: &Cache, options: &ClusterOptions) -> Result<Self> {
        ensure!(!options.brokers.is_empty(), "a cluster has at least one broker");
        if let [alone] = options.brokers.as_slice() {
            return Ok(Self { brokers: vec![Kafka::start(cache, alone)?], controller: None });
        }
        start_on_free_ports(|| {
            let mut cluster = Self::prepare(cache, options)?;
            let nodes = cluster.controller.iter_mut().chain(&mut cluster.brokers);
            thread::scope(|scope| {
                let starts: Vec<_> = nodes.map(|node| scope.spawn(|| node.start_again())).collect();
                starts.into_iter().try_for_each(|start| {
                    start.join().map_err(|_| anyhow!("a thread that started a broker panicked"))?
                })
            })?;
            Ok(cluster)
        })
    }

    fn prepare(cache: &Cache, options: &ClusterOptions) -> Result<Self> {
        let brokers = u16::try_from(options.brokers.len())?;
        let controller_id = brokers + 1;
        let place = Place { id: controller_id, role: Role::Controller, brokers };
        let controller = Kafka::prepare(cache, &options.controller, place)?;
        let role = Role::Broker { controller_id, controller_port: controller.controller_port() };
        let brokers = (1..)
            .zip(&options.brokers)
            .map(|(id, options)| Kafka::prepare(cache, options, Place { id, role, brokers }));
        Ok(Self { brokers: brokers.collect::<Result<_>>()?, controller: Some(controller) })
    }

    /// `bootstrap.servers` with all brokers.
    pub fn bootstrap(&self) -> String {
        self.brokers.iter().map(Kafka::bootstrap).collect::<Vec<_>>().join(",")
    }

    /// The brokers, by their ids from 1 on.
    pub fn brokers(&self) -> &[Kafka] {
        &self.brokers
    }

    /// The brokers, to be disturbed.
    pub fn brokers_mut(&mut self) -> &mut [Kafka] {
        &mut self.brokers
    }

    /// The controller, to be disturbed; `None` if the only broker is it.
    pub fn controller_mut(&mut self) -> Option<&mut Kafka> {
        self.controller.as_mut()
    }

    /// A command of one of Kafka's own tools by its class.
    ///
    /// # Panics
    /// Never: a cluster has at least one broker.
    pub fn tool(&self, class: &str) -> Command {
        self.brokers.first().expect("a cluster has a broker").tool(class)
    }
}
