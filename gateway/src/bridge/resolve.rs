//! From what a person named to one running container that a grant covers.

use std::collections::BTreeMap;

use k8s_openapi::List;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Service, ServicePort};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use sallyport_policy::Namespace;
use url::form_urlencoded::byte_serialize;

use super::call::Caller;
use super::{BridgeError, Target, TargetKind, pod};
use crate::terminal::clean;

/// Pods that one question may bring.
const PAGE: usize = 500;
/// Pods that are looked at in all.
const MAX_PODS: usize = 5_000;

/// What was found behind a target: pods, best first, and the Service's port if one was asked for.
pub(super) struct Found {
    pub(super) pods: Vec<Pod>,
    pub(super) service_port: Option<ServicePort>,
}

/// Looks up the pods behind `target`. `port` is the Service's, for tunnels.
pub(super) async fn find(caller: &Caller, target: &Target, port: Option<u16>) -> Result<Found, BridgeError> {
    let mut service_port = None;
    let selector = match target.kind {
        TargetKind::Pod => {
            let pod: Pod = object(caller, target).await?;
            return Ok(Found { pods: vec![pod], service_port: None });
        }
        TargetKind::Deployment => object::<Deployment>(caller, target).await?.spec.map(|spec| spec.selector),
        TargetKind::StatefulSet => {
            object::<StatefulSet>(caller, target).await?.spec.map(|spec| spec.selector)
        }
        TargetKind::Job => object::<Job>(caller, target).await?.spec.and_then(|spec| spec.selector),
        TargetKind::Service => {
            let service: Service = object(caller, target).await?;
            if let Some(port) = port {
                service_port = Some(service_port_of(&service, target, port)?);
            }
            let labels = service.spec.and_then(|spec| spec.selector).filter(|labels| !labels.is_empty());
            if labels.is_none() {
                return Err(BridgeError::Target(format!(
                    "service `{}` selects no pods, so there is nothing in the cluster behind it to connect to",
                    target.name
                )));
            }
            labels.map(|labels| LabelSelector { match_labels: Some(labels), match_expressions: None })
        }
    };
    let selector = selector.as_ref().and_then(in_query).ok_or_else(|| {
        BridgeError::Target(format!(
            "{} `{}` has no selector that finds pods",
            target.kind.word(),
            target.name
        ))
    })?;
    let mut pods = list(caller, &target.namespace, Some(&selector)).await?;
    if pods.is_empty() {
        return Err(BridgeError::Target(format!(
            "{} `{}` has no pods at the moment",
            target.kind.word(),
            target.name
        )));
    }
    pods.sort_by(pod::best_first);
    Ok(Found { pods, service_port })
}

async fn object<T: serde::de::DeserializeOwned>(caller: &Caller, target: &Target) -> Result<T, BridgeError> {
    let (api, resource) = target.kind.path();
    let (doing, hint) = match target.kind {
        TargetKind::Pod => ("reading a pod", "; `pods` lists them"),
        TargetKind::Service => ("reading a service", ""),
        TargetKind::Deployment | TargetKind::StatefulSet | TargetKind::Job => ("reading a workload", ""),
    };
    let name = target.checked_name()?;
    let path = format!("{api}/namespaces/{}/{resource}/{name}", target.namespace);
    caller.get(doing, &path).await.map_err(|error| match error {
        BridgeError::NotFound { .. } => BridgeError::NotFound {
            what: format!("{} `{name}`", target.kind.word()),
            namespace: target.namespace.to_string(),
            hint,
        },
        other => other,
    })
}

/// All pods of a namespace that `selector` (already encoded) matches, in pages.
pub(super) async fn list(
    caller: &Caller,
    namespace: &Namespace,
    selector: Option<&str>,
) -> Result<Vec<Pod>, BridgeError> {
    let mut pods = Vec::new();
    let mut from = String::new();
    let selector = selector.map(|selector| format!("&labelSelector={selector}")).unwrap_or_default();
    loop {
        let path = format!("/api/v1/namespaces/{namespace}/pods?limit={PAGE}{selector}{from}");
        let page: List<Pod> = caller.get("listing pods", &path).await?;
        pods.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) if pods.len() < MAX_PODS => {
                from = format!("&continue={}", byte_serialize(token.as_bytes()).collect::<String>());
            }
            _ => return Ok(pods),
        }
    }
}

/// A label selector as the API server's query language has it, percent-encoded; `None` where it is empty, which would
/// find every pod, or where it uses an operator that is not known.
fn in_query(selector: &LabelSelector) -> Option<String> {
    let labels: BTreeMap<_, _> = selector.match_labels.clone().unwrap_or_default();
    let mut parts: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    for rule in selector.match_expressions.iter().flatten() {
        let (key, values) = (&rule.key, rule.values.clone().unwrap_or_default().join(","));
        parts.push(match rule.operator.as_str() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.clone(),
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        });
    }
    (!parts.is_empty()).then(|| byte_serialize(parts.join(",").as_bytes()).collect())
}

fn service_port_of(service: &Service, target: &Target, port: u16) -> Result<ServicePort, BridgeError> {
    let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
    let tcp = |p: &&ServicePort| p.protocol.as_deref().unwrap_or("TCP") == "TCP";
    let found = ports.iter().filter(tcp).find(|p| p.port == i32::from(port));
    found.cloned().ok_or_else(|| {
        let list: Vec<String> = ports
            .iter()
            .filter(tcp)
            .map(|p| {
                p.name
                    .as_ref()
                    .map_or_else(|| p.port.to_string(), |name| format!("{} ({})", p.port, clean(name)))
            })
            .collect();
        let has = if list.is_empty() { "no TCP ports".to_owned() } else { list.join(", ") };
        BridgeError::Target(format!("service `{}` has no TCP port {port}; it has {has}", target.name))
    })
}

/// The pod's own port behind a Service's: the number, or what the pod calls by that name.
pub(super) fn target_port(service_port: &ServicePort, pod: &Pod) -> Result<u16, BridgeError> {
    let number = match &service_port.target_port {
        None => Some(service_port.port),
        Some(IntOrString::Int(0)) => Some(service_port.port),
        Some(IntOrString::Int(number)) => Some(*number),
        Some(IntOrString::String(name)) => pod
            .spec
            .iter()
            .flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()))
            .flat_map(|container| container.ports.iter().flatten())
            .find(|port| {
                port.name.as_ref() == Some(name) && port.protocol.as_deref().unwrap_or("TCP") == "TCP"
            })
            .map(|port| port.container_port),
    };
    number.and_then(|number| u16::try_from(number).ok()).filter(|number| *number > 0).ok_or_else(|| {
        let name = match &service_port.target_port {
            Some(IntOrString::String(name)) => clean(name),
            _ => service_port.port.to_string(),
        };
        BridgeError::Target(format!("pod `{}` has no port called `{name}`", pod::shown(pod)))
    })
}

#[cfg(test)]
mod tests;
