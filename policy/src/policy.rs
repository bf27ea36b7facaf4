//! `AccessPolicy`, parsed: whoever holds a [`Policy`] holds a valid one.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::duration;
use crate::names::{Namespace, PolicyName};
use crate::ports::Ports;
use crate::selector::{Selector, SelectorInput};

/// The longest window a policy may give: a week.
pub(crate) const LONGEST_WINDOW: Duration = Duration::from_secs(7 * 24 * 3600);
/// The most approvals that a policy may ask for.
pub(crate) const MOST_APPROVALS: u32 = 10;
/// How long a request waits for approvals where the policy says nothing.
pub(crate) const USUAL_PATIENCE: Duration = Duration::from_secs(24 * 3600);
/// How many requests of one person may be open at once, and made within an hour, where the policy says nothing.
pub(crate) const USUAL_OPEN: u32 = 20;
pub(crate) const USUAL_HOURLY: u32 = 60;
/// The longest name of a group.
pub(crate) const LONGEST_GROUP: usize = 256;

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

/// A valid policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
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
    pub(crate) reason_required: bool,
    pub(crate) open_limit: u32,
    pub(crate) hourly_limit: u32,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) own_identity: bool,
    pub(crate) reviewers: Option<BTreeSet<String>>,
    pub(crate) record: bool,
    pub(crate) auto_approve: bool,
}

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

/// Why a policy is not valid: the field, as its YAML names it, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct PolicyError {
    /// The field.
    pub field: &'static str,
    /// What is wrong.
    pub problem: String,
}

fn wrong(field: &'static str, problem: impl ToString) -> PolicyError {
    PolicyError { field, problem: problem.to_string() }
}

impl Policy {
    /// Checks a policy.
    ///
    /// # Errors
    /// At the first field that is missing, out of bounds or cannot be evaluated.
    pub fn parse(name: &str, input: &PolicyInput) -> Result<Self, PolicyError> {
        let name = PolicyName::parse(name).map_err(|error| wrong("metadata.name", error))?;
        let subject_groups = groups("subjects.groups", &input.subject_groups)?;
        if subject_groups.is_empty() {
            return Err(wrong("subjects.groups", "names nobody who may ask"));
        }
        let namespaces = input
            .namespaces
            .iter()
            .map(|text| Namespace::parse(text).map_err(|error| wrong("namespaces", error)))
            .collect::<Result<BTreeSet<_>, _>>()?;
        if namespaces.is_empty() {
            return Err(wrong("namespaces", "names none; each one is listed, there is no `*`"));
        }
        let selector = Selector::parse(&input.pod_selector).map_err(|error| wrong("podSelector", error))?;
        let AllowInput { shell, exec, logs, ref forward } = input.allow;
        let ports = Ports::parse(forward.iter().flatten().map(String::as_str))
            .map_err(|error| wrong("allow.forward.ports", error))?;
        if forward.is_some() && ports.is_empty() {
            return Err(wrong("allow.forward.ports", "names none; leave `forward` out to allow no tunnels"));
        }
        if !(shell || exec || logs || !ports.is_empty()) {
            return Err(wrong("allow", "allows nothing"));
        }
        let cluster_role = role(&input.cluster_role)?;
        let max_duration =
            duration::parse(&input.max_duration).map_err(|error| wrong("maxDuration", error))?;
        if max_duration.is_zero() || max_duration > LONGEST_WINDOW {
            let longest = duration::show(LONGEST_WINDOW);
            return Err(wrong("maxDuration", format!("lies between 1s and {longest}")));
        }
        let approver_groups = groups("approval.groups", &input.approver_groups)?;
        if input.approvals > MOST_APPROVALS {
            return Err(wrong("approval.required", format!("is at most {MOST_APPROVALS}")));
        }
        if input.approvals > 0 && approver_groups.is_empty() {
            return Err(wrong("approval.groups", "names nobody, so nobody could ever approve"));
        }
        let stages = stages(input, &approver_groups)?;
        let approvals = if input.stages.is_empty() {
            input.approvals
        } else {
            stages.iter().map(|stage| stage.required).sum()
        };
        if approvals > MOST_APPROVALS {
            return Err(wrong("approval.stages", format!("together ask for at most {MOST_APPROVALS}")));
        }
        let length =
            |field, text: &Option<String>| text.as_deref().map(|text| window(field, text)).transpose();
        let patience = length("approval.expiresAfter", &input.expires_after)?.unwrap_or(USUAL_PATIENCE);
        let idle_timeout = length("idleTimeout", &input.idle_timeout)?;
        if idle_timeout.is_some_and(|idle| idle < SHORTEST_IDLE) {
            return Err(wrong("idleTimeout", format!("is at least {}", duration::show(SHORTEST_IDLE))));
        }
        let reviewers = input
            .break_glass
            .as_ref()
            .map(|reviewers| groups("breakGlass.reviewers", reviewers))
            .transpose()?;
        if reviewers.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(wrong("breakGlass.reviewers", "names nobody, so no review could ever be closed"));
        }
        if reviewers.is_some() && approvals > 0 {
            return Err(wrong(
                "breakGlass",
                "lets in at once: it goes with `approval.required: 0` and no stages",
            ));
        }
        if reviewers.is_some() && !input.record {
            return Err(wrong("breakGlass", "is always recorded: leave `record` out"));
        }
        Ok(Self {
            name,
            stages,
            patience,
            hooks: hooks(&input.hooks)?,
            open_limit: input.open_limit.unwrap_or(USUAL_OPEN).clamp(1, 100),
            hourly_limit: input.hourly_limit.unwrap_or(USUAL_HOURLY).clamp(1, 1000),
            idle_timeout,
            own_identity: input.own_identity,
            reviewers,
            subject_groups,
            namespaces,
            selector,
            shell,
            exec,
            logs,
            ports,
            cluster_role,
            max_duration,
            approvals,
            approver_groups: stage_groups(approver_groups, &input.stages)?,
            reason_required: input.reason_required,
            record: input.record,
            auto_approve: input.auto_approve.is_some(),
        })
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &PolicyName {
        &self.name
    }

