//! Where an object lives in the Kubernetes API, told from its manifest alone.

use std::path::Path;

use serde_json::Value;

const CLUSTER_SCOPED: &[&str] = &[
    "AccessLock",
    "AccessPolicy",
    "AccessRequest",
    "ClusterRole",
    "ClusterRoleBinding",
    "CommandSet",
    "CustomResourceDefinition",
    "Namespace",
    "Node",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
];

/// The path of the collection that an object belongs to.
#[must_use]
pub fn collection(object: &Value) -> String {
    let version = object["apiVersion"].as_str().expect("a manifest has an apiVersion");
    let kind = object["kind"].as_str().expect("a manifest has a kind");
    let root = if version.contains('/') { "apis" } else { "api" };
    let kind_lower = kind.to_lowercase();
    let plural = match kind_lower.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{kind_lower}s"),
    };
    if CLUSTER_SCOPED.contains(&kind) {
        format!("/{root}/{version}/{plural}")
    } else {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default");
        format!("/{root}/{version}/namespaces/{namespace}/{plural}")
    }
}

/// YAML, and no cases beside a policy: those are for `sallyport policy test`.
fn is_manifest(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".yaml") && !name.ends_with(".test.yaml")
}

/// The documents of a YAML file, or of all `.yaml` files below a directory in the order of their names.
#[must_use]
pub fn read(path: &Path) -> Vec<Value> {
    if path.is_dir() {
        let listing =
            std::fs::read_dir(path).unwrap_or_else(|e| panic!("cannot list {}: {e}", path.display()));
        let mut below: Vec<_> = listing.map(|entry| entry.expect("a directory entry").path()).collect();
        below.sort();
        return below.iter().filter(|p| p.is_dir() || is_manifest(p)).flat_map(|p| read(p)).collect();
    }
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()));
    serde_saphyr::from_multiple::<Value>(&text)
        .unwrap_or_else(|e| panic!("{} is no YAML: {e}", path.display()))
        .into_iter()
        .filter(|document| !document.is_null() && document["kind"] != "Kustomization")
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_manifest_tells_its_path() {
        let policy = json!({"apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessPolicy"});
        assert_eq!(collection(&policy), "/apis/sallyport.dev/v1alpha1/accesspolicies");
        let set = json!({"apiVersion": "sallyport.dev/v1alpha1", "kind": "CommandSet"});
        assert_eq!(collection(&set), "/apis/sallyport.dev/v1alpha1/commandsets");
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "payments"}});
        assert_eq!(collection(&pod), "/api/v1/namespaces/payments/pods");
    }
}
