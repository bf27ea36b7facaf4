//! Asking: from words to a request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::api::{Api, ObjectMeta, PostParams};
use sallyport_policy::lifecycle::{Command, Effect, step};
use sallyport_policy::{Denied, History, Person, Policy, Question, Scope, auto_approves, duration, may_ask};

use super::policies::InForce;
use super::seal::SEAL;
use super::{Access, AccessError, Ask, Refusal, RequestView, is_conflict, show, text};
use crate::audit::{Event, Kind, Outcome};
use crate::crd::{AccessRequest, AccessRequestSpec, Phase, Requester, causes, to_the_millisecond};
use crate::identity::Identity;

/// How many requests of one person may be open at once.
pub(super) const OPEN_REQUESTS: usize = 20;
/// The most things that one request is narrowed to, of each kind; the API server takes no more.
pub const MOST_NARROWED: usize = 32;
/// The length of a window that nobody named.
pub(super) const USUAL: Duration = Duration::from_secs(3600);
/// How many names are tried.
const NAMES: usize = 5;

/// Requests that are being made, by issuer and subject: they count against the limit before a copy shows them.
#[derive(Debug, Clone, Default)]
pub(super) struct Making(Arc<Mutex<BTreeMap<(String, String), usize>>>);

/// One of them.
#[derive(Debug)]
pub(super) struct Slot {
    making: Making,
    key: (String, String),
    /// How many others of the same person are in the making.
    others: usize,
}

impl Making {
    /// Takes a slot where `open` and those in the making leave one.
    fn take(&self, who: &Identity, open: usize) -> Option<Slot> {
        let key = (who.issuer().to_owned(), who.subject().to_owned());
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.clone()).or_default();
        if open + *count >= OPEN_REQUESTS {
            return None;
        }
        let others = *count;
        *count += 1;
        Some(Slot { making: self.clone(), key, others })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.making.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

/// What is asked, with everything that decides about it.
#[derive(Debug)]
pub(super) struct Asked {
    person: Person,
    pub(super) scope: Scope,
    pub(super) length: Duration,
    pub(super) reason: Option<String>,
    pub(super) ticket: Option<String>,
    start: Timestamp,
    history: History,
    now: Timestamp,
}

impl Asked {
    pub(super) fn question(&self) -> Question<'_> {
        Question {
            who: &self.person,
            scope: &self.scope,
            duration: self.length,
            reason: self.reason.as_deref(),
            ticket: self.ticket.as_deref(),
            start: self.start,
            history: &self.history,
            now: self.now,
        }
    }
}

/// The length to use where none was named.
pub(super) fn usual(policy: &Policy) -> Duration {
    policy.max_duration().min(USUAL)
}

impl Access {
    pub(super) async fn ask(&self, who: &Identity, ask: Ask) -> Result<RequestView, AccessError> {
        self.must_be_fresh()?;
        let in_force = self.inner.policies.get(&ask.policy);
        let mut in_force = in_force.ok_or_else(|| self.no_such_policy(who, &ask.policy))?;
        // One command of a session is asked for under the policy that the session runs under, and as it is for that.
        let glass = in_force.policy.is_break_glass();
        if ask.command.is_some() {
            let once = in_force.for_one_command(ask.policy.as_str());
            in_force = once.map(Arc::new).ok_or_else(|| {
                let policy = &ask.policy;
                AccessError::Invalid(format!(
                    "policy `{policy}` names nobody who could let one command pass (`approval.groups`): run what it \
                     allows, or ask for a policy that allows this (`policies` lists them)"
                ))
            })?;
        }
        if let Some(shut) = self.shut_out(who.username()) {
            let refusal = shut.refusal(&format!("request for policy `{}`", ask.policy));
            return Err(self.refuse_asking(who, &in_force.policy, refusal));
        }
        if who.by_codes() && !glass {
            let what = format!("request for policy `{}`", ask.policy);
            return Err(self.refuse_asking(who, &in_force.policy, super::codes::only_break_glass(&what)));
        }
        let open = self.open_requests(who);
        let Some(slot) = self.inner.making.take(who, open) else {
            return Err(self.refuse_asking(
                who,
                &in_force.policy,
                Refusal {
                    what: format!("you have {OPEN_REQUESTS} open requests already"),
                    rule: "limit per person".to_owned(),
                    hint: "`requests` lists them, `revoke NAME` takes one back".to_owned(),
                    decided: None,
                },
            ));
        };
        let (asked, spec) = self.compose(who, &in_force, ask, slot.others)?;
        let made = self.create(&in_force.policy, spec).await?;
        self.inner.audit.record(Event {
            person: Some(who.audit_person()),
            request: made.metadata.name.clone(),
            policy: Some(made.spec.policy.clone()),
            reason: made.spec.reason.clone(),
            action: Some("request".to_owned()),
            why: Some(format!("{} for {}", made.spec.namespaces.join(", "), made.spec.duration)),
            ..Event::new(self.inner.clock.now(), Kind::RequestCreated, Outcome::Ok)
        });
        if in_force.policy.is_break_glass() {
            self.inner.audit.record(Event {
                person: Some(who.audit_person()),
                request: made.metadata.name.clone(),
                policy: Some(made.spec.policy.clone()),
                reason: made.spec.reason.clone(),
                ..Event::new(self.inner.clock.now(), Kind::BreakGlassUsed, Outcome::Ok)
            });
        }
        let by_rule = auto_approves(&in_force.policy, &asked.question());
        let opened = self.open(who, made, &in_force, by_rule).await?;
        drop(slot);
        Ok(self.view(&opened, who))
    }

