//! Request bodies in the protobuf form of the Kubernetes API, which kubectl's `create`, `auth` and `drain` send.
//!
//! A body is `k8s\0` and a `runtime.Unknown` that names the kind; its fields are numbered by the published types
//! (`fields.txt`). Fields without an entry there are passed over, so a field that is newer than the table is
//! lost; answers are always JSON, which those clients accept.
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding>

mod wire;

use std::collections::HashMap;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use self::wire::{Item, items, only_text, only_varint};
use crate::cluster::status::Status;
use crate::cluster::time;

const MAGIC: &[u8] = b"k8s\0";
/// Messages nest no deeper than this.
const DEEPEST: usize = 32;

/// The content type.
pub(super) const CONTENT_TYPE: &str = "application/vnd.kubernetes.protobuf";

struct Field {
    name: &'static str,
    number: u64,
    kind: &'static str,
    repeated: bool,
    map: bool,
    /// A zero value was set on purpose.
    explicit: bool,
}

#[derive(Default)]
struct Tables {
    roots: HashMap<(&'static str, &'static str), &'static str>,
    messages: HashMap<&'static str, Vec<Field>>,
}

fn tables() -> &'static Tables {
    static TABLES: LazyLock<Tables> = LazyLock::new(|| read(include_str!("fields.txt")));
    &TABLES
}

fn read(text: &'static str) -> Tables {
    let mut tables = Tables::default();
    let mut current = "";
    for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let mut words = line.split_whitespace();
        if let Some((left, message)) = line.split_once(" = ") {
            if let Some((version, kind)) = left.split_once(' ') {
                tables.roots.insert((version, kind), message);
            }
            continue;
        }
        if !line.starts_with(' ') {
            current = words.next().unwrap_or("");
        }
        tables.messages.entry(current).or_default().extend(words.filter_map(field));
    }
    tables
}

fn field(word: &'static str) -> Option<Field> {
    let mut parts = word.split(':');
    let (name, number, kind) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
    let explicit = kind.ends_with('!');
    let kind = kind.trim_end_matches('!');
    let repeated = kind.starts_with("[]");
    let map = kind.starts_with("{}");
    let kind = kind.trim_start_matches("[]").trim_start_matches("{}");
    Some(Field { name, number, kind, repeated, map, explicit })
}

