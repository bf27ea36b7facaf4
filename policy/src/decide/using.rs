//! Whether a grant allows a use.

use jiff::Timestamp;

use super::{Verdict, must_hold, must_not};
use crate::action::Action;
use crate::condition::{Condition, Facts};
use crate::policy::Policy;
use crate::question::{Question, TargetFacts, Use};
use crate::rule::{Denied, Rule};
use crate::scope::Scope;
use crate::window::Window;

/// The rules that a policy has for using a grant, in the order in which they are evaluated. Those that depend on the pod
/// are skipped while it is not known.
#[must_use]
pub fn using_rules(policy: &Policy) -> Vec<Rule> {
    let mut rules = vec![
        Rule::Window,
        Rule::Namespaces,
        Rule::Allow,
        Rule::Ports,
        Rule::ScopePorts,
        Rule::PodSelector,
        Rule::ScopePods,
        Rule::ScopeContainers,
    ];
    rules.extend((0..policy.deny.len()).map(Rule::Deny));
    rules.extend(policy.when.as_ref().map(|_| Rule::When));
    rules
}

/// Whether a grant of `policy` on `granted` inside `window` allows this use now. `question` is what was asked, with the
/// person as they are now.
///
/// # Errors
/// The rule that forbids it.
pub fn permits(
    policy: &Policy,
    granted: &Scope,
    window: &Window,
    question: &Question<'_>,
    used: &Use<'_>,
    now: Timestamp,
) -> Result<(), Denied> {
    let facts = Facts::new(policy, question, Some(used));
    for rule in using_rules(policy) {
        if let Verdict::Forbids(why) = check(policy, granted, window, &facts, used, now, rule) {
            return Err(Denied::new(policy, rule, why));
        }
    }
    Ok(())
}

fn check(
    policy: &Policy,
    granted: &Scope,
    window: &Window,
    facts: &Facts<'_>,
    used: &Use<'_>,
    now: Timestamp,
    rule: Rule,
) -> Verdict {
    let unless = |holds: bool, why: &dyn Fn() -> String| {
        if holds { Verdict::Holds } else { Verdict::Forbids(why()) }
    };
    let port = if let Action::Forward { port } = used.action { Some(*port) } else { None };
    match rule {
        Rule::Window if now >= window.end => Verdict::Forbids("the grant has ended".to_owned()),
        Rule::Window => unless(now >= window.start, &|| "the grant has not begun".to_owned()),
        // What was approved may be less than the policy has, and a policy in hand may have less than was approved.
        Rule::Namespaces => {
            let inside =
                granted.namespaces.contains(used.namespace) && policy.namespaces.contains(used.namespace);
            unless(inside, &|| format!("namespace `{}` is not part of the grant", used.namespace))
        }
        Rule::Allow => {
            let allowed = match used.action {
                Action::Shell => policy.shell,
                Action::Exec => policy.exec,
                Action::Logs => policy.logs,
                Action::Forward { .. } => !policy.ports.is_empty(),
                Action::Look => true,
            };
            unless(allowed, &|| format!("{} is not allowed", used.action))
        }
        Rule::Ports => unless(port.is_none_or(|port| policy.ports.contains(port)), &|| {
            format!("port {} is not one of {}", port.unwrap_or_default(), policy.ports)
        }),
        Rule::ScopePorts => {
            let inside = port.is_none_or(|port| granted.ports.is_empty() || granted.ports.contains(&port));
            unless(inside, &|| format!("port {} is not part of the grant", port.unwrap_or_default()))
        }
        Rule::PodSelector => {
            unless(used.target.is_none_or(|target| policy.selector.matches(target.labels)), &|| {
                "the pod's labels are not among those selected".to_owned()
            })
        }
        Rule::ScopePods => unless(used.target.is_none_or(|target| in_scope(granted, &target)), &|| {
            "the grant is for other pods".to_owned()
        }),
        Rule::ScopeContainers => {
            // A log, a command or a shell has a container; one that is not known yet is not one of those granted.
            let needs = !matches!(used.action, Action::Look | Action::Forward { .. });
            let inside = |target: TargetFacts<'_>| {
                granted.containers.is_empty()
                    || !needs
                    || target.container.is_some_and(|container| granted.containers.contains(container))
            };
            unless(used.target.is_none_or(inside), &|| "the grant is for other containers".to_owned())
        }
        Rule::Deny(index) => match policy.deny.get(index) {
            Some(deny) if !undecided(&deny.condition, used) => must_not(policy, index, facts),
            _ => Verdict::Holds,
        },
        Rule::When => match &policy.when {
            Some(when) if !undecided(when, used) => must_hold(when, facts),
            _ => Verdict::Holds,
        },
        // Not a rule for using: nothing is allowed by mistake.
        _ => Verdict::Forbids("this rule does not decide here".to_owned()),
    }
}

/// Whether a condition is none of this decision's: the pod is not known yet, or it was settled when the request was made.
/// Looking which pods there are is not a use of any: what speaks of the target hides no names.
fn undecided(condition: &Condition, used: &Use<'_>) -> bool {
    condition.needs_history()
        || (condition.needs_target() && (used.target.is_none() || *used.action == Action::Look))
}

fn in_scope(granted: &Scope, target: &TargetFacts<'_>) -> bool {
    granted.is_any_pod()
        || granted.pods.contains(target.pod)
        || target.owner.is_some_and(|owner| granted.workloads.contains(owner))
}