    /// Checks the words and makes the spec.
    fn compose(
        &self,
        who: &Identity,
        in_force: &InForce,
        ask: Ask,
        in_the_making: usize,
    ) -> Result<(Asked, AccessRequestSpec), AccessError> {
        let policy = &in_force.policy;
        let (start_at, extends, command) = (ask.start_at, ask.extends.clone(), ask.command.clone());
        let mut asked = self.asked(who, policy, ask)?;
        // What is being made this moment is in no copy yet.
        let in_the_making = u32::try_from(in_the_making).unwrap_or(u32::MAX);
        asked.history.open_now = asked.history.open_now.saturating_add(in_the_making);
        asked.history.asked_last_hour = asked.history.asked_last_hour.saturating_add(in_the_making);
        if let Some(from) = &extends {
            let open = |request: &Arc<AccessRequest>| {
                show::is_requester(who, &request.spec.requester)
                    && request.status.as_ref().is_some_and(|status| status.phase == Phase::Active)
            };
            if !self.inner.requests.get(from.as_str()).as_ref().is_some_and(open) {
                return Err(AccessError::Invalid(format!(
                    "`{from}` is no open grant of yours to go on from"
                )));
            }
            // It takes the place of the one that it goes on from.
            asked.history.open_now = asked.history.open_now.saturating_sub(1);
        }
        may_ask(policy, &asked.question())
            .map_err(|denied| self.refuse_asking(who, policy, refusal(&denied)))?;
        let Asked { scope, length, reason, ticket, .. } = &asked;
        let spec = AccessRequestSpec {
            requester: Requester {
                username: who.username().to_owned(),
                groups: who.groups().iter().cloned().collect(),
                issuer: who.issuer().to_owned(),
                subject: who.subject().to_owned(),
            },
            policy: policy.name().to_string(),
            namespaces: scope.namespaces.iter().map(ToString::to_string).collect(),
            duration: duration::show(*length),
            reason: reason.clone(),
            ticket: ticket.clone(),
            start_at,
            workloads: scope.workloads.iter().map(ToString::to_string).collect(),
            pods: scope.pods.iter().map(ToString::to_string).collect(),
            containers: scope.containers.iter().map(ToString::to_string).collect(),
            ports: scope.ports.iter().copied().collect(),
            extends: extends.map(|name| name.to_string()),
            command,
        };
        if let Some(same) = self.same_before(who, &spec) {
            return Err(self.refuse_asking(
                who,
                policy,
                Refusal {
                    what: format!("request for policy `{}`: `{same}` says the same and waits", policy.name()),
                    rule: "nothing is asked twice".to_owned(),
                    hint: format!("`requests` shows it, `withdraw {same}` takes it back"),
                    decided: None,
                },
            ));
        }
        Ok((asked, spec))
    }

    /// The words of an `ask`, complete.
    pub(super) fn asked(&self, who: &Identity, policy: &Policy, ask: Ask) -> Result<Asked, AccessError> {
        let mut namespaces: BTreeSet<_> = ask.namespaces.into_iter().collect();
        if namespaces.is_empty() && policy.namespaces().len() == 1 {
            namespaces.clone_from(policy.namespaces());
        }
        if namespaces.is_empty() && who.groups().iter().any(|group| policy.subject_groups().contains(group)) {
            let names: Vec<_> = policy.namespaces().iter().map(ToString::to_string).collect();
            return Err(AccessError::Invalid(format!(
                "say where with `-n NAMESPACE`; policy `{}` covers {}",
                policy.name(),
                names.join(", ")
            )));
        }
        let now = self.now();
        let scope = Scope {
            workloads: ask.workloads.into_iter().collect(),
            pods: ask.pods.into_iter().collect(),
            containers: ask.containers.into_iter().collect(),
            ports: ask.ports.into_iter().collect(),
            ..Scope::of(namespaces)
        };
        let counts = [
            ("workloads", scope.workloads.len()),
            ("pods", scope.pods.len()),
            ("containers", scope.containers.len()),
            ("ports", scope.ports.len()),
        ];
        if let Some((kind, count)) = counts.into_iter().find(|(_, count)| *count > MOST_NARROWED) {
            return Err(AccessError::Invalid(format!(
                "a request takes at most {MOST_NARROWED} {kind}, this one names {count}; ask twice, or for a workload"
            )));
        }
        Ok(Asked {
            person: show::person(who),
            scope,
            length: ask.duration.unwrap_or_else(|| usual(policy)),
            reason: text::reason(ask.reason)?,
            ticket: text::ticket(ask.ticket)?,
            start: ask.start_at.unwrap_or(now),
            history: self.past(who, policy.name().as_str()),
            now,
        })
    }

