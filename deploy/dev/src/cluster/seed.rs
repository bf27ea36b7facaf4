//! What a cluster has from its first start, and the way more is brought in from inside.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::admission::{Admission, FieldValidation, Operation, furnish};
use super::api::Api;
use super::auth::User;
use super::auth::user::MASTERS;
use super::catalog::Kind;
use super::rbac::bootstrap;
use super::status::Status;
use super::store::{self, ResourceId, Store, StoreError, object};
use super::{ClusterError, api};

/// How often an object is merged anew when somebody else wrote in between.
const TRIES: usize = 16;

/// Namespaces, bootstrap roles, and the CA for everyone to read.
pub(super) fn ensure(store: &Store, ca_pem: &str) -> Result<(), StoreError> {
    bootstrap::ensure(store)?;
    for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
            "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"},
        });
        once(store, &store::NAMESPACES, namespace)?;
        furnish(store, name);
    }
    let ca = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "kube-root-ca.crt", "namespace": "kube-public"}, "data": {"ca.crt": ca_pem},
    });
    once(store, &store::CONFIGMAPS, ca)?;
    super::rbac::aggregate::refresh(store);
    Ok(())
}

/// Applies the samples unless exactly these were applied to this directory before: what people changed or
/// deleted since then stays so.
pub(super) fn samples(api: &Api, yaml: &str) -> Result<(), ClusterError> {
    let digest: String = Sha256::digest(yaml).iter().map(|byte| format!("{byte:02x}")).collect();
    let (namespace, name) = ("kube-system", "sample-workloads");
    let seen = api.store.get(&store::CONFIGMAPS, namespace, name);
    if seen.is_some_and(|seen| seen.pointer("/data/sha256").and_then(Value::as_str) == Some(&digest)) {
        return Ok(());
    }
    apply(api, yaml)?;
    let mark = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace}, "data": {"sha256": digest},
    });
    apply_one(api, mark)
}

fn once(store: &Store, id: &ResourceId, object: Value) -> Result<(), StoreError> {
    match store.create(id, object) {
        Ok(_) | Err(StoreError::AlreadyExists { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Applies every document of a YAML stream.
pub(super) fn apply(api: &Api, yaml: &str) -> Result<(), ClusterError> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(yaml).map_err(|source| ClusterError::Manifest { source })?;
    for document in documents.into_iter().filter(|d| !d.is_null()) {
        let items = document.get("items").and_then(Value::as_array).cloned();
        for object in items.unwrap_or_else(|| vec![document]) {
            apply_one(api, object)?;
        }
    }
    Ok(())
}

fn apply_one(api: &Api, mut object: Value) -> Result<(), ClusterError> {
    let what = object.get("kind").and_then(Value::as_str).unwrap_or("").to_owned();
    let name = object::name(&object).to_owned();
    let refused =
        |why: &str| ClusterError::Refused { kind: what.clone(), name: name.clone(), why: why.to_owned() };
    let kind = api.catalog.of_object(&object).ok_or_else(|| refused("the cluster knows no such kind"))?;
    if kind.namespaced && object::namespace(&object).is_empty() {
        object::metadata_mut(&mut object).insert("namespace".into(), "default".into());
    }
    // The cluster is running: controllers may write in between.
    for _ in 0..TRIES {
        match write(api, &kind, &object) {
            Err(status) if matches!(status.reason(), "Conflict" | "AlreadyExists") => {}
            other => return other.map_err(|status| refused(status.message())),
        }
    }
    Err(refused("it does not stop changing"))
}

fn write(api: &Api, kind: &Kind, object: &Value) -> Result<(), Status> {
    let user = User::authenticated("kubernetes-admin", &[MASTERS.to_owned()]);
    let admission = Admission { store: &api.store, authorizer: &api.authorizer, user: &user, kind };
    let namespace = if kind.namespaced { object::namespace(object) } else { "" };
    let stored = match api.store.get(&kind.id, namespace, object::name(object)) {
        None => {
            let mut fresh = object.clone();
            admission.run(&mut fresh, Operation::Create, FieldValidation::Strict)?;
            api.store.create(&kind.id, fresh)?
        }
        Some(current) => {
            let mut next = Value::clone(&current);
            api::merge_applied(kind, &mut next, object)?;
            let operation = Operation::Update { current: &current, subresource: "" };
            admission.run(&mut next, operation, FieldValidation::Strict)?;
            api.store.update(&kind.id, next)?
        }
    };
    admission.after(&stored);
    Ok(())
}
