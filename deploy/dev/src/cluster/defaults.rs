//! What the real server fills in when a writer leaves it out, for the kinds of this cluster.

use serde_json::{Map, Value, json};

use super::store::{self, ResourceId, Store, object};

/// Completes an object of the collection. Applying it twice changes nothing more.
pub(crate) fn apply(id: &ResourceId, object: &mut Value) {
    if *id == store::PODS {
        pod_spec(object::child_mut(object, "spec"));
    } else if [store::DEPLOYMENTS, store::REPLICASETS, store::STATEFULSETS, store::DAEMONSETS, store::JOBS]
        .contains(id)
    {
        workload(id, object);
    } else if *id == store::SERVICES {
        service(object::child_mut(object, "spec"));
    } else if *id == store::SECRETS {
        secret(object);
    } else if *id == store::ROLEBINDINGS || *id == store::CLUSTERROLEBINDINGS {
        binding(object);
    } else if *id == store::CUSTOMRESOURCEDEFINITIONS {
        definition(object::child_mut(object, "spec"));
    }
}

fn set(map: &mut Map<String, Value>, key: &str, value: Value) {
    let absent = map.get(key).is_none_or(Value::is_null);
    if absent {
        map.insert(key.to_owned(), value);
    }
}

fn maps<'a>(
    map: &'a mut Map<String, Value>,
    key: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> + use<'a> {
    map.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

fn pod_spec(spec: &mut Map<String, Value>) {
    set(spec, "restartPolicy", "Always".into());
    set(spec, "dnsPolicy", "ClusterFirst".into());
    set(spec, "schedulerName", "default-scheduler".into());
    set(spec, "securityContext", json!({}));
    set(spec, "terminationGracePeriodSeconds", 30.into());
    set(spec, "enableServiceLinks", true.into());
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for container in maps(spec, list) {
            let image = container.get("image").and_then(Value::as_str).unwrap_or("");
            let name = image.rsplit('/').next().unwrap_or("");
            let tagged = name.contains('@') || name.split_once(':').is_some_and(|(_, tag)| tag != "latest");
            set(container, "imagePullPolicy", if tagged { "IfNotPresent".into() } else { "Always".into() });
            set(container, "resources", json!({}));
            set(container, "terminationMessagePath", "/dev/termination-log".into());
            set(container, "terminationMessagePolicy", "File".into());
            for port in maps(container, "ports") {
                set(port, "protocol", "TCP".into());
            }
            for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
                if let Some(Value::Object(probe)) = container.get_mut(probe) {
                    set(probe, "timeoutSeconds", 1.into());
                    set(probe, "periodSeconds", 10.into());
                    set(probe, "successThreshold", 1.into());
                    set(probe, "failureThreshold", 3.into());
                }
            }
        }
    }
}

fn workload(id: &ResourceId, object: &mut Value) {
    let spec = object::child_mut(object, "spec");
    if *id != store::DAEMONSETS && *id != store::JOBS {
        set(spec, "replicas", 1.into());
    }
    if *id == store::DEPLOYMENTS {
        set(spec, "progressDeadlineSeconds", 600.into());
        set(spec, "revisionHistoryLimit", 10.into());
        let rolling =
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}});
        set(spec, "strategy", rolling);
    } else if *id == store::STATEFULSETS {
        set(spec, "podManagementPolicy", "OrderedReady".into());
        set(spec, "revisionHistoryLimit", 10.into());
        set(spec, "serviceName", "".into());
        set(spec, "updateStrategy", json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}));
    } else if *id == store::JOBS {
        set(spec, "parallelism", 1.into());
        set(spec, "completions", 1.into());
        set(spec, "backoffLimit", 6.into());
        set(spec, "completionMode", "NonIndexed".into());
        set(spec, "suspend", false.into());
    }
    if let Some(Value::Object(template)) = spec.get_mut("template") {
        set(template, "metadata", json!({}));
        if let Some(Value::Object(pod)) = template.get_mut("spec") {
            pod_spec(pod);
        }
    }
    if *id == store::JOBS {
        job_labels(object);
    }
}

