//! What ends a grant before its time, and what merely withholds it.

use super::*;

async fn active() -> Bench {
    let mut bench = Bench::new();
    bench.run().await;
    bench.put("Approved");
    bench.phase("Active").await;
    bench
}

impl Bench {
    async fn ended_for(&self, cause: &str, why: &str) {
        self.until(cause, |bench| bench.status()["cause"] == json!(cause)).await;
        assert_eq!(self.status()["phase"], json!("Revoked"));
        assert_eq!(self.status()["message"], json!(why));
        assert_eq!(self.condition("Ended")["message"], json!(why));
        self.until("it is told", |bench| bench.why(Kind::GrantEnded) == why).await;
        self.until("it is clean", |bench| bench.count(Kind::GrantCleaned) == 1).await;
        assert!(self.fake.keys("rolebindings").is_empty());
    }

    fn lock(&self, spec: &Value) {
        let lock = json!({
            "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessLock", "metadata": {"name": "one"}, "spec": spec,
        });
        self.fake.put("accesslocks", &lock);
    }
}

#[tokio::test]
async fn a_policy_that_is_deleted_ends_its_grants() {
    let bench = active().await;
    bench.fake.remove("accesspolicies", "debug");
    bench.ended_for("Policy", "policy `debug` is in force no more").await;
}

#[tokio::test]
async fn a_policy_that_no_longer_allows_it_ends_its_grants() {
    let bench = active().await;
    bench.policy(&json!({"namespaces": ["payments", "staging"]}));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(bench.status()["phase"], json!("Active"));
    bench.policy(&json!({"namespaces": ["staging"]}));
    bench
        .ended_for(
            "Policy",
            "policy `debug` no longer allows it: namespace `payments` is not one of `staging` (namespaces)",
        )
        .await;
}

#[tokio::test]
async fn a_policy_for_other_groups_ends_its_grants() {
    let bench = active().await;
    bench.policy(&json!({"subjects": {"groups": ["others"]}}));
    bench
        .ended_for(
            "Policy",
            "policy `debug` no longer allows it: only members of `others` may ask (subjects.groups)",
        )
        .await;
}

#[tokio::test]
async fn a_condition_that_ceases_to_hold_ends_grants_without_any_change() {
    let mut bench = Bench::new();
    bench.policy(
        &json!({"deny": [{"if": "now > timestamp('2026-01-01T12:20:00Z')", "message": "the day is over"}]}),
    );
    bench.run().await;
    bench.put("Approved");
    bench.phase("Active").await;
    bench.clock.advance(Duration::from_secs(1201));
    bench.until("it ends", |bench| bench.status()["cause"] == json!("Policy")).await;
    let why = bench.status()["message"].to_string();
    assert!(why.contains("the day is over"), "{why}");
}

#[tokio::test]
async fn a_policy_that_turns_unreadable_ends_nothing_not_even_after_a_restart() {
    let mut bench = active().await;
    bench.policy(&json!({"maxDuration": "soon"}));
    bench.running.clear();
    bench.run().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(bench.status()["phase"], json!("Active"));
}

#[tokio::test]
async fn locks_on_a_person_or_everything_end_grants() {
    for (spec, why) in [
        (json!({"person": "alice", "reason": "left", "by": "sam"}), "this person is locked out by sam: left"),
        (json!({"everything": true}), "everything is locked"),
    ] {
        let bench = active().await;
        bench.lock(&json!({"person": "bob"}));
        bench.lock(&json!({"person": "alice", "until": START}));
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(bench.status()["phase"], json!("Active"));
        bench.lock(&spec);
        bench.ended_for("Lock", why).await;
    }
}

