//! From what is given, in words, to what a policy is asked.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use sallyport_policy::{
    ContainerName, History, Namespace, Person, PodName, Policy, Principal, Question, Scope, Workload,
    duration,
};

use super::cases::{Given, Someone};

/// The time where none is given: a Wednesday, so that nothing depends on when a test is run.
const NOON: &str = "2026-03-04T12:00:00Z";
/// The length of a window that nobody named.
const USUAL: Duration = Duration::from_secs(3600);

/// Everything that a question points to.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) person: Person,
    pub(super) scope: Scope,
    pub(super) duration: Duration,
    reason: Option<String>,
    ticket: Option<String>,
    pub(super) start: Option<Timestamp>,
    pub(super) now: Timestamp,
    history: History,
}

fn set<T: Ord, E: ToString>(
    words: Option<&Vec<String>>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<BTreeSet<T>, String> {
    words.into_iter().flatten().map(|word| parse(word).map_err(|error| error.to_string())).collect()
}

pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| format!("`{text}` is no moment; write it like 2026-03-04T12:00:00Z"))
}

/// Somebody, as decisions see them.
pub(super) fn person(who: &Someone) -> Person {
    Person { username: who.username.clone(), groups: who.groups.iter().cloned().collect() }
}

/// An account for somebody of whom only the username is known.
pub(super) fn principal(username: &str) -> Principal {
    Principal {
        issuer: "https://idp.example.com".to_owned(),
        subject: username.to_owned(),
        username: username.to_owned(),
    }
}

impl Asked {
    /// Reads what is given, for a policy.
    pub(super) fn read(given: &Given, policy: &Policy) -> Result<Self, String> {
        let who = given.person.as_ref().ok_or("`person` is not given")?;
        let mut namespaces = set(given.namespaces.as_ref(), Namespace::parse)?;
        if given.namespaces.is_none() && policy.namespaces().len() == 1 {
            namespaces.clone_from(policy.namespaces());
        }
        let length = match &given.duration {
            Some(text) => duration::parse(text).map_err(|error| error.to_string())?,
            None => policy.max_duration().min(USUAL),
        };
        let past = given.history.clone().unwrap_or_default();
        // An empty text is what a person who gives none has said.
        let words = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        Ok(Self {
            person: person(who),
            scope: Scope {
                namespaces,
                workloads: set(given.workloads.as_ref(), Workload::parse)?,
                pods: set(given.pods.as_ref(), PodName::parse)?,
                containers: set(given.containers.as_ref(), ContainerName::parse)?,
                ports: given.ports.iter().flatten().copied().collect(),
            },
            duration: length,
            reason: words(&given.reason),
            ticket: words(&given.ticket),
            start: given.start.as_deref().map(moment).transpose()?,
            now: moment(given.now.as_deref().unwrap_or(NOON))?,
            history: History {
                open_now: past.open_now,
                asked_last_hour: past.asked_last_hour,
                asked_last_day: past.asked_last_day,
                denied_last_day: past.denied_last_day,
                granted_last_day: past.granted_last_day,
            },
        })
    }

    /// The question that this comes to.
    pub(super) fn question(&self) -> Question<'_> {
        Question {
            who: &self.person,
            scope: &self.scope,
            duration: self.duration,
            reason: self.reason.as_deref(),
            ticket: self.ticket.as_deref(),
            start: self.start.unwrap_or(self.now),
            history: &self.history,
            now: self.now,
        }
    }
}
