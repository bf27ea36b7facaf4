//! Why: a decision with every rule that led to it.

use crate::condition::Facts;
use crate::decide::{Verdict, asking_rules, auto_approves, check_asking};
use crate::policy::Policy;
use crate::question::Question;
use crate::rule::Rule;

/// What would become of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It would be approved at once, by this rule.
    Approved {
        /// The field that needs no person.
        by: Rule,
    },
    /// It would wait for somebody's approval.
    Waits,
    /// It would not be taken.
    Denied {
        /// By which rule.
        by: Rule,
    },
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub rule: Rule,
    /// Whether it allows; `None` where it was not reached, or is decided when the grant is used.
    pub holds: Option<bool>,
    /// In words.
    pub why: String,
}

/// A decision, rule by rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What would become of the request.
    pub outcome: Outcome,
    /// The rules, in the order of decision.
    pub steps: Vec<Step>,
}

/// Explains what would become of a request. External checks and locks are not known here.
#[must_use]
pub fn explain(policy: &Policy, question: &Question<'_>) -> Explanation {
    let mut steps = Vec::new();
    let mut denied = None;
    let facts = Facts::new(policy, question, None);
    for rule in asking_rules(policy) {
        let step = |holds, why: &str| Step { rule, holds, why: why.to_owned() };
        if denied.is_some() {
            steps.push(step(None, "not reached"));
            continue;
        }
        match check_asking(policy, question, &facts, rule) {
            Verdict::Holds => steps.push(step(Some(true), "")),
            Verdict::Forbids(why) => {
                denied = Some(rule);
                steps.push(step(Some(false), &why));
            }
        }
    }
    let at_use = "decided when the grant is used";
    for (index, deny) in policy.deny().iter().enumerate() {
        if deny.condition.needs_target() {
            steps.push(Step { rule: Rule::Deny(index), holds: None, why: at_use.to_owned() });
        }
    }
    if policy.when().is_some_and(|when| when.needs_target()) {
        steps.push(Step { rule: Rule::When, holds: None, why: at_use.to_owned() });
    }
    let outcome = match denied {
        Some(by) => Outcome::Denied { by },
        None => approval(policy, question, &mut steps),
    };
    Explanation { outcome, steps }
}

fn approval(policy: &Policy, question: &Question<'_>, steps: &mut Vec<Step>) -> Outcome {
    if !policy.hooks().is_empty() {
        let names: Vec<_> = policy.hooks().iter().map(|hook| format!("`{}`", hook.name)).collect();
        let why = format!("{} must agree before anything is approved", names.join(", "));
        steps.push(Step { rule: Rule::Hooks, holds: None, why });
    }
    if policy.is_break_glass() {
        let why = "lets in at once; everyone is told, and a review follows".to_owned();
        steps.push(Step { rule: Rule::BreakGlass, holds: Some(true), why });
        return Outcome::Approved { by: Rule::BreakGlass };
    }
    if policy.stages().is_empty() {
        let why = "no approval is needed".to_owned();
        steps.push(Step { rule: Rule::Approvals, holds: Some(true), why });
        return Outcome::Approved { by: Rule::Approvals };
    }
    if policy.has_auto_approve() {
        let holds = auto_approves(policy, question);
        let why = if holds { "no person has to approve" } else { "does not hold" };
        steps.push(Step { rule: Rule::AutoApprove, holds: Some(holds), why: why.to_owned() });
        if holds {
            return Outcome::Approved { by: Rule::AutoApprove };
        }
    }
    for stage in policy.stages() {
        let groups: Vec<_> = stage.groups.iter().map(|group| format!("`{group}`")).collect();
        let (rule, name) = if stage.name.is_empty() {
            (Rule::Approvals, String::new())
        } else {
            (Rule::Stages, format!("stage `{}`: ", stage.name))
        };
        let why = format!("{name}{} of {} must approve", stage.required, groups.join(" or "));
        steps.push(Step { rule, holds: None, why });
    }
    Outcome::Waits
}
