//! Statuses that somebody else wrote, each one change away from a good one. The rules themselves are tried where they
//! are, in the policy crate; here it is that nothing gets lost on the way from the stored text to them.

use super::*;

const NOW: i64 = 10_000;

/// An open grant of this kind, as the gateway stores it.
fn open(kind: u8) -> Value {
    let mut request = made(kind);
    (request.spec.start_at, request.spec.extends) = (None, None);
    let policy = observed(kind).parse("debug").unwrap();
    let mut life = request.life().unwrap();
    let now = at(5_000);
    let group = |by, group: &str| lifecycle::Actor {
        principal: person(by),
        person: sallyport_policy::Person { username: person(by).username, groups: [group.to_owned()].into() },
    };
    let answer = CheckAnswer { name: "opa".into(), allow: Some(true), reasons: vec![], at: now };
    let (bob, carol) = (group(1, "leads"), group(2, "security"));
    let commands = [
        Command::Open { policy: &policy, by_rule: false },
        Command::Answer { answer: &answer, policy: &policy },
        Command::Approve { by: &bob, policy: &policy },
        Command::Approve { by: &carol, policy: &policy },
        Command::Activate,
    ];
    for command in commands {
        life = step(life, &command, now).life;
    }
    assert!(life.is_open(at(NOW)), "{life:?}");
    request.status = Some(request.status_for(&life, Some(observed(kind))));
    serde_json::to_value(&request).unwrap()
}

/// Whether a changed text still opens something: as it is, or after another activation.
fn opens(value: Value) -> bool {
    let Ok(request) = serde_json::from_value::<AccessRequest>(value) else { return false };
    let Ok(life) = request.life() else { return false };
    step(life, &Command::Activate, at(NOW)).life.is_open(at(NOW))
}

fn forged(kind: u8, forge: impl Fn(&mut Value)) {
    for phase in ["Active", "Approved"] {
        let mut value = open(kind);
        value["status"]["phase"] = phase.into();
        assert!(opens(value.clone()), "good before");
        forge(&mut value["status"]);
        assert!(!opens(value.clone()), "{phase}: {value:#}");
    }
}

#[test]
fn approvals_that_are_missing_ones_own_or_of_another_stage() {
    for kind in [0, 1] {
        forged(kind, |status| status["approvals"] = json!([]));
        forged(kind, |status| status["approvals"][0]["subject"] = "id-0".into());
        forged(kind, |status| status["approvals"][0]["by"] = "ALICE".into());
        forged(kind, |status| status["approvals"][0]["stage"] = "other".into());
    }
    forged(1, |status| status["approvals"][1]["stage"] = "team".into());
    forged(1, |status| status["approvals"][1] = status["approvals"][0].clone());
}

#[test]
fn a_window_that_is_longer_elsewhere_or_absent() {
    for kind in 0..3 {
        forged(kind, |status| status["window"]["end"] = "2023-11-15T01:00:00Z".into());
        forged(kind, |status| status["window"]["end"] = "2023-11-14T22:30:00Z".into());
        forged(kind, |status| drop(status.as_object_mut().unwrap().remove("window")));
        forged(kind, |status| status["window"]["start"] = "2024-11-14T22:13:25Z".into());
    }
}

#[test]
fn an_extension_by_another_or_beyond_the_policy() {
    let extension = |by: &str, until: &str| json!({"by": by, "at": "2023-11-14T22:14:00Z", "until": until});
    let with = |by: &'static str, until: &'static str| {
        move |status: &mut Value| {
            status["extensions"] = json!([extension(by, until)]);
            status["window"]["end"] = until.into();
        }
    };
    let (fair, beyond) = ("2023-11-14T23:30:00Z", "2023-11-15T00:30:00Z");
    let mut good = open(0);
    with("alice", fair)(&mut good["status"]);
    assert!(opens(good), "her own, within two hours");
    forged(0, with("bob", fair));
    forged(0, with("alice", beyond));
}

