use serde_json::{Value, json};

use super::*;

const START: &str = "2026-01-01T12:00:00Z";
const END: &str = "2026-01-01T13:00:00Z";

fn at(minute: i64) -> Timestamp {
    START.parse::<Timestamp>().unwrap().checked_add(Duration::from_secs(minute as u64 * 60)).unwrap()
}

fn request(phase: &str, change: impl FnOnce(&mut Value)) -> AccessRequest {
    let policy = json!({
        "subjects": {"groups": ["oncall"]}, "namespaces": ["payments", "staging"], "allow": {"shell": true},
        "clusterRole": "debug", "maxDuration": "2h", "approval": {"required": 1, "groups": ["leads"]},
    });
    let bob = json!({"by": "bob", "issuer": "idp", "subject": "2", "at": START});
    let mut object = json!({
        "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessRequest",
        "metadata": {"name": "debug-abc234", "uid": "u1", "generation": 1, "creationTimestamp": START},
        "spec": {
            "requester": {"username": "alice", "groups": [], "issuer": "idp", "subject": "1"},
            "policy": "debug", "namespaces": ["payments", "staging"], "duration": "1h",
        },
        "status": {
            "phase": phase, "approvals": [bob], "window": {"start": START, "end": END},
            "policy": {"uid": "p", "generation": 1, "spec": policy}, "denial": bob, "revocation": bob,
        },
    });
    change(&mut object);
    serde_json::from_value(object).unwrap()
}

fn wanted(namespace: &str) -> RoleBinding {
    let request = request("Active", |_| {});
    let namespace = Namespace::parse(namespace).unwrap();
    binding::wanted(&request, &request.request_name().unwrap(), "debug", &namespace, END.parse().unwrap())
}

fn both() -> Vec<Arc<RoleBinding>> {
    vec![Arc::new(wanted("payments")), Arc::new(wanted("staging"))]
}

/// Tasks in short: `store Active`, `create payments`, `delete staging`, `note 2`, `spoil`.
fn short(tasks: &[Task]) -> Vec<String> {
    let one = |task: &Task| match task {
        Task::Store(life) => {
            let status = request("Active", |_| {}).status_for(life, None);
            format!("store {}", status.phase)
        }
        Task::Create(binding) => format!("create {}", binding.namespace().unwrap()),
        Task::Delete { namespace, .. } => format!("delete {namespace}"),
        Task::Note(bindings) => format!("note {}", bindings.len()),
        Task::Spoil(_) => "spoil".to_owned(),
    };
    tasks.iter().map(one).collect()
}

fn planned(request: &AccessRequest, bindings: &[Arc<RoleBinding>], minute: i64) -> Vec<String> {
    short(&plan(request, bindings, at(minute)))
}

fn noted(value: &mut Value) {
    let name = "sallyport-debug-abc234";
    value["status"]["opened"] = json!([{"kind": "RoleBinding", "namespace": "payments", "name": name}, {"kind": "RoleBinding", "namespace": "staging", "name": name}]);
}

#[test]
fn an_approved_request_gets_its_bindings_and_then_begins() {
    let approved = request("Approved", |_| {});
    assert_eq!(planned(&approved, &[], 1), ["create payments", "create staging"]);
    assert_eq!(planned(&approved, &both()[..1], 1), ["create staging"]);
    assert_eq!(planned(&approved, &both(), 1), ["store Active"]);
}

#[test]
fn an_active_grant_in_order_needs_nothing() {
    assert!(planned(&request("Active", noted), &both(), 30).is_empty());
    assert_eq!(planned(&request("Active", |_| {}), &both(), 30), ["note 2"]);
}

#[test]
fn a_lost_binding_is_made_again() {
    assert_eq!(planned(&request("Active", noted), &both()[1..], 30), ["create payments"]);
}

