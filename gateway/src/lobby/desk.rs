//! What the lobby asks the rest of the gateway for, one person's view of it. A trait, so that every answer is tested
//! on fixed data.

use std::future::Future;

use sallyport_policy::{Action, Namespace, RequestName};

use super::reply::Failure;
use crate::access::{Access, Ask, PolicyView, RequestView};
use crate::bridge::{Bridge, PodRow};
use crate::identity::Identity;
use crate::record::SessionId;

/// One person at the desk.
pub trait Desk: Sync {
    /// What the person may ask for.
    fn policies(&self) -> Vec<PolicyView>;
    /// The person's own requests, and those that they may approve; newest first.
    fn requests(&self) -> Vec<RequestView>;
    /// The person's own open grants.
    fn grants(&self) -> Vec<RequestView>;
    /// Asks.
    fn request(&self, ask: Ask) -> impl Future<Output = Result<RequestView, Failure>> + Send;
    /// Approves.
    fn approve(&self, name: &RequestName) -> impl Future<Output = Result<RequestView, Failure>> + Send;
    /// Denies.
    fn deny(
        &self,
        name: &RequestName,
        reason: Option<String>,
    ) -> impl Future<Output = Result<RequestView, Failure>> + Send;
    /// Revokes.
    fn revoke(
        &self,
        name: &RequestName,
        reason: Option<String>,
    ) -> impl Future<Output = Result<RequestView, Failure>> + Send;
    /// The pods that a grant covers.
    fn pods(&self, namespace: &Namespace) -> impl Future<Output = Result<Vec<PodRow>, Failure>> + Send;
}

/// The real one.
#[derive(Debug)]
pub struct Live<'a> {
    /// Policies and requests.
    pub access: &'a Access,
    /// The way to the pods.
    pub bridge: &'a Bridge,
    /// Who asks.
    pub who: &'a Identity,
    /// What calls to the cluster are named by in its audit log.
    pub session: &'a SessionId,
}

impl Desk for Live<'_> {
    fn policies(&self) -> Vec<PolicyView> {
        self.access.policies_for(self.who)
    }

    fn requests(&self) -> Vec<RequestView> {
        self.access.requests(self.who)
    }

    fn grants(&self) -> Vec<RequestView> {
        self.access.grants(self.who)
    }

    async fn request(&self, ask: Ask) -> Result<RequestView, Failure> {
        Ok(self.access.request(self.who, ask).await?)
    }

    async fn approve(&self, name: &RequestName) -> Result<RequestView, Failure> {
        Ok(self.access.approve(self.who, name).await?)
    }

    async fn deny(&self, name: &RequestName, reason: Option<String>) -> Result<RequestView, Failure> {
        Ok(self.access.deny(self.who, name, reason).await?)
    }

    async fn revoke(&self, name: &RequestName, reason: Option<String>) -> Result<RequestView, Failure> {
        Ok(self.access.revoke(self.who, name, reason).await?)
    }

    async fn pods(&self, namespace: &Namespace) -> Result<Vec<PodRow>, Failure> {
        let candidates = self.access.authorize(self.who, Action::Look, namespace).await?;
        Ok(self.bridge.pods(self.access, candidates, namespace, self.session).await?)
    }
}