    /// Who may ask.
    #[must_use]
    pub const fn subject_groups(&self) -> &BTreeSet<String> {
        &self.subject_groups
    }

    /// Where.
    #[must_use]
    pub const fn namespaces(&self) -> &BTreeSet<Namespace> {
        &self.namespaces
    }

    /// For which pods.
    #[must_use]
    pub const fn selector(&self) -> &Selector {
        &self.selector
    }

    /// Where tunnels may lead.
    #[must_use]
    pub const fn ports(&self) -> &Ports {
        &self.ports
    }

    /// The ClusterRole that a grant binds in each of its namespaces.
    #[must_use]
    pub fn cluster_role(&self) -> &str {
        &self.cluster_role
    }

    /// The longest window.
    #[must_use]
    pub const fn max_duration(&self) -> Duration {
        self.max_duration
    }

    /// How many approvals it takes; 0 lets in at once.
    #[must_use]
    pub const fn approvals(&self) -> u32 {
        self.approvals
    }

    /// Who may approve, deny and revoke.
    #[must_use]
    pub const fn approver_groups(&self) -> &BTreeSet<String> {
        &self.approver_groups
    }

    /// Whether it has a condition that approves by itself.
    #[must_use]
    pub const fn has_auto_approve(&self) -> bool {
        self.auto_approve
    }

    /// Whether one must say why.
    #[must_use]
    pub const fn reason_required(&self) -> bool {
        self.reason_required
    }

    /// Whether sessions are recorded, and do not run where they cannot be.
    #[must_use]
    pub const fn must_record(&self) -> bool {
        self.record
    }

    /// The rounds of approvals, in order; empty where it lets in at once.
    #[must_use]
    pub fn stages(&self) -> &[ApprovalRound] {
        &self.stages
    }

