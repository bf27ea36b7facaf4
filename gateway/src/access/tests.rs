use std::sync::Arc;
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use sallyport_policy::{Action, Namespace, PodName, PolicyName, RequestName};
use serde_json::json;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::*;
use crate::audit::Kind;
use crate::clock::{Clock, ManualClock};
use crate::crd::Phase;
use crate::crd::fake::{Fake, Fault};

mod cluster;
mod codes;
mod leaving;
mod once;
mod refused;
mod sets;
mod trouble;

pub(super) struct House {
    pub(super) fake: Fake,
    pub(super) clock: Arc<ManualClock>,
    pub(super) audit: Audit,
    pub(super) access: Access,
    pub(super) reconciling: Option<DropGuard>,
}

pub(super) fn policy(name: &str, approvals: u32) -> serde_json::Value {
    json!({
        "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessPolicy", "metadata": {"name": name},
        "spec": {
            "subjects": {"groups": ["oncall"]}, "namespaces": ["payments", "staging"],
            "podSelector": {"matchLabels": {"app": "api"}},
            "allow": {"shell": true, "exec": true, "forward": {"ports": [5432]}},
            "clusterRole": "sallyport-debug", "maxDuration": "2h",
            "approval": {"required": approvals, "groups": ["leads"]},
        },
    })
}

impl House {
    /// A gateway with the policy `debug`, which takes one approval.
    pub(super) async fn open() -> Self {
        Self::with(&[policy("debug", 1)]).await
    }

    pub(super) async fn with(policies: &[serde_json::Value]) -> Self {
        let start: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        let (fake, clock, audit) = (Fake::at(start), ManualClock::at(start), Audit::in_memory());
        for policy in policies {
            fake.put("accesspolicies", policy);
        }
        let access = Access::start(
            fake.client(),
            crate::access::AccessSettings::default(),
            clock.clone(),
            audit.clone(),
        )
        .await
        .unwrap();
        let mut house = Self { fake, clock, audit, access, reconciling: None };
        house.reconcile();
        house
    }

    pub(super) fn reconcile(&mut self) {
        let stop = CancellationToken::new();
        let (client, clock, audit) = (self.fake.client(), self.clock.clone(), self.audit.clone());
        let settings = crate::reconcile::Settings::for_tests("gateway");
        let (leads, _) = tokio::sync::watch::channel(false);
        let run =
            crate::reconcile::run(client, self.access.clone(), settings, clock, audit, stop.clone(), leads);
        tokio::spawn(run);
        self.reconciling = Some(stop.drop_guard());
    }

    pub(super) async fn ask(&self, who: &Identity) -> Result<RequestView, AccessError> {
        self.access.request(who, ask("debug")).await
    }

    /// A grant of alice's for an hour, approved by bob.
    pub(super) async fn grant(&self) -> RequestName {
        let asked = self.ask(&alice()).await.unwrap();
        let name = RequestName::parse(&asked.name).unwrap();
        let view = self.access.approve(&bob(), &name).await.unwrap();
        assert_eq!(view.phase, Phase::Active);
        name
    }

    pub(super) async fn permit(&self, who: &Identity) -> Result<Permit, AccessError> {
        let candidates = self.access.authorize(who, Action::Shell, &payments()).await?;
        self.access.admit(candidates, &pod("api"))
    }

    pub(super) fn events(&self) -> Vec<Kind> {
        self.audit.kept().into_iter().map(|event| event.event).collect()
    }

    /// Waits until it holds.
    pub(super) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..6000 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("waited in vain: {what}");
    }
}

pub(super) fn ask(policy: &str) -> Ask {
    Ask {
        namespaces: vec![payments()],
        duration: Some(Duration::from_secs(3600)),
        reason: Some("INC-1".to_owned()),
        ..Ask::of(PolicyName::parse(policy).unwrap())
    }
}

pub(super) fn alice() -> Identity {
    Identity::for_tests("alice", &["oncall"])
}

pub(super) fn bob() -> Identity {
    Identity::for_tests("bob", &["leads"])
}

