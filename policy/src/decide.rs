//! May they? Each decision is a list of rules; the first that forbids decides and is named. There is no rule that
//! outweighs a forbidding one, so the order only decides which one people are told about.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::action::Action;
use crate::duration;
use crate::names::{Namespace, PolicyName};
use crate::person::{Person, Principal};
use crate::policy::{Policy, Window};

/// What decided. [`fmt::Display`] shows the field of the policy, or the principle where no field can change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// `subjects.groups`.
    Subjects,
    /// `namespaces`: of the policy, or of what was asked for.
    Namespaces,
    /// `podSelector`.
    PodSelector,
    /// `allow`.
    Allow,
    /// `allow.forward.ports`.
    Ports,
    /// `maxDuration`.
    MaxDuration,
    /// `reasonRequired`.
    ReasonRequired,
    /// `approval.groups`.
    ApproverGroups,
    /// `approval.required`.
    Approvals,
    /// `approval.stages`.
    Stages,
    /// `approval.hooks`.
    Hooks,
    /// `breakGlass`.
    BreakGlass,
    /// `breakGlass.reviewers`.
    Reviewers,
    /// When a request may begin.
    Start,
    /// Nobody approves their own request.
    NotOneself,
    /// Nobody closes the review of their own break-glass.
    NotOnesOwnReview,
    /// A grant opens nothing outside its window.
    Window,
    /// A request goes through its phases in one direction, and its end is final.
    Phase,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Subjects => "subjects.groups",
            Self::Namespaces => "namespaces",
            Self::PodSelector => "podSelector",
            Self::Allow => "allow",
            Self::Ports => "allow.forward.ports",
            Self::MaxDuration => "maxDuration",
            Self::ReasonRequired => "reasonRequired",
            Self::ApproverGroups => "approval.groups",
            Self::Approvals => "approval.required",
            Self::Stages => "approval.stages",
            Self::Hooks => "approval.hooks",
            Self::BreakGlass => "breakGlass",
            Self::Reviewers => "breakGlass.reviewers",
            Self::Start => "startAt",
            Self::NotOnesOwnReview => "nobody reviews their own break-glass",
            Self::NotOneself => "nobody approves their own request",
            Self::Window => "nothing outside the window",
            Self::Phase => "a request's end is final",
        })
    }
}

/// A no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why} (policy `{policy}`: {rule})")]
pub struct Denied {
    /// The policy that was asked.
    pub policy: PolicyName,
    /// What in it decided.
    pub rule: Rule,
    /// In words.
    pub why: String,
}

impl Denied {
    pub(crate) fn new(policy: &Policy, rule: Rule, why: impl Into<String>) -> Self {
        Self { policy: policy.name.clone(), rule, why: why.into() }
    }
}

/// What somebody asks a policy for.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who asks, now.
    pub who: &'a Person,
    /// Where.
    pub namespaces: &'a BTreeSet<Namespace>,
    /// For how long.
    pub duration: Duration,
    /// Why.
    pub reason: Option<&'a str>,
}

/// Whether this may be asked for. `Ok` names the group of theirs that may.
///
/// # Errors
/// The rule that forbids it.
pub fn may_ask<'a>(policy: &'a Policy, question: &Question<'_>) -> Result<&'a str, Denied> {
    let deny = |rule, why: String| Err(Denied::new(policy, rule, why));
    let Some(group) = question.who.in_any(&policy.subject_groups) else {
        let groups = list(policy.subject_groups.iter());
        return deny(Rule::Subjects, format!("only members of {groups} may ask"));
    };
    if question.namespaces.is_empty() {
        return deny(Rule::Namespaces, "at least one namespace must be named".to_owned());
    }
    if let Some(outside) = question.namespaces.difference(&policy.namespaces).next() {
        return deny(
            Rule::Namespaces,
            format!("namespace `{outside}` is not one of {}", list(policy.namespaces.iter())),
        );
    }
    if question.duration < Duration::from_secs(1) {
        return deny(Rule::MaxDuration, "the shortest time to ask for is 1s".to_owned());
    }
    if question.duration > policy.max_duration {
        let (asked, most) = (duration::show(question.duration), duration::show(policy.max_duration));
        return deny(Rule::MaxDuration, format!("{asked} is longer than {most}"));
    }
    if policy.reason_required && question.reason.is_none_or(|reason| reason.trim().is_empty()) {
        return deny(Rule::ReasonRequired, "a reason is required".to_owned());
    }
    Ok(group)
}

/// Whether `approver`, who is `person` now, may approve (or deny) what `requester` asked. `Ok` names the group.
///
/// # Errors
/// The rule that forbids it.
pub fn may_approve<'a>(
    policy: &'a Policy,
    requester: &Principal,
    approver: &Principal,
    person: &Person,
) -> Result<&'a str, Denied> {
    if requester.may_be(approver) {
        return Err(Denied::new(policy, Rule::NotOneself, "this is your own request"));
    }
    person.in_any(&policy.approver_groups).ok_or_else(|| {
        let why = if policy.approver_groups.is_empty() {
            "nobody approves requests for this policy".to_owned()
        } else {
            format!("only members of {} may approve", list(policy.approver_groups.iter()))
        };
        Denied::new(policy, Rule::ApproverGroups, why)
    })
}

/// Whether a grant of `policy` on `granted` namespaces inside `window` allows `action` now. `labels` are the
/// pod's; without them everything but the pod selector is decided.
///
/// # Errors
/// The rule that forbids it.
pub fn permits(
    policy: &Policy,
    granted: &BTreeSet<Namespace>,
    window: &Window,
    action: &Action,
    namespace: &Namespace,
    labels: Option<&BTreeMap<String, String>>,
    now: Timestamp,
) -> Result<(), Denied> {
    let deny = |rule, why: String| Err(Denied::new(policy, rule, why));
    if now >= window.end {
        return deny(Rule::Window, "the grant has ended".to_owned());
    }
    if now < window.start {
        return deny(Rule::Window, "the grant has not begun".to_owned());
    }
    // What was approved may be less than the policy has, and a policy in hand may have less than was approved.
    if !granted.contains(namespace) || !policy.namespaces.contains(namespace) {
        return deny(Rule::Namespaces, format!("namespace `{namespace}` is not part of the grant"));
    }
    let allowed = match action {
        Action::Shell => policy.shell,
        Action::Exec => policy.exec,
        Action::Logs => policy.logs,
        Action::Forward { .. } => !policy.ports.is_empty(),
        Action::Look => true,
    };
    if !allowed {
        return deny(Rule::Allow, format!("{action} is not allowed"));
    }
    if let Action::Forward { port } = action
        && !policy.ports.contains(*port)
    {
        return deny(Rule::Ports, format!("port {port} is not one of {}", policy.ports));
    }
    if labels.is_some_and(|labels| !policy.selector.matches(labels)) {
        return deny(Rule::PodSelector, "the pod's labels are not among those selected".to_owned());
    }
    Ok(())
}

/// "`a`, `b` or `c`".
fn list<T: fmt::Display>(items: impl ExactSizeIterator<Item = T>) -> String {
    let last = items.len().saturating_sub(1);
    let mut text = String::new();
    for (index, item) in items.enumerate() {
        let joint = match index {
            0 => "",
            _ if index == last => " or ",
            _ => ", ",
        };
        text.push_str(joint);
        text.push_str(&format!("`{item}`"));
    }
    text
}

#[cfg(test)]
mod tests;
