//! The ways to an open window.

use super::*;

#[test]
fn an_approval_that_suffices_prepares_and_activation_opens() {
    let ready =
        step(Life::begin(asked()), &Command::Approve { by: &lead("bob"), policy: &plain() }, second(5));
    assert_eq!(ready.effects, [Effect::Counted { missing: 0 }, Effect::Prepare]);
    let opened = step(ready.life, &Command::Activate, second(7));
    assert_eq!(opened.effects, [Effect::Opened]);
    let window = opened.life.window().unwrap();
    assert_eq!((window.start, window.end), (second(5), second(65)), "the window was fixed at approval");
    assert!(opened.life.is_open(second(64)) && !opened.life.is_open(second(65)));
}

#[test]
fn nobody_approves_their_own_request_under_any_spelling() {
    let mut other = lead("ALICE");
    other.principal.issuer = "elsewhere".into();
    for by in [lead("alice"), other] {
        let approve = Command::Approve { by: &by, policy: &plain() };
        assert_eq!(refusal(&Life::begin(asked()), &approve, 0), Rule::NotOneself);
    }
}

#[test]
fn stages_come_one_after_the_other_and_one_person_counts_once_in_all() {
    let policy = staged();
    let begun = Life::begin(asked());
    let eve = actor("eve", &["security"]);
    assert_eq!(refusal(&begun, &Command::Approve { by: &eve, policy: &policy }, 0), Rule::Stages);
    let both = actor("bob", &["leads", "audit"]);
    let first = step(begun, &Command::Approve { by: &both, policy: &policy }, second(1));
    assert_eq!(first.effects, [Effect::Counted { missing: 2 }]);
    let waits: Vec<_> = first.life.missing(&policy).into_iter().map(|one| (one.stage, one.needed)).collect();
    assert_eq!(waits, [("safety".to_owned(), 2)]);
    // Bob again, and Bob under another spelling: he has counted.
    for name in ["bob", "BOB"] {
        let bob = actor(name, &["leads", "audit"]);
        assert_eq!(refusal(&first.life, &Command::Approve { by: &bob, policy: &policy }, 2), Rule::Stages);
    }
    // A lead's turn is over.
    assert_eq!(
        refusal(&first.life, &Command::Approve { by: &lead("dan"), policy: &policy }, 2),
        Rule::Stages
    );
    let second_one = go(first.life, &Command::Approve { by: &eve, policy: &policy }, 3);
    // Said twice in the same stage is said once.
    let again = step(second_one.clone(), &Command::Approve { by: &eve, policy: &policy }, second(4));
    assert_eq!((again.refused, &again.life.approvals), (None, &second_one.approvals));
    // Either group will do.
    let done = go(second_one, &Command::Approve { by: &actor("fay", &["audit"]), policy: &policy }, 5);
    assert!(matches!(done.stage, Stage::Approved { .. }));
    let stages: Vec<_> = done.approvals.iter().map(|one| one.stage.as_str()).collect();
    assert_eq!(stages, ["team", "safety", "safety"]);
    assert_eq!(done.stands(), Ok(()));
}

#[test]
fn a_policy_that_changes_between_approvals_begins_anew() {
    let policy = staged();
    let one = go(Life::begin(asked()), &Command::Approve { by: &lead("bob"), policy: &policy }, 0);
    let mut input = good();
    (input.approvals, input.max_duration) = (2, "4m".into());
    let changed = Policy::parse("oncall-debug", &input).unwrap();
    assert_eq!(one.missing(&changed).first().map(|stage| stage.needed), Some(2));
    let opened = go(one.clone(), &Command::Open { policy: &changed, by_rule: false }, 1);
    assert_eq!((opened.approvals.len(), opened.terms()), (0, Some(&changed)));
    let next = go(one, &Command::Approve { by: &lead("dan"), policy: &changed }, 1);
    assert_eq!(next.approvals.len(), 1);
    assert!(matches!(next.stage, Stage::Pending { .. }));
}