/// The object in a body.
pub(super) fn decode(bytes: &[u8]) -> Result<Value, Status> {
    let wrong = || Status::bad_request("the body is not a Kubernetes protobuf object");
    let unknown = bytes.strip_prefix(MAGIC).ok_or_else(wrong)?;
    let (mut version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for (number, item) in items(unknown).ok_or_else(wrong)? {
        match (number, item) {
            (1, Item::Bytes(meta)) => {
                version = only_text(meta, 1).ok_or_else(wrong)?;
                kind = only_text(meta, 2).ok_or_else(wrong)?;
            }
            (2, Item::Bytes(content)) => raw = content,
            _ => {}
        }
    }
    // Options of a deletion come under the version of what is deleted.
    let version_of = if kind == "DeleteOptions" { "v1" } else { &version };
    let message = tables().roots.get(&(version_of, kind.as_str())).ok_or_else(|| {
        Status::bad_request(format!(
            "{kind} in version \"{version}\" is not understood as protobuf; send JSON"
        ))
    })?;
    let mut object = decode_message(message, raw, 0).ok_or_else(wrong)?;
    object.insert("apiVersion".into(), version.into());
    object.insert("kind".into(), kind.into());
    Ok(Value::Object(object))
}

fn decode_message(name: &str, bytes: &[u8], depth: usize) -> Option<Map<String, Value>> {
    if depth > DEEPEST {
        return None;
    }
    let fields = tables().messages.get(name).map_or(&[][..], Vec::as_slice);
    let mut out = Map::new();
    for (number, item) in items(bytes)? {
        let Some(field) = fields.iter().find(|f| f.number == number) else { continue };
        if field.name == "^" {
            if let Item::Bytes(inner) = item {
                out.append(&mut decode_message(field.kind, inner, depth + 1)?);
            }
        } else if field.map {
            let Item::Bytes(entry) = item else { return None };
            let key = only_text(entry, 1)?;
            let value = items(entry)?.into_iter().find(|(n, _)| *n == 2).map(|(_, item)| item);
            let value = decode_value(field.kind, value.unwrap_or(Item::Bytes(&[])), depth)?;
            if let Value::Object(map) = out.entry(field.name).or_insert_with(|| json!({})) {
                map.insert(key, value);
            }
        } else if field.repeated {
            let value = decode_value(field.kind, item, depth)?;
            if let Value::Array(list) = out.entry(field.name).or_insert_with(|| json!([])) {
                list.push(value);
            }
        } else {
            let value = decode_value(field.kind, item, depth)?;
            if !value.is_null() && (field.explicit || !is_zero(&value)) {
                out.insert(field.name.to_owned(), value);
            }
        }
    }
    Some(out)
}

fn decode_value(kind: &str, item: Item<'_>, depth: usize) -> Option<Value> {
    match (kind, item) {
        ("i", Item::Varint(n)) => Some(n.cast_signed().into()),
        ("b", Item::Varint(n)) => Some((n != 0).into()),
        ("s", Item::Bytes(b)) => Some(String::from_utf8(b.to_vec()).ok()?.into()),
        ("y", Item::Bytes(b)) => Some(STANDARD.encode(b).into()),
        ("q", Item::Bytes(b)) => Some(only_text(b, 1)?.into()),
        ("x", Item::Bytes(b)) => match only_varint(b, 1)? {
            1 => Some(only_text(b, 3)?.into()),
            _ => Some(only_varint(b, 2)?.cast_signed().into()),
        },
        ("t", Item::Bytes(b)) => {
            let (seconds, nanos) = (only_varint(b, 1)?.cast_signed(), only_varint(b, 2)?);
            if b.is_empty() {
                return Some(Value::Null);
            }
            let at = Timestamp::new(seconds, i32::try_from(nanos).ok()?).ok()?;
            Some(if nanos == 0 { time::seconds(at) } else { time::micros(at) }.into())
        }
        ("r", Item::Bytes(b)) => {
            let raw = items(b)?.into_iter().find(|(n, _)| *n == 1);
            match raw {
                Some((_, Item::Bytes(json))) => serde_json::from_slice(json).ok(),
                _ => Some(Value::Null),
            }
        }
        ("e", Item::Bytes(b)) => {
            let texts = items(b)?.into_iter().map(|(_, item)| decode_value("s", item, depth));
            texts.collect::<Option<Vec<Value>>>().map(Value::Array)
        }
        (name, Item::Bytes(b)) => decode_message(name, b, depth + 1).map(Value::Object),
        _ => None,
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::Number(n) => n.as_i64() == Some(0),
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One field: number, then text or a nested message.
    fn chunk(number: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(content.len()).unwrap()];
        out.extend_from_slice(content);
        out
    }

    fn body(version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [chunk(1, version.as_bytes()), chunk(2, kind.as_bytes())].concat();
        [b"k8s\0".to_vec(), chunk(1, &meta), chunk(2, raw)].concat()
    }

    #[test]
    fn a_config_map_is_read_and_unset_fields_stay_unset() {
        let metadata = [chunk(1, b"settings"), chunk(2, b""), chunk(8, b"")].concat();
        let entry = [chunk(1, b"key"), chunk(2, b"value")].concat();
        let raw = [chunk(1, &metadata), chunk(2, &entry)].concat();
        let object = decode(&body("v1", "ConfigMap", &raw)).unwrap();
        let expected = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"key": "value"},
        });
        assert_eq!(object, expected);
    }

    #[test]
    fn a_zero_that_was_set_is_kept() {
        let spec = [0x08, 0x00]; // replicas: 0
        let object = decode(&body("apps/v1", "Deployment", &chunk(2, &spec))).unwrap();
        assert_eq!(object["spec"], json!({"replicas": 0}));
    }

    #[test]
    fn what_is_cut_short_or_unknown_is_refused() {
        let whole = body("v1", "ConfigMap", &chunk(1, &chunk(1, b"settings")));
        for end in 0..whole.len() {
            let _ = decode(&whole[..end]);
        }
        assert!(decode(b"k8s\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff").is_err());
        assert!(decode(&body("v1", "Nothing", b"")).is_err());
    }

    #[test]
    fn every_message_of_the_table_is_defined() {
        let tables = tables();
        let single = |kind: &str| matches!(kind, "s" | "i" | "b" | "y" | "t" | "q" | "x" | "r" | "e");
        for field in tables.messages.values().flatten().filter(|f| !single(f.kind)) {
            assert!(tables.messages.contains_key(field.kind), "{}", field.kind);
        }
        assert!(tables.roots.values().all(|m| tables.messages.contains_key(m)));
    }
}
