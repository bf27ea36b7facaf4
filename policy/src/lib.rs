//! Sallyport's decisions, pure: who may ask for what, who may approve, what a grant then allows, and when
//! it ends. No I/O, no clock, no async, no Kubernetes: time and state are arguments.
//!
//! A [`Policy`] is parsed once and is valid from then on. A decision is `Ok` only when every rule that could
//! forbid has been evaluated and none does; what cannot be evaluated denies, and the [`Denied`] names the rule.
//! A grant's life is [`lifecycle::step`]: state and command in, new state and actions out.

pub mod commands;
pub mod duration;
pub mod lifecycle;
pub mod line;
pub mod names;

mod action;
mod condition;
mod decide;
mod diff;
mod explain;
mod lint;
mod near;
mod person;
mod policy;
mod ports;
mod question;
mod rule;
mod scope;
mod selector;
mod window;

pub use action::Action;
pub use condition::Condition;
pub use decide::{
    asking_rules, auto_approves, denies, may_approve, may_ask, permits, still_allows, using_rules,
};
pub use diff::{Difference, Direction, diff};
pub use explain::{Explanation, Outcome, Step, explain};
pub use lint::{Finding, lint};
pub use names::{ContainerName, NameError, Namespace, PodName, PolicyName, RequestName};
pub use near::{did_you_mean, nearest};
pub use person::{Person, Principal};
pub use policy::{
    AllowInput, ApprovalRound, DenyRule, HookInput, HookRule, Pattern, Policy, PolicyError, PolicyInput,
    StageInput,
};
pub use ports::{PortError, Ports};
pub use question::{History, Question, TargetFacts, Use};
pub use rule::{Denied, Rule};
pub use scope::{Scope, Workload, WorkloadError, WorkloadKind};
pub use selector::{Operator, RequirementInput, Selector, SelectorError, SelectorInput};
pub use window::Window;
