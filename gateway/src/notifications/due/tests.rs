//! What is due, by phase and by time.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::config::{NotificationFormat, Span};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn hook() -> Notification {
    Notification {
        name: "siem".to_owned(),
        url: None,
        url_file: None,
        format: NotificationFormat::Json,
        secret_file: None,
        events: vec![],
        policies: BTreeSet::new(),
        timeout: Span(std::time::Duration::from_secs(1)),
        ca_file: None,
    }
}

fn request(mut status: Value, approval: Value) -> AccessRequest {
    let spec = json!({
        "subjects": {"groups": ["oncall"]}, "namespaces": ["payments"], "allow": {"shell": true},
        "clusterRole": "debug", "maxDuration": "2h", "approval": approval,
    });
    status["policy"] = json!({"uid": "p", "generation": 1, "spec": spec});
    serde_json::from_value(json!({
        "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessRequest",
        "metadata": {"name": "alice-1", "uid": "u-1", "creationTimestamp": "2026-01-01T10:00:00Z"},
        "spec": {"requester": {"username": "alice", "issuer": "i", "subject": "s"}, "policy": "debug",
            "namespaces": ["payments"], "duration": "1h"},
        "status": status,
    }))
    .unwrap()
}

fn keys(request: &AccessRequest, hook: &Notification, now: &str) -> Vec<String> {
    due(request, hook, at(now)).into_iter().map(|notice| notice.key).collect()
}

fn by_one() -> Value {
    json!({"required": 1, "groups": ["leads"]})
}

fn active() -> Value {
    json!({"phase": "Active",
        "approvals": [{"by": "bob", "issuer": "i", "subject": "b", "at": "2026-01-01T10:05:00Z"}],
        "window": {"start": "2026-01-01T10:05:00Z", "end": "2026-01-01T11:05:00Z"}})
}

#[test]
fn who_has_to_approve_is_told_while_it_can_be_approved() {
    let pending = request(json!({"phase": "Pending"}), by_one());
    assert_eq!(keys(&pending, &hook(), "2026-01-01T10:00:00Z"), ["requested@siem"]);
    let approved = request(active(), by_one());
    assert_eq!(keys(&approved, &hook(), "2026-01-01T10:06:00Z"), ["approved@siem"]);
}

#[test]
fn nobody_is_asked_before_the_checks_agree_or_where_no_person_is_needed() {
    let checked = json!({"required": 1, "groups": ["leads"], "hooks": [{"name": "opa"}]});
    let waits = request(json!({"phase": "Pending"}), checked.clone());
    assert!(keys(&waits, &hook(), "2026-01-01T10:00:30Z").is_empty());
    let answer = |allow| json!({"phase": "Pending", "hooks": [{"name": "opa", "allow": allow, "at": "2026-01-01T10:00:20Z"}]});
    assert!(keys(&request(answer(false), checked.clone()), &hook(), "2026-01-01T10:00:30Z").is_empty());
    let agreed = due(&request(answer(true), checked), &hook(), at("2026-01-01T10:00:30Z"));
    assert_eq!(agreed[0].at, at("2026-01-01T10:00:20Z"));
    let free = request(json!({"phase": "Pending"}), json!({"required": 0}));
    assert!(keys(&free, &hook(), "2026-01-01T10:00:30Z").is_empty());
}

#[test]
fn a_rule_may_approve_before_people_are_asked() {
    let mut pending = request(json!({"phase": "Pending"}), by_one());
    let status = pending.status.as_mut().unwrap();
    status.policy.as_mut().unwrap().spec.auto_approve = Some("true".to_owned());
    assert!(keys(&pending, &hook(), "2026-01-01T10:00:05Z").is_empty());
    assert_eq!(keys(&pending, &hook(), "2026-01-01T10:00:06Z"), ["requested@siem"]);
}

#[test]
fn an_end_is_announced_five_minutes_before_and_not_after() {
    let open = request(active(), json!({"required": 0}));
    let only = Notification { events: vec![Event::Ending], ..hook() };
    assert!(keys(&open, &only, "2026-01-01T10:59:59Z").is_empty());
    assert_eq!(keys(&open, &only, "2026-01-01T11:00:00Z"), ["ending@siem"]);
    assert!(keys(&open, &only, "2026-01-01T11:05:00Z").is_empty());
    let mut short = active();
    short["window"]["end"] = json!("2026-01-01T10:15:00Z");
    assert!(keys(&request(short, by_one()), &only, "2026-01-01T10:14:00Z").is_empty());
    let mut over = active();
    (over["phase"], over["endedAt"]) = (json!("Revoked"), json!("2026-01-01T11:01:00Z"));
    assert!(keys(&request(over, by_one()), &only, "2026-01-01T11:02:00Z").is_empty());
}

