//! When to ask about whom, and what becomes of the answers.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::ask::{Word, ask};
use super::{Known, Pause, Rechecks, Standing, Watch, soon};
use crate::identity::{Identity, Oidc};

/// How many are asked about at a time.
const AT_A_TIME: usize = 4;

/// After so many failures in a row nobody else is asked about for a while.
const FAILURES: u32 = 4;

/// The first pause, which doubles with each failure; never longer than the interval, or this.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What a round came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::identity) struct Tally {
    pub(in crate::identity) stays: u32,
    pub(in crate::identity) unknown: u32,
    pub(in crate::identity) gone: u32,
    pub(in crate::identity) lost: u32,
    pub(in crate::identity) failed: u32,
    /// Names of what ended.
    pub(in crate::identity) ended: Vec<String>,
}

/// Somebody whose turn it is.
struct Turn {
    sign_in: u64,
    identity: Identity,
}

impl Oidc {
    /// Asks about people until `shutdown`.
    pub async fn recheck(&self, watch: &dyn Watch, shutdown: CancellationToken) {
        let Some(every) = self.rechecks().every() else {
            shutdown.cancelled().await;
            return;
        };
        let beat = (every / 10).clamp(Duration::from_millis(200), Duration::from_secs(5));
        loop {
            let next = self.clock().now().checked_add(beat).unwrap_or(Timestamp::MAX);
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = async {
                    self.clock().sleep_until(next).await;
                    let tally = self.recheck_round(watch).await;
                    tally.log();
                } => {}
            }
        }
    }

    /// Asks about everybody whose turn it is.
    pub(in crate::identity) async fn recheck_round(&self, watch: &dyn Watch) -> Tally {
        let Some(turns) = self.rechecks().turns(watch) else { return Tally::default() };
        let in_a_row = AtomicU32::new(0);
        let mut tally = Tally::default();
        let mut words = futures::stream::iter(turns)
            .map(|turn| async {
                // Those who are left out stay first in the line.
                if in_a_row.load(Ordering::Relaxed) >= FAILURES {
                    return None;
                }
                let word = self.turn(turn, watch).await?;
                match word.0 {
                    Word::Failed(_) => in_a_row.fetch_add(1, Ordering::Relaxed),
                    _ => in_a_row.swap(0, Ordering::Relaxed),
                };
                Some(word)
            })
            .buffer_unordered(AT_A_TIME);
        while let Some(word) = words.next().await {
            let Some((word, ended)) = word else { continue };
            match word {
                Word::Stays(_) => tally.stays += 1,
                Word::Unknown(_) => tally.unknown += 1,
                Word::Gone(_) => tally.gone += 1,
                Word::Lost(_) => tally.lost += 1,
                Word::Failed(_) => tally.failed += 1,
            }
            tally.ended.extend(ended);
        }
        drop(words);
        self.rechecks().pause(&tally);
        tally
    }

    /// Asks about one person, and has done what follows from it.
    async fn turn(&self, turn: Turn, watch: &dyn Watch) -> Option<(Word, Vec<String>)> {
        let Turn { sign_in, identity } = turn;
        let rechecks = self.rechecks();
        let held = match rechecks.begin(sign_in, &identity)? {
            Standing::Held(held) => held,
            // What should have ended for it then, and could not, or was asked for since.
            Standing::Gone(why) => {
                let ended = watch.gone(&identity, &why).await;
                return Some((Word::Gone(why), ended));
            }
            Standing::Asking | Standing::Lost => return None,
        };
        let (word, held) = ask(self, &identity, held).await;
        let told = held.as_ref().is_some_and(|held| held.told);
        if !rechecks.learn(sign_in, &identity, &word, held) {
            tracing::debug!(person = identity.username(), "they have signed in anew meanwhile");
            return None;
        }
        let person = identity.username();
        let ended = match &word {
            Word::Stays(now) => watch.shown(now).await,
            Word::Gone(why) => {
                tracing::warn!(person, why, "somebody is gone from the sign-in provider");
                watch.gone(&identity, why).await
            }
            Word::Lost(why) => {
                tracing::warn!(
                    person,
                    why,
                    "the provider cannot be asked about somebody until they sign in again"
                );
                watch.lost(&identity, why);
                Vec::new()
            }
            Word::Unknown(why) => {
                if !told {
                    tracing::warn!(
                        person,
                        why,
                        "the provider does not tell somebody's groups; nothing changes"
                    );
                }
                Vec::new()
            }
            Word::Failed(why) => {
                tracing::warn!(
                    person,
                    why,
                    "the provider could not be asked about somebody; nothing changes"
                );
                Vec::new()
            }
        };
        Some((word, ended))
    }
}

