//! YAML as a tree in which every piece knows where it stands.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

/// Line and column, from 1; both 0 where it is the file as a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        Self { line: location.line(), column: location.column() }
    }
}

/// A piece of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub value: Value,
}

/// What a piece is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Fields, in their order.
    Map(Vec<Field>),
    /// Items.
    List(Vec<Node>),
    /// Text, a number, true, false or nothing.
    Scalar(serde_json::Value),
}

/// A field of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// What it is called.
    pub name: String,
    /// Where the name stands.
    pub place: Place,
    /// What it says.
    pub node: Node,
}

impl Node {
    /// The field of that name.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(fields) => fields.iter().find(|field| field.name == key).map(|field| &field.node),
            _ => None,
        }
    }

    /// It as text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(value) => value.as_str(),
            _ => None,
        }
    }

    /// Whether nothing stands there.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(serde_json::Value::Null))
    }

    /// What a path such as `spec.deny[1].if` leads to, or the last piece on the way that is there.
    #[must_use]
    pub fn nearest(&self, path: &str) -> &Self {
        let mut here = self;
        for step in path.split('.') {
            let (name, index) = step.split_once('[').unwrap_or((step, ""));
            let Some(next) = here.get(name) else { return here };
            here = next;
            if let (Ok(index), Value::List(items)) =
                (index.trim_end_matches(']').parse::<usize>(), &here.value)
                && let Some(item) = items.get(index)
            {
                here = item;
            }
        }
        here
    }

    /// It without places.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Map(fields) => {
                fields.iter().map(|field| (field.name.clone(), field.node.to_json())).collect()
            }
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Scalar(value) => value.clone(),
        }
    }
}

/// All documents of a text, or where and why it is not YAML.
pub(super) fn read(text: &str) -> Result<Vec<Node>, (Place, String)> {
    match serde_saphyr::from_multiple::<Spanned<Value>>(text) {
        Ok(documents) => Ok(documents.into_iter().map(node).collect()),
        Err(error) => {
            let place = error.location().map(Place::from).unwrap_or_default();
            // The first line says it; what follows draws the place, which is known.
            let what = error.without_snippet().to_string();
            Err((place, what.lines().next().unwrap_or_default().to_owned()))
        }
    }
}

fn node(spanned: Spanned<Value>) -> Node {
    Node { place: spanned.referenced.into(), value: spanned.value }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Vec::new();
        while let Some((name, value)) = map.next_entry::<Spanned<String>, Spanned<Value>>()? {
            fields.push(Field { name: name.value, place: name.referenced.into(), node: node(value) });
        }
        Ok(Value::Map(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element::<Spanned<Value>>()? {
            items.push(node(item));
        }
        Ok(Value::List(items))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Scalar(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Scalar(serde_json::Value::Null))
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Scalar(serde_json::Value::Null))
    }
}
