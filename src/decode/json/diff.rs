//! What changed inside a document: the form of an update with `binlog_row_value_options =
//! PARTIAL_JSON` (MySQL source, `sql/json_diff.h`).
//!
//! The changes follow each other. Each has an operation (a value is replaced, inserted or removed),
//! the path of the value as in SQL, and the value as a document of its own. Each applies to the
//! result of those before it.
//!
//! Nothing is copied: [`Node`] keeps the parts of the document that stay where they are, and
//! says of an array or object only what is different. Its size follows the changes, not the
//! document.

use std::{borrow::Cow, collections::BTreeMap, ops::Range};

use super::{
    binary::{Budget, Container, Json},
    text::{JsonText, Writer},
};
use crate::decode::{error::ValueProblem, wire::Wire};

const REPLACE: u8 = 0;
const INSERT: u8 = 1;
const REMOVE: u8 = 2;

/// A path that leads nowhere, to something that is there already, or that cannot be read.
const OTHER_DOCUMENT: ValueProblem = ValueProblem::Json("a change that does not fit the document");

/// Writes what the changes make of the document to the end of `out`.
pub(in crate::decode) fn write_changed(
    document: &[u8],
    changes: &[u8],
    form: JsonText,
    out: &mut String,
) -> Result<(), ValueProblem> {
    // Once to find the values, once to write them; see `binary` for why this is enough.
    let budget = || Budget::new(document.len().saturating_add(changes.len()));
    let mut finding = budget();
    let mut root = Node::Kept(Json::document(document, &mut finding)?);
    let mut wire = Wire(changes);
    while !wire.is_empty() {
        DocumentChange::read(&mut wire, &mut finding)?.apply(&mut root, &mut finding)?;
    }
    Writer { form, out, budget: budget() }.node(&root, 0)
}

/// One change.
#[derive(Debug)]
enum DocumentChange<'a> {
    Replace(&'a str, Json<'a>),
    Insert(&'a str, Json<'a>),
    Remove(&'a str),
}

/// A value of a document that is being changed.
#[derive(Debug)]
enum Node<'a> {
    /// As the document, or a change, has it.
    Kept(Json<'a>),
    /// An object with other values for some keys; `None` for a key that is gone.
    Object(Container<'a>, BTreeMap<ObjectKey<'a>, Option<Self>>),
    /// An array as its elements in a row.
    Array(Container<'a>, Vec<Piece<'a>>),
}

/// Neighbours in an array.
#[derive(Debug)]
enum Piece<'a> {
    /// Elements of the document's array.
    Kept(Range<usize>),
    Changed(Node<'a>),
}

/// An object's key in the order of keys: by length, then by bytes.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ObjectKey<'a>(usize, Cow<'a, str>);

/// One step of a path.
#[derive(Debug)]
enum Leg<'a> {
    Member(Cow<'a, str>),
    Element(usize),
}

impl<'a> DocumentChange<'a> {
    fn read(wire: &mut Wire<'a>, budget: &mut Budget) -> Result<Self, ValueProblem> {
        let kind = wire.u8()?;
        let path = std::str::from_utf8(wire.length_encoded_bytes()?).map_err(|_| OTHER_DOCUMENT)?;
        if kind == REMOVE {
            return Ok(Self::Remove(path));
        }
        let value = Json::document(wire.length_encoded_bytes()?, budget)?;
        match kind {
            REPLACE => Ok(Self::Replace(path, value)),
            INSERT => Ok(Self::Insert(path, value)),
            _ => Err(ValueProblem::Json("an unknown kind of change")),
        }
    }

    fn apply(self, root: &mut Node<'a>, budget: &mut Budget) -> Result<(), ValueProblem> {
        let (Self::Replace(path, _) | Self::Insert(path, _) | Self::Remove(path)) = self;
        let mut rest = path.strip_prefix('$').ok_or(OTHER_DOCUMENT)?;
        let mut node = root;
        let Some(mut leg) = Leg::next(&mut rest)? else { return Err(OTHER_DOCUMENT) };
        while let Some(next) = Leg::next(&mut rest)? {
            node = node.child(leg, budget)?.ok_or(OTHER_DOCUMENT)?;
            leg = next;
        }
        match self {
            Self::Replace(_, value) => {
                *node.child(leg, budget)?.ok_or(OTHER_DOCUMENT)? = Node::Kept(value);
                Ok(())
            }
            Self::Insert(_, value) => node.insert(leg, value, budget),
            Self::Remove(_) => node.remove(leg, budget),
        }
    }
}

