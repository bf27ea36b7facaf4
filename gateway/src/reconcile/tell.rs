//! Telling a request's story as Kubernetes Events, so that `kubectl describe accessrequest` shows it.
//!
//! Events are a courtesy: they are told as well as can be, beside the real work and never in its way. The audit events
//! are the record. An Event's name follows from the step it tells, so telling it twice makes one. A cluster keeps
//! Events for an hour, and what is older is not told any more. A cluster-scoped object's Events live in namespace
//! `default`.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, Resource, ResourceExt};
use tokio::time::{Instant, sleep, sleep_until};

use super::api::call;
use super::story::{Chapter, chapters, short};
use crate::clock::SharedClock;
use crate::crd::{AccessRequest, Mirror, causes};

/// Where servers want Events about what has no namespace.
const NAMESPACE: &str = "default";
/// Who tells.
const SOURCE: &str = "sallyport";
/// How long servers keep Events.
const KEPT: Duration = Duration::from_secs(3600);
/// After a failure, and at least this often.
const ROUND: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });
/// Changes come in swarms; one look serves them all.
const SWARM: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 200 });

/// Tells Events; cheap to clone.
#[derive(Clone)]
pub(super) struct Teller {
    client: Client,
    clock: SharedClock,
}

impl Teller {
    pub(super) const fn new(client: Client, clock: SharedClock) -> Self {
        Self { client, clock }
    }

    /// Tells every step of every request, as long as it is polled.
    pub(super) async fn tell(&self, requests: &Mirror<AccessRequest>) {
        let mut changes = requests.changes();
        // Which version of a request was told in full.
        let mut told: HashMap<String, String> = HashMap::new();
        let mut complained = false;
        loop {
            changes.mark_unchanged();
            let all = requests.all();
            let mut seen = HashMap::with_capacity(told.len());
            let mut failed = false;
            let oldest = self.clock.now().checked_sub(KEPT).unwrap_or(Timestamp::MIN);
            for request in all {
                // The long tail of history has nothing to say.
                let ended = request.status.as_ref().and_then(|status| status.ended_at);
                if ended.is_some_and(|ended| ended < oldest) {
                    continue;
                }
                let (Some(uid), Some(version)) = (request.uid(), request.resource_version()) else {
                    continue;
                };
                if told.get(&uid) == Some(&version) {
                    seen.insert(uid, version);
                } else if failed {
                    // One refusal is enough for this look.
                } else if let Err(error) = self.all_of(&request, oldest).await {
                    failed = true;
                    if !std::mem::replace(&mut complained, true) {
                        tracing::warn!(error = %causes(&error), "cannot tell Kubernetes Events; `kubectl describe` will lack them");
                    }
                } else {
                    seen.insert(uid, version);
                }
            }
            told = seen;
            complained &= failed;
            let again = Instant::now() + ROUND;
            if failed {
                sleep_until(again).await;
            } else {
                tokio::select! {
                    changed = changes.changed() => match changed {
                        Ok(()) => sleep(SWARM).await,
                        Err(_) => return,
                    },
                    () = sleep_until(again) => {}
                }
            }
        }
    }

    async fn all_of(&self, request: &AccessRequest, oldest: Timestamp) -> Result<(), super::api::ActError> {
        let mut steps = chapters(request);
        steps.retain(|step| step.at >= oldest);
        steps.sort_by_key(|step| step.at);
        for step in steps {
            self.one(request, &step).await?;
        }
        Ok(())
    }

    async fn one(&self, request: &AccessRequest, step: &Chapter) -> Result<(), super::api::ActError> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), NAMESPACE);
        match call("tell an Event", api.create(&PostParams::default(), &event(request, step))).await {
            Ok(_) => Ok(()),
            // Told already.
            Err(error) if error.code() == Some(409) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Tells of something that is not part of what is stored. It is tried once.
    pub(super) async fn mention(&self, request: &AccessRequest, reason: &'static str, message: &str) {
        let at = self.clock.now();
        let key = format!("{}-{:x}", reason.to_lowercase(), at.as_microsecond());
        let step = Chapter { key, at, warns: true, reason, message: short(message) };
        if let Err(error) = self.one(request, &step).await {
            tracing::debug!(error = %causes(&error), "an Event was not told");
        }
    }
}

fn event(request: &AccessRequest, step: &Chapter) -> Event {
    let at = Time(Timestamp::from_second(step.at.as_second()).unwrap_or(step.at));
    let uid = request.uid().unwrap_or_default();
    // Another request of the same name has its own story.
    let own: String = uid.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    let name = format!("{}.{}.{}", request.name_any(), own.to_lowercase(), step.key);
    Event {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: Some(NAMESPACE.to_owned()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some(AccessRequest::api_version(&()).into_owned()),
            kind: Some(AccessRequest::kind(&()).into_owned()),
            name: Some(request.name_any()),
            uid: Some(uid),
            ..ObjectReference::default()
        },
        reason: Some(step.reason.to_owned()),
        message: Some(step.message.clone()),
        type_: Some(if step.warns { "Warning" } else { "Normal" }.to_owned()),
        source: Some(EventSource { component: Some(SOURCE.to_owned()), host: None }),
        first_timestamp: Some(at.clone()),
        last_timestamp: Some(at),
        count: Some(1),
        ..Event::default()
    }
}
