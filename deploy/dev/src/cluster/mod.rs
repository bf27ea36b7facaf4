//! The embedded cluster: an API server over a store, controllers, and one node whose pods are local processes.
//!
//! It behaves as Kubernetes does where the end-to-end cases look, and its clients are the ordinary ones. It is
//! no place for anything that matters: pods share the machine with everything else that its user runs.
//!
//! Everything is kept under one directory and is there again after a restart, also after `kill -9`:
//!
//! ```text
//! pki/         the CA and the key that signs ServiceAccount tokens
//! tokens.json  bearer tokens of people
//! store/       all objects
//! audit.jsonl  the audit log
//! node/        what pods write
//! ```

mod admission;
pub mod api;
mod auth;
mod catalog;
pub mod controllers;
mod defaults;
mod housekeeping;
mod kubeconfig;
pub mod kubelet;
mod openapi;
mod pki;
mod rbac;
mod schema;
mod seed;
mod server;
pub mod status;
pub mod store;
pub mod streaming;
pub mod time;
pub mod workloads;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::api::Api;
use self::api::audit::AuditLog;
use self::auth::serviceaccount::Signer;
use self::auth::tokens::Tokens;
use self::kubelet::{Kubelet, KubeletConfig, KubeletError};
use self::pki::Pki;
use self::store::{Store, StoreError};

pub use self::pki::PkiError;
pub use self::workloads::workload_main;

/// How to run the cluster.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// Where everything is kept; made when missing.
    pub dir: PathBuf,
    /// Where the API listens; port 0 chooses a free one.
    pub listen: SocketAddr,
    /// Bring the sample workloads.
    pub samples: bool,
    /// The program that runs [`workload_main`] when its first argument is `dev-workload`: usually the current one.
    pub binary: Option<PathBuf>,
}

/// Why the cluster does not start, or does not take what it is given.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The address is taken or not ours.
    #[error("the embedded cluster cannot listen on `{address}`")]
    Listen { address: SocketAddr, source: std::io::Error },
    /// Keys, certificates or tokens.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The node.
    #[error(transparent)]
    Kubelet(#[from] KubeletError),
    /// The objects.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The audit log.
    #[error("cannot open the audit log `{}`", path.display())]
    Audit { path: PathBuf, source: std::io::Error },
    /// A document given to [`Cluster::apply`] is not YAML.
    #[error("cannot read the manifest")]
    Manifest { source: serde_saphyr::Error },
    /// The API refuses an object given to [`Cluster::apply`].
    #[error("cannot apply {kind} `{name}`: {why}")]
    Refused { kind: String, name: String, why: String },
}

/// A running cluster. Dropping it stops it without waiting; [`Cluster::shutdown`] waits.
#[derive(Debug)]
pub struct Cluster {
    api: Arc<Api>,
    kubelet: Kubelet,
    pki: Pki,
    address: SocketAddr,
    audit: PathBuf,
    shutdown: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Cluster {
    /// Starts on a new or an earlier directory; returns when the API answers.
    pub async fn start(config: ClusterConfig) -> Result<Cluster, ClusterError> {
        let dir = &config.dir;
        let store = Store::open(&dir.join("store"))?;
        let pki = Pki::open(&dir.join("pki"))?;
        let tokens = Tokens::open(dir.join("tokens.json"))?;
        let signer = Signer::open(&dir.join("pki").join("serviceaccounts.key"))?;
        let path = dir.join("audit.jsonl");
        let audit =
            AuditLog::open(&path).map_err(|source| ClusterError::Audit { path: path.clone(), source })?;
        seed::ensure(&store, pki.ca_pem())?;

        let listening = |source| ClusterError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let shutdown = CancellationToken::new();
        let node = KubeletConfig::new(dir.join("node"), config.binary);
        let kubelet = Kubelet::start(store.clone(), node, shutdown.clone()).await?;
        let api = Api::new(store.clone(), tokens, signer, audit, kubelet.clone(), shutdown.clone());
        let api = Arc::new(api);
        let tasks = vec![
            tokio::spawn(server::serve(listener, pki.tls(), api.clone(), shutdown.clone())),
            tokio::spawn(housekeeping::run(store.clone(), shutdown.clone())),
            controllers::start(store, shutdown.clone()),
        ];
        let cluster = Cluster { api, kubelet, pki, address, audit: path, shutdown, tasks };
        if config.samples {
            seed::samples(&cluster.api, &workloads::samples())?;
        }
        Ok(cluster)
    }

    /// Where the API listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The objects themselves, for code that is part of the cluster.
    pub fn store(&self) -> &Store {
        &self.api.store
    }

    /// The audit log: one `audit.k8s.io/v1` event a line.
    pub fn audit_log(&self) -> PathBuf {
        self.audit.clone()
    }

    /// Creates or merges the objects of a YAML stream, as an administrator, in order.
    pub fn apply(&self, yaml: &str) -> Result<(), ClusterError> {
        seed::apply(&self.api, yaml)
    }

    /// Stops listening, ends watches and streams, stops the controllers and the pods; returns when all that is done.
    pub async fn shutdown(mut self) {
        self.shutdown.cancel();
        self.kubelet.stop().await;
        for task in self.tasks.drain(..) {
            if let Err(error) = task.await {
                tracing::warn!(%error, "a part of the embedded cluster failed");
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
