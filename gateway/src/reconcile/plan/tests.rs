//! Plans, case by case.

use k8s_openapi::api::rbac::v1::RoleBinding;
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

fn around() -> Surroundings {
    Surroundings { namespace: "sallyport".to_owned(), is_new: true }
}

fn lock(spec: Value) -> Arc<AccessLock> {
    let lock = json!({"apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessLock", "metadata": {"name": "l"}, "spec": spec});
    Arc::new(serde_json::from_value(lock).unwrap())
}

fn binding(namespace: &str) -> RoleBinding {
    let request = request("Active", |_| {});
    let name = request.request_name().unwrap();
    binding::of_the_grant(&request, &name, "debug", namespace, END.parse().unwrap())
}

fn both() -> Vec<Piece> {
    vec![binding("payments").into(), binding("staging").into()]
}

/// Tasks in short: `store Active`, `make payments`, `remove staging`, `settle 2`, `spoil`.
fn short(tasks: &[Task]) -> Vec<String> {
    let place = |piece: &Piece| piece.opened().namespace;
    let one = |task: &Task| match task {
        Task::Store(life, _) => {
            let status = request("Active", |_| {}).status_for(life, None);
            format!("store {}", status.phase)
        }
        Task::Make { piece, again } => format!("make{} {}", if *again { " again" } else { "" }, place(piece)),
        Task::Mend { there, difference, .. } => {
            let how = if difference.anew {
                " anew"
            } else if difference.moved {
                " moved"
            } else {
                ""
            };
            format!("mend{how} {}", place(there))
        }
        Task::Remove { piece, why } => {
            format!("remove {}{}", place(piece), why.map(|why| format!(": {why}")).unwrap_or_default())
        }
        Task::Settle(opened) => format!("settle {}", opened.len()),
        Task::Sweep(opened) => format!("sweep {}", opened.len()),
        Task::Refuse(why) => format!("refuse: {why}"),
        Task::Spoil(_) => "spoil".to_owned(),
    };
    tasks.iter().map(one).collect()
}

fn planned(request: &AccessRequest, pieces: &[Piece], minute: i64) -> Vec<String> {
    planned_with(request, pieces, minute, &[], None)
}

fn planned_with(
    request: &AccessRequest,
    pieces: &[Piece],
    minute: i64,
    locks: &[Arc<AccessLock>],
    lapse: Option<&Lapse>,
) -> Vec<String> {
    let view = View { now: at(minute), locks, around: &around(), lapse, in_force: None };
    short(&plan(request, pieces, view))
}

/// The register and the conditions as they should be.
fn settled(phase: &str, change: impl FnOnce(&mut Value)) -> AccessRequest {
    let mut request = request(phase, |value| {
        noted(value);
        change(value);
    });
    let opened = request.status.as_ref().unwrap().opened.clone();
    let conditions = story::conditions(&request, &opened);
    request.status.as_mut().unwrap().conditions = conditions;
    request
}

fn noted(value: &mut Value) {
    let name = "sallyport-debug-abc234";
    value["status"]["opened"] = json!([{"kind": "RoleBinding", "namespace": "payments", "name": name}, {"kind": "RoleBinding", "namespace": "staging", "name": name}]);
}

#[test]
fn an_approved_request_gets_its_bindings_and_then_begins() {
    let approved = request("Approved", |_| {});
    assert_eq!(planned(&approved, &[], 1), ["make payments", "make staging"]);
    assert_eq!(planned(&approved, &both()[..1], 1), ["make staging"]);
    assert_eq!(planned(&approved, &both(), 1), ["store Active"]);
}

#[test]
fn nothing_is_opened_before_a_window_begins() {
    let later = request("Approved", |value| {
        let start = json!("2026-01-01T12:30:00Z");
        value["status"]["window"] = json!({"start": start, "end": "2026-01-01T13:30:00Z"});
        value["spec"]["startAt"] = start;
    });
    assert_eq!(planned(&later, &[], 10), ["settle 0"]);
    let early = ["remove payments: its time has not come", "remove staging: its time has not come"];
    assert_eq!(planned(&later, &both(), 10), early);
    assert_eq!(planned(&later, &[], 30), ["make payments", "make staging"]);
}

#[test]
fn an_active_grant_in_order_needs_nothing() {
    assert_eq!(planned(&settled("Active", |_| {}), &both(), 30), [""; 0]);
    assert_eq!(planned(&request("Active", |_| {}), &both(), 30), ["settle 2"]);
    // The conditions are kept as the register is.
    let told = settled("Active", |_| {});
    let mut untold = told.clone();
    untold.status.as_mut().unwrap().conditions.pop();
    assert_eq!(planned(&untold, &both(), 30), ["settle 2"]);
}

