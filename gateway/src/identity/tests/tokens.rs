//! ID tokens.

use secrecy::ExposeSecret;

use std::sync::LazyLock;

use proptest::prelude::*;

use super::super::jwks::KeySet;
use super::super::token::Unverified;
use super::*;

/// A token put together by hand: any header, any signature.
fn handmade(header: &Value, claims: &Value, signature: &str) -> SecretString {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims)).into()
}

#[tokio::test]
async fn a_good_token_gives_the_person_it_speaks_of() {
    let world = World::new().await;
    let alice = world.verify(json!({})).await.unwrap();
    assert_eq!((alice.issuer(), alice.subject()), (world.stub.issuer(), "0042"));
    assert_eq!(alice.username(), "alice");
    assert_eq!(alice.groups().iter().collect::<Vec<_>>(), ["dev", "oncall"]);
    assert_eq!(alice.person().username, "alice");
}

#[tokio::test]
async fn every_listed_algorithm_verifies_with_a_key_of_its_kind() {
    let world = World::new().await;
    let rsa = Signer::new("rsa", Algorithm::RS256);
    let mut signers = vec![
        Signer::new("p384", Algorithm::ES384),
        Signer::new("ed", Algorithm::EdDSA),
        world.signer.clone(),
    ];
    for algorithm in [
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
    ] {
        signers.push(Signer { algorithm, ..rsa.clone() });
    }
    let keys: Vec<Value> = signers.iter().take(4).map(Signer::jwk).collect();
    world.stub.publish(&keys);
    for signer in signers {
        let token = signer.sign(&world.claims(json!({})));
        world.oidc.verify_id_token(&token).await.unwrap_or_else(|e| panic!("{:?}: {e}", signer.algorithm));
    }
}

#[tokio::test]
async fn ed25519_is_known_by_its_newer_name_too() {
    let world = World::new().await;
    let signer = Signer::new("ed", Algorithm::EdDSA);
    let mut jwk = signer.jwk();
    jwk["alg"] = json!("Ed25519");
    world.stub.publish(&[jwk]);
    let message = {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}", part(&json!({"alg": "Ed25519", "kid": "ed"})), part(&world.claims(json!({}))))
    };
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &signer.key, Algorithm::EdDSA).unwrap();
    world.oidc.verify_id_token(&format!("{message}.{signature}").into()).await.unwrap();
}

#[tokio::test]
async fn a_token_that_nobody_signed_is_refused() {
    let world = World::new().await;
    let claims = world.claims(json!({}));
    for alg in ["none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "ES256K", "RSA1_5"] {
        for signature in ["", "AAAA"] {
            let token = handmade(&json!({"alg": alg, "kid": "k1"}), &claims, signature);
            let refused = refusal(world.oidc.verify_id_token(&token).await);
            assert_eq!(refused, TokenRefusal::Algorithm(alg.to_owned()));
        }
    }
    let unsigned = handmade(&json!({"alg": "ES256", "kid": "k1"}), &claims, "");
    assert_eq!(refusal(world.oidc.verify_id_token(&unsigned).await), TokenRefusal::Signature);
}

#[tokio::test]
async fn the_public_key_is_no_shared_secret() {
    let world = World::new().await;
    let jwk = world.signer.jwk();
    let x = URL_SAFE_NO_PAD.decode(jwk["x"].as_str().unwrap()).unwrap();
    let y = URL_SAFE_NO_PAD.decode(jwk["y"].as_str().unwrap()).unwrap();
    let point = [&[4][..], &x, &y].concat();
    for secret in [jwk.to_string().into_bytes(), point, x] {
        let header = Header { kid: Some("k1".to_owned()), ..Header::new(Algorithm::HS256) };
        let claims = world.claims(json!({}));
        let token = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&secret)).unwrap();
        let refused = refusal(world.oidc.verify_id_token(&token.into()).await);
        assert_eq!(refused, TokenRefusal::Algorithm("HS256".to_owned()));
    }
    // Even where the provider publishes a shared secret, it is not a key.
    let secret = json!({"kty": "oct", "kid": "k1", "alg": "HS256", "k": "c2VjcmV0"});
    world.stub.publish(&[secret, world.signer.jwk()]);
    world.verify(json!({})).await.unwrap();
}

