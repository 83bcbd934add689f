//! What `deploy/` and the page about operating say fits the program: metrics and their labels,
//! runbooks, configuration files, arguments, exit codes and times.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value as Json;
use tailwater::error::Reason;
use tailwater::metrics::{Metrics, SchemaChange};
use tailwater::model::table::TableName;
use testkit::Result;
use yaml_rust2::{Yaml, YamlLoader};

use super::names::anchors;
use crate::support::setup::{config_with_format, program};

const PAGE: &str = "docs/OPERATING.md";
const ALERTS: &str = "deploy/prometheus/alerts.yml";
const DASHBOARD: &str = "deploy/grafana/tailwater.json";
const UNIT: &str = "deploy/systemd/tailwater.service";
const DEPLOYMENT: &str = "deploy/kubernetes/deployment.yaml";

/// Labels that Prometheus or its configuration gives to each series.
const SCRAPED: [&str; 4] = ["connector", "instance", "job", "le"];

/// Metrics by the names that a query may use, and their labels.
type Known = BTreeMap<String, BTreeSet<String>>;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn yaml(path: &str) -> Yaml {
    let mut documents = YamlLoader::load_from_str(&read(path)).unwrap();
    assert_eq!(documents.len(), 1, "{path}");
    documents.remove(0)
}

/// Every metric of the program. A family without a series shows nothing, so each gets one.
fn known() -> Known {
    let metrics = Metrics::default();
    let table = TableName { database: "shop".into(), table: "orders".into() };
    drop(metrics.table(&table));
    metrics.recycled(Reason::KafkaStalled);
    metrics.statement("alter");
    metrics.schema_changed(&table, SchemaChange::Unit);
    metrics.event_skipped(&table);
    metrics.halted(Some(Reason::KeyChanged));
    metrics.snapshot_rows_left(&table, Some(1));
    let text = metrics.render();
    let mut known = Known::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        let suffixes: &[&str] = match kind {
            "counter" => &["_total"],
            "histogram" => &["", "_bucket", "_count", "_sum"],
            _ => &[""],
        };
        for suffix in suffixes {
            known.insert(format!("{name}{suffix}"), BTreeSet::new());
        }
    }
    for (name, labels) in named(&text) {
        known.entry(name).and_modify(|all| all.extend(labels));
    }
    known
}

/// The metrics in a text, each with the labels of its braces.
fn named(text: &str) -> Vec<(String, Vec<String>)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut named = Vec::new();
    for (start, _) in text.match_indices("tailwater_") {
        if text[..start].ends_with(is_part) {
            continue;
        }
        let rest = &text[start..];
        let (name, rest) = rest.split_at(rest.find(|c| !is_part(c)).unwrap_or(rest.len()));
        let braces = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let labels = braces.map_or("", |(labels, _)| labels).split(',');
        let keys = labels.filter_map(|label| label.split_once('='));
        let keys = keys.map(|(key, _)| key.trim().to_owned()).filter(|key| !key.is_empty());
        named.push((name.to_owned(), keys.collect()));
    }
    named
}

/// What a text says of metrics and is wrong.
fn wrong(known: &Known, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, labels) in named(text) {
        let Some(has) = known.get(&name) else {
            complaints.push(format!("there is no metric {name}"));
            continue;
        };
        let missing =
            labels.iter().filter(|label| !has.contains(*label) && !SCRAPED.contains(&&***label));
        complaints.extend(missing.map(|label| format!("{name} has no label {label}")));
    }
    complaints
}

/// Files below `deploy/` with one of these extensions.
fn files(extensions: &[&str]) -> Vec<String> {
    fn visit(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { visit(&path, found) } else { found.push(path) }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    visit(&root.join("deploy"), &mut found);
    let has = |path: &&PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| extensions.contains(&extension))
    };
    let inside = |path: &PathBuf| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
    let files: Vec<String> = found.iter().filter(has).map(inside).collect();
    assert!(!files.is_empty(), "{extensions:?}");
    files
}

/// The values of a setting in the unit.
fn unit(setting: &str) -> String {
    let text = read(UNIT);
    let mut values = text.lines().filter_map(|line| line.strip_prefix(setting)?.strip_prefix('='));
    values.next().unwrap_or_else(|| panic!("{UNIT} has no {setting}")).to_owned()
}

