//! Whether each broker can be reached at the address that it advertises. A bootstrap server that
//! answers says nothing of that: clients then connect to the advertised names, and hang.

use std::{io, time::Duration};

use futures_util::future::join_all;
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use crate::{
    error::{Reason, Verdict},
    pipeline::checks::Finding,
    produce::BrokerAddress,
};

/// How long a name may take to resolve, and then a connection to be made.
const STEP_MAX: Duration = Duration::from_millis(1500);

/// Connects to all brokers at the same time.
pub(super) async fn check(brokers: &[BrokerAddress]) -> Vec<Finding> {
    let attempts = brokers.iter().map(|broker| async move {
        let why = reach(broker).await.err()?;
        Some(unreachable(broker, &why))
    });
    join_all(attempts).await.into_iter().flatten().collect()
}

/// Resolves the name and connects to one of its addresses. The error says how far that came.
async fn reach(BrokerAddress { host, port, .. }: &BrokerAddress) -> Result<(), String> {
    let Ok(found) = timeout(STEP_MAX, lookup_host((host.as_str(), *port))).await else {
        return Err(format!("{host} was not resolved within {} ms", STEP_MAX.as_millis()));
    };
    let addresses: Vec<_> = match found {
        Ok(addresses) => addresses.collect(),
        Err(error) => return Err(format!("{host} does not resolve ({})", plain(&error))),
    };
    let connected = timeout(STEP_MAX, TcpStream::connect(&addresses[..])).await;
    let why = match connected {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => plain(&error),
        Err(_) => format!("no answer for {} ms", STEP_MAX.as_millis()),
    };
    let mut resolved: Vec<String> = addresses.iter().map(|it| it.ip().to_string()).collect();
    resolved.dedup();
    if resolved.iter().all(|address| address == host) {
        return Err(why);
    }
    Err(format!("it resolves to {}: {why}", resolved.join(", ")))
}

/// The system's words without its number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(text);
    text.to_lowercase()
}

fn unreachable(BrokerAddress { id, host, port }: &BrokerAddress, why: &str) -> Finding {
    let is_local = matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1" | "0.0.0.0");
    let local = if is_local {
        " That address leads every client to its own machine: the broker has the default of a \
         container or of a test."
    } else {
        ""
    };
    Finding::error(
        Verdict::Recycle,
        Reason::KafkaAdvertisedAddressUnreachable,
        format!(
            "broker {id} advertises {host}:{port} to clients, and this host cannot connect to it: \
             {why}. Kafka answers at the bootstrap server, but records go to the advertised \
             address"
        ),
        format!(
            "Set advertised.listeners in the configuration of broker {id} to a name and port at \
             which its clients reach it; or make {host} resolve and its port be open from this \
             host.{local}"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::produce::BrokerAddress;

    #[tokio::test]
    async fn an_address_is_told_with_what_failed_and_the_setting() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let broker = |id, host: &str, port| BrokerAddress { id, host: host.to_owned(), port };
        let brokers = [
            broker(1, "127.0.0.1", port),
            broker(2, "127.0.0.1", 1),
            broker(3, "broker.invalid", 9092),
        ];
        let findings = check(&brokers).await;
        let messages: Vec<&str> = findings.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert!(messages[0].starts_with("broker 2 advertises 127.0.0.1:1 to clients"));
        assert!(messages[0].contains("connection refused"), "{}", messages[0]);
        assert!(messages[1].starts_with("broker 3 advertises broker.invalid:9092 to clients"));
        assert!(messages[1].contains("resolve"), "{}", messages[1]);
        assert!(findings[0].hint.contains("advertised.listeners in the configuration of broker 2"));
        assert!(findings[0].hint.contains("leads every client to its own machine"));
    }
}
