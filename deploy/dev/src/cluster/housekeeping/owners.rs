//! Garbage collection by owner references.
//!
//! An owner counts as absent when no object has its uid, or when the one that has it has another name or lives
//! in another namespace (owners of the cluster may own anywhere). An object all of whose owners are absent goes;
//! one that still has an owner only loses the references that lead nowhere.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::{Everything, by_uid, delete_same, report};
use crate::cluster::store::{ResourceId, Store, StoreError, object};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

pub(super) fn collect(store: &Store, everything: &Everything) {
    let live = by_uid(everything);
    let mut dependents: HashMap<&str, Vec<&(ResourceId, Arc<Value>)>> = HashMap::new();
    for entry in everything {
        let references = references(&entry.1);
        for uid in references.iter().filter_map(uid_of) {
            dependents.entry(uid).or_default().push(entry);
        }
        if references.is_empty() || object::is_terminating(&entry.1) {
            continue;
        }
        let absent: Vec<&str> =
            references.iter().filter(|r| is_absent(r, &entry.1, &live)).filter_map(uid_of).collect();
        if absent.len() == references.len() {
            report(delete_same(store, &entry.0, &entry.1));
        } else if !absent.is_empty() {
            report(forget(store, entry, &absent));
        }
    }
    for (id, owner) in everything.iter().filter(|(_, o)| object::is_terminating(o)) {
        let owned = dependents.get(object::uid(owner)).map_or(&[][..], Vec::as_slice);
        let finalizers = object::finalizers(owner);
        if finalizers.contains(&FOREGROUND) {
            for (id, dependent) in owned.iter().filter(|(_, d)| !object::is_terminating(d)) {
                report(delete_same(store, id, dependent));
            }
            if owned.is_empty() {
                report(release(store, id, owner, FOREGROUND));
            }
        }
        if finalizers.contains(&ORPHAN) {
            for dependent in owned {
                report(forget(store, dependent, &[object::uid(owner)]));
            }
            report(release(store, id, owner, ORPHAN));
        }
    }
}

fn references(object: &Value) -> &[Value] {
    let list = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

fn uid_of(reference: &Value) -> Option<&str> {
    reference.get("uid").and_then(Value::as_str)
}

fn is_absent(reference: &Value, dependent: &Value, live: &HashMap<&str, &(ResourceId, Arc<Value>)>) -> bool {
    let Some((_, owner)) = uid_of(reference).and_then(|uid| live.get(uid)) else { return true };
    let here = object::namespace(owner);
    let name = reference.get("name").and_then(Value::as_str).unwrap_or("");
    object::name(owner) != name || !(here.is_empty() || here == object::namespace(dependent))
}

/// Takes references to these owners away.
fn forget(store: &Store, entry: &(ResourceId, Arc<Value>), owners: &[&str]) -> Result<(), StoreError> {
    let (id, object) = entry;
    store.modify(id, object::namespace(object), object::name(object), |object| {
        if let Some(Value::Array(list)) = object::metadata_mut(object).get_mut("ownerReferences") {
            list.retain(|r| !uid_of(r).is_some_and(|uid| owners.contains(&uid)));
        }
    })?;
    Ok(())
}

fn release(store: &Store, id: &ResourceId, owner: &Value, finalizer: &str) -> Result<(), StoreError> {
    store.modify(id, object::namespace(owner), object::name(owner), |object| {
        if let Some(Value::Array(list)) = object::metadata_mut(object).get_mut("finalizers") {
            list.retain(|f| f != finalizer);
        }
    })?;
    Ok(())
}
