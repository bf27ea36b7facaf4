//! Deleting: preconditions, finalizers, a pod's grace, and how dependents go.

use std::sync::Arc;

use serde_json::Value;

use super::object::{self, metadata_mut};
use super::write::{conflict, ready_to_go};
use super::{NAMESPACES, PODS, ResourceId, Store, StoreError};
use crate::cluster::time;

/// What becomes of the objects that this one owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// Collected afterwards.
    #[default]
    Background,
    /// Collected first; the owner waits with finalizer `foregroundDeletion`.
    Foreground,
    /// Kept, without their owner reference; the owner waits with finalizer `orphan`.
    Orphan,
}

/// How to delete.
#[derive(Clone, Debug, Default)]
pub struct Delete {
    /// Only the object with this uid.
    pub uid: Option<String>,
    /// Only at this version.
    pub resource_version: Option<String>,
    /// Seconds that a running pod gets; `None` means what the pod asks for (30 when it says nothing). Other objects have no grace.
    pub grace_seconds: Option<i64>,
    pub propagation: Propagation,
}

impl Delete {
    /// At once, as a kubelet confirms the end of a pod.
    pub fn now() -> Delete {
        Delete { grace_seconds: Some(0), ..Delete::default() }
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Deleted {
    /// The object is gone; this is how it was last.
    Gone(Arc<Value>),
    /// The object waits for its finalizers or its kubelet.
    Marked(Arc<Value>),
}

impl Deleted {
    /// The object in either case.
    pub fn object(&self) -> &Arc<Value> {
        match self {
            Deleted::Gone(object) | Deleted::Marked(object) => object,
        }
    }
}

impl Store {
    /// Deletes an object, or marks it for deletion when finalizers or a pod's grace hold it.
    pub fn delete(
        &self,
        id: &ResourceId,
        namespace: &str,
        name: &str,
        how: &Delete,
    ) -> Result<Deleted, StoreError> {
        let mut inner = self.lock();
        let key = (namespace.to_owned(), name.to_owned());
        let current = inner.current(id, &key)?;
        check_preconditions(id, &current, how)?;
        let mut object = Value::clone(&current);
        mark(id, &mut object, how);
        if ready_to_go(id, &object) {
            return Ok(Deleted::Gone(inner.remove(id, key, object)?));
        }
        if object == *current {
            return Ok(Deleted::Marked(current));
        }
        Ok(Deleted::Marked(inner.put(id, key, object)?))
    }
}

fn check_preconditions(id: &ResourceId, current: &Value, how: &Delete) -> Result<(), StoreError> {
    let parts = [
        ("UID", &how.uid, object::uid(current), "deleted and then recreated"),
        ("ResourceVersion", &how.resource_version, object::meta(current, "resourceVersion"), "modified"),
    ];
    for (what, wanted, is, happened) in parts {
        if let Some(wanted) = wanted.as_deref().filter(|wanted| *wanted != is) {
            let why = format!(
                "the {what} in the precondition ({wanted}) does not match the {what} in record ({is}). \
                 The object might have been {happened}"
            );
            return Err(conflict(id, current, why));
        }
    }
    Ok(())
}

fn mark(id: &ResourceId, object: &mut Value, how: &Delete) {
    let grace = if *id == PODS { pod_grace(object, how) } else { 0 };
    let before = object.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_i64);
    let terminating = object::is_terminating(object);
    // A later request may shorten the time that is left, never lengthen it.
    if !terminating || before.is_none_or(|b| grace < b) {
        let now = time::now();
        let end = now.checked_add(jiff::SignedDuration::from_secs(grace)).unwrap_or(now);
        let metadata = metadata_mut(object);
        metadata.insert("deletionTimestamp".into(), time::seconds(end).into());
        metadata.insert("deletionGracePeriodSeconds".into(), grace.into());
    }
    let finalizer = match how.propagation {
        Propagation::Background => None,
        Propagation::Foreground => Some("foregroundDeletion"),
        Propagation::Orphan => Some("orphan"),
    };
    if let Some(finalizer) = finalizer.filter(|f| !terminating && !object::finalizers(object).contains(f)) {
        let list = metadata_mut(object).entry("finalizers").or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(finalizer.into());
        }
    }
    if *id == NAMESPACES {
        object::child_mut(object, "status").insert("phase".into(), "Terminating".into());
    }
}

/// A pod that no node runs, or that has ended, goes at once.
fn pod_grace(pod: &Value, how: &Delete) -> i64 {
    let unbound = pod.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or("").is_empty();
    let phase = pod.pointer("/status/phase").and_then(Value::as_str).unwrap_or("");
    if unbound || matches!(phase, "Succeeded" | "Failed") {
        return 0;
    }
    let own = pod.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_i64);
    how.grace_seconds.or(own).unwrap_or(30).max(0)
}
