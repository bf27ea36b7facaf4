use std::fmt::Write as _;

use rand::RngExt;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use super::*;
use crate::cluster::status::Status;
use crate::cluster::store::{CLUSTERROLEBINDINGS, CLUSTERROLES, ROLEBINDINGS, ROLES, ResourceId};

fn setup() -> (tempfile::TempDir, Store, Authorizer) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let authorizer = Authorizer::new(store.clone());
    (dir, store, authorizer)
}

fn named(name: &str, namespace: &str, mut object: Value) -> Value {
    object["metadata"] = json!({"name": name, "namespace": namespace});
    object
}

fn binding(kind: &str, role: &str, subjects: Value) -> Value {
    json!({"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}, "subjects": subjects})
}

fn group(name: &str) -> Value {
    json!([{"kind": "Group", "name": name}])
}

fn person(groups: &[&str]) -> User {
    User::authenticated("alice", &groups.iter().map(|g| (*g).to_owned()).collect::<Vec<_>>())
}

fn asks(verb: &str, resource: &str, namespace: &str) -> Attributes {
    let (resource, sub) = resource.split_once('/').unwrap_or((resource, ""));
    Attributes::resource(verb, "", "v1", resource, namespace, "x").with_subresource(sub)
}

#[test]
fn a_cluster_role_bound_in_a_namespace_ends_at_its_border() {
    let (_dir, store, rbac) = setup();
    let rules = json!({"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods", "pods/log"]}]});
    store.create(&CLUSTERROLES, named("reader", "", rules)).unwrap();
    store
        .create(&ROLEBINDINGS, named("b", "payments", binding("ClusterRole", "reader", group("oncall"))))
        .unwrap();
    let alice = person(&["oncall"]);
    let decision = rbac.authorize(&alice, &asks("get", "pods", "payments"));
    let why = "RBAC: allowed by RoleBinding \"b/payments\" of ClusterRole \"reader\" to Group \"oncall\"";
    assert_eq!(decision, Decision { allowed: true, reason: why.into() });
    for refused in [
        asks("get", "pods", "staging"),
        asks("get", "pods", ""),
        asks("list", "pods", "payments"),
        asks("get", "pods/exec", "payments"),
        asks("get", "secrets", "payments"),
    ] {
        assert!(!rbac.authorize(&alice, &refused).allowed, "{refused:?}");
    }
    assert!(!rbac.authorize(&person(&[]), &asks("get", "pods", "payments")).allowed);
}

#[test]
fn a_binding_to_a_missing_role_grants_nothing_and_is_named() {
    let (_dir, store, rbac) = setup();
    store
        .create(&CLUSTERROLEBINDINGS, named("b", "", binding("ClusterRole", "gone", group("oncall"))))
        .unwrap();
    let decision = rbac.authorize(&person(&["oncall"]), &asks("get", "pods", "payments"));
    assert!(!decision.allowed);
    assert_eq!(decision.reason, "RBAC: clusterrole.rbac.authorization.k8s.io \"gone\" not found");
}

