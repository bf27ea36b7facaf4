//! What is known of each container of a pod, and how the API shows it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::container::{Ended, Running};
use super::image::Image;
use super::logs::Log;
use super::spec::{ContainerSpec, PodSpec, RestartPolicy};
use crate::cluster::time::seconds;

/// `ContainerState`.
#[derive(Debug, Clone)]
pub(crate) enum State {
    Waiting {
        reason: &'static str,
        message: String,
    },
    Running(Running),
    /// As the API has it, so that it can be taken over from an earlier run.
    Terminated(Value),
}

/// One container of a pod.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) spec: ContainerSpec,
    pub(crate) image: Image,
    pub(crate) init: bool,
    pub(crate) restarts: u64,
    pub(crate) state: State,
    pub(crate) last: Option<Value>,
    pub(crate) ready: bool,
    pub(crate) log: Option<Log>,
}

impl Slot {
    /// A container as the manifest has it and, where the cluster ran before, as its status was left.
    pub(crate) fn new(spec: &ContainerSpec, init: bool, status: &Value, now: Timestamp) -> Slot {
        let list = if init { "initContainerStatuses" } else { "containerStatuses" };
        let known = status.get(list).and_then(Value::as_array);
        let known = known.and_then(|all| all.iter().find(|one| one.get("name") == Some(&json!(spec.name))));
        let mut slot = Slot {
            image: Image::named(&spec.image, &spec.name),
            spec: spec.clone(),
            init,
            restarts: 0,
            state: State::Waiting { reason: "ContainerCreating", message: String::new() },
            last: None,
            ready: false,
            log: None,
        };
        let Some(known) = known else { return slot };
        slot.restarts = known.get("restartCount").and_then(Value::as_u64).unwrap_or(0);
        slot.last = known.pointer("/lastState/terminated").cloned();
        if let Some(terminated) = known.pointer("/state/terminated") {
            slot.state = State::Terminated(terminated.clone());
        } else if let Some(running) = known.pointer("/state/running") {
            // How it ended while nobody looked is not known; a real kubelet says the same after a reboot.
            slot.last = Some(json!({
                "exitCode": 255, "reason": "Unknown", "startedAt": running.get("startedAt"),
                "finishedAt": seconds(now), "containerID": known.get("containerID"),
            }));
        }
        slot
    }

    /// Readies a container that ran in an earlier run of the cluster, and is to run again, for its next start.
    pub(crate) fn resume(&mut self, policy: RestartPolicy) {
        if self.is_over(policy) {
            return;
        }
        if let State::Terminated(how) = &self.state {
            self.last = Some(how.clone());
            self.state = State::Waiting { reason: "ContainerCreating", message: String::new() };
        }
        self.restarts += u64::from(self.last.is_some());
    }

    /// Its exit status once it has ended.
    pub(crate) fn exit_code(&self) -> Option<i64> {
        match &self.state {
            State::Terminated(how) => Some(how.get("exitCode").and_then(Value::as_i64).unwrap_or(255)),
            _ => None,
        }
    }

    /// True when it is not to be started (again).
    pub(crate) fn is_over(&self, policy: RestartPolicy) -> bool {
        match (self.exit_code(), policy) {
            (None, _) => false,
            (Some(0), _) if self.init => true,
            (Some(_), RestartPolicy::Never) => true,
            (Some(0), RestartPolicy::OnFailure) => true,
            _ => false,
        }
    }

    /// `ContainerStatus`.
    pub(crate) fn status(&self, uid: &str) -> Value {
        let id = format!("process://{uid}/{}/{}", self.spec.name, self.restarts);
        let (state, started, id) = match &self.state {
            State::Waiting { reason, message } if message.is_empty() => {
                (json!({"waiting": {"reason": reason}}), false, String::new())
            }
            State::Waiting { reason, message } => {
                (json!({"waiting": {"reason": reason, "message": message}}), false, String::new())
            }
            State::Running(running) => {
                (json!({"running": {"startedAt": seconds(running.started)}}), true, id)
            }
            State::Terminated(how) => (json!({"terminated": how}), false, id),
        };
        json!({
            "name": self.spec.name, "image": self.spec.image, "imageID": "", "containerID": id,
            "restartCount": self.restarts, "ready": self.ready, "started": started, "state": state,
            "lastState": self.last.as_ref().map_or(json!({}), |last| json!({"terminated": last})),
        })
    }
}

/// `ContainerStateTerminated`.
pub(crate) fn terminated(started: Timestamp, ended: Ended, id: &str) -> Value {
    let reason = if ended.exit.code == 0 { "Completed" } else { "Error" };
    json!({
        "exitCode": ended.exit.code, "reason": reason, "startedAt": seconds(started),
        "finishedAt": seconds(ended.at), "containerID": id,
    })
}

/// `status.phase`, by the rules of the pod lifecycle.
pub(crate) fn phase(spec: &PodSpec, slots: &[Slot]) -> &'static str {
    let policy = spec.restart_policy;
    if slots.iter().any(|slot| slot.init && slot.is_over(policy) && slot.exit_code() != Some(0)) {
        return "Failed";
    }
    if slots.iter().any(|slot| slot.init && slot.exit_code() != Some(0)) {
        return "Pending";
    }
    let mut main = slots.iter().filter(|slot| !slot.init).peekable();
    if main.peek().is_some() && main.clone().all(|slot| slot.is_over(policy)) {
        return if main.all(|slot| slot.exit_code() == Some(0)) { "Succeeded" } else { "Failed" };
    }
    let waits = |slot: &Slot| matches!(slot.state, State::Waiting { .. }) && slot.last.is_none();
    if main.any(waits) { "Pending" } else { "Running" }
}

/// `status.conditions`, keeping the time of those that stay as they were.
pub(crate) fn conditions(phase: &str, slots: &[Slot], before: &Value, now: Timestamp) -> Value {
    let over = phase == "Succeeded";
    let initialized = slots.iter().all(|slot| !slot.init || slot.exit_code() == Some(0));
    let ready = phase == "Running" && slots.iter().all(|slot| slot.init || slot.ready);
    let unready: Vec<&str> =
        slots.iter().filter(|slot| !slot.init && !slot.ready).map(|slot| slot.spec.name.as_str()).collect();
    let known = before.get("conditions").and_then(Value::as_array);
    let condition = |kind: &str, holds: bool| {
        let status = if holds { "True" } else { "False" };
        let same = known.and_then(|all| {
            all.iter().find(|one| {
                one.get("type") == Some(&json!(kind)) && one.get("status") == Some(&json!(status))
            })
        });
        let since = same.and_then(|same| same.get("lastTransitionTime")).cloned();
        let since = since.unwrap_or_else(|| json!(seconds(now)));
        let mut condition = json!({
            "type": kind, "status": status, "lastProbeTime": null, "lastTransitionTime": since,
        });
        if let (false, Some(condition)) = (holds, condition.as_object_mut()) {
            let reason = if over { "PodCompleted" } else { "ContainersNotReady" };
            condition.insert("reason".into(), reason.into());
            if !over {
                let message = format!("containers with unready status: [{}]", unready.join(" "));
                condition.insert("message".into(), message.into());
            }
        }
        condition
    };
    json!([
        condition("PodScheduled", true),
        condition("Initialized", initialized),
        condition("ContainersReady", ready),
        condition("Ready", ready),
    ])
}
