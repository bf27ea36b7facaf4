//! The forms of a request's page: each does one thing as the person who is signed in, and comes back to the page.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use sallyport_policy::{RequestName, Rule};

use super::form::Form;
use super::place::Place;
use super::{App, login, pages, request};
use crate::access::{AccessError, Refusal};
use crate::crd::ReviewVerdict;

/// The HTTP status that goes with what went wrong.
pub(super) const fn status(error: &AccessError) -> StatusCode {
    match error {
        AccessError::Refused(Refusal { decided: Some(Rule::Phase), .. }) | AccessError::Busy { .. } => {
            StatusCode::CONFLICT
        }
        AccessError::Refused(_) => StatusCode::FORBIDDEN,
        AccessError::Unreachable { .. }
        | AccessError::Cluster { .. }
        | AccessError::NotInstalled { .. }
        | AccessError::NotBegun { .. } => StatusCode::SERVICE_UNAVAILABLE,
        AccessError::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
        AccessError::NotFound { .. } => StatusCode::NOT_FOUND,
    }
}

pub(super) async fn post(
    State(app): State<App>,
    Path((name, verb)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = Form::parse(&body);
    let session = match login::sender(&app, &headers, form.as_ref()) {
        Ok(session) => session,
        Err(no) => return *no,
    };
    let (Ok(name), Some(form)) = (RequestName::parse(&name), form) else {
        return pages::nothing(State(app), headers).await;
    };
    let (who, access, reason) = (&session.identity, &app.access, form.words("reason"));
    let done = match verb.as_str() {
        "approve" => access.approve(who, &name).await,
        "deny" => access.deny(who, &name, reason).await,
        "revoke" => access.revoke(who, &name, reason).await,
        "review" => match (verdict(form.get("verdict")), form.words("comment")) {
            (Some(verdict), Some(comment)) => access.review(who, &name, verdict, Some(comment)).await,
            _ => Err(AccessError::Invalid("say whether it was justified, and what you found".to_owned())),
        },
        _ => return pages::nothing(State(app), headers).await,
    };
    match done {
        Ok(_) => Redirect::to(&Place::Request(name).path()).into_response(),
        Err(error) => request::show(&app, &session, &name, status(&error), Some(&error.to_string())),
    }
}

/// As it is typed over SSH.
pub(super) fn verdict(word: Option<&str>) -> Option<ReviewVerdict> {
    match word {
        Some("justified") => Some(ReviewVerdict::Justified),
        Some("unjustified") => Some(ReviewVerdict::Unjustified),
        _ => None,
    }
}
