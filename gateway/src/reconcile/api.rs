//! Calls to the API server, each with an end and in words. Pieces are of two kinds; here they are handled alike.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, DeleteParams, PostParams, Preconditions};
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::piece::Piece;
use crate::crd::{Mirror, Opened};

/// How long one call may take.
pub(super) const CALL: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });

/// Why a task was not done. It is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum ActError {
    /// The API server said no, or nothing worth the name.
    #[error("cannot {doing}")]
    Call {
        /// What was tried.
        doing: &'static str,
        /// The cause.
        source: Box<kube::Error>,
    },
    /// No answer.
    #[error("cannot {doing}: no answer within {}s", CALL.as_secs())]
    Silence {
        /// What was tried.
        doing: &'static str,
    },
    /// Something could not be opened, for a reason that the requester should know.
    #[error("cannot open it: {why}")]
    Refused {
        /// In words for the requester.
        why: String,
    },
    /// Somebody else was faster; look again.
    #[error("it was changed by somebody else meanwhile")]
    Conflict,
}

impl ActError {
    /// The status that the server answered with.
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            Self::Call { source, .. } => match &**source {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            _ => None,
        }
    }
}

pub(super) async fn call<T>(
    doing: &'static str,
    work: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, ActError> {
    match tokio::time::timeout(CALL, work).await {
        Ok(answer) => answer.map_err(|source| ActError::Call { doing, source: Box::new(source) }),
        Err(_) => Err(ActError::Silence { doing }),
    }
}

/// What the API server and our copies have of pieces.
#[derive(Clone)]
pub(super) struct Pieces {
    pub(super) client: Client,
    pub(super) bindings: Mirror<RoleBinding>,
    pub(super) paths: Mirror<NetworkPolicy>,
}

impl Pieces {
    /// All that have our labels.
    pub(super) fn all(&self) -> Vec<Piece> {
        let bindings = self.bindings.all().into_iter().map(Piece::Binding);
        bindings.chain(self.paths.all().into_iter().map(Piece::Path)).collect()
    }

    pub(super) async fn get(&self, which: &Opened) -> Result<Option<Piece>, ActError> {
        let Opened { kind, namespace, name } = which;
        Ok(match kind.as_str() {
            "RoleBinding" => self.one::<RoleBinding>(namespace, name).await?.map(Piece::from),
            "NetworkPolicy" => self.one::<NetworkPolicy>(namespace, name).await?.map(Piece::from),
            _ => None,
        })
    }

    pub(super) async fn create(&self, piece: &Piece) -> Result<(), ActError> {
        match piece {
            Piece::Binding(binding) => create(&self.client, &self.bindings, &**binding).await,
            Piece::Path(path) => create(&self.client, &self.paths, &**path).await,
        }
    }

    pub(super) async fn replace(&self, piece: &Piece) -> Result<(), ActError> {
        match piece {
            Piece::Binding(binding) => replace(&self.client, &self.bindings, &**binding).await,
            Piece::Path(path) => replace(&self.client, &self.paths, &**path).await,
        }
    }

    /// Deletes this object and no other of its name; says whether it was there.
    pub(super) async fn delete(&self, piece: &Piece) -> Result<bool, ActError> {
        let metadata = piece.metadata();
        let uid = metadata.uid.clone();
        let params = DeleteParams::default().preconditions(Preconditions { uid, resource_version: None });
        let Opened { namespace, name, .. } = piece.opened();
        let gone = match piece {
            Piece::Binding(_) => delete::<RoleBinding>(&self.client, &namespace, &name, &params).await,
            Piece::Path(_) => delete::<NetworkPolicy>(&self.client, &namespace, &name, &params).await,
        };
        match gone {
            Ok(()) => Ok(true),
            // Gone already, or replaced by another object, which has its own turn.
            Err(error) if matches!(error.code(), Some(404 | 409)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Puts into our copy what the server has, where that is newer.
    pub(super) fn learn(&self, piece: &Piece) {
        match piece {
            Piece::Binding(binding) => self.bindings.learn((**binding).clone()),
            Piece::Path(path) => self.paths.learn((**path).clone()),
        }
    }

    async fn one<K>(&self, namespace: &str, name: &str) -> Result<Option<K>, ActError>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        call("read what a grant has opened", api.get_opt(name)).await
    }
}

async fn create<K>(client: &Client, mirror: &Mirror<K>, object: &K) -> Result<(), ActError>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize
        + Send
        + Sync
        + 'static,
{
    let api: Api<K> = Api::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    mirror.learn(call("open a grant", api.create(&PostParams::default(), object)).await?);
    Ok(())
}

async fn replace<K>(client: &Client, mirror: &Mirror<K>, object: &K) -> Result<(), ActError>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize
        + Send
        + Sync
        + 'static,
{
    let api: Api<K> = Api::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    let params = PostParams::default();
    match call("put right what a grant has opened", api.replace(&object.name_any(), &params, object)).await {
        Ok(put) => {
            mirror.learn(put);
            Ok(())
        }
        Err(error) if matches!(error.code(), Some(404 | 409)) => Err(ActError::Conflict),
        Err(error) => Err(error),
    }
}

async fn delete<K>(
    client: &Client,
    namespace: &str,
    name: &str,
    params: &DeleteParams,
) -> Result<(), ActError>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    call("remove what a grant has opened", api.delete(name, params)).await.map(drop)
}
