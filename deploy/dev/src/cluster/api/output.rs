//! The form of an answer: plain objects, tables for people, or metadata alone.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};

use super::request::{header, param};
use super::table;
use crate::cluster::catalog::Kind;
use crate::cluster::status::Status;
use crate::cluster::store::object;

/// What the client asked for in `Accept`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Json,
    Table(table::Include),
    Metadata,
}

impl Output {
    /// The first form in `Accept` that this server can give.
    pub(super) fn of(headers: &HeaderMap, uri: &Uri) -> Result<Output, Status> {
        let accept = header(headers, "accept");
        if accept.is_empty() {
            return Ok(Output::Json);
        }
        for form in accept.split(',') {
            let mut parts = form.split(';').map(str::trim);
            let media = parts.next().unwrap_or("");
            let shape = parts.find_map(|p| p.strip_prefix("as=")).unwrap_or("");
            match (media, shape) {
                ("application/json", "Table") => {
                    return Ok(Output::Table(table::Include::of(param(uri, "includeObject").as_deref())));
                }
                ("application/json", "PartialObjectMetadata" | "PartialObjectMetadataList") => {
                    return Ok(Output::Metadata);
                }
                ("application/json" | "application/*" | "*/*", "") => return Ok(Output::Json),
                _ => {}
            }
        }
        let message = "only the following media types are accepted: application/json";
        Err(Status::new(StatusCode::NOT_ACCEPTABLE, "NotAcceptable", message))
    }

    /// One object.
    pub(super) fn one(self, kind: &Kind, object: &Value) -> Value {
        match self {
            Output::Json => present(kind, object),
            Output::Table(include) => table::of(
                kind,
                &[object],
                json!({
                    "resourceVersion": object::meta(object, "resourceVersion"),
                }),
                include,
            ),
            Output::Metadata => partial(object),
        }
    }

    /// One object inside a watch; only the first table of a watch carries the columns.
    pub(super) fn event(self, kind: &Kind, object: &Value, first: bool) -> Value {
        let mut value = self.one(kind, object);
        if matches!(self, Output::Table(_))
            && !first
            && let Value::Object(map) = &mut value
        {
            map.insert("columnDefinitions".into(), Value::Null);
        }
        value
    }

    /// A list with its metadata.
    pub(super) fn many(self, kind: &Kind, objects: &[&Value], metadata: Value) -> Value {
        let list = |api_version: String, name: &str, items: Vec<Value>| json!({"kind": name, "apiVersion": api_version, "metadata": metadata, "items": items});
        match self {
            Output::Json => {
                let items = objects.iter().map(|o| without_type(kind, present(kind, o))).collect();
                list(kind.api_version(), &kind.list_kind, items)
            }
            Output::Table(include) => table::of(kind, objects, metadata, include),
            Output::Metadata => {
                let items = objects.iter().map(|o| partial(o)).collect();
                list("meta.k8s.io/v1".into(), "PartialObjectMetadataList", items)
            }
        }
    }
}

/// The object as this version shows it.
pub(super) fn present(kind: &Kind, object: &Value) -> Value {
    let mut object = object.clone();
    if let Value::Object(map) = &mut object {
        map.insert("apiVersion".into(), kind.api_version().into());
        map.insert("kind".into(), kind.kind.clone().into());
    }
    object
}

/// Lists of built-in kinds leave out what their own kind says already.
fn without_type(kind: &Kind, mut object: Value) -> Value {
    if kind.custom.is_none()
        && let Value::Object(map) = &mut object
    {
        map.remove("apiVersion");
        map.remove("kind");
    }
    object
}

pub(super) fn partial(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object.get("metadata")})
}

/// A JSON answer.
pub(super) fn json_response(code: StatusCode, value: &Value) -> Response {
    (code, [(http::header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}
