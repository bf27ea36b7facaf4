//! The cells: from an object's fields to what people read.

use serde_json::{Value, json};

use super::age_of;
use crate::cluster::store::object;

pub(super) fn text_or(object: &Value, pointer: &str, otherwise: &str) -> Value {
    object.pointer(pointer).and_then(Value::as_str).filter(|t| !t.is_empty()).unwrap_or(otherwise).into()
}

pub(super) fn count(object: &Value, pointer: &str) -> Value {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0).into()
}

pub(super) fn ratio(object: &Value, have: &str, want: &str) -> Value {
    format!("{}/{}", count(object, have), count(object, want)).into()
}

pub(super) fn size(object: &Value, fields: &[&str]) -> Value {
    let len = |v: &Value| v.as_object().map(serde_json::Map::len).or_else(|| v.as_array().map(Vec::len));
    fields.iter().filter_map(|f| object.get(*f).and_then(len)).sum::<usize>().into()
}

pub(super) fn selector(labels: Option<&Value>) -> Value {
    let labels = labels.and_then(Value::as_object).into_iter().flatten();
    let pairs: Vec<String> = labels.map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or(""))).collect();
    if pairs.is_empty() { "<none>".into() } else { pairs.join(",").into() }
}

pub(super) fn containers(object: &Value, field: &str) -> Value {
    let all = list(object, "/spec/template/spec/containers");
    let texts: Vec<&str> = all.iter().filter_map(|c| c.get(field).and_then(Value::as_str)).collect();
    texts.join(",").into()
}

fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

pub(super) fn pod_ready(pod: &Value) -> Value {
    let ready = |s: &&Value| s.get("ready").and_then(Value::as_bool).unwrap_or(false);
    let ready = list(pod, "/status/containerStatuses").iter().filter(ready).count();
    format!("{ready}/{}", list(pod, "/spec/containers").len()).into()
}

pub(super) fn pod_restarts(pod: &Value) -> Value {
    let statuses = list(pod, "/status/containerStatuses");
    let total: i64 = statuses.iter().filter_map(|s| s.get("restartCount").and_then(Value::as_i64)).sum();
    let last = statuses.iter().map(|s| text(s, "/lastState/terminated/finishedAt")).max().unwrap_or("");
    if total > 0 && !last.is_empty() {
        return format!("{total} ({} ago)", age_of(last)).into();
    }
    total.to_string().into()
}

/// The word that says best how the pod is doing: a container's trouble before the pod's phase.
pub(super) fn pod_status(pod: &Value) -> Value {
    let phase = if text(pod, "/status/phase").is_empty() { "Unknown" } else { text(pod, "/status/phase") };
    let mut word =
        if text(pod, "/status/reason").is_empty() { phase } else { text(pod, "/status/reason") }.to_owned();
    for status in list(pod, "/status/initContainerStatuses") {
        if status.pointer("/state/terminated/exitCode").and_then(Value::as_i64) == Some(0) {
            continue;
        }
        let waiting = text(status, "/state/waiting/reason");
        let ended = text(status, "/state/terminated/reason");
        let trouble = if ended.is_empty() { waiting } else { ended };
        word = if trouble.is_empty() || trouble == "PodInitializing" {
            "Init".into()
        } else {
            format!("Init:{trouble}")
        };
        return if object::is_terminating(pod) { "Terminating".into() } else { word.into() };
    }
    let mut running = false;
    for status in list(pod, "/status/containerStatuses").iter().rev() {
        let waiting = text(status, "/state/waiting/reason");
        let terminated = status.pointer("/state/terminated").filter(|t| t.is_object());
        if !waiting.is_empty() {
            word = waiting.to_owned();
        } else if let Some(end) = terminated {
            word = match (text(end, "/reason"), end.get("exitCode").and_then(Value::as_i64).unwrap_or(0)) {
                ("", code) => format!("ExitCode:{code}"),
                (reason, _) => reason.to_owned(),
            };
        } else if status.get("ready").and_then(Value::as_bool) == Some(true) {
            running = true;
        }
    }
    if word == "Completed" && running {
        word = "Running".into();
    }
    if object::is_terminating(pod) { "Terminating".into() } else { word.into() }
}