#[test]
fn a_window_made_longer_is_announced_again() {
    let mut longer = active();
    longer["extensions"] =
        json!([{"by": "alice", "at": "2026-01-01T11:01:00Z", "until": "2026-01-01T11:35:00Z"}]);
    longer["window"]["end"] = json!("2026-01-01T11:35:00Z");
    longer["notified"] = json!(["approved@siem", "ending@siem"]);
    assert_eq!(keys(&request(longer, by_one()), &hook(), "2026-01-01T11:31:00Z"), ["ending-1@siem"]);
}

#[test]
fn facts_are_told_late_in_their_order_and_once() {
    let mut over = active();
    (over["phase"], over["endedAt"]) = (json!("Expired"), json!("2026-01-01T11:05:00Z"));
    over["firstUsed"] = json!("2026-01-01T10:10:00Z");
    let late = "2026-01-01T20:00:00Z";
    let all = ["approved@siem", "firstUsed@siem", "ended@siem"];
    assert_eq!(keys(&request(over.clone(), by_one()), &hook(), late), all);
    over["notified"] = json!(["approved@siem", "firstUsed@other", "ended@siem"]);
    assert_eq!(keys(&request(over, by_one()), &hook(), late), ["firstUsed@siem"]);
}

#[test]
fn after_a_day_nothing_is_told() {
    let mut over = active();
    (over["phase"], over["endedAt"]) = (json!("Expired"), json!("2026-01-01T11:05:00Z"));
    let over = request(over, by_one());
    assert_eq!(keys(&over, &hook(), "2026-01-02T11:04:59Z"), ["ended@siem"]);
    assert!(keys(&over, &hook(), "2026-01-02T11:05:00Z").is_empty());
}

#[test]
fn what_never_began_is_denied_however_it_came_to_that() {
    for phase in ["Denied", "Expired", "Revoked", "Failed"] {
        let status = json!({"phase": phase, "endedAt": "2026-01-01T10:30:00Z"});
        assert_eq!(
            keys(&request(status, by_one()), &hook(), "2026-01-01T10:31:00Z"),
            ["denied@siem"],
            "{phase}"
        );
    }
}

#[test]
fn a_webhook_is_told_what_it_wants_to_know() {
    let open = request(active(), by_one());
    let now = "2026-01-01T10:06:00Z";
    assert!(keys(&open, &Notification { events: vec![Event::Ended], ..hook() }, now).is_empty());
    assert!(keys(&open, &Notification { policies: ["other".to_owned()].into(), ..hook() }, now).is_empty());
    assert_eq!(keys(&open, &Notification { policies: ["debug".to_owned()].into(), ..hook() }, now).len(), 1);
}

#[test]
fn broken_glass_is_told_to_every_webhook_whatever_it_wants() {
    let mut status = active();
    status["review"] = json!({});
    status["approvedByRule"] = json!("breakGlass");
    let open = request(status, json!({"required": 0}));
    let picky = Notification { events: vec![Event::Ended], policies: ["other".to_owned()].into(), ..hook() };
    assert_eq!(keys(&open, &picky, "2026-01-01T10:06:00Z"), ["breakGlass@siem"]);
}

#[test]
fn each_denied_command_that_alerts_is_told_once() {
    let mut status = active();
    let alert = |second: u8, line: &str| json!({"at": format!("2026-01-01T10:06:0{second}Z"), "session": "s", "line": line, "why": "no rule"});
    status["alerts"] = json!([alert(1, "id"), alert(2, "uname")]);
    status["notified"] = json!(["approved@siem", "commandDenied-1@siem"]);
    let request = request(status, by_one());
    assert_eq!(keys(&request, &hook(), "2026-01-01T10:06:10Z"), ["commandDenied-2@siem"]);
    let notice = due(&request, &hook(), at("2026-01-01T10:06:10Z")).remove(0);
    let body = super::super::body::Body::of(&request, &notice, None);
    assert_eq!(body.data.why.as_deref(), Some("uname: no rule"));
}

#[test]
fn commands_that_are_denied_at_one_moment_are_told_each_with_its_own_words() {
    let mut status = active();
    let alert =
        |line: &str| json!({"at": "2026-01-01T10:06:01Z", "session": "s", "line": line, "why": "no rule"});
    status["alerts"] = json!([alert("id"), alert("uname")]);
    status["notified"] = json!(["approved@siem"]);
    let request = request(status, by_one());
    let told: Vec<_> = due(&request, &hook(), at("2026-01-01T10:06:10Z"))
        .iter()
        .map(|notice| {
            let body = super::super::body::Body::of(&request, notice, None);
            (super::super::post::id("u", notice), body.data.why.unwrap_or_default())
        })
        .collect();
    let own = |id: &str, why: &str| (id.to_owned(), why.to_owned());
    assert_eq!(
        told,
        [own("u_commandDenied-1_siem", "id: no rule"), own("u_commandDenied-2_siem", "uname: no rule")]
    );
}
