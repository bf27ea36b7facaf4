//! From pending to open: stages of people, or the rule that needs none.

use super::{Actor, Approval, Denied, Effect, Life, Missing, Policy, Review, Rule, Stage, Timestamp, Window};
use super::{FARTHEST_START, after, denied, same, too_late};
use crate::decide::may_approve;
use crate::person::Principal;
use crate::policy::ApprovalRound;

/// Lets in what needs no person and has every check's agreement; else waits under `policy`.
pub(super) fn open(
    life: &mut Life,
    policy: &Policy,
    by_rule: bool,
    now: Timestamp,
    effects: &mut Vec<Effect>,
) -> Result<(), Denied> {
    let Stage::Pending { terms } = &life.stage else {
        return if life.is_ended() { Err(too_late(life)) } else { Ok(()) };
    };
    same(life, policy)?;
    covers(life, policy)?;
    let changed = terms.as_deref() != Some(policy);
    if changed {
        life.approvals.clear();
        life.stage = Stage::Pending { terms: Some(Box::new(policy.clone())) };
    }
    if !life.unchecked(policy).is_empty() {
        return Ok(());
    }
    if let Some(rule) = rule_of(policy, by_rule) {
        approve(life, policy, Some(rule), now, effects);
    }
    Ok(())
}

/// The field of the policy that lets in without a person.
fn rule_of(policy: &Policy, by_rule: bool) -> Option<&'static str> {
    if policy.is_break_glass() {
        Some("breakGlass")
    } else if policy.stages().is_empty() {
        Some("approval.required")
    } else if by_rule && policy.has_auto_approve() {
        Some("autoApprove")
    } else {
        None
    }
}

/// Counts one person's approval in the current stage.
pub(super) fn by_person(
    life: &mut Life,
    by: &Actor,
    policy: &Policy,
    now: Timestamp,
    effects: &mut Vec<Effect>,
) -> Result<(), Denied> {
    let Stage::Pending { terms } = &life.stage else { return Err(too_late(life)) };
    same(life, policy)?;
    may_approve(policy, &life.asked.by, &by.principal, &by.person)?;
    covers(life, policy)?;
    if let Some(hook) = life.unchecked(policy).first() {
        let why = format!("check `{}` has not agreed yet; it can be approved when it has", hook.name);
        return Err(Denied::new(policy, Rule::Hooks, why));
    }
    let mut approvals = if terms.as_deref() == Some(policy) { life.approvals.clone() } else { Vec::new() };
    if let Some(current) = missing(life, policy, &approvals).into_iter().next() {
        let earlier = approvals.iter().find(|one| one.by.may_be(&by.principal));
        match earlier {
            // Said twice, it counts once.
            Some(earlier) if earlier.stage == current.stage => {}
            Some(earlier) => {
                let why = format!(
                    "you have approved it in stage `{}` already; stage `{}` needs somebody else",
                    earlier.stage, current.stage
                );
                return Err(Denied::new(policy, Rule::Stages, why));
            }
            None if by.person.in_any(&current.groups).is_none() => {
                let groups: Vec<_> = current.groups.iter().map(|group| format!("`{group}`")).collect();
                let why = format!(
                    "stage `{}` comes first: it is for members of {}",
                    current.stage,
                    groups.join(", ")
                );
                return Err(Denied::new(policy, Rule::Stages, why));
            }
            None => {
                approvals.push(Approval { by: by.principal.clone(), at: now, stage: current.stage });
            }
        }
    }
    life.approvals = approvals;
    let waits = missing(life, policy, &life.approvals);
    effects.push(Effect::Counted { missing: waits.iter().map(|stage| stage.needed).sum() });
    if waits.is_empty() {
        approve(life, policy, rule_of(policy, false), now, effects);
    } else {
        life.stage = Stage::Pending { terms: Some(Box::new(policy.clone())) };
    }
    Ok(())
}

/// Fixes the window and the terms.
fn approve(
    life: &mut Life,
    policy: &Policy,
    by_rule: Option<&'static str>,
    now: Timestamp,
    effects: &mut Vec<Effect>,
) {
    let start = life.asked.start_at.map_or(now, |planned| planned.max(now));
    let window = Window { start, end: after(start, life.asked.duration) };
    life.by_rule = by_rule.map(str::to_owned);
    life.extensions.clear();
    if policy.is_break_glass() {
        life.review = Some(Review::default());
    }
    life.stage = Stage::Approved { terms: Box::new(policy.clone()), window };
    effects.push(Effect::Prepare);
}

