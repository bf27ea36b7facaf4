//! Requests that nobody's command is waiting for: those whose gateway died between making and opening them, those that
//! an external check has held up, and those that somebody made with `kubectl`.

use std::time::Duration;

use kube::ResourceExt;
use sallyport_policy::lifecycle::{Command, Effect, Stage, step};
use sallyport_policy::{Person, Question, RequestName, auto_approves, may_ask};

use super::seal::KUBERNETES;
use super::{Access, AccessError};
use crate::audit::{Event, Kind, Outcome};
use crate::crd::{AccessRequest, to_the_millisecond};

/// How long a request without a seal may be on its way to a gateway that knows how to take it.
const NOTICED_AFTER: Duration = Duration::from_secs(10);

/// What is to be done.
enum Next {
    /// It fails, for this reason.
    Fail(String),
    /// It goes on.
    Open { by_rule: bool },
}

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

    /// What is to be done with a pending request that waits for nobody's command, from the copy at hand.
    fn next(&self, request: &AccessRequest) -> Option<Next> {
        let Ok(life) = request.life() else { return None };
        let Stage::Pending { terms } = &life.stage else { return None };
        if let Err(why) = self.vouched(request) {
            let made = request.creation_timestamp()?.0;
            let noticed = made.checked_add(NOTICED_AFTER).ok()?;
            return (self.now() >= noticed).then_some(Next::Fail(why));
        }
        let in_force = self.in_force_for(request, &life.asked.policy)?;
        let policy = &in_force.policy;
        let requester = &request.spec.requester;
        let person = Person {
            username: requester.username.clone(),
            groups: requester.groups.iter().cloned().collect(),
        };
        let (past, now) = (self.past_of(request), self.now());
        let question = Question {
            who: &person,
            scope: &life.asked.scope,
            duration: life.asked.duration,
            reason: request.spec.reason.as_deref(),
            ticket: request.spec.ticket.as_deref(),
            start: request.spec.start_at.unwrap_or(now),
            history: &past,
            now,
        };
        if terms.is_none() && life.approvals.is_empty() {
            // One of ours is opened by the gateway that made it, and by no other: only that one knew that its
            // requester was there.
            let theirs = self.inner.settings.seal.as_ref().is_some_and(|seal| !seal.is_on(request));
            return theirs.then(|| match may_ask(policy, &question) {
                // A gateway asks before it makes a request; the API server does not.
                Err(denied) => Next::Fail(denied.to_string()),
                Ok(_) => Next::Open { by_rule: auto_approves(policy, &question) },
            });
        }
        // What a check has held up, and a condition lets in now that it has agreed.
        let held_up =
            !policy.hooks().is_empty() && policy.has_auto_approve() && life.unchecked(policy).is_empty();
        (held_up && auto_approves(policy, &question)).then_some(Next::Open { by_rule: true })
    }

    /// Whether [`Access::proceed`] has something to do.
    #[must_use]
    pub fn can_proceed(&self, request: &AccessRequest) -> bool {
        self.healthy() && self.next(request).is_some()
    }

    /// Goes on with a pending request as far as it goes without a person, and says whether something was written. Doing
    /// it again changes nothing. What may not be asked, or is nobody's whom we know, fails.
    ///
    /// # Errors
    /// When the API server cannot be asked, or others were faster; it is tried again.
    pub async fn proceed(&self, name: &RequestName) -> Result<bool, AccessError> {
        self.must_be_fresh()?;
        let Some(stored) = self.get_live(name).await? else { return Ok(false) };
        let by_rule = match self.next(&stored) {
            None => return Ok(false),
            Some(Next::Fail(why)) => return self.fail(&stored, &why).await.map(|()| true),
            Some(Next::Open { by_rule }) => by_rule,
        };
        let Ok(life) = stored.life() else { return Ok(false) };
        let Some(in_force) = self.in_force_for(&stored, &life.asked.policy) else { return Ok(false) };
        let command = Command::Open { policy: &in_force.policy, by_rule };
        let opened = step(life, &command, to_the_millisecond(self.now()));
        if let Some(denied) = opened.refused {
            return self.fail(&stored, &denied.to_string()).await.map(|()| true);
        }
        if self.write(&stored, &opened.life, Some((*in_force).clone())).await?.is_none() {
            return Err(AccessError::Busy { name: name.to_string() });
        }
        if opened.effects.contains(&Effect::Prepare) {
            self.say(&stored, Kind::RequestApproved, Outcome::Ok, "no person has to approve it");
        }
        Ok(true)
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
        self.inner.audit.record(Event {
            person: Some((&request.spec.requester).into()),
            request: Some(request.name_any()),
            policy: Some(request.spec.policy.clone()),
            reason: request.spec.reason.clone(),
            why: Some(why.to_owned()),
            ..Event::new(self.now(), kind, outcome)
        });
    }
}