#[tokio::test]
async fn a_key_is_used_for_its_own_kind_of_signature_only() {
    let world = World::new().await;
    let other = Signer::new("k1", Algorithm::EdDSA);
    let token = other.sign(&world.claims(json!({})));
    assert_eq!(refusal(world.oidc.verify_id_token(&token).await), TokenRefusal::UnknownKey);

    // The key says what it is for.
    let rsa = Signer::new("rsa", Algorithm::RS256);
    let mut jwk = rsa.jwk();
    jwk["alg"] = json!("RS512");
    world.clock.advance(std::time::Duration::from_secs(60));
    world.stub.publish(&[jwk]);
    let token = rsa.sign(&world.claims(json!({})));
    assert_eq!(refusal(world.oidc.verify_id_token(&token).await), TokenRefusal::UnknownKey);
    let fitting = Signer { algorithm: Algorithm::RS512, ..rsa };
    world.oidc.verify_id_token(&fitting.sign(&world.claims(json!({})))).await.unwrap();
}

#[tokio::test]
async fn a_key_for_encryption_or_of_an_unknown_kind_is_passed_over() {
    let world = World::new().await;
    let with = |name: &str, value: Value| {
        let mut jwk = world.signer.jwk();
        jwk[name] = value;
        jwk
    };
    for useless in [
        with("use", json!("enc")),
        with("key_ops", json!(["encrypt"])),
        with("kty", json!("XX")),
        with("crv", json!("P-521")),
        with("x", json!("not base64!")),
        json!("no object"),
    ] {
        let other = Signer::new("other", Algorithm::ES256);
        world.stub.publish(&[useless.clone(), other.jwk()]);
        world.clock.advance(std::time::Duration::from_secs(7200));
        assert_eq!(world.refusal(json!({})).await, TokenRefusal::UnknownKey, "{useless}");
    }
}

#[tokio::test]
async fn a_key_that_the_token_brings_along_is_not_believed() {
    let world = World::new().await;
    let mallory = Signer::new("k1", Algorithm::ES256);
    let key = serde_json::from_value(mallory.jwk()).unwrap();
    let header = Header { jwk: Some(key), jku: Some(world.stub.issuer().to_owned()), ..mallory.header() };
    let token = jsonwebtoken::encode(&header, &world.claims(json!({})), &mallory.key).unwrap();
    assert_eq!(refusal(world.oidc.verify_id_token(&token.into()).await), TokenRefusal::Signature);
}

#[tokio::test]
async fn changed_claims_break_the_signature() {
    let world = World::new().await;
    let good = world.token(json!({}));
    let signature = good.expose_secret().rsplit('.').next().unwrap();
    let header = json!({"alg": "ES256", "kid": "k1", "typ": "JWT"});
    let token = handmade(&header, &world.claims(json!({"preferred_username": "root"})), signature);
    assert_eq!(refusal(world.oidc.verify_id_token(&token).await), TokenRefusal::Signature);
}

#[tokio::test]
async fn what_is_not_a_token_is_refused_before_anybody_is_asked() {
    let world = World::new().await;
    let claims = world.claims(json!({}));
    let long = "x".repeat(super::super::token::MAX_TOKEN_BYTES + 1);
    assert!(matches!(refusal(world.oidc.verify_id_token(&long.into()).await), TokenRefusal::TooLong(_)));
    for bad in ["", ".", "..", "a.b", "a.b.c.d", "....", "e30.e30.e30", "é.é.é", "bm8.bm8.bm8"] {
        let refused = refusal(world.oidc.verify_id_token(&bad.to_owned().into()).await);
        assert_eq!(refused, TokenRefusal::Malformed, "{bad}");
    }
    let critical = handmade(&json!({"alg": "ES256", "kid": "k1", "crit": ["b64"]}), &claims, "AAAA");
    assert_eq!(refusal(world.oidc.verify_id_token(&critical).await), TokenRefusal::Critical);
    let nested = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    let deep: SecretString = format!("{}.e30.e30", URL_SAFE_NO_PAD.encode(nested)).into();
    assert_eq!(refusal(world.oidc.verify_id_token(&deep).await), TokenRefusal::Malformed);
    assert!(world.stub.asked("/jwks").is_empty());
}

#[tokio::test]
async fn the_issuer_must_be_ours_to_the_letter() {
    let world = World::new().await;
    let ours = world.stub.issuer().to_owned();
    for issuer in [format!("{ours}/"), ours.replace("http", "HTTP"), "https://evil.test".to_owned()] {
        assert_eq!(world.refusal(json!({ "iss": issuer })).await, TokenRefusal::Issuer(issuer));
    }
    for issuer in [json!(null), json!(1), json!([ours])] {
        assert_eq!(world.refusal(json!({ "iss": issuer })).await, TokenRefusal::Claim("iss".to_owned()));
    }
}

