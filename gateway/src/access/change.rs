//! Changing a request: read it live, take the step, write it back against the version that was read; begin anew
//! when somebody else was faster.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::{Api, PostParams};
use sallyport_policy::lifecycle::{Actor, Command, Effect, Life, step};
use sallyport_policy::{Denied, Policy, RequestName};

use super::policies::InForce;
use super::{Access, AccessError, Refusal, RequestView, is_conflict, show, text};
use crate::audit::{Event, Kind, Outcome};
use crate::crd::{AccessRequest, Phase, ReviewVerdict, causes, to_the_millisecond};
use crate::identity::Identity;

/// How often a write is tried against others' writes.
const ATTEMPTS: u32 = 8;
/// How long an approval waits for the grant to be open.
const OPENING: Duration = Duration::from_secs(10);

/// What somebody decides.
#[derive(Debug, Clone)]
pub(super) enum Decision {
    Approve,
    Deny(Option<String>),
    Revoke(Option<String>),
    /// So much longer.
    Extend(Duration),
    Review(ReviewVerdict, Option<String>),
}

impl Decision {
    const fn verb(&self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny(_) => "deny",
            Self::Revoke(_) => "revoke",
            Self::Extend(_) => "extend",
            Self::Review(..) => "review",
        }
    }
}

