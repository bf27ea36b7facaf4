//! OpenAPI, as much of it as kubectl reads: `explain`, validation before sending, and which fields exist.
//!
//! Paths are listed only where kubectl looks something up in them (the PATCH operation of each kind).

mod proto;

use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::catalog::{Catalog, Kind, builtin};

/// `/openapi/v3`: where the documents are.
pub(crate) fn index(catalog: &Catalog) -> Value {
    let mut paths = Map::new();
    for (group, versions) in catalog.groups() {
        for version in versions {
            let path =
                if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") };
            let hash = hash_of(catalog, &group, &version);
            let url = format!("/openapi/v3/{path}?hash={hash}");
            paths.insert(path, json!({"serverRelativeURL": url}));
        }
    }
    json!({"paths": paths})
}

/// Changes when the document does, so that clients may keep it. Built-in schemas change with the program only.
fn hash_of(catalog: &Catalog, group: &str, version: &str) -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new_with_prefix(env!("CARGO_PKG_VERSION"));
    for kind in catalog.all().iter().filter(|k| k.id.group() == group && k.version == version) {
        hash.update(&kind.kind);
        if let (Some(schema), Some(_)) = (&kind.schema, &kind.custom) {
            hash.update(schema.root().to_string());
        }
    }
    hash.finalize().iter().take(16).map(|b| format!("{b:02X}")).collect()
}

/// The document of one group and version.
pub(crate) fn group(catalog: &Catalog, group: &str, version: &str) -> Option<Value> {
    let all = catalog.all();
    let kinds: Vec<&Kind> =
        all.iter().map(AsRef::as_ref).filter(|k| k.id.group() == group && k.version == version).collect();
    if kinds.is_empty() {
        return None;
    }
    let mut schemas = Map::new();
    let mut paths = Map::new();
    for kind in kinds {
        let name = add_schema(kind, &mut schemas);
        paths.insert(path_of(kind), path_item(kind, &name));
    }
    rename_references(&mut schemas);
    Some(json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.33.0"},
        "paths": paths,
        "components": {"schemas": schemas},
    }))
}

/// `/openapi/v2`: one document with everything, as JSON or as the protobuf that kubectl asks for.
pub(crate) fn v2(catalog: &Catalog, headers: &HeaderMap) -> Response {
    let mut definitions = Map::new();
    let mut paths = Map::new();
    for kind in catalog.all() {
        let name = add_schema(&kind, &mut definitions);
        paths.insert(path_of(&kind), path_item(&kind, &name));
    }
    let accept = headers.get(http::header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or("");
    if accept.contains("protobuf") {
        let kind = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
        return ([(http::header::CONTENT_TYPE, kind)], proto::document(&definitions)).into_response();
    }
    for item in paths.values_mut() {
        // Version 2 has neither request bodies nor schemas of parameters in this form.
        *item = json!({});
    }
    let document = json!({
        "swagger": "2.0", "info": {"title": "Kubernetes", "version": "v1.33.0"}, "paths": paths, "definitions": definitions,
    });
    axum::Json(document).into_response()
}

fn path_of(kind: &Kind) -> String {
    let root =
        if kind.id.group().is_empty() { "/api".to_owned() } else { format!("/apis/{}", kind.id.group()) };
    let ns = if kind.namespaced { "/namespaces/{namespace}" } else { "" };
    format!("{root}/{}{ns}/{}/{{name}}", kind.version, kind.id.resource())
}

fn path_item(kind: &Kind, schema: &str) -> Value {
    let query =
        |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
    let gvk = json!({"group": kind.id.group(), "version": kind.version, "kind": kind.kind});
    let content = json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{schema}")}}});
    let operation = |action: &str| {
        json!({
            "operationId": format!("{action}{}", kind.kind),
            "parameters": [query("dryRun"), query("fieldManager"), query("fieldValidation"), query("force")],
            "responses": {"200": {"description": "OK", "content": content}},
            "x-kubernetes-action": action, "x-kubernetes-group-version-kind": gvk,
        })
    };
    json!({"get": operation("get"), "put": operation("put"), "patch": operation("patch")})
}

/// Adds the kind's schema and all it refers to; returns its name.
fn add_schema(kind: &Kind, into: &mut Map<String, Value>) -> String {
    let Some(schema) = &kind.schema else { return String::new() };
    let name = match schema.name() {
        "" => {
            let group: Vec<&str> = kind.id.group().rsplit('.').collect();
            format!("{}.{}.{}", group.join("."), kind.version, kind.kind)
        }
        name => name.to_owned(),
    };
    let mut root = schema.root().clone();
    if kind.custom.is_some() {
        complete_custom(&mut root);
    }
    collect(&root, into);
    if let Value::Object(map) = &mut root {
        let gvk = json!([{"group": kind.id.group(), "version": kind.version, "kind": kind.kind}]);
        map.insert("x-kubernetes-group-version-kind".into(), gvk);
    }
    into.insert(name.clone(), root);
    name
}

/// A custom resource's schema leaves out what every object has.
fn complete_custom(root: &mut Value) {
    let properties = super::store::object::child_mut(root, "properties");
    properties.insert("apiVersion".into(), json!({"type": "string", "description": "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values."}));
    properties.insert("kind".into(), json!({"type": "string", "description": "Kind is a string value representing the REST resource this object represents. Cannot be updated. In CamelCase."}));
    properties.insert(
        "metadata".into(),
        json!({
            "description": "Standard object's metadata.",
            "allOf": [{"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}],
        }),
    );
}

/// Adds every definition that `schema` refers to, directly or not.
fn collect(schema: &Value, into: &mut Map<String, Value>) {
    match schema {
        Value::Object(map) => {
            let target = map.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next());
            if let Some(name) = target.filter(|n| !into.contains_key(*n))
                && let Some(found) = builtin::definitions().get(name)
            {
                into.insert(name.to_owned(), found.clone());
                collect(found, into);
            }
            map.values().for_each(|v| collect(v, into));
        }
        Value::Array(items) => items.iter().for_each(|v| collect(v, into)),
        _ => {}
    }
}

/// Version 3 keeps schemas under another path, and a reference may not stand beside other words.
fn rename_references(schemas: &mut Map<String, Value>) {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(map) => {
                let target = map.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next());
                if let Some(new) = target.map(|name| format!("#/components/schemas/{name}")) {
                    map.remove("$ref");
                    if map.is_empty() {
                        map.insert("$ref".into(), new.into());
                    } else {
                        map.insert("allOf".into(), json!([{"$ref": new}]));
                    }
                    return;
                }
                map.values_mut().for_each(walk);
            }
            Value::Array(items) => items.iter_mut().for_each(walk),
            _ => {}
        }
    }
    schemas.values_mut().for_each(walk);
}
