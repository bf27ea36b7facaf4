//! Who may come in, step by step, without the SSH library: the state behind the authentication callbacks.
//!
//! OpenSSH offers its keys one after the other, mostly the bare key before the certificate for it. A bare key
//! proves nothing here, so its offer is refused at once and a person with a certificate signs only once (a touch
//! of a hardware key, too). A client that has nothing else tries `keyboard-interactive`; that lets it in as a
//! [`Stranger`], who may do no more than sign in and read help. See docs/decisions/0041.
//!
//! The library does not say whether an offer is a bare key or a certificate, so [`Door::offered`] guesses by the
//! packet's size (see `wire`). The guess decides only whether the client is asked to *sign*. What the signature was
//! for is known for certain afterwards, and only that lets anybody in: [`Who::Person`] is made from a certificate
//! that `ca` verified, and from nothing else.

use russh::keys::{Algorithm, HashAlg, PublicKey};

use crate::ca::{CertificateRefusal, VerifiedCertificate};

/// Nobody's name is longer, and what is kept of it is bounded.
pub(super) const MAX_USER_BYTES: usize = 256;

/// Keys remembered of one client; an agent seldom has more.
const MAX_OFFERED: usize = 16;

/// A packet's own bytes around its payload: lengths, padding to a block of 16, the longest tag.
const AROUND: u64 = 4 + 1 + 4 + 15 + 64;

/// A certificate adds more than this to the key it holds: a nonce, dates, the authority's key and signature.
const CERTIFICATE: u64 = 150;

/// What a `keyboard-interactive` request may measure beside the user's name.
const INTERACTIVE: u64 = 300;

/// Who is at the other end, decided once per connection.
#[derive(Debug)]
pub(crate) enum Who {
    /// Somebody with a certificate of ours.
    Person(Box<VerifiedCertificate>),
    /// Somebody who may sign in.
    Stranger(Box<Stranger>),
}

/// Somebody of whom nothing is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stranger {
    /// The key to certify after sign-in: one that the client offered. That its owner is at the other end is not
    /// proven here; it is proven by every use of a certificate for it, and without that use the certificate is
    /// worth nothing.
    pub(crate) key: Option<PublicKey>,
    /// Why there is no more.
    pub(crate) why: NoCertificate,
}

/// What `keyboard-interactive` comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LastResort {
    /// Come in, stranger.
    Enter(Stranger),
    /// Show your keys first.
    KeysFirst,
    /// No.
    No,
}

/// Why somebody did not come in with a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoCertificate {
    /// None was shown.
    #[error("ssh showed no certificate")]
    None,
    /// One was shown whose dates the SSH library turned away before asking us.
    #[error("the certificate that ssh showed has expired (or is not valid yet)")]
    Dates,
    /// One was shown and refused by `ca`.
    #[error("{0}")]
    Refused(CertificateRefusal),
}

/// The state of one connection's sign-in.
#[derive(Debug)]
pub(super) struct Door {
    user: String,
    /// Bytes that the library had taken at the last callback; `None` before the first.
    taken: Option<u64>,
    /// What was offered so far, each key once.
    offered: Vec<PublicKey>,
    /// The last of them.
    last: Option<PublicKey>,
    /// Whether the last offer's packet was large, and what was offered before it.
    large: Option<Option<PublicKey>>,
    /// The key whose certificate was turned away.
    renew: Option<PublicKey>,
    why: NoCertificate,
    asked: bool,
}

impl Default for Door {
    fn default() -> Self {
        Self {
            user: String::new(),
            taken: None,
            offered: Vec::new(),
            last: None,
            large: None,
            renew: None,
            why: NoCertificate::None,
            asked: false,
        }
    }
}

impl Door {
    /// Bytes since the last callback, this one's packet included.
    fn since(&mut self, user: &str, taken: u64) -> Option<u64> {
        if self.user != user {
            // The library starts over for another name, and so does the door.
            let taken = self.taken;
            *self = Self { user: user.chars().take(MAX_USER_BYTES).collect(), taken, ..Self::default() };
        }
        self.taken.replace(taken).map(|before| taken.saturating_sub(before))
    }

