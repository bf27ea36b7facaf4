//! The console over real HTTP, with the embedded provider and a cluster of a few lines.

mod api;
mod browser;
mod hostile;
mod pages;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sallyport_dev::idp::{DevPerson, Idp};
use sallyport_policy::{Namespace, PolicyName, RequestName};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use super::{Links, Parts};
use crate::access::{Access, AccessSettings, Ask, RequestView};
use crate::audit::{Audit, Event, Kind};
use crate::clock::{Clock, ManualClock, SystemClock};
use crate::crd::Phase;
use crate::crd::fake::Fake;
use crate::identity::{Identity, Oidc, OidcSettings};
use browser::Browser;

const KEY: [u8; 32] = [7; 32];

struct House {
    fake: Fake,
    clock: Arc<ManualClock>,
    audit: Audit,
    access: Access,
    idp: Idp,
    address: SocketAddr,
    _dir: tempfile::TempDir,
    _stop: DropGuard,
}

fn policy(name: &str, more: Value) -> Value {
    let mut policy = json!({
        "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessPolicy", "metadata": {"name": name},
        "spec": {
            "subjects": {"groups": ["oncall", "leads"]}, "namespaces": ["payments", "staging"],
            "allow": {"shell": true, "exec": true, "forward": {"ports": [5432]}},
            "clusterRole": "sallyport-debug", "maxDuration": "2h",
            "approval": {"required": 1, "groups": ["leads"]},
        },
    });
    policy["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    policy
}

impl House {
    async fn open() -> Self {
        Self::with(|origin| Some(origin.to_owned())).await
    }

    /// A gateway whose public address is made of where it listens.
    async fn with(public: impl FnOnce(&str) -> Option<String>) -> Self {
        Self::build(public, |_| {}).await
    }

    async fn build(
        public: impl FnOnce(&str) -> Option<String>,
        change: impl FnOnce(&mut OidcSettings),
    ) -> Self {
        let start = SystemClock.now();
        let (fake, clock, audit) = (Fake::at(start), ManualClock::at(start), Audit::in_memory());
        fake.put("accesspolicies", &policy("debug", json!({})));
        let glass = json!({"breakGlass": {"reviewers": ["security"]}, "approval": {"required": 0}});
        fake.put("accesspolicies", &policy("glass", glass));
        let access = Access::start(fake.client(), AccessSettings::default(), clock.clone(), audit.clone())
            .await
            .unwrap();
        let stop = CancellationToken::new();
        let (leads, _) = tokio::sync::watch::channel(false);
        let settings = crate::reconcile::Settings::for_tests("gateway");
        let (client, held) = (fake.client(), access.clone());
        tokio::spawn(crate::reconcile::run(
            client,
            held,
            settings,
            clock.clone(),
            audit.clone(),
            stop.clone(),
            leads,
        ));
        let dir = tempfile::tempdir().unwrap();
        let idp = Idp::start("127.0.0.1:0".parse().unwrap(), dir.path(), DevPerson::cast()).await.unwrap();
        let mut settings = OidcSettings::new(idp.issuer(), idp.client_id());
        change(&mut settings);
        let oidc = Oidc::discover(&settings, clock.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let public_url = public(&format!("http://{address}")).map(|url| Url::parse(&url).unwrap());
        let parts = Parts {
            access: access.clone(),
            audit: audit.clone(),
            oidc: Arc::new(oidc),
            clock: clock.clone(),
            links: Links::new(&KEY, public_url.clone()),
            public_url,
            longest: Duration::from_secs(8 * 3600),
        };
        tokio::spawn(super::serve(listener, parts, stop.clone()));
        Self { fake, clock, audit, access, idp, address, _dir: dir, _stop: stop.drop_guard() }
    }

    fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    fn browser(&self) -> Browser {
        Browser::new(&self.origin())
    }

    /// A browser in which this person has signed in.
    async fn signed_in(&self, who: &str) -> Browser {
        let mut browser = self.browser();
        let home = browser.sign_in(who, "/login").await;
        assert!(home.shows(&format!("<span id=\"whoami\"><bdi>{who}</bdi></span>")), "{home:?}");
        browser
    }

    /// A request of alice's.
    async fn asked(&self, policy: &str) -> RequestView {
        let ask = Ask {
            namespaces: vec![Namespace::parse("payments").unwrap()],
            duration: Some(Duration::from_secs(3600)),
            reason: Some("INC-1".to_owned()),
            ..Ask::of(PolicyName::parse(policy).unwrap())
        };
        self.access.request(&self.person("alice", "oncall"), ask).await.unwrap()
    }

    /// Somebody, as the provider vouches for them.
    fn person(&self, name: &str, group: &str) -> Identity {
        let groups: std::collections::BTreeSet<&str> = [group].into();
        let (sub, iss) = (format!("dev-{name}"), self.idp.issuer());
        let form = json!({"v": 1, "iss": iss, "sub": sub, "username": name, "groups": groups});
        Identity::certified_for_tests(&form.to_string())
    }

    fn view(&self, name: &str) -> RequestView {
        self.access.one(&self.person("bob", "leads"), &RequestName::parse(name).unwrap()).unwrap()
    }

    fn events(&self, kind: Kind) -> Vec<Event> {
        self.audit.kept().into_iter().filter(|event| event.event == kind).collect()
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
