//! delete, deletecollection and eviction.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode, Uri};
use serde_json::{Value, json};

use super::context::Context;
use super::output::{Output, json_response, present};
use super::read::{Selection, list_scope, scope};
use super::request::{is_true, param};
use super::{Api, body};
use crate::cluster::catalog::Kind;
use crate::cluster::rbac::aggregate;
use crate::cluster::status::Status;
use crate::cluster::store::{self, Delete, Deleted, Propagation, object};

/// Collections whose deletion answers with the object instead of a `Status`.
const ANSWER_WITH_OBJECT: &[&str] =
    &["pods", "services", "serviceaccounts", "persistentvolumeclaims", "resourcequotas"];

struct Asked {
    how: Delete,
    dry_run: bool,
}

/// Options come in the body (`DeleteOptions`) or in the query; the body wins.
fn options(uri: &Uri, body: Option<&Value>) -> Result<Asked, Status> {
    let text = |key: &str| {
        body.and_then(|b| b.get(key)).and_then(Value::as_str).map(str::to_owned).or_else(|| param(uri, key))
    };
    let number = |key: &str| {
        let given = body.and_then(|b| b.get(key)).and_then(Value::as_i64);
        given.or_else(|| param(uri, key).and_then(|v| v.parse().ok()))
    };
    let precondition = |key: &str| {
        body.and_then(|b| b.pointer(&format!("/preconditions/{key}")))
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let orphan = body
        .and_then(|b| b.get("orphanDependents"))
        .and_then(Value::as_bool)
        .unwrap_or_else(|| is_true(param(uri, "orphanDependents").as_deref()));
    let propagation = match text("propagationPolicy").as_deref() {
        None | Some("") if orphan => Propagation::Orphan,
        None | Some("" | "Background") => Propagation::Background,
        Some("Foreground") => Propagation::Foreground,
        Some("Orphan") => Propagation::Orphan,
        Some(other) => {
            let message = format!(
                "propagationPolicy: Unsupported value: {other:?}: supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
            );
            return Err(Status::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message));
        }
    };
    let in_body = body.is_some_and(|b| object::strings(b.get("dryRun")).contains(&"All"));
    Ok(Asked {
        how: Delete {
            uid: precondition("uid"),
            resource_version: precondition("resourceVersion"),
            grace_seconds: number("gracePeriodSeconds"),
            propagation,
        },
        dry_run: in_body || param(uri, "dryRun").as_deref() == Some("All"),
    })
}

impl Api {
    pub(super) async fn delete(
        &self,
        context: &Context,
        kind: &Kind,
        request: Request<Body>,
    ) -> Result<Response, Status> {
        let uri = request.uri().clone();
        let asked = options(&uri, body::object(request).await?.as_ref())?;
        let (namespace, name) = (scope(kind, context), &context.info.name);
        if asked.dry_run {
            let object = self.store.fetch(&kind.id, &namespace, name)?;
            return Ok(json_response(StatusCode::OK, &present(kind, &object)));
        }
        let deleted = self.store.delete(&kind.id, &namespace, name, &asked.how)?;
        self.after_delete(kind);
        let with_object = kind.id.group().is_empty() && ANSWER_WITH_OBJECT.contains(&kind.id.resource());
        let answer = match &deleted {
            Deleted::Gone(object) if !with_object => gone(kind, object),
            other => present(kind, other.object()),
        };
        Ok(json_response(StatusCode::OK, &answer))
    }

    pub(super) async fn delete_collection(
        &self,
        context: &Context,
        kind: &Kind,
        request: Request<Body>,
    ) -> Result<Response, Status> {
        let uri = request.uri().clone();
        let selection = Selection::of(kind, &uri)?;
        let asked = options(&uri, body::object(request).await?.as_ref())?;
        let (objects, version) = self.store.list(&kind.id, list_scope(kind, context).as_deref());
        let chosen: Vec<Arc<Value>> = objects.into_iter().filter(|o| selection.matches(o)).collect();
        let mut done = Vec::new();
        for object in &chosen {
            if asked.dry_run {
                done.push(object.clone());
                continue;
            }
            match self.store.delete(&kind.id, object::namespace(object), object::name(object), &asked.how) {
                Ok(deleted) => done.push(deleted.object().clone()),
                Err(store::StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.after_delete(kind);
        let items: Vec<&Value> = done.iter().map(Arc::as_ref).collect();
        let list = Output::Json.many(kind, &items, json!({"resourceVersion": version.to_string()}));
        Ok(json_response(StatusCode::OK, &list))
    }

    /// `pods/eviction`: a deletion; there are no disruption budgets to hold it back.
    pub(super) async fn evict(
        &self,
        context: &Context,
        kind: &Kind,
        request: Request<Body>,
    ) -> Result<Response, Status> {
        let uri = request.uri().clone();
        let body = body::object(request).await?.unwrap_or(Value::Null);
        let asked = options(&uri, body.get("deleteOptions"))?;
        if !asked.dry_run {
            self.store.delete(&kind.id, &context.info.namespace, &context.info.name, &asked.how)?;
        }
        Ok(json_response(StatusCode::CREATED, &success()))
    }

    fn after_delete(&self, kind: &Kind) {
        if kind.id == store::CLUSTERROLES {
            aggregate::refresh(&self.store);
        }
    }
}

fn success() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})
}

fn gone(kind: &Kind, object: &Value) -> Value {
    let mut details =
        json!({"name": object::name(object), "kind": kind.id.resource(), "uid": object::uid(object)});
    if let Value::Object(map) = &mut details
        && !kind.id.group().is_empty()
    {
        map.insert("group".into(), kind.id.group().into());
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
