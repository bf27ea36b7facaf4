//! One round: compare all there is with what should be, and act on the difference.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use jiff::Timestamp;
use sallyport_policy::lifecycle::Stage;
use tokio::time::Instant;

use super::act::Hands;
use super::api::ActError;
use super::lapse::{self, Lapse};
use super::network::Surroundings;
use super::piece::Piece;
use super::plan::{Task, UNOPENED_FOR, View, plan};
use super::{LONGEST_PAUSE, SHORTEST_PAUSE};
use crate::access::{Access, Standing};
use crate::config;
use crate::crd::{AccessLock, AccessRequest, Mirror, Phase, causes};

/// How many requests are worked on at once.
const AT_ONCE: usize = 8;

/// Who has to wait, after a failure or a repair, and how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    pub(super) until: Instant,
    pause: std::time::Duration,
}

pub(super) type Waits = BTreeMap<String, Wait>;

/// Keeps the cluster as the requests say.
pub(super) struct Keeper {
    pub(super) hands: Hands,
    pub(super) access: Access,
    pub(super) locks: Mirror<AccessLock>,
    pub(super) history: config::Requests,
}

/// What settling one request came to.
enum Done {
    /// It is as it should be.
    Well,
    /// Somebody's doing was undone; not again at once, or two would undo each other as fast as they can.
    Repaired,
}

impl Keeper {
    /// Compares all there is with what should be, once. Says when time alone makes the next round due.
    pub(super) async fn round(&self, around: &Surroundings, waits: &mut Waits) -> Option<Timestamp> {
        let mut pieces: BTreeMap<String, Vec<Piece>> = BTreeMap::new();
        for piece in self.hands.pieces.all() {
            if let Some(of) = piece.request() {
                pieces.entry(of.to_owned()).or_default().push(piece);
            }
        }
        let now = Instant::now();
        waits.retain(|_, wait| wait.until + LONGEST_PAUSE * 2 > now);
        let due = |waits: &Waits, name: &str| waits.get(name).is_none_or(|wait| wait.until <= now);
        let (locks, time) = (self.locks.all(), self.hands.clock.now());
        let mut next: Option<Timestamp> = None;
        let mut work = Vec::new();
        for request in self.hands.requests.all() {
            let name = request.metadata.name.as_deref().unwrap_or_default();
            let there = pieces.remove(name).unwrap_or_default();
            if there.is_empty() && is_history(&request) {
                continue;
            }
            let moment = self.next_moment(&request, time);
            next = moment.into_iter().chain(next).min();
            let wants = || {
                !self.plan(&request, &there, &locks, around, time).is_empty()
                    || self.access.can_proceed(&request)
            };
            if due(waits, name) && wants() {
                work.push((name.to_owned(), there));
            }
        }
        let ends = locks.iter().filter_map(|lock| lock.spec.until).filter(|until| *until > time).min();
        next = ends.into_iter().chain(next).min();
        // What is left belongs to no request that can be seen.
        work.extend(pieces.into_iter().filter(|(name, _)| due(waits, name)));
        let done: Vec<_> = futures::stream::iter(work)
            .map(|(name, there)| async move {
                let done = self.settle(&name, &there, around).await;
                (name, done)
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        for (name, done) in done {
            if let Err(error) = &done
                && !matches!(error, ActError::Conflict)
            {
                tracing::warn!(request = name, error = %causes(error), "cannot reconcile; trying again");
            }
            if matches!(done, Ok(Done::Well)) {
                waits.remove(&name);
                continue;
            }
            let pause = waits.get(&name).map_or(SHORTEST_PAUSE, |wait| wait.pause * 2).min(LONGEST_PAUSE);
            waits.insert(name, Wait { until: Instant::now() + pause, pause });
        }
        next
    }

    fn plan(
        &self,
        request: &AccessRequest,
        there: &[Piece],
        locks: &[Arc<AccessLock>],
        around: &Surroundings,
        now: Timestamp,
    ) -> Vec<Task> {
        let lapse = self.lapse(request, locks, now);
        let standing = self.access.standing(&request.spec.policy);
        let in_force = match &standing {
            Standing::InForce(policy) => Some(policy),
            Standing::Unknown | Standing::Closed | Standing::Nothing => None,
        };
        plan(request, there, View { now, locks, around, lapse: lapse.as_ref(), in_force })
    }

    fn lapse(&self, request: &AccessRequest, locks: &[Arc<AccessLock>], now: Timestamp) -> Option<Lapse> {
        let life = request.life().ok()?;
        lapse::find(request, &life, &self.access.standing(&request.spec.policy), locks, now)
    }

    /// When time alone changes something about it.
    fn next_moment(&self, request: &AccessRequest, now: Timestamp) -> Option<Timestamp> {
        let life = request.life().ok()?;
        let unopened = matches!(life.stage, Stage::Pending { terms: None });
        let orphaned = life.asked.at.checked_add(UNOPENED_FOR).ok().filter(|_| unopened);
        let moments = [life.deadline(now), lapse::idle_until(request, &life), orphaned];
        moments.into_iter().flatten().filter(|moment| *moment > now).min()
    }

    /// Goes on with a request that waits for nobody: one made with `kubectl`, or approved by a condition that holds now.
    async fn proceed(&self, request: &AccessRequest) -> Result<(), ActError> {
        let phase = request.status.as_ref().map(|status| status.phase).unwrap_or_default();
        let Ok(name) = request.request_name() else { return Ok(()) };
        if phase != Phase::Pending || !self.access.can_proceed(request) {
            return Ok(());
        }
        match self.access.proceed(&name).await {
            Ok(true) => Err(ActError::Conflict),
            Ok(false) => Ok(()),
            Err(error) => {
                tracing::warn!(request = %name, %error, "a request could not be taken further; trying again");
                Ok(())
            }
        }
    }

    /// Brings what one request has opened in line with what the API server says of it now.
    async fn settle(&self, name: &str, there: &[Piece], around: &Surroundings) -> Result<Done, ActError> {
        let hands = &self.hands;
        let Some(request) = hands.live(name).await? else {
            // Labelled ours, and belongs to nothing.
            for piece in there {
                hands.remove(None, piece, Some("its request is gone")).await?;
            }
            return Ok(Done::Well);
        };
        hands.requests.learn(request.clone());
        self.proceed(&request).await?;
        let tasks = self.plan(&request, there, &self.locks.all(), around, hands.now());
        let repairs = tasks.iter().any(|task| match task {
            Task::Mend { difference, .. } => !difference.moved,
            Task::Make { again, .. } => *again,
            Task::Remove { why, .. } => why.is_some(),
            _ => false,
        });
        let mut first_failure = None;
        for task in tasks {
            // One failure must not keep the rest: above all not the deletions.
            if let Err(error) = hands.perform(&request, task).await {
                first_failure.get_or_insert(error);
            }
        }
        let Some(failure) = first_failure else {
            return Ok(if repairs { Done::Repaired } else { Done::Well });
        };
        let phase = request.status.as_ref().map(|status| status.phase).unwrap_or_default();
        if let ActError::Refused { why } = &failure
            && matches!(phase, Phase::Approved | Phase::Active)
        {
            hands.complain(&request, why).await?;
        }
        Err(failure)
    }
}

/// Whether it is over, nothing of it is left, and that is written down: most requests are.
fn is_history(request: &AccessRequest) -> bool {
    request.metadata.deletion_timestamp.is_some()
        || request.status.as_ref().is_some_and(|status| {
            let told = status.conditions.iter().any(|one| one.type_ == "Ended" && one.status == "True");
            status.phase.is_final() && status.opened.is_empty() && told
        })
}
