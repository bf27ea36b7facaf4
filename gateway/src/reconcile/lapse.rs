//! Why a grant that was approved may not go on: a lock, the policy in force, or that nobody uses it.
//!
//! It is asked anew in every round and whenever a policy or lock changes. What is not known ends nothing here: a
//! policy that cannot be read leaves the grant as it was approved.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sallyport_policy::lifecycle::{Cause, Life, Stage};
use sallyport_policy::{History, Person, Question, still_allows};

use crate::access::Standing;
use crate::crd::{AccessLock, AccessRequest};

/// Why it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lapse {
    pub(super) cause: Cause,
    /// In words.
    pub(super) why: String,
}

impl Lapse {
    fn new(cause: Cause, why: impl Into<String>) -> Self {
        Self { cause, why: why.into() }
    }
}

/// Why it may not go on, if so. Only asked of what has begun.
pub(super) fn find(
    request: &AccessRequest,
    life: &Life,
    in_force: &Standing,
    locks: &[Arc<AccessLock>],
    now: Timestamp,
) -> Option<Lapse> {
    let (Stage::Approved { terms, window } | Stage::Active { terms, window }) = &life.stage else {
        return None;
    };
    if now < window.start {
        return None;
    }
    lock(request, locks, now)
        .or_else(|| policy(request, life, in_force, now))
        .or_else(|| idle(request, terms.idle_timeout()?, now))
}

/// The next moment at which idleness alone would end it.
pub(super) fn idle_until(request: &AccessRequest, life: &Life) -> Option<Timestamp> {
    let Stage::Active { terms, .. } = &life.stage else { return None };
    used(request)?.checked_add(terms.idle_timeout()?).ok()
}

fn lock(request: &AccessRequest, locks: &[Arc<AccessLock>], now: Timestamp) -> Option<Lapse> {
    let person = &request.spec.requester.username;
    let lock = locks.iter().find(|lock| {
        lock.spec.until.is_none_or(|until| now < until)
            && (lock.spec.everything || lock.spec.person.as_ref() == Some(person))
    })?;
    let what = if lock.spec.everything { "everything is locked" } else { "this person is locked out" };
    let by = lock.spec.by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
    let why = lock.spec.reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    Some(Lapse::new(Cause::Lock, format!("{what}{by}{why}")))
}

fn policy(request: &AccessRequest, life: &Life, in_force: &Standing, now: Timestamp) -> Option<Lapse> {
    let name = &request.spec.policy;
    let policy = match in_force {
        Standing::Unknown | Standing::Closed => return None,
        Standing::Nothing => {
            return Some(Lapse::new(Cause::Policy, format!("policy `{name}` is in force no more")));
        }
        Standing::InForce(policy) => policy,
    };
    let spec = &request.spec;
    let who = Person {
        username: spec.requester.username.clone(),
        groups: spec.requester.groups.iter().cloned().collect(),
    };
    // What it allowed by history was settled when it was asked.
    let history = History::default();
    let question = Question {
        who: &who,
        scope: &life.asked.scope,
        duration: life.asked.duration,
        reason: spec.reason.as_deref(),
        ticket: spec.ticket.as_deref(),
        start: life.window().map_or(now, |window| window.start),
        history: &history,
        now,
    };
    let denied = still_allows(policy, &question).err()?;
    Some(Lapse::new(
        Cause::Policy,
        format!("policy `{name}` no longer allows it: {} ({})", denied.why, denied.rule),
    ))
}

fn idle(request: &AccessRequest, limit: Duration, now: Timestamp) -> Option<Lapse> {
    let until = used(request)?.checked_add(limit).ok()?;
    (now >= until).then(|| {
        Lapse::new(Cause::Idle, format!("it was not used for {}", sallyport_policy::duration::show(limit)))
    })
}

/// When it was last known to be in use; it begins its life used.
fn used(request: &AccessRequest) -> Option<Timestamp> {
    let status = request.status.as_ref()?;
    [status.last_used, status.first_used, status.window.map(|window| window.start)]
        .into_iter()
        .flatten()
        .max()
}
