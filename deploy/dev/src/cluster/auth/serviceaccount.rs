//! Tokens of ServiceAccounts: signed, bound to the account's uid, short-lived (the TokenRequest subresource).

use std::fs;
use std::path::{Path, PathBuf};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::User;
use crate::cluster::pki::{PkiError, write_private};
use crate::cluster::store::{self, Store, object};
use crate::cluster::time;

/// Issuer of the tokens and the audience that this API accepts.
pub(crate) const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// Shortest and longest validity, in seconds, as the real server has them.
const SHORTEST: i64 = 600;
const LONGEST: i64 = 1 << 32;

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Vec<String>,
    exp: i64,
    iat: i64,
    nbf: i64,
    jti: String,
    #[serde(rename = "kubernetes.io")]
    bound: Bound,
}

#[derive(Debug, Serialize, Deserialize)]
struct Bound {
    namespace: String,
    serviceaccount: Reference,
}

#[derive(Debug, Serialize, Deserialize)]
struct Reference {
    name: String,
    uid: String,
}

/// Signs and checks tokens.
pub struct Signer {
    signing: EncodingKey,
    checking: DecodingKey,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

/// A token and its end, in seconds since the epoch.
#[derive(Debug)]
pub struct Issued {
    pub token: SecretString,
    pub expires: i64,
    pub audiences: Vec<String>,
    /// Seconds of validity after the limits were applied.
    pub validity: i64,
}

impl Signer {
    /// Loads the key at `path`, or makes one.
    pub fn open(path: &Path) -> Result<Signer, PkiError> {
        let bad = |source| PkiError::Certificate { dir: path.to_owned(), source };
        if !path.exists() {
            let key = rcgen::KeyPair::generate().map_err(bad)?;
            write_private(path, key.serialize_pem().as_bytes())?;
        }
        let read = |source| PkiError::File { doing: "read", path: PathBuf::from(path), source };
        let pem = fs::read_to_string(path).map_err(read)?;
        let pair = rcgen::KeyPair::from_pem(&pem).map_err(bad)?;
        Ok(Signer {
            signing: EncodingKey::from_ec_der(&pair.serialize_der()),
            checking: DecodingKey::from_ec_der(rcgen::PublicKeyData::der_bytes(&pair)),
        })
    }

    /// A token for an account that exists.
    pub fn issue(&self, account: &serde_json::Value, audiences: Vec<String>, seconds: i64) -> Option<Issued> {
        let (namespace, name) = (object::namespace(account), object::name(account));
        let now = time::now().as_second();
        let validity = seconds.clamp(SHORTEST, LONGEST);
        let audiences = if audiences.is_empty() { vec![ISSUER.to_owned()] } else { audiences };
        let claims = Claims {
            iss: ISSUER.into(),
            sub: format!("system:serviceaccount:{namespace}:{name}"),
            aud: audiences.clone(),
            exp: now.saturating_add(validity),
            iat: now,
            nbf: now,
            jti: store::new_uid(),
            bound: Bound {
                namespace: namespace.into(),
                serviceaccount: Reference { name: name.into(), uid: object::uid(account).into() },
            },
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &self.signing).ok()?;
        Some(Issued { token: SecretString::from(token), expires: claims.exp, audiences, validity })
    }

    /// Whose token this is, if it is ours, in time, meant for one of `audiences`, and its account still the same.
    pub fn user_of(&self, token: &str, audiences: &[&str], store: &Store) -> Option<User> {
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(audiences);
        rules.validate_nbf = true;
        rules.set_required_spec_claims(&["exp", "iss", "sub", "aud"]);
        let claims = jsonwebtoken::decode::<Claims>(token, &self.checking, &rules).ok()?.claims;
        let (namespace, account) = (&claims.bound.namespace, &claims.bound.serviceaccount);
        let live = store.get(&store::SERVICEACCOUNTS, namespace, &account.name)?;
        if object::uid(&live) != account.uid {
            return None;
        }
        let mut user = User::service_account(namespace, &account.name);
        user.uid = account.uid.clone();
        let credential = vec![format!("JTI={}", claims.jti)];
        user.extra.insert("authentication.kubernetes.io/credential-id".into(), credential);
        Some(user)
    }
}
