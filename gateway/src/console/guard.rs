//! Around every page: headers that keep browsers from doing more than showing it, bodies that are short and come soon,
//! and no form from elsewhere.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::timeout;

use super::{App, pages};

/// The longest body, in bytes.
pub(super) const MAX_BODY: usize = 64 * 1024;
/// How long a body may take.
const BODY: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });

/// No script at all, nothing from elsewhere, in nobody's frame, forms only to us.
const CONTENT: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const FIXED: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Not `no-referrer`: browsers then send `Origin: null` with our own forms, and no other origin sees it this way
    // either.
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

pub(super) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = admit(&app, request, next).await;
    let headers = response.headers_mut();
    for (name, value) in FIXED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if app.public.as_ref().is_some_and(|public| public.is_https) {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

async fn admit(app: &App, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let no = |status, why| pages::problem(app, None, status, why);
    if !app.public.as_ref().is_some_and(|public| public.is_same_origin(request.headers())) {
        return no(
            StatusCode::FORBIDDEN,
            "this form did not come from a page of this gateway; open the page again",
        );
    }
    let (head, body) = request.into_parts();
    match timeout(BODY, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(head, Body::from(bytes))).await,
        Ok(Err(_)) => no(StatusCode::PAYLOAD_TOO_LARGE, "the form is longer than 64 KiB, or broke off"),
        Err(_) => no(StatusCode::REQUEST_TIMEOUT, "the form took too long to arrive"),
    }
}
