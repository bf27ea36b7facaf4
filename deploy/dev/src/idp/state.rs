//! What the provider knows: its people, its keys, and the sign-ins under way.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

use super::authorize::{Code, Pending};
use super::device::{self, Device};
use super::keys::Keys;
use super::table::Table;
use super::{DevPerson, IdpError, admin};

/// The most sign-ins of each kind at a time, and the most tokens of each kind.
const MAX_SIGN_INS: usize = 256;
const MAX_TOKENS: usize = 4096;

/// How long the account page waits, a code can be redeemed, and an access token works.
const PAGE_LIFE: Duration = Duration::from_secs(600);
const CODE_LIFE: Duration = Duration::from_secs(60);
/// Short, so that whoever goes on asking has to renew it.
pub(super) const ACCESS_LIFE: Duration = Duration::from_secs(35);
const REFRESH_LIFE: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug)]
pub(super) struct State {
    pub(super) issuer: String,
    /// What opens the admin endpoint.
    pub(super) admin: SecretString,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) people: Vec<DevPerson>,
    /// Whether it plays a provider that is down.
    pub(super) silent: bool,
    pub(super) keys: Keys,
    /// By device code.
    pub(super) devices: Table<Device>,
    /// By the id in the account page's form.
    pub(super) pending: Table<Pending>,
    /// By authorization code.
    pub(super) codes: Table<Code>,
    /// Usernames by access token.
    pub(super) access: Table<String>,
    /// Usernames by refresh token; each works once.
    pub(super) refresh: Table<String>,
}

impl State {
    pub(super) fn new(issuer: String, dir: &Path, people: Vec<DevPerson>) -> Result<Self, IdpError> {
        let keys = Keys::load(dir)?;
        let admin = admin::secret_in(dir)?.into();
        let inner = Inner {
            people,
            silent: false,
            keys,
            devices: Table::new(device::KEPT, MAX_SIGN_INS),
            pending: Table::new(PAGE_LIFE, MAX_SIGN_INS),
            codes: Table::new(CODE_LIFE, MAX_SIGN_INS),
            access: Table::new(ACCESS_LIFE, MAX_TOKENS),
            refresh: Table::new(REFRESH_LIFE, MAX_TOKENS),
        };
        Ok(Self { issuer, admin, inner: Mutex::new(inner) })
    }

    /// Works on what changes. Nothing here waits.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn people(&self) -> Vec<DevPerson> {
        self.with(|inner| inner.people.clone())
    }

    pub(super) fn person(&self, username: &str) -> Option<DevPerson> {
        self.with(|inner| inner.people.iter().find(|person| person.username == username).cloned())
    }
}

/// 256 bits that nobody guesses.
pub(super) fn secret() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}
