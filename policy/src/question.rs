//! What decisions are asked: a wish for access, and a use of it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::action::Action;
use crate::names::{ContainerName, Namespace, PodName};
use crate::person::Person;
use crate::scope::{Scope, Workload};

/// What one person did before, under the same policy. It never counts the request that is decided about, and for
/// a request that was made already it is as it was when that was made: a grant does not end because its owner asks for
/// another one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct History {
    /// Requests and grants that are not over.
    pub open_now: u32,
    /// Requests made within the last hour.
    pub asked_last_hour: u32,
    /// Requests made within the last day.
    pub asked_last_day: u32,
    /// Requests that were denied within the last day.
    pub denied_last_day: u32,
    /// Requests that were granted within the last day.
    pub granted_last_day: u32,
}

/// What somebody asks a policy for.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who asks, now.
    pub who: &'a Person,
    /// For what.
    pub scope: &'a Scope,
    /// For how long.
    pub duration: Duration,
    /// Why.
    pub reason: Option<&'a str>,
    /// For which ticket.
    pub ticket: Option<&'a str>,
    /// When it is to begin.
    pub start: Timestamp,
    /// What they did before.
    pub history: &'a History,
    /// The moment at which it is decided.
    pub now: Timestamp,
}

/// One use of a grant.
#[derive(Debug, Clone, Copy)]
pub struct Use<'a> {
    /// What for.
    pub action: &'a Action,
    /// Where.
    pub namespace: &'a Namespace,
    /// The pod, where it is known already. Without it, only what does not depend on it is decided.
    pub target: Option<TargetFacts<'a>>,
}

/// What has to be known of a pod to decide about it.
#[derive(Debug, Clone, Copy)]
pub struct TargetFacts<'a> {
    /// Its name.
    pub pod: &'a PodName,
    /// The container, where one is chosen. A log or a shell always has one, a tunnel never.
    pub container: Option<&'a ContainerName>,
    /// Its labels, as the API server has them now.
    pub labels: &'a BTreeMap<String, String>,
    /// What made it, as the API server has it now: through its ReplicaSet for a Deployment.
    pub owner: Option<&'a Workload>,
}