#[test]
fn every_metric_that_pages_alerts_and_the_dashboard_name_exists() {
    let known = known();
    let mut complaints = Vec::new();
    let mut count = 0;
    for path in files(&["json", "yml"]).into_iter().chain([PAGE.to_owned()]) {
        // In JSON the quotes of a query's labels are escaped.
        let text = read(&path).replace('\\', "");
        count += named(&text).len();
        complaints.extend(wrong(&known, &text).iter().map(|what| format!("{path}: {what}")));
    }
    assert!(count > 100, "only {count} names were found");
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn metrics_and_labels_that_do_not_exist_are_found() {
    let known = known();
    let none: Vec<String> = Vec::new();
    assert_eq!(wrong(&known, r#"rate(tailwater_rows_total{operation="read",le="1"}[1m])"#), none);
    assert_eq!(wrong(&known, "tailwater_batch_rows_bucket + tailwater_streaming == 0"), none);
    let wrong = |text| wrong(&known, text).join("; ");
    assert_eq!(wrong("sum(tailwater_row_total)"), "there is no metric tailwater_row_total");
    assert_eq!(wrong("tailwater_rows"), "there is no metric tailwater_rows");
    assert_eq!(wrong(r#"tailwater_rows_total{op="read"}"#), "tailwater_rows_total has no label op");
}

#[test]
fn every_metric_is_described_in_the_page() {
    let page = read(PAGE);
    let described: BTreeSet<String> = page
        .lines()
        .filter(|line| line.starts_with("| `tailwater_"))
        .flat_map(|line| named(line.split(" | ").next().unwrap()))
        .map(|(name, _)| name)
        .collect();
    let parts = ["_bucket", "_count", "_sum"];
    let known = known().into_keys().filter(|name| !parts.iter().any(|part| name.ends_with(part)));
    let missing: Vec<String> = known.filter(|name| !described.contains(name)).collect();
    assert!(missing.is_empty(), "not in the table of {PAGE}: {missing:?}");
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let alerts = yaml(ALERTS);
    let headings = anchors(&read(PAGE));
    let mut links = BTreeSet::new();
    for rule in alerts["groups"][0]["rules"].as_vec().unwrap() {
        let name = rule["alert"].as_str().unwrap();
        let link = rule["annotations"]["runbook_url"].as_str();
        let anchor = link.and_then(|link| link.strip_prefix("docs/OPERATING.md#"));
        assert_eq!(anchor, Some(&*name.to_ascii_lowercase()), "{name}");
        assert!(headings.contains(anchor.unwrap()), "{PAGE} has no heading {name}");
        assert!(rule["annotations"]["summary"].as_str().is_some(), "{name}");
        links.insert(name.to_owned());
    }
    let page = read(PAGE);
    let section = page.split("\n## Runbooks\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let runbooks: BTreeSet<String> = section
        .lines()
        .filter_map(|line| line.strip_prefix("### Tailwater"))
        .map(|name| format!("Tailwater{name}"))
        .collect();
    assert_eq!(runbooks, links);
}

#[test]
fn the_dashboard_has_a_query_in_every_panel() {
    let dashboard: Json = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: another panel has its id");
        if panel["type"] == "row" {
            continue;
        }
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            assert!(query.contains("connector=~\"$connector\""), "{title}: {query}");
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
        }
    }
    assert!(ids.len() > 20, "only {} panels", ids.len());
}

#[test]
fn every_yaml_file_can_be_read() {
    for path in files(&["yaml", "yml"]) {
        let documents = YamlLoader::load_from_str(&read(&path));
        assert!(documents.as_ref().is_ok_and(|all| all.len() == 1), "{path}: {documents:?}");
    }
}

#[test]
fn every_example_of_a_configuration_is_valid() -> Result<()> {
    for path in files(&["toml"]).into_iter().chain(["docker/tailwater.toml".to_owned()]) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let mut command = Command::new(program());
        command.args(["config", "show", "--config"]).arg(&path);
        // The files of the secrets are not here.
        command.env("TAILWATER_MYSQL__PASSWORD", "x").env("TAILWATER_ADMIN__TOKEN", "x");
        let output = command.output()?;
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {text}", path.display());
    }
    Ok(())
}

#[test]
fn the_unit_and_the_pods_give_arguments_that_the_program_takes() -> Result<()> {
    let command = unit("ExecStart");
    let unit: Vec<String> = command.split(' ').skip(1).map(str::to_owned).collect();
    let deployment = yaml(DEPLOYMENT);
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let args = container["args"].as_vec().unwrap();
    let pod: Vec<String> = args.iter().map(|word| word.as_str().unwrap().to_owned()).collect();
    for arguments in [unit, pod] {
        assert_eq!(arguments.last().map(String::as_str), Some("/etc/tailwater/tailwater.toml"));
        let mut arguments = arguments;
        *arguments.last_mut().unwrap() = "/no/such/file".to_owned();
        // The arguments are right, and there is no file.
        let output = Command::new(program()).args(&arguments).output()?;
        assert_eq!(output.status.code(), Some(78), "{arguments:?}");
    }
    Ok(())
}

#[test]
fn the_unit_restarts_after_exit_codes_that_need_no_person() {
    assert_eq!(unit("Restart"), "on-failure");
    let codes = unit("RestartPreventExitStatus");
    assert_eq!(codes, "1 64 75 78");
    // The page and the list of exit codes name the same.
    assert!(read(PAGE).contains(&format!("`RestartPreventExitStatus={codes}`")), "{PAGE}");
    let readme = read("README.md");
    let list = readme.lines().find(|line| line.starts_with("Exit codes: ")).unwrap();
    for code in codes.split(' ') {
        assert!(list.contains(&format!(" {code} ")), "{code} is not in: {list}");
    }
}

#[test]
fn a_stop_has_more_time_than_the_drain_takes() {
    let drain = config_with_format("").delivery.drain_timeout();
    let unit: u64 = unit("TimeoutStopSec").parse().unwrap();
    let deployment = yaml(DEPLOYMENT);
    let grace = &deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"];
    let pod = u64::try_from(grace.as_i64().unwrap()).unwrap();
    for seconds in [unit, pod] {
        // The process itself waits a second more.
        assert!(Duration::from_secs(seconds) > drain + Duration::from_secs(1), "{seconds} s");
    }
}

#[test]
fn the_probes_reach_the_admin_server_that_the_configuration_opens() {
    let deployment = yaml(DEPLOYMENT);
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let port = &container["ports"][0];
    let config: toml::Table = toml::from_str(&read("deploy/kubernetes/tailwater.toml")).unwrap();
    let listen = config["admin"]["listen"].as_str().unwrap();
    assert_eq!(listen, format!("0.0.0.0:{}", port["containerPort"].as_i64().unwrap()));
    for (probe, path) in [("livenessProbe", "/health/live"), ("readinessProbe", "/health/ready")] {
        assert_eq!(container[probe]["httpGet"]["path"].as_str(), Some(path));
        assert_eq!(container[probe]["httpGet"]["port"], port["name"]);
    }
    // The files of the Secret are where the configuration reads them.
    let secrets = &container["volumeMounts"][1];
    assert_eq!(secrets["name"].as_str(), Some("secrets"));
    let folder = secrets["mountPath"].as_str().unwrap();
    for file in [&config["mysql"]["password"]["file"], &config["admin"]["token"]["file"]] {
        assert!(file.as_str().unwrap().starts_with(folder), "{file}");
    }
}

#[test]
fn the_image_is_built_from_all_files_that_cargo_needs() {
    let ignore = read(".dockerignore");
    let sent: BTreeSet<&str> = ignore.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let manifest: toml::Table = toml::from_str(&read("Cargo.toml")).unwrap();
    let text = |value: &toml::Value| value.as_str().unwrap().to_owned();
    let list = |value: &toml::Value| value.as_array().unwrap().iter().map(text).collect();
    let mut needed: Vec<String> = list(&manifest["workspace"]["members"]);
    needed.extend(list(&manifest["workspace"]["exclude"]));
    for target in manifest["test"].as_array().unwrap() {
        needed.push(text(&target["path"]));
    }
    needed.extend(["Cargo.toml", "Cargo.lock", "src", "build.rs", "benches"].map(str::to_owned));
    // What the file itself copies out of the context.
    needed.push("docker/http-ok".into());
    let missing: Vec<_> = needed.iter().filter(|path| !sent.contains(&***path)).collect();
    assert!(missing.is_empty(), ".dockerignore leaves out {missing:?}");
}

#[test]
fn the_package_has_files_that_are_there() {
    let manifest: toml::Table = toml::from_str(&read("Cargo.toml")).unwrap();
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for asset in assets {
        let source = asset[0].as_str().unwrap();
        // A file that is made of the program is not there yet.
        let folder_or_file = source.split('*').next().unwrap();
        assert!(source.starts_with("target/") || root.join(folder_or_file).exists(), "{source}");
    }
}
