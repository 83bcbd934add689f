//! The shape of a table's records: what `map` decides and `encode` writes.