#[tokio::test]
async fn the_token_must_be_meant_for_us() {
    let world = World::new().await;
    let elsewhere = TokenRefusal::Audience(CLIENT.to_owned());
    let party = TokenRefusal::AuthorizedParty(CLIENT.to_owned());
    for (change, outcome) in [
        (json!({"aud": [CLIENT]}), None),
        (json!({"aud": [CLIENT], "azp": CLIENT}), None),
        (json!({"aud": ["other", CLIENT], "azp": CLIENT}), None),
        (json!({"aud": "other"}), Some(&elsewhere)),
        (json!({"aud": ["other"]}), Some(&elsewhere)),
        (json!({"aud": []}), Some(&elsewhere)),
        (json!({"aud": format!("{CLIENT}2")}), Some(&elsewhere)),
        (json!({"aud": ["other", CLIENT]}), Some(&party)),
        (json!({"aud": ["other", CLIENT], "azp": "other"}), Some(&party)),
        (json!({"azp": "other"}), Some(&party)),
        (json!({"azp": [CLIENT]}), Some(&party)),
        (json!({"aud": null}), Some(&TokenRefusal::Claim("aud".to_owned()))),
        (json!({"aud": [CLIENT, 1]}), Some(&TokenRefusal::Claim("aud".to_owned()))),
    ] {
        let got = world.verify(change.clone()).await;
        match outcome {
            None => drop(got.unwrap_or_else(|error| panic!("{change}: {error}"))),
            Some(expected) => assert_eq!(&refusal(got), expected, "{change}"),
        }
    }
}

#[tokio::test]
async fn a_configured_audience_counts_instead_of_the_client() {
    let world = World::with(|settings| settings.audience = Some("kubernetes".to_owned())).await;
    world.verify(json!({"aud": "kubernetes"})).await.unwrap();
    world.verify(json!({"aud": ["kubernetes", CLIENT], "azp": CLIENT})).await.unwrap();
    let refused = TokenRefusal::Audience("kubernetes".to_owned());
    assert_eq!(world.refusal(json!({})).await, refused);
}

#[tokio::test]
async fn times_are_held_against_the_injected_clock_with_a_small_leeway() {
    let world = World::new().await;
    let now = world.now();
    let is_fine = async |change: Value| world.verify(change).await.is_ok();
    assert!(is_fine(json!({"exp": now + 1})).await);
    assert!(is_fine(json!({"exp": now - 29})).await);
    assert!(!is_fine(json!({"exp": now - 30})).await);
    assert!(is_fine(json!({"iat": now + 30})).await);
    assert!(!is_fine(json!({"iat": now + 31})).await);
    assert!(is_fine(json!({"nbf": now + 30})).await);
    assert!(!is_fine(json!({"nbf": now + 31})).await);
    assert!(is_fine(json!({"exp": 1_800_000_300.75})).await);
    for change in [
        json!({"exp": null}),
        json!({"iat": null}),
        json!({"exp": "1800000300"}),
        json!({"exp": 1e300}),
        json!({"exp": -1e300}),
        json!({"exp": u64::MAX}),
        json!({"nbf": "soon"}),
    ] {
        assert!(matches!(world.refusal(change.clone()).await, TokenRefusal::Claim(_)), "{change}");
    }
    let token = world.token(json!({}));
    world.clock.advance(std::time::Duration::from_secs(400));
    let refused = refusal(world.oidc.verify_id_token(&token).await);
    assert_eq!(refused, TokenRefusal::Expired(Timestamp::from_second(now + 300).unwrap()));
}

#[tokio::test]
async fn a_nonce_that_was_sent_must_come_back() {
    let world = World::new().await;
    let check = async |change: Value| {
        world.oidc.verify_id_token_with_nonce(&world.token(change), "n-1").await.map(|_| ())
    };
    check(json!({"nonce": "n-1"})).await.unwrap();
    for wrong in [json!({}), json!({"nonce": "n-2"}), json!({"nonce": ["n-1"]})] {
        assert!(matches!(check(wrong).await, Err(IdentityError::Token(TokenRefusal::Nonce))));
    }
}

