//! What one webhook waits for, in this process: which notices failed and until when they rest, and which are delivered
//! but not noted in the cluster yet. All of it can be lost: the outbox is the cluster. It never holds more than is due.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::due::{Notice, is_urgent};
use super::post::id;
use crate::crd::AccessRequest;
use crate::outbound::jittered;

/// The pauses after failures.
const SHORTEST: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 1_000 });
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// A notice and the request that it is about.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) request: Arc<AccessRequest>,
    pub(super) notice: Notice,
}

impl Waiting {
    pub(super) fn id(&self) -> String {
        id(self.request.metadata.uid.as_deref().unwrap_or_default(), &self.notice)
    }
}

#[derive(Debug)]
struct Failure {
    times: u32,
    until: Instant,
    why: String,
}

/// One webhook's queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Vec<Waiting>,
    failures: BTreeMap<String, Failure>,
    unnoted: BTreeMap<String, Waiting>,
    /// How often in a row the webhook failed, whatever it was told, and until when it is left alone.
    times: u32,
    until: Option<Instant>,
}

impl Queue {
    /// Takes in what is due now. Returns what failed and is not due any more: it was not delivered.
    pub(super) fn look(&mut self, waiting: Vec<Waiting>) -> Vec<(String, String)> {
        let due: BTreeMap<String, Waiting> = waiting.into_iter().map(|one| (one.id(), one)).collect();
        self.unnoted.retain(|id, _| due.contains_key(id));
        let mut lost = Vec::new();
        self.failures.retain(|id, failure| {
            if !due.contains_key(id) {
                lost.push((id.clone(), failure.why.clone()));
            }
            due.contains_key(id)
        });
        self.waiting =
            due.into_iter().filter(|(id, _)| !self.unnoted.contains_key(id)).map(|(_, one)| one).collect();
        lost
    }

    /// What to send now: after a failure one alone, to see whether the webhook is back. What failed least goes first,
    /// so that one notice that is never accepted does not keep the others; then what is urgent, then what is oldest.
    pub(super) fn batch(&mut self, most: usize) -> Vec<Waiting> {
        let now = Instant::now();
        if self.until.is_some_and(|until| now < until) {
            return Vec::new();
        }
        let mut ready: Vec<_> = std::mem::take(&mut self.waiting)
            .into_iter()
            .map(|one| (self.failures.get(&one.id()), one))
            .filter(|(failure, _)| failure.is_none_or(|failure| failure.until <= now))
            .map(|(failure, one)| (failure.map_or(0, |failure| failure.times), one))
            .collect();
        ready.sort_by_key(|(times, one)| {
            let event = one.notice.event;
            (*times, !is_urgent(event), one.notice.at, event)
        });
        ready.truncate(if self.times > 0 { 1 } else { most });
        ready.into_iter().map(|(_, one)| one).collect()
    }

    /// Delivered; `noted`: the cluster knows.
    pub(super) fn delivered(&mut self, one: &Waiting, noted: bool) {
        (self.times, self.until) = (0, None);
        self.failures.remove(&one.id());
        // The copy that the next look reads may be older than the note.
        self.unnoted.insert(one.id(), one.clone());
        if noted {
            self.noted(one);
        }
    }

    /// The cluster knows. The live copy is asked before each sending, so an old copy does no harm.
    pub(super) fn noted(&mut self, one: &Waiting) {
        self.unnoted.remove(&one.id());
    }

    /// It is not due any more.
    pub(super) fn forget(&mut self, one: &Waiting) {
        self.failures.remove(&one.id());
    }

    /// Not delivered; true if the webhook worked before.
    pub(super) fn failed(&mut self, one: &Waiting, why: String) -> bool {
        let failure = self.failures.entry(one.id()).or_insert(Failure {
            times: 0,
            until: Instant::now(),
            why: String::new(),
        });
        failure.times = failure.times.saturating_add(1);
        failure.until = Instant::now() + pause(failure.times);
        failure.why = why;
        self.times = self.times.saturating_add(1);
        self.until = Some(Instant::now() + pause(self.times));
        self.times == 1
    }

    /// What is delivered and not noted.
    pub(super) fn unnoted(&self) -> Vec<Waiting> {
        self.unnoted.values().cloned().collect()
    }

    /// How long until something may be tried again.
    pub(super) fn pause(&self) -> Duration {
        let now = Instant::now();
        self.until.map_or(LONGEST, |until| until.saturating_duration_since(now))
    }
}

fn pause(times: u32) -> Duration {
    jittered(SHORTEST.saturating_mul(1 << times.saturating_sub(1).min(12)).min(LONGEST))
}