    /// How many of this person's requests are not over, by our copy.
    fn open_requests(&self, who: &Identity) -> usize {
        let is_open = |request: &AccessRequest| {
            show::is_requester(who, &request.spec.requester)
                && request.status.as_ref().is_none_or(|status| !status.phase.is_final())
        };
        self.inner.requests.all().iter().filter(|request| is_open(request)).count()
    }

    async fn create(&self, policy: &Policy, spec: AccessRequestSpec) -> Result<AccessRequest, AccessError> {
        let api: Api<AccessRequest> = Api::all(self.inner.client.clone());
        let mut object = AccessRequest { metadata: ObjectMeta::default(), spec, status: None };
        for attempt in 1..=NAMES {
            let name = text::request_name(policy.name())?.to_string();
            let seal = self.inner.settings.seal.as_ref().and_then(|seal| seal.of(&name, &object.spec));
            object.metadata.annotations = seal.map(|mark| BTreeMap::from([(SEAL.to_owned(), mark)]));
            object.metadata.name = Some(name);
            let params = PostParams::default();
            match self.bounded("make a request", api.create(&params, &object)).await {
                Ok(made) => {
                    self.inner.requests.learn(made.clone());
                    return Ok(made);
                }
                Err(AccessError::Cluster { source, .. }) if attempt < NAMES && is_conflict(&source) => {}
                Err(error) => return Err(error),
            }
        }
        Err(AccessError::Busy { name: policy.name().to_string() })
    }

    /// Writes the first status; lets in at once where no approval is needed.
    async fn open(
        &self,
        who: &Identity,
        made: AccessRequest,
        in_force: &InForce,
        by_rule: bool,
    ) -> Result<Arc<AccessRequest>, AccessError> {
        let name = made.metadata.name.clone().unwrap_or_default();
        let life = made.life().map_err(|error| AccessError::Invalid(causes(&error)))?;
        let now = to_the_millisecond(self.inner.clock.now());
        let step = step(life, &Command::Open { policy: &in_force.policy, by_rule }, now);
        if let Some(denied) = step.refused {
            return Err(self.refuse_asking(who, &in_force.policy, refusal(&denied)));
        }
        let at_once = step.effects.contains(&Effect::Prepare);
        match self.write(&made, &step.life, Some(in_force.clone())).await {
            Ok(Some(opened)) if at_once => {
                self.inner.audit.record(Event {
                    person: Some(who.audit_person()),
                    request: Some(name),
                    policy: Some(made.spec.policy.clone()),
                    why: Some("no person has to approve it".to_owned()),
                    ..Event::new(self.inner.clock.now(), Kind::RequestApproved, Outcome::Ok)
                });
                Ok(self.wait_until_open(opened).await)
            }
            Ok(Some(opened)) => Ok(opened),
            // Without a status a request is pending, which is what it should be.
            Ok(None) | Err(_) if !at_once => Ok(Arc::new(made)),
            Ok(None) => Err(AccessError::Busy { name }),
            Err(error) => Err(error),
        }
    }

    fn refuse_asking(&self, who: &Identity, policy: &Policy, refusal: Refusal) -> AccessError {
        self.inner.audit.record(Event {
            person: Some(who.audit_person()),
            policy: Some(policy.name().to_string()),
            action: Some("request".to_owned()),
            why: Some(refusal.to_string()),
            ..Event::new(self.inner.clock.now(), Kind::AccessRefused, Outcome::Refused)
        });
        AccessError::Refused(refusal)
    }
}

fn refusal(denied: &Denied) -> Refusal {
    Refusal {
        what: format!("request for policy `{}`: {}", denied.policy, denied.why),
        rule: denied.rule.to_string(),
        hint: "`policies` shows what you may ask for".to_owned(),
        decided: Some(denied.rule),
    }
}
