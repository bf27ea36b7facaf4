//! Sealed codes: used once, and good for breaking the glass only.

use http::Method;

use super::*;
use crate::access::{BurnError, LockAsk, LockSubject};
use crate::crd::ReviewVerdict;

const FILE: &str = "0123456789abcdef";
const OBJECT: &str = "sallyport/sallyport-codes-0123456789abcdef";

fn settings() -> crate::access::AccessSettings {
    crate::access::AccessSettings {
        namespace: "sallyport".to_owned(),
        lockers: ["oncall", "leads"].map(str::to_owned).into(),
        ..Default::default()
    }
}

fn glass() -> serde_json::Value {
    let mut glass = policy("glass", 0);
    glass["spec"]["breakGlass"] = json!({"reviewers": ["leads", "security"]});
    glass["spec"]["subjects"]["groups"] = json!(["oncall", "leads"]);
    glass["spec"]["approval"]["groups"] = json!([]);
    glass
}

/// The same account as [`alice`] and [`bob`], by sealed codes.
fn by_codes(who: &Identity) -> Identity {
    let who = Identity::from_codes(
        who.issuer().to_owned(),
        who.subject().to_owned(),
        who.username().to_owned(),
        who.groups().clone(),
    );
    who.unwrap()
}

async fn house() -> House {
    house_of(glass()).await
}

async fn house_of(glass: serde_json::Value) -> House {
    let mut house = House::with(&[policy("debug", 1), policy("free", 0), glass]).await;
    house.access = Access::start(house.fake.client(), settings(), house.clock.clone(), house.audit.clone())
        .await
        .unwrap();
    house.fake.put("configmaps", &object(FILE));
    house
}

fn object(file: &str) -> serde_json::Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"file": file},
        "metadata": {"name": "sallyport-codes-0123456789abcdef", "namespace": "sallyport"},
    })
}

