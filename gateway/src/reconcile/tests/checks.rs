//! External checks: asked before anybody can approve, and again while a grant lasts.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;

use sallyport_policy::Policy;

use super::*;
use crate::crd::AccessRequest;

/// Says what it is told to, and counts.
#[derive(Debug, Default)]
struct Stub {
    says: Mutex<BTreeMap<String, Said>>,
    asked: Mutex<Vec<String>>,
}

impl Stub {
    fn says(&self, check: &str, said: Said) {
        self.says.lock().unwrap().insert(check.to_owned(), said);
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Asks for Stub {
    fn ask<'a>(
        &'a self,
        name: &'a str,
        _: &'a AccessRequest,
        _: &'a Policy,
    ) -> Pin<Box<dyn Future<Output = Said> + Send + 'a>> {
        self.asked.lock().unwrap().push(name.to_owned());
        let said = self.says.lock().unwrap().get(name).cloned();
        Box::pin(async move { said.unwrap_or_else(|| Err("no answer".to_owned())) })
    }
}

async fn bench(approval: Value) -> (Bench, Arc<Stub>) {
    let mut bench = Bench::new();
    let stub = Arc::new(Stub::default());
    bench.checks = Some(stub.clone());
    bench.policy(&json!({"approval": approval}));
    bench.put_with("Pending", |request| {
        request["status"] = json!({"phase": "Pending"});
    });
    (bench, stub)
}

fn yes() -> Said {
    Ok((true, vec!["INC-1 is open".to_owned()]))
}

#[tokio::test]
async fn a_request_waits_for_its_checks_and_opens_where_nobody_has_to_approve() {
    let hooks = json!([{"name": "jira", "unreachable": "Wait"}, {"name": "opa"}]);
    let (mut bench, stub) = bench(json!({"required": 0, "hooks": hooks})).await;
    stub.says("opa", yes());
    bench.run().await;
    bench
        .until("both are asked", |bench| bench.status()["hooks"].as_array().is_some_and(|all| all.len() == 2))
        .await;
    assert_eq!(bench.status()["phase"], json!("Pending"));
    assert_eq!(bench.condition("Approved")["message"], json!("it waits for check `jira`"));
    stub.says("jira", yes());
    bench.clock.advance(Duration::from_secs(5));
    bench.phase("Active").await;
    assert_eq!(bench.count(Kind::RequestApproved), 1);
    assert_eq!(bench.why(Kind::CheckAnswered), "check `jira` agrees: INC-1 is open");
    assert_eq!(stub.asked.lock().unwrap().iter().filter(|name| *name == "opa").count(), 1);
}

#[tokio::test]
async fn a_no_ends_a_request_and_so_does_silence_where_the_policy_says_so() {
    for (said, why) in [
        (
            Ok((false, vec!["no\u{1b}[2J such ticket".to_owned()])),
            "check `jira` says no: no\u{fffd}[2J such ticket",
        ),
        (Err("connection refused".to_owned()), "check `jira` could not be asked: connection refused"),
    ] {
        let (mut bench, stub) =
            bench(json!({"required": 1, "groups": ["leads"], "hooks": [{"name": "jira"}]})).await;
        stub.says("jira", said);
        bench.run().await;
        bench.phase("Denied").await;
        assert_eq!(bench.status()["cause"], json!("Hook"));
        assert_eq!(bench.status()["message"], json!(why));
        bench.until("it is told", |bench| bench.why(Kind::RequestDenied) == why).await;
    }
}

#[tokio::test]
async fn an_open_grant_ends_with_its_ticket_and_waits_out_a_check_that_is_away() {
    let hooks = json!([{"name": "jira", "unreachable": "Wait", "recheck": "5m"}]);
    let (mut bench, stub) = bench(json!({"required": 0, "hooks": hooks})).await;
    stub.says("jira", yes());
    bench.run().await;
    bench.phase("Active").await;
    let before = stub.asked();
    bench.clock.advance(Duration::from_secs(60));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(stub.asked(), before, "it is not asked before its time");
    stub.says("jira", Err("away".to_owned()));
    bench.clock.advance(Duration::from_secs(240));
    bench.until("it is asked", |_| stub.asked() == before + 1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(stub.asked(), before + 1, "not again at once");
    assert_eq!(bench.status()["phase"], json!("Active"));
    stub.says("jira", Ok((false, vec!["INC-1 is closed".to_owned()])));
    bench.clock.advance(Duration::from_secs(40));
    bench.until("it ends", |bench| bench.status()["cause"] == json!("Hook")).await;
    assert_eq!(bench.status()["message"], json!("check `jira` says no: INC-1 is closed"));
    bench.until("it is clean", |bench| bench.count(Kind::GrantCleaned) == 1).await;
}

#[tokio::test]
async fn answers_survive_conflicts() {
    let (mut bench, stub) = bench(json!({"required": 0, "hooks": [{"name": "jira"}]})).await;
    stub.says("jira", yes());
    let count = std::sync::atomic::AtomicUsize::new(0);
    bench.fake.faults(move |method, path| {
        let write = *method == Method::PUT && path.ends_with("/status");
        let first = write && count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 3;
        first.then_some(Fault::Status(409))
    });
    bench.run().await;
    bench.phase("Active").await;
}
