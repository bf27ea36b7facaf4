//! From a person and a wish to permits.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::{Api, ListParams};
use sallyport_policy::lifecycle::{Life, Stage};
use sallyport_policy::{Action, History, Namespace, Question, still_allows};
use tokio::time::{Instant, timeout, timeout_at};

use super::permit::Inner;
use super::shut::ShutOut;
use super::{Access, AccessError, Candidates, Permit, PodFacts, Refusal, Standing, show};
use crate::audit::{Event, Kind, Outcome, Place};
use crate::crd::{AccessRequest, causes};
use crate::identity::Identity;

/// How long a wish waits for a grant that is approved but not open yet.
const JUST_APPROVED: Duration = Duration::from_secs(5);
/// How long a live look may take, and how often there is one at most, for all people together.
const LOOK: Duration = Duration::from_secs(3);
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// When somebody last looked live.
#[derive(Debug, Clone, Default)]
pub(super) struct Looking(Arc<tokio::sync::Mutex<Option<Instant>>>);

impl Access {
    pub(super) async fn find_permits(
        &self,
        who: &Identity,
        action: &Action,
        namespace: &Namespace,
    ) -> Result<Candidates, AccessError> {
        let deadline = Instant::now() + JUST_APPROVED;
        let mut changes = self.inner.requests.changes();
        let mut looked = false;
        loop {
            self.must_be_fresh()?;
            if let Some(shut) = self.shut_out_of(who.username(), namespace, None) {
                return Err(self.refuse_shut_out(who, action, namespace, &shut));
            }
            changes.mark_unchanged();
            if let Some(found) = Candidates::new(self.permits(who, action, namespace)) {
                return Ok(found);
            }
            if !looked {
                looked = true;
                self.look_live().await;
                continue;
            }
            let soon = self.opens_soon(who, namespace);
            if !soon || !matches!(timeout_at(deadline, changes.changed()).await, Ok(Ok(()))) {
                break;
            }
        }
        Err(self.refuse_use(who, action, namespace, None))
    }

    pub(super) fn first_that_covers(
        &self,
        candidates: Candidates,
        pod: &PodFacts,
    ) -> Result<Permit, AccessError> {
        let now = self.now();
        let best = candidates.best().clone();
        if let Some(shut) = self.shut_out_of(best.person().username(), best.namespace(), Some(&pod.name)) {
            return Err(self.refuse_shut_out(best.person(), best.action(), best.namespace(), &shut));
        }
        // Both as it was approved and as the policy is now.
        let covers = |permit: &Permit| {
            permit.decide(Some(pod), now).is_ok() && self.still_permits(permit, Some(pod), now)
        };
        match candidates.permits.into_iter().find(covers) {
            Some(permit) => Ok(permit.for_pod(pod)),
            None => Err(self.refuse_use(best.person(), best.action(), best.namespace(), Some((&best, pod)))),
        }
    }

    /// All permits that can be given without knowing the pod, the one that lasts longest first.
    fn permits(&self, who: &Identity, action: &Action, namespace: &Namespace) -> Vec<Permit> {
        let mut permits: Vec<_> = self
            .inner
            .requests
            .all()
            .iter()
            .filter_map(|request| self.permit(request, who, action, namespace))
            .collect();
        permits.sort_by(|a, b| b.ends_at().cmp(&a.ends_at()).then_with(|| a.request().cmp(b.request())));
        permits
    }

    /// The permit that this request gives, if it gives one.
    pub(super) fn permit(
        &self,
        request: &AccessRequest,
        who: &Identity,
        action: &Action,
        namespace: &Namespace,
    ) -> Option<Permit> {
        let permit = self.approved(request, who, action, namespace)?;
        self.still_permits(&permit, None, self.now()).then_some(permit)
    }

    /// The permit that this request gives as it was approved.
    pub(super) fn approved(
        &self,
        request: &AccessRequest,
        who: &Identity,
        action: &Action,
        namespace: &Namespace,
    ) -> Option<Permit> {
        // The account decides; the username is what the cluster sees, so that must not have changed either.
        let requester = &request.spec.requester;
        if !show::is_requester(who, requester) || who.username() != requester.username {
            return None;
        }
        if request.metadata.deletion_timestamp.is_some() || request.is_for_one_command() {
            return None;
        }
        let life = match request.life() {
            Ok(life) => life,
            Err(error) => {
                tracing::error!(request = request.name_any(), error = %causes(&error), "not a valid grant");
                return None;
            }
        };
        let Stage::Active { terms, window } = &life.stage else { return None };
        // Of the policy as it was approved: what sealed codes vouch for opens nothing else, also not what was open before.
        if who.by_codes() && !terms.is_break_glass() {
            return None;
        }
        if let Err(denied) = life.stands() {
            tracing::error!(request = request.name_any(), %denied, "active, but nothing on record justifies it");
            return None;
        }
        let person = show::person(who);
        let question = Question {
            who: &person,
            scope: &life.asked.scope,
            duration: life.asked.duration,
            reason: request.spec.reason.as_deref(),
            ticket: request.spec.ticket.as_deref(),
            start: window.start,
            history: &History::default(),
            now: self.now(),
        };
        still_allows(terms, &question).ok()?;
        let permit = Permit {
            inner: Arc::new(Inner {
                request: request.request_name().ok()?,
                uid: request.uid().unwrap_or_default(),
                person: who.clone(),
                action: action.clone(),
                namespace: namespace.clone(),
                granted: life.asked.scope.clone(),
                ticket: request.spec.ticket.clone(),
                duration: life.asked.duration,
                window: *window,
                reason: request.spec.reason.clone(),
                terms: (**terms).clone(),
                pod: None,
            }),
        };
        let now = self.now();
        permit.decide(None, now).is_ok().then_some(permit)
    }

