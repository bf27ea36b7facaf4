use serde_json::json;

use super::*;
use crate::cluster::store::{CONFIGMAPS, NAMESPACES, Propagation, ROLEBINDINGS};

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    for name in ["a", "b"] {
        let namespace = json!({"metadata": {"name": name}, "spec": {"finalizers": ["kubernetes"]}});
        store.create(&NAMESPACES, namespace).unwrap();
    }
    (dir, store)
}

const REQUESTS: ResourceId = ResourceId::of("sallyport.dev", "accessrequests");

fn owned(namespace: &str, name: &str, owners: &[(&str, &str)]) -> Value {
    let owners: Vec<Value> = owners
        .iter()
        .map(|(name, uid)| json!({"apiVersion": "v1", "kind": "K", "name": name, "uid": uid}))
        .collect();
    json!({"metadata": {"namespace": namespace, "name": name, "ownerReferences": owners}})
}

#[test]
fn bindings_go_with_the_request_of_the_cluster_that_owns_them() {
    let (_dir, store) = store();
    let request = store.create(&REQUESTS, json!({"metadata": {"name": "r"}})).unwrap();
    for namespace in ["a", "b"] {
        store.create(&ROLEBINDINGS, owned(namespace, "g", &[("r", object::uid(&request))])).unwrap();
    }
    sweep(&store);
    assert_eq!(store.list(&ROLEBINDINGS, None).0.len(), 2);
    store.delete(&REQUESTS, "", "r", &Delete::default()).unwrap();
    sweep(&store);
    assert_eq!(store.list(&ROLEBINDINGS, None).0.len(), 0);
}

#[test]
fn an_owner_in_another_namespace_or_of_another_name_is_absent() {
    let (_dir, store) = store();
    let owner = store.create(&CONFIGMAPS, json!({"metadata": {"namespace": "a", "name": "o"}})).unwrap();
    store.create(&CONFIGMAPS, owned("b", "elsewhere", &[("o", object::uid(&owner))])).unwrap();
    store.create(&CONFIGMAPS, owned("a", "misnamed", &[("p", object::uid(&owner))])).unwrap();
    store.create(&CONFIGMAPS, owned("a", "right", &[("o", object::uid(&owner))])).unwrap();
    sweep(&store);
    let left: Vec<String> =
        store.list(&CONFIGMAPS, None).0.iter().map(|o| object::name(o).to_owned()).collect();
    assert_eq!(left, ["o", "right"]);
}

#[test]
fn one_living_owner_is_enough_and_the_others_are_forgotten() {
    let (_dir, store) = store();
    let owner = store.create(&CONFIGMAPS, json!({"metadata": {"namespace": "a", "name": "o"}})).unwrap();
    store
        .create(&CONFIGMAPS, owned("a", "d", &[("o", object::uid(&owner)), ("gone", "no-such-uid")]))
        .unwrap();
    sweep(&store);
    let dependent = store.get(&CONFIGMAPS, "a", "d").unwrap();
    assert_eq!(dependent["metadata"]["ownerReferences"].as_array().unwrap().len(), 1);
}

#[test]
fn foreground_waits_for_dependents_and_orphan_lets_them_live() {
    for (propagation, left) in [(Propagation::Foreground, 0), (Propagation::Orphan, 1)] {
        let (_dir, store) = store();
        let owner = store.create(&CONFIGMAPS, json!({"metadata": {"namespace": "a", "name": "o"}})).unwrap();
        store.create(&CONFIGMAPS, owned("a", "d", &[("o", object::uid(&owner))])).unwrap();
        let how = Delete { propagation, ..Delete::default() };
        store.delete(&CONFIGMAPS, "a", "o", &how).unwrap();
        assert!(store.get(&CONFIGMAPS, "a", "o").is_some());
        sweep(&store);
        sweep(&store);
        assert_eq!(store.list(&CONFIGMAPS, None).0.len(), left, "{propagation:?}");
    }
}

#[test]
fn a_namespace_goes_when_it_is_empty_and_no_sooner() {
    let (_dir, store) = store();
    let mut held =
        json!({"metadata": {"namespace": "a", "name": "held", "finalizers": ["example.com/hold"]}});
    store.create(&CONFIGMAPS, held.take()).unwrap();
    store.delete(&NAMESPACES, "", "a", &Delete::default()).unwrap();
    sweep(&store);
    sweep(&store);
    assert!(store.get(&NAMESPACES, "", "a").is_some());
    store.modify(&CONFIGMAPS, "a", "held", |o| o["metadata"]["finalizers"] = json!([])).unwrap();
    sweep(&store);
    assert!(store.get(&NAMESPACES, "", "a").is_none());
    assert!(store.get(&NAMESPACES, "", "b").is_some());
}
