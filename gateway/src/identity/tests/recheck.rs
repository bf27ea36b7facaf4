//! The provider asked again about people: what it may answer, and what follows from it.

use std::sync::Mutex;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::super::tokens::TokenAnswer;
use super::*;

pub(super) const EVERY: Duration = Duration::from_secs(300);

/// Hears what is said, and says that alice has something to lose.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) heard: Mutex<Vec<String>>,
    pub(super) nobody: bool,
}

impl Told {
    /// What was heard since the last time.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }

    fn hear(&self, what: String) -> Vec<String> {
        self.heard.lock().unwrap().push(what);
        Vec::new()
    }
}

impl Watch for Told {
    fn people(&self) -> People {
        let usernames = (0..100).map(|n| format!("person-{n}")).chain(["alice".to_owned()]);
        if self.nobody {
            People::default()
        } else {
            People { usernames: usernames.collect(), ..People::default() }
        }
    }

    fn shown<'a>(&'a self, who: &'a Identity) -> BoxFuture<'a, Vec<String>> {
        let groups: Vec<&str> = who.groups().iter().map(String::as_str).collect();
        let ended = self.hear(format!("{} in {}", who.username(), groups.join(" ")));
        async { ended }.boxed()
    }

    fn gone<'a>(&'a self, who: &'a Identity, why: &'a str) -> BoxFuture<'a, Vec<String>> {
        let ended = self.hear(format!("{} gone: {why}", who.username()));
        async { ended }.boxed()
    }

    fn lost(&self, who: &Identity, why: &str) {
        self.hear(format!("{} lost: {why}", who.username()));
    }
}

impl World {
    /// With everything that can be asked, and alice signed in.
    pub(super) async fn asking(tokens: Value) -> Self {
        Self::asking_with(|_| {}, tokens).await
    }

    pub(super) async fn asking_with(change: impl FnOnce(&mut OidcSettings), tokens: Value) -> Self {
        let world = Self::with(|settings| {
            settings.recheck = Some(EVERY);
            change(settings);
        })
        .await;
        let url = |path: &str| format!("{}{path}", world.stub.issuer());
        world.stub.describe(&json!({
            "userinfo_endpoint": url("/userinfo"), "introspection_endpoint": url("/introspect"),
        }));
        world.keep(tokens).await;
        world
    }

    /// Alice signs in and these tokens come along.
    pub(super) async fn keep(&self, tokens: Value) {
        let alice = self.verify(json!({})).await.unwrap();
        let answer: TokenAnswer = serde_json::from_value(tokens).unwrap();
        self.oidc.rechecks().keep(&alice, answer.keep(crate::clock::Clock::now(&*self.clock)));
    }

    pub(super) fn userinfo(&self, body: &Value) {
        self.stub.answer("/userinfo", [Reply::json(body)]);
    }

    /// What is heard in the next round.
    pub(super) async fn round(&self) -> Vec<String> {
        let told = Told::default();
        self.clock.advance(EVERY);
        self.oidc.recheck_round(&told).await;
        told.take()
    }
}

pub(super) fn lasting() -> Value {
    json!({"access_token": "access-1", "expires_in": 36_000})
}

#[tokio::test]
async fn the_groups_that_userinfo_shows_are_the_truth_also_when_there_are_none() {
    let world = World::asking(lasting()).await;
    for (groups, heard) in [
        (json!(["oncall", "dev"]), "alice in dev oncall"),
        (json!(["dev"]), "alice in dev"),
        (json!("dev"), "alice in dev"),
        (json!([]), "alice in "),
        (json!(["oncall"]), "alice in oncall"),
    ] {
        world.userinfo(&json!({"sub": "0042", "groups": groups}));
        assert_eq!(world.round().await, [heard], "{groups}");
    }
    let asked = world.stub.asked("/userinfo");
    assert_eq!(asked.len(), 5);
    assert!(asked[0].head.contains("Bearer access-1"), "{}", asked[0].head);
    assert!(world.stub.asked("/introspect").is_empty(), "a public client has no business there");
}

/// People are known by subject, whatever they are called.
struct All<'a>(&'a Told, String);

impl Watch for All<'_> {
    fn people(&self) -> People {
        let accounts = std::iter::once((self.1.clone(), "0042".to_owned())).collect();
        People { accounts, ..People::default() }
    }

    fn shown<'a>(&'a self, who: &'a Identity) -> BoxFuture<'a, Vec<String>> {
        self.0.shown(who)
    }

    fn gone<'a>(&'a self, who: &'a Identity, why: &'a str) -> BoxFuture<'a, Vec<String>> {
        self.0.gone(who, why)
    }

    fn lost(&self, who: &Identity, why: &str) {
        self.0.lost(who, why);
    }
}

