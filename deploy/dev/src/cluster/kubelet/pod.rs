//! One pod on the node: its containers started, restarted with back-off, probed and stopped.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::container::{Ended, Running};
use super::image::{PATH, Programs, StartError};
use super::logs::Log;
use super::mark::Mark;
use super::node::Node;
use super::process::Launch;
use super::spec::{Facts, PodSpec, RestartPolicy};
use super::state::{self, Slot, State};
use crate::cluster::time;

/// The longest back-off, and how long a container must run to start over with a short one.
const BACKOFF_LIMIT: u32 = 30;
const STEADY: Duration = Duration::from_secs(600);
const PROBE: Duration = Duration::from_secs(2);

/// A pod that this node runs or ran.
#[derive(Debug)]
pub(crate) struct Pod {
    pub(crate) facts: Facts,
    pub(crate) spec: PodSpec,
    pub(crate) node: Arc<Node>,
    mark: Mark,
    started: String,
    slots: Mutex<Vec<Slot>>,
    changed: watch::Sender<u64>,
    /// How long containers get to end, once they are to.
    stop: watch::Sender<Option<Duration>>,
}

/// Why a container cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ContainerError {
    #[error("container not found (\"{0}\")")]
    NotRunning(String),
    #[error("container \"{container}\" in pod \"{pod}\" is waiting to start: {reason}")]
    Waiting { container: String, pod: String, reason: String },
    #[error("previous terminated container \"{container}\" in pod \"{pod}\" not found")]
    NoPrevious { container: String, pod: String },
    #[error(transparent)]
    Start(#[from] StartError),
}

impl Pod {
    /// Takes a pod on; `status` is what an earlier run of the cluster left.
    pub(crate) fn new(facts: Facts, spec: PodSpec, node: Arc<Node>, status: &Value) -> Pod {
        let now = time::now();
        let init = spec.init_containers.iter().map(|one| Slot::new(one, true, status, now));
        let main = spec.containers.iter().map(|one| Slot::new(one, false, status, now));
        let mut slots: Vec<Slot> = init.chain(main).collect();
        for slot in &mut slots {
            slot.resume(spec.restart_policy);
        }
        let started = status.get("startTime").and_then(Value::as_str).map(str::to_owned);
        Pod {
            mark: node.mark.within(&facts.uid),
            started: started.unwrap_or_else(|| time::seconds(now)),
            slots: Mutex::new(slots),
            changed: watch::channel(0).0,
            stop: watch::channel(None).0,
            facts,
            spec,
            node,
        }
    }

    /// Runs the pod until nothing of it is left to run or it was told to stop.
    pub(crate) async fn run(&self) {
        let policy = self.spec.restart_policy;
        for index in 0..self.spec.init_containers.len() {
            self.attend(index).await;
            let done = self.slots().get(index).is_some_and(|slot| slot.exit_code() == Some(0));
            if !done || self.stopping() {
                return;
            }
        }
        let first = self.spec.init_containers.len();
        let over = |index: usize| self.slots().get(index).is_some_and(|slot| slot.is_over(policy));
        let main = (first..first + self.spec.containers.len()).filter(|index| !over(*index));
        join_all(main.collect::<Vec<_>>().into_iter().map(|index| self.attend(index))).await;
    }

    /// Tells the containers to end; a second call can only shorten the time they get.
    pub(crate) fn stop(&self, grace: Duration) {
        self.stop.send_if_modified(|current| {
            let shorter = current.is_none_or(|current| grace < current);
            if shorter {
                *current = Some(grace);
            }
            shorter
        });
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stop.borrow().is_some()
    }

    /// Resolves once the pod was told to stop.
    pub(crate) async fn told_to_stop(&self) {
        // The sender is in `self`.
        let _ = self.stop.subscribe().wait_for(Option::is_some).await;
    }

    /// Changes of what [`Pod::status`] says.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// `PodStatus`, given the one before.
    pub(crate) fn status(&self, before: &Value) -> Value {
        let slots = self.slots();
        let (ip, host) = (self.facts.ip.to_string(), self.facts.node_ip.to_string());
        let phase = state::phase(&self.spec, &slots);
        let list = |init: bool| -> Vec<Value> {
            let some = slots.iter().filter(|slot| slot.init == init);
            some.map(|slot| slot.status(&self.facts.uid)).collect()
        };
        let mut status = json!({
            "phase": phase, "startTime": self.started, "qosClass": "BestEffort",
            "podIP": ip, "podIPs": [{"ip": ip}], "hostIP": host, "hostIPs": [{"ip": host}],
            "conditions": state::conditions(phase, &slots, before, time::now()),
            "containerStatuses": list(false),
        });
        if let (false, Some(status)) = (self.spec.init_containers.is_empty(), status.as_object_mut()) {
            status.insert("initContainerStatuses".into(), list(true).into());
        }
        status
    }