pub(super) fn payments() -> Namespace {
    Namespace::parse("payments").unwrap()
}

pub(super) fn pod(app: &str) -> PodFacts {
    let labels = std::collections::BTreeMap::from([("app".to_owned(), app.to_owned())]);
    PodFacts { name: PodName::parse("pod-0").unwrap(), labels, owner: None, container: None }
}

#[tokio::test]
async fn asked_approved_used_and_over() {
    let house = House::open().await;
    let asked = house.ask(&alice()).await.unwrap();
    assert_eq!((asked.phase, asked.approvals_missing, asked.mine), (Phase::Pending, 1, true));
    assert!(house.access.grants(&alice()).is_empty());
    assert!(house.access.requests(&bob()).iter().any(|view| view.name == asked.name && view.may_approve));

    let name = RequestName::parse(&asked.name).unwrap();
    let approved = house.access.approve(&bob(), &name).await.unwrap();
    assert_eq!(approved.phase, Phase::Active);
    let binding = house.fake.get("rolebindings", &format!("payments/sallyport-{name}")).unwrap();
    assert_eq!(binding["subjects"][0]["name"], json!(format!("sallyport:grant:{name}")));
    assert_eq!(binding["roleRef"]["name"], json!("sallyport-debug"));
    assert_eq!(house.fake.keys("rolebindings").len(), 1);

    let permit = house.permit(&alice()).await.unwrap();
    assert_eq!(permit.group(), format!("sallyport:grant:{name}"));
    assert!(permit.must_record() && permit.check(house.clock.now()).is_ok());
    assert_eq!(house.access.grants(&alice()).len(), 1);

    let ended = tokio::spawn(house.access.ended(&permit));
    house.clock.advance(Duration::from_secs(3600));
    assert_eq!(ended.await.unwrap(), GrantEnd::Expired);
    assert!(permit.check(house.clock.now()).is_err());
    house.until("the binding is gone", |house| house.fake.keys("rolebindings").is_empty()).await;
    house.until("it is told", |house| house.events().contains(&Kind::GrantCleaned)).await;
    let expected = [
        Kind::PolicyLoaded,
        Kind::RequestCreated,
        Kind::RequestApproved,
        Kind::GrantStarted,
        Kind::GrantEnded,
        Kind::GrantCleaned,
    ];
    let mut events = house.events();
    events.retain(|kind| *kind != Kind::GatewayLeads);
    assert_eq!(events, expected);
}

#[tokio::test]
async fn a_policy_without_approvals_lets_in_at_once() {
    let house = House::with(&[policy("free", 0)]).await;
    let view = house.access.request(&alice(), ask("free")).await.unwrap();
    assert_eq!(view.phase, Phase::Active);
    assert!(house.permit(&alice()).await.is_ok());
}

#[tokio::test]
async fn a_revocation_ends_the_permit_and_the_binding() {
    let house = House::open().await;
    let name = house.grant().await;
    let permit = house.permit(&alice()).await.unwrap();
    let ended = tokio::spawn(house.access.ended(&permit));
    let revoked = house.access.revoke(&bob(), &name, Some("enough\n".into())).await.unwrap();
    assert_eq!(revoked.phase, Phase::Revoked);
    let end = tokio::time::timeout(Duration::from_secs(60), ended).await.unwrap().unwrap();
    assert_eq!(end, GrantEnd::Revoked { by: "bob".into(), reason: Some("enough".into()) });
    assert_eq!(end.to_string(), "the grant was revoked by bob: enough");
    house.until("the binding is gone", |house| house.fake.keys("rolebindings").is_empty()).await;
    assert!(house.permit(&alice()).await.is_err());
}

#[tokio::test]
async fn a_deleted_request_ends_the_permit_and_its_binding_goes() {
    let house = House::open().await;
    let name = house.grant().await;
    let permit = house.permit(&alice()).await.unwrap();
    let ended = tokio::spawn(house.access.ended(&permit));
    house.fake.remove("accessrequests", name.as_str());
    let end = tokio::time::timeout(Duration::from_secs(60), ended).await.unwrap().unwrap();
    assert_eq!(end, GrantEnd::Gone);
    house.until("the binding is gone", |house| house.fake.keys("rolebindings").is_empty()).await;
}