#[tokio::test]
async fn prefixes_and_a_changed_username_are_as_at_sign_in() {
    let change = |settings: &mut OidcSettings| {
        settings.groups_prefix = Some("oidc:".to_owned());
        settings.username_prefix = Some("oidc:".to_owned());
    };
    let world = World::asking_with(change, lasting()).await;
    let told = Told::default();
    world.clock.advance(EVERY);
    world.userinfo(&json!({"sub": "0042", "groups": ["dev"], "preferred_username": "alicia"}));
    world.oidc.recheck_round(&All(&told, world.stub.issuer().to_owned())).await;
    assert_eq!(told.take(), ["oidc:alicia in oidc:dev"]);
}

#[tokio::test]
async fn an_answer_that_does_not_speak_of_groups_changes_nothing() {
    let world = World::asking(lasting()).await;
    for answer in [
        json!({"sub": "0042"}),
        json!({"sub": "0042", "groups": null}),
        json!({"sub": "0042", "_claim_names": {"groups": "src1"}}),
    ] {
        world.userinfo(&answer);
        assert_eq!(world.round().await, [""; 0], "{answer}");
    }
    // And it is asked about again.
    world.userinfo(&json!({"sub": "0042", "groups": []}));
    assert_eq!(world.round().await, ["alice in "]);
}

