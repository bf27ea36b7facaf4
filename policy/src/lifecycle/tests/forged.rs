//! States that no sequence of commands leads to: each is one change away from a good one, and opens nothing.

use super::*;

/// What refuses `life`, which was good before `forge`.
fn forged(life: Life, forge: impl FnOnce(&mut Life)) -> Rule {
    assert_eq!(life.stands(), Ok(()));
    let (mut forged, at) = (life, second(5));
    forge(&mut forged);
    assert!(!forged.is_open(at), "{forged:?}");
    // On the way to being open, too.
    if let Stage::Active { terms, window } = forged.stage.clone() {
        let before = Life { stage: Stage::Approved { terms, window }, ..forged.clone() };
        assert!(step(before, &Command::Activate, at).refused.is_some());
    }
    forged.stands().unwrap_err().rule
}

fn in_window(life: &mut Life, change: impl FnOnce(&mut Window)) {
    let Stage::Active { window, .. } = &mut life.stage else { panic!() };
    change(window);
}

#[test]
fn approvals_that_are_missing() {
    assert_eq!(forged(active(), |life| life.approvals.clear()), Rule::Approvals);
}

#[test]
fn an_approval_of_ones_own() {
    for name in ["alice", "ALICE"] {
        assert_eq!(forged(active(), |life| life.approvals[0].by = principal(name)), Rule::Approvals);
    }
}

fn staged_and_open() -> Life {
    let policy = staged();
    let mut life = Life::begin(asked());
    for by in [lead("bob"), actor("eve", &["security"]), actor("fay", &["audit"])] {
        life = go(life, &Command::Approve { by: &by, policy: &policy }, 0);
    }
    go(life, &Command::Activate, 0)
}

#[test]
fn approvals_of_another_stage_or_in_another_order() {
    assert_eq!(forged(staged_and_open(), |life| life.approvals[1].stage = "team".into()), Rule::Stages);
    assert_eq!(forged(staged_and_open(), |life| life.approvals[2].stage = String::new()), Rule::Stages);
    assert_eq!(forged(staged_and_open(), |life| life.approvals.swap(0, 1)), Rule::Stages);
}

#[test]
fn one_person_in_two_stages_or_twice_in_one() {
    assert_eq!(forged(staged_and_open(), |life| life.approvals[1].by = principal("bob")), Rule::Stages);
    assert_eq!(forged(staged_and_open(), |life| life.approvals[2].by = principal("Eve")), Rule::Stages);
}

#[test]
fn a_window_that_is_too_long_or_somewhere_else() {
    assert_eq!(forged(active(), |life| in_window(life, |window| window.end = second(61))), Rule::Window);
    // Shorter is no decision of anybody, either.
    assert_eq!(forged(active(), |life| in_window(life, |window| window.end = second(59))), Rule::Window);
    let moved =
        |life: &mut Life| in_window(life, |window| (window.start, window.end) = (second(4), second(64)));
    assert_eq!(forged(active(), moved), Rule::Window);
    let longer = |life: &mut Life| {
        life.asked.duration = Duration::from_secs(3600);
        in_window(life, |window| window.end = second(3600));
    };
    assert_eq!(forged(active(), longer), Rule::MaxDuration);
}

fn extended() -> Life {
    let (alice, policy) = (actor("alice", &["oncall"]), plain());
    go(active(), &Command::Extend { by: &alice, until: second(100), policy: &policy }, 3)
}

#[test]
fn extensions_of_somebody_else_too_late_too_long_or_too_many() {
    let forge = |change: fn(&mut Extension)| forged(extended(), |life| change(&mut life.extensions[0]));
    assert_eq!(forge(|one| one.by = "bob".into()), Rule::Window);
    assert_eq!(forge(|one| one.at = second(60)), Rule::Window);
    assert_eq!(forge(|one| one.at = second(-1)), Rule::Window);
    assert_eq!(forge(|one| one.until = second(101)), Rule::Window);
    assert_eq!(forge(|one| one.until = second(60)), Rule::Window);
    assert_eq!(forged(extended(), |life| life.extensions.clear()), Rule::Window);
    let beyond = |life: &mut Life| {
        life.extensions[0].until = second(181);
        in_window(life, |window| window.end = second(181));
    };
    assert_eq!(forged(extended(), beyond), Rule::Window);
    let many = |life: &mut Life| {
        life.extensions =
            (0..40).map(|n| Extension { until: second(61 + n), ..life.extensions[0].clone() }).collect();
        in_window(life, |window| window.end = second(100));
    };
    assert_eq!(forged(extended(), many), Rule::Window);
}

#[test]
fn a_rule_that_the_policy_does_not_have() {
    for rule in ["autoApprove", "approval.required", "breakGlass", "", "anything"] {
        let by_rule = |life: &mut Life| (life.by_rule, life.approvals) = (Some(rule.to_owned()), vec![]);
        assert_eq!(forged(active(), by_rule), Rule::Approvals, "{rule}");
    }
}

#[test]
fn a_window_by_rule_that_lies_far_ahead_or_before_its_planned_start() {
    let policy = policy(|input| input.approvals = 0);
    let open = |start_at| {
        let life = Life::begin(Asked { start_at, ..asked() });
        let life = go(life, &Command::Open { policy: &policy, by_rule: false }, 0);
        Life {
            stage: Stage::Active { terms: Box::new(policy.clone()), window: life.window().unwrap() },
            ..life
        }
    };
    let move_to = |start: i64| {
        move |life: &mut Life| {
            in_window(life, |window| (window.start, window.end) = (second(start), second(start + 60)))
        }
    };
    assert_eq!(forged(open(None), move_to(8 * 24 * 3600)), Rule::Window);
    assert_eq!(forged(open(Some(second(100))), move_to(0)), Rule::Window);
}

#[test]
fn checks_that_are_missing_or_said_no() {
    let policy = checked(true);
    let open = || {
        let mut life = Life::begin(asked());
        for name in ["opa", "jira"] {
            life = go(life, &Command::Answer { answer: &says(name, Some(true)), policy: &policy }, 0);
        }
        life = go(life, &Command::Approve { by: &lead("bob"), policy: &policy }, 0);
        go(life, &Command::Activate, 0)
    };
    assert_eq!(forged(open(), |life| life.checks.clear()), Rule::Hooks);
    assert_eq!(forged(open(), |life| life.checks.truncate(1)), Rule::Hooks);
    assert_eq!(forged(open(), |life| life.checks[0].allow = Some(false)), Rule::Hooks);
    assert_eq!(forged(open(), |life| life.checks[1].allow = None), Rule::Hooks);
    assert_eq!(forged(open(), |life| life.checks[1].name = "other".into()), Rule::Hooks);
}

#[test]
fn a_place_or_a_policy_that_was_not_approved() {
    let staging = Namespace::parse("production").unwrap();
    assert_eq!(forged(active(), |life| life.asked.scope = Scope::of([staging])), Rule::Namespaces);
    assert_eq!(forged(active(), |life| life.asked.policy = PolicyName::parse("other").unwrap()), Rule::Phase);
}
