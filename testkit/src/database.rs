//! The source: a database of its own for each test, on the shared server or a private one.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};
use mysql_async::prelude::Queryable;
use mysql_async::{Column, Conn, OptsBuilder, Row, Value};
use tokio::runtime::Runtime;
use xtask::stack::{Mysql, ROOT_PASSWORD, ROOT_USER, StackAddress, USUAL_SESSION};

/// How to reach a MySQL server as a user with all rights.
#[derive(Debug, Clone)]
pub struct ServerAddress {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The user.
    pub root_user: String,
    /// The user's password.
    pub root_password: String,
}

/// A database of a test, with a connection to it and a user for the connector. The server lives
/// only as long as a test run, so nothing is removed.
#[derive(Debug)]
pub struct Database {
    name: String,
    server: ServerAddress,
    runtime: Runtime,
    connection: Conn,
}

/// Where a database is, for threads that make and lose connections of their own.
#[derive(Debug, Clone)]
pub struct DatabaseAddress {
    name: String,
    server: ServerAddress,
}

impl DatabaseAddress {
    /// A connection to the database.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn connect(&self) -> Result<Database> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let connection = runtime.block_on(connect(&self.server, Some(&self.name)))?;
        let (name, server) = (self.name.clone(), self.server.clone());
        Ok(Database { name, server, runtime, connection })
    }
}

/// The password of the user that each test makes for its connector.
const PASSWORD: &str = "test-secret";

impl From<&StackAddress> for ServerAddress {
    fn from(address: &StackAddress) -> Self {
        Self {
            host: address.mysql_host.clone(),
            port: address.mysql_port,
            root_user: address.mysql_root_user.clone(),
            root_password: address.mysql_root_password.clone(),
        }
    }
}

impl From<&Mysql> for ServerAddress {
    fn from(mysql: &Mysql) -> Self {
        Self {
            host: mysql.host().to_owned(),
            port: mysql.port(),
            root_user: ROOT_USER.to_owned(),
            root_password: ROOT_PASSWORD.to_owned(),
        }
    }
}

impl Database {
    /// Creates an empty database whose name starts with `name` and is new on this server, and a
    /// user of the same name with the least grants that Tailwater needs.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub fn create(server: impl Into<ServerAddress>, name: &str) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{name}_{}_{number}", std::process::id());
        Self::create_exactly(server, &name)
    }

    /// The same with exactly this name; what has that name is removed.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub fn create_exactly(server: impl Into<ServerAddress>, name: &str) -> Result<Self> {
        let server = server.into();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let connection = runtime.block_on(connect(&server, None))?;
        let mut database = Self { name: name.to_owned(), server, runtime, connection };
        for statement in [
            format!("DROP DATABASE IF EXISTS `{name}`"),
            format!("CREATE DATABASE `{name}`"),
            format!("USE `{name}`"),
            format!("DROP USER IF EXISTS `{name}`@'%'"),
            format!("CREATE USER `{name}`@'%' IDENTIFIED BY '{PASSWORD}'"),
            format!("GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `{name}`@'%'"),
            format!("GRANT SELECT ON `{name}`.* TO `{name}`@'%'"),
        ] {
            database.execute(&statement)?;
        }
        Ok(database)
    }

    /// A connection to a database that exists.
    ///
    /// # Errors
    /// When the server cannot be reached or does not have it.
    pub fn connect_on(server: impl Into<ServerAddress>, name: &str) -> Result<Self> {
        DatabaseAddress { name: name.to_owned(), server: server.into() }.connect()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server that it is on.
    pub fn server(&self) -> &ServerAddress {
        &self.server
    }

    /// The connector's user.
    pub fn user(&self) -> &str {
        &self.name
    }

    /// The password of the connector's user.
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn execute(&mut self, statement: &str) -> Result<()> {
        let run = self.connection.query_drop(statement);
        self.runtime.block_on(run).with_context(|| statement.to_owned())
    }

    /// Runs statements one after the other.
    ///
    /// # Errors
    /// When the server refuses one.
    pub fn execute_all(&mut self, statements: &[&str]) -> Result<()> {
        statements.iter().try_for_each(|statement| self.execute(statement))
    }

    /// Runs a query and returns its columns and rows; values have the types of the columns,
    /// because the statement is prepared.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn query(&mut self, query: &str) -> Result<(Vec<Column>, Vec<Row>)> {
        let (connection, runtime) = (&mut self.connection, &self.runtime);
        let answer = runtime.block_on(async {
            let mut result = connection.exec_iter(query, ()).await?;
            let columns = result.columns_ref().to_vec();
            Ok::<_, mysql_async::Error>((columns, result.collect().await?))
        });
        answer.with_context(|| query.to_owned())
    }

    /// Runs a query and returns each row's columns as the server prints them: text in UTF-8,
    /// bytes as they are, everything else as its text. `None` is NULL.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn texts(&mut self, query: &str) -> Result<Vec<Vec<Option<Vec<u8>>>>> {
        let run = self.connection.query::<Row, _>(query);
        let rows = self.runtime.block_on(run).with_context(|| query.to_owned())?;
        rows.into_iter()
            .map(|row| {
                let cell = |value| match value {
                    Value::NULL => Ok(None),
                    Value::Bytes(bytes) => Ok(Some(bytes)),
                    other => bail!("a query that is not prepared gives texts, not {other:?}"),
                };
                row.unwrap().into_iter().map(cell).collect()
            })
            .collect()
    }

    /// Runs a query for one value.
    ///
    /// # Errors
    /// When the server refuses it or it gives no row.
    pub fn value<T>(&mut self, query: &str) -> Result<T>
    where
        T: mysql_async::prelude::FromValue + Send + 'static,
    {
        let run = self.connection.query_first(query);
        self.runtime.block_on(run)?.with_context(|| format!("no row: {query}"))
    }

    /// A second connection to the same database, for a thread of its own.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn connect_again(&self) -> Result<Self> {
        self.address().connect()
    }

    /// Where it is.
    pub fn address(&self) -> DatabaseAddress {
        DatabaseAddress { name: self.name.clone(), server: self.server.clone() }
    }

    /// A connection to the same database on another server, which replicates it.
    ///
    /// # Errors
    /// When the server cannot be reached or does not have it.
    pub fn connect_to(&self, server: impl Into<ServerAddress>) -> Result<Self> {
        DatabaseAddress { name: self.name.clone(), server: server.into() }.connect()
    }
}

/// The largest that a server can be set to.
const PACKET_BYTES_MAX: usize = 1 << 30;

/// The server's default.
const WAIT_TIMEOUT_S: usize = 28_800;

/// Logs in as root. The session is the usual one whatever the server's settings are, in the zone
/// in which times compare.
async fn connect(server: &ServerAddress, database: Option<&str>) -> Result<Conn> {
    let options = OptsBuilder::default()
        .ip_or_hostname(server.host.as_str())
        .tcp_port(server.port)
        .user(Some(server.root_user.as_str()))
        .pass(Some(server.root_password.as_str()))
        .db_name(database)
        .prefer_socket(false)
        // With both given the library sends the server no query before the setup.
        .max_allowed_packet(Some(PACKET_BYTES_MAX))
        .wait_timeout(Some(WAIT_TIMEOUT_S))
        .setup(vec![format!("{USUAL_SESSION}, time_zone = '+00:00'")]);
    let connected = Conn::new(options).await;
    connected.with_context(|| format!("cannot log in to MySQL at {}:{}", server.host, server.port))
}
