//! Lives and what is told of them.

use serde_json::{Value, json};

use super::*;

const AT: &str = "2026-01-01T12:00:00Z";

fn request(status: Value) -> AccessRequest {
    serde_json::from_value(json!({
        "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessRequest",
        "metadata": {"name": "debug-abc234", "uid": "u", "creationTimestamp": AT},
        "spec": {
            "requester": {"username": "alice", "groups": [], "issuer": "idp", "subject": "1"},
            "policy": "debug", "namespaces": ["payments"], "duration": "1h", "reason": "INC-1\u{1b}[2J",
        },
        "status": status,
    }))
    .unwrap()
}

fn told(status: Value) -> Vec<String> {
    chapters(&request(status)).into_iter().map(|one| format!("{}: {}", one.reason, one.message)).collect()
}

fn conditions_of(status: Value) -> Vec<String> {
    let opened = [Opened { kind: "RoleBinding".into(), namespace: "payments".into(), name: "x".into() }];
    let told = conditions(&request(status), &opened);
    told.into_iter()
        .map(|one| format!("{}={} {}: {}", one.type_, one.status, one.reason, one.message))
        .collect()
}

fn by(who: &str, reason: Option<&str>) -> Value {
    json!({"by": who, "issuer": "idp", "subject": "2", "at": AT, "reason": reason})
}

#[test]
fn a_whole_life_reads_like_a_story() {
    let window = json!({"start": "2026-01-01T12:01:00Z", "end": "2026-01-01T13:01:00Z"});
    let told = told(json!({
        "phase": "Revoked", "window": window, "firstUsed": "2026-01-01T12:05:00Z", "endedAt": "2026-01-01T12:30:00Z",
        "hooks": [{"name": "jira", "allow": true, "reasons": ["INC-1 is open"], "at": AT}],
        "approvals": [by("bob", None)], "revocation": by("bob", Some("done")),
        "extensions": [{"by": "alice", "at": "2026-01-01T12:10:00Z", "until": "2026-01-01T13:30:00Z"}],
        "review": {"verdict": "Justified", "closed": by("sam", None)},
    }));
    assert_eq!(
        told,
        [
            "Requested: alice asks `debug` for 1h in payments: INC-1\u{fffd}[2J",
            "CheckAllows: check `jira` agrees: INC-1 is open",
            "Approved: approved by bob",
            "Opened: open in payments until 2026-01-01 13:01:00 UTC",
            "Extended: alice made it longer: until 2026-01-01 13:30:00 UTC",
            "FirstUsed: alice used it for the first time",
            "Revoked: ended by bob: done",
            "Reviewed: sam found it justified",
        ]
    );
}

#[test]
fn conditions_say_where_it_is() {
    let window = json!({"start": AT, "end": "2026-01-01T13:00:00Z"});
    assert_eq!(
        conditions_of(json!({"phase": "Pending"})),
        [
            "Approved=False Waiting: it waits for approval",
            "Ready=False Waiting: it is not approved yet",
            "Ended=False NotYet: it has not begun",
        ]
    );
    let active =
        json!({"phase": "Active", "window": window, "approvals": [by("bob", None), by("carol", None)]});
    assert_eq!(
        conditions_of(active),
        [
            "Approved=True ByPeople: approved by bob, carol",
            "Ready=True Open: RoleBinding payments/x",
            "Ended=False NotYet: it ends 2026-01-01 13:00:00 UTC",
        ]
    );
    let denied = json!({"phase": "Denied", "denial": by("bob", Some("not now")), "endedAt": AT});
    assert_eq!(
        conditions_of(denied),
        [
            "Approved=False Denied: denied by bob: not now",
            "Ready=False Ended: nothing is open",
            "Ended=True Denied: denied by bob: not now",
        ]
    );
    let unheard = json!({"phase": "Pending", "hooks": [{"name": "jira", "at": AT}]});
    assert_eq!(conditions_of(unheard)[0], "Approved=False Waiting: it waits for check `jira`");
}

#[test]
fn every_way_to_end_has_its_words() {
    let window = json!({"start": AT, "end": "2026-01-01T13:00:00Z"});
    for (status, expected) in [
        (json!({"phase": "Expired"}), "Unanswered: nobody approved it in time"),
        (json!({"phase": "Expired", "window": window}), "WindowOver: its window is over"),
        (json!({"phase": "Revoked", "revocation": by("alice", None)}), "Withdrawn: withdrawn by alice"),
        (json!({"phase": "Revoked", "window": window, "cause": "Idle", "message": "unused"}), "Idle: unused"),
        (json!({"phase": "Revoked", "window": window, "cause": "Lock", "message": "l"}), "Locked: l"),
        (
            json!({"phase": "Revoked", "window": window, "cause": "Policy", "message": "p"}),
            "PolicyForbids: p",
        ),
        (json!({"phase": "Revoked", "window": window, "cause": "Groups", "message": "g"}), "LeftGroups: g"),
        (json!({"phase": "Revoked", "window": window, "cause": "Hook", "message": "h"}), "CheckDenies: h"),
        (
            json!({"phase": "Failed", "message": "no namespace"}),
            "Failed: it could not be opened: no namespace",
        ),
    ] {
        let last = told(status.clone()).last().cloned();
        assert_eq!(last.as_deref(), Some(expected));
        assert_eq!(conditions_of(status).last().unwrap(), &format!("Ended=True {expected}"));
    }
}

#[test]
fn moments_of_change_and_others_conditions_are_kept() {
    let before = json!({
        "type": "Approved", "status": "False", "reason": "Waiting", "message": "old", "lastTransitionTime": "2025-01-01T00:00:00Z",
    });
    let theirs = json!({
        "type": "Theirs", "status": "True", "reason": "Why", "message": "", "lastTransitionTime": AT,
    });
    let request = request(json!({"phase": "Pending", "conditions": [before, theirs]}));
    let told = conditions(&request, &[]);
    assert_eq!(told[0].last_transition_time.0.to_string(), "2025-01-01T00:00:00Z");
    assert_eq!(told[3].type_, "Theirs");
    assert!(are_told(&told, &conditions(&request, &[])));
    assert!(!are_told(&request.status.as_ref().unwrap().conditions, &told));
}

#[test]
fn megabytes_are_cut() {
    assert_eq!(short(&"ä".repeat(1 << 20)).chars().count(), LONGEST + 1);
}
