//! What is refused, and what people are told then.

use super::*;

fn line(error: &AccessError) -> String {
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}

#[tokio::test]
async fn without_a_grant_the_line_to_type_is_named() {
    let house = House::open().await;
    let error = house.access.authorize(&alice(), Action::Shell, &payments()).await.unwrap_err();
    assert_eq!(error.exit_status(), 77);
    assert_eq!(
        line(&error),
        "refused: shell in `payments`: you have no grant that allows it (no grant, no access); policy `debug` would \
         allow it, ask with: request debug -n payments --for 1h --reason WHY"
    );
    assert_eq!(house.events().last(), Some(&Kind::AccessRefused));
    let asked = house.ask(&alice()).await.unwrap();
    let error = house.access.authorize(&alice(), Action::Shell, &payments()).await.unwrap_err();
    assert!(line(&error).contains(&format!("your request `{}`", asked.name)), "{error}");
}

#[tokio::test]
async fn what_no_policy_allows_names_none() {
    let house = House::open().await;
    for (who, action, namespace) in [
        (alice(), Action::Logs, "payments"),
        (alice(), Action::Forward { port: 22 }, "payments"),
        (alice(), Action::Shell, "kube-system"),
        (bob(), Action::Shell, "payments"),
    ] {
        let namespace = Namespace::parse(namespace).unwrap();
        let error = house.access.authorize(&who, action, &namespace).await.unwrap_err();
        assert!(line(&error).contains("no policy that you may ask would allow it"), "{error}");
    }
}

#[tokio::test]
async fn a_pod_outside_the_selector_is_refused_with_the_rule() {
    let house = House::open().await;
    house.grant().await;
    let candidates = house.access.authorize(&alice(), Action::Shell, &payments()).await.unwrap();
    let error = house.access.admit(candidates, &pod("database")).unwrap_err();
    assert_eq!(error.exit_status(), 77);
    let said = "does not cover this pod: the pod's labels are not among those selected (policy `debug`: podSelector)";
    assert!(line(&error).contains(said), "{error}");
}

#[tokio::test]
async fn a_grant_is_for_its_namespaces_actions_and_person_only() {
    let house = House::open().await;
    house.grant().await;
    let staging = Namespace::parse("staging").unwrap();
    assert!(house.access.authorize(&alice(), Action::Shell, &staging).await.is_err());
    assert!(house.access.authorize(&alice(), Action::Logs, &payments()).await.is_err());
    assert!(house.access.authorize(&alice(), Action::Forward { port: 22 }, &payments()).await.is_err());
    assert!(house.access.authorize(&alice(), Action::Forward { port: 5432 }, &payments()).await.is_ok());
    assert!(house.access.authorize(&alice(), Action::Look, &payments()).await.is_ok());
    let eve = Identity::for_tests("eve", &["oncall"]);
    assert!(house.access.authorize(&eve, Action::Shell, &payments()).await.is_err());
    // Out of the group since: the certificate is what counts, at every use.
    let no_longer = Identity::for_tests("alice", &["sales"]);
    assert!(house.access.authorize(&no_longer, Action::Shell, &payments()).await.is_err());
}

#[tokio::test]
async fn another_account_of_the_same_username_has_no_part_in_a_grant() {
    let house = House::open().await;
    let name = house.grant().await;
    let mut stored = house.fake.get("accessrequests", name.as_str()).unwrap();
    stored["spec"]["requester"]["subject"] = json!("the-alice-who-left");
    house.fake.put("accessrequests", &stored);
    house.until("it is seen", |house| house.access.grants(&alice()).is_empty()).await;
    assert_eq!(house.permit(&alice()).await.unwrap_err().exit_status(), 77);
}

#[tokio::test]
async fn nobody_approves_their_own_request() {
    let house = House::open().await;
    let both = Identity::for_tests("alice", &["oncall", "leads"]);
    let asked = house.ask(&both).await.unwrap();
    assert!(!asked.may_approve);
    let name = RequestName::parse(&asked.name).unwrap();
    for who in [both, Identity::for_tests("ALICE", &["leads"])] {
        let error = house.access.approve(&who, &name).await.unwrap_err();
        assert_eq!(error.exit_status(), 77);
        assert!(line(&error).contains("nobody approves their own request"), "{error}");
    }
    let stored = house.fake.get("accessrequests", &asked.name).unwrap();
    assert!(stored["status"]["approvals"].is_null() && stored["status"]["phase"] == "Pending", "{stored}");
}

#[tokio::test]
async fn only_an_approver_decides_and_only_once() {
    let house = House::open().await;
    let asked = house.ask(&alice()).await.unwrap();
    let name = RequestName::parse(&asked.name).unwrap();
    let eve = Identity::for_tests("eve", &["oncall"]);
    for error in [
        house.access.approve(&eve, &name).await.unwrap_err(),
        house.access.deny(&eve, &name, None).await.unwrap_err(),
        house.access.revoke(&eve, &name, None).await.unwrap_err(),
    ] {
        assert_eq!(error.exit_status(), 77, "{error}");
    }
    let denied = house.access.deny(&bob(), &name, Some("not today".into())).await.unwrap();
    assert_eq!(denied.phase, Phase::Denied);
    assert_eq!(denied.denial.unwrap().reason.as_deref(), Some("not today"));
    let error = house.access.approve(&bob(), &name).await.unwrap_err();
    assert!(line(&error).contains("it was denied"), "{error}");
    let nowhere = RequestName::parse("debug-zzzzzz").unwrap();
    assert_eq!(house.access.approve(&bob(), &nowhere).await.unwrap_err().exit_status(), 64);
}