#[tokio::test]
async fn a_lock_on_a_namespace_takes_the_binding_away_for_its_time() {
    let bench = active().await;
    bench.lock(&json!({"target": {"namespace": "payments"}, "until": "2026-01-01T12:10:00Z"}));
    bench.until("it is gone", |bench| bench.fake.keys("rolebindings").is_empty()).await;
    bench.until("the register knows", |bench| bench.status()["opened"].is_null()).await;
    assert_eq!(bench.status()["phase"], json!("Active"));
    bench.clock.advance(Duration::from_secs(600));
    bench.until("it is back", |bench| bench.fake.keys("rolebindings").len() == 1).await;
    assert_eq!(bench.count(Kind::GrantRepaired), 0);
}

#[tokio::test]
async fn a_grant_that_nobody_uses_ends_and_one_in_use_goes_on() {
    let mut bench = Bench::new();
    bench.run().await;
    bench.put_with("Approved", |request| request["status"]["policy"]["spec"]["idleTimeout"] = json!("10m"));
    bench.phase("Active").await;
    bench.clock.advance(Duration::from_secs(500));
    let mut request = bench.fake.get("accessrequests", NAME).unwrap();
    request["status"]["firstUsed"] = json!("2026-01-01T12:05:00Z");
    bench.fake.put("accessrequests", &request);
    tokio::time::sleep(Duration::from_millis(50)).await;
    bench.clock.advance(Duration::from_secs(300));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(bench.status()["phase"], json!("Active"));
    bench.clock.advance(Duration::from_secs(100));
    bench.ended_for("Idle", "it was not used for 10m").await;
}

#[tokio::test]
async fn what_begins_later_is_opened_then() {
    let mut bench = Bench::new();
    bench.run().await;
    bench.put_with("Approved", |request| {
        request["spec"]["startAt"] = json!("2026-01-01T12:30:00Z");
        request["status"]["window"] = json!({"start": "2026-01-01T12:30:00Z", "end": "2026-01-01T13:30:00Z"});
    });
    bench.until("it is told", |bench| bench.condition("Ready")["reason"] == "Opening").await;
    assert!(bench.fake.keys("rolebindings").is_empty());
    bench.clock.advance(Duration::from_secs(1800));
    bench.phase("Active").await;
    assert_eq!(bench.fake.keys("rolebindings").len(), 1);
}

#[tokio::test]
async fn one_gateway_leads_and_another_takes_over_when_it_is_gone() {
    let mut bench = Bench::new();
    let mut first = bench.run().await;
    first.wait_for(|leads| *leads).await.unwrap();
    let mut second = bench.run().await;
    bench.put("Approved");
    bench.phase("Active").await;
    assert!(!*second.borrow());
    // A clean stop gives the Lease back: no waiting.
    let began = Instant::now();
    drop(bench.running.remove(0));
    second.wait_for(|leads| *leads).await.unwrap();
    assert!(began.elapsed() < lease::TERM, "{:?}", began.elapsed());
    bench.clock.advance(Duration::from_secs(3600));
    bench.until("it is clean", |bench| bench.count(Kind::GrantCleaned) == 1).await;
    let leads: Vec<_> =
        bench.audit.kept().into_iter().filter(|event| event.event == Kind::GatewayLeads).collect();
    assert_eq!(leads.len(), 3, "{leads:?}");
}

#[tokio::test]
async fn conflicts_throttling_errors_and_silence_lose_nothing() {
    let mut bench = Bench::new();
    bench.run().await;
    let turn = std::sync::atomic::AtomicUsize::new(0);
    bench.fake.faults(move |method, path| {
        let count = turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let writes = *method != Method::GET && !path.contains("leases");
        let fault =
            [Fault::Status(409), Fault::Status(429), Fault::Status(500), Fault::Silence, Fault::Refused]
                [count % 5];
        (writes && !count.is_multiple_of(3)).then_some(fault)
    });
    bench.put("Approved");
    bench.phase("Active").await;
    bench.clock.advance(Duration::from_secs(3600));
    bench.until("it is clean", |bench| bench.count(Kind::GrantCleaned) == 1).await;
    assert!(bench.fake.keys("rolebindings").is_empty());
    assert_eq!(bench.status()["phase"], json!("Expired"));
}
