//! Who may ask, who is let in, and for how long: [`Access`] joins the pure decisions of `sallyport-policy` with the
//! custom resources that hold the state, so that nothing is lost when a gateway stops.
//!
//! [`Access::authorize`] and [`Access::admit`] are the only way to a [`Permit`], and [`Access::ended`] says when it
//! has to be let go. Decisions use local copies of both resources. A copy without news for longer than
//! [`crate::crd::STALE_AFTER`] decides nothing: `authorize` then fails with exit status 69, and running sessions are
//! cut. What a grant allows is read from the copy of the policy that was stored when it was approved.
//!
//! What this does not guard against: whoever may write `accessrequests/status` in the cluster can forge approvals.
//! Only the gateway's ServiceAccount may, in the roles that `deploy/` ships.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::Api;
use sallyport_policy::{Action, ContainerName, Namespace, PodName, PolicyName, RequestName, Workload};

use crate::audit::Audit;
use crate::clock::SharedClock;
use crate::crd::{AccessLock, AccessRequest, Health, Mirror, OneCommand};
use crate::identity::Identity;

mod alert;
mod ask;
mod authorize;
mod change;
mod codes;
mod directory;
mod ended;
mod error;
mod explain;
mod extend;
mod hint;
mod locks;
mod once;
mod one;
mod operator;
mod past;
mod permit;
mod policies;
mod proceed;
mod seal;
mod show;
mod shut;
mod standing;
mod text;
mod upkeep;
mod view;
mod wait;

#[cfg(test)]
mod tests;

pub use ask::MOST_NARROWED;
pub use codes::BurnError;
pub use error::{AccessError, Refusal};
pub use once::LONGEST_COMMAND;
pub use operator::{Operator, OperatorError};
pub use permit::{Candidates, GrantEnd, Permit, PodFacts};
pub use seal::{KUBERNETES, SEAL, Seal};
pub use standing::Standing;
pub use view::{
    ApprovalView, CheckView, CommandsView, LockAsk, LockSubject, LockView, PolicyView, RequestView,
    ReviewView, RuleView, StageView, VerdictView, WhyStep, WhyView,
};

/// How long the first lists may take.
const FIRST_LISTS: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 30 });
/// How long one call to the API server may take.
const CALL: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });

/// What somebody asks for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The policy.
    pub policy: PolicyName,
    /// Where; empty means the policy's only namespace, and is refused where it has several.
    pub namespaces: Vec<Namespace>,
    /// For how long; an hour, or the policy's longest time where that is shorter.
    pub duration: Option<Duration>,
    /// Why.
    pub reason: Option<String>,
    /// The ticket that it is for.
    pub ticket: Option<String>,
    /// When it begins; `None`: as soon as it is approved.
    pub start_at: Option<Timestamp>,
    /// Only pods of these; with `pods`, these and those.
    pub workloads: Vec<Workload>,
    /// Only these pods.
    pub pods: Vec<PodName>,
    /// Only these containers.
    pub containers: Vec<ContainerName>,
    /// Tunnels only to these ports.
    pub ports: Vec<u16>,
    /// The grant that this one goes on from.
    pub extends: Option<RequestName>,
    /// Only this command, once.
    pub command: Option<OneCommand>,
}

impl Ask {
    /// Everything that the policy covers, now, for the usual time, without a reason.
    #[must_use]
    pub const fn of(policy: PolicyName) -> Self {
        Self {
            policy,
            namespaces: Vec::new(),
            duration: None,
            reason: None,
            ticket: None,
            start_at: None,
            workloads: Vec::new(),
            pods: Vec::new(),
            containers: Vec::new(),
            ports: Vec::new(),
            extends: None,
            command: None,
        }
    }
}

/// What an installation decides about asking.
#[derive(Debug, Clone, Default)]
pub struct AccessSettings {
    /// What marks the requests that its gateways make; without it every request counts as made by one.
    pub seal: Option<Seal>,
    /// Whether requests that people make with `kubectl` count, because admission holds them to their own name.
    pub by_kubectl: bool,
    /// A directory with policies, beside those in the cluster.
    pub policies: Option<PathBuf>,
    /// Whose members may lock and unlock.
    pub lockers: BTreeSet<String>,
    /// Where the objects of the gateway's own are: what notes which sealed codes are used.
    pub namespace: String,
}

/// Policies, requests and what they open. Cheap to clone; the watches end with the last clone.
#[derive(Debug, Clone)]
pub struct Access {
    inner: Arc<Inner>,
}

struct Inner {
    client: kube::Client,
    clock: SharedClock,
    audit: Audit,
    policies: policies::Policies,
    requests: Mirror<AccessRequest>,
    locks: Mirror<AccessLock>,
    settings: AccessSettings,
    uses: upkeep::Uses,
    making: ask::Making,
    looking: authorize::Looking,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

impl Access {
    /// Begins to watch policies with their sets, requests and locks; returns when all copies are complete.
    ///
    /// # Errors
    /// When the API server does not give all lists within 30 seconds: which not, and why.
    pub async fn start(
        client: kube::Client,
        settings: AccessSettings,
        clock: SharedClock,
        audit: Audit,
    ) -> Result<Self, AccessError> {
        let policies = Mirror::start(Api::all(client.clone()), None);
        let requests = Mirror::start(Api::all(client.clone()), None);
        let locks = Mirror::start(Api::all(client.clone()), None);
        let sets = Mirror::start(Api::all(client.clone()), None);
        let filled =
            async { tokio::join!(policies.filled(), requests.filled(), locks.filled(), sets.filled()) };
        if tokio::time::timeout(FIRST_LISTS, filled).await.is_err() {
            let all = [policies.health(), requests.health(), locks.health(), sets.health()];
            return Err(AccessError::not_begun(&all));
        }
        let directory = settings.policies.clone().map(directory::Directory::start);
        let policies = policies::Policies::new(policies, sets, directory, Arc::clone(&clock), audit.clone());
        let (uses, making, looking) = Default::default();
        let inner = Arc::new(Inner {
            client,
            clock,
            audit,
            policies,
            requests,
            locks,
            settings,
            uses,
            making,
            looking,
        });
        // Bad policies are told at once, not when somebody asks next.
        let (weak, mut changes) = (Arc::downgrade(&inner), inner.policies.changes());
        tokio::spawn(async move {
            loop {
                match weak.upgrade() {
                    Some(inner) => drop(inner.policies.current()),
                    None => return,
                }
                if !changes.next().await {
                    return;
                }
            }
        });
        Ok(Self { inner })
    }