    /// The customary first question: what may I try?
    pub(super) fn none(&mut self, user: &str, taken: u64) {
        self.since(user, taken);
    }

    /// A key is offered, bare or in a certificate. Whether the client should sign with it.
    pub(super) fn offered(&mut self, user: &str, key: &PublicKey, algorithm: &str, taken: u64) -> bool {
        let since = self.since(user, taken);
        if user.len() > MAX_USER_BYTES {
            return false;
        }
        if self.offered.len() < MAX_OFFERED && !self.offered.contains(key) {
            self.offered.push(key.clone());
        }
        let before = self.last.replace(key.clone());
        let bare = bare_offer(user, key, algorithm);
        // The very first packet cannot be measured: asking for one signature too many is the harmless mistake.
        let large = since.is_none_or(|since| since > bare + AROUND + CERTIFICATE);
        self.large = (large && since.is_some()).then_some(before);
        large
    }

    /// The owner of a bare key has signed, which does not let anybody in.
    pub(super) fn signed(&mut self, user: &str, key: &PublicKey, taken: u64) {
        self.since(user, taken);
        if let Some(before) = self.large.take() {
            // The large packet before this signature was not this bare key: a certificate came first that nobody
            // asked us about, for the key that was offered before it, if there was one.
            self.turned_away(before.or_else(|| Some(key.clone())));
        }
    }

    /// The owner of a certificate's key has signed, and the certificate was refused.
    pub(super) fn refused(&mut self, user: &str, key: &PublicKey, refusal: CertificateRefusal, taken: u64) {
        self.since(user, taken);
        self.large = None;
        self.renew = Some(key.clone());
        self.why = NoCertificate::Refused(refusal);
    }

    /// The client has nothing better left, or asks this first.
    pub(super) fn interactive(&mut self, user: &str, taken: u64) -> LastResort {
        let since = self.since(user, taken);
        if user.len() > MAX_USER_BYTES {
            return LastResort::No;
        }
        if since.is_some_and(|since| since > user.len() as u64 + INTERACTIVE) {
            self.turned_away(self.last.clone());
        }
        if self.offered.is_empty() && !std::mem::replace(&mut self.asked, true) {
            return LastResort::KeysFirst;
        }
        LastResort::Enter(Stranger { key: self.to_certify(), why: self.why.clone() })
    }

    /// The key that the person most likely wants certified: the one whose certificate was turned away, else the
    /// kind that the documentation speaks of, else the first.
    fn to_certify(&self) -> Option<PublicKey> {
        let ed25519 = || self.offered.iter().find(|key| key.algorithm() == Algorithm::Ed25519);
        self.renew.as_ref().or_else(ed25519).or_else(|| self.offered.first()).cloned()
    }

    fn turned_away(&mut self, key: Option<PublicKey>) {
        if self.why == NoCertificate::None {
            self.why = NoCertificate::Dates;
            self.renew = key;
        }
    }
}

/// The payload of a `publickey` request without a signature, in bytes (RFC 4252 section 7).
fn bare_offer(user: &str, key: &PublicKey, algorithm: &str) -> u64 {
    let text = |bytes: usize| 4 + bytes as u64;
    let blob = key.to_bytes().map_or(0, |blob| blob.len());
    1 + text(user.len())
        + text("ssh-connection".len())
        + text("publickey".len())
        + 1
        + text(algorithm.len())
        + text(blob)
}

/// A key's fingerprint as `ssh-keygen -l` shows it.
pub(super) fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

#[cfg(test)]
mod tests {
    use russh::keys::{Algorithm, PrivateKey};

    use super::*;

    /// What OpenSSH's packets measured on the wire.
    const BARE: u64 = 160;
    const CERT: u64 = 900;
    const ASK: u64 = 100;
    const SIGNED: u64 = 100;

    fn key() -> PublicKey {
        PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap().public_key().clone()
    }

    struct Client {
        door: Door,
        taken: u64,
    }

