//! Findings from a configuration and facts, without a source.

use std::collections::BTreeMap;

use super::{Finding, Severity, facts::Facts, names, nearest::nearest, source};
use crate::{
    catalog::Access, config::Config, error::Verdict, model::table::TableName, state::TableRecord,
};

fn config(text: &str) -> Config {
    let text = format!(
        "name = \"shop\"\n\
         mysql = {{ host = \"localhost\", user = \"nobody\" }}\n\
         kafka = {{ bootstrap_servers = \"localhost:9092\" }}\n\
         schema_registry = {{ url = \"http://localhost:8081\" }}\n\
         {text}"
    );
    toml::from_str(&text).unwrap()
}

fn name(table: &str) -> TableName {
    TableName { database: "shop".to_owned(), table: table.to_owned() }
}

/// A source with `shop.users (id, secret)` and `shop.orders (id)`, both captured.
fn facts() -> Facts {
    let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let tables = vec![name("orders"), name("users")];
    Facts {
        account: "'nobody'@'%'".to_owned(),
        databases: ["shop".to_owned()].into(),
        captured: tables.clone(),
        tables,
        columns: [(name("orders"), columns(&["id"])), (name("users"), columns(&["id", "secret"]))]
            .into(),
        access: ["gone", "view", "hidden"]
            .into_iter()
            .zip([Access::NotThere, Access::Granted, Access::Denied])
            .map(|(table, access)| (name(table), access))
            .collect(),
        ..Facts::default()
    }
}

/// What is remembered of a table that had a column which was left out.
fn known() -> BTreeMap<TableName, TableRecord> {
    let users = TableRecord {
        name: name("users"),
        topic: "shop.shop.users".into(),
        topic_state: None,
        key: None,
        key_schema: None,
        value_schema: 1,
        loosened: [].into(),
        version: 1,
        decoration: None,
        columns: vec!["id".into(), "token".into()],
        excluded: vec!["token".into()],
        legal_namespace: false,
    };
    [(users.name.clone(), users)].into()
}

/// Whether a start is refused for the names in a configuration, or only warned of them.
#[track_caller]
fn check(capture: &str, expected: &[Severity]) {
    let config = config(&format!("[capture]\ntables = [\"shop.*\"]\n{capture}"));
    let findings = names::judge(&config, &facts(), &known());
    let severities: Vec<_> = findings.iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, expected, "{capture}: {findings:?}");
}

const REFUSED: &[Severity] = &[Severity::Error(Verdict::Config)];
const WARNED: &[Severity] = &[Severity::Warning];

#[test]
fn a_name_that_hides_data_is_refused_unless_it_may_be_right() {
    for (capture, expected) in [
        (r#"exclude_columns = ["shop.users.secret"]"#, &[][..]),
        (r#"exclude_columns = ["shop.users.secrt"]"#, REFUSED),
        (r#"exclude_columns = ["shop.*.secrt"]"#, REFUSED),
        (r#"exclude_columns = ["shop.gone.secret"]"#, REFUSED),
        // A table that comes and goes.
        (r#"exclude_columns = ["shop.tmp_*.secret"]"#, WARNED),
        // It was there.
        (r#"exclude_columns = ["shop.users.token"]"#, WARNED),
        (r#"exclude_columns = ["shop.view.secret"]"#, WARNED),
        // Another finding says that the table may not be read.
        (r#"exclude_columns = ["shop.hidden.secret"]"#, &[]),
        (r#"exclude_tables = ["shop.gone"]"#, REFUSED),
        (r#"exclude_tables = ["shop.tmp_*"]"#, WARNED),
        // The most careful configuration: an excluded table that may not even be read.
        (r#"exclude_tables = ["shop.hidden"]"#, &[]),
        (r#"exclude_tables = ["shop.view"]"#, &[]),
        (r#"exclude_tables = ["mysql.user"]"#, &[]),
        (r#"message_key_columns = { "shop.users" = ["ID"] }"#, &[]),
        (r#"message_key_columns = { "shop.orders" = ["idd"] }"#, REFUSED),
        // A table that was delivered: its rows decide.
        (r#"message_key_columns = { "shop.users" = ["token"] }"#, WARNED),
        (r#"message_key_columns = { "shop.us*" = ["id"] }"#, REFUSED),
        ("[snapshot]\nwhere = { \"shop.gone\" = \"1\" }", REFUSED),
        ("[snapshot]\norder = [\"shop.gone\"]", WARNED),
    ] {
        check(capture, expected);
    }
}

#[test]
fn what_may_not_all_be_read_is_refused_with_its_grant() {
    let mut facts = facts();
    facts.coverage = [("shop.*".to_owned(), Access::Denied)].into();
    let config = config("[capture]\ntables = [\"shop.*\", \"shop.hidden\", \"shop.gone\"]");
    let hints: Vec<_> =
        source::grants(&config, &facts).into_iter().map(|Finding { hint, .. }| hint).collect();
    assert!(hints[0].contains("GRANT SELECT ON `shop`.* TO 'nobody'@'%';"), "{hints:?}");
    assert!(hints[1].contains("GRANT SELECT ON `shop`.`hidden` TO 'nobody'@'%';"), "{hints:?}");
    assert_eq!(hints.len(), 2);
}

#[test]
fn the_nearest_names_are_few_and_alike() {
    let names = ["shop.orders", "shop.users", "crm.people", "shop.orders_old"];
    let found = nearest("Shop.Ordrs", names.into_iter());
    assert!(
        found.starts_with("; the nearest names are `shop.orders`, `shop.orders_old`"),
        "{found}"
    );
    assert_eq!(nearest("xyz", names.into_iter()), "");
}
