//! StatefulSet to pods: numbered from 0, made in order and removed in reverse, each keeping its name.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::common::{
    count, create, delete, is_active, is_ready, number, owned, owner_reference, pod, report, template_hash,
};
use crate::cluster::store::{PODS, STATEFULSETS, Store, object};

const HASH: &str = "controller-revision-hash";

/// Looks at every StatefulSet.
pub(super) fn all(store: &Store) {
    for set in store.list(&STATEFULSETS, None).0 {
        if let Some(template) = set.pointer("/spec/template").filter(|_| !object::is_terminating(&set)) {
            one(store, &set, template);
        }
    }
}

fn one(store: &Store, set: &Value, template: &Value) {
    let wanted = number(set, "/spec/replicas", 1).max(0);
    let revision = format!("{}-{}", object::name(set), template_hash(template));
    let pods = owned(store, &PODS, set);
    step(store, set, template, &revision, wanted, &pods);
    let pods = owned(store, &PODS, set);
    let (replicas, ready) = count(&pods);
    let updated = pods.iter().filter(|pod| is_active(pod) && is_of(pod, &revision)).count();
    let current = set.pointer("/status/currentRevision").and_then(Value::as_str);
    let current = current.filter(|_| updated < replicas).unwrap_or(&revision);
    report(
        store,
        &STATEFULSETS,
        set,
        json!({
            "replicas": replicas, "readyReplicas": ready, "availableReplicas": ready, "updatedReplicas": updated,
            "currentReplicas": if current == revision { updated } else { replicas - updated },
            "currentRevision": current, "updateRevision": revision, "collisionCount": 0,
            "observedGeneration": number(set, "/metadata/generation", 1),
        }),
    );
}

/// Does the next thing, which is one at a time unless pods are managed in parallel.
fn step(store: &Store, set: &Value, template: &Value, revision: &str, wanted: i64, pods: &[Arc<Value>]) {
    let parallel = set.pointer("/spec/podManagementPolicy") == Some(&json!("Parallel"));
    let ordinal = |pod: &Value| -> Option<i64> {
        object::name(pod).strip_prefix(object::name(set))?.strip_prefix('-')?.parse().ok()
    };
    for number in 0..wanted {
        match pods.iter().find(|pod| ordinal(pod) == Some(number)) {
            None => create_one(store, set, template, revision, number),
            // An ended pod gives its name to its successor.
            Some(pod) if !is_active(pod) && !object::is_terminating(pod) => delete(store, &PODS, pod),
            Some(pod) if is_ready(pod) && !object::is_terminating(pod) => continue,
            Some(_) => {}
        }
        if !parallel {
            return;
        }
    }
    let mut surplus: Vec<_> = pods.iter().filter(|pod| ordinal(pod).is_none_or(|n| n >= wanted)).collect();
    surplus.sort_by_key(|pod| std::cmp::Reverse(ordinal(pod)));
    if !surplus.is_empty() {
        let some = if parallel { surplus.len() } else { 1 };
        surplus.into_iter().take(some).for_each(|pod| delete(store, &PODS, pod));
        return;
    }
    if set.pointer("/spec/updateStrategy/type") == Some(&json!("OnDelete")) {
        return;
    }
    let stale = pods.iter().filter(|pod| !is_of(pod, revision)).max_by_key(|pod| ordinal(pod));
    if let Some(stale) = stale.filter(|stale| !object::is_terminating(stale)) {
        delete(store, &PODS, stale);
    }
}

fn is_of(pod: &Value, revision: &str) -> bool {
    pod.pointer("/metadata/labels").and_then(|labels| labels.get(HASH)) == Some(&json!(revision))
}

fn create_one(store: &Store, set: &Value, template: &Value, revision: &str, number: i64) {
    let name = format!("{}-{number}", object::name(set));
    let labels = Map::from_iter([
        (HASH.to_owned(), json!(revision)),
        ("statefulset.kubernetes.io/pod-name".to_owned(), json!(name)),
        ("apps.kubernetes.io/pod-index".to_owned(), json!(number.to_string())),
    ]);
    let owner = owner_reference(set, "apps/v1", "StatefulSet");
    let mut pod = pod(template, object::namespace(set), &name, owner, labels);
    let spec = object::child_mut(&mut pod, "spec");
    spec.insert("hostname".into(), name.into());
    if let Some(service) = set.pointer("/spec/serviceName").filter(|service| *service != "") {
        spec.insert("subdomain".into(), service.clone());
    }
    create(store, &PODS, pod);
}
