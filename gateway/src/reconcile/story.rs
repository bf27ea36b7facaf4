//! A request's story: its conditions, and the steps that become Kubernetes Events. Pure, from what is stored, so that
//! it is the same whoever tells it and however often.
//!
//! Conditions say where it is and stay as long as the request; Events say how it came there, and servers forget them
//! after an hour.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt;

use crate::crd::{AccessRequest, AccessRequestStatus, Cause, Opened, Phase, ReviewVerdict};
use crate::terminal::clean;

/// How long a text in a condition or Event may be, in characters.
const LONGEST: usize = 900;

/// One step, as an Event tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chapter {
    /// What makes it this step and no other; part of the Event's name.
    pub(super) key: String,
    /// When it happened.
    pub(super) at: Timestamp,
    /// Whether it is something to look after.
    pub(super) warns: bool,
    /// In one word.
    pub(super) reason: &'static str,
    /// In a sentence.
    pub(super) message: String,
}

/// The steps so far, in no order.
pub(super) fn chapters(request: &AccessRequest) -> Vec<Chapter> {
    let mut chapters = Vec::new();
    let mut tell = |key: String, at: Timestamp, warns: bool, reason: &'static str, message: String| {
        chapters.push(Chapter { key, at, warns, reason, message: short(&message) });
    };
    let spec = &request.spec;
    let made = request.creation_timestamp().map(|time| time.0).unwrap_or_default();
    let why = spec.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let asked = format!(
        "{} asks `{}` for {} in {}{why}",
        spec.requester.username,
        spec.policy,
        spec.duration,
        spec.namespaces.join(", ")
    );
    tell("requested".to_owned(), made, false, "Requested", asked);
    let Some(status) = &request.status else { return chapters };
    for answer in &status.hooks {
        let (warns, reason, said) = match answer.allow {
            Some(true) => (false, "CheckAllows", "agrees"),
            Some(false) => (true, "CheckDenies", "says no"),
            None => (true, "CheckUnreachable", "cannot be asked"),
        };
        let reasons = if answer.reasons.is_empty() {
            String::new()
        } else {
            format!(": {}", answer.reasons.join("; "))
        };
        let word = answer.allow.map_or("none", |allow| if allow { "yes" } else { "no" });
        // Asked again and again while the grant lasts: a change of its mind is what is told.
        let key = format!("check-{}-{word}", answer.name);
        tell(key, answer.at, warns, reason, format!("check `{}` {said}{reasons}", answer.name));
    }
    for (index, approval) in status.approvals.iter().enumerate() {
        let stage = approval.stage.as_deref().map(|stage| format!(" in round `{stage}`")).unwrap_or_default();
        tell(
            format!("approved-{index}"),
            approval.at,
            false,
            "Approved",
            format!("approved by {}{stage}", approval.by),
        );
    }
    if let Some(rule) = &status.approved_by_rule {
        tell("by-rule".to_owned(), made, rule == "breakGlass", "Approved", by_rule(rule).1);
    }
    if let Some(window) = status.window
        && was_open(status, window.start)
    {
        let message = format!("open in {} until {}", spec.namespaces.join(", "), show(window.end));
        tell("opened".to_owned(), window.start, false, "Opened", message);
    }
    for (index, extension) in status.extensions.iter().enumerate() {
        let message = format!("{} made it longer: until {}", extension.by, show(extension.until));
        tell(format!("extended-{index}"), extension.at, false, "Extended", message);
    }
    if let Some(at) = status.first_used {
        tell(
            "used".to_owned(),
            at,
            false,
            "FirstUsed",
            format!("{} used it for the first time", spec.requester.username),
        );
    }
    if status.phase.is_final() {
        let (reason, message) = ending(status);
        let warns = matches!(status.phase, Phase::Failed) || status.cause.is_some();
        tell("ended".to_owned(), status.ended_at.unwrap_or(made), warns, reason, message);
    }
    if let Some(review) = &status.review
        && let (Some(verdict), Some(closed)) = (review.verdict, &review.closed)
    {
        let verdict = match verdict {
            ReviewVerdict::Justified => "justified",
            ReviewVerdict::Unjustified => "not justified",
        };
        let said = closed.reason.as_deref().map(|said| format!(": {said}")).unwrap_or_default();
        tell(
            "reviewed".to_owned(),
            closed.at,
            false,
            "Reviewed",
            format!("{} found it {verdict}{said}", closed.by),
        );
    }
    chapters
}

