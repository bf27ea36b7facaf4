//! The ways to an end, and what comes after it.

use super::*;

#[test]
fn a_grant_that_could_not_be_opened_in_time_never_opens() {
    let late = step(approved(), &Command::Activate, second(60));
    assert!(matches!(late.life.stage, Stage::Ended(End::Expired { .. })));
    assert_eq!((late.effects, late.refused.unwrap().rule), (vec![Effect::CleanUp], Rule::Phase));
}

#[test]
fn a_request_that_nobody_answers_expires_when_its_policy_says() {
    let begun = Life::begin(asked());
    assert!(go(begun.clone(), &Command::Tick, 24 * 3600).is_ended());
    assert!(!go(begun.clone(), &Command::Tick, 24 * 3600 - 1).is_ended());
    let short = policy(|input| input.expires_after = Some("5m".into()));
    let opened = go(begun, &Command::Open { policy: &short, by_rule: false }, 0);
    assert_eq!(opened.deadline(second(0)), Some(second(300)));
    assert!(go(opened.clone(), &Command::Tick, 300).is_ended());
    assert!(!go(opened, &Command::Tick, 299).is_ended());
}

#[test]
fn a_clock_that_jumps_back_closes_and_forward_ends_for_good() {
    let life = active();
    assert!(!life.is_open(second(-3600)), "its window has not begun");
    assert!(!go(life.clone(), &Command::Tick, -3600).is_open(second(-3600)));
    let over = go(life, &Command::Tick, 5 * 3600);
    assert!(over.is_ended());
    let back = go(over.clone(), &Command::Tick, 10);
    assert_eq!(back, over);
    assert_eq!(refusal(&back, &Command::Activate, 10), Rule::Phase);
}

#[test]
fn a_check_that_says_no_ends_a_request_with_its_reasons() {
    let policy = checked(true);
    let answer = says("jira", Some(false));
    let no = step(Life::begin(asked()), &Command::Answer { answer: &answer, policy: &policy }, second(1));
    let Stage::Ended(End::Refused { why, .. }) = &no.life.stage else { panic!("{no:?}") };
    assert_eq!(why, "check `jira` says no: no change window; ask later");
    assert_eq!((no.effects, no.life.checks.len()), (vec![Effect::CleanUp], 1));
}

#[test]
fn a_check_that_is_out_of_reach_ends_a_request_unless_the_policy_waits() {
    let answer = says("opa", None);
    let policy = checked(false);
    let over = go(Life::begin(asked()), &Command::Answer { answer: &answer, policy: &policy }, 1);
    assert!(
        matches!(over.stage, Stage::Ended(End::Refused { ref why, .. }) if why.contains("could not be asked"))
    );
    let policy = checked(true);
    let waits = go(Life::begin(asked()), &Command::Answer { answer: &answer, policy: &policy }, 1);
    assert!(matches!(waits.stage, Stage::Pending { .. }));
    assert!(go(waits, &Command::Tick, 24 * 3600).is_ended(), "it waits as long as requests wait");
}

fn open_with_checks(waits: bool) -> (Life, Policy) {
    let policy = checked(waits);
    let mut life = Life::begin(asked());
    for name in ["opa", "jira"] {
        life = go(life, &Command::Answer { answer: &says(name, Some(true)), policy: &policy }, 0);
    }
    life = go(life, &Command::Approve { by: &lead("bob"), policy: &policy }, 0);
    (go(life, &Command::Activate, 0), policy)
}

#[test]
fn a_check_that_says_no_later_ends_the_grant() {
    let (life, policy) = open_with_checks(true);
    let no = says("opa", Some(false));
    let over = step(life.clone(), &Command::Answer { answer: &no, policy: &policy }, second(5));
    assert!(matches!(over.life.stage, Stage::Ended(End::Lapsed { cause: Cause::Hook, .. })));
    assert_eq!(over.effects, [Effect::CleanUp]);
    // Silence: what agreed before goes on counting where the policy waits.
    let silent = Command::Answer { answer: &says("opa", None), policy: &policy };
    assert_eq!(step(life.clone(), &silent, second(5)).life, life);
    let (life, policy) = open_with_checks(false);
    let silent = Command::Answer { answer: &says("opa", None), policy: &policy };
    assert!(go(life, &silent, 5).is_ended());
}

