//! The NetworkPolicies that a grant opens: a way into the granted pods, and a way out of the gateway to there.
//!
//! NetworkPolicies only add. Where no other one selects a pod, it is open anyway; where the cluster's network plugin
//! does not enforce them, they are words. The way in is what guards the pods; the way out only lets the gateway use it.
//!
//! Servers before 1.22 put no name on namespaces and know no ranges of ports. There the gateway's namespace is found by
//! the label that `deploy/rbac/gateway.yaml` gives it, the way out leads to the selected pods of any namespace, and
//! ranges are written port by port.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use sallyport_policy::{Ports, RequestName};

use super::piece::metadata;
use crate::crd::{AccessPolicySpec, AccessRequest, Network};

/// So many ports are written one by one where a server knows no ranges.
const MOST_PORTS: usize = 64;
/// The label that the gateway's pods and, on old servers, its namespace are found by.
const GATEWAY: (&str, &str) = ("app.kubernetes.io/name", "sallyport");
/// The label that servers put on each namespace from 1.21 on, and that nobody can take off.
const NAMESPACE: &str = "kubernetes.io/metadata.name";

/// What has to be known of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Surroundings {
    /// The namespace that the gateway runs in.
    pub(super) namespace: String,
    /// Whether the server knows `endPort` and names namespaces: from 1.22 on.
    pub(super) is_new: bool,
}

/// The paths of a grant, in `namespaces` and in the gateway's own.
///
/// # Errors
/// In words for the requester, where the server cannot express what the policy says.
pub(super) fn paths(
    request: &AccessRequest,
    name: &RequestName,
    policy: &AccessPolicySpec,
    namespaces: &[&str],
    ends: Timestamp,
    around: &Surroundings,
) -> Result<Vec<NetworkPolicy>, String> {
    let Some(network) = &policy.network else { return Ok(Vec::new()) };
    let ports = ports(network, &request.spec.ports, around.is_new)?;
    if ports.is_empty() || namespaces.is_empty() {
        return Ok(Vec::new());
    }
    let pods = selector(network.pod_selector.as_ref().or(policy.pod_selector.as_ref()));
    let mut from = network.from.clone();
    if network.from_gateway {
        from.push(the_gateway(around));
    }
    if from.is_empty() {
        // An empty list would mean everybody.
        return Err("the policy's `network` lets nobody in: it needs `from` or `fromGateway`".to_owned());
    }
    let mut paths: Vec<_> = namespaces
        .iter()
        .map(|namespace| NetworkPolicy {
            metadata: metadata(request, name, "-in", namespace, ends),
            spec: Some(NetworkPolicySpec {
                pod_selector: Some(pods.clone()),
                policy_types: Some(vec!["Ingress".to_owned()]),
                ingress: Some(vec![NetworkPolicyIngressRule {
                    from: Some(from.clone()),
                    ports: Some(ports.clone()),
                }]),
                egress: None,
            }),
        })
        .collect();
    if network.from_gateway {
        let to = |namespace: Option<&str>| NetworkPolicyPeer {
            namespace_selector: Some(
                namespace.map(|namespace| labelled(NAMESPACE, namespace)).unwrap_or_default(),
            ),
            pod_selector: Some(pods.clone()),
            ip_block: None,
        };
        let to = if around.is_new {
            namespaces.iter().map(|namespace| to(Some(namespace))).collect()
        } else {
            vec![to(None)]
        };
        paths.push(NetworkPolicy {
            metadata: metadata(request, name, "-out", &around.namespace, ends),
            spec: Some(NetworkPolicySpec {
                pod_selector: Some(labelled(GATEWAY.0, GATEWAY.1)),
                policy_types: Some(vec!["Egress".to_owned()]),
                egress: Some(vec![NetworkPolicyEgressRule { to: Some(to), ports: Some(ports) }]),
                ingress: None,
            }),
        });
    }
    Ok(paths)
}

fn the_gateway(around: &Surroundings) -> NetworkPolicyPeer {
    let namespace =
        if around.is_new { labelled(NAMESPACE, &around.namespace) } else { labelled(GATEWAY.0, GATEWAY.1) };
    NetworkPolicyPeer {
        namespace_selector: Some(namespace),
        pod_selector: Some(labelled(GATEWAY.0, GATEWAY.1)),
        ip_block: None,
    }
}

fn labelled(key: &str, value: &str) -> LabelSelector {
    let labels = BTreeMap::from([(key.to_owned(), value.to_owned())]);
    LabelSelector { match_labels: Some(labels), match_expressions: None }
}

/// As a server gives it back: what is empty is absent.
fn selector(given: Option<&LabelSelector>) -> LabelSelector {
    let mut selector = given.cloned().unwrap_or_default();
    selector.match_labels = selector.match_labels.filter(|labels| !labels.is_empty());
    selector.match_expressions = selector.match_expressions.filter(|list| !list.is_empty());
    selector
}

/// The policy's ports, less those that the request does not ask for.
fn ports(network: &Network, asked: &[u16], ranges: bool) -> Result<Vec<NetworkPolicyPort>, String> {
    let texts: Vec<String> = network
        .ports
        .iter()
        .map(|port| match port {
            IntOrString::Int(number) => number.to_string(),
            IntOrString::String(text) => text.clone(),
        })
        .collect();
    let allowed = Ports::parse(texts.iter().map(String::as_str))
        .map_err(|error| format!("the policy's `network.ports` cannot be used: {error}"))?;
    let one = |first: u16, last: Option<u16>| NetworkPolicyPort {
        port: Some(IntOrString::Int(first.into())),
        end_port: last.map(i32::from),
        protocol: Some("TCP".to_owned()),
    };
    if !asked.is_empty() {
        let mut asked: Vec<u16> = asked.iter().copied().filter(|port| allowed.contains(*port)).collect();
        asked.sort_unstable();
        asked.dedup();
        return Ok(asked.into_iter().map(|port| one(port, None)).collect());
    }
    if ranges {
        let range = |range: &std::ops::RangeInclusive<u16>| {
            one(*range.start(), (range.start() != range.end()).then_some(*range.end()))
        };
        return Ok(allowed.ranges().iter().map(range).collect());
    }
    let mut each: Vec<u16> = allowed.ranges().iter().cloned().flatten().take(MOST_PORTS + 1).collect();
    if each.len() > MOST_PORTS {
        return Err(format!(
            "the policy opens more than {MOST_PORTS} ports, and this cluster (before Kubernetes 1.22) takes no ranges; \
             ask for single ports with `--ports`"
        ));
    }
    each.sort_unstable();
    each.dedup();
    Ok(each.into_iter().map(|port| one(port, None)).collect())
}

#[cfg(test)]
mod tests;
