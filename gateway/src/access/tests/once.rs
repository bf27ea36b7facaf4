//! One command, once.

use super::*;

/// A policy that lets in without approval, and rules commands.
fn ruled() -> serde_json::Value {
    let mut policy = policy("debug", 0);
    policy["spec"]["commands"] = json!({"allow": [{"programs": ["ls"]}], "onDenied": "Ask"});
    policy
}

async fn house() -> (House, Permit) {
    let house = House::with(&[ruled()]).await;
    house.ask(&alice()).await.unwrap();
    let permit = house.permit(&alice()).await.unwrap();
    (house, permit)
}

async fn put(house: &House, permit: &Permit) -> RequestName {
    let asked = house.access.ask_once(permit, "s-1", "payments/pod-0 (app)", "rm /tmp/x").await.unwrap();
    RequestName::parse(&asked.name).unwrap()
}

#[tokio::test]
async fn it_waits_for_an_approver_also_where_the_policy_needs_none() {
    let (house, permit) = house().await;
    let name = put(&house, &permit).await;
    let seen = house.access.requests(&bob()).into_iter().find(|view| view.name == name.as_str()).unwrap();
    assert_eq!((seen.phase, seen.approvals_missing, seen.may_approve), (Phase::Pending, 1, true));
    assert_eq!(seen.command.as_deref(), Some("rm /tmp/x"));
    assert_eq!(seen.reason.as_deref(), Some("once, in payments/pod-0 (app): rm /tmp/x"));
    assert_eq!(house.access.approved_once(&alice(), &name, "s-1", "rm /tmp/x").await.unwrap(), None);
}

#[tokio::test]
async fn approved_it_counts_for_that_line_of_that_session_and_is_gone_when_it_has_run() {
    let (house, permit) = house().await;
    let name = put(&house, &permit).await;
    house.access.approve(&alice(), &name).await.unwrap_err();
    let approved = house.access.approve(&bob(), &name).await.unwrap();
    assert_eq!(approved.phase, Phase::Active);
    let by = |who: Identity, session: &'static str, line: &'static str| {
        let (access, name) = (house.access.clone(), name.clone());
        async move { access.approved_once(&who, &name, session, line).await.unwrap() }
    };
    assert_eq!(by(alice(), "s-1", "rm /tmp/x").await.as_deref(), Some("bob"));
    assert_eq!(by(alice(), "s-2", "rm /tmp/x").await, None);
    assert_eq!(by(alice(), "s-1", "rm /tmp/y").await, None);
    assert_eq!(by(bob(), "s-1", "rm /tmp/x").await, None);
    house.clock.advance(Duration::from_secs(61));
    assert_eq!(by(alice(), "s-1", "rm /tmp/x").await, None, "a minute later it counts no more");
}

#[tokio::test]
async fn it_opens_nothing_and_is_no_grant() {
    let (house, permit) = house().await;
    let before = house.fake.keys("rolebindings").len();
    let name = put(&house, &permit).await;
    house.access.approve(&bob(), &name).await.unwrap();
    assert_eq!(house.fake.keys("rolebindings").len(), before);
    assert!(house.access.grants(&alice()).iter().all(|grant| grant.name != name.as_str()));
    // With the grant itself gone, what is left lets nobody in.
    house.access.revoke(&alice(), permit.request(), None).await.unwrap();
    house.permit(&alice()).await.unwrap_err();
}

#[tokio::test]
async fn used_or_given_up_it_is_taken_back() {
    let (house, permit) = house().await;
    let name = put(&house, &permit).await;
    house.access.approve(&bob(), &name).await.unwrap();
    house.access.end_once(&alice(), &name, "it has run").await;
    assert_eq!(house.access.approved_once(&alice(), &name, "s-1", "rm /tmp/x").await.unwrap(), None);
    house.access.approve(&bob(), &name).await.unwrap_err();
}

#[tokio::test]
async fn rules_that_were_narrowed_since_count_as_well_and_wider_ones_do_not() {
    let (house, permit) = house().await;
    let lets = |argv: &[&str]| {
        let argv = argv.iter().map(|&word| word.to_owned()).collect();
        let invocation = sallyport_policy::commands::Invocation { argv, ..Default::default() };
        let commands = house.access.commands_of(&permit).unwrap();
        commands.judge(&invocation, sallyport_policy::commands::Way::Exec).cleared.is_some()
    };
    assert!(lets(&["ls", "-l"]) && !lets(&["id"]));
    let mut narrower = ruled();
    narrower["spec"]["commands"] =
        json!({"allow": [{"programs": ["ls", "id"]}], "deny": [{"programs": ["ls"], "flags": ["-l"]}]});
    house.fake.put("accesspolicies", &narrower);
    house.until("the change is known", |_| !lets(&["ls", "-l"])).await;
    assert!(lets(&["ls"]) && !lets(&["id"]));
}

#[tokio::test]
async fn a_line_that_nobody_could_read_is_not_put_to_anybody() {
    let (house, permit) = house().await;
    let long = "x".repeat(LONGEST_COMMAND + 1);
    house.access.ask_once(&permit, "s-1", "p", &long).await.unwrap_err();
    assert_eq!(house.access.requests(&bob()).iter().filter(|view| view.command.is_some()).count(), 0);
}

#[tokio::test]
async fn alerts_are_noted_at_the_grant_and_bounded() {
    let (house, permit) = house().await;
    for number in 0..20 {
        house.access.alert(&permit, "s-1", &format!("rm {number}"), "no rule").await;
    }
    let stored = house.fake.get("accessrequests", permit.request().as_str()).unwrap();
    let alerts = stored["status"]["alerts"].as_array().unwrap();
    assert_eq!(
        (alerts.len(), &alerts[0]["line"], &alerts[0]["why"]),
        (16, &json!("rm 0"), &json!("no rule"))
    );
    let moments: std::collections::BTreeSet<_> = alerts.iter().map(|one| one["at"].to_string()).collect();
    assert_eq!(moments.len(), 16, "the clock stood still, and each has its own time: {alerts:?}");
}

#[tokio::test]
async fn an_alert_whose_write_had_no_answer_is_not_told_twice() {
    let (house, permit) = house().await;
    let tries = std::sync::atomic::AtomicUsize::new(0);
    house.fake.faults(move |method, path| {
        let first = *method == Method::PUT
            && path.ends_with("/status")
            && tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        first.then_some(Fault::Lost)
    });
    house.access.alert(&permit, "s-1", "rm x", "no rule").await;
    let alerts = || {
        let stored = house.fake.get("accessrequests", permit.request().as_str()).unwrap();
        stored["status"]["alerts"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(alerts(), 1);
    house.access.alert(&permit, "s-1", "rm x", "no rule").await;
    assert_eq!(alerts(), 2, "the same line once more is another alert");
}
