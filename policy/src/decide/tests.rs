//! The decisions against a naive oracle: the same questions answered from the unparsed policy, one rule after the
//! other, without any of the types above.

mod terms;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::Question;
use crate::policy::tests::good;
use crate::{
    Action, AllowInput, ContainerName, History, Namespace, PodName, PolicyInput, RequirementInput, Scope,
    SelectorInput, TargetFacts, Use, Window, Workload, explain,
};
use terms::{Term, World, terms};

const GROUPS: [&str; 4] = ["oncall", "leads", "security", "sales"];
const PLACES: [&str; 4] = ["payments", "staging", "prod", "kube-system"];
const PEOPLE: [&str; 6] = ["alice", "Alice", "ALICE ", "bob", "Bob", "sam"];

fn some(of: &'static [&'static str], least: usize) -> impl Strategy<Value = Vec<String>> {
    subsequence(of, least..=of.len()).prop_map(|some| some.into_iter().map(str::to_owned).collect())
}

fn selector() -> impl Strategy<Value = SelectorInput> {
    let values = some(&["api", "web"], 1);
    let requirement = prop_oneof![
        ("In|NotIn", values).prop_map(|(operator, values)| (operator, values)),
        ("Exists|DoesNotExist").prop_map(|operator| (operator, vec![])),
    ];
    let requirement = (select(&["app", "tier"][..]), requirement)
        .prop_map(|(key, (operator, values))| RequirementInput { key: key.to_owned(), operator, values });
    (prop::collection::vec(requirement, 0..3), prop::option::of(select(&["api", "web"][..]))).prop_map(
        |(match_expressions, app)| SelectorInput {
            match_labels: app.map(|app| ("app".to_owned(), app.to_owned())).into_iter().collect(),
            match_expressions,
        },
    )
}

fn policies() -> impl Strategy<Value = PolicyInput> {
    let allow =
        (any::<bool>(), any::<bool>(), any::<bool>(), prop::option::of(some(&["80", "8000-8002"], 1)));
    (
        (some(&GROUPS, 1), some(&PLACES, 1), selector(), allow),
        (1u64..10_000, 0u32..3, some(&GROUPS, 1), any::<bool>()),
    )
        .prop_map(|((subject_groups, namespaces, pod_selector, allow), rest)| {
            let (shell, exec, logs, forward) = allow;
            let (seconds, approvals, approver_groups, reason_required) = rest;
            PolicyInput {
                subject_groups,
                namespaces,
                pod_selector,
                allow: AllowInput { shell, exec, logs, forward },
                max_duration: format!("{seconds}s"),
                approvals,
                approver_groups,
                reason_required,
                ..good()
            }
        })
        .prop_filter("it allows something", |input| {
            let AllowInput { shell, exec, logs, forward } = &input.allow;
            *shell || *exec || *logs || forward.is_some()
        })
}

fn people() -> impl Strategy<Value = Person> {
    (select(&PEOPLE[..]), some(&GROUPS, 0))
        .prop_map(|(name, groups)| Person { username: name.to_owned(), groups: groups.into_iter().collect() })
}

fn principals() -> impl Strategy<Value = Principal> {
    (select(&["a", "b"][..]), select(&["1", "2", "3"][..]), select(&PEOPLE[..])).prop_map(
        |(issuer, subject, username)| Principal {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            username: username.to_owned(),
        },
    )
}

fn places(least: usize) -> impl Strategy<Value = BTreeSet<Namespace>> {
    some(&PLACES, least)
        .prop_map(|some| some.iter().map(|text| Namespace::parse(text).expect("a namespace")).collect())
}

fn second(n: i64) -> Timestamp {
    Timestamp::from_second(n).expect("a moment")
}

fn selects(input: &SelectorInput, labels: &BTreeMap<String, String>) -> bool {
    let mut all = input.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value));
    for requirement in &input.match_expressions {
        let value = labels.get(&requirement.key);
        let listed = value.is_some_and(|value| requirement.values.contains(value));
        all = all
            && match requirement.operator.as_str() {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => value.is_some(),
                _ => value.is_none(),
            };
    }
    all
}

/// Conditions for a policy: `when`, `autoApprove`, `deny`.
type Conditions = (Option<Term>, Option<Term>, Vec<Term>);

fn conditions(target: bool) -> impl Strategy<Value = Conditions> {
    let when = prop::option::weighted(0.3, terms(target));
    (when, prop::option::weighted(0.5, terms(false)), prop::collection::vec(terms(target), 0..3))
}

fn with(input: &PolicyInput, (when, auto, deny): &Conditions) -> PolicyInput {
    PolicyInput {
        when: when.as_ref().map(Term::cel),
        auto_approve: auto.as_ref().map(Term::cel),
        deny: deny.iter().map(|term| (term.cel(), None)).collect(),
        ..input.clone()
    }
}

