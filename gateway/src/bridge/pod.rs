//! What a pod says of itself: which of several is meant, which container, whether it runs.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use sallyport_policy::{ContainerName, PodName, Workload, WorkloadKind};

use super::BridgeError;
use crate::access::PodFacts;
use crate::terminal::clean;

/// The annotation that names the container which people usually mean.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// What has to be known to decide about the pod.
pub(super) fn facts(pod: &Pod, container: Option<&ContainerName>) -> Result<PodFacts, BridgeError> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let name = PodName::parse(name).map_err(|error| BridgeError::Target(error.to_string()))?;
    let labels = pod.metadata.labels.clone().unwrap_or_default();
    Ok(PodFacts { name, owner: owner(pod, &labels), labels, container: container.cloned() })
}

/// The workload that made the pod, by what the API server says of its controller. A Deployment's pod belongs to a
/// ReplicaSet that is called after the Deployment and the pod's template. Whoever may create pods in the namespace could
/// pretend; whoever may do that needs no grant.
fn owner(pod: &Pod, labels: &BTreeMap<String, String>) -> Option<Workload> {
    let owners = pod.metadata.owner_references.as_deref().unwrap_or_default();
    let owner = owners.iter().find(|owner| owner.controller == Some(true))?;
    let (kind, name) = match owner.kind.as_str() {
        "ReplicaSet" => {
            let hash = labels.get("pod-template-hash")?;
            (WorkloadKind::Deployment, owner.name.strip_suffix(hash.as_str())?.strip_suffix('-')?)
        }
        "StatefulSet" => (WorkloadKind::StatefulSet, owner.name.as_str()),
        "DaemonSet" => (WorkloadKind::DaemonSet, owner.name.as_str()),
        "Job" => (WorkloadKind::Job, owner.name.as_str()),
        _ => return None,
    };
    Some(Workload { kind, name: PodName::parse(name).ok()? })
}

/// Orders pods as kubectl does when one of several is meant, best first: on a node before not, running before unknown
/// before pending, ready before not, ready for longer first, fewer restarts first, older first. Pods that are going
/// away or have ended come last.
pub(super) fn best_first(a: &Pod, b: &Pod) -> Ordering {
    rank(a).cmp(&rank(b))
}

/// Smaller is better.
fn rank(pod: &Pod) -> impl Ord + use<> {
    let status = pod.status.as_ref();
    let phase = match phase(pod) {
        "Running" => 0,
        "Unknown" => 1,
        "Pending" => 2,
        _ => 3,
    };
    let ready = status
        .and_then(|s| s.conditions.as_ref())
        .and_then(|all| all.iter().find(|c| c.type_ == "Ready" && c.status == "True"));
    let since = ready.and_then(|c| c.last_transition_time.as_ref()).map(|t| t.0);
    let restarts = status
        .and_then(|s| s.container_statuses.as_ref())
        .and_then(|all| all.iter().map(|c| c.restart_count).max())
        .unwrap_or(0);
    let assigned = pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
    (
        pod.metadata.deletion_timestamp.is_some(),
        !assigned,
        phase,
        ready.is_none(),
        since.is_none(),
        since,
        restarts,
        Reverse(pod.metadata.creation_timestamp.is_some()),
        pod.metadata.creation_timestamp.as_ref().map(|t| t.0),
        pod.metadata.name.clone(),
    )
}

pub(super) fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Unknown")
}

/// The container that is meant: the named one, else the one that the pod's annotation names, else the first.
pub(super) fn container(pod: &Pod, wanted: Option<&ContainerName>) -> Result<ContainerName, BridgeError> {
    let all = names(pod);
    let known = |name: &str| all.iter().any(|(known, _)| *known == name);
    let annotated = || {
        let annotation = pod.metadata.annotations.as_ref()?.get(DEFAULT_CONTAINER)?;
        known(annotation).then_some(annotation.as_str())
    };
    let chosen = match wanted {
        Some(name) if known(name.as_str()) => Some(name.as_str()),
        Some(name) => {
            let list: Vec<String> = all.iter().map(|(name, kind)| format!("{name}{kind}")).collect();
            return Err(BridgeError::Target(format!(
                "pod `{}` has no container `{name}`; it has {}",
                shown(pod),
                list.join(", ")
            )));
        }
        None => annotated().or_else(|| all.first().map(|(name, _)| *name)),
    };
    ContainerName::parse(chosen.unwrap_or_default()).map_err(|error| BridgeError::Target(error.to_string()))
}

/// All containers, with what kind they are in brackets where that is not the usual one.
fn names(pod: &Pod) -> Vec<(&str, &'static str)> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let init = spec.init_containers.iter().flatten().map(|c| (c.name.as_str(), " (init)"));
    let ephemeral = spec.ephemeral_containers.iter().flatten().map(|c| (c.name.as_str(), " (debug)"));
    spec.containers.iter().map(|c| (c.name.as_str(), "")).chain(init).chain(ephemeral).collect()
}

/// Whether the pod runs at all.
///
/// # Errors
/// In words, if not.
pub(super) fn running(pod: &Pod) -> Result<(), BridgeError> {
    let name = shown(pod);
    let why = || why_not(pod, None).map(|why| format!(": {why}")).unwrap_or_default();
    Err(BridgeError::Target(match phase(pod) {
        "Running" => return Ok(()),
        _ if pod.metadata.deletion_timestamp.is_some() => format!("pod `{name}` is going away"),
        "Succeeded" => format!("pod `{name}` has ended (Succeeded)"),
        "Failed" => format!("pod `{name}` has ended (Failed{})", why()),
        other => format!("pod `{name}` is not running ({}{})", clean(other), why()),
    }))
}

/// Whether something can be run in `container` now.
///
/// # Errors
/// In words, if not.
pub(super) fn container_running(pod: &Pod, container: &ContainerName) -> Result<(), BridgeError> {
    running(pod)?;
    let name = shown(pod);
    match statuses(pod).find(|status| status.name == container.as_str()) {
        Some(status) if status.state.as_ref().is_some_and(|state| state.running.is_some()) => Ok(()),
        Some(_) => {
            let why = why_not(pod, Some(container)).unwrap_or_else(|| "not started".to_owned());
            Err(BridgeError::Target(format!(
                "container `{container}` of pod `{name}` is not running ({why})"
            )))
        }
        // No word about it: let the kubelet decide.
        None => Ok(()),
    }
}

fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    pod.status.iter().flat_map(|status| {
        let init = status.init_container_statuses.iter().flatten();
        let ephemeral = status.ephemeral_container_statuses.iter().flatten();
        status.container_statuses.iter().flatten().chain(init).chain(ephemeral)
    })
}

/// What keeps a container, or any of them, from running, as `kubectl get pods` says it.
pub(super) fn why_not(pod: &Pod, container: Option<&ContainerName>) -> Option<String> {
    let state = statuses(pod)
        .filter(|status| container.is_none_or(|name| status.name == name.as_str()))
        .filter_map(|status| status.state.as_ref())
        .find(|state| state.running.is_none())?;
    let waiting = state.waiting.as_ref().and_then(|waiting| waiting.reason.clone());
    let ended = state.terminated.as_ref().map(|ended| match &ended.reason {
        Some(reason) => format!("{reason}, exit status {}", ended.exit_code),
        None => format!("exit status {}", ended.exit_code),
    });
    waiting.or(ended).map(|why| clean(&why))
}

/// The pod's name for a sentence.
pub(super) fn shown(pod: &Pod) -> String {
    clean(pod.metadata.name.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests;
