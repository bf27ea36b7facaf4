//! Creating and changing objects.

use std::sync::Arc;

use rand::RngExt;
use serde_json::{Map, Value};

use super::object::{self, metadata_mut};
use super::{Change, ChangeKind, Inner, Key, ResourceId, Store, StoreError};
use crate::cluster::time;

/// Collections whose objects count their generations even when the API group is built in.
const COUNTED: &[(&str, &str)] = &[
    ("apps", "deployments"),
    ("apps", "replicasets"),
    ("apps", "statefulsets"),
    ("apps", "daemonsets"),
    ("batch", "jobs"),
    ("batch", "cronjobs"),
    ("networking.k8s.io", "networkpolicies"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
];

impl Store {
    /// Creates `object` under its own `metadata.namespace` and `metadata.name`; fills in `uid`,
    /// `creationTimestamp`, `resourceVersion` and, where the collection has it, `generation`.
    pub fn create(&self, id: &ResourceId, object: Value) -> Result<Arc<Value>, StoreError> {
        let object = prepare_new(id, object)?;
        let mut inner = self.lock();
        let key = key_of(&object);
        if inner.table(id).objects.contains_key(&key) {
            return Err(StoreError::AlreadyExists { resource: id.clone(), name: key.1 });
        }
        inner.put(id, key, object)
    }

    /// What [`Store::create`] would make of `object`, without doing it (`dryRun=All`).
    pub fn rehearse_create(&self, id: &ResourceId, object: Value) -> Result<Arc<Value>, StoreError> {
        let object = prepare_new(id, object)?;
        let (namespace, name) = key_of(&object);
        if self.get(id, &namespace, &name).is_some() {
            return Err(StoreError::AlreadyExists { resource: id.clone(), name });
        }
        Ok(Arc::new(object))
    }

    /// Replaces an object. With `metadata.resourceVersion` set, only if it is still at that version; without, always.
    /// An object on its way out whose last finalizer this removes is gone afterwards.
    pub fn update(&self, id: &ResourceId, object: Value) -> Result<Arc<Value>, StoreError> {
        let (namespace, name) = key_of(&object);
        let asked = object.clone();
        self.try_modify(id, &namespace, &name, move |current| {
            check_version(id, current, &asked)?;
            *current = asked.clone();
            Ok::<(), StoreError>(())
        })
    }

    /// Changes an object in place under the store's lock: no conflict is possible, so `change` must be quick.
    pub fn modify(
        &self,
        id: &ResourceId,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<Arc<Value>, StoreError> {
        self.try_modify(id, namespace, name, |object| {
            change(object);
            Ok::<(), StoreError>(())
        })
    }

    /// As [`Store::modify`]; an error of `change` leaves the object as it was.
    pub fn try_modify<E: From<StoreError>>(
        &self,
        id: &ResourceId,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value) -> Result<(), E>,
    ) -> Result<Arc<Value>, E> {
        let mut inner = self.lock();
        let key = (namespace.to_owned(), name.to_owned());
        let current = inner.current(id, &key)?;
        let mut object = Value::clone(&current);
        change(&mut object)?;
        keep_system_fields(id, &current, &mut object);
        if object == *current {
            return Ok(current);
        }
        if ready_to_go(id, &object) {
            return Ok(inner.remove(id, key, object)?);
        }
        Ok(inner.put(id, key, object)?)
    }
}

impl Inner {
    pub(super) fn current(&self, id: &ResourceId, key: &Key) -> Result<Arc<Value>, StoreError> {
        let found = self.tables.get(id).and_then(|t| t.objects.get(key)).cloned();
        found.ok_or_else(|| StoreError::NotFound { resource: id.clone(), name: key.1.clone() })
    }

    /// Writes the object at the next version: log first, then memory, then watchers.
    pub(super) fn put(
        &mut self,
        id: &ResourceId,
        key: Key,
        mut object: Value,
    ) -> Result<Arc<Value>, StoreError> {
        let version = self.version.saturating_add(1);
        metadata_mut(&mut object).insert("resourceVersion".into(), version.to_string().into());
        self.log.put(version, id, &key, &object)?;
        self.version = version;
        let object = Arc::new(object);
        let before = self.table(id).objects.insert(key.clone(), object.clone());
        let kind = if before.is_some() { ChangeKind::Modified } else { ChangeKind::Added };
        self.publish(id, Change { version, kind, object: object.clone(), before, namespace: key.0 });
        self.compact_when_due()?;
        Ok(object)
    }

    pub(super) fn remove(
        &mut self,
        id: &ResourceId,
        key: Key,
        mut last: Value,
    ) -> Result<Arc<Value>, StoreError> {
        let version = self.version.saturating_add(1);
        metadata_mut(&mut last).insert("resourceVersion".into(), version.to_string().into());
        self.log.delete(version, id, &key)?;
        self.version = version;
        let object = Arc::new(last);
        let before = self.table(id).objects.remove(&key);
        let kind = ChangeKind::Deleted;
        self.publish(id, Change { version, kind, object: object.clone(), before, namespace: key.0 });
        self.compact_when_due()?;
        Ok(object)
    }

    fn publish(&mut self, id: &ResourceId, change: Change) {
        let history = self.history;
        let table = self.table(id);
        let version = change.version;
        table.recent.push_back(change);
        while table.recent.len() > history {
            if let Some(old) = table.recent.pop_front() {
                table.trimmed = old.version;
            }
        }
        table.newest.send_replace(version);
    }

    fn compact_when_due(&mut self) -> Result<(), StoreError> {
        let live: usize = self.tables.values().map(|t| t.objects.len()).sum();
        if !self.log.is_due(live) {
            return Ok(());
        }
        let tables = &self.tables;
        let all =
            tables.iter().flat_map(|(id, t)| t.objects.iter().map(move |(key, object)| (id, key, &**object)));
        self.log.compact(self.version, all)
    }
}

/// The key that the object names itself.
pub(super) fn key_of(object: &Value) -> Key {
    (object::namespace(object).to_owned(), object::name(object).to_owned())
}

/// True when nothing holds back the removal of an object whose deletion was accepted.
pub(super) fn ready_to_go(id: &ResourceId, object: &Value) -> bool {
    let grace = object.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(0);
    let held = *id == super::NAMESPACES && !object::strings(object.pointer("/spec/finalizers")).is_empty();
    object::is_terminating(object) && grace == 0 && object::finalizers(object).is_empty() && !held
}

fn prepare_new(id: &ResourceId, mut object: Value) -> Result<Value, StoreError> {
    if object::name(&object).is_empty() {
        return Err(StoreError::Malformed { why: "name or generateName is required".into() });
    }
    let counted = counts_generations(id);
    let metadata = metadata_mut(&mut object);
    for field in
        ["deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion", "selfLink", "generation"]
    {
        metadata.remove(field);
    }
    metadata.insert("uid".into(), new_uid().into());
    metadata.insert("creationTimestamp".into(), time::seconds(time::now()).into());
    if counted {
        metadata.insert("generation".into(), 1.into());
    }
    Ok(object)
}

fn counts_generations(id: &ResourceId) -> bool {
    let builtin = |(group, resource): &(&str, &str)| *group == id.group() && *resource == id.resource();
    COUNTED.iter().any(builtin) || (id.group().contains('.') && !id.group().ends_with(".k8s.io"))
}

/// A version in the request must be the current one; a uid in the request must be the object's own.
fn check_version(id: &ResourceId, current: &Value, asked: &Value) -> Result<(), StoreError> {
    let version = object::meta(asked, "resourceVersion");
    if !version.is_empty() && version != object::meta(current, "resourceVersion") {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        return Err(conflict(id, current, why.into()));
    }
    let uid = object::uid(asked);
    if !uid.is_empty() && uid != object::uid(current) {
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            object::uid(current)
        );
        return Err(conflict(id, current, why));
    }
    Ok(())
}

