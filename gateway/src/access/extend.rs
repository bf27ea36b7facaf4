//! Longer: inside the policy's longest time the same grant, beyond it a new request that goes on from it; and the
//! reviews that break-glass leaves open.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use sallyport_policy::{RequestName, Rule};

use super::change::Decision;
use super::{Access, AccessError, Ask, RequestView, show};
use crate::crd::{Phase, ReviewVerdict};
use crate::identity::Identity;

impl Access {
    /// Makes one's own open grant longer by `by`. Within the policy's longest time the grant stays the same; beyond it
    /// this asks anew, with a request that `extends` it: the view's name differs.
    ///
    /// # Errors
    /// Refused: not one's own, not open, or what the policy says to the new request.
    pub async fn extend(
        &self,
        who: &Identity,
        name: &RequestName,
        by: Duration,
        reason: Option<String>,
    ) -> Result<RequestView, AccessError> {
        match self.decide(who, name, Decision::Extend(by)).await {
            Err(AccessError::Refused(refusal)) if refusal.decided == Some(Rule::MaxDuration) => {
                let ask = self.goes_on_from(who, name, by, reason).await?;
                self.request(who, ask).await
            }
            other => other,
        }
    }

    /// What asks for going on: the same scope, the same reason unless another is given, and as long as what is left and
    /// `by` together, at most the policy's longest time.
    async fn goes_on_from(
        &self,
        who: &Identity,
        name: &RequestName,
        by: Duration,
        reason: Option<String>,
    ) -> Result<Ask, AccessError> {
        let unreadable = || {
            AccessError::Invalid(format!("request `{name}` cannot be read; an operator has to look at it"))
        };
        let stored = self.get_live(name).await?.ok_or_else(|| AccessError::NotFound {
            kind: "request",
            name: name.to_string(),
            near: String::new(),
            list: "requests",
        })?;
        let life = stored.life().map_err(|_| unreadable())?;
        if !show::is_requester(who, &stored.spec.requester) {
            return Err(AccessError::Invalid(format!("request `{name}` is not yours to go on with")));
        }
        let longest = self
            .inner
            .policies
            .get(&life.asked.policy)
            .map_or(life.asked.duration, |in_force| in_force.policy.max_duration());
        let left = life.expires().map(|end: Timestamp| end.duration_since(self.now()));
        let left = left.and_then(|left| Duration::try_from(left).ok()).unwrap_or_default();
        // Whole seconds, as durations are written.
        let duration = Duration::from_secs((left + by).min(longest).as_secs().max(1));
        let scope = life.asked.scope;
        Ok(Ask {
            namespaces: scope.namespaces.into_iter().collect(),
            workloads: scope.workloads.into_iter().collect(),
            pods: scope.pods.into_iter().collect(),
            containers: scope.containers.into_iter().collect(),
            ports: scope.ports.into_iter().collect(),
            duration: Some(duration),
            reason: reason.or(stored.spec.reason.clone()),
            ticket: stored.spec.ticket.clone(),
            extends: Some(name.clone()),
            ..Ask::of(life.asked.policy)
        })
    }

    /// The reviews that are open and that `who` may close, the oldest first.
    #[must_use]
    pub fn reviews(&self, who: &Identity) -> Vec<RequestView> {
        let (table, now) = (self.inner.policies.current(), self.now());
        let open = |status: &crate::crd::AccessRequestStatus| {
            status.review.as_ref().is_some_and(|review| review.verdict.is_none())
        };
        let mut found = self.inner.requests.all();
        // Also those that are too old for the lists: a review stays open until somebody closes it.
        found.retain(|request| request.status.as_ref().is_some_and(open));
        found.sort_by_key(|request| (request.creation_timestamp().map(|time| time.0), request.name_any()));
        let views = found.iter().map(|request| show::request_view(request, who, &table, now));
        views.filter(|view| view.may_review && view.phase != Phase::Active).collect()
    }

    /// Closes a review.
    ///
    /// # Errors
    /// Refused: one's own, not a reviewer, still open, closed already.
    pub async fn review(
        &self,
        who: &Identity,
        name: &RequestName,
        verdict: ReviewVerdict,
        comment: Option<String>,
    ) -> Result<RequestView, AccessError> {
        self.decide(who, name, Decision::Review(verdict, comment)).await
    }
}
