use serde_json::json;

use super::*;

fn service(value: serde_json::Value) -> Service {
    serde_json::from_value(json!({"metadata": {"name": "postgres"}, "spec": value})).unwrap()
}

fn target() -> Target {
    Target {
        namespace: Namespace::parse("payments").unwrap(),
        kind: TargetKind::Service,
        name: "postgres".into(),
        container: None,
    }
}

fn pod() -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": "postgres-0"},
        "spec": {"containers": [
            {"name": "exporter", "ports": [{"containerPort": 9187, "name": "metrics"}, {"containerPort": 53, "name": "sql", "protocol": "UDP"}]},
            {"name": "db", "ports": [{"containerPort": 15432, "name": "sql"}]},
        ]}
    }))
    .unwrap()
}

#[test]
fn a_selector_becomes_a_query_that_means_the_same() {
    let selector: LabelSelector = serde_json::from_value(json!({
        "matchLabels": {"app": "api", "tier": "web"},
        "matchExpressions": [
            {"key": "env", "operator": "In", "values": ["a", "b"]},
            {"key": "x", "operator": "NotIn", "values": ["c"]},
            {"key": "y", "operator": "Exists"},
            {"key": "z", "operator": "DoesNotExist"},
        ]
    }))
    .unwrap();
    let query = in_query(&selector).unwrap();
    let plain: String = url::form_urlencoded::parse(format!("s={query}").as_bytes())
        .map(|(_, value)| value.into_owned())
        .collect();
    assert_eq!(plain, "app=api,tier=web,env in (a,b),x notin (c),y,!z");
}

#[test]
fn a_selector_that_finds_everything_or_is_not_understood_finds_nothing() {
    assert_eq!(in_query(&LabelSelector::default()), None);
    let unknown = json!({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]});
    assert_eq!(in_query(&serde_json::from_value(unknown).unwrap()), None);
}

#[test]
fn a_service_port_leads_to_the_pods_own_port_by_number_or_name() {
    let service = service(json!({"ports": [
        {"port": 5432, "name": "sql", "targetPort": "sql"},
        {"port": 80, "targetPort": 8080},
        {"port": 81},
        {"port": 82, "targetPort": "nowhere"},
        {"port": 53, "protocol": "UDP"},
    ]}));
    let port = |number| target_port(&service_port_of(&service, &target(), number).unwrap(), &pod());
    assert_eq!(port(5432).unwrap(), 15432);
    assert_eq!(port(80).unwrap(), 8080);
    assert_eq!(port(81).unwrap(), 81);
    assert_eq!(port(82).unwrap_err().to_string(), "pod `postgres-0` has no port called `nowhere`");
    let error = service_port_of(&service, &target(), 53).unwrap_err();
    assert_eq!(error.to_string(), "service `postgres` has no TCP port 53; it has 5432 (sql), 80, 81, 82");
}
