//! `AccessPolicy`, parsed: whoever holds a [`Policy`] holds a valid one.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::action::Action;
use crate::commands::Commands;
use crate::condition::{Condition, Mentions};
use crate::names::{Namespace, PolicyName};
use crate::ports::Ports;
use crate::selector::Selector;

mod input;
mod parse;

pub use input::{AllowInput, HookInput, PolicyInput, StageInput};
pub use parse::PolicyError;
pub(crate) use parse::USUAL_PATIENCE;

/// A valid policy. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy(Arc<Rules>);

/// What a policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    pub(crate) name: PolicyName,
    pub(crate) subject_groups: BTreeSet<String>,
    pub(crate) namespaces: BTreeSet<Namespace>,
    pub(crate) selector: Selector,
    pub(crate) shell: bool,
    pub(crate) exec: bool,
    pub(crate) logs: bool,
    pub(crate) ports: Ports,
    pub(crate) cluster_role: String,
    pub(crate) max_duration: Duration,
    pub(crate) approvals: u32,
    pub(crate) approver_groups: BTreeSet<String>,
    pub(crate) stages: Vec<ApprovalRound>,
    pub(crate) patience: Duration,
    pub(crate) hooks: Vec<HookRule>,
    pub(crate) when: Option<Condition>,
    pub(crate) auto_approve: Option<Condition>,
    pub(crate) deny: Vec<DenyRule>,
    /// What all of them mention.
    pub(crate) mentions: Mentions,
    pub(crate) reason_required: bool,
    pub(crate) reason_pattern: Option<Pattern>,
    pub(crate) ticket_required: bool,
    pub(crate) ticket_pattern: Option<Pattern>,
    pub(crate) open_limit: u32,
    pub(crate) hourly_limit: u32,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) own_identity: bool,
    pub(crate) reviewers: Option<BTreeSet<String>>,
    pub(crate) record: bool,
    pub(crate) commands: Option<Arc<Commands>>,
}

/// A condition under which nothing is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenyRule {
    /// When.
    pub condition: Condition,
    /// What the person is told.
    pub message: Option<String>,
}

/// What a text must look like, as a whole.
#[derive(Debug, Clone)]
pub struct Pattern {
    source: String,
    regex: regex::Regex,
}

impl Pattern {
    /// Whether all of the text looks like it.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// As it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

/// One round of approvals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRound {
    /// What people call it; empty for the only one of a policy without `stages`.
    pub name: String,
    /// How many different people it takes; at least one.
    pub required: u32,
    /// Whose.
    pub groups: BTreeSet<String>,
}

/// An external check that a policy asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookRule {
    /// Its name in the gateway's configuration.
    pub name: String,
    /// Whether a request waits while it cannot be asked; else it is denied.
    pub waits: bool,
    /// How often it is asked again during a grant.
    pub recheck: Option<Duration>,
}

impl Deref for Policy {
    type Target = Rules;

    fn deref(&self) -> &Rules {
        &self.0
    }
}

impl Policy {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &PolicyName {
        &self.0.name
    }

    /// Who may ask.
    #[must_use]
    pub fn subject_groups(&self) -> &BTreeSet<String> {
        &self.0.subject_groups
    }

    /// Where.
    #[must_use]
    pub fn namespaces(&self) -> &BTreeSet<Namespace> {
        &self.0.namespaces
    }

    /// For which pods.
    #[must_use]
    pub fn selector(&self) -> &Selector {
        &self.0.selector
    }

    /// Where tunnels may lead.
    #[must_use]
    pub fn ports(&self) -> &Ports {
        &self.0.ports
    }

    /// The ClusterRole that a grant binds in each of its namespaces.
    #[must_use]
    pub fn cluster_role(&self) -> &str {
        &self.0.cluster_role
    }

    /// The longest window.
    #[must_use]
    pub fn max_duration(&self) -> Duration {
        self.0.max_duration
    }

    /// How many approvals it takes; 0 lets in at once.
    #[must_use]
    pub fn approvals(&self) -> u32 {
        self.0.approvals
    }

