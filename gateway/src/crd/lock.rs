//! `AccessLock`: nothing is asked, approved or used while one applies, and what is open ends.

#![expect(unreachable_pub, reason = "the derive for CEL rules copies the structs it sees")]
#![expect(clippy::duplicated_attributes, reason = "each printer column has its own type")]

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{LABEL, moment};

/// Shuts somebody, some place or everything out, at once. Deleting it opens the way for new requests; what it ended
/// stays ended.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "sallyport.dev",
    version = "v1alpha1",
    kind = "AccessLock",
    plural = "accesslocks",
    derive = "PartialEq",
    category = "sallyport",
    doc = "Shuts somebody, some place or everything out, at once: nothing is asked, approved or used, and what is open ends.",
    printcolumn(name = "Person", type_ = "string", json_path = ".spec.person"),
    printcolumn(name = "Namespace", type_ = "string", json_path = ".spec.target.namespace"),
    printcolumn(name = "Pod", type_ = "string", json_path = ".spec.target.pod"),
    printcolumn(name = "Everything", type_ = "boolean", json_path = ".spec.everything"),
    printcolumn(name = "Until", type_ = "string", json_path = ".spec.until"),
    printcolumn(name = "By", type_ = "string", json_path = ".spec.by"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".spec.reason")
)]
#[serde(rename_all = "camelCase")]
pub struct AccessLockSpec {
    /// The username of somebody who is shut out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub person: Option<String>,
    /// A place that nobody gets into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<LockTarget>,
    /// Everybody, everywhere.
    #[serde(default)]
    pub everything: bool,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reason: Option<String>,
    /// Who locked; for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub by: Option<String>,
    /// When it ends by itself; absent: when it is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub until: Option<Timestamp>,
}

/// A place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LockTarget {
    /// The namespace.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub namespace: String,
    /// One pod of it; absent: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub pod: Option<String>,
}