#[test]
fn a_lost_binding_is_made_again_and_one_that_never_was_is_made() {
    assert_eq!(planned(&settled("Active", |_| {}), &both()[1..], 30), ["make again payments"]);
    assert_eq!(planned(&request("Active", |_| {}), &both()[1..], 30), ["make payments"]);
}

#[test]
fn a_binding_that_was_changed_is_put_back() {
    type Change = fn(&mut RoleBinding);
    let changes: [(Change, &str); 6] = [
        (|binding| binding.role_ref.name = "cluster-admin".into(), "mend anew payments"),
        (|binding| binding.subjects.as_mut().unwrap().push(Default::default()), "mend payments"),
        (|binding| binding.subjects.as_mut().unwrap()[0].name = "system:masters".into(), "mend payments"),
        (|binding| binding.subjects = None, "mend payments"),
        (|binding| binding.metadata.owner_references = None, "mend payments"),
        (|binding| binding.metadata.annotations = None, "mend payments"),
    ];
    for (change, expected) in changes {
        let mut changed = binding("payments");
        change(&mut changed);
        assert_eq!(
            planned(&settled("Active", |_| {}), &[changed.into(), binding("staging").into()], 30),
            [expected]
        );
    }
}

#[test]
fn a_window_that_was_made_longer_moves_the_end_and_nobody_is_blamed() {
    let longer = settled("Active", |value| {
        value["status"]["window"]["end"] = json!("2026-01-01T13:30:00Z");
        value["status"]["extensions"] =
            json!([{"by": "alice", "at": START, "until": "2026-01-01T13:30:00Z"}]);
    });
    assert_eq!(planned(&longer, &both(), 30), ["mend moved payments", "mend moved staging"]);
    let mut forged = binding("payments");
    forged.metadata.annotations =
        Some([("sallyport.dev/ends".to_owned(), "2030-01-01T00:00:00Z".to_owned())].into());
    assert_eq!(
        planned(&settled("Active", |_| {}), &[forged.into(), binding("staging").into()], 30),
        ["mend payments"]
    );
}

#[test]
fn what_others_have_put_beside_ours_stays() {
    let mut beside = binding("payments");
    beside.metadata.labels.as_mut().unwrap().insert("team".into(), "one".into());
    beside.metadata.resource_version = Some("7".into());
    let there = Piece::from(beside);
    assert_eq!(planned(&settled("Active", |_| {}), &[there.clone(), binding("staging").into()], 30), [""; 0]);
    let mended = there.mended(&binding("payments").into());
    assert_eq!(mended.metadata().labels.as_ref().unwrap()["team"], "one");
    assert_eq!(mended.metadata().resource_version.as_deref(), Some("7"));
}

#[test]
fn a_binding_where_none_was_granted_is_removed() {
    let mut pieces = both();
    pieces.push(binding("kube-system").into());
    let expected = ["remove kube-system: the grant does not cover it"];
    assert_eq!(planned(&settled("Active", |_| {}), &pieces, 30), expected);
}

#[test]
fn a_lock_on_a_namespace_withholds_what_is_there_while_it_lasts() {
    let active = settled("Active", |_| {});
    let lock = lock(json!({"target": {"namespace": "payments"}, "until": at(40).to_string()}));
    let locks = [lock];
    assert_eq!(planned_with(&active, &both(), 30, &locks, None), ["remove payments"]);
    assert_eq!(planned_with(&active, &both()[1..], 30, &locks, None), ["settle 1"]);
    assert_eq!(planned_with(&active, &both()[1..], 40, &locks, None), ["make again payments"]);
    let withheld = request("Active", |value| {
        noted(value);
        value["status"]["opened"].as_array_mut().unwrap().remove(0);
    });
    assert_eq!(planned_with(&withheld, &both()[1..], 40, &locks, None), ["make payments"]);
}

#[test]
fn a_lock_on_a_pod_takes_the_persons_own_binding_and_leaves_the_gateways() {
    let own = |phase: &str| {
        request(phase, |value| {
            value["status"]["policy"]["spec"]["ownIdentity"] = json!(true);
            value["spec"]["namespaces"] = json!(["payments"]);
        })
    };
    let approved = own("Approved");
    assert_eq!(planned(&approved, &[], 1), ["make payments", "make payments"]);
    let locks = [lock(json!({"target": {"namespace": "payments", "pod": "api-0"}}))];
    assert_eq!(planned_with(&approved, &[], 1, &locks, None), ["make payments"]);
}

#[test]
fn a_name_of_the_clusters_own_is_given_nothing() {
    let own = request("Approved", |value| {
        value["status"]["policy"]["spec"]["ownIdentity"] = json!(true);
        value["spec"]["requester"]["username"] = json!("system:admin");
    });
    let why = "refuse: a name that begins with `system:` is the cluster's own and is given nothing";
    assert_eq!(planned(&own, &[], 1), [why]);
}

