//! The custom resources as manifests.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use super::{AccessLock, AccessPolicy, AccessRequest, CommandSet};

/// What stands above each file.
const HEAD: &str = "\
# Generated from gateway/src/crd; `UPDATE=1 cargo test crd::` writes it anew.
# A server before Kubernetes 1.25 does not know `x-kubernetes-validations` and drops it; apply with
# `kubectl apply --validate=false` there. The gateway holds to it in any case.
";

/// The custom resources, in the order in which to create them.
#[must_use]
pub fn manifests() -> Vec<CustomResourceDefinition> {
    vec![AccessPolicy::crd(), CommandSet::crd(), AccessRequest::crd(), AccessLock::crd()]
}

/// A manifest as the file in `deploy/crds` has it.
///
/// # Errors
/// When it cannot be written as YAML.
pub fn to_yaml(manifest: &CustomResourceDefinition) -> Result<String, serde_saphyr::ser::Error> {
    let body = serde_saphyr::to_string(manifest)?;
    Ok(format!("{HEAD}{body}"))
}

/// All of them as one stream of YAML documents.
///
/// # Errors
/// When one cannot be written as YAML.
pub fn yaml() -> Result<String, serde_saphyr::ser::Error> {
    let documents = manifests().iter().map(to_yaml).collect::<Result<Vec<_>, _>>()?;
    Ok(documents.join("---\n"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn every_custom_resource_is_applied_with_the_rest() {
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/kustomization.yaml");
        let text = std::fs::read_to_string(file).unwrap();
        for manifest in manifests() {
            let line = format!("  - crds/{}.yaml\n", manifest.spec.names.plural);
            assert!(text.contains(&line), "{line}");
        }
    }

    #[test]
    fn the_files_in_deploy_are_what_the_types_say() {
        let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/crds");
        for manifest in manifests() {
            let path = directory.join(format!("{}.yaml", manifest.spec.names.plural));
            let text = to_yaml(&manifest).unwrap();
            if std::env::var_os("UPDATE").is_some() {
                std::fs::create_dir_all(&directory).unwrap();
                std::fs::write(&path, &text).unwrap();
            }
            let file = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(file == text, "{} is out of date; run with UPDATE=1", path.display());
        }
    }
}
