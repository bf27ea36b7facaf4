//! What the lobby asks the rest of the gateway for, one person's view of it. A trait, so that every answer is tested
//! on fixed data.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use sallyport_policy::{Action, Namespace, RequestName};
use serde::Serialize;

use super::reply::Failure;
use crate::access::{Access, Ask, LockAsk, LockView, Permit, PolicyView, RequestView, WhyView};
use crate::bridge::{Admitted, Bridge, PodRow, Target, TargetKind};
use crate::clock::SharedClock;
use crate::crd::ReviewVerdict;
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
    /// Makes a grant longer, or asks for that.
    fn extend(
        &self,
        name: &RequestName,
        by: Duration,
        reason: Option<String>,
    ) -> impl Future<Output = Result<RequestView, Failure>> + Send;
    /// What has to be reviewed, and the person may.
    fn reviews(&self) -> Vec<RequestView>;
    /// Closes a review.
    fn review(
        &self,
        name: &RequestName,
        verdict: ReviewVerdict,
        comment: String,
    ) -> impl Future<Output = Result<RequestView, Failure>> + Send;
    /// The locks there are, as far as the person may see them.
    fn locks(&self) -> impl Future<Output = Result<Vec<LockView>, Failure>> + Send;
    /// Shuts out.
    fn lock(&self, ask: LockAsk) -> impl Future<Output = Result<LockView, Failure>> + Send;
    /// Lets in again.
    fn unlock(&self, name: &str) -> impl Future<Output = Result<LockView, Failure>> + Send;
    /// What would become of this request.
    fn why(&self, ask: Ask) -> Result<WhyView, Failure>;
    /// Whether the person may do that now, and with which grant.
    fn may(&self, action: Action, target: &Target) -> impl Future<Output = Result<May, Failure>> + Send;
    /// Resolves when something may have changed: soon, and at the latest after a few seconds.
    fn changed(&self) -> impl Future<Output = ()> + Send;
    /// The present moment.
    fn now(&self) -> Timestamp;
    /// The pods that a grant covers.
    fn pods(&self, namespace: &Namespace) -> impl Future<Output = Result<Vec<PodRow>, Failure>> + Send;
}

/// A yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct May {
    /// The grant that allows it.
    pub grant: String,
    /// The policy that was asked for it.
    pub policy: String,
    /// The pod that the target stands for.
    pub pod: String,
    /// Until when.
    pub until: Timestamp,
}

/// How often somebody who waits looks: at our copy, so it costs the cluster nothing.
const LOOK_AGAIN: Duration = Duration::from_millis(300);

fn may(access: &Access, admitted: &Admitted) -> May {
    let permit: &Permit = admitted.permit();
    May {
        grant: permit.request().to_string(),
        policy: permit.policy().to_string(),
        pod: admitted.pod().to_string(),
        until: access.end_of(permit),
    }
}

/// The real one.
#[derive(Debug)]
pub struct Live<'a> {
    /// Policies and requests.
    pub access: &'a Access,
    /// The way to the pods.
    pub bridge: &'a Bridge,
    /// What time it is.
    pub clock: &'a SharedClock,
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

    async fn extend(
        &self,
        name: &RequestName,
        by: Duration,
        reason: Option<String>,
    ) -> Result<RequestView, Failure> {
        Ok(self.access.extend(self.who, name, by, reason).await?)
    }

    fn reviews(&self) -> Vec<RequestView> {
        self.access.reviews(self.who)
    }

    async fn review(
        &self,
        name: &RequestName,
        verdict: ReviewVerdict,
        comment: String,
    ) -> Result<RequestView, Failure> {
        Ok(self.access.review(self.who, name, verdict, Some(comment)).await?)
    }

    async fn locks(&self) -> Result<Vec<LockView>, Failure> {
        Ok(self.access.locks(self.who).await?)
    }

    async fn lock(&self, ask: LockAsk) -> Result<LockView, Failure> {
        Ok(self.access.lock(self.who, ask).await?)
    }

    async fn unlock(&self, name: &str) -> Result<LockView, Failure> {
        Ok(self.access.unlock(self.who, name).await?)
    }

    fn why(&self, ask: Ask) -> Result<WhyView, Failure> {
        Ok(self.access.why(self.who, ask)?)
    }

    async fn may(&self, action: Action, target: &Target) -> Result<May, Failure> {
        let admitted = if let Action::Forward { port } = action {
            let kind = match target.kind {
                TargetKind::Pod => "pod",
                TargetKind::Service => "svc",
                _ => {
                    let text = "a tunnel goes to POD or svc/NAME".to_owned();
                    return Err(Failure { text, exit: 64 });
                }
            };
            let host = format!("{}.{}.{kind}", target.name, target.namespace);
            let port = u32::from(port);
            self.bridge.resolve_forward(self.access, self.who, &host, port, self.session).await?.0
        } else {
            let candidates = self.access.authorize(self.who, action, &target.namespace).await?;
            self.bridge.resolve(self.access, candidates, target, self.session).await?
        };
        Ok(may(self.access, &admitted))
    }

    async fn changed(&self) {
        tokio::time::sleep(LOOK_AGAIN).await;
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn pods(&self, namespace: &Namespace) -> Result<Vec<PodRow>, Failure> {
        let candidates = self.access.authorize(self.who, Action::Look, namespace).await?;
        Ok(self.bridge.pods(self.access, candidates, namespace, self.session).await?)
    }
}