#[test]
fn what_may_not_go_on_is_ended_and_everything_goes() {
    let lapse = Lapse { cause: sallyport_policy::lifecycle::Cause::Policy, why: "gone".into() };
    let active = settled("Active", |_| {});
    let expected = ["store Revoked", "remove payments", "remove staging"];
    assert_eq!(planned_with(&active, &both(), 30, &[], Some(&lapse)), expected);
    // Its time being up comes first.
    assert_eq!(planned_with(&active, &both(), 60, &[], Some(&lapse))[0], "store Expired");
}

#[test]
fn the_end_comes_at_its_moment_and_is_noticed_late_too() {
    let active = settled("Active", |_| {});
    assert!(planned(&active, &both(), 59).is_empty());
    let over = ["store Expired", "remove payments", "remove staging"];
    assert_eq!(planned(&active, &both(), 60), over);
    assert_eq!(planned(&active, &both(), 100_000), over);
    assert_eq!(planned(&request("Approved", |_| {}), &[], 60), ["store Expired"]);
    assert_eq!(planned(&request("Pending", |_| {}), &[], 23 * 60), ["settle 0"]);
    assert_eq!(planned(&request("Pending", |_| {}), &[], 24 * 60), ["store Expired"]);
}

#[test]
fn what_is_over_or_not_approved_has_no_bindings() {
    let not_yet = ["remove payments: nothing is approved", "remove staging: nothing is approved"];
    assert_eq!(planned(&request("Pending", noted), &both(), 1), not_yet);
    for phase in ["Denied", "Expired", "Revoked", "Failed"] {
        assert_eq!(
            planned(&request(phase, noted), &both(), 1),
            ["remove payments", "remove staging"],
            "{phase}"
        );
    }
    assert_eq!(planned(&request("Expired", noted), &[], 1), ["sweep 2"]);
    assert_eq!(planned(&request("Expired", |_| {}), &[], 1), ["settle 0"]);
}

#[test]
fn what_does_not_hold_together_opens_nothing() {
    type Change = fn(&mut Value);
    let unreadable: [Change; 4] = [
        |value| value["status"]["policy"] = Value::Null,
        |value| value["status"]["window"] = Value::Null,
        |value| value["status"]["policy"]["spec"]["maxDuration"] = json!("soon"),
        |value| value["spec"]["namespaces"] = json!(["../x"]),
    ];
    for change in unreadable {
        for phase in ["Approved", "Active"] {
            assert_eq!(planned(&request(phase, change), &both(), 1), ["remove payments", "remove staging"]);
        }
    }
    let forged: [Change; 3] = [
        |value| value["status"]["approvals"] = json!([]),
        |value| value["status"]["approvals"][0]["by"] = json!("ALICE"),
        |value| value["status"]["approvals"][0]["subject"] = json!("1"),
    ];
    for change in forged {
        for phase in ["Approved", "Active"] {
            let expected = ["store Failed", "remove payments", "remove staging"];
            assert_eq!(planned(&request(phase, change), &both(), 1), expected);
        }
    }
    let wider = request("Approved", |value| value["spec"]["namespaces"] = json!(["kube-system"]));
    assert_eq!(planned(&wider, &[], 1), ["store Failed"]);
    let changed = request("Active", |value| value["metadata"]["generation"] = json!(2));
    assert_eq!(planned(&changed, &both(), 1), ["spoil", "remove payments", "remove staging"]);
}

#[test]
fn a_request_that_is_being_deleted_keeps_nothing() {
    let going = request("Active", |value| value["metadata"]["deletionTimestamp"] = json!(START));
    assert_eq!(planned(&going, &both(), 1), ["remove payments", "remove staging"]);
}

#[test]
fn what_was_never_opened_and_nobody_can_approve_fails_after_a_moment() {
    let unopened = request("Pending", |value| drop(value.as_object_mut().unwrap().remove("status")));
    let policy = |required: u32| {
        let spec = json!({
            "subjects": {"groups": ["oncall"]}, "namespaces": ["payments", "staging"], "allow": {"shell": true},
            "clusterRole": "debug", "maxDuration": "2h", "approval": {"required": required, "groups": ["leads"]},
        });
        serde_json::from_value::<crate::crd::AccessPolicySpec>(spec).unwrap().parse("debug", &[]).unwrap()
    };
    let (free, led) = (policy(0), policy(1));
    let planned = |seconds: u64, in_force: Option<&Policy>| {
        let now = at(0).checked_add(Duration::from_secs(seconds)).unwrap();
        let view = View { now, locks: &[], around: &around(), lapse: None, in_force };
        short(&plan(&unopened, &[], view))
    };
    assert_eq!(planned(15, Some(&free)), ["store Failed"]);
    assert_eq!(planned(14, Some(&free)), [""; 0], "its gateway may be about to");
    assert_eq!(planned(15, Some(&led)), [""; 0], "somebody can approve it");
    assert_eq!(planned(15, None), [""; 0], "nobody knows its policy");
}
