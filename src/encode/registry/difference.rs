//! Describes the differences between a registered schema and a new one, field by field, in
//! sentences.
//!
//! Both texts are read as JSON, not as Avro, because the attributes that give a number its meaning
//! matter too, and Avro libraries drop them. A difference in the row is described by the name of
//! its field. The envelope around the row is the same in all versions, so a difference there is
//! described by its outermost field.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::Value;

/// The most differences in one message.
const SUMMARIZED_MAX: usize = 20;

/// What differs in one field, or in the record as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The field's name in the schema; empty for the record as a whole.
    pub field: String,
    /// What differs.
    pub change: FieldChange,
}

/// What differs in one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldChange {
    /// Ours has it, the registered one does not.
    Added {
        /// Whether a reader finds nothing to put in its place: not null, no default.
        required: bool,
    },
    /// The registered one has it, ours does not.
    Removed,
    /// Another type.
    Type {
        /// The registered one.
        from: String,
        /// Ours.
        to: String,
    },
    /// Bytes that are read the same way and mean something else: milliseconds and microseconds.
    Meaning {
        /// The registered one.
        from: String,
        /// Ours.
        to: String,
    },
    /// It can be null now.
    Nullable,
    /// It cannot be null any more.
    NotNull,
    /// Another default, or none.
    Default {
        /// The registered one, as JSON.
        from: Option<String>,
        /// Ours, as JSON.
        to: Option<String>,
    },
    /// Other labels of an ENUM or a SET.
    Labels,
    /// Another attribute of the type: a decimal's precision, the bits of a BIT.
    Attribute {
        /// Its name in the schema.
        name: String,
        /// The registered one, as JSON.
        from: Option<String>,
        /// Ours, as JSON.
        to: Option<String>,
    },
    /// The fields come in another order.
    Order,
}

/// The attribute of an Avro enum that has its labels.
const SYMBOLS: &str = "symbols";

/// Attributes that other parts of the comparison read, or that follow from them.
const READ_ELSEWHERE: [&str; 14] = [
    "allowed",
    "connect.decimal.precision",
    "connect.default",
    "connect.doc",
    "connect.name",
    "connect.type",
    "connect.version",
    "fields",
    "items",
    "logicalType",
    "name",
    "namespace",
    "scale",
    "type",
];

/// Compares two schema texts; `None` if the registered one is not of a form that is known.
pub fn differences(registered: &str, ours: &str) -> Option<Vec<Difference>> {
    let registered: Value = serde_json::from_str(registered).ok()?;
    let ours: Value = serde_json::from_str(ours).ok()?;
    let mut found = Vec::new();
    let (from, to) = (full_name(&registered), full_name(&ours));
    if from != to {
        found.push(Difference { field: String::new(), change: FieldChange::Type { from, to } });
    }
    let (registered, ours) = (split(&registered)?, split(&ours)?);
    compare(&registered.row, &ours.row, &mut found);
    compare(&registered.around, &ours.around, &mut found);
    Some(found)
}

/// The differences as one text.
pub fn summarize(differences: &[Difference]) -> String {
    let summary: Vec<String> =
        differences.iter().take(SUMMARIZED_MAX).map(ToString::to_string).collect();
    let more = match differences.len().checked_sub(SUMMARIZED_MAX) {
        None | Some(0) => String::new(),
        Some(more) => format!("; {more} more"),
    };
    summary.join("; ") + &more
}

/// A field as far as it is compared.
struct Part {
    name: String,
    /// Avro's type, and what distinguishes it from others that look the same.
    kind: String,
    /// What its bytes mean beyond their type: a unit, a scale.
    meaning: String,
    labels: Option<Value>,
    nullable: bool,
    default: Option<Value>,
    /// What else the type says.
    attributes: BTreeMap<String, String>,
}

/// A schema's fields: those of the row, and those of the envelope around it.
struct Parts {
    row: Vec<Part>,
    around: Vec<Part>,
}

fn split(schema: &Value) -> Option<Parts> {
    let fields = schema.get("fields")?.as_array()?;
    let row = fields.iter().find_map(|field| {
        let inner = not_null(field.get("type")?);
        let is_row = field.get("name")? == "before" && inner.get("fields").is_some();
        is_row.then_some(inner)
    });
    let Some(row) = row else {
        let row = fields.iter().map(part).collect::<Option<_>>()?;
        return Some(Parts { row, around: Vec::new() });
    };
    let is_image = |field: &&Value| {
        let name = field.get("name").and_then(Value::as_str);
        !matches!(name, Some("before" | "after"))
    };
    Some(Parts {
        row: row.get("fields")?.as_array()?.iter().map(part).collect::<Option<_>>()?,
        around: fields.iter().filter(is_image).map(part).collect::<Option<_>>()?,
    })
}

