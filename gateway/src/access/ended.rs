//! When a permit has to be let go.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use sallyport_policy::lifecycle::{Cause, End, Stage};

use super::{Access, GrantEnd, Permit};
use crate::audit::{Event, Kind, Outcome};

/// How often it is asked whether our copy is still current.
const BEAT: Duration = Duration::from_millis(500);

pub(super) async fn ended(access: Access, permit: Permit) -> GrantEnd {
    let mut changes = access.inner.requests.changes();
    let mut locks = access.inner.locks.changes();
    let clock = access.inner.clock.clone();
    let mut permit = permit;
    loop {
        changes.mark_unchanged();
        locks.mark_unchanged();
        match look(&access, &permit) {
            Ok(end) => {
                let over = clock.sleep_until(end);
                tokio::select! {
                    () = over => {}
                    changed = changes.changed() => if changed.is_err() { return GrantEnd::Gone },
                    changed = locks.changed() => if changed.is_err() { return GrantEnd::Gone },
                    () = tokio::time::sleep(BEAT) => {}
                }
            }
            // Time is up; a grant that goes on from this one takes the session over.
            Err(GrantEnd::Expired) => match access.successor(&permit) {
                Some(next) => {
                    access.note_handover(&permit, &next);
                    permit = next;
                }
                None => return GrantEnd::Expired,
            },
            Err(end) => return end,
        }
    }
}

impl Access {
    /// The end of what this permit stands for, as it is known now: an extension moves it, and so does a grant that goes
    /// on from it.
    #[must_use]
    pub fn end_of(&self, permit: &Permit) -> Timestamp {
        let own = look(self, permit).unwrap_or_else(|_| permit.ends_at());
        self.successor(permit).map_or(own, |next| next.ends_at().max(own))
    }

    /// The grant that a session of this permit goes on under, where its own is over.
    pub(super) fn taken_over(&self, permit: &Permit) -> Option<Permit> {
        matches!(look(self, permit), Err(GrantEnd::Expired)).then(|| self.successor(permit)).flatten()
    }

    fn note_handover(&self, from: &Permit, to: &Permit) {
        self.inner.audit.record(Event {
            person: Some(to.person().audit_person()),
            request: Some(to.request().to_string()),
            policy: Some(to.policy().to_string()),
            why: Some(format!("a session of grant `{}` goes on under this one", from.request())),
            until: Some(to.ends_at()),
            ..Event::new(self.now(), Kind::GrantExtended, Outcome::Ok)
        });
    }

    /// The open grant of the same person that goes on from this permit's, for the same use of the same scope.
    fn successor(&self, permit: &Permit) -> Option<Permit> {
        let inner = &permit.inner;
        let name = inner.request.as_str();
        let all = self.inner.requests.all();
        let mut next: Vec<Permit> = all
            .iter()
            .filter(|request| request.spec.extends.as_deref() == Some(name))
            .filter_map(|request| self.permit(request, &inner.person, &inner.action, &inner.namespace))
            .filter(|next| next.inner.granted == inner.granted)
            // The session stays in its pod: what decides about that pod decides under the new grant too.
            .filter(|next| {
                let (pod, now) = (inner.pod.as_ref(), self.now());
                next.decide(pod, now).is_ok() && self.still_permits(next, pod, now)
            })
            .map(|next| match &inner.pod {
                Some(pod) => next.for_pod(pod),
                None => next,
            })
            .collect();
        next.sort_by_key(Permit::ends_at);
        next.pop()
    }
}

/// Until when the permit's grant is open, or why it holds no more.
fn look(access: &Access, permit: &Permit) -> Result<Timestamp, GrantEnd> {
    let now = access.now();
    // Old locks count as no news: a lock on a pod is kept here alone.
    if !access.inner.requests.health().is_fresh() || !access.inner.locks.health().is_fresh() {
        // Without news nothing is longer than it was.
        return Err(if now >= permit.ends_at() { GrantEnd::Expired } else { GrantEnd::OutOfReach });
    }
    let Some(request) = access.inner.requests.get(permit.request().as_str()) else {
        return Err(if now >= permit.ends_at() { GrantEnd::Expired } else { GrantEnd::Gone });
    };
    if request.uid().unwrap_or_default() != permit.inner.uid || request.metadata.deletion_timestamp.is_some()
    {
        return Err(GrantEnd::Gone);
    }
    let Ok(life) = request.life() else { return Err(GrantEnd::Gone) };
    let (namespace, pod) = (permit.namespace(), permit.inner.pod.as_ref().map(|pod| &pod.name));
    if let Some(shut) = access.shut_out_of(permit.person().username(), namespace, pod) {
        return Err(GrantEnd::Lapsed { cause: Cause::Lock, why: shut.what });
    }
    match life.stage {
        Stage::Active { window, .. } if now < window.end => Ok(window.end),
        Stage::Active { .. } | Stage::Ended(End::Expired { .. }) => Err(GrantEnd::Expired),
        Stage::Ended(End::Revoked { by, reason, .. }) => Err(GrantEnd::Revoked { by: by.username, reason }),
        Stage::Ended(End::Lapsed { cause, why, .. }) => Err(GrantEnd::Lapsed { cause, why }),
        Stage::Ended(End::Denied { .. } | End::Refused { .. } | End::Failed { .. })
        | Stage::Pending { .. }
        | Stage::Approved { .. } => Err(GrantEnd::Gone),
    }
}