/// The conditions that follow from a request's status, with `opened` in the register. Moments of change are kept where
/// nothing changes.
pub(super) fn conditions(request: &AccessRequest, opened: &[Opened]) -> Vec<Condition> {
    let Some(status) = &request.status else { return Vec::new() };
    let made = request.creation_timestamp().map(|time| time.0).unwrap_or_default();
    let ended = status.ended_at.unwrap_or(made);
    let last = status.approvals.iter().map(|approval| approval.at).max();
    let approved_at = last.or_else(|| status.window.map(|window| window.start)).unwrap_or(made);
    let was_approved = status.window.is_some();
    let (approved, reason, message) = match status.phase {
        _ if was_approved => approval(status),
        Phase::Denied => (false, "Denied", ending(status).1),
        phase if phase.is_final() => (false, "NotApproved", "it ended before it was approved".to_owned()),
        _ => (false, "Waiting", waiting(status)),
    };
    let mut told =
        vec![condition("Approved", approved, reason, message, if was_approved { approved_at } else { made })];
    let (ready, reason, message, at) = match status.phase {
        Phase::Active => (true, "Open", list(opened), status.window.map_or(made, |window| window.start)),
        Phase::Approved => match &status.message {
            Some(why) => (false, "BindingFailed", why.clone(), approved_at),
            None => (
                false,
                "Opening",
                "what it needs in the cluster is made when its window begins".to_owned(),
                approved_at,
            ),
        },
        phase if phase.is_final() => (false, "Ended", "nothing is open".to_owned(), ended),
        _ => (false, "Waiting", "it is not approved yet".to_owned(), made),
    };
    told.push(condition("Ready", ready, reason, message, at));
    let (over, (reason, message), at) = if status.phase.is_final() {
        (true, ending(status), ended)
    } else {
        let until = status.window.map(|window| format!("it ends {}", show(window.end)));
        (false, ("NotYet", until.unwrap_or_else(|| "it has not begun".to_owned())), made)
    };
    told.push(condition("Ended", over, reason, message, at));
    for one in &mut told {
        let before =
            status.conditions.iter().find(|before| before.type_ == one.type_ && before.status == one.status);
        if let Some(before) = before {
            one.last_transition_time = before.last_transition_time.clone();
        }
    }
    let others = status.conditions.iter().filter(|one| !told.iter().any(|ours| ours.type_ == one.type_));
    let others: Vec<_> = others.cloned().collect();
    told.extend(others);
    told
}

/// Whether these conditions say the same.
pub(super) fn are_told(stored: &[Condition], told: &[Condition]) -> bool {
    let same = |one: &Condition| {
        let same = |other: &&Condition| {
            (&one.type_, &one.status, &one.reason, &one.message)
                == (&other.type_, &other.status, &other.reason, &other.message)
        };
        stored.iter().find(same).is_some()
    };
    stored.len() == told.len() && told.iter().all(same)
}

fn condition(kind: &str, holds: bool, reason: &str, message: String, at: Timestamp) -> Condition {
    // To the second, as servers keep it.
    let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
    Condition {
        type_: kind.to_owned(),
        status: if holds { "True" } else { "False" }.to_owned(),
        reason: reason.to_owned(),
        message: short(&message),
        last_transition_time: Time(at),
        observed_generation: None,
    }
}