    /// Who may approve, deny and revoke.
    #[must_use]
    pub fn approver_groups(&self) -> &BTreeSet<String> {
        &self.0.approver_groups
    }

    /// Whether it has a condition that approves by itself.
    #[must_use]
    pub fn has_auto_approve(&self) -> bool {
        self.0.auto_approve.is_some()
    }

    /// What must hold for somebody to ask.
    #[must_use]
    pub fn when(&self) -> Option<&Condition> {
        self.0.when.as_ref()
    }

    /// Where no person has to approve.
    #[must_use]
    pub fn auto_approve(&self) -> Option<&Condition> {
        self.0.auto_approve.as_ref()
    }

    /// What always wins.
    #[must_use]
    pub fn deny(&self) -> &[DenyRule] {
        &self.0.deny
    }

    /// What a reason must look like.
    #[must_use]
    pub fn reason_pattern(&self) -> Option<&Pattern> {
        self.0.reason_pattern.as_ref()
    }

    /// Whether a ticket must be named.
    #[must_use]
    pub fn ticket_required(&self) -> bool {
        self.0.ticket_required
    }

    /// What a ticket must look like.
    #[must_use]
    pub fn ticket_pattern(&self) -> Option<&Pattern> {
        self.0.ticket_pattern.as_ref()
    }

    /// Whether one must say why.
    #[must_use]
    pub fn reason_required(&self) -> bool {
        self.0.reason_required
    }

    /// Whether sessions are recorded, and do not run where they cannot be. Under break-glass always, whatever it says.
    #[must_use]
    pub fn must_record(&self) -> bool {
        self.0.record || self.is_break_glass()
    }

    /// The rounds of approvals, in order; empty where it lets in at once.
    #[must_use]
    pub fn stages(&self) -> &[ApprovalRound] {
        &self.0.stages
    }

    /// How long a request waits for an answer.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.0.patience
    }

    /// The external checks that must agree.
    #[must_use]
    pub fn hooks(&self) -> &[HookRule] {
        &self.0.hooks
    }

    /// How many requests and grants of one person may be open at once.
    #[must_use]
    pub fn open_limit(&self) -> u32 {
        self.0.open_limit
    }

    /// How many requests one person may make within 60 minutes.
    #[must_use]
    pub fn hourly_limit(&self) -> u32 {
        self.0.hourly_limit
    }

    /// How long a grant may go unused.
    #[must_use]
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.0.idle_timeout
    }

    /// Whether the role is bound to the person's own cluster identity too.
    #[must_use]
    pub fn own_identity(&self) -> bool {
        self.0.own_identity
    }

    /// Whether it is break-glass: immediate, recorded, told to everyone, reviewed afterwards.
    #[must_use]
    pub fn is_break_glass(&self) -> bool {
        self.0.reviewers.is_some()
    }

    /// Who closes the review of a break-glass; `None` where it is none.
    #[must_use]
    pub fn reviewers(&self) -> Option<&BTreeSet<String>> {
        self.0.reviewers.as_ref()
    }

    /// Which commands may run; `None` where any may, in the container's own shell.
    #[must_use]
    pub fn commands(&self) -> Option<&Arc<Commands>> {
        self.0.commands.as_ref()
    }

    /// Whether a grant of it could be used like this, before any condition is asked.
    #[must_use]
    pub fn covers(&self, action: &Action, namespace: &Namespace) -> bool {
        self.namespaces.contains(namespace)
            && match action {
                Action::Shell => self.shell,
                Action::Exec => self.exec,
                Action::Logs => self.logs,
                Action::Forward { port } => self.ports.contains(*port),
                Action::Look => true,
            }
    }

    /// What it allows, in words: `shell`, `exec`, `logs`, `forward`.
    #[must_use]
    pub fn allowed(&self) -> Vec<&'static str> {
        [
            (self.0.shell, "shell"),
            (self.0.exec, "exec"),
            (self.0.logs, "logs"),
            (!self.0.ports.is_empty(), "forward"),
        ]
        .into_iter()
        .filter_map(|(allowed, word)| allowed.then_some(word))
        .collect()
    }
}

#[cfg(test)]
pub(crate) mod tests;
