//! Whom and what a lock shuts out, at once and in this gateway: asking, approving, using, and sessions that run. The
//! reconciler ends the grants themselves.

use jiff::Timestamp;
use sallyport_policy::{Namespace, PodName};

use super::{Access, AccessError, Refusal};
use crate::crd::AccessLock;
use crate::identity::Identity;

/// A lock that applies, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShutOut {
    /// What is locked.
    pub(super) what: String,
}

impl Access {
    /// The lock that shuts this person out of everything, if there is one.
    pub(super) fn shut_out(&self, username: &str) -> Option<ShutOut> {
        self.find_lock(|lock| whom(lock, username))
    }

    /// The lock that shuts this person out of this place, if there is one.
    pub(super) fn shut_out_of(
        &self,
        username: &str,
        namespace: &Namespace,
        pod: Option<&PodName>,
    ) -> Option<ShutOut> {
        self.find_lock(|lock| whom(lock, username).or_else(|| place(lock, namespace, pod)))
    }

    fn find_lock(&self, applies: impl Fn(&AccessLock) -> Option<String>) -> Option<ShutOut> {
        let now = self.now();
        self.inner.locks.all().iter().filter(|lock| holds(lock, now)).find_map(|lock| {
            let by = lock.spec.by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
            let why = lock.spec.reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
            applies(lock).map(|what| ShutOut { what: format!("{what}{by}{why}") })
        })
    }

    /// Refuses somebody who is locked out of everything.
    pub(super) fn must_not_be_shut_out(&self, who: &Identity, what: &str) -> Result<(), AccessError> {
        self.shut_out(who.username()).map_or(Ok(()), |shut| Err(AccessError::Refused(shut.refusal(what))))
    }
}

impl ShutOut {
    pub(super) fn refusal(&self, what: &str) -> Refusal {
        Refusal {
            what: format!("{what}: {}", self.what),
            rule: "lock".to_owned(),
            hint: "whoever locked it can unlock it".to_owned(),
            decided: Some(sallyport_policy::Rule::Lock),
        }
    }
}

/// Whether a lock applies still.
pub(super) fn holds(lock: &AccessLock, now: Timestamp) -> bool {
    lock.spec.until.is_none_or(|until| now < until)
}

fn whom(lock: &AccessLock, username: &str) -> Option<String> {
    if lock.spec.everything {
        return Some("everything is locked".to_owned());
    }
    (lock.spec.person.as_deref() == Some(username)).then(|| format!("{username} is locked out"))
}

fn place(lock: &AccessLock, namespace: &Namespace, pod: Option<&PodName>) -> Option<String> {
    let target = lock.spec.target.as_ref().filter(|target| target.namespace == namespace.as_str())?;
    match (&target.pod, pod) {
        (None, _) => Some(format!("namespace `{namespace}` is locked")),
        (Some(locked), Some(pod)) if locked == pod.as_str() => {
            Some(format!("pod `{pod}` in `{namespace}` is locked"))
        }
        (Some(_), _) => None,
    }
}
