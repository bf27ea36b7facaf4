//! get and list.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Request, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Api;
use super::context::Context;
use super::output::{Output, json_response};
use super::request::param;
use super::select::{FieldSelector, LabelSelector};
use crate::cluster::catalog::Kind;
use crate::cluster::status::Status;
use crate::cluster::store::object;

/// Where a list continues: after this key, as part of the list that began at this version.
#[derive(Serialize, Deserialize)]
struct Continue {
    v: u64,
    ns: String,
    name: String,
}

/// Which objects of a collection.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Selection {
    /// From the query, checked against what the collection can be selected by.
    pub(super) fn of(kind: &Kind, uri: &Uri) -> Result<Selection, Status> {
        let (labels, fields) = (param(uri, "labelSelector"), param(uri, "fieldSelector"));
        let (labels, fields) = (labels.unwrap_or_default(), fields.unwrap_or_default());
        let wrong = |why: String| {
            Status::bad_request(format!(
                "Unable to find {:?} that match label selector {labels:?}, field selector {fields:?}: {why}",
                format!("{}, Resource={}", slashed(kind), kind.id.resource()),
            ))
        };
        let selection = Selection {
            labels: LabelSelector::parse(&labels).map_err(Status::bad_request)?,
            fields: FieldSelector::parse(&fields).map_err(Status::bad_request)?,
        };
        selection.fields.check(&kind.id).map_err(wrong)?;
        Ok(selection)
    }

    /// Is this object among them?
    pub(super) fn matches(&self, object: &Value) -> bool {
        self.labels.matches(object) && self.fields.matches(object)
    }
}

fn slashed(kind: &Kind) -> String {
    format!("{}/{}", kind.id.group(), kind.version)
}

impl Api {
    pub(super) fn get(
        &self,
        context: &Context,
        kind: &Kind,
        request: &Request<Body>,
    ) -> Result<Response, Status> {
        let info = &context.info;
        let output = Output::of(request.headers(), request.uri())?;
        let object = self.store.fetch(&kind.id, &scope(kind, context), &info.name)?;
        Ok(json_response(StatusCode::OK, &output.one(kind, &object)))
    }

    pub(super) fn list(
        &self,
        context: &Context,
        kind: &Kind,
        request: &Request<Body>,
    ) -> Result<Response, Status> {
        let uri = request.uri();
        let output = Output::of(request.headers(), uri)?;
        let selection = Selection::of(kind, uri)?;
        let namespace = list_scope(kind, context);
        let (objects, version) = self.store.list(&kind.id, namespace.as_deref());
        check_list_version(uri, version)?;
        let (from, version) = match param(uri, "continue").filter(|c| !c.is_empty()) {
            None => (None, version),
            Some(token) => {
                let token = decode(&token)?;
                (Some((token.ns, token.name)), token.v)
            }
        };
        let limit = number(uri, "limit")?.and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
        let mut rest = objects.iter().filter(|o| {
            let key = || (object::namespace(o).to_owned(), object::name(o).to_owned());
            from.as_ref().is_none_or(|from| key() > *from) && selection.matches(o)
        });
        let page: Vec<&Value> = rest.by_ref().take(limit.unwrap_or(usize::MAX)).map(Arc::as_ref).collect();
        let remaining = rest.count();
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if let (Value::Object(metadata), Some(last)) = (&mut metadata, page.last().filter(|_| remaining > 0))
        {
            let token =
                Continue { v: version, ns: object::namespace(last).into(), name: object::name(last).into() };
            metadata.insert("continue".into(), encode(&token).into());
            metadata.insert("remainingItemCount".into(), remaining.into());
        }
        Ok(json_response(StatusCode::OK, &output.many(kind, &page, metadata)))
    }
}

/// The namespace under which the store has an object of this kind.
pub(super) fn scope(kind: &Kind, context: &Context) -> String {
    if kind.namespaced { context.info.namespace.clone() } else { String::new() }
}

/// The namespace to list, `None` for all.
pub(super) fn list_scope(kind: &Kind, context: &Context) -> Option<String> {
    Some(context.info.namespace.clone()).filter(|ns| kind.namespaced && !ns.is_empty())
}

/// A whole number of the query.
pub(super) fn number(uri: &Uri, key: &str) -> Result<Option<u64>, Status> {
    match param(uri, key).filter(|v| !v.is_empty()) {
        None => Ok(None),
        Some(text) => {
            let wrong =
                || Status::bad_request(format!("Invalid value: {text:?}: strconv.ParseUint: invalid syntax"));
            text.parse().map(Some).map_err(|_| wrong())
        }
    }
}

/// The data is always the newest; only what it cannot satisfy is refused.
fn check_list_version(uri: &Uri, current: u64) -> Result<(), Status> {
    let asked = number(uri, "resourceVersion")?.unwrap_or(0);
    let how = param(uri, "resourceVersionMatch").unwrap_or_default();
    if !matches!(how.as_str(), "" | "NotOlderThan" | "Exact") {
        let message = format!(
            "resourceVersionMatch: Unsupported value: {how:?}: supported values: \"Exact\", \"NotOlderThan\", \"\""
        );
        return Err(Status::bad_request(message));
    }
    if asked > current {
        let message = format!("Too large resource version: {asked}, current: {current}");
        let status = Status::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", message);
        return Err(status.detail("retryAfterSeconds", 1.into()));
    }
    if how == "Exact" && asked != current {
        let message = format!("The provided resource version is too old: {asked} ({current})");
        return Err(Status::new(StatusCode::GONE, "Expired", message));
    }
    Ok(())
}

fn encode(token: &Continue) -> String {
    URL_SAFE_NO_PAD.encode(json!(token).to_string())
}

fn decode(text: &str) -> Result<Continue, Status> {
    let wrong = || Status::bad_request("continue key is not valid: the token was not made by this server");
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
    serde_json::from_slice(&bytes).map_err(|_| wrong())
}
