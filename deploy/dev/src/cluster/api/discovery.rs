//! Discovery: which groups, versions and resources there are.

use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::Api;
use super::output::json_response;
use crate::cluster::catalog::Kind;
use crate::cluster::openapi;
use crate::cluster::status::Status;

/// What `/` lists.
const PATHS: &[&str] =
    &["/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"];

impl Api {
    /// Answers a path (without a trailing slash) that is about no resource.
    pub(super) fn discover(&self, path: &str, headers: &HeaderMap) -> Result<Response, Status> {
        let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
        let answer = match parts.as_slice() {
            [] => json!({"paths": PATHS}),
            ["api"] => json!({
                "kind": "APIVersions", "versions": ["v1"],
                "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}],
            }),
            ["apis"] => {
                let groups = self.catalog.groups();
                let groups: Vec<Value> = groups
                    .iter()
                    .filter(|(g, _)| !g.is_empty())
                    .map(|(g, versions)| group(g, versions, false))
                    .collect();
                json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
            }
            ["apis", name] => {
                let groups = self.catalog.groups();
                let found = groups.iter().find(|(g, _)| !g.is_empty() && g == name);
                let (name, versions) = found.ok_or_else(Status::no_such_path)?;
                group(name, versions, true)
            }
            ["api", version] => self.resources("", version)?,
            ["apis", group, version] => self.resources(group, version)?,
            ["openapi", "v2"] => return Ok(openapi::v2(&self.catalog, headers)),
            ["openapi", "v3"] => openapi::index(&self.catalog),
            ["openapi", "v3", "api", version] => {
                openapi::group(&self.catalog, "", version).ok_or_else(Status::no_such_path)?
            }
            ["openapi", "v3", "apis", group, version] => {
                openapi::group(&self.catalog, group, version).ok_or_else(Status::no_such_path)?
            }
            _ => return Err(Status::no_such_path()),
        };
        Ok(json_response(StatusCode::OK, &answer))
    }

    fn resources(&self, group: &str, version: &str) -> Result<Value, Status> {
        let all = self.catalog.all();
        let mut resources: Vec<Value> = Vec::new();
        for kind in all.iter().filter(|k| k.id.group() == group && k.version == version) {
            resources.push(resource(kind));
            for sub in &kind.subresources {
                let mut entry = json!({
                    "name": format!("{}/{}", kind.id.resource(), sub.name), "singularName": "",
                    "namespaced": kind.namespaced, "kind": sub.kind.map_or(kind.kind.as_str(), |(_, _, k)| k),
                    "verbs": sub.verbs,
                });
                if let (Some((group, version, _)), Value::Object(map)) = (sub.kind, &mut entry)
                    && !group.is_empty()
                {
                    map.insert("group".into(), group.into());
                    map.insert("version".into(), version.into());
                }
                resources.push(entry);
            }
        }
        if resources.is_empty() {
            return Err(Status::no_such_path());
        }
        let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        Ok(
            json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}),
        )
    }
}

fn resource(kind: &Kind) -> Value {
    let mut entry = json!({
        "name": kind.id.resource(), "singularName": kind.singular, "namespaced": kind.namespaced,
        "kind": kind.kind, "verbs": kind.verbs,
    });
    if let Value::Object(map) = &mut entry {
        if !kind.short_names.is_empty() {
            map.insert("shortNames".into(), json!(kind.short_names));
        }
        if !kind.categories.is_empty() {
            map.insert("categories".into(), json!(kind.categories));
        }
    }
    entry
}

fn group(name: &str, versions: &[String], alone: bool) -> Value {
    let version = |v: &String| json!({"groupVersion": format!("{name}/{v}"), "version": v});
    let mut group = json!({
        "name": name,
        "versions": versions.iter().map(version).collect::<Vec<_>>(),
        "preferredVersion": versions.first().map(version),
    });
    if let (true, Value::Object(map)) = (alone, &mut group) {
        map.insert("kind".into(), "APIGroup".into());
        map.insert("apiVersion".into(), "v1".into());
    }
    group
}
