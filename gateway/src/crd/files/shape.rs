//! Whether a document has the shape that a JSON Schema says: no unknown field, none missing, every type right. Only
//! the words of JSON Schema that our own schemas use are known; bounds are left to the parsers behind.

use sallyport_policy::nearest;
use serde_json::Value as Json;

use super::node::{Field, Node, Place, Value};

/// Finds everything that is wrong.
pub(super) fn check(node: &Node, schema: &Json, wrong: &mut Vec<(Place, String)>) {
    walk(node, schema, schema, "", wrong);
}

fn walk(node: &Node, schema: &Json, root: &Json, name: &str, wrong: &mut Vec<(Place, String)>) {
    let schema = resolved(schema, root);
    if node.is_null() && (schema["nullable"] == true || accepts(schema, "null")) {
        return;
    }
    if let Some(must) = schema.get("const").or_else(|| only(schema)) {
        if node.to_json() != *must {
            wrong.push((node.place, format!("`{name}` must be {must}")));
        }
        return;
    }
    if let Some(words) = schema.get("enum").and_then(Json::as_array) {
        if !words.contains(&node.to_json()) {
            let words: Vec<_> = words.iter().filter_map(Json::as_str).collect();
            wrong.push((node.place, format!("`{name}` must be one of {}", words.join(", "))));
        }
        return;
    }
    match &node.value {
        Value::Map(fields) if accepts(schema, "object") => {
            let properties = schema.get("properties").and_then(Json::as_object);
            let others = schema.get("additionalProperties").filter(|others| others.is_object());
            for Field { name: field, place, node: value } in fields {
                match properties.and_then(|properties| properties.get(field)).or(others) {
                    Some(schema) => walk(value, schema, root, field, wrong),
                    None if properties.is_none() => {}
                    None => {
                        let known = properties.into_iter().flatten().map(|(known, _)| known.as_str());
                        let near = nearest(field, known)
                            .map(|near| format!("; did you mean `{near}`?"))
                            .unwrap_or_default();
                        wrong.push((*place, format!("there is no field `{field}` here{near}")));
                    }
                }
            }
            let required = schema.get("required").and_then(Json::as_array).into_iter().flatten();
            for field in required.filter_map(Json::as_str) {
                if node.get(field).is_none() {
                    wrong.push((node.place, format!("`{field}` is missing")));
                }
            }
        }
        Value::List(items) if accepts(schema, "array") => {
            for item in items {
                walk(item, schema.get("items").unwrap_or(&Json::Null), root, name, wrong);
            }
        }
        Value::Scalar(value) if scalar(value, schema) => {}
        _ => {
            let what = schema.get("type").map_or_else(|| "something else".to_owned(), in_words);
            wrong.push((node.place, format!("`{name}` must be {what}")));
        }
    }
}

/// What a reference stands for.
fn resolved<'a>(schema: &'a Json, root: &'a Json) -> &'a Json {
    let by_reference =
        schema.get("$ref").and_then(Json::as_str).and_then(|reference| reference.strip_prefix('#'));
    let optional = schema
        .get("anyOf")
        .and_then(Json::as_array)
        .and_then(|any| any.iter().find(|one| one.get("$ref").is_some()));
    match (by_reference, optional) {
        (Some(pointer), _) => root.pointer(pointer).unwrap_or(schema),
        (None, Some(optional)) => resolved(optional, root),
        (None, None) => schema,
    }
}

/// The one word of an enumeration that has no other.
fn only(schema: &Json) -> Option<&Json> {
    match schema.get("enum").and_then(Json::as_array).map(Vec::as_slice) {
        Some([one]) => Some(one),
        _ => None,
    }
}

fn accepts(schema: &Json, kind: &str) -> bool {
    match schema.get("type") {
        None => true,
        Some(Json::String(one)) => one == kind,
        Some(Json::Array(several)) => several.iter().any(|one| one == kind),
        Some(_) => false,
    }
}

fn scalar(value: &Json, schema: &Json) -> bool {
    if schema["x-kubernetes-int-or-string"] == true {
        return value.is_string() || value.is_u64();
    }
    match value {
        Json::String(_) => accepts(schema, "string"),
        Json::Bool(_) => accepts(schema, "boolean"),
        Json::Number(number) => accepts(schema, "number") || (accepts(schema, "integer") && !number.is_f64()),
        _ => accepts(schema, "null"),
    }
}

fn in_words(kind: &Json) -> String {
    let one = |kind: &str| {
        match kind {
            "object" => "fields below it",
            "array" => "a list",
            "string" => "text; put it in quotes",
            "boolean" => "true or false",
            "integer" => "a whole number",
            "number" => "a number",
            _ => "empty",
        }
        .to_owned()
    };
    match kind {
        Json::Array(several) => several.iter().filter_map(Json::as_str).map(one).next().unwrap_or_default(),
        kind => one(kind.as_str().unwrap_or_default()),
    }
}