impl Rechecks {
    /// Whose turn it is, whoever waits longest first; nobody's during a pause. Forgets whom nobody needs any more.
    fn turns(&self, watch: &dyn Watch) -> Option<Vec<Turn>> {
        let now = self.clock.now();
        if self.lock().pause.until.is_some_and(|until| now < until) {
            return None;
        }
        // Not under our lock: it reads what all requests say.
        let people = watch.people();
        let mut store = self.lock();
        store.people.retain(|_, known| {
            let end = known.signed_in_at.checked_add(self.remember).unwrap_or(Timestamp::MAX);
            now < end || people.has(&known.identity)
        });
        let mut due: Vec<&Known> = store
            .people
            .values()
            .filter(|known| known.next <= now && people.has(&known.identity))
            .filter(|known| matches!(known.standing, Standing::Held(_) | Standing::Gone(_)))
            .collect();
        due.sort_by_key(|known| known.next);
        if !due.is_empty() {
            let known = store.people.values().filter(|known| people.has(&known.identity)).count();
            tracing::debug!(people = people.len(), known, due = due.len(), "people with something to lose");
        }
        Some(
            due.into_iter()
                .map(|known| Turn { sign_in: known.sign_in, identity: known.identity.clone() })
                .collect(),
        )
    }

    /// Takes what is needed to ask, unless the person has signed in anew.
    fn begin(&self, sign_in: u64, who: &Identity) -> Option<Standing> {
        let mut store = self.lock();
        let known = store.people.get_mut(who.subject()).filter(|known| known.sign_in == sign_in)?;
        match &known.standing {
            Standing::Held(_) => Some(std::mem::replace(&mut known.standing, Standing::Asking)),
            Standing::Gone(why) => {
                let why = why.clone();
                known.next = soon(self.clock.now(), self.every.unwrap_or(PAUSE), 0.9);
                Some(Standing::Gone(why))
            }
            Standing::Asking | Standing::Lost => None,
        }
    }

    /// Writes down what was heard; false when it is about a sign-in that is not the last one any more.
    fn learn(&self, sign_in: u64, who: &Identity, word: &Word, held: Option<Box<super::Held>>) -> bool {
        let now = self.clock.now();
        let every = self.every.unwrap_or(LONGEST_PAUSE);
        let mut store = self.lock();
        let known = store.people.get_mut(who.subject()).filter(|known| known.sign_in == sign_in);
        let Some(known) = known else { return false };
        known.failures = if matches!(word, Word::Failed(_)) { known.failures + 1 } else { 0 };
        known.next = match known.failures {
            0 => soon(now, every, 0.9),
            times => now.checked_add(pause(times, every)).unwrap_or(Timestamp::MAX),
        };
        match word {
            Word::Stays(identity) => {
                known.identity = identity.clone();
                known.shown_at = now;
            }
            Word::Gone(_) => {
                known.identity = known.identity.within(&std::collections::BTreeSet::new());
                known.shown_at = now;
            }
            Word::Unknown(_) | Word::Lost(_) | Word::Failed(_) => {}
        }
        known.standing = match (word, held) {
            (Word::Gone(why), _) => Standing::Gone(why.clone()),
            (_, Some(mut held)) => {
                held.told |= matches!(word, Word::Unknown(_));
                Standing::Held(held)
            }
            (_, None) => Standing::Lost,
        };
        true
    }

    /// A provider that answers nobody is left alone for a while.
    fn pause(&self, tally: &Tally) {
        let answered = tally.stays + tally.unknown + tally.gone + tally.lost;
        let mut store = self.lock();
        if answered > 0 {
            store.pause = Pause::default();
        } else if tally.failed > 0 {
            let times = store.pause.times.saturating_add(1);
            let length = pause(times, self.every.unwrap_or(LONGEST_PAUSE));
            store.pause = Pause { times, until: self.clock.now().checked_add(length).ok() };
        }
    }
}

/// How long to leave somebody, or everybody, alone after so many failures.
fn pause(times: u32, every: Duration) -> Duration {
    let doubled = PAUSE.saturating_mul(1_u32.checked_shl(times.saturating_sub(1)).unwrap_or(u32::MAX));
    doubled.min(every).min(LONGEST_PAUSE)
}

impl Tally {
    fn log(&self) {
        let Self { stays, unknown, gone, lost, failed, ended } = self;
        if *self == Self::default() {
            return;
        }
        if *stays > 0 && unknown + gone + lost + failed == 0 && ended.is_empty() {
            tracing::debug!(stays, "people were checked at the sign-in provider");
        } else {
            let ended = ended.len();
            tracing::info!(
                stays,
                unknown,
                gone,
                lost,
                failed,
                ended,
                "people were checked at the sign-in provider"
            );
        }
    }
}