    /// What a process beside the container's first one starts with.
    pub(crate) fn beside(&self, container: &str, argv: &[String]) -> Result<Launch, ContainerError> {
        let slots = self.slots();
        let slot = slots.iter().find(|slot| slot.spec.name == container);
        match slot {
            Some(slot) if matches!(slot.state, State::Running(_)) => Ok(self.launch(slot, argv)?),
            _ => Err(ContainerError::NotRunning(container.to_owned())),
        }
    }

    /// The log of a container, or of the run of it before this one.
    pub(crate) fn log(&self, container: &str, previous: bool) -> Result<Log, ContainerError> {
        let slots = self.slots();
        let slot = slots.iter().find(|slot| slot.spec.name == container);
        let Some(slot) = slot else { return Err(ContainerError::NotRunning(container.to_owned())) };
        let (container, pod) = (container.to_owned(), self.facts.name.clone());
        if previous {
            let run = match (&slot.state, &slot.last) {
                (_, None) => None,
                // Between two runs, the one that ended is the one before the next.
                (State::Waiting { .. }, Some(_)) => Some(slot.restarts),
                _ => slot.restarts.checked_sub(1),
            };
            let run = run.ok_or(ContainerError::NoPrevious { container, pod })?;
            return Ok(Log::ended(self.log_path(slot, run)));
        }
        match (&slot.state, &slot.last) {
            (State::Running(running), _) => Ok(running.log.clone()),
            (State::Terminated(_), _) | (State::Waiting { .. }, Some(_)) => {
                let run = Log::ended(self.log_path(slot, slot.restarts));
                Ok(slot.log.clone().unwrap_or(run))
            }
            (State::Waiting { reason, .. }, None) => {
                Err(ContainerError::Waiting { container, pod, reason: (*reason).to_owned() })
            }
        }
    }

    /// The log of a container that runs.
    pub(crate) fn live_log(&self, container: &str) -> Result<Log, ContainerError> {
        let slots = self.slots();
        match slots.iter().find(|slot| slot.spec.name == container).map(|slot| &slot.state) {
            Some(State::Running(running)) => Ok(running.log.clone()),
            _ => Err(ContainerError::NotRunning(container.to_owned())),
        }
    }

    async fn attend(&self, index: usize) {
        let mut stop = self.stop.subscribe();
        let mut failures = 0_u32;
        while !self.stopping() {
            match self.start(index) {
                Ok(running) => {
                    let begun = tokio::time::Instant::now();
                    let ended = tokio::select! {
                        ended = running.ended() => Some(ended),
                        _ = stop.wait_for(Option::is_some) => None,
                        never = self.probe(index) => match never {},
                    };
                    let ended = match ended {
                        Some(ended) => ended,
                        None => terminate(&running, &mut stop).await,
                    };
                    self.change(index, |slot| {
                        let id = format!("process://{}/{}/{}", self.facts.uid, slot.spec.name, slot.restarts);
                        slot.state = State::Terminated(state::terminated(running.started, ended, &id));
                        slot.ready = slot.init && ended.exit.code == 0;
                    });
                    if begun.elapsed() >= STEADY {
                        failures = 0;
                    }
                }
                Err(error) => {
                    let reason = match error {
                        StartError::NoCommand => "CreateContainerError",
                        _ => "RunContainerError",
                    };
                    let message = error.to_string();
                    self.change(index, |slot| slot.state = State::Waiting { reason, message });
                    failures = failures.max(1);
                }
            }
            let over = self.slots().get(index).is_none_or(|slot| slot.is_over(self.policy(slot)));
            if over || self.stopping() {
                return;
            }
            self.back_off(index, failures, &mut stop).await;
            failures = failures.saturating_add(1);
        }
    }

    /// Init containers of a pod that always restarts are restarted only until they succeed.
    fn policy(&self, slot: &Slot) -> RestartPolicy {
        match self.spec.restart_policy {
            RestartPolicy::Always if slot.init => RestartPolicy::OnFailure,
            policy => policy,
        }
    }

