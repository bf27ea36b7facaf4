//! What a request is about, read from its method and path.
//!
//! The rules are those of the real server's `RequestInfo`: they decide verb, resource, namespace and name for
//! the authorizer and for the audit log alike.

use http::{HeaderMap, Method, Uri};
use serde_json::Value;

use super::select::FieldSelector;
use crate::cluster::rbac::Attributes;
use crate::cluster::store::ResourceId;

/// A request, understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestInfo {
    /// About an API resource; otherwise only `verb` and `path` mean something.
    pub is_resource: bool,
    pub path: String,
    pub verb: String,
    pub group: String,
    pub version: String,
    pub namespace: String,
    pub resource: String,
    pub subresource: String,
    pub name: String,
}

impl RequestInfo {
    /// Reads method, path and the parts of the query that matter for the verb.
    pub fn of(method: &Method, uri: &Uri) -> RequestInfo {
        let path = uri.path();
        let mut info = RequestInfo {
            path: path.to_owned(),
            verb: method.as_str().to_ascii_lowercase(),
            ..RequestInfo::default()
        };
        let parts: Vec<String> = path.split('/').filter(|p| !p.is_empty()).map(decoded).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let rest: &[&str] = match parts.as_slice() {
            ["api", version, rest @ ..] if !rest.is_empty() => {
                info.version = (*version).to_owned();
                rest
            }
            ["apis", group, version, rest @ ..] if !rest.is_empty() => {
                info.group = (*group).to_owned();
                info.version = (*version).to_owned();
                rest
            }
            _ => return info,
        };
        info.is_resource = true;
        info.place(rest);
        info.verb = verb(method, &info.name, uri);
        if info.name.is_empty()
            && let Some(name) =
                named_by_selector(uri).filter(|_| matches!(info.verb.as_str(), "list" | "watch"))
        {
            info.name = name;
        }
        info
    }

    fn place(&mut self, rest: &[&str]) {
        let rest = match rest {
            ["namespaces", ns, tail @ ..] => {
                self.namespace = (*ns).to_owned();
                match tail {
                    // A namespace itself, or one of its own subresources.
                    [] | ["status" | "finalize"] => rest,
                    _ => tail,
                }
            }
            _ => rest,
        };
        let mut parts = rest.iter().map(|p| (*p).to_owned());
        self.resource = parts.next().unwrap_or_default();
        self.name = parts.next().unwrap_or_default();
        self.subresource = parts.next().unwrap_or_default();
        if parts.next().is_some() {
            // Nothing here is served deeper; an impossible subresource makes that a 404.
            self.subresource.push_str("/…");
        }
    }

    /// The question for the authorizer.
    pub fn attributes(&self) -> Attributes {
        if !self.is_resource {
            return Attributes::path(&self.verb, &self.path);
        }
        Attributes::resource(
            &self.verb,
            &self.group,
            &self.version,
            &self.resource,
            &self.namespace,
            &self.name,
        )
        .with_subresource(&self.subresource)
    }

    /// The collection.
    pub fn id(&self) -> ResourceId {
        ResourceId::named(self.group.as_str(), self.resource.as_str())
    }

    /// `objectRef` of an audit event.
    pub fn object_ref(&self) -> Option<Value> {
        if !self.is_resource {
            return None;
        }
        let fields = [
            ("resource", &self.resource),
            ("namespace", &self.namespace),
            ("name", &self.name),
            ("apiGroup", &self.group),
            ("apiVersion", &self.version),
            ("subresource", &self.subresource),
        ];
        let fields = fields.into_iter().filter(|(_, v)| !v.is_empty());
        Some(
            fields
                .map(|(k, v)| (k.to_owned(), Value::from(v.as_str())))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        )
    }
}

fn verb(method: &Method, name: &str, uri: &Uri) -> String {
    let verb = match *method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if name.is_empty() => "deletecollection",
        Method::DELETE => "delete",
        Method::GET | Method::HEAD => match name {
            // A watch of one object is a list with a field selector, or the query on the object's own path.
            _ if is_true(param(uri, "watch").as_deref()) => "watch",
            "" => "list",
            _ => "get",
        },
        _ => "",
    };
    verb.to_owned()
}

fn named_by_selector(uri: &Uri) -> Option<String> {
    FieldSelector::parse(&param(uri, "fieldSelector")?).ok()?.exact_name()
}

/// The first value of a query parameter.
pub fn param(uri: &Uri, key: &str) -> Option<String> {
    params(uri).find(|(k, _)| k == key).map(|(_, v)| v)
}

/// All query parameters.
pub fn params(uri: &Uri) -> impl Iterator<Item = (String, String)> + use<'_> {
    url::form_urlencoded::parse(uri.query().unwrap_or("").as_bytes()).into_owned()
}

/// As Go's `strconv.ParseBool`, and an empty value is false.
pub fn is_true(value: Option<&str>) -> bool {
    matches!(value, Some("1" | "t" | "T" | "true" | "TRUE" | "True"))
}

/// One header as text.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("")
}

fn decoded(part: &str) -> String {
    crate::cluster::auth::impersonate::percent_decoded(part)
}
