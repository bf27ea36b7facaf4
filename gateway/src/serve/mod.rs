//! The gateway put together: from a configuration and a Kubernetes client to a running server. `sallyport serve`
//! and the demo use the same function.

mod recheck;
mod rights;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::access::{Access, AccessError, AccessSettings, Seal};
use crate::audit::{Audit, AuditError, Event, Kind, Outcome};
use crate::bridge::{self, Bridge, BridgeError};
use crate::ca::{Authority, CaError};
use crate::checks::{Checks, OutboundError};
use crate::clock::{SharedClock, SystemClock};
use crate::codes::{Book, CodesError};
use crate::config::{Config, Kubernetes};
use crate::crd::Mirror;
use crate::identity::{IdentityError, Oidc, OidcSettings};
use crate::record::{RecordError, Recorder, Session};
use crate::{console, notifications, reconcile, ssh};

/// Why the gateway does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The authority's keys.
    #[error("no certificate authority: make one with `sallyport ca init {dir}`")]
    Authority {
        /// Where it was looked for.
        dir: PathBuf,
        /// Why.
        source: CaError,
    },
    /// The provider's settings.
    #[error("the OIDC provider's settings cannot be used")]
    Oidc(#[source] IdentityError),
    /// The kubeconfig or the ServiceAccount.
    #[error("no way to the Kubernetes API: name a kubeconfig, or run in a pod with a ServiceAccount")]
    Kubeconfig(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The Kubernetes client.
    #[error("cannot make a Kubernetes client")]
    Client(#[source] BridgeError),
    /// Policies and requests.
    #[error("cannot read policies and requests")]
    Access(#[source] AccessError),
    /// External checks.
    #[error("cannot make ready to ask the checks of `hooks`")]
    Checks(#[source] OutboundError),
    /// Sealed codes.
    #[error("cannot use the sealed codes of `breakGlass.codesFile`")]
    Codes(#[source] CodesError),
    /// Recordings.
    #[error("cannot record sessions")]
    Record(#[source] RecordError),
    /// Events.
    #[error("no audit events")]
    Audit(#[source] AuditError),
    /// A port.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A part ended by itself.
    #[error("the gateway's {part} stopped")]
    Part {
        /// Which.
        part: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    /// Where SSH is served.
    pub ssh: SocketAddr,
    /// Where HTTP is served.
    pub console: SocketAddr,
    /// The authority that signs people's certificates.
    pub authority: Arc<Authority>,
    /// The provider that says who people are.
    pub oidc: Arc<Oidc>,
    /// The gateway's time.
    pub clock: SharedClock,
    audit: Audit,
    parts: JoinSet<Result<(), ServeError>>,
    shutdown: CancellationToken,
}

/// `sallyport serve`: until `shutdown`.
///
/// # Errors
/// When it cannot start, or a part of it ends by itself.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), ServeError> {
    let kubernetes = kubernetes(&config.kubernetes).await?;
    let authority = Authority::load(&config.certificates.directory)
        .map_err(|source| ServeError::Authority { dir: config.certificates.directory.clone(), source })?;
    let gateway = Gateway::start(&config, kubernetes, authority, shutdown).await?;
    tracing::info!(ssh = %gateway.ssh, console = %gateway.console, "ready");
    gateway.wait().await
}

async fn kubernetes(settings: &Kubernetes) -> Result<kube::Config, ServeError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| ServeError::Kubeconfig(error);
    // Not `Config::infer`: it would take impersonation from the environment.
    match &settings.kubeconfig {
        None => kube::Config::incluster().map_err(|error| failed(Box::new(error))),
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(|error| failed(Box::new(error)))?;
            let options = KubeConfigOptions { context: settings.context.clone(), ..Default::default() };
            kube::Config::from_custom_kubeconfig(file, &options)
                .await
                .map_err(|error| failed(Box::new(error)))
        }
    }
}

impl Gateway {
    /// Starts every part. What the OIDC provider or a person does later cannot stop it.
    ///
    /// # Errors
    /// When keys, the cluster, a directory or a port cannot be had.
    pub async fn start(
        config: &Config,
        kubernetes: kube::Config,
        authority: Authority,
        shutdown: CancellationToken,
    ) -> Result<Self, ServeError> {
        let clock: SharedClock = Arc::new(SystemClock);
        let audit = if config.events.file.as_os_str() == "-" {
            Audit::to_stdout()
        } else {
            Audit::to_file(&config.events.file).map_err(ServeError::Audit)?
        };
        let namespace = config.kubernetes.namespace.clone();
        let namespace = namespace.unwrap_or_else(|| match &config.kubernetes.kubeconfig {
            None if in_pod(&kubernetes) => kubernetes.default_namespace.clone(),
            _ => "sallyport".to_owned(),
        });
        let client = bridge::connect(kubernetes).map_err(ServeError::Client)?;
        let oidc = Arc::new(Oidc::discover(&settings(config), clock.clone()).map_err(ServeError::Oidc)?);
        let authority = Arc::new(authority);
        let codes = match &config.break_glass.codes_file {
            Some(path) => Some(Arc::new(Book::load(path, &config.oidc.issuer).map_err(ServeError::Codes)?)),
            None => None,
        };
        let recorder =
            Recorder::new(config.recordings.directory.clone(), clock.clone()).map_err(ServeError::Record)?;
        for session in recorder.sweep().await.map_err(ServeError::Record)? {
            audit.record(interrupted(&session, clock.now()));
        }
        let access = Access::start(
            client.clone(),
            access_settings(config, &authority, &namespace),
            clock.clone(),
            audit.clone(),
        )
        .await
        .map_err(ServeError::Access)?;
        rights::warn_about(&client).await;
        let checks = Checks::new(&config.hooks).map_err(ServeError::Checks)?;
        let bridge = Bridge::new(client.clone(), clock.clone());

        let listen = async |address: SocketAddr| {
            TcpListener::bind(address)
                .await
                .and_then(|listener| Ok((listener.local_addr()?, listener)))
                .map_err(|source| ServeError::Listen { address, source })
        };
        let (ssh, ssh_listener) = listen(config.ssh.listen).await?;
        let (console, console_listener) = listen(config.console.listen).await?;

        let mut parts = JoinSet::new();
        parts.spawn({
            let gateway = ssh::Gateway {
                config: config.clone(),
                clock: clock.clone(),
                audit: audit.clone(),
                access: access.clone(),
                bridge,
                recorder,
                authority: authority.clone(),
                oidc: oidc.clone(),
                codes,
            };
            let shutdown = shutdown.clone();
            async move { part("SSH server", ssh::serve(gateway, ssh_listener, shutdown).await) }
        });
        // Whether this gateway is the one that reconciles.
        let (leads, led) = tokio::sync::watch::channel(false);
        if !config.notifications.is_empty() {
            let parts_of = notifications::Parts {
                requests: Mirror::start(kube::Api::all(client.clone()), None),
                client: client.clone(),
                link: link(links(config, &authority), clock.clone()),
                clock: clock.clone(),
                audit: audit.clone(),
                leads: led,
            };
            let (hooks, shutdown) = (config.notifications.clone(), shutdown.clone());
            parts.spawn(async move {
                part("notifications", notifications::run(&hooks, parts_of, shutdown).await)
            });
        }
        parts.spawn({
            let settings = reconcile::Settings {
                namespace,
                identity: identity(ssh),
                requests: config.requests.clone(),
                checks: Some(Arc::new(checks)),
            };
            let (access, clock, audit, shutdown) =
                (access.clone(), clock.clone(), audit.clone(), shutdown.clone());
            let run = reconcile::run(client, access, settings, clock, audit, shutdown, leads);
            async move { part("reconciler", run.await) }
        });
        parts.spawn({
            let watch = recheck::Grants::new(access.clone(), clock.clone(), audit.clone());
            let (oidc, shutdown) = (oidc.clone(), shutdown.clone());
            async move {
                oidc.recheck(&watch, shutdown).await;
                Ok(())
            }
        });
        parts.spawn({
            let parts = console::Parts {
                access,
                audit: audit.clone(),
                oidc: oidc.clone(),
                clock: clock.clone(),
                public_url: config.console.public_url.clone(),
                longest: config.certificates.validity.0,
                links: links(config, &authority),
            };
            let serve = console::serve(console_listener, parts, shutdown.clone());
            async move {
                serve.await;
                Ok(())
            }
        });
        audit.record(Event::new(clock.now(), Kind::GatewayStarted, Outcome::Ok));
        Ok(Self { ssh, console, authority, oidc, clock, audit, parts, shutdown })
    }

    /// Waits until it has stopped: all of it, in order, once told to; or because a part failed.
    ///
    /// # Errors
    /// The first part that ended by itself.
    pub async fn wait(mut self) -> Result<(), ServeError> {
        let mut result = Ok(());
        while let Some(ended) = self.parts.join_next().await {
            let ended =
                ended.unwrap_or_else(|error| Err(ServeError::Part { part: "task", source: Box::new(error) }));
            if result.is_ok() {
                result = ended;
            }
            // One part alone is no gateway.
            self.shutdown.cancel();
        }
        self.audit.record(Event::new(self.clock.now(), Kind::GatewayStopped, Outcome::Ok));
        result
    }
}

/// Whether the way to the cluster is a pod's own.
fn in_pod(kubernetes: &kube::Config) -> bool {
    kubernetes.auth_info.token_file.as_deref().is_some_and(|path| path.starts_with("/var/run/secrets/"))
}

/// What tells this gateway from others, and is the same after a restart: no two can have the same port of one host.
fn identity(ssh: SocketAddr) -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{host}_{ssh}")
}

/// The way to a request's page.
fn link(links: console::Links, clock: SharedClock) -> notifications::Link {
    Arc::new(move |request| {
        let (name, uid) = (request.metadata.name.as_deref()?, request.metadata.uid.as_deref()?);
        links.to(name, uid, clock.now())
    })
}

fn links(config: &Config, authority: &Authority) -> console::Links {
    console::Links::new(&authority.secret("console"), config.console.public_url.clone())
}

fn access_settings(config: &Config, authority: &Authority, namespace: &str) -> AccessSettings {
    AccessSettings {
        seal: Some(Seal::new(&authority.secret("requests"))),
        by_kubectl: config.requests.by_kubectl,
        policies: config.policies.directory.clone(),
        lockers: config.locks.groups.clone(),
        namespace: namespace.to_owned(),
    }
}

fn settings(config: &Config) -> OidcSettings {
    let oidc = &config.oidc;
    OidcSettings {
        recheck: Some(oidc.recheck.0).filter(|every| !every.is_zero()),
        offline_access: oidc.offline_access,
        remember: config.certificates.validity.0,
        client_secret_file: oidc.client_secret_file.clone(),
        audience: oidc.audience.clone(),
        username_claim: oidc.username_claim.clone(),
        groups_claim: Some(oidc.groups_claim.clone()),
        username_prefix: oidc.username_prefix.clone(),
        groups_prefix: oidc.groups_prefix.clone(),
        ca_file: oidc.ca_file.clone(),
        scopes: oidc.scopes.clone(),
        ..OidcSettings::new(&oidc.issuer, &oidc.client_id)
    }
}

/// A session that a gateway before this one left open.
fn interrupted(session: &Session, now: Timestamp) -> Event {
    Event {
        session: Some(session.id.clone()),
        request: Some(session.request.clone()),
        why: Some("the gateway stopped before the session ended".to_owned()),
        ..Event::new(now, Kind::SessionEnded, Outcome::Failed)
    }
}

fn part<E: std::error::Error + Send + Sync + 'static>(
    part: &'static str,
    result: Result<(), E>,
) -> Result<(), ServeError> {
    result.map_err(|error| ServeError::Part { part, source: Box::new(error) })
}
