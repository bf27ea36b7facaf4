//! A request's life: asked, approved, open, ended. [`step`] takes a state and a command and gives the new state
//! and what follows from it; nothing else changes a state.
//!
//! What holds after every step, whatever the clock did in between (the model test in `lifecycle/tests.rs`):
//! a grant is open only inside its window, and the window was fixed by the last approval; nobody's approval
//! of their own request counts; two approvals of one person count once; approvals of another version of the policy
//! do not count; an end is final.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::decide::{Denied, Rule, may_approve};
use crate::names::{Namespace, PolicyName};
use crate::person::{Person, Principal};
use crate::policy::{Policy, Window};

/// How long a request waits for approvals.
pub const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// What was asked. Never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// By whom.
    pub by: Principal,
    /// Under which policy.
    pub policy: PolicyName,
    /// Where.
    pub namespaces: BTreeSet<Namespace>,
    /// For how long.
    pub duration: Duration,
    /// When.
    pub at: Timestamp,
}

/// One approval that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Whose.
    pub by: Principal,
    /// When.
    pub at: Timestamp,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// An approver said no.
    Denied {
        /// Who.
        by: Principal,
        /// When.
        at: Timestamp,
        /// Why.
        reason: Option<String>,
    },
    /// Time was up: of the window, or of waiting for approvals.
    Expired {
        /// When that was noticed.
        at: Timestamp,
    },
    /// The requester gave it back, or an approver took it.
    Revoked {
        /// Who.
        by: Principal,
        /// When.
        at: Timestamp,
        /// Why.
        reason: Option<String>,
    },
    /// It could not be opened.
    Failed {
        /// When.
        at: Timestamp,
        /// In words for the requester.
        why: String,
    },
}

/// Where in its life a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Waiting for approvals.
    Pending {
        /// The policy that the approvals so far were given for.
        terms: Option<Box<Policy>>,
    },
    /// Approved; the cluster is not ready for it yet.
    Approved {
        /// The policy as it was approved.
        terms: Box<Policy>,
        /// When it may be open at most.
        window: Window,
    },
    /// Open while the window lasts.
    Active {
        /// The policy as it was approved.
        terms: Box<Policy>,
        /// When it is open.
        window: Window,
    },
    /// Over, for good.
    Ended(End),
}

/// A request with its whole state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// What was asked.
    pub asked: Asked,
    /// The approvals that count.
    pub approvals: Vec<Approval>,
    /// Where it is.
    pub stage: Stage,
}

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
    /// The request was just made; lets in at once where no approval is needed.
    Open {
        /// The policy in force.
        policy: &'a Policy,
    },
    /// Somebody approves.
    Approve {
        /// Who.
        by: &'a Actor,
        /// The policy in force.
        policy: &'a Policy,
    },
    /// Somebody denies.
    Deny {
        /// Who.
        by: &'a Actor,
        /// The policy in force.
        policy: &'a Policy,
        /// Why.
        reason: Option<&'a str>,
    },
    /// The requester gives it back, or an approver takes it away.
    Revoke {
        /// Who.
        by: &'a Actor,
        /// The policy in force, where there still is one.
        policy: Option<&'a Policy>,
        /// Why.
        reason: Option<&'a str>,
    },
    /// The cluster is ready: what the grant needs exists.
    Activate,
    /// The cluster cannot be made ready.
    Fail {
        /// In words for the requester.
        why: &'a str,
    },
    /// Time passes.
    Tick,
}

/// What follows from a step, for the shell around it to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// An approval was counted; so many are missing still.
    Counted {
        /// How many.
        missing: u32,
    },
    /// Make in the cluster what the grant needs.
    Prepare,
    /// The window has begun.
    Opened,
    /// It is over: cut sessions, remove what was made.
    CleanUp,
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

impl Life {
    /// A request as it begins.
    #[must_use]
    pub const fn begin(asked: Asked) -> Self {
        Self { asked, approvals: Vec::new(), stage: Stage::Pending { terms: None } }
    }

