//! Much history: it costs a round little, and goes when it is old.

use super::*;
use crate::config::Span;
use crate::crd::AccessRequest;

fn over(name: &str, ended: &str) -> Value {
    let condition = json!({
        "type": "Ended", "status": "True", "reason": "WindowOver", "message": "", "lastTransitionTime": ended,
    });
    json!({
        "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessRequest", "metadata": {"name": name},
        "spec": {
            "requester": {"username": "alice", "groups": ["oncall"], "issuer": "idp", "subject": "1"},
            "policy": "debug", "namespaces": ["payments"], "duration": "1h",
        },
        "status": {
            "phase": "Expired", "endedAt": ended, "conditions": [condition],
            "window": {"start": "2025-12-01T12:00:00Z", "end": ended},
            "policy": {"uid": "p", "generation": 1, "spec": spec()},
        },
    })
}

#[tokio::test]
async fn what_is_too_old_or_too_much_goes_oldest_first() {
    let mut bench = Bench::new();
    for (name, ended) in [
        ("debug-old111", "2025-06-01T12:00:00Z"),
        ("debug-old222", "2025-12-01T12:00:00Z"),
        ("debug-old333", "2025-12-02T12:00:00Z"),
        ("debug-old444", "2025-12-03T12:00:00Z"),
    ] {
        bench.fake.put("accessrequests", &over(name, ended));
    }
    let mut review = over("debug-glass2", "2025-05-01T12:00:00Z");
    review["status"]["review"] = json!({});
    bench.fake.put("accessrequests", &review);
    let history =
        config::Requests { keep: Span(Duration::from_secs(90 * 24 * 3600)), most: 3, by_kubectl: false };
    bench.run_with(Settings { requests: history, ..Settings::for_tests("one") }).await;
    bench.until("it is told", |bench| bench.count(Kind::RequestsPruned) == 1).await;
    let left = ["debug-glass2", "debug-old222", "debug-old333", "debug-old444"];
    assert_eq!(bench.fake.keys("accessrequests"), left);
    assert!(bench.why(Kind::RequestsPruned).starts_with("1 requests that ended until 2025-06-01"));
}

#[test]
fn what_must_stay_stays_and_the_rest_goes_in_batches() {
    let read = |value: Value| Arc::new(serde_json::from_value::<AccessRequest>(value).unwrap());
    let now: Timestamp = START.parse().unwrap();
    let settings = config::Requests { most: 10, ..config::Requests::default() };
    let name = |index: usize| format!("debug-a{index:05}");
    let mut all: Vec<_> = (0..200).map(|index| read(over(&name(index), "2025-12-20T12:00:00Z"))).collect();
    assert_eq!(prune::due(&all, &settings, now).len(), 100);
    all.truncate(11);
    assert_eq!(prune::due(&all, &settings, now)[0].metadata.name.as_deref(), Some("debug-a00000"));
    let changes: [fn(&mut Value); 4] = [
        |value| value["status"]["opened"] = json!([{"kind": "RoleBinding", "namespace": "a", "name": "b"}]),
        |value| value["status"]["review"] = json!({}),
        |value| value["status"]["phase"] = json!("Active"),
        |value| value["metadata"]["deletionTimestamp"] = json!(START),
    ];
    for change in changes {
        let mut kept = over(&name(0), "2025-01-20T12:00:00Z");
        change(&mut kept);
        assert!(prune::due(&[read(kept)], &settings, now).is_empty());
    }
    // What ended a moment ago stays, however many there are.
    let fresh: Vec<_> = (0..20).map(|index| read(over(&name(index), "2026-01-01T11:59:30Z"))).collect();
    assert!(prune::due(&fresh, &settings, now).is_empty());
}

#[tokio::test]
async fn ten_thousand_that_are_over_do_not_slow_a_grant_down() {
    let mut bench = Bench::new();
    for index in 0..10_000 {
        bench.fake.put("accessrequests", &over(&format!("debug-h{index:05}"), "2025-12-20T12:00:00Z"));
    }
    let mut led = bench.run().await;
    led.wait_for(|leads| *leads).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let began = Instant::now();
    bench.put("Approved");
    bench.phase("Active").await;
    let took = began.elapsed();
    println!("opened beside 10,000 in {took:?}");
    // No history is read live, rewritten or removed.
    assert_eq!(bench.fake.asked(&Method::PUT, "accessrequests/debug-h"), 0);
    assert_eq!(bench.fake.asked(&Method::GET, "accessrequests/debug-h"), 0);
    assert_eq!(bench.fake.asked(&Method::DELETE, "accessrequests"), 0);
}
