//! The election against an API server that fails on demand.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::crd::fake::{Fake, Fault};

struct Stand {
    leads: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stand {
    fn leads(&self) -> bool {
        *self.leads.borrow()
    }

    async fn until(&mut self, leads: bool) -> Duration {
        let began = Instant::now();
        let wait = timeout(Duration::from_secs(90), self.leads.wait_for(|now| *now == leads)).await;
        wait.expect("in time").expect("it runs");
        began.elapsed()
    }
}

fn stand(client: kube::Client, name: &str, clock: &Arc<ManualClock>) -> Stand {
    let (leads, receiver) = watch::channel(false);
    let mut elector = Elector::new(client, "sallyport", name, clock.clone(), Audit::in_memory(), leads);
    let task = tokio::spawn(async move { match elector.stand().await {} });
    Stand { leads: receiver, task }
}

fn fake() -> (Fake, Arc<ManualClock>) {
    let start = "2026-01-01T12:00:00Z".parse().unwrap();
    (Fake::at(start), ManualClock::at(start))
}

fn holder(fake: &Fake) -> Value {
    fake.get("leases", "sallyport/sallyport").unwrap()["spec"]["holderIdentity"].clone()
}

#[tokio::test]
async fn one_of_two_leads_and_the_other_waits_out_the_term() {
    let (fake, clock) = fake();
    let mut one = stand(fake.client(), "one", &clock);
    one.until(true).await;
    let mut other = stand(fake.client(), "other", &clock);
    tokio::time::sleep(TERM * 2).await;
    assert!(one.leads() && !other.leads());
    // Killed: no release, no word.
    drop(one);
    let took = other.until(true).await;
    assert!(took > HOLDS, "{took:?}");
    assert_eq!(holder(&fake), json!("other"));
    assert_eq!(fake.get("leases", "sallyport/sallyport").unwrap()["spec"]["leaseTransitions"], json!(2));
}

#[tokio::test]
async fn clocks_that_disagree_by_hours_make_no_second_leader() {
    let (fake, clock) = fake();
    let mut one = stand(fake.client(), "one", &clock);
    one.until(true).await;
    for hours in [-9, 9] {
        let skewed = ManualClock::at(clock.now() + jiff::SignedDuration::from_hours(hours));
        let other = stand(fake.client(), "other", &skewed);
        tokio::time::sleep(TERM * 2).await;
        assert!(one.leads() && !other.leads());
    }
    // Nor does one's own clock, when it is set.
    clock.advance(Duration::from_secs(36_000));
    tokio::time::sleep(TERM).await;
    assert!(one.leads());
}

#[tokio::test]
async fn a_leader_that_cannot_renew_stops_before_another_begins() {
    let (fake, clock) = fake();
    let mut one = stand(fake.client(), "one", &clock);
    one.until(true).await;
    let mut other = stand(fake.client(), "other", &clock);
    tokio::time::sleep(Duration::from_millis(300)).await;
    for fault in [Fault::Status(500), Fault::Silence, Fault::Status(429)] {
        fake.faults(move |method, path| (*method == Method::PUT && path.contains("leases")).then_some(fault));
        let (leader, waiting) = if one.leads() { (&mut one, &mut other) } else { (&mut other, &mut one) };
        leader.until(false).await;
        assert!(!waiting.leads(), "{fault:?}");
        fake.faults(|_, _| None);
        let mut waited = 0;
        while !one.leads() && !other.leads() {
            waited += 1;
            assert!(waited < 3000, "nobody leads after {fault:?}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(one.leads() != other.leads());
    }
}

#[tokio::test]
async fn a_restart_under_the_same_name_does_not_wait() {
    let (fake, clock) = fake();
    let mut before = stand(fake.client(), "one", &clock);
    before.until(true).await;
    drop(before);
    let took = stand(fake.client(), "one", &clock).until(true).await;
    assert!(took < TERM, "{took:?}");
}

#[tokio::test]
async fn a_twin_is_noticed_and_one_of_both_goes_by_another_name() {
    let (fake, clock) = fake();
    let mut one = stand(fake.client(), "one", &clock);
    one.until(true).await;
    let its = ManualClock::at(clock.now() + Duration::from_secs(5));
    let mut twin = stand(fake.client(), "one", &its);
    twin.until(true).await;
    one.until(false).await;
    tokio::time::sleep(TERM * 2).await;
    assert!(twin.leads() && !one.leads());
}

#[tokio::test]
async fn what_stands_there_in_odd_words_binds_nobody_for_long() {
    let (fake, clock) = fake();
    fake.put(
        "leases",
        &json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "sallyport", "namespace": "sallyport"},
            "spec": {"holderIdentity": "gone", "leaseDurationSeconds": -5, "renewTime": "2099-01-01T00:00:00.000000Z"},
        }),
    );
    let took = stand(fake.client(), "one", &clock).until(true).await;
    assert!(took >= TERM, "{took:?}");
}

#[tokio::test]
async fn a_lease_that_is_given_back_is_taken_at_once() {
    let (fake, clock) = fake();
    let (leads, mut led) = watch::channel(false);
    let mut first = Elector::new(fake.client(), "sallyport", "one", clock.clone(), Audit::in_memory(), leads);
    tokio::select! {
        never = first.stand() => match never {},
        _ = led.wait_for(|leads| *leads) => {}
    }
    first.step_down().await;
    assert_eq!(holder(&fake), Value::Null);
    let took = stand(fake.client(), "other", &clock).until(true).await;
    assert!(took < TERM, "{took:?}");
}
