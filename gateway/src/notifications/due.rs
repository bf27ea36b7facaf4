//! What should have been told of a request by now and has not been: a pure function of the request as it is stored.
//! The Kubernetes API is the outbox, so there is nothing to lose with a process.
//!
//! Facts (approved, denied, first used, ended, break-glass) are told late rather than never, with the time at which
//! they were true, up to a day. What calls for doing something (requested, ending) is dropped once nothing can be done
//! any more. What is older is not told, so that a webhook added today does not hear of last month.

use jiff::{SignedDuration, Timestamp};

use crate::config::{Notification, NotificationEvent as Event};
use crate::crd::{AccessRequest, AccessRequestStatus, Phase, Window};

/// How long somebody is tried to be told.
pub(super) const PATIENCE: SignedDuration = SignedDuration::from_hours(24);
/// How long before a window's end `ending` is told.
const BEFORE_END: SignedDuration = SignedDuration::from_mins(5);
/// Shorter windows end without a warning: it would come with the beginning.
const WORTH_WARNING: SignedDuration = SignedDuration::from_mins(10);
/// How long a new request may take to be approved by a rule before people are asked for approval.
const RULES_FIRST: SignedDuration = SignedDuration::from_secs(5);

/// One thing to tell one webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What.
    pub event: Event,
    /// When it was so.
    pub at: Timestamp,
    /// The how-manieth of its kind, where a request can have several; 0 for the others.
    pub times: usize,
    /// What `status.notified` has once it is delivered: `event@hook`.
    pub key: String,
}

/// What is due for this webhook, oldest first.
#[must_use]
pub fn due(request: &AccessRequest, hook: &Notification, now: Timestamp) -> Vec<Notice> {
    let empty = AccessRequestStatus::default();
    let status = request.status.as_ref().unwrap_or(&empty);
    if status.ended_at.is_some_and(|at| now.duration_since(at) >= PATIENCE) {
        // Most of a long history.
        return Vec::new();
    }
    let mut due: Vec<_> = all(request, status, now)
        .into_iter()
        .filter(|(event, _, _)| *event == Event::BreakGlass || wants(hook, *event, &request.spec.policy))
        .filter(|(_, at, _)| now.duration_since(*at) < PATIENCE)
        .map(|(event, at, times)| Notice { event, at, times, key: key(event, times, &hook.name) })
        .filter(|notice| !status.notified.contains(&notice.key))
        .collect();
    due.sort_by_key(|notice| (notice.at, notice.event));
    due
}

fn wants(hook: &Notification, event: Event, policy: &str) -> bool {
    (hook.events.is_empty() || hook.events.contains(&event))
        && (hook.policies.is_empty() || hook.policies.contains(policy))
}

/// A window that is made longer comes to its end again.
fn key(event: Event, times: usize, hook: &str) -> String {
    match times {
        0 => format!("{}@{hook}", name(event)),
        times => format!("{}-{times}@{hook}", name(event)),
    }
}

/// Whether somebody should do something now. Such a notice does not wait behind a day of what merely was so.
pub(super) const fn is_urgent(event: Event) -> bool {
    matches!(event, Event::Requested | Event::Ending | Event::BreakGlass | Event::CommandDenied)
}

/// The event as configuration and bodies name it.
pub(super) const fn name(event: Event) -> &'static str {
    match event {
        Event::Requested => "requested",
        Event::Approved => "approved",
        Event::Denied => "denied",
        Event::FirstUsed => "firstUsed",
        Event::Ending => "ending",
        Event::Ended => "ended",
        Event::BreakGlass => "breakGlass",
        Event::CommandDenied => "commandDenied",
    }
}

/// Everything that is so, with its time and which time it is.
fn all(
    request: &AccessRequest,
    status: &AccessRequestStatus,
    now: Timestamp,
) -> Vec<(Event, Timestamp, usize)> {
    let mut all = Vec::new();
    if let Some(at) = requested(request, status, now) {
        all.push((Event::Requested, at, 0));
    }
    let over = status.ended_at.filter(|_| status.phase.is_final());
    let Some(window) = status.window else {
        all.extend(over.map(|at| (Event::Denied, at, 0)));
        return all;
    };
    let event = if is_break_glass(status) { Event::BreakGlass } else { Event::Approved };
    all.push((event, approved(request, status, window), 0));
    all.extend(status.first_used.map(|at| (Event::FirstUsed, at, 0)));
    all.extend(status.alerts.iter().zip(1..).map(|(alert, times)| (Event::CommandDenied, alert.at, times)));
    all.extend(over.map(|at| (Event::Ended, at, 0)));
    let warned_from = window.end.checked_sub(BEFORE_END).unwrap_or(window.end);
    let long = window.end.duration_since(window.start) > WORTH_WARNING;
    if long && over.is_none() && (warned_from..window.end).contains(&now) {
        all.push((Event::Ending, warned_from, status.extensions.len()));
    }
    all
}

/// Whether the policy it runs under is for breaking the glass.
pub(super) fn is_break_glass(status: &AccessRequestStatus) -> bool {
    status.review.is_some() || status.policy.as_ref().is_some_and(|policy| policy.spec.break_glass.is_some())
}

/// Since when people are waited for; `None` where no person is, or no longer.
fn requested(request: &AccessRequest, status: &AccessRequestStatus, now: Timestamp) -> Option<Timestamp> {
    let created = request.metadata.creation_timestamp.as_ref().map(|time| time.0)?;
    if status.phase != Phase::Pending {
        return None;
    }
    let Some(policy) = &status.policy else {
        // Not looked at yet, or by nobody: then people should know all the same.
        return (now.duration_since(created) > RULES_FIRST * 2).then_some(created);
    };
    let approval = &policy.spec.approval;
    if policy.spec.break_glass.is_some() || (approval.required == 0 && approval.stages.is_empty()) {
        return None;
    }
    let mut since = created;
    for hook in &approval.hooks {
        let agreed = status.hooks.iter().find(|one| one.name == hook.name && one.allow == Some(true))?;
        since = since.max(agreed.at);
    }
    let settled = policy.spec.auto_approve.is_none() || now.duration_since(since) > RULES_FIRST;
    settled.then_some(since)
}

/// When the last needed approval was given; a rule's, when the window begins or, where that was planned, at once.
fn approved(request: &AccessRequest, status: &AccessRequestStatus, window: Window) -> Timestamp {
    let created = request.metadata.creation_timestamp.as_ref().map(|time| time.0);
    let last = status.approvals.iter().map(|one| one.at).max();
    match (last, request.spec.start_at) {
        (Some(at), _) => at,
        (None, None) => window.start,
        (None, Some(_)) => created.unwrap_or(window.start),
    }
}

#[cfg(test)]
mod tests;
