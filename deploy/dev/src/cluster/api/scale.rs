//! The `scale` subresource: `autoscaling/v1` `Scale` over `spec.replicas`.

use axum::body::Body;
use axum::response::Response;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use super::context::Context;
use super::output::json_response;
use super::patch::Patch;
use super::read::scope;
use super::{Api, body};
use crate::cluster::catalog::Kind;
use crate::cluster::status::Status;
use crate::cluster::store::{StoreError, object};

impl Api {
    pub(super) async fn scale(
        &self,
        context: &Context,
        kind: &Kind,
        request: Request<Body>,
    ) -> Result<Response, Status> {
        let (namespace, name) = (scope(kind, context), &context.info.name);
        let current = self.store.fetch(&kind.id, &namespace, name)?;
        let mut scale = view(&current);
        let pinned;
        match *request.method() {
            Method::GET => return Ok(json_response(StatusCode::OK, &scale)),
            Method::PATCH => {
                let patch = Patch::of(kind, request).await?;
                patch.apply(kind, &mut scale)?;
                pinned = object::meta(&scale, "resourceVersion") != object::meta(&current, "resourceVersion");
            }
            _ => {
                scale = body::object(request)
                    .await?
                    .ok_or_else(|| Status::bad_request("the body of the request is empty"))?;
                pinned = !object::meta(&scale, "resourceVersion").is_empty();
            }
        }
        let wanted = scale.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(0);
        if !(0..=i64::from(i32::MAX)).contains(&wanted) {
            let message = format!(
                "Scale \"{name}\" is invalid: spec.replicas: Invalid value: {wanted}: must be greater than or equal to 0"
            );
            return Err(Status::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message));
        }
        let version = object::meta(&scale, "resourceVersion").to_owned();
        let id = kind.id.clone();
        let done = self.store.try_modify(&kind.id, &namespace, name, |object| {
            if pinned && version != object::meta(object, "resourceVersion") {
                let why = "the object has been modified; please apply your changes to the latest version and try again";
                return Err(StoreError::Conflict { resource: id, name: name.clone(), why: why.into() });
            }
            object::child_mut(object, "spec").insert("replicas".into(), wanted.into());
            Ok(())
        })?;
        Ok(json_response(StatusCode::OK, &view(&done)))
    }
}

fn view(object: &Value) -> Value {
    let labels = object.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let pairs: Vec<String> =
        labels.into_iter().flatten().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or(""))).collect();
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": object::name(object), "namespace": object::namespace(object), "uid": object::uid(object),
            "resourceVersion": object::meta(object, "resourceVersion"),
            "creationTimestamp": object::meta(object, "creationTimestamp"),
        },
        "spec": {"replicas": object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1)},
        "status": {
            "replicas": object.pointer("/status/replicas").and_then(Value::as_i64).unwrap_or(0),
            "selector": pairs.join(","),
        },
    })
}
