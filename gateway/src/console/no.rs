//! JSON answers: what was asked for, or `{"error": …, "rule": …}` with the line that SSH would say.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::decide;
use crate::access::AccessError;
use crate::lobby::Reply;

/// Something that was not done.
#[derive(Debug, Serialize)]
pub(super) struct No {
    #[serde(skip)]
    status: StatusCode,
    error: String,
    /// The policy and what in it decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
}

impl No {
    pub(super) fn of(status: StatusCode, error: &str) -> Self {
        Self { status, error: crate::terminal::clean(error), rule: None }
    }

    /// A body that cannot be used.
    pub(super) fn unfit(error: &str) -> Self {
        Self::of(StatusCode::UNPROCESSABLE_ENTITY, error)
    }
}

impl From<AccessError> for No {
    fn from(error: AccessError) -> Self {
        let rule = match &error {
            AccessError::Refused(refusal) if !refusal.rule.is_empty() => Some(refusal.rule.clone()),
            _ => None,
        };
        Self { rule, ..Self::of(decide::status(&error), &error.to_string()) }
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        let mut response = json(self.status, &self);
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The same text as over SSH: what would act on a terminal is escaped.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let reply = Reply::json(value);
    if reply.exit != 0 {
        return text(
            StatusCode::SERVICE_UNAVAILABLE,
            "{\"error\": \"the answer cannot be written\"}\n".to_owned(),
        );
    }
    text(status, reply.stdout)
}

pub(super) fn text(status: StatusCode, json: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], json).into_response()
}
