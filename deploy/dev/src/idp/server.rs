//! Routes, and what holds for every request: only for this host, only so long, nothing cached, nothing
//! loaded from elsewhere.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State as Shared};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::pages::{self, STYLE};
use super::state::State;
use super::{admin, authorize, device, token};

/// The longest form.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// How long answers under way may take once the provider was told to stop.
const DRAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// Forms may lead back to a client on loopback; everything else stays here.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
     form-action 'self' http://127.0.0.1:* http://localhost:*";

pub(super) async fn run(listener: TcpListener, state: Arc<State>, stop: CancellationToken) {
    let router = Router::new()
        .route("/", get(home))
        .route("/style.css", get(|| async { ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE) }))
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks", get(jwks))
        .route("/authorize", get(authorize::ask).post(authorize::answer))
        .route("/device/code", post(device::begin))
        .route("/device", get(device::ask).post(device::answer))
        .route("/token", post(token::token))
        .route("/userinfo", get(token::userinfo).post(token::userinfo))
        .route("/admin/people/{username}", put(admin::put_person).delete(admin::delete_person))
        .route("/admin/silent", put(admin::be_silent).delete(admin::speak_again))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(state.clone(), guard))
        .with_state(state);
    let waiting = stop.clone();
    let serve = axum::serve(listener, router)
        .with_graceful_shutdown(async move { waiting.cancelled().await })
        .into_future();
    tokio::select! {
        served = serve => {
            if let Err(error) = served {
                tracing::error!(%error, "the development sign-in provider stopped");
            }
        }
        // Idle browsers keep their connections open; they are not waited for.
        () = async { stop.cancelled().await; tokio::time::sleep(DRAIN).await } => {}
    }
}

/// Anybody who can make a browser ask us under another name (DNS rebinding) could sign in as anybody.
async fn guard(Shared(state): Shared<Arc<State>>, request: Request, next: Next) -> Response {
    let port = state.issuer.rsplit(':').next().unwrap_or_default();
    let ours = state.issuer.trim_start_matches("http://");
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if host != ours && host != format!("localhost:{port}") {
        return (StatusCode::MISDIRECTED_REQUEST, "this provider answers on loopback only\n").into_response();
    }
    if state.with(|inner| inner.silent) && !request.uri().path().starts_with("/admin/") {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let fixed = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn home(Shared(state): Shared<Arc<State>>) -> Response {
    pages::home(&state.people()).into_response()
}

/// OpenID Connect Discovery 1.0, section 3; RFC 8414; RFC 8628, section 4.
async fn discovery(Shared(state): Shared<Arc<State>>) -> Json<Value> {
    let issuer = &state.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "device_authorization_endpoint": format!("{issuer}/device/code"),
        "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", token::DEVICE_GRANT],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["openid", "profile", "email", "groups", "offline_access"],
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce",
            "preferred_username", "name", "email", "email_verified", "groups",
        ],
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn jwks(Shared(state): Shared<Arc<State>>) -> Json<Value> {
    Json(state.with(|inner| inner.keys.jwks()))
}

/// The cookie that a form must repeat, so that no other page can send it. Named by port: cookies are shared
/// by everything on this host.
pub(super) struct Csrf {
    name: String,
    value: String,
}

impl Csrf {
    /// The one that the browser has, or a new one.
    pub(super) fn of(state: &State, headers: &HeaderMap) -> Self {
        let name = format!("sallyport-idp-{}", state.issuer.rsplit(':').next().unwrap_or_default());
        let value = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|header| header.to_str().ok())
            .flat_map(|header| header.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(key, value)| *key == name && value.len() == super::state::secret().len())
            .map(|(_, value)| value.to_owned());
        Self { name, value: value.unwrap_or_else(super::state::secret) }
    }

    /// What goes into the form.
    pub(super) fn value(&self) -> &str {
        &self.value
    }

    /// The page with the cookie that belongs to it.
    pub(super) fn set(&self, page: impl IntoResponse) -> Response {
        let mut response = page.into_response();
        let cookie = format!("{}={}; Path=/; HttpOnly; SameSite=Strict", self.name, self.value);
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        response
    }

    /// Whether a form came from a page of ours: it repeats the cookie, and names no other origin. A browser
    /// without the cookie gets a fresh secret above, which no form can know.
    pub(super) fn is_repeated(&self, state: &State, headers: &HeaderMap, form: &str) -> bool {
        let origin = headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
        let local = state.issuer.replacen("127.0.0.1", "localhost", 1);
        let is_ours = |origin: &[u8]| origin == state.issuer.as_bytes() || origin == local.as_bytes();
        form == self.value && origin.is_none_or(is_ours)
    }
}
