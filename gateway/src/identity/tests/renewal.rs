//! Tokens renewed to go on asking, and what their refusal proves: that somebody is gone, or nothing.

use std::io::Write;
use std::sync::Mutex;
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::recheck::{EVERY, Told, lasting};
use super::*;

/// Tokens whose access part is over at each round.
fn short() -> Value {
    json!({"access_token": "access-1", "expires_in": 60, "refresh_token": "refresh-1"})
}

fn renewed(number: u32) -> Reply {
    Reply::json(&json!({
        "access_token": format!("access-{number}"), "expires_in": 60, "refresh_token": format!("refresh-{number}"),
    }))
}

fn dropped() -> Reply {
    // Understood as nothing: the answer broke off.
    Reply { status: 200, body: "{\"access_to".to_owned(), header: String::new() }
}

const GONE: &str =
    "alice gone: the provider takes the refresh token no more: the account or its session there is over";

#[tokio::test]
async fn a_token_near_its_end_is_renewed_and_the_newest_refresh_token_is_used() {
    let world = World::asking(short()).await;
    world.userinfo(&json!({"sub": "0042", "groups": ["dev"]}));
    let kept = Reply::json(&json!({"access_token": "access-3", "expires_in": 60}));
    world.stub.answer("/token", [renewed(2), kept, renewed(4)]);
    for _ in 0..3 {
        assert_eq!(world.round().await, ["alice in dev"]);
    }
    let used: Vec<String> = world.stub.asked("/token").into_iter().map(|asked| asked.body).collect();
    assert!(used.iter().all(|body| body.contains("grant_type=refresh_token")), "{used:?}");
    let with = |body: &String, token: &str| body.contains(&format!("refresh_token={token}&"));
    // Where no new one comes, the old one stays good.
    assert!(
        with(&used[0], "refresh-1") && with(&used[1], "refresh-2") && with(&used[2], "refresh-2"),
        "{used:?}"
    );
    let shown: Vec<String> = world.stub.asked("/userinfo").into_iter().map(|asked| asked.head).collect();
    for (head, token) in shown.iter().zip(["access-2", "access-3", "access-4"]) {
        assert!(head.contains(&format!("Bearer {token}")), "{head}");
    }
}

#[tokio::test]
async fn a_refused_refresh_token_means_gone_and_goes_on_meaning_it() {
    let world = World::asking(short()).await;
    world.stub.answer("/token", [Reply::error(400, "invalid_grant")]);
    assert_eq!(world.round().await, [GONE]);
    // What could not be ended the first time, or was asked for since, is ended then; the provider is not asked again.
    assert_eq!(world.round().await, [GONE]);
    assert_eq!(world.stub.asked("/token").len(), 1);
    assert!(world.stub.asked("/userinfo").is_empty());
    let alice = world.verify(json!({})).await.unwrap();
    let narrowed = world.oidc.rechecks().narrowed(&alice, Timestamp::UNIX_EPOCH).unwrap();
    assert!(narrowed.groups().is_empty());
}

#[tokio::test]
async fn a_refresh_token_whose_last_answer_may_be_lost_proves_nothing() {
    let broken = || Reply { status: 502, body: String::new(), header: String::new() };
    let no_access = || Reply::json(&json!({"token_type": "Bearer"}));
    let huge = || Reply { status: 200, body: " ".repeat(600 * 1024), header: String::new() };
    for lost in [dropped(), broken(), no_access(), huge()] {
        let world = World::asking(short()).await;
        world.stub.answer("/token", [lost.clone(), Reply::error(400, "invalid_grant")]);
        assert_eq!(world.round().await, [""; 0], "{}", lost.status);
        let heard = world.round().await;
        assert!(heard.len() == 1 && heard[0].starts_with("alice lost: "), "{heard:?}");
        // Nothing is left to ask with, and that is said once.
        assert_eq!(world.round().await, [""; 0]);
        assert_eq!(world.stub.asked("/token").len(), 2);
    }
    // The connection ends without a word.
    let world = World::asking(short()).await;
    world.stub.answer("/token", []);
    assert_eq!(world.round().await, [""; 0]);
    world.stub.answer("/token", [Reply::error(400, "invalid_grant")]);
    assert!(world.round().await[0].starts_with("alice lost: "));
}

