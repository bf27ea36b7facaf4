//! From claims to a person, as kube-apiserver reads them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Identity;
use super::error::TokenRefusal;
use super::settings::OidcSettings;
use super::token::{Verified, missing};

/// Reads issuer, subject, username and groups.
pub(super) fn identity(claims: &Verified, settings: &OidcSettings) -> Result<Identity, TokenRefusal> {
    let text = |claim: &str| claims.0.get(claim).and_then(Value::as_str).ok_or_else(|| missing(claim));
    let subject = text("sub")?;
    let username = text(&settings.username_claim)?;
    if username.is_empty() {
        return Err(missing(&settings.username_claim));
    }
    if settings.username_claim == "email" {
        match claims.0.get("email_verified") {
            None | Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return Err(TokenRefusal::EmailNotVerified),
            Some(_) => return Err(missing("email_verified")),
        }
    }
    let username = prefixed(settings.username_prefix.as_deref(), username);
    let groups = groups(claims, settings)?;
    Ok(Identity::new(settings.issuer.clone(), subject.to_owned(), username, groups)?)
}

/// A string or a list of strings; nothing is no groups.
fn groups(claims: &Verified, settings: &OidcSettings) -> Result<BTreeSet<String>, TokenRefusal> {
    let Some(claim) = settings.groups_claim.as_deref() else { return Ok(BTreeSet::new()) };
    let prefix = settings.groups_prefix.as_deref();
    match claims.0.get(claim) {
        None if claims.0.get("_claim_names").and_then(|names| names.get(claim)).is_some() => {
            Err(TokenRefusal::GroupsElsewhere)
        }
        None | Some(Value::Null) => Ok(BTreeSet::new()),
        Some(Value::String(group)) => Ok(BTreeSet::from([prefixed(prefix, group)])),
        Some(Value::Array(all)) => all
            .iter()
            .map(|group| group.as_str().map(|group| prefixed(prefix, group)).ok_or_else(|| missing(claim)))
            .collect(),
        Some(_) => Err(missing(claim)),
    }
}

fn prefixed(prefix: Option<&str>, name: &str) -> String {
    match prefix {
        None | Some("" | "-") => name.to_owned(),
        Some(prefix) => format!("{prefix}{name}"),
    }
}
