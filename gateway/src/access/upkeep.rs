//! What is written about grants that are in use, and what becomes of those whose owner has left the groups.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::api::PostParams;
use sallyport_policy::lifecycle::{Cause, Command, Stage, step};
use sallyport_policy::{Principal, RequestName};

use super::{Access, AccessError, Permit, show};
use crate::audit::{Event, Kind, Outcome};
use crate::crd::{AccessRequest, to_the_millisecond};
use crate::identity::Identity;

/// How often a write is tried against others' writes.
const ATTEMPTS: usize = 5;
/// What could not be written is not tried again for this long.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How many grants are remembered at most; beyond that the oldest memory goes, which costs a write and nothing else.
const MOST: usize = 10_000;

/// When the use of each grant was last written down by this gateway, by uid.
#[derive(Debug, Default)]
pub(super) struct Uses(Mutex<BTreeMap<String, Timestamp>>);

impl Uses {
    /// Whether it is time to write again; if so it counts as written.
    fn due(&self, uid: &str, every: Option<Duration>, now: Timestamp) -> bool {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = match (uses.get(uid), every) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(last), Some(every)) => {
                // A clock that was set back must not silence reports.
                now < *last || last.checked_add(every).is_ok_and(|next| now >= next)
            }
        };
        if due {
            if uses.len() >= MOST
                && let Some(oldest) = uses.iter().min_by_key(|(_, at)| **at).map(|(uid, _)| uid.clone())
            {
                uses.remove(&oldest);
            }
            uses.insert(uid.to_owned(), now);
        }
        due
    }

    fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

impl Access {
    /// Says that a grant is in use now. Cheap, and never waits: what has to be written (the first use, and every quarter
    /// of an idle time) is written beside. What cannot be written is tried at the next use.
    pub fn touch(&self, permit: &Permit) {
        // A session may go on under another grant than the one that it began under.
        let next = self.taken_over(permit);
        let permit = next.as_ref().unwrap_or(permit);
        let now = to_the_millisecond(self.now());
        let idle = permit.inner.terms.idle_timeout();
        let uid = permit.inner.uid.clone();
        if !self.inner.uses.due(&uid, idle.map(|idle| idle / 4), now) {
            return;
        }
        let (access, name) = (self.clone(), permit.request().clone());
        tokio::spawn(async move {
            if let Err(error) = access.write_use(&name, &uid, idle.is_some(), now).await {
                tracing::warn!(request = %name, %error, "the use of a grant could not be written down");
                // Not with every use: whoever keeps the API server from answering must not be asked the more.
                tokio::time::sleep(AGAIN_AFTER).await;
                access.inner.uses.forget(&uid);
            }
        });
    }

    async fn write_use(
        &self,
        name: &RequestName,
        uid: &str,
        idle: bool,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        let mut pause = Duration::from_millis(10);
        for _ in 0..ATTEMPTS {
            let Some(stored) = self.get_live(name).await? else { return Ok(()) };
            let mut changed = stored;
            let same = changed.metadata.uid.as_deref() == Some(uid);
            let Some(status) = changed.status.as_mut().filter(|status| same && !status.phase.is_final())
            else {
                return Ok(());
            };
            let first = status.first_used.is_none();
            if !first && (!idle || status.last_used.is_some_and(|last| last >= now)) {
                return Ok(());
            }
            status.first_used.get_or_insert(now);
            if idle {
                status.last_used = Some(now);
            }
            let api = self.requests_api();
            let params = PostParams::default();
            let call = api.replace_status(name.as_str(), &params, &changed);
            match self.bounded("write down that a grant is used", call).await {
                Ok(written) => {
                    self.inner.requests.learn(written);
                    return Ok(());
                }
                Err(AccessError::Cluster { source, .. }) if super::is_conflict(&source) => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(error) => return Err(error),
            }
        }
        Err(AccessError::Busy { name: name.to_string() })
    }

