//! Kinds that a CustomResourceDefinition adds.
//!
//! Versions share one stored form and differ in `apiVersion` alone (conversion strategy `None`).

use std::sync::Arc;

use serde_json::Value;

use super::{ALL_VERBS, Kind, Subresource};
use crate::cluster::schema::Schema;
use crate::cluster::store::{ResourceId, object};

/// What only custom resources have.
#[derive(Clone, Debug)]
pub(crate) struct Custom {
    /// Columns of the table beyond the name.
    pub columns: Vec<Column>,
    /// Is this the version that is stored?
    pub storage: bool,
}

/// `additionalPrinterColumns`.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub name: String,
    pub kind: String,
    pub format: String,
    pub description: String,
    pub priority: i64,
    pub json_path: String,
}

/// The served versions, the storage version first; none when the names were not accepted.
pub(crate) fn kinds(definition: &Value) -> Vec<Kind> {
    if !is_established(definition) {
        return Vec::new();
    }
    let spec = definition.get("spec").unwrap_or(&Value::Null);
    let versions = spec.get("versions").and_then(Value::as_array);
    let mut kinds: Vec<Kind> = versions
        .into_iter()
        .flatten()
        .filter(|v| v.get("served").and_then(Value::as_bool).unwrap_or(false))
        .filter_map(|v| kind(spec, v))
        .collect();
    kinds.sort_by_key(|k| !k.custom.as_ref().is_some_and(|c| c.storage));
    kinds
}

/// Condition `Established` is true.
pub(crate) fn is_established(definition: &Value) -> bool {
    let conditions = definition.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|c| {
        c.get("type").and_then(Value::as_str) == Some("Established")
            && c.get("status").and_then(Value::as_str) == Some("True")
    })
}

fn kind(spec: &Value, version: &Value) -> Option<Kind> {
    let text =
        |key: &str| spec.pointer(&format!("/names/{key}")).and_then(Value::as_str).unwrap_or("").to_owned();
    let list = |key: &str| {
        object::strings(spec.pointer(&format!("/names/{key}"))).into_iter().map(str::to_owned).collect()
    };
    let or = |given: String, usual: String| if given.is_empty() { usual } else { given };
    let mut subresources = Vec::new();
    if version.pointer("/subresources/status").is_some_and(Value::is_object) {
        subresources.push(Subresource { name: "status", kind: None, verbs: &["get", "patch", "update"] });
    }
    let custom = Custom {
        columns: columns(version),
        storage: version.get("storage").and_then(Value::as_bool).unwrap_or(false),
    };
    Some(Kind {
        id: ResourceId::named(spec.get("group")?.as_str()?, text("plural")),
        version: version.get("name")?.as_str()?.to_owned(),
        list_kind: or(text("listKind"), text("kind") + "List"),
        singular: or(text("singular"), text("kind").to_lowercase()),
        kind: text("kind"),
        short_names: list("shortNames"),
        categories: list("categories"),
        namespaced: spec.get("scope").and_then(Value::as_str) == Some("Namespaced"),
        verbs: ALL_VERBS.to_vec(),
        subresources,
        schema: version.pointer("/schema/openAPIV3Schema").map(|s| Arc::new(Schema::structural(s.clone()))),
        custom: Some(Arc::new(custom)),
    })
}

fn columns(version: &Value) -> Vec<Column> {
    let given = version.get("additionalPrinterColumns").and_then(Value::as_array);
    let text = |c: &Value, key: &str| c.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    let mut columns: Vec<Column> = given
        .into_iter()
        .flatten()
        .map(|c| Column {
            name: text(c, "name"),
            kind: text(c, "type"),
            format: text(c, "format"),
            description: text(c, "description"),
            priority: c.get("priority").and_then(Value::as_i64).unwrap_or(0),
            json_path: text(c, "jsonPath"),
        })
        .collect();
    if columns.is_empty() {
        columns.push(Column {
            name: "Age".into(),
            kind: "date".into(),
            format: String::new(),
            description:
                "CreationTimestamp is a timestamp representing the server time when this object was created."
                    .into(),
            priority: 0,
            json_path: ".metadata.creationTimestamp".into(),
        });
    }
    columns
}
