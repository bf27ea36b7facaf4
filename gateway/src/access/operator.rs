//! Locks for who holds a kubeconfig and no certificate: an operator when the gateway is down, or a script. What they may
//! is what the cluster's RBAC says of their own credentials; nothing here decides anything, and the API server's audit log
//! says who it was. `by` in the lock is only the name that the kubeconfig gives its user.

use std::path::PathBuf;
use std::time::Duration;

use kube::api::{Api, DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::locks::{MOST, object, view};
use super::{AccessError, LockAsk, LockView};
use crate::clock::SharedClock;
use crate::crd::AccessLock;

/// How long one call may take.
const CALL: Duration = Duration::from_secs(15);

/// Why it did not work, for somebody who sees the cluster's own answers anyway.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// No kubeconfig, or one that cannot be used.
    #[error("cannot use the kubeconfig; name one with --kubeconfig, or set KUBECONFIG")]
    Kubeconfig(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Something in the question is not possible.
    #[error("{0}")]
    Invalid(String),
    /// There is none of that name.
    #[error("there is no lock `{0}`; `sallyport locks` lists them")]
    NotFound(String),
    /// No answer in time.
    #[error("cannot {0}: the Kubernetes API did not answer within {limit} s", limit = CALL.as_secs())]
    Slow(&'static str),
    /// The API server said no, or could not be reached.
    #[error("cannot {0}")]
    Call(&'static str, #[source] Box<kube::Error>),
}

/// Somebody with a kubeconfig.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "the client holds credentials")]
pub struct Operator {
    api: Api<AccessLock>,
    by: Option<String>,
    clock: SharedClock,
}

impl Operator {
    /// With this kubeconfig, or the one that kubectl would take; with this context, or its current one.
    ///
    /// # Errors
    /// When there is none or it cannot be used.
    pub async fn new(
        file: Option<PathBuf>,
        context: Option<String>,
        clock: SharedClock,
    ) -> Result<Self, OperatorError> {
        let wrong = |error: kube::config::KubeconfigError| OperatorError::Kubeconfig(error.into());
        let read = match file {
            Some(file) => Kubeconfig::read_from(file),
            None => Kubeconfig::read(),
        }
        .map_err(wrong)?;
        let chosen = context.clone().or_else(|| read.current_context.clone());
        let named = read.contexts.iter().find(|named| Some(&named.name) == chosen.as_ref());
        let by = named.and_then(|named| named.context.as_ref()).and_then(|context| context.user.clone());
        let options = KubeConfigOptions { context, ..Default::default() };
        let config = kube::Config::from_custom_kubeconfig(read, &options).await.map_err(wrong)?;
        let client =
            kube::Client::try_from(config).map_err(|error| OperatorError::Kubeconfig(error.into()))?;
        Ok(Self { api: Api::all(client), by, clock })
    }

    /// Shuts out, for `length` or until it is lifted.
    ///
    /// # Errors
    /// When the question is not possible, or the API server does not take it.
    pub async fn lock(&self, mut ask: LockAsk, length: Option<Duration>) -> Result<LockView, OperatorError> {
        ask.until = length.and_then(|length| self.clock.now().checked_add(length).ok());
        let by = self.by.as_deref().unwrap_or("kubeconfig");
        let lock = object(by, ask).map_err(|error: AccessError| OperatorError::Invalid(error.to_string()))?;
        let made = bounded("set the lock", self.api.create(&PostParams::default(), &lock)).await?;
        Ok(view(&made, false))
    }

    /// Lifts a lock.
    ///
    /// # Errors
    /// When there is none of that name, or the API server does not do it.
    pub async fn unlock(&self, name: &str) -> Result<LockView, OperatorError> {
        let found = bounded("read the lock", self.api.get_opt(name)).await?;
        let found = found.ok_or_else(|| OperatorError::NotFound(name.to_owned()))?;
        bounded("lift the lock", self.api.delete(name, &DeleteParams::default())).await?;
        Ok(view(&found, false))
    }

    /// The locks that have not ended, the newest first.
    ///
    /// # Errors
    /// When the API server does not give them.
    pub async fn locks(&self) -> Result<Vec<LockView>, OperatorError> {
        let found = bounded("list locks", self.api.list(&ListParams::default().limit(MOST))).await?;
        let now = self.clock.now();
        let mut views: Vec<_> = found.items.iter().map(|lock| view(lock, false)).collect();
        views.retain(|lock| lock.until.is_none_or(|until| now < until));
        views.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.name.cmp(&b.name)));
        Ok(views)
    }
}

async fn bounded<T>(
    doing: &'static str,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, OperatorError> {
    let answer = tokio::time::timeout(CALL, call).await.map_err(|_| OperatorError::Slow(doing))?;
    answer.map_err(|source| OperatorError::Call(doing, Box::new(source)))
}
