//! Asking the provider again about people who have signed in: are they still who they were, in the groups they were in?
//!
//! [`Rechecks`] remembers sign-ins, in memory and bounded: what a restart forgets, or another replica knows, is not
//! asked about here. `ask` puts the questions, `round` decides when, and [`Watch`] is told what was heard. Nothing ends
//! because of silence: a provider that is down, slow or incomprehensible changes nothing.

mod ask;
mod round;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use rand::RngExt as _;

use super::Identity;
use super::settings::OidcSettings;
use super::tokens::Tokens;
use crate::clock::SharedClock;

/// How many people are remembered at most; beyond that whoever signed in longest ago is forgotten.
pub(super) const MOST: usize = 4096;

/// Who has something to lose.
#[derive(Debug, Clone, Default)]
pub struct People {
    /// Issuer and subject.
    pub accounts: BTreeSet<(String, String)>,
    /// People of whom only the username is known, which the cluster has vouched for.
    pub usernames: BTreeSet<String>,
}

impl People {
    fn has(&self, who: &Identity) -> bool {
        self.usernames.contains(who.username())
            || self.accounts.contains(&(who.issuer().to_owned(), who.subject().to_owned()))
    }

    fn len(&self) -> usize {
        self.accounts.len() + self.usernames.len()
    }
}

/// Says whom to ask about, and hears what came of it.
pub trait Watch: Send + Sync {
    /// Everybody who has something that an answer could end.
    fn people(&self) -> People;

    /// The provider has shown these groups. Gives what ended for it.
    fn shown<'a>(&'a self, who: &'a Identity) -> BoxFuture<'a, Vec<String>>;

    /// The provider says that the person's account, or their session there, is over. Gives what ended for it.
    fn gone<'a>(&'a self, who: &'a Identity, why: &'a str) -> BoxFuture<'a, Vec<String>>;

    /// From now on the provider cannot be asked about this person, until they sign in again.
    fn lost(&self, who: &Identity, why: &str);
}

/// The memory of sign-ins. Tokens are in it, and in nothing else: no file, no log, no event.
#[derive(Debug)]
pub struct Rechecks {
    clock: SharedClock,
    /// None: nothing is remembered.
    every: Option<Duration>,
    remember: Duration,
    store: Mutex<Store>,
}

#[derive(Debug, Default)]
struct Store {
    /// By subject; there is one issuer.
    people: BTreeMap<String, Known>,
    /// Counts sign-ins.
    signed_in: u64,
    pause: Pause,
}

/// For how long nobody is asked about, because the provider does not answer.
#[derive(Debug, Default)]
struct Pause {
    times: u32,
    until: Option<Timestamp>,
}

/// One person as the provider last showed them.
#[derive(Debug)]
struct Known {
    /// Which sign-in it goes back to: an answer that belongs to an older one counts for nothing.
    sign_in: u64,
    identity: Identity,
    /// When the provider showed that.
    shown_at: Timestamp,
    signed_in_at: Timestamp,
    /// When to ask next.
    next: Timestamp,
    failures: u32,
    standing: Standing,
}

#[derive(Debug)]
enum Standing {
    /// They can be asked about.
    Held(Box<Held>),
    /// They are being asked about.
    Asking,
    /// The provider has said that they are gone, and why.
    Gone(String),
    /// Nothing is left to ask with.
    Lost,
}

/// What the provider can be asked with, and what its answers have been like.
#[derive(Debug)]
struct Held {
    tokens: Tokens,
    /// Whether the answer to a use of the refresh token may have been lost: it may be used up, and its refusal proves
    /// nothing any more.
    doubt: bool,
    /// Whether introspection has called an access token of theirs active.
    was_active: bool,
    renewal: Renewal,
    /// Whether it was said that groups are not to be had.
    told: bool,
}

/// What a renewal's ID token says about groups, where nothing else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Renewal {
    Untried,
    ShowsGroups,
    ShowsNone,
}

impl Rechecks {
    pub(super) fn new(settings: &OidcSettings, clock: SharedClock) -> Self {
        let OidcSettings { recheck, remember, .. } = settings;
        Self { clock, every: *recheck, remember: *remember, store: Mutex::default() }
    }

    /// Remembers a sign-in that has just succeeded, in place of this person's earlier ones. Every way to sign in ends
    /// with this.
    pub fn keep(&self, identity: &Identity, tokens: Tokens) {
        let Some(every) = self.every else { return };
        let now = self.clock.now();
        let mut store = self.lock();
        store.signed_in += 1;
        let can_be_asked = tokens.access.is_some() || tokens.refresh.is_some();
        let held = Held { tokens, doubt: false, was_active: false, renewal: Renewal::Untried, told: false };
        let known = Known {
            sign_in: store.signed_in,
            identity: identity.clone(),
            shown_at: now,
            signed_in_at: now,
            // Many sign in at nine o'clock; they are not all asked about at the same second.
            next: soon(now, every, 0.5),
            failures: 0,
            standing: if can_be_asked { Standing::Held(Box::new(held)) } else { Standing::Lost },
        };
        store.people.insert(identity.subject().to_owned(), known);
        if store.people.len() > MOST
            && let Some(oldest) =
                store.people.iter().min_by_key(|(_, known)| known.sign_in).map(|(subject, _)| subject.clone())
        {
            store.people.remove(&oldest);
        }
    }

    /// The person of a certificate that was issued at `since`, in no group that the provider has denied them after that.
    /// None when there is nothing to take away.
    #[must_use]
    pub fn narrowed(&self, certified: &Identity, since: Timestamp) -> Option<Identity> {
        let store = self.lock();
        let known = store.people.get(certified.subject())?;
        let theirs = known.identity.issuer() == certified.issuer() && known.shown_at > since;
        let fewer = !certified.groups().is_subset(known.identity.groups());
        (theirs && fewer).then(|| certified.within(known.identity.groups()))
    }

    /// How often people are asked about; none: never.
    #[must_use]
    pub const fn every(&self) -> Option<Duration> {
        self.every
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.lock().people.len()
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A moment between `least` of the time from now and all of it.
fn soon(now: Timestamp, every: Duration, least: f64) -> Timestamp {
    let part = rand::rng().random_range(least..1.0);
    now.checked_add(every.mul_f64(part)).unwrap_or(Timestamp::MAX)
}