    /// How long a request waits for an answer.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        self.patience
    }

    /// The external checks that must agree.
    #[must_use]
    pub fn hooks(&self) -> &[HookRule] {
        &self.hooks
    }

    /// How many requests and grants of one person may be open at once.
    #[must_use]
    pub const fn open_limit(&self) -> u32 {
        self.open_limit
    }

    /// How many requests one person may make within 60 minutes.
    #[must_use]
    pub const fn hourly_limit(&self) -> u32 {
        self.hourly_limit
    }

    /// How long a grant may go unused.
    #[must_use]
    pub const fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout
    }

    /// Whether the role is bound to the person's own cluster identity too.
    #[must_use]
    pub const fn own_identity(&self) -> bool {
        self.own_identity
    }

    /// Whether it is break-glass: immediate, recorded, told to everyone, reviewed afterwards.
    #[must_use]
    pub const fn is_break_glass(&self) -> bool {
        self.reviewers.is_some()
    }

    /// Who closes the review of a break-glass; `None` where it is none.
    #[must_use]
    pub const fn reviewers(&self) -> Option<&BTreeSet<String>> {
        self.reviewers.as_ref()
    }

    /// What it allows, in words: `shell`, `exec`, `logs`, `forward`.
    #[must_use]
    pub fn allowed(&self) -> Vec<&'static str> {
        [(self.shell, "shell"), (self.exec, "exec"), (self.logs, "logs"), (!self.ports.is_empty(), "forward")]
            .into_iter()
            .filter_map(|(allowed, word)| allowed.then_some(word))
            .collect()
    }
}

/// The shortest idle time: shorter ones would be ended by a gap between two reports of use.
const SHORTEST_IDLE: Duration = Duration::from_secs(20);

fn window(field: &'static str, text: &str) -> Result<Duration, PolicyError> {
    let length = duration::parse(text).map_err(|error| wrong(field, error))?;
    if length.is_zero() || length > LONGEST_WINDOW {
        return Err(wrong(field, format!("lies between 1s and {}", duration::show(LONGEST_WINDOW))));
    }
    Ok(length)
}

fn stages(input: &PolicyInput, only: &BTreeSet<String>) -> Result<Vec<ApprovalRound>, PolicyError> {
    if input.stages.is_empty() {
        let one = ApprovalRound { name: String::new(), required: input.approvals, groups: only.clone() };
        return Ok(if input.approvals == 0 { Vec::new() } else { vec![one] });
    }
    if input.approvals > 0 {
        return Err(wrong("approval.stages", "stand instead of `required`, which must be 0 beside them"));
    }
    let mut rounds: Vec<ApprovalRound> = Vec::new();
    for stage in &input.stages {
        let name = Namespace::parse(&stage.name)
            .map_err(|_| wrong("approval.stages.name", "is a name of lower-case letters, digits and `-`"))?
            .to_string();
        if rounds.iter().any(|earlier| earlier.name == name) {
            return Err(wrong("approval.stages.name", format!("`{name}` is there twice")));
        }
        let groups = groups("approval.stages.groups", &stage.groups)?;
        if stage.required == 0 || groups.is_empty() {
            return Err(wrong("approval.stages", format!("`{name}` needs groups and at least one approval")));
        }
        rounds.push(ApprovalRound { name, required: stage.required, groups });
    }
    Ok(rounds)
}

/// Everybody who may approve something, deny and revoke.
fn stage_groups(only: BTreeSet<String>, stages: &[StageInput]) -> Result<BTreeSet<String>, PolicyError> {
    let mut all = only;
    for stage in stages {
        all.extend(groups("approval.stages.groups", &stage.groups)?);
    }
    Ok(all)
}

fn hooks(given: &[HookInput]) -> Result<Vec<HookRule>, PolicyError> {
    given
        .iter()
        .map(|hook| {
            let name = Namespace::parse(&hook.name).map_err(|_| {
                wrong("approval.hooks.name", "is a name of lower-case letters, digits and `-`")
            })?;
            let recheck =
                hook.recheck.as_deref().map(|text| window("approval.hooks.recheck", text)).transpose()?;
            Ok(HookRule { name: name.to_string(), waits: hook.waits, recheck })
        })
        .collect()
}

fn groups(field: &'static str, given: &[String]) -> Result<BTreeSet<String>, PolicyError> {
    for group in given {
        if group.is_empty() || group.len() > LONGEST_GROUP || group.chars().any(char::is_control) {
            return Err(wrong(
                field,
                format!("a group's name has 1 to {LONGEST_GROUP} printable characters"),
            ));
        }
        if group.starts_with("system:") || group.starts_with("sallyport:") {
            return Err(wrong(field, format!("`{group}` is not a group of people")));
        }
    }
    Ok(given.iter().cloned().collect())
}

