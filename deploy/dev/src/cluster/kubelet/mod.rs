//! Pods as local processes: what a kubelet and a container runtime do together, without privileges.
//!
//! Each container runs its command in `DIR/pods/<namespace>/<pod>/<container>` (`HOME`, `TMPDIR`, working
//! directory) with a clean environment, logs to a file, and is restarted, probed and stopped by the rules of
//! the pod lifecycle. What is not there: images ([`image`] says what stands in for them), volumes, limits,
//! network namespaces ([`addresses`]), and any isolation from the person who started the cluster.
//! Processes are told apart by a mark in their environment ([`mark`]); with it nothing stays behind when the
//! cluster stops, and what a killed one left is ended by its watchdog or, at the latest, by the next start.

mod addresses;
mod container;
mod exec;
mod image;
mod logs;
mod mark;
mod node;
mod pod;
mod process;
mod programs;
mod spec;
mod state;
mod sync;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::process::Child;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use exec::{ExecOptions, Input, Output, Process, resize, start as start_process};
pub(crate) use logs::{LogOptions, LogReader, LogSource};
pub(crate) use mark::{Mark, kill_all};
pub(crate) use node::{NODE, Node};
pub(crate) use pod::{ContainerError, Pod};
pub(crate) use process::Exit;

use crate::cluster::store::{self, Store, StoreError};

/// How long pods get to end when the cluster stops, whatever grace they ask for.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// Where and how pods run.
#[derive(Debug, Clone)]
pub struct KubeletConfig {
    /// Directory for pods and logs; made if missing. One cluster at a time, which the store's lock ensures.
    pub dir: PathBuf,
    /// The program that runs [`crate::cluster::workloads::workload_main`] when its first argument is
    /// `dev-workload`. Without it the sample servers and the watchdog are not there.
    pub binary: Option<PathBuf>,
    /// The first wait of a crash loop; it doubles up to thirty times this.
    pub backoff: Duration,
}

impl KubeletConfig {
    /// With the back-off of a real kubelet, ten seconds.
    #[must_use]
    pub fn new(dir: PathBuf, binary: Option<PathBuf>) -> KubeletConfig {
        KubeletConfig { dir, binary, backoff: Duration::from_secs(10) }
    }
}

/// Why the node cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum KubeletError {
    #[error("cannot set up pods in `{}`", dir.display())]
    SetUp { dir: PathBuf, source: std::io::Error },
    #[error("cannot register the node")]
    Register(#[from] StoreError),
}

/// The node of the cluster; cheap to clone.
#[derive(Debug, Clone)]
pub struct Kubelet {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    node: Arc<Node>,
    pods: Mutex<HashMap<(String, String), Arc<Pod>>>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    watchdog: Mutex<Option<Child>>,
}

impl Kubelet {
    /// Registers the node, starts the pods found in the store again, and from then on follows it until
    /// `shutdown`; call [`Kubelet::stop`] after that.
    ///
    /// # Errors
    /// The directory cannot be used, or the store cannot be written.
    pub async fn start(
        store: Store,
        config: KubeletConfig,
        shutdown: CancellationToken,
    ) -> Result<Kubelet, KubeletError> {
        let dir = config.dir.clone();
        let node = Node::set_up(config).await.map_err(|source| KubeletError::SetUp { dir, source })?;
        let object = node.object();
        match store.create(&store::NODES, object.clone()) {
            Err(StoreError::AlreadyExists { .. }) => store.modify(&store::NODES, "", NODE, |known| {
                if let (Some(known), Some(status)) = (known.as_object_mut(), object.get("status")) {
                    known.insert("status".into(), status.clone());
                }
            })?,
            other => other?,
        };
        let inner = Inner {
            store,
            watchdog: Mutex::new(node.watchdog()),
            node: Arc::new(node),
            pods: Mutex::default(),
            tasks: TaskTracker::new(),
            shutdown,
        };
        let kubelet = Kubelet { inner: Arc::new(inner) };
        kubelet.inner.tasks.spawn(kubelet.clone().follow());
        Ok(kubelet)
    }

    /// Ends all processes of all pods and returns when they are gone. What the store says of the pods stays:
    /// the next start runs them again.
    pub async fn stop(&self) {
        let inner = &self.inner;
        inner.shutdown.cancel();
        for pod in self.pods().values() {
            pod.stop(SHUTDOWN_GRACE);
        }
        inner.tasks.close();
        let _ = tokio::time::timeout(SHUTDOWN_GRACE * 3, inner.tasks.wait()).await;
        let mark = inner.node.mark.clone();
        let _ = tokio::task::spawn_blocking(move || kill_all(&mark)).await;
        let watchdog = inner.watchdog.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut watchdog) = watchdog {
            drop(watchdog.stdin.take());
            let _ = tokio::time::timeout(SHUTDOWN_GRACE, watchdog.wait()).await;
        }
    }

    /// The pod of this name, if it is the object of this uid.
    pub(crate) fn pod(&self, namespace: &str, name: &str, uid: &str) -> Option<Arc<Pod>> {
        let pod = self.pods().get(&(namespace.to_owned(), name.to_owned())).cloned();
        pod.filter(|pod| pod.facts.uid == uid)
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.inner.node
    }

    fn pods(&self) -> MutexGuard<'_, HashMap<(String, String), Arc<Pod>>> {
        self.inner.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
