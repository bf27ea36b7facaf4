//! One rule, one question, and whether the rule answers it.

use serde::{Deserialize, Deserializer, Serialize};

use crate::cluster::status::Status;
use crate::cluster::store::ResourceId;

/// `rbac.authorization.k8s.io/v1` `PolicyRule`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rule {
    #[serde(default, deserialize_with = "list")]
    pub verbs: Vec<String>,
    #[serde(default, deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub api_groups: Vec<String>,
    #[serde(default, deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    #[serde(default, deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
    #[serde(
        default,
        rename = "nonResourceURLs",
        deserialize_with = "list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub non_resource_urls: Vec<String>,
}

fn list<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::<Vec<String>>::deserialize(from)?.unwrap_or_default())
}

/// What is asked of the authorizer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    pub verb: String,
    /// API group; "" is the core group.
    pub group: String,
    pub version: String,
    pub resource: String,
    pub subresource: String,
    /// "" at the cluster's scope and for all namespaces.
    pub namespace: String,
    /// "" when the request names no object.
    pub name: String,
    /// For requests that are about no resource: the path. Otherwise `None`.
    pub path: Option<String>,
}

impl Attributes {
    /// A question about a resource.
    pub fn resource(
        verb: &str,
        group: &str,
        version: &str,
        resource: &str,
        namespace: &str,
        name: &str,
    ) -> Attributes {
        Attributes {
            verb: verb.into(),
            group: group.into(),
            version: version.into(),
            resource: resource.into(),
            namespace: namespace.into(),
            name: name.into(),
            ..Attributes::default()
        }
    }

    /// A question about a path.
    pub fn path(verb: &str, path: &str) -> Attributes {
        Attributes { verb: verb.into(), path: Some(path.into()), ..Attributes::default() }
    }

    /// The same question about a subresource.
    #[must_use]
    pub fn with_subresource(mut self, subresource: &str) -> Attributes {
        self.subresource = subresource.to_owned();
        self
    }

    /// `pods` or `pods/exec`.
    pub fn combined(&self) -> String {
        if self.subresource.is_empty() {
            self.resource.clone()
        } else {
            format!("{}/{}", self.resource, self.subresource)
        }
    }

    /// The 403 that says what was refused.
    pub fn refusal(&self, username: &str, reason: &str) -> Status {
        let colon = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        if let Some(path) = &self.path {
            let message =
                format!("forbidden: User \"{username}\" cannot {} path \"{path}\"{colon}", self.verb);
            return Status::new(http::StatusCode::FORBIDDEN, "Forbidden", message);
        }
        let id = ResourceId::named(self.group.as_str(), self.resource.as_str());
        let place = match self.namespace.as_str() {
            "" => "at the cluster scope".to_owned(),
            ns => format!("in the namespace \"{ns}\""),
        };
        let what = format!(
            "User \"{username}\" cannot {} resource \"{}\" in API group \"{}\" {place}{colon}",
            self.verb,
            self.combined(),
            self.group
        );
        Status::forbidden(&id, &self.name, &what)
    }
}

impl Rule {
    /// Does this rule allow it?
    pub(crate) fn allows(&self, what: &Attributes) -> bool {
        let verb = has(&self.verbs, &what.verb);
        match &what.path {
            Some(path) => verb && self.non_resource_urls.iter().any(|url| covers_path(url, path)),
            None => {
                verb && has(&self.api_groups, &what.group)
                    && self.resources.iter().any(|r| covers_resource(r, &what.resource, &what.subresource))
                    && (self.resource_names.is_empty() || self.resource_names.contains(&what.name))
            }
        }
    }
}

fn has(list: &[String], wanted: &str) -> bool {
    list.iter().any(|have| have == "*" || have == wanted)
}

/// `*`, `pods`, `pods/exec` and `*/scale`.
pub(super) fn covers_resource(pattern: &str, resource: &str, subresource: &str) -> bool {
    match pattern.split_once('/') {
        None => pattern == "*" || (subresource.is_empty() && pattern == resource),
        Some((of, sub)) => !subresource.is_empty() && sub == subresource && (of == "*" || of == resource),
    }
}

/// Exact, `*`, or a prefix followed by `*`.
pub(super) fn covers_path(pattern: &str, path: &str) -> bool {
    pattern == path || pattern.strip_suffix('*').is_some_and(|prefix| path.starts_with(prefix))
}
