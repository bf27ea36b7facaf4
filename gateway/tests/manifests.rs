//! What the manifests in `deploy/` promise: no wildcard, no role that is not named, a Deployment that needs nothing, and a
//! configuration that this gateway reads. That the rights suffice is shown by the end-to-end tests, which run with them.

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use serde_json::Value;

    /// A path under `deploy/`; one that is absolute already stays as it is.
    fn deploy(file: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(file)
    }

    fn documents(file: &str) -> Vec<Value> {
        let path = deploy(file);
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_saphyr::from_multiple(&text).unwrap()
    }

    fn of_kind(file: &str, kind: &str) -> Vec<Value> {
        documents(file).into_iter().filter(|document| document["kind"] == kind).collect()
    }

    fn roles() -> Vec<Value> {
        let mut roles = of_kind("rbac/gateway.yaml", "ClusterRole");
        roles.extend(of_kind("rbac/roles.yaml", "ClusterRole"));
        roles
    }

    fn name(object: &Value) -> &str {
        object["metadata"]["name"].as_str().unwrap()
    }

    fn texts<'a>(rule: &'a Value, field: &str) -> Vec<&'a str> {
        rule[field]
            .as_array()
            .map(|list| list.iter().map(|text| text.as_str().unwrap()).collect())
            .unwrap_or_default()
    }

    fn rules() -> Vec<(String, Value)> {
        let rules = |role: &Value| {
            let name = name(role).to_owned();
            role["rules"]
                .as_array()
                .unwrap()
                .iter()
                .map(move |rule| (name.clone(), rule.clone()))
                .collect::<Vec<_>>()
        };
        roles().iter().flat_map(rules).collect()
    }

    #[test]
    fn no_rule_has_a_wildcard_and_every_rule_says_something() {
        assert!(rules().len() > 10);
        for (role, rule) in rules() {
            for field in ["apiGroups", "resources", "verbs"] {
                let texts = texts(&rule, field);
                assert!(!texts.is_empty(), "{role}: {field} is empty in {rule}");
                assert!(texts.iter().all(|text| !text.contains('*')), "{role}: {rule}");
            }
            assert!(rule.get("nonResourceURLs").is_none(), "{role}: {rule}");
        }
    }

    #[test]
    fn only_the_roles_for_people_can_be_bound_and_all_of_them() {
        let shipped: BTreeSet<String> =
            of_kind("rbac/roles.yaml", "ClusterRole").iter().map(|role| name(role).to_owned()).collect();
        let bind: Vec<_> =
            rules().into_iter().filter(|(_, rule)| texts(rule, "verbs").contains(&"bind")).collect();
        assert_eq!(bind.len(), 1);
        let named: BTreeSet<String> =
            texts(&bind[0].1, "resourceNames").iter().map(|&name| name.to_owned()).collect();
        assert_eq!(named, shipped);
        assert_eq!(texts(&bind[0].1, "resources"), ["clusterroles"]);
    }

    #[test]
    fn the_gateway_itself_reaches_no_pod_and_no_secret() {
        for (role, rule) in rules().into_iter().filter(|(role, _)| {
            !["sallyport-debug", "sallyport-logs", "sallyport-tunnel", "sallyport-view"]
                .contains(&role.as_str())
        }) {
            for resource in texts(&rule, "resources") {
                let allowed = [
                    "accesspolicies",
                    "commandsets",
                    "accessrequests",
                    "accessrequests/status",
                    "accesslocks",
                    "rolebindings",
                    "networkpolicies",
                    "leases",
                    "events",
                    "clusterroles",
                    "users",
                    "groups",
                    "userextras/sallyport.dev/grant",
                    "userextras/sallyport.dev/session",
                ];
                assert!(allowed.contains(&resource), "{role}: {resource}");
            }
            let verbs = texts(&rule, "verbs");
            assert!(!verbs.contains(&"escalate"), "{role}: {rule}");
            let decides = ["accesspolicies", "commandsets"];
            if texts(&rule, "resources").iter().any(|resource| decides.contains(resource)) {
                assert_eq!(verbs, ["list", "watch"]);
            }
            if texts(&rule, "resources").contains(&"accessrequests") {
                // Old ones are removed; none is ever changed.
                assert!(!verbs.iter().any(|verb| ["update", "patch"].contains(verb)), "{rule}");
            }
        }
    }

    #[test]
    fn every_binding_names_a_role_and_an_account_that_are_there() {
        let roles: BTreeSet<String> = roles().iter().map(|role| name(role).to_owned()).collect();
        let bindings = of_kind("rbac/gateway.yaml", "ClusterRoleBinding");
        assert_eq!(bindings.len(), 2);
        for binding in bindings {
            assert!(roles.contains(binding["roleRef"]["name"].as_str().unwrap()), "{binding}");
            assert_eq!(binding["subjects"].as_array().unwrap().len(), 1);
            let subject = &binding["subjects"][0];
            assert_eq!(
                (subject["kind"].as_str(), subject["name"].as_str()),
                (Some("ServiceAccount"), Some("sallyport"))
            );
            assert_eq!(subject["namespace"], "sallyport");
        }
    }

    #[test]
    fn the_deployment_needs_no_privilege_and_mounts_what_it_names() {
        let deployments = of_kind("gateway/deployment.yaml", "Deployment");
        let pod = &deployments[0]["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!(pod["serviceAccountName"], "sallyport");
        for host in ["hostNetwork", "hostPID", "hostIPC"] {
            assert!(pod.get(host).is_none());
        }
        let volumes: BTreeSet<&str> = pod["volumes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|volume| volume["name"].as_str().unwrap())
            .collect();
        for container in pod["containers"].as_array().unwrap() {
            let security = &container["securityContext"];
            assert_eq!(security["readOnlyRootFilesystem"], true);
            assert_eq!(security["allowPrivilegeEscalation"], false);
            assert_eq!(security["capabilities"]["drop"][0], "ALL");
            for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                assert!(container[probe]["httpGet"]["path"].is_string(), "{probe}");
            }
            assert!(container["resources"]["requests"]["memory"].is_string());
            let mounted = container["volumeMounts"].as_array().unwrap();
            assert!(mounted.iter().all(|mount| volumes.contains(mount["name"].as_str().unwrap())));
        }
        // One replica, and never two at a time, until reconciling is done by an elected one.
        assert_eq!(deployments[0]["spec"]["replicas"], 1);
        assert_eq!(deployments[0]["spec"]["strategy"]["type"], "Recreate");
    }

    #[test]
    fn the_configuration_in_the_config_map_is_one_and_fits_the_deployment() {
        let maps = of_kind("gateway/config.yaml", "ConfigMap");
        let text = maps[0]["data"]["config.yaml"].as_str().unwrap();
        let config: sallyport::config::Config = serde_saphyr::from_str(text).unwrap();
        let deployments = of_kind("gateway/deployment.yaml", "Deployment");
        let container = &deployments[0]["spec"]["template"]["spec"]["containers"][0];
        let mounted: Vec<&str> = container["volumeMounts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|mount| mount["mountPath"].as_str().unwrap())
            .collect();
        for directory in [&config.certificates.directory, &config.recordings.directory] {
            assert!(mounted.contains(&directory.to_str().unwrap()), "{}", directory.display());
        }
        let ports: Vec<u64> = container["ports"]
            .as_array()
            .unwrap()
            .iter()
            .map(|port| port["containerPort"].as_u64().unwrap())
            .collect();
        assert_eq!(ports, [u64::from(config.ssh.listen.port()), u64::from(config.console.listen.port())]);
    }

    #[test]
    fn every_sample_policy_binds_a_role_that_is_there() {
        let shipped: BTreeSet<String> =
            of_kind("rbac/roles.yaml", "ClusterRole").iter().map(|role| name(role).to_owned()).collect();
        let mut policies = 0;
        for file in std::fs::read_dir(deploy("policies")).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                for policy in documents(path.to_str().unwrap()) {
                    if policy["kind"] != "AccessPolicy" {
                        continue; // the cases that stand beside it
                    }
                    assert!(shipped.contains(policy["spec"]["clusterRole"].as_str().unwrap()), "{policy}");
                    policies += 1;
                }
            }
        }
        assert!(policies > 0);
    }
}
