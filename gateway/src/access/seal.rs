//! What tells a request that a gateway made from one that somebody wrote into the cluster: a mark over its name and its
//! words, under a key that only gateways of this installation have. Without it, whoever may create AccessRequests
//! could ask in anybody's name.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::ResourceExt;

use crate::crd::{AccessRequest, AccessRequestSpec};

/// The annotation.
pub const SEAL: &str = "sallyport.dev/seal";
/// The issuer of requesters whom the API server vouched for: people who made the request with `kubectl`.
pub const KUBERNETES: &str = "kubernetes";

/// The key.
#[derive(Clone)]
pub struct Seal(hmac::Key);

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// With a secret that every gateway of the installation has.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The mark for a request that is about to be made.
    pub(super) fn of(&self, name: &str, spec: &AccessRequestSpec) -> Option<String> {
        Some(STANDARD.encode(hmac::sign(&self.0, &words(name, spec)?)))
    }

    /// Whether a request carries the mark that belongs to it.
    #[must_use]
    pub fn is_on(&self, request: &AccessRequest) -> bool {
        let mark = request.annotations().get(SEAL).and_then(|text| STANDARD.decode(text).ok());
        let words = words(&request.name_any(), &request.spec);
        mark.zip(words).is_some_and(|(mark, words)| hmac::verify(&self.0, &words, &mark).is_ok())
    }
}

/// What is marked. The name comes first and ends where no name goes on.
fn words(name: &str, spec: &AccessRequestSpec) -> Option<Vec<u8>> {
    let mut words = format!("{name}\n").into_bytes();
    words.extend(serde_json::to_vec(spec).ok()?);
    Some(words)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(name: &str, reason: &str) -> AccessRequest {
        serde_json::from_value(json!({
            "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessRequest", "metadata": {"name": name},
            "spec": {
                "requester": {"username": "alice", "groups": ["oncall"], "issuer": "https://idp", "subject": "1"},
                "policy": "debug", "namespaces": ["payments"], "duration": "1h", "reason": reason,
                "startAt": "2026-03-04T12:00:00Z",
            },
        }))
        .unwrap()
    }

    #[test]
    fn a_mark_is_good_for_one_name_and_its_words_under_one_key() {
        let seal = Seal::new(b"one");
        let mut made = request("debug-bcdfgh", "INC-1");
        assert!(!seal.is_on(&made));
        let mark = seal.of("debug-bcdfgh", &made.spec).unwrap();
        made.annotations_mut().insert(SEAL.to_owned(), mark.clone());
        assert!(seal.is_on(&made));
        // As the API server gives it back.
        let back: AccessRequest = serde_json::from_str(&serde_json::to_string(&made).unwrap()).unwrap();
        assert!(seal.is_on(&back));
        assert!(!Seal::new(b"two").is_on(&made));
        for other in [request("debug-bcdfgj", "INC-1"), request("debug-bcdfgh", "INC-2")] {
            let mut other = other;
            other.annotations_mut().insert(SEAL.to_owned(), mark.clone());
            assert!(!seal.is_on(&other));
        }
        made.annotations_mut().insert(SEAL.to_owned(), "no base64!".to_owned());
        assert!(!seal.is_on(&made));
    }
}
