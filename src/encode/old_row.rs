//! Finds the row in an earlier record by the schema of that record, and copies it byte for byte.

use std::collections::BTreeMap;

use serde_json::Value;

use super::schema::envelope_end;

/// The most fields, branches and items of all kinds in a schema that is looked into.
const SHAPES_MAX: usize = 100_000;

/// The schema of values in the envelope `debezium`, as far as it must be known to find a row.
#[derive(Debug)]
pub struct OldEnvelope {
    /// The union of null and the row.
    row: ValueShape,
}

/// What a value shows of its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldRow<'a> {
    /// The row after the change, as Avro, and the name of the connector that wrote it.
    Row(&'a [u8], &'a [u8]),
    /// There is none after the change.
    Gone,
    /// The value is not of its schema.
    Unreadable,
}

/// How a type is written.
#[derive(Clone, Debug)]
enum ValueShape {
    Null,
    Number,
    Bytes,
    Fixed(usize),
    Record(Vec<Self>),
    Union(Vec<Self>),
    Items { item: Box<Self>, is_map: bool },
}

impl OldEnvelope {
    /// Reads a schema; `None` if it is not one of this program's in the envelope `debezium`: what
    /// follows the rows in a value must be as it is written now.
    pub fn parse(schema: &str) -> Option<Self> {
        let schema: Value = serde_json::from_str(schema).ok()?;
        let [before, after, end @ ..] = schema.get("fields")?.as_array()?.as_slice() else {
            return None;
        };
        if before.get("name")? != "before" || after.get("name")? != "after" {
            return None;
        }
        if Value::Array(end.to_vec()) != envelope_end() {
            return None;
        }
        let mut reader = SchemaReader { names: BTreeMap::new(), left: SHAPES_MAX };
        let namespace = schema.get("namespace").and_then(Value::as_str).unwrap_or_default();
        let row = reader.shape(before.get("type")?, namespace)?;
        let again = reader.shape(after.get("type")?, namespace)?;
        let is_row = |shape: &ValueShape| {
            let ValueShape::Union(branches) = shape else { return false };
            matches!(branches[..], [ValueShape::Null, ValueShape::Record(_)])
        };
        (is_row(&row) && is_row(&again)).then_some(Self { row })
    }

    /// Finds the row in a value, which begins with its frame.
    pub fn row<'a>(&self, value: &'a [u8]) -> OldRow<'a> {
        self.find(value).unwrap_or(OldRow::Unreadable)
    }

    fn find<'a>(&self, value: &'a [u8]) -> Option<OldRow<'a>> {
        let mut rest = value.get(5..)?;
        self.row.skip(&mut rest)?;
        let ValueShape::Union(branches) = &self.row else { return None };
        let row = match long(&mut rest)? {
            0 => return Some(OldRow::Gone),
            1 => branches.get(1)?,
            _ => return None,
        };
        let start = rest;
        row.skip(&mut rest)?;
        let row = start.get(..start.len() - rest.len())?;
        // What follows begins with `version`, `connector` and `name` of the block `source`.
        text(&mut rest)?;
        text(&mut rest)?;
        Some(OldRow::Row(row, text(&mut rest)?))
    }
}

impl ValueShape {
    /// Moves behind a value.
    fn skip(&self, rest: &mut &[u8]) -> Option<()> {
        match self {
            Self::Null => Some(()),
            Self::Number => long(rest).map(drop),
            Self::Bytes => {
                let length = usize::try_from(long(rest)?).ok()?;
                take(rest, length)
            }
            Self::Fixed(length) => take(rest, *length),
            Self::Record(fields) => fields.iter().try_for_each(|field| field.skip(rest)),
            Self::Union(branches) => {
                let branch = usize::try_from(long(rest)?).ok()?;
                branches.get(branch)?.skip(rest)
            }
            Self::Items { item, is_map } => loop {
                let count = long(rest)?;
                if count == 0 {
                    return Some(());
                }
                if count < 0 {
                    let length = usize::try_from(long(rest)?).ok()?;
                    take(rest, length)?;
                    continue;
                }
                // Each takes a byte at least in the schemas that this program writes.
                if rest.len() < usize::try_from(count).ok()? {
                    return None;
                }
                for _ in 0..count {
                    if *is_map {
                        Self::Bytes.skip(rest)?;
                    }
                    item.skip(rest)?;
                }
            },
        }
    }
}

/// Reads a schema.
struct SchemaReader {
    /// Named types, by their full names.
    names: BTreeMap<String, ValueShape>,
    /// How many further types may come.
    left: usize,
}

impl SchemaReader {
    fn shape(&mut self, schema: &Value, namespace: &str) -> Option<ValueShape> {
        self.left = self.left.checked_sub(1)?;
        match schema {
            Value::String(name) => self.named(name, namespace),
            Value::Array(branches) => self.all(branches.iter(), namespace).map(ValueShape::Union),
            Value::Object(of) => {
                let kind = of.get("type")?;
                let Some(kind) = kind.as_str() else { return self.shape(kind, namespace) };
                let item = |reader: &mut Self, key| {
                    let item = Box::new(reader.shape(of.get(key)?, namespace)?);
                    Some(ValueShape::Items { item, is_map: key == "values" })
                };
                match kind {
                    "array" => item(self, "items"),
                    "map" => item(self, "values"),
                    "record" | "fixed" | "enum" => self.define(kind, schema, namespace),
                    _ => self.named(kind, namespace),
                }
            }
            _ => None,
        }
    }