impl<'a> Leg<'a> {
    /// Takes the next step off a path: `[3]`, `.name` or `."na me"`.
    fn next(path: &mut &'a str) -> Result<Option<Self>, ValueProblem> {
        if let Some(rest) = path.strip_prefix('[') {
            let (number, rest) = rest.split_once(']').ok_or(OTHER_DOCUMENT)?;
            *path = rest;
            return Ok(Some(Self::Element(number.parse().map_err(|_| OTHER_DOCUMENT)?)));
        }
        let Some(rest) = path.strip_prefix('.') else {
            return if path.is_empty() { Ok(None) } else { Err(OTHER_DOCUMENT) };
        };
        let (is_quoted, end) = match rest.strip_prefix('"') {
            // Behind the quote that ends the name: one behind no backslash that counts.
            Some(name) => {
                let mut is_escaped = false;
                let end = name.bytes().position(|byte| {
                    let is_end = byte == b'"' && !is_escaped;
                    is_escaped = byte == b'\\' && !is_escaped;
                    is_end
                });
                (true, end.ok_or(OTHER_DOCUMENT)? + 2)
            }
            None => (false, rest.find(['.', '[']).unwrap_or(rest.len())),
        };
        let (name, rest) = rest.split_at_checked(end).ok_or(OTHER_DOCUMENT)?;
        *path = rest;
        let name = if is_quoted {
            // The server quotes names as JSON does.
            Cow::Owned(serde_json::from_str(name).map_err(|_| OTHER_DOCUMENT)?)
        } else {
            Cow::Borrowed(name)
        };
        Ok(Some(Self::Member(name)))
    }
}

impl<'a> Node<'a> {
    /// Where a leg leads to, `None` for nowhere.
    fn child(
        &mut self,
        leg: Leg<'a>,
        budget: &mut Budget,
    ) -> Result<Option<&mut Self>, ValueProblem> {
        self.open();
        match (self, leg) {
            (Self::Object(object, changes), Leg::Member(name)) => {
                let key = ObjectKey::new(name);
                if !changes.contains_key(&key) {
                    let Some(index) = find(object, &key)? else { return Ok(None) };
                    let value = object.value(index, budget)?;
                    return Ok(changes.entry(key).or_insert(Some(Self::Kept(value))).as_mut());
                }
                Ok(changes.get_mut(&key).and_then(Option::as_mut))
            }
            (Self::Array(array, pieces), Leg::Element(index)) => {
                let at = split(pieces, index);
                if let Some(Piece::Kept(range)) = pieces.get_mut(at) {
                    let index = range.start;
                    range.start += 1;
                    let is_used_up = range.start >= range.end;
                    let value = Piece::Changed(Self::Kept(array.value(index, budget)?));
                    if is_used_up {
                        pieces.splice(at..=at, [value]);
                    } else {
                        pieces.insert(at, value);
                    }
                }
                match pieces.get_mut(at) {
                    Some(Piece::Changed(node)) => Ok(Some(node)),
                    _ => Ok(None),
                }
            }
            _ => Ok(None),
        }
    }

    fn insert(
        &mut self,
        leg: Leg<'a>,
        value: Json<'a>,
        budget: &mut Budget,
    ) -> Result<(), ValueProblem> {
        let value = Self::Kept(value);
        match leg {
            Leg::Member(ref name) => {
                let name = name.clone();
                if self.child(leg, budget)?.is_some() {
                    return Err(OTHER_DOCUMENT);
                }
                let Self::Object(_, changes) = self else { return Err(OTHER_DOCUMENT) };
                changes.insert(ObjectKey::new(name), Some(value));
            }
            Leg::Element(index) => {
                self.open();
                let Self::Array(_, pieces) = self else { return Err(OTHER_DOCUMENT) };
                // Behind the end is at the end.
                let at = split(pieces, index);
                pieces.insert(at, Piece::Changed(value));
            }
        }
        Ok(())
    }

    fn remove(&mut self, leg: Leg<'a>, budget: &mut Budget) -> Result<(), ValueProblem> {
        match leg {
            Leg::Member(ref name) => {
                let name = name.clone();
                self.child(leg, budget)?.ok_or(OTHER_DOCUMENT)?;
                let Self::Object(_, changes) = self else { return Err(OTHER_DOCUMENT) };
                changes.insert(ObjectKey::new(name), None);
            }
            Leg::Element(index) => {
                self.child(Leg::Element(index), budget)?.ok_or(OTHER_DOCUMENT)?;
                let Self::Array(_, pieces) = self else { return Err(OTHER_DOCUMENT) };
                let at = split(pieces, index);
                pieces.remove(at);
            }
        }
        Ok(())
    }

