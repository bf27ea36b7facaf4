//! An API server of a few lines, in this process, for tests: lists, watches, conflicts, and failures on demand.
//! What a real server does is tested on real servers (`tests/`); here is what they do only on bad days.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use jiff::Timestamp;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep_until};
use tower::service_fn;

type Lines = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>> + Send>>;
type Answer = Result<Response<StreamBody<Lines>>, std::io::Error>;

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// This status.
    Status(u16),
    /// No answer, ever.
    Silence,
    /// No connection.
    Refused,
    /// It is done, and the answer is lost on its way.
    Lost,
}

type Faults = Box<dyn Fn(&Method, &str) -> Option<Fault> + Send>;

struct State {
    objects: BTreeMap<(String, String), Value>,
    log: Vec<(u64, &'static str, String, Value)>,
    faults: Faults,
    seen: Vec<(Method, String)>,
    now: Timestamp,
    minor: u32,
}

/// The server; cheap to clone.
#[derive(Clone)]
pub(crate) struct Fake {
    state: Arc<Mutex<State>>,
    version: Arc<watch::Sender<u64>>,
    cut: Arc<watch::Sender<u64>>,
}

impl Fake {
    pub(crate) fn at(now: Timestamp) -> Self {
        let state = State {
            objects: BTreeMap::new(),
            log: Vec::new(),
            faults: Box::new(|_, _| None),
            seen: Vec::new(),
            now,
            minor: 33,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            version: Arc::new(watch::Sender::new(1)),
            cut: Arc::new(watch::Sender::new(0)),
        }
    }

    pub(crate) fn client(&self) -> kube::Client {
        let fake = self.clone();
        kube::Client::new(
            service_fn(move |request: Request<Body>| {
                let fake = fake.clone();
                async move { fake.answer(request).await }
            }),
            "default",
        )
    }

    /// Decides what goes wrong from now on.
    pub(crate) fn faults(&self, faults: impl Fn(&Method, &str) -> Option<Fault> + Send + 'static) {
        self.state.lock().unwrap().faults = Box::new(faults);
    }

    /// Makes it a server of Kubernetes 1.`minor`.
    pub(crate) fn version(&self, minor: u32) {
        self.state.lock().unwrap().minor = minor;
    }

    /// Ends all watches.
    pub(crate) fn cut_watches(&self) {
        self.cut.send_modify(|count| *count += 1);
    }

    /// Puts an object there, whatever was there before; with its status.
    pub(crate) fn put(&self, resource: &str, object: &impl serde::Serialize) {
        let mut object = serde_json::to_value(object).unwrap();
        let key = key(&object["metadata"]);
        let mut state = self.state.lock().unwrap();
        let old = state.objects.get(&(resource.to_owned(), key.clone())).cloned();
        let uid = old.as_ref().map(|old| old["metadata"]["uid"].clone());
        let now = state.now;
        fill(&mut object, uid, now);
        let kind = if old.is_some() { "MODIFIED" } else { "ADDED" };
        self.store(&mut state, kind, resource, &key, object);
    }

    pub(crate) fn remove(&self, resource: &str, key: &str) {
        let mut state = self.state.lock().unwrap();
        if let Some(object) = state.objects.remove(&(resource.to_owned(), key.to_owned())) {
            self.log(&mut state, "DELETED", resource, object);
        }
    }

    pub(crate) fn get(&self, resource: &str, key: &str) -> Option<Value> {
        self.state.lock().unwrap().objects.get(&(resource.to_owned(), key.to_owned())).cloned()
    }

    pub(crate) fn keys(&self, resource: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.objects.keys().filter(|(kind, _)| kind == resource).map(|(_, key)| key.clone()).collect()
    }

    /// How often this was asked.
    pub(crate) fn asked(&self, method: &Method, part: &str) -> usize {
        let state = self.state.lock().unwrap();
        state.seen.iter().filter(|(one, path)| one == method && path.contains(part)).count()
    }

    fn log(&self, state: &mut State, kind: &'static str, resource: &str, mut object: Value) -> Value {
        let version = *self.version.borrow() + 1;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        state.log.push((version, kind, resource.to_owned(), object.clone()));
        self.version.send_replace(version);
        object
    }

    fn store(
        &self,
        state: &mut State,
        kind: &'static str,
        resource: &str,
        key: &str,
        object: Value,
    ) -> Value {
        let object = self.log(state, kind, resource, object);
        state.objects.insert((resource.to_owned(), key.to_owned()), object.clone());
        object
    }

    async fn answer(&self, request: Request<Body>) -> Answer {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let path = parts.uri.path().to_owned();
        let fault = {
            let mut state = self.state.lock().unwrap();
            state.seen.push((parts.method.clone(), path.clone()));
            (state.faults)(&parts.method, &path)
        };
        match fault {
            Some(Fault::Status(code)) => status(code, "made to fail"),
            Some(Fault::Silence) => std::future::pending().await,
            Some(Fault::Refused) => Err(std::io::ErrorKind::ConnectionRefused.into()),
            Some(Fault::Lost) => {
                self.done(&parts, body)?;
                Err(std::io::ErrorKind::ConnectionReset.into())
            }
            None => self.done(&parts, body),
        }
    }

