//! From a connector's options to the lines of `tailwater.toml`.

use std::collections::BTreeMap;

use toml::Value;

use super::{
    connector::ConnectorOptions,
    pattern::{Untranslated, globs},
    remaining::{Remainder, remainder},
};

/// Where the comments begin.
const COMMENT_COLUMN: usize = 47;

/// The sections of the file, in their order; the first has no header.
const SECTIONS: [&str; 8] =
    ["", "mysql", "capture", "snapshot", "kafka", "kafka.topic", "schema_registry", "format"];

/// A configuration file to be.
pub(super) struct Translation {
    /// The connector's name, which is Debezium's topic prefix.
    pub(super) name: String,
    /// By section: key, value and the option that it is from.
    lines: BTreeMap<&'static str, Vec<(String, Value, String)>>,
    /// Options that have nothing to do here, and why.
    not_needed: Vec<String>,
    /// What consumers would notice, and what to do about it.
    differences: Vec<String>,
}

impl Translation {
    /// Translates all options. With an offset the topics have the rows already.
    pub(super) fn of(mut options: ConnectorOptions, has_offset: bool) -> Self {
        let name = options.take("topic.prefix").or_else(|| options.take("database.server.name"));
        let mut translation = Self {
            name: name.unwrap_or_default(),
            lines: BTreeMap::new(),
            not_needed: Vec::new(),
            differences: Vec::new(),
        };
        let name = translation.name.clone();
        translation.set("", "name", Value::String(name), "topic.prefix");
        translation.source(&mut options);
        translation.capture(&mut options);
        translation.snapshot(&mut options, has_offset);
        translation.kafka(&mut options);
        translation.registry(&mut options);
        translation.format(&mut options);
        for (option, value) in options.remaining() {
            match remainder(&option, &value) {
                Remainder::Nothing => {}
                Remainder::NotNeeded(why) => {
                    translation.not_needed.push(format!("{option}: {why}"));
                }
                Remainder::Missing(what) => translation.differ(&option, what),
            }
        }
        translation
    }

    /// What consumers would notice, a line each.
    pub(super) fn differences(&self) -> &[String] {
        &self.differences
    }

    /// The file, made of `source`.
    pub(super) fn text(&self, source: &str) -> String {
        let mut lines = vec![format!("# Made of {source} by `tailwater import-debezium`.")];
        for (title, list) in [
            ("What consumers would notice, and options to look at:", &self.differences),
            ("Options that have nothing to do here:", &self.not_needed),
        ] {
            if !list.is_empty() {
                lines.push(format!("#\n# {title}"));
                lines.extend(list.iter().map(|line| format!("#   {line}")));
            }
        }
        for section in SECTIONS {
            let Some(keys) = self.lines.get(section) else { continue };
            lines.push(if section.is_empty() { String::new() } else { format!("\n[{section}]") });
            lines.extend(keys.iter().map(|(key, value, from)| {
                let line = format!("{key} = {value}");
                format!("{line:COMMENT_COLUMN$} # {from}")
            }));
        }
        lines.join("\n") + "\n"
    }

    fn set(&mut self, section: &'static str, key: &str, value: Value, from: &str) {
        let lines = self.lines.entry(section).or_default();
        lines.push((key.to_owned(), value, from.to_owned()));
    }

    fn set_text(&mut self, section: &'static str, key: &str, value: &str, from: &str) {
        self.set(section, key, Value::String(value.to_owned()), from);
    }

    fn differ(&mut self, option: &str, what: &str) {
        self.differences.push(format!("{option}: {what}"));
    }

