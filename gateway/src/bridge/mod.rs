//! Into the cluster on a person's behalf: commands, shells, logs, tunnels and lists of pods.
//!
//! Nothing here decides whether somebody may; everything here demands the [`Permit`] of whoever did, and asks it
//! again before every call. Calls go out under the person's own name with the grant's group and the ids of grant and
//! session as extras, so the API server's RBAC decides a second time and its audit log says who it was. A username or
//! group that begins with `system:` never leaves.
//!
//! What this does not do: end a session when its grant ends (who owns the session listens to
//! [`Access::ended`]), or record it.

mod call;
mod client;
mod error;
mod exec;
mod exit;
mod forward;
mod host;
mod logs;
mod pod;
mod pods;
mod resolve;
mod server;
mod shell;
mod spdy;
mod target;
mod upgrade;
mod wire;

use bytes::Bytes;
use futures::Stream;
use k8s_openapi::api::core::v1::Pod;
use sallyport_policy::{Action, ContainerName, Namespace, PodName};

pub use client::connect;
pub use error::BridgeError;
pub use exec::{Exec, Output, Process, ProcessInput, ProcessOutput};
pub use exit::Exit;
use forward::Standing;
pub use forward::{Tunnel, TunnelInput, TunnelOutput};
pub use host::parse_host;
pub use logs::LogOptions;
pub use pods::PodRow;
pub use target::{Target, TargetKind};

use crate::access::{Access, AccessError, Candidates, Permit};
use crate::clock::SharedClock;
use crate::identity::Identity;
use crate::record::SessionId;
use crate::terminal::Size;
use call::Caller;
use server::Server;

/// The way into the cluster; cheap to clone.
#[derive(Clone)]
pub struct Bridge {
    base: kube::Client,
    server: Server,
    standing: Standing,
    clock: SharedClock,
}

impl std::fmt::Debug for Bridge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bridge").finish_non_exhaustive()
    }
}

/// One container that a permit covers, found a moment ago. The only thing that sessions are opened with.
#[derive(Debug, Clone)]
pub struct Admitted {
    caller: Caller,
    pod: PodName,
    container: ContainerName,
}

impl Admitted {
    /// What lets this session in.
    #[must_use]
    pub fn permit(&self) -> &Permit {
        self.caller.permit()
    }

    /// Where.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        self.permit().namespace()
    }

    /// The pod.
    #[must_use]
    pub const fn pod(&self) -> &PodName {
        &self.pod
    }

    /// The container in it.
    #[must_use]
    pub const fn container(&self) -> &ContainerName {
        &self.container
    }

    /// Puts this place's name into an error that says only "not found".
    fn name(&self, error: BridgeError) -> BridgeError {
        match error {
            BridgeError::NotFound { .. } => BridgeError::NotFound {
                what: format!(
                    "pod `{}` any more, or no container `{}` running in it",
                    self.pod, self.container
                ),
                namespace: self.namespace().to_string(),
                hint: "",
            },
            other => other,
        }
    }
}

impl Bridge {
    /// Calls go through `base`, which should come from [`connect`].
    #[must_use]
    pub fn new(base: kube::Client, clock: SharedClock) -> Self {
        Self { base, server: Server::default(), standing: Standing::default(), clock }
    }

    /// Finds the container that `target` means, and the permit among `candidates` that covers its pod.
    ///
    /// # Errors
    /// Refused; no such thing; nothing that runs; the API server is out of reach.
    pub async fn resolve(
        &self,
        access: &Access,
        candidates: Candidates,
        target: &Target,
        session: &SessionId,
    ) -> Result<Admitted, BridgeError> {
        let found = self.find(&candidates, target, None, session).await?;
        let (permit, pod) = admit(access, &candidates, &found.pods, target)?;
        self.admitted(&permit, pod, target, session)
    }

    /// Finds what a tunnel to `host:port` leads to: a pod, and the port to [`Bridge::dial`]. The policy is asked about
    /// the port as it was named; behind a Service the pod's own port may be another.
    ///
    /// # Errors
    /// As [`Bridge::resolve`]; and for a name or port that cannot be tunnelled to.
    pub async fn resolve_forward(
        &self,
        access: &Access,
        who: &Identity,
        host: &str,
        port: u32,
        session: &SessionId,
    ) -> Result<(Admitted, u16), BridgeError> {
        let target = parse_host(host)?;
        let port = u16::try_from(port).ok().filter(|port| *port > 0);
        let port =
            port.ok_or_else(|| BridgeError::Target("a port is a number from 1 to 65535".to_owned()))?;
        let candidates = access.authorize(who, Action::Forward { port }, &target.namespace).await?;
        let found = self.find(&candidates, &target, Some(port), session).await?;
        let (permit, pod) = admit(access, &candidates, &found.pods, &target)?;
        let port = match &found.service_port {
            Some(service_port) => resolve::target_port(service_port, pod)?,
            None => port,
        };
        Ok((self.admitted(&permit, pod, &target, session)?, port))
    }

