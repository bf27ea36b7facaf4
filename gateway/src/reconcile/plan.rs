//! What has to be done for one request, from what is there. Pure, so every case is a test without a cluster.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::ResourceExt;
use sallyport_policy::lifecycle::{Command, Life, Stage, step};
use sallyport_policy::{Namespace, Policy, Window};

use super::binding;
use crate::crd::{AccessRequest, Opened, StateError};

/// How long a grant that cannot be opened is tried, from its approval on.
pub(super) const TRIED_FOR: Duration = Duration::from_secs(60);

/// One thing to do. All are safe to do twice, and by two at once.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Task {
    /// Write this state.
    Store(Box<Life>),
    /// Create this binding.
    Create(Box<RoleBinding>),
    /// Delete this binding, if it is still the same object.
    Delete { namespace: String, name: String, uid: Option<String> },
    /// Write down that these bindings exist; none left means that all is cleaned up.
    Note(Vec<Opened>),
    /// Mark it as failed, although its state cannot be read as one.
    Spoil(String),
}

/// The next things to do, in order. Empty: the cluster is as the request says.
pub(super) fn plan(request: &AccessRequest, bindings: &[Arc<RoleBinding>], now: Timestamp) -> Vec<Task> {
    let Ok(name) = request.request_name() else { return delete(bindings) };
    let life = match request.life() {
        Ok(life) => life,
        Err(error) => {
            // What cannot be understood opens nothing.
            let mut tasks = delete(bindings);
            let phase = request.status.as_ref().map(|status| status.phase).unwrap_or_default();
            if matches!(error, StateError::Changed) && !phase.is_final() {
                tasks.insert(0, Task::Spoil(error.to_string()));
            }
            return tasks;
        }
    };
    if request.metadata.deletion_timestamp.is_some() {
        return delete(bindings);
    }
    let ticked = step(life.clone(), &Command::Tick, now);
    if ticked.life != life {
        let mut tasks = vec![Task::Store(Box::new(ticked.life))];
        tasks.extend(delete(bindings));
        return tasks;
    }
    match &life.stage {
        Stage::Pending { .. } => delete(bindings),
        Stage::Ended(_) => {
            let mut tasks = delete(bindings);
            if tasks.is_empty() && request.status.as_ref().is_some_and(|status| !status.opened.is_empty()) {
                tasks.push(Task::Note(Vec::new()));
            }
            tasks
        }
        // What begins later opens nothing before.
        Stage::Approved { window, .. } if now < window.start => delete(bindings),
        Stage::Approved { terms, window } => {
            let opened = step(life.clone(), &Command::Activate, now);
            if let Some(denied) = opened.refused {
                // Somebody has written a status that the rules do not allow.
                let why = denied.to_string();
                let failed = step(life, &Command::Fail { why: &why }, now);
                return std::iter::once(Task::Store(Box::new(failed.life))).chain(delete(bindings)).collect();
            }
            let tasks = prepare(request, &name, &life, terms, *window, bindings);
            if tasks.is_empty() { vec![Task::Store(Box::new(opened.life))] } else { tasks }
        }
        Stage::Active { terms, window } => {
            if let Err(denied) = life.stands() {
                let why = format!("it became active although nothing on record justifies it: {denied}");
                let failed = step(life, &Command::Fail { why: &why }, now);
                return std::iter::once(Task::Store(Box::new(failed.life))).chain(delete(bindings)).collect();
            }
            let mut tasks = prepare(request, &name, &life, terms, *window, bindings);
            let noted = request.status.as_ref().map(|status| status.opened.clone()).unwrap_or_default();
            let there = noted_for(&name.binding(), life.asked.scope.namespaces.iter());
            if tasks.is_empty() && noted != there {
                tasks.push(Task::Note(there));
            }
            tasks
        }
    }
}

/// What is missing or wrong among a grant's bindings.
fn prepare(
    request: &AccessRequest,
    name: &sallyport_policy::RequestName,
    life: &Life,
    terms: &Policy,
    window: Window,
    bindings: &[Arc<RoleBinding>],
) -> Vec<Task> {
    let wanted: Vec<_> = life
        .asked
        .scope
        .namespaces
        .iter()
        .map(|namespace| binding::wanted(request, name, terms.cluster_role(), namespace, window.end))
        .collect();
    let mut tasks = Vec::new();
    for there in bindings {
        let same = |one: &&RoleBinding| {
            one.metadata.namespace == there.metadata.namespace && one.metadata.name == there.metadata.name
        };
        if !wanted.iter().find(same).is_some_and(|wanted| binding::is_as_wanted(there, wanted)) {
            tasks.extend(delete(std::slice::from_ref(there)));
        }
    }
    for one in wanted {
        let namespace = &one.metadata.namespace;
        let there = bindings.iter().any(|there| {
            there.metadata.namespace == *namespace
                && there.metadata.name == one.metadata.name
                && binding::is_as_wanted(there, &one)
        });
        if !there {
            tasks.push(Task::Create(Box::new(one)));
        }
    }
    tasks
}

/// What a status says of a grant's bindings once they are all there.
pub(super) fn noted_for<'a>(name: &str, namespaces: impl Iterator<Item = &'a Namespace>) -> Vec<Opened> {
    namespaces
        .map(|namespace| Opened {
            kind: "RoleBinding".to_owned(),
            namespace: namespace.to_string(),
            name: name.to_owned(),
        })
        .collect()
}

pub(super) fn delete(bindings: &[Arc<RoleBinding>]) -> Vec<Task> {
    let gone = |binding: &&Arc<RoleBinding>| binding.metadata.deletion_timestamp.is_none();
    bindings
        .iter()
        .filter(gone)
        .map(|binding| Task::Delete {
            namespace: binding.namespace().unwrap_or_default(),
            name: binding.name_any(),
            uid: binding.uid(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
