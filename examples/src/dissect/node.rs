//! What a decoder found: a tree of named fields, the same for text and JSON.

use std::borrow::Cow;

use serde_json::{Map, Value as Json, json};

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Only a name with children.
    None,
    /// A number.
    Number(u64),
    /// Octets, shown in hex.
    Bytes(Vec<u8>),
    /// An address, a name, a text.
    Text(String),
    /// Yes or no.
    Flag(bool),
}

/// A field by its RFC name, with what its number means and what is inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The field's name in its RFC.
    pub name: Cow<'static, str>,
    /// Its value.
    pub value: Value,
    /// What the number stands for in its registry.
    pub meaning: Option<String>,
    /// Fields inside this one.
    pub children: Vec<Node>,
}

impl Node {
    /// A group of fields.
    pub fn group(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            value: Value::None,
            meaning: None,
            children: Vec::new(),
        }
    }

    fn leaf(name: impl Into<Cow<'static, str>>, value: Value) -> Self {
        Self {
            value,
            ..Self::group(name)
        }
    }

    /// A number.
    pub fn number(name: impl Into<Cow<'static, str>>, value: impl Into<u64>) -> Self {
        Self::leaf(name, Value::Number(value.into()))
    }

    /// A number of things.
    pub fn count(name: impl Into<Cow<'static, str>>, value: usize) -> Self {
        Self::number(name, u64::try_from(value).unwrap_or(u64::MAX))
    }

    /// A number with its name in the registry.
    pub fn named(
        name: impl Into<Cow<'static, str>>,
        value: impl Into<u64>,
        meaning: Option<impl Into<String>>,
    ) -> Self {
        Self {
            meaning: meaning.map(Into::into),
            ..Self::number(name, value)
        }
    }

    /// Octets.
    pub fn bytes(name: impl Into<Cow<'static, str>>, value: &[u8]) -> Self {
        Self::leaf(name, Value::Bytes(value.to_vec()))
    }

    /// A text.
    pub fn text(name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        Self::leaf(name, Value::Text(value.into()))
    }

    /// Yes or no.
    pub fn flag(name: impl Into<Cow<'static, str>>, value: bool) -> Self {
        Self::leaf(name, Value::Flag(value))
    }

    /// With a meaning.
    #[must_use]
    pub fn meaning(mut self, meaning: impl Into<String>) -> Self {
        self.meaning = Some(meaning.into());
        self
    }

    /// With a meaning where there is one.
    #[must_use]
    pub fn meaning_of(self, meaning: Option<impl Into<String>>) -> Self {
        match meaning {
            Some(meaning) => self.meaning(meaning),
            None => self,
        }
    }

    /// With one more child.
    #[must_use]
    pub fn with(mut self, child: Node) -> Self {
        self.children.push(child);
        self
    }

    /// Adds a child.
    pub fn push(&mut self, child: Node) {
        self.children.push(child);
    }

    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|child| child.name == name)
    }

    /// As JSON. A bare value where nothing else is known; otherwise an object, in which fields
    /// that occur more than once become a list.
    pub fn to_json(&self) -> Json {
        let bare = match &self.value {
            Value::None => None,
            Value::Number(number) => Some(json!(number)),
            Value::Bytes(bytes) => Some(json!(hex::encode(bytes))),
            Value::Text(text) => Some(json!(text)),
            Value::Flag(flag) => Some(json!(flag)),
        };
        if self.children.is_empty() && self.meaning.is_none() {
            return bare.unwrap_or_else(|| Json::Object(Map::new()));
        }
        let mut object = Map::new();
        if let Some(bare) = bare {
            object.insert("value".into(), bare);
        }
        if let Some(meaning) = &self.meaning {
            object.insert("name".into(), json!(meaning));
        }
        for child in &self.children {
            let value = child.to_json();
            match object.get_mut(child.name.as_ref()) {
                None => {
                    object.insert(child.name.to_string(), value);
                }
                Some(Json::Array(list)) => list.push(value),
                Some(first) => {
                    let first = std::mem::take(first);
                    object.insert(child.name.to_string(), Json::Array(vec![first, value]));
                }
            }
        }
        Json::Object(object)
    }

    /// As indented lines.
    pub fn to_text(&self, depth: usize, out: &mut String) {
        out.push_str(&"  ".repeat(depth));
        out.push_str(&self.name);
        let value = match &self.value {
            Value::None => String::new(),
            Value::Number(number) => number.to_string(),
            Value::Bytes(bytes) => abbreviated(bytes),
            Value::Text(text) => text.clone(),
            Value::Flag(flag) => if *flag { "yes" } else { "no" }.into(),
        };
        match (&self.meaning, value.is_empty()) {
            (None, true) => {}
            (None, false) => out.push_str(&format!(": {value}")),
            (Some(meaning), true) => out.push_str(&format!(": {meaning}")),
            (Some(meaning), false) => out.push_str(&format!(": {meaning} ({value})")),
        }
        out.push('\n');
        for child in &self.children {
            child.to_text(depth.saturating_add(1), out);
        }
    }
}

fn abbreviated(bytes: &[u8]) -> String {
    const SHOWN: usize = 32;
    match bytes.split_at_checked(SHOWN) {
        Some((head, rest)) if !rest.is_empty() => {
            format!("{}… ({} octets)", hex::encode(head), bytes.len())
        }
        _ => hex::encode(bytes),
    }
}