#[test]
fn nothing_is_approved_before_every_check_has_agreed() {
    let policy = checked(true);
    let begun = go(Life::begin(asked()), &Command::Open { policy: &policy, by_rule: true }, 0);
    let approve = Command::Approve { by: &lead("bob"), policy: &policy };
    assert_eq!(refusal(&begun, &approve, 1), Rule::Hooks);
    let one = go(begun, &Command::Answer { answer: &says("opa", Some(true)), policy: &policy }, 1);
    assert_eq!(refusal(&one, &approve, 1), Rule::Hooks);
    // Out of reach, and the policy waits.
    let one = go(one, &Command::Answer { answer: &says("jira", None), policy: &policy }, 1);
    assert_eq!(refusal(&one, &approve, 1), Rule::Hooks);
    assert_eq!(one.unchecked(&policy).len(), 1);
    let both = step(one, &Command::Answer { answer: &says("jira", Some(true)), policy: &policy }, second(2));
    assert_eq!(both.effects, [Effect::Checked]);
    let approved = go(both.life, &approve, 3);
    assert!(matches!(approved.stage, Stage::Approved { .. }));
    assert_eq!(
        refusal(&approved, &Command::Answer { answer: &says("x", None), policy: &policy }, 4),
        Rule::Hooks
    );
}

#[test]
fn what_needs_no_person_waits_for_the_checks_too() {
    for (rule, policy) in [
        ("approval.required", policy(|input| (input.approvals, input.hooks) = (0, hooks()))),
        ("autoApprove", policy(|input| (input.auto_approve, input.hooks) = (Some("true".into()), hooks()))),
        ("breakGlass", {
            policy(|input| {
                (input.approvals, input.hooks) = (0, hooks());
                input.break_glass = Some(vec!["auditors".into()]);
            })
        }),
    ] {
        let open = Command::Open { policy: &policy, by_rule: true };
        let begun = go(Life::begin(asked()), &open, 0);
        assert!(matches!(begun.stage, Stage::Pending { .. }), "{rule}");
        let agreed = go(begun, &Command::Answer { answer: &says("opa", Some(true)), policy: &policy }, 1);
        let opened = step(agreed, &open, second(2));
        assert_eq!((opened.life.by_rule.as_deref(), opened.effects), (Some(rule), vec![Effect::Prepare]));
        assert_eq!(opened.life.stands(), Ok(()));
        // Whoever finds it once more changes nothing.
        let again = step(opened.life.clone(), &open, second(3));
        assert_eq!((again.life, again.effects, again.refused), (opened.life, vec![], None));
    }
}

fn hooks() -> Vec<HookInput> {
    vec![HookInput { name: "opa".into(), waits: false, recheck: None }]
}

#[test]
fn a_condition_approves_only_where_the_policy_has_one_and_it_holds() {
    let policy = policy(|input| input.auto_approve = Some("true".into()));
    for (policy, by_rule) in [(&plain(), true), (&policy, false)] {
        let opened = go(Life::begin(asked()), &Command::Open { policy, by_rule }, 0);
        assert!(matches!(opened.stage, Stage::Pending { .. }));
    }
    let opened = go(Life::begin(asked()), &Command::Open { policy: &policy, by_rule: true }, 0);
    assert!(matches!(opened.stage, Stage::Approved { .. }));
}

#[test]
fn a_planned_start_waits_for_its_moment() {
    let later = Asked { start_at: Some(second(1000)), ..asked() };
    let life = go(Life::begin(later), &Command::Approve { by: &lead("bob"), policy: &plain() }, 5);
    assert_eq!(life.deadline(second(6)), Some(second(1000)));
    assert_eq!(refusal(&life, &Command::Activate, 999), Rule::Start);
    assert!(!go(life.clone(), &Command::Tick, 999).is_open(second(999)));
    let life = go(life, &Command::Activate, 1000);
    assert!(life.is_open(second(1000)) && !life.is_open(second(999)));
    assert_eq!(life.deadline(second(1001)), Some(second(1060)));
}

#[test]
fn a_planned_start_that_has_passed_begins_at_the_approval() {
    let earlier = Asked { start_at: Some(second(10)), ..asked() };
    let life = go(Life::begin(earlier), &Command::Approve { by: &lead("bob"), policy: &plain() }, 50);
    assert_eq!(life.window().unwrap().start, second(50));
}