#[tokio::test]
async fn a_request_of_the_same_name_is_another_grant() {
    let house = House::open().await;
    let name = house.grant().await;
    let permit = house.permit(&alice()).await.unwrap();
    let mut copy = house.fake.get("accessrequests", name.as_str()).unwrap();
    house.fake.remove("accessrequests", name.as_str());
    copy["metadata"]["uid"] = json!("another");
    house.fake.put("accessrequests", &copy);
    assert_eq!(house.access.ended(&permit).await, GrantEnd::Gone);
}

#[tokio::test]
async fn a_grant_allows_what_both_the_policy_as_approved_and_the_one_in_force_allow() {
    let house = House::open().await;
    house.grant().await;
    // Wider than what was approved: nothing is gained.
    let mut changed = policy("debug", 1);
    changed["spec"]["allow"] = json!({"shell": true, "exec": true, "logs": true});
    house.fake.put("accesspolicies", &changed);
    let loaded = |house: &House| house.events().iter().filter(|kind| **kind == Kind::PolicyLoaded).count();
    house.until("the wider policy is read", |house| loaded(house) == 2).await;
    assert!(house.permit(&alice()).await.is_ok());
    let logs = house.access.authorize(&alice(), Action::Logs, &payments()).await;
    assert_eq!(logs.unwrap_err().exit_status(), 77);
    // Narrower: what it no longer has is lost.
    changed["spec"]["allow"] = json!({"logs": true});
    house.fake.put("accesspolicies", &changed);
    house.until("the narrower policy is read", |house| loaded(house) == 3).await;
    assert_eq!(house.permit(&alice()).await.unwrap_err().exit_status(), 77);
}

#[tokio::test]
async fn approvals_of_another_version_of_the_policy_do_not_count() {
    let house = House::with(&[policy("debug", 2)]).await;
    let asked = house.ask(&alice()).await.unwrap();
    let name = RequestName::parse(&asked.name).unwrap();
    assert_eq!(house.access.approve(&bob(), &name).await.unwrap().approvals_missing, 1);
    assert_eq!(house.access.approve(&bob(), &name).await.unwrap().approvals_missing, 1);
    let mut wider = policy("debug", 2);
    wider["spec"]["clusterRole"] = json!("cluster-admin");
    house.fake.put("accesspolicies", &wider);
    let carol = Identity::for_tests("carol", &["leads"]);
    house
        .until("the policy is read", |house| {
            house.access.policies_for(&alice())[0].cluster_role == "cluster-admin"
        })
        .await;
    let view = house.access.approve(&carol, &name).await.unwrap();
    assert_eq!((view.phase, view.approvals_missing), (Phase::Pending, 1));
    assert_eq!(house.access.approve(&bob(), &name).await.unwrap().phase, Phase::Active);
}

#[tokio::test]
async fn people_see_their_own_requests_and_those_they_may_approve() {
    let house = House::open().await;
    let asked = house.ask(&alice()).await.unwrap();
    let eve = Identity::for_tests("eve", &["oncall"]);
    assert_eq!(house.access.policies_for(&alice()).len(), 1);
    assert!(house.access.policies_for(&bob()).is_empty());
    assert!(house.access.requests(&eve).is_empty());
    assert_eq!(house.access.requests(&alice()).len(), 1);
    let name = RequestName::parse(&asked.name).unwrap();
    let view = house.access.revoke(&alice(), &name, None).await.unwrap();
    assert_eq!(view.phase, Phase::Revoked);
    assert_eq!(house.fake.asked(&Method::POST, "rolebindings"), 0);
    house.clock.advance(Duration::from_secs(8 * 24 * 3600));
    assert!(house.access.requests(&alice()).is_empty());
}
