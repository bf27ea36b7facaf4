//! Random commands by random people at random moments, the clock stepping forwards and backwards, the policy
//! changing in between; after every step the invariants are looked at from outside, with a model of their own.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::policy::tests::good;

const PEOPLE: [(&str, &str, &str); 7] = [
    ("idp", "1", "alice"),
    ("other", "9", "Alice"),
    ("idp", "1", "alice.renamed"),
    ("idp", "2", "bob"),
    ("idp", "3", "BOB"),
    ("idp", "4", "carol"),
    ("idp", "5", "dave"),
];

/// Who is one person, whatever they call themselves: by the index above.
const fn human(person: usize) -> usize {
    match person {
        0..=2 => 0,
        3..=4 => 1,
        other => other,
    }
}

fn principal(person: usize) -> Principal {
    let (issuer, subject, username) = PEOPLE[person];
    Principal { issuer: issuer.into(), subject: subject.into(), username: username.into() }
}

fn actor(person: usize, leads: bool) -> Actor {
    let groups = leads.then(|| "leads".to_owned()).into_iter().collect();
    let principal = principal(person);
    Actor { person: Person { username: principal.username.clone(), groups }, principal }
}

fn policy(approvals: u32, version: u64) -> Policy {
    let mut input = good();
    input.approvals = approvals;
    // Another longest time makes another policy without any effect on a request for a minute.
    input.max_duration = format!("{}s", 3600 + version);
    Policy::parse("oncall-debug", &input).unwrap()
}

fn second(n: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + n).unwrap()
}

fn asked() -> Asked {
    let namespaces = BTreeSet::from([Namespace::parse("payments").unwrap()]);
    let policy = PolicyName::parse("oncall-debug").unwrap();
    Asked { by: principal(0), policy, namespaces, duration: Duration::from_secs(60), at: second(0) }
}

#[derive(Debug, Clone)]
enum Do {
    Open,
    Approve(usize, bool),
    Deny(usize, bool),
    Revoke(usize, bool),
    Activate,
    Fail,
    Tick,
    ChangePolicy,
}

fn commands() -> impl Strategy<Value = Vec<(Do, i64)>> {
    let who = || (0..PEOPLE.len(), prop::bool::weighted(0.8));
    let one = prop_oneof![
        1 => Just(Do::Open),
        8 => who().prop_map(|(person, leads)| Do::Approve(person, leads)),
        1 => who().prop_map(|(person, leads)| Do::Deny(person, leads)),
        1 => who().prop_map(|(person, leads)| Do::Revoke(person, leads)),
        5 => Just(Do::Activate),
        1 => Just(Do::Fail),
        2 => Just(Do::Tick),
        1 => Just(Do::ChangePolicy),
    ];
    let pace = prop_oneof![8 => 0i64..5, 2 => -70i64..70, 1 => Just(90_000i64)];
    prop::collection::vec((one, pace), 1..40)
}

