//! The reconciler against an API server that fails on demand.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use tokio_util::sync::DropGuard;

use super::*;
use crate::audit::Kind;
use crate::clock::ManualClock;
use crate::crd::fake::{Fake, Fault};

const START: &str = "2026-01-01T12:00:00Z";
const NAME: &str = "debug-abc234";

struct Bench {
    fake: Fake,
    clock: Arc<ManualClock>,
    audit: Audit,
    running: Vec<DropGuard>,
    names: usize,
    checks: Option<Arc<dyn Asks>>,
}

impl Bench {
    fn new() -> Self {
        let start: Timestamp = START.parse().unwrap();
        let (fake, clock) = (Fake::at(start), ManualClock::at(start));
        let bench =
            Self { fake, clock, audit: Audit::in_memory(), running: Vec::new(), names: 0, checks: None };
        bench.policy(&json!({}));
        bench
    }

    /// Puts the policy there, with these fields changed.
    fn policy(&self, change: &Value) {
        let mut spec = spec();
        for (field, value) in change.as_object().unwrap() {
            spec[field] = value.clone();
        }
        let policy = json!({
            "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessPolicy", "metadata": {"name": "debug"}, "spec": spec,
        });
        self.fake.put("accesspolicies", &policy);
    }

    /// One more gateway.
    async fn run(&mut self) -> watch::Receiver<bool> {
        self.names += 1;
        let settings = Settings::for_tests(&format!("gateway-{}", self.names));
        self.run_with(Settings { checks: self.checks.clone(), ..settings }).await
    }

    async fn run_with(&mut self, settings: Settings) -> watch::Receiver<bool> {
        let (stop, (leads, led)) = (CancellationToken::new(), watch::channel(false));
        let (client, clock, audit) = (self.fake.client(), self.clock.clone(), self.audit.clone());
        let access = Access::start(
            client.clone(),
            crate::access::AccessSettings::default(),
            clock.clone(),
            audit.clone(),
        )
        .await
        .unwrap();
        tokio::spawn(run(client, access, settings, clock, audit, stop.clone(), leads));
        self.running.push(stop.drop_guard());
        led
    }

    fn put(&self, phase: &str) {
        self.put_with(phase, |_| {});
    }

    fn put_with(&self, phase: &str, change: impl FnOnce(&mut Value)) {
        let bob = json!({"by": "bob", "issuer": "idp", "subject": "2", "at": START});
        let mut request = json!({
            "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessRequest", "metadata": {"name": NAME},
            "spec": {
                "requester": {"username": "alice", "groups": ["oncall"], "issuer": "idp", "subject": "1"},
                "policy": "debug", "namespaces": ["payments"], "duration": "1h",
            },
            "status": {
                "phase": phase, "approvals": [bob], "policy": {"uid": "p", "generation": 1, "spec": spec()},
                "window": {"start": START, "end": "2026-01-01T13:00:00Z"},
            },
        });
        change(&mut request);
        self.fake.put("accessrequests", &request);
    }

    fn status(&self) -> Value {
        self.fake.get("accessrequests", NAME).map(|object| object["status"].clone()).unwrap_or_default()
    }

    fn condition(&self, kind: &str) -> Value {
        let conditions = self.status()["conditions"].as_array().cloned().unwrap_or_default();
        conditions.into_iter().find(|one| one["type"] == kind).unwrap_or_default()
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..3000 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("waited in vain: {what}; {}; {:?}", self.status(), self.audit.kept());
    }

    async fn phase(&self, phase: &str) {
        self.until(phase, |bench| bench.status()["phase"] == json!(phase)).await;
    }

    /// What the last event of this kind says.
    fn why(&self, kind: Kind) -> String {
        let kept = self.audit.kept();
        kept.iter()
            .rev()
            .find(|event| event.event == kind)
            .and_then(|event| event.why.clone())
            .unwrap_or_default()
    }

    fn count(&self, kind: Kind) -> usize {
        self.audit.kept().iter().filter(|event| event.event == kind).count()
    }
}

/// The policy's spec, as it is in force and as it was approved.
fn spec() -> Value {
    json!({
        "subjects": {"groups": ["oncall"]}, "namespaces": ["payments"], "allow": {"shell": true},
        "clusterRole": "debug", "maxDuration": "2h", "approval": {"required": 1, "groups": ["leads"]},
    })
}

#[tokio::test]
async fn what_ended_while_nobody_was_there_is_cleaned_up_at_the_next_start() {
    let mut bench = Bench::new();
    bench.put("Approved");
    bench.run().await;
    bench.phase("Active").await;
    bench.running.clear();
    tokio::time::sleep(Duration::from_millis(50)).await;
    bench.clock.advance(Duration::from_secs(100_000));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(bench.fake.keys("rolebindings").len(), 1);
    bench.run().await;
    bench.phase("Expired").await;
    bench.until("it is clean", |bench| bench.count(Kind::GrantCleaned) == 1).await;
    assert!(bench.fake.keys("rolebindings").is_empty());
}