    /// Whether all copies are current.
    #[must_use]
    pub fn healthy(&self) -> bool {
        self.inner.policies.health().iter().all(Health::is_fresh)
            && self.inner.requests.health().is_fresh()
            && self.inner.locks.health().is_fresh()
    }

    /// What this person may ask for.
    #[must_use]
    pub fn policies_for(&self, who: &Identity) -> Vec<PolicyView> {
        let person = show::person(who);
        let table = self.inner.policies.current();
        let mine = table.values().filter(|one| person.in_any(one.policy.subject_groups()).is_some());
        mine.map(|one| show::policy_view(&one.policy)).collect()
    }

    /// Makes a request; one that needs no approval is approved at once.
    ///
    /// # Errors
    /// Refused by the policy, or by the limit of 20 open requests per person.
    pub async fn request(&self, who: &Identity, ask: Ask) -> Result<RequestView, AccessError> {
        Box::pin(self.ask(who, ask)).await
    }

    /// Approves. Returns once the grant is active, or says what is missing; waits at most 10 seconds.
    ///
    /// # Errors
    /// Refused: one's own request, not an approver, not pending any more.
    pub async fn approve(&self, who: &Identity, name: &RequestName) -> Result<RequestView, AccessError> {
        self.decide(who, name, change::Decision::Approve).await
    }

    /// Denies.
    ///
    /// # Errors
    /// Refused: one's own request, not an approver, not pending any more.
    pub async fn deny(
        &self,
        who: &Identity,
        name: &RequestName,
        reason: Option<String>,
    ) -> Result<RequestView, AccessError> {
        self.decide(who, name, change::Decision::Deny(reason)).await
    }

    /// Gives one's own request or grant back, or takes another's as somebody who may approve it.
    ///
    /// # Errors
    /// Refused: neither of the two, or it has ended already.
    pub async fn revoke(
        &self,
        who: &Identity,
        name: &RequestName,
        reason: Option<String>,
    ) -> Result<RequestView, AccessError> {
        self.decide(who, name, change::Decision::Revoke(reason)).await
    }

    /// This person's own requests, and those of policies whose approver they are, newest first. What ended more
    /// than a week ago is left out.
    #[must_use]
    pub fn requests(&self, who: &Identity) -> Vec<RequestView> {
        let (table, now) = (self.inner.policies.current(), self.inner.clock.now());
        let mut found = self.inner.requests.all();
        found.retain(|request| show::is_remembered(request, now) && show::concerns(request, who, &table));
        let mut views: Vec<_> =
            found.iter().map(|request| show::request_view(request, who, &table, now)).collect();
        views.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.name.cmp(&b.name)));
        views
    }

    /// This person's own grants that are open now, the one that ends last first.
    #[must_use]
    pub fn grants(&self, who: &Identity) -> Vec<RequestView> {
        let mut views = self.requests(who);
        views.retain(|view| view.mine && view.seconds_left.is_some() && view.command.is_none());
        views.sort_by(|a, b| b.ends.cmp(&a.ends).then_with(|| a.name.cmp(&b.name)));
        views
    }

    /// Which of this person's grants allow `action` in `namespace` now, as far as can be told without the pod.
    ///
    /// # Errors
    /// Refused, with the line to type; or the API server is out of reach.
    pub async fn authorize(
        &self,
        who: &Identity,
        action: Action,
        namespace: &Namespace,
    ) -> Result<Candidates, AccessError> {
        self.find_permits(who, &action, namespace).await
    }

    /// The first of `candidates` that covers this pod.
    ///
    /// # Errors
    /// Refused: none does.
    pub fn admit(&self, candidates: Candidates, pod: &PodFacts) -> Result<Permit, AccessError> {
        self.first_that_covers(candidates, pod)
    }

    /// Resolves when the permit opens nothing any more: at the end of its window, within a second of a revocation or
    /// deletion, or when that could not be told any more.
    pub fn ended(&self, permit: &Permit) -> impl Future<Output = GrantEnd> + Send + 'static {
        ended::ended(self.clone(), permit.clone())
    }

    fn must_be_fresh(&self) -> Result<(), AccessError> {
        if self.healthy() { Ok(()) } else { Err(AccessError::stale()) }
    }

    fn view(&self, request: &AccessRequest, who: &Identity) -> RequestView {
        show::request_view(request, who, &self.inner.policies.current(), self.now())
    }

    fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// One call, which has an end.
    async fn bounded<T>(
        &self,
        doing: &'static str,
        call: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, AccessError> {
        let answer = tokio::time::timeout(CALL, call).await.map_err(|_| AccessError::stale())?;
        answer.map_err(|source| {
            let error = AccessError::call(doing, source);
            if !matches!(&error, AccessError::Cluster { source, .. } if is_conflict(source)) {
                tracing::warn!(doing, error = %crate::crd::causes(&error), "a call to the Kubernetes API failed");
            }
            error
        })
    }
}

/// Whether somebody else was faster.
fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}
