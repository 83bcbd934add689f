//! What a registry has: schemas by their ids.

/// The id under which the registry knows a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SchemaId(pub u32);

/// A schema that a registry has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Its id.
    pub id: SchemaId,
    /// Its text; a registry may have arranged it in another way.
    pub schema: String,
}
