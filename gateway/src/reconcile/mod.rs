//! Makes the cluster follow the requests: bindings for grants that begin, none for those that ended, also where
//! that was missed while no gateway ran.
//!
//! It is level-triggered: whenever something changes or a moment has come, every request is compared with what is
//! there ([`plan`]), and only the difference is acted on, each time after reading the request live. Nothing is
//! remembered between rounds but who has to wait after a failure, so it can stop at any point, and two may
//! run at once: creations and deletions are idempotent, and status writes are held to the version that was read.
//!
//! A grant's end does not depend on this: permits and sessions look at the clock and at the request. What depends on
//! it is that the cluster itself stops accepting the grant's group.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::ResourceExt;
use kube::api::Api;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::audit::Audit;
use crate::clock::SharedClock;
use crate::crd::{MANAGED_BY, Mirror, REQUEST_LABEL, causes, to_the_millisecond};

mod act;
mod binding;
mod plan;

#[cfg(test)]
mod tests;

use act::{ActError, Hands, may_need_bindings};

/// How many requests are worked on at once.
const AT_ONCE: usize = 8;
/// A round is made at least this often.
const ROUND: Duration = Duration::from_secs(30);
/// The pauses after failures.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why reconciling ended.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The copies of requests and bindings are gone.
    #[error("the watches of requests and bindings ended")]
    Watches,
}

/// Who has to wait after a failure, and how long.
#[derive(Debug, Clone, Copy)]
struct Wait {
    until: Instant,
    pause: Duration,
}

type Waits = BTreeMap<String, Wait>;
type Bindings = BTreeMap<String, Vec<Arc<RoleBinding>>>;

/// Runs until `shutdown`. Trouble with the API server is waited out.
///
/// # Errors
/// When the watches end, which they do not by themselves.
pub async fn run(
    client: kube::Client,
    clock: SharedClock,
    audit: Audit,
    shutdown: CancellationToken,
) -> Result<(), ReconcileError> {
    let ours = format!("{}={},{REQUEST_LABEL}", MANAGED_BY.0, MANAGED_BY.1);
    let hands = Hands {
        requests: Mirror::start(Api::all(client.clone()), None),
        bindings: Mirror::start(Api::all(client.clone()), Some(ours)),
        client,
        clock,
        audit,
    };
    shutdown.run_until_cancelled(rounds(&hands)).await.unwrap_or(Ok(()))
}

async fn rounds(hands: &Hands) -> Result<(), ReconcileError> {
    let (mut requests, mut bindings) = (hands.requests.changes(), hands.bindings.changes());
    tokio::join!(hands.requests.filled(), hands.bindings.filled());
    let mut waits = Waits::new();
    loop {
        requests.mark_unchanged();
        bindings.mark_unchanged();
        round(hands, &mut waits).await;
        let next = hands
            .requests
            .all()
            .iter()
            .filter_map(|request| request.life().ok()?.deadline(hands.clock.now()))
            .min();
        let again = waits.values().map(|wait| wait.until).min();
        let again = again.unwrap_or_else(|| Instant::now() + ROUND).min(Instant::now() + ROUND);
        tokio::select! {
            changed = requests.changed() => changed.map_err(|_| ReconcileError::Watches)?,
            changed = bindings.changed() => changed.map_err(|_| ReconcileError::Watches)?,
            () = hands.clock.sleep_until(next.unwrap_or(Timestamp::MAX)) => {}
            () = tokio::time::sleep_until(again) => {}
        }
    }
}

/// Compares all there is with what should be, once.
async fn round(hands: &Hands, waits: &mut Waits) {
    let mut bindings = Bindings::new();
    for binding in hands.bindings.all() {
        if let Some(of) = binding::request_of(&binding) {
            bindings.entry(of.to_owned()).or_default().push(binding);
        }
    }
    let now = Instant::now();
    waits.retain(|_, wait| wait.until + LONGEST_PAUSE * 2 > now);
    let requests: BTreeMap<_, _> =
        hands.requests.all().into_iter().map(|request| (request.name_any(), request)).collect();
    let mut work = Vec::new();
    for (name, request) in &requests {
        let there = bindings.remove(name).unwrap_or_default();
        let due = waits.get(name).is_none_or(|wait| wait.until <= now);
        if due && !plan::plan(request, &there, hands.clock.now()).is_empty() {
            work.push((name.clone(), there));
        }
    }
    // What is left belongs to no request that can be seen.
    work.extend(
        bindings.into_iter().filter(|(name, _)| waits.get(name).is_none_or(|wait| wait.until <= now)),
    );
    let done: Vec<_> = futures::stream::iter(work)
        .map(|(name, there)| async move {
            let done = settle(hands, &name, &there).await;
            (name, done)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    for (name, done) in done {
        match done {
            Ok(()) => {
                waits.remove(&name);
            }
            Err(error) => {
                if !matches!(error, ActError::Conflict) {
                    tracing::warn!(request = name, error = %causes(&error), "cannot reconcile; trying again");
                }
                let pause = waits.get(&name).map_or(SHORTEST_PAUSE, |wait| wait.pause * 2).min(LONGEST_PAUSE);
                waits.insert(name, Wait { until: Instant::now() + pause, pause });
            }
        }
    }
}

/// Brings one request's bindings in line with what the API server says of it now.
async fn settle(hands: &Hands, name: &str, there: &[Arc<RoleBinding>]) -> Result<(), ActError> {
    let Some(request) = hands.live(name).await? else {
        // Bindings that are labelled ours and belong to nothing.
        for task in plan::delete(there) {
            if let plan::Task::Delete { namespace, name, uid } = task {
                tracing::warn!(namespace, name, "removing a binding without a request");
                hands.delete(&namespace, &name, uid).await?;
            }
        }
        return Ok(());
    };
    hands.requests.learn(request.clone());
    let tasks = plan::plan(&request, there, to_the_millisecond(hands.clock.now()));
    let mut first_failure = None;
    for task in tasks {
        // One failure must not keep the rest: above all not the deletions.
        if let Err(error) = hands.perform(&request, task).await {
            first_failure.get_or_insert(error);
        }
    }
    let Some(failure) = first_failure else { return Ok(()) };
    let phase = request.status.as_ref().map(|status| status.phase).unwrap_or_default();
    if let ActError::Binding { why, .. } = &failure
        && may_need_bindings(phase)
    {
        hands.complain(&request, why).await?;
    }
    Err(failure)
}
