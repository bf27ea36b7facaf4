//! What stands around the lifecycle in life: several gateways, one store that takes a write only against the version
//! it was made from, bindings that somebody has to make and to remove, and deaths in between.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::oracle::{Now, Oracle};
use super::people::{HOOKS, Rules, actor, human, principal, second};
use super::*;

pub(super) const GATEWAYS: usize = 3;
type Checked = Result<(), TestCaseError>;

/// What becomes of a write.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fate {
    /// It arrives, and what follows is done.
    Written,
    /// The gateway died before it was sent.
    DiedBefore,
    /// It arrives, and the gateway dies before it hears of it.
    DiedAfter,
    /// It arrives, the answer is lost, and it is sent again.
    SentTwice,
}

pub(super) struct World {
    rules: Rules,
    policy: Policy,
    skews: [i64; GATEWAYS],
    /// The clock on the wall, in seconds.
    pub(super) now: i64,
    stored: (Life, u64),
    /// What each gateway read last.
    copies: [Option<(Life, u64)>; GATEWAYS],
    /// Whether the cluster has what the grant needs.
    bindings: bool,
    oracle: Oracle,
    marks: Vec<&'static str>,
}

pub(super) const MARKS: [&str; 12] = [
    "approved by people",
    "approved by rule",
    "active",
    "extended",
    "expired",
    "denied",
    "revoked",
    "lapsed",
    "refused",
    "reviewed",
    "stale write",
    "died with bindings",
];

impl World {
    pub(super) fn new(rules: Rules, skews: [i64; GATEWAYS]) -> Self {
        let life = Life::begin(rules.asked());
        Self {
            policy: rules.policy(),
            rules,
            skews,
            now: 0,
            stored: (life, 1),
            copies: [None, None, None],
            bindings: false,
            oracle: Oracle::new(),
            marks: Vec::new(),
        }
    }