    /// Whether it opens the gate at this moment.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        matches!(&self.stage, Stage::Active { window, .. } if window.contains(now))
    }

    /// Whether it is over.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended(_))
    }

    /// The next moment at which time alone changes the state.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Pending { .. } => Some(after(self.asked.at, PATIENCE)),
            Stage::Approved { window, .. } | Stage::Active { window, .. } => Some(window.end),
            Stage::Ended(_) => None,
        }
    }

    /// How many of the approvals count under `policy`: of different people, none of them the requester.
    #[must_use]
    pub fn counted(&self, policy: &Policy) -> u32 {
        let mut seen: Vec<&Principal> = Vec::new();
        for approval in &self.approvals {
            if !approval.by.may_be(&self.asked.by) && !seen.iter().any(|one| one.may_be(&approval.by)) {
                seen.push(&approval.by);
            }
        }
        u32::try_from(seen.len()).unwrap_or(u32::MAX).min(policy.approvals)
    }
}

/// `moment` and so much later; the end of time where that is beyond it.
fn after(moment: Timestamp, length: Duration) -> Timestamp {
    moment.checked_add(length).unwrap_or(Timestamp::MAX)
}

/// One step.
#[must_use]
pub fn step(mut life: Life, command: &Command<'_>, now: Timestamp) -> Step {
    // Time first: no command finds a grant whose time is up still open.
    let mut effects = Vec::new();
    if life.deadline().is_some_and(|deadline| now >= deadline) {
        life.stage = Stage::Ended(End::Expired { at: now });
        effects.push(Effect::CleanUp);
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
        Command::Open { policy } => {
            let Stage::Pending { .. } = life.stage else { return Err(too_late(life)) };
            same(life, policy)?;
            covers(life, policy)?;
            if policy.approvals == 0 {
                approve(life, policy, now, effects);
            }
            Ok(())
        }
        Command::Approve { by, policy } => {
            let Stage::Pending { terms } = &life.stage else { return Err(too_late(life)) };
            same(life, policy)?;
            may_approve(policy, &life.asked.by, &by.principal, &by.person)?;
            covers(life, policy)?;
            if terms.as_deref().is_some_and(|terms| terms != policy) {
                life.approvals.clear();
            }
            if !life.approvals.iter().any(|earlier| earlier.by.may_be(&by.principal)) {
                life.approvals.push(Approval { by: by.principal.clone(), at: now });
            }
            let missing = policy.approvals.saturating_sub(life.counted(policy));
            effects.push(Effect::Counted { missing });
            if missing == 0 {
                approve(life, policy, now, effects);
            } else {
                life.stage = Stage::Pending { terms: Some(Box::new(policy.clone())) };
            }
            Ok(())
        }
        Command::Deny { by, policy, reason } => {
            let Stage::Pending { .. } = life.stage else { return Err(too_late(life)) };
            same(life, policy)?;
            may_approve(policy, &life.asked.by, &by.principal, &by.person)?;
            let (by, reason) = (by.principal.clone(), reason.map(str::to_owned));
            end(life, End::Denied { by, at: now, reason }, effects);
            Ok(())
        }
        Command::Revoke { by, policy, reason } => {
            may_revoke(life, by, policy)?;
            let (by, reason) = (by.principal.clone(), reason.map(str::to_owned));
            end(life, End::Revoked { by, at: now, reason }, effects);
            Ok(())
        }
        Command::Activate => activate(life, now, effects),
        Command::Fail { why } => {
            if let Stage::Pending { .. } | Stage::Approved { .. } | Stage::Active { .. } = life.stage {
                end(life, End::Failed { at: now, why: why.to_owned() }, effects);
            }
            Ok(())
        }
    }
}

mod rules;
use rules::{activate, approve, covers, end, may_revoke, same, too_late};

#[cfg(test)]
mod tests;
