//! One command, once: what a rule denied is put to the people who approve grants of its policy, while its person waits.
//!
//! It is a request like any other, so that everything that tells of requests and decides them works for it; but it opens
//! nothing in the cluster and no grant comes of it ([`AccessRequest::is_for_one_command`] is asked wherever one could). Its
//! terms are the policy's, with one approval by anybody who may approve grants, no rule that approves by itself, and
//! minutes in place of hours. Once it was used, or nobody waits any more, it is taken back.

use std::sync::Arc;
use std::time::Duration;

use sallyport_policy::lifecycle::Life;
use sallyport_policy::{PolicyName, RequestName, duration};

use super::policies::InForce;
use super::{Access, AccessError, Ask, KUBERNETES, Permit, RequestView, show};
use crate::crd::{AccessPolicySpec, AccessRequest, Approvals, ObservedPolicy, OneCommand};
use crate::identity::Identity;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// How long an approval counts.
const GOOD_FOR: Duration = Duration::from_secs(60);
/// The longest command that can be put to somebody, in bytes.
pub const LONGEST_COMMAND: usize = 2048;

/// A policy's text as it counts for one command.
fn for_one_command(spec: &AccessPolicySpec) -> AccessPolicySpec {
    let mut groups = spec.approval.groups.clone();
    groups.extend(spec.approval.stages.iter().flat_map(|stage| stage.groups.iter().cloned()));
    groups.sort();
    groups.dedup();
    AccessPolicySpec {
        approval: Approvals {
            required: 1,
            groups,
            stages: Vec::new(),
            expires_after: Some(duration::show(PATIENCE)),
            hooks: Vec::new(),
        },
        max_duration: duration::show(GOOD_FOR),
        auto_approve: None,
        break_glass: None,
        own_identity: false,
        network: None,
        idle_timeout: None,
        reason_pattern: None,
        ticket: None,
        limits: None,
        ..spec.clone()
    }
}

impl InForce {
    /// As it counts for this request.
    pub(super) fn for_request(self: Arc<Self>, request: &AccessRequest) -> Option<Arc<Self>> {
        if !request.is_for_one_command() {
            return Some(self);
        }
        self.for_one_command(&request.spec.policy).map(Arc::new)
    }

    /// As it counts for one command; `None` where nobody could approve it.
    pub(super) fn for_one_command(&self, name: &str) -> Option<Self> {
        let spec = for_one_command(&self.observed.spec);
        let observed = ObservedPolicy { spec, ..self.observed.clone() };
        let policy = observed.parse(name).ok()?;
        Some(Self { policy, observed })
    }
}

impl Access {
    /// The policy in force that decides about a request.
    pub(super) fn in_force_for(&self, request: &AccessRequest, name: &PolicyName) -> Option<Arc<InForce>> {
        self.inner.policies.get(name)?.for_request(request)
    }

    /// Puts one command of a session to those who may approve. It waits for them in [`Access::settled`].
    ///
    /// # Errors
    /// Refused by the policy; or nobody could approve it.
    pub async fn ask_once(
        &self,
        permit: &Permit,
        session: &str,
        place: &str,
        line: &str,
    ) -> Result<RequestView, AccessError> {
        if line.len() > LONGEST_COMMAND {
            return Err(AccessError::Invalid(format!(
                "a command that somebody is to approve has at most {LONGEST_COMMAND} bytes"
            )));
        }
        let line = crate::terminal::clean(line);
        let mut reason = format!("once, in {place}: {line}");
        while reason.len() > 1000 {
            reason.pop();
        }
        let ask = Ask {
            namespaces: vec![permit.namespace().clone()],
            duration: Some(GOOD_FOR),
            reason: Some(reason),
            ticket: permit.inner.ticket.clone(),
            command: Some(OneCommand {
                grant: permit.request().to_string(),
                session: session.to_owned(),
                line,
            }),
            ..Ask::of(permit.policy().clone())
        };
        self.request(permit.person(), ask).await
    }

    /// Whether this command was approved, and by whom: read from the API server, decided by what is on record there.
    ///
    /// # Errors
    /// When that cannot be told.
    pub async fn approved_once(
        &self,
        who: &Identity,
        name: &RequestName,
        session: &str,
        line: &str,
    ) -> Result<Option<String>, AccessError> {
        let Some(request) = self.get_live(name).await? else { return Ok(None) };
        let line = crate::terminal::clean(line);
        let same =
            request.spec.command.as_ref().is_some_and(|one| one.session == session && one.line == line);
        // What somebody wrote themselves, with `kubectl`, may tell its approvers one line and be for another.
        let requester = &request.spec.requester;
        let ours = requester.issuer != KUBERNETES && show::is_requester(who, requester);
        if !same || !ours || self.vouched(&request).is_err() {
            return Ok(None);
        }
        let life: Option<Life> = request.life().ok();
        let opens = life.as_ref().is_some_and(|life| life.is_open(self.now()));
        let by = life.and_then(|life| life.approvals.last().map(|one| one.by.username.clone()));
        Ok(by.filter(|_| opens))
    }

    /// Takes one command back: it has run, or nobody waits for it any more.
    pub async fn end_once(&self, who: &Identity, name: &RequestName, why: &str) {
        if let Err(error) = self.revoke(who, name, Some(why.to_owned())).await {
            // It ends by itself within minutes.
            tracing::debug!(request = %name, error = %crate::crd::causes(&error), "a one-time request was not taken back");
        }
    }
}
