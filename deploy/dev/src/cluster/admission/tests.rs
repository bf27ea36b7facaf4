use serde_json::json;

use super::*;
use crate::cluster::auth::user::MASTERS;
use crate::cluster::catalog::Catalog;
use crate::cluster::store::Delete;

struct World {
    _dir: tempfile::TempDir,
    store: Store,
    authorizer: Authorizer,
    user: User,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let authorizer = Authorizer::new(store.clone());
        let user = User::authenticated("admin", &[MASTERS.to_owned()]);
        let world = World { _dir: dir, store, authorizer, user };
        world.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}})).unwrap();
        world
    }

    fn create(&self, mut object: Value) -> Result<Value, Status> {
        let kind = Catalog::new(self.store.clone()).of_object(&object).unwrap();
        let admission =
            Admission { store: &self.store, authorizer: &self.authorizer, user: &self.user, kind: &kind };
        admission.run(&mut object, Operation::Create, FieldValidation::Strict)?;
        let made = self.store.create(&kind.id, object)?;
        admission.after(&made);
        Ok(Value::clone(&made))
    }

    fn update(&self, current: &Value, mut next: Value, subresource: &str) -> Result<Value, Status> {
        let kind = Catalog::new(self.store.clone()).of_object(&next).unwrap();
        let admission =
            Admission { store: &self.store, authorizer: &self.authorizer, user: &self.user, kind: &kind };
        admission.run(&mut next, Operation::Update { current, subresource }, FieldValidation::Strict)?;
        let done = self.store.update(&kind.id, next)?;
        Ok(Value::clone(&done))
    }
}

fn pod(name: &str, namespace: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace},
        "spec": {"containers": [{"name": "c", "image": "busybox"}]},
    })
}

#[test]
fn a_pod_is_completed_as_the_real_server_completes_it() {
    let pod = World::new().create(pod("p", "a")).unwrap();
    assert_eq!(pod["spec"]["restartPolicy"], "Always");
    assert_eq!(pod["spec"]["serviceAccountName"], "default");
    assert_eq!(pod["spec"]["containers"][0]["imagePullPolicy"], "Always");
    assert_eq!(pod["status"], json!({"phase": "Pending", "qosClass": "BestEffort"}));
}

#[test]
fn nothing_is_created_in_a_namespace_that_is_missing_or_going() {
    let world = World::new();
    let missing = world.create(pod("p", "b")).unwrap_err();
    assert_eq!((missing.reason(), missing.message()), ("NotFound", "namespaces \"b\" not found"));
    world.store.delete(&store::NAMESPACES, "", "a", &Delete::default()).unwrap();
    let going = world.create(pod("p", "a")).unwrap_err();
    assert_eq!(
        going.message(),
        "pods \"p\" is forbidden: unable to create new content in namespace a because it is being terminated"
    );
}

#[test]
fn faults_of_a_pod_are_all_reported_and_unknown_fields_named() {
    let world = World::new();
    let mut bad = pod("P_", "a");
    bad["spec"]["containers"] = json!([{"name": "c"}, {"name": "c", "image": "x"}]);
    let status = world.create(bad).unwrap_err();
    assert_eq!(status.code(), 422);
    let message = status.message();
    assert!(message.starts_with("Pod \"P_\" is invalid: "), "{message}");
    assert!(message.contains("metadata.name: Invalid value: \"P_\""), "{message}");
    let mut odd = pod("p", "a");
    odd["spec"]["contaniers"] = json!([]);
    let message = world.create(odd).unwrap_err().message().to_owned();
    assert!(message.ends_with("strict decoding error: unknown field \"spec.contaniers\""), "{message}");
}

#[test]
fn what_is_fixed_stays() {
    let world = World::new();
    let current = world.create(pod("p", "a")).unwrap();
    let mut next = current.clone();
    next["spec"]["containers"][0]["image"] = json!("busybox:2");
    let current = world.update(&current, next, "").unwrap();
    let mut next = current.clone();
    next["spec"]["containers"][0]["command"] = json!(["sh"]);
    assert_eq!(world.update(&current, next, "").unwrap_err().code(), 422);

    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "b", "namespace": "a"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "Group", "name": "g", "apiGroup": "rbac.authorization.k8s.io"}],
    });
    let current = world.create(binding).unwrap();
    let mut next = current.clone();
    next["roleRef"]["name"] = json!("edit");
    assert!(world.update(&current, next, "").unwrap_err().message().contains("cannot change roleRef"));
}

