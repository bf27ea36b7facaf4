//! What is stored reads back as what it was, whatever it was; and what was stored by somebody else opens nothing.

use jiff::Timestamp;
use proptest::prelude::*;
use sallyport_policy::lifecycle::{Command, step};
use serde_json::{Value, json};

use super::*;
use crate::crd::ObservedPolicy;

mod forged;

fn at(millisecond: i64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000 + millisecond).unwrap()
}

fn person(number: u8) -> Principal {
    let name = ["alice", "bob", "carol", "Dave ✨", "erin"][usize::from(number) % 5];
    Principal { issuer: "https://idp".into(), subject: format!("id-{number}"), username: name.into() }
}

/// A policy's spec: plain, in stages with checks, or break-glass.
fn spec(kind: u8) -> Value {
    let mut spec = json!({
        "subjects": {"groups": ["oncall"]}, "namespaces": ["payments", "staging"], "allow": {"shell": true},
        "clusterRole": "debug", "maxDuration": "2h", "approval": {"required": 1, "groups": ["leads"]},
    });
    match kind {
        0 => {}
        1 => {
            spec["approval"] = json!({
                "stages": [
                    {"name": "team", "required": 1, "groups": ["leads"]},
                    {"name": "safety", "required": 1, "groups": ["security"]},
                ],
                "required": 0,
                "hooks": [{"name": "opa", "unreachable": "Wait"}],
                "expiresAfter": "1h",
            });
        }
        _ => {
            spec["approval"] = json!({"required": 0});
            spec["breakGlass"] = json!({"reviewers": ["auditors"]});
        }
    }
    spec
}

fn observed(kind: u8) -> ObservedPolicy {
    ObservedPolicy {
        uid: "p".into(),
        generation: 3,
        spec: serde_json::from_value(spec(kind)).unwrap(),
        sets: Vec::new(),
    }
}

/// A request as it was made, without a status.
fn made(kind: u8) -> AccessRequest {
    serde_json::from_value(json!({
        "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessRequest",
        "metadata": {
            "name": "debug-abc234", "uid": "u1", "generation": 1, "creationTimestamp": "2023-11-14T22:13:20Z",
        },
        "spec": {
            "requester": {"username": "alice", "groups": ["oncall"], "issuer": "https://idp", "subject": "id-0"},
            "policy": "debug", "namespaces": ["payments"], "duration": "1h", "ticket": "INC-4711",
            "reason": format!("kind {kind}"), "startAt": "2023-11-15T00:00:00Z", "extends": "debug-zzz999",
            "workloads": ["deployment/api"], "pods": ["api-0"], "containers": ["app"], "ports": [5432],
        },
    }))
    .unwrap()
}

fn moments() -> impl Strategy<Value = Timestamp> {
    (0i64..86_400_000).prop_map(at)
}

fn words() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        Just(None),
        Just(Some("a reason: {\"x\": 1}\u{1b}[2J \u{202e}".to_owned())),
        Just(Some(String::new()))
    ]
}

fn ends() -> impl Strategy<Value = End> {
    let why = || words().prop_map(Option::unwrap_or_default);
    let cause = prop_oneof![
        Just(lifecycle::Cause::Policy),
        Just(lifecycle::Cause::Groups),
        Just(lifecycle::Cause::Lock),
        Just(lifecycle::Cause::Idle),
        Just(lifecycle::Cause::Hook),
    ];
    let by = || (0u8..5).prop_map(person);
    prop_oneof![
        (by(), moments(), words()).prop_map(|(by, at, reason)| End::Denied { by, at, reason }),
        (by(), moments(), words()).prop_map(|(by, at, reason)| End::Revoked { by, at, reason }),
        (moments(), why()).prop_map(|(at, why)| End::Refused { at, why }),
        (moments(), why()).prop_map(|(at, why)| End::Failed { at, why }),
        (moments(), cause, why()).prop_map(|(at, cause, why)| End::Lapsed { at, cause, why }),
        moments().prop_map(|at| End::Expired { at }),
    ]
}

