//! Calls on a person's behalf. Each is made under their name, with the grant's group and nothing else, and only while
//! the permit holds.
//!
//! The retrying that is done here never repeats what may have had an effect: a call is repeated only when the API
//! server has said 403, within seconds of the grant's beginning, because its RBAC caches may not have seen the new
//! binding yet.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::client::Body;
use serde::de::DeserializeOwned;

use super::BridgeError;
use super::server::{Abilities, Server};
use crate::access::Permit;
use crate::clock::SharedClock;
use crate::record::SessionId;
use crate::terminal::clean;

/// How long the API server may take to answer a question, or to begin an upgrade or a log.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 3 } else { 15 });
/// Largest answer that is read whole. A page of 500 large pods stays below.
const MAX_ANSWER: usize = 32 * 1024 * 1024;
/// Largest error that is read.
const MAX_ERROR: usize = 64 * 1024;
/// How long a grant is so new that a 403 may be the API server's caches.
const FIRST_MOMENTS: Duration = Duration::from_secs(10);
/// Waits between attempts after a 403; the API server's RBAC caches usually follow within milliseconds.
const AFTER_403: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
];

/// What a call depends on: the API server's client, and whose call it is.
#[derive(Clone)]
pub(super) struct Caller {
    base: kube::Client,
    clock: SharedClock,
    permit: Permit,
    headers: HeaderMap,
    server: Server,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller").field("permit", &self.permit).finish_non_exhaustive()
    }
}

impl Caller {
    pub(super) fn new(
        base: &kube::Client,
        server: &Server,
        clock: &SharedClock,
        permit: &Permit,
        session: &SessionId,
    ) -> Result<Self, BridgeError> {
        let headers = impersonation(
            permit.person().username(),
            &permit.group(),
            permit.request().as_str(),
            session.as_str(),
        )?;
        Ok(Self {
            base: base.clone(),
            clock: clock.clone(),
            permit: permit.clone(),
            headers,
            server: server.clone(),
        })
    }

    pub(super) fn permit(&self) -> &Permit {
        &self.permit
    }

    /// What the API server can do.
    pub(super) async fn server(&self) -> Abilities {
        self.server.abilities(&self.base).await
    }

    /// Asks for one object.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        doing: &'static str,
        path: &str,
    ) -> Result<T, BridgeError> {
        let response = self.send(doing, Method::GET, path, &HeaderMap::new()).await?;
        let read = Limited::new(response.into_body(), MAX_ANSWER).collect();
        let body = tokio::time::timeout(PATIENCE, read)
            .await
            .map_err(|_| BridgeError::Slow { doing, seconds: PATIENCE.as_secs() })?
            .map_err(|source| BridgeError::Unreachable { doing, source })?
            .to_bytes();
        serde_json::from_slice(&body).map_err(|source| BridgeError::Protocol { doing, source: source.into() })
    }

    /// Sends a request with our headers and `extra`, and returns what is not an error: 2xx, or 101 where an upgrade
    /// was asked for.
    pub(super) async fn send(
        &self,
        doing: &'static str,
        method: Method,
        path: &str,
        extra: &HeaderMap,
    ) -> Result<Response<Body>, BridgeError> {
        let mut waits = AFTER_403.iter();
        loop {
            let answer = self.attempt(doing, method.clone(), path, extra).await;
            let wait = match &answer {
                Err(BridgeError::Forbidden { .. }) if self.just_begun() => waits.next(),
                _ => None,
            };
            match wait {
                Some(wait) => tokio::time::sleep(*wait).await,
                None => return answer,
            }
        }
    }

    async fn attempt(
        &self,
        doing: &'static str,
        method: Method,
        path: &str,
        extra: &HeaderMap,
    ) -> Result<Response<Body>, BridgeError> {
        self.permit.check(self.clock.now())?;
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().map_err(|source: http::uri::InvalidUri| BridgeError::Protocol {
            doing,
            source: source.into(),
        })?;
        request.headers_mut().extend(extra.clone());
        request.headers_mut().extend(self.headers.clone());
        let answer = tokio::time::timeout(PATIENCE, self.base.send(request)).await;
        let response = answer
            .map_err(|_| BridgeError::Slow { doing, seconds: PATIENCE.as_secs() })?
            .map_err(|source| BridgeError::Unreachable { doing, source: source.into() })?;
        let status = response.status();
        if status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response);
        }
        let body = Limited::new(response.into_body(), MAX_ERROR).collect();
        let body =
            tokio::time::timeout(PATIENCE, body).await.ok().and_then(Result::ok).map(|body| body.to_bytes());
        Err(refusal(doing, status, &body.unwrap_or_default()))
    }

    /// Whether the grant began so recently that the API server may not know its binding.
    fn just_begun(&self) -> bool {
        let age = self.clock.now().duration_since(self.permit.starts_at());
        Duration::try_from(age).is_ok_and(|age| age < FIRST_MOMENTS)
    }
}

