//! New pods: their ServiceAccount must exist, and they begin as `Pending`.

use serde_json::{Value, json};

use crate::cluster::status::Status;
use crate::cluster::store::{self, Store, object};

pub(super) fn prepare(store: &Store, pod: &mut Value) -> Result<(), Status> {
    let spec = object::child_mut(pod, "spec");
    let text = |key: &str| spec.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    let account = [text("serviceAccountName"), text("serviceAccount"), "default".to_owned()];
    let account = account.into_iter().find(|a| !a.is_empty()).unwrap_or_default();
    spec.insert("serviceAccountName".into(), account.clone().into());
    spec.insert("serviceAccount".into(), account.clone().into());
    let namespace = object::namespace(pod).to_owned();
    if store.get(&store::SERVICEACCOUNTS, &namespace, &account).is_none() {
        let why = format!(
            "error looking up service account {namespace}/{account}: serviceaccount \"{account}\" not found"
        );
        return Err(Status::forbidden(&store::PODS, object::name(pod), &why));
    }
    let status = json!({"phase": "Pending", "qosClass": qos(pod)});
    if let Value::Object(map) = pod {
        map.insert("status".into(), status);
    }
    Ok(())
}

/// Guaranteed, Burstable or BestEffort, from requests and limits.
fn qos(pod: &Value) -> &'static str {
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let resources =
        |c: &Value, what: &str, key: &str| c.pointer(&format!("/resources/{what}/{key}")).cloned();
    let any = containers.iter().any(|c| {
        ["requests", "limits"].iter().any(|w| ["cpu", "memory"].iter().any(|k| resources(c, w, k).is_some()))
    });
    let full = !containers.is_empty()
        && containers.iter().all(|c| {
            ["cpu", "memory"].iter().all(|k| {
                let limit = resources(c, "limits", k);
                limit.is_some() && resources(c, "requests", k).is_none_or(|r| Some(r) == limit)
            })
        });
    match (any, full) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}