/// What RBAC takes for a ClusterRole's name: anything that can stand between two slashes of a path.
fn role(name: &str) -> Result<String, PolicyError> {
    let fits = !name.is_empty()
        && name.len() <= 253
        && !matches!(name, "." | "..")
        && !name.contains(['/', '%'])
        && name.chars().all(|c| c.is_ascii_graphic());
    if fits { Ok(name.to_owned()) } else { Err(wrong("clusterRole", "is not the name of a ClusterRole")) }
}

/// From `start` on, until just before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first moment inside.
    pub start: Timestamp,
    /// The first moment outside again.
    pub end: Timestamp,
}

impl Window {
    /// Whether `now` is inside.
    #[must_use]
    pub fn contains(&self, now: Timestamp) -> bool {
        self.start <= now && now < self.end
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A policy that is good, to change one thing of.
    pub(crate) fn good() -> PolicyInput {
        PolicyInput {
            subject_groups: vec!["oncall".into()],
            namespaces: vec!["payments".into(), "staging".into()],
            allow: AllowInput { shell: true, exec: true, logs: true, forward: Some(vec!["5432".into()]) },
            cluster_role: "sallyport-debug".into(),
            max_duration: "2h".into(),
            approvals: 1,
            approver_groups: vec!["leads".into()],
            reason_required: true,
            record: true,
            ..PolicyInput::default()
        }
    }

    #[test]
    fn a_good_policy_is_taken_as_it_is() {
        let policy = Policy::parse("oncall-debug", &good()).unwrap();
        assert_eq!(policy.allowed(), ["shell", "exec", "logs", "forward"]);
        assert_eq!(policy.max_duration(), Duration::from_secs(7200));
        assert!(policy.must_record() && policy.reason_required());
    }

    #[test]
    fn each_fault_names_its_field() {
        type Break = fn(&mut PolicyInput);
        let faults: [(&str, Break); 19] = [
            ("subjects.groups", |p| p.subject_groups.clear()),
            ("subjects.groups", |p| p.subject_groups = vec![String::new()]),
            ("subjects.groups", |p| p.subject_groups = vec!["system:masters".into()]),
            ("subjects.groups", |p| p.subject_groups = vec!["sallyport:grant:x".into()]),
            ("namespaces", |p| p.namespaces.clear()),
            ("namespaces", |p| p.namespaces = vec!["*".into()]),
            ("podSelector", |p| {
                let requirement =
                    crate::RequirementInput { key: "a".into(), operator: "Near".into(), values: vec![] };
                p.pod_selector.match_expressions = vec![requirement];
            }),
            ("allow", |p| p.allow = AllowInput::default()),
            ("allow.forward.ports", |p| p.allow.forward = Some(vec![])),
            ("allow.forward.ports", |p| p.allow.forward = Some(vec!["http".into()])),
            ("clusterRole", |p| p.cluster_role = String::new()),
            ("clusterRole", |p| p.cluster_role = "../x".into()),
            ("maxDuration", |p| p.max_duration = "soon".into()),
            ("maxDuration", |p| p.max_duration = "0s".into()),
            ("maxDuration", |p| p.max_duration = "169h".into()),
            ("approval.groups", |p| p.approver_groups.clear()),
            ("approval.groups", |p| p.approver_groups = vec!["system:nodes".into()]),
            ("approval.groups", |p| p.approver_groups = vec!["a\nb".into()]),
            ("approval.required", |p| p.approvals = 11),
        ];
        for (field, fault) in faults {
            let mut input = good();
            fault(&mut input);
            assert_eq!(Policy::parse("oncall-debug", &input).unwrap_err().field, field, "{input:?}");
        }
        assert_eq!(Policy::parse("Oncall", &good()).unwrap_err().field, "metadata.name");
    }

    #[test]
    fn a_window_begins_inside_and_ends_outside() {
        let second = |n| Timestamp::from_second(n).unwrap();
        let window = Window { start: second(10), end: second(20) };
        let inside = [9, 10, 19, 20].map(|n| window.contains(second(n)));
        assert_eq!(inside, [false, true, true, false]);
    }
}
