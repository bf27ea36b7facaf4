//! Which pods there are, as far as a grant covers them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde::Serialize;

use super::pod;
use crate::terminal::clean;

/// One pod in a list. The JSON (`-o json`) is stable: fields are added, not changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodRow {
    /// Where.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Containers that are ready.
    pub ready: usize,
    /// Its containers' names; the first is the one that is taken if none is named.
    pub containers: Vec<String>,
    /// What `kubectl get pods` shows: `Running`, `CrashLoopBackOff`, `Completed`, …
    pub status: String,
    /// Restarts of all its containers.
    pub restarts: u32,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
}

pub(super) fn row(pod: &Pod) -> PodRow {
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let mut containers: Vec<String> =
        pod.spec.iter().flat_map(|spec| &spec.containers).map(|container| clean(&container.name)).collect();
    if let Ok(default) = pod::container(pod, None)
        && let Some(at) = containers.iter().position(|name| name == default.as_str())
        && let Some(head) = containers.get_mut(..=at)
    {
        head.rotate_right(1);
    }
    PodRow {
        namespace: clean(pod.metadata.namespace.as_deref().unwrap_or_default()),
        name: pod::shown(pod),
        ready: statuses.clone().filter(|status| status.ready).count(),
        containers,
        status: status(pod),
        restarts: statuses.filter_map(|status| u32::try_from(status.restart_count).ok()).sum(),
        created: pod.metadata.creation_timestamp.as_ref().map(|time| time.0),
    }
}

fn status(pod: &Pod) -> String {
    if pod.metadata.deletion_timestamp.is_some() {
        return "Terminating".to_owned();
    }
    let phase = pod::phase(pod);
    let why = || pod::why_not(pod, None);
    match phase {
        "Succeeded" => "Completed".to_owned(),
        "Running" | "Pending" => {
            why().filter(|why| !why.starts_with("Completed")).unwrap_or_else(|| clean(phase))
        }
        other => pod
            .status
            .as_ref()
            .and_then(|status| status.reason.as_deref())
            .map_or_else(|| clean(other), clean),
    }
}
