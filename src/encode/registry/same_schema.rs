//! Whether the registry's text of a schema is the one that was sent.

use serde_json::Value;

/// Whether two texts are one schema: registries may put members in another order and numbers in
/// another form.
pub(super) fn is_same(registered: &str, ours: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<Value>(text).ok();
    registered == ours
        || read(registered).zip(read(ours)).is_some_and(|(a, b)| is_same_json(&a, &b))
}

fn is_same_json(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same_json(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| is_same_json(a, b)))
        }
        _ => a == b,
    }
}
