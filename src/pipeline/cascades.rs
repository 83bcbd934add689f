//! Foreign keys whose cascades the source's binlog does not have, and the tables whose rows they
//! may have changed. With `capture.cascades = "read"` these are read again: the change of a parent
//! is in the stream, and what became of the child rows is only in the table.

use std::{collections::BTreeSet, sync::Arc};

use super::checks;
use crate::{
    catalog::{Cascade, Inventory},
    config::{CascadePolicy, Config},
    error::Failure,
    model::{change::Operation, table::TableName},
};

/// The foreign keys that are known.
pub(super) struct Cascades {
    config: Arc<Config>,
    /// `None` where all cascades are in the binlog.
    unlogged: Option<Vec<Cascade>>,
}

impl Cascades {
    /// Those that the checks found; `None` where all cascades are in the binlog.
    pub(super) fn new(config: Arc<Config>, unlogged: Option<Vec<Cascade>>) -> Self {
        Self { config, unlogged }
    }

    /// A statement may have given a table a foreign key since the start.
    pub(super) async fn look_for(
        &mut self,
        mut inventory: Inventory<'_>,
        table: &TableName,
    ) -> Result<(), Failure> {
        let Some(known) = &mut self.unlogged else { return Ok(()) };
        let mut found = inventory.cascades(Some(table)).await?;
        found.retain(|cascade| !known.contains(cascade));
        let finding = checks::unlogged_cascades(&self.config, &found);
        known.extend(found);
        finding.map_or(Ok(()), checks::Finding::report)
    }

    /// The tables that are to be read again because rows of a parent changed; `moved` if an update
    /// gave some of them other record keys.
    pub(super) fn to_read(
        &self,
        parent: &TableName,
        operation: Operation,
        moved: bool,
    ) -> BTreeSet<TableName> {
        let capture = &self.config.capture;
        if capture.cascades != CascadePolicy::Read {
            return BTreeSet::new();
        }
        // Unless it is the primary key, the record key does not say whether the key of the parent
        // that is referred to changed.
        let has_own_key = capture.key_columns(parent).is_some();
        let acts = |cascade: &&Cascade| match operation {
            Operation::Delete => cascade.on_delete.is_some(),
            Operation::Update => {
                let may_refer = moved || has_own_key || !cascade.refers_to_primary;
                cascade.on_update.is_some() && may_refer
            }
            Operation::Insert | Operation::Read => false,
        };
        let mut left: Vec<&TableName> =
            self.of_parent(parent).filter(acts).map(|cascade| &cascade.child).collect();
        let mut found = BTreeSet::new();
        // What changes in a child without a row event may cascade too.
        while let Some(child) = left.pop() {
            if found.insert(child.clone()) {
                left.extend(self.of_parent(child).map(|cascade| &cascade.child));
            }
        }
        found
    }

    /// The foreign keys that refer to a table.
    fn of_parent(&self, parent: &TableName) -> impl Iterator<Item = &Cascade> {
        let capture = &self.config.capture;
        let parent = capture.folded(parent).into_owned();
        let known = self.unlogged.as_deref().unwrap_or_default();
        known.iter().filter(move |cascade| *capture.folded(&cascade.parent) == parent)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc};

    use super::Cascades;
    use crate::{
        catalog::Cascade,
        config::{CascadePolicy, Config},
        model::{change::Operation, table::TableName},
    };

    fn name(table: &str) -> TableName {
        TableName { database: "d".to_owned(), table: table.to_owned() }
    }

    fn cascade(child: &str, parent: &str, on_delete: bool, on_update: bool) -> Cascade {
        Cascade {
            child: name(child),
            constraint: "c".to_owned(),
            parent: name(parent),
            refers_to_primary: child != "by_code",
            on_delete: on_delete.then(|| "CASCADE".to_owned()),
            on_update: on_update.then(|| "CASCADE".to_owned()),
        }
    }

    fn to_read(policy: CascadePolicy, parent: &str, operation: Operation, moved: bool) -> String {
        let mut config: Config = toml::from_str(
            "name = \"shop\"\n\
             mysql = { host = \"localhost\", user = \"nobody\" }\n\
             kafka = { bootstrap_servers = \"localhost:9092\" }\n\
             schema_registry = { url = \"http://localhost:8081\" }\n\
             capture = { tables = [\"d.*\"] }",
        )
        .unwrap();
        config.capture.cascades = policy;
        let known = vec![
            cascade("child", "parent", true, false),
            cascade("grandchild", "child", false, true),
            cascade("tree", "tree", true, true),
            cascade("follower", "parent", false, true),
            cascade("by_code", "parent", false, true),
        ];
        let cascades = Cascades::new(Arc::new(config), Some(known));
        let found: BTreeSet<TableName> = cascades.to_read(&name(parent), operation, moved);
        found.into_iter().map(|table| table.table).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_may_have_cascaded_is_read_through_all_generations() {
        let read =
            |parent, operation, moved| to_read(CascadePolicy::Read, parent, operation, moved);
        assert_eq!(read("parent", Operation::Delete, false), "child grandchild");
        assert_eq!(read("parent", Operation::Update, true), "by_code follower");
        assert_eq!(read("parent", Operation::Update, false), "by_code");
        assert_eq!(read("tree", Operation::Delete, false), "tree");
        assert_eq!(read("parent", Operation::Insert, false), "");
        assert_eq!(read("grandchild", Operation::Delete, false), "");
        assert_eq!(to_read(CascadePolicy::Warn, "parent", Operation::Delete, false), "");
    }
}