/// Any state at all, also ones that no command leads to: reading is not judging.
fn lives() -> impl Strategy<Value = (u8, Life)> {
    let approvals = prop::collection::vec(
        (1u8..5, moments(), prop::sample::select(vec!["", "team", "safety"]))
            .prop_map(|(by, at, stage)| lifecycle::Approval { by: person(by), at, stage: stage.into() }),
        0..4,
    );
    let checks = prop::collection::vec(
        (any::<Option<bool>>(), moments(), prop::collection::vec("[a-z ]{0,20}", 0..3))
            .prop_map(|(allow, at, reasons)| CheckAnswer { name: "opa".into(), allow, reasons, at }),
        0..2,
    );
    let extensions = prop::collection::vec(
        (moments(), moments()).prop_map(|(at, until)| lifecycle::Extension { by: "alice".into(), at, until }),
        0..3,
    );
    let by_rule = prop::sample::select(vec![None, Some("autoApprove".to_owned())]);
    let closed =
        prop::option::of((1u8..5, moments(), any::<bool>(), words()).prop_map(|(by, at, good, comment)| {
            ReviewClosed {
                by: person(by),
                at,
                verdict: if good { ReviewVerdict::Justified } else { ReviewVerdict::Unjustified }.into(),
                comment,
            }
        }));
    let windows = (moments(), moments()).prop_map(|(start, end)| sallyport_policy::Window { start, end });
    let rest = (approvals, checks, extensions, by_rule, closed);
    (0u8..3, 0u8..4, windows, ends(), rest).prop_map(
        |(kind, place, window, end, (approvals, checks, extensions, by_rule, closed))| {
            let terms = Box::new(observed(kind).parse("debug").unwrap());
            let stage = match place {
                0 => Stage::Pending { terms: Some(terms) },
                1 => Stage::Approved { terms, window },
                2 => Stage::Active { terms, window },
                _ => Stage::Ended(end),
            };
            let over = matches!(stage, Stage::Ended(_));
            let review =
                (kind == 2 && place > 0).then(|| lifecycle::Review { closed: closed.filter(|_| over) });
            let asked = made(kind).life().unwrap().asked;
            (kind, Life { asked, approvals, checks, by_rule, extensions, review, stage })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn what_is_stored_reads_back_as_it_was((kind, life) in lives()) {
        let mut request = made(kind);
        request.status = Some(request.status_for(&life, Some(observed(kind))));
        let text = serde_json::to_string(&request).unwrap();
        let read: AccessRequest = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(read.life().unwrap(), life.clone());
        // Written again it is the same, so whoever looks twice writes nothing new.
        prop_assert_eq!(Some(read.status_for(&life, None)), read.status);
    }
}

#[test]
fn everything_that_was_asked_is_read() {
    let asked = made(0).life().unwrap().asked;
    assert_eq!((asked.by.username.as_str(), asked.policy.as_str()), ("alice", "debug"));
    assert_eq!((asked.ticket.as_deref(), asked.duration.as_secs()), (Some("INC-4711"), 3600));
    assert_eq!(asked.start_at, Some("2023-11-15T00:00:00Z".parse().unwrap()));
    assert_eq!(asked.extends.unwrap().as_str(), "debug-zzz999");
    assert_eq!(asked.at, "2023-11-14T22:13:20Z".parse().unwrap());
    let scope = asked.scope;
    assert_eq!(scope.workloads.first().unwrap().to_string(), "deployment/api");
    assert_eq!((scope.pods.len(), scope.containers.len(), scope.ports.len()), (1, 1, 1));
}

#[test]
fn a_copy_of_the_policy_is_kept_when_nothing_new_is_observed() {
    let mut request = made(0);
    let life = request.life().unwrap();
    request.status = Some(request.status_for(&life, Some(observed(0))));
    request.status = Some(request.status_for(&life, None));
    assert_eq!(request.terms().unwrap().unwrap().name().as_str(), "debug");
}
