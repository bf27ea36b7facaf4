//! `additionalPrinterColumns`: JSONPath expressions of a custom resource definition.

use jsonpath_rust::JsonPath;
use serde_json::{Value, json};

use super::age_of;
use crate::cluster::catalog::custom::Column;
use crate::cluster::store::object;

pub(super) fn table(columns: &[Column], objects: &[&Value]) -> (Vec<Value>, Vec<Vec<Value>>) {
    let mut definitions =
        vec![json!({"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0})];
    definitions.extend(columns.iter().map(|c| {
        json!({"name": c.name, "type": c.kind, "format": c.format, "description": c.description, "priority": c.priority})
    }));
    let row = |object: &&Value| {
        let mut cells = vec![Value::from(object::name(object))];
        cells.extend(columns.iter().map(|c| cell(c, object)));
        cells
    };
    (definitions, objects.iter().map(row).collect())
}

fn cell(column: &Column, object: &Value) -> Value {
    let path = column.json_path.trim_start_matches('.');
    let path = if path.starts_with('[') { format!("${path}") } else { format!("$.{path}") };
    let found: Vec<&Value> = object.query(&path).unwrap_or_default();
    let Some(first) = found.first().filter(|v| !v.is_null()) else { return Value::Null };
    match (column.kind.as_str(), first) {
        ("date", Value::String(text)) => age_of(text).into(),
        ("string", _) if found.len() > 1 => {
            found.iter().map(|v| plain(v)).collect::<Vec<_>>().join(",").into()
        }
        ("string", value) => plain(value).into(),
        ("integer", Value::Number(_)) | ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => {
            (*first).clone()
        }
        _ => Value::Null,
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
