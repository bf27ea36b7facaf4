//! What somebody asked for before: the facts that limits and conditions are decided by, and whether the same is asked
//! twice. From our copy, without reading the states of requests that are not theirs.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use sallyport_policy::History;

use super::Access;
use super::show::is_requester;
use crate::crd::{AccessRequest, AccessRequestSpec, Phase};
use crate::identity::Identity;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn within(moment: Option<Timestamp>, now: Timestamp, length: Duration) -> bool {
    // A moment that is still to come, by another gateway's clock, is a moment ago.
    moment.is_some_and(|moment| moment.checked_add(length).is_ok_and(|end| now < end))
}

fn is_open(request: &AccessRequest) -> bool {
    request.status.as_ref().is_none_or(|status| !status.phase.is_final())
}

impl Access {
    /// What this person asked of this policy before.
    pub(super) fn past(&self, who: &Identity, policy: &str) -> History {
        self.past_where(|request| request.spec.policy == policy && is_requester(who, &request.spec.requester))
    }

    /// The same for who made this request, without it.
    pub(super) fn past_of(&self, request: &AccessRequest) -> History {
        let (policy, who, name) = (&request.spec.policy, &request.spec.requester, request.name_any());
        self.past_where(|other| {
            other.spec.policy == *policy
                && (&other.spec.requester.issuer, &other.spec.requester.subject)
                    == (&who.issuer, &who.subject)
                && other.name_any() != name
        })
    }

    fn past_where(&self, theirs: impl Fn(&AccessRequest) -> bool) -> History {
        let now = self.now();
        let mut past = History::default();
        for request in self.inner.requests.all() {
            if request.is_for_one_command() || !theirs(&request) {
                continue;
            }
            let made = request.creation_timestamp().map(|time| time.0);
            let status = request.status.as_ref();
            past.open_now += u32::from(is_open(&request));
            past.asked_last_hour += u32::from(within(made, now, HOUR));
            past.asked_last_day += u32::from(within(made, now, DAY));
            let denied =
                status.filter(|status| status.phase == Phase::Denied).and_then(|status| status.ended_at);
            past.denied_last_day += u32::from(within(denied, now, DAY));
            let granted = status.and_then(|status| status.window).map(|window| window.start);
            past.granted_last_day += u32::from(within(granted, now, DAY));
        }
        past
    }

    /// A request of theirs that waits already and says the same in every word.
    pub(super) fn same_before(&self, who: &Identity, spec: &AccessRequestSpec) -> Option<String> {
        let waits = |request: &AccessRequest| {
            request.status.as_ref().is_none_or(|status| status.phase == Phase::Pending)
        };
        let same = |request: &&std::sync::Arc<AccessRequest>| {
            waits(request)
                && is_requester(who, &request.spec.requester)
                // Their groups may have changed since.
                && AccessRequestSpec { requester: spec.requester.clone(), ..request.spec.clone() } == *spec
        };
        self.inner.requests.all().iter().find(same).map(|request| request.name_any())
    }
}
