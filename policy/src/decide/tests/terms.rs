//! Conditions made at random, each with its text in CEL and its value by hand. A value is `None` where CEL comes to an
//! error; `&&` and `||` absorb an error that cannot change the result, as the language says.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;

#[derive(Debug, Clone)]
pub(super) enum Term {
    Constant(bool),
    InGroup(&'static str),
    AtMost(u64),
    ReasonHas(&'static str),
    DeniedAtLeast(u32),
    /// Without asking first whether the label is there.
    LabelIs(&'static str, &'static str),
    HasLabel(&'static str),
    Not(Box<Term>),
    And(Box<Term>, Box<Term>),
    Or(Box<Term>, Box<Term>),
}

/// What a term is evaluated on.
pub(super) struct World<'a> {
    pub(super) groups: &'a BTreeSet<String>,
    pub(super) seconds: u64,
    pub(super) reason: &'a str,
    pub(super) denied: u32,
    pub(super) labels: Option<&'a BTreeMap<String, String>>,
}

pub(super) fn terms(target: bool) -> impl Strategy<Value = Term> {
    let plain = prop_oneof![
        any::<bool>().prop_map(Term::Constant),
        select(&["oncall", "leads", "sales"][..]).prop_map(Term::InGroup),
        (0u64..10_000).prop_map(Term::AtMost),
        select(&["INC", "more"][..]).prop_map(Term::ReasonHas),
        (0u32..4).prop_map(Term::DeniedAtLeast),
    ];
    let labels = prop_oneof![
        (select(&["app", "tier"][..]), select(&["api", "web"][..]))
            .prop_map(|(key, value)| Term::LabelIs(key, value)),
        select(&["app", "tier"][..]).prop_map(Term::HasLabel),
    ];
    let leaf = if target { prop_oneof![plain, labels].boxed() } else { plain.boxed() };
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|term| Term::Not(Box::new(term))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Term::And(Box::new(a), Box::new(b))),
            (inner.clone(), inner).prop_map(|(a, b)| Term::Or(Box::new(a), Box::new(b))),
        ]
    })
}

impl Term {
    pub(super) fn cel(&self) -> String {
        match self {
            Self::Constant(value) => value.to_string(),
            Self::InGroup(group) => format!("\"{group}\" in groups"),
            Self::AtMost(seconds) => format!("request.duration <= duration(\"{seconds}s\")"),
            Self::ReasonHas(word) => format!("request.reason.contains('{word}')"),
            Self::DeniedAtLeast(times) => format!("history.deniedLastDay >= {times}"),
            Self::LabelIs(key, value) => format!("target.labels['{key}'] == '{value}'"),
            Self::HasLabel(key) => format!("'{key}' in target.labels"),
            Self::Not(term) => format!("!({})", term.cel()),
            Self::And(a, b) => format!("({} && {})", a.cel(), b.cel()),
            Self::Or(a, b) => format!("({} || {})", a.cel(), b.cel()),
        }
    }

    pub(super) fn value(&self, world: &World<'_>) -> Option<bool> {
        match self {
            Self::Constant(value) => Some(*value),
            Self::InGroup(group) => Some(world.groups.contains(*group)),
            Self::AtMost(seconds) => Some(world.seconds <= *seconds),
            Self::ReasonHas(word) => Some(world.reason.contains(word)),
            Self::DeniedAtLeast(times) => Some(world.denied >= *times),
            Self::LabelIs(key, value) => world.labels?.get(*key).map(|there| there == value),
            Self::HasLabel(key) => Some(world.labels?.contains_key(*key)),
            Self::Not(term) => term.value(world).map(|value| !value),
            Self::And(a, b) => match (a.value(world), b.value(world)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(a, b) => match (a.value(world), b.value(world)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
        }
    }

    pub(super) fn mentions_target(&self) -> bool {
        match self {
            Self::LabelIs(..) | Self::HasLabel(_) => true,
            Self::Not(term) => term.mentions_target(),
            Self::And(a, b) | Self::Or(a, b) => a.mentions_target() || b.mentions_target(),
            _ => false,
        }
    }

    pub(super) fn mentions_history(&self) -> bool {
        match self {
            Self::DeniedAtLeast(_) => true,
            Self::Not(term) => term.mentions_history(),
            Self::And(a, b) | Self::Or(a, b) => a.mentions_history() || b.mentions_history(),
            _ => false,
        }
    }
}