impl Access {
    pub(super) async fn decide(
        &self,
        who: &Identity,
        name: &RequestName,
        decision: Decision,
    ) -> Result<RequestView, AccessError> {
        let decision = match decision {
            Decision::Approve => Decision::Approve,
            Decision::Deny(reason) => Decision::Deny(text::reason(reason)?),
            Decision::Revoke(reason) => Decision::Revoke(text::reason(reason)?),
            Decision::Extend(by) => Decision::Extend(by),
            Decision::Review(verdict, comment) => Decision::Review(verdict, text::reason(comment)?),
        };
        self.must_be_fresh()?;
        let actor = Actor { principal: show::principal(who), person: show::person(who) };
        let mut pause = Duration::from_millis(5);
        for _ in 0..ATTEMPTS {
            match Box::pin(self.try_once(who, &actor, name, &decision)).await? {
                Some(changed) => {
                    let changed = match decision {
                        Decision::Approve => self.wait_until_open(changed).await,
                        _ => changed,
                    };
                    return Ok(self.view(&changed, who));
                }
                None => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(Duration::from_millis(200));
        }
        Err(AccessError::Busy { name: name.to_string() })
    }

    /// `None` where somebody else has changed it meanwhile.
    async fn try_once(
        &self,
        who: &Identity,
        actor: &Actor,
        name: &RequestName,
        decision: &Decision,
    ) -> Result<Option<Arc<AccessRequest>>, AccessError> {
        let stored = self.get_live(name).await?.ok_or_else(|| AccessError::NotFound {
            kind: "request",
            name: name.to_string(),
            near: String::new(),
            list: "requests",
        })?;
        let now = to_the_millisecond(self.inner.clock.now());
        let life = stored.life().map_err(|error| {
            tracing::error!(request = %name, error = %causes(&error), "a request cannot be read");
            AccessError::Invalid(format!("request `{name}` cannot be read; an operator has to look at it"))
        })?;
        // Giving back what is one's own is all that sealed codes are good for here.
        let own = show::is_requester(who, &stored.spec.requester);
        if who.by_codes() && !(own && matches!(decision, Decision::Revoke(_))) {
            let verb = decision.verb();
            return Err(self.refuse_by_codes(who, verb, Some(name), &format!("{verb} `{name}`")));
        }
        if matches!(decision, Decision::Approve | Decision::Extend(_)) {
            self.must_not_be_shut_out(who, &format!("{} `{name}`", decision.verb()))?;
            self.vouched(&stored).map_err(|why| {
                AccessError::Refused(Refusal {
                    what: format!("{} `{name}`: {why}", decision.verb()),
                    rule: "requests are made by the gateway".to_owned(),
                    hint: String::new(),
                    decided: None,
                })
            })?;
        }
        let actor = &Actor { principal: show::actor(who, &stored), person: actor.person.clone() };
        let in_force = self.in_force_for(&stored, &life.asked.policy);
        let policy = in_force.as_ref().map(|in_force| &in_force.policy);
        // A review belongs to what was approved, also when that policy is gone since.
        let approved = stored.terms().ok().flatten();
        let policy = match decision {
            Decision::Review(..) => approved.as_ref().or(policy),
            _ => policy,
        };
        let until = life.expires();
        let command = command(decision, actor, policy, until).ok_or_else(|| self.no_policy(name, &life))?;
        let taken = step(life, &command, now);
        if let Some(denied) = taken.refused {
            return Err(self.refuse(who, &stored, decision, &denied));
        }
        let observed = matches!(decision, Decision::Approve).then(|| in_force.as_deref().cloned()).flatten();
        let Some(written) = self.write(&stored, &taken.life, observed).await? else { return Ok(None) };
        self.announce(who, &stored, decision, &taken.effects);
        Ok(Some(written))
    }

    /// The request as the API server has it this moment.
    pub(super) async fn get_live(&self, name: &RequestName) -> Result<Option<AccessRequest>, AccessError> {
        self.bounded("read a request", self.requests_api().get_opt(name.as_str())).await
    }

    /// Writes a new state; `None` where the stored one has changed since it was read.
    pub(super) async fn write(
        &self,
        stored: &AccessRequest,
        life: &Life,
        observed: Option<InForce>,
    ) -> Result<Option<Arc<AccessRequest>>, AccessError> {
        let mut changed = stored.clone();
        changed.status = Some(stored.status_for(life, observed.map(|in_force| in_force.observed)));
        let name = stored.metadata.name.clone().unwrap_or_default();
        let params = PostParams::default();
        let api = self.requests_api();
        match self.bounded("change a request", api.replace_status(&name, &params, &changed)).await {
            Ok(written) => {
                self.inner.requests.learn(written.clone());
                Ok(Some(Arc::new(written)))
            }
            Err(AccessError::Cluster { source, .. }) if is_conflict(&source) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits until an approved request is open, cannot be opened, or [`OPENING`] is over.
    pub(super) async fn wait_until_open(&self, approved: Arc<AccessRequest>) -> Arc<AccessRequest> {
        let name = approved.metadata.name.clone().unwrap_or_default();
        let mut changes = self.inner.requests.changes();
        let wait = async {
            loop {
                changes.mark_unchanged();
                let Some(now) = self.inner.requests.get(&name) else { return };
                let status = now.status.as_ref();
                let opening = status
                    .is_none_or(|status| !status.phase.is_final() && status.message.is_none())
                    && status.is_none_or(|status| status.phase != Phase::Active);
                if !opening || changes.changed().await.is_err() {
                    return;
                }
            }
        };
        // What begins later is not waited for.
        let later = approved.spec.start_at.is_some_and(|start| start > self.now());
        if approved_phase(&approved) && !later {
            // Time out: the view says `Approved`, and so does the message.
            let _ = tokio::time::timeout(OPENING, wait).await;
        }
        self.inner.requests.get(&name).unwrap_or(approved)
    }

    pub(super) fn requests_api(&self) -> Api<AccessRequest> {
        Api::all(self.inner.client.clone())
    }

    /// Nothing can be approved or denied under a policy that is not in force.
    fn no_policy(&self, name: &RequestName, life: &Life) -> AccessError {
        let policy = &life.asked.policy;
        let closed = self.inner.policies.closed(policy.as_str());
        AccessError::Refused(Refusal {
            what: format!("`{name}` cannot be decided: its policy `{policy}` is not in force"),
            rule: closed.map(|closed| closed.why.clone()).unwrap_or_default(),
            hint: "ask for another policy; `policies` lists them".to_owned(),
            decided: None,
        })
    }

    fn refuse(
        &self,
        who: &Identity,
        request: &AccessRequest,
        decision: &Decision,
        denied: &Denied,
    ) -> AccessError {
        let name = request.metadata.name.clone().unwrap_or_default();
        let verb = decision.verb();
        self.inner.audit.record(Event {
            person: Some(who.audit_person()),
            request: Some(name.clone()),
            policy: Some(denied.policy.to_string()),
            action: Some(verb.to_owned()),
            why: Some(denied.to_string()),
            ..Event::new(self.inner.clock.now(), Kind::AccessRefused, Outcome::Refused)
        });
        AccessError::Refused(Refusal {
            what: format!("{verb} `{name}`: {}", denied.why),
            rule: format!("policy `{}`: {}", denied.policy, denied.rule),
            hint: String::new(),
            decided: Some(denied.rule),
        })
    }

    fn announce(&self, who: &Identity, request: &AccessRequest, decision: &Decision, effects: &[Effect]) {
        let had_window = request.status.as_ref().is_some_and(|status| status.window.is_some());
        let (kind, reason, why) = match decision {
            Decision::Approve => {
                let missing = effects.iter().find_map(|effect| match effect {
                    Effect::Counted { missing } => Some(*missing),
                    _ => None,
                });
                let why =
                    missing.filter(|missing| *missing > 0).map(|missing| format!("{missing} more needed"));
                (Kind::RequestApproved, None, why)
            }
            Decision::Deny(reason) => (Kind::RequestDenied, reason.clone(), None),
            Decision::Revoke(reason) if had_window => {
                (Kind::GrantEnded, reason.clone(), Some(format!("revoked by {}", who.username())))
            }
            Decision::Revoke(reason) => {
                (Kind::RequestDenied, reason.clone(), Some(format!("withdrawn by {}", who.username())))
            }
            Decision::Extend(longer) => {
                let by = sallyport_policy::duration::show(*longer);
                (Kind::GrantExtended, None, Some(format!("by {by}")))
            }
            Decision::Review(verdict, comment) => {
                (Kind::ReviewClosed, comment.clone(), Some(format!("{verdict:?}").to_lowercase()))
            }
        };
        self.inner.audit.record(Event {
            person: Some(who.audit_person()),
            request: request.metadata.name.clone(),
            policy: Some(request.spec.policy.clone()),
            action: Some(decision.verb().to_owned()),
            reason,
            why,
            ..Event::new(self.inner.clock.now(), kind, Outcome::Ok)
        });
    }
}

fn approved_phase(request: &AccessRequest) -> bool {
    request.status.as_ref().is_some_and(|status| status.phase == Phase::Approved)
}

fn command<'a>(
    decision: &'a Decision,
    by: &'a Actor,
    policy: Option<&'a Policy>,
    ends: Option<Timestamp>,
) -> Option<Command<'a>> {
    Some(match decision {
        Decision::Approve => Command::Approve { by, policy: policy? },
        Decision::Deny(reason) => Command::Deny { by, policy: policy?, reason: reason.as_deref() },
        Decision::Revoke(reason) => Command::Revoke { by, policy, reason: reason.as_deref() },
        Decision::Extend(longer) => {
            // What has no end cannot be extended; the step says why.
            let until = ends.and_then(|end| end.checked_add(*longer).ok()).unwrap_or(Timestamp::MIN);
            Command::Extend { by, until, policy: policy? }
        }
        Decision::Review(verdict, comment) => {
            Command::Review { by, verdict: (*verdict).into(), comment: comment.as_deref(), policy: policy? }
        }
    })
}
