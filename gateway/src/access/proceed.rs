//! Requests that nobody's command is waiting for: those whose gateway died between making and opening them, those that
//! an external check has held up, and those that somebody made with `kubectl`.

use std::time::Duration;

use kube::ResourceExt;
use sallyport_policy::lifecycle::{Command, Effect, Stage, step};
use sallyport_policy::{Person, Question, RequestName, auto_approves, may_ask};

use super::seal::KUBERNETES;
use super::{Access, AccessError};
use crate::audit::{Event, Kind, Outcome, Person as AuditPerson};
use crate::crd::{AccessRequest, to_the_millisecond};

/// How long a request without a seal may be on its way to a gateway that knows how to take it.
const NOTICED_AFTER: Duration = Duration::from_secs(30);

impl Access {
    /// Whether it may be decided about: a gateway of ours made it, or admission vouches for its requester.
    ///
    /// # Errors
    /// Why not, in words.
    pub(super) fn vouched(&self, request: &AccessRequest) -> Result<(), String> {
        let Some(seal) = &self.inner.settings.seal else { return Ok(()) };
        if seal.is_on(request) {
            return Ok(());
        }
        if !self.inner.settings.by_kubectl {
            return Err(
                "it was not made by this gateway, and requests made with kubectl do not count here; \
                        ask over SSH"
                    .to_owned(),
            );
        }
        let who = &request.spec.requester;
        if who.issuer == KUBERNETES && who.subject == who.username {
            Ok(())
        } else {
            Err(format!(
                "a request made with kubectl names its requester's issuer `{KUBERNETES}` and the username as subject"
            ))
        }
    }

    /// Goes on with a pending request as far as it goes without a person. Doing it again changes nothing. What may not
    /// be asked, or is nobody's whom we know, fails.
    ///
    /// # Errors
    /// When the API server cannot be asked, or others were faster; it is tried again.
    pub async fn proceed(&self, name: &RequestName) -> Result<(), AccessError> {
        self.must_be_fresh()?;
        let Some(stored) = self.get_live(name).await? else { return Ok(()) };
        let Ok(life) = stored.life() else { return Ok(()) };
        let Stage::Pending { terms } = &life.stage else { return Ok(()) };
        let fresh = terms.is_none() && life.approvals.is_empty();
        if let Err(why) = self.vouched(&stored) {
            let age = stored.creation_timestamp().and_then(|made| made.0.checked_add(NOTICED_AFTER).ok());
            return if age.is_some_and(|noticed| self.now() < noticed) {
                Ok(())
            } else {
                self.fail(&stored, &why).await
            };
        }
        let Some(in_force) = self.inner.policies.get(&life.asked.policy) else { return Ok(()) };
        let requester = &stored.spec.requester;
        let person = Person {
            username: requester.username.clone(),
            groups: requester.groups.iter().cloned().collect(),
        };
        let past = self.past_of(&stored);
        let now = self.now();
        let question = Question {
            who: &person,
            scope: &life.asked.scope,
            duration: life.asked.duration,
            reason: stored.spec.reason.as_deref(),
            ticket: stored.spec.ticket.as_deref(),
            start: stored.spec.start_at.unwrap_or(now),
            history: &past,
            now,
        };
        // A gateway asks before it makes a request; the API server does not.
        if fresh
            && !self.inner.settings.seal.as_ref().is_none_or(|seal| seal.is_on(&stored))
            && let Err(denied) = may_ask(&in_force.policy, &question)
        {
            return self.fail(&stored, &denied.to_string()).await;
        }
        let by_rule = auto_approves(&in_force.policy, &question);
        let before = life.clone();
        let opened =
            step(life, &Command::Open { policy: &in_force.policy, by_rule }, to_the_millisecond(now));
        if let Some(denied) = opened.refused {
            return self.fail(&stored, &denied.to_string()).await;
        }
        if opened.life == before {
            return Ok(());
        }
        match self.write(&stored, &opened.life, Some((*in_force).clone())).await? {
            None => Err(AccessError::Busy { name: name.to_string() }),
            Some(_) => {
                if opened.effects.contains(&Effect::Prepare) {
                    self.say(&stored, Kind::RequestApproved, Outcome::Ok, "no person has to approve it");
                }
                Ok(())
            }
        }
    }

    async fn fail(&self, stored: &AccessRequest, why: &str) -> Result<(), AccessError> {
        let Ok(life) = stored.life() else { return Ok(()) };
        let failed = step(life, &Command::Fail { why }, to_the_millisecond(self.now()));
        match self.write(stored, &failed.life, None).await? {
            None => Err(AccessError::Busy { name: stored.name_any() }),
            Some(_) => {
                self.say(stored, Kind::AccessRefused, Outcome::Refused, why);
                Ok(())
            }
        }
    }

    fn say(&self, request: &AccessRequest, kind: Kind, outcome: Outcome, why: &str) {
        let who = &request.spec.requester;
        self.inner.audit.record(Event {
            person: Some(AuditPerson {
                username: who.username.clone(),
                issuer: Some(who.issuer.clone()),
                subject: Some(who.subject.clone()),
            }),
            request: Some(request.name_any()),
            policy: Some(request.spec.policy.clone()),
            reason: request.spec.reason.clone(),
            why: Some(why.to_owned()),
            ..Event::new(self.now(), kind, outcome)
        });
    }
}
