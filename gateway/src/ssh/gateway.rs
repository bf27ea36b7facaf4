//! The server with everything that is behind it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use russh::server::Config as Library;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::channel::{Session, TunnelAsk};
use super::limits::Limits;
use super::sealed;
use super::server::{self, Settings, Shared, Work};
use crate::access::Access;
use crate::audit::Audit;
use crate::bridge::Bridge;
use crate::ca::{Authority, CaError};
use crate::clock::SharedClock;
use crate::codes::Book;
use crate::config::Config;
use crate::identity::Oidc;
use crate::record::Recorder;

/// How long a host certificate is good for; it is made anew when half of that is over.
const HOST_VALIDITY: Duration = Duration::from_secs(30 * 24 * 3600);

/// Sign-ins under way: in all, and from one address, which may be a whole office's.
const SIGN_INS: usize = 1000;
const SIGN_INS_PER_PEER: usize = 20;

/// Everything that sessions need.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// What `sallyport serve` was told.
    pub config: Config,
    /// The time.
    pub clock: SharedClock,
    /// Where events go.
    pub audit: Audit,
    /// Who may what.
    pub access: Access,
    /// The way into the cluster.
    pub bridge: Bridge,
    /// Where sessions are recorded.
    pub recorder: Recorder,
    /// Signs people and the host.
    pub authority: Arc<Authority>,
    /// Says who people are.
    pub oidc: Arc<Oidc>,
    /// Whom sealed codes let in.
    pub codes: Option<Arc<Book>>,
}

/// Why the server cannot be.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// There is nothing to show to clients.
    #[error("cannot make the host certificate")]
    Host(#[source] CaError),
}

/// The gateway as the work that is done on channels.
#[derive(Debug, Clone)]
pub(super) struct Rooms {
    pub(super) gateway: Arc<Gateway>,
    pub(super) sign_ins: Limits,
    pub(super) code_tries: Limits,
    pub(super) draining: CancellationToken,
}

impl Work for Rooms {
    fn session(&self, session: Session) -> BoxFuture<'static, ()> {
        let rooms = self.clone();
        async move { Box::pin(rooms.command(session)).await }.boxed()
    }

    fn tunnel(&self, ask: TunnelAsk) -> BoxFuture<'static, ()> {
        let rooms = self.clone();
        async move { Box::pin(rooms.forward(ask)).await }.boxed()
    }
}

impl Settings {
    fn of(config: &crate::config::Ssh) -> Self {
        Self {
            max_connections: config.max_connections.get(),
            max_connections_per_peer: config.max_connections_per_peer.get(),
            max_channels: config.max_channels_per_connection.get(),
            sign_in_grace: config.sign_in_grace.0,
            ..Self::default()
        }
    }
}

/// Serves SSH on `listener` until `shutdown`: then no more connections are taken, sessions are told and ended, and
/// this returns within a few seconds.
///
/// # Errors
/// When there can be no host certificate for the configured names.
pub async fn serve(
    gateway: Gateway,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), SshError> {
    let draining = CancellationToken::new();
    let gateway = Arc::new(gateway);
    let sign_ins = Limits::new(SIGN_INS, SIGN_INS_PER_PEER);
    let code_tries = Limits::new(sealed::TRIES, sealed::TRIES_PER_PEER);
    let work =
        Arc::new(Rooms { gateway: Arc::clone(&gateway), sign_ins, code_tries, draining: draining.clone() });
    let (clock, audit) = (Arc::clone(&gateway.clock), gateway.audit.clone());
    let settings = Settings::of(&gateway.config.ssh);
    let mut shared = Shared::new(settings, clock, audit, Arc::clone(&gateway.authority), work);
    shared.draining = draining;
    let host = Host::new(gateway)?;
    server::run(Arc::new(shared), move || host.config(), listener, shutdown).await;
    Ok(())
}

/// The host key and its certificate, made anew in good time.
struct Host {
    gateway: Arc<Gateway>,
    current: Mutex<(Arc<Library>, jiff::Timestamp)>,
}

impl Host {
    fn new(gateway: Arc<Gateway>) -> Result<Self, SshError> {
        let current = Mutex::new(Self::make(&gateway)?);
        Ok(Self { gateway, current })
    }

    fn make(gateway: &Gateway) -> Result<(Arc<Library>, jiff::Timestamp), SshError> {
        let names = &gateway.config.ssh.host_names;
        let now = gateway.clock.now();
        let host = gateway.authority.host(names, HOST_VALIDITY, now).map_err(SshError::Host)?;
        let renew = now.checked_add(HOST_VALIDITY / 2).unwrap_or(host.until);
        Ok((Arc::new(server::config(vec![host.key], vec![host.certificate])), renew))
    }

    fn config(&self) -> Arc<Library> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if self.gateway.clock.now() >= current.1 {
            match Self::make(&self.gateway) {
                Ok(made) => *current = made,
                // The old one is good for as long again.
                Err(error) => tracing::error!(%error, "the host certificate cannot be renewed"),
            }
        }
        Arc::clone(&current.0)
    }
}