const REASONS: [&str; 4] = ["", "  ", "INC-1", "INC-1 and more"];
const TICKETS: [&str; 4] = ["", "CHG-7", "chg-7", "CHG-7x"];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn asking_is_decided_as_the_oracle_says(
        input in policies(),
        conditions in conditions(false),
        who in people(),
        namespaces in places(0),
        ports in prop::collection::btree_set(select(&[80u16, 8001, 9000][..]), 0..3),
        seconds in 0u64..10_000,
        (reason, ticket) in (prop::option::of(select(&REASONS[..])), prop::option::of(select(&TICKETS[..]))),
        (pattern, ticket_rule) in (any::<bool>(), select(&[None, Some(false), Some(true)][..])),
        (open, asked, denied) in (0u32..4, 0u32..4, 0u32..4),
    ) {
        let input = PolicyInput {
            reason_pattern: pattern.then(|| "[A-Z]+-[0-9]+".to_owned()),
            ticket: ticket_rule.map(|required| (required, Some("CHG-[0-9]+".to_owned()))),
            open_limit: Some(2),
            hourly_limit: Some(3),
            ..with(&input, &conditions)
        };
        let policy = Policy::parse("p", &input).unwrap();
        let longest: u64 = input.max_duration.trim_end_matches('s').parse().unwrap();
        let world = World { groups: &who.groups, seconds, reason: reason.unwrap_or_default(), denied, labels: None };
        let listed = |port: &u16| input.allow.forward.iter().flatten().any(|text| match text.as_str() {
            "80" => *port == 80,
            _ => (8000..=8002).contains(port),
        });
        let (when, auto, deny) = &conditions;
        let forbidden = deny.iter().any(|term| term.value(&world) != Some(false));
        let expected = input.subject_groups.iter().any(|group| who.groups.contains(group))
            && !namespaces.is_empty()
            && namespaces.iter().all(|one| input.namespaces.iter().any(|text| text == one.as_str()))
            && ports.iter().all(listed)
            && seconds >= 1
            && seconds <= longest
            && (!input.reason_required || reason.is_some_and(|reason| reason.starts_with("INC")))
            && (!pattern || reason.is_none_or(|reason| reason.trim().is_empty() || reason == "INC-1"))
            && (ticket_rule != Some(true) || ticket.is_some_and(|ticket| !ticket.is_empty()))
            && (ticket_rule.is_none() || ticket.is_none_or(|ticket| ticket.is_empty() || ticket == "CHG-7"))
            && open < 2
            && asked < 3
            && !forbidden
            && when.as_ref().is_none_or(|term| term.value(&world) == Some(true));
        let scope = Scope { ports, ..Scope::of(namespaces) };
        let history = History { open_now: open, asked_last_hour: asked, denied_last_day: denied, ..History::default() };
        let question = Question {
            who: &who, scope: &scope, duration: Duration::from_secs(seconds), reason, ticket, start: second(0),
            history: &history, now: second(0),
        };
        let decision = may_ask(&policy, &question);
        prop_assert_eq!(decision.is_ok(), expected, "{:?}", decision);
        // A deny always wins, and by itself.
        prop_assert_eq!(denies(&policy, &question).is_err(), forbidden);
        prop_assert!(decision.is_err() || still_allows(&policy, &question).is_ok());
        let automatic = auto.as_ref().is_some_and(|term| term.value(&world) == Some(true));
        prop_assert_eq!(auto_approves(&policy, &question), automatic);
        // What is explained is what is decided.
        let explained = explain(&policy, &question);
        match (&decision, explained.outcome) {
            (Err(denied), crate::Outcome::Denied { by }) => prop_assert_eq!(denied.rule, by),
            (Ok(_), crate::Outcome::Waits) => prop_assert!(input.approvals > 0 && !automatic),
            (Ok(_), crate::Outcome::Approved { by }) => {
                prop_assert_eq!(by, if input.approvals == 0 { Rule::Approvals } else { Rule::AutoApprove });
            }
            (decision, explained) => prop_assert!(false, "{:?} {:?}", decision, explained),
        }
    }

    #[test]
    fn approving_is_decided_as_the_oracle_says(
        input in policies(),
        requester in principals(),
        approver in principals(),
        person in people(),
    ) {
        let policy = Policy::parse("p", &input).unwrap();
        let plain = |name: &str| name.trim().to_lowercase();
        let same = (&requester.issuer, &requester.subject) == (&approver.issuer, &approver.subject)
            || plain(&requester.username) == plain(&approver.username);
        let expected = !same && input.approver_groups.iter().any(|group| person.groups.contains(group));
        let decision = may_approve(&policy, &requester, &approver, &person);
        prop_assert_eq!(decision.is_ok(), expected, "{:?}", decision);
        if same {
            prop_assert_eq!(decision.unwrap_err().rule, Rule::NotOneself);
        }
    }

    #[test]
    fn using_is_decided_as_the_oracle_says(
        input in policies(),
        conditions in conditions(true),
        who in people(),
        granted in places(1),
        place in select(&PLACES[..]),
        (start, length, now) in (0i64..50, 1i64..50, 0i64..120),
        port in select(&[79u16, 80, 81, 7999, 8000, 8002, 8003][..]),
        kind in 0..5,
        labels in prop::option::of((prop::option::of(select(&["api", "web", "db"][..])), any::<bool>())),
        (pods, workloads, containers, ports) in
            (any::<bool>(), any::<bool>(), any::<bool>(), prop::option::of(select(&[80u16, 8001][..]))),
        (pod, owner, container) in (
            select(&["api-0", "api-1"][..]), prop::option::of(select(&["deploy/api", "sts/api"][..])),
            prop::option::of(select(&["app", "proxy"][..])),
        ),
    ) {
        let input = with(&input, &conditions);
        let policy = Policy::parse("p", &input).unwrap();
        let AllowInput { shell, exec, logs, ref forward } = input.allow;
        let (action, allowed) = match kind {
            0 => (Action::Shell, shell),
            1 => (Action::Exec, exec),
            2 => (Action::Logs, logs),
            3 => (Action::Look, true),
            _ => {
                let listed = forward.iter().flatten().any(|text| match text.as_str() {
                    "80" => port == 80,
                    _ => (8000..=8002).contains(&port),
                });
                (Action::Forward { port }, listed && ports.is_none_or(|only| only == port))
            }
        };
        let labels = labels.map(|(app, tier)| {
            let app = app.map(|app| ("app".to_owned(), app.to_owned()));
            app.into_iter().chain(tier.then(|| ("tier".to_owned(), "web".to_owned()))).collect::<BTreeMap<_, _>>()
        });
        // Narrowed to pod api-0, deployment api, container app.
        let in_pods = !pods && !workloads || pods && pod == "api-0" || workloads && owner == Some("deploy/api");
        let in_containers = !containers || kind >= 3 || container == Some("app");
        let world = World { groups: &who.groups, seconds: 60, reason: "INC-1", denied: 0, labels: labels.as_ref() };
        let (when, _, deny) = &conditions;
        // What speaks of history was settled before; what speaks of the target waits for one, and looking is no use.
        let now_decided = |term: &&Term| {
            !term.mentions_history() && (!term.mentions_target() || (labels.is_some() && kind != 3))
        };
        let expected = allowed
            && now >= start
            && now < start + length
            && granted.iter().any(|one| one.as_str() == place)
            && input.namespaces.iter().any(|text| text == place)
            && labels.as_ref().is_none_or(|labels| selects(&input.pod_selector, labels))
            && (labels.is_none() || in_pods && in_containers)
            && deny.iter().filter(now_decided).all(|term| term.value(&world) == Some(false))
            && when.iter().filter(now_decided).all(|term| term.value(&world) == Some(true));
        let window = Window { start: second(start), end: second(start + length) };
        let place = Namespace::parse(place).unwrap();
        let scope = Scope {
            pods: pods.then(|| PodName::parse("api-0").unwrap()).into_iter().collect(),
            workloads: workloads.then(|| Workload::parse("deploy/api").unwrap()).into_iter().collect(),
            containers: containers.then(|| ContainerName::parse("app").unwrap()).into_iter().collect(),
            ports: ports.into_iter().collect(),
            ..Scope::of(granted)
        };
        let (pod, owner) = (PodName::parse(pod).unwrap(), owner.map(|owner| Workload::parse(owner).unwrap()));
        let container = container.map(|container| ContainerName::parse(container).unwrap());
        let target = labels.as_ref().map(|labels| TargetFacts {
            pod: &pod, container: container.as_ref(), labels, owner: owner.as_ref(),
        });
        let used = Use { action: &action, namespace: &place, target };
        let history = History::default();
        let question = Question {
            who: &who, scope: &scope, duration: Duration::from_secs(60), reason: Some("INC-1"), ticket: None,
            start: second(start), history: &history, now: second(now),
        };
        let decision = permits(&policy, &scope, &window, &question, &used, second(now));
        prop_assert_eq!(decision.is_ok(), expected, "{:?}", decision);
    }
}

#[test]
fn a_denial_names_the_rule_and_the_policy() {
    let policy = Policy::parse("oncall-debug", &good()).unwrap();
    let who = Person { username: "sam".into(), groups: BTreeSet::from(["sales".into()]) };
    let (scope, history) = (Scope::default(), History::default());
    let question = Question {
        who: &who,
        scope: &scope,
        duration: Duration::from_secs(60),
        reason: None,
        ticket: None,
        start: second(0),
        history: &history,
        now: second(0),
    };
    assert_eq!(
        may_ask(&policy, &question).unwrap_err().to_string(),
        "only members of `oncall` may ask (policy `oncall-debug`: subjects.groups)"
    );
}
