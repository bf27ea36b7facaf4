//! May they? Each decision is a list of rules; the first that forbids decides and is named. There is no rule that
//! outweighs a forbidding one, so the order only decides which one people are told about. What cannot be evaluated
//! forbids, except `autoApprove`, which then approves nothing.

mod asking;
mod using;

use std::fmt;

use crate::condition::{Condition, Facts};
use crate::person::{Person, Principal};
use crate::policy::Policy;
use crate::rule::{Denied, Rule};

pub(crate) use asking::check as check_asking;
pub use asking::{asking_rules, auto_approves, denies, may_ask, still_allows};
pub use using::{permits, using_rules};

/// What came of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It allows.
    Holds,
    /// It forbids, and why.
    Forbids(String),
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

/// A `when`: must hold.
fn must_hold(condition: &Condition, facts: &Facts<'_>) -> Verdict {
    match condition.holds(facts) {
        Ok(true) => Verdict::Holds,
        Ok(false) => Verdict::Forbids("the policy's condition does not hold".to_owned()),
        Err(why) => Verdict::Forbids(format!("the policy's condition cannot be evaluated: {why}")),
    }
}

/// A `deny`: must not.
fn must_not(policy: &Policy, index: usize, facts: &Facts<'_>) -> Verdict {
    let Some(rule) = policy.deny.get(index) else { return Verdict::Holds };
    match rule.condition.holds(facts) {
        Ok(false) => Verdict::Holds,
        Ok(true) => {
            Verdict::Forbids(rule.message.clone().unwrap_or_else(|| "the policy forbids it".to_owned()))
        }
        Err(why) => Verdict::Forbids(format!("whether the policy forbids it cannot be evaluated: {why}")),
    }
}

/// "`a`, `b` or `c`".
pub(crate) fn list<T: fmt::Display>(items: impl ExactSizeIterator<Item = T>) -> String {
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
