//! The provider's public keys (RFC 7517).

use std::collections::HashSet;

use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// The most keys that are kept. Providers publish a handful.
const MAX_KEYS: usize = 64;

/// The signature algorithms that are accepted: public-key ones only. With `none` anybody signs, and with the
/// HMAC ones anybody who knows the "secret", for which a confused verifier takes the public key.
pub(super) const ALGORITHMS: [(&str, Algorithm); 10] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
    // The same by its newer name (RFC 9864).
    ("Ed25519", Algorithm::EdDSA),
];

/// The keys that a provider had when it was last asked.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// A key as published. Fields of kinds that are not used here are left alone.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a key set. Keys that are not for verifying signatures, or of a kind that is not known, are passed
    /// over, as RFC 7517 (5) asks.
    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        let document: Document =
            serde_json::from_slice(json).map_err(|error| format!("its key set: {error}"))?;
        if document.keys.len() > MAX_KEYS {
            return Err(format!("its key set has more than {MAX_KEYS} keys"));
        }
        let keys: Vec<Key> = document.keys.into_iter().filter_map(Key::read).collect();
        if keys.is_empty() {
            return Err("its key set has no key that can be used".to_owned());
        }
        Ok(Self { keys })
    }

    /// The keys that may have signed a token with this header.
    pub(super) fn candidates(&self, kid: Option<&str>, algorithm: Algorithm) -> Vec<&DecodingKey> {
        self.keys
            .iter()
            .filter(|key| kid.is_none() || key.id.as_deref() == kid)
            .filter(|key| key.algorithms.contains(&algorithm))
            .map(|key| &key.key)
            .collect()
    }

    /// The ids, for the log.
    pub(super) fn ids(&self) -> HashSet<&str> {
        self.keys.iter().filter_map(|key| key.id.as_deref()).collect()
    }
}

impl Key {
    fn read(value: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let for_signatures = jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
            && jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !for_signatures {
            return None;
        }
        let (key, fits): (_, fn(Algorithm) -> bool) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => (DecodingKey::from_rsa_components(&jwk.n?, &jwk.e?).ok()?, |algorithm| {
                algorithm.family() == AlgorithmFamily::Rsa
            }),
            ("EC", Some("P-256")) => {
                (DecodingKey::from_ec_components(&jwk.x?, &jwk.y?).ok()?, |a| a == Algorithm::ES256)
            }
            ("EC", Some("P-384")) => {
                (DecodingKey::from_ec_components(&jwk.x?, &jwk.y?).ok()?, |a| a == Algorithm::ES384)
            }
            ("OKP", Some("Ed25519")) => {
                (DecodingKey::from_ed_components(&jwk.x?).ok()?, |a| a == Algorithm::EdDSA)
            }
            _ => return None,
        };
        let algorithms: Vec<Algorithm> = ALGORITHMS
            .into_iter()
            .filter(|(name, algorithm)| fits(*algorithm) && jwk.alg.as_deref().is_none_or(|alg| alg == *name))
            .map(|(_, algorithm)| algorithm)
            .collect();
        (!algorithms.is_empty()).then_some(Self { id: jwk.kid, algorithms, key })
    }
}
