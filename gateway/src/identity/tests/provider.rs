//! The provider: keys that change, answers that make no sense, no answer at all.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use super::*;

#[tokio::test]
async fn a_new_key_is_fetched_when_a_token_comes_with_it() {
    let world = World::new().await;
    world.verify(json!({})).await.unwrap();
    world.verify(json!({})).await.unwrap();
    assert_eq!(world.stub.asked("/jwks").len(), 1);

    let next = Signer::new("k2", Algorithm::EdDSA);
    world.stub.publish(&[next.jwk()]);
    world.clock.advance(Duration::from_secs(10));
    world.oidc.verify_id_token(&next.sign(&world.claims(json!({})))).await.unwrap();
    assert_eq!(world.stub.asked("/jwks").len(), 2);
    // The old key went with the old set.
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(world.refusal(json!({})).await, TokenRefusal::UnknownKey);
}

#[tokio::test]
async fn a_key_changed_behind_the_same_id_is_fetched_too() {
    let world = World::new().await;
    world.verify(json!({})).await.unwrap();
    let next = Signer::new("k1", Algorithm::ES256);
    world.stub.publish(&[next.jwk()]);
    world.clock.advance(Duration::from_secs(10));
    world.oidc.verify_id_token(&next.sign(&world.claims(json!({})))).await.unwrap();
}

#[tokio::test]
async fn tokens_with_unknown_keys_do_not_make_us_ask_again_and_again() {
    let world = World::new().await;
    let mallory = Signer::new("nowhere", Algorithm::ES256);
    for _ in 0..20 {
        let token = mallory.sign(&world.claims(json!({})));
        assert_eq!(refusal(world.oidc.verify_id_token(&token).await), TokenRefusal::UnknownKey);
        world.clock.advance(Duration::from_secs(1));
    }
    assert!(world.stub.asked("/jwks").len() <= 3);
    world.verify(json!({})).await.unwrap();
}

#[tokio::test]
async fn a_withdrawn_key_stops_counting_within_the_hour() {
    let world = World::new().await;
    world.verify(json!({})).await.unwrap();
    world.stub.publish(&[Signer::new("k2", Algorithm::ES256).jwk()]);
    world.clock.advance(Duration::from_secs(3599));
    world.verify(json!({})).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.refusal(json!({})).await, TokenRefusal::UnknownKey);
}

#[tokio::test]
async fn a_token_without_a_key_id_is_tried_with_every_key_that_fits() {
    let world = World::new().await;
    world.stub.publish(&[Signer::new("k0", Algorithm::ES256).jwk(), world.signer.jwk()]);
    let header = Header::new(Algorithm::ES256);
    let token = jsonwebtoken::encode(&header, &world.claims(json!({})), &world.signer.key).unwrap();
    world.oidc.verify_id_token(&token.into()).await.unwrap();
}

#[tokio::test]
async fn a_provider_that_is_down_is_said_to_be_and_asked_again_later() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let clock = ManualClock::at(Timestamp::from_second(1_800_000_000).unwrap());
    let settings = OidcSettings::new(format!("http://{address}"), CLIENT);
    // The gateway starts all the same.
    let oidc = Oidc::discover(&settings, clock.clone()).unwrap();
    let error = oidc.probe().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the sign-in provider `http://{address}` is out of reach; try again in a moment")
    );
    assert_eq!(error.exit_status(), 69);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("discovery document") && cause.contains("refused"), "{cause}");
    assert!(matches!(oidc.begin_device().await, Err(IdentityError::Unreachable { .. })));

    let stub = Stub::listen(TcpListener::bind(address).await.unwrap(), None);
    stub.describe(&json!({}));
    stub.publish(&[Signer::new("k1", Algorithm::ES256).jwk()]);
    oidc.probe().await.unwrap_err();
    assert!(stub.asked("/jwks").is_empty(), "the last failure is told again for a moment");
    clock.advance(Duration::from_secs(2));
    oidc.probe().await.unwrap();
}

