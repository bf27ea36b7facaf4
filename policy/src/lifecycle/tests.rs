//! Single rules, one by one, with what each refuses.

use std::collections::BTreeSet;

use super::*;
use crate::names::{Namespace, PolicyName};
use crate::policy::tests::good;
use crate::policy::{HookInput, PolicyInput, StageInput};
use crate::scope::Scope;

fn principal(name: &str) -> Principal {
    Principal { issuer: "idp".into(), subject: format!("id-{name}"), username: name.into() }
}

fn actor(name: &str, groups: &[&str]) -> Actor {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    Actor { principal: principal(name), person: Person { username: name.into(), groups } }
}

fn lead(name: &str) -> Actor {
    actor(name, &["leads"])
}

fn second(n: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + n).unwrap()
}

fn asked() -> Asked {
    Asked {
        by: principal("alice"),
        policy: PolicyName::parse("oncall-debug").unwrap(),
        scope: Scope::of([Namespace::parse("payments").unwrap()]),
        duration: Duration::from_secs(60),
        at: second(0),
        ticket: None,
        start_at: None,
        extends: None,
    }
}

fn policy(change: impl FnOnce(&mut PolicyInput)) -> Policy {
    let mut input = good();
    input.max_duration = "3m".into();
    change(&mut input);
    Policy::parse("oncall-debug", &input).unwrap()
}

fn plain() -> Policy {
    policy(|_| {})
}

/// First one lead, then two of security or audit.
fn staged() -> Policy {
    policy(|input| {
        (input.approvals, input.approver_groups) = (0, vec![]);
        let stage = |name: &str, required, groups: &[&str]| StageInput {
            name: name.into(),
            required,
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        };
        input.stages = vec![stage("team", 1, &["leads"]), stage("safety", 2, &["security", "audit"])];
    })
}

fn checked(waits: bool) -> Policy {
    policy(|input| {
        let hook = |name: &str| HookInput { name: name.into(), waits, recheck: None };
        input.hooks = vec![hook("opa"), hook("jira")];
    })
}

fn glass() -> Policy {
    policy(|input| {
        (input.approvals, input.approver_groups) = (0, vec![]);
        input.break_glass = Some(vec!["auditors".into()]);
    })
}

fn says(name: &str, allow: Option<bool>) -> CheckAnswer {
    let reasons =
        if allow == Some(true) { vec![] } else { vec!["no change window".into(), "ask later".into()] };
    CheckAnswer { name: name.into(), allow, reasons, at: second(0) }
}

/// A step that must not be refused.
fn go(life: Life, command: &Command<'_>, at: i64) -> Life {
    let step = step(life, command, second(at));
    assert_eq!(step.refused, None, "{command:?}");
    step.life
}

/// The rule that refuses a step, which changes nothing.
fn refusal(life: &Life, command: &Command<'_>, at: i64) -> Rule {
    let step = step(life.clone(), command, second(at));
    assert_eq!(step.life, *life, "a refused command changes nothing");
    assert_eq!(step.effects, []);
    step.refused.expect("must be refused").rule
}

fn approved() -> Life {
    go(Life::begin(asked()), &Command::Approve { by: &lead("bob"), policy: &plain() }, 0)
}

fn active() -> Life {
    go(approved(), &Command::Activate, 1)
}

mod ends;
mod forged;
mod ways;
