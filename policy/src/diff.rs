//! What changes between two sets of policies: who gains and who loses what. Conditions are compared as text: what they
//! mean cannot be, so a changed one is told as changed, in neither direction.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::commands::{ShellKind, Way};
use crate::duration;
use crate::policy::Policy;

/// In whose favour a difference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// More is allowed, or with less.
    Gain,
    /// Less is allowed, or with more.
    Loss,
    /// It cannot be told.
    Change,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// The policy.
    pub policy: String,
    /// In whose favour.
    pub direction: Direction,
    /// In words.
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.direction {
            Direction::Gain => '+',
            Direction::Loss => '-',
            Direction::Change => '~',
        };
        write!(f, "{sign} {}: {}", self.policy, self.what)
    }
}

/// All differences, by policy. Equal sets have none.
#[must_use]
pub fn diff(old: &[Policy], new: &[Policy]) -> Vec<Difference> {
    let by_name = |policies: &[Policy]| -> BTreeMap<String, Policy> {
        policies.iter().map(|policy| (policy.name().to_string(), policy.clone())).collect()
    };
    let (old, new) = (by_name(old), by_name(new));
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let mut found = Vec::new();
    for name in names {
        let mut notes = Notes { policy: name, found: &mut found };
        match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) => compare(old, new, &mut notes),
            (Some(old), None) => notes.all(old, Direction::Loss),
            (None, Some(new)) => notes.all(new, Direction::Gain),
            (None, None) => {}
        }
    }
    found
}

struct Notes<'a> {
    policy: &'a str,
    found: &'a mut Vec<Difference>,
}

impl Notes<'_> {
    fn note(&mut self, direction: Direction, what: String) {
        self.found.push(Difference { policy: self.policy.to_owned(), direction, what });
    }

    /// A whole policy that comes or goes.
    fn all(&mut self, policy: &Policy, direction: Direction) {
        let can = if direction == Direction::Gain { "can ask" } else { "can no longer ask" };
        let (who, places) = (names(policy.subject_groups()), names(policy.namespaces()));
        let longest = duration::show(policy.max_duration());
        let what = uses(policy).into_iter().collect::<Vec<_>>().join(", ");
        let with = approvals(policy);
        self.note(
            direction,
            format!("members of {who} {can} for {what} in {places}, up to {longest}, {with}"),
        );
    }

    fn sets<T: Ord + fmt::Display>(&mut self, old: &BTreeSet<T>, new: &BTreeSet<T>, gain: &str, loss: &str) {
        let more: BTreeSet<_> = new.difference(old).collect();
        let less: BTreeSet<_> = old.difference(new).collect();
        if !more.is_empty() {
            self.note(Direction::Gain, gain.replace("{}", &names(&more)));
        }
        if !less.is_empty() {
            self.note(Direction::Loss, loss.replace("{}", &names(&less)));
        }
    }

    /// Something that has an order: more of it is a gain, or a loss.
    fn ordered<T: PartialOrd>(&mut self, old: &T, new: &T, more: Direction, what: String) {
        let less = if more == Direction::Gain { Direction::Loss } else { Direction::Gain };
        if new > old {
            self.note(more, what);
        } else if new < old {
            self.note(less, what);
        }
    }

    fn text(&mut self, field: &str, old: Option<&str>, new: Option<&str>, there: Direction) {
        let gone = if there == Direction::Gain { Direction::Loss } else { Direction::Gain };
        match (old, new) {
            (None, Some(new)) => self.note(there, format!("`{field}` is new: {new}")),
            (Some(old), None) => self.note(gone, format!("`{field}` is gone: {old}")),
            (Some(old), Some(new)) if old != new => {
                self.note(Direction::Change, format!("`{field}` was {old} and is {new}"));
            }
            _ => {}
        }
    }
}

fn names<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| format!("`{item}`")).collect::<Vec<_>>().join(", ")
}

fn uses(policy: &Policy) -> BTreeSet<String> {
    let mut uses: BTreeSet<String> =
        policy.allowed().into_iter().filter(|use_| *use_ != "forward").map(str::to_owned).collect();
    if !policy.ports().is_empty() {
        uses.insert(format!("tunnels to {}", policy.ports()));
    }
    uses
}

fn approvals(policy: &Policy) -> String {
    if policy.is_break_glass() {
        return "as break-glass".to_owned();
    }
    let rounds: Vec<_> = policy
        .stages()
        .iter()
        .map(|stage| format!("{} of {}", stage.required, names(&stage.groups)))
        .collect();
    if rounds.is_empty() {
        "without approval".to_owned()
    } else {
        format!("approved by {}", rounds.join(", then "))
    }
}

