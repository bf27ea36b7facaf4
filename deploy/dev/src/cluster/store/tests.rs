use serde_json::json;

use super::*;

fn pod(namespace: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": name}, "spec": {}})
}

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_with(dir.path(), 4).unwrap();
    (dir, store)
}

#[test]
fn a_stale_version_is_refused_and_no_version_always_wins() {
    let (_dir, store) = store();
    let first = store.create(&PODS, pod("a", "x")).unwrap();
    let mut mine = Value::clone(&first);
    mine["spec"]["nodeName"] = json!("n1");
    store.update(&PODS, mine.clone()).unwrap();
    mine["spec"]["nodeName"] = json!("n2");
    assert!(matches!(store.update(&PODS, mine.clone()), Err(StoreError::Conflict { .. })));
    mine["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    assert_eq!(store.update(&PODS, mine).unwrap()["spec"]["nodeName"], "n2");
}

#[test]
fn a_change_that_changes_nothing_makes_no_new_version() {
    let (_dir, store) = store();
    let first = store.create(&PODS, pod("a", "x")).unwrap();
    let same = store.modify(&PODS, "a", "x", |_| {}).unwrap();
    assert_eq!(object::resource_version(&first), object::resource_version(&same));
}

#[tokio::test]
async fn a_watch_resumes_where_it_was_and_expires_when_too_far_behind() {
    let (_dir, store) = store();
    let start = store.version();
    store.create(&PODS, pod("a", "x")).unwrap();
    store.create(&PODS, pod("b", "y")).unwrap();
    let mut watch = store.watch(&PODS, Some("b"), Some(start)).unwrap();
    assert_eq!(object::name(&watch.next().await.unwrap().object), "y");
    for i in 0..5 {
        store.modify(&PODS, "a", "x", |p| p["spec"]["i"] = json!(i)).unwrap();
    }
    assert!(matches!(store.watch(&PODS, None, Some(start)), Err(StoreError::Expired { .. })));
    assert!(matches!(watch.next().await, Err(StoreError::Expired { .. })));
}

#[tokio::test]
async fn a_list_and_its_watch_leave_no_gap() {
    let (_dir, store) = store();
    store.create(&PODS, pod("a", "x")).unwrap();
    let (items, mut watch) = store.list_and_watch(&PODS, None);
    store.delete(&PODS, "a", "x", &Delete::default()).unwrap();
    assert_eq!(items.len(), 1);
    let change = watch.next().await.unwrap();
    assert_eq!(change.kind, ChangeKind::Deleted);
    assert_eq!(object::resource_version(&change.object), store.version());
}

#[test]
fn everything_is_there_after_a_stop_and_a_torn_last_line_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.create(&PODS, pod("a", "x")).unwrap();
    store.create(&PODS, pod("a", "y")).unwrap();
    store.delete(&PODS, "a", "y", &Delete::default()).unwrap();
    let version = store.version();
    assert!(matches!(Store::open(dir.path()), Err(StoreError::Locked { .. })));
    drop(store);
    let path = dir.path().join("objects.jsonl");
    let mut text = std::fs::read(&path).unwrap();
    text.extend_from_slice(b"{\"v\":99,\"of\":[\"\",\"po");
    std::fs::write(&path, text).unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.version(), version);
    assert_eq!(store.list(&PODS, None).0.len(), 1);
    store.create(&PODS, pod("a", "z")).unwrap();
    drop(store);
    assert_eq!(Store::open(dir.path()).unwrap().list(&PODS, None).0.len(), 2);
}

#[test]
fn a_rewritten_log_says_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.create(&PODS, pod("a", "x")).unwrap();
    for i in 0..9_000 {
        store.modify(&PODS, "a", "x", |p| p["spec"]["i"] = json!(i)).unwrap();
    }
    let version = store.version();
    drop(store);
    let lines = std::fs::read_to_string(dir.path().join("objects.jsonl")).unwrap().lines().count();
    assert!(lines < 1_000, "{lines}");
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.version(), version);
    assert_eq!(store.get(&PODS, "a", "x").unwrap()["spec"]["i"], 8_999);
}

#[test]
fn a_finalizer_holds_an_object_and_its_removal_lets_it_go() {
    let (_dir, store) = store();
    let mut object = pod("a", "x");
    object["metadata"]["finalizers"] = json!(["example.com/hold"]);
    store.create(&PODS, object).unwrap();
    assert!(matches!(store.delete(&PODS, "a", "x", &Delete::default()).unwrap(), Deleted::Marked(_)));
    store.modify(&PODS, "a", "x", |p| p["metadata"]["finalizers"] = json!([])).unwrap();
    assert!(store.get(&PODS, "a", "x").is_none());
}

#[test]
fn a_running_pod_waits_for_its_kubelet_and_grace_only_shrinks() {
    let (_dir, store) = store();
    let mut object = pod("a", "x");
    object["spec"] = json!({"nodeName": "n", "terminationGracePeriodSeconds": 7});
    store.create(&PODS, object).unwrap();
    let grace = |d: Deleted| d.object()["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap();
    assert_eq!(grace(store.delete(&PODS, "a", "x", &Delete::default()).unwrap()), 7);
    let longer = Delete { grace_seconds: Some(60), ..Delete::default() };
    assert_eq!(grace(store.delete(&PODS, "a", "x", &longer).unwrap()), 7);
    assert!(matches!(store.delete(&PODS, "a", "x", &Delete::now()).unwrap(), Deleted::Gone(_)));
}

#[test]
fn a_precondition_that_does_not_hold_stops_a_deletion() {
    let (_dir, store) = store();
    store.create(&PODS, pod("a", "x")).unwrap();
    let other = Delete { uid: Some("another".into()), ..Delete::default() };
    assert!(matches!(store.delete(&PODS, "a", "x", &other), Err(StoreError::Conflict { .. })));
    assert!(store.get(&PODS, "a", "x").is_some());
}

#[test]
fn generations_count_the_spec_and_not_the_status() {
    let (_dir, store) = store();
    store.create(&DEPLOYMENTS, pod("a", "x")).unwrap();
    let d = store.modify(&DEPLOYMENTS, "a", "x", |d| d["status"] = json!({"replicas": 1})).unwrap();
    assert_eq!(d["metadata"]["generation"], 1);
    let d = store.modify(&DEPLOYMENTS, "a", "x", |d| d["spec"]["replicas"] = json!(2)).unwrap();
    assert_eq!(d["metadata"]["generation"], 2);
}
