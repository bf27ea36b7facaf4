//! The embedded OpenID Connect provider: real tokens for three people who need no password.
//!
//! It speaks what a web console and a terminal need: discovery, authorization code with PKCE (RFC 7636),
//! device grant (RFC 8628), refresh tokens that work once, userinfo, keys that can be rotated, people who come, change and
//! go while it runs. It listens on loopback only, answers to no
//! other host name, and anybody who reaches it can be anybody it knows: it is for trying out and for tests.
//! Its signing keys outlive it in a directory; sign-ins under way do not.

mod admin;
mod authorize;
mod device;
mod keys;
mod pages;
mod server;
mod state;
mod table;
mod token;

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use state::State;

/// The one client there is, a public one: every redirect to loopback is fine with it.
pub const CLIENT_ID: &str = "sallyport";

/// Somebody who can sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevPerson {
    /// The claim `preferred_username`, and what `sub` and `email` are made from.
    pub username: String,
    /// The claim `groups`.
    pub groups: Vec<String>,
    /// The claim `name`, and what the sign-in page shows.
    pub name: String,
}

impl DevPerson {
    /// Somebody with these groups.
    #[must_use]
    pub fn new(username: &str, name: &str, groups: &[&str]) -> Self {
        Self {
            username: username.to_owned(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            name: name.to_owned(),
        }
    }

    /// The three of the demonstration: alice asks, bob approves, sam reviews.
    #[must_use]
    pub fn cast() -> Vec<Self> {
        vec![
            Self::new("alice", "Alice Archer, on call", &["oncall"]),
            Self::new("bob", "Bob Baker, team lead", &["leads"]),
            Self::new("sam", "Sam Sommer, security", &["security"]),
        ]
    }
}

/// Why the provider does not run, or did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum IdpError {
    /// It has no business on a network.
    #[error("the development sign-in provider listens on loopback only, not on `{0}`")]
    NotLoopback(SocketAddr),
    /// The address is taken, or not ours.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The keys cannot be kept.
    #[error("cannot use the signing keys in `{}`", path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The secret of the admin endpoint cannot be written.
    #[error("cannot write `{}`", path.display())]
    Admin {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody cannot be an account.
    #[error("an account has a short plain name and a few short groups; `{0}` has not")]
    Person(String),
    /// A key cannot be made or used.
    #[error("cannot make a signing key")]
    Crypto,
    /// No sign-in waits under this code.
    #[error("no sign-in waits for the code `{0}`")]
    UnknownCode(String),
    /// Nobody is called that.
    #[error("there is no account `{0}`")]
    UnknownPerson(String),
}

/// A running provider; it stops when this is dropped.
#[derive(Debug)]
pub struct Idp {
    state: Arc<State>,
    address: SocketAddr,
    task: JoinHandle<()>,
    stop: DropGuard,
}

impl Idp {
    /// Starts a provider for `people` whose keys are kept in `dir`. With port 0 the system picks one, and with
    /// it the issuer's name.
    ///
    /// # Errors
    /// When `listen` is not loopback or not to be had, or the keys cannot be read or written.
    pub async fn start(listen: SocketAddr, dir: &Path, people: Vec<DevPerson>) -> Result<Self, IdpError> {
        if !listen.ip().is_loopback() {
            return Err(IdpError::NotLoopback(listen));
        }
        // Tokio sets SO_REUSEADDR: connections that linger from the last run do not block the port.
        let listener =
            TcpListener::bind(listen).await.map_err(|source| IdpError::Listen { address: listen, source })?;
        let address = listener.local_addr().map_err(|source| IdpError::Listen { address: listen, source })?;
        let state = Arc::new(State::new(format!("http://{address}"), dir, people)?);
        let stop = CancellationToken::new();
        let task = tokio::spawn(server::run(listener, state.clone(), stop.clone()));
        Ok(Self { state, address, task, stop: stop.drop_guard() })
    }

    /// The issuer, `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.state.issuer
    }

    /// The client that the gateway signs people in with; it has no secret.
    #[must_use]
    pub const fn client_id(&self) -> &'static str {
        CLIENT_ID
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Confirms a device sign-in as `username`, as the page would.
    ///
    /// # Errors
    /// When no sign-in waits under `user_code`, or there is no such account.
    pub fn sign_in(&self, user_code: &str, username: &str) -> Result<(), IdpError> {
        if self.state.person(username).is_none() {
            return Err(IdpError::UnknownPerson(username.to_owned()));
        }
        self.decide(user_code, device::Decision::As(username.to_owned()))
    }

    /// Refuses a device sign-in, as the page would.
    ///
    /// # Errors
    /// When no sign-in waits under `user_code`.
    pub fn deny(&self, user_code: &str) -> Result<(), IdpError> {
        self.decide(user_code, device::Decision::Denied)
    }

    fn decide(&self, user_code: &str, decision: device::Decision) -> Result<(), IdpError> {
        if device::decide(&self.state, user_code, decision) {
            Ok(())
        } else {
            Err(IdpError::UnknownCode(user_code.to_owned()))
        }
    }

    /// Somebody is in these groups from now on; an account that is not there yet is made.
    ///
    /// # Errors
    /// When the names are no names, or there are too many accounts.
    pub fn set_groups(&self, username: &str, groups: &[&str]) -> Result<(), IdpError> {
        admin::set_groups(&self.state, username, groups.iter().map(|group| (*group).to_owned()).collect())
    }

    /// Closes an account: nobody can sign in to it any more, and its tokens are worth nothing.
    ///
    /// # Errors
    /// When there is no such account.
    pub fn close(&self, username: &str) -> Result<(), IdpError> {
        admin::close(&self.state, username)
    }

    /// Plays a provider that is down (every question is answered with 503), or that is back.
    pub fn set_silent(&self, silent: bool) {
        self.state.with(|inner| inner.silent = silent);
    }

    /// Signs with a new key from now on. The last one stays published for tokens under way; older ones go.
    ///
    /// # Errors
    /// When the key cannot be made or written.
    pub fn rotate_keys(&self) -> Result<(), IdpError> {
        self.state.with(|inner| inner.keys.rotate())
    }

    /// Stops and waits until the port is free.
    pub async fn shutdown(self) {
        drop(self.stop);
        // A task that died has let go of the port too.
        let _ = self.task.await;
    }
}