fn compare(old: &Policy, new: &Policy, notes: &mut Notes<'_>) {
    if old == new {
        return;
    }
    let who = names(new.subject_groups());
    notes.sets(
        old.subject_groups(),
        new.subject_groups(),
        "members of {} can ask",
        "members of {} can no longer ask",
    );
    let (gain, loss) =
        (format!("{who} can ask for namespace {{}}"), format!("{who} can no longer ask for namespace {{}}"));
    notes.sets(old.namespaces(), new.namespaces(), &gain, &loss);
    let plain = |policy: &Policy| -> BTreeSet<&'static str> {
        policy.allowed().into_iter().filter(|one| *one != "forward").collect()
    };
    notes.sets(&plain(old), &plain(new), "a grant allows {}", "a grant no longer allows {}");
    let ports = |policy: &Policy| -> BTreeSet<u16> {
        (1..=u16::MAX).filter(|port| policy.ports().contains(*port)).collect()
    };
    let (before, after) = (ports(old), ports(new));
    let tunnels = || format!("tunnels lead to {} (were {})", shown(new), shown(old));
    match (after.is_superset(&before), before.is_superset(&after)) {
        (true, true) => {}
        (true, false) => notes.note(Direction::Gain, tunnels()),
        (false, true) => notes.note(Direction::Loss, tunnels()),
        (false, false) => notes.note(Direction::Change, tunnels()),
    }
    let lengths = format!(
        "the longest time is {} (was {})",
        duration::show(new.max_duration()),
        duration::show(old.max_duration())
    );
    notes.ordered(&old.max_duration(), &new.max_duration(), Direction::Gain, lengths);
    if (old.stages(), old.is_break_glass()) != (new.stages(), new.is_break_glass()) {
        let what = format!("{} (was {})", approvals(new), approvals(old));
        let before = notes.found.len();
        notes.ordered(&old.approvals(), &new.approvals(), Direction::Loss, what.clone());
        if notes.found.len() == before {
            notes.note(Direction::Change, what);
        }
    }
    if old.cluster_role() != new.cluster_role() {
        let what = format!("the ClusterRole is `{}` (was `{}`)", new.cluster_role(), old.cluster_role());
        notes.note(Direction::Change, what);
    }
    if old.selector() != new.selector() {
        let direction = match (old.selector().is_everything(), new.selector().is_everything()) {
            (true, false) => Direction::Loss,
            (false, true) => Direction::Gain,
            _ => Direction::Change,
        };
        notes.note(direction, "the pods that are selected are others".to_owned());
    }
    notes.text("when", source(old.when()), source(new.when()), Direction::Loss);
    notes.text("autoApprove", source(old.auto_approve()), source(new.auto_approve()), Direction::Gain);
    let denies = |policy: &Policy| -> BTreeSet<String> {
        policy.deny().iter().map(|deny| deny.condition.source().to_owned()).collect()
    };
    for gone in denies(old).difference(&denies(new)) {
        notes.note(Direction::Gain, format!("it is no longer denied when {gone}"));
    }
    for added in denies(new).difference(&denies(old)) {
        notes.note(Direction::Loss, format!("it is denied when {added}"));
    }
    let hooks = |policy: &Policy| -> BTreeSet<String> {
        policy.hooks().iter().map(|hook| hook.name.clone()).collect()
    };
    notes.sets(&hooks(new), &hooks(old), "check {} need no longer agree", "check {} must agree");
    commands(old, new, notes);
    words(old, new, notes);
    if notes.found.iter().all(|one| one.policy != notes.policy) {
        notes.note(Direction::Change, "something changed that gives or takes nothing by itself".to_owned());
    }
}

/// Which commands may run.
fn commands(old: &Policy, new: &Policy, notes: &mut Notes<'_>) {
    let rules = |policy: &Policy, denies: bool| -> BTreeSet<String> {
        let rules = policy.commands().map(|commands| commands.rules(Way::Guarded)).unwrap_or_default();
        let wanted = rules.into_iter().filter(|rule| rule.name.starts_with("deny[") == denies);
        wanted.map(|rule| rule.text).collect()
    };
    match (old.commands(), new.commands()) {
        (None, Some(_)) => notes.note(Direction::Loss, "which commands may run is ruled now".to_owned()),
        (Some(_), None) => notes.note(Direction::Gain, "any command may run now".to_owned()),
        (Some(was), Some(is)) if was != is => {
            let before = notes.found.len();
            notes.sets(&rules(old, false), &rules(new, false), "commands may run: {}", "no longer run: {}");
            notes.sets(&rules(new, true), &rules(old, true), "no longer denied: {}", "denied: {}");
            if was.shell() != is.shell() {
                let open = is.shell() == ShellKind::Open;
                let direction = if open { Direction::Gain } else { Direction::Loss };
                let which = if open { "the container's own" } else { "the gateway's own" };
                notes.note(direction, format!("`shell` opens {which} shell"));
            }
            if notes.found.len() == before {
                notes.note(Direction::Change, "`commands` says something else".to_owned());
            }
        }
        _ => {}
    }
}

