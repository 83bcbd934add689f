//! `tailwater --version`: the commit, and what is built in for the way to MySQL and Kafka.

use std::sync::LazyLock;

use crate::{mysql, produce::settings::client_library};

/// `0.1.0`; a release build has the commit too (`build.rs`).
pub(super) const SHORT: &str = env!("BUILD_VERSION");

/// The same with the libraries and their features, a line each.
pub(super) static LONG: LazyLock<String> = LazyLock::new(|| {
    let (librdkafka, features) = client_library();
    let has = |name: &str| features.iter().any(|feature| feature == name);
    let mechanisms: Vec<&str> = [
        ("sasl_plain", "PLAIN"),
        ("sasl_scram", "SCRAM"),
        ("sasl_oauthbearer", "OAUTHBEARER"),
        ("oidc", "OAUTHBEARER by OIDC"),
        ("sasl_gssapi", "GSSAPI"),
    ]
    .into_iter()
    .filter_map(|(feature, name)| has(feature).then_some(name))
    .collect();
    let codecs: Vec<&str> =
        ["gzip", "lz4", "snappy", "zstd"].into_iter().filter(|name| has(name)).collect();
    format!(
        "{SHORT}\n\
         librdkafka   {librdkafka}\n\
         TLS          {}\n\
         SASL         {}\n\
         compression  {}",
        mysql::tls_library(),
        mechanisms.join(", "),
        codecs.join(", ")
    )
});
