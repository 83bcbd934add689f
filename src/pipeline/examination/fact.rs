//! Something that an end says of itself.

use serde_json::Value;

/// Something that is worth to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its name, in words.
    pub name: &'static str,
    /// Its value, as it is printed.
    pub text: String,
    /// Its value for programs.
    pub value: Value,
}

impl Fact {
    pub(super) fn new(name: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { name, value: Value::from(text.as_str()), text }
    }

    pub(super) fn with_value(
        name: &'static str,
        text: impl Into<String>,
        value: impl Into<Value>,
    ) -> Self {
        Self { name, text: text.into(), value: value.into() }
    }
}