/// What is asked of words and of restraint, and what a grant brings beside.
fn words(old: &Policy, new: &Policy, notes: &mut Notes<'_>) {
    let yes = |flag: bool| flag.then_some("yes");
    notes.text("reasonRequired", yes(old.reason_required()), yes(new.reason_required()), Direction::Loss);
    let pattern =
        |pattern: Option<&crate::policy::Pattern>| pattern.map(|pattern| pattern.source().to_owned());
    let (was, is) = (pattern(old.reason_pattern()), pattern(new.reason_pattern()));
    notes.text("reasonPattern", was.as_deref(), is.as_deref(), Direction::Loss);
    notes.text("ticket.required", yes(old.ticket_required()), yes(new.ticket_required()), Direction::Loss);
    let (was, is) = (pattern(old.ticket_pattern()), pattern(new.ticket_pattern()));
    notes.text("ticket.pattern", was.as_deref(), is.as_deref(), Direction::Loss);
    let limit = format!("{} requests may be open at once (were {})", new.open_limit(), old.open_limit());
    notes.ordered(&old.open_limit(), &new.open_limit(), Direction::Gain, limit);
    let limit = format!("{} requests an hour (were {})", new.hourly_limit(), old.hourly_limit());
    notes.ordered(&old.hourly_limit(), &new.hourly_limit(), Direction::Gain, limit);
    let idle = |policy: &Policy| policy.idle_timeout().map(duration::show);
    let (was, is) = (idle(old), idle(new));
    notes.text("idleTimeout", was.as_deref(), is.as_deref(), Direction::Loss);
    notes.text("ownIdentity", yes(old.own_identity()), yes(new.own_identity()), Direction::Gain);
    notes.text("record", yes(old.must_record()), yes(new.must_record()), Direction::Loss);
}

fn source(condition: Option<&crate::condition::Condition>) -> Option<&str> {
    condition.map(crate::condition::Condition::source)
}

fn shown(policy: &Policy) -> String {
    if policy.ports().is_empty() { "nothing".to_owned() } else { policy.ports().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::PolicyInput;
    use crate::policy::tests::good;

    fn said(change: impl Fn(&mut PolicyInput)) -> Vec<String> {
        let (old, mut input) = (Policy::parse("p", &good()).unwrap(), good());
        change(&mut input);
        let new = Policy::parse("p", &input).unwrap();
        let forth = diff(std::slice::from_ref(&old), std::slice::from_ref(&new));
        // The way back says the opposite.
        let back = diff(std::slice::from_ref(&new), std::slice::from_ref(&old));
        let count =
            |found: &[Difference], direction| found.iter().filter(|one| one.direction == direction).count();
        assert_eq!(count(&forth, Direction::Gain), count(&back, Direction::Loss), "{forth:?} {back:?}");
        assert_eq!(count(&forth, Direction::Change), count(&back, Direction::Change), "{forth:?} {back:?}");
        forth.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn equal_sets_differ_in_nothing() {
        assert!(said(|_| {}).is_empty());
    }

    #[test]
    fn every_kind_of_change_is_told_with_its_direction() {
        type Change = fn(&mut PolicyInput);
        let cases: [(Change, &str); 16] = [
            (|p| p.subject_groups.push("dev".into()), "+ p: members of `dev` can ask"),
            (|p| drop(p.namespaces.pop()), "- p: `oncall` can no longer ask for namespace `staging`"),
            (|p| p.allow.shell = false, "- p: a grant no longer allows `shell`"),
            (|p| p.allow.forward = Some(vec!["5432".into(), "80".into()]), "+ p: tunnels lead to"),
            (|p| p.allow.forward = Some(vec!["80".into()]), "~ p: tunnels lead to 80 (were 5432)"),
            (|p| p.max_duration = "1h".into(), "- p: the longest time is 1h (was 2h)"),
            (|p| p.approvals = 0, "+ p: without approval (was approved by 1 of `leads`)"),
            (|p| p.approver_groups = vec!["friends".into()], "~ p: approved by 1 of `friends`"),
            (|p| p.cluster_role = "admin".into(), "~ p: the ClusterRole is `admin`"),
            (|p| p.when = Some("true".into()), "- p: `when` is new: true"),
            (|p| p.auto_approve = Some("true".into()), "+ p: `autoApprove` is new: true"),
            (|p| p.deny.push(("false".into(), None)), "- p: it is denied when false"),
            (|p| p.reason_required = false, "+ p: `reasonRequired` is gone: yes"),
            (|p| p.idle_timeout = Some("5m".into()), "- p: `idleTimeout` is new: 5m"),
            (|p| p.own_identity = true, "+ p: `ownIdentity` is new: yes"),
            (|p| p.expires_after = Some("5m".into()), "~ p: something changed"),
        ];
        for (change, expected) in cases {
            let found = said(change);
            assert!(found.iter().any(|one| one.starts_with(expected)), "{expected}: {found:?}");
        }
    }

    #[test]
    fn a_policy_that_comes_or_goes_is_told_as_a_whole() {
        let policy = Policy::parse("p", &good()).unwrap();
        let came = diff(&[], std::slice::from_ref(&policy));
        assert_eq!(
            came[0].to_string(),
            "+ p: members of `oncall` can ask for exec, logs, shell, tunnels to 5432 in `payments`, `staging`, up to 2h, approved by 1 of `leads`"
        );
        let went = diff(std::slice::from_ref(&policy), &[]);
        assert!(went[0].to_string().starts_with("- p: members of `oncall` can no longer ask"));
    }
}