fn refused(result: Result<impl std::fmt::Debug, AccessError>) {
    match result {
        Err(AccessError::Refused(refusal)) => {
            assert_eq!(refusal.rule, "sealed codes are for break-glass", "{refusal}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn by_sealed_codes_one_may_ask_for_and_use_break_glass() {
    let house = house().await;
    let alice = by_codes(&alice());
    let view = house.access.request(&alice, ask("glass")).await.unwrap();
    assert_eq!(view.phase, Phase::Active);
    assert!(house.permit(&alice).await.unwrap().is_break_glass());
    // And may give it back.
    let name = RequestName::parse(&view.name).unwrap();
    house.access.revoke(&alice, &name, None).await.unwrap();
    assert!(house.permit(&alice).await.is_err());
}

#[tokio::test]
async fn by_sealed_codes_one_may_ask_for_nothing_else() {
    let house = house().await;
    for policy in ["debug", "free"] {
        refused(house.access.request(&by_codes(&alice()), ask(policy)).await);
    }
    assert!(house.fake.keys("accessrequests").is_empty());
    assert!(house.events().contains(&Kind::AccessRefused));
}

#[tokio::test]
async fn by_sealed_codes_one_may_not_use_what_was_open_before() {
    let house = house().await;
    house.access.request(&alice(), ask("free")).await.unwrap();
    assert!(house.permit(&alice()).await.is_ok());
    let error = house.permit(&by_codes(&alice())).await.unwrap_err();
    assert_eq!(error.exit_status(), 77, "{error}");
}

#[tokio::test]
async fn by_sealed_codes_nobody_approves_denies_revokes_extends_reviews_or_locks() {
    let house = house().await;
    let bob = by_codes(&bob());
    let asked = house.access.request(&alice(), ask("debug")).await.unwrap();
    let name = RequestName::parse(&asked.name).unwrap();
    refused(house.access.approve(&bob, &name).await);
    refused(house.access.deny(&bob, &name, None).await);
    refused(house.access.revoke(&bob, &name, None).await);
    let open = house.access.request(&alice(), ask("glass")).await.unwrap();
    let open = RequestName::parse(&open.name).unwrap();
    refused(
        house
            .access
            .decide(&by_codes(&alice()), &open, change::Decision::Extend(Duration::from_secs(60)))
            .await,
    );
    house.access.revoke(&alice(), &open, None).await.unwrap();
    refused(house.access.review(&bob, &open, ReviewVerdict::Justified, None).await);
    let lock = || LockAsk { subject: LockSubject::Everything, reason: None, until: None };
    refused(house.access.lock(&bob, lock()).await);
    let locked = house.access.lock(&super::bob(), lock()).await.unwrap();
    refused(house.access.unlock(&bob, &locked.name).await);
    house.access.unlock(&super::bob(), &locked.name).await.unwrap();
    // The same people by the provider's word may.
    house.access.approve(&super::bob(), &name).await.unwrap();
    house.access.review(&super::bob(), &open, ReviewVerdict::Justified, None).await.unwrap();
}

/// Break-glass with command rules, and people who may let one command pass.
fn ruled(approvers: &[&str]) -> serde_json::Value {
    let mut ruled = glass();
    ruled["spec"]["commands"] = json!({"allow": [{"programs": ["ls"]}], "onDenied": "Ask"});
    ruled["spec"]["approval"]["groups"] = json!(approvers);
    ruled
}

#[tokio::test]
async fn by_sealed_codes_one_may_ask_to_let_one_command_pass_and_somebody_signed_in_answers() {
    let house = house_of(ruled(&["leads"])).await;
    let alice = by_codes(&alice());
    house.access.request(&alice, ask("glass")).await.unwrap();
    let permit = house.permit(&alice).await.unwrap();
    let asked = house.access.ask_once(&permit, "s-1", "payments/pod-0 (app)", "rm /tmp/x").await.unwrap();
    let name = RequestName::parse(&asked.name).unwrap();
    assert_eq!((asked.phase, asked.approvals_missing), (Phase::Pending, 1));
    let approved = async || house.access.approved_once(&alice, &name, "s-1", "rm /tmp/x").await.unwrap();
    // Neither oneself nor whom codes let in as well.
    house.access.approve(&super::alice(), &name).await.unwrap_err();
    refused(house.access.approve(&by_codes(&bob()), &name).await);
    assert_eq!(approved().await, None);
    house.access.approve(&bob(), &name).await.unwrap();
    assert_eq!(approved().await.as_deref(), Some("bob"));
    house.access.end_once(&alice, &name, "it has run").await;
    assert_eq!(approved().await, None, "once");
    // It is no second time of breaking the glass, and no grant.
    let events = house.events();
    assert_eq!(events.iter().filter(|kind| **kind == Kind::BreakGlassUsed).count(), 1);
    assert_eq!(house.access.grants(&alice).len(), 1);
}

#[tokio::test]
async fn break_glass_that_names_no_approvers_any_more_says_what_to_do_in_place_of_asking() {
    let house = house_of(ruled(&["leads"])).await;
    house.access.request(&alice(), ask("glass")).await.unwrap();
    let before = house.permit(&alice()).await.unwrap();
    let mut told = ruled(&[]);
    told["spec"]["commands"]["onDenied"] = json!("Tell");
    house.fake.put("accesspolicies", &told);
    let groups =
        |house: &House| house.access.in_force("glass").map(|(policy, _)| policy.approver_groups().len());
    house.until("the change is known", |house| groups(house) == Some(0)).await;
    house.access.revoke(&alice(), before.request(), None).await.unwrap();
    for alice in [by_codes(&alice()), alice()] {
        house.access.request(&alice, ask("glass")).await.unwrap();
        let permit = house.permit(&alice).await.unwrap();
        let error = house.access.ask_once(&permit, "s-1", "p", "rm /tmp/x").await.unwrap_err();
        let told = error.to_string();
        assert!(told.contains("`approval.groups`") && told.contains("run what it allows"), "{told}");
        house.access.revoke(&alice, permit.request(), None).await.unwrap();
    }
}

#[tokio::test]
async fn codes_are_used_all_at_once_and_once() {
    let house = house().await;
    let alice = by_codes(&alice());
    house.access.burn_codes(FILE, &["aa", "bb"], &alice).await.unwrap();
    let data = house.fake.get("configmaps", OBJECT).unwrap()["data"].clone();
    assert_eq!(data["used.aa"], "2026-01-01T12:00:00Z alice");
    assert!(data["used.bb"].is_string());
    assert_eq!(house.fake.asked(&Method::PUT, "configmaps"), 1);
    // One used code spoils the others, which stay good.
    let again = house.access.burn_codes(FILE, &["cc", "bb"], &alice).await;
    assert!(matches!(again, Err(BurnError::Used)), "{again:?}");
    assert!(house.fake.get("configmaps", OBJECT).unwrap()["data"]["used.cc"].is_null());
    house.access.burn_codes(FILE, &["cc", "dd"], &alice).await.unwrap();
}

#[tokio::test]
async fn of_two_gateways_with_the_same_code_at_once_exactly_one_wins() {
    let house = house().await;
    let other = Access::start(house.fake.client(), settings(), house.clock.clone(), house.audit.clone())
        .await
        .unwrap();
    let alice = by_codes(&alice());
    for round in 0..20 {
        let (a, b, shared) = (format!("a{round}"), format!("b{round}"), format!("shared{round}"));
        let (first, second) = ([a.as_str(), shared.as_str()], [b.as_str(), shared.as_str()]);
        let (one, two) = tokio::join!(
            house.access.burn_codes(FILE, &first, &alice),
            other.burn_codes(FILE, &second, &alice)
        );
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        assert!(matches!(one.and(two), Err(BurnError::Used)));
    }
    // They met: without conflicts this would have shown nothing.
    assert!(house.fake.asked(&Method::PUT, "configmaps") > 20);
}

#[tokio::test]
async fn where_it_cannot_be_noted_nobody_is_let_in() {
    let house = house().await;
    let alice = by_codes(&alice());
    let burn = || house.access.burn_codes(FILE, &["aa", "bb"], &alice);
    for fault in [Fault::Status(500), Fault::Silence, Fault::Refused] {
        house.fake.faults(move |_, path| path.contains("configmaps").then_some(fault));
        assert!(matches!(burn().await, Err(BurnError::Access(AccessError::Unreachable { .. }))), "{fault:?}");
        // Read, and then not written.
        house.fake.faults(move |method, path| {
            (method == Method::PUT && path.contains("configmaps")).then_some(fault)
        });
        assert!(matches!(burn().await, Err(BurnError::Access(AccessError::Unreachable { .. }))), "{fault:?}");
    }
    house.fake.faults(|method, _| (method == Method::PUT).then_some(Fault::Status(403)));
    assert!(matches!(burn().await, Err(BurnError::Access(AccessError::Cluster { .. }))));
    house.fake.faults(|method, _| (method == Method::PUT).then_some(Fault::Status(409)));
    assert!(matches!(burn().await, Err(BurnError::Busy)));
    house.fake.faults(|_, _| None);

    house.fake.put("configmaps", &object("fedcba9876543210"));
    assert!(matches!(burn().await, Err(BurnError::NoObject(_))), "of another file");
    house.fake.remove("configmaps", OBJECT);
    assert!(matches!(burn().await, Err(BurnError::NoObject(_))), "missing");
    assert!(house.fake.keys("configmaps").is_empty(), "it is never made by the gateway");
}
