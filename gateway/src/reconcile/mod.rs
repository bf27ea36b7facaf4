//! Makes the cluster follow the requests: what grants open, nothing for those that ended, also where that was missed
//! while no gateway ran; and ends what may not go on.
//!
//! It is level-triggered: whenever something changes or a moment has come, every request is compared with what is
//! there ([`plan`]), and only the difference is acted on, each time after reading the request live. Nothing is
//! remembered between rounds but who has to wait after a failure, so it can stop at any point. One gateway does it,
//! elected by a Lease ([`lease`]); two at once would be harmless: creations and deletions are idempotent, and
//! status writes are held to the version that was read.
//!
//! A grant's end does not depend on this: permits and sessions look at the clock and at the request. What depends on
//! it is that the cluster itself stops accepting the grant's group and the person's own name.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::Api;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::audit::Audit;
use crate::clock::SharedClock;
use crate::config;
use crate::crd::{AccessLock, MANAGED_BY, Mirror, REQUEST_LABEL, causes};

mod act;
mod api;
mod binding;
mod hooks;
mod lapse;
mod lease;
mod network;
mod piece;
mod plan;
mod prune;
mod round;
mod story;
mod tell;

#[cfg(test)]
mod tests;

pub use hooks::{Asks, Said};

use act::Hands;
use api::{Pieces, call};
use lease::Elector;
use network::Surroundings;
use round::{Keeper, Waits};
use tell::Teller;

/// A round is made at least this often.
const ROUND: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 8 });
/// History is looked through this often.
const PRUNING: Duration = Duration::from_secs(60);
/// Between a change and the round that it causes: as long as the last round took, at most this.
const LONGEST_REST: Duration = Duration::from_millis(200);
/// The pauses after failures.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 5 });

/// What the reconciler goes by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The namespace that the gateway runs in: its Lease is there.
    pub namespace: String,
    /// What tells this gateway from the others; the same again after a restart, or it has to wait for its own Lease.
    pub identity: String,
    /// How much history stays.
    pub requests: config::Requests,
    /// Who asks external checks; without one, requests whose policies have any wait.
    pub checks: Option<Arc<dyn Asks>>,
}

#[cfg(test)]
impl Settings {
    /// For a gateway of this name in namespace `default`.
    pub(crate) fn for_tests(identity: &str) -> Self {
        let (namespace, requests) = ("default".to_owned(), config::Requests::default());
        Self { namespace, identity: identity.to_owned(), requests, checks: None }
    }
}

/// Why reconciling ended.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The copies of requests and of what they open are gone.
    #[error("the watches of requests and of what they open ended")]
    Watches,
}

/// Runs until `shutdown`; reconciles while this gateway is the elected one, which `leads` tells. Trouble with the API
/// server is waited out.
///
/// # Errors
/// When the watches end, which they do not by themselves.
pub async fn run(
    client: kube::Client,
    access: Access,
    settings: Settings,
    clock: SharedClock,
    audit: Audit,
    shutdown: CancellationToken,
    leads: watch::Sender<bool>,
) -> Result<(), ReconcileError> {
    let ours = || Some(format!("{}={},{REQUEST_LABEL}", MANAGED_BY.0, MANAGED_BY.1));
    let mut led = leads.subscribe();
    let Settings { namespace, identity, requests, checks } = settings;
    let mut elector =
        Elector::new(client.clone(), &namespace, &identity, clock.clone(), audit.clone(), leads);
    let hands = Hands {
        requests: Mirror::start(Api::all(client.clone()), None),
        teller: Teller::new(client.clone(), clock.clone()),
        pieces: Pieces {
            bindings: Mirror::<RoleBinding>::start(Api::all(client.clone()), ours()),
            paths: Mirror::<NetworkPolicy>::start(Api::all(client.clone()), ours()),
            client: client.clone(),
        },
        clock,
        audit,
    };
    let keeper = Keeper {
        hands,
        access,
        locks: Mirror::<AccessLock>::start(Api::all(client.clone()), None),
        history: requests,
    };
    let work = async {
        loop {
            // The sender lives in the elector, which outlives this.
            let _ = led.wait_for(|leads| *leads).await;
            tokio::select! {
                result = lead(&client, &namespace, &keeper, checks.as_ref()) => return result,
                _ = led.wait_for(|leads| !*leads) => {}
            }
        }
    };
    let result = tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        result = work => result,
        never = elector.stand() => match never {},
    };
    // All work has been dropped: another may begin.
    elector.step_down().await;
    result
}

/// Reconciles; tells the story and asks the checks beside it.
async fn lead(
    client: &kube::Client,
    namespace: &str,
    keeper: &Keeper,
    checks: Option<&Arc<dyn Asks>>,
) -> Result<(), ReconcileError> {
    let asking = async {
        match checks {
            Some(checks) => hooks::ask_all(keeper, checks).await,
            None => std::future::pending().await,
        }
    };
    let around = surroundings(client, namespace).await;
    tokio::select! {
        result = rounds(keeper, &around) => result,
        () = keeper.hands.teller.tell(&keeper.hands.requests) => Err(ReconcileError::Watches),
        () = asking => Err(ReconcileError::Watches),
    }
}

/// What has to be known of the cluster; asked until it answers.
async fn surroundings(client: &kube::Client, namespace: &str) -> Surroundings {
    let mut pause = SHORTEST_PAUSE;
    loop {
        match call("ask for the server's version", client.apiserver_version()).await {
            Ok(version) => {
                let number = |text: &str| {
                    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
                    digits.parse::<u32>().unwrap_or_default()
                };
                let is_new = (number(&version.major), number(&version.minor)) >= (1, 22);
                return Surroundings { namespace: namespace.to_owned(), is_new };
            }
            Err(error) => tracing::warn!(error = %causes(&error), "cannot reconcile yet"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn rounds(keeper: &Keeper, around: &Surroundings) -> Result<(), ReconcileError> {
    let hands = &keeper.hands;
    let (mut requests, mut locks) = (hands.requests.changes(), keeper.locks.changes());
    let (mut bindings, mut paths) = (hands.pieces.bindings.changes(), hands.pieces.paths.changes());
    let mut policies = keeper.access.policies_changed();
    tokio::join!(
        hands.requests.filled(),
        keeper.locks.filled(),
        hands.pieces.bindings.filled(),
        hands.pieces.paths.filled()
    );
    let mut waits = Waits::new();
    let mut pruning = Instant::now();
    loop {
        for changes in [&mut requests, &mut locks, &mut bindings, &mut paths, &mut policies] {
            changes.mark_unchanged();
        }
        let began = Instant::now();
        let next = keeper.round(around, &mut waits).await;
        let took = began.elapsed().min(LONGEST_REST);
        if Instant::now() >= pruning {
            let more = prune::prune(hands, &hands.requests.all(), &keeper.history).await;
            pruning = Instant::now() + if more { SHORTEST_PAUSE } else { PRUNING };
        }
        let again = waits.values().map(|wait| wait.until).min();
        let again = again.unwrap_or(pruning).min(pruning).min(Instant::now() + ROUND);
        let changed = tokio::select! {
            changed = requests.changed() => changed,
            changed = locks.changed() => changed,
            changed = bindings.changed() => changed,
            changed = paths.changed() => changed,
            changed = policies.changed() => changed,
            () = hands.clock.sleep_until(next.unwrap_or(Timestamp::MAX)) => Ok(()),
            () = sleep_until(again) => Ok(()),
        };
        changed.map_err(|_| ReconcileError::Watches)?;
        sleep(took).await;
    }
}
