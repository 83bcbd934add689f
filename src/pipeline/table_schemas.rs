//! The schemas that captured tables map to, and whether the registry would take them. Nothing is
//! registered, and Kafka is not contacted.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    catalog::{self, Catalog},
    config::Config,
    encode::{Difference, FieldChange, Registry, SchemaId, differences, key_schema, value_schema},
    error::{Failure, Reason, Verdict},
    map::{self, Filter},
    model::{
        record::{Loosened, RecordShape},
        table::{TableName, TableVersion},
    },
    mysql::{self, Connection, Server},
    snapshot,
};

/// A table's schemas.
pub struct TableSchemas {
    /// Which table.
    pub table: TableName,
    /// The topic that its records go to.
    pub topic: String,
    /// The key's schema; `None` for null keys.
    pub key: Option<String>,
    /// The value's schema.
    pub value: String,
}

/// What the registry would do with one of a table's schemas.
pub struct SubjectComparison {
    /// The subject.
    pub subject: String,
    /// What differs from its newest schema.
    pub differences: Vec<Difference>,
    /// What the registry says.
    pub answer: SubjectAnswer,
}

/// What the registry says of a schema.
pub enum SubjectAnswer {
    /// The subject has no schema yet.
    New,
    /// The subject has it, under this id.
    Registered(SchemaId),
    /// It would take it.
    Accepted,
    /// It would refuse it, and take one in which these fields promise less: the connector
    /// registers that one.
    Loosened(BTreeMap<String, Loosened>),
    /// It would refuse it, for these reasons in its own words.
    Refused(Vec<String>),
}

/// The schemas of all captured tables, or of those of them that are named.
pub async fn table_schemas(
    config: &Config,
    named: &[String],
) -> Result<Vec<TableSchemas>, Failure> {
    let mut source = SchemaSource::open(config).await?;
    let mut schemas = Vec::new();
    for table in source.captured(named).await? {
        let shape = source.shape(&table, &table).await?;
        schemas.push(TableSchemas {
            topic: shape.topic.clone(),
            key: key_schema(&shape),
            value: value_schema(&shape),
            table,
        });
    }
    Ok(schemas)
}

/// Compares the schemas of a table with those of its subjects. With `like` they are made as if the
/// table had the columns of that one, such as a copy on which an ALTER was tried.
pub async fn compare_schemas(
    config: &Config,
    table: &str,
    like: Option<&TableName>,
) -> Result<Vec<SubjectComparison>, Failure> {
    let mut source = SchemaSource::open(config).await?;
    let found = source.captured(&[table.to_owned()]).await?;
    let table = found.into_iter().next().ok_or_else(|| not_captured(table))?;
    let shape = source.shape(&table, like.unwrap_or(&table)).await?;
    let registry = Registry::new(&config.schema_registry)?;
    registry.probe().await?;
    let mut comparisons = Vec::new();
    if let Some(key) = key_schema(&shape) {
        let subject = format!("{}-key", shape.topic);
        comparisons.push(compare(&registry, subject, &key, None).await?);
    }
    let subject = format!("{}-value", shape.topic);
    comparisons.push(compare(&registry, subject, &value_schema(&shape), Some(&shape)).await?);
    Ok(comparisons)
}

/// A schema that is refused is tried looser, where its shape is given.
pub(super) async fn compare(
    registry: &Registry,
    subject: String,
    schema: &str,
    shape: Option<&RecordShape>,
) -> Result<SubjectComparison, Failure> {
    let Some(latest) = registry.latest(&subject).await? else {
        let answer = SubjectAnswer::New;
        return Ok(SubjectComparison { subject, differences: Vec::new(), answer });
    };
    if let Some(id) = registry.find(&subject, schema).await? {
        let answer = SubjectAnswer::Registered(id);
        return Ok(SubjectComparison { subject, differences: Vec::new(), answer });
    }
    let differences = differences(&latest.schema, schema).unwrap_or_default();
    let compatibility = registry.compatibility(&subject, schema).await?;
    let mut answer = SubjectAnswer::Refused(compatibility.messages);
    if compatibility.is_compatible {
        answer = SubjectAnswer::Accepted;
    } else if let Some(mut looser) = shape.cloned() {
        let loosened = map::loosen(&mut looser, &loosening(&differences));
        let schema = value_schema(&looser);
        if !loosened.is_empty() && registry.compatibility(&subject, &schema).await?.is_compatible {
            answer = SubjectAnswer::Loosened(loosened);
        }
    }
    Ok(SubjectComparison { subject, differences, answer })
}

/// The fields that the connector loosens if a registry refuses these differences.
pub(super) fn loosening(differences: &[Difference]) -> BTreeMap<String, Loosened> {
    let wanted = differences.iter().filter_map(|difference| match difference.change {
        FieldChange::Added { required: true } => {
            Some((difference.field.clone(), Loosened::ImplicitDefault))
        }
        FieldChange::NotNull => Some((difference.field.clone(), Loosened::Nullable)),
        _ => None,
    });
    wanted.collect()
}

/// A connection to the source, and the configuration as it holds there.
struct SchemaSource {
    connection: Connection,
    config: Arc<Config>,
}

impl SchemaSource {
    async fn open(config: &Config) -> Result<Self, Failure> {
        let mut connection = mysql::connect(&config.mysql).await?;
        let server = Server::inspect(&mut connection, config).await?;
        let config = Arc::new(config.clone()).for_source(server.lower_case_table_names);
        Ok(Self { connection, config })
    }

    /// The captured tables, or those of them that are named.
    async fn captured(&mut self, named: &[String]) -> Result<Vec<TableName>, Failure> {
        let filter = Filter::new(&self.config.capture);
        let captures = |table: &TableName| filter.captures(table);
        let tables =
            snapshot::list(&mut self.connection, &self.config, captures, |_| false).await?;
        let tables: Vec<TableName> = tables.into_iter().map(|table| table.name).collect();
        let is = |table: &TableName, name: &str| {
            self.config.capture.is_same_name(&table.to_string(), name)
        };
        if let Some(missing) = named.iter().find(|name| !tables.iter().any(|it| is(it, name))) {
            return Err(not_captured(missing));
        }
        let is_wanted =
            |table: &TableName| named.is_empty() || named.iter().any(|name| is(table, name));
        Ok(tables.into_iter().filter(is_wanted).collect())
    }

    /// What the records of a table look like if it has the columns of `like`.
    async fn shape(&mut self, table: &TableName, like: &TableName) -> Result<RecordShape, Failure> {
        let Some(mut version) = described(&mut self.connection, like).await? else {
            return Err(Failure::new(
                Verdict::Halt,
                Reason::MysqlTableInvisible,
                format!("{like} does not exist, or the account may not read it"),
            ));
        };
        version.name.clone_from(table);
        Ok(map::map(&version, &self.config)?)
    }
}

/// A table as it is now, with what only the catalog knows; `None` if it is gone or may not be seen.
pub(super) async fn described(
    connection: &mut Connection,
    table: &TableName,
) -> Result<Option<TableVersion>, Failure> {
    let Some(found) = catalog::describe(connection, table).await? else { return Ok(None) };
    let mut version = found.version;
    if let Catalog::Same(decoration) = catalog::look_up(connection, &version).await? {
        version.decoration = Some(decoration);
    }
    Ok(Some(version))
}

fn not_captured(table: &str) -> Failure {
    let message = format!("{table} does not exist, or is not captured");
    Failure::new(Verdict::Halt, Reason::NotCaptured, message)
        .hint("Write database.table, and see capture.tables.")
}
