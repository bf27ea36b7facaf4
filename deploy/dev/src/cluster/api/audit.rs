//! The audit log: `audit.k8s.io/v1` events at level `Metadata`, one JSON object a line.
//!
//! An event is in the operating system's hands before the answer is sent. A log that cannot be written is
//! reported and does not stop the cluster: this is a development server.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use http::{HeaderMap, Uri};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::request::{RequestInfo, header};
use crate::cluster::auth::User;
use crate::cluster::{store, time};

/// Beyond this the log is set aside as `.1`, so that a cluster that runs for weeks does not fill the disk.
const LARGEST: u64 = 256 << 20;

/// The open log.
#[derive(Debug)]
pub struct AuditLog {
    path: PathBuf,
    out: Mutex<(File, u64)>,
}

/// A request on its way, as far as it is known.
#[derive(Clone, Debug)]
pub struct Entry {
    id: String,
    uri: String,
    verb: String,
    agent: String,
    source: String,
    object: Option<Value>,
    received: Timestamp,
    pub user: User,
    pub impersonated: Option<User>,
    /// The authorizer's answer and its reason, once there is one.
    pub decision: Option<(bool, String)>,
}

impl AuditLog {
    /// Opens the log for appending.
    pub fn open(path: &Path) -> std::io::Result<AuditLog> {
        let (file, size) = open(path)?;
        Ok(AuditLog { path: path.to_owned(), out: Mutex::new((file, size)) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the event of one stage; `code` and `status` are those of the answer.
    pub fn write(&self, entry: &Entry, stage: &str, answer: Option<(u16, Option<&super::Status>)>) {
        let mut line = event(entry, stage, answer).to_string();
        line.push('\n');
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.append(&mut out, line.as_bytes()) {
            tracing::error!(%error, path = %self.path.display(), "cannot write the audit log");
        }
    }

    fn append(&self, out: &mut (File, u64), line: &[u8]) -> std::io::Result<()> {
        if out.1 > LARGEST {
            std::fs::rename(&self.path, self.path.with_extension("log.1"))?;
            *out = open(&self.path)?;
        }
        out.0.write_all(line)?;
        out.1 = out.1.saturating_add(line.len() as u64);
        Ok(())
    }
}

fn open(path: &Path) -> std::io::Result<(File, u64)> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

impl Entry {
    /// The beginning of an event.
    pub fn new(info: &RequestInfo, uri: &Uri, headers: &HeaderMap, source: String) -> Entry {
        Entry {
            id: store::new_uid(),
            uri: uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            verb: info.verb.clone(),
            agent: header(headers, "user-agent").chars().take(1_024).collect(),
            source,
            object: info.object_ref(),
            received: time::now(),
            user: User::default(),
            impersonated: None,
            decision: None,
        }
    }

    /// `auditID`, also sent back in the header `Audit-Id`.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// Writes `ResponseComplete` when it is dropped: with the last of the answer, or with the connection.
#[derive(Debug)]
pub(super) struct End {
    log: Arc<AuditLog>,
    entry: Entry,
    code: u16,
}

impl End {
    pub(super) fn new(log: Arc<AuditLog>, entry: Entry, code: u16) -> End {
        End { log, entry, code }
    }

    /// The body, with this end attached.
    pub(super) fn after(self, body: Body) -> Body {
        let frames = http_body_util::BodyExt::map_frame(body, move |frame| {
            let _until_the_body_is_dropped = &self;
            frame
        });
        Body::new(frames)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.log.write(&self.entry, "ResponseComplete", Some((self.code, None)));
    }
}

fn event(entry: &Entry, stage: &str, answer: Option<(u16, Option<&super::Status>)>) -> Value {
    let mut event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata",
        "auditID": entry.id, "stage": stage, "requestURI": entry.uri, "verb": entry.verb,
        "user": entry.user, "sourceIPs": [entry.source], "userAgent": entry.agent,
        "requestReceivedTimestamp": time::micros(entry.received), "stageTimestamp": time::micros(time::now()),
    });
    let Value::Object(map) = &mut event else { return event };
    if let Some(user) = &entry.impersonated {
        map.insert("impersonatedUser".into(), json!(user));
    }
    if let Some(object) = &entry.object {
        map.insert("objectRef".into(), object.clone());
    }
    if let Some((code, status)) = answer {
        let mut response = json!({"metadata": {}, "code": code});
        if let (Value::Object(response), Some(status)) = (&mut response, status) {
            response.insert("status".into(), "Failure".into());
            response.insert("message".into(), status.message().into());
            response.insert("reason".into(), status.reason().into());
        }
        map.insert("responseStatus".into(), response);
    }
    let annotations = match &entry.decision {
        Some((allowed, reason)) => json!({
            "authorization.k8s.io/decision": if *allowed { "allow" } else { "forbid" },
            "authorization.k8s.io/reason": reason,
        }),
        None => json!({}),
    };
    map.insert("annotations".into(), annotations);
    event
}
