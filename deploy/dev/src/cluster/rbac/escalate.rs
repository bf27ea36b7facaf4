//! Nobody hands out more than they have: the checks on writing roles and bindings.
//!
//! A role may only hold rules that its writer has already, unless the writer has the verb `escalate` on it; a
//! binding may only refer to a role whose rules its writer has, or that the writer may `bind`.

use serde_json::Value;

use super::{Attributes, Authorizer, Rule, rules};
use crate::cluster::auth::User;
use crate::cluster::auth::user::MASTERS;
use crate::cluster::status::Status;
use crate::cluster::store::{self, ResourceId, object};

/// Checks a write of `object` to a collection of the RBAC group; other collections pass.
pub(crate) fn check(
    authorizer: &Authorizer,
    user: &User,
    id: &ResourceId,
    object: &Value,
) -> Result<(), Status> {
    if user.is_in(MASTERS) {
        return Ok(());
    }
    let (namespace, name) = (object::namespace(object), object::name(object));
    if *id == store::ROLES || *id == store::CLUSTERROLES {
        let may = Attributes::resource("escalate", id.group(), "v1", id.resource(), namespace, name);
        if authorizer.authorize(user, &may).allowed {
            return Ok(());
        }
        return covered(authorizer, user, namespace, &rules(object)).map_err(|m| refused(id, name, user, &m));
    }
    if *id == store::ROLEBINDINGS || *id == store::CLUSTERROLEBINDINGS {
        let role_ref = object.get("roleRef").unwrap_or(&Value::Null);
        let text = |key: &str| role_ref.get(key).and_then(Value::as_str).unwrap_or("");
        let (resource, scope) = match text("kind") {
            "Role" => ("roles", namespace),
            _ => ("clusterroles", ""),
        };
        // A RoleBinding's `bind` is asked in its namespace even for a ClusterRole.
        let scope = if resource == "clusterroles" && !namespace.is_empty() { namespace } else { scope };
        let may = Attributes::resource("bind", id.group(), "v1", resource, scope, text("name"));
        if authorizer.authorize(user, &may).allowed {
            return Ok(());
        }
        let rules = authorizer.rules_of(role_ref, namespace).map_err(|m| Status::forbidden(id, name, &m))?;
        return covered(authorizer, user, namespace, &rules).map_err(|m| refused(id, name, user, &m));
    }
    Ok(())
}

fn refused(id: &ResourceId, name: &str, user: &User, missing: &str) -> Status {
    let groups: Vec<String> = user.groups.iter().map(|g| format!("{g:?}")).collect();
    let message = format!(
        "user {:?} (groups=[{}]) is attempting to grant RBAC permissions not currently held:\n{missing}",
        user.username,
        groups.join(" ")
    );
    Status::forbidden(id, name, &message)
}

/// Err lists, a line each, the single rights that the user does not have.
fn covered(authorizer: &Authorizer, user: &User, namespace: &str, wanted: &[Rule]) -> Result<(), String> {
    let (granted, errors) = authorizer.rules_for(user, namespace);
    let have: Vec<Rule> = granted.into_iter().map(|g| g.rule).collect();
    let missing: Vec<String> = wanted
        .iter()
        .flat_map(single_rights)
        .filter(|w| !have.iter().any(|h| includes(h, w)))
        .map(|r| show(&r))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let trouble = if errors.is_empty() { String::new() } else { format!("; resolution errors: {errors:?}") };
    Err(missing.join("\n") + &trouble)
}

/// Breaks a rule into rules of one verb, one resource, one name each.
pub(super) fn single_rights(rule: &Rule) -> Vec<Rule> {
    let mut out = Vec::new();
    for verb in &rule.verbs {
        let verbs = vec![verb.clone()];
        for url in &rule.non_resource_urls {
            let non_resource_urls = vec![url.clone()];
            out.push(Rule { verbs: verbs.clone(), non_resource_urls, ..Rule::default() });
        }
        for (group, resource) in
            rule.api_groups.iter().flat_map(|g| rule.resources.iter().map(move |r| (g, r)))
        {
            let one = Rule {
                verbs: verbs.clone(),
                api_groups: vec![group.clone()],
                resources: vec![resource.clone()],
                ..Rule::default()
            };
            if rule.resource_names.is_empty() {
                out.push(one.clone());
            }
            let named = rule.resource_names.iter();
            out.extend(named.map(|n| Rule { resource_names: vec![n.clone()], ..one.clone() }));
        }
    }
    out
}

/// Does `have` include the single right `want`?
fn includes(have: &Rule, want: &Rule) -> bool {
    let all = |have: &[String], want: &[String]| want.iter().all(|w| have.iter().any(|h| h == "*" || h == w));
    let resources = |w: &String| {
        let (resource, sub) = w.split_once('/').unwrap_or((w, ""));
        have.resources.iter().any(|h| h == w || super::rule::covers_resource(h, resource, sub))
    };
    let names = have.resource_names.is_empty()
        || (!want.resource_names.is_empty() && all(&have.resource_names, &want.resource_names));
    let urls = |w: &String| have.non_resource_urls.iter().any(|h| super::rule::covers_path(h, w));
    all(&have.verbs, &want.verbs)
        && all(&have.api_groups, &want.api_groups)
        && want.resources.iter().all(resources)
        && (want.resources.is_empty() || names)
        && want.non_resource_urls.iter().all(urls)
}

fn show(rule: &Rule) -> String {
    let mut parts = Vec::new();
    for (label, list) in [
        ("APIGroups", &rule.api_groups),
        ("Resources", &rule.resources),
        ("ResourceNames", &rule.resource_names),
        ("NonResourceURLs", &rule.non_resource_urls),
        ("Verbs", &rule.verbs),
    ] {
        if !list.is_empty() {
            parts.push(format!("{label}:{list:?}"));
        }
    }
    format!("{{{}}}", parts.join(", "))
}