#[tokio::test]
async fn claims_become_names_as_kube_apiserver_would_have_them() {
    let world = World::with(|settings| {
        settings.username_claim = "email".to_owned();
        settings.username_prefix = Some("oidc:".to_owned());
        settings.groups_claim = Some("roles".to_owned());
        settings.groups_prefix = Some("corp/".to_owned());
    })
    .await;
    let email = "alice@example.test";
    let alice = world.verify(json!({"email": email, "roles": "oncall"})).await.unwrap();
    assert_eq!(alice.username(), "oidc:alice@example.test");
    assert_eq!(alice.groups().iter().collect::<Vec<_>>(), ["corp/oncall"]);
    world.verify(json!({"email": email, "email_verified": true})).await.unwrap();
    let none = world.verify(json!({"email": email, "roles": null})).await.unwrap();
    assert!(none.groups().is_empty());

    let unverified = world.refusal(json!({"email": email, "email_verified": false})).await;
    assert_eq!(unverified, TokenRefusal::EmailNotVerified);
    for (change, claim) in [
        (json!({"email": email, "email_verified": "true"}), "email_verified"),
        (json!({}), "email"),
        (json!({"email": ""}), "email"),
        (json!({"email": email, "roles": 7}), "roles"),
        (json!({"email": email, "roles": ["a", 7]}), "roles"),
        (json!({"email": email, "sub": null}), "sub"),
    ] {
        assert_eq!(world.refusal(change.clone()).await, TokenRefusal::Claim(claim.to_owned()), "{change}");
    }
    let elsewhere = json!({"email": email, "_claim_names": {"roles": "src1"}});
    assert_eq!(world.refusal(elsewhere).await, TokenRefusal::GroupsElsewhere);
}

#[tokio::test]
async fn a_prefix_of_a_dash_is_no_prefix_and_without_a_claim_there_are_no_groups() {
    let world = World::with(|settings| {
        settings.username_prefix = Some("-".to_owned());
        settings.groups_claim = None;
    })
    .await;
    let alice = world.verify(json!({})).await.unwrap();
    assert_eq!(alice.username(), "alice");
    assert!(alice.groups().is_empty());
}

#[tokio::test]
async fn nobody_is_the_cluster_itself_or_hides_behind_a_name() {
    let world = World::new().await;
    for change in [
        json!({"preferred_username": "system:admin"}),
        json!({"preferred_username": "sallyport:x"}),
        json!({"groups": ["oncall", "system:masters"]}),
        json!({"groups": "system:masters"}),
        json!({"groups": ["sallyport:grant:oncall-debug-bcdfgh"]}),
        json!({"preferred_username": "al\u{1b}[2Jice"}),
        json!({"preferred_username": "al\u{202e}ice"}),
        json!({"preferred_username": "x".repeat(257)}),
        json!({"groups": ["a\nb"]}),
        json!({"groups": ["x".repeat(257)]}),
        json!({"sub": "x".repeat(257)}),
        json!({"groups": (0..513).map(|n| format!("g{n}")).collect::<Vec<_>>()}),
    ] {
        assert!(matches!(world.refusal(change.clone()).await, TokenRefusal::Identity(_)), "{change}");
    }
    // A prefix does not open what is reserved.
    let world = World::with(|settings| settings.groups_prefix = Some("system:".to_owned())).await;
    assert!(matches!(world.refusal(json!({})).await, TokenRefusal::Identity(_)));
}

proptest! {
    #[test]
    fn a_token_with_any_character_changed_is_refused(at in 0_usize..10_000, to in "[A-Za-z0-9_.=+/ -]") {
        static GOOD: LazyLock<(KeySet, String)> = LazyLock::new(|| {
            let signer = Signer::new("k1", Algorithm::ES256);
            let keys = json!({ "keys": [signer.jwk()] }).to_string();
            let token = signer.sign(&json!({"iss": "https://i.test", "aud": CLIENT, "sub": "0042"}));
            (KeySet::parse(keys.as_bytes()).unwrap(), token.expose_secret().to_owned())
        });
        let (keys, good) = &*GOOD;
        let verify = |token: &str| Unverified::parse(token)?.check_signature(keys).map(|_| ());
        prop_assert_eq!(verify(good), Ok(()));
        let at = at % good.len();
        let mut changed = good.clone();
        changed.replace_range(at..=at, &to);
        prop_assert!(changed == *good || verify(&changed).is_err(), "{}", changed);
    }

    #[test]
    fn no_text_is_taken_for_a_token_or_makes_us_stumble(text in "\\PC{0,200}", bytes in any::<Vec<u8>>()) {
        prop_assert!(Unverified::parse(&text).is_err());
        let part = URL_SAFE_NO_PAD.encode(&bytes);
        let token = [part.as_str(); 3].join(".");
        prop_assert!(Unverified::parse(&token).is_err());
        let _ = KeySet::parse(&bytes);
    }
}