    pub(super) fn marks(&self) -> std::collections::BTreeSet<&'static str> {
        self.marks.iter().copied().collect()
    }

    /// The store takes a write only against the version that it was made from.
    fn write(&mut self, life: Life, from: u64) -> bool {
        let taken = self.stored.1 == from;
        if taken {
            self.stored = (life, from + 1);
        }
        taken
    }

    pub(super) fn happens(&mut self, wish: &Do, gateway: usize, fresh: bool, fate: Fate) -> Checked {
        match *wish {
            Do::ChangePolicy => {
                self.rules.version += 1;
                self.policy = self.rules.policy();
            }
            Do::Round { moves } => self.round(gateway, moves)?,
            _ => {
                let copy = self.copies[gateway].take().filter(|_| !fresh);
                let (life, version) = copy.unwrap_or_else(|| self.stored.clone());
                self.copies[gateway] = Some(self.stored.clone());
                self.try_it(wish, life, version, self.now + self.skews[gateway], fate)?;
            }
        }
        Ok(())
    }

    /// One command, from a copy to the store.
    fn try_it(&mut self, wish: &Do, life: Life, version: u64, at: i64, fate: Fate) -> Checked {
        let before = life.clone();
        let step = self.step(wish, life, at);
        if step.refused.is_some() || step.life == before || fate == Fate::DiedBefore {
            // Nothing is written. From a copy of this moment, the oracle must agree that there was nothing to do.
            if version == self.stored.1 && fate != Fate::DiedBefore {
                let mut shadow = self.oracle.clone();
                let taken = shadow.judge(&self.rules, wish, at);
                prop_assert_eq!(taken, step.refused.is_none(), "{:?} at {}: {:?}", wish, at, step.refused);
            }
            return Ok(());
        }
        let ended = step.life.is_ended() && !before.is_ended();
        prop_assert_eq!(
            ended,
            step.effects.contains(&Effect::CleanUp),
            "an end demands to be cleaned up after"
        );
        let arrived = self.write(step.life.clone(), version);
        if !arrived {
            self.marks.push("stale write");
            return Ok(());
        }
        if fate == Fate::SentTwice {
            prop_assert!(!self.write(step.life, version), "a write counts once");
        }
        let taken = self.oracle.judge(&self.rules, wish, at);
        prop_assert!(taken, "{:?} at {} was taken", wish, at);
        self.note(wish);
        self.is_as_the_oracle_says(&before)
    }

    fn step(&self, wish: &Do, life: Life, at: i64) -> Step {
        let policy = &self.policy;
        let who = |who: usize, groups: u8| actor(who, groups);
        let now = second(at);
        match *wish {
            Do::Open { by_rule } => step(life, &Command::Open { policy, by_rule }, now),
            Do::Approve { who: one, groups } => {
                step(life, &Command::Approve { by: &who(one, groups), policy }, now)
            }
            Do::Deny { who: one, groups } => {
                step(life, &Command::Deny { by: &who(one, groups), policy, reason: None }, now)
            }
            Do::Revoke { who: one, groups } => {
                let by = who(one, groups);
                step(life, &Command::Revoke { by: &by, policy: Some(policy), reason: None }, now)
            }
            Do::Extend { who: one, until } => {
                let by = who(one, 0);
                step(life, &Command::Extend { by: &by, until: second(until), policy }, now)
            }
            Do::Answer { hook, allow } => {
                let name = HOOKS.get(hook).copied().unwrap_or("unknown").to_owned();
                let answer = CheckAnswer { name, allow, reasons: vec![], at: now };
                step(life, &Command::Answer { answer: &answer, policy }, now)
            }
            Do::Review { who: one, groups } => {
                let (by, verdict) = (who(one, groups), ReviewVerdict::Justified);
                step(life, &Command::Review { by: &by, verdict, comment: None, policy }, now)
            }
            Do::Lapse => step(life, &Command::Lapse { cause: Cause::Lock, why: "locked" }, now),
            Do::Activate => step(life, &Command::Activate, now),
            Do::Fail => step(life, &Command::Fail { why: "no" }, now),
            Do::Tick | Do::ChangePolicy | Do::Round { .. } => step(life, &Command::Tick, now),
        }
    }

    /// A reconciler's round: reads, lets time pass, goes on by itself where it can, makes or removes bindings, opens.
    fn round(&mut self, gateway: usize, moves: u32) -> Checked {
        let at = self.now + self.skews[gateway];
        for left in (0..moves).rev() {
            let (life, version) = self.stored.clone();
            let next = match &life.stage {
                _ if life.expires().is_some_and(|end| second(at) >= end) => Some(Do::Tick),
                Stage::Pending { terms } if terms.is_none() => Some(Do::Open { by_rule: false }),
                Stage::Approved { window, .. } if self.bindings && second(at) >= window.start => {
                    Some(Do::Activate)
                }
                _ => None,
            };
            if let Some(wish) = next {
                self.try_it(&wish, life, version, at, Fate::Written)?;
                continue;
            }
            let wanted =
                life.window().is_some_and(|window| window.contains(second(at))) && life.stands().is_ok();
            if wanted == self.bindings {
                return Ok(());
            }
            self.bindings = wanted;
            if left == 0 && wanted {
                self.marks.push("died with bindings");
            }
        }
        Ok(())
    }

    /// The state is the one that the oracle has, and everything that is approved has a reason on record.
    fn is_as_the_oracle_says(&self, before: &Life) -> Checked {
        let life = &self.stored.0;
        let now = match &life.stage {
            Stage::Pending { .. } => Now::Pending,
            Stage::Approved { .. } => Now::Approved,
            Stage::Active { .. } => Now::Active,
            Stage::Ended(_) => Now::Over,
        };
        prop_assert_eq!(now, self.oracle.now);
        if let Some(window) = life.window() {
            let (start, end) = self.oracle.window.expect("a window that was decided");
            prop_assert_eq!((window.start, window.end), (second(start), second(end)));
            prop_assert!(self.oracle.people_are_right(life.by_rule.is_some()), "{:?}", self.oracle);
            prop_assert_eq!(life.stands(), Ok(()));
        }
        if before.is_ended() {
            prop_assert_eq!(&before.stage, &life.stage, "an end is final");
        }
        let closed = life.review.as_ref().and_then(|review| review.closed.as_ref());
        prop_assert_eq!(closed.is_some(), self.oracle.reviewed);
        if let Some(closed) = closed {
            prop_assert!((0..3).all(|own| principal(own) != closed.by), "reviewed by its user");
        }
        let glass = self.rules.kind == Kind::Glass && self.oracle.window.is_some();
        prop_assert_eq!(life.review.is_some(), glass, "break-glass and nothing else has a review");
        Ok(())
    }

    /// What is true at every moment, also at those hours away, for whoever's clock.
    pub(super) fn holds(&self) -> Checked {
        let life = &self.stored.0;
        for at in [0, 1, -1, 61, -61, 3600, -3600].map(|away| self.now + away) {
            prop_assert_eq!(life.is_open(second(at)), self.oracle.is_open(at), "open at {}", at);
            // Nothing that anybody does opens it outside the window.
            for wish in [Do::Activate, Do::Tick, Do::Open { by_rule: true }] {
                let after = self.step(&wish, life.clone(), at).life;
                let inside = self.oracle.window.is_none_or(|(start, end)| start <= at && at < end);
                prop_assert!(!after.is_open(second(at)) || inside, "{:?} opened it at {}", wish, at);
            }
        }
        prop_assert_eq!(&life.asked, &self.rules.asked());
        for approval in &life.approvals {
            let who = (0..PEOPLE.len()).find(|one| principal(*one) == approval.by);
            prop_assert!(who.is_some_and(|one| human(one) != 0));
        }
        Ok(())
    }

    /// Whatever happened, one gateway that is left, with time enough, cleans up after it and forgets nothing.
    pub(super) fn comes_to_rest(&mut self) -> Checked {
        // What is approved and within its window opens now, whoever died before.
        self.round(0, 10)?;
        let at = self.now + self.skews[0];
        prop_assert_eq!(self.bindings, self.oracle.is_open(at), "bindings where and only where it is open");
        let in_window = self.oracle.window.is_some_and(|(start, end)| start <= at && at < end);
        prop_assert!(self.oracle.now != Now::Approved || !in_window, "a grant was forgotten");
        // And nothing outlives the last moment that anything can have.
        self.now = self.now.max(0) + 9 * 24 * 3600;
        self.round(1, 10)?;
        prop_assert!(self.stored.0.is_ended() && !self.bindings, "an orphan");
        prop_assert_eq!(self.oracle.now, Now::Over);
        Ok(())
    }

    fn note(&mut self, wish: &Do) {
        let life = &self.stored.0;
        self.marks.push(match &life.stage {
            Stage::Pending { .. } => "pending",
            Stage::Approved { .. } if life.by_rule.is_some() => "approved by rule",
            Stage::Approved { .. } => "approved by people",
            Stage::Active { .. } if matches!(wish, Do::Extend { .. }) => "extended",
            Stage::Active { .. } => "active",
            Stage::Ended(_) if matches!(wish, Do::Review { .. }) => "reviewed",
            Stage::Ended(End::Expired { .. }) => "expired",
            Stage::Ended(End::Denied { .. }) => "denied",
            Stage::Ended(End::Refused { .. }) => "refused",
            Stage::Ended(End::Revoked { .. }) => "revoked",
            Stage::Ended(End::Lapsed { .. }) => "lapsed",
            Stage::Ended(End::Failed { .. }) => "failed",
        });
    }
}