/// A Job without a selector of its own finds its pods by the labels that it gives them.
fn job_labels(job: &mut Value) {
    let name = object::name(job).to_owned();
    let spec = object::child_mut(job, "spec");
    if spec.get("selector").is_some_and(Value::is_object) {
        return;
    }
    let key = "batch.kubernetes.io/job-name";
    spec.insert("selector".into(), json!({"matchLabels": {key: name}}));
    if let Some(template) = spec.get_mut("template") {
        let labels = object::metadata_mut(template).entry("labels").or_insert_with(|| json!({}));
        if let Value::Object(labels) = labels {
            labels.insert(key.into(), name.clone().into());
            labels.insert("job-name".into(), name.into());
        }
    }
}

fn service(spec: &mut Map<String, Value>) {
    set(spec, "type", "ClusterIP".into());
    set(spec, "sessionAffinity", "None".into());
    if spec.get("type").and_then(Value::as_str) != Some("ExternalName") {
        set(spec, "internalTrafficPolicy", "Cluster".into());
        set(spec, "ipFamilyPolicy", "SingleStack".into());
        set(spec, "ipFamilies", json!(["IPv4"]));
    }
    for port in maps(spec, "ports") {
        set(port, "protocol", "TCP".into());
        let own = port.get("port").cloned().unwrap_or(Value::Null);
        set(port, "targetPort", own);
    }
}

/// Gives a Service an address of its own out of 10.96.0.0/16. Nothing listens there: it names the Service.
pub(crate) fn allocate_cluster_ip(store: &Store, service: &mut Value) {
    let given = service.pointer("/spec/clusterIP").and_then(Value::as_str).unwrap_or("").to_owned();
    let external = service.pointer("/spec/type").and_then(Value::as_str) == Some("ExternalName");
    if external {
        return;
    }
    let current = store.get(&store::SERVICES, object::namespace(service), object::name(service));
    let kept =
        current.as_deref().and_then(|c| c.pointer("/spec/clusterIP")).and_then(Value::as_str).unwrap_or("");
    let address = match (given.as_str(), kept) {
        ("", "") => {
            let (all, _) = store.list(&store::SERVICES, None);
            let taken = |ip: &String| {
                all.iter().any(|s| s.pointer("/spec/clusterIP").and_then(Value::as_str) == Some(ip))
            };
            let free =
                (1..=u16::MAX - 1).map(|n| format!("10.96.{}.{}", n >> 8, n & 0xff)).find(|ip| !taken(ip));
            free.unwrap_or_default()
        }
        ("", kept) => kept.to_owned(),
        (given, _) => given.to_owned(),
    };
    let spec = object::child_mut(service, "spec");
    spec.insert("clusterIPs".into(), json!([address]));
    spec.insert("clusterIP".into(), address.into());
}

/// `stringData` is written, `data` is kept.
fn secret(object: &mut Value) {
    use base64::Engine;
    let Value::Object(map) = object else { return };
    set(map, "type", "Opaque".into());
    if let Some(Value::Object(plain)) = map.remove("stringData") {
        let data = map.entry("data").or_insert_with(|| json!({}));
        if let Value::Object(data) = data {
            for (key, value) in plain {
                let encoded = base64::engine::general_purpose::STANDARD.encode(value.as_str().unwrap_or(""));
                data.insert(key, encoded.into());
            }
        }
    }
}

fn binding(object: &mut Value) {
    const GROUP: &str = "rbac.authorization.k8s.io";
    let Value::Object(map) = object else { return };
    if let Some(Value::Object(role)) = map.get_mut("roleRef") {
        set(role, "apiGroup", GROUP.into());
    }
    for subject in maps(map, "subjects") {
        let account = subject.get("kind").and_then(Value::as_str) == Some("ServiceAccount");
        if !account {
            set(subject, "apiGroup", GROUP.into());
        }
    }
}

fn definition(spec: &mut Map<String, Value>) {
    set(spec, "conversion", json!({"strategy": "None"}));
    if let Some(Value::Object(names)) = spec.get_mut("names") {
        let kind = names.get("kind").and_then(Value::as_str).unwrap_or("").to_owned();
        set(names, "singular", kind.to_lowercase().into());
        set(names, "listKind", format!("{kind}List").into());
    }
}
