//! Who is signed in, and who is about to be: in memory, bounded in number and in time. Only hashes of what browsers
//! show are kept. A gateway that restarts forgets everybody; they sign in again, mostly without noticing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;

use super::place::Place;
use super::secret::{Hash, hash, same, word};
use crate::identity::{CodeSignIn, Identity};

/// The most that are signed in at a time, and the most sessions of one person.
const MOST: usize = 10_000;
const MOST_OF_ONE: usize = 16;
/// A session that is not used ends after this.
const IDLE: SignedDuration = SignedDuration::from_hours(1);
/// No session is longer.
const LONGEST: Duration = Duration::from_secs(8 * 3600);
/// The most sign-ins under way; beyond this the oldest is forgotten.
const MOST_WAITING: usize = 4096;
/// How long somebody may take at the provider.
const SIGN_IN: Duration = Duration::from_secs(10 * 60);

/// Somebody signed in.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) identity: Identity,
    /// What forms repeat.
    csrf: String,
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
}

impl Session {
    /// What forms have to repeat.
    pub(super) fn csrf(&self) -> &str {
        &self.csrf
    }

    /// The same session of somebody who is in fewer groups now.
    pub(super) fn within(&self, identity: Identity) -> Self {
        Self { identity, csrf: self.csrf.clone(), ..*self }
    }

    pub(super) fn is_ours(&self, csrf: &str) -> bool {
        same(csrf.as_bytes(), self.csrf.as_bytes())
    }
}

#[derive(Debug)]
struct Kept {
    session: Arc<Session>,
    used: Timestamp,
}

impl Kept {
    fn is_over(&self, now: Timestamp) -> bool {
        now >= self.session.until || now.duration_since(self.used) >= IDLE
    }
}

/// All sessions.
#[derive(Debug)]
pub(super) struct Sessions {
    kept: Mutex<HashMap<Hash, Kept>>,
    longest: Duration,
}

impl Sessions {
    /// Sessions of at most `longest`.
    pub(super) fn new(longest: Duration) -> Self {
        Self { kept: Mutex::default(), longest: longest.min(LONGEST) }
    }

    /// A new session; the word is for the browser's cookie and is kept nowhere.
    pub(super) fn begin(&self, identity: Identity, now: Timestamp) -> (String, Arc<Session>) {
        let until = now.checked_add(self.longest).unwrap_or(now);
        let session = Arc::new(Session { identity, csrf: word(), since: now, until });
        let id = word();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, one| !one.is_over(now));
        let is_theirs = |one: &Kept| {
            one.session.identity.issuer() == session.identity.issuer()
                && one.session.identity.subject() == session.identity.subject()
        };
        if kept.values().filter(|one| is_theirs(one)).count() >= MOST_OF_ONE {
            forget_oldest(&mut kept, is_theirs, |one| one.used);
        } else if kept.len() >= MOST {
            forget_oldest(&mut kept, |_| true, |one| one.used);
        }
        kept.insert(hash(&id), Kept { session: Arc::clone(&session), used: now });
        (id, session)
    }

    /// The session that this word opens, used now.
    pub(super) fn find(&self, id: &str, now: Timestamp) -> Option<Arc<Session>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let key = hash(id);
        if kept.get(&key)?.is_over(now) {
            kept.remove(&key);
            return None;
        }
        let one = kept.get_mut(&key)?;
        one.used = one.used.max(now);
        Some(Arc::clone(&one.session))
    }

    pub(super) fn end(&self, id: &str) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash(id));
    }
}

#[derive(Debug)]
struct Waiting {
    sign_in: CodeSignIn,
    browser: Hash,
    to: Place,
    until: Timestamp,
}

/// Sign-ins under way, by their `state`.
#[derive(Debug, Default)]
pub(super) struct SignIns(Mutex<HashMap<Hash, Waiting>>);

