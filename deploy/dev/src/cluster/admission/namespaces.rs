//! Namespaces: what may be created in them, and what each has from its beginning.

use http::StatusCode;
use serde_json::{Value, json};

use crate::cluster::status::Status;
use crate::cluster::store::{self, ResourceId, Store, StoreError, object};

/// Refuses a new object in a namespace that is missing or on its way out.
pub(super) fn check_open(store: &Store, id: &ResourceId, object: &Value) -> Result<(), Status> {
    let namespace = object::namespace(object);
    let found = store.fetch(&store::NAMESPACES, "", namespace)?;
    if object::is_terminating(&found) {
        let why =
            format!("unable to create new content in namespace {namespace} because it is being terminated");
        let cause = json!([{"reason": "NamespaceTerminating", "field": "metadata.namespace",
            "message": format!("namespace {namespace} is being terminated")}]);
        let status = Status::forbidden(id, object::name(object), &why).detail("causes", cause);
        debug_assert_eq!(status.code(), StatusCode::FORBIDDEN);
        return Err(status);
    }
    Ok(())
}

/// Completes a new namespace.
pub(super) fn prepare(object: &mut Value) {
    let name = object::name(object).to_owned();
    let labels = object::metadata_mut(object).entry("labels").or_insert_with(|| json!({}));
    if let Value::Object(labels) = labels {
        labels.insert("kubernetes.io/metadata.name".into(), name.into());
    }
    object::child_mut(object, "spec").insert("finalizers".into(), json!(["kubernetes"]));
    object::child_mut(object, "status").insert("phase".into(), "Active".into());
}

/// The ServiceAccount `default`. The real server's controller makes it a moment later; here it is there at once.
pub(crate) fn furnish(store: &Store, namespace: &str) {
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace},
    });
    match store.create(&store::SERVICEACCOUNTS, account) {
        Ok(_) | Err(StoreError::AlreadyExists { .. }) => {}
        Err(error) => tracing::warn!(%error, namespace, "cannot make the default service account"),
    }
}
