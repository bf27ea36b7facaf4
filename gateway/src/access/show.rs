//! From what is stored to what is shown, and to whom.

use jiff::Timestamp;
use kube::ResourceExt;
use sallyport_policy::commands::{Assurance, Commands, RuleSummary, ShellKind, Way};
use sallyport_policy::lifecycle::{Life, Missing, Stage};
use sallyport_policy::{Person, Policy, Principal, may_approve};

use super::policies::Table;
use super::{
    ApprovalView, CheckView, CommandsView, PolicyView, RequestView, ReviewView, RuleView, StageView,
    VerdictView,
};
use crate::crd::{AccessRequest, HookAnswer, Phase, Requester, Verdict};
use crate::identity::Identity;

/// How long what has ended stays in the lists.
const REMEMBERED: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 3600);

pub(super) fn person(who: &Identity) -> Person {
    Person { username: who.username().to_owned(), groups: who.groups().clone() }
}

pub(super) fn principal(who: &Identity) -> Principal {
    Principal {
        issuer: who.issuer().to_owned(),
        subject: who.subject().to_owned(),
        username: who.username().to_owned(),
    }
}

/// Whether somebody is who asked: the same account, or, where the API server vouched for a request that was made with
/// `kubectl`, the same username.
pub(super) fn is_requester(who: &Identity, requester: &Requester) -> bool {
    if requester.issuer == super::seal::KUBERNETES {
        return requester.username == who.username() && requester.subject == requester.username;
    }
    requester.issuer == who.issuer() && requester.subject == who.subject()
}

/// Who acts: themselves, or the requester that they are to the API server.
pub(super) fn actor(who: &Identity, request: &AccessRequest) -> Principal {
    if is_requester(who, &request.spec.requester) { (&request.spec.requester).into() } else { principal(who) }
}

pub(super) fn policy_view(policy: &Policy) -> PolicyView {
    PolicyView {
        name: policy.name().to_string(),
        namespaces: policy.namespaces().iter().map(ToString::to_string).collect(),
        allow: policy.allowed(),
        ports: policy.ports().to_string(),
        cluster_role: policy.cluster_role().to_owned(),
        some_pods_only: !policy.selector().is_everything(),
        max_duration: sallyport_policy::duration::show(policy.max_duration()),
        approvals_required: policy.approvals(),
        approver_groups: policy.approver_groups().iter().cloned().collect(),
        reason_required: policy.reason_required(),
        record: policy.must_record(),
        break_glass: policy.is_break_glass(),
        commands: policy.commands().map(|commands| commands_view(commands)),
    }
}

fn commands_view(commands: &Commands) -> CommandsView {
    let (shell, way) = match commands.shell() {
        ShellKind::Guarded => ("guarded", Way::Guarded),
        ShellKind::Open => ("open", Way::Open),
    };
    let rule = |rule: RuleSummary| RuleView {
        rule: rule.name,
        says: rule.text,
        assurance: match rule.assurance {
            Assurance::Boundary => "boundary".to_owned(),
            Assurance::Guardrail { because } => format!("guardrail: {because}"),
        },
    };
    CommandsView { shell, rules: commands.rules(way).into_iter().map(rule).collect() }
}

/// The policy that counts for a request: as approved, or as it is now while nothing is approved.
fn terms<'a>(life: Option<&'a Life>, table: &'a Table, name: &str) -> Option<&'a Policy> {
    let live = || table.get(name).map(|in_force| &in_force.policy);
    match life.map(|life| &life.stage) {
        Some(Stage::Approved { terms, .. } | Stage::Active { terms, .. }) => Some(terms),
        Some(Stage::Pending { .. } | Stage::Ended(_)) | None => live(),
    }
}

/// Whether this request concerns `who`: their own, or one of a policy whose approver they are.
pub(super) fn concerns(request: &AccessRequest, who: &Identity, table: &Table) -> bool {
    if is_requester(who, &request.spec.requester) {
        return true;
    }
    let approved = request.status.as_ref().and_then(|status| status.policy.as_ref());
    let groups = approved.map(|observed| &observed.spec.approval.groups);
    let live = table.get(&request.spec.policy).map(|in_force| in_force.policy.approver_groups());
    groups.is_some_and(|groups| groups.iter().any(|group| who.groups().contains(group)))
        || live.is_some_and(|groups| groups.iter().any(|group| who.groups().contains(group)))
}