#[test]
fn a_start_more_than_a_week_ahead_is_refused() {
    let week = i64::try_from(FARTHEST_START.as_secs()).unwrap();
    let at = |start| Life::begin(Asked { start_at: Some(second(start)), ..asked() });
    let policy = plain();
    assert_eq!(refusal(&at(week + 1), &Command::Open { policy: &policy, by_rule: false }, 0), Rule::Start);
    let by = lead("bob");
    assert_eq!(refusal(&at(week + 1), &Command::Approve { by: &by, policy: &policy }, 0), Rule::Start);
    go(at(week), &Command::Open { policy: &policy, by_rule: false }, 0);
}

#[test]
fn an_open_window_is_made_longer_up_to_the_policys_longest() {
    let (alice, policy) = (actor("alice", &["oncall"]), plain());
    let extend = |until| Command::Extend { by: &alice, until: second(until), policy: &policy };
    let life = active();
    assert_eq!(refusal(&life, &extend(60), 30), Rule::Window);
    assert_eq!(refusal(&life, &extend(181), 30), Rule::MaxDuration);
    let longer = step(life, &extend(100), second(59));
    assert_eq!(longer.effects, [Effect::Extended]);
    let life = go(longer.life, &extend(180), 99);
    assert_eq!(refusal(&life, &extend(181), 99), Rule::MaxDuration);
    assert!(life.is_open(second(179)) && !life.is_open(second(180)));
    assert_eq!(life.extensions.len(), 2);
}

#[test]
fn only_the_user_extends_and_only_while_it_is_open() {
    let (alice, policy) = (actor("alice", &["oncall"]), plain());
    fn extend<'a>(by: &'a Actor, policy: &'a Policy) -> Command<'a> {
        Command::Extend { by, until: second(100), policy }
    }
    let mut renamed = alice.clone();
    renamed.principal.username = "alice.smith".into();
    for other in [&lead("bob"), &actor("Alice", &["oncall"]), &renamed] {
        assert_eq!(refusal(&active(), &extend(other, &policy), 30), Rule::NotOneself);
    }
    assert_eq!(refusal(&approved(), &extend(&alice, &policy), 0), Rule::Window);
    // The clock went back: the window has not begun.
    assert_eq!(refusal(&active(), &extend(&alice, &policy), -10), Rule::Window);
    let late = step(active(), &extend(&alice, &policy), second(60));
    assert_eq!(late.refused.unwrap().rule, Rule::Phase);
    assert!(matches!(late.life.stage, Stage::Ended(End::Expired { .. })));
    // The policy in force counts as well as the one that was approved.
    let narrower = super::policy(|input| input.max_duration = "90s".into());
    let extend = Command::Extend { by: &alice, until: second(100), policy: &narrower };
    assert_eq!(refusal(&active(), &extend, 30), Rule::MaxDuration);
}

#[test]
fn a_window_is_extended_so_often_and_no_more() {
    let (alice, policy) = (actor("alice", &["oncall"]), plain());
    let mut life = active();
    for n in 0..i64::try_from(MOST_EXTENSIONS).unwrap() {
        life = go(life, &Command::Extend { by: &alice, until: second(61 + n), policy: &policy }, 30);
    }
    let more = Command::Extend { by: &alice, until: second(170), policy: &policy };
    assert_eq!(refusal(&life, &more, 30), Rule::Window);
}

#[test]
fn a_policy_that_became_narrower_cannot_be_approved_for_what_it_lost() {
    let by = lead("bob");
    let narrower = policy(|input| input.namespaces = vec!["staging".into()]);
    let approve = Command::Approve { by: &by, policy: &narrower };
    assert_eq!(refusal(&Life::begin(asked()), &approve, 0), Rule::Namespaces);
    let shorter = policy(|input| input.max_duration = "59s".into());
    assert_eq!(
        refusal(&Life::begin(asked()), &Command::Approve { by: &by, policy: &shorter }, 0),
        Rule::MaxDuration
    );
    let other = Policy::parse("other", &good()).unwrap();
    assert_eq!(refusal(&Life::begin(asked()), &Command::Approve { by: &by, policy: &other }, 0), Rule::Phase);
    let nowhere =
        Life::begin(Asked { scope: Scope { namespaces: BTreeSet::new(), ..Scope::default() }, ..asked() });
    assert_eq!(refusal(&nowhere, &Command::Approve { by: &by, policy: &plain() }, 0), Rule::Namespaces);
}