#[test]
fn what_is_not_allowed_any_more_ends_wherever_it_is() {
    let lapse = Command::Lapse { cause: Cause::Lock, why: "locked by\nsam" };
    for life in [Life::begin(asked()), approved(), active()] {
        let over = step(life, &lapse, second(2));
        let why = "locked by sam".to_owned();
        assert_eq!(over.life.stage, Stage::Ended(End::Lapsed { at: second(2), cause: Cause::Lock, why }));
        assert_eq!(over.effects, [Effect::CleanUp]);
        assert_eq!(refusal(&over.life, &lapse, 3), Rule::Phase);
    }
}

#[test]
fn an_explanation_is_cut_to_its_bound_between_characters() {
    let why = "ä".repeat(LONGEST_WHY);
    let over = go(active(), &Command::Lapse { cause: Cause::Policy, why: &why }, 2);
    let Stage::Ended(End::Lapsed { why, .. }) = over.stage else { panic!() };
    assert_eq!(why.len(), LONGEST_WHY);
}

#[test]
fn one_takes_back_ones_own_and_approvers_take_away() {
    fn revoke(by: &Actor) -> Command<'_> {
        Command::Revoke { by, policy: None, reason: None }
    }
    for life in [Life::begin(asked()), approved(), active()] {
        assert!(go(life.clone(), &revoke(&actor("alice", &[])), 2).is_ended());
        assert_eq!(refusal(&life, &revoke(&actor("mallory", &["oncall"])), 2), Rule::ApproverGroups);
    }
    assert!(go(active(), &revoke(&lead("dan")), 2).is_ended());
}

#[test]
fn a_denial_needs_neither_its_turn_nor_the_checks() {
    fn deny(policy: &Policy, by: &Actor) -> Step {
        step(Life::begin(asked()), &Command::Deny { by, policy, reason: Some("no") }, second(1))
    }
    assert!(deny(&staged(), &actor("fay", &["audit"])).life.is_ended());
    assert!(deny(&checked(true), &lead("bob")).life.is_ended());
    assert_eq!(deny(&plain(), &actor("eve", &["oncall"])).refused.unwrap().rule, Rule::ApproverGroups);
    assert_eq!(deny(&plain(), &lead("alice")).refused.unwrap().rule, Rule::NotOneself);
    let bob = lead("bob");
    let late = Command::Deny { by: &bob, policy: &plain(), reason: None };
    assert_eq!(refusal(&active(), &late, 2), Rule::Phase);
}

#[test]
fn break_glass_opens_at_once_and_its_review_outlives_it() {
    let policy = glass();
    let broken = go(Life::begin(asked()), &Command::Open { policy: &policy, by_rule: false }, 0);
    let open = go(broken, &Command::Activate, 0);
    assert!(open.is_open(second(1)) && open.review_is_open());
    fn review<'a>(by: &'a Actor, policy: &'a Policy) -> Command<'a> {
        Command::Review { by, verdict: ReviewVerdict::Justified, comment: Some("seen"), policy }
    }
    let sam = actor("sam", &["auditors"]);
    assert_eq!(refusal(&open, &review(&sam, &policy), 5), Rule::Phase, "not before it is over");
    let over = go(open.clone(), &Command::Tick, 60);
    assert!(over.review_is_open());
    for own in ["alice", "Alice"] {
        assert_eq!(refusal(&over, &review(&actor(own, &["auditors"]), &policy), 61), Rule::NotOnesOwnReview);
    }
    assert_eq!(refusal(&over, &review(&lead("bob"), &policy), 61), Rule::Reviewers);
    let closed = step(over, &review(&sam, &policy), second(61));
    assert_eq!((closed.effects, closed.life.review_is_open()), (vec![Effect::Reviewed], false));
    assert_eq!(refusal(&closed.life, &review(&actor("tom", &["auditors"]), &policy), 62), Rule::Phase);
    // A reviewer can end it, too.
    assert!(go(open, &Command::Revoke { by: &sam, policy: None, reason: None }, 5).review_is_open());
}

#[test]
fn there_is_no_review_where_no_glass_was_broken() {
    let sam = actor("sam", &["auditors"]);
    let verdict = ReviewVerdict::Unjustified;
    let review = Command::Review { by: &sam, verdict, comment: None, policy: &glass() };
    assert_eq!(refusal(&go(active(), &Command::Tick, 60), &review, 61), Rule::BreakGlass);
}
