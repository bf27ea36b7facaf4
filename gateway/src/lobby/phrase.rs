//! The words that several answers share.

use std::time::Duration;

use jiff::Timestamp;

use super::show;
use crate::access::{LockView, PolicyView, RequestView};
use crate::crd::Cause;
use crate::terminal::span;

/// `payments, staging`
pub(super) fn list<T: AsRef<str>>(items: &[T]) -> String {
    let shown: Vec<String> = items.iter().map(|item| show::line(item.as_ref())).collect();
    shown.join(", ")
}

/// `2 approvals by leads or security`
pub(super) fn approvals(count: u32, groups: &[String]) -> String {
    let plural = if count == 1 { "" } else { "s" };
    let groups: Vec<String> = groups.iter().map(|group| show::line(group)).collect();
    format!("{count} approval{plural} by {}", groups.join(" or "))
}

/// `2026-11-21 03:00 UTC`; the minute that has begun.
#[must_use]
pub fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// How long from `now` until `then`; nothing once it is past.
pub(super) fn until(now: Timestamp, then: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or_default()
}

/// `42m left`
pub(super) fn left(now: Timestamp, end: Timestamp) -> String {
    format!("{} left", span(until(now, end)))
}

/// `3m ago`
pub(super) fn ago(now: Timestamp, then: Timestamp) -> String {
    format!("{} ago", span(until(then, now)))
}

/// `shell, exec, logs, forward (5432, 8000-8999)`
pub(super) fn allowed(policy: &PolicyView) -> String {
    let mut text = list(&policy.allow);
    if !policy.ports.is_empty() {
        text = format!("{text} ({})", show::line(&policy.ports));
    }
    if policy.commands.is_some() {
        text.push_str("; commands by `rules`");
    }
    text
}

/// The line that asks for a policy, complete but for the reason.
pub(super) fn request_line(policy: &PolicyView) -> String {
    let longest = sallyport_policy::duration::parse(&policy.max_duration).unwrap_or_default();
    let hour = Duration::from_secs(3600);
    let long = sallyport_policy::duration::show(longest.min(hour));
    let namespace = policy.namespaces.first().map_or_else(|| "NS".to_owned(), |name| show::line(name));
    let reason = if policy.reason_required { " --reason WHY" } else { "" };
    format!("request {} -n {namespace} --for {long}{reason}", show::line(&policy.name))
}

/// ` because: INC-4711`, or nothing.
pub(super) fn because(reason: Option<&str>) -> String {
    reason.map(|reason| format!(", because: {}", show::line(reason))).unwrap_or_default()
}

/// What ended a grant, where no person did.
fn cause_word(cause: Cause) -> &'static str {
    match cause {
        Cause::Policy => "a change of its policy",
        Cause::Groups => "a change of groups",
        Cause::Lock => "a lock",
        Cause::Idle => "not being used",
        Cause::Hook => "an external check",
    }
}

/// Whom or what a lock shuts out: `alice@example.com`, `everybody from payments/api-0`.
#[must_use]
pub fn shut_out(lock: &LockView) -> String {
    match (&lock.person, &lock.namespace, &lock.pod) {
        (Some(person), ..) => show::line(person),
        (None, Some(namespace), Some(pod)) => {
            format!("everybody from pod {} in {}", show::line(pod), show::line(namespace))
        }
        (None, Some(namespace), None) => format!("everybody from {}", show::line(namespace)),
        (None, None, _) => "everybody, everywhere".to_owned(),
    }
}

/// ` only for deployment/api, api-0, container app, port 5432`; nothing where all that the policy covers is meant.
#[must_use]
pub fn narrowed(request: &RequestView) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(request.workloads.iter().map(|name| show::line(name)));
    parts.extend(request.pods.iter().map(|name| format!("pod {}", show::line(name))));
    parts.extend(request.containers.iter().map(|name| format!("container {}", show::line(name))));
    parts.extend(request.ports.iter().map(|port| format!("port {port}")));
    if parts.is_empty() { String::new() } else { format!(", only {}", parts.join(", ")) }
}

/// Whom a pending request waits for.
fn waits(request: &RequestView) -> String {
    let unanswered: Vec<&str> = request
        .checks
        .iter()
        .filter(|check| check.allow.is_none())
        .map(|check| check.name.as_str())
        .collect();
    if !unanswered.is_empty() {
        return format!("waits for the check {}", list(&unanswered));
    }
    let stages: Vec<String> = request
        .stages
        .iter()
        .map(|stage| {
            let name =
                stage.name.as_deref().map(|name| format!("{}: ", show::line(name))).unwrap_or_default();
            format!("{name}{}", approvals(stage.needed, &stage.groups))
        })
        .collect();
    match stages.is_empty() {
        true => "waits to be decided".to_owned(),
        false => format!("waits for {}", stages.join(", then ")),
    }
}

/// Whether a window was planned for later: one that begins when it is approved is ahead of the question by a moment.
pub(super) fn is_ahead(start: Timestamp, now: Timestamp) -> bool {
    start.duration_since(now) > jiff::SignedDuration::from_secs(2)
}

/// Where a request is: `waits for 1 approval by leads`, `is open until … (59m left)`.
#[must_use]
pub fn state(request: &RequestView, now: Timestamp) -> String {
    use crate::crd::Phase;
    let by = |verdict: &Option<crate::access::VerdictView>| {
        verdict.as_ref().map_or_else(String::new, |verdict| {
            format!(" by {}{}", show::line(&verdict.by), because(verdict.reason.as_deref()))
        })
    };
    match request.phase {
        Phase::Pending => waits(request),
        Phase::Approved => match request.starts.filter(|start| is_ahead(*start, now)) {
            Some(start) => {
                format!("is approved and opens at {} (in {})", moment(start), span(until(now, start)))
            }
            None => "is approved and about to open".to_owned(),
        },
        Phase::Active => match request.ends {
            Some(end) => format!("is open until {} ({})", moment(end), left(now, end)),
            None => "is open".to_owned(),
        },
        Phase::Denied if request.denial.is_none() => {
            let why = request.message.as_deref().map(|why| format!(": {}", show::line(why)));
            format!("was denied{}", why.unwrap_or_default())
        }
        Phase::Denied => format!("was denied{}", by(&request.denial)),
        Phase::Revoked => match request.cause {
            Some(cause) => {
                let why = request.message.as_deref().map(|why| format!(": {}", show::line(why)));
                format!("was ended by {}{}", cause_word(cause), why.unwrap_or_default())
            }
            None => format!("was revoked{}", by(&request.revocation)),
        },
        Phase::Expired if request.ends.is_none() => "has expired: nobody decided in time".to_owned(),
        Phase::Expired => "has ended".to_owned(),
        Phase::Failed => {
            let why =
                request.message.as_deref().map(|why| format!(": {}", show::line(why))).unwrap_or_default();
            format!("could not be opened{why}")
        }
    }
}
