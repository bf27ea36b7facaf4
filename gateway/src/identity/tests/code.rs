//! Signing in with a browser, as the stub provider answers it.

use std::collections::HashMap;

use secrecy::ExposeSecret;
use url::Url;

use super::*;

fn redirect() -> Url {
    Url::parse("http://127.0.0.1:8022/callback").unwrap()
}

impl World {
    /// A sign-in that was begun, and what the browser was sent with.
    async fn begun(&self) -> (CodeSignIn, HashMap<String, String>) {
        let sign_in = self.oidc.begin_code(&redirect()).await.unwrap();
        let sent = sign_in.address.query_pairs().into_owned().collect();
        (sign_in, sent)
    }

    fn give(&self, change: Value) {
        let tokens = json!({"id_token": self.token(change).expose_secret(), "token_type": "Bearer"});
        self.stub.answer("/token", [Reply::json(&tokens)]);
    }
}

fn code() -> CodeAnswer {
    CodeAnswer { code: Some("the-code".into()), ..CodeAnswer::default() }
}

#[tokio::test]
async fn a_browser_is_sent_with_everything_and_its_code_is_redeemed_with_the_verifier() {
    let world = World::new().await;
    let (sign_in, sent) = world.begun().await;
    assert!(sign_in.address.as_str().starts_with(&format!("{}/authorize?tenant=1&", world.stub.issuer())));
    assert_eq!(sent["response_type"], "code");
    assert_eq!((&*sent["client_id"], &*sent["redirect_uri"]), (CLIENT, redirect().as_str()));
    assert_eq!(sent["scope"], "openid profile email groups");
    assert_eq!((sent["code_challenge_method"].as_str(), sent["code_challenge"].len()), ("S256", 43));
    let others = world.begun().await.1;
    for name in ["state", "nonce", "code_challenge"] {
        assert!(sent[name].len() >= 43 && sent[name] != others[name], "{name}");
    }
    world.give(json!({"nonce": sent["nonce"]}));
    let identity = world.oidc.finish_code(sign_in, code()).await.unwrap();
    assert_eq!(identity.username(), "alice");
    let asked = world.stub.asked("/token").pop().unwrap();
    let form: HashMap<String, String> =
        url::form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect();
    assert_eq!(form["grant_type"], "authorization_code");
    assert_eq!((&*form["code"], &*form["redirect_uri"]), ("the-code", redirect().as_str()));
    let challenge = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, form["code_verifier"].as_bytes());
    assert_eq!(URL_SAFE_NO_PAD.encode(challenge), sent["code_challenge"]);
}

#[tokio::test]
async fn a_token_of_another_sign_in_is_not_taken() {
    let world = World::new().await;
    for nonce in [json!("another"), json!(null), json!("")] {
        let (sign_in, _) = world.begun().await;
        world.give(json!({"nonce": nonce}));
        assert_eq!(refusal(world.oidc.finish_code(sign_in, code()).await), TokenRefusal::Nonce, "{nonce}");
    }
}

#[tokio::test]
async fn an_answer_of_another_provider_is_not_redeemed() {
    let world = World::new().await;
    let (sign_in, _) = world.begun().await;
    let answer = CodeAnswer { issuer: Some("https://evil.test".to_owned()), ..code() };
    let error = world.oidc.finish_code(sign_in, answer).await.unwrap_err();
    assert!(matches!(error, IdentityError::Stray(_)) && error.exit_status() == 77, "{error}");
    // A provider that says it always names itself (RFC 9207) and does not.
    let world = World::new().await;
    world.stub.describe(&json!({"authorization_response_iss_parameter_supported": true}));
    let (sign_in, _) = world.begun().await;
    assert!(matches!(world.oidc.finish_code(sign_in, code()).await, Err(IdentityError::Stray(_))));
    assert!(world.stub.asked("/token").is_empty());
}

#[tokio::test]
async fn what_goes_wrong_at_the_provider_is_told_apart() {
    let world = World::new().await;
    let finish = async |answer| world.oidc.finish_code(world.begun().await.0, answer).await.unwrap_err();
    let said = |code: &str| CodeAnswer { error: Some(code.to_owned()), ..CodeAnswer::default() };
    assert!(matches!(finish(said("access_denied")).await, IdentityError::Denied));
    assert!(matches!(finish(said("invalid_scope")).await, IdentityError::Client { .. }));
    assert!(matches!(finish(CodeAnswer::default()).await, IdentityError::Stray(_)));
    let long = CodeAnswer { code: Some("x".repeat(5000).into()), ..CodeAnswer::default() };
    assert!(matches!(finish(long).await, IdentityError::Stray(_)));
    assert!(world.stub.asked("/token").is_empty());
    world.stub.answer("/token", [Reply::error(400, "invalid_grant")]);
    assert!(matches!(finish(code()).await, IdentityError::Stray(_)));
    world.stub.answer("/token", [Reply::error(401, "invalid_client")]);
    assert!(matches!(finish(code()).await, IdentityError::Client { .. }));
    world.stub.answer("/token", [Reply::error(503, "x")]);
    assert!(matches!(finish(code()).await, IdentityError::Unreachable { .. }));
    world.stub.answer("/token", [Reply::json(&json!({"token_type": "Bearer"}))]);
    assert!(matches!(finish(code()).await, IdentityError::Provider { .. }));
}

#[tokio::test]
async fn a_provider_without_a_page_and_one_whose_page_is_not_encrypted_are_told() {
    let world = World::new().await;
    world.stub.describe(&json!({"authorization_endpoint": null}));
    let error = world.oidc.begin_code(&redirect()).await.unwrap_err();
    assert!(error.to_string().contains("authorization_endpoint"), "{error}");
    let world = World::new().await;
    world.stub.describe(&json!({"authorization_endpoint": "http://evil.test/authorize"}));
    assert!(matches!(world.oidc.begin_code(&redirect()).await, Err(IdentityError::Provider { .. })));
}
