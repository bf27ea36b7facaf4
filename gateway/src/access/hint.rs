//! What to say to somebody who has no grant that fits: why, and the line to type.

use std::collections::BTreeMap;

use sallyport_policy::{Action, Namespace, Policy, PolicyName, did_you_mean, duration};

use super::policies::Closed;
use super::{Access, AccessError, Permit, PodFacts, Refusal, ask, show};
use crate::crd::Phase;
use crate::identity::Identity;

impl Access {
    pub(super) fn explain(
        &self,
        who: &Identity,
        action: &Action,
        namespace: &Namespace,
        pod: Option<(&Permit, &PodFacts)>,
    ) -> Refusal {
        let wish = match (action, pod) {
            (Action::Forward { port }, None) => format!("forward to port {port} in `{namespace}`"),
            (Action::Forward { port }, Some((_, pod))) => {
                format!("forward to port {port} of `{}` in `{namespace}`", pod.name)
            }
            (action, None) => format!("{action} in `{namespace}`"),
            (action, Some((_, pod))) => format!("{action} of `{}` in `{namespace}`", pod.name),
        };
        if let Some(held) = self.held_back(who, action, namespace) {
            return Refusal { what: format!("{wish}: {}", held.what), ..held };
        }
        let denied = pod.and_then(|(permit, pod)| {
            let in_force = self.inner.policies.get(permit.policy());
            permit.why_not(in_force.as_ref().map(|in_force| &in_force.policy), pod, self.now())
        });
        let why = match pod {
            None => "you have no grant that allows it".to_owned(),
            Some((permit, _)) => {
                let because = denied.as_ref().map(|denied| format!(": {}", denied.why)).unwrap_or_default();
                format!("your grant `{}` does not cover this pod{because}", permit.request())
            }
        };
        let what = format!("{wish}: {why}");
        let rule = denied.map(|denied| format!("policy `{}`: {}", denied.policy, denied.rule));
        let labels = pod.map(|(_, pod)| &pod.labels);
        let except = pod.map(|(permit, _)| permit.policy().as_str());
        if let Some((name, policy)) = self.waiting(who, action, namespace, labels) {
            let hint =
                format!("your request `{name}` for policy `{policy}` would allow it and waits for approval");
            return Refusal { what, rule: rule.unwrap_or_default(), hint, decided: None };
        }
        match self.would_allow(who, action, namespace, labels, except) {
            Some(policy) => Refusal {
                what,
                rule: rule.unwrap_or_else(|| "no grant, no access".to_owned()),
                hint: format!(
                    "policy `{}` would allow it, ask with: {}",
                    policy.name(),
                    line_to_type(&policy, namespace)
                ),
                decided: None,
            },
            None => Refusal {
                what,
                rule: rule.unwrap_or_else(|| "no grant, no access".to_owned()),
                hint: "no policy that you may ask would allow it; `policies` lists them".to_owned(),
                decided: None,
            },
        }
    }

    /// The person's grant that would allow it, but for a CommandSet that its policy names.
    fn held_back(&self, who: &Identity, action: &Action, namespace: &Namespace) -> Option<Refusal> {
        let requests = self.inner.requests.all();
        let permits = requests.iter().filter_map(|request| self.approved(request, who, action, namespace));
        permits.into_iter().find_map(|permit| {
            let closed = self.inner.policies.closed(permit.policy().as_str())?;
            let what = format!("your grant `{}` opens nothing at the moment", permit.request());
            Some(shut(&closed, permit.policy(), what))
        })
    }

    /// Why somebody cannot ask a policy that is not in force: there is none that they may know of, or it is there but for
    /// a CommandSet.
    pub(super) fn no_such_policy(&self, who: &Identity, policy: &PolicyName) -> AccessError {
        let closed = self.inner.policies.closed(policy.as_str());
        match closed.filter(|closed| show::person(who).in_any(&closed.groups).is_some()) {
            Some(closed) => {
                let what = format!("policy `{policy}` is closed at the moment");
                AccessError::Refused(shut(&closed, policy, what))
            }
            None => {
                // Only of what `policies` shows them.
                let seen = self.policies_for(who);
                let near = did_you_mean(policy.as_str(), seen.iter().map(|one| one.name.as_str()));
                AccessError::NotFound { kind: "policy", name: policy.to_string(), near, list: "policies" }
            }
        }
    }

    /// The person's pending request that would allow it.
    fn waiting(
        &self,
        who: &Identity,
        action: &Action,
        namespace: &Namespace,
        labels: Option<&BTreeMap<String, String>>,
    ) -> Option<(String, String)> {
        let table = self.inner.policies.current();
        let pending = self.requests(who).into_iter().find(|view| {
            view.mine
                && view.phase == Phase::Pending
                && view.namespaces.iter().any(|one| one == namespace.as_str())
                && table
                    .get(&view.policy)
                    .is_some_and(|one| self.allows(&one.policy, action, namespace, labels))
        })?;
        Some((pending.name, pending.policy))
    }

    /// The policy to ask: of those that would allow it, the one that takes the fewest approvals.
    fn would_allow(
        &self,
        who: &Identity,
        action: &Action,
        namespace: &Namespace,
        labels: Option<&BTreeMap<String, String>>,
        except: Option<&str>,
    ) -> Option<Policy> {
        let person = show::person(who);
        let table = self.inner.policies.current();
        table
            .values()
            .map(|one| &one.policy)
            .filter(|policy| except != Some(policy.name().as_str()))
            .filter(|policy| person.in_any(policy.subject_groups()).is_some())
            .filter(|policy| self.allows(policy, action, namespace, labels))
            .min_by_key(|policy| (policy.approvals(), policy.name().clone()))
            .cloned()
    }

    /// Whether a grant of this policy would allow it, as far as no condition decides.
    fn allows(
        &self,
        policy: &Policy,
        action: &Action,
        namespace: &Namespace,
        labels: Option<&BTreeMap<String, String>>,
    ) -> bool {
        policy.covers(action, namespace) && labels.is_none_or(|labels| policy.selector().matches(labels))
    }
}

/// A no that only whoever writes the policies can do something about.
fn shut(closed: &Closed, policy: &PolicyName, what: String) -> Refusal {
    Refusal {
        what,
        rule: format!("policy `{policy}`: {}", closed.why),
        hint: "tell whoever writes the policies; it opens as soon as that is done".to_owned(),
        decided: None,
    }
}

/// What to type to get it.
fn line_to_type(policy: &Policy, namespace: &Namespace) -> String {
    let length = duration::show(ask::usual(policy));
    let ticket = if policy.ticket_required() { " --ticket TICKET" } else { "" };
    let reason = if policy.reason_required() { " --reason WHY" } else { "" };
    format!("request {} -n {namespace} --for {length}{ticket}{reason}", policy.name())
}
