//! Puts manifests into a cluster: created, or replaced where they are there already. For the kinds that our own
//! manifests have, in the order of the files; not a general `kubectl apply`.

use std::time::Duration;

use kube::api::{Api, DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, ResourceExt};

/// What is installed wherever the demo runs: custom resources, roles that grants bind, sample policies.
pub(super) const BASE: [&str; 7] = [
    include_str!("../../../deploy/crds/accesspolicies.yaml"),
    include_str!("../../../deploy/crds/commandsets.yaml"),
    include_str!("../../../deploy/crds/accessrequests.yaml"),
    include_str!("../../../deploy/crds/accesslocks.yaml"),
    include_str!("../../../deploy/rbac/roles.yaml"),
    include_str!("../../../deploy/policies/oncall-debug.yaml"),
    include_str!("staging-observe.yaml"),
];

/// The gateway's ServiceAccount and its rights.
pub(super) const GATEWAY: [&str; 1] = [include_str!("../../../deploy/rbac/gateway.yaml")];

/// Why something is not installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// A manifest in this binary is no manifest.
    #[error("a manifest cannot be read")]
    Read(#[source] serde_saphyr::Error),
    /// A manifest in this binary names no kind.
    #[error("a manifest has no apiVersion and kind")]
    Kind,
    /// The cluster did not take it. Its own words are enough; the client's would repeat them several times.
    #[error("cannot install {kind} `{name}`: {why}")]
    Apply {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// Why.
        why: String,
    },
}

/// A custom resource is served a moment after its definition is there.
const TRIES: u32 = 50;

/// Creates or replaces every document of every file.
pub(super) async fn install(client: &Client, files: &[&str]) -> Result<(), InstallError> {
    for file in files {
        for object in serde_saphyr::from_multiple::<DynamicObject>(file).map_err(InstallError::Read)? {
            one(client, object).await?;
        }
    }
    Ok(())
}

async fn one(client: &Client, mut object: DynamicObject) -> Result<(), InstallError> {
    let types = object.types.as_ref().ok_or(InstallError::Kind)?;
    let gvk = GroupVersionKind::try_from(types).map_err(|_| InstallError::Kind)?;
    let resource = ApiResource::from_gvk(&gvk);
    let api: Api<DynamicObject> = match object.namespace() {
        Some(namespace) => Api::namespaced_with(client.clone(), &namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let name = object.name_any();
    let failed = |source: kube::Error| InstallError::Apply {
        kind: gvk.kind.clone(),
        name: name.clone(),
        why: match source {
            kube::Error::Api(status) => status.message.clone(),
            other => other.to_string(),
        },
    };
    let mut tries = 0;
    loop {
        tries += 1;
        let result = match api.get_opt(&name).await.map_err(&failed)? {
            None => api.create(&PostParams::default(), &object).await,
            Some(there) => {
                object.metadata.resource_version = there.metadata.resource_version;
                api.replace(&name, &PostParams::default(), &object).await
            }
        };
        match result {
            Ok(_) => return Ok(()),
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) && tries < TRIES => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(failed(error)),
        }
    }
}