    /// Makes an array or object that is as it was one that can change.
    fn open(&mut self) {
        if let Self::Kept(Json::Container(container)) = *self {
            *self = if container.is_object {
                Self::Object(container, BTreeMap::new())
            } else {
                Self::Array(container, vec![Piece::Kept(0..container.count())])
            };
        }
    }
}

/// The place of the piece that begins with this element of an array, which may be one behind the
/// last.
fn split(pieces: &mut Vec<Piece<'_>>, element: usize) -> usize {
    let mut before = element;
    for (at, piece) in pieces.iter_mut().enumerate() {
        let length = piece.length();
        if before == 0 && length > 0 {
            return at;
        }
        if let Piece::Kept(range) = piece
            && before < length
        {
            let middle = range.start + before;
            let behind = Piece::Kept(middle..range.end);
            range.end = middle;
            pieces.insert(at + 1, behind);
            return at + 1;
        }
        before -= length.min(before);
    }
    pieces.len()
}

impl Piece<'_> {
    fn length(&self) -> usize {
        match self {
            Self::Kept(range) => range.len(),
            Self::Changed(_) => 1,
        }
    }
}

impl<'a> ObjectKey<'a> {
    fn new(name: Cow<'a, str>) -> Self {
        Self(name.len(), name)
    }
}

/// The place of a key in an object; an object's keys are sorted.
fn find(object: &Container<'_>, key: &ObjectKey<'_>) -> Result<Option<usize>, ValueProblem> {
    let wanted = (key.0, key.1.as_bytes());
    let (mut start, mut end) = (0, object.count());
    while start < end {
        let middle = start + (end - start) / 2;
        let found = object.key_bytes(middle)?;
        match (found.len(), found).cmp(&wanted) {
            std::cmp::Ordering::Less => start = middle + 1,
            std::cmp::Ordering::Equal => return Ok(Some(middle)),
            std::cmp::Ordering::Greater => end = middle,
        }
    }
    Ok(None)
}

impl Writer<'_> {
    /// Writes a value inside of so many arrays and objects.
    fn node(&mut self, node: &Node<'_>, depth: usize) -> Result<(), ValueProblem> {
        match node {
            Node::Kept(value) => self.value(*value, depth)?,
            Node::Object(object, changes) => self.changed_object(object, changes, depth)?,
            Node::Array(array, pieces) => {
                self.open(false, depth)?;
                let mut written = 0;
                for piece in pieces {
                    let elements =
                        if let Piece::Kept(range) = piece { range.clone() } else { 0..1 };
                    for index in elements {
                        self.separate(written);
                        written += 1;
                        match piece {
                            Piece::Kept(_) => {
                                let value = array.value(index, &mut self.budget)?;
                                self.value(value, depth + 1)?;
                            }
                            Piece::Changed(node) => self.node(node, depth + 1)?,
                        }
                    }
                }
                self.close(false);
            }
        }
        Ok(())
    }

    /// Writes an object's keys, the old ones and the new ones, in their order.
    fn changed_object(
        &mut self,
        object: &Container<'_>,
        changes: &BTreeMap<ObjectKey<'_>, Option<Node<'_>>>,
        depth: usize,
    ) -> Result<(), ValueProblem> {
        self.open(true, depth)?;
        let mut changes = changes.iter().peekable();
        let (mut written, mut index) = (0, 0);
        loop {
            let old = if index < object.count() {
                let key = object.key(index, &mut self.budget)?;
                Some((key.len(), key))
            } else {
                None
            };
            // The changes up to the old key; one of the same key takes its place.
            let mut is_kept = old.is_some();
            while let Some((key, node)) =
                changes.next_if(|(key, _)| old.is_none_or(|old| (key.0, key.1.as_ref()) <= old))
            {
                is_kept &= old.is_none_or(|old| (key.0, key.1.as_ref()) != old);
                if let Some(node) = node {
                    self.separate(written);
                    written += 1;
                    self.key(&key.1);
                    self.node(node, depth + 1)?;
                }
            }
            let Some((_, key)) = old else { break };
            if is_kept {
                self.separate(written);
                written += 1;
                self.key(key);
                let value = object.value(index, &mut self.budget)?;
                self.value(value, depth + 1)?;
            }
            index += 1;
        }
        self.close(true);
        Ok(())
    }
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