    fn start(&self, index: usize) -> Result<Running, StartError> {
        let (launch, log, old) = {
            let slots = self.slots();
            let slot = slots.get(index).ok_or(StartError::NoCommand)?;
            let argv = slot.image.command(&slot.spec.command, &slot.spec.args);
            let old = slot.restarts.checked_sub(2).map(|run| self.log_path(slot, run));
            (self.launch(slot, &argv)?, self.log_path(slot, slot.restarts), old)
        };
        let running = Running::start(launch, log)?;
        // Only the log of the run before is kept.
        if let Some(old) = old {
            Log::remove(&old);
        }
        self.change(index, |slot| {
            slot.log = Some(running.log.clone());
            slot.state = State::Running(running.clone());
            slot.ready = slot.spec.probed_port().is_none() && !slot.init;
        });
        Ok(running)
    }

    fn launch(&self, slot: &Slot, argv: &[String]) -> Result<Launch, StartError> {
        let dir = self.node.pod_dir(&self.facts.namespace, &self.facts.name).join(&slot.spec.name);
        let path = match slot.image.programs {
            Programs::NoBash => &self.node.no_bash,
            Programs::All | Programs::Hold => PATH,
        };
        Ok(Launch {
            argv: slot.image.resolve(argv, &self.node.hold)?,
            env: self.facts.environment(&self.spec, &slot.spec, path, &dir),
            mark: self.mark.within(&slot.spec.name),
            dir,
        })
    }

    fn log_path(&self, slot: &Slot, run: u64) -> std::path::PathBuf {
        let Facts { namespace, name, uid, .. } = &self.facts;
        self.node.log_dir(namespace, name, uid).join(&slot.spec.name).join(format!("{run}.log"))
    }

    async fn back_off(&self, index: usize, failures: u32, stop: &mut watch::Receiver<Option<Duration>>) {
        // The first restart comes at once, then the wait doubles.
        let times = failures.checked_sub(1).map_or(0, |n| 1_u32.checked_shl(n).unwrap_or(u32::MAX));
        let wait = self.node.backoff * times.min(BACKOFF_LIMIT);
        self.change(index, |slot| {
            // One that could not even start keeps saying why.
            let State::Terminated(how) = &slot.state else { return };
            slot.last = Some(how.clone());
            if !wait.is_zero() {
                let Facts { namespace, name, uid, .. } = &self.facts;
                let message = format!(
                    "back-off {}s restarting failed container={} pod={name}_{namespace}({uid})",
                    wait.as_secs(),
                    slot.spec.name
                );
                slot.state = State::Waiting { reason: "CrashLoopBackOff", message };
            }
        });
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stop.wait_for(Option::is_some) => return,
        }
        self.change(index, |slot| slot.restarts += u64::from(slot.last.is_some()));
    }

    /// Keeps `ready` true to what the readiness probe finds. Without a probe there is nothing to do, ever.
    async fn probe(&self, index: usize) -> Infallible {
        let found = self.slots().get(index).and_then(|slot| {
            let period = slot.spec.readiness_probe.as_ref().and_then(|probe| probe.period_seconds);
            Some((slot.spec.probed_port()?, Duration::from_secs(period.unwrap_or(10).max(1))))
        });
        let Some((port, period)) = found else { return std::future::pending().await };
        let mut seen = false;
        loop {
            let dial = TcpStream::connect((self.facts.ip, port));
            let ready = matches!(tokio::time::timeout(PROBE, dial).await, Ok(Ok(_)));
            if ready != seen {
                self.change(index, |slot| slot.ready = ready);
                seen = ready;
            }
            // Until it is first ready, someone is likely waiting for it.
            let wait = if seen { period } else { Duration::from_millis(100) };
            tokio::time::sleep(wait).await;
        }
    }

    fn change(&self, index: usize, change: impl FnOnce(&mut Slot)) {
        if let Some(slot) = self.slots().get_mut(index) {
            change(slot);
        }
        self.changed.send_modify(|version| *version = version.wrapping_add(1));
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn terminate(running: &Running, stop: &mut watch::Receiver<Option<Duration>>) -> Ended {
    loop {
        let grace = stop.borrow_and_update().unwrap_or_default();
        tokio::select! {
            ended = running.stop(grace) => return ended,
            Ok(()) = stop.changed() => {}
        }
    }
}
