//! `metav1.Status`: what the API answers when it has no object to answer with, worded as a real server words it.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::store::{ResourceId, StoreError};

/// A failure (or a bare success) as the API reports it.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    code: StatusCode,
    reason: &'static str,
    message: String,
    details: Map<String, Value>,
}

impl Status {
    /// A failure with the given HTTP code, `reason` and message.
    pub fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Status {
        Status { code, reason, message: message.into(), details: Map::new() }
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(message: impl Into<String>) -> Status {
        Status::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// 401: no identity could be established.
    pub fn unauthorized() -> Status {
        Status::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized")
    }

    /// 404 for one object.
    pub fn not_found(id: &ResourceId, name: &str) -> Status {
        Status::new(StatusCode::NOT_FOUND, "NotFound", format!("{id} \"{name}\" not found")).about(id, name)
    }

    /// 403 about one object or, with an empty name, a collection.
    pub fn forbidden(id: &ResourceId, name: &str, why: &str) -> Status {
        let message = match name {
            "" => format!("{id} is forbidden: {why}"),
            name => format!("{id} \"{name}\" is forbidden: {why}"),
        };
        Status::new(StatusCode::FORBIDDEN, "Forbidden", message).about(id, name)
    }

    /// 404 for a path that nothing serves.
    pub fn no_such_path() -> Status {
        Status::new(StatusCode::NOT_FOUND, "NotFound", "the server could not find the requested resource")
    }

    /// 405: the collection does not have this verb.
    pub fn method_not_allowed() -> Status {
        let message = "the server does not allow this method on the requested resource";
        Status::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
    }

    /// 413: larger than the server reads.
    pub fn too_large(limit: usize) -> Status {
        let message = format!("Request entity too large: limit is {limit}");
        Status::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", message)
    }

    /// 500: ours to fix.
    pub fn internal(message: impl Into<String>) -> Status {
        let message = format!("Internal error occurred: {}", message.into());
        Status::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
    }

    /// Names the object that this is about.
    #[must_use]
    pub fn about(mut self, id: &ResourceId, name: &str) -> Status {
        if !name.is_empty() {
            self.details.insert("name".into(), name.into());
        }
        if !id.group().is_empty() {
            self.details.insert("group".into(), id.group().into());
        }
        self.details.insert("kind".into(), id.resource().into());
        self
    }

    /// Adds a field of `details`.
    #[must_use]
    pub fn detail(mut self, key: &str, value: Value) -> Status {
        self.details.insert(key.to_owned(), value);
        self
    }

    /// HTTP status code.
    pub fn code(&self) -> StatusCode {
        self.code
    }

    /// One line for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Machine-readable reason, such as `NotFound`.
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// The JSON body.
    pub fn body(&self) -> Value {
        let mut body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code.as_u16(),
        });
        // The real server sends empty details for what it refuses before it knows an object.
        let early = matches!(self.code.as_u16(), 403..=405 | 415);
        if early || !self.details.is_empty() {
            super::store::object::child_mut(&mut body, "details").clone_from(&self.details);
        }
        body
    }
}

impl From<StoreError> for Status {
    fn from(error: StoreError) -> Status {
        let message = error.to_string();
        match error {
            StoreError::NotFound { resource, name } => Status::not_found(&resource, &name),
            StoreError::AlreadyExists { resource, name } => {
                Status::new(StatusCode::CONFLICT, "AlreadyExists", message).about(&resource, &name)
            }
            StoreError::Conflict { resource, name, .. } => {
                Status::new(StatusCode::CONFLICT, "Conflict", message).about(&resource, &name)
            }
            StoreError::Expired { .. } => Status::new(StatusCode::GONE, "Expired", message),
            StoreError::Malformed { .. } => Status::bad_request(message),
            StoreError::Locked { .. } | StoreError::Io { .. } => {
                tracing::error!(error = %message, "the store failed");
                Status::internal(message)
            }
        }
    }
}

impl IntoResponse for Status {
    fn into_response(self) -> Response {
        let body = self.body().to_string();
        let mut response =
            (self.code, [(http::header::CONTENT_TYPE, "application/json")], body).into_response();
        response.extensions_mut().insert(self);
        response
    }
}
