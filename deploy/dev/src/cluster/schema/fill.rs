//! Pruning and defaulting.

use serde_json::{Map, Value};

use super::{DEEPEST, Schema, flag};

/// `metadata`, `apiVersion` and `kind` belong to every object whether its schema names them or not.
fn is_envelope(depth: usize, key: &str) -> bool {
    depth == 0 && matches!(key, "apiVersion" | "kind" | "metadata")
}

pub(super) fn prune(
    of: &Schema,
    schema: &Value,
    value: &mut Value,
    path: &str,
    depth: usize,
    gone: &mut Vec<String>,
) {
    if depth > DEEPEST {
        return;
    }
    let schema = of.resolve(schema);
    match value {
        Value::Object(map) => {
            if flag(schema, "x-kubernetes-embedded-resource")
                && flag(schema, "x-kubernetes-preserve-unknown-fields")
            {
                return;
            }
            prune_map(of, schema, map, path, depth, gone);
        }
        Value::Array(items) => {
            let Some(item) = schema.get("items") else { return };
            for (i, value) in items.iter_mut().enumerate() {
                prune(of, item, value, &format!("{path}[{i}]"), depth + 1, gone);
            }
        }
        _ => {}
    }
}

fn prune_map(
    of: &Schema,
    schema: &Value,
    map: &mut Map<String, Value>,
    path: &str,
    depth: usize,
    gone: &mut Vec<String>,
) {
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    let properties = schema.get("properties").and_then(Value::as_object);
    let additional = schema.get("additionalProperties");
    let anything = flag(schema, "x-kubernetes-preserve-unknown-fields")
        || additional == Some(&Value::Bool(true))
        || (of.builtin && properties.is_none() && additional.is_none());
    let mut drop = Vec::new();
    for (key, value) in map.iter_mut() {
        let known = properties.and_then(|p| p.get(key));
        if of.builtin && value.is_null() {
            drop.push((key.clone(), known.is_none() && !anything));
        } else if let Some(schema) = known {
            if of.builtin || !is_envelope(depth, key) {
                prune(of, schema, value, &join(key), depth + 1, gone);
            }
        } else if let Some(schema) = additional.filter(|a| a.is_object()) {
            prune(of, schema, value, &join(key), depth + 1, gone);
        } else if !anything && !is_envelope(depth, key) {
            drop.push((key.clone(), true));
        }
    }
    for (key, unknown) in drop {
        map.remove(&key);
        if unknown {
            gone.push(join(&key));
        }
    }
}

pub(super) fn defaults(of: &Schema, schema: &Value, value: &mut Value, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    let schema = of.resolve(schema);
    match value {
        Value::Object(map) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            for (key, property) in properties.into_iter().flatten() {
                if is_envelope(depth, key) {
                    continue;
                }
                let default = property.get("default");
                let absent = map.get(key).is_none_or(|v| v.is_null() && !flag(property, "nullable"));
                if let Some(default) = default.filter(|_| absent) {
                    map.insert(key.clone(), default.clone());
                }
                if let Some(value) = map.get_mut(key) {
                    defaults(of, property, value, depth + 1);
                }
            }
            if let Some(additional) = schema.get("additionalProperties").filter(|a| a.is_object()) {
                let named = |key: &String| properties.is_some_and(|p| p.contains_key(key));
                for (_, value) in map.iter_mut().filter(|(key, _)| !named(key)) {
                    defaults(of, additional, value, depth + 1);
                }
            }
        }
        Value::Array(items) => {
            if let Some(item) = schema.get("items") {
                items.iter_mut().for_each(|value| defaults(of, item, value, depth + 1));
            }
        }
        _ => {}
    }
}
