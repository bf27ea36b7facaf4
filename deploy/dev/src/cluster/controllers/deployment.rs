//! Deployment to ReplicaSets: one for each template there ever was, the newest scaled up, the others down.

use std::sync::Arc;

use serde_json::{Value, json};

use super::common::{
    annotate, condition, create, delete, number, owned, owner_reference, report, template_hash,
};
use crate::cluster::store::{DEPLOYMENTS, REPLICASETS, Store, object};

const HASH: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";

/// Looks at every Deployment.
pub(super) fn all(store: &Store) {
    for deployment in store.list(&DEPLOYMENTS, None).0 {
        if !object::is_terminating(&deployment) {
            one(store, &deployment);
        }
    }
}

fn one(store: &Store, deployment: &Value) {
    let Some(template) = deployment.pointer("/spec/template") else { return };
    let wanted = number(deployment, "/spec/replicas", 1).max(0);
    let paused = deployment.pointer("/spec/paused") == Some(&Value::Bool(true));
    let mut sets = owned(store, &REPLICASETS, deployment);
    if !sets.iter().any(|set| made_from(set, template)) && !paused {
        let next = sets.iter().map(|set| revision(set)).max().unwrap_or(0) + 1;
        create(store, &REPLICASETS, replica_set(deployment, template, next));
        sets = owned(store, &REPLICASETS, deployment);
    }
    let (new, old): (Vec<_>, Vec<_>) = sets.into_iter().partition(|set| made_from(set, template));
    if let Some(new) = new.first() {
        let newest = old.iter().map(|set| revision(set)).max().unwrap_or(0);
        roll(store, deployment, new, &old, wanted);
        // Going back to an earlier template makes its set the newest again.
        let number = revision(new).max(newest + 1);
        set_revision(store, new, number);
        let _ =
            store.modify(&DEPLOYMENTS, object::namespace(deployment), object::name(deployment), |found| {
                annotate(found, "annotations", REVISION, number.to_string().into());
            });
    }
    prune(store, deployment, &old);
    status(store, deployment, new.first(), &old, wanted);
}

/// Sets how many pods each set is to have, keeping as many available as the strategy says.
fn roll(store: &Store, deployment: &Value, new: &Value, old: &[Arc<Value>], wanted: i64) {
    let replicas = |set: &Value| number(set, "/spec/replicas", 0);
    let exist = |set: &Value| number(set, "/status/replicas", 0);
    let available = |set: &Value| number(set, "/status/availableReplicas", 0);
    let old_total: i64 = old.iter().map(|set| replicas(set)).sum();
    if deployment.pointer("/spec/strategy/type") == Some(&json!("Recreate")) {
        old.iter().for_each(|set| scale(store, set, 0));
        if old.iter().all(|set| exist(set) == 0) {
            scale(store, new, wanted);
        }
        return;
    }
    // A quarter more, rounded up, and a quarter fewer, rounded down.
    let (surge, missing) = ((wanted + 3) / 4, wanted / 4);
    let room = wanted + surge.max(1) - old_total;
    scale(store, new, wanted.min(room.max(replicas(new).min(wanted))));

    let up: i64 = old.iter().map(|set| available(set)).sum::<i64>() + available(new);
    let mut spare = (up - (wanted - missing)).max(0);
    for set in old {
        // Pods that are not available anyway can go without asking.
        let dead = (replicas(set) - available(set)).max(0);
        let gone = dead + spare.min(replicas(set) - dead).max(0);
        spare -= gone - dead;
        scale(store, set, replicas(set) - gone);
    }
}

fn scale(store: &Store, set: &Value, replicas: i64) {
    let _ = store.modify(&REPLICASETS, object::namespace(set), object::name(set), |found| {
        object::child_mut(found, "spec").insert("replicas".into(), replicas.max(0).into());
    });
}

