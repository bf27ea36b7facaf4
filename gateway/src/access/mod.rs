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

use std::future::Future;

use sallyport_policy::{Action, Namespace, PolicyName, RequestName};

use crate::audit::Audit;
use crate::clock::SharedClock;
use crate::identity::Identity;

mod error;
mod permit;
mod view;

pub use error::{AccessError, Refusal};
pub use permit::{Candidates, GrantEnd, Permit, PodFacts};
pub use view::{ApprovalView, PolicyView, RequestView, VerdictView};

/// What somebody asks for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The policy.
    pub policy: PolicyName,
    /// Where; empty means the policy's only namespace, and is refused where it has several.
    pub namespaces: Vec<Namespace>,
    /// For how long; an hour, or the policy's longest time where that is shorter.
    pub duration: Option<std::time::Duration>,
    /// Why.
    pub reason: Option<String>,
}

/// Policies, requests and what they open. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Access;

#[expect(clippy::unused_async, reason = "signatures come first")]
impl Access {
    /// Begins to watch policies and requests; returns when both copies are complete.
    ///
    /// # Errors
    /// When the API server does not give both lists within 30 seconds.
    pub async fn start(
        _client: kube::Client,
        _clock: SharedClock,
        _audit: Audit,
    ) -> Result<Self, AccessError> {
        Err(AccessError::stale())
    }

    /// Whether both copies are current.
    #[must_use]
    pub fn healthy(&self) -> bool {
        false
    }

    /// What this person may ask for.
    #[must_use]
    pub fn policies_for(&self, _who: &Identity) -> Vec<PolicyView> {
        Vec::new()
    }

    /// Makes a request; one that needs no approval is approved at once.
    ///
    /// # Errors
    /// Refused by the policy, or by the limit on open requests per person.
    pub async fn request(&self, _who: &Identity, _ask: Ask) -> Result<RequestView, AccessError> {
        Err(AccessError::stale())
    }

    /// Approves. Returns once the grant is active, or says what is missing; waits at most 10 seconds.
    ///
    /// # Errors
    /// Refused: one's own request, not an approver, not pending any more.
    pub async fn approve(&self, _who: &Identity, _name: &RequestName) -> Result<RequestView, AccessError> {
        Err(AccessError::stale())
    }

    /// Denies.
    ///
    /// # Errors
    /// Refused: one's own request, not an approver, not pending any more.
    pub async fn deny(
        &self,
        _who: &Identity,
        _name: &RequestName,
        _reason: Option<String>,
    ) -> Result<RequestView, AccessError> {
        Err(AccessError::stale())
    }

    /// Gives one's own request or grant back, or takes another's as somebody who may approve it.
    ///
    /// # Errors
    /// Refused: neither of the two, or it has ended already.
    pub async fn revoke(
        &self,
        _who: &Identity,
        _name: &RequestName,
        _reason: Option<String>,
    ) -> Result<RequestView, AccessError> {
        Err(AccessError::stale())
    }

    /// This person's own requests, and those that they may approve; newest first.
    #[must_use]
    pub fn requests(&self, _who: &Identity) -> Vec<RequestView> {
        Vec::new()
    }

    /// This person's own grants that are open now.
    #[must_use]
    pub fn grants(&self, _who: &Identity) -> Vec<RequestView> {
        Vec::new()
    }

    /// Which of this person's grants allow `action` in `namespace` now, as far as can be told without the pod.
    ///
    /// # Errors
    /// Refused, with the line to type; or the API server is out of reach.
    pub async fn authorize(
        &self,
        _who: &Identity,
        _action: Action,
        _namespace: &Namespace,
    ) -> Result<Candidates, AccessError> {
        Err(AccessError::stale())
    }

    /// The first of `candidates` that covers this pod.
    ///
    /// # Errors
    /// Refused: none does.
    pub fn admit(&self, _candidates: Candidates, _pod: &PodFacts) -> Result<Permit, AccessError> {
        Err(AccessError::stale())
    }

    /// Resolves when the permit opens nothing any more: at the end of its window, within a second of a revocation or
    /// deletion, or when that could not be told any more.
    pub fn ended(&self, _permit: &Permit) -> impl Future<Output = GrantEnd> + Send + 'static {
        std::future::ready(GrantEnd::OutOfReach)
    }
}