    /// Whether the policy as it is now allows it too. What is not in force allows nothing more; one that cannot be read
    /// any more leaves what it allowed when it could.
    pub(super) fn still_permits(
        &self,
        permit: &Permit,
        pod: Option<&PodFacts>,
        now: jiff::Timestamp,
    ) -> bool {
        match self.standing(permit.policy().as_str()) {
            Standing::InForce(policy) => {
                policy == permit.inner.terms || permit.decide_by(&policy, pod, now).is_ok()
            }
            Standing::Unknown => true,
            Standing::Closed | Standing::Nothing => false,
        }
    }

    /// Whether a grant of this person in this namespace is approved, and open any moment.
    fn opens_soon(&self, who: &Identity, namespace: &Namespace) -> bool {
        let now = self.now();
        let soon = |life: &Life| match &life.stage {
            Stage::Approved { window, .. } => now < window.end,
            // Another gateway's clock may be ahead of ours.
            Stage::Active { window, .. } => now < window.start,
            Stage::Pending { .. } | Stage::Ended(_) => false,
        };
        self.inner.requests.all().iter().any(|request| {
            show::is_requester(who, &request.spec.requester)
                && !request.is_for_one_command()
                && request.status.as_ref().is_some_and(|status| status.message.is_none())
                && request
                    .life()
                    .is_ok_and(|life| life.asked.scope.namespaces.contains(namespace) && soon(&life))
        })
    }

    /// Reads all requests from the API server, in case our copy is a moment behind. At most one such list a second,
    /// whoever asks; failing it costs nothing, since the copy was fresh enough to decide by.
    async fn look_live(&self) {
        let Ok(mut last) = self.inner.looking.0.try_lock() else { return };
        if last.is_some_and(|last| last.elapsed() < BETWEEN_LOOKS) {
            return;
        }
        *last = Some(Instant::now());
        let api: Api<AccessRequest> = Api::all(self.inner.client.clone());
        match timeout(LOOK, api.list(&ListParams::default().limit(1000))).await {
            Ok(Ok(list)) => list.items.into_iter().for_each(|request| self.inner.requests.learn(request)),
            Ok(Err(error)) => tracing::warn!(error = %causes(&error), "cannot look at requests live"),
            Err(_) => tracing::warn!("no answer to a live look at requests"),
        }
    }

    fn refuse_shut_out(
        &self,
        who: &Identity,
        action: &Action,
        namespace: &Namespace,
        shut: &ShutOut,
    ) -> AccessError {
        let refusal = shut.refusal(&format!("{action} in `{namespace}`"));
        self.inner.audit.record(Event {
            person: Some(who.audit_person()),
            action: Some(action.to_string()),
            place: Some(Place { namespace: Some(namespace.to_string()), ..Place::default() }),
            why: Some(refusal.to_string()),
            ..Event::new(self.now(), Kind::AccessRefused, Outcome::Refused)
        });
        AccessError::Refused(refusal)
    }

    fn refuse_use(
        &self,
        who: &Identity,
        action: &Action,
        namespace: &Namespace,
        pod: Option<(&Permit, &PodFacts)>,
    ) -> AccessError {
        let refusal = self.explain(who, action, namespace, pod);
        let port = if let Action::Forward { port } = action { Some(*port) } else { None };
        self.inner.audit.record(Event {
            person: Some(who.audit_person()),
            request: pod.map(|(permit, _)| permit.request().to_string()),
            action: Some(action.to_string()),
            place: Some(Place {
                namespace: Some(namespace.to_string()),
                pod: pod.map(|(_, pod)| pod.name.to_string()),
                port,
                ..Place::default()
            }),
            why: Some(refusal.to_string()),
            ..Event::new(self.now(), Kind::AccessRefused, Outcome::Refused)
        });
        AccessError::Refused(Refusal { ..refusal })
    }
}
