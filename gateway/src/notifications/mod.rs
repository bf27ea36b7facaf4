//! Webhooks: who is told that somebody asks, got in, uses it, is about to be out, is out, or broke the glass.
//!
//! The Kubernetes API is the outbox: [`due`] says what should have been told and is not in `status.notified`. The
//! elected gateway sends it and then notes it there, so a killed gateway loses nothing and repeats at most what was on
//! its way; `webhook-id` is the same in a repeat. Every webhook has its own task and back-off: one that hangs holds up
//! nobody else. A webhook never decides anything; a gateway whose webhooks are all down works on. A request that is
//! deleted takes what is still due with it (the events of the gateway have it all the same).

mod body;
mod due;
mod note;
mod post;
mod queue;
mod sign;
mod slack;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::Client;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use url::Url;

pub use body::{Body, Data};
pub use due::{Notice, due};

use crate::audit::{Audit, Event, Kind, Outcome};
use crate::clock::SharedClock;
use crate::config;
use crate::crd::{AccessRequest, Mirror};
use crate::outbound::OutboundError;
use post::Hook;
use queue::{Queue, Waiting};

/// How often what is due is looked for without a change: windows come to their end by themselves.
const LOOK: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 2_000 });
/// The least time between two looks, however much changes.
const REST: Duration = Duration::from_millis(if cfg!(test) { 5 } else { 200 });
/// How many deliveries to one webhook are on their way at a time.
const AT_ONCE: usize = 4;
/// How many are made between two looks: what becomes urgent meanwhile waits for no more than these.
const BATCH: usize = 4 * AT_ONCE;

/// Why a webhook cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("notification `{name}`")]
pub struct NotifyError {
    name: String,
    source: OutboundError,
}

/// Where a request can be decided or reviewed in a browser, if anywhere.
pub type Link = Arc<dyn Fn(&AccessRequest) -> Option<Url> + Send + Sync>;

/// What is needed to tell.
#[derive(Clone)]
pub struct Parts {
    /// The requests.
    pub requests: Mirror<AccessRequest>,
    /// For noting what was delivered.
    pub client: Client,
    /// Links to put in, for requests that wait.
    pub link: Link,
    /// The time.
    pub clock: SharedClock,
    /// Where it is written that a webhook fails.
    pub audit: Audit,
    /// Whether this gateway is the one that tells.
    pub leads: watch::Receiver<bool>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("notifications::Parts").finish_non_exhaustive()
    }
}

/// Tells every webhook what is due, until `shutdown`.
///
/// # Errors
/// When a webhook's certificates cannot be used.
pub async fn run(
    settings: &[config::Notification],
    parts: Parts,
    shutdown: CancellationToken,
) -> Result<(), NotifyError> {
    let hooks = settings.iter().map(Hook::new).collect::<Result<Vec<_>, _>>()?;
    let mut tasks = JoinSet::new();
    for hook in hooks {
        let (parts, shutdown) = (parts.clone(), shutdown.clone());
        tasks.spawn(async move { shutdown.run_until_cancelled(tell(&hook, parts)).await });
    }
    shutdown.cancelled().await;
    while tasks.join_next().await.is_some() {}
    Ok(())
}

/// One webhook's task.
async fn tell(hook: &Hook, mut parts: Parts) {
    let mut queue = Queue::default();
    let mut changes = parts.requests.changes();
    loop {
        if !*parts.leads.borrow_and_update() {
            queue = Queue::default();
            if parts.leads.changed().await.is_err() {
                return;
            }
            continue;
        }
        changes.mark_unchanged();
        let now = parts.clock.now();
        let waiting = parts.requests.all().into_iter().flat_map(|request| {
            let due = due(&request, &hook.settings, now);
            due.into_iter().map(move |notice| Waiting { request: request.clone(), notice })
        });
        for (id, why) in queue.look(waiting.collect()) {
            let why = format!("{id} was not delivered to `{}` in time: {why}", hook.settings.name);
            failed(&parts, hook, None, &why);
        }
        for waiting in queue.unnoted() {
            if note::note(&parts.client, &waiting.request, &waiting.notice).await.is_ok() {
                queue.noted(&waiting);
            }
        }
        let batch = queue.batch(BATCH);
        let (idle, full) = (batch.is_empty(), batch.len() == BATCH);
        let sends = batch.into_iter().map(|waiting| {
            let parts = &parts;
            async move {
                let sent = send(hook, parts, &waiting).await;
                (waiting, sent)
            }
        });
        let mut sends = futures::stream::iter(sends).buffer_unordered(AT_ONCE);
        while let Some((waiting, sent)) = sends.next().await {
            match sent {
                Sent::Moot => queue.forget(&waiting),
                Sent::Delivered { noted } => queue.delivered(&waiting, noted),
                Sent::Failed(why) => {
                    if queue.failed(&waiting, why.clone()) {
                        let name = waiting.request.metadata.name.clone();
                        failed(&parts, hook, name, &format!("{why}; it is tried again"));
                    }
                }
            }
        }
        drop(sends);
        if !full {
            // Behind a full batch there is more, and nothing to wait for.
            sleep(REST).await;
        }
        if idle {
            tokio::select! {
                _ = changes.changed() => {}
                _ = parts.leads.changed() => {}
                () = sleep(queue.pause().min(LOOK)) => {}
            }
        }
    }
}

enum Sent {
    /// It is not due any more.
    Moot,
    Delivered {
        noted: bool,
    },
    Failed(String),
}

/// Sends one notice, if the API server's own copy still says that it is due.
async fn send(hook: &Hook, parts: &Parts, waiting: &Waiting) -> Sent {
    let name = waiting.request.metadata.name.clone().unwrap_or_default();
    let live = match note::read(&parts.client, &name).await {
        Ok(Some(live)) if live.metadata.uid == waiting.request.metadata.uid => live,
        Ok(_) => return Sent::Moot,
        Err(why) => return Sent::Failed(why),
    };
    let now = parts.clock.now();
    if !due(&live, &hook.settings, now).contains(&waiting.notice) {
        return Sent::Moot;
    }
    let link = if waits_for_people(&live, &waiting.notice) { (parts.link)(&live) } else { None };
    let body = Body::of(&live, &waiting.notice, link);
    if let Err(why) = hook.deliver(&waiting.notice, &body, now).await {
        return Sent::Failed(why);
    }
    let noted = note::note(&parts.client, &live, &waiting.notice).await;
    if let Err(why) = &noted {
        tracing::warn!(request = name, notice = waiting.notice.key, why, "delivered, and not noted yet");
    }
    Sent::Delivered { noted: noted.is_ok() }
}

/// Whether somebody who gets this notice has something to do: to approve, or to review.
fn waits_for_people(request: &AccessRequest, notice: &Notice) -> bool {
    let review = request.status.as_ref().and_then(|status| status.review.as_ref());
    notice.event == config::NotificationEvent::Requested
        || review.is_some_and(|review| review.verdict.is_none())
}

fn failed(parts: &Parts, hook: &Hook, request: Option<String>, why: &str) {
    tracing::warn!(notification = hook.settings.name, why, "a notification is not delivered");
    parts.audit.record(Event {
        request,
        action: Some(hook.settings.name.clone()),
        why: Some(why.to_owned()),
        ..Event::new(parts.clock.now(), Kind::NotificationFailed, Outcome::Failed)
    });
}

#[cfg(test)]
mod tests;
