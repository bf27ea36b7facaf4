//! The API server proper: from an HTTP request to its answer.
//!
//! Order of the steps, as in the real server: authentication, audit begins, impersonation, authorization, then
//! discovery, a verb of a collection, or a stream to a pod. Every refusal is a `Status` and in the audit log.

pub mod audit;
mod body;
mod context;
mod delete;
mod discovery;
mod output;
mod patch;
mod protobuf;
mod read;
pub mod request;
mod reviews;
mod scale;
pub mod select;
mod strategic;
mod table;
mod watch;
mod write;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Request};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use self::audit::{AuditLog, Entry};
use self::context::Context;
use self::request::{RequestInfo, header};
use super::auth::serviceaccount::{ISSUER, Signer};
use super::auth::tokens::Tokens;
use super::auth::{User, impersonate};
use super::catalog::Catalog;
use super::kubelet::Kubelet;
use super::rbac::{Attributes, Authorizer};
use super::status::Status;
use super::store::{self, Store};
use super::streaming::{self, Subresource};

/// Largest request body, bytes: what the real server takes.
pub const LARGEST_BODY: usize = 3 << 20;
/// Watches at one time; more are told 429.
const MOST_WATCHES: usize = 1_024;

/// Everything a request may need.
#[derive(Debug)]
pub struct Api {
    pub(super) store: Store,
    pub(super) catalog: Catalog,
    pub(super) authorizer: Authorizer,
    pub(super) tokens: Tokens,
    pub(super) signer: Signer,
    pub(super) audit: Arc<AuditLog>,
    pub(super) kubelet: Kubelet,
    pub(super) watches: Arc<Semaphore>,
    pub(super) shutdown: CancellationToken,
}

