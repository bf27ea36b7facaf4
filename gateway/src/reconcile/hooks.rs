//! Asking external checks: of requests that wait for them, and again of open grants where the policy says how often.
//!
//! What is due follows from what is stored, so a gateway that takes over asks what is missing and nothing twice. Asking
//! is slow and must not hold up a round: it goes on beside, so many at a time. What a check says is a step of the
//! request's life, taken on the request as it is when the answer is there.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use kube::ResourceExt;
use sallyport_policy::Policy;
use sallyport_policy::lifecycle::{CheckAnswer, Command, Effect, End, Life, Stage, step};

use super::act::Hands;
use super::api::ActError;
use super::round::Keeper;
use crate::access::Standing;
use crate::audit::{Event, Kind, Outcome};
use crate::checks::{CheckError, CheckInput, CheckPhase, Checks};
use crate::crd::{AccessRequest, Phase, causes};
use crate::terminal::clean;

/// So many are asked at a time.
const AT_ONCE: usize = 8;
/// A check that could not be asked is asked again after so long.
const AGAIN: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });
/// So often an answer that met somebody else's write is taken anew.
const TRIES: usize = 5;
/// What is kept of an answer: so many reasons, of so many characters.
const MOST_REASONS: usize = 16;
const LONGEST_REASON: usize = 500;

/// What a check says: whether it agrees, and why; or why it could not be asked.
pub type Said = Result<(bool, Vec<String>), String>;

/// Somebody who can ask checks. Each call has an end of its own.
pub trait Asks: std::fmt::Debug + Send + Sync + 'static {
    /// Asks the check of this name about a request under a policy.
    fn ask<'a>(
        &'a self,
        name: &'a str,
        request: &'a AccessRequest,
        policy: &'a Policy,
    ) -> Pin<Box<dyn Future<Output = Said> + Send + 'a>>;
}

impl Asks for Checks {
    fn ask<'a>(
        &'a self,
        name: &'a str,
        request: &'a AccessRequest,
        _: &'a Policy,
    ) -> Pin<Box<dyn Future<Output = Said> + Send + 'a>> {
        let pending = request.status.as_ref().is_none_or(|status| status.phase == Phase::Pending);
        let phase = if pending { CheckPhase::Asking } else { CheckPhase::Recheck };
        Box::pin(async move {
            let answer = Checks::ask(self, name, &CheckInput::of(request, phase)).await;
            answer.map(|answer| (answer.allow, answer.reasons)).map_err(|error| match error {
                CheckError::OutOfReach { why, .. } => why,
                CheckError::Unknown(_) => error.to_string(),
            })
        })
    }
}

/// One question that is due, or will be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Due {
    check: String,
    at: Timestamp,
}

/// The checks of a request that are to be asked, each from its moment on.
fn due(request: &AccessRequest, life: &Life, in_force: &Standing) -> Vec<Due> {
    let answer = |name: &str| life.checks.iter().find(|one| one.name == name);
    let later = |at: Timestamp, by: Duration| at.checked_add(by).unwrap_or(Timestamp::MAX);
    match &life.stage {
        // Before its first status nobody has opened it; that comes first.
        Stage::Pending { .. } if request.status.is_some() => {
            let Standing::InForce(policy) = in_force else { return Vec::new() };
            let unasked = life.unchecked(policy).into_iter();
            unasked
                .map(|hook| {
                    let at = answer(&hook.name).map_or(Timestamp::MIN, |answer| later(answer.at, AGAIN));
                    Due { check: hook.name.clone(), at }
                })
                .collect()
        }
        Stage::Approved { terms, .. } | Stage::Active { terms, .. } => {
            let again = terms.hooks().iter().filter_map(|hook| Some((hook, hook.recheck?)));
            again
                .map(|(hook, interval)| {
                    let at = answer(&hook.name).map_or(Timestamp::MIN, |answer| later(answer.at, interval));
                    Due { check: hook.name.clone(), at }
                })
                .collect()
        }
        Stage::Pending { .. } | Stage::Ended(_) => Vec::new(),
    }
}

/// Asks whatever is due, as long as it is polled.
pub(super) async fn ask_all(keeper: &Keeper, asks: &Arc<dyn Asks>) {
    let hands = &keeper.hands;
    let (mut requests, mut policies) = (hands.requests.changes(), keeper.access.policies_changed());
    let mut asked: HashSet<(String, String)> = HashSet::new();
    // What could not be asked and left no trace in what is stored.
    let mut not_before: HashMap<(String, String), Timestamp> = HashMap::new();
    let mut open = FuturesUnordered::new();
    loop {
        requests.mark_unchanged();
        policies.mark_unchanged();
        let now = hands.clock.now();
        not_before.retain(|_, at| *at > now);
        let mut next = not_before.values().copied().min();
        for request in hands.requests.all() {
            if request.status.as_ref().is_some_and(|status| status.phase.is_final()) {
                continue;
            }
            let Ok(life) = request.life() else { continue };
            for Due { check, at } in due(&request, &life, &keeper.access.standing(&request.spec.policy)) {
                let key = (request.uid().unwrap_or_default(), check);
                if at > now {
                    next = next.into_iter().chain([at]).min();
                } else if open.len() < AT_ONCE && !asked.contains(&key) && !not_before.contains_key(&key) {
                    asked.insert(key.clone());
                    let request = Arc::clone(&request);
                    open.push(async move {
                        let left_a_trace = one(keeper, asks, &request, &key.1).await;
                        (key, left_a_trace)
                    });
                }
            }
        }
        tokio::select! {
            Some((key, left_a_trace)) = open.next() => {
                asked.remove(&key);
                if !left_a_trace {
                    let at = hands.clock.now().checked_add(AGAIN).unwrap_or(Timestamp::MAX);
                    not_before.insert(key, at);
                }
            }
            changed = requests.changed() => if changed.is_err() { return },
            changed = policies.changed() => if changed.is_err() { return },
            () = hands.clock.sleep_until(next.unwrap_or(Timestamp::MAX)) => {}
        }
    }
}