#[tokio::test]
async fn a_provider_that_hangs_is_waited_for_within_bounds_and_ends_nothing() {
    let userinfo = async {
        let world = World::asking(lasting()).await;
        world.userinfo(&json!({"sub": "0042", "groups": []}));
        let gate = world.stub.hold("/userinfo");
        assert_eq!(world.round().await, [""; 0]);
        gate.add_permits(2);
        assert_eq!(world.round().await, ["alice in "]);
    };
    let renewal = async {
        let world = World::asking(short()).await;
        world.stub.answer("/token", [renewed(2), Reply::error(400, "invalid_grant")]);
        let gate = world.stub.hold("/token");
        assert_eq!(world.round().await, [""; 0]);
        gate.add_permits(2);
        // The provider has given new tokens, and nobody has them: that the old one is refused proves nothing.
        assert!(world.round().await[0].starts_with("alice lost: "));
    };
    let both = async { tokio::join!(userinfo, renewal) };
    tokio::time::timeout(Duration::from_secs(90), both).await.expect("ten seconds and no more");
}

#[tokio::test]
async fn an_answer_after_a_lost_one_removes_the_doubt() {
    let world = World::asking(short()).await;
    world.userinfo(&json!({"sub": "0042", "groups": ["dev"]}));
    world.stub.answer("/token", [dropped(), renewed(2), Reply::error(400, "invalid_grant")]);
    assert_eq!(world.round().await, [""; 0]);
    assert_eq!(world.round().await, ["alice in dev"]);
    assert_eq!(world.round().await, [GONE]);
}

#[tokio::test]
async fn refusals_that_are_not_about_the_person_end_nothing() {
    let world = World::asking(short()).await;
    for (status, code) in [
        (400, "invalid_request"),
        (401, "invalid_client"),
        (400, "unauthorized_client"),
        (429, ""),
        (404, ""),
    ] {
        world.stub.answer("/token", [Reply::error(status, code)]);
        assert_eq!(world.round().await, [""; 0], "{status} {code}");
    }
    // A server error that speaks of grants is a server error.
    world.stub.answer("/token", [Reply::error(500, "invalid_grant")]);
    assert_eq!(world.round().await, [""; 0]);
}

#[tokio::test]
async fn a_provider_out_of_reach_casts_no_doubt_on_a_refresh_token() {
    let world = World::asking(short()).await;
    assert_eq!(world.oidc.probe().await.ok(), Some(()));
    let address = world.stub.issuer().trim_start_matches("http://").to_owned();
    let World { stub, signer, clock, oidc } = world;
    drop(stub);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let told = Told::default();
    clock.advance(EVERY);
    oidc.recheck_round(&told).await;
    assert_eq!(told.take(), [""; 0]);
    let stub = Stub::listen(tokio::net::TcpListener::bind(address).await.unwrap(), None);
    stub.describe(&json!({}));
    stub.answer("/token", [Reply::error(400, "invalid_grant")]);
    let world = World { stub, signer, clock, oidc };
    assert_eq!(world.round().await, [GONE]);
}

#[tokio::test]
async fn a_refresh_token_past_its_own_time_proves_nothing() {
    let mut tokens = short();
    tokens["refresh_expires_in"] = json!(120);
    let world = World::asking(tokens).await;
    world.stub.answer("/token", [Reply::error(400, "invalid_grant")]);
    assert_eq!(world.round().await, ["alice lost: the refresh token's own time was over"]);
}

