//! The namespace of a target that was named without one.

use std::collections::BTreeSet;

use sallyport_policy::Namespace;

use super::target::TargetArg;
use super::usage::UsageError;
use crate::access::RequestView;
use crate::bridge::Target;

/// The namespace that was said, or else the only one that the open grants cover together. More than one is never
/// guessed at: what runs in the wrong place may not be undone.
///
/// # Errors
/// When none was said and there is none, or more than one.
pub fn namespace(said: Option<&Namespace>, grants: &[RequestView]) -> Result<Namespace, UsageError> {
    if let Some(said) = said {
        return Ok(said.clone());
    }
    let covered: BTreeSet<&str> =
        grants.iter().flat_map(|grant| &grant.namespaces).map(String::as_str).collect();
    let mut names = covered.iter();
    match (names.next(), names.next()) {
        (Some(only), None) => Ok(Namespace::parse(only)?),
        (None, _) => Err(UsageError::NoNamespace),
        _ => Err(UsageError::WhichNamespace { covered: covered.into_iter().map(str::to_owned).collect() }),
    }
}

/// The target of a `shell`, `exec` or `logs`, its namespace found as by [`namespace`].
///
/// # Errors
/// As [`namespace`].
pub fn place(target: &TargetArg, grants: &[RequestView]) -> Result<Target, UsageError> {
    Ok(target.within(&namespace(target.namespace.as_ref(), grants)?))
}
