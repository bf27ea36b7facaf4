//! What a cluster has from its first start, and the way more is brought in from inside.

use serde_json::{Value, json};

use super::admission::{Admission, FieldValidation, Operation, furnish};
use super::api::Api;
use super::auth::User;
use super::auth::user::MASTERS;
use super::rbac::bootstrap;
use super::store::{self, ResourceId, Store, StoreError, object};
use super::{ClusterError, api};

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
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    let (name, what) = (object::name(&object).to_owned(), text("kind"));
    let refused = |why: String| ClusterError::Refused { kind: what.clone(), name: name.clone(), why };
    let kind =
        api.catalog.of_object(&object).ok_or_else(|| refused("the cluster knows no such kind".into()))?;
    if kind.namespaced && object::namespace(&object).is_empty() {
        object::metadata_mut(&mut object).insert("namespace".into(), "default".into());
    }
    let user = User::authenticated("kubernetes-admin", &[MASTERS.to_owned()]);
    let admission = Admission { store: &api.store, authorizer: &api.authorizer, user: &user, kind: &kind };
    let status = |s: super::status::Status| refused(s.message().to_owned());
    let namespace = if kind.namespaced { object::namespace(&object).to_owned() } else { String::new() };
    let stored = match api.store.get(&kind.id, &namespace, &name) {
        None => {
            admission.run(&mut object, Operation::Create, FieldValidation::Strict).map_err(status)?;
            api.store.create(&kind.id, object)?
        }
        Some(current) => {
            let mut next = Value::clone(&current);
            api::merge_applied(&kind, &mut next, &object).map_err(status)?;
            let operation = Operation::Update { current: &current, subresource: "" };
            admission.run(&mut next, operation, FieldValidation::Strict).map_err(status)?;
            api.store.update(&kind.id, next)?
        }
    };
    admission.after(&stored);
    Ok(())
}
