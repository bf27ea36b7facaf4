//! What is valid and still cannot be meant: policies that nobody can ever use or approve, and those that another one
//! makes useless. Warnings, since a policy may be half of a change.

use std::fmt;

use crate::policy::Policy;

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The policy.
    pub policy: String,
    /// The field.
    pub field: &'static str,
    /// What, in words.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy `{}`: {}: {}", self.policy, self.field, self.what)
    }
}

/// Looks at policies, each for itself and beside the others.
#[must_use]
pub fn lint(policies: &[Policy]) -> Vec<Finding> {
    let mut found = Vec::new();
    for policy in policies {
        alone(policy, &mut found);
        for other in policies.iter().filter(|other| other.name() != policy.name()) {
            beside(policy, other, &mut found);
        }
    }
    found
}

fn alone(policy: &Policy, found: &mut Vec<Finding>) {
    let mut find = |field, what: String| {
        found.push(Finding { policy: policy.name().to_string(), field, what });
    };
    let literal = |source: &str, word: &str| source.trim() == word;
    if policy.when().is_some_and(|when| literal(when.source(), "false")) {
        find("when", "never holds, so nobody can ask".to_owned());
    }
    for deny in policy.deny() {
        if literal(deny.condition.source(), "true") {
            find("deny", "always holds, so nobody can ask".to_owned());
        }
    }
    if policy.auto_approve().is_some_and(|auto| literal(auto.source(), "true")) {
        find("autoApprove", "always holds: `approval.required: 0` says that in plain sight".to_owned());
    }
    if policy.has_auto_approve() && policy.stages().is_empty() {
        find("autoApprove", "decides nothing: no approval is needed anyway".to_owned());
    }
    for stage in policy.stages() {
        if stage.groups.is_subset(policy.subject_groups()) {
            let what = "everybody who may approve may also ask: two of them can let each other in for good";
            find("approval.groups", what.to_owned());
        }
    }
    if policy.ticket_pattern().is_some() && !policy.ticket_required() {
        find("ticket", "a request without a ticket is taken: `required` is false".to_owned());
    }
    if !policy.must_record() && !policy.ports().is_empty() && policy.allowed().len() == 1 {
        find("record", "tunnels are never recorded, only listed in events".to_owned());
    }
}

/// Whether `other` gives the same people the same for less.
fn beside(policy: &Policy, other: &Policy, found: &mut Vec<Finding>) {
    let unconditional = |policy: &Policy| {
        policy.when().is_none()
            && policy.deny().is_empty()
            && policy.hooks().is_empty()
            && policy.selector().is_everything()
    };
    let same_or_more = policy.subject_groups().is_subset(other.subject_groups())
        && policy.namespaces().is_subset(other.namespaces())
        && policy.allowed().iter().all(|one| other.allowed().contains(one))
        && policy.ports().ranges().iter().flat_map(Clone::clone).all(|port| other.ports().contains(port))
        && policy.max_duration() <= other.max_duration();
    if same_or_more
        && unconditional(other)
        && !other.is_break_glass()
        && other.approvals() < policy.approvals()
    {
        found.push(Finding {
            policy: policy.name().to_string(),
            field: "approval",
            what: format!("policy `{}` gives the same people the same with fewer approvals", other.name()),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::PolicyInput;
    use crate::policy::tests::good;

    fn fields(change: impl Fn(&mut PolicyInput)) -> Vec<&'static str> {
        let mut input = good();
        change(&mut input);
        lint(&[Policy::parse("p", &input).unwrap()]).into_iter().map(|finding| finding.field).collect()
    }

    #[test]
    fn what_cannot_be_meant_is_found() {
        assert!(fields(|_| {}).is_empty());
        assert_eq!(fields(|p| p.when = Some("false".into())), ["when"]);
        assert_eq!(fields(|p| p.deny.push((" true ".into(), None))), ["deny"]);
        assert_eq!(fields(|p| p.auto_approve = Some("true".into())), ["autoApprove"]);
        assert_eq!(
            fields(|p| (p.approvals, p.auto_approve) = (0, Some("groups == []".into()))),
            ["autoApprove"]
        );
        assert_eq!(fields(|p| p.approver_groups = vec!["oncall".into()]), ["approval.groups"]);
        assert_eq!(fields(|p| p.ticket = Some((false, Some("X".into())))), ["ticket"]);
    }

    #[test]
    fn a_policy_that_another_makes_useless_is_found() {
        let strict = Policy::parse("strict", &good()).unwrap();
        let lax = Policy::parse("lax", &PolicyInput { approvals: 0, ..good() }).unwrap();
        let found = lint(&[strict.clone(), lax]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].policy.as_str(), found[0].field), ("strict", "approval"));
        let narrow =
            Policy::parse("lax", &PolicyInput { approvals: 0, max_duration: "1h".into(), ..good() }).unwrap();
        assert!(lint(&[strict, narrow]).is_empty());
    }
}