#[test]
fn a_role_of_another_namespace_is_not_reached() {
    let (_dir, store, rbac) = setup();
    let rules = json!({"rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]});
    store.create(&ROLES, named("all", "staging", rules)).unwrap();
    store.create(&ROLEBINDINGS, named("b", "payments", binding("Role", "all", group("oncall")))).unwrap();
    assert!(!rbac.authorize(&person(&["oncall"]), &asks("get", "pods", "payments")).allowed);
}

#[test]
fn refusals_are_worded_as_the_real_server_words_them() {
    let cases: [(Attributes, &str); 4] = [
        (
            asks("create", "pods/exec", "payments"),
            "pods \"x\" is forbidden: User \"alice\" cannot create resource \"pods/exec\" in API group \"\" in the namespace \"payments\"",
        ),
        (
            Attributes::resource("list", "apps", "v1", "deployments", "", ""),
            "deployments.apps is forbidden: User \"alice\" cannot list resource \"deployments\" in API group \"apps\" at the cluster scope",
        ),
        (Attributes::path("get", "/metrics"), "forbidden: User \"alice\" cannot get path \"/metrics\""),
        (
            Attributes::resource("impersonate", "", "v1", "users", "", "bob"),
            "users \"bob\" is forbidden: User \"alice\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope",
        ),
    ];
    for (asked, text) in cases {
        assert_eq!(asked.refusal("alice", "").message(), text);
    }
}

#[test]
fn nobody_grants_what_they_do_not_have() {
    let (_dir, store, rbac) = setup();
    bootstrap::ensure(&store).unwrap();
    store
        .create(&ROLEBINDINGS, named("b", "payments", binding("ClusterRole", "admin", group("leads"))))
        .unwrap();
    let bob = person(&["leads"]);
    let check = |id: &ResourceId, object: Value| escalate::check(&rbac, &bob, id, &object);
    let secrets = json!({"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}]});
    check(&ROLES, named("r", "payments", secrets.clone())).unwrap();
    let refused = check(&ROLES, named("r", "staging", secrets)).unwrap_err();
    assert!(
        refused.message().contains("is attempting to grant RBAC permissions not currently held"),
        "{refused:?}"
    );
    check(&ROLEBINDINGS, named("c", "payments", binding("ClusterRole", "view", group("x")))).unwrap();
    assert_forbidden(check(
        &ROLEBINDINGS,
        named("c", "payments", binding("ClusterRole", "cluster-admin", group("x"))),
    ));
    assert_forbidden(check(
        &ROLEBINDINGS,
        named("c", "payments", binding("ClusterRole", "no-such", group("x"))),
    ));
}

fn assert_forbidden(result: Result<(), Status>) {
    assert_eq!(result.unwrap_err().reason(), "Forbidden");
}

#[test]
fn bind_by_name_allows_that_role_alone() {
    let (_dir, store, rbac) = setup();
    bootstrap::ensure(&store).unwrap();
    let rules = json!({"rules": [{
        "verbs": ["bind"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"],
        "resourceNames": ["edit"],
    }]});
    store.create(&CLUSTERROLES, named("binder", "", rules)).unwrap();
    store
        .create(&CLUSTERROLEBINDINGS, named("b", "", binding("ClusterRole", "binder", group("gateway"))))
        .unwrap();
    let gateway = person(&["gateway"]);
    let check = |role: &str| {
        let object = named("g", "payments", binding("ClusterRole", role, group("x")));
        escalate::check(&rbac, &gateway, &ROLEBINDINGS, &object)
    };
    check("edit").unwrap();
    assert_forbidden(check("admin"));
}

#[test]
fn admin_gathers_edit_and_edit_gathers_view() {
    let (_dir, store, rbac) = setup();
    bootstrap::ensure(&store).unwrap();
    store
        .create(&ROLEBINDINGS, named("b", "payments", binding("ClusterRole", "admin", group("leads"))))
        .unwrap();
    let bob = person(&["leads"]);
    for (verb, resource) in
        [("get", "pods/log"), ("create", "pods/exec"), ("get", "pods/exec"), ("delete", "pods")]
    {
        assert!(rbac.authorize(&bob, &asks(verb, resource, "payments")).allowed, "{verb} {resource}");
    }
    assert!(!rbac.authorize(&bob, &asks("get", "nodes", "")).allowed);
}

/// The rules of RBAC once more, written as plainly as possible.
fn oracle(rule: &Value, asked: &Attributes) -> bool {
    let list = |key: &str| -> Vec<String> {
        rule.get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|v| v.as_str().unwrap().to_owned())
            .collect()
    };
    let one_of = |key: &str, wanted: &str| list(key).iter().any(|v| v == "*" || v == wanted);
    let mut resource = asked.resource.clone();
    if !asked.subresource.is_empty() {
        write!(resource, "/{}", asked.subresource).unwrap();
    }
    let resources = list("resources");
    let resource_fits = resources.contains(&"*".to_owned())
        || resources.contains(&resource)
        || (!asked.subresource.is_empty() && resources.contains(&format!("*/{}", asked.subresource)));
    let names = list("resourceNames");
    one_of("verbs", &asked.verb)
        && one_of("apiGroups", &asked.group)
        && resource_fits
        && (names.is_empty() || names.contains(&asked.name))
}

#[test]
fn rules_decide_as_the_plain_reading_of_them_does() {
    let mut rng = rand::rng();
    let verbs = ["get", "list", "create", "*"];
    let groups = ["", "apps", "*"];
    let resources = ["pods", "pods/exec", "*/exec", "deployments", "*"];
    let names = ["x", "y", ""];
    let mut allowed = 0;
    for _ in 0..20_000 {
        let mut some = |from: &[&str], least: usize| -> Vec<String> {
            let n = rng.random_range(least..=2);
            from.sample(&mut rng, n).map(|s| (*s).to_owned()).collect()
        };
        let rule = json!({
            "verbs": some(&verbs, 1), "apiGroups": some(&groups, 1), "resources": some(&resources, 1),
            "resourceNames": some(&["x", "y"], 0),
        });
        let (resource, sub) = [("pods", ""), ("pods", "exec"), ("deployments", ""), ("deployments", "exec")]
            [rng.random_range(0..4)];
        let pick = |from: &[&str]| (*from.choose(&mut rand::rng()).unwrap()).to_owned();
        let asked = Attributes::resource(
            &pick(&verbs[..3]),
            &pick(&groups[..2]),
            "v1",
            resource,
            "ns",
            &pick(&names),
        )
        .with_subresource(sub);
        let parsed: Rule = serde_json::from_value(rule.clone()).unwrap();
        assert_eq!(parsed.allows(&asked), oracle(&rule, &asked), "{rule} {asked:?}");
        allowed += usize::from(parsed.allows(&asked));
    }
    assert!((1_000..19_000).contains(&allowed), "the cases are one-sided: {allowed}");
}