    fn all<'a>(
        &mut self,
        schemas: impl Iterator<Item = &'a Value>,
        namespace: &str,
    ) -> Option<Vec<ValueShape>> {
        schemas.map(|schema| self.shape(schema, namespace)).collect()
    }

    fn named(&self, name: &str, namespace: &str) -> Option<ValueShape> {
        Some(match name {
            "null" => ValueShape::Null,
            "boolean" => ValueShape::Fixed(1),
            "int" | "long" => ValueShape::Number,
            "float" => ValueShape::Fixed(4),
            "double" => ValueShape::Fixed(8),
            "bytes" | "string" => ValueShape::Bytes,
            _ => self.names.get(&full_name(name, namespace)).cloned()?,
        })
    }

    fn define(&mut self, kind: &str, schema: &Value, namespace: &str) -> Option<ValueShape> {
        let name = schema.get("name")?.as_str()?;
        let namespace = schema.get("namespace").and_then(Value::as_str).unwrap_or(namespace);
        let full = full_name(name, namespace);
        let namespace = full.rsplit_once('.').map_or("", |(namespace, _)| namespace);
        let shape = match kind {
            "fixed" => ValueShape::Fixed(usize::try_from(schema.get("size")?.as_u64()?).ok()?),
            "enum" => ValueShape::Number,
            _ => {
                let fields = schema.get("fields")?.as_array()?;
                let types: Option<Vec<&Value>> =
                    fields.iter().map(|field| field.get("type")).collect();
                ValueShape::Record(self.all(types?.into_iter(), namespace)?)
            }
        };
        self.names.insert(full, shape.clone());
        Some(shape)
    }
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() {
        name.to_owned()
    } else {
        format!("{namespace}.{name}")
    }
}

fn take(rest: &mut &[u8], length: usize) -> Option<()> {
    *rest = rest.get(length..)?;
    Some(())
}

/// Takes a text.
fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(long(rest)?).ok()?;
    let (text, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(text)
}

/// Takes an int or a long.
fn long(rest: &mut &[u8]) -> Option<i64> {
    let mut zigzag: u64 = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, behind) = rest.split_first()?;
        *rest = behind;
        zigzag |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{OldEnvelope, OldRow};
    use crate::encode::schema::envelope_end;

    fn schema(value: &str) -> String {
        let end = envelope_end().to_string();
        let end = end.strip_prefix('[').unwrap();
        format!(
            r#"{{"type":"record","name":"Envelope","namespace":"a.b","fields":[{{"name":"before","type":["null",{{"type":"record","name":"Value","fields":[{value}]}}]}},{{"name":"after","type":["null","Value"]}},{end}}}"#
        )
    }

    #[test]
    fn a_row_is_found_behind_the_one_before_it() {
        let fields = r#"{"name":"i","type":"int"},{"name":"s","type":["null","string"]},
            {"name":"p","type":{"type":"record","name":"Point","namespace":"g","fields":[
                {"name":"x","type":"double"}]}},
            {"name":"q","type":["null","g.Point"]}"#;
        let envelope = OldEnvelope::parse(&schema(fields)).unwrap();
        let row = [&[3, 2, 4, b'a', b'b'][..], &[0; 8], &[2], &[7; 8]].concat();
        let other = [&[0x80, 1, 0][..], &[0; 8], &[0]].concat();
        let source = &b"\x021\x04my\x02n"[..];
        let value = [&[0, 0, 0, 0, 9, 2], &other[..], &[2], &row, source, &[1, 2, 3]].concat();
        assert_eq!(envelope.row(&value), OldRow::Row(&row, b"n"));
        let value = [&[0, 0, 0, 0, 9, 0, 2], &row[..], source].concat();
        assert_eq!(envelope.row(&value), OldRow::Row(&row, b"n"));
        for end in 0..value.len() {
            assert_eq!(envelope.row(&value[..end]), OldRow::Unreadable, "{end}");
        }
        let value = [&[0, 0, 0, 0, 9, 2], &row[..], &[0, 1]].concat();
        assert_eq!(envelope.row(&value), OldRow::Gone);
        for end in 0..=5 + row.len() {
            assert_eq!(envelope.row(&value[..end]), OldRow::Unreadable, "{end}");
        }
    }

    #[test]
    fn what_is_no_schema_of_this_program_is_not_read() {
        assert!(OldEnvelope::parse(&schema(r#"{"name":"i","type":"int"}"#)).is_some());
        assert!(OldEnvelope::parse(&schema(r#"{"name":"i","type":"no.such"}"#)).is_none());
        assert!(OldEnvelope::parse("").is_none());
        assert!(OldEnvelope::parse(r#"{"type":"record","name":"r","fields":[]}"#).is_none());
        let other = schema(r#"{"name":"i","type":"int"}"#).replace("\"query\"", "\"other\"");
        assert!(OldEnvelope::parse(&other).is_none());
    }
}
