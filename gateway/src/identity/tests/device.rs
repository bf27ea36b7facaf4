//! Signing in on another device.

use std::time::Duration;

use sallyport_dev::idp::{DevPerson, Idp};

use super::*;
use crate::clock::{Clock, SystemClock};

const REPLY: fn() -> Value = || {
    json!({
        "device_code": "secret-device-code", "user_code": "BCDF-GHJK", "expires_in": 600, "interval": 1,
        "verification_uri": "https://id.test/device",
    })
};

struct Dev {
    _dir: tempfile::TempDir,
    idp: Idp,
    clock: Arc<ManualClock>,
    oidc: Oidc,
}

impl Dev {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let idp = Idp::start("127.0.0.1:0".parse().unwrap(), dir.path(), DevPerson::cast()).await.unwrap();
        let settings = OidcSettings::new(idp.issuer(), idp.client_id());
        let clock = ManualClock::at(SystemClock.now());
        let oidc = Oidc::discover(&settings, clock.clone()).unwrap();
        Self { _dir: dir, idp, clock, oidc }
    }
}

impl World {
    fn device(&self, change: Value) {
        let mut reply = REPLY();
        reply.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        self.stub.answer("/device", [Reply::json(&reply)]);
    }

    /// A token endpoint that ends with a good token.
    fn tokens(&self, before: impl IntoIterator<Item = Reply>) {
        use secrecy::ExposeSecret;
        let tokens = json!({"id_token": self.token(json!({})).expose_secret(), "token_type": "Bearer"});
        self.stub.answer("/token", before.into_iter().chain([Reply::json(&tokens)]));
    }
}

#[tokio::test]
async fn a_person_signs_in_at_the_embedded_provider_before_and_after_its_keys_change() {
    let dev = Dev::new().await;
    for (username, group) in [("alice", "oncall"), ("bob", "leads")] {
        let sign_in = dev.oidc.begin_device().await.unwrap();
        assert_eq!(sign_in.verification_uri, format!("{}/device", dev.idp.issuer()));
        assert!(sign_in.verification_uri_complete.as_ref().unwrap().contains(&sign_in.user_code));
        let code = sign_in.user_code.clone();
        let waiting = tokio::spawn(sign_in.finish());
        // Confirmed only after it has been asked about, which takes a second.
        tokio::time::sleep(Duration::from_millis(1300)).await;
        assert!(!waiting.is_finished());
        dev.idp.sign_in(&code, username).unwrap();
        let identity = waiting.await.unwrap().unwrap();
        assert_eq!(identity.username(), username);
        assert_eq!(identity.groups().iter().collect::<Vec<_>>(), [group]);
        assert_eq!(identity.issuer(), dev.idp.issuer());
        assert_eq!(identity.subject(), format!("dev-{username}"));
        dev.idp.rotate_keys().unwrap();
        // Keys are not fetched twice within ten seconds.
        dev.clock.advance(Duration::from_secs(10));
    }
}

#[tokio::test]
async fn a_sign_in_that_is_cancelled_says_so() {
    let dev = Dev::new().await;
    let sign_in = dev.oidc.begin_device().await.unwrap();
    dev.idp.deny(&sign_in.user_code).unwrap();
    let error = sign_in.finish().await.unwrap_err();
    assert!(matches!(error, IdentityError::Denied));
    assert_eq!(error.exit_status(), 77);
}

#[tokio::test]
async fn a_client_that_the_provider_does_not_know_is_told_to_its_operator() {
    let dev = Dev::new().await;
    let settings = OidcSettings::new(dev.idp.issuer(), "stranger");
    let oidc = Oidc::discover(&settings, Arc::new(SystemClock)).unwrap();
    let error = oidc.begin_device().await.unwrap_err().to_string();
    assert!(error.contains("`invalid_client`") && error.contains("`stranger`"), "{error}");
}

#[tokio::test]
async fn a_busy_provider_is_out_of_reach_and_not_our_operators_fault() {
    let world = World::new().await;
    for status in [429, 500, 503] {
        world.stub.answer("/device", [Reply::error(status, "temporarily_unavailable")]);
        let error = world.oidc.begin_device().await.unwrap_err();
        assert!(matches!(error, IdentityError::Unreachable { .. }), "{status}: {error}");
    }
}

#[tokio::test]
async fn nobody_waits_beyond_the_end_of_the_code() {
    let world = World::new().await;
    world.device(json!({"expires_in": 20}));
    world.stub.answer("/token", [Reply::error(400, "authorization_pending")]);
    let sign_in = world.oidc.begin_device().await.unwrap();
    assert_eq!(sign_in.expires_at.as_second(), world.now() + 20);
    let waiting = tokio::spawn(sign_in.finish());
    tokio::task::yield_now().await;
    world.clock.advance(Duration::from_secs(20));
    assert!(matches!(waiting.await.unwrap(), Err(IdentityError::TimedOut)));

    world.stub.answer("/token", [Reply::error(400, "expired_token")]);
    let sign_in = world.oidc.begin_device().await.unwrap();
    assert!(matches!(sign_in.finish().await, Err(IdentityError::TimedOut)));
}

