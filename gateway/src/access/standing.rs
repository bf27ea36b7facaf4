//! What the reconciler has to know of policies.

use std::sync::Arc;

use sallyport_policy::commands::Commands;
use sallyport_policy::{Policy, PolicyName};
use tokio::sync::watch;

use super::{Access, Permit};
use crate::crd::ObservedPolicy;

/// What is in force under a policy's name.
#[derive(Debug, Clone)]
pub enum Standing {
    /// This policy.
    InForce(Policy),
    /// There is something that cannot be read, or our copy is too old to tell.
    Unknown,
    /// Nothing, until a CommandSet that the policy names is there.
    Closed,
    /// Nothing.
    Nothing,
}

impl Access {
    /// What is in force under `name` now.
    #[must_use]
    pub fn standing(&self, name: &str) -> Standing {
        let Ok(name) = PolicyName::parse(name) else { return Standing::Nothing };
        if !self.healthy() {
            return Standing::Unknown;
        }
        match self.inner.policies.get(&name) {
            Some(in_force) => Standing::InForce(in_force.policy.clone()),
            None if self.inner.policies.closed(name.as_str()).is_some() => Standing::Closed,
            None if self.inner.policies.is_rejected(&name) => Standing::Unknown,
            None => Standing::Nothing,
        }
    }

    /// The policy in force under `name`, and the object that it was read from.
    pub(crate) fn in_force(&self, name: &str) -> Option<(Policy, ObservedPolicy)> {
        let in_force = self.inner.policies.get(&PolicyName::parse(name).ok()?)?;
        self.healthy().then(|| (in_force.policy.clone(), in_force.observed.clone()))
    }

    /// Which commands a permit lets run now: those that both the policy as it was approved and the one in force let.
    /// `None` where neither says.
    #[must_use]
    pub fn commands_of(&self, permit: &Permit) -> Option<Arc<Commands>> {
        let approved = permit.commands();
        let now = match self.standing(permit.policy().as_str()) {
            Standing::InForce(policy) => policy.commands().cloned(),
            Standing::Closed => Some(Arc::new(Commands::nothing())),
            Standing::Unknown | Standing::Nothing => None,
        };
        match (approved, now) {
            (Some(approved), Some(now)) if **approved != *now => Some(Arc::new(approved.and(now))),
            (Some(approved), _) => Some(Arc::clone(approved)),
            (None, now) => now,
        }
    }

    /// Changes its value whenever a policy does.
    #[must_use]
    pub fn policies_changed(&self) -> watch::Receiver<u64> {
        self.inner.policies.turned()
    }
}