fn replica_set(deployment: &Value, template: &Value, revision: i64) -> Value {
    let hash = template_hash(template);
    let mut template = template.clone();
    label(&mut template, &hash);
    let mut selector = deployment.pointer("/spec/selector").cloned().unwrap_or_else(|| json!({}));
    object::child_mut(&mut selector, "matchLabels").insert(HASH.into(), hash.as_str().into());
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{}-{hash}", object::name(deployment)), "namespace": object::namespace(deployment),
            "labels": template.pointer("/metadata/labels"),
            "annotations": {REVISION: revision.to_string()},
            "ownerReferences": owner_reference(deployment, "apps/v1", "Deployment"),
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
    })
}

fn label(template: &mut Value, hash: &str) {
    annotate(template, "labels", HASH, hash.into());
}

/// True when a set's template is this one, but for the label that was added.
fn made_from(set: &Value, template: &Value) -> bool {
    let Some(hash) = set.pointer("/metadata/labels").and_then(|labels| labels.get(HASH)?.as_str()) else {
        return false;
    };
    let mut labelled = template.clone();
    label(&mut labelled, hash);
    set.pointer("/spec/template") == Some(&labelled)
}

fn revision(set: &Value) -> i64 {
    let annotation = set.pointer("/metadata/annotations").and_then(|all| all.get(REVISION)?.as_str());
    annotation.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn set_revision(store: &Store, set: &Value, revision: i64) {
    let _ = store.modify(&REPLICASETS, object::namespace(set), object::name(set), |found| {
        annotate(found, "annotations", REVISION, revision.to_string().into());
    });
}

/// Removes the oldest sets beyond the history that is kept, once they are empty.
fn prune(store: &Store, deployment: &Value, old: &[Arc<Value>]) {
    let keep = usize::try_from(number(deployment, "/spec/revisionHistoryLimit", 10)).unwrap_or(0);
    let mut empty: Vec<_> = old.iter().filter(|set| number(set, "/status/replicas", 0) == 0).collect();
    empty.sort_by_key(|set| revision(set));
    for set in empty.iter().take(old.len().saturating_sub(keep)) {
        delete(store, &REPLICASETS, set);
    }
}

fn status(store: &Store, deployment: &Value, new: Option<&Arc<Value>>, old: &[Arc<Value>], wanted: i64) {
    let sum = |field: &str| -> i64 {
        old.iter().chain(new).map(|set| number(set, &format!("/status/{field}"), 0)).sum()
    };
    let updated = new.map_or(0, |set| number(set, "/status/replicas", 0));
    let (replicas, ready, available) = (sum("replicas"), sum("readyReplicas"), sum("availableReplicas"));
    let enough = available >= wanted - wanted / 4;
    let complete = updated == wanted && replicas == wanted && available == wanted;
    let name = new.map_or("", |set| object::name(set));
    let conditions = json!([
        match enough {
            true => condition(
                deployment,
                "Available",
                true,
                "MinimumReplicasAvailable",
                "Deployment has minimum availability."
            ),
            false => condition(
                deployment,
                "Available",
                false,
                "MinimumReplicasUnavailable",
                "Deployment does not have minimum availability."
            ),
        },
        match complete {
            true => condition(
                deployment,
                "Progressing",
                true,
                "NewReplicaSetAvailable",
                &format!("ReplicaSet \"{name}\" has successfully progressed.")
            ),
            false => condition(
                deployment,
                "Progressing",
                true,
                "ReplicaSetUpdated",
                &format!("ReplicaSet \"{name}\" is progressing.")
            ),
        },
    ]);
    report(
        store,
        &DEPLOYMENTS,
        deployment,
        json!({
            "observedGeneration": number(deployment, "/metadata/generation", 1), "replicas": replicas,
            "updatedReplicas": updated, "readyReplicas": ready, "availableReplicas": available,
            "unavailableReplicas": (wanted - available).max(0), "conditions": conditions,
        }),
    );
}
