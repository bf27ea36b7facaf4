//! What is known of one SSH connection, shared by its handler and its sessions.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use jiff::Timestamp;
use rand::RngExt as _;
use russh::keys::PublicKey;
use tokio_util::sync::CancellationToken;

use super::auth::{NoCertificate, Who};
use super::limits::Slot;
use crate::audit::{Audit, Event, Kind, Outcome};
use crate::ca::VerifiedCertificate;
use crate::clock::SharedClock;

/// A peer that is refused more often than this on one connection fills no more lines of the event log.
const MAX_REFUSALS: u32 = 100;

/// One SSH connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// In all of its events.
    pub(crate) id: String,
    /// The other end.
    pub(crate) peer: SocketAddr,
    /// The user name that it signed in with; a target, perhaps.
    user: OnceLock<String>,
    /// Given back as soon as somebody is signed in.
    startup: Mutex<Option<Slot>>,
    who: OnceLock<Who>,
    /// Cancelled when the connection ends, by whichever side.
    pub(crate) gone: CancellationToken,
    clock: SharedClock,
    audit: Audit,
    refusals: AtomicU32,
}

/// Why somebody on a connection may only sign in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotSignedIn {
    /// There never was a certificate.
    #[error("{0}")]
    Stranger(NoCertificate),
    /// The certificate ended while the connection stayed.
    #[error("the certificate of this connection expired at {0}")]
    Expired(Timestamp),
}

impl NotSignedIn {
    /// Whether it says more than that there is no certificate.
    pub(crate) const fn is_telling(&self) -> bool {
        !matches!(self, Self::Stranger(NoCertificate::None))
    }
}

impl Connection {
    pub(super) fn new(
        peer: SocketAddr,
        startup: Slot,
        gone: CancellationToken,
        clock: SharedClock,
        audit: Audit,
    ) -> Self {
        Self {
            id: new_id(),
            peer,
            user: OnceLock::new(),
            startup: Mutex::new(Some(startup)),
            who: OnceLock::new(),
            gone,
            clock,
            audit,
            refusals: AtomicU32::new(0),
        }
    }

    /// Sets once who this is; nothing changes it afterwards.
    pub(super) fn signed_in(&self, user: &str, who: Who) {
        let mut event = self.event(Kind::ConnectionOpened, Outcome::Ok);
        match &who {
            Who::Person(certificate) => {
                event.person = Some(certificate.identity.audit_person());
                event.serial = Some(certificate.serial);
                event.fingerprint = Some(certificate.fingerprint.clone());
                event.until = Some(certificate.until);
            }
            Who::Stranger(stranger) => {
                event.fingerprint = stranger.key.as_ref().map(super::auth::fingerprint);
                event.why = Some(format!("only to sign in: {}", stranger.why));
            }
        }
        let startup = self.startup.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(startup);
        if self.who.set(who).is_ok() && self.user.set(user.to_owned()).is_ok() {
            self.audit.record(event);
        }
    }

    pub(crate) fn who(&self) -> Option<&Who> {
        self.who.get()
    }

    /// The user name; empty before sign-in.
    pub(crate) fn user(&self) -> &str {
        self.user.get().map_or("", String::as_str)
    }

    /// The person, as long as the certificate is good.
    pub(crate) fn person(&self) -> Result<&VerifiedCertificate, NotSignedIn> {
        match self.who.get() {
            Some(Who::Person(certificate)) if certificate.until > self.clock.now() => Ok(certificate),
            Some(Who::Person(certificate)) => Err(NotSignedIn::Expired(certificate.until)),
            Some(Who::Stranger(stranger)) => Err(NotSignedIn::Stranger(stranger.why.clone())),
            None => Err(NotSignedIn::Stranger(NoCertificate::None)),
        }
    }

    /// The key that a certificate would be for.
    pub(crate) fn key(&self) -> Option<PublicKey> {
        match self.who.get()? {
            Who::Person(certificate) => Some(certificate.key.clone()),
            Who::Stranger(stranger) => stranger.key.clone(),
        }
    }

    /// An event with what all of this connection's events say.
    pub(crate) fn event(&self, kind: Kind, outcome: Outcome) -> Event {
        let mut event = Event::new(self.clock.now(), kind, outcome);
        event.connection = Some(self.id.clone());
        event.peer = Some(self.peer.to_string());
        if let Some(Who::Person(certificate)) = self.who.get() {
            event.person = Some(certificate.identity.audit_person());
        }
        event
    }

    pub(crate) fn record(&self, event: Event) {
        self.audit.record(event);
    }

    /// Something was asked for that nobody gets. Bounded per connection.
    pub(crate) fn refuse(&self, action: &str, why: &str) {
        let before = self.refusals.fetch_add(1, Ordering::Relaxed);
        if before > MAX_REFUSALS {
            return;
        }
        let mut event = self.event(Kind::AccessRefused, Outcome::Refused);
        event.action = Some(action.to_owned());
        event.why = Some(if before == MAX_REFUSALS {
            "refused too often on this connection; further refusals are not recorded".to_owned()
        } else {
            why.to_owned()
        });
        self.audit.record(event);
    }
}

/// 80 random bits in letters and digits that are told apart easily.
fn new_id() -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut random = rand::rng().random::<u128>();
    (0..16)
        .filter_map(|_| {
            let letter = ALPHABET.get((random % 32) as usize).copied();
            random /= 32;
            letter.map(char::from)
        })
        .collect()
}
