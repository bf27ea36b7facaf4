//! What somebody does to what a grant has opened.

use super::*;

const BINDING: &str = "payments/sallyport-debug-abc234";

async fn open(change: Value) -> Bench {
    let mut bench = Bench::new();
    bench.policy(&change);
    bench.run().await;
    bench.put_with("Approved", |request| {
        for (field, value) in change.as_object().unwrap() {
            request["status"]["policy"]["spec"][field] = value.clone();
        }
    });
    bench.phase("Active").await;
    bench
}

fn network() -> Value {
    json!({"network": {"ports": [5432, "8000-8080"], "podSelector": {"matchLabels": {"app": "db"}}}})
}

#[tokio::test]
async fn the_persons_own_binding_and_the_network_paths_come_and_go_with_the_grant() {
    let mut change = network();
    change["ownIdentity"] = json!(true);
    let bench = open(change).await;
    let own = bench.fake.get("rolebindings", &format!("{BINDING}-own")).unwrap();
    assert_eq!(
        own["subjects"],
        json!([{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}])
    );
    let paths = [format!("default/sallyport-{NAME}-out"), format!("payments/sallyport-{NAME}-in")];
    assert_eq!(bench.fake.keys("networkpolicies"), paths);
    bench
        .until("the register has them all", |bench| bench.status()["opened"].as_array().unwrap().len() == 4)
        .await;
    for key in paths {
        let path = bench.fake.get("networkpolicies", &key).unwrap();
        assert_eq!(path["metadata"]["annotations"]["sallyport.dev/ends"], json!("2026-01-01T13:00:00Z"));
        assert_eq!(path["metadata"]["ownerReferences"][0]["name"], json!(NAME));
    }
    bench.clock.advance(Duration::from_secs(3600));
    bench.until("it is clean", |bench| bench.count(Kind::GrantCleaned) == 1).await;
    assert!(bench.fake.keys("networkpolicies").is_empty());
    assert!(bench.fake.keys("rolebindings").is_empty());
}

#[tokio::test]
async fn what_somebody_edits_is_put_back_and_told() {
    let bench = open(network()).await;
    let mut binding = bench.fake.get("rolebindings", BINDING).unwrap();
    binding["subjects"][0]["name"] = json!("everybody");
    bench.fake.put("rolebindings", &binding);
    bench.until("it is told", |bench| bench.count(Kind::GrantRepaired) == 1).await;
    assert_eq!(
        bench.why(Kind::GrantRepaired),
        format!("RoleBinding {BINDING}: it gave the rights to Group `everybody`; put back")
    );
    let put_back = bench.fake.get("rolebindings", BINDING).unwrap();
    assert_eq!(put_back["subjects"][0]["name"], json!(format!("sallyport:grant:{NAME}")));

    let key = format!("payments/sallyport-{NAME}-in");
    let mut path = bench.fake.get("networkpolicies", &key).unwrap();
    path["spec"]["ingress"] = json!([{}]);
    bench.fake.put("networkpolicies", &path);
    bench.until("it is told", |bench| bench.count(Kind::GrantRepaired) == 2).await;
    let told = bench.why(Kind::GrantRepaired);
    assert_eq!(told, format!("NetworkPolicy {key}: what it lets through was changed; put back"));
    let path = bench.fake.get("networkpolicies", &key).unwrap();
    assert_eq!(path["spec"]["ingress"][0]["ports"][0]["port"], json!(5432));
    // Nothing that is told is lost on the way: the Events say it too.
    bench
        .until("an Event", |bench| bench.fake.keys("events").iter().any(|key| key.contains("repaired")))
        .await;
}

#[tokio::test]
async fn labels_that_were_taken_off_hide_nothing() {
    let bench = open(json!({})).await;
    let mut binding = bench.fake.get("rolebindings", BINDING).unwrap();
    binding["metadata"]["labels"] = json!({});
    // A watch with our labels would say that it is gone.
    bench.fake.remove("rolebindings", BINDING);
    bench.fake.put("rolebindings", &binding);
    bench.until("it is told", |bench| bench.count(Kind::GrantRepaired) == 1).await;
    let there = bench.fake.get("rolebindings", BINDING).unwrap();
    assert_eq!(there["metadata"]["labels"]["sallyport.dev/request"], json!(NAME));
}

#[tokio::test]
async fn what_lost_its_labels_while_nobody_looked_is_found_by_the_register() {
    let mut bench = open(json!({})).await;
    bench
        .until("the register has it", |bench| bench.status()["opened"][0]["name"] == "sallyport-debug-abc234")
        .await;
    bench.running.clear();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut binding = bench.fake.get("rolebindings", BINDING).unwrap();
    binding["metadata"]["labels"] = json!({});
    bench.fake.put("rolebindings", &binding);
    bench.clock.advance(Duration::from_secs(3600));
    bench.run().await;
    bench.until("it is clean", |bench| bench.count(Kind::GrantCleaned) == 1).await;
    assert!(bench.fake.keys("rolebindings").is_empty());
}

#[tokio::test]
async fn what_belongs_to_somebody_else_is_in_the_way_and_left_alone() {
    let mut bench = Bench::new();
    let theirs = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": format!("sallyport-{NAME}"), "namespace": "payments"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
    });
    bench.fake.put("rolebindings", &theirs);
    bench.run().await;
    bench.put("Approved");
    let why =
        format!("a RoleBinding `sallyport-{NAME}` that is not ours is in the way in namespace `payments`");
    bench.until("it is told", |bench| bench.status()["message"] == json!(why)).await;
    bench.clock.advance(Duration::from_secs(61));
    bench.phase("Failed").await;
    assert_eq!(bench.fake.get("rolebindings", BINDING).unwrap()["roleRef"]["name"], json!("view"));
}

#[tokio::test]
async fn a_war_over_a_binding_is_fought_slowly() {
    let bench = open(json!({})).await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        bench.fake.remove("rolebindings", BINDING);
        bench.until("it is back", |bench| bench.fake.get("rolebindings", BINDING).is_some()).await;
    }
    assert!(bench.count(Kind::GrantRepaired) < 8, "{}", bench.count(Kind::GrantRepaired));
}

#[tokio::test]
async fn an_old_server_is_given_ports_one_by_one_and_too_many_are_refused() {
    let mut bench = Bench::new();
    bench.fake.version(20);
    bench.run().await;
    bench.put_with("Approved", |request| {
        request["status"]["policy"]["spec"]["network"] = network()["network"].clone();
    });
    bench
        .until("it is told", |bench| {
            bench.status()["message"].as_str().is_some_and(|why| why.contains("more than 64 ports"))
        })
        .await;
}
