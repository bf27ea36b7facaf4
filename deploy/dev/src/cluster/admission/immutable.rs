//! Fields that do not change once written.

use serde_json::{Value, json};

use crate::cluster::schema::Cause;
use crate::cluster::store::{self, ResourceId};

pub(super) fn check(id: &ResourceId, current: &Value, next: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut fixed = |pointer: &str, field: &str, why: &str| {
        if current.pointer(pointer) != next.pointer(pointer) {
            causes.push(Cause::invalid(field, next.pointer(pointer).unwrap_or(&Value::Null), why));
        }
    };
    if *id == store::ROLEBINDINGS || *id == store::CLUSTERROLEBINDINGS {
        fixed("/roleRef", "roleRef", "cannot change roleRef");
    }
    if [store::DEPLOYMENTS, store::REPLICASETS, store::DAEMONSETS, store::JOBS].contains(id) {
        fixed("/spec/selector", "spec.selector", "field is immutable");
    }
    if *id == store::SERVICES && current.pointer("/spec/type") == next.pointer("/spec/type") {
        fixed("/spec/clusterIP", "spec.clusterIP", "field is immutable");
    }
    if *id == store::SECRETS {
        fixed("/type", "type", "field is immutable");
    }
    if *id == store::CUSTOMRESOURCEDEFINITIONS {
        fixed("/spec/group", "spec.group", "field is immutable");
        fixed("/spec/scope", "spec.scope", "field is immutable");
        fixed("/spec/names/plural", "spec.names.plural", "field is immutable");
    }
    if *id == store::STATEFULSETS && masked(current, STATEFUL) != masked(next, STATEFUL) {
        let why = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
        causes.push(Cause::forbidden("spec", why));
    }
    if *id == store::PODS && pod(current) != pod(next) {
        let why = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        causes.push(Cause::forbidden("spec", why));
    }
    for (kind, field) in [(store::CONFIGMAPS, "data"), (store::SECRETS, "data")] {
        let locked = current.get("immutable") == Some(&Value::Bool(true));
        if *id == kind
            && locked
            && (current.get(field) != next.get(field) || current.get("immutable") != next.get("immutable"))
        {
            causes.push(Cause::forbidden(field, "field is immutable when `immutable` is set"));
        }
    }
    causes
}

const STATEFUL: &[&str] = &[
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

fn masked(object: &Value, without: &[&str]) -> Value {
    let mut spec = object.get("spec").cloned().unwrap_or(Value::Null);
    if let Value::Object(map) = &mut spec {
        map.retain(|key, _| !without.contains(&key.as_str()));
    }
    spec
}

/// A pod's spec without what may change; the node is set once, by the scheduler.
fn pod(object: &Value) -> Value {
    let mut spec = masked(
        object,
        &["activeDeadlineSeconds", "tolerations", "ephemeralContainers", "terminationGracePeriodSeconds"],
    );
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Value::Object(map) = container {
                map.insert("image".into(), json!(""));
            }
        }
    }
    spec
}
