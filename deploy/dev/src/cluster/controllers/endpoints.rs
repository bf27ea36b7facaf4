//! Service to Endpoints and an EndpointSlice: the addresses of the pods that its selector matches.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::common::{create, delete, is_active, is_ready, owner_reference};
use crate::cluster::store::{ENDPOINTS, ENDPOINTSLICES, PODS, ResourceId, SERVICES, Store, object};

/// Looks at every Service, and at what is left of those that are gone.
pub(super) fn all(store: &Store) {
    let (services, _) = store.list(&SERVICES, None);
    for service in &services {
        if let Some(selector) = service
            .pointer("/spec/selector")
            .filter(|selector| selector.as_object().is_some_and(|labels| !labels.is_empty()))
        {
            one(store, service, selector);
        }
    }
    for id in [&ENDPOINTS, &ENDPOINTSLICES] {
        for left in store.list(id, None).0 {
            let service = |service: &&Arc<Value>| {
                object::namespace(service) == object::namespace(&left)
                    && object::name(service) == named(&left)
            };
            if is_ours(&left) && !services.iter().any(|one| service(&one)) {
                delete(store, id, &left);
            }
        }
    }
}

const MANAGED: &str = "endpointslice.kubernetes.io/managed-by";
const OURS: &str = "sallyport-dev";
const SERVICE: &str = "kubernetes.io/service-name";

fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.pointer("/metadata/labels")?.get(key)?.as_str()
}

fn is_ours(object: &Value) -> bool {
    label(object, MANAGED) == Some(OURS)
}

fn named(object: &Value) -> &str {
    label(object, SERVICE).unwrap_or_default()
}

/// Addresses that share the same ports: a named port may be a different number in another pod.
#[derive(Default)]
struct Subset {
    ready: Vec<Value>,
    unready: Vec<Value>,
}

fn one(store: &Store, service: &Value, selector: &Value) {
    let (pods, _) = store.list(&PODS, Some(object::namespace(service)));
    let mut subsets: BTreeMap<String, (Vec<Value>, Subset)> = BTreeMap::new();
    let mut slices = Vec::new();
    for pod in pods.iter().filter(|pod| is_active(pod) && selects(selector, pod)) {
        let Some(ip) = pod.pointer("/status/podIP").and_then(Value::as_str) else { continue };
        let target = json!({
            "kind": "Pod", "namespace": object::namespace(pod), "name": object::name(pod), "uid": object::uid(pod),
        });
        let node = pod.pointer("/spec/nodeName").cloned().unwrap_or_default();
        let ports = ports(service, pod);
        let key = json!(ports).to_string();
        let (_, subset) = subsets.entry(key).or_insert_with(|| (ports, Subset::default()));
        let list = if is_ready(pod) { &mut subset.ready } else { &mut subset.unready };
        list.push(json!({"ip": ip, "nodeName": node, "targetRef": target}));
        slices.push(json!({
            "addresses": [ip], "nodeName": node, "targetRef": target,
            "conditions": {"ready": is_ready(pod), "serving": is_ready(pod), "terminating": false},
        }));
    }
    let slice_ports = subsets.values().next().map(|(ports, _)| ports.clone()).unwrap_or_default();
    let subsets: Vec<Value> = subsets
        .into_values()
        .map(|(ports, subset)| {
            let mut one = json!({"ports": ports});
            for (key, list) in [("addresses", subset.ready), ("notReadyAddresses", subset.unready)] {
                if let (false, Some(one)) = (list.is_empty(), one.as_object_mut()) {
                    one.insert(key.into(), list.into());
                }
            }
            one
        })
        .collect();
    let name = object::name(service);
    put(
        store,
        &ENDPOINTS,
        service,
        name,
        json!({"apiVersion": "v1", "kind": "Endpoints", "subsets": subsets}),
    );
    put(
        store,
        &ENDPOINTSLICES,
        service,
        &format!("{name}-slice"),
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "endpoints": slices, "ports": slice_ports,
        }),
    );
}

fn put(store: &Store, id: &ResourceId, service: &Value, name: &str, content: Value) {
    let Value::Object(content) = content else { return };
    let namespace = object::namespace(service);
    if store.get(id, namespace, name).is_some() {
        // Gone in between is made again in the next pass.
        let _ = store.modify(id, namespace, name, |found| {
            if let Some(found) = found.as_object_mut() {
                found.extend(content);
            }
        });
        return;
    }
    let mut fresh = Value::Object(content);
    object::metadata_mut(&mut fresh).extend([
        ("name".to_owned(), json!(name)),
        ("namespace".to_owned(), json!(namespace)),
        ("labels".to_owned(), json!({MANAGED: OURS, SERVICE: object::name(service)})),
        ("ownerReferences".to_owned(), owner_reference(service, "v1", "Service")),
    ]);
    create(store, id, fresh);
}

fn selects(selector: &Value, pod: &Value) -> bool {
    let labels = pod.pointer("/metadata/labels");
    let wanted = selector.as_object().into_iter().flatten();
    wanted.clone().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
}

/// The Service's ports as numbers of this pod; a name that the pod does not have leaves its port out.
fn ports(service: &Value, pod: &Value) -> Vec<Value> {
    let ports = service.pointer("/spec/ports").and_then(Value::as_array);
    let of_pod = |name: &str| {
        let containers = pod.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
        let mut ports = containers.filter_map(|one| one.get("ports")?.as_array()).flatten();
        ports.find(|port| port.get("name") == Some(&json!(name)))?.get("containerPort")?.as_i64()
    };
    ports
        .into_iter()
        .flatten()
        .filter_map(|port| {
            let target = port.get("targetPort").or_else(|| port.get("port"))?;
            let number = target.as_i64().or_else(|| of_pod(target.as_str()?))?;
            let mut out = json!({
                "port": number, "protocol": port.get("protocol").cloned().unwrap_or_else(|| json!("TCP")),
            });
            if let (Some(name), Some(out)) = (port.get("name"), out.as_object_mut()) {
                out.insert("name".into(), name.clone());
            }
            Some(out)
        })
        .collect()
}
