//! One connection to the source, with TLS as configured.

use std::{path::Path, time::Duration};

use mysql_async::{ClientIdentity, Conn, DriverError, Opts, OptsBuilder, SslOpts};

use super::{
    error::{CONNECTING, MysqlError},
    session::{self, Text},
};
use crate::{
    config::{Mysql, TlsMode},
    error::Failure,
};

/// Largest packet taken: MySQL's own limit for `max_allowed_packet` (MySQL manual, "Server System
/// Variables"). With less, a long row ends the stream with `PacketTooLarge`.
const PACKET_BYTES_MAX: usize = 1 << 30;

/// For how long the library's pool would keep a connection; there is no pool.
const POOL_PATIENCE_S: usize = 28_800;

/// How long a connection may take to be made, with login and TLS, and its session to be set up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause before a server that had no connection left is tried again.
const LIMITED_PAUSE: Duration = Duration::from_millis(200);

/// The kernel notices a dead peer; the stream's watchdog notices it sooner.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// Connects, logs in and sets up the session. The password and the certificates are read again
/// each time, so that rotated ones are found.
pub async fn connect(config: &Mysql) -> Result<Conn, MysqlError> {
    connect_for(config, Text::Converted).await
}

/// The same, within a time of the caller's.
pub async fn connect_within(limit: Duration, config: &Mysql) -> Result<Conn, MysqlError> {
    let connected = tokio::time::timeout(limit, connect(config)).await;
    connected.unwrap_or_else(|_| {
        Err(MysqlError::ConnectTimeout { address: address(config), seconds: limit.as_secs() })
    })
}

/// The same, waiting while the server has no connection left for the account, as it does while
/// tables are read: a reader's connection ends when it is idle.
pub async fn connect_when_free(config: &Mysql) -> Result<Conn, MysqlError> {
    let mut is_logged = false;
    loop {
        let error = match connect(config).await {
            Err(error) if error.is_limit() => error,
            answer => return answer,
        };
        if !is_logged {
            let Failure { reason, message, hint, .. } = error.into();
            tracing::warn!(
                reason = reason.name(),
                hint,
                "{message}; waiting for a free connection"
            );
            is_logged = true;
        }
        tokio::time::sleep(LIMITED_PAUSE).await;
    }
}

/// The same for reading tables: text comes in the character set of its column.
pub async fn connect_to_read_tables(config: &Mysql) -> Result<Conn, MysqlError> {
    connect_for(config, Text::AsStored).await
}

async fn connect_for(config: &Mysql, text: Text) -> Result<Conn, MysqlError> {
    let password =
        config.password.reveal().map_err(|error| MysqlError::Secret(error.to_string()))?;
    let mut connection = log_in(config, password).await?;
    let prepared = session::prepare(&mut connection, config, text);
    within_limit(config, prepared).await??;
    Ok(connection)
}

async fn log_in(config: &Mysql, password: String) -> Result<Conn, MysqlError> {
    let plain = OptsBuilder::default()
        .ip_or_hostname(bare_host(config))
        .tcp_port(config.port)
        .user(Some(config.user.as_str()))
        .pass(Some(password))
        // The default, true, would switch to a socket file on localhost without saying so.
        .prefer_socket(false)
        // With both given the library queries nothing by itself: the answer to a statement before
        // the session is set up depends on the server's settings.
        .max_allowed_packet(Some(PACKET_BYTES_MAX))
        .wait_timeout(Some(POOL_PATIENCE_S))
        .tcp_keepalive(Some(TCP_KEEPALIVE));
    let Some(ssl) = ssl_options(config)? else {
        return connect_with(plain.into(), config).await;
    };
    let encrypted = plain.clone().ssl_opts(Some(ssl));
    match connect_with(encrypted.into(), config).await {
        Err(MysqlError::Client { error, .. })
            if config.tls == TlsMode::Preferred && is_without_tls(&error) =>
        {
            connect_with(plain.into(), config).await
        }
        answer => answer,
    }
}

/// Whether the server offers no TLS at all.
fn is_without_tls(error: &mysql_async::Error) -> bool {
    matches!(error, mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer))
}

async fn connect_with(options: Opts, config: &Mysql) -> Result<Conn, MysqlError> {
    let connection = within_limit(config, Conn::new(options)).await?;
    connection.map_err(|error| MysqlError::while_doing(CONNECTING, config, error))
}

async fn within_limit<T>(config: &Mysql, step: impl Future<Output = T>) -> Result<T, MysqlError> {
    tokio::time::timeout(CONNECT_TIMEOUT, step).await.map_err(|_| MysqlError::ConnectTimeout {
        address: address(config),
        seconds: CONNECT_TIMEOUT.as_secs(),
    })
}

/// `host:port`, for messages; an IPv6 address is in brackets.
pub fn address(config: &Mysql) -> String {
    let host = bare_host(config);
    if host.contains(':') {
        return format!("[{host}]:{}", config.port);
    }
    format!("{host}:{}", config.port)
}

/// An IPv6 address may be in brackets, as it must be where a port follows.
fn bare_host(config: &Mysql) -> &str {
    let host = config.host.trim();
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// What each mode requires of OpenSSL. Up to `required` MySQL's clients verify nothing: they have
/// nothing to verify a server's self-signed certificate with.
fn ssl_options(config: &Mysql) -> Result<Option<SslOpts>, MysqlError> {
    let (any_certificate, any_name) = match config.tls {
        TlsMode::Disabled => return Ok(None),
        TlsMode::Preferred | TlsMode::Required => (true, true),
        TlsMode::VerifyCa => (false, true),
        TlsMode::VerifyIdentity => (false, false),
    };
    let mut options = SslOpts::default()
        .with_danger_accept_invalid_certs(any_certificate)
        .with_danger_skip_domain_validation(any_name);
    if let Some(path) = &config.ca_file {
        options = options.with_root_certs(vec![read("mysql.ca_file", path)?.into()]);
    }
    if let (Some(certificate), Some(key)) = (&config.cert_file, &config.key_file) {
        let certificate = read("mysql.cert_file", certificate)?;
        let key = read("mysql.key_file", key)?;
        let archive = pkcs12(&certificate, &key).map_err(|_| MysqlError::ClientCertificate)?;
        options = options.with_client_identity(Some(
            ClientIdentity::new(archive.into()).with_password(ARCHIVE_PASSWORD),
        ));
    }
    Ok(Some(options))
}

/// The library that encrypts connections, with its version.
pub fn tls_library() -> &'static str {
    openssl::version::version()
}

/// The archive never leaves this process; PKCS #12 wants a password all the same.
const ARCHIVE_PASSWORD: &str = "in memory only";

/// The form in which the TLS library takes a client's certificate and key.
fn pkcs12(certificate: &[u8], key: &[u8]) -> Result<Vec<u8>, openssl::error::ErrorStack> {
    let certificate = openssl::x509::X509::from_pem(certificate)?;
    let key = openssl::pkey::PKey::private_key_from_pem(key)?;
    let mut archive = openssl::pkcs12::Pkcs12::builder();
    archive.cert(&certificate).pkey(&key);
    archive.build2(ARCHIVE_PASSWORD)?.to_der()
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, MysqlError> {
    std::fs::read(path).map_err(|error| MysqlError::File { key, path: path.to_owned(), error })
}