#[test]
fn status_and_the_rest_are_written_through_different_doors() {
    let world = World::new();
    let current = world.create(pod("p", "a")).unwrap();
    let mut next = current.clone();
    next["status"]["phase"] = json!("Running");
    next["metadata"]["labels"] = json!({"x": "y"});
    let after = world.update(&current, next.clone(), "").unwrap();
    assert_eq!(
        (after["status"]["phase"].as_str(), after["metadata"]["labels"]["x"].as_str()),
        (Some("Pending"), Some("y"))
    );
    next["metadata"]["resourceVersion"] = after["metadata"]["resourceVersion"].clone();
    next["metadata"]["labels"] = json!({"x": "z"});
    let after = world.update(&after, next, "status").unwrap();
    assert_eq!(
        (after["status"]["phase"].as_str(), after["metadata"]["labels"]["x"].as_str()),
        (Some("Running"), Some("y"))
    );
}

#[test]
fn a_definition_is_served_from_its_creation_and_its_names_are_taken() {
    let world = World::new();
    let definition = |plural: &str| {
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.example.com")},
            "spec": {
                "group": "example.com", "scope": "Namespaced", "names": {"kind": "Widget", "plural": plural},
                "versions": [{"name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                        "spec": {"type": "object", "properties": {"size": {"type": "integer", "default": 3}}}}}}}],
            },
        })
    };
    world.create(definition("widgets")).unwrap();
    let widget = json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "a"}, "spec": {}});
    assert_eq!(world.create(widget).unwrap()["spec"]["size"], 3);
    let second = world.create(definition("gadgets")).unwrap();
    assert_eq!(second["status"]["conditions"][0]["reason"], "NameConflict");
    assert!(Catalog::new(world.store.clone()).find("example.com", "v1", "gadgets").is_none());
}

fn policy(validations: &Value, change: impl FnOnce(&mut Value)) -> Value {
    let mut policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "p"},
        "spec": {
            "matchConstraints": {"resourceRules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["pods"],
            }]},
            "validations": validations,
        },
    });
    change(&mut policy["spec"]);
    policy
}

fn bound() -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "b"}, "spec": {"policyName": "p", "validationActions": ["Deny"]},
    })
}

#[test]
fn a_bound_policy_refuses_what_it_says_and_nothing_else() {
    let world = World::new();
    let rule = json!([{"expression": "object.metadata.name != 'bad'", "message": "not that name", "reason": "Forbidden"}]);
    world.create(policy(&rule, |_| {})).unwrap();
    world.create(pod("bad", "a")).unwrap();
    world.create(bound()).unwrap();
    let refused = world.create(pod("bad", "a")).unwrap_err();
    assert_eq!(refused.code(), StatusCode::FORBIDDEN);
    assert!(
        refused
            .message()
            .ends_with("ValidatingAdmissionPolicy 'p' with binding 'b' denied request: not that name"),
        "{}",
        refused.message()
    );
    world.create(pod("good", "a")).unwrap();
}

#[test]
fn what_cannot_be_evaluated_refuses_unless_it_is_told_to_be_ignored() {
    for (change, passes) in [
        ((|_| {}) as fn(&mut Value), false),
        (|spec| spec["failurePolicy"] = json!("Ignore"), true),
        (
            |spec| {
                spec["matchConditions"] =
                    json!([{"name": "no", "expression": "request.operation == 'UPDATE'"}])
            },
            true,
        ),
    ] {
        let world = World::new();
        world.create(policy(&json!([{"expression": "object.spec.nothing == 1"}]), change)).unwrap();
        world.create(bound()).unwrap();
        assert_eq!(world.create(pod("p", "a")).is_ok(), passes);
    }
}

#[test]
fn what_would_not_be_evaluated_is_not_accepted() {
    let world = World::new();
    let changes: [fn(&mut Value); 6] = [
        |spec| spec["paramKind"] = json!({"apiVersion": "v1", "kind": "ConfigMap"}),
        |spec| spec["variables"] = json!([{"name": "x", "expression": "1"}]),
        |spec| spec["matchConstraints"]["resourceRules"][0]["operations"] = json!(["DELETE"]),
        |spec| spec["validations"][0]["messageExpression"] = json!("'x'"),
        |spec| spec["validations"][0]["expression"] = json!("object.("),
        |spec| spec["validations"][0]["expression"] = json!("(".repeat(3000)),
    ];
    for change in changes {
        world.create(policy(&json!([{"expression": "true"}]), change)).unwrap_err();
    }
    let mut warns = bound();
    warns["spec"]["validationActions"] = json!(["Warn"]);
    world.create(warns).unwrap_err();
}