/// Why an answer fits nothing that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stray {
    /// Never sent, used before, or too late.
    Unknown,
    /// Another browser was sent.
    OtherBrowser,
}

impl SignIns {
    /// Waits for this one's answer; the word is for the browser's cookie.
    pub(super) fn begin(&self, sign_in: CodeSignIn, to: Place, now: Timestamp) -> String {
        let browser = word();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, one| now < one.until);
        if waiting.len() >= MOST_WAITING {
            forget_oldest(&mut waiting, |_| true, |one| one.until);
        }
        let until = now.checked_add(SIGN_IN).unwrap_or(now);
        let state = hash(sign_in.state.expose_secret());
        waiting.insert(state, Waiting { sign_in, browser: hash(&browser), to, until });
        browser
    }

    /// The sign-in that an answer with this `state` ends, if it comes from the browser that began it. Nothing is
    /// answered twice.
    pub(super) fn take(
        &self,
        state: &str,
        browser: Option<&str>,
        now: Timestamp,
    ) -> Result<(CodeSignIn, Place), Stray> {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash(state));
        let one = found.filter(|one| now < one.until).ok_or(Stray::Unknown)?;
        if browser.is_some_and(|browser| same(&hash(browser), &one.browser)) {
            Ok((one.sign_in, one.to))
        } else {
            Err(Stray::OtherBrowser)
        }
    }
}

fn forget_oldest<T>(all: &mut HashMap<Hash, T>, of: impl Fn(&T) -> bool, age: impl Fn(&T) -> Timestamp) {
    let oldest = all.iter().filter(|(_, one)| of(one)).min_by_key(|(_, one)| age(one)).map(|(key, _)| *key);
    if let Some(key) = oldest {
        all.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn alice() -> Identity {
        Identity::for_tests("alice", &[])
    }

    #[test]
    fn a_session_ends_when_it_is_not_used_and_at_its_longest() {
        let (sessions, start) = (Sessions::new(3 * HOUR), Timestamp::UNIX_EPOCH);
        let (id, _) = sessions.begin(alice(), start);
        let at = |minutes: u64| start + Duration::from_secs(60 * minutes);
        assert!(sessions.find(&id, at(59)).is_some());
        assert!(sessions.find(&id, at(118)).is_some());
        assert!(sessions.find(&id, at(177)).is_some());
        assert!(sessions.find(&id, at(180)).is_none(), "at its longest");
        assert!(sessions.find(&id, at(177)).is_none(), "and it does not come back");
        let (id, _) = sessions.begin(alice(), start);
        assert!(sessions.find(&id, at(60)).is_none(), "not used for an hour");
        let (_, session) = Sessions::new(24 * HOUR).begin(alice(), start);
        assert_eq!(session.until, at(8 * 60));
    }

    #[test]
    fn a_word_that_was_never_given_out_opens_nothing() {
        let (sessions, now) = (Sessions::new(HOUR), Timestamp::UNIX_EPOCH);
        let (id, _) = sessions.begin(alice(), now);
        assert!(sessions.find("", now).is_none() && sessions.find(&id.to_lowercase(), now).is_none());
        sessions.end(&id);
        assert!(sessions.find(&id, now).is_none());
    }

    #[test]
    fn one_persons_sessions_are_few_and_the_oldest_goes() {
        let (sessions, start) = (Sessions::new(HOUR), Timestamp::UNIX_EPOCH);
        let (bob, _) = sessions.begin(Identity::for_tests("bob", &[]), start);
        let ids: Vec<_> =
            (0..20).map(|second| sessions.begin(alice(), start + Duration::from_secs(second)).0).collect();
        let now = start + Duration::from_secs(20);
        let open: Vec<_> = ids.iter().map(|id| sessions.find(id, now).is_some()).collect();
        assert_eq!(open.iter().filter(|open| **open).count(), MOST_OF_ONE);
        assert!(!open[0] && open[19] && sessions.find(&bob, now).is_some());
    }
}
