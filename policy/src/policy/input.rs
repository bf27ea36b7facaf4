//! `AccessPolicy` as it is written: what [`super::Policy::parse`] reads.

use crate::commands::CommandsInput;
use crate::selector::SelectorInput;

/// A policy as it is written, unchecked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyInput {
    /// `subjects.groups`.
    pub subject_groups: Vec<String>,
    /// `namespaces`.
    pub namespaces: Vec<String>,
    /// `podSelector`.
    pub pod_selector: SelectorInput,
    /// `allow`.
    pub allow: AllowInput,
    /// `clusterRole`.
    pub cluster_role: String,
    /// `maxDuration`.
    pub max_duration: String,
    /// `approval.required`.
    pub approvals: u32,
    /// `approval.groups`.
    pub approver_groups: Vec<String>,
    /// `reasonRequired`.
    pub reason_required: bool,
    /// `record`.
    pub record: bool,
    /// `approval.stages`.
    pub stages: Vec<StageInput>,
    /// `approval.expiresAfter`.
    pub expires_after: Option<String>,
    /// `approval.hooks`.
    pub hooks: Vec<HookInput>,
    /// `reasonPattern`.
    pub reason_pattern: Option<String>,
    /// `ticket`: whether one is required, and its pattern.
    pub ticket: Option<(bool, Option<String>)>,
    /// `when`.
    pub when: Option<String>,
    /// `autoApprove`.
    pub auto_approve: Option<String>,
    /// `deny`: conditions, each with what the person is told.
    pub deny: Vec<(String, Option<String>)>,
    /// `limits.open`.
    pub open_limit: Option<u32>,
    /// `limits.perHour`.
    pub hourly_limit: Option<u32>,
    /// `idleTimeout`.
    pub idle_timeout: Option<String>,
    /// `ownIdentity`.
    pub own_identity: bool,
    /// `breakGlass.reviewers`; `None` where `breakGlass` is absent.
    pub break_glass: Option<Vec<String>>,
    /// `commands`; `None` where any may run.
    pub commands: Option<CommandsInput>,
}

/// One of `approval.stages`, unchecked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StageInput {
    /// `name`.
    pub name: String,
    /// `required`.
    pub required: u32,
    /// `groups`.
    pub groups: Vec<String>,
}

/// One of `approval.hooks`, unchecked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HookInput {
    /// `name`.
    pub name: String,
    /// Whether `unreachable` is `Wait`.
    pub waits: bool,
    /// `recheck`.
    pub recheck: Option<String>,
}

/// `allow`, unchecked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowInput {
    /// `shell`.
    pub shell: bool,
    /// `exec`.
    pub exec: bool,
    /// `logs`.
    pub logs: bool,
    /// `forward.ports`; `None` where `forward` is absent.
    pub forward: Option<Vec<String>>,
}