pub(super) fn conflict(id: &ResourceId, current: &Value, why: String) -> StoreError {
    StoreError::Conflict { resource: id.clone(), name: object::name(current).to_owned(), why }
}

/// Puts back what a writer may not change, and counts the generation.
fn keep_system_fields(id: &ResourceId, current: &Value, next: &mut Value) {
    const KEPT: &[&str] = &[
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "resourceVersion",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ];
    let metadata = metadata_mut(next);
    for field in KEPT {
        match current.get("metadata").and_then(|m| m.get(*field)) {
            Some(value) => metadata.insert((*field).to_owned(), value.clone()),
            None => metadata.remove(*field),
        };
    }
    if counts_generations(id) && content(current) != content(next) {
        let generation = current.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(0);
        metadata_mut(next).insert("generation".into(), generation.saturating_add(1).into());
    }
}

/// What a generation counts: everything but `metadata` and `status`.
fn content(object: &Value) -> Vec<(&String, &Value)> {
    let fields = object.as_object().into_iter().flat_map(Map::iter);
    fields.filter(|(k, _)| !matches!(k.as_str(), "metadata" | "status")).collect()
}

/// A random version 4 UUID (RFC 9562).
pub fn new_uid() -> String {
    let mut bits: u128 = rand::rng().random();
    bits = (bits & !(0xf << 76)) | (0x4 << 76);
    bits = (bits & !(0x3 << 62)) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    let mut text = String::with_capacity(36);
    for (i, c) in hex.chars().enumerate() {
        if matches!(i, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(c);
    }
    text
}