/// Opens the window once it has begun, checking once more that what is stored stands.
pub(super) fn activate(life: &mut Life, now: Timestamp, effects: &mut Vec<Effect>) -> Result<(), Denied> {
    let (terms, window) = match &life.stage {
        Stage::Approved { terms, window } => (terms.clone(), *window),
        Stage::Active { .. } => return Ok(()),
        Stage::Pending { .. } => return Err(denied(life, Rule::Approvals, "it is not approved yet")),
        Stage::Ended(_) => return Err(too_late(life)),
    };
    life.stands()?;
    if now < window.start {
        return Err(Denied::new(&terms, Rule::Start, format!("it begins at {}", window.start)));
    }
    life.stage = Stage::Active { terms, window };
    effects.push(Effect::Opened);
    Ok(())
}

/// What the stages of `policy` still need when `approvals` count, one after the other: an approval counts in the
/// stage that was current when its turn came, if it was given for that one, by somebody who has not counted
/// before and could not be the requester.
pub(super) fn missing(life: &Life, policy: &Policy, approvals: &[Approval]) -> Vec<Missing> {
    let open = |round: &ApprovalRound| Missing {
        stage: round.name.clone(),
        needed: round.required,
        groups: round.groups.clone(),
    };
    let mut waits: std::collections::VecDeque<_> = policy.stages().iter().map(open).collect();
    let mut people: Vec<&Principal> = vec![&life.asked.by];
    for approval in approvals {
        let Some(current) = waits.front_mut() else { break };
        if approval.stage != current.stage || people.iter().any(|one| one.may_be(&approval.by)) {
            continue;
        }
        people.push(&approval.by);
        current.needed = current.needed.saturating_sub(1);
        if current.needed == 0 {
            waits.pop_front();
        }
    }
    waits.into()
}

/// Whether what is stored was approved: by a rule that its terms have, or by enough people.
pub(super) fn is_approved(life: &Life, terms: &Policy) -> Result<(), Denied> {
    if let Some(rule) = &life.by_rule {
        let has = match rule.as_str() {
            "breakGlass" => terms.is_break_glass(),
            "approval.required" => terms.stages().is_empty(),
            "autoApprove" => terms.has_auto_approve(),
            _ => false,
        };
        if has {
            return Ok(());
        }
        let why = format!("`{rule}` on record approves nothing under this policy");
        return Err(Denied::new(terms, Rule::Approvals, why));
    }
    match missing(life, terms, &life.approvals).first() {
        None => Ok(()),
        Some(stage) if stage.stage.is_empty() => {
            Err(Denied::new(terms, Rule::Approvals, "the approvals on record are not enough"))
        }
        Some(stage) => {
            let why = format!("the approvals on record are not enough for stage `{}`", stage.stage);
            Err(Denied::new(terms, Rule::Stages, why))
        }
    }
}

/// What was asked must be within the policy that is approved, which may have become narrower since.
pub(super) fn covers(life: &Life, policy: &Policy) -> Result<(), Denied> {
    let asked = &life.asked;
    if let Some(outside) = asked.scope.namespaces.difference(policy.namespaces()).next() {
        let why = format!("the policy does not cover namespace `{outside}` any more");
        return Err(Denied::new(policy, Rule::Namespaces, why));
    }
    if asked.scope.namespaces.is_empty() {
        return Err(Denied::new(policy, Rule::Namespaces, "the request names no namespace"));
    }
    if asked.duration > policy.max_duration() || asked.duration.is_zero() {
        let why = "the policy does not allow this length any more";
        return Err(Denied::new(policy, Rule::MaxDuration, why));
    }
    if asked.start_at.is_some_and(|start| start > after(asked.at, FARTHEST_START)) {
        let farthest = crate::duration::show(FARTHEST_START);
        return Err(Denied::new(
            policy,
            Rule::Start,
            format!("a request begins within {farthest} of asking"),
        ));
    }
    Ok(())
}
