use serde_json::json;

use super::*;

fn pod(name: &str, more: serde_json::Value) -> Pod {
    let mut pod = json!({
        "metadata": {"name": name, "creationTimestamp": "2026-11-21T10:00:00Z"},
        "spec": {"nodeName": "n1", "containers": [{"name": "app"}, {"name": "proxy"}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-21T10:00:05Z"}],
            "containerStatuses": [
                {"name": "app", "state": {"running": {}}, "ready": true, "restartCount": 0, "image": "", "imageID": ""},
                {"name": "proxy", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "ready": false, "restartCount": 0, "image": "", "imageID": ""}
            ]
        }
    });
    merge(&mut pod, more);
    serde_json::from_value(pod).unwrap()
}

fn merge(into: &mut serde_json::Value, more: serde_json::Value) {
    match (into, more) {
        (serde_json::Value::Object(into), serde_json::Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key).or_insert(serde_json::Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

fn name(text: &str) -> ContainerName {
    ContainerName::parse(text).unwrap()
}

#[test]
fn of_several_pods_the_one_that_kubectl_would_take_comes_first() {
    let ready_since = |at: &str| json!({"status": {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": at}]}});
    let mut pods = [
        pod(
            "unassigned",
            json!({"spec": {"nodeName": null}, "status": {"phase": "Pending", "conditions": []}}),
        ),
        pod("ended", json!({"status": {"phase": "Succeeded"}})),
        pod("going", json!({"metadata": {"deletionTimestamp": "2026-11-21T11:00:00Z"}})),
        pod("not-ready", json!({"status": {"conditions": []}})),
        pod("ready-later", ready_since("2026-11-21T10:00:09Z")),
        pod("ready-first", ready_since("2026-11-21T10:00:01Z")),
    ];
    pods.sort_by(best_first);
    let names: Vec<String> = pods.iter().map(shown).collect();
    assert_eq!(names, ["ready-first", "ready-later", "not-ready", "ended", "unassigned", "going"]);
}

#[test]
fn the_container_is_the_named_one_the_annotated_one_or_the_first() {
    let annotated = |value: &str| json!({"metadata": {"annotations": {DEFAULT_CONTAINER: value}}});
    assert_eq!(container(&pod("p", json!({})), None).unwrap(), name("app"));
    assert_eq!(container(&pod("p", annotated("proxy")), None).unwrap(), name("proxy"));
    assert_eq!(container(&pod("p", annotated("gone")), None).unwrap(), name("app"));
    assert_eq!(container(&pod("p", annotated("proxy")), Some(&name("app"))).unwrap(), name("app"));
}

#[test]
fn a_container_that_is_not_there_is_answered_with_those_that_are() {
    let pod = pod("p", json!({"spec": {"initContainers": [{"name": "setup"}]}}));
    let error = container(&pod, Some(&name("web"))).unwrap_err();
    assert_eq!(error.to_string(), "pod `p` has no container `web`; it has app, proxy, setup (init)");
    assert_eq!(error.exit_status(), 64);
}

#[test]
fn what_does_not_run_says_why() {
    let says =
        |more, container: &str| container_running(&pod("p", more), &name(container)).unwrap_err().to_string();
    assert!(container_running(&pod("p", json!({})), &name("app")).is_ok());
    assert!(running(&pod("p", json!({}))).is_ok(), "a tunnel does not care which container is waiting");
    assert_eq!(says(json!({}), "proxy"), "container `proxy` of pod `p` is not running (CrashLoopBackOff)");
    assert_eq!(
        says(json!({"status": {"phase": "Pending"}}), "app"),
        "pod `p` is not running (Pending: CrashLoopBackOff)"
    );
    assert_eq!(says(json!({"status": {"phase": "Succeeded"}}), "app"), "pod `p` has ended (Succeeded)");
}