#[test]
fn a_binding_that_was_changed_is_replaced() {
    type Change = fn(&mut RoleBinding);
    let changes: [Change; 4] = [
        |binding| binding.role_ref.name = "cluster-admin".into(),
        |binding| binding.subjects.as_mut().unwrap().push(k8s_openapi::api::rbac::v1::Subject::default()),
        |binding| binding.subjects.as_mut().unwrap()[0].name = "system:masters".into(),
        |binding| binding.metadata.owner_references = None,
    ];
    for change in changes {
        let mut bindings = both();
        change(Arc::make_mut(&mut bindings[0]));
        assert_eq!(planned(&request("Active", noted), &bindings, 30), ["delete payments", "create payments"]);
    }
}

#[test]
fn a_binding_where_none_was_granted_is_removed() {
    let mut bindings = both();
    let mut stray = wanted("payments");
    stray.metadata.namespace = Some("kube-system".into());
    bindings.push(Arc::new(stray));
    assert_eq!(planned(&request("Active", noted), &bindings, 30), ["delete kube-system"]);
}

#[test]
fn the_end_comes_at_its_moment_and_is_noticed_late_too() {
    let active = request("Active", noted);
    assert!(planned(&active, &both(), 59).is_empty());
    let over = ["store Expired", "delete payments", "delete staging"];
    assert_eq!(planned(&active, &both(), 60), over);
    assert_eq!(planned(&active, &both(), 100_000), over);
    assert_eq!(planned(&request("Approved", |_| {}), &[], 60), ["store Expired"]);
    assert!(planned(&request("Pending", |_| {}), &[], 23 * 60).is_empty());
    assert_eq!(planned(&request("Pending", |_| {}), &[], 24 * 60), ["store Expired"]);
}

#[test]
fn what_is_over_or_not_approved_has_no_bindings() {
    for phase in ["Pending", "Denied", "Expired", "Revoked", "Failed"] {
        assert_eq!(
            planned(&request(phase, noted), &both(), 1),
            ["delete payments", "delete staging"],
            "{phase}"
        );
    }
    assert_eq!(planned(&request("Expired", noted), &[], 1), ["note 0"]);
    assert!(planned(&request("Expired", |_| {}), &[], 1).is_empty());
}

#[test]
fn what_does_not_hold_together_opens_nothing() {
    type Change = fn(&mut Value);
    let unreadable: [Change; 5] = [
        |value| value["status"]["policy"] = Value::Null,
        |value| value["status"]["window"] = Value::Null,
        |value| value["status"]["policy"]["spec"]["maxDuration"] = json!("soon"),
        |value| value["spec"]["namespaces"] = json!(["../x"]),
        |value| value["metadata"]["name"] = json!("Not.A.Name"),
    ];
    for change in unreadable {
        for phase in ["Approved", "Active"] {
            assert_eq!(planned(&request(phase, change), &both(), 1), ["delete payments", "delete staging"]);
        }
    }
    let forged: [Change; 3] = [
        |value| value["status"]["approvals"] = json!([]),
        |value| value["status"]["approvals"][0]["by"] = json!("ALICE"),
        |value| value["status"]["approvals"][0]["subject"] = json!("1"),
    ];
    for change in forged {
        for phase in ["Approved", "Active"] {
            let expected = ["store Failed", "delete payments", "delete staging"];
            assert_eq!(planned(&request(phase, change), &both(), 1), expected);
        }
    }
    let wider = request("Approved", |value| value["spec"]["namespaces"] = json!(["kube-system"]));
    assert_eq!(planned(&wider, &[], 1), ["store Failed"]);
    let changed = request("Active", |value| value["metadata"]["generation"] = json!(2));
    assert_eq!(planned(&changed, &both(), 1), ["spoil", "delete payments", "delete staging"]);
}

#[test]
fn a_request_that_is_being_deleted_keeps_nothing() {
    let going = request("Active", |value| value["metadata"]["deletionTimestamp"] = json!(START));
    assert_eq!(planned(&going, &both(), 1), ["delete payments", "delete staging"]);
}
