//! Bearer tokens of people, kept in a file of the cluster's directory.
//!
//! A user with the same groups gets the same token at every start, so a kubeconfig that was written once stays
//! valid. In memory tokens are found by their SHA-256, so the time a look-up takes says nothing about a token.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::User;
use crate::cluster::pki::{PkiError, write_private};

#[derive(Serialize, Deserialize)]
struct Entry {
    token: String,
    username: String,
    groups: Vec<String>,
}

/// The token file.
#[derive(Debug)]
pub struct Tokens {
    path: PathBuf,
    known: Mutex<HashMap<[u8; 32], (SecretString, User)>>,
}

impl Tokens {
    /// Reads `path`; an absent file means that no token was handed out yet.
    pub fn open(path: PathBuf) -> Result<Tokens, PkiError> {
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => b"[]".to_vec(),
            Err(source) => return Err(PkiError::File { doing: "read", path, source }),
        };
        let entries: Vec<Entry> = serde_json::from_slice(&text).map_err(|e| broken(&path, e))?;
        let known = entries.into_iter().map(|e| {
            let user = User::authenticated(&e.username, &e.groups);
            (hash(&e.token), (SecretString::from(e.token), user))
        });
        Ok(Tokens { path, known: Mutex::new(known.collect()) })
    }

    /// The token of a user with exactly these groups; made and saved when there is none yet.
    pub fn token_for(&self, username: &str, groups: &[String]) -> Result<SecretString, PkiError> {
        let user = User::authenticated(username, groups);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((token, _)) = known.values().find(|(_, u)| *u == user) {
            return Ok(token.clone());
        }
        let bytes: [u8; 32] = rand::rng().random();
        let token = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
        known.insert(hash(&token), (SecretString::from(token.clone()), user));
        let entries: Vec<Entry> = known
            .values()
            .map(|(token, user)| Entry {
                token: token.expose_secret().to_owned(),
                username: user.username.clone(),
                groups: user.groups.clone(),
            })
            .collect();
        let text = serde_json::to_vec(&entries).map_err(|e| broken(&self.path, e))?;
        write_private(&self.path, &text)?;
        Ok(SecretString::from(token))
    }

    /// Whose token this is.
    pub fn user_of(&self, token: &str) -> Option<User> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&hash(token)).map(|(_, user)| user.clone())
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn broken(path: &Path, error: serde_json::Error) -> PkiError {
    PkiError::File { doing: "understand", path: path.to_owned(), source: std::io::Error::other(error) }
}
