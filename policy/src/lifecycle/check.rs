//! External checks: nothing is approved before all agree, and a no ends what is open.

use super::{Cause, CheckAnswer, Denied, Effect, End, Life, Policy, Rule, Stage, Timestamp};
use super::{over, same, too_late};
use crate::policy::HookRule;

/// The checks of `policy` that have not agreed yet.
pub(super) fn missing<'a>(life: &Life, policy: &'a Policy) -> Vec<&'a HookRule> {
    let agrees =
        |hook: &&HookRule| life.checks.iter().any(|one| one.name == hook.name && one.allow == Some(true));
    policy.hooks().iter().filter(|hook| !agrees(hook)).collect()
}

/// Notes what a check said. A no ends the request; so does silence, unless the policy says to wait.
pub(super) fn answer(
    life: &mut Life,
    answer: &CheckAnswer,
    policy: &Policy,
    now: Timestamp,
    effects: &mut Vec<Effect>,
) -> Result<(), Denied> {
    let (policy, pending) = match &life.stage {
        Stage::Pending { .. } => {
            same(life, policy)?;
            (policy.clone(), true)
        }
        Stage::Approved { terms, .. } | Stage::Active { terms, .. } => ((**terms).clone(), false),
        Stage::Ended(_) => return Err(too_late(life)),
    };
    let Some(hook) = policy.hooks().iter().find(|hook| hook.name == answer.name) else {
        let why = format!("`{}` is not a check of this policy", answer.name);
        return Err(Denied::new(&policy, Rule::Hooks, why));
    };
    let ends = match answer.allow {
        Some(true) => None,
        Some(false) => Some(format!("check `{}` says no{}", hook.name, reasons(answer))),
        // What agreed before goes on counting; it is asked again.
        None if hook.waits && !pending => return Ok(()),
        None if hook.waits => None,
        None => Some(format!("check `{}` could not be asked{}", hook.name, reasons(answer))),
    };
    let complete = missing(life, &policy).is_empty();
    life.checks
        .retain(|one| one.name != answer.name && policy.hooks().iter().any(|hook| hook.name == one.name));
    life.checks.push(answer.clone());
    match ends {
        Some(why) if pending => over::end(life, End::Refused { at: now, why: over::bounded(&why) }, effects),
        Some(why) => {
            let why = over::bounded(&why);
            over::end(life, End::Lapsed { at: now, cause: Cause::Hook, why }, effects);
        }
        None if !complete && missing(life, &policy).is_empty() => effects.push(Effect::Checked),
        None => {}
    }
    Ok(())
}

fn reasons(answer: &CheckAnswer) -> String {
    if answer.reasons.is_empty() { String::new() } else { format!(": {}", answer.reasons.join("; ")) }
}
