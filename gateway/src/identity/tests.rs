//! Tokens that must and must not be accepted, a provider that misbehaves, and sign-ins through real HTTP:
//! against the embedded provider where it can play the part, against a stub where nobody sane would.

mod code;
mod device;
mod provider;
mod recheck;
mod renewal;
mod stub;
mod tokens;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use stub::{Reply, Stub};

use super::*;
use crate::clock::ManualClock;

const CLIENT: &str = "gateway";

/// A key of the stub provider's.
#[derive(Clone)]
struct Signer {
    kid: String,
    algorithm: Algorithm,
    key: EncodingKey,
    jwk: Value,
}

impl Signer {
    fn new(kid: &str, algorithm: Algorithm) -> Self {
        let pair = match algorithm {
            Algorithm::ES256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            Algorithm::ES384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
            Algorithm::EdDSA => KeyPair::generate_for(&PKCS_ED25519),
            _ => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
        };
        let pair = pair.unwrap();
        let der = pair.serialize_der();
        let key = match algorithm {
            Algorithm::ES256 | Algorithm::ES384 => EncodingKey::from_ec_der(&der),
            Algorithm::EdDSA => EncodingKey::from_ed_der(&der),
            // jsonwebtoken wants PKCS#1, which begins after the 26 bytes of PKCS#8's wrapping.
            _ => EncodingKey::from_rsa_der(&der[26..]),
        };
        let mut jwk = if algorithm == Algorithm::EdDSA {
            // jsonwebtoken reads only the older of the two forms of PKCS#8.
            json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(pair.public_key_raw())})
        } else {
            serde_json::to_value(Jwk::from_encoding_key(&key, algorithm).unwrap()).unwrap()
        };
        let fields = jwk.as_object_mut().unwrap();
        fields.insert("kid".to_owned(), json!(kid));
        // Without `alg` it may be used with all that fits its kind.
        fields.remove("alg");
        Self { kid: kid.to_owned(), algorithm, key, jwk }
    }

    fn header(&self) -> Header {
        Header { kid: Some(self.kid.clone()), ..Header::new(self.algorithm) }
    }

    fn sign(&self, claims: &Value) -> SecretString {
        jsonwebtoken::encode(&self.header(), claims, &self.key).unwrap().into()
    }

    /// The public half.
    fn jwk(&self) -> Value {
        self.jwk.clone()
    }
}

/// A stub provider with one key, and a gateway that trusts it.
struct World {
    stub: Stub,
    signer: Signer,
    clock: Arc<ManualClock>,
    oidc: Oidc,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut OidcSettings)) -> Self {
        let stub = Stub::start().await;
        let signer = Signer::new("k1", Algorithm::ES256);
        stub.describe(&json!({}));
        stub.publish(&[signer.jwk()]);
        let clock = ManualClock::at(Timestamp::from_second(1_800_000_000).unwrap());
        let mut settings = OidcSettings::new(stub.issuer(), CLIENT);
        change(&mut settings);
        let oidc = Oidc::discover(&settings, clock.clone()).unwrap();
        Self { stub, signer, clock, oidc }
    }

    fn now(&self) -> i64 {
        crate::clock::Clock::now(&*self.clock).as_second()
    }

    /// The claims of a good token, with these changed; `null` takes one away.
    fn claims(&self, change: Value) -> Value {
        let now = self.now();
        let mut claims = json!({
            "iss": self.stub.issuer(), "aud": CLIENT, "sub": "0042", "iat": now, "exp": now + 300,
            "preferred_username": "alice", "groups": ["oncall", "dev"],
        });
        let all = claims.as_object_mut().unwrap();
        let Value::Object(change) = change else { panic!("not an object") };
        all.extend(change);
        all.retain(|_, value| !value.is_null());
        claims
    }

    fn token(&self, change: Value) -> SecretString {
        self.signer.sign(&self.claims(change))
    }

    async fn verify(&self, change: Value) -> Result<Identity, IdentityError> {
        self.oidc.verify_id_token(&self.token(change)).await
    }

    /// Why a token with these claims is not accepted.
    async fn refusal(&self, change: Value) -> TokenRefusal {
        refusal(self.verify(change).await)
    }
}

fn refusal(outcome: Result<Identity, IdentityError>) -> TokenRefusal {
    match outcome {
        Err(IdentityError::Token(refusal)) => refusal,
        other => panic!("not a refusal: {other:?}"),
    }
}

#[test]
fn an_identity_survives_its_certified_form() {
    let alice = Identity::for_tests("oidc:alice", &["a", "b"]);
    assert_eq!(Identity::from_certified(&alice.to_certified().unwrap()), Ok(alice));
}

#[test]
fn what_a_certificate_carries_says_whether_codes_vouched_and_older_gateways_refuse_that() {
    let alice = Identity::for_tests("alice", &["a"]);
    let by_codes = Identity { by_codes: true, ..alice.clone() };
    assert_ne!(alice, by_codes);
    let form = by_codes.to_certified().unwrap();
    assert_eq!(Identity::from_certified(&form), Ok(by_codes.clone()));
    assert!(by_codes.within(alice.groups()).by_codes());
    // The form allows no field that is unknown, and of the provider's people it is what it was.
    assert!(form.contains("\"codes\":true") && !alice.to_certified().unwrap().contains("codes"));
}

#[test]
fn only_the_authority_reads_identities_from_certificates_and_only_codes_makes_them() {
    fn visit(dir: &std::path::Path, call: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, call, found);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && std::fs::read_to_string(&path).unwrap().contains(call)
            {
                found.push(path.display().to_string());
            }
        }
    }
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (call, caller) in
        [("Identity::from_certified(", "ca/verify.rs"), ("Identity::from_codes(", "codes/book.rs")]
    {
        let mut found = Vec::new();
        visit(&source, call, &mut found);
        found.retain(|path| !path.ends_with(caller) && !path.contains("/tests"));
        assert_eq!(found, Vec::<String>::new());
    }
}
