//! The RoleBindings that a grant has in each of its namespaces: one for the grant's group, which the gateway acts
//! under, and, where the policy says so, one for the person's own name, for their own kubectl.

use jiff::Timestamp;
use k8s_openapi::api::rbac::v1::{RoleBinding, RoleRef, Subject};
use sallyport_policy::RequestName;

use super::piece::metadata;
use crate::crd::AccessRequest;

const RBAC: &str = "rbac.authorization.k8s.io";

/// The binding to the grant's group.
pub(super) fn of_the_grant(
    request: &AccessRequest,
    name: &RequestName,
    role: &str,
    namespace: &str,
    ends: Timestamp,
) -> RoleBinding {
    RoleBinding {
        metadata: metadata(request, name, "", namespace, ends),
        role_ref: role_ref(role),
        subjects: Some(vec![subject("Group", name.group())]),
    }
}

/// The binding to the person's own name. What they do by it does not pass the gateway.
///
/// # Errors
/// In words, for a name that is no person's.
pub(super) fn of_the_person(
    request: &AccessRequest,
    name: &RequestName,
    role: &str,
    namespace: &str,
    ends: Timestamp,
) -> Result<RoleBinding, String> {
    let person = &request.spec.requester.username;
    if person.starts_with("system:") {
        return Err("a name that begins with `system:` is the cluster's own and is given nothing".to_owned());
    }
    Ok(RoleBinding {
        metadata: metadata(request, name, "-own", namespace, ends),
        role_ref: role_ref(role),
        subjects: Some(vec![subject("User", person.clone())]),
    })
}

fn role_ref(role: &str) -> RoleRef {
    RoleRef { api_group: RBAC.to_owned(), kind: "ClusterRole".to_owned(), name: role.to_owned() }
}

fn subject(kind: &str, name: String) -> Subject {
    Subject { api_group: Some(RBAC.to_owned()), kind: kind.to_owned(), name, namespace: None }
}
