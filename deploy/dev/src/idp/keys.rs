//! The ES256 keys that tokens are signed with, in one file that is replaced as a whole.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::IdpError;

/// The signing key and its predecessor.
const KEPT: usize = 2;
const MAX_FILE_BYTES: u64 = 64 * 1024;

pub(super) struct Keys {
    path: PathBuf,
    /// The newest first, and never empty.
    keys: Vec<Key>,
}

struct Key {
    id: String,
    pkcs8: Vec<u8>,
    x: String,
    y: String,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.id)).finish()
    }
}

/// A key on disk: PKCS#8, base64.
#[derive(Serialize, Deserialize)]
struct Kept {
    pkcs8: String,
}

impl Keys {
    /// Reads the keys in `dir`, or makes the first one.
    pub(super) fn load(dir: &Path) -> Result<Self, IdpError> {
        let path = dir.join("idp-keys.json");
        let failed = |source| IdpError::Keys { path: path.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
        let mut text = String::new();
        match fs::File::open(&path) {
            Ok(file) => file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(failed(error)),
        };
        let mut keys = Self { path: path.clone(), keys: Vec::new() };
        if !text.is_empty() {
            let kept: Vec<Kept> = serde_json::from_str(&text).map_err(|error| failed(error.into()))?;
            for key in kept.into_iter().take(KEPT) {
                let pkcs8 = STANDARD.decode(key.pkcs8).map_err(|error| failed(io::Error::other(error)))?;
                keys.keys.push(Key::read(pkcs8)?);
            }
        }
        if keys.keys.is_empty() {
            keys.rotate()?;
        }
        Ok(keys)
    }

    /// Makes a new key and signs with it from now on.
    pub(super) fn rotate(&mut self) -> Result<(), IdpError> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|_| IdpError::Crypto)?;
        self.keys.insert(0, Key::read(pair.serialize_der())?);
        self.keys.truncate(KEPT);
        self.save().map_err(|source| IdpError::Keys { path: self.path.clone(), source })
    }

    fn save(&self) -> io::Result<()> {
        let kept: Vec<Kept> =
            self.keys.iter().map(|key| Kept { pkcs8: STANDARD.encode(&key.pkcs8) }).collect();
        let new = self.path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(serde_json::to_string(&kept)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &self.path)
    }

    /// Signs claims as a JWT.
    pub(super) fn sign(&self, claims: &Value) -> Result<String, IdpError> {
        let key = self.keys.first().ok_or(IdpError::Crypto)?;
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(key.id.clone());
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_ec_der(&key.pkcs8))
            .map_err(|_| IdpError::Crypto)
    }

    /// The public halves (RFC 7517).
    pub(super) fn jwks(&self) -> Value {
        let keys: Vec<Value> = self
            .keys
            .iter()
            .map(|key| {
                json!({
                    "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256",
                    "kid": key.id, "x": key.x, "y": key.y,
                })
            })
            .collect();
        json!({ "keys": keys })
    }
}

impl Key {
    fn read(pkcs8: Vec<u8>) -> Result<Self, IdpError> {
        let pair = KeyPair::try_from(pkcs8.as_slice()).map_err(|_| IdpError::Crypto)?;
        // An uncompressed point (SEC 1, 2.3.3): 04, x, y.
        let point = pair.public_key_raw();
        let (Some(4), Some(x), Some(y), 65) =
            (point.first(), point.get(1..33), point.get(33..65), point.len())
        else {
            return Err(IdpError::Crypto);
        };
        let id = URL_SAFE_NO_PAD.encode(Sha256::digest(point)).chars().take(16).collect();
        Ok(Self { id, x: URL_SAFE_NO_PAD.encode(x), y: URL_SAFE_NO_PAD.encode(y), pkcs8 })
    }
}