/// What the world outside knows.
#[derive(Debug, Default)]
struct Model {
    /// Who has approved the present version while the request was pending: human beings.
    approved: BTreeSet<usize>,
    /// The moment of the last approval that was needed.
    decided: Option<Timestamp>,
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn no_sequence_of_commands_breaks_an_invariant(approvals in 0u32..4, commands in commands()) {
        let (mut version, mut now, mut model) = (0, 0, Model::default());
        let mut life = Life::begin(asked());
        for (command, pace) in commands {
            now += pace;
            let at = second(now);
            let policy = policy(approvals, version);
            let before = life.clone();
            let step = match command {
                Do::ChangePolicy => {
                    version += 1;
                    model.approved.clear();
                    continue;
                }
                Do::Open => step(life, &Command::Open { policy: &policy }, at),
                Do::Approve(person, leads) => {
                    let by = actor(person, leads);
                    let step = step(life, &Command::Approve { by: &by, policy: &policy }, at);
                    if step.refused.is_none() {
                        prop_assert!(leads && human(person) != 0, "approved by {}", PEOPLE[person].2);
                        let pending = matches!(before.stage, Stage::Pending { .. });
                        prop_assert!(pending);
                        model.approved.insert(human(person));
                    }
                    step
                }
                Do::Deny(person, leads) => {
                    let by = actor(person, leads);
                    step(life, &Command::Deny { by: &by, policy: &policy, reason: None }, at)
                }
                Do::Revoke(person, leads) => {
                    let by = actor(person, leads);
                    let step = step(life, &Command::Revoke { by: &by, policy: Some(&policy), reason: None }, at);
                    if step.refused.is_none() {
                        // Alice's own account, renamed or not, or an approver.
                        prop_assert!(matches!(person, 0 | 2) || leads);
                    }
                    step
                }
                Do::Activate => step(life, &Command::Activate, at),
                Do::Fail => step(life, &Command::Fail { why: "no" }, at),
                Do::Tick => step(life, &Command::Tick, at),
            };
            life = step.life;
            let decided = matches!(life.stage, Stage::Approved { .. } | Stage::Active { .. });
            if decided && model.decided.is_none() {
                prop_assert!(model.approved.len() >= approvals as usize, "{:?}", model);
                model.decided = Some(at);
            }

            // An end is final, and nothing else about the request changes with it.
            if before.is_ended() {
                prop_assert_eq!(&life, &before);
                prop_assert!(step.effects.is_empty());
            }
            if life.is_ended() != before.is_ended() {
                prop_assert!(step.effects.contains(&Effect::CleanUp));
            }
            // Open only inside the window that the last approval fixed, and never longer than was asked.
            if let Stage::Approved { window, .. } | Stage::Active { window, .. } = &life.stage {
                let decided = model.decided.expect("decided before");
                prop_assert!(window.end <= after(decided, life.asked.duration));
                prop_assert!(at < window.end);
                prop_assert!(window.end.duration_since(window.start) <= jiff::SignedDuration::from_secs(60));
            }
            if life.is_open(at) {
                prop_assert!(model.decided.is_some());
                prop_assert!(!life.is_open(second(now + 61)));
            }
            // What was approved is what runs.
            if let (Stage::Active { terms: old, .. }, Stage::Active { terms: new, .. }) = (&before.stage, &life.stage) {
                prop_assert_eq!(old, new);
            }
            // Nobody counts twice, and the requester not at all.
            let humans: Vec<_> = life
                .approvals
                .iter()
                .map(|one| (0..PEOPLE.len()).find(|person| principal(*person) == one.by).map(human))
                .collect();
            prop_assert_eq!(humans.iter().collect::<BTreeSet<_>>().len(), humans.len());
            prop_assert!(!humans.contains(&Some(0)));
            prop_assert_eq!(life.asked.clone(), asked());
        }
    }
}

fn approved() -> Life {
    let by = actor(3, true);
    step(Life::begin(asked()), &Command::Approve { by: &by, policy: &policy(1, 0) }, second(0)).life
}

#[test]
fn an_approval_that_suffices_prepares_and_activation_opens() {
    let opened = step(approved(), &Command::Activate, second(1));
    assert_eq!(opened.effects, [Effect::Opened]);
    let Stage::Active { window, .. } = &opened.life.stage else { panic!("{opened:?}") };
    assert_eq!((window.start, window.end), (second(1), second(60)), "the end was fixed at approval");
}

#[test]
fn a_grant_that_could_not_be_opened_in_time_never_opens() {
    let late = step(approved(), &Command::Activate, second(60));
    assert!(matches!(late.life.stage, Stage::Ended(End::Expired { .. })));
    assert_eq!(late.refused.unwrap().rule, Rule::Phase);
}

#[test]
fn a_request_that_nobody_answers_expires() {
    let day = step(Life::begin(asked()), &Command::Tick, second(24 * 3600));
    assert!(day.life.is_ended());
    assert!(!step(Life::begin(asked()), &Command::Tick, second(24 * 3600 - 1)).life.is_ended());
}

#[test]
fn a_state_with_too_few_approvals_does_not_open() {
    let mut life = approved();
    life.approvals.clear();
    let step = step(life, &Command::Activate, second(1));
    assert_eq!(step.refused.unwrap().rule, Rule::Approvals);
}

#[test]
fn a_policy_that_became_narrower_cannot_be_approved_for_what_it_lost() {
    let mut input = good();
    input.namespaces = vec!["staging".into()];
    let narrower = Policy::parse("oncall-debug", &input).unwrap();
    let by = actor(3, true);
    let step = step(Life::begin(asked()), &Command::Approve { by: &by, policy: &narrower }, second(0));
    assert_eq!(step.refused.unwrap().rule, Rule::Namespaces);
    let other = Policy::parse("other", &good()).unwrap();
    let step = super::step(Life::begin(asked()), &Command::Approve { by: &by, policy: &other }, second(0));
    assert_eq!(step.refused.unwrap().rule, Rule::Phase);
}
