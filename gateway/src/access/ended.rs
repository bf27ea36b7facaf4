//! When a permit has to be let go.

use std::time::Duration;

use kube::ResourceExt;
use sallyport_policy::lifecycle::{End, Stage};

use super::{Access, GrantEnd, Permit};

/// How often it is asked whether our copy is still current.
const BEAT: Duration = Duration::from_millis(500);

pub(super) async fn ended(access: Access, permit: Permit) -> GrantEnd {
    let mut changes = access.inner.requests.changes();
    let clock = access.inner.clock.clone();
    let mut over = clock.sleep_until(permit.ends_at());
    loop {
        changes.mark_unchanged();
        if let Some(end) = look(&access, &permit) {
            return end;
        }
        tokio::select! {
            () = &mut over => return GrantEnd::Expired,
            changed = changes.changed() => if changed.is_err() { return GrantEnd::Gone },
            () = tokio::time::sleep(BEAT) => {}
        }
    }
}

/// Why the permit holds no more, if it does not.
fn look(access: &Access, permit: &Permit) -> Option<GrantEnd> {
    let now = access.now();
    if now >= permit.ends_at() {
        return Some(GrantEnd::Expired);
    }
    if !access.inner.requests.health().is_fresh() {
        return Some(GrantEnd::OutOfReach);
    }
    let Some(request) = access.inner.requests.get(permit.request().as_str()) else {
        return Some(GrantEnd::Gone);
    };
    if request.uid().unwrap_or_default() != permit.inner.uid || request.metadata.deletion_timestamp.is_some()
    {
        return Some(GrantEnd::Gone);
    }
    let Ok(life) = request.life() else { return Some(GrantEnd::Gone) };
    match life.stage {
        // The window may be cut short, never made longer.
        Stage::Active { window, .. } if now < window.end => None,
        Stage::Active { .. } | Stage::Ended(End::Expired { .. }) => Some(GrantEnd::Expired),
        Stage::Ended(End::Revoked { by, reason, .. }) => Some(GrantEnd::Revoked { by: by.username, reason }),
        Stage::Ended(End::Denied { .. } | End::Refused { .. } | End::Lapsed { .. } | End::Failed { .. })
        | Stage::Pending { .. }
        | Stage::Approved { .. } => Some(GrantEnd::Gone),
    }
}
