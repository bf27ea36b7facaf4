//! What all pods of the node share: directories, addresses, the mark of this run.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

use super::addresses::Addresses;
use super::image::{BASH, PATH};
use super::mark::{self, Mark};
use super::{KubeletConfig, programs};
use crate::cluster::time;

/// The node's name.
pub(crate) const NODE: &str = "sallyport-dev";
/// Processes started by exec that run at one time, in the whole cluster.
const EXECS: usize = 512;
/// Of those, such whose client has gone; see [`crate::cluster::streaming`].
const ABANDONED: usize = 64;

/// The one node of the cluster.
#[derive(Debug)]
pub(crate) struct Node {
    dir: PathBuf,
    /// Every process of this run.
    pub(crate) mark: Mark,
    /// How `/hold` and images without a command of their own are started.
    pub(crate) hold: Vec<OsString>,
    /// The `PATH` of containers without `bash`.
    pub(crate) no_bash: String,
    pub(crate) addresses: Addresses,
    pub(crate) backoff: Duration,
    pub(crate) execs: Arc<Semaphore>,
    pub(crate) abandoned: Arc<Semaphore>,
}

impl Node {
    /// Sets the node up in its directory and ends what an earlier run left behind.
    pub(crate) async fn set_up(config: KubeletConfig) -> io::Result<Node> {
        let dir = std::path::absolute(&config.dir)?;
        std::fs::create_dir_all(&dir)?;
        let cluster = Mark::cluster(&identity(&dir)?);
        let stale = cluster.clone();
        let ended =
            tokio::task::spawn_blocking(move || mark::kill_all(&stale)).await.map_err(io::Error::other)?;
        if ended > 0 {
            tracing::info!(processes = ended, "ended what an earlier run left behind");
        }
        let addresses = Addresses::claim();
        if addresses.shared() {
            tracing::warn!("only 127.0.0.1 answers here: all pods share it, and their ports collide");
        }
        let links = dir.join("programs/no-bash");
        let no_bash = tokio::task::spawn_blocking(move || programs::without(&BASH, &links)).await;
        let no_bash = no_bash.map_err(io::Error::other)?.unwrap_or_else(|error| {
            tracing::warn!(%error, "containers without bash have it all the same");
            PATH.to_owned()
        });
        let hold = config.binary.map(|binary| vec![binary.into_os_string(), "dev-workload".into()]);
        Ok(Node {
            mark: cluster.within(&random()),
            dir,
            hold: hold.unwrap_or_default(),
            no_bash,
            addresses,
            backoff: config.backoff,
            execs: Arc::new(Semaphore::new(EXECS)),
            abandoned: Arc::new(Semaphore::new(ABANDONED)),
        })
    }

    /// A pod's home; its containers' directories are inside.
    pub(crate) fn pod_dir(&self, namespace: &str, name: &str) -> PathBuf {
        self.dir.join("pods").join(namespace).join(name)
    }

    /// A pod's logs.
    pub(crate) fn log_dir(&self, namespace: &str, name: &str, uid: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{namespace}_{name}_{uid}"))
    }

    /// A companion process that outlives a killed cluster just long enough to end its pods: it waits for its
    /// standard input to close. `None` where there is no program to run for it.
    pub(crate) fn watchdog(&self) -> Option<Child> {
        let (program, rest) = self.hold.split_first()?;
        let mut command = Command::new(program);
        command.args(rest).args(["reap", self.mark.as_str()]).env_clear();
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        command.spawn().map_err(|error| tracing::warn!(%error, "pods would outlive a killed cluster")).ok()
    }

    /// The `Node` object.
    pub(crate) fn object(&self) -> Value {
        let now = time::seconds(time::now());
        let address = self.addresses.node().to_string();
        json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": NODE, "labels": {
                "kubernetes.io/hostname": NODE, "kubernetes.io/os": std::env::consts::OS,
                "kubernetes.io/arch": std::env::consts::ARCH,
            }},
            "spec": {},
            "status": {
                "addresses": [
                    {"type": "InternalIP", "address": address}, {"type": "Hostname", "address": NODE},
                ],
                "capacity": {"pods": "250"}, "allocatable": {"pods": "250"},
                "conditions": [{
                    "type": "Ready", "status": "True", "reason": "KubeletReady",
                    "message": "pods are local processes", "lastHeartbeatTime": now, "lastTransitionTime": now,
                }],
                "nodeInfo": {
                    "operatingSystem": std::env::consts::OS, "architecture": std::env::consts::ARCH,
                    "containerRuntimeVersion": "process://1", "kubeletVersion": "v1.33.0", "kubeProxyVersion": "",
                    "osImage": "this machine", "kernelVersion": "", "bootID": "", "machineID": "", "systemUUID": "",
                },
            },
        })
    }
}

/// The cluster's own name for itself, kept in its directory.
fn identity(dir: &Path) -> io::Result<String> {
    let path = dir.join("node-id");
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    let well_formed = known.len() == 16 && known.bytes().all(|byte| byte.is_ascii_hexdigit());
    if well_formed {
        return Ok(known);
    }
    let fresh = random();
    std::fs::write(&path, &fresh)?;
    Ok(fresh)
}

fn random() -> String {
    format!("{:016x}", rand::rng().random::<u64>())
}