#[test]
fn a_rule_that_approves_nothing_and_checks_that_are_missing() {
    for rule in ["autoApprove", "approval.required", "breakGlass", "x"] {
        forged(0, |status| {
            (status["approvals"], status["approvedByRule"]) = (json!([]), rule.into());
        });
    }
    forged(1, |status| status["hooks"] = json!([]));
    forged(1, |status| status["hooks"][0]["allow"] = false.into());
    forged(1, |status| drop(status["hooks"][0].as_object_mut().unwrap().remove("allow")));
}

#[test]
fn a_policy_that_is_absent_broken_narrower_or_another_one() {
    for kind in 0..3 {
        forged(kind, |status| drop(status.as_object_mut().unwrap().remove("policy")));
        forged(kind, |status| status["policy"]["spec"]["maxDuration"] = "soon".into());
        forged(kind, |status| status["policy"]["spec"]["maxDuration"] = "59m".into());
        forged(kind, |status| status["policy"]["spec"]["namespaces"] = json!(["staging"]));
    }
}

#[test]
fn what_was_asked_changed_afterwards() {
    let mut value = open(0);
    value["metadata"]["generation"] = 2.into();
    let request: AccessRequest = serde_json::from_value(value).unwrap();
    assert!(matches!(request.life(), Err(StateError::Changed)));
    // An old server without rules for changes, and a restore that kept the count: the window does not fit any more.
    let mut value = open(0);
    value["spec"]["duration"] = "2h".into();
    assert!(!opens(value));
}

#[test]
fn a_state_that_lacks_what_its_phase_needs_says_what() {
    for (phase, field) in
        [("Approved", "window"), ("Active", "policy"), ("Denied", "denial"), ("Revoked", "revocation")]
    {
        let mut value = open(0);
        value["status"]["phase"] = phase.into();
        value["status"].as_object_mut().unwrap().remove(field);
        let request: AccessRequest = serde_json::from_value(value).unwrap();
        let error = request.life().unwrap_err();
        assert_eq!(error.to_string(), format!("the request is {phase} but its status has no `{field}`"));
    }
}

#[test]
fn names_that_are_none_are_errors() {
    type Break = fn(&mut Value);
    let breaks: [Break; 8] = [
        |v| v["metadata"]["name"] = "NOT_A_NAME".into(),
        |v| v["spec"]["policy"] = "../x".into(),
        |v| v["spec"]["namespaces"] = json!(["a/b"]),
        |v| v["spec"]["workloads"] = json!(["pod/x"]),
        |v| v["spec"]["pods"] = json!(["*"]),
        |v| v["spec"]["containers"] = json!([""]),
        |v| v["spec"]["duration"] = "forever".into(),
        |v| v["spec"]["extends"] = "A".into(),
    ];
    for change in breaks {
        let mut value = open(0);
        change(&mut value);
        let request: AccessRequest = serde_json::from_value(value.clone()).unwrap();
        assert!(request.life().is_err(), "{value:#}");
    }
}

#[test]
fn a_review_cannot_be_taken_away_or_closed_by_its_user_or_early() {
    let read = |value: Value| serde_json::from_value::<AccessRequest>(value).unwrap().life().unwrap();
    let closed = |subject: &str, by: &str| {
        let closed =
            json!({"by": by, "issuer": "https://idp", "subject": subject, "at": "2023-11-15T00:00:00Z"});
        json!({"verdict": "Justified", "closed": closed})
    };
    let over = |review: Value| {
        let mut value = open(2);
        value["status"]["phase"] = "Expired".into();
        value["status"]["review"] = review;
        read(value)
    };
    assert!(!over(closed("id-9", "sam")).review_is_open());
    assert!(over(closed("id-0", "alice")).review_is_open(), "by its user");
    assert!(over(closed("id-9", "Alice")).review_is_open(), "by its user under another name");
    assert!(over(json!({"verdict": "Justified"})).review_is_open(), "by nobody");
    assert!(over(Value::Null).review_is_open(), "taken away");
    let mut early = open(2);
    early["status"]["review"] = closed("id-9", "sam");
    assert!(read(early).review_is_open(), "before the end");
}
