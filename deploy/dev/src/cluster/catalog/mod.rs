//! What the API serves: built-in kinds, and the kinds that custom resource definitions add.
//!
//! Built-in kinds are known at compile time. Custom ones are read from their stored definitions at every
//! question, so that a definition takes effect with its own creation and ends with its deletion.

pub(crate) mod builtin;
pub(crate) mod custom;

use std::sync::Arc;

use serde_json::Value;

use super::schema::Schema;
use super::store::{self, ResourceId, Store};

/// Verbs of an ordinary collection.
pub(crate) const ALL_VERBS: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// One kind in one version, as served under one path.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub id: ResourceId,
    pub version: String,
    pub kind: String,
    pub list_kind: String,
    pub singular: String,
    pub short_names: Vec<String>,
    pub categories: Vec<String>,
    pub namespaced: bool,
    pub verbs: Vec<&'static str>,
    pub subresources: Vec<Subresource>,
    pub schema: Option<Arc<Schema>>,
    /// Present for custom resources.
    pub custom: Option<Arc<custom::Custom>>,
}

/// A subresource as discovery shows it.
#[derive(Clone, Debug)]
pub(crate) struct Subresource {
    pub name: &'static str,
    /// Group, version and kind of its body, where it differs from the parent's.
    pub kind: Option<(&'static str, &'static str, &'static str)>,
    pub verbs: &'static [&'static str],
}

impl Kind {
    /// `v1`, `apps/v1`.
    pub(crate) fn api_version(&self) -> String {
        if self.id.group().is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.id.group(), self.version)
        }
    }

    /// Is there such a subresource?
    pub(crate) fn has(&self, subresource: &str) -> bool {
        self.subresources.iter().any(|s| s.name == subresource)
    }

    /// May an update leave out the version that it replaces?
    pub(crate) fn takes_unconditional_updates(&self) -> bool {
        self.custom.is_none() && self.id != store::LEASES && self.id != store::CUSTOMRESOURCEDEFINITIONS
    }

    /// The status is written through the subresource only.
    pub(crate) fn has_status(&self) -> bool {
        self.has("status")
    }
}

/// Finds kinds.
#[derive(Clone, Debug)]
pub(crate) struct Catalog {
    store: Store,
}

impl Catalog {
    /// Built-in kinds and the custom ones defined in `store`.
    pub(crate) fn new(store: Store) -> Catalog {
        Catalog { store }
    }

    /// The kind served at this group, version and plural.
    pub(crate) fn find(&self, group: &str, version: &str, resource: &str) -> Option<Arc<Kind>> {
        let fits =
            |k: &&Arc<Kind>| k.id.group() == group && k.version == version && k.id.resource() == resource;
        if let Some(kind) = builtin::kinds().iter().find(fits) {
            return Some(kind.clone());
        }
        let name = format!("{resource}.{group}");
        let definition = self.store.get(&store::CUSTOMRESOURCEDEFINITIONS, "", &name)?;
        custom::kinds(&definition).into_iter().find(|k| k.version == version).map(Arc::new)
    }

    /// Everything served, in the order of discovery.
    pub(crate) fn all(&self) -> Vec<Arc<Kind>> {
        let mut all: Vec<Arc<Kind>> = builtin::kinds().to_vec();
        let (definitions, _) = self.store.list(&store::CUSTOMRESOURCEDEFINITIONS, None);
        all.extend(definitions.iter().flat_map(|d| custom::kinds(d)).map(Arc::new));
        all
    }

    /// Groups with their versions, the preferred one first; the core group is "".
    pub(crate) fn groups(&self) -> Vec<(String, Vec<String>)> {
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for kind in self.all() {
            let group = kind.id.group();
            match groups.iter_mut().find(|(g, _)| g == group) {
                Some((_, versions)) if versions.contains(&kind.version) => {}
                Some((_, versions)) => versions.push(kind.version.clone()),
                None => groups.push((group.to_owned(), vec![kind.version.clone()])),
            }
        }
        groups
    }

    /// The kind that an object's `apiVersion` and `kind` name.
    pub(crate) fn of_object(&self, object: &Value) -> Option<Arc<Kind>> {
        let api_version = object.get("apiVersion")?.as_str()?;
        let name = object.get("kind")?.as_str()?;
        self.all().into_iter().find(|k| k.kind == name && k.api_version() == api_version)
    }
}