    impl Client {
        fn new() -> Self {
            let mut client = Self { door: Door::default(), taken: 5000 };
            client.door.none("alice", client.taken);
            client
        }
        fn send(&mut self, bytes: u64) -> u64 {
            self.taken += bytes;
            self.taken
        }
        fn offer(&mut self, key: &PublicKey, bytes: u64) -> bool {
            let taken = self.send(bytes);
            self.door.offered("alice", key, "ssh-ed25519", taken)
        }
        fn sign(&mut self, key: &PublicKey) {
            let taken = self.send(BARE + SIGNED);
            self.door.signed("alice", key, taken);
        }
        fn ask(&mut self) -> LastResort {
            let taken = self.send(ASK);
            self.door.interactive("alice", taken)
        }
        fn enter(&mut self) -> Stranger {
            match self.ask() {
                LastResort::Enter(stranger) => stranger,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_bare_key_is_not_asked_to_sign_and_a_certificate_is() {
        let (mut client, key) = (Client::new(), key());
        assert!(!client.offer(&key, BARE));
        assert!(client.offer(&key, CERT));
    }

    #[test]
    fn who_has_only_a_key_comes_in_as_a_stranger_with_that_key() {
        let (mut client, key) = (Client::new(), key());
        assert!(!client.offer(&key, BARE));
        assert_eq!(client.enter(), Stranger { key: Some(key), why: NoCertificate::None });
    }

    #[test]
    fn who_asks_before_showing_keys_is_sent_to_show_them_once() {
        let (mut client, key) = (Client::new(), key());
        assert_eq!(client.ask(), LastResort::KeysFirst);
        assert!(client.offer(&key, CERT), "a certificate still counts");
        let mut keyless = Client::new();
        assert_eq!(keyless.ask(), LastResort::KeysFirst);
        assert_eq!(keyless.enter().key, None);
    }

    #[test]
    fn a_certificate_that_the_library_swallowed_is_told_of_and_its_key_is_the_one_to_renew() {
        // Key first, then the certificate, as `ssh -i` and agents do it.
        let (mut client, other, key, third) = (Client::new(), key(), key(), key());
        assert!(!client.offer(&other, BARE));
        assert!(!client.offer(&key, BARE));
        client.send(CERT);
        let renewed = Stranger { key: Some(key.clone()), why: NoCertificate::Dates };
        assert_eq!(client.enter(), renewed);

        // With more keys after it.
        let mut client = Client::new();
        assert!(!client.offer(&key, BARE));
        client.send(CERT);
        assert!(client.offer(&third, BARE), "taken for a certificate");
        client.sign(&third);
        assert_eq!(client.enter(), renewed);

        // The certificate first, as CertificateFile does it.
        let mut client = Client::new();
        client.send(CERT);
        assert!(client.offer(&key, BARE), "taken for a certificate");
        client.sign(&key);
        assert_eq!(client.enter(), renewed);
    }

    #[test]
    fn a_refusal_says_more_than_a_guess() {
        let (mut client, key) = (Client::new(), key());
        assert!(client.offer(&key, CERT));
        let taken = client.send(CERT + SIGNED);
        client.door.refused("alice", &key, CertificateRefusal::NoPrincipal, taken);
        let why = NoCertificate::Refused(CertificateRefusal::NoPrincipal);
        assert_eq!(client.enter(), Stranger { key: Some(key), why });
    }

    #[test]
    fn another_user_name_starts_over() {
        let (mut client, key) = (Client::new(), key());
        client.offer(&key, BARE);
        let taken = client.send(ASK);
        assert_eq!(client.door.interactive("mallory", taken), LastResort::KeysFirst);
    }

    #[test]
    fn an_endless_user_name_gets_nowhere() {
        let (mut client, key) = (Client::new(), key());
        let endless = "a".repeat(MAX_USER_BYTES + 1);
        assert!(!client.door.offered(&endless, &key, "ssh-ed25519", 10_000));
        assert_eq!(client.door.interactive(&endless, 20_000), LastResort::No);
    }

    #[test]
    fn a_client_with_endless_keys_is_remembered_by_a_few() {
        let mut client = Client::new();
        for _ in 0..40 {
            client.offer(&key(), BARE);
        }
        assert_eq!(client.door.offered.len(), MAX_OFFERED);
    }
}