#[tokio::test]
async fn a_bad_question_is_answered_with_what_is_wrong() {
    let house = House::open().await;
    type Case = (fn(&mut Ask), u8, &'static str);
    let cases: [Case; 8] = [
        (|ask| ask.policy = PolicyName::parse("none").unwrap(), 64, "there is no policy `none`"),
        (|ask| ask.namespaces.clear(), 64, "say where"),
        (|ask| ask.namespaces = vec![Namespace::parse("kube-system").unwrap()], 77, "namespaces"),
        (|ask| ask.duration = Some(Duration::from_secs(9000)), 77, "2h30m is longer than 2h"),
        (|ask| ask.duration = Some(Duration::ZERO), 77, "maxDuration"),
        (|ask| ask.reason = Some(" \u{200b}\n".into()), 77, "a reason is required"),
        (|ask| ask.reason = Some("x".repeat(2000)), 64, "1024 characters"),
        (|ask| ask.ports = (1..=33).collect(), 64, "at most 32 ports, this one names 33"),
    ];
    for (change, exit, part) in cases {
        let mut asked = ask("debug");
        change(&mut asked);
        let error = house.access.request(&alice(), asked).await.unwrap_err();
        assert_eq!(error.exit_status(), exit, "{error}");
        assert!(line(&error).contains(part), "{error}");
    }
    assert_eq!(house.ask(&bob()).await.unwrap_err().exit_status(), 77);
    assert!(house.fake.keys("accessrequests").is_empty());
}

#[tokio::test]
async fn a_mistyped_policy_is_answered_with_the_nearest_that_this_person_may_ask_for() {
    let mut hidden = policy("debug-all", 1);
    hidden["spec"]["subjects"]["groups"] = json!(["leads"]);
    let house = House::with(&[policy("debug", 1), hidden]).await;
    let said = async |who: &Identity, name: &str| {
        let mut asked = ask("debug");
        asked.policy = PolicyName::parse(name).unwrap();
        let why = house.access.why(who, asked.clone()).unwrap_err().to_string();
        let error = house.access.request(who, asked).await.unwrap_err().to_string();
        assert_eq!(error, why);
        error
    };
    let to_alice = said(&alice(), "debgu").await;
    assert_eq!(
        to_alice,
        "there is no policy `debgu` that you can see, did you mean `debug`; `policies` lists them"
    );
    let nothing = |error: String| assert!(!error.contains("did you mean"), "{error}");
    nothing(said(&alice(), "debug-alx").await);
    nothing(said(&alice(), "database").await);
    assert!(said(&bob(), "debug-alx").await.contains("did you mean `debug-all`"));
    nothing(said(&bob(), "debgu").await);
}

#[tokio::test]
async fn one_person_has_at_most_twenty_open_requests() {
    let house = House::open().await;
    let all = futures::future::join_all((0..30).map(|_| async { house.ask(&alice()).await })).await;
    assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 20);
    let error = house.ask(&alice()).await.unwrap_err();
    assert!(line(&error).contains("20 open requests"), "{error}");
    let other = Identity::for_tests("eve", &["oncall"]);
    assert!(house.ask(&other).await.is_ok());
}

#[tokio::test]
async fn forged_approvals_open_nothing() {
    let house = House::open().await;
    let asked = house.ask(&alice()).await.unwrap();
    let mut stored = house.fake.get("accessrequests", &asked.name).unwrap();
    let (start, end) = ("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z");
    for phase in ["Approved", "Active"] {
        stored["status"] = json!({
            "phase": phase, "window": {"start": start, "end": end},
            "policy": {"uid": "x", "generation": 1, "spec": policy("debug", 1)["spec"]},
            "approvals": [{"by": "Alice", "issuer": "https://elsewhere", "subject": "x", "at": start}],
        });
        house.fake.put("accessrequests", &stored);
        house
            .until("it failed", |house| {
                house.fake.get("accessrequests", &asked.name).unwrap()["status"]["phase"] == json!("Failed")
            })
            .await;
        assert_eq!(house.permit(&alice()).await.unwrap_err().exit_status(), 77);
        assert!(house.fake.keys("rolebindings").is_empty());
    }
}

#[tokio::test]
async fn a_request_that_was_changed_after_it_was_made_opens_nothing() {
    let house = House::open().await;
    let name = house.grant().await;
    let permit = house.permit(&alice()).await.unwrap();
    let ended = tokio::spawn(house.access.ended(&permit));
    let mut stored = house.fake.get("accessrequests", name.as_str()).unwrap();
    stored["spec"]["namespaces"] = json!(["payments", "staging"]);
    stored["metadata"]["generation"] = json!(2);
    house.fake.put("accessrequests", &stored);
    assert_eq!(ended.await.unwrap(), GrantEnd::Gone);
    assert_eq!(house.permit(&alice()).await.unwrap_err().exit_status(), 77);
    house.until("the binding is gone", |house| house.fake.keys("rolebindings").is_empty()).await;
    house
        .until("it is void", |house| {
            house.fake.get("accessrequests", name.as_str()).unwrap()["status"]["phase"] == json!("Failed")
        })
        .await;
}