impl Api {
    /// Over a store and the secrets of a cluster directory.
    pub fn new(
        store: Store,
        tokens: Tokens,
        signer: Signer,
        audit: AuditLog,
        kubelet: Kubelet,
        shutdown: CancellationToken,
    ) -> Api {
        Api {
            catalog: Catalog::new(store.clone()),
            authorizer: Authorizer::new(store.clone()),
            store,
            tokens,
            signer,
            audit: Arc::new(audit),
            kubelet,
            watches: Arc::new(Semaphore::new(MOST_WATCHES)),
            shutdown,
        }
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request<Body>, peer: SocketAddr) -> Response {
        let info = RequestInfo::of(request.method(), request.uri());
        let mut entry = Entry::new(&info, request.uri(), request.headers(), peer.ip().to_string());
        let id = entry.id().to_owned();
        let long = is_long_running(&info);
        let mut response = match self.admitted(&info, &request, &mut entry) {
            Ok(user) => {
                let context = Context { user, info };
                self.serve(&context, request).await.unwrap_or_else(IntoResponse::into_response)
            }
            Err(status) => status.into_response(),
        };
        let status = response.extensions_mut().remove::<Status>();
        let code = response.status().as_u16();
        if long && status.is_none() {
            self.audit.write(&entry, "ResponseStarted", Some((code, None)));
        }
        // A stream to a pod leaves this server's sight with its upgrade; other streams are followed to their end.
        if long && status.is_none() && response.status().is_success() {
            let end = audit::End::new(self.audit.clone(), entry, code);
            response = response.map(|body| end.after(body));
        } else {
            self.audit.write(&entry, "ResponseComplete", Some((code, status.as_ref())));
        }
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert("audit-id", value);
        }
        response.headers_mut().insert("cache-control", HeaderValue::from_static("no-cache, private"));
        response
    }

    /// Authenticates, impersonates, authorizes.
    fn admitted(
        &self,
        info: &RequestInfo,
        request: &Request<Body>,
        entry: &mut Entry,
    ) -> Result<User, Status> {
        let headers = request.headers();
        let user = self.authenticate(headers).ok_or_else(Status::unauthorized)?;
        entry.user = user.clone();
        let user = match impersonate::asked(headers)? {
            None => user,
            Some(asked) => {
                for check in impersonate::checks(&asked) {
                    let decision = self.authorizer.authorize(&user, &check);
                    if !decision.allowed {
                        return Err(check.refusal(&user.username, &decision.reason));
                    }
                }
                let user = impersonate::completed(asked);
                entry.impersonated = Some(user.clone());
                user
            }
        };
        for check in questions(info, headers) {
            let decision = self.authorizer.authorize(&user, &check);
            entry.decision = Some((decision.allowed, decision.reason.clone()));
            if !decision.allowed {
                return Err(check.refusal(&user.username, &decision.reason));
            }
        }
        Ok(user)
    }

    /// `None` is a wrong credential; none at all is the anonymous user.
    fn authenticate(&self, headers: &http::HeaderMap) -> Option<User> {
        let Some(value) = headers.get(http::header::AUTHORIZATION) else { return Some(User::anonymous()) };
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
            return None;
        }
        self.user_of(token.trim(), &[ISSUER])
    }

    /// The user behind a token meant for one of `audiences`.
    fn user_of(&self, token: &str, audiences: &[&str]) -> Option<User> {
        let person = self.tokens.user_of(token).filter(|_| audiences.contains(&ISSUER));
        person.or_else(|| self.signer.user_of(token, audiences, &self.store))
    }

    async fn serve(&self, context: &Context, request: Request<Body>) -> Result<Response, Status> {
        let info = &context.info;
        if !info.is_resource {
            return self.serve_path(&info.path, request.headers());
        }
        let kind =
            self.catalog.find(&info.group, &info.version, &info.resource).ok_or_else(Status::no_such_path)?;
        if !info.subresource.is_empty() {
            return self.serve_subresource(context, &kind, request).await;
        }
        if !kind.verbs.contains(&info.verb.as_str()) {
            return Err(Status::method_not_allowed());
        }
        if kind.namespaced && info.namespace.is_empty() && !matches!(info.verb.as_str(), "list" | "watch") {
            // Without a namespace only listing and watching across all of them is possible.
            return Err(Status::method_not_allowed());
        }
        if info.name.is_empty() && matches!(info.verb.as_str(), "update" | "patch") {
            return Err(Status::method_not_allowed());
        }
        if kind.verbs == ["create"] {
            return self.review(context, &kind, request).await;
        }
        match info.verb.as_str() {
            "get" => self.get(context, &kind, &request),
            "list" => self.list(context, &kind, &request),
            "watch" => self.watch(context, &kind, &request),
            "create" => self.create(context, &kind, request).await,
            "update" => self.update(context, &kind, request).await,
            "patch" => self.patch(context, &kind, request).await,
            "delete" => self.delete(context, &kind, request).await,
            "deletecollection" => self.delete_collection(context, &kind, request).await,
            _ => Err(Status::method_not_allowed()),
        }
    }

    async fn serve_subresource(
        &self,
        context: &Context,
        kind: &super::catalog::Kind,
        request: Request<Body>,
    ) -> Result<Response, Status> {
        let info = &context.info;
        let found =
            kind.subresources.iter().find(|s| s.name == info.subresource).ok_or_else(Status::no_such_path)?;
        if !found.verbs.contains(&info.verb.as_str()) {
            return Err(Status::method_not_allowed());
        }
        match (info.subresource.as_str(), info.verb.as_str()) {
            ("scale", _) => self.scale(context, kind, request).await,
            ("token", _) => self.token_request(context, request).await,
            ("eviction", _) => self.evict(context, kind, request).await,
            ("exec" | "attach" | "portforward" | "log", _) => self.stream(context, request).await,
            (_, "get") => self.get(context, kind, &request),
            (_, "update") => self.update(context, kind, request).await,
            (_, "patch") => self.patch(context, kind, request).await,
            _ => Err(Status::method_not_allowed()),
        }
    }

    async fn stream(&self, context: &Context, request: Request<Body>) -> Result<Response, Status> {
        let info = &context.info;
        let pod = self.store.fetch(&store::PODS, &info.namespace, &info.name)?;
        let subresource = match info.subresource.as_str() {
            "exec" => Subresource::Exec,
            "attach" => Subresource::Attach,
            "portforward" => Subresource::PortForward,
            _ => Subresource::Log,
        };
        Ok(streaming::serve(request, pod, subresource, &self.kubelet).await)
    }

    fn serve_path(&self, path: &str, headers: &http::HeaderMap) -> Result<Response, Status> {
        match path.trim_end_matches('/') {
            "/healthz" | "/livez" | "/readyz" => Ok("ok".into_response()),
            "/version" => Ok(axum::Json(version()).into_response()),
            path => self.discover(path, headers),
        }
    }
}

/// Merges an applied object into the stored one, as a patch of type apply does.
pub(super) fn merge_applied(
    kind: &super::catalog::Kind,
    target: &mut serde_json::Value,
    applied: &serde_json::Value,
) -> Result<(), Status> {
    patch::Patch::Apply(applied.clone()).apply(kind, target)
}

/// What `/version` says: the API of this release is what the built-in kinds are taken from.
fn version() -> serde_json::Value {
    json!({
        "major": "1", "minor": "33", "gitVersion": "v1.33.0+sallyport-dev", "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

/// A stream to a pod asked for by WebSocket is a GET, and from 1.35 the verb `create` is asked as well: asking
/// it here shows early which roles would fail there.
fn questions(info: &RequestInfo, headers: &http::HeaderMap) -> Vec<Attributes> {
    let mut questions = vec![info.attributes()];
    let stream = matches!(info.subresource.as_str(), "exec" | "attach" | "portforward");
    if stream && info.resource == "pods" && info.verb == "get" && !header(headers, "upgrade").is_empty() {
        let mut also = info.attributes();
        also.verb = "create".into();
        questions.push(also);
    }
    questions
}

fn is_long_running(info: &RequestInfo) -> bool {
    info.verb == "watch" || matches!(info.subresource.as_str(), "exec" | "attach" | "portforward" | "log")
}
