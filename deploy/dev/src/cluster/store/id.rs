//! Names of stored collections: API group and plural resource, without a version, as etcd keys have it.

use std::borrow::Cow;
use std::fmt;

/// One collection, for example `deployments` in group `apps`. The core group is the empty string.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId {
    group: Cow<'static, str>,
    resource: Cow<'static, str>,
}

impl ResourceId {
    /// A collection known at compile time.
    pub const fn of(group: &'static str, resource: &'static str) -> ResourceId {
        ResourceId { group: Cow::Borrowed(group), resource: Cow::Borrowed(resource) }
    }

    /// A collection learnt at run time, such as a custom resource.
    pub fn named(group: impl Into<String>, resource: impl Into<String>) -> ResourceId {
        ResourceId { group: Cow::Owned(group.into()), resource: Cow::Owned(resource.into()) }
    }

    /// API group; empty for the core group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Plural, lower case.
    pub fn resource(&self) -> &str {
        &self.resource
    }
}

impl fmt::Display for ResourceId {
    /// `pods`, `deployments.apps`: the form that error messages of the API server use.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        Ok(())
    }
}

macro_rules! collections {
    ($($name:ident = $group:literal $resource:literal;)*) => {
        $(#[doc = concat!("`", $resource, "` in group `", $group, "`.")]
        pub const $name: ResourceId = ResourceId::of($group, $resource);)*
    };
}

collections! {
    NAMESPACES = "" "namespaces";
    NODES = "" "nodes";
    PODS = "" "pods";
    SERVICES = "" "services";
    ENDPOINTS = "" "endpoints";
    CONFIGMAPS = "" "configmaps";
    SECRETS = "" "secrets";
    SERVICEACCOUNTS = "" "serviceaccounts";
    EVENTS = "" "events";
    PERSISTENTVOLUMECLAIMS = "" "persistentvolumeclaims";
    DEPLOYMENTS = "apps" "deployments";
    REPLICASETS = "apps" "replicasets";
    STATEFULSETS = "apps" "statefulsets";
    DAEMONSETS = "apps" "daemonsets";
    JOBS = "batch" "jobs";
    CRONJOBS = "batch" "cronjobs";
    LEASES = "coordination.k8s.io" "leases";
    ENDPOINTSLICES = "discovery.k8s.io" "endpointslices";
    NETWORKPOLICIES = "networking.k8s.io" "networkpolicies";
    ROLES = "rbac.authorization.k8s.io" "roles";
    ROLEBINDINGS = "rbac.authorization.k8s.io" "rolebindings";
    CLUSTERROLES = "rbac.authorization.k8s.io" "clusterroles";
    CLUSTERROLEBINDINGS = "rbac.authorization.k8s.io" "clusterrolebindings";
    CUSTOMRESOURCEDEFINITIONS = "apiextensions.k8s.io" "customresourcedefinitions";
    VALIDATINGADMISSIONPOLICIES = "admissionregistration.k8s.io" "validatingadmissionpolicies";
    VALIDATINGADMISSIONPOLICYBINDINGS = "admissionregistration.k8s.io" "validatingadmissionpolicybindings";
}
