//! Whether two versions of a table give equal rows equal keys.
//!
//! A key's bytes are the id of its schema and its fields. So any change of the key schema moves
//! every row to another key, another partition, another place for compaction. Some changes do not
//! affect the values: defaults, and an ENUM's labels (unless the key is an Avro enum, which is
//! written as the number of its label). Then the connector keeps using the schema that was
//! registered first. Every other change means another key.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    registry::{FieldChange, differences, summarize},
    schema::key_schema,
};
use crate::model::record::{FieldKind, KeyForm, RecordShape};

/// What the keys of these records are made of; `None` for a null key.
pub fn key_form(shape: &RecordShape) -> Option<KeyForm> {
    let schema = key_schema(shape)?;
    let fields = shape.key.iter().filter_map(|&index| shape.columns.get(index)?.as_ref());
    let widths = fields.filter_map(|field| Some((field.name.clone(), width(&field.kind)?)));
    Some(KeyForm { schema, widths: widths.collect() })
}

/// What makes the new keys differ from the old ones, in words; `None` if nothing does.
pub fn key_changes(old: Option<&KeyForm>, new: Option<&KeyForm>) -> Option<String> {
    let (old, new) = match (old, new) {
        (None, None) => return None,
        (None, Some(new)) => return Some(format!("there was none and it is {}", columns(new))),
        (Some(old), None) => return Some(format!("it was {} and there is none", columns(old))),
        (Some(old), Some(new)) => (old, new),
    };
    if field_names(&old.schema) != field_names(&new.schema) {
        return Some(format!("it was {} and is {}", columns(old), columns(new)));
    }
    let Some(mut found) = differences(&old.schema, &new.schema) else {
        return Some("its registered schema is not understood".to_owned());
    };
    let moved = branches_moved(&old.schema, &new.schema);
    found.retain(|difference| match &difference.change {
        FieldChange::Default { .. } => moved.contains(&difference.field),
        _ => difference.changes_bytes(),
    });
    let mut summary: Vec<String> = Vec::new();
    if !found.is_empty() {
        summary.push(summarize(&found));
    }
    let digits = |width: Option<&u32>| width.copied().unwrap_or(0);
    for (field, to) in &new.widths {
        let from = digits(old.widths.get(field));
        if from != *to {
            summary.push(format!("`{field}` had the width {from} and has {to}"));
        }
    }
    (!summary.is_empty()).then(|| summary.join("; "))
}

/// What a value's bytes depend on, and the schema does not have.
fn width(kind: &FieldKind) -> Option<u32> {
    match kind {
        FieldKind::PaddedBytes { length } => Some(*length),
        FieldKind::ZonedTimestamp { fraction } => Some((*fraction).into()),
        FieldKind::Bits { width } => Some(width.div_ceil(8).into()),
        _ => None,
    }
}

fn columns(form: &KeyForm) -> String {
    format!("({})", field_names(&form.schema).join(", "))
}

fn field_names(schema: &str) -> Vec<String> {
    fields(schema)
        .iter()
        .filter_map(|field| Some(field.get("name")?.as_str()?.to_owned()))
        .collect()
}

/// Fields whose null is written as another branch, because the default moved to the other end of
/// the union.
fn branches_moved(old: &str, new: &str) -> Vec<String> {
    let branches = |schema: &str| -> BTreeMap<String, Option<usize>> {
        let fields = fields(schema);
        let fields = fields.iter().filter_map(|field| {
            let branches = field.get("type")?.as_array();
            let null = branches.and_then(|all| all.iter().position(|branch| branch == "null"));
            Some((field.get("name")?.as_str()?.to_owned(), null))
        });
        fields.collect()
    };
    let (old, new) = (branches(old), branches(new));
    let moved = new.into_iter().filter(|(name, null)| old.get(name) != Some(null));
    moved.map(|(name, _)| name).collect()
}

fn fields(schema: &str) -> Vec<Value> {
    let schema: Value = serde_json::from_str(schema).unwrap_or_default();
    schema.get("fields").and_then(Value::as_array).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::key_changes;
    use crate::model::record::KeyForm;

    fn form(fields: &str) -> KeyForm {
        let schema = format!(
            r#"{{"type":"record","name":"Key","namespace":"n","fields":[{fields}],
            "connect.name":"n.Key"}}"#
        );
        KeyForm { schema, widths: [("w".to_owned(), 4)].into() }
    }

    fn summary(old: &str, new: &str) -> Option<String> {
        key_changes(Some(&form(old)), Some(&form(new)))
    }

    #[test]
    fn what_leaves_the_bytes_alone_is_no_change() {
        let labels = |labels: &str| {
            format!(
                r#"{{"name":"e","type":{{"type":"string","connect.parameters":
                {{"allowed":"{labels}"}},"connect.name":"io.debezium.data.Enum"}}}}"#
            )
        };
        let int = r#"{"name":"id","type":"int"}"#;
        let with_default = r#"{"name":"id","type":{"type":"int","connect.default":5},"default":5}"#;
        assert_eq!(summary(int, int), None);
        assert_eq!(summary(int, with_default), None);
        assert_eq!(summary(with_default, int), None);
        assert_eq!(summary(&labels("a,b"), &labels("a,c,b")), None);
        let bits = |length: &str| {
            format!(
                r#"{{"name":"b","type":{{"type":"bytes","connect.parameters":
                {{"length":"{length}"}},"connect.name":"io.debezium.data.Bits"}}}}"#
            )
        };
        assert_eq!(summary(&bits("10"), &bits("12")), None);
        assert_eq!(key_changes(None, None), None);
    }

    #[test]
    fn what_changes_the_bytes_is_noticed() {
        let field = |name: &str, kind: &str| format!(r#"{{"name":"{name}","type":{kind}}}"#);
        let (a, b) = (field("a", r#""int""#), field("b", r#""string""#));
        let both = |first: &str, second: &str| format!("{first},{second}");
        for (old, new, expected) in [
            (a.clone(), field("a", r#""long""#), "`a` was int and is long"),
            (a.clone(), both(&a, &b), "it was (a) and is (a, b)"),
            (both(&a, &b), both(&b, &a), "it was (a, b) and is (b, a)"),
            (a.clone(), b.clone(), "it was (a) and is (b)"),
            (a.clone(), field("a", r#"["null","int"]"#), "`a` could not be null and can be"),
            (
                field("a", r#"["null","int"]"#),
                r#"{"name":"a","type":["int","null"],"default":5}"#.to_owned(),
                "`a` had no default and has the default 5",
            ),
        ] {
            assert_eq!(summary(&old, &new).as_deref(), Some(expected));
        }
        // An Avro enum is written as the number of its label.
        let symbols = |symbols: &str| {
            field("a", &format!(r#"{{"type":"enum","name":"t_a","symbols":[{symbols}]}}"#))
        };
        let told_symbols = summary(&symbols(r#""a","b""#), &symbols(r#""a","b","c""#));
        assert_eq!(told_symbols.as_deref(), Some("`a` has other labels"));
        let mut wider = form(&a);
        wider.widths.insert("w".to_owned(), 8);
        let summary = key_changes(Some(&form(&a)), Some(&wider));
        assert_eq!(summary.as_deref(), Some("`w` had the width 4 and has 8"));
        let none = key_changes(None, Some(&form(&a)));
        assert_eq!(none.as_deref(), Some("there was none and it is (a)"));
        let gone = key_changes(Some(&form(&a)), None);
        assert_eq!(gone.as_deref(), Some("it was (a) and there is none"));
    }
}
