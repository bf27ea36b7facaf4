//! `/api/v1`: what the lobby answers with `-o json`, over HTTP. Whoever asks shows an ID token (`Authorization: Bearer`),
//! verified anew each time, or has a browser's session; a session changes things only with its word in
//! `X-Sallyport-CSRF` and from our own origin. docs/api.md is for those who call it.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::Response;
use axum::routing::{get, post};
use jiff::Timestamp;
use sallyport_policy::{RequestName, duration};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::no::{No, json};
use super::{App, ask, decide, guard, login};
use crate::access::AccessError;
use crate::identity::Identity;
use crate::lobby::{self, Who};

/// The header in which a session repeats its word.
const CSRF: &str = "x-sallyport-csrf";

type Outcome = Result<Response, No>;

/// Who asks, and until when what they have shown is good.
struct Caller {
    identity: Identity,
    until: Timestamp,
}

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/whoami", get(whoami))
        .route("/policies", get(policies))
        .route("/requests", get(requests).post(request))
        .route("/requests/{name}", get(one))
        .route("/requests/{name}/{verb}", post(change))
        .route("/grants", get(grants))
        .route("/reviews", get(reviews))
        .route("/locks", get(locks))
        .fallback(async || {
            No::of(StatusCode::NOT_FOUND, "there is no such thing here; docs/api.md lists what there is")
        })
        .method_not_allowed_fallback(async || {
            No::of(StatusCode::METHOD_NOT_ALLOWED, "this is not done here; docs/api.md lists what there is")
        })
        .layer(from_fn(guard::only_json))
}

/// Who this is. What `changes` something takes more of a session than its cookie.
async fn caller(app: &App, headers: &HeaderMap, changes: bool) -> Result<Caller, No> {
    if let Some(shown) = headers.get(header::AUTHORIZATION) {
        // A bad token is not made up for by a cookie.
        let token = shown.to_str().ok().and_then(|text| text.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some((_, token)) = token else {
            return Err(No::of(
                StatusCode::UNAUTHORIZED,
                "only `Authorization: Bearer ID-TOKEN` is understood",
            ));
        };
        let verified = app.oidc.verify_bearer(&SecretString::from(token.trim())).await;
        let (identity, until) = verified.map_err(|error| {
            tracing::debug!(error = ?error, "an ID token was refused");
            let status = match error.exit_status() {
                77 => StatusCode::UNAUTHORIZED,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            No::of(status, &error.to_string())
        })?;
        return Ok(Caller { identity, until });
    }
    let Some(session) = login::session(app, headers) else {
        return Err(No::of(
            StatusCode::UNAUTHORIZED,
            "show an ID token (`Authorization: Bearer`), or sign in",
        ));
    };
    let word = headers.get(CSRF).and_then(|word| word.to_str().ok());
    let ours = app.public.as_ref().is_some_and(|public| public.is_same_origin(headers));
    if changes && !(ours && word.is_some_and(|word| session.is_ours(word))) {
        let why =
            "a session changes things only from this gateway's pages, with its word in `X-Sallyport-CSRF`";
        return Err(No::of(StatusCode::FORBIDDEN, why));
    }
    Ok(Caller { identity: session.identity.clone(), until: session.until })
}

async fn whoami(State(app): State<App>, headers: HeaderMap) -> Outcome {
    let Caller { identity, until } = caller(&app, &headers, false).await?;
    Ok(no_more(&lobby::whoami_json(&Who::new(&identity, until), app.clock.now())))
}

async fn policies(State(app): State<App>, headers: HeaderMap) -> Outcome {
    let who = caller(&app, &headers, false).await?.identity;
    Ok(json(StatusCode::OK, &app.access.policies_for(&who)))
}

async fn requests(State(app): State<App>, headers: HeaderMap) -> Outcome {
    let who = caller(&app, &headers, false).await?.identity;
    Ok(json(StatusCode::OK, &app.access.requests(&who)))
}

async fn grants(State(app): State<App>, headers: HeaderMap) -> Outcome {
    let who = caller(&app, &headers, false).await?.identity;
    Ok(json(StatusCode::OK, &app.access.grants(&who)))
}

async fn reviews(State(app): State<App>, headers: HeaderMap) -> Outcome {
    let who = caller(&app, &headers, false).await?.identity;
    Ok(json(StatusCode::OK, &app.access.reviews(&who)))
}

async fn locks(State(app): State<App>, headers: HeaderMap) -> Outcome {
    let who = caller(&app, &headers, false).await?.identity;
    Ok(json(StatusCode::OK, &app.access.locks(&who).await?))
}

async fn one(State(app): State<App>, Path(name): Path<String>, headers: HeaderMap) -> Outcome {
    let who = caller(&app, &headers, false).await?.identity;
    let name = parsed(&name)?;
    match app.access.one(&who, &name) {
        Some(view) => Ok(json(StatusCode::OK, &view)),
        None => {
            let (kind, list) = ("request", "requests");
            let near = String::new();
            Err(AccessError::NotFound { kind, name: name.to_string(), near, list }.into())
        }
    }
}

async fn request(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Outcome {
    let who = caller(&app, &headers, true).await?.identity;
    let ask = read::<ask::Body>(&body)?.ask(app.clock.now())?;
    Ok(json(StatusCode::CREATED, &app.access.request(&who, ask).await?))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Why {
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Longer {
    by: String,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Review {
    verdict: String,
    comment: String,
}

async fn change(
    State(app): State<App>,
    Path((name, verb)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Outcome {
    let who = caller(&app, &headers, true).await?.identity;
    let (name, access) = (parsed(&name)?, &app.access);
    let view = match verb.as_str() {
        "approve" => {
            let Nothing {} = read(&body)?;
            access.approve(&who, &name).await?
        }
        "deny" => access.deny(&who, &name, read::<Why>(&body)?.reason).await?,
        "revoke" => access.revoke(&who, &name, read::<Why>(&body)?.reason).await?,
        "extend" => {
            let Longer { by, reason } = read(&body)?;
            let by = duration::parse(&by).map_err(|error| No::unfit(&format!("`by`: {error}")))?;
            access.extend(&who, &name, by, reason).await?
        }
        "review" => {
            let Review { verdict, comment } = read(&body)?;
            let Some(verdict) = decide::verdict(Some(&verdict)) else {
                return Err(No::unfit("`verdict` is `justified` or `unjustified`"));
            };
            if comment.trim().is_empty() {
                return Err(No::unfit("`comment` must say what you found"));
            }
            access.review(&who, &name, verdict, Some(comment)).await?
        }
        _ => {
            let why = "a request can be approved, denied, revoked, extended and reviewed: approve, deny, revoke, extend, review";
            return Err(No::of(StatusCode::NOT_FOUND, why));
        }
    };
    Ok(json(StatusCode::OK, &view))
}

fn parsed(name: &str) -> Result<RequestName, No> {
    RequestName::parse(name).map_err(|_| No::of(StatusCode::NOT_FOUND, "no request has such a name"))
}

/// A body; nothing at all is an empty object.
fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, No> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| No::unfit(&format!("the body is not understood: {error}")))
}

fn no_more(reply: &lobby::Reply) -> Response {
    super::no::text(StatusCode::OK, reply.stdout.clone())
}