    /// The pods of a namespace that the candidates cover, by name.
    ///
    /// # Errors
    /// Refused, or the API server is out of reach.
    pub async fn pods(
        &self,
        access: &Access,
        candidates: Candidates,
        namespace: &Namespace,
        session: &SessionId,
    ) -> Result<Vec<PodRow>, BridgeError> {
        let mut last = None;
        for permit in candidates.permits() {
            let caller = Caller::new(&self.base, &self.server, &self.clock, permit, session)?;
            match resolve::list(&caller, namespace, None).await {
                Ok(pods) => {
                    let covered = |pod: &&Pod| {
                        pod::facts(pod, None)
                            .is_ok_and(|facts| access.admit(candidates.clone(), &facts).is_ok())
                    };
                    let mut rows: Vec<PodRow> = pods.iter().filter(covered).map(pods::row).collect();
                    rows.sort_by(|a, b| a.name.cmp(&b.name));
                    return Ok(rows);
                }
                Err(error @ BridgeError::Forbidden { .. }) => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or(BridgeError::Access(AccessError::Unreachable { source: None })))
    }

    /// Runs a command, without a shell in between.
    ///
    /// # Errors
    /// When it cannot be asked for; how it went is in [`Output::Exit`].
    pub async fn exec(&self, place: &Admitted, exec: Exec) -> Result<Process, BridgeError> {
        exec::start(&place.caller, place, &exec).await
    }

    /// Starts a shell on a PTY: `bash` where there is one, else `sh`. Returns once it runs.
    ///
    /// # Errors
    /// [`BridgeError::NoShell`] where the container has neither.
    pub async fn shell(&self, place: &Admitted, size: Size, term: &str) -> Result<Process, BridgeError> {
        shell::start(&place.caller, place, size, term).await
    }

    /// Opens a container's log.
    ///
    /// # Errors
    /// When there is none, or the API server is out of reach.
    pub async fn logs(
        &self,
        place: &Admitted,
        options: LogOptions,
    ) -> Result<impl Stream<Item = Result<Bytes, BridgeError>> + Send + Unpin + use<>, BridgeError> {
        logs::open(&place.caller, place, &options).await
    }

    /// Connects to a TCP port of the pod.
    ///
    /// # Errors
    /// [`BridgeError::ConnectionRefused`] where nobody listens.
    pub async fn dial(&self, place: &Admitted, port: u16) -> Result<Tunnel, BridgeError> {
        forward::dial(&place.caller, &self.standing, place, port).await
    }

    /// Looks up a target with the first candidate whose role lets it.
    async fn find(
        &self,
        candidates: &Candidates,
        target: &Target,
        port: Option<u16>,
        session: &SessionId,
    ) -> Result<resolve::Found, BridgeError> {
        let mut last = None;
        for permit in candidates.permits() {
            let caller = Caller::new(&self.base, &self.server, &self.clock, permit, session)?;
            match resolve::find(&caller, target, port).await {
                Err(error @ BridgeError::Forbidden { .. }) => last = Some(error),
                done => return done,
            }
        }
        Err(last.unwrap_or(BridgeError::Access(AccessError::Unreachable { source: None })))
    }

    fn admitted(
        &self,
        permit: &Permit,
        pod: &Pod,
        target: &Target,
        session: &SessionId,
    ) -> Result<Admitted, BridgeError> {
        let container = pod::container(pod, target.container.as_ref())?;
        match permit.action() {
            Action::Shell | Action::Exec => pod::container_running(pod, &container)?,
            Action::Forward { .. } => pod::running(pod)?,
            // A log is there before and after.
            Action::Logs | Action::Look => {}
        }
        let caller = Caller::new(&self.base, &self.server, &self.clock, permit, session)?;
        Ok(Admitted { caller, pod: pod::facts(pod, None)?.name, container })
    }
}

/// The first of the pods, best first, that a candidate covers.
fn admit<'a>(
    access: &Access,
    candidates: &Candidates,
    pods: &'a [Pod],
    target: &Target,
) -> Result<(Permit, &'a Pod), BridgeError> {
    let mut refused = None;
    for pod in pods {
        let container = pod::container(pod, target.container.as_ref())?;
        match access.admit(candidates.clone(), &pod::facts(pod, Some(&container))?) {
            Ok(permit) => return Ok((permit, pod)),
            Err(error) => _ = refused.get_or_insert(error),
        }
    }
    Err(refused.unwrap_or(AccessError::Unreachable { source: None }).into())
}

#[cfg(test)]
mod tests;