#[tokio::test]
async fn a_hiccup_of_the_provider_does_not_end_a_sign_in() {
    let world = World::new().await;
    world.device(json!({}));
    let hiccup = Reply { status: 502, body: "<html>".to_owned(), header: String::new() };
    world.tokens([Reply::error(400, "authorization_pending"), hiccup]);
    let sign_in = world.oidc.begin_device().await.unwrap();
    assert_eq!(sign_in.finish().await.unwrap().username(), "alice");
    assert_eq!(world.stub.asked("/token").len(), 3);
}

#[tokio::test]
async fn slow_down_slows_down() {
    let world = World::new().await;
    world.device(json!({}));
    world.tokens([Reply::error(400, "slow_down")]);
    let waiting = tokio::spawn(world.oidc.begin_device().await.unwrap().finish());
    while world.stub.asked("/token").is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(world.stub.asked("/token").len(), 1, "after one second, and then not for six");
    waiting.abort();
}

#[tokio::test]
async fn errors_at_the_token_endpoint_end_the_sign_in() {
    let world = World::new().await;
    world.device(json!({}));
    let finish = async || world.oidc.begin_device().await.unwrap().finish().await.unwrap_err();
    world.stub.answer("/token", [Reply::error(400, "invalid_grant")]);
    assert!(matches!(finish().await, IdentityError::Client { .. }));
    world.stub.answer("/token", [Reply::error(401, "bad\u{1b}[2Jcode")]);
    assert!(!finish().await.to_string().contains('\u{1b}'));
    world.stub.answer("/token", [Reply::json(&json!({"access_token": "x"}))]);
    assert!(matches!(finish().await, IdentityError::Provider { .. }));
    world.stub.answer("/token", [Reply::json(&json!({"id_token": "x"}))]);
    assert!(matches!(finish().await, IdentityError::Token(TokenRefusal::Malformed)));
}

#[tokio::test]
async fn what_would_spoil_a_terminal_is_not_shown() {
    let world = World::new().await;
    for change in [
        json!({"user_code": "A\u{1b}[2J"}),
        json!({"user_code": ""}),
        json!({"user_code": "x".repeat(65)}),
        json!({"verification_uri": "https://id.test/\u{7}"}),
        json!({"verification_uri": "javascript:alert(1)"}),
        json!({"verification_uri_complete": "not a uri"}),
        json!({"device_code": null}),
    ] {
        world.device(change.clone());
        let error = world.oidc.begin_device().await.unwrap_err();
        assert!(matches!(error, IdentityError::Provider { .. }), "{change}: {error}");
    }
    world.stub.describe(&json!({"device_authorization_endpoint": null}));
    world.clock.advance(Duration::from_secs(3600));
    let error = world.oidc.begin_device().await.unwrap_err().to_string();
    assert!(error.contains("no device sign-in"), "{error}");
}

#[tokio::test]
async fn a_public_client_sends_its_name_and_a_confidential_one_proves_it() {
    let world = World::new().await;
    world.device(json!({}));
    world.oidc.begin_device().await.unwrap();
    let asked = world.stub.asked("/device").remove(0);
    assert_eq!(asked.body, "scope=openid+profile+email+groups&client_id=gateway");
    assert!(!asked.head.contains("authorization"));

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    let confidential = World::with(|settings| settings.client_secret_file = Some(file.clone())).await;
    confidential.device(json!({}));
    assert!(matches!(confidential.oidc.begin_device().await, Err(IdentityError::File { .. })));
    std::fs::write(&file, "s:cret&\n").unwrap();
    confidential.oidc.begin_device().await.unwrap();
    let asked = confidential.stub.asked("/device").remove(0);
    // base64("gateway:s%3Acret%26")
    assert!(asked.head.contains("authorization: Basic Z2F0ZXdheTpzJTNBY3JldCUyNg=="), "{}", asked.head);
    assert!(!asked.body.contains("cret"));

    confidential.stub.describe(&json!({"token_endpoint_auth_methods_supported": ["client_secret_post"]}));
    confidential.clock.advance(Duration::from_secs(3600));
    confidential.oidc.begin_device().await.unwrap();
    let asked = confidential.stub.asked("/device").remove(1);
    assert!(asked.body.ends_with("&client_secret=s%3Acret%26"), "{}", asked.body);
    assert!(!asked.head.contains("authorization"));
}

#[tokio::test]
async fn no_more_sign_ins_wait_than_there_is_room_for() {
    let world = World::new().await;
    world.device(json!({}));
    let mut waiting = Vec::new();
    for _ in 0..128 {
        waiting.push(world.oidc.begin_device().await.unwrap());
    }
    assert!(matches!(world.oidc.begin_device().await, Err(IdentityError::Busy)));
    waiting.pop();
    world.oidc.begin_device().await.unwrap();
}

#[tokio::test]
async fn a_sign_in_shows_no_secret_when_it_is_logged() {
    let world = World::new().await;
    world.device(json!({}));
    let sign_in = world.oidc.begin_device().await.unwrap();
    let shown = format!("{sign_in:?}");
    assert!(!shown.contains("secret-device-code") && !shown.contains("BCDF-GHJK"), "{shown}");
}