/// Whether a list still shows it.
pub(super) fn is_remembered(request: &AccessRequest, now: Timestamp) -> bool {
    let ended = request.status.as_ref().and_then(|status| status.ended_at);
    ended.and_then(|ended| ended.checked_add(REMEMBERED).ok()).is_none_or(|forgotten| now < forgotten)
}

fn verdict(verdict: &Verdict) -> VerdictView {
    VerdictView { by: verdict.by.clone(), at: verdict.at, reason: verdict.reason.clone() }
}

pub(super) fn request_view(
    request: &AccessRequest,
    who: &Identity,
    table: &Table,
    now: Timestamp,
) -> RequestView {
    let life = request.life();
    let life = life.as_ref().ok();
    let status = request.status.clone().unwrap_or_default();
    let me = principal(who);
    let requester: Principal = (&request.spec.requester).into();
    // One command has terms of its own, from the beginning.
    let once = request.is_for_one_command().then(|| request.terms().ok().flatten()).flatten();
    let policy = once.as_ref().or_else(|| terms(life, table, &request.spec.policy));
    // The reconciler may not have written it yet, but time is up all the same.
    let over = life.and_then(Life::expires).is_some_and(|deadline| now >= deadline);
    let phase = if over { Phase::Expired } else { status.phase };
    let left = status.window.filter(|_| phase == Phase::Active).map(|window| window.end.duration_since(now));
    let waiting = phase == Phase::Pending;
    let stages: Vec<StageView> = policy
        .zip(life)
        .filter(|_| waiting)
        .map(|(policy, life)| life.missing(policy).into_iter().map(stage_view).collect())
        .unwrap_or_default();
    let person = person(who);
    let approved = request.terms().ok().flatten();
    let reviewers = approved.as_ref().and_then(Policy::reviewers);
    let open_review = phase.is_final() && life.is_some_and(Life::review_is_open);
    RequestView {
        name: request.name_any(),
        phase,
        requester: requester.username.clone(),
        policy: request.spec.policy.clone(),
        namespaces: request.spec.namespaces.clone(),
        duration: request.spec.duration.clone(),
        reason: request.spec.reason.clone(),
        created: request.creation_timestamp().map(|time| time.0).unwrap_or_default(),
        approvals: status
            .approvals
            .iter()
            .map(|approval| ApprovalView { by: approval.by.clone(), at: approval.at })
            .collect(),
        approvals_missing: stages.iter().map(|stage| stage.needed).sum(),
        approver_groups: policy
            .map(|policy| policy.approver_groups().iter().cloned().collect())
            .unwrap_or_default(),
        allow: policy.map(Policy::allowed).unwrap_or_default(),
        starts: status.window.map(|window| window.start).or(request.spec.start_at),
        ends: status.window.map(|window| window.end),
        seconds_left: left.and_then(|left| u64::try_from(left.as_secs()).ok()),
        denial: status.denial.as_ref().map(verdict),
        revocation: status.revocation.as_ref().map(verdict),
        message: status.message,
        mine: is_requester(who, &request.spec.requester),
        may_approve: waiting
            && policy.is_some_and(|policy| may_approve(policy, &requester, &me, &person).is_ok()),
        ticket: request.spec.ticket.clone(),
        workloads: request.spec.workloads.clone(),
        pods: request.spec.pods.clone(),
        containers: request.spec.containers.clone(),
        ports: request.spec.ports.clone(),
        extends: request.spec.extends.clone(),
        command: request.spec.command.as_ref().map(|one| one.line.clone()),
        stages,
        checks: status.hooks.into_iter().map(check_view).collect(),
        cause: status.cause,
        first_used: status.first_used,
        ended: status.ended_at,
        approved_by_rule: status.approved_by_rule,
        break_glass: status.review.is_some() || policy.is_some_and(Policy::is_break_glass),
        may_review: open_review
            && !is_requester(who, &request.spec.requester)
            && reviewers.is_some_and(|groups| person.in_any(groups).is_some()),
        review: status.review.map(|review| ReviewView {
            verdict: review.verdict,
            closed: review.closed.as_ref().map(verdict),
        }),
    }
}

fn stage_view(missing: Missing) -> StageView {
    let Missing { stage, needed, groups } = missing;
    let name = Some(stage).filter(|name| !name.is_empty());
    StageView { name, groups: groups.into_iter().collect(), needed }
}

fn check_view(answer: HookAnswer) -> CheckView {
    CheckView { name: answer.name, allow: answer.allow, reasons: answer.reasons }
}
