//! Which of the gateways reconciles: the one whose name stands in a Lease of the gateway's namespace.
//!
//! Others' clocks are not believed. A gateway takes the Lease from another when it has seen it unchanged for
//! [`TERM`] by its own monotonic clock; the times that stand in it are for people. A holder that could not renew
//! stops after [`HOLDS`], counted from the moment at which it sent the last renewal that worked, which is before anybody
//! could have seen that renewal: so it has stopped before another begins, whatever the wall clocks say.
//!
//! What this does not promise: a call that is under way when the holder stops may still arrive. Two at once are
//! harmless (decision 0022); the Lease saves calls and makes events single.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::audit::{Audit, Event, Kind, Outcome};
use crate::clock::SharedClock;
use crate::crd::causes;

/// What the Lease is called, as the shipped rights have it.
pub(super) const NAME: &str = "sallyport";
/// Seen unchanged for so long, a Lease may be taken.
pub(super) const TERM: Duration =
    if cfg!(test) { Duration::from_millis(4500) } else { Duration::from_secs(10) };
/// Without a renewal for so long, its holder stops.
const HOLDS: Duration = if cfg!(test) { Duration::from_millis(3000) } else { Duration::from_secs(7) };
/// How often a holder renews.
const RENEW: Duration = if cfg!(test) { Duration::from_millis(300) } else { Duration::from_secs(2) };
/// How often the others look.
const LOOK: Duration = if cfg!(test) { Duration::from_millis(60) } else { Duration::from_secs(1) };
/// How long one look or renewal may take.
const CALL: Duration = if cfg!(test) { Duration::from_millis(1000) } else { Duration::from_secs(3) };
/// How long a Lease that another wrote may bind us, whatever it says.
const LONGEST_TERM: Duration = Duration::from_secs(60);

/// One gateway's part in the election.
pub(super) struct Elector {
    api: Api<Lease>,
    namespace: String,
    identity: String,
    clock: SharedClock,
    audit: Audit,
    leads: watch::Sender<bool>,
    /// The Lease as it was last seen in another's hands, and since when.
    seen: Option<(LeaseSpec, Instant)>,
    /// When the last renewal that worked was sent.
    held: Option<Instant>,
    /// What we may have written since then: the last that worked, and those whose answer never came.
    written: Vec<MicroTime>,
    /// Failures are said once.
    complained: bool,
}

