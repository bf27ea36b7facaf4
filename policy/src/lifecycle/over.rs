//! Ends, and the review after one.

use super::{
    Actor, Cause, Denied, Effect, End, Life, Policy, ReviewClosed, ReviewVerdict, Rule, Stage, Timestamp,
};
use super::{LONGEST_WHY, denied, same, too_late};
use crate::decide::may_approve;

/// Ends it, for good.
pub(super) fn end(life: &mut Life, end: End, effects: &mut Vec<Effect>) {
    life.stage = Stage::Ended(end);
    effects.push(Effect::CleanUp);
}

/// A text of others, cut to [`LONGEST_WHY`] and on one line.
pub(super) fn bounded(text: &str) -> String {
    let mut short = String::new();
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if short.len() + c.len_utf8() > LONGEST_WHY {
            break;
        }
        short.push(c);
    }
    short
}

/// Somebody who may approve says no. A no needs neither its stage's turn nor the checks.
pub(super) fn deny(
    life: &mut Life,
    by: &Actor,
    policy: &Policy,
    reason: Option<&str>,
    now: Timestamp,
    effects: &mut Vec<Effect>,
) -> Result<(), Denied> {
    let Stage::Pending { .. } = life.stage else { return Err(too_late(life)) };
    same(life, policy)?;
    may_approve(policy, &life.asked.by, &by.principal, &by.person)?;
    let (by, reason) = (by.principal.clone(), reason.map(str::to_owned));
    end(life, End::Denied { by, at: now, reason }, effects);
    Ok(())
}

/// The requester may always give back; whoever may approve or review under the policy as approved or as it is now
/// may take.
pub(super) fn revoke(
    life: &mut Life,
    by: &Actor,
    policy: Option<&Policy>,
    reason: Option<&str>,
    now: Timestamp,
    effects: &mut Vec<Effect>,
) -> Result<(), Denied> {
    if life.is_ended() {
        return Err(too_late(life));
    }
    let allows = |policy: &Policy| {
        by.person.in_any(policy.approver_groups()).is_some()
            || policy.reviewers().is_some_and(|groups| by.person.in_any(groups).is_some())
    };
    if !life.asked.by.is(&by.principal) && !life.terms().into_iter().chain(policy).any(allows) {
        let why = "only the requester or somebody who may approve it can revoke it";
        return Err(denied(life, Rule::ApproverGroups, why));
    }
    let (by, reason) = (by.principal.clone(), reason.map(str::to_owned));
    end(life, End::Revoked { by, at: now, reason }, effects);
    Ok(())
}

/// It is not allowed any more.
pub(super) fn lapse(
    life: &mut Life,
    cause: Cause,
    why: &str,
    now: Timestamp,
    effects: &mut Vec<Effect>,
) -> Result<(), Denied> {
    if life.is_ended() {
        return Err(too_late(life));
    }
    end(life, End::Lapsed { at: now, cause, why: bounded(why) }, effects);
    Ok(())
}

/// Closes the review: after the end, once, by a reviewer who could not be the user.
pub(super) fn review(
    life: &mut Life,
    by: &Actor,
    verdict: ReviewVerdict,
    comment: Option<&str>,
    policy: &Policy,
    now: Timestamp,
    effects: &mut Vec<Effect>,
) -> Result<(), Denied> {
    same(life, policy)?;
    let Some(review) = &life.review else {
        return Err(denied(life, Rule::BreakGlass, "it is no break-glass, so there is nothing to review"));
    };
    if let Some(closed) = &review.closed {
        let why = format!("`{}` has closed the review already", closed.by.username);
        return Err(denied(life, Rule::Phase, why));
    }
    if life.asked.by.may_be(&by.principal) {
        return Err(denied(life, Rule::NotOnesOwnReview, "this is your own break-glass"));
    }
    if policy.reviewers().is_none_or(|groups| by.person.in_any(groups).is_none()) {
        return Err(denied(life, Rule::Reviewers, "you are not one of those who review it"));
    }
    if !life.is_ended() {
        return Err(denied(
            life,
            Rule::Phase,
            "it is still open; review it when it is over, or `revoke` it first",
        ));
    }
    let comment = comment.map(str::to_owned);
    let closed = ReviewClosed { by: by.principal.clone(), at: now, verdict, comment };
    life.review = Some(super::Review { closed: Some(closed) });
    effects.push(Effect::Reviewed);
    Ok(())
}
