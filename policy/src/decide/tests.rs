//! The decisions against a naive oracle: the same questions answered from the unparsed policy, one rule after the
//! other, without any of the types above.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::policy::tests::good;
use crate::{AllowInput, PolicyInput, RequirementInput, SelectorInput};

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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn asking_is_decided_as_the_oracle_says(
        input in policies(),
        who in people(),
        namespaces in places(0),
        seconds in 0u64..10_000,
        reason in prop::option::of(select(&["", "  ", "INC-1"][..])),
    ) {
        let policy = Policy::parse("p", &input).unwrap();
        let longest: u64 = input.max_duration.trim_end_matches('s').parse().unwrap();
        let expected = input.subject_groups.iter().any(|group| who.groups.contains(group))
            && !namespaces.is_empty()
            && namespaces.iter().all(|one| input.namespaces.iter().any(|text| text == one.as_str()))
            && seconds >= 1
            && seconds <= longest
            && (!input.reason_required || reason == Some("INC-1"));
        let duration = Duration::from_secs(seconds);
        let question = Question { who: &who, namespaces: &namespaces, duration, reason };
        let decision = may_ask(&policy, &question);
        prop_assert_eq!(decision.is_ok(), expected, "{:?}", decision);
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
        granted in places(1),
        place in select(&PLACES[..]),
        (start, length, now) in (0i64..50, 1i64..50, 0i64..120),
        port in select(&[79u16, 80, 81, 7999, 8000, 8002, 8003][..]),
        kind in 0..5,
        labels in prop::option::of((prop::option::of(select(&["api", "web", "db"][..])), any::<bool>())),
    ) {
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
                (Action::Forward { port }, listed)
            }
        };
        let labels = labels.map(|(app, tier)| {
            let app = app.map(|app| ("app".to_owned(), app.to_owned()));
            app.into_iter().chain(tier.then(|| ("tier".to_owned(), "web".to_owned()))).collect::<BTreeMap<_, _>>()
        });
        let expected = allowed
            && now >= start
            && now < start + length
            && granted.iter().any(|one| one.as_str() == place)
            && input.namespaces.iter().any(|text| text == place)
            && labels.as_ref().is_none_or(|labels| selects(&input.pod_selector, labels));
        let window = Window { start: second(start), end: second(start + length) };
        let place = Namespace::parse(place).unwrap();
        let decision = permits(&policy, &granted, &window, &action, &place, labels.as_ref(), second(now));
        prop_assert_eq!(decision.is_ok(), expected, "{:?}", decision);
    }
}

#[test]
fn a_denial_names_the_rule_and_the_policy() {
    let policy = Policy::parse("oncall-debug", &good()).unwrap();
    let who = Person { username: "sam".into(), groups: BTreeSet::from(["sales".into()]) };
    let namespaces = BTreeSet::new();
    let question =
        Question { who: &who, namespaces: &namespaces, duration: Duration::from_secs(60), reason: None };
    assert_eq!(
        may_ask(&policy, &question).unwrap_err().to_string(),
        "only members of `oncall` may ask (policy `oncall-debug`: subjects.groups)"
    );
}
