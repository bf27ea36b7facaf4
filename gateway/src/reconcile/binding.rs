//! The RoleBinding that a grant has in each of its namespaces.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::rbac::v1::{RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};
use sallyport_policy::{Namespace, RequestName};

use crate::crd::{AccessRequest, ENDS_ANNOTATION, MANAGED_BY, REQUEST_LABEL};

const RBAC: &str = "rbac.authorization.k8s.io";

/// The binding as it should be. It is owned by the request, so that the cluster removes it when the request is
/// deleted, even while no gateway runs.
pub(super) fn wanted(
    request: &AccessRequest,
    name: &RequestName,
    role: &str,
    namespace: &Namespace,
    ends: Timestamp,
) -> RoleBinding {
    let labels = BTreeMap::from([
        (MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned()),
        (REQUEST_LABEL.to_owned(), name.to_string()),
    ]);
    RoleBinding {
        metadata: ObjectMeta {
            name: Some(name.binding()),
            namespace: Some(namespace.to_string()),
            labels: Some(labels),
            annotations: Some(BTreeMap::from([(ENDS_ANNOTATION.to_owned(), ends.to_string())])),
            owner_references: Some(vec![OwnerReference {
                api_version: AccessRequest::api_version(&()).into_owned(),
                kind: AccessRequest::kind(&()).into_owned(),
                name: request.name_any(),
                uid: request.uid().unwrap_or_default(),
                ..OwnerReference::default()
            }]),
            ..ObjectMeta::default()
        },
        role_ref: RoleRef {
            api_group: RBAC.to_owned(),
            kind: "ClusterRole".to_owned(),
            name: role.to_owned(),
        },
        subjects: Some(vec![Subject {
            api_group: Some(RBAC.to_owned()),
            kind: "Group".to_owned(),
            name: name.group(),
            namespace: None,
        }]),
    }
}

/// Whether what is there does what it should and nothing else. The end in the annotation is for people only.
pub(super) fn is_as_wanted(there: &RoleBinding, wanted: &RoleBinding) -> bool {
    let owner = |binding: &RoleBinding| {
        binding.metadata.owner_references.iter().flatten().map(|owner| owner.uid.clone()).collect::<Vec<_>>()
    };
    // A server may leave the group out where it is the usual one.
    let subjects = |binding: &RoleBinding| {
        let subjects = binding.subjects.iter().flatten();
        subjects.map(|one| (one.kind.clone(), one.name.clone(), one.namespace.clone())).collect::<Vec<_>>()
    };
    let role = |binding: &RoleBinding| (binding.role_ref.kind.clone(), binding.role_ref.name.clone());
    there.metadata.deletion_timestamp.is_none()
        && role(there) == role(wanted)
        && subjects(there) == subjects(wanted)
        && owner(there) == owner(wanted)
}

/// Whose it is. Only what has our labels and the name that we give is ours; nothing else is ever touched.
pub(super) fn request_of(binding: &RoleBinding) -> Option<&str> {
    let labels = binding.metadata.labels.as_ref()?;
    let request = labels.get(REQUEST_LABEL)?;
    let ours = labels.get(MANAGED_BY.0).is_some_and(|by| by == MANAGED_BY.1);
    let named = binding.metadata.name.as_deref()?.strip_prefix("sallyport-")? == request;
    (ours && named).then_some(request.as_str())
}
