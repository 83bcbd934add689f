//! Loosened fields: they promise less than their column does, so that a registry accepts a schema
//! that it has refused. Rows are the same either way; only the schema differs.

use std::collections::BTreeMap;

use super::implicit_default;
use crate::model::record::{Field, Loosened, RecordShape};

/// Loosens those of the named fields for which it means something; returns which.
///
/// A field that can be null or has a default already needs nothing. A field of the key stays as it
/// is where loosening would change the key's bytes.
pub fn loosen(
    shape: &mut RecordShape,
    fields: &BTreeMap<String, Loosened>,
) -> BTreeMap<String, Loosened> {
    let mut done = BTreeMap::new();
    for (index, field) in shape.columns.iter_mut().enumerate() {
        let Some(field) = field else { continue };
        let Some(how) = fields.get(&field.name) else { continue };
        if loosen_field(field, *how, shape.key.contains(&index)) {
            done.insert(field.name.clone(), *how);
        }
    }
    done
}

fn loosen_field(field: &mut Field, how: Loosened, is_key: bool) -> bool {
    if field.nullable || is_key || !field.in_value {
        return false;
    }
    match how {
        Loosened::Nullable => field.nullable = true,
        Loosened::ImplicitDefault => {
            let default = implicit_default(&field.kind).filter(|_| field.default.is_none());
            let Some(default) = default else { return false };
            field.default = Some(default);
        }
    }
    true
}