/// What one look came to.
enum Look {
    /// We hold it; how we came to it where that is new.
    Ours(&'static str),
    /// Somebody else does.
    Theirs(String),
    /// Another process goes by our name.
    Twin,
}

impl Elector {
    pub(super) fn new(
        client: kube::Client,
        namespace: &str,
        identity: &str,
        clock: SharedClock,
        audit: Audit,
        leads: watch::Sender<bool>,
    ) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            identity: identity.to_owned(),
            clock,
            audit,
            leads,
            seen: None,
            held: None,
            written: Vec::new(),
            complained: false,
        }
    }

    /// Gives the Lease back. Only to be called when nothing is done any more.
    pub(super) async fn step_down(&mut self) {
        self.leads_no_more("it stops");
        if self.held.take().is_some() && timeout(CALL, self.release()).await.is_err() {
            tracing::warn!("the Lease could not be given back; others take it when its time is over");
        }
    }

    /// Stands for election, again and again.
    pub(super) async fn stand(&mut self) -> std::convert::Infallible {
        loop {
            let sent = Instant::now();
            let last = self.held.map(|at| at + HOLDS);
            let patience = last.map_or(CALL, |last| last.saturating_duration_since(sent).min(CALL));
            match timeout(patience, self.look()).await {
                Ok(Ok(Look::Ours(how))) => {
                    self.held = Some(sent);
                    // What came before the last write can be read no more.
                    self.written.drain(..self.written.len().saturating_sub(1));
                    self.complained = false;
                    self.leads_from_now(how);
                }
                Ok(Ok(Look::Theirs(who))) => {
                    self.complained = false;
                    if self.held.take().is_some() {
                        self.leads_no_more(&format!("`{who}` has the Lease"));
                    }
                }
                Ok(Ok(Look::Twin)) => {
                    self.held = None;
                    self.leads_no_more("another gateway goes by the same name");
                    self.identity = format!("{}-{:08x}", self.identity, rand::random::<u32>());
                    tracing::error!(
                        identity = self.identity,
                        "another gateway goes by our name; taking another"
                    );
                }
                Ok(Err(error)) => self.complain(&causes(&error)),
                Err(_) => self.complain("no answer in time"),
            }
            if self.held.is_some_and(|at| at.elapsed() >= HOLDS) {
                self.held = None;
                self.leads_no_more("the Lease could not be renewed");
            }
            let left = self.held.map(|at| (at + HOLDS).saturating_duration_since(Instant::now()));
            sleep(left.map_or(LOOK, |left| left.min(if self.complained { LOOK } else { RENEW }))).await;
        }
    }

    /// Reads the Lease; renews or takes it where that is right.
    async fn look(&mut self) -> Result<Look, kube::Error> {
        let Some(there) = self.api.get_opt(NAME).await? else {
            let metadata = ObjectMeta {
                name: Some(NAME.to_owned()),
                namespace: Some(self.namespace.clone()),
                ..ObjectMeta::default()
            };
            let spec = Some(self.ours(&LeaseSpec::default(), true));
            self.api.create(&PostParams::default(), &Lease { metadata, spec }).await?;
            return Ok(Look::Ours("there was no Lease"));
        };
        let spec = there.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.clone().filter(|holder| !holder.is_empty());
        let how = match holder {
            Some(holder) if holder == self.identity => {
                let by_us = |at: &MicroTime| self.written.contains(at);
                if self.held.is_some() && !spec.renew_time.as_ref().is_some_and(by_us) {
                    return Ok(Look::Twin);
                }
                "the Lease had its name already"
            }
            None => "the Lease was free",
            Some(holder) => {
                let term = u64::try_from(spec.lease_duration_seconds.unwrap_or_default()).unwrap_or_default();
                let term = Duration::from_secs(term).clamp(TERM, LONGEST_TERM);
                match &self.seen {
                    Some((before, since)) if *before == spec => {
                        if since.elapsed() < term {
                            return Ok(Look::Theirs(holder));
                        }
                    }
                    _ => {
                        self.seen = Some((spec, Instant::now()));
                        return Ok(Look::Theirs(holder));
                    }
                }
                "its holder had not renewed it in time"
            }
        };
        let new = spec.holder_identity.as_deref() != Some(&self.identity);
        let changed = Lease { metadata: there.metadata, spec: Some(self.ours(&spec, new)) };
        self.api.replace(NAME, &PostParams::default(), &changed).await?;
        self.seen = None;
        Ok(Look::Ours(how))
    }

    fn ours(&mut self, before: &LeaseSpec, new: bool) -> LeaseSpec {
        let now = self.clock.now();
        // As the server will give it back, and never the same twice: a renewal has to show, even by a clock that stands.
        let last = before.renew_time.as_ref().map(|last| last.0.as_microsecond());
        let micros = now.as_microsecond();
        let micros = if last == Some(micros) { micros.saturating_add(1) } else { micros };
        let now = MicroTime(jiff::Timestamp::from_microsecond(micros).unwrap_or(now));
        let transitions = before.lease_transitions.unwrap_or_default();
        self.written.push(now.clone());
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(TERM.as_secs().max(1)).unwrap_or(i32::MAX)),
            acquire_time: if new { Some(now.clone()) } else { before.acquire_time.clone() },
            renew_time: Some(now),
            lease_transitions: Some(if new { transitions.saturating_add(1) } else { transitions }),
            ..before.clone()
        }
    }

    /// Puts nobody's name there, so that another need not wait.
    async fn release(&self) {
        let freed = async {
            let Some(mut there) = self.api.get_opt(NAME).await? else { return Ok(()) };
            let mut spec = there.spec.take().unwrap_or_default();
            if spec.holder_identity.as_deref() == Some(&self.identity) {
                spec.holder_identity = None;
                spec.lease_duration_seconds = Some(1);
                there.spec = Some(spec);
                self.api.replace(NAME, &PostParams::default(), &there).await?;
            }
            Ok::<_, kube::Error>(())
        };
        if let Err(error) = freed.await {
            tracing::warn!(error = %causes(&error), "the Lease could not be given back");
        }
    }

    fn complain(&mut self, why: &str) {
        if !std::mem::replace(&mut self.complained, true) {
            let (namespace, held) = (&self.namespace, self.held.is_some());
            tracing::warn!(
                namespace,
                held,
                why,
                "the Lease `{NAME}` cannot be read or written; trying again"
            );
        }
    }

    fn leads_from_now(&self, how: &str) {
        if !self.leads.send_replace(true) {
            tracing::info!(identity = self.identity, how, "this gateway reconciles from now on");
            self.announce(format!("`{}` reconciles from now on: {how}", self.identity));
        }
    }

    fn leads_no_more(&self, why: &str) {
        if self.leads.send_replace(false) {
            tracing::info!(identity = self.identity, why, "this gateway reconciles no more");
            self.announce(format!("`{}` reconciles no more: {why}", self.identity));
        }
    }

    fn announce(&self, why: String) {
        let event = Event::new(self.clock.now(), Kind::GatewayLeads, Outcome::Ok);
        self.audit.record(Event { why: Some(why), ..event });
    }
}

#[cfg(test)]
mod tests;