    /// Takes an option over as it is; a number stays one.
    fn same(
        &mut self,
        options: &mut ConnectorOptions,
        option: &str,
        (section, key): (&'static str, &str),
    ) {
        let Some(text) = options.take(option) else { return };
        let value = text.parse::<i64>().map_or(Value::String(text), Value::Integer);
        self.set(section, key, value, option);
    }

    /// Takes an option over if its value is one of these, which are named differently here.
    fn one_of(
        &mut self,
        options: &mut ConnectorOptions,
        option: &str,
        (section, key): (&'static str, &str),
        values: &[(&str, &str)],
    ) {
        let Some(text) = options.take(option) else { return };
        let known = values.iter().find(|(theirs, _)| theirs.eq_ignore_ascii_case(&text));
        match known {
            Some((_, ours)) => self.set_text(section, key, ours, option),
            None => self.differ(option, &format!("`{text}` is not there; see {section}.{key}")),
        }
    }

    fn source(&mut self, options: &mut ConnectorOptions) {
        self.same(options, "database.hostname", ("mysql", "host"));
        self.same(options, "database.port", ("mysql", "port"));
        self.same(options, "database.user", ("mysql", "user"));
        if let Some(password) = options.take("database.password") {
            let value = secret(&password, "MYSQL_PASSWORD");
            self.set("mysql", "password", value, "database.password");
        }
        self.same(options, "database.server.id", ("mysql", "server_id"));
        let modes = ["disabled", "preferred", "required", "verify_ca", "verify_identity"];
        self.one_of(options, "database.ssl.mode", ("mysql", "tls"), &modes.map(|it| (it, it)));
        for store in ["truststore", "keystore"] {
            if options.take(&format!("database.ssl.{store}")).is_some() {
                let files =
                    if store == "truststore" { "ca_file" } else { "cert_file and key_file" };
                self.differ(
                    &format!("database.ssl.{store}"),
                    &format!("export it as PEM (keytool, openssl pkcs12) and set mysql.{files}"),
                );
            }
            options.take(&format!("database.ssl.{store}.password"));
        }
    }

    fn capture(&mut self, options: &mut ConnectorOptions) {
        let tables = options.take("table.include.list");
        let databases = options.take("database.include.list");
        let (option, found) = match (tables, databases) {
            (Some(tables), _) => ("table.include.list", globs(&tables, 2)),
            (None, Some(databases)) => ("database.include.list", globs(&databases, 1).map(whole)),
            (None, None) => ("all databases", Ok(vec!["*.*".to_owned()])),
        };
        self.globs("tables", option, found);
        for (option, key, parts) in [
            ("table.exclude.list", "exclude_tables", 2),
            ("column.exclude.list", "exclude_columns", 3),
        ] {
            if let Some(list) = options.take(option) {
                self.globs(key, option, globs(&list, parts));
            }
        }
        if let Some(list) = options.take("database.exclude.list") {
            self.globs("exclude_tables", "database.exclude.list", globs(&list, 1).map(whole));
        }
        if let Some(list) = options.take("message.key.columns") {
            self.key_columns(&list);
        }
        self.skipped(options.take("skipped.operations").as_deref().unwrap_or("t"));
    }

    fn globs(&mut self, key: &str, option: &str, found: Result<Vec<String>, Untranslated>) {
        match found {
            Ok(globs) => {
                let globs = globs.into_iter().map(Value::String).collect();
                self.set("capture", key, Value::Array(globs), option);
            }
            Err(Untranslated(expression)) => self
                .differ(option, &format!("`{expression}` is no glob; write capture.{key} by hand")),
        }
    }

    /// `db.table:a,b;db.other:c`
    fn key_columns(&mut self, list: &str) {
        const OPTION: &str = "message.key.columns";
        let mut keys = toml::Table::new();
        for entry in list.split(';').map(str::trim).filter(|entry| !entry.is_empty()) {
            let table = entry.rsplit_once(':').and_then(|(table, columns)| {
                let mut found = globs(table, 2).ok()?;
                let is_plain = found.len() == 1 && !found.iter().any(|it| it.contains(['*', '?']));
                let table = found.pop().filter(|_| is_plain)?;
                let columns = columns.split(',').map(|it| Value::String(it.trim().to_owned()));
                Some((table, Value::Array(columns.collect())))
            });
            match table {
                Some((table, columns)) => {
                    keys.insert(table, columns);
                }
                None => self.differ(
                    OPTION,
                    &format!("`{entry}`: name each table in capture.message_key_columns"),
                ),
            }
        }
        if !keys.is_empty() {
            self.set("capture", "message_key_columns", Value::Table(keys), OPTION);
        }
    }

    fn skipped(&mut self, operations: &str) {
        const OPTION: &str = "skipped.operations";
        let skips = |operation| operations.split(',').any(|it| it.trim() == operation);
        let truncate = if skips("t") { "ignore" } else { "event" };
        self.set_text("capture", "truncate", truncate, OPTION);
        for operation in ["c", "u", "d"].into_iter().filter(|it| skips(*it)) {
            self.differ(OPTION, &format!("operation `{operation}` is delivered"));
        }
    }

    fn snapshot(&mut self, options: &mut ConnectorOptions, has_offset: bool) {
        let mode = options.take("snapshot.mode").unwrap_or_else(|| "initial".to_owned());
        let ours = match mode.as_str() {
            _ if has_offset => "never",
            "initial_only" => "initial_only",
            "no_data" | "schema_only" | "never" | "recovery" | "schema_only_recovery" => "never",
            _ => "initial",
        };
        let from = if has_offset { "the topics have the rows already" } else { "snapshot.mode" };
        self.set_text("snapshot", "mode", ours, from);
        if ["always", "configuration_based", "custom"].contains(&mode.as_str()) {
            self.differ(
                "snapshot.mode",
                &format!("`{mode}` is not there; `tailwater snapshot --table` reads tables again"),
            );
        }
        self.same(options, "snapshot.max.threads", ("snapshot", "threads"));
        options.take("snapshot.select.statement.overrides");
        let mut conditions = toml::Table::new();
        for (table, statement) in options.take_all("snapshot.select.statement.overrides.") {
            match condition(&statement) {
                Some(condition) => {
                    conditions.insert(table, Value::String(condition));
                }
                None => self.differ(
                    &format!("snapshot.select.statement.overrides.{table}"),
                    "give the condition of its WHERE in snapshot.where",
                ),
            }
        }
        if !conditions.is_empty() {
            let from = "snapshot.select.statement.overrides";
            self.set("snapshot", "where", Value::Table(conditions), from);
        }
    }

    fn kafka(&mut self, options: &mut ConnectorOptions) {
        const HISTORY: &str = "schema.history.internal.kafka.bootstrap.servers";
        let servers = options.take(HISTORY).or_else(|| options.take("bootstrap.servers"));
        if let Some(servers) = servers {
            self.set_text("kafka", "bootstrap_servers", &servers, HISTORY);
        } else {
            self.set_text("kafka", "bootstrap_servers", "localhost:9092", "to be filled in");
            self.differ("kafka.bootstrap_servers", "take it from the Connect worker");
        }
        let mut properties = toml::Table::new();
        for (property, value) in options.take_all("producer.override.") {
            let ours = match property.as_str() {
                "compression.type" | "security.protocol" | "client.id" | "linger.ms" => &property,
                "sasl.mechanism" => "sasl.mechanisms",
                "acks" | "enable.idempotence" | "max.in.flight.requests.per.connection" => {
                    let why = "all replicas acknowledge each record, always";
                    self.not_needed.push(format!("producer.override.{property}: {why}"));
                    continue;
                }
                _ => {
                    let option = format!("producer.override.{property}");
                    self.differ(&option, "set it in kafka.properties by librdkafka's name");
                    continue;
                }
            };
            properties.insert(ours.to_owned(), Value::String(value));
        }
        if !properties.is_empty() {
            self.set("kafka", "properties", Value::Table(properties), "producer.override.*");
        }
        let mut config = toml::Table::new();
        for (setting, value) in options.take_all("topic.creation.default.") {
            let number =
                || value.parse().map_or_else(|_| Value::String(value.clone()), Value::Integer);
            let option = format!("topic.creation.default.{setting}");
            match setting.as_str() {
                "partitions" => self.set("kafka.topic", "partitions", number(), &option),
                "replication.factor" => {
                    self.set("kafka.topic", "replication_factor", number(), &option);
                }
                _ => {
                    config.insert(setting, Value::String(value));
                }
            }
        }
        if !config.is_empty() {
            self.set("kafka.topic", "config", Value::Table(config), "topic.creation.default.*");
        }
    }

    fn registry(&mut self, options: &mut ConnectorOptions) {
        const CONVERTER: &str = "value.converter";
        let converter = options.take(CONVERTER).unwrap_or_default();
        if !converter.ends_with("AvroConverter") {
            let given = if converter.is_empty() { "the worker's default" } else { &converter };
            self.differ(
                CONVERTER,
                &format!("{given}: records are Avro with a schema registry, nothing else yet"),
            );
        }
        let settings = options.take_all("value.converter.");
        options.take("key.converter");
        options.take_all("key.converter.");
        let url = settings.get("schema.registry.url");
        match (url, settings.get("apicurio.registry.url")) {
            (Some(url), _) => {
                self.set_text("schema_registry", "url", url, "value.converter.schema.registry.url");
            }
            (None, Some(_)) => {
                self.registry_to_fill_in("take the URL of Apicurio's API for Confluent (ccompat)");
            }
            (None, None) => self.registry_to_fill_in("take it from the Connect worker"),
        }
        if let Some(account) = settings.get("basic.auth.user.info") {
            let (user, _) = account.split_once(':').unwrap_or((account, ""));
            let from = "value.converter.basic.auth.user.info";
            self.set_text("schema_registry", "username", user, from);
            self.set("schema_registry", "password", secret("", "SCHEMA_REGISTRY_PASSWORD"), from);
        }
    }

    fn registry_to_fill_in(&mut self, how: &str) {
        self.set_text("schema_registry", "url", "http://localhost:8081", "to be filled in");
        self.differ("schema_registry.url", how);
    }

    fn format(&mut self, options: &mut ConnectorOptions) {
        const NAMES: &str = "schema.name.adjustment.mode";
        let same = |values: &[&'static str]| values.iter().map(|it| (*it, *it)).collect::<Vec<_>>();
        let decimal = same(&["precise", "string", "double"]);
        self.one_of(options, "decimal.handling.mode", ("format", "decimal"), &decimal);
        let time = [
            ("adaptive_time_microseconds", "adaptive"),
            ("connect", "connect"),
            ("microseconds", "microseconds"),
            ("isostring", "isostring"),
        ];
        self.one_of(options, "time.precision.mode", ("format", "time"), &time);
        let unsigned = same(&["long", "precise"]);
        let key = ("format", "unsigned_bigint");
        self.one_of(options, "bigint.unsigned.handling.mode", key, &unsigned);
        let binary = same(&["bytes", "base64", "hex"]);
        self.one_of(options, "binary.handling.mode", ("format", "binary"), &binary);
        if let Some(tombstones) = options.take("tombstones.on.delete") {
            let value = Value::Boolean(!tombstones.eq_ignore_ascii_case("false"));
            self.set("format", "tombstones", value, "tombstones.on.delete");
        }
        let names = options.take(NAMES).unwrap_or_else(|| "none".to_owned());
        if ["none", "avro"].contains(&names.as_str()) {
            self.set_text("format", "schema_names", &names, NAMES);
        } else {
            self.differ(NAMES, &format!("`{names}` is not there; see format.schema_names"));
        }
        let fields = options.take("field.name.adjustment.mode").unwrap_or_else(|| names.clone());
        if fields != names {
            self.differ("field.name.adjustment.mode", "is the same as for schemas here");
        }
        if options.take("extended.headers.enabled").is_none_or(|text| text != "false") {
            let from = "extended.headers.enabled, true by default";
            self.set("format", "context_headers", Value::Boolean(true), from);
        }
    }
}

/// `database.*` for each database.
fn whole(databases: Vec<String>) -> Vec<String> {
    databases.into_iter().map(|database| format!("{database}.*")).collect()
}

/// Where a secret is: where the connector has it, if it is a variable or a file; otherwise a
/// variable of this name. The secret itself is never taken over.
fn secret(given: &str, variable: &str) -> Value {
    let inside = |start: &str| given.strip_prefix(start)?.strip_suffix('}');
    let (key, place) = match (inside("${env:"), inside("${dir:")) {
        (Some(name), _) => ("env", name.to_owned()),
        (None, Some(place)) => ("file", place.replacen(':', "/", 1)),
        (None, None) => ("env", variable.to_owned()),
    };
    Value::Table([(key.to_owned(), Value::String(place))].into_iter().collect())
}

/// The condition of `SELECT * FROM … WHERE condition`, if the statement has no more than that.
fn condition(statement: &str) -> Option<String> {
    let lower = statement.to_ascii_lowercase();
    let at = lower.find(" where ")?;
    let more = [" order by ", " limit ", " group by ", " join ", " union "];
    let is_plain = lower.trim_start().starts_with("select * from ")
        && lower.matches(" where ").count() == 1
        && !more.iter().any(|word| lower.contains(word));
    let condition = statement.get(at + " where ".len()..)?;
    is_plain.then(|| condition.trim().trim_end_matches(';').to_owned())
}
