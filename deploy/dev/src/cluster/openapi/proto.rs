//! The protobuf form of an OpenAPI v2 document, which kubectl insists on.
//!
//! Field numbers are those of `openapi.v2` (OpenAPIv2.proto of gnostic). Only definitions are written, and of a
//! schema only what `kubectl explain` and its validation read.

use serde_json::{Map, Value};

/// A whole document.
pub(super) fn document(definitions: &Map<String, Value>) -> Vec<u8> {
    let mut out = Writer::default();
    out.text(1, "2.0");
    out.message(2, |info| {
        info.text(1, "Kubernetes");
        info.text(2, "v1.33.0");
    });
    out.message(8, |_| {});
    out.message(9, |all| {
        for (name, schema) in definitions {
            all.message(1, |named| {
                named.text(1, name);
                named.message(2, |s| write_schema(s, schema, 0));
            });
        }
    });
    out.bytes
}

/// `Schema`: `$ref` 1, format 2, description 4, required 19, additionalProperties 21, type 22, items 23,
/// allOf 24, properties 25, vendor extensions 31.
fn write_schema(out: &mut Writer, schema: &Value, depth: usize) {
    let text = |key: &str| schema.get(key).and_then(Value::as_str);
    if let Some(target) = reference(schema) {
        out.text(1, &target);
        return;
    }
    if depth > 64 {
        return;
    }
    out.optional(2, text("format"));
    out.optional(4, text("description"));
    for field in super::super::store::object::strings(schema.get("required")) {
        out.text(19, field);
    }
    match schema.get("additionalProperties") {
        Some(inner @ Value::Object(_)) => {
            out.message(21, |item| item.message(1, |s| write_schema(s, inner, depth + 1)))
        }
        Some(Value::Bool(true)) => out.message(21, |item| item.flag(2)),
        _ => {}
    }
    // What may be a number or text is shown, and checked by kubectl, as text.
    let int_or_string = schema.get("x-kubernetes-int-or-string").and_then(Value::as_bool) == Some(true);
    let kind = if int_or_string { Some("string") } else { text("type") };
    if let Some(kind) = kind {
        out.message(22, |t| t.text(1, kind));
    }
    if int_or_string && text("format").is_none() {
        out.text(2, "int-or-string");
    }
    if let Some(items) = schema.get("items") {
        out.message(23, |i| i.message(1, |s| write_schema(s, items, depth + 1)));
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        out.message(25, |all| {
            for (name, schema) in properties {
                all.message(1, |named| {
                    named.text(1, name);
                    named.message(2, |s| write_schema(s, schema, depth + 1));
                });
            }
        });
    }
    for (key, value) in
        schema.as_object().into_iter().flatten().filter(|(k, _)| k.starts_with("x-kubernetes-"))
    {
        out.message(31, |named| {
            named.text(1, key);
            // `Any.yaml`; JSON is YAML.
            named.message(2, |any| any.text(2, &value.to_string()));
        });
    }
}

/// A reference, alone or as the only part of `allOf`.
fn reference(schema: &Value) -> Option<String> {
    let alone =
        schema.get("$ref").or_else(|| match schema.get("allOf").and_then(Value::as_array)?.as_slice() {
            [only] => only.get("$ref"),
            _ => None,
        });
    let name = alone.and_then(Value::as_str)?.rsplit('/').next()?;
    Some(format!("#/definitions/{name}"))
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    fn chunk(&mut self, field: u64, content: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(content.len() as u64);
        self.bytes.extend_from_slice(content);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.chunk(field, text.as_bytes());
    }

    fn optional(&mut self, field: u64, text: Option<&str>) {
        if let Some(text) = text {
            self.text(field, text);
        }
    }

    fn flag(&mut self, field: u64) {
        self.varint(field << 3);
        self.varint(1);
    }

    fn message(&mut self, field: u64, fill: impl FnOnce(&mut Writer)) {
        let mut inner = Writer::default();
        fill(&mut inner);
        self.chunk(field, &inner.bytes);
    }
}
