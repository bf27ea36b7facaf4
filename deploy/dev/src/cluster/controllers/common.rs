//! What the controllers share: finding and making the objects they own.

use std::sync::Arc;

use rand::RngExt;
use serde_json::{Map, Value, json};

use crate::cluster::defaults;
use crate::cluster::store::{Delete, PODS, ResourceId, Store, StoreError, object};

/// Pods that one controller makes in one pass.
pub(super) const BURST: usize = 50;

/// The letters of generated names: no vowels, nothing that looks like something else.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// A random end for a name.
pub(super) fn suffix() -> String {
    let mut rng = rand::rng();
    let letter = |_| LETTERS.get(rng.random_range(0..LETTERS.len())).copied().unwrap_or(b'x');
    (0..5).map(letter).map(char::from).collect()
}

/// A short name for a template, the same each time: FNV-1a of its text, in the letters of generated names.
pub(super) fn template_hash(template: &Value) -> String {
    let mut hash = 0x811c_9dc5_u32;
    for byte in template.to_string().bytes() {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    let safe = |byte: u8| LETTERS.get(usize::from(byte) % LETTERS.len()).copied().unwrap_or(b'x');
    hash.to_string().bytes().map(safe).map(char::from).collect()
}

/// A whole number at `path`, or `otherwise`.
pub(super) fn number(object: &Value, path: &str, otherwise: i64) -> i64 {
    object.pointer(path).and_then(Value::as_i64).unwrap_or(otherwise)
}

/// The objects of a collection that `owner` controls.
pub(super) fn owned(store: &Store, id: &ResourceId, owner: &Value) -> Vec<Arc<Value>> {
    let uid = object::uid(owner);
    let (mut all, _) = store.list(id, Some(object::namespace(owner)));
    all.retain(|one| controller(one).is_some_and(|reference| reference.get("uid") == Some(&json!(uid))));
    all
}

/// The owner reference of the controller.
pub(super) fn controller(object: &Value) -> Option<&Value> {
    let references = object.pointer("/metadata/ownerReferences")?.as_array()?;
    references.iter().find(|reference| reference.get("controller") == Some(&Value::Bool(true)))
}

/// What an object owned by `owner` says of it.
pub(super) fn owner_reference(owner: &Value, api_version: &str, kind: &str) -> Value {
    json!([{
        "apiVersion": api_version, "kind": kind, "name": object::name(owner), "uid": object::uid(owner),
        "controller": true, "blockOwnerDeletion": true,
    }])
}

/// A pod as `template` has it; `labels` are added to its own.
pub(super) fn pod(
    template: &Value,
    namespace: &str,
    name: &str,
    owner: Value,
    labels: Map<String, Value>,
) -> Value {
    let mut metadata = Map::new();
    for field in ["labels", "annotations", "finalizers"] {
        if let Some(value) = template.pointer(&format!("/metadata/{field}")) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    metadata.insert("name".into(), name.into());
    metadata.insert("namespace".into(), namespace.into());
    metadata.insert("ownerReferences".into(), owner);
    let mut pod =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": {"phase": "Pending"}});
    if let (Some(pod), Some(spec)) = (pod.as_object_mut(), template.get("spec")) {
        pod.insert("spec".into(), spec.clone());
    }
    for (key, value) in labels {
        annotate(&mut pod, "labels", &key, value);
    }
    // What the API fills in for pods that come through it.
    defaults::apply(&PODS, &mut pod);
    let spec = object::child_mut(&mut pod, "spec");
    let account = spec.entry("serviceAccountName").or_insert_with(|| "default".into()).clone();
    spec.insert("serviceAccount".into(), account);
    pod
}

/// Sets one of an object's labels or annotations.
pub(super) fn annotate(object: &mut Value, field: &str, key: &str, value: Value) {
    let all = object::metadata_mut(object).entry(field).or_insert_with(|| json!({}));
    if !all.is_object() {
        *all = json!({});
    }
    if let Some(all) = all.as_object_mut() {
        all.insert(key.to_owned(), value);
    }
}

/// Makes an object. A name that is taken is found taken again in the next pass, if it still matters.
pub(super) fn create(store: &Store, id: &ResourceId, object: Value) {
    if let Err(error) = store.create(id, object)
        && !matches!(error, StoreError::AlreadyExists { .. })
    {
        tracing::warn!(%error, "a controller cannot create an object");
    }
}

/// Deletes an object, unless it is another by now.
pub(super) fn delete(store: &Store, id: &ResourceId, what: &Value) {
    let how = Delete { uid: Some(object::uid(what).to_owned()), ..Delete::default() };
    // Gone or replaced already is as good.
    let _ = store.delete(id, object::namespace(what), object::name(what), &how);
}

/// Replaces fields of an object's status.
pub(super) fn report(store: &Store, id: &ResourceId, of: &Value, status: Value) {
    let Value::Object(status) = status else { return };
    // It may be gone: then nobody reads it.
    let _ = store.modify(id, object::namespace(of), object::name(of), |found| {
        object::child_mut(found, "status").extend(status);
    });
}

/// Neither ended nor on its way out.
pub(super) fn is_active(pod: &Value) -> bool {
    let phase = pod.pointer("/status/phase").and_then(Value::as_str);
    !object::is_terminating(pod) && !matches!(phase, Some("Succeeded" | "Failed"))
}

/// True when the pod's condition `Ready` holds.
pub(super) fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    let ready =
        |one: &Value| one.get("type") == Some(&json!("Ready")) && one.get("status") == Some(&json!("True"));
    conditions.is_some_and(|all| all.iter().any(ready))
}

/// How many of the pods are active, and of those ready.
pub(super) fn count(pods: &[Arc<Value>]) -> (usize, usize) {
    let active = pods.iter().filter(|pod| is_active(pod));
    (active.clone().count(), active.filter(|pod| is_ready(pod)).count())
}

/// A condition; its time is that of the change, so it is kept while the condition stays the same.
pub(super) fn condition(of: &Value, kind: &str, holds: bool, reason: &str, message: &str) -> Value {
    let status = if holds { "True" } else { "False" };
    let known = of.pointer("/status/conditions").and_then(Value::as_array);
    let same = known.and_then(|all| {
        all.iter().find(|one| {
            let is = |key: &str, value: &str| one.get(key) == Some(&json!(value));
            is("type", kind) && is("status", status) && is("reason", reason) && is("message", message)
        })
    });
    let now = || {
        let now = crate::cluster::time::seconds(crate::cluster::time::now());
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": now,
        })
    };
    same.cloned().unwrap_or_else(now)
}

/// Removes pods until `keep` are left: first those that are not ready, then the youngest.
pub(super) fn trim(store: &Store, mut active: Vec<Arc<Value>>, keep: usize) {
    active.sort_by(|a, b| {
        let key = |pod: &Value| (!is_ready(pod), object::meta(pod, "creationTimestamp").to_owned());
        key(b).cmp(&key(a))
    });
    let surplus = active.len().saturating_sub(keep);
    for pod in active.iter().take(surplus) {
        delete(store, &PODS, pod);
    }
}