fn part(field: &Value) -> Option<Part> {
    let declared = field.get("type")?;
    let kind = not_null(declared);
    let base = base(kind);
    let text = |name: &str| kind.get(name).map(|value| value.to_string().replace('"', ""));
    let meaning = text("connect.name").filter(|_| base != "record").or_else(|| text("logicalType"));
    // A decimal's digits before the point need no more of a reader, those after it do.
    let scale = text("scale").map(|scale| format!(" with scale {scale}"));
    // A record's and an array's own contents are compared as text: they are fixed for each kind.
    let inside = kind.get("fields").or_else(|| kind.get("items")).map(ToString::to_string);
    let nullable = declared.as_array().is_some_and(|branches| branches.iter().any(is_null));
    Some(Part {
        name: field.get("name")?.as_str()?.to_owned(),
        kind: match inside {
            Some(inside) if base != "record" || meaning.is_none() => format!("{base} {inside}"),
            _ => base,
        },
        meaning: meaning.unwrap_or_default() + &scale.unwrap_or_default(),
        labels: kind.get("connect.parameters").and_then(|all| all.get("allowed")).cloned(),
        nullable,
        default: field.get("default").filter(|default| !default.is_null()).cloned(),
        attributes: attributes(kind),
    })
}

/// The attributes of a type that nothing else of the comparison reads.
fn attributes(kind: &Value) -> BTreeMap<String, String> {
    let members = kind.as_object();
    let parameters = kind.get("connect.parameters").and_then(Value::as_object);
    let own = members.into_iter().flatten().filter(|(name, _)| *name != "connect.parameters");
    own.chain(parameters.into_iter().flatten())
        .filter(|(name, _)| !READ_ELSEWHERE.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.to_string().replace('"', "")))
        .collect()
}

fn compare(registered: &[Part], ours: &[Part], found: &mut Vec<Difference>) {
    for part in ours {
        let mut add = |change| found.push(Difference { field: part.name.clone(), change });
        let Some(old) = registered.iter().find(|old| old.name == part.name) else {
            add(FieldChange::Added { required: !part.nullable && part.default.is_none() });
            continue;
        };
        if old.kind != part.kind {
            add(FieldChange::Type { from: old.shown(), to: part.shown() });
        } else if old.meaning != part.meaning {
            add(FieldChange::Meaning { from: old.shown(), to: part.shown() });
        }
        match (old.nullable, part.nullable) {
            (false, true) => add(FieldChange::Nullable),
            (true, false) => add(FieldChange::NotNull),
            _ => {}
        }
        if old.default != part.default {
            let json = |default: &Option<Value>| default.as_ref().map(ToString::to_string);
            add(FieldChange::Default { from: json(&old.default), to: json(&part.default) });
        }
        if old.labels != part.labels && old.labels.is_some() && part.labels.is_some() {
            add(FieldChange::Labels);
        }
        // Of another type all attributes are others.
        if old.kind == part.kind {
            compare_attributes(old, part, add);
        }
    }
    let names: BTreeSet<&str> = ours.iter().map(|part| part.name.as_str()).collect();
    for old in registered.iter().filter(|old| !names.contains(old.name.as_str())) {
        found.push(Difference { field: old.name.clone(), change: FieldChange::Removed });
    }
    let common = |part: &&Part| names.contains(part.name.as_str());
    let old_order = registered.iter().filter(common).map(|part| part.name.as_str());
    let stayed: BTreeSet<&str> = old_order.clone().collect();
    let order = ours.iter().map(|part| part.name.as_str()).filter(|name| stayed.contains(name));
    if !old_order.eq(order) {
        found.push(Difference { field: String::new(), change: FieldChange::Order });
    }
}

fn compare_attributes(old: &Part, ours: &Part, mut add: impl FnMut(FieldChange)) {
    let names: BTreeSet<&String> = old.attributes.keys().chain(ours.attributes.keys()).collect();
    for name in names {
        let (from, to) = (old.attributes.get(name), ours.attributes.get(name));
        if from != to {
            let (name, from, to) = (name.clone(), from.cloned(), to.cloned());
            add(FieldChange::Attribute { name, from, to });
        }
    }
}

