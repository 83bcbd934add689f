//! The table of each topic: refuses two tables with one topic.

use std::collections::{BTreeMap, btree_map::Entry};

use super::MapError;
use crate::model::table::TableName;

/// The tables seen so far by their topics. Replacing what Kafka forbids can make two names equal,
/// and two tables on one topic are two tables lost.
#[derive(Debug, Default)]
pub struct Topics {
    owners: BTreeMap<String, TableName>,
}

impl Topics {
    /// Gives a topic to a table; again to the same table changes nothing, to another is refused.
    pub fn claim(&mut self, topic: &str, table: &TableName) -> Result<(), MapError> {
        match self.owners.entry(topic.to_owned()) {
            Entry::Vacant(free) => {
                free.insert(table.clone());
                Ok(())
            }
            Entry::Occupied(owner) if owner.get() == table => Ok(()),
            Entry::Occupied(owner) => Err(MapError::TopicClash {
                first: owner.get().clone(),
                second: table.clone(),
                topic: topic.to_owned(),
            }),
        }
    }
}
