//! `sallyport demo`: the embedded cluster, the embedded OIDC provider and the gateway in one process, on loopback, in
//! one directory. For trying out and for tests, never for production: the provider asks for no password.

mod dir;
mod install;
mod people;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use sallyport_dev::cluster::{Cluster, ClusterConfig};
use sallyport_dev::idp::{DevPerson, Idp};
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use crate::ca::{Authority, CaError};
use crate::config::{self, Config};
use crate::serve::{Gateway, ServeError};

pub use dir::DirError;
pub use install::InstallError;
pub use people::PeopleError;

use dir::Dir;
use people::Office;

/// How long the gateway's token is good for; each start makes a new one.
const GATEWAY_TOKEN: i64 = 365 * 24 * 3600;

/// What the command line says.
#[derive(Debug)]
pub struct Options {
    /// Where everything is kept.
    pub dir: Option<PathBuf>,
    /// Address for SSH.
    pub ssh: SocketAddr,
    /// Address for the gateway's HTTP side.
    pub console: SocketAddr,
    /// A real cluster instead of the embedded one.
    pub kubeconfig: Option<PathBuf>,
}

/// Why the demo does not run.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Its directory.
    #[error(transparent)]
    Dir(#[from] DirError),
    /// The embedded cluster.
    #[error("the embedded cluster does not start")]
    Cluster(#[source] sallyport_dev::cluster::ClusterError),
    /// The embedded provider.
    #[error("the embedded OIDC provider does not start")]
    Idp(#[source] sallyport_dev::idp::IdpError),
    /// A kubeconfig.
    #[error("cannot use the kubeconfig `{path}`")]
    Kubeconfig {
        /// Which.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The Kubernetes client.
    #[error("cannot make a Kubernetes client")]
    Client(#[source] Box<kube::Error>),
    /// Manifests.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The authority.
    #[error("no certificate authority")]
    Authority(#[source] CaError),
    /// The gateway's ServiceAccount.
    #[error("the gateway's ServiceAccount has no token")]
    ServiceAccount,
    /// People.
    #[error(transparent)]
    People(#[from] PeopleError),
    /// The gateway.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The binary's own path, which sample workloads run.
    #[error("cannot find this program's own file")]
    Binary(#[source] std::io::Error),
}

/// Runs until `shutdown`.
///
/// # Errors
/// When a part does not start or ends by itself.
pub async fn run(options: Options, shutdown: CancellationToken) -> Result<(), DemoError> {
    let dir = Dir::open(options.dir.clone())?;
    say(&format!("state: {}", dir.path().display()));

    let embedded = match &options.kubeconfig {
        Some(_) => None,
        None => {
            say("starting a small Kubernetes API and its pods …");
            Some(cluster(&dir).await?)
        }
    };
    let result = with_cluster(&options, &dir, embedded.as_ref(), shutdown).await;
    if let Some(cluster) = embedded {
        say("stopping the pods …");
        cluster.shutdown().await;
    }
    result
}

async fn with_cluster(
    options: &Options,
    dir: &Dir,
    embedded: Option<&Cluster>,
    shutdown: CancellationToken,
) -> Result<(), DemoError> {
    let admin = match (&options.kubeconfig, embedded) {
        (Some(path), _) => path.clone(),
        (None, Some(cluster)) => dir.write(
            "kubeconfig",
            &cluster.admin_kubeconfig().map_err(|error| DemoError::Cluster(error.into()))?,
        )?,
        (None, None) => dir.join("kubeconfig"),
    };
    say("installing custom resources, roles and sample policies …");
    let admin_config = kubeconfig(&admin).await?;
    let client =
        kube::Client::try_from(admin_config.clone()).map_err(|error| DemoError::Client(Box::new(error)))?;
    install::install(&client, &install::BASE).await?;
    // On the embedded cluster the gateway has exactly the rights it ships with.
    let gateway_config = match embedded {
        None => admin_config,
        Some(cluster) => {
            install::install(&client, &install::GATEWAY).await?;
            as_gateway(cluster).await?
        }
    };

    say("starting an OIDC provider …");
    let idp =
        Idp::start(dir.port("idp"), &dir.folder("idp")?, DevPerson::cast()).await.map_err(DemoError::Idp)?;
    dir.keep_port("idp", idp.address().port())?;

    say("starting the gateway …");
    let config = gateway_settings(options, dir, &idp)?;
    let authority = Authority::load_or_init(&config.certificates.directory).map_err(DemoError::Authority)?;
    let gateway = Gateway::start(&config, gateway_config, authority, shutdown).await?;

    say("signing people in …");
    let office = Office {
        dir,
        idp: &idp,
        oidc: &gateway.oidc,
        authority: &gateway.authority,
        clock: &*gateway.clock,
        validity: config.certificates.validity,
    };
    office.everyone().await?;
    office.client_files(gateway.ssh)?;
    if embedded.is_some() {
        pods_ready(&client).await?;
    }

    ready(dir, &gateway, &config, &idp, embedded.is_some());
    let stopped = gateway.wait().await;
    idp.shutdown().await;
    Ok(stopped?)
}

async fn cluster(dir: &Dir) -> Result<Cluster, DemoError> {
    let binary = std::env::current_exe().map_err(DemoError::Binary)?;
    let config = ClusterConfig {
        dir: dir.folder("cluster")?,
        listen: dir.port("kubernetes"),
        samples: true,
        binary: Some(binary),
    };
    let cluster = Cluster::start(config).await.map_err(DemoError::Cluster)?;
    dir.keep_port("kubernetes", cluster.address().port())?;
    Ok(cluster)
}

/// The way in with the rights of the gateway's own ServiceAccount.
async fn as_gateway(cluster: &Cluster) -> Result<kube::Config, DemoError> {
    let token = cluster
        .service_account_token("sallyport", "sallyport", GATEWAY_TOKEN)
        .ok_or(DemoError::ServiceAccount)?;
    let yaml = cluster.kubeconfig_with("sallyport", token.expose_secret());
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| DemoError::Kubeconfig {
        path: "gateway".into(),
        source,
    };
    let file = kube::config::Kubeconfig::from_yaml(&yaml).map_err(|error| failed(Box::new(error)))?;
    kube::Config::from_custom_kubeconfig(file, &kube::config::KubeConfigOptions::default())
        .await
        .map_err(|error| failed(Box::new(error)))
}

/// The sample pods that people are told to try; the demo is ready when they are, or after a while without them.
async fn pods_ready(client: &kube::Client) -> Result<(), DemoError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), "payments");
    for _ in 0..100 {
        let list = pods.list(&ListParams::default().labels("app=api")).await;
        let list = list.map_err(|error| DemoError::Client(Box::new(error)))?;
        let ready = list.iter().filter(|pod| is_ready(pod)).count();
        if ready >= 2 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    say("the sample pods are slow to start; they may need another moment");
    Ok(())
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref());
    conditions.unwrap_or_default().iter().any(|it| it.type_ == "Ready" && it.status == "True")
}

async fn kubeconfig(path: &Path) -> Result<kube::Config, DemoError> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| DemoError::Kubeconfig {
        path: path.to_owned(),
        source,
    };
    let file = kube::config::Kubeconfig::read_from(path).map_err(|error| failed(Box::new(error)))?;
    kube::Config::from_custom_kubeconfig(file, &kube::config::KubeConfigOptions::default())
        .await
        .map_err(|error| failed(Box::new(error)))
}

fn gateway_settings(options: &Options, dir: &Dir, idp: &Idp) -> Result<Config, DirError> {
    Ok(Config {
        break_glass: config::BreakGlass::default(),
        ssh: config::Ssh {
            listen: options.ssh,
            host_names: vec![people::HOST_NAME.to_owned()],
            ..config::Ssh::default()
        },
        certificates: config::Certificates { directory: dir.join("ca"), ..config::Certificates::default() },
        oidc: config::Oidc {
            username_claim: "preferred_username".to_owned(),
            // Whoever tries out what leaving a group means does not want to wait.
            recheck: config::Span(Duration::from_secs(2)),
            ..config::Oidc::of(idp.issuer(), idp.client_id())
        },
        kubernetes: config::Kubernetes::default(),
        recordings: config::Recordings { directory: dir.folder("recordings")? },
        events: config::Events { file: dir.join("events.jsonl") },
        console: console(options.console),
        policies: config::Policies::default(),
        requests: config::Requests::default(),
        hooks: Vec::new(),
        notifications: Vec::new(),
        locks: config::Locks { groups: std::iter::once("security".to_owned()).collect() },
        log: config::Log::default(),
    })
}

/// Pages for browsers on this machine; the provider lets nobody else come back.
fn console(listen: SocketAddr) -> config::Console {
    // A port of the system's choice has to be known before it is listened on: it is part of the address.
    let listen = if listen.port() == 0 {
        std::net::TcpListener::bind(listen).and_then(|free| free.local_addr()).unwrap_or(listen)
    } else {
        listen
    };
    let host = if listen.ip().is_unspecified() { "127.0.0.1".into() } else { listen.ip().to_string() };
    let here = listen.ip().is_unspecified() || listen.ip().is_loopback();
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let public_url = url::Url::parse(&format!("http://{host}:{}", listen.port())).ok().filter(|_| here);
    config::Console { listen, public_url }
}

fn ready(dir: &Dir, gateway: &Gateway, config: &Config, idp: &Idp, embedded: bool) {
    let ssh = format!("ssh -F {}", quoted(&dir.join("ssh_config")));
    if let Some(console) = &config.console.public_url {
        say(&format!("console:      {console}"));
    }
    say(&format!("sign-in page: {}", idp.issuer()));
    say(&format!("recordings:   {}", dir.join("recordings").display()));
    say(&format!("events:       {}", dir.join("events.jsonl").display()));
    if embedded {
        say(&format!("kubectl:      KUBECONFIG={} kubectl get pods -A", quoted(&dir.join("kubeconfig"))));
    }
    say(&format!("ready: SSH on {}; people are alice (asks), bob (approves), sam (reviews)", gateway.ssh));
    say("");
    say("next, in another terminal, as alice:");
    say(&format!("    {ssh} prod-gw"));
    say("");
    say("Ctrl-C stops it; the next start goes on where this one ended.");
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    shell_words::quote(&path.display().to_string()).into_owned()
}

/// Progress is what this command prints.
fn say(line: &str) {
    // A closed standard output is no reason to stop.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