#[tokio::test]
async fn two_at_once_do_each_thing_once() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.run().await;
    }
    bench.put("Approved");
    bench.phase("Active").await;
    bench.clock.advance(Duration::from_secs(3600));
    bench.until("it is clean", |bench| bench.count(Kind::GrantCleaned) > 0).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let counts = [Kind::GrantStarted, Kind::GrantEnded, Kind::GrantCleaned].map(|kind| bench.count(kind));
    assert_eq!(counts, [1, 1, 1]);
    assert!(bench.fake.keys("rolebindings").is_empty());
}

#[tokio::test]
async fn a_deleted_binding_of_an_active_grant_is_made_again() {
    let mut bench = Bench::new();
    bench.run().await;
    bench.put("Approved");
    bench.phase("Active").await;
    let key = format!("payments/sallyport-{NAME}");
    bench.fake.remove("rolebindings", &key);
    bench.until("it is back", |bench| bench.fake.get("rolebindings", &key).is_some()).await;
    bench.until("it is told", |bench| bench.count(Kind::GrantRepaired) == 1).await;
    let told = bench.why(Kind::GrantRepaired);
    assert_eq!(told, format!("RoleBinding {key}: it was gone; made again"));
}

#[tokio::test]
async fn a_binding_without_a_request_is_removed_and_others_are_left_alone() {
    let mut bench = Bench::new();
    let binding = |name: &str, labels: Value| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": name, "namespace": "payments", "labels": labels},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "debug"},
        })
    };
    let ours = |of: &str| json!({"app.kubernetes.io/managed-by": "sallyport", "sallyport.dev/request": of});
    bench.fake.put("rolebindings", &binding("sallyport-debug-gone22", ours("debug-gone22")));
    bench.fake.put("rolebindings", &binding("of-somebody-else", json!({})));
    bench.run().await;
    let left = |bench: &Bench| bench.fake.keys("rolebindings");
    bench.until("the orphan is gone", |bench| left(bench) == ["payments/of-somebody-else"]).await;
}

#[tokio::test]
async fn a_role_that_may_not_be_bound_is_told_and_given_up_after_a_minute() {
    let mut bench = Bench::new();
    bench.fake.faults(|method, path| {
        (*method == Method::POST && path.contains("rolebindings")).then_some(Fault::Status(403))
    });
    bench.run().await;
    bench.put("Approved");
    let why = "the gateway may not bind ClusterRole `debug` in namespace `payments`";
    bench.until("it is told", |bench| bench.status()["message"] == json!(why)).await;
    assert_eq!(bench.status()["phase"], json!("Approved"));
    assert_eq!(bench.condition("Ready")["reason"], json!("BindingFailed"));
    bench.clock.advance(Duration::from_secs(61));
    bench.phase("Failed").await;
    assert_eq!(bench.status()["message"], json!(why));
}

#[tokio::test]
async fn a_namespace_that_appears_in_time_is_served() {
    let mut bench = Bench::new();
    bench.fake.faults(|method, path| {
        (*method == Method::POST && path.contains("rolebindings")).then_some(Fault::Status(404))
    });
    bench.run().await;
    bench.put("Approved");
    bench
        .until("it is told", |bench| {
            bench.status()["message"] == json!("namespace `payments` does not exist")
        })
        .await;
    bench.fake.faults(|_, _| None);
    bench.phase("Active").await;
    assert_eq!(bench.status()["message"], Value::Null);
}

#[tokio::test]
async fn deletions_that_fail_are_tried_until_they_work() {
    let mut bench = Bench::new();
    bench.run().await;
    bench.put("Approved");
    bench.phase("Active").await;
    bench.fake.faults(|method, _| (*method == Method::DELETE).then_some(Fault::Status(500)));
    bench.clock.advance(Duration::from_secs(3600));
    bench.phase("Expired").await;
    bench.until("it is tried again", |bench| bench.fake.asked(&Method::DELETE, "rolebindings") >= 2).await;
    assert_eq!(bench.count(Kind::GrantCleaned), 0);
    bench.fake.faults(|_, _| None);
    bench.until("it is clean", |bench| bench.count(Kind::GrantCleaned) == 1).await;
    assert!(bench.fake.keys("rolebindings").is_empty());
}

#[tokio::test]
async fn a_binding_of_that_name_that_is_not_ours_is_replaced() {
    let mut bench = Bench::new();
    bench.fake.put(
        "rolebindings",
        &json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": format!("sallyport-{NAME}"), "namespace": "payments",
                "labels": {"app.kubernetes.io/managed-by": "sallyport", "sallyport.dev/request": NAME}},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        }),
    );
    bench.run().await;
    bench.put("Approved");
    bench.phase("Active").await;
    let there = bench.fake.get("rolebindings", &format!("payments/sallyport-{NAME}")).unwrap();
    assert_eq!(there["roleRef"]["name"], json!("debug"));
}

mod checks;
mod drift;
mod ends;
mod history;