#[tokio::test]
async fn answers_that_make_no_sense_are_not_believed() {
    let issuer_of = |world: &World| world.stub.issuer().to_owned();
    let elsewhere = |url: &str| json!({ "jwks_uri": url });
    for change in [
        json!({"issuer": "https://evil.test"}),
        json!({"issuer": null}),
        json!({"jwks_uri": null}),
        json!({"token_endpoint": 7}),
        elsewhere("http://evil.test/jwks"),
        elsewhere("file:///etc/passwd"),
        elsewhere("/jwks"),
    ] {
        let world = World::new().await;
        world.stub.describe(&change);
        let error = world.verify(json!({})).await.unwrap_err();
        assert!(matches!(error, IdentityError::Provider { .. }), "{change}: {error}");
    }

    let world = World::new().await;
    world.stub.describe(&json!({"issuer": format!("{}/", issuer_of(&world))}));
    let error = world.verify(json!({})).await.unwrap_err().to_string();
    assert!(error.contains("the two must be the same to the letter"), "{error}");

    for keys in ["", "[]", "{}", "{\"keys\":[]}", "{\"keys\":7}", "<html>"] {
        let world = World::new().await;
        world.stub.answer("/jwks", [Reply { status: 200, body: keys.to_owned(), header: String::new() }]);
        let error = world.verify(json!({})).await.unwrap_err();
        assert!(matches!(error, IdentityError::Provider { .. }), "{keys}: {error}");
    }
    let world = World::new().await;
    world.stub.publish(&vec![world.signer.jwk(); 65]);
    assert!(matches!(world.verify(json!({})).await, Err(IdentityError::Provider { .. })));
}

#[tokio::test]
async fn redirects_errors_and_floods_are_not_followed_or_swallowed() {
    let reply = |status, body: String, header: String| [Reply { status, body, header }];
    for path in ["/.well-known/openid-configuration", "/jwks"] {
        let world = World::new().await;
        let location = format!("location: {}/other\r\n", world.stub.issuer());
        world.stub.answer(path, reply(302, String::new(), location));
        let error = world.verify(json!({})).await.unwrap_err();
        assert!(matches!(
            &error,
            IdentityError::Unreachable { source: FetchError::Status { status: 302, .. }, .. }
        ));
        assert!(world.stub.asked("/other").is_empty());

        let world = World::new().await;
        world.stub.answer(path, reply(500, "{}".to_owned(), String::new()));
        let error = world.verify(json!({})).await.unwrap_err();
        assert!(matches!(
            &error,
            IdentityError::Unreachable { source: FetchError::Status { status: 500, .. }, .. }
        ));

        let world = World::new().await;
        world.stub.answer(path, reply(200, " ".repeat(600 * 1024), String::new()));
        let error = world.verify(json!({})).await.unwrap_err();
        assert!(matches!(&error, IdentityError::Unreachable { source: FetchError::TooLong { .. }, .. }));
    }
}

#[tokio::test]
async fn a_provider_behind_a_private_ca_is_trusted_by_that_ca_alone() {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stub = Stub::listen(listener, Some(TlsAcceptor::from(Arc::new(server))));
    stub.describe(&json!({}));
    stub.publish(&[Signer::new("k1", Algorithm::ES256).jwk()]);
    let clock = ManualClock::at(Timestamp::from_second(1_800_000_000).unwrap());

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    let mut settings = OidcSettings::new(stub.issuer(), CLIENT);
    settings.ca_file = Some(file.clone());
    let oidc = Oidc::discover(&settings, clock.clone()).unwrap();
    assert!(matches!(oidc.probe().await, Err(IdentityError::File { .. })));
    std::fs::write(&file, "nothing").unwrap();
    assert!(matches!(oidc.probe().await, Err(IdentityError::File { .. })));

    let other = KeyPair::generate().unwrap();
    let wrong = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&other).unwrap();
    std::fs::write(&file, wrong.pem()).unwrap();
    assert!(matches!(oidc.probe().await, Err(IdentityError::Unreachable { .. })));

    std::fs::write(&file, certificate.pem()).unwrap();
    clock.advance(Duration::from_secs(2));
    oidc.probe().await.unwrap();
}