fn approval(status: &AccessRequestStatus) -> (bool, &'static str, String) {
    if let Some(rule) = &status.approved_by_rule {
        let (reason, words) = by_rule(rule);
        return (true, reason, words);
    }
    let mut names: Vec<_> = status.approvals.iter().map(|approval| approval.by.as_str()).collect();
    names.dedup();
    if names.is_empty() {
        return (true, "NoApprovalNeeded", "the policy asks for no approval".to_owned());
    }
    (true, "ByPeople", format!("approved by {}", names.join(", ")))
}

/// What approved it where no person did.
fn by_rule(rule: &str) -> (&'static str, String) {
    match rule {
        "approval.required" => ("NoApprovalNeeded", "the policy asks for no approval".to_owned()),
        "breakGlass" => ("BreakGlass", "break-glass: no approval is asked, a review follows".to_owned()),
        "autoApprove" => ("ByRule", "the policy's `autoApprove` holds".to_owned()),
        rule => ("ByRule", format!("the policy's `{rule}` approves it")),
    }
}

fn waiting(status: &AccessRequestStatus) -> String {
    let checks: Vec<_> = status
        .hooks
        .iter()
        .filter(|one| one.allow != Some(true))
        .map(|one| format!("check `{}`", one.name))
        .collect();
    let given = status.approvals.iter().map(|approval| approval.by.as_str()).collect::<Vec<_>>();
    match (checks.is_empty(), given.is_empty()) {
        (false, _) => format!("it waits for {}", checks.join(", ")),
        (true, true) => "it waits for approval".to_owned(),
        (true, false) => format!("approved by {} so far", given.join(", ")),
    }
}

/// How it ended: in one word, and in a sentence.
fn ending(status: &AccessRequestStatus) -> (&'static str, String) {
    let message = || status.message.clone().unwrap_or_default();
    let by = |verdict: &crate::crd::Verdict| {
        let why = verdict.reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        format!("by {}{why}", verdict.by)
    };
    match (status.phase, status.cause) {
        (Phase::Failed, _) => ("Failed", format!("it could not be opened: {}", message())),
        (Phase::Denied, _) => match &status.denial {
            Some(denial) => ("Denied", format!("denied {}", by(denial))),
            None => ("CheckDenies", message()),
        },
        (_, Some(cause)) => {
            let reason = match cause {
                Cause::Policy => "PolicyForbids",
                Cause::Groups => "LeftGroups",
                Cause::Lock => "Locked",
                Cause::Idle => "Idle",
                Cause::Hook => "CheckDenies",
            };
            (reason, message())
        }
        (Phase::Revoked, None) => match &status.revocation {
            Some(revocation) if status.window.is_none() => {
                ("Withdrawn", format!("withdrawn {}", by(revocation)))
            }
            Some(revocation) => ("Revoked", format!("ended {}", by(revocation))),
            None => ("Revoked", message()),
        },
        _ if status.window.is_none() => ("Unanswered", "nobody approved it in time".to_owned()),
        _ => ("WindowOver", "its window is over".to_owned()),
    }
}

/// Whether it is or was open. (One that ended between its approval and its opening looks as if it was.)
fn was_open(status: &AccessRequestStatus, start: Timestamp) -> bool {
    match status.phase {
        Phase::Active => true,
        Phase::Expired | Phase::Revoked => status.ended_at.is_some_and(|ended| start < ended),
        Phase::Pending | Phase::Approved | Phase::Denied | Phase::Failed => false,
    }
}

/// What is open, in words.
fn list(opened: &[Opened]) -> String {
    if opened.is_empty() {
        return "nothing exists for it in the cluster: its namespaces are locked".to_owned();
    }
    let names: Vec<_> =
        opened.iter().map(|one| format!("{} {}/{}", one.kind, one.namespace, one.name)).collect();
    names.join(", ")
}

fn show(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Made harmless for a terminal, and cut.
pub(super) fn short(text: &str) -> String {
    let text = clean(text);
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
