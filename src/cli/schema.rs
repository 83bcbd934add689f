//! `tailwater schema`: the schemas that tables map to, and whether the registry would take them.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::say::say;
use crate::{
    config,
    error::Failure,
    model::{record::Loosened, table::TableName},
    pipeline::{self, SubjectAnswer, SubjectComparison},
};

#[derive(Debug, Args)]
pub(super) struct SchemaArguments {
    #[command(subcommand)]
    action: SchemaAction,
}

#[derive(Debug, Subcommand)]
enum SchemaAction {
    /// Prints the Avro schemas that captured tables map to. Contacts the source only.
    #[command(after_help = "Example:\n  tailwater schema show --table shop.orders")]
    Show {
        /// Table to show, as database.table; may be given several times. All captured tables if
        /// left out.
        #[arg(long = "table", value_name = "TABLE")]
        tables: Vec<String>,

        /// Print a JSON list of all tables with their schemas.
        #[arg(long)]
        json: bool,

        #[command(flatten)]
        file: ConfigFile,
    },
    /// Compares a table's schemas with the registry's, and says whether the registry would take
    /// them. Registers nothing. Exits with 1 if it would refuse one.
    #[command(after_help = "Example: will this ALTER break consumers?\n  \
        mysql> CREATE TABLE scratch.orders LIKE shop.orders;\n  \
        mysql> ALTER TABLE scratch.orders ADD COLUMN gift BOOLEAN NOT NULL;\n  \
        tailwater schema diff --table shop.orders --like scratch.orders")]
    Diff {
        /// Captured table, as database.table.
        #[arg(long, value_name = "TABLE")]
        table: String,

        /// Compare as if the table had the columns of this one, as database.table: a copy on which
        /// an ALTER was tried. It need not be captured.
        #[arg(long, value_name = "TABLE", value_parser = table_name)]
        like: Option<TableName>,

        /// Print the comparison as JSON.
        #[arg(long)]
        json: bool,

        #[command(flatten)]
        file: ConfigFile,
    },
}

#[derive(Debug, Args)]
struct ConfigFile {
    /// Configuration file of the connector.
    #[arg(long, short, default_value = "tailwater.toml", value_name = "FILE")]
    config: PathBuf,
}

fn table_name(text: &str) -> Result<TableName, &'static str> {
    let (database, table) = text.split_once('.').ok_or("write it as database.table")?;
    Ok(TableName { database: database.to_owned(), table: table.to_owned() })
}

/// Runs the command; false if the registry would refuse a schema.
pub(super) async fn run(arguments: SchemaArguments) -> Result<bool, Failure> {
    match arguments.action {
        SchemaAction::Show { tables, json, file } => {
            show(&file, &tables, json).await.map(|()| true)
        }
        SchemaAction::Diff { table, like, json, file } => {
            let config = config::load(&file.config)?;
            let compared = pipeline::compare_schemas(&config, &table, like.as_ref()).await?;
            if json {
                let list: Vec<Value> = compared.iter().map(as_json).collect();
                say(&format!("{:#}", Value::Array(list)));
            } else {
                compared.iter().for_each(print);
            }
            let is_refused =
                |it: &SubjectComparison| matches!(it.answer, SubjectAnswer::Refused(_));
            Ok(!compared.iter().any(is_refused))
        }
    }
}

async fn show(file: &ConfigFile, tables: &[String], json: bool) -> Result<(), Failure> {
    let config = config::load(&file.config)?;
    let found = pipeline::table_schemas(&config, tables).await?;
    let parsed = |schema: &str| serde_json::from_str::<Value>(schema).unwrap_or_default();
    if json {
        let tables = found.iter().map(|it| {
            json!({
                "table": it.table.to_string(),
                "topic": it.topic,
                "key": it.key.as_deref().map(parsed),
                "value": parsed(&it.value),
            })
        });
        say(&format!("{:#}", Value::Array(tables.collect())));
        return Ok(());
    }
    if found.is_empty() {
        say("no table is captured");
    }
    for schemas in found {
        say(&format!("{} to topic {}", schemas.table, schemas.topic));
        match &schemas.key {
            Some(key) => say(&format!("subject {}-key\n{:#}", schemas.topic, parsed(key))),
            None => say("no key: records have null keys"),
        }
        say(&format!("subject {}-value\n{:#}\n", schemas.topic, parsed(&schemas.value)));
    }
    Ok(())
}

/// A subject, what differs, and what the registry would do.
fn print(comparison: &SubjectComparison) {
    let SubjectComparison { subject, differences, answer } = comparison;
    say(subject);
    for difference in differences {
        say(&format!("  {difference}"));
    }
    match answer {
        SubjectAnswer::New => say("  ok: the subject is new, the first record registers it"),
        SubjectAnswer::Registered(id) => say(&format!("  ok: registered, id {}", id.0)),
        SubjectAnswer::Accepted => say("  ok: the registry would take it"),
        SubjectAnswer::Loosened(fields) => {
            say("  warning: the registry would refuse it; the connector registers it looser:");
            for (field, loosened) in fields {
                say(&format!("    `{field}` {}", described(*loosened)));
            }
        }
        SubjectAnswer::Refused(messages) => {
            say("  error: the registry would refuse it, and the connector would halt");
            for message in messages {
                say(&format!("    {message}"));
            }
            say(&format!(
                "  Undo the change, or lower the compatibility level of {subject} until the first \
                 record is delivered."
            ));
        }
    }
}

fn described(loosened: Loosened) -> &'static str {
    match loosened {
        Loosened::ImplicitDefault => "gets MySQL's implicit default",
        Loosened::Nullable => "stays nullable",
    }
}

fn as_json(comparison: &SubjectComparison) -> Value {
    let SubjectComparison { subject, differences, answer } = comparison;
    let differences: Vec<String> = differences.iter().map(ToString::to_string).collect();
    let (name, details) = match answer {
        SubjectAnswer::New => ("new", Value::Null),
        SubjectAnswer::Registered(id) => ("registered", json!({ "id": id.0 })),
        SubjectAnswer::Accepted => ("accepted", Value::Null),
        SubjectAnswer::Loosened(fields) => {
            let fields = fields.iter().map(|(field, how)| (field.clone(), json!(described(*how))));
            ("loosened", json!({ "fields": Value::Object(fields.collect()) }))
        }
        SubjectAnswer::Refused(messages) => ("refused", json!({ "messages": messages })),
    };
    json!({ "subject": subject, "differences": differences, "answer": name, "details": details })
}
