//! The custom resources: `AccessPolicy`, `CommandSet`, `AccessRequest` and `AccessLock` of `sallyport.dev/v1alpha1`, all cluster-scoped.
//! Doc comments here become what `kubectl explain` says; `deploy/crds/*.yaml` is generated from these types and a
//! test holds them equal. What the schema cannot say is checked by parsing into the types of `sallyport-policy`
//! ([`AccessPolicy::parse`], [`AccessRequest::life`]): the schema is a help to people, not a boundary.

mod commands;
#[cfg(test)]
pub(crate) mod fake;
pub mod files;
mod life;
mod lock;
mod manifests;
mod mirror;
mod policy;
mod request;
mod schema;
mod set;

pub use commands::{CommandRule, Commands, OnDenied, OnLostTrack, ShellKind};
pub use life::StateError;
pub use lock::{AccessLock, AccessLockSpec, LockTarget};
pub use manifests::{manifests, to_yaml, yaml};
pub use mirror::{Entry, Health, Mirror, MirrorError, STALE_AFTER};
pub use policy::{
    AccessPolicy, AccessPolicySpec, Allow, ApprovalStage, Approvals, BreakGlass, Deny, Forward, Hook, Limits,
    Network, Subjects, Ticket, Unreachable,
};
pub use request::{
    AccessRequest, AccessRequestSpec, AccessRequestStatus, Approval, Cause, CommandAlert, Extension,
    HookAnswer, ObservedPolicy, OneCommand, Opened, Phase, Requester, Review, ReviewVerdict, Verdict, Window,
};
pub use set::{CommandSet, CommandSetSpec, ObservedSet, SetError};

/// The API group.
pub const GROUP: &str = "sallyport.dev";
/// The label and annotation on what was made for a grant: the request's name.
pub const REQUEST_LABEL: &str = "sallyport.dev/request";
/// The label that says whose it is: `app.kubernetes.io/managed-by: sallyport`.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "sallyport");
/// The annotation with the end of the window, RFC 3339.
pub const ENDS_ANNOTATION: &str = "sallyport.dev/ends";

/// An error with its causes, for the log.
pub(crate) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(error.source(), |cause| cause.source());
    chain.fold(error.to_string(), |text, cause| text + ": " + &cause.to_string())
}

/// A moment as it is stored: to the millisecond, never later than it is.
pub(crate) fn to_the_millisecond(now: jiff::Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}
