//! The columns of built-in kinds.

use serde_json::{Value, json};

use super::values::*;
use super::{Column, age};
use crate::cluster::store::{self, ResourceId, object};

const fn column(name: &'static str, kind: &'static str, cell: fn(&Value) -> Value) -> Column {
    Column { name, kind, priority: 0, cell }
}

const fn wide(name: &'static str, cell: fn(&Value) -> Value) -> Column {
    Column { name, kind: "string", priority: 1, cell }
}

const NAME: Column = column("Name", "string", |o| object::name(o).into());
const AGE: Column = column("Age", "string", age);

/// The columns of a collection; name and age for those without columns of their own.
pub(super) fn of(id: &ResourceId) -> &'static [Column] {
    let found = TABLES.iter().find(|(of, _)| of == id);
    found.map_or(&[NAME, AGE], |(_, columns)| columns)
}

const TABLES: &[(ResourceId, &[Column])] = &[
    (
        store::PODS,
        &[
            NAME,
            column("Ready", "string", pod_ready),
            column("Status", "string", pod_status),
            column("Restarts", "string", pod_restarts),
            AGE,
            wide("IP", |o| text_or(o, "/status/podIP", "<none>")),
            wide("Node", |o| text_or(o, "/spec/nodeName", "<none>")),
            wide("Nominated Node", |o| text_or(o, "/status/nominatedNodeName", "<none>")),
            wide("Readiness Gates", |_| "<none>".into()),
        ],
    ),
    (
        store::DEPLOYMENTS,
        &[
            NAME,
            column("Ready", "string", |o| ratio(o, "/status/readyReplicas", "/spec/replicas")),
            column("Up-to-date", "integer", |o| count(o, "/status/updatedReplicas")),
            column("Available", "integer", |o| count(o, "/status/availableReplicas")),
            AGE,
            wide("Containers", |o| containers(o, "name")),
            wide("Images", |o| containers(o, "image")),
            wide("Selector", |o| selector(o.pointer("/spec/selector/matchLabels"))),
        ],
    ),
    (
        store::REPLICASETS,
        &[
            NAME,
            column("Desired", "integer", |o| count(o, "/spec/replicas")),
            column("Current", "integer", |o| count(o, "/status/replicas")),
            column("Ready", "integer", |o| count(o, "/status/readyReplicas")),
            AGE,
            wide("Containers", |o| containers(o, "name")),
            wide("Images", |o| containers(o, "image")),
            wide("Selector", |o| selector(o.pointer("/spec/selector/matchLabels"))),
        ],
    ),
    (
        store::STATEFULSETS,
        &[
            NAME,
            column("Ready", "string", |o| ratio(o, "/status/readyReplicas", "/spec/replicas")),
            AGE,
            wide("Containers", |o| containers(o, "name")),
            wide("Images", |o| containers(o, "image")),
        ],
    ),
    (
        store::DAEMONSETS,
        &[
            NAME,
            column("Desired", "integer", |o| count(o, "/status/desiredNumberScheduled")),
            column("Current", "integer", |o| count(o, "/status/currentNumberScheduled")),
            column("Ready", "integer", |o| count(o, "/status/numberReady")),
            column("Up-to-date", "integer", |o| count(o, "/status/updatedNumberScheduled")),
            column("Available", "integer", |o| count(o, "/status/numberAvailable")),
            column("Node Selector", "string", |o| selector(o.pointer("/spec/template/spec/nodeSelector"))),
            AGE,
        ],
    ),
    (
        store::JOBS,
        &[
            NAME,
            column("Status", "string", job_status),
            column("Completions", "string", |o| ratio(o, "/status/succeeded", "/spec/completions")),
            column("Duration", "string", job_duration),
            AGE,
            wide("Containers", |o| containers(o, "name")),
            wide("Images", |o| containers(o, "image")),
        ],
    ),
    (
        store::SERVICES,
        &[
            NAME,
            column("Type", "string", |o| text_or(o, "/spec/type", "ClusterIP")),
            column("Cluster-IP", "string", |o| text_or(o, "/spec/clusterIP", "<none>")),
            column("External-IP", "string", |o| text_or(o, "/spec/externalName", "<none>")),
            column("Port(s)", "string", service_ports),
            AGE,
            wide("Selector", |o| selector(o.pointer("/spec/selector"))),
        ],
    ),
    (store::ENDPOINTS, &[NAME, column("Endpoints", "string", endpoints), AGE]),
    (store::NAMESPACES, &[NAME, column("Status", "string", |o| text_or(o, "/status/phase", "Active")), AGE]),
    (
        store::NODES,
        &[
            NAME,
            column("Status", "string", node_status),
            column("Roles", "string", node_roles),
            AGE,
            column("Version", "string", |o| text_or(o, "/status/nodeInfo/kubeletVersion", "")),
            wide("Internal-IP", |o| node_address(o, "InternalIP")),
            wide("External-IP", |o| node_address(o, "ExternalIP")),
            wide("OS-Image", |o| text_or(o, "/status/nodeInfo/osImage", "<unknown>")),
            wide("Kernel-Version", |o| text_or(o, "/status/nodeInfo/kernelVersion", "<unknown>")),
            wide("Container-Runtime", |o| {
                text_or(o, "/status/nodeInfo/containerRuntimeVersion", "<unknown>")
            }),
        ],
    ),
    (
        store::EVENTS,
        &[
            column("Last Seen", "string", event_seen),
            column("Type", "string", |o| text_or(o, "/type", "")),
            column("Reason", "string", |o| text_or(o, "/reason", "")),
            column("Object", "string", event_object),
            wide("Subobject", |o| text_or(o, "/involvedObject/fieldPath", "")),
            wide("Source", |o| text_or(o, "/source/component", "")),
            column("Message", "string", |o| text_or(o, "/message", "")),
            wide("Count", |o| count(o, "/count").to_string().into()),
            wide("Name", |o| object::name(o).into()),
        ],
    ),
    (store::CONFIGMAPS, &[NAME, column("Data", "string", |o| size(o, &["data", "binaryData"])), AGE]),
    (
        store::SECRETS,
        &[
            NAME,
            column("Type", "string", |o| text_or(o, "/type", "Opaque")),
            column("Data", "integer", |o| size(o, &["data"])),
            AGE,
        ],
    ),
    (store::SERVICEACCOUNTS, &[NAME, column("Secrets", "integer", |o| size(o, &["secrets"])), AGE]),
    (store::ROLES, &[NAME, created()]),
    (store::CLUSTERROLES, &[NAME, created()]),
    (store::ROLEBINDINGS, &[NAME, column("Role", "string", role_ref), AGE, USERS, GROUPS, ACCOUNTS]),
    (store::CLUSTERROLEBINDINGS, &[NAME, column("Role", "string", role_ref), AGE, USERS, GROUPS, ACCOUNTS]),
    (store::LEASES, &[NAME, column("Holder", "string", |o| text_or(o, "/spec/holderIdentity", "")), AGE]),
    (store::CUSTOMRESOURCEDEFINITIONS, &[NAME, created()]),
    (
        store::NETWORKPOLICIES,
        &[
            NAME,
            column("Pod-Selector", "string", |o| selector(o.pointer("/spec/podSelector/matchLabels"))),
            AGE,
        ],
    ),
];

const USERS: Column = wide("Users", |o| subjects(o, "User"));
const GROUPS: Column = wide("Groups", |o| subjects(o, "Group"));
const ACCOUNTS: Column = wide("ServiceAccounts", |o| subjects(o, "ServiceAccount"));

const fn created() -> Column {
    column("Created At", "string", |o| object::meta(o, "creationTimestamp").into())
}

fn role_ref(object: &Value) -> Value {
    let text = |key: &str| object.pointer(key).and_then(Value::as_str).unwrap_or("");
    format!("{}/{}", text("/roleRef/kind"), text("/roleRef/name")).into()
}

fn subjects(object: &Value, kind: &str) -> Value {
    let all = object.get("subjects").and_then(Value::as_array);
    let of_kind = all.into_iter().flatten().filter(|s| s.get("kind").and_then(Value::as_str) == Some(kind));
    let text = |s: &Value, key: &str| s.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    let names = of_kind.map(|s| match kind {
        "ServiceAccount" => format!("{}/{}", text(s, "namespace"), text(s, "name")),
        _ => text(s, "name"),
    });
    json!(names.collect::<Vec<_>>().join(", "))
}
