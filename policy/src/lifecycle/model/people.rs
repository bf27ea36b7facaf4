//! Who there is, and under which rules they ask.

use super::*;
use crate::names::{Namespace, PolicyName};
use crate::policy::tests::good;
use crate::policy::{HookInput, StageInput};
use crate::scope::Scope;

pub(super) const PEOPLE: [(&str, &str, &str); 8] = [
    ("idp", "1", "alice"),
    ("other", "9", "Alice"),
    ("idp", "1", "alice.renamed"),
    ("idp", "2", "bob"),
    ("idp", "3", "BOB"),
    ("idp", "4", "carol"),
    ("idp", "5", "dave"),
    ("idp", "6", "erin"),
];

pub(super) const GROUPS: [&str; 3] = ["leads", "security", "auditors"];
pub(super) const LEADS: u8 = 1;
pub(super) const SECURITY: u8 = 2;
pub(super) const AUDITORS: u8 = 4;
pub(super) const ALL_GROUPS: u8 = 7;
pub(super) const HOOKS: [&str; 2] = ["opa", "jira"];

/// For how long alice asks, what her policy's longest time is, and how long a request waits under it.
pub(super) const ASKED: i64 = 60;
pub(super) const LONGEST: i64 = 150;
pub(super) const PATIENCE: i64 = 600;

/// Who is one person, whatever they call themselves.
pub(super) const fn human(person: usize) -> usize {
    match person {
        0..=2 => 0,
        3..=4 => 3,
        other => other,
    }
}

pub(super) fn principal(person: usize) -> Principal {
    let (issuer, subject, username) = PEOPLE[person];
    Principal { issuer: issuer.into(), subject: subject.into(), username: username.into() }
}

pub(super) fn actor(person: usize, groups: u8) -> Actor {
    let groups = GROUPS.iter().enumerate().filter(|(bit, _)| groups & (1 << bit) != 0);
    let groups = groups.map(|(_, group)| (*group).to_owned()).collect();
    let principal = principal(person);
    Actor { person: Person { username: principal.username.clone(), groups }, principal }
}

pub(super) fn second(n: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + n).unwrap()
}

/// What the policy demands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// So many leads.
    Plain(u32),
    /// One lead, then two of security or the auditors.
    Staged,
    /// One lead, unless its condition approves.
    Auto,
    /// Break-glass, reviewed by auditors.
    Glass,
}

impl Kind {
    /// Whose approvals it takes, in order.
    pub(super) fn demands(self) -> Vec<u8> {
        match self {
            Self::Plain(count) => vec![LEADS; count as usize],
            Self::Staged => vec![LEADS, SECURITY | AUDITORS, SECURITY | AUDITORS],
            Self::Auto => vec![LEADS],
            Self::Glass => vec![],
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) kind: Kind,
    pub(super) hooks: usize,
    pub(super) waits: bool,
    pub(super) start_at: Option<i64>,
    pub(super) version: i64,
}

impl Rules {
    /// Another version has another longest time.
    pub(super) fn longest(&self) -> i64 {
        LONGEST + self.version
    }

    pub(super) fn policy(&self) -> Policy {
        let mut input = good();
        input.max_duration = format!("{}s", self.longest());
        input.expires_after = Some(format!("{PATIENCE}s"));
        (input.approvals, input.approver_groups) = (0, vec![]);
        let hook = |name: &&str| HookInput { name: (*name).into(), waits: self.waits, recheck: None };
        input.hooks = HOOKS[..self.hooks].iter().map(hook).collect();
        let stage = |name: &str, required, groups: &[&str]| StageInput {
            name: name.into(),
            required,
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        };
        match self.kind {
            Kind::Plain(count) => (input.approvals, input.approver_groups) = (count, vec!["leads".into()]),
            Kind::Staged => {
                input.stages =
                    vec![stage("team", 1, &["leads"]), stage("safety", 2, &["security", "auditors"])];
            }
            Kind::Auto => {
                (input.approvals, input.approver_groups) = (1, vec!["leads".into()]);
                input.auto_approve = Some("true".into());
            }
            Kind::Glass => input.break_glass = Some(vec!["auditors".into()]),
        }
        Policy::parse("oncall-debug", &input).unwrap()
    }

    pub(super) fn asked(&self) -> Asked {
        Asked {
            by: principal(0),
            policy: PolicyName::parse("oncall-debug").unwrap(),
            scope: Scope::of([Namespace::parse("payments").unwrap()]),
            duration: Duration::from_secs(ASKED.unsigned_abs()),
            at: second(0),
            ticket: None,
            start_at: self.start_at.map(second),
            extends: None,
        }
    }
}
