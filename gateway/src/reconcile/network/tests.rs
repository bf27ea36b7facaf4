//! The paths against what servers take.

use serde_json::{Value, json};

use super::*;

fn request(ports: &[u16]) -> AccessRequest {
    serde_json::from_value(json!({
        "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessRequest", "metadata": {"name": "db-abc234", "uid": "u"},
        "spec": {
            "requester": {"username": "alice", "groups": [], "issuer": "idp", "subject": "1"},
            "policy": "db", "namespaces": ["payments", "staging"], "duration": "1h", "ports": ports,
        },
    }))
    .unwrap()
}

fn made(network: Value, asked: &[u16], is_new: bool) -> Result<Vec<Value>, String> {
    let policy: AccessPolicySpec = serde_json::from_value(json!({
        "subjects": {"groups": ["oncall"]}, "namespaces": ["payments", "staging"], "allow": {},
        "podSelector": {"matchLabels": {"app": "db"}, "matchExpressions": []},
        "clusterRole": "sallyport-tunnel", "maxDuration": "2h", "approval": {"required": 0}, "network": network,
    }))
    .unwrap();
    let request = request(asked);
    let around = Surroundings { namespace: "gate".to_owned(), is_new };
    let (name, end) = (request.request_name().unwrap(), Timestamp::UNIX_EPOCH);
    let paths = paths(&request, &name, &policy, &["payments", "staging"], end, &around)?;
    Ok(paths.into_iter().map(|path| serde_json::to_value(path).unwrap()).collect())
}

#[test]
fn the_gateway_is_let_in_and_let_out_to_there_and_nowhere_else() {
    let paths = made(json!({"ports": [5432, "8000-8010"]}), &[], true).unwrap();
    let places: Vec<_> = paths
        .iter()
        .map(|path| (path["metadata"]["namespace"].clone(), path["metadata"]["name"].clone()))
        .collect();
    assert_eq!(
        places,
        [
            (json!("payments"), json!("sallyport-db-abc234-in")),
            (json!("staging"), json!("sallyport-db-abc234-in")),
            (json!("gate"), json!("sallyport-db-abc234-out")),
        ]
    );
    let ports =
        json!([{"port": 5432, "protocol": "TCP"}, {"port": 8000, "endPort": 8010, "protocol": "TCP"}]);
    let db = json!({"matchLabels": {"app": "db"}});
    let gateway = json!({"matchLabels": {"app.kubernetes.io/name": "sallyport"}});
    let named = |name: &str| json!({"matchLabels": {"kubernetes.io/metadata.name": name}});
    assert_eq!(
        paths[0]["spec"],
        json!({
            "podSelector": db, "policyTypes": ["Ingress"],
            "ingress": [{"ports": ports, "from": [{"namespaceSelector": named("gate"), "podSelector": gateway}]}],
        })
    );
    assert_eq!(
        paths[2]["spec"],
        json!({
            "podSelector": gateway, "policyTypes": ["Egress"],
            "egress": [{"ports": ports, "to": [
                {"namespaceSelector": named("payments"), "podSelector": db},
                {"namespaceSelector": named("staging"), "podSelector": db},
            ]}],
        })
    );
}

#[test]
fn an_old_server_gets_labels_that_are_there_and_single_ports() {
    let paths = made(json!({"ports": ["8000-8002", 8001]}), &[], false).unwrap();
    let gateway = json!({"matchLabels": {"app.kubernetes.io/name": "sallyport"}});
    let from = json!([{"namespaceSelector": gateway, "podSelector": gateway}]);
    assert_eq!(paths[0]["spec"]["ingress"][0]["from"], from);
    let ports: Vec<_> = paths[0]["spec"]["ingress"][0]["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| port["port"].clone())
        .collect();
    assert_eq!(ports, [8000, 8001, 8002]);
    let db = json!({"matchLabels": {"app": "db"}});
    assert_eq!(paths[2]["spec"]["egress"][0]["to"], json!([{"namespaceSelector": {}, "podSelector": db}]));
    let why = made(json!({"ports": ["8000-8064"]}), &[], false).unwrap_err();
    assert!(why.contains("more than 64 ports"), "{why}");
    assert_eq!(made(json!({"ports": ["8000-8063"]}), &[], false).unwrap().len(), 3);
}

#[test]
fn what_a_request_does_not_ask_for_stays_shut() {
    let paths = made(json!({"ports": ["5000-6000"]}), &[5432, 5432, 22], true).unwrap();
    assert_eq!(paths[0]["spec"]["ingress"][0]["ports"], json!([{"port": 5432, "protocol": "TCP"}]));
    assert!(made(json!({"ports": [5432]}), &[22], true).unwrap().is_empty());
}

#[test]
fn other_peers_come_in_with_or_without_the_gateway() {
    let from = json!([{"ipBlock": {"cidr": "10.1.0.0/16"}}]);
    let both = made(json!({"ports": [1], "from": from}), &[], true).unwrap();
    assert_eq!(both[0]["spec"]["ingress"][0]["from"].as_array().unwrap().len(), 2);
    let alone = made(json!({"ports": [1], "from": from, "fromGateway": false}), &[], true).unwrap();
    assert_eq!(alone.len(), 2);
    assert_eq!(alone[0]["spec"]["ingress"][0]["from"], from);
}

#[test]
fn a_policy_that_would_let_everybody_in_or_has_no_ports_is_refused() {
    let why = made(json!({"ports": [1], "fromGateway": false}), &[], true).unwrap_err();
    assert!(why.contains("lets nobody in"), "{why}");
    let why = made(json!({"ports": ["x"]}), &[], true).unwrap_err();
    assert!(why.starts_with("the policy's `network.ports` cannot be used"), "{why}");
}
