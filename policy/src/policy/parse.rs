//! From what is written to a valid policy, or the first field that is wrong.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::{
    AllowInput, ApprovalRound, DenyRule, HookInput, HookRule, Pattern, Policy, PolicyInput, Rules, StageInput,
};
use crate::commands::{Commands, OnDenied};
use crate::condition::{Condition, Mentions};
use crate::duration;
use crate::names::{Namespace, PolicyName};
use crate::ports::Ports;
use crate::selector::Selector;

/// The longest window a policy may give: a week.
const LONGEST_WINDOW: Duration = Duration::from_secs(7 * 24 * 3600);
/// The most approvals that a policy may ask for.
const MOST_APPROVALS: u32 = 10;
/// How long a request waits for approvals where the policy says nothing.
pub(crate) const USUAL_PATIENCE: Duration = Duration::from_secs(24 * 3600);
/// How many requests of one person may be open at once, and made within an hour, where the policy says nothing.
const USUAL_OPEN: u32 = 20;
const USUAL_HOURLY: u32 = 60;
/// The longest name of a group.
const LONGEST_GROUP: usize = 256;

/// Why a policy is not valid: the field, as its YAML names it, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct PolicyError {
    /// The field.
    pub field: String,
    /// What is wrong.
    pub problem: String,
}

fn wrong(field: impl Into<String>, problem: impl ToString) -> PolicyError {
    PolicyError { field: field.into(), problem: problem.to_string() }
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
        let condition =
            |field: &str, source: &String| Condition::parse(source).map_err(|problem| wrong(field, problem));
        let when = input.when.as_ref().map(|source| condition("when", source)).transpose()?;
        let auto_approve =
            input.auto_approve.as_ref().map(|source| condition("autoApprove", source)).transpose()?;
        if auto_approve.as_ref().is_some_and(Condition::needs_target) {
            return Err(wrong(
                "autoApprove",
                "cannot speak of `target`: it is decided before the grant is used",
            ));
        }
        let deny = input
            .deny
            .iter()
            .enumerate()
            .map(|(index, (source, message))| {
                let condition = condition(&format!("deny[{index}].if"), source)?;
                Ok(DenyRule { condition, message: message.clone() })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let commands = input.commands.as_ref().map(Commands::parse).transpose();
        let commands =
            commands.map_err(|(field, problem)| wrong(format!("commands.{field}"), problem))?.map(Arc::new);
        if let Some(commands) = &commands {
            if !(shell || exec) {
                return Err(wrong("commands", "goes with `allow.shell` or `allow.exec`"));
            }
            if commands.on_denied() == OnDenied::Ask && approver_groups.is_empty() && input.stages.is_empty()
            {
                return Err(wrong(
                    "commands.onDenied",
                    "`Ask` needs `approval.groups`: nobody could be asked",
                ));
            }
        }
        let (ticket_required, ticket_pattern) = match &input.ticket {
            Some((required, pattern)) => (*required, pattern.as_ref()),
            None => (false, None),
        };
        Ok(Self(Arc::new(Rules {
            name,
            mentions: when
                .iter()
                .chain(&auto_approve)
                .chain(deny.iter().map(|deny| &deny.condition))
                .fold(Mentions::default(), |all, one| all.and(one.mentions())),
            when,
            auto_approve,
            deny,
            reason_pattern: pattern("reasonPattern", input.reason_pattern.as_ref())?,
            ticket_required,
            ticket_pattern: pattern("ticket.pattern", ticket_pattern)?,
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
            commands,
        })))
    }
}

/// A pattern for the whole of a text. The matcher is linear in the text; its own size is bounded here.
fn pattern(field: &'static str, source: Option<&String>) -> Result<Option<Pattern>, PolicyError> {
    let Some(source) = source else { return Ok(None) };
    let whole = format!("^(?:{source})$");
    let regex = regex::RegexBuilder::new(&whole).size_limit(LARGEST_PATTERN).nest_limit(32).build();
    // On its own first: `a)|(b` would be two halves of a whole.
    let alone = regex::RegexBuilder::new(source).size_limit(LARGEST_PATTERN).nest_limit(32).build();
    match alone.and(regex) {
        Ok(regex) => Ok(Some(Pattern { source: source.clone(), regex })),
        Err(error) => {
            let said = error.to_string();
            let last = said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            Err(wrong(field, format!("is no regular expression: {last}")))
        }
    }
}

/// The largest pattern, compiled, in bytes.
const LARGEST_PATTERN: usize = 256 * 1024;

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
