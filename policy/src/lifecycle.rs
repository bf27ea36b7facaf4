//! A request's life: asked, checked, approved, open, ended, and reviewed where it was break-glass. [`step`] takes a
//! state and a command and gives the new state and what follows from it; nothing else changes a state.
//!
//! What holds after every step, whatever the clock did in between (the model test in `lifecycle/model.rs`):
//! a grant is open only inside its window, and that was fixed when it was approved: only its own user makes it
//! longer, never beyond what the policy allows in all; nobody's approval of their own request counts; one person counts
//! once in the whole request; an approval counts in the stage that was current, for a person of its groups, under the
//! version of the policy that it was given for; nothing is approved before every external check has agreed; an end
//! is final, and only the review goes on after it.
//!
//! A state can come from a place that others can write to. [`Life::stands`] goes through all of that again with
//! nothing but the state in hand. What it cannot know is whether the people on record were in the groups of their
//! stage, and whether a condition that approves by itself held: those were decided when it happened.

use std::time::Duration;

use jiff::Timestamp;

use crate::person::{Person, Principal};
use crate::policy::Policy;
use crate::rule::{Denied, Rule};
use crate::window::Window;

mod approve;
mod check;
mod longer;
mod over;
mod state;

pub use state::{
    Approval, Asked, Cause, CheckAnswer, End, Extension, Life, Missing, Review, ReviewClosed, ReviewVerdict,
    Stage,
};

/// How far ahead a request may begin, counted from when it is made.
pub const FARTHEST_START: Duration = Duration::from_secs(7 * 24 * 3600);
/// How often one window can be made longer.
pub const MOST_EXTENSIONS: usize = 32;
/// The longest explanation of an end that is kept, in bytes.
pub const LONGEST_WHY: usize = 1024;

/// Somebody who does something now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Who they are.
    pub principal: Principal,
    /// Their groups at this moment.
    pub person: Person,
}

/// What can happen to a request. `policy` is the one in force now; without one nothing can be approved.
#[derive(Debug, Clone)]
pub enum Command<'a> {
    /// Goes on as far as it goes without a person: lets in where no approval is needed and every check has agreed.
    /// Doing it again changes nothing, so whoever finds a request that nobody opened can.
    Open {
        /// The policy in force.
        policy: &'a Policy,
        /// Whether the policy's own condition (`autoApprove`) approves it now.
        by_rule: bool,
    },
    /// Somebody approves.
    Approve {
        /// Who.
        by: &'a Actor,
        /// The policy in force.
        policy: &'a Policy,
    },
    /// Somebody denies: anybody who may approve in any stage.
    Deny {
        /// Who.
        by: &'a Actor,
        /// The policy in force.
        policy: &'a Policy,
        /// Why.
        reason: Option<&'a str>,
    },
    /// The requester gives it back, or somebody who may approve or review takes it away.
    Revoke {
        /// Who.
        by: &'a Actor,
        /// The policy in force, where there still is one.
        policy: Option<&'a Policy>,
        /// Why.
        reason: Option<&'a str>,
    },
    /// The requester makes the open window longer, inside what the policy allows in all.
    Extend {
        /// Who.
        by: &'a Actor,
        /// The new end.
        until: Timestamp,
        /// The policy in force.
        policy: &'a Policy,
    },
    /// It is not allowed any more.
    Lapse {
        /// Because of what.
        cause: Cause,
        /// In words for the requester.
        why: &'a str,
    },
    /// An external check has answered, or could not be asked.
    Answer {
        /// What it said.
        answer: &'a CheckAnswer,
        /// The policy in force; for a grant the policy as approved decides.
        policy: &'a Policy,
    },
    /// The cluster is ready: what the grant needs exists.
    Activate,
    /// The cluster cannot be made ready.
    Fail {
        /// In words for the requester.
        why: &'a str,
    },
    /// Somebody closes the review of a break-glass that is over.
    Review {
        /// Who.
        by: &'a Actor,
        /// What they found.
        verdict: ReviewVerdict,
        /// What they say.
        comment: Option<&'a str>,
        /// The policy as approved, or the one in force: its reviewers count.
        policy: &'a Policy,
    },
    /// Time passes.
    Tick,
}