#[tokio::test]
async fn an_answer_about_somebody_else_or_nonsense_changes_nothing() {
    let world = World::asking(lasting()).await;
    for answer in [
        json!({"sub": "0043", "groups": []}),
        json!({"groups": []}),
        json!({"sub": 42, "groups": []}),
        json!({"sub": "0042", "groups": 7}),
        json!({"sub": "0042", "groups": [7]}),
        json!({"sub": "0042", "groups": ["system:masters"]}),
        json!({"sub": "0042", "groups": [], "preferred_username": 7}),
        json!([]),
    ] {
        world.userinfo(&answer);
        assert_eq!(world.round().await, [""; 0], "{answer}");
    }
    let signed = world.signer.sign(&json!({"sub": "0042", "groups": []}));
    use secrecy::ExposeSecret as _;
    let text = |status, body: &str| Reply { status, body: body.to_owned(), header: String::new() };
    for reply in [
        // A signed answer is not read unverified.
        text(200, signed.expose_secret()),
        text(200, "<html>"),
        text(200, ""),
        text(204, ""),
        text(302, ""),
        text(403, r#"{"sub": "0042", "groups": []}"#),
        text(500, r#"{"sub": "0042", "groups": []}"#),
        text(503, ""),
        text(200, &format!("{{\"sub\": \"0042\", \"groups\": []{}}}", " ".repeat(600 * 1024))),
    ] {
        world.stub.answer("/userinfo", [reply.clone()]);
        assert_eq!(world.round().await, [""; 0], "{} {:.40}", reply.status, reply.body);
    }
    world.stub.answer("/userinfo", []);
    assert_eq!(world.round().await, [""; 0], "no answer at all");
    world.userinfo(&json!({"sub": "0042", "groups": ["dev"]}));
    assert_eq!(world.round().await, ["alice in dev"]);
}

#[tokio::test]
async fn only_people_with_something_to_lose_are_asked_about_and_others_are_forgotten() {
    let world = World::asking(lasting()).await;
    world.userinfo(&json!({"sub": "0042", "groups": []}));
    let told = Told { nobody: true, ..Told::default() };
    world.clock.advance(EVERY);
    world.oidc.recheck_round(&told).await;
    assert_eq!(told.take(), [""; 0]);
    assert!(world.stub.asked("/userinfo").is_empty());
    assert_eq!(world.round().await.len(), 1, "still remembered");
    // As long as the certificate that the sign-in led to, and no longer.
    world.clock.advance(Duration::from_secs(8 * 3600));
    world.oidc.recheck_round(&told).await;
    assert_eq!(world.round().await, [""; 0]);
}

#[tokio::test]
async fn nobody_is_asked_about_more_often_than_the_setting_says() {
    let world = World::asking(lasting()).await;
    world.userinfo(&json!({"sub": "0042", "groups": []}));
    let told = Told::default();
    for _ in 0..20 {
        world.clock.advance(EVERY / 20);
        world.oidc.recheck_round(&told).await;
    }
    let rounds = told.take().len();
    assert!((1..=2).contains(&rounds), "{rounds}");
}

#[tokio::test]
async fn it_goes_on_asking_by_the_clock_until_the_gateway_stops() {
    let world = World::asking(lasting()).await;
    world.userinfo(&json!({"sub": "0042", "groups": ["dev"]}));
    let (told, stop) = (Told::default(), tokio_util::sync::CancellationToken::new());
    let asking = world.oidc.recheck(&told, stop.clone());
    let time = async {
        for rounds in 1..=2 {
            while told.heard.lock().unwrap().len() < rounds {
                world.clock.advance(Duration::from_secs(30));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        // In the middle of a question, too.
        let _gate = world.stub.hold("/userinfo");
        let asked = world.stub.asked("/userinfo").len();
        while world.stub.asked("/userinfo").len() == asked {
            world.clock.advance(Duration::from_secs(30));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
    };
    let both = async { tokio::join!(asking, time) };
    tokio::time::timeout(Duration::from_secs(90), both).await.expect("it stops when it is told to");
    assert!(told.take().iter().all(|heard| heard == "alice in dev"));
}

#[tokio::test]
async fn nothing_is_remembered_where_it_is_switched_off() {
    let world = World::asking_with(|settings| settings.recheck = None, lasting()).await;
    world.userinfo(&json!({"sub": "0042", "groups": []}));
    assert_eq!(world.round().await, [""; 0]);
    assert!(world.stub.asked("/userinfo").is_empty());
    assert_eq!(world.oidc.rechecks().remembered(), 0);
}

#[tokio::test]
async fn no_more_people_are_remembered_than_there_is_room_for_and_the_oldest_goes() {
    let world = World::asking(lasting()).await;
    let rechecks = world.oidc.rechecks();
    let room = super::super::recheck::MOST;
    for number in 0..room {
        let who = Identity::for_tests(&format!("p{number}"), &[]);
        let answer: TokenAnswer = serde_json::from_value(lasting()).unwrap();
        rechecks.keep(&who, answer.keep(crate::clock::Clock::now(&*world.clock)));
    }
    assert_eq!(rechecks.remembered(), room);
    world.userinfo(&json!({"sub": "0042", "groups": []}));
    assert_eq!(world.round().await, [""; 0], "alice came first and went first");
}

#[tokio::test]
async fn a_provider_that_answers_nobody_is_left_alone_for_a_while_and_then_asked_again() {
    let world = World::asking(lasting()).await;
    for number in 0..50 {
        let who = Identity::for_tests(&format!("person-{number}"), &["dev"]);
        let answer: TokenAnswer = serde_json::from_value(lasting()).unwrap();
        world.oidc.rechecks().keep(&who, answer.keep(crate::clock::Clock::now(&*world.clock)));
    }
    world.stub.answer("/userinfo", [Reply::error(503, "")]);
    assert_eq!(world.round().await, [""; 0]);
    let asked = world.stub.asked("/userinfo").len();
    assert!((4..=8).contains(&asked), "{asked}");
    let told = Told::default();
    world.clock.advance(Duration::from_secs(4));
    world.oidc.recheck_round(&told).await;
    assert_eq!(world.stub.asked("/userinfo").len(), asked, "not so soon");
    // It is back: everybody gets a turn, also those who were left out.
    world.userinfo(&json!({"sub": "0042", "groups": []}));
    world.clock.advance(EVERY);
    world.oidc.recheck_round(&told).await;
    assert_eq!(world.stub.asked("/userinfo").len(), asked + 51);
    assert_eq!(told.take(), ["alice in "], "the others are not 0042");
}

#[tokio::test]
async fn an_answer_that_belongs_to_an_older_sign_in_counts_for_nothing() {
    let world = World::asking(lasting()).await;
    world.userinfo(&json!({"sub": "0042", "groups": []}));
    let gate = world.stub.hold("/userinfo");
    let told = Told::default();
    world.clock.advance(EVERY);
    let round = async {
        world.oidc.recheck_round(&told).await;
    };
    let meanwhile = async {
        while world.stub.asked("/userinfo").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        world.keep(json!({"access_token": "access-2", "expires_in": 36_000})).await;
        gate.add_permits(100);
    };
    tokio::join!(round, meanwhile);
    assert_eq!(told.take(), [""; 0]);
    assert_eq!(world.round().await, ["alice in "]);
    assert!(world.stub.asked("/userinfo").last().unwrap().head.contains("access-2"));
}

#[tokio::test]
async fn a_certificate_gives_no_group_that_the_provider_has_denied_since() {
    let world = World::asking(lasting()).await;
    let now = || crate::clock::Clock::now(&*world.clock);
    let alice = world.verify(json!({})).await.unwrap();
    let issued = now();
    let rechecks = world.oidc.rechecks();
    assert_eq!(rechecks.narrowed(&alice, issued), None);
    world.userinfo(&json!({"sub": "0042", "groups": ["dev", "new"]}));
    world.round().await;
    let narrowed = rechecks.narrowed(&alice, issued).unwrap();
    assert_eq!(narrowed.groups().iter().collect::<Vec<_>>(), ["dev"], "and none that it does not name");
    // A certificate from a sign-in elsewhere after that answer knows better.
    assert_eq!(rechecks.narrowed(&alice, now()), None);
    let bob = Identity::for_tests("bob", &["leads"]);
    assert_eq!(rechecks.narrowed(&bob, issued), None, "nobody asked about him");
    // Signing in again is the way back.
    world.keep(lasting()).await;
    assert_eq!(rechecks.narrowed(&alice, now()), None);
}

#[tokio::test]
async fn offline_access_is_asked_for_only_where_it_is_known_allowed_and_of_use() {
    let device = json!({
        "device_code": "d", "user_code": "BCDF-GHJK", "expires_in": 600, "interval": 1,
        "verification_uri": "https://id.test/device",
    });
    let scope_with = async |known: bool, allowed: bool, recheck: bool| {
        let world = World::with(|settings| {
            settings.offline_access = allowed;
            settings.recheck = recheck.then_some(EVERY);
        })
        .await;
        let scopes = if known { json!(["openid", "offline_access"]) } else { json!(["openid"]) };
        world.stub.describe(&json!({"scopes_supported": scopes}));
        world.stub.answer("/device", [Reply::json(&device)]);
        world.oidc.begin_device().await.unwrap();
        world.stub.asked("/device")[0].body.contains("offline_access")
    };
    assert!(scope_with(true, true, true).await);
    assert!(!scope_with(false, true, true).await);
    assert!(!scope_with(true, false, true).await);
    assert!(!scope_with(true, true, false).await);

    // A client to which the provider does not give it signs people in all the same.
    let world = World::with(|settings| settings.recheck = Some(EVERY)).await;
    world.stub.describe(&json!({"scopes_supported": ["offline_access"]}));
    world.stub.answer("/device", [Reply::error(400, "invalid_scope"), Reply::json(&device)]);
    world.oidc.begin_device().await.unwrap();
    let asked = world.stub.asked("/device");
    assert!(asked.len() == 2 && !asked[1].body.contains("offline_access"), "{asked:?}");
}

#[tokio::test]
async fn somebody_signed_in_at_the_embedded_provider_is_asked_about_with_tokens_that_are_renewed_each_time() {
    use sallyport_dev::idp::{DevPerson, Idp};
    let dir = tempfile::tempdir().unwrap();
    let idp = Idp::start("127.0.0.1:0".parse().unwrap(), dir.path(), DevPerson::cast()).await.unwrap();
    let mut settings = OidcSettings::new(idp.issuer(), idp.client_id());
    settings.recheck = Some(EVERY);
    let clock = ManualClock::at(crate::clock::Clock::now(&crate::clock::SystemClock));
    let oidc = Oidc::discover(&settings, clock.clone()).unwrap();
    let sign_in = oidc.begin_device().await.unwrap();
    idp.sign_in(&sign_in.user_code, "alice").unwrap();
    sign_in.finish().await.unwrap();
    let told = Told::default();
    let round = async || {
        clock.advance(EVERY);
        oidc.recheck_round(&told).await;
        told.take()
    };
    assert_eq!(round().await, ["alice in oncall"]);
    idp.set_groups("alice", &["dev", "leads"]).unwrap();
    assert_eq!(round().await, ["alice in dev leads"]);
    idp.set_silent(true);
    assert_eq!(round().await, [""; 0]);
    idp.set_silent(false);
    idp.set_groups("alice", &[]).unwrap();
    assert_eq!(round().await, ["alice in "]);
    idp.close("alice").unwrap();
    assert!(round().await[0].starts_with("alice gone: "));
}
