//! Role-based access control: who may do what, read from the stored roles and bindings at every question.
//!
//! A rule allows, nothing forbids, and what no rule allows is refused. A binding whose role is missing or
//! unreadable grants nothing. <https://kubernetes.io/docs/reference/access-authn-authz/rbac/>

pub(crate) mod aggregate;
pub(crate) mod bootstrap;
pub(crate) mod escalate;
pub(crate) mod rule;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::Value;

pub(crate) use self::rule::{Attributes, Rule};
use super::auth::User;
use super::auth::user::{MASTERS, split_service_account};
use super::store::{self, Store, object};

/// The authorizer's answer. There is no "forbidden by": RBAC only ever allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub allowed: bool,
    /// Which binding allowed it, or what kept rules from being read.
    pub reason: String,
}

/// Answers questions from the store.
#[derive(Clone, Debug)]
pub(crate) struct Authorizer {
    store: Store,
}

/// A rule and the binding that gives it to the user.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    pub rule: Rule,
    reason: Arc<str>,
}

impl Authorizer {
    /// Over the roles and bindings of `store`.
    pub(crate) fn new(store: Store) -> Authorizer {
        Authorizer { store }
    }

    /// May `user` do this?
    pub(crate) fn authorize(&self, user: &User, what: &Attributes) -> Decision {
        if user.is_in(MASTERS) {
            return Decision { allowed: true, reason: String::new() };
        }
        let (granted, errors) = self.rules_for(user, &what.namespace);
        match granted.iter().find(|g| g.rule.allows(what)) {
            Some(found) => Decision { allowed: true, reason: found.reason.to_string() },
            None if errors.is_empty() => Decision { allowed: false, reason: String::new() },
            None => Decision { allowed: false, reason: format!("RBAC: {}", errors.join(", ")) },
        }
    }

    /// Every rule that `user` has at the cluster's scope and, unless `namespace` is "", in that namespace; and what could not be resolved.
    pub(crate) fn rules_for(&self, user: &User, namespace: &str) -> (Vec<Granted>, Vec<String>) {
        let mut granted = Vec::new();
        let mut errors = Vec::new();
        let (bindings, _) = self.store.list(&store::CLUSTERROLEBINDINGS, None);
        for binding in &bindings {
            self.collect(user, binding, "", &mut granted, &mut errors);
        }
        if !namespace.is_empty() {
            let (bindings, _) = self.store.list(&store::ROLEBINDINGS, Some(namespace));
            for binding in &bindings {
                self.collect(user, binding, namespace, &mut granted, &mut errors);
            }
        }
        (granted, errors)
    }

    fn collect(
        &self,
        user: &User,
        binding: &Value,
        ns: &str,
        out: &mut Vec<Granted>,
        errors: &mut Vec<String>,
    ) {
        let Some(subject) = subjects(binding).iter().find(|s| names(s, user, ns)) else { return };
        let role_ref = binding.get("roleRef").unwrap_or(&Value::Null);
        match self.rules_of(role_ref, ns) {
            Ok(rules) => {
                let reason: Arc<str> = why(binding, role_ref, subject, ns).into();
                out.extend(rules.into_iter().map(|rule| Granted { rule, reason: reason.clone() }));
            }
            Err(error) => errors.push(error),
        }
    }

    /// The rules of the role that a binding in `namespace` ("" for a cluster binding) refers to.
    pub(crate) fn rules_of(&self, role_ref: &Value, namespace: &str) -> Result<Vec<Rule>, String> {
        let text = |key: &str| role_ref.get(key).and_then(Value::as_str).unwrap_or("");
        let (kind, name) = (text("kind"), text("name"));
        let role = match kind {
            "ClusterRole" => self.store.get(&store::CLUSTERROLES, "", name),
            "Role" if !namespace.is_empty() => self.store.get(&store::ROLES, namespace, name),
            _ => None,
        };
        let role = role.ok_or_else(|| {
            format!("{}.rbac.authorization.k8s.io \"{name}\" not found", kind.to_ascii_lowercase())
        })?;
        Ok(rules(&role))
    }
}

/// The rules of a Role or ClusterRole; a rule that cannot be read is left out, so it grants nothing.
pub(crate) fn rules(role: &Value) -> Vec<Rule> {
    let list = role.get("rules").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|r| serde_json::from_value(r.clone()).ok()).collect()
}

fn subjects(binding: &Value) -> &[Value] {
    binding.get("subjects").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Does this subject mean this user? ServiceAccounts without a namespace are those of the binding's own.
fn names(subject: &Value, user: &User, binding_namespace: &str) -> bool {
    let text = |key: &str| subject.get(key).and_then(Value::as_str).unwrap_or("");
    let name = text("name");
    match text("kind") {
        "User" => user.username == name,
        "Group" => user.is_in(name),
        "ServiceAccount" => {
            let namespace = if text("namespace").is_empty() { binding_namespace } else { text("namespace") };
            !namespace.is_empty() && split_service_account(&user.username) == Some((namespace, name))
        }
        _ => false,
    }
}

fn why(binding: &Value, role_ref: &Value, subject: &Value, namespace: &str) -> String {
    let text = |v: &Value, key: &str| v.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    let name = object::name(binding);
    let (role, kind) = (text(role_ref, "name"), text(role_ref, "kind"));
    let who = match text(subject, "kind").as_str() {
        "ServiceAccount" => {
            let own = text(subject, "namespace");
            format!(
                "ServiceAccount \"{}/{}\"",
                text(subject, "name"),
                if own.is_empty() { namespace } else { &own }
            )
        }
        kind => format!("{kind} \"{}\"", text(subject, "name")),
    };
    if namespace.is_empty() {
        return format!("RBAC: allowed by ClusterRoleBinding \"{name}\" of {kind} \"{role}\" to {who}");
    }
    let role = if kind == "Role" { format!("{role}/{namespace}") } else { role };
    format!("RBAC: allowed by RoleBinding \"{name}/{namespace}\" of {kind} \"{role}\" to {who}")
}
