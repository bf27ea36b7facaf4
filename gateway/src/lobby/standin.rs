//! The parts of `bridge` that the lobby uses, until they are there.

use jiff::Timestamp;
use sallyport_policy::{ContainerName, Namespace};
use serde::Serialize;

use crate::access::{Access, Candidates};
use crate::record::SessionId;

/// What kind of object names the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// `POD`, `pod/NAME`
    Pod,
    /// `deploy/NAME`
    Deployment,
    /// `sts/NAME`
    StatefulSet,
    /// `job/NAME`
    Job,
}

/// A target whose namespace is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where.
    pub namespace: Namespace,
    /// What kind of object names the pod.
    pub kind: TargetKind,
    /// Its name.
    pub name: String,
    /// The container, if one was said.
    pub container: Option<ContainerName>,
}

/// A pod, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodRow {
    /// Its name.
    pub name: String,
    /// How many containers are ready.
    pub ready: u32,
    /// All its containers.
    pub containers: Vec<String>,
    /// As kubectl shows it.
    pub status: String,
    /// Of all containers.
    pub restarts: u32,
    /// When it was made.
    pub created: Option<Timestamp>,
}

/// The way to the pods.
#[derive(Debug, Clone)]
pub struct Bridge;

/// Why something in the cluster did not work.
#[derive(Debug, thiserror::Error)]
#[error("pods cannot be listed yet")]
pub struct BridgeError;

impl BridgeError {
    pub(super) const fn exit_status(&self) -> u8 {
        69
    }
}

impl Bridge {
    #[expect(clippy::unused_async, reason = "a stand-in")]
    pub(super) async fn pods(
        &self,
        _access: &Access,
        _candidates: Candidates,
        _namespace: &Namespace,
        _session: &SessionId,
    ) -> Result<Vec<PodRow>, BridgeError> {
        Err(BridgeError)
    }
}
