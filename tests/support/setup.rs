//! What most tests begin with: a database, the settings of a connector, the connector running.

use std::fs::OpenOptions;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tailwater::config::Config;
use testkit::fault_proxy::{FaultProxy, Protocol};
use testkit::xtask::stack::{
    Cache, Kafka, KafkaOptions, Mysql, MysqlOptions, Server as _, StackAddress,
};
use testkit::{
    Connector, Consumer, Database, Exit, LIMIT, Record, Result, ServerAddress, Settings, wait_for,
};

/// A database of one test and the settings that capture it.
pub(crate) struct Setup {
    /// The shared servers.
    pub(crate) address: StackAddress,
    /// The source.
    pub(crate) database: Database,
    /// To be changed before a start.
    pub(crate) settings: Settings,
}

/// A connector whose log is printed when it goes out of scope: libtest shows that for a test that
/// failed.
pub(crate) struct Running(Connector);

/// The program under test.
pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_tailwater"))
}

/// Runs the program with no terminal, with the password of the connector's account in
/// `MYSQL_PASSWORD`; what it printed, and its exit code.
pub(crate) fn run_program(setup: &Setup, arguments: &[&str]) -> Result<(String, Option<i32>)> {
    let mut command = Command::new(program());
    command.args(arguments).env("MYSQL_PASSWORD", setup.database.password()).stdin(Stdio::null());
    let output = command.output()?;
    Ok((String::from_utf8([output.stdout, output.stderr].concat())?, output.status.code()))
}

/// A configuration for tests without servers, with these lines in `[format]`.
pub(crate) fn config_with_format(format: &str) -> Config {
    let text = format!(
        "name = \"inventory\"\n\
         mysql = {{ host = \"localhost\", user = \"nobody\" }}\n\
         capture = {{ tables = [\"shop.*\"] }}\n\
         kafka = {{ bootstrap_servers = \"localhost:9092\" }}\n\
         schema_registry = {{ url = \"http://localhost:8081\" }}\n\
         [format]\n{format}\n"
    );
    toml::from_str(&text).unwrap()
}