/// What follows from a step, for the shell around it to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// An approval was counted; so many are missing still, in all stages.
    Counted {
        /// How many.
        missing: u32,
    },
    /// The last check that was missing has agreed: people can approve now, and what needs nobody can be opened.
    Checked,
    /// It is approved: make in the cluster what the grant needs, from the start of its window on.
    Prepare,
    /// The window is open.
    Opened,
    /// The window is longer: move the end of what was made for it.
    Extended,
    /// It is over: cut sessions, remove what was made.
    CleanUp,
    /// The review is closed.
    Reviewed,
}

/// What a step gives: the state afterwards, and its effects or why the command was refused. A refused command may
/// still find that time is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The state afterwards.
    pub life: Life,
    /// What follows from it.
    pub effects: Vec<Effect>,
    /// Why the command changed nothing.
    pub refused: Option<Denied>,
}

/// One step.
#[must_use]
pub fn step(mut life: Life, command: &Command<'_>, now: Timestamp) -> Step {
    // Time first: no command finds a grant whose time is up still open.
    let mut effects = Vec::new();
    if life.expires().is_some_and(|end| now >= end) {
        over::end(&mut life, End::Expired { at: now }, &mut effects);
    }
    let refused = apply(&mut life, command, now, &mut effects).err();
    Step { life, effects, refused }
}

fn apply(
    life: &mut Life,
    command: &Command<'_>,
    now: Timestamp,
    effects: &mut Vec<Effect>,
) -> Result<(), Denied> {
    match *command {
        Command::Tick => Ok(()),
        Command::Open { policy, by_rule } => approve::open(life, policy, by_rule, now, effects),
        Command::Approve { by, policy } => approve::by_person(life, by, policy, now, effects),
        Command::Deny { by, policy, reason } => over::deny(life, by, policy, reason, now, effects),
        Command::Revoke { by, policy, reason } => over::revoke(life, by, policy, reason, now, effects),
        Command::Extend { by, until, policy } => longer::extend(life, by, until, policy, now, effects),
        Command::Lapse { cause, why } => over::lapse(life, cause, why, now, effects),
        Command::Answer { answer, policy } => check::answer(life, answer, policy, now, effects),
        Command::Activate => approve::activate(life, now, effects),
        Command::Fail { why } => {
            if !life.is_ended() {
                over::end(life, End::Failed { at: now, why: over::bounded(why) }, effects);
            }
            Ok(())
        }
        Command::Review { by, verdict, comment, policy } => {
            over::review(life, by, verdict, comment, policy, now, effects)
        }
    }
}

/// `moment` and so much later; the end of time where that is beyond it.
fn after(moment: Timestamp, length: Duration) -> Timestamp {
    moment.checked_add(length).unwrap_or(Timestamp::MAX)
}

/// A policy of another name decides nothing about this request.
fn same(life: &Life, policy: &Policy) -> Result<(), Denied> {
    if life.asked.policy == *policy.name() {
        return Ok(());
    }
    let why = format!("policy `{}` is not the one that was asked for", policy.name());
    Err(denied(life, Rule::Phase, why))
}

/// A no that names the policy that was asked.
fn denied(life: &Life, rule: Rule, why: impl Into<String>) -> Denied {
    Denied { policy: life.asked.policy.clone(), rule, why: why.into() }
}

/// Why a request cannot be decided any more.
fn too_late(life: &Life) -> Denied {
    let why = match &life.stage {
        Stage::Pending { .. } => "it is still pending",
        Stage::Approved { .. } | Stage::Active { .. } => "it is approved already; `revoke` ends it",
        Stage::Ended(End::Denied { .. } | End::Refused { .. }) => "it was denied",
        Stage::Ended(End::Expired { .. }) => "it has expired",
        Stage::Ended(End::Revoked { .. }) => "it was revoked",
        Stage::Ended(End::Lapsed { .. }) => "it has ended early",
        Stage::Ended(End::Failed { .. }) => "it failed",
    };
    denied(life, Rule::Phase, why)
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
