//! From claims to a person, as kube-apiserver reads them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Identity;
use super::error::TokenRefusal;
use super::settings::OidcSettings;
use super::token::{Verified, missing};

/// Reads issuer, subject, username and groups.
pub(super) fn identity(claims: &Verified, settings: &OidcSettings) -> Result<Identity, TokenRefusal> {
    let subject = claims.0.get("sub").and_then(Value::as_str).ok_or_else(|| missing("sub"))?;
    let username = username(&claims.0, settings)?;
    let groups = groups(&claims.0, settings)?;
    Ok(Identity::new(settings.issuer.clone(), subject.to_owned(), username, groups)?)
}

fn username(claims: &Map<String, Value>, settings: &OidcSettings) -> Result<String, TokenRefusal> {
    let claim = &settings.username_claim;
    let username = claims.get(claim).and_then(Value::as_str).filter(|name| !name.is_empty());
    let username = username.ok_or_else(|| missing(claim))?;
    if claim == "email" {
        match claims.get("email_verified") {
            None | Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return Err(TokenRefusal::EmailNotVerified),
            Some(_) => return Err(missing("email_verified")),
        }
    }
    Ok(prefixed(settings.username_prefix.as_deref(), username))
}

/// What a later answer about `known` shows: the same person with the groups of now; nothing where it does not speak of
/// groups, which is not the same as speaking of none.
pub(super) fn again(
    claims: &Map<String, Value>,
    settings: &OidcSettings,
    known: &Identity,
) -> Result<Option<Identity>, TokenRefusal> {
    // Another subject's answer, or nobody's, says nothing about this person (OpenID Connect Core 1.0, 5.3.2).
    if claims.get("sub").and_then(Value::as_str) != Some(known.subject()) {
        return Err(missing("sub"));
    }
    let Some(claim) = settings.groups_claim.as_deref() else { return Ok(None) };
    let there = claims.get(claim).is_some_and(|groups| !groups.is_null());
    if !there {
        return Ok(None);
    }
    let username = match claims.get(&settings.username_claim) {
        None | Some(Value::Null) => known.username().to_owned(),
        Some(_) => username(claims, settings)?,
    };
    let groups = groups(claims, settings)?;
    Ok(Some(Identity::new(settings.issuer.clone(), known.subject().to_owned(), username, groups)?))
}

/// A string or a list of strings; nothing is no groups.
fn groups(claims: &Map<String, Value>, settings: &OidcSettings) -> Result<BTreeSet<String>, TokenRefusal> {
    let Some(claim) = settings.groups_claim.as_deref() else { return Ok(BTreeSet::new()) };
    let prefix = settings.groups_prefix.as_deref();
    match claims.get(claim) {
        None if claims.get("_claim_names").and_then(|names| names.get(claim)).is_some() => {
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
