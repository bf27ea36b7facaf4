//! Why: what would become of a request, rule by rule. The same rules that decide, asked without deciding.

use sallyport_policy::{Outcome, explain};

use super::{Access, AccessError, Ask, WhyStep, WhyView};
use crate::identity::Identity;

impl Access {
    /// What would become of `ask`. Nothing is made, and nothing is recorded: external checks are not asked.
    ///
    /// # Errors
    /// When there is no such policy, the question is incomplete, or our copies are too old.
    pub fn why(&self, who: &Identity, ask: Ask) -> Result<WhyView, AccessError> {
        self.must_be_fresh()?;
        let in_force =
            self.inner.policies.get(&ask.policy).ok_or_else(|| self.no_such_policy(who, &ask.policy))?;
        let policy = &in_force.policy;
        let asked = self.asked(who, policy, ask)?;
        let explanation = explain(policy, &asked.question());
        Ok(WhyView {
            policy: policy.name().to_string(),
            outcome: match explanation.outcome {
                Outcome::Approved { .. } => "allowed",
                Outcome::Waits => "waits",
                Outcome::Denied { .. } => "denied",
            },
            steps: explanation
                .steps
                .into_iter()
                .map(|step| WhyStep { rule: step.rule.to_string(), holds: step.holds, why: step.why })
                .collect(),
        })
    }
}