#[tokio::test]
async fn without_a_refresh_token_the_end_of_the_access_token_is_said_and_ends_nothing() {
    let world = World::asking(json!({"access_token": "access-1", "expires_in": 60})).await;
    let heard = world.round().await;
    assert_eq!(heard, ["alice lost: the access token is over, and the provider gave no refresh token"]);
    let world = World::asking(lasting()).await;
    world.stub.answer("/userinfo", [Reply::error(401, "invalid_token")]);
    assert!(world.round().await[0].starts_with("alice lost: the provider takes the access token no more"));
    let world = World::asking(json!({})).await;
    assert_eq!(world.round().await, [""; 0]);
}

#[tokio::test]
async fn an_access_token_refused_before_its_end_is_renewed_to_find_out_why() {
    let tokens = || json!({"access_token": "access-1", "expires_in": 36_000, "refresh_token": "refresh-1"});
    let refused = || Reply::error(401, "invalid_token");
    let world = World::asking(tokens()).await;
    world.stub.answer("/userinfo", [refused(), Reply::json(&json!({"sub": "0042", "groups": ["dev"]}))]);
    world.stub.answer("/token", [renewed(2)]);
    assert_eq!(world.round().await, ["alice in dev"]);

    let world = World::asking(tokens()).await;
    world.stub.answer("/userinfo", [refused()]);
    world.stub.answer("/token", [Reply::error(400, "invalid_grant")]);
    assert_eq!(world.round().await, [GONE]);

    let world = World::asking(tokens()).await;
    world.stub.answer("/userinfo", [refused()]);
    world.stub.answer("/token", [renewed(2)]);
    assert_eq!(world.round().await, [""; 0], "a provider that refuses its own new tokens proves nothing");
}

#[tokio::test]
async fn a_renewed_id_token_shows_groups_where_nothing_else_does() {
    let world = World::asking(short()).await;
    world.userinfo(&json!({"sub": "0042"}));
    let with = |groups: Value| {
        let id_token = world.token(json!({"groups": groups, "exp": world.now() + 36_000}));
        let reply = json!({"access_token": "a", "expires_in": 36_000, "id_token": id_token.expose_secret()});
        world.stub.answer("/token", [Reply::json(&reply)]);
    };
    with(json!(["dev"]));
    assert_eq!(world.round().await, ["alice in dev"]);
    // From then on it is renewed each time, although the access token lives.
    with(json!([]));
    assert_eq!(world.round().await, ["alice in "]);
    with(Value::Null);
    assert_eq!(world.round().await, [""; 0], "absent is unknown here, too");
    // A forged one, and one for somebody else.
    let mallory = Signer::new("k1", Algorithm::ES256);
    let forged = mallory.sign(&world.claims(json!({"groups": []})));
    let reply = json!({"access_token": "a", "expires_in": 36_000, "id_token": forged.expose_secret()});
    world.stub.answer("/token", [Reply::json(&reply)]);
    assert_eq!(world.round().await, [""; 0]);
    let other = world.token(json!({"sub": "0043", "groups": [], "exp": world.now() + 36_000}));
    let reply = json!({"access_token": "a", "expires_in": 36_000, "id_token": other.expose_secret()});
    world.stub.answer("/token", [Reply::json(&reply)]);
    assert_eq!(world.round().await, ["alice lost: the provider's new ID token names another person"]);
}

/// A world whose client has a secret, so that introspection is asked.
async fn confidential(tokens: Value) -> (tempfile::TempDir, World) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    std::fs::write(&file, "hush-client\n").unwrap();
    let world = World::asking_with(|settings| settings.client_secret_file = Some(file), tokens).await;
    (dir, world)
}