/// An error answer in our words.
fn refusal(doing: &'static str, status: StatusCode, body: &[u8]) -> BridgeError {
    let said = serde_json::from_slice::<Status>(body).ok().and_then(|status| status.message);
    let said =
        said.unwrap_or_else(|| String::from_utf8_lossy(body.get(..300).unwrap_or(body)).trim().to_owned());
    let message = clean(&said);
    match status.as_u16() {
        401 => BridgeError::Credentials { doing },
        // Only impersonation itself is done under the gateway's own name.
        403 if message.contains("cannot impersonate") => BridgeError::GatewayRights { message },
        403 => BridgeError::Forbidden { message },
        404 => BridgeError::NotFound { what: message, namespace: String::new(), hint: "" },
        429 | 500..=599 => {
            let message = if message.is_empty() { message } else { format!(", {message}") };
            BridgeError::Unavailable { doing, status: status.as_u16(), message }
        }
        _ => BridgeError::Rejected { doing, message },
    }
}

/// The headers of one person's calls. Extras: the key is `sallyport.dev/grant`, percent-encoded as the API server asks.
fn impersonation(user: &str, group: &str, grant: &str, session: &str) -> Result<HeaderMap, BridgeError> {
    let refused = |name: &str, why| BridgeError::Impersonation { name: clean(name), why };
    for name in [user, group] {
        let lower = name.to_ascii_lowercase();
        if lower.trim_start().starts_with("system:") {
            return Err(refused(name, "names that begin with `system:` belong to the cluster itself"));
        }
    }
    if !group.starts_with("sallyport:grant:") {
        return Err(refused(group, "only a grant's group is ever used"));
    }
    let mut headers = HeaderMap::with_capacity(4);
    for (name, value) in [
        ("impersonate-user", user),
        ("impersonate-group", group),
        ("impersonate-extra-sallyport.dev%2fgrant", grant),
        ("impersonate-extra-sallyport.dev%2fsession", session),
    ] {
        // Blanks at the ends would be lost on the way, and with them the difference between two people.
        if value.is_empty() || value.trim() != value || value.chars().any(char::is_control) {
            return Err(refused(value, "it is empty, has blanks at its ends or control characters"));
        }
        let value = HeaderValue::from_bytes(value.as_bytes())
            .map_err(|_| refused(value, "it does not fit a header"))?;
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_carries_person_group_grant_and_session_and_nothing_else() {
        let headers =
            impersonation("jos\u{e9}@example.com", "sallyport:grant:oncall-bcdfgh", "oncall-bcdfgh", "01s")
                .unwrap();
        let all: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(all.len(), 4);
        assert!(all.contains(&("impersonate-user", "jos\u{e9}@example.com".as_bytes())));
        assert!(all.contains(&("impersonate-group", b"sallyport:grant:oncall-bcdfgh")));
        assert!(all.contains(&("impersonate-extra-sallyport.dev%2fgrant", b"oncall-bcdfgh")));
        assert!(all.contains(&("impersonate-extra-sallyport.dev%2fsession", b"01s")));
    }

    #[test]
    fn names_of_the_cluster_itself_are_never_used() {
        for user in [
            "system:admin",
            "System:kube-controller-manager",
            " system:x",
            "",
            "a\r\nImpersonate-Group: x",
            "alice ",
        ] {
            impersonation(user, "sallyport:grant:g", "g", "s").unwrap_err();
        }
        for group in ["system:masters", "SYSTEM:masters", "oncall", ""] {
            impersonation("alice", group, "g", "s").unwrap_err();
        }
    }

    #[test]
    fn answers_become_one_clear_line_and_the_right_exit_status() {
        let status = |message: &str| format!("{{\"kind\":\"Status\",\"message\":\"{message}\"}}");
        for (code, body, exit, text) in [
            (401, status("Unauthorized"), 69, "does not accept the gateway's credentials"),
            (
                403,
                status("pods is forbidden: User \\\"alice\\\" cannot get"),
                77,
                "refused by the cluster: pods is forbidden",
            ),
            (
                403,
                status("users \\\"alice\\\" is forbidden: User \\\"sa\\\" cannot impersonate"),
                69,
                "the gateway lacks a right",
            ),
            (409, status("Conflict"), 64, "refused (reading): Conflict"),
            (429, status("slow down"), 69, "429, slow down"),
            (500, String::new(), 69, "(reading: 500)"),
            (503, "<html>\x1b[31mno</html>".to_owned(), 69, "503, <html>\u{fffd}[31mno</html>"),
        ] {
            let error = refusal("reading", StatusCode::from_u16(code).unwrap(), body.as_bytes());
            assert_eq!(error.exit_status(), exit, "{code}");
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}
