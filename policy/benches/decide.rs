//! How long a decision takes while 1,000 policies with conditions are loaded: `cargo bench --workspace --bench decide`.
//! It prints the time at the 50th and 99th percentile and what that is of the aim, and asserts nothing about time: a
//! busy machine is not a fault. What it measures includes the mistakes of its clock, some tens of nanoseconds.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark is for people to read")]

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sallyport_policy::{
    Action, AllowInput, History, Namespace, Person, PodName, Policy, PolicyInput, Question, Scope,
    SelectorInput, TargetFacts, Use, Window, auto_approves, explain, may_ask, permits,
};

const POLICIES: usize = 1000;
const DECISIONS: usize = 20_000;
const AIM: Duration = Duration::from_micros(50);

fn main() {
    let began = Instant::now();
    let policies: BTreeMap<String, Policy> = (0..POLICIES).map(policy).collect();
    println!("{POLICIES} policies read in {:?}", began.elapsed());

    let who = Person {
        username: "alice@example.com".into(),
        groups: (0..40).map(|n| format!("team-{n}")).collect(),
    };
    let namespace = Namespace::parse("payments").expect("a namespace");
    let scope = Scope::of([namespace.clone()]);
    let history = History { asked_last_day: 3, ..History::default() };
    let now: Timestamp = "2026-03-04T10:30:00Z".parse().expect("a moment");
    let question = Question {
        who: &who,
        scope: &scope,
        duration: Duration::from_secs(1800),
        reason: Some("INC-4711 checkout 500s"),
        ticket: Some("INC-4711"),
        start: now,
        history: &history,
        now,
    };
    let (pod, action) = (PodName::parse("api-0").expect("a pod"), Action::Exec);
    let labels = BTreeMap::from([("app".to_owned(), "api".to_owned())]);
    let target = TargetFacts { pod: &pod, container: None, labels: &labels, owner: None };
    let used = Use { action: &action, namespace: &namespace, target: Some(target) };
    let window = Window { start: now, end: Timestamp::MAX };
    let asked: BTreeSet<bool> = policies.values().map(|one| may_ask(one, &question).is_ok()).collect();
    assert_eq!(asked.len(), 2, "some of the policies allow it and some do not");

    // One policy of the thousand each time, found by its name, as a request names it.
    let names: Vec<String> = policies.keys().cloned().collect();
    report("ask", &names, |name| policies.get(name).map(|one| may_ask(one, &question).is_ok()));
    report("ask and approve by rule", &names, |name| {
        policies.get(name).map(|one| may_ask(one, &question).is_ok() && auto_approves(one, &question))
    });
    report("use", &names, |name| {
        policies.get(name).map(|one| permits(one, &scope, &window, &question, &used, now).is_ok())
    });
    report("explain", &names, |name| policies.get(name).map(|one| explain(one, &question).steps.len() > 1));

    // Which of the thousand would let this person in: what the list of policies and a refusal's hint ask.
    let mut rounds: Vec<Duration> = (0..50)
        .map(|_| {
            let began = Instant::now();
            black_box(policies.values().filter(|one| may_ask(one, &question).is_ok()).count());
            began.elapsed()
        })
        .collect();
    rounds.sort_unstable();
    println!("{:<24} p50 {:?}, p99 {:?}", "ask all of them", at(&rounds, 50), at(&rounds, 99));
}

/// Conditions of the kinds that `docs/policies.md` shows; every third policy is for a group that the person is not in.
fn policy(number: usize) -> (String, Policy) {
    let name = format!("policy-{number}");
    let group = if number.is_multiple_of(3) { "sales".to_owned() } else { format!("team-{}", number % 40) };
    let input = PolicyInput {
        subject_groups: vec![group],
        namespaces: vec!["payments".into(), format!("team-{number}")],
        pod_selector: SelectorInput {
            match_labels: BTreeMap::from([("app".to_owned(), "api".to_owned())]),
            ..SelectorInput::default()
        },
        allow: AllowInput { exec: true, ..AllowInput::default() },
        cluster_role: "sallyport-debug".into(),
        max_duration: "2h".into(),
        approvals: 1,
        approver_groups: vec!["leads".into()],
        reason_required: true,
        reason_pattern: Some("INC-[0-9]+ .+".into()),
        ticket: Some((true, Some("INC-[0-9]+".into()))),
        when: Some("now.getHours('Europe/Berlin') >= 8 && now.getDayOfWeek('Europe/Berlin') < 6".into()),
        auto_approve: Some(format!(
            "request.duration <= duration('{}m') && history.deniedLastDay == 0",
            20 + number % 20
        )),
        deny: vec![
            ("history.askedLastDay > 20".into(), Some("enough for today".into())),
            ("groups.exists(g, g.startsWith('suspended-'))".into(), None),
            ("'tier' in target.labels && target.labels['tier'] == 'pci'".into(), None),
        ],
        record: true,
        ..PolicyInput::default()
    };
    let policy = Policy::parse(&name, &input).expect("a valid policy");
    (name, policy)
}

fn report(what: &str, names: &[String], decide: impl Fn(&str) -> Option<bool>) {
    let mut times: Vec<Duration> = names
        .iter()
        .cycle()
        .take(DECISIONS)
        .map(|name| {
            let began = Instant::now();
            black_box(decide(black_box(name)));
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    let (p50, p99) = (at(&times, 50), at(&times, 99));
    println!("{what:<24} p50 {p50:?}, p99 {p99:?} ({:.2} of the aim)", p99.as_secs_f64() / AIM.as_secs_f64());
}

fn at(sorted: &[Duration], percent: usize) -> Duration {
    sorted.get((sorted.len().saturating_sub(1)) * percent / 100).copied().unwrap_or_default()
}
