//! Whether something may be asked for, and whether what was asked is still allowed.

use std::time::Duration;

use super::{Verdict, list, must_hold, must_not};
use crate::condition::{Condition, Facts};
use crate::duration;
use crate::policy::Policy;
use crate::question::Question;
use crate::rule::{Denied, Rule};

/// The rules that a policy has for asking, in the order in which they are evaluated. What speaks of the `target` is not
/// among them: it is decided when a grant is used.
#[must_use]
pub fn asking_rules(policy: &Policy) -> Vec<Rule> {
    let mut rules = vec![Rule::Subjects, Rule::Namespaces];
    let mut with = |there: bool, rule: Rule| {
        if there {
            rules.push(rule);
        }
    };
    with(true, Rule::ScopePorts);
    with(true, Rule::MaxDuration);
    with(policy.reason_required, Rule::ReasonRequired);
    with(policy.reason_pattern.is_some(), Rule::ReasonPattern);
    with(policy.ticket_required, Rule::TicketRequired);
    with(policy.ticket_pattern.is_some(), Rule::TicketPattern);
    with(true, Rule::OpenLimit);
    with(true, Rule::HourlyLimit);
    for (index, deny) in policy.deny.iter().enumerate() {
        with(!deny.condition.needs_target(), Rule::Deny(index));
    }
    with(policy.when.as_ref().is_some_and(|when| !when.needs_target()), Rule::When);
    rules
}

/// Whether this may be asked for. `Ok` names the group of theirs that may.
///
/// # Errors
/// The rule that forbids it.
pub fn may_ask<'a>(policy: &'a Policy, question: &Question<'_>) -> Result<&'a str, Denied> {
    all(policy, question, asking_rules(policy))?;
    // It was found a moment ago.
    question
        .who
        .in_any(&policy.subject_groups)
        .ok_or_else(|| Denied::new(policy, Rule::Subjects, "not a member"))
}

/// Whether no person has to approve it: `autoApprove` holds. What cannot be evaluated does not.
#[must_use]
pub fn auto_approves(policy: &Policy, question: &Question<'_>) -> bool {
    policy
        .auto_approve
        .as_ref()
        .is_some_and(|condition| condition.holds(&Facts::of(policy, question, condition)) == Ok(true))
}

/// Whether one of the `deny` rules forbids it that can be decided without a target.
///
/// # Errors
/// The rule that forbids it.
pub fn denies(policy: &Policy, question: &Question<'_>) -> Result<(), Denied> {
    let rules = asking_rules(policy).into_iter().filter(|rule| matches!(rule, Rule::Deny(_)));
    all(policy, question, rules)
}

/// Whether what was approved once would still lie inside this policy: the person's groups, the places, the length, and
/// the conditions that speak neither of the target nor of history. What is asked of words (reason, ticket) and of
/// restraint (limits) was settled when it was made.
///
/// # Errors
/// The rule that forbids it now.
pub fn still_allows(policy: &Policy, question: &Question<'_>) -> Result<(), Denied> {
    let settled = |condition: &Condition| condition.needs_history();
    let rules = asking_rules(policy).into_iter().filter(|rule| match rule {
        Rule::Subjects | Rule::Namespaces | Rule::ScopePorts | Rule::MaxDuration => true,
        Rule::Deny(index) => policy.deny.get(*index).is_none_or(|deny| !settled(&deny.condition)),
        Rule::When => policy.when.as_ref().is_none_or(|when| !settled(when)),
        _ => false,
    });
    all(policy, question, rules)
}

fn all(
    policy: &Policy,
    question: &Question<'_>,
    rules: impl IntoIterator<Item = Rule>,
) -> Result<(), Denied> {
    let facts = Facts::new(policy, question, None);
    for rule in rules {
        if let Verdict::Forbids(why) = check(policy, question, &facts, rule) {
            return Err(Denied::new(policy, rule, why));
        }
    }
    Ok(())
}

/// One of [`asking_rules`].
pub(crate) fn check(policy: &Policy, question: &Question<'_>, facts: &Facts<'_>, rule: Rule) -> Verdict {
    let unless = |holds: bool, why: &dyn Fn() -> String| {
        if holds { Verdict::Holds } else { Verdict::Forbids(why()) }
    };
    let given = |text: Option<&str>| text.is_some_and(|text| !text.trim().is_empty());
    match rule {
        Rule::Subjects => unless(question.who.in_any(&policy.subject_groups).is_some(), &|| {
            format!("only members of {} may ask", list(policy.subject_groups.iter()))
        }),
        Rule::Namespaces => {
            let asked = &question.scope.namespaces;
            if asked.is_empty() {
                return Verdict::Forbids("at least one namespace must be named".to_owned());
            }
            match asked.difference(&policy.namespaces).next() {
                None => Verdict::Holds,
                Some(outside) => {
                    let there = list(policy.namespaces.iter());
                    Verdict::Forbids(format!("namespace `{outside}` is not one of {there}"))
                }
            }
        }
        Rule::ScopePorts => match question.scope.ports.iter().find(|port| !policy.ports.contains(**port)) {
            None => Verdict::Holds,
            Some(port) if policy.ports.is_empty() => {
                Verdict::Forbids(format!("port {port}: the policy allows no tunnels"))
            }
            Some(port) => Verdict::Forbids(format!("port {port} is not one of {}", policy.ports)),
        },
        Rule::MaxDuration if question.duration < Duration::from_secs(1) => {
            Verdict::Forbids("the shortest time to ask for is 1s".to_owned())
        }
        Rule::MaxDuration => unless(question.duration <= policy.max_duration, &|| {
            let (asked, most) = (duration::show(question.duration), duration::show(policy.max_duration));
            format!("{asked} is longer than {most}")
        }),
        Rule::ReasonRequired => unless(given(question.reason), &|| "a reason is required".to_owned()),
        Rule::ReasonPattern => matches(policy.reason_pattern.as_ref(), question.reason, "the reason"),
        Rule::TicketRequired => unless(given(question.ticket), &|| "a ticket is required".to_owned()),
        Rule::TicketPattern => matches(policy.ticket_pattern.as_ref(), question.ticket, "the ticket"),
        Rule::OpenLimit => unless(question.history.open_now < policy.open_limit, &|| {
            format!("{} of your requests are open, which is the most", question.history.open_now)
        }),
        Rule::HourlyLimit => unless(question.history.asked_last_hour < policy.hourly_limit, &|| {
            format!("you asked {} times within the hour, which is the most", question.history.asked_last_hour)
        }),
        Rule::Deny(index) => must_not(policy, index, facts),
        Rule::When => policy.when.as_ref().map_or(Verdict::Holds, |when| must_hold(when, facts)),
        // Not a rule for asking: nothing is allowed by mistake.
        _ => Verdict::Forbids("this rule does not decide here".to_owned()),
    }
}

/// A text that is not there fits every pattern: whether it must be there is another rule.
fn matches(pattern: Option<&crate::policy::Pattern>, text: Option<&str>, what: &str) -> Verdict {
    match (pattern, text.filter(|text| !text.trim().is_empty())) {
        (Some(pattern), Some(text)) if !pattern.matches(text) => {
            Verdict::Forbids(format!("{what} does not look like `{}`", pattern.source()))
        }
        _ => Verdict::Holds,
    }
}
