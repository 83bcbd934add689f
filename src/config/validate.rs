//! Checks of values that the structure alone does not rule out.

use super::{Config, EnvelopeFormat, Format, TimeMode, TruncatePolicy, table_reader::ConfigFault};

/// Longest topic name Kafka accepts.
const TOPIC_LENGTH_MAX: usize = 249;

/// Checks the values; returns what is wrong with them.
pub(super) fn validate(config: &Config) -> Vec<ConfigFault> {
    let listens = check(
        config.admin.listen.parse::<std::net::SocketAddr>().is_ok(),
        "admin.listen",
        "must be an address and a port, such as \"127.0.0.1:9464\"",
    );
    let flat = validate_flat(&config.format, config.capture.truncate);
    let checks = [validate_source(config), validate_target(config), flat, vec![listens]];
    checks.into_iter().flatten().flatten().collect()
}

/// The name, `[mysql]` and `[capture]`.
fn validate_source(config: &Config) -> Vec<Option<ConfigFault>> {
    let mut checks = vec![
        check(
            is_name(&config.name),
            "name",
            "must not be empty and may have only A-Z a-z 0-9 . _ -: every topic's name starts \
             with it",
        ),
        check(
            config.state_topic().len() <= TOPIC_LENGTH_MAX,
            "name",
            "is too long for a topic's name",
        ),
        check(!config.mysql.host.trim().is_empty(), "mysql.host", "must not be empty"),
        check(config.mysql.port != 0, "mysql.port", "must not be 0"),
        check(!config.mysql.user.is_empty(), "mysql.user", "must not be empty"),
        check(config.mysql.server_id != Some(0), "mysql.server_id", "must not be 0"),
        check(
            config.mysql.cert_file.is_some() == config.mysql.key_file.is_some(),
            "mysql.cert_file",
            "needs mysql.key_file, and mysql.key_file needs it",
        ),
        check(
            !config.capture.tables.is_empty(),
            "capture.tables",
            "must name at least one table, such as \"inventory.*\"",
        ),
        patterns("capture.tables", &config.capture.tables, 1),
        patterns("capture.exclude_tables", &config.capture.exclude_tables, 1),
        check(0 < config.snapshot.threads, "snapshot.threads", "must be at least 1"),
        check(config.snapshot.threads <= 64, "snapshot.threads", "must be at most 64"),
        check(0 < config.snapshot.chunk_rows_max, "snapshot.chunk_rows_max", "must be at least 1"),
        check(
            config.snapshot.rows_per_second_max != Some(0),
            "snapshot.rows_per_second_max",
            "must be at least 1; `tailwater snapshot pause` stops reading",
        ),
        patterns("capture.exclude_columns", &config.capture.exclude_columns, 2),
    ];
    let snapshot = &config.snapshot;
    for (path, names) in [
        (
            "capture.message_key_columns",
            config.capture.message_key_columns.keys().collect::<Vec<_>>(),
        ),
        ("snapshot.where", snapshot.r#where.keys().collect()),
        ("snapshot.order", snapshot.order.iter().collect()),
    ] {
        let is_table = |name: &&String| {
            name.split_once('.').is_some_and(|(one, other)| !one.is_empty() && !other.is_empty())
        };
        let is_right = names.iter().all(is_table);
        checks.push(check(is_right, path, "must name tables as database.table"));
    }
    checks.push(captures_something(config));
    checks
}

/// Refuses patterns that capture nothing, as far as that shows without a source.
fn captures_something(config: &Config) -> Option<ConfigFault> {
    let capture = &config.capture;
    let is_out = |text: &String| capture.exclude_tables.iter().any(|exclude| covers(exclude, text));
    check(
        capture.tables.is_empty() || !capture.tables.iter().all(is_out),
        "capture.exclude_tables",
        "leaves out everything that capture.tables names: nothing would be captured",
    )
}

/// Whether one pattern excludes everything that another can match: the same pattern, all tables, or
/// all tables of its database.
fn covers(exclude: &str, text: &str) -> bool {
    exclude == text || exclude == "*.*" || {
        let whole = exclude.strip_suffix(".*").filter(|database| !database.contains(['*', '?']));
        let database = text.split_once('.').map(|(database, _)| database);
        whole.is_some() && whole == database
    }
}

/// `[kafka]`, `[schema_registry]` and `[delivery]`.
fn validate_target(config: &Config) -> Vec<Option<ConfigFault>> {
    vec![
        check(
            !config.kafka.bootstrap_servers.trim().is_empty(),
            "kafka.bootstrap_servers",
            "must not be empty",
        ),
        check(0 < config.kafka.topic.partitions, "kafka.topic.partitions", "must be at least 1"),
        check(
            config.kafka.topic.replication_factor == -1
                || 0 < config.kafka.topic.replication_factor,
            "kafka.topic.replication_factor",
            "must be at least 1, or -1 for the broker's default",
        ),
        registry_urls(&config.schema_registry.url),
        check(
            config.schema_registry.username.is_some() == config.schema_registry.password.is_some(),
            "schema_registry.username",
            "needs schema_registry.password, and the password needs it",
        ),
        check(
            config.schema_registry.username.is_none()
                || config.schema_registry.bearer_token.is_none(),
            "schema_registry.bearer_token",
            "cannot be used together with username",
        ),
        check(
            config.capture.truncate != TruncatePolicy::Event || !makes_compacted_topics(config),
            "capture.truncate",
            "cannot be \"event\" while kafka.topic.config makes compacted topics: the record has \
             no key",
        ),
        check(
            0 < config.delivery.batch_age_max_ms,
            "delivery.batch_age_max_ms",
            "must be at least 1",
        ),
        check(
            0 < config.delivery.batch_bytes_max,
            "delivery.batch_bytes_max",
            "must be at least 1",
        ),
    ]
}

/// Refuses settings that the envelope `flat` cannot have.
fn validate_flat(format: &Format, truncate: TruncatePolicy) -> Vec<Option<ConfigFault>> {
    if format.envelope != EnvelopeFormat::Flat {
        return Vec::new();
    }
    vec![
        check(
            truncate != TruncatePolicy::Event,
            "capture.truncate",
            "cannot be \"event\" with envelope = \"flat\", which has no record for it",
        ),
        check(
            format.tombstones,
            "format.tombstones",
            "must be true with envelope = \"flat\": a delete is its tombstone and nothing else",
        ),
        check(
            !format.context_headers,
            "format.context_headers",
            "cannot be true with envelope = \"flat\", whose records have headers of their own",
        ),
        check(
            matches!(format.time, TimeMode::Adaptive | TimeMode::IsoString),
            "format.time",
            "must be `adaptive` (Avro's logical types) or `isostring` (the same, but TIME as \
             text) with envelope = \"flat\"",
        ),
    ]
}

fn makes_compacted_topics(config: &Config) -> bool {
    let policy = config.kafka.topic.config.get("cleanup.policy");
    policy.is_some_and(|policy| policy.contains("compact"))
}

fn check(holds: bool, path: &str, message: &str) -> Option<ConfigFault> {
    (!holds).then(|| ConfigFault { path: path.to_owned(), message: message.to_owned() })
}

fn is_name(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !text.is_empty() && text.bytes().all(legal)
}

/// Every pattern must have at least this many dots: `database.table`, `database.table.column`.
fn patterns(path: &str, patterns: &[String], dots: usize) -> Option<ConfigFault> {
    let faults = patterns.iter().enumerate().filter_map(|(index, pattern)| {
        let has_form = dots <= pattern.matches('.').count()
            && !pattern.starts_with('.')
            && !pattern.ends_with('.');
        let form = match dots {
            1 => "must be patterns of the form database.table, such as \"shop.*\"",
            _ => "must be patterns of the form database.table.column",
        };
        let backslash = "has a backslash, as regular expressions do: these are globs over \
             database.table, in which `*` matches any characters, `?` one character (also a \
             backslash), a dot itself";
        let again = patterns.iter().take(index).any(|earlier| earlier == pattern);
        check(has_form, path, form)
            .or_else(|| check(!pattern.contains('\\'), path, backslash))
            .or_else(|| check(!again, path, "names the same pattern twice"))
    });
    faults.into_iter().next()
}

fn registry_urls(urls: &str) -> Option<ConfigFault> {
    let http = |url: &str| url.starts_with("http://") || url.starts_with("https://");
    check(
        urls.split(',').all(|url| http(url.trim())),
        "schema_registry.url",
        "must start with http:// or https://",
    )
}