impl Setup {
    /// A database whose name starts with `name` on the shared server.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let address = StackAddress::from_environment()?;
        let server = ServerAddress::from(&address);
        Self::on(address, server, name)
    }

    /// A database on this MySQL server, captured into the Kafka and the registry at `address`.
    pub(crate) fn on(
        address: StackAddress,
        server: impl Into<ServerAddress>,
        name: &str,
    ) -> Result<Self> {
        let database = Database::create(server, name)?;
        let settings = Settings::new(&address, &database);
        Ok(Self { address, database, settings })
    }

    /// A database on the shared server, captured into this Kafka.
    pub(crate) fn on_kafka(kafka: &Kafka, name: &str) -> Result<Self> {
        let mut address = StackAddress::from_environment()?;
        let server = ServerAddress::from(&address);
        address.kafka_bootstrap = kafka.bootstrap();
        Self::on(address, server, name)
    }

    /// A database on the shared server with tables.
    pub(crate) fn with_tables(name: &str, definitions: &[&str]) -> Result<Self> {
        let mut setup = Self::new(name)?;
        setup.database.execute_all(definitions)?;
        Ok(setup)
    }

    /// Starts a connector and waits until it streams.
    pub(crate) fn start(&self) -> Result<Running> {
        self.start_build(program())
    }

    /// Starts a connector, whatever becomes of it.
    pub(crate) fn launch(&self) -> Result<Running> {
        launch(&self.settings)
    }

    /// Starts another build of the connector and waits until it streams.
    pub(crate) fn start_build(&self, build: &Path) -> Result<Running> {
        let mut running = Connector::start(build, &self.settings).map(Running)?;
        running.wait_until_ready()?;
        Ok(running)
    }

    /// Starts a connector that stands by while another streams, whatever becomes of it.
    pub(crate) fn stand_by(&self) -> Result<Running> {
        stand_by(&self.settings)
    }

    /// Starts a connector that prints to this.
    pub(crate) fn launch_unread(&self, stderr: impl Into<Stdio>) -> Result<Running> {
        Connector::start_unread(program(), &self.settings, stderr).map(Running)
    }

    /// Runs a connector until everything committed in MySQL by now is committed in Kafka. The
    /// first such run of a connector commits where it begins, and nothing else.
    pub(crate) fn catch_up(&self) -> Result<()> {
        self.catch_up_logging().map(drop)
    }

    /// The same, and what it logged.
    pub(crate) fn catch_up_logging(&self) -> Result<String> {
        let connector = Connector::start_until_caught_up(program(), &self.settings)?;
        // Statements take their time on a busy machine, and there may be hundreds of them.
        Ok(Running(connector).wait_for_success_within(3 * LIMIT)?.stderr)
    }

    /// Runs `tailwater snapshot` with these arguments while a connector runs.
    pub(crate) fn ask(&self, connector: &mut Running, arguments: &[&str]) -> Result<Exit> {
        let mut settings = self.settings.clone();
        settings.set("admin.listen", connector.admin_address()?);
        let arguments = [&["snapshot"], arguments].concat();
        Connector::start_with(program(), &settings, &arguments)?.wait_for_exit()
    }

    /// The connection that MySQL sends the connector its binlog by, if there is one.
    pub(crate) fn dump(&mut self) -> Result<Option<i64>> {
        let find = format!(
            "SELECT CAST(MAX(id) AS SIGNED) FROM information_schema.processlist
             WHERE user = '{}' AND command LIKE 'Binlog Dump%'",
            self.database.user()
        );
        self.database.value(&find)
    }

    /// Ends all such connections, as soon as there is one, and returns the newest's number; the
    /// connector must then log in again. All, because the short one that looks at a file's first
    /// event may still be there.
    pub(crate) fn kill_dump(&mut self) -> Result<i64> {
        let find = format!(
            "SELECT GROUP_CONCAT(id ORDER BY id) FROM information_schema.processlist
             WHERE user = '{}' AND command LIKE 'Binlog Dump%'",
            self.database.user()
        );
        wait_for("a dump", LIMIT, || {
            let ids: Option<String> = self.database.value(&find)?;
            let mut killed = None;
            for id in ids.iter().flat_map(|ids| ids.split(',')) {
                match self.database.execute(&format!("KILL {id}")) {
                    Ok(()) => killed = Some(id.parse()?),
                    // It has ended by itself.
                    Err(error) if format!("{error:#}").contains("Unknown thread id") => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(killed)
        })
    }

    /// The topic of a table.
    pub(crate) fn topic(&self, table: &str) -> String {
        self.settings.topic(self.database.name(), table)
    }

    /// A consumer of the topic of a table.
    pub(crate) fn consumer(&self, table: &str) -> Result<Consumer> {
        Consumer::open(&self.address, &[&self.topic(table)])
    }

    /// All committed records of a table.
    pub(crate) fn records(&self, table: &str) -> Result<Vec<Record>> {
        self.consumer(table)?.rest()
    }
}

/// A MySQL server of one test, with these arguments of `mysqld` after the usual ones.
pub(crate) fn private_mysql(arguments: &[&str]) -> Result<Mysql> {
    with_arguments(MysqlOptions::default(), arguments)
}

/// The same with settings that bend the answers of a client that counts on the usual ones.
pub(crate) fn hostile_mysql(arguments: &[&str]) -> Result<Mysql> {
    with_arguments(MysqlOptions::hostile(), arguments)
}

fn with_arguments(options: MysqlOptions, arguments: &[&str]) -> Result<Mysql> {
    let extra_arguments = arguments.iter().map(ToString::to_string).collect();
    private_mysql_with(&MysqlOptions { extra_arguments, ..options })
}

/// Settings of a broker that may come back soon after its death.
pub(crate) const SOON: [&str; 2] =
    ["broker.session.timeout.ms=1000", "broker.heartbeat.interval.ms=200"];

/// A MySQL server of one test that differs so from the usual one.
pub(crate) fn private_mysql_with(options: &MysqlOptions) -> Result<Mysql> {
    Mysql::start(&cache()?, options)
}

/// A broker of one test, with these lines in its `server.properties` after the usual ones.
pub(crate) fn private_kafka(properties: &[&str]) -> Result<Kafka> {
    let extra_properties = properties.iter().map(ToString::to_string).collect();
    Kafka::start(&cache()?, &KafkaOptions { extra_properties })
}

/// A broker of one test with a proxy before it. Its own address leads around the proxy.
pub(crate) fn private_kafka_behind_proxy(protocol: Protocol) -> Result<(Kafka, FaultProxy)> {
    let proxy = FaultProxy::bind(protocol)?;
    let kafka = private_kafka(&[
        "listeners=PLAINTEXT://127.0.0.1:{port},FAULTY://127.0.0.1:{further_port},\
         CONTROLLER://127.0.0.1:{controller_port}",
        &format!(
            "advertised.listeners=PLAINTEXT://127.0.0.1:{{port}},FAULTY://{}",
            proxy.address()
        ),
        "listener.security.protocol.map=\
         PLAINTEXT:PLAINTEXT,FAULTY:PLAINTEXT,CONTROLLER:PLAINTEXT",
    ])?;
    proxy.forward_to(SocketAddr::from((Ipv4Addr::LOCALHOST, kafka.further_port())));
    Ok((kafka, proxy))
}

/// The file of a topic's first partition, in which a broker of one test has all its records.
pub(crate) fn partition_log(kafka: &Kafka, topic: &str) -> PathBuf {
    let data = kafka.log_file().with_file_name("data");
    data.join(format!("{topic}-0/00000000000000000000.log"))
}

/// The broker dies, and comes back without what a file has behind so many bytes.
pub(crate) fn lose_tail(kafka: &mut Kafka, file: &Path, bytes: u64) -> Result<()> {
    kafka.kill()?;
    assert!(bytes < file.metadata()?.len());
    OpenOptions::new().write(true).open(file)?.set_len(bytes)?;
    kafka.start_again()
}

fn cache() -> Result<Cache> {
    Cache::at(&StackAddress::from_environment()?.cache_folder)
}

/// Starts a connector with these settings, whatever becomes of it.
pub(crate) fn launch(settings: &Settings) -> Result<Running> {
    Connector::start(program(), settings).map(Running)
}

/// Starts a connector with these settings that stands by while another streams.
pub(crate) fn stand_by(settings: &Settings) -> Result<Running> {
    Connector::start_with(program(), settings, &["run", "--standby"]).map(Running)
}

/// The operations of records: `c`, `u`, `d`, `tombstone`.
pub(crate) fn operations(records: &[Record]) -> Vec<&str> {
    records.iter().map(Record::operation).collect()
}

impl Deref for Running {
    type Target = Connector;

    fn deref(&self) -> &Connector {
        &self.0
    }
}

impl DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Connector {
        &mut self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        eprintln!("--- stderr of tailwater, process {} ---\n{}", self.id(), self.stderr());
    }
}
