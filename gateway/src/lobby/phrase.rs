//! The words that several answers share.

use std::time::Duration;

use jiff::Timestamp;

use super::show;
use crate::access::{PolicyView, RequestView};
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
pub(super) fn moment(time: Timestamp) -> String {
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

/// Where a request is: `waits for 1 approval by leads`, `is open until … (59m left)`.
pub(super) fn state(request: &RequestView, now: Timestamp) -> String {
    use crate::crd::Phase;
    let by = |verdict: &Option<crate::access::VerdictView>| {
        verdict.as_ref().map_or_else(String::new, |verdict| {
            format!(" by {}{}", show::line(&verdict.by), because(verdict.reason.as_deref()))
        })
    };
    match request.phase {
        Phase::Pending => {
            format!("waits for {}", approvals(request.approvals_missing, &request.approver_groups))
        }
        Phase::Approved => "is approved and about to open".to_owned(),
        Phase::Active => match request.ends {
            Some(end) => format!("is open until {} ({})", moment(end), left(now, end)),
            None => "is open".to_owned(),
        },
        Phase::Denied => format!("was denied{}", by(&request.denial)),
        Phase::Revoked => format!("was revoked{}", by(&request.revocation)),
        Phase::Expired => "has ended".to_owned(),
        Phase::Failed => {
            let why =
                request.message.as_deref().map(|why| format!(": {}", show::line(why))).unwrap_or_default();
            format!("could not be opened{why}")
        }
    }
}
