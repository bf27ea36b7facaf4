//! Extensions: the same grant, longer, never beyond what its policy allows in all.

use super::{Actor, Denied, Effect, Extension, Life, Policy, Rule, Stage, Timestamp, Window};
use super::{FARTHEST_START, MOST_EXTENSIONS, after, approve, denied, same, too_late};
use crate::duration;

/// Moves the end of an open window.
pub(super) fn extend(
    life: &mut Life,
    by: &Actor,
    until: Timestamp,
    policy: &Policy,
    now: Timestamp,
    effects: &mut Vec<Effect>,
) -> Result<(), Denied> {
    let (terms, window) = match &life.stage {
        Stage::Active { terms, window } => (terms.clone(), *window),
        Stage::Pending { .. } | Stage::Approved { .. } => {
            return Err(denied(life, Rule::Window, "it is not open yet; only an open grant can be extended"));
        }
        Stage::Ended(_) => return Err(too_late(life)),
    };
    let asked = &life.asked.by;
    // The username too: it is what the cluster sees, and what an extension is on record under.
    if !asked.is(&by.principal) || asked.username != by.principal.username {
        let why = "only the person whose grant it is can extend it";
        return Err(Denied::new(&terms, Rule::NotOneself, why));
    }
    if !window.contains(now) {
        let why = format!("it is not open now: its window begins at {}", window.start);
        return Err(Denied::new(&terms, Rule::Window, why));
    }
    same(life, policy)?;
    approve::covers(life, policy)?;
    life.stands()?;
    if until <= window.end {
        let why = format!("it lasts until {} already", window.end);
        return Err(Denied::new(&terms, Rule::Window, why));
    }
    let most = terms.max_duration().min(policy.max_duration());
    if until > after(window.start, most) {
        let why = format!(
            "in all a grant lasts at most {}; beyond that it takes a new request",
            duration::show(most)
        );
        return Err(Denied::new(&terms, Rule::MaxDuration, why));
    }
    if life.extensions.len() >= MOST_EXTENSIONS {
        let why = format!("it was extended {MOST_EXTENSIONS} times already; ask anew");
        return Err(Denied::new(&terms, Rule::Window, why));
    }
    life.extensions.push(Extension { by: by.principal.username.clone(), at: now, until });
    life.stage = Stage::Active { terms, window: Window { end: until, ..window } };
    effects.push(Effect::Extended);
    Ok(())
}

/// Whether a window is exactly what the decision, the duration and the extensions on record make it.
pub(super) fn is_justified(life: &Life, terms: &Policy, window: Window) -> Result<(), Denied> {
    let deny = |why: &str| Err(Denied::new(terms, Rule::Window, why));
    let planned = life.asked.start_at.unwrap_or(Timestamp::MIN);
    let decided = life.approvals.last().map(|last| last.at).filter(|_| life.by_rule.is_none());
    let starts_well = match decided {
        Some(decided) => window.start == decided.max(planned),
        // A rule leaves no moment on record; it decided before patience was over.
        None => {
            let latest = after(life.asked.at, terms.patience().max(FARTHEST_START));
            window.start >= planned && window.start <= latest
        }
    };
    if !starts_well {
        return deny("its window does not begin when it was approved for");
    }
    let longest = after(window.start, terms.max_duration());
    let mut end = after(window.start, life.asked.duration);
    for one in &life.extensions {
        if one.by != life.asked.by.username {
            return deny("its window was extended by somebody else than its user");
        }
        let in_time = one.at >= window.start && one.at < end;
        if !in_time || one.until <= end || one.until > longest {
            return deny("its window was extended by more than the policy allows");
        }
        end = one.until;
    }
    if life.extensions.len() > MOST_EXTENSIONS || window.end != end {
        return deny("its window does not end when what was asked and its extensions say");
    }
    Ok(())
}
