//! watch: changes as a stream of JSON lines.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, Uri};
use rand::RngExt;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Api;
use super::context::Context;
use super::output::Output;
use super::read::{Selection, list_scope, number};
use super::request::{is_true, param};
use crate::cluster::catalog::Kind;
use crate::cluster::status::Status;
use crate::cluster::store::{Change, ChangeKind, Watch};

/// How often a watcher that wants bookmarks gets one.
const BOOKMARK_EVERY: Duration = Duration::from_secs(30);
/// A watch without `timeoutSeconds` ends after this many seconds, chosen by chance within the range.
const USUAL: std::ops::Range<u64> = 1_800..3_600;

struct Stream {
    kind: Arc<Kind>,
    output: Output,
    selection: Selection,
    watch: Watch,
    /// Objects that exist already, sent first.
    initial: VecDeque<Arc<Value>>,
    /// A bookmark that says that the initial objects are through is still due.
    announce: bool,
    bookmarks: bool,
    first: bool,
    ended: bool,
    deadline: Instant,
    next_bookmark: Instant,
    shutdown: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Api {
    pub(super) fn watch(
        &self,
        context: &Context,
        kind: &Arc<Kind>,
        request: &Request<Body>,
    ) -> Result<Response, Status> {
        let uri = request.uri();
        let output = Output::of(request.headers(), uri)?;
        let selection = Selection::of(kind, uri)?;
        let namespace = list_scope(kind, context);
        let bookmarks = is_true(param(uri, "allowWatchBookmarks").as_deref());
        let place = self.watches.clone().try_acquire_owned().map_err(|_| too_many())?;
        let since = number(uri, "resourceVersion")?.unwrap_or(0);
        let from_list = initial_events(uri, bookmarks)?;
        let (initial, watch, announce) = match from_list {
            Some(true) => {
                let (objects, watch) = self.store.list_and_watch(&kind.id, namespace.as_deref());
                (objects, watch, true)
            }
            None if since == 0 => {
                let (objects, watch) = self.store.list_and_watch(&kind.id, namespace.as_deref());
                (objects, watch, false)
            }
            _ => {
                let since = Some(since).filter(|s| *s > 0);
                match self.store.watch(&kind.id, namespace.as_deref(), since) {
                    Ok(watch) => (Vec::new(), watch, false),
                    Err(error) => return Ok(stream_of(futures::stream::iter([Ok(failure(&error.into()))]))),
                }
            }
        };
        let initial = initial.into_iter().filter(|o| selection.matches(o)).collect();
        let seconds = number(uri, "timeoutSeconds")?.filter(|s| *s > 0);
        let seconds = seconds.unwrap_or_else(|| rand::rng().random_range(USUAL)).min(24 * 3_600);
        let now = Instant::now();
        let stream = Stream {
            kind: kind.clone(),
            output,
            selection,
            watch,
            initial,
            announce,
            bookmarks,
            first: true,
            ended: false,
            deadline: now + Duration::from_secs(seconds),
            next_bookmark: now + BOOKMARK_EVERY,
            shutdown: self.shutdown.clone(),
            _place: place,
        };
        Ok(stream_of(futures::stream::unfold(stream, |mut s| async move {
            s.next().await.map(|line| (Ok(line), s))
        })))
    }
}

fn stream_of(
    lines: impl futures::Stream<Item = Result<Bytes, std::convert::Infallible>> + Send + 'static,
) -> Response {
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// `sendInitialEvents`, where given, with the conditions that the real server attaches to it.
fn initial_events(uri: &Uri, bookmarks: bool) -> Result<Option<bool>, Status> {
    let Some(asked) = param(uri, "sendInitialEvents") else { return Ok(None) };
    let how = param(uri, "resourceVersionMatch").unwrap_or_default();
    if how != "NotOlderThan" {
        let message = "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        return Err(Status::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message));
    }
    let asked = is_true(Some(&asked));
    if asked && !bookmarks {
        let message = "sendInitialEvents: Forbidden: sendInitialEvents requires allowWatchBookmarks";
        return Err(Status::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message));
    }
    Ok(Some(asked))
}

fn too_many() -> Status {
    let status = Status::new(
        StatusCode::TOO_MANY_REQUESTS,
        "TooManyRequests",
        "too many watches, please try again later",
    );
    status.detail("retryAfterSeconds", 1.into())
}

impl Stream {
    /// The next line; `None` ends the watch.
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        if let Some(object) = self.initial.pop_front() {
            return Some(self.line("ADDED", &object));
        }
        if std::mem::take(&mut self.announce) {
            return Some(self.bookmark(true));
        }
        loop {
            let bookmark_at = if self.bookmarks { self.next_bookmark } else { self.deadline };
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return None,
                () = tokio::time::sleep_until(self.deadline) => return None,
                change = self.watch.next() => match change {
                    Ok(change) => if let Some((event, object)) = self.seen(&change) {
                        return Some(self.line(event, &object));
                    },
                    Err(error) => {
                        self.ended = true;
                        return Some(failure(&error.into()));
                    }
                },
                () = tokio::time::sleep_until(bookmark_at) => {
                    self.next_bookmark = Instant::now() + BOOKMARK_EVERY;
                    return Some(self.bookmark(false));
                }
            }
        }
    }

    /// What a change looks like through the selectors: an object may enter or leave the selection without being
    /// created or deleted.
    fn seen(&self, change: &Change) -> Option<(&'static str, Arc<Value>)> {
        let was = change.before.as_ref().is_some_and(|b| self.selection.matches(b));
        let is = change.kind != ChangeKind::Deleted && self.selection.matches(&change.object);
        let event = match (was, is) {
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
            (false, false) => return None,
        };
        Some((event, change.object.clone()))
    }

    fn line(&mut self, event: &str, object: &Value) -> Bytes {
        let object = self.output.event(&self.kind, object, self.first);
        self.first = false;
        encode(&json!({"type": event, "object": object}))
    }

    fn bookmark(&mut self, initial_end: bool) -> Bytes {
        let mut metadata =
            json!({"resourceVersion": self.watch.progress().to_string(), "creationTimestamp": null});
        if let (true, Value::Object(map)) = (initial_end, &mut metadata) {
            map.insert("annotations".into(), json!({"k8s.io/initial-events-end": "true"}));
        }
        let mut object =
            json!({"kind": self.kind.kind, "apiVersion": self.kind.api_version(), "metadata": metadata});
        if self.output == Output::Metadata {
            object = super::output::partial(&object);
        }
        encode(&json!({"type": "BOOKMARK", "object": object}))
    }
}

fn failure(status: &Status) -> Bytes {
    encode(&json!({"type": "ERROR", "object": status.body()}))
}

fn encode(value: &Value) -> Bytes {
    let mut line = value.to_string();
    line.push('\n');
    Bytes::from(line)
}