pub(super) fn job_status(job: &Value) -> Value {
    let is = |kind: &str| {
        list(job, "/status/conditions")
            .iter()
            .any(|c| text(c, "/type") == kind && text(c, "/status") == "True")
    };
    let word = if is("Complete") {
        "Complete"
    } else if is("Failed") {
        "Failed"
    } else if object::is_terminating(job) {
        "Terminating"
    } else if is("Suspended") {
        "Suspended"
    } else {
        "Running"
    };
    word.into()
}

pub(super) fn job_duration(job: &Value) -> Value {
    let (start, end) = (text(job, "/status/startTime"), text(job, "/status/completionTime"));
    if start.is_empty() {
        return "".into();
    }
    match (start.parse::<jiff::Timestamp>(), end.parse::<jiff::Timestamp>()) {
        (Ok(start), Ok(end)) => super::human(end.as_second().saturating_sub(start.as_second())).into(),
        _ => age_of(start).into(),
    }
}

pub(super) fn service_ports(service: &Value) -> Value {
    let one = |p: &Value| {
        let number = |key: &str| p.get(key).and_then(Value::as_i64).unwrap_or(0);
        let protocol = if text(p, "/protocol").is_empty() { "TCP" } else { text(p, "/protocol") };
        match number("nodePort") {
            0 => format!("{}/{protocol}", number("port")),
            node => format!("{}:{node}/{protocol}", number("port")),
        }
    };
    let ports: Vec<String> = list(service, "/spec/ports").iter().map(one).collect();
    if ports.is_empty() { "<none>".into() } else { ports.join(",").into() }
}

pub(super) fn endpoints(object: &Value) -> Value {
    let mut all = Vec::new();
    for subset in list(object, "/subsets") {
        for address in list(subset, "/addresses") {
            let ip = text(address, "/ip");
            let ports = list(subset, "/ports");
            if ports.is_empty() {
                all.push(ip.to_owned());
            }
            all.extend(ports.iter().map(|p| format!("{ip}:{}", count(p, "/port"))));
        }
    }
    let more = all.len().saturating_sub(3);
    all.truncate(3);
    match (all.is_empty(), more) {
        (true, _) => "<none>".into(),
        (false, 0) => all.join(",").into(),
        (false, more) => format!("{} + {more} more...", all.join(",")).into(),
    }
}

pub(super) fn node_status(node: &Value) -> Value {
    let ready = list(node, "/status/conditions").iter().find(|c| text(c, "/type") == "Ready");
    let mut word = match ready.map(|c| text(c, "/status")) {
        Some("True") => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if node.pointer("/spec/unschedulable").and_then(Value::as_bool) == Some(true) {
        word.push_str(",SchedulingDisabled");
    }
    word.into()
}

pub(super) fn node_roles(node: &Value) -> Value {
    let labels = node.pointer("/metadata/labels").and_then(Value::as_object);
    let roles: Vec<&str> = labels
        .into_iter()
        .flatten()
        .filter_map(|(k, _)| k.strip_prefix("node-role.kubernetes.io/"))
        .collect();
    if roles.is_empty() { "<none>".into() } else { roles.join(",").into() }
}

pub(super) fn node_address(node: &Value, kind: &str) -> Value {
    let found = list(node, "/status/addresses").iter().find(|a| text(a, "/type") == kind);
    json!(found.map_or("<none>", |a| text(a, "/address")))
}

pub(super) fn event_seen(event: &Value) -> Value {
    let times = ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/firstTimestamp"];
    let seen = times.iter().map(|p| text(event, p)).find(|t| !t.is_empty());
    seen.map_or_else(|| "<unknown>".to_owned(), age_of).into()
}

pub(super) fn event_object(event: &Value) -> Value {
    let kind = text(event, "/involvedObject/kind").to_ascii_lowercase();
    format!("{kind}/{}", text(event, "/involvedObject/name")).into()
}