    fn done(&self, parts: &http::request::Parts, body: Value) -> Answer {
        let path = parts.uri.path().to_owned();
        let query = parts.uri.query().unwrap_or_default().to_owned();
        if path == "/version" {
            let minor = self.state.lock().unwrap().minor;
            return ok(&json!({
                "major": "1", "minor": minor.to_string(), "gitVersion": "", "gitCommit": "", "gitTreeState": "",
                "buildDate": "", "goVersion": "", "compiler": "", "platform": "",
            }));
        }
        // `/api/v1/…` and `/apis/GROUP/VERSION/…`.
        let skip = if path.starts_with("/apis/") { 3 } else { 2 };
        let mut words: Vec<&str> = path.trim_start_matches('/').split('/').skip(skip).collect();
        let namespace = (words.first() == Some(&"namespaces") && words.len() > 2).then(|| {
            words.remove(0);
            words.remove(0).to_owned()
        });
        let resource = words[0].to_owned();
        if query.contains("watch=true") {
            return self.watch(resource, &query);
        }
        let name = words.get(1).map(|name| match &namespace {
            Some(namespace) => format!("{namespace}/{name}"),
            None => (*name).to_owned(),
        });
        let mut state = self.state.lock().unwrap();
        let there =
            name.as_ref().and_then(|name| state.objects.get(&(resource.clone(), name.clone())).cloned());
        match (parts.method.as_str(), name, there) {
            ("GET", None, _) => {
                let items: Vec<_> = state.objects.iter().filter(|((kind, _), _)| *kind == resource).collect();
                let items: Vec<_> = items.into_iter().map(|(_, object)| object.clone()).collect();
                let version = self.version.borrow().to_string();
                ok(
                    &json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": version}, "items": items}),
                )
            }
            ("POST", None, _) => {
                let mut object = body;
                if let Some(namespace) = namespace {
                    object["metadata"]["namespace"] = json!(namespace);
                }
                object.as_object_mut().unwrap().remove("status");
                let key = key(&object["metadata"]);
                if state.objects.contains_key(&(resource.clone(), key.clone())) {
                    return status(409, "it exists");
                }
                let now = state.now;
                fill(&mut object, None, now);
                ok(&self.store(&mut state, "ADDED", &resource, &key, object))
            }
            (_, _, None) => status(404, "no such thing"),
            ("GET", _, Some(object)) => ok(&object),
            ("PUT", Some(name), Some(mut object)) => {
                if body["metadata"]["resourceVersion"] != object["metadata"]["resourceVersion"] {
                    return status(409, "it has changed");
                }
                if words.get(2) == Some(&"status") {
                    object["status"] = body["status"].clone();
                } else {
                    let mut new = body;
                    for kept in ["uid", "creationTimestamp", "generation"] {
                        new["metadata"][kept] = object["metadata"][kept].clone();
                    }
                    object = new;
                }
                ok(&self.store(&mut state, "MODIFIED", &resource, &name, object))
            }
            ("DELETE", Some(name), Some(object)) => {
                let wanted = &body["preconditions"]["uid"];
                if !wanted.is_null() && *wanted != object["metadata"]["uid"] {
                    return status(409, "another object");
                }
                state.objects.remove(&(resource.clone(), name));
                ok(&self.log(&mut state, "DELETED", &resource, object))
            }
            _ => status(405, "not here"),
        }
    }

    fn watch(&self, resource: String, query: &str) -> Answer {
        let from = query.split('&').find_map(|pair| pair.strip_prefix("resourceVersion=")).unwrap_or("0");
        let seen: u64 = from.parse().unwrap();
        let (fake, versions, cut) = (self.clone(), self.version.subscribe(), self.cut.subscribe());
        let seconds = query.split('&').find_map(|pair| pair.strip_prefix("timeoutSeconds=")).unwrap_or("60");
        let over = Instant::now() + Duration::from_secs(seconds.parse().unwrap());
        let lines = stream::unfold((seen, versions, cut), move |(seen, mut versions, mut cut)| {
            let (fake, resource) = (fake.clone(), resource.clone());
            async move {
                loop {
                    versions.mark_unchanged();
                    let next = {
                        let state = fake.state.lock().unwrap();
                        let mut log = state.log.iter();
                        log.find(|(version, _, kind, _)| *version > seen && *kind == resource).cloned()
                    };
                    if let Some((version, kind, _, object)) = next {
                        let line = json!({"type": kind, "object": object}).to_string() + "\n";
                        return Some((Ok(Frame::data(Bytes::from(line))), (version, versions, cut)));
                    }
                    tokio::select! {
                        changed = versions.changed() => changed.ok()?,
                        _ = cut.changed() => return None,
                        () = sleep_until(over) => return None,
                    }
                }
            }
        });
        Ok(Response::new(StreamBody::new(lines.boxed())))
    }
}

fn key(metadata: &Value) -> String {
    let name = metadata["name"].as_str().unwrap();
    metadata["namespace"].as_str().map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}

fn fill(object: &mut Value, uid: Option<Value>, now: Timestamp) {
    let metadata = &mut object["metadata"];
    let fresh = json!(format!("uid-{}", rand::random::<u64>()));
    metadata["uid"] = uid.unwrap_or(fresh);
    metadata["creationTimestamp"] = json!(Timestamp::from_second(now.as_second()).unwrap().to_string());
    if metadata["generation"].is_null() {
        metadata["generation"] = json!(1);
    }
}

fn ok(object: &Value) -> Answer {
    whole(200, object)
}

fn status(code: u16, message: &str) -> Answer {
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        _ => "InternalError",
    };
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code});
    whole(code, &status)
}

fn whole(code: u16, value: &Value) -> Answer {
    let frame = Frame::data(Bytes::from(value.to_string()));
    let lines: Lines = stream::iter([Ok(frame)]).boxed();
    Ok(Response::builder().status(code).body(StreamBody::new(lines)).unwrap())
}