    /// A sign-in, or the provider asked again, has shown these groups: what this person's policies no longer allow them
    /// ends. Gives the names of what ended.
    pub async fn renewed(&self, who: &Identity) -> Vec<String> {
        let (me, person) = (show::principal(who), show::person(who));
        let mut ended = Vec::new();
        for request in self.inner.requests.all() {
            let open = request.status.as_ref().is_none_or(|status| !status.phase.is_final());
            if !open || !show::is_requester(who, &request.spec.requester) {
                continue;
            }
            let (Ok(name), Ok(life)) = (request.request_name(), request.life()) else { continue };
            let groups = match &life.stage {
                Stage::Approved { terms, .. } | Stage::Active { terms, .. } => terms.subject_groups().clone(),
                Stage::Pending { .. } => match self.inner.policies.get(&life.asked.policy) {
                    Some(in_force) => in_force.policy.subject_groups().clone(),
                    None => continue,
                },
                Stage::Ended(_) => continue,
            };
            let why = if person.in_any(&groups).is_none() {
                "the person is in none of the policy's groups any more"
            } else if me.username != request.spec.requester.username {
                "the person has another username now"
            } else {
                continue;
            };
            ended.extend(self.end_for_groups(&name, why).await);
        }
        ended
    }

    /// The provider says that this person's account is over: everything of theirs that is open ends. Gives the names of
    /// what ended.
    pub async fn disowned(&self, who: &Identity, why: &str) -> Vec<String> {
        let mut ended = Vec::new();
        for request in self.inner.requests.all() {
            let open = request.status.as_ref().is_none_or(|status| !status.phase.is_final());
            if !open || !show::is_requester(who, &request.spec.requester) {
                continue;
            }
            let Ok(name) = request.request_name() else { continue };
            ended.extend(self.end_for_groups(&name, why).await);
        }
        ended
    }

    /// Ends a request because of who its requester is not any more; its name, if there was something to end.
    async fn end_for_groups(&self, name: &RequestName, why: &str) -> Option<String> {
        match self.lapse(name, Cause::Groups, why).await {
            Ok(ended) => ended.then(|| name.to_string()),
            Err(error) => {
                tracing::error!(request = %name, %error, "a grant that has to end could not be ended");
                None
            }
        }
    }

    /// Everybody who has something that a change of their groups could end.
    #[must_use]
    pub fn people_with_grants(&self) -> BTreeSet<Principal> {
        let open =
            |request: &AccessRequest| request.status.as_ref().is_none_or(|status| !status.phase.is_final());
        let all = self.inner.requests.all();
        all.iter().filter(|request| open(request)).map(|request| (&request.spec.requester).into()).collect()
    }

    /// Ends a request that is not over; whether there was something to end.
    pub async fn lapse(&self, name: &RequestName, cause: Cause, why: &str) -> Result<bool, AccessError> {
        let mut pause = Duration::from_millis(10);
        for _ in 0..ATTEMPTS {
            let Some(stored) = self.get_live(name).await? else { return Ok(false) };
            let Ok(life) = stored.life() else { return Ok(false) };
            if life.is_ended() {
                return Ok(false);
            }
            let now = to_the_millisecond(self.now());
            let ended = step(life, &Command::Lapse { cause, why }, now);
            if ended.refused.is_some() {
                return Ok(false);
            }
            if self.write(&stored, &ended.life, None).await?.is_some() {
                let had_window = stored.status.as_ref().is_some_and(|status| status.window.is_some());
                let kind = if had_window { Kind::GrantEnded } else { Kind::RequestDenied };
                self.inner.audit.record(Event {
                    person: Some((&stored.spec.requester).into()),
                    request: Some(name.to_string()),
                    policy: Some(stored.spec.policy.clone()),
                    why: Some(why.to_owned()),
                    ..Event::new(self.now(), kind, Outcome::Ok)
                });
                return Ok(true);
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(AccessError::Busy { name: name.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_is_written_first_and_then_now_and_again() {
        let uses = Uses::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        let every = Some(Duration::from_secs(10));
        assert!(uses.due("a", every, at(100)));
        assert!(!uses.due("a", every, at(109)));
        assert!(uses.due("a", every, at(110)));
        // Set back by an hour.
        assert!(uses.due("a", every, at(10)));
        assert!(uses.due("b", None, at(100)));
        assert!(!uses.due("b", None, at(10_000)));
        uses.forget("b");
        assert!(uses.due("b", None, at(10_001)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let uses = Uses::default();
        for number in 0..MOST + 10 {
            let second = i64::try_from(number).unwrap();
            assert!(uses.due(&number.to_string(), None, Timestamp::from_second(second).unwrap()));
        }
        assert_eq!(uses.0.lock().unwrap().len(), MOST);
    }
}
