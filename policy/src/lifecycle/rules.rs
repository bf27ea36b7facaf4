//! The single transitions, and what each demands.

use super::{Actor, Denied, Effect, End, Life, Policy, Rule, Stage, Timestamp, Window, after};

/// Fixes the window and the terms. From here on only time and a revocation change anything.
pub(super) fn approve(life: &mut Life, policy: &Policy, now: Timestamp, effects: &mut Vec<Effect>) {
    let window = Window { start: now, end: after(now, life.asked.duration) };
    life.stage = Stage::Approved { terms: Box::new(policy.clone()), window };
    effects.push(Effect::Prepare);
}

/// Opens the window, checking once more that what is stored was approved by enough people: the state may come
/// from a place that others can write to.
pub(super) fn activate(life: &mut Life, now: Timestamp, effects: &mut Vec<Effect>) -> Result<(), Denied> {
    let (terms, window) = match &life.stage {
        Stage::Approved { terms, window } => (terms.clone(), *window),
        Stage::Active { .. } => return Ok(()),
        Stage::Pending { .. } => {
            let (policy, why) = (life.asked.policy.clone(), "it is not approved yet".to_owned());
            return Err(Denied { policy, rule: Rule::Approvals, why });
        }
        Stage::Ended(_) => return Err(too_late(life)),
    };
    same(life, &terms)?;
    if life.counted(&terms) < terms.approvals {
        return Err(Denied::new(&terms, Rule::Approvals, "the approvals on record are not enough"));
    }
    covers(life, &terms)?;
    let window = Window { start: now, end: window.end.min(after(now, life.asked.duration)) };
    life.stage = Stage::Active { terms, window };
    effects.push(Effect::Opened);
    Ok(())
}

/// What was asked must be within the policy that is approved, which may have become narrower since.
pub(super) fn covers(life: &Life, policy: &Policy) -> Result<(), Denied> {
    if let Some(outside) = life.asked.namespaces.difference(&policy.namespaces).next() {
        let why = format!("the policy does not cover namespace `{outside}` any more");
        return Err(Denied::new(policy, Rule::Namespaces, why));
    }
    if life.asked.namespaces.is_empty() {
        return Err(Denied::new(policy, Rule::Namespaces, "the request names no namespace"));
    }
    if life.asked.duration > policy.max_duration || life.asked.duration.is_zero() {
        let why = "the policy does not allow this length any more";
        return Err(Denied::new(policy, Rule::MaxDuration, why));
    }
    Ok(())
}

/// The requester may always give back; whoever may approve under the policy as approved or as it is now may take.
pub(super) fn may_revoke(life: &Life, by: &Actor, policy: Option<&Policy>) -> Result<(), Denied> {
    let terms = match &life.stage {
        Stage::Ended(_) => return Err(too_late(life)),
        Stage::Pending { terms } => terms.as_deref(),
        Stage::Approved { terms, .. } | Stage::Active { terms, .. } => Some(&**terms),
    };
    if life.asked.by.is(&by.principal) {
        return Ok(());
    }
    let allows = |policy: &&Policy| by.person.in_any(&policy.approver_groups).is_some();
    if terms.into_iter().chain(policy).any(|policy| allows(&policy)) {
        return Ok(());
    }
    let why = "only the requester or somebody who may approve it can revoke it";
    Err(Denied { policy: life.asked.policy.clone(), rule: Rule::ApproverGroups, why: why.to_owned() })
}

pub(super) fn end(life: &mut Life, end: End, effects: &mut Vec<Effect>) {
    life.stage = Stage::Ended(end);
    effects.push(Effect::CleanUp);
}

/// Why a request cannot be approved or denied any more.
pub(super) fn too_late(life: &Life) -> Denied {
    let why = match &life.stage {
        Stage::Pending { .. } => "it is still pending",
        Stage::Approved { .. } | Stage::Active { .. } => "it is approved already; `revoke` ends it",
        Stage::Ended(End::Denied { .. }) => "it was denied",
        Stage::Ended(End::Expired { .. }) => "it has expired",
        Stage::Ended(End::Revoked { .. }) => "it was revoked",
        Stage::Ended(End::Failed { .. }) => "it failed",
    };
    Denied { policy: life.asked.policy.clone(), rule: Rule::Phase, why: why.to_owned() }
}

/// A policy of another name decides nothing about this request.
pub(super) fn same(life: &Life, policy: &Policy) -> Result<(), Denied> {
    if life.asked.policy == policy.name {
        return Ok(());
    }
    let why = format!("policy `{}` is not the one that was asked for", policy.name);
    Err(Denied { policy: life.asked.policy.clone(), rule: Rule::Phase, why })
}
