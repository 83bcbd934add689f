//! Tables as TABLE_MAP events describe them, and the versions that the stream has named.

mod metadata;
pub(super) mod table_map;
mod tables;

pub(super) use self::tables::{Tables, Version};
