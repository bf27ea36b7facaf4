//! Around every page: headers that keep browsers from doing more than showing it, bodies that are short and come soon,
//! and no form from elsewhere.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use super::no::No;
use super::{App, pages};

/// The longest body, in bytes.
const MAX_BODY: usize = 64 * 1024;
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

/// Headers for every answer.
pub(super) async fn headers(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in FIXED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if app.public.as_ref().is_some_and(|public| public.is_https) {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

/// Around pages: forms from our own origin.
pub(super) async fn only_our_forms(State(app): State<App>, request: Request, next: Next) -> Response {
    if is_reading(&request) {
        return next.run(request).await;
    }
    let no = |status, why| pages::problem(&app, None, status, why);
    if !app.public.as_ref().is_some_and(|public| public.is_same_origin(request.headers())) {
        let why = "this form did not come from a page of this gateway; open the page again";
        return no(StatusCode::FORBIDDEN, why);
    }
    match with_body(request).await {
        Ok(request) => next.run(request).await,
        Err((status, why)) => no(status, why),
    }
}

/// Around the API: JSON.
pub(super) async fn only_json(request: Request, next: Next) -> Response {
    if is_reading(&request) {
        return next.run(request).await;
    }
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let why = "only `Content-Type: application/json` is understood";
        return No::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, why).into_response();
    }
    match with_body(request).await {
        Ok(request) => next.run(request).await,
        Err((status, why)) => No::of(status, why).into_response(),
    }
}

fn is_reading(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}

/// The request with all of its body, which is short and has come in time.
async fn with_body(request: Request) -> Result<Request, (StatusCode, &'static str)> {
    let (head, body) = request.into_parts();
    match timeout(BODY, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(bytes)) => Ok(Request::from_parts(head, Body::from(bytes))),
        Ok(Err(_)) => {
            Err((StatusCode::PAYLOAD_TOO_LARGE, "what was sent is longer than 64 KiB, or broke off"))
        }
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "what was sent took too long to arrive")),
    }
}
