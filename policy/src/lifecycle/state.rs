//! What a request's state consists of, and what can be read off it.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::{Denied, Rule, after, approve, check, longer};
use crate::names::{PolicyName, RequestName};
use crate::person::Principal;
use crate::policy::{HookRule, Policy, USUAL_PATIENCE};
use crate::scope::Scope;
use crate::window::Window;

/// What was asked. Never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// By whom.
    pub by: Principal,
    /// Under which policy.
    pub policy: PolicyName,
    /// For what.
    pub scope: Scope,
    /// For how long.
    pub duration: Duration,
    /// When.
    pub at: Timestamp,
    /// For which ticket.
    pub ticket: Option<String>,
    /// When it is to begin; `None`: as soon as it is approved.
    pub start_at: Option<Timestamp>,
    /// The grant that it goes on from.
    pub extends: Option<RequestName>,
}

/// One approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Whose.
    pub by: Principal,
    /// When.
    pub at: Timestamp,
    /// The stage that was current; empty for the only one of a policy without `stages`.
    pub stage: String,
}

/// What an external check said last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckAnswer {
    /// Its name.
    pub name: String,
    /// Whether it agrees; `None` where it could not be asked.
    pub allow: Option<bool>,
    /// Why, in its words.
    pub reasons: Vec<String>,
    /// When it was asked.
    pub at: Timestamp,
}

/// A window made longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Who did: the username.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The new end.
    pub until: Timestamp,
}

/// The review that break-glass demands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Review {
    /// How it was closed; `None` while it is open.
    pub closed: Option<ReviewClosed>,
}

/// The end of a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewClosed {
    /// Who closed it.
    pub by: Principal,
    /// When.
    pub at: Timestamp,
    /// What they found.
    pub verdict: ReviewVerdict,
    /// What they said.
    pub comment: Option<String>,
}

/// What a reviewer found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReviewVerdict {
    /// It was needed, and used for what it was needed for.
    Justified,
    /// It was not.
    Unjustified,
}

/// What ends a request where no person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The policy does not allow it any more.
    Policy,
    /// The person is not in the policy's groups any more.
    Groups,
    /// A lock.
    Lock,
    /// It was not used for the policy's idle time.
    Idle,
    /// An external check said no.
    Hook,
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
    /// An external check said no before anybody approved, or could not be asked and the policy does not wait for it.
    Refused {
        /// When.
        at: Timestamp,
        /// The check's name and its reasons, in words for the requester.
        why: String,
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
    /// It is not allowed any more, by no single person's decision.
    Lapsed {
        /// When.
        at: Timestamp,
        /// Because of what.
        cause: Cause,
        /// In words for the requester.
        why: String,
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
    /// Waiting for checks and approvals.
    Pending {
        /// The policy that it waits under: the approvals so far were given for it. `None` until it is opened.
        terms: Option<Box<Policy>>,
    },
    /// Approved; its window has not begun, or the cluster is not ready for it yet.
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
    /// The approvals so far, in their order.
    pub approvals: Vec<Approval>,
    /// What the external checks last said.
    pub checks: Vec<CheckAnswer>,
    /// The field of the policy that approved it where no person did: `autoApprove`, `approval.required` (of 0) or
    /// `breakGlass`.
    pub by_rule: Option<String>,
    /// How its window was made longer, in order.
    pub extensions: Vec<Extension>,
    /// The review, from the approval of a break-glass on.
    pub review: Option<Review>,
    /// Where it is.
    pub stage: Stage,
}

/// A stage that still waits for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Its name; empty for the only one of a policy without `stages`.
    pub stage: String,
    /// How many approvals it still needs.
    pub needed: u32,
    /// Whose.
    pub groups: BTreeSet<String>,
}

impl Life {
    /// A request as it begins.
    #[must_use]
    pub const fn begin(asked: Asked) -> Self {
        Self {
            asked,
            approvals: Vec::new(),
            checks: Vec::new(),
            by_rule: None,
            extensions: Vec::new(),
            review: None,
            stage: Stage::Pending { terms: None },
        }
    }

    /// Whether it opens the gate at this moment: it is active, inside its window, and [stands](Self::stands).
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        matches!(&self.stage, Stage::Active { window, .. } if window.contains(now)) && self.stands().is_ok()
    }

    /// Whether it is over.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended(_))
    }

    /// When time alone ends it, unless it is over.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Pending { terms } => {
                let patience = terms.as_ref().map_or(USUAL_PATIENCE, |terms| terms.patience());
                Some(after(self.asked.at, patience))
            }
            Stage::Approved { window, .. } | Stage::Active { window, .. } => Some(window.end),
            Stage::Ended(_) => None,
        }
    }

    /// The next moment at which time alone makes something due: the start of a window that has not begun, or the end.
    #[must_use]
    pub fn deadline(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.stage {
            Stage::Approved { window, .. } if now < window.start => Some(window.start),
            _ => self.expires(),
        }
    }

    /// The window, where it has one.
    #[must_use]
    pub const fn window(&self) -> Option<Window> {
        match &self.stage {
            Stage::Approved { window, .. } | Stage::Active { window, .. } => Some(*window),
            Stage::Pending { .. } | Stage::Ended(_) => None,
        }
    }

    /// The policy that decides about it, where one is fixed.
    #[must_use]
    pub fn terms(&self) -> Option<&Policy> {
        match &self.stage {
            Stage::Pending { terms } => terms.as_deref(),
            Stage::Approved { terms, .. } | Stage::Active { terms, .. } => Some(terms),
            Stage::Ended(_) => None,
        }
    }

    /// The stages that still wait for people under `policy`, in order; the first is the current one. While it is
    /// pending, approvals that were given for another version of the policy do not count.
    #[must_use]
    pub fn missing(&self, policy: &Policy) -> Vec<Missing> {
        let other = matches!(&self.stage, Stage::Pending { terms } if terms.as_deref() != Some(policy));
        approve::missing(self, policy, if other { &[] } else { &self.approvals })
    }

    /// The checks of `policy` that have not agreed yet.
    #[must_use]
    pub fn unchecked<'a>(&self, policy: &'a Policy) -> Vec<&'a HookRule> {
        check::missing(self, policy)
    }

    /// Whether its review waits for a verdict.
    #[must_use]
    pub fn review_is_open(&self) -> bool {
        self.review.as_ref().is_some_and(|review| review.closed.is_none())
    }

    /// Goes through everything again that an approved or open request must have behind it: the approvals stage by
    /// stage or the rule that approved it, the checks, the policy's bounds, and a window that is exactly what was
    /// asked for and its extensions make it. `Ok` for what is pending or over: that opens nothing.
    ///
    /// # Errors
    /// The rule that what is stored does not satisfy.
    pub fn stands(&self) -> Result<(), Denied> {
        let (Stage::Approved { terms, window } | Stage::Active { terms, window }) = &self.stage else {
            return Ok(());
        };
        super::same(self, terms)?;
        approve::covers(self, terms)?;
        approve::is_approved(self, terms)?;
        if let Some(hook) = self.unchecked(terms).first() {
            let why = format!("check `{}` has not agreed", hook.name);
            return Err(Denied::new(terms, Rule::Hooks, why));
        }
        longer::is_justified(self, terms, *window)
    }
}
