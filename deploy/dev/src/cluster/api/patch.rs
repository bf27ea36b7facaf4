//! The four kinds of patch.
//!
//! Server-side apply is a merge with create-if-absent: who owns which field is not tracked, so it neither
//! reports conflicts nor removes a field that an earlier apply set and a later one left out.

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::Value;

use super::{body, strategic};
use crate::cluster::catalog::Kind;
use crate::cluster::status::Status;

/// Operations in one JSON patch.
const MOST_OPERATIONS: usize = 10_000;

/// A patch, read.
#[derive(Debug)]
pub(super) enum Patch {
    Json(json_patch::Patch),
    Merge(Value),
    Strategic(Value),
    Apply(Value),
}

impl Patch {
    pub(super) async fn of(kind: &Kind, request: Request<Body>) -> Result<Patch, Status> {
        let format = body::content_type(request.headers()).to_owned();
        let bytes = body::bytes(request).await?;
        let all = [
            "application/json-patch+json",
            "application/merge-patch+json",
            "application/strategic-merge-patch+json",
            "application/apply-patch+yaml",
        ];
        match format.as_str() {
            "application/json-patch+json" => {
                let patch: json_patch::Patch = serde_json::from_slice(&bytes)
                    .map_err(|e| Status::bad_request(format!("error decoding patch: {e}")))?;
                if patch.0.len() > MOST_OPERATIONS {
                    let message = format!(
                        "The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {}",
                        patch.0.len()
                    );
                    return Err(Status::too_large(MOST_OPERATIONS).detail("message", message.into()));
                }
                Ok(Patch::Json(patch))
            }
            "application/merge-patch+json" => Ok(Patch::Merge(map(body::json(&bytes)?)?)),
            "application/strategic-merge-patch+json" if kind.custom.is_none() => {
                Ok(Patch::Strategic(map(body::json(&bytes)?)?))
            }
            "application/apply-patch+yaml" => Ok(Patch::Apply(map(body::yaml(&bytes)?)?)),
            other => {
                let taken: Vec<&str> =
                    all.into_iter().filter(|t| kind.custom.is_none() || !t.contains("strategic")).collect();
                Err(body::unsupported(&taken, other))
            }
        }
    }

    /// Does it create what is absent?
    pub(super) fn creates(&self) -> bool {
        matches!(self, Patch::Apply(_))
    }

    /// Changes `object`.
    pub(super) fn apply(&self, kind: &Kind, object: &mut Value) -> Result<(), Status> {
        match self {
            Patch::Json(patch) => json_patch::patch(object, patch).map_err(|e| {
                Status::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "Invalid",
                    format!("the server rejected our request due to an error in our request: {e}"),
                )
            })?,
            Patch::Merge(patch) => json_patch::merge(object, patch),
            Patch::Strategic(patch) => strategic::merge(object, patch)?,
            Patch::Apply(patch) if kind.custom.is_none() => strategic::merge(object, patch)?,
            Patch::Apply(patch) => json_patch::merge(object, patch),
        }
        if object.is_object() { Ok(()) } else { Err(Status::bad_request("the patch leaves no object")) }
    }
}

fn map(value: Value) -> Result<Value, Status> {
    if value.is_object() {
        Ok(value)
    } else {
        Err(Status::bad_request("error decoding patch: not an object"))
    }
}
