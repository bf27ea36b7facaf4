//! When a permit has to be let go.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use sallyport_policy::lifecycle::{Cause, End, Stage};

use super::{Access, GrantEnd, Permit};

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
                Some(next) => permit = next,
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
            .collect();
        next.sort_by_key(Permit::ends_at);
        next.pop()
    }
}

/// Until when the permit's grant is open, or why it holds no more.
fn look(access: &Access, permit: &Permit) -> Result<Timestamp, GrantEnd> {
    let now = access.now();
    if !access.inner.requests.health().is_fresh() {
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
    let (namespace, pod) = (permit.namespace(), permit.inner.pod.as_ref());
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