/// Asks one check and takes what it says; false where that has changed nothing that is stored.
async fn one(keeper: &Keeper, asks: &Arc<dyn Asks>, request: &AccessRequest, check: &str) -> bool {
    let hands = &keeper.hands;
    let policy = match (request.life().map(|life| life.stage), keeper.access.standing(&request.spec.policy)) {
        (Ok(Stage::Approved { terms, .. } | Stage::Active { terms, .. }), _) => *terms,
        (Ok(Stage::Pending { .. }), Standing::InForce(policy)) => policy,
        _ => return false,
    };
    let said = asks.ask(check, request, &policy).await;
    let answer = match said {
        Ok((allow, reasons)) => CheckAnswer { allow: Some(allow), ..answer(hands, check, reasons) },
        Err(why) => answer(hands, check, vec![why]),
    };
    announce(hands, request, &answer);
    for _ in 0..TRIES {
        match take(keeper, request, &answer).await {
            Ok(changed) => return changed,
            Err(ActError::Conflict) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => {
                tracing::warn!(request = request.name_any(), check, error = %causes(&error), "an answer could not be written");
                return false;
            }
        }
    }
    false
}

fn answer(hands: &Hands, check: &str, reasons: Vec<String>) -> CheckAnswer {
    let short = |reason: String| clean(&reason).chars().take(LONGEST_REASON).collect();
    let reasons = reasons.into_iter().take(MOST_REASONS).map(short).collect();
    CheckAnswer { name: check.to_owned(), allow: None, reasons, at: hands.now() }
}

/// Takes the step on the request as it is now, and goes on where nothing else is missing.
async fn take(keeper: &Keeper, request: &AccessRequest, answer: &CheckAnswer) -> Result<bool, ActError> {
    let hands = &keeper.hands;
    let Some(live) = hands.live(&request.name_any()).await? else { return Ok(true) };
    let same = live.uid() == request.uid();
    let Some(life) = live.life().ok().filter(|life| same && !life.is_ended()) else { return Ok(true) };
    let in_force = keeper.access.in_force(&request.spec.policy);
    let policy = match (&life.stage, &in_force) {
        (Stage::Approved { terms, .. } | Stage::Active { terms, .. }, _) => (**terms).clone(),
        (_, Some((policy, _))) => policy.clone(),
        _ => return Ok(false),
    };
    let before = life.clone();
    let mut taken = step(life, &Command::Answer { answer, policy: &policy }, hands.now());
    if let Some(denied) = taken.refused {
        tracing::debug!(request = live.name_any(), %denied, "an answer came to nothing");
        return Ok(taken.life != before);
    }
    let mut observed = None;
    if taken.effects.contains(&Effect::Checked)
        && let Some((policy, found)) = in_force
    {
        let opened =
            step(taken.life.clone(), &Command::Open { policy: &policy, by_rule: false }, hands.now());
        if opened.refused.is_none() {
            observed = Some(found);
            taken.life = opened.life;
        }
    }
    if taken.life == before {
        return Ok(false);
    }
    hands.write(&live, live.status_for(&taken.life, observed)).await?;
    match &taken.life.stage {
        Stage::Ended(End::Lapsed { why, .. }) => {
            hands.say(&live, Kind::GrantEnded, Outcome::Ok, Some(why.clone()), None)
        }
        Stage::Ended(End::Refused { why, .. }) => {
            hands.say(&live, Kind::RequestDenied, Outcome::Ok, Some(why.clone()), None);
        }
        Stage::Approved { .. } if matches!(before.stage, Stage::Pending { .. }) => {
            let why = "its checks agree and the policy asks for no approval".to_owned();
            hands.say(&live, Kind::RequestApproved, Outcome::Ok, Some(why), None);
        }
        _ => {}
    }
    Ok(true)
}

fn announce(hands: &Hands, request: &AccessRequest, answer: &CheckAnswer) {
    let (outcome, said) = match answer.allow {
        Some(true) => (Outcome::Ok, "agrees"),
        Some(false) => (Outcome::Refused, "says no"),
        None => (Outcome::Failed, "could not be asked"),
    };
    let reasons =
        if answer.reasons.is_empty() { String::new() } else { format!(": {}", answer.reasons.join("; ")) };
    hands.audit.record(Event {
        request: Some(request.name_any()),
        policy: Some(request.spec.policy.clone()),
        why: Some(format!("check `{}` {said}{reasons}", answer.name)),
        ..Event::new(hands.clock.now(), Kind::CheckAnswered, outcome)
    });
}
