//! What is allowed, said as plainly as possible: lists of what was said, counted by hand, in whole seconds. It does not
//! look at the state under test.

use std::collections::BTreeMap;

use super::Do;
use super::people::{ASKED, AUDITORS, Kind, LEADS, PATIENCE, Rules, SECURITY, human};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Now {
    Pending,
    Approved,
    Active,
    Over,
}

#[derive(Debug, Clone)]
pub(super) struct Oracle {
    pub(super) now: Now,
    /// The version that what was approved so far was approved for; `None` until anybody opened or approved.
    terms: Option<Rules>,
    /// Human beings and the groups that they had, in order.
    approved: Vec<(usize, u8)>,
    answers: BTreeMap<usize, bool>,
    /// The window, once it is approved.
    pub(super) window: Option<(i64, i64)>,
    extended: usize,
    pub(super) reviewed: bool,
}

impl Oracle {
    pub(super) const fn new() -> Self {
        Self {
            now: Now::Pending,
            terms: None,
            approved: Vec::new(),
            answers: BTreeMap::new(),
            window: None,
            extended: 0,
            reviewed: false,
        }
    }

    /// Whether time alone has ended it at `at`.
    pub(super) fn time_is_up(&self, at: i64) -> bool {
        match (self.now, self.window) {
            (Now::Over, _) => false,
            (_, Some((_, end))) => at >= end,
            (_, None) => at >= if self.terms.is_some() { PATIENCE } else { 24 * 3600 },
        }
    }

    /// Whether it is open at `at`.
    pub(super) fn is_open(&self, at: i64) -> bool {
        self.now == Now::Active && self.window.is_some_and(|(start, end)| start <= at && at < end)
    }

    fn checked(&self, rules: &Rules) -> bool {
        (0..rules.hooks).all(|hook| self.answers.get(&hook) == Some(&true))
    }

    /// The approvals that count under `rules`: none that was given for another version.
    fn standing(&self, rules: &Rules) -> Vec<(usize, u8)> {
        if self.terms.is_some_and(|terms| terms.version == rules.version) {
            self.approved.clone()
        } else {
            vec![]
        }
    }

    /// Whether this approval would be taken; `Some(true)` where it adds one.
    fn would_count(&self, rules: &Rules, who: usize, groups: u8) -> Option<bool> {
        let (demands, standing) = (rules.kind.demands(), self.standing(rules));
        let one_of_them = groups & deciders(rules.kind) != 0;
        if human(who) == 0 || !one_of_them || !self.checked(rules) {
            return None;
        }
        // Where nobody is needed, a yes of those who are named is one too.
        let Some(wanted) = demands.get(standing.len()).copied() else { return Some(false) };
        match standing.iter().position(|(earlier, _)| *earlier == human(who)) {
            // Said again in the same stage: taken, and counted once.
            Some(earlier) => (demands[earlier] == wanted).then_some(false),
            None => (groups & wanted != 0).then_some(true),
        }
    }

    /// What must come of a wish at `at`: whether it is taken, and the state that it leads to.
    pub(super) fn judge(&mut self, rules: &Rules, wish: &Do, at: i64) -> bool {
        if self.time_is_up(at) {
            self.now = Now::Over;
        }
        let (pending, over) = (self.now == Now::Pending, self.now == Now::Over);
        match *wish {
            Do::Tick | Do::ChangePolicy | Do::Round { .. } => true,
            Do::Fail => {
                self.now = Now::Over;
                true
            }
            Do::Open { by_rule } => {
                if pending {
                    self.approved = self.standing(rules);
                    self.terms = Some(*rules);
                    let auto = rules.kind == Kind::Auto && by_rule;
                    if self.checked(rules) && (auto || rules.kind.demands().is_empty()) {
                        self.decided(rules, at);
                    }
                }
                !over
            }
            Do::Approve { who, groups } => {
                let counts = if pending { self.would_count(rules, who, groups) } else { None };
                let Some(adds) = counts else { return false };
                self.approved = self.standing(rules);
                self.terms = Some(*rules);
                if adds {
                    self.approved.push((human(who), groups));
                }
                if self.approved.len() == rules.kind.demands().len() {
                    self.decided(rules, at);
                }
                true
            }
            Do::Deny { who, groups } => {
                self.ends_if(pending && human(who) != 0 && groups & deciders(rules.kind) != 0)
            }
            Do::Revoke { who, groups } => {
                let reviewers = if rules.kind == Kind::Glass { AUDITORS } else { 0 };
                let may = deciders(rules.kind) | reviewers;
                // Alice's own account is hers under every name; another account is not, however it is spelled.
                self.ends_if(!over && (matches!(who, 0 | 2) || groups & may != 0))
            }
            Do::Lapse => self.ends_if(!over),
            Do::Activate => {
                let begun = self.window.is_some_and(|(start, _)| at >= start);
                match self.now {
                    Now::Active => true,
                    Now::Approved if begun => {
                        self.now = Now::Active;
                        true
                    }
                    _ => false,
                }
            }
            Do::Extend { who, until } => {
                let (Some((start, end)), Some(terms)) = (self.window, self.terms) else { return false };
                let longest = start + terms.longest().min(rules.longest());
                let taken = who == 0
                    && self.is_open(at)
                    && until > end
                    && until <= longest
                    && self.extended < super::MOST_EXTENSIONS;
                if taken {
                    self.window = Some((start, until));
                    self.extended += 1;
                }
                taken
            }
            Do::Answer { hook, allow } => {
                let decisive = if pending { *rules } else { self.terms.unwrap_or(*rules) };
                if over || hook >= decisive.hooks {
                    return false;
                }
                match allow {
                    Some(allow) => {
                        self.answers.insert(hook, allow);
                    }
                    None if pending => {
                        self.answers.remove(&hook);
                    }
                    None => {}
                }
                if allow == Some(false) || allow.is_none() && !decisive.waits {
                    self.now = Now::Over;
                }
                true
            }
            Do::Review { who, groups } => {
                let broken = rules.kind == Kind::Glass && self.window.is_some();
                let taken = over && broken && !self.reviewed && human(who) != 0 && groups & AUDITORS != 0;
                self.reviewed |= taken;
                taken
            }
        }
    }

    fn ends_if(&mut self, ends: bool) -> bool {
        if ends {
            self.now = Now::Over;
        }
        ends
    }

    fn decided(&mut self, rules: &Rules, at: i64) {
        let start = rules.start_at.map_or(at, |planned| planned.max(at));
        (self.now, self.window) = (Now::Approved, Some((start, start + ASKED)));
    }

    /// What must be true of whatever is approved, looked at from the end: as many different people as it takes,
    /// none of them alice, each in the groups of their place.
    pub(super) fn people_are_right(&self, by_rule: bool) -> bool {
        let Some(terms) = self.terms else { return false };
        let humans: std::collections::BTreeSet<_> = self.approved.iter().map(|(who, _)| who).collect();
        let demands = terms.kind.demands();
        !humans.contains(&0)
            && humans.len() == self.approved.len()
            && (by_rule || self.approved.len() == demands.len())
            && self.approved.iter().zip(demands).all(|((_, groups), wanted)| groups & wanted != 0)
    }
}

/// Who is named as an approver, by any part of the policy.
const fn deciders(kind: Kind) -> u8 {
    match kind {
        Kind::Plain(_) | Kind::Auto => LEADS,
        Kind::Staged => LEADS | SECURITY | AUDITORS,
        Kind::Glass => 0,
    }
}