impl Part {
    /// The type with its meaning.
    fn shown(&self) -> String {
        let kind = self.kind.split(' ').next().unwrap_or_default();
        let text = format!("{kind} {}", self.meaning);
        text.trim_end().to_owned()
    }
}

/// The name that Avro knows the record by.
fn full_name(schema: &Value) -> String {
    let text = |name: &str| schema.get(name).and_then(Value::as_str);
    match (text("namespace"), text("name")) {
        (Some(namespace), Some(name)) => format!("{namespace}.{name}"),
        (_, name) => name.unwrap_or_default().to_owned(),
    }
}

/// The type's own word, or the last part of the name of a type that is defined elsewhere.
fn base(kind: &Value) -> String {
    let word = match kind {
        Value::String(word) => word,
        Value::Object(object) => match (object.get("connect.type"), object.get("type")) {
            // Kafka Connect reads it as a number of another width.
            (Some(Value::String(narrower)), _) => narrower,
            (_, Some(Value::String(word))) if word == "record" => {
                return base(object.get("name").unwrap_or(&Value::Null));
            }
            (_, Some(inner)) => return base(inner),
            _ => return String::new(),
        },
        _ => return kind.to_string(),
    };
    word.rsplit('.').next().unwrap_or_default().to_owned()
}

fn is_null(kind: &Value) -> bool {
    kind == "null"
}

/// The branch of a union that is not null.
fn not_null(kind: &Value) -> &Value {
    let branches = kind.as_array().map_or(&[][..], Vec::as_slice);
    branches.iter().find(|branch| !is_null(branch)).unwrap_or(kind)
}

impl Difference {
    /// Whether equal values can have other bytes: an Avro enum is the number of its label, and a
    /// geometry has its reference system only where the schema has not.
    pub fn changes_bytes(&self) -> bool {
        match &self.change {
            FieldChange::Labels | FieldChange::Default { .. } => false,
            FieldChange::Attribute { name, .. } => matches!(name.as_str(), SYMBOLS | "srid"),
            _ => true,
        }
    }

    /// Whether consumers keep reading numbers or bytes whose meaning has changed.
    pub fn changes_unit(&self) -> bool {
        let number = |text: &str| !text.starts_with("string");
        match &self.change {
            FieldChange::Meaning { from, .. } => number(from),
            FieldChange::Type { from, to } => {
                let split = |text: &str| {
                    let (kind, meaning) = text.split_once(' ').unwrap_or((text, ""));
                    (kind.to_owned(), meaning.to_owned())
                };
                let ((from, meant), (to, means)) = (split(from), split(to));
                !self.field.is_empty()
                    && match (from.as_str(), to.as_str()) {
                        // DATE to DATETIME: a registry takes it for a wider number of the same.
                        ("int", "long") => !meant.is_empty() && meant != means,
                        // A DECIMAL's digits and its text: Avro reads bytes as a string.
                        ("bytes", "string") | ("string", "bytes") => true,
                        _ => false,
                    }
            }
            _ => false,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            f.write_str("the record")?;
        } else {
            write!(f, "`{}`", self.field)?;
        }
        let or_none = |default: &Option<String>| match default {
            Some(json) => format!("the default {json}"),
            None => "no default".to_owned(),
        };
        match &self.change {
            FieldChange::Added { required: true } => {
                f.write_str(" is new, NOT NULL, without a default")
            }
            FieldChange::Added { required: false } => f.write_str(" is new"),
            FieldChange::Removed => f.write_str(" is gone"),
            FieldChange::Type { from, to } | FieldChange::Meaning { from, to } => {
                write!(f, " was {from} and is {to}")
            }
            FieldChange::Nullable => f.write_str(" could not be null and can be"),
            FieldChange::NotNull => f.write_str(" could be null and is NOT NULL"),
            FieldChange::Default { from, to } => {
                write!(f, " had {} and has {}", or_none(from), or_none(to))
            }
            FieldChange::Attribute { name, .. } if name == SYMBOLS => {
                f.write_str(" has other labels")
            }
            FieldChange::Attribute { name, from, to } => {
                let value = |value: &Option<String>| match value {
                    Some(value) => format!("the {name} {value}"),
                    None => format!("no {name}"),
                };
                write!(f, " had {} and has {}", value(from), value(to))
            }
            FieldChange::Labels => f.write_str(" has other labels"),
            FieldChange::Order => f.write_str(" has its fields in another order"),
        }
    }
}

#[cfg(test)]
#[path = "difference_tests.rs"]
mod tests;