#[tokio::test]
async fn introspection_that_turns_inactive_means_gone() {
    let (_dir, world) = confidential(lasting()).await;
    world.userinfo(&json!({"sub": "0042", "groups": ["dev"]}));
    let (active, inactive) = (Reply::json(&json!({"active": true})), Reply::json(&json!({"active": false})));
    world.stub.answer("/introspect", [active, inactive]);
    assert_eq!(world.round().await, ["alice in dev"]);
    assert_eq!(world.round().await, ["alice gone: the provider says that the sign-in is no longer active"]);
    let asked = &world.stub.asked("/introspect")[0];
    assert!(asked.body.contains("token=access-1&token_type_hint=access_token"), "{}", asked.body);
    assert!(asked.head.to_ascii_lowercase().contains("authorization: basic "), "{}", asked.head);
}

#[tokio::test]
async fn introspection_may_show_the_groups_that_userinfo_does_not() {
    let (_dir, world) = confidential(lasting()).await;
    world.userinfo(&json!({"sub": "0042"}));
    let shows = |answer: Value| world.stub.answer("/introspect", [Reply::json(&answer)]);
    shows(json!({"active": true, "sub": "0042", "groups": ["dev"]}));
    assert_eq!(world.round().await, ["alice in dev"]);
    for answer in [
        json!({"active": true, "sub": "0043", "groups": []}),
        json!({"active": true, "groups": []}),
        json!({"active": "true", "sub": "0042", "groups": []}),
        json!({"active": "false"}),
        json!({"sub": "0042", "groups": []}),
        json!([]),
    ] {
        shows(answer.clone());
        assert_eq!(world.round().await, [""; 0], "{answer}");
    }
}

#[tokio::test]
async fn introspection_that_never_called_a_token_active_is_believed_only_with_another_witness() {
    let inactive = || Reply::json(&json!({"active": false}));
    // Userinfo takes the token: this client may simply not ask there.
    let (_dir, world) = confidential(short()).await;
    world.userinfo(&json!({"sub": "0042", "groups": ["dev"]}));
    world.stub.answer("/introspect", [inactive()]);
    world.stub.answer("/token", [renewed(2)]);
    assert_eq!(world.round().await, [""; 0]);
    // Both refuse it.
    let (_dir, world) = confidential(lasting()).await;
    world.stub.answer("/userinfo", [Reply::error(401, "invalid_token")]);
    world.stub.answer("/introspect", [inactive()]);
    assert!(world.round().await[0].starts_with("alice gone: "));
    // Both refuse it, but nobody knows how long it was good for.
    let (_dir, world) = confidential(json!({"access_token": "access-1"})).await;
    world.stub.answer("/userinfo", [Reply::error(401, "invalid_token")]);
    world.stub.answer("/introspect", [inactive()]);
    assert!(world.round().await[0].starts_with("alice lost: "));
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_token_is_in_the_log_or_in_what_is_printed_of_the_memory() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new("sallyport=trace"))
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let (_dir, world) =
        confidential(json!({"access_token": "hush-a1", "expires_in": 60, "refresh_token": "hush-r1"})).await;
    let shown = format!("{:?}", world.oidc);
    assert!(shown.contains("alice") && !shown.contains("hush"), "{shown}");
    let next = json!({"access_token": "hush-a2", "expires_in": 60, "refresh_token": "hush-r2"});
    world.stub.answer(
        "/token",
        [
            Reply::error(500, "hush-is-not-repeated"),
            Reply::json(&next),
            Reply {
                status: 200,
                body: r#"{"access_token": "hush-a3", "refresh_token": 7}"#.to_owned(),
                header: String::new(),
            },
            Reply::error(400, "invalid_grant"),
        ],
    );
    world.stub.answer("/userinfo", [Reply::error(401, "invalid_token")]);
    world.stub.answer("/introspect", [Reply::json(&json!({"active": true, "token": "hush"}))]);
    for _ in 0..5 {
        world.round().await;
        let shown = format!("{:?}", world.oidc);
        assert!(!shown.contains("hush"), "{shown}");
    }
    drop(guard);
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("could not be asked") && log.contains("until they sign in again"), "{log}");
    assert!(!log.contains("hush"), "{log}");
}
