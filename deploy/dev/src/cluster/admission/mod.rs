//! What happens to an object between its decoding and the store: envelope, pruning, defaults, validation, and
//! the rules that some collections have of their own.

mod crd;
mod immutable;
mod namespaces;
mod pods;
mod policies;
mod validate;

#[cfg(test)]
mod tests;

use http::StatusCode;
use serde_json::{Value, json};

use super::auth::User;
use super::catalog::Kind;
use super::rbac::{Authorizer, aggregate, escalate};
use super::schema::{Cause, CauseKind, Schema};
use super::status::Status;
use super::store::{self, ResourceId, Store, object};
use super::{catalog, defaults};

pub(crate) use self::crd::CLEANUP;
pub(crate) use self::namespaces::furnish;

/// What to do about fields that the schema does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

/// The write that is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation<'a> {
    Create,
    /// `subresource` is "" for the object itself.
    Update {
        current: &'a Value,
        subresource: &'a str,
    },
}

/// Everything the decision may look at.
#[derive(Debug)]
pub(crate) struct Admission<'a> {
    pub store: &'a Store,
    pub authorizer: &'a Authorizer,
    pub user: &'a User,
    pub kind: &'a Kind,
}

impl Admission<'_> {
    /// Completes and checks `object`; returns warnings for the client.
    pub(crate) fn run(
        &self,
        object: &mut Value,
        operation: Operation<'_>,
        validation: FieldValidation,
    ) -> Result<Vec<String>, Status> {
        envelope(self.kind, object)?;
        let unknown = self.prune(object);
        if validation == FieldValidation::Strict && !unknown.is_empty() {
            return Err(self.strict(&unknown));
        }
        match operation {
            Operation::Create => self.prepare_create(object)?,
            Operation::Update { current, subresource } => self.prepare_update(object, current, subresource),
        }
        let mut causes = self.defaulted_and_checked(object);
        if let Operation::Update { current, subresource: "" } = operation {
            causes.extend(immutable::check(&self.kind.id, current, object));
        }
        if let Some(fault) =
            causes.iter().find(|c| self.kind.custom.is_none() && c.kind == CauseKind::TypeInvalid)
        {
            // A built-in object with such a field cannot even be decoded by the real server.
            let (kind, version) = (&self.kind.kind, &self.kind.version);
            let why = format!("{}: {}", fault.field, fault.message);
            let message = format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {why}");
            return Err(Status::bad_request(message));
        }
        if !causes.is_empty() {
            return Err(invalid(self.kind, object, &causes));
        }
        if let Operation::Create | Operation::Update { subresource: "", .. } = operation {
            let unchanged =
                matches!(operation, Operation::Update { current, .. } if same_rights(current, object));
            if !unchanged {
                escalate::check(self.authorizer, self.user, &self.kind.id, object)?;
            }
        }
        policies::check_written(self, object)?;
        policies::check(self, object, operation)?;
        if self.kind.id == store::CUSTOMRESOURCEDEFINITIONS {
            crd::settle(self.store, object);
        }
        if validation == FieldValidation::Ignore {
            return Ok(Vec::new());
        }
        Ok(unknown.iter().map(|f| format!("unknown field \"{f}\"")).collect())
    }

    /// What else has to be true once `object` is stored.
    pub(crate) fn after(&self, object: &Value) {
        if self.kind.id == store::CLUSTERROLES {
            aggregate::refresh(self.store);
        }
        if self.kind.id == store::NAMESPACES && !object::is_terminating(object) {
            furnish(self.store, object::name(object));
        }
    }

    fn prune(&self, object: &mut Value) -> Vec<String> {
        let mut unknown = self.kind.schema.as_ref().map(|s| s.prune(object)).unwrap_or_default();
        if self.kind.custom.is_some()
            && let Some(metadata) = object.get_mut("metadata")
            && let Some(schema) = metadata_schema()
        {
            unknown.extend(schema.prune(metadata).into_iter().map(|f| format!("metadata.{f}")));
        }
        unknown
    }

    fn strict(&self, unknown: &[String]) -> Status {
        let fields: Vec<String> = unknown.iter().map(|f| format!("unknown field \"{f}\"")).collect();
        let message = format!(
            "{} in version \"{}\" cannot be handled as a {}: strict decoding error: {}",
            self.kind.kind,
            self.kind.version,
            self.kind.kind,
            fields.join(", ")
        );
        Status::bad_request(message)
    }

    fn prepare_create(&self, object: &mut Value) -> Result<(), Status> {
        if !self.kind.namespaced {
            object::metadata_mut(object).remove("namespace");
        } else {
            namespaces::check_open(self.store, &self.kind.id, object)?;
        }
        if self.kind.has_status()
            && let Value::Object(map) = object
        {
            map.remove("status");
        }
        let id = &self.kind.id;
        if *id == store::NAMESPACES {
            namespaces::prepare(object);
        } else if *id == store::PODS {
            pods::prepare(self.store, object)?;
        } else if *id == store::CUSTOMRESOURCEDEFINITIONS {
            crd::prepare(object);
        }
        Ok(())
    }

    /// Each path changes its own part of the object only.
    fn prepare_update(&self, object: &mut Value, current: &Value, subresource: &str) {
        let asked_version = object::meta(object, "resourceVersion").to_owned();
        let keep = |object: &mut Value, key: &str| {
            if let Value::Object(map) = object {
                match current.get(key) {
                    Some(value) => map.insert(key.to_owned(), value.clone()),
                    None => map.remove(key),
                };
            }
        };
        // `parent` is "" for a field of the object itself.
        let only = |object: &mut Value, parent: &str, key: &str| {
            let mut next = current.clone();
            let from = if parent.is_empty() { Some(&*object) } else { object.get(parent) };
            let value = from.and_then(|p| p.get(key)).cloned();
            let map = match parent {
                "" => next.as_object_mut(),
                parent => Some(object::child_mut(&mut next, parent)),
            };
            match (map, value) {
                (Some(map), Some(value)) => map.insert(key.to_owned(), value),
                (Some(map), None) => map.remove(key),
                (None, _) => None,
            };
            object::metadata_mut(&mut next).insert("resourceVersion".into(), asked_version.clone().into());
            *object = next;
        };
        match subresource {
            "status" => only(object, "", "status"),
            "finalize" => only(object, "spec", "finalizers"),
            "ephemeralcontainers" => only(object, "spec", "ephemeralContainers"),
            _ if self.kind.has_status() => keep(object, "status"),
            _ => {}
        }
    }

    fn defaulted_and_checked(&self, object: &mut Value) -> Vec<Cause> {
        if let Some(schema) = &self.kind.schema {
            schema.fill_defaults(object);
        }
        defaults::apply(&self.kind.id, object);
        if self.kind.id == store::SERVICES {
            defaults::allocate_cluster_ip(self.store, object);
        }
        let mut causes = validate::metadata(self.kind, object);
        if let (true, Some(schema), Some(metadata)) =
            (self.kind.custom.is_some(), metadata_schema(), object.get("metadata"))
        {
            causes.extend(
                schema
                    .validate(metadata)
                    .into_iter()
                    .map(|c| Cause { field: format!("metadata.{}", c.field), ..c }),
            );
        }
        causes.extend(self.kind.schema.as_ref().map(|s| s.validate(object)).unwrap_or_default());
        if causes.is_empty() {
            causes.extend(validate::specific(&self.kind.id, object));
        }
        causes
    }
}

/// Writing a role or binding without touching what it grants needs no rights.
fn same_rights(current: &Value, next: &Value) -> bool {
    ["rules", "aggregationRule", "roleRef", "subjects"].iter().all(|key| current.get(*key) == next.get(*key))
}

fn metadata_schema() -> Option<Schema> {
    Schema::named(catalog::builtin::definitions(), "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
}

/// The object must say that it is what the path says.
fn envelope(kind: &Kind, object: &mut Value) -> Result<(), Status> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    let (api_version, name) = (text("apiVersion"), text("kind"));
    let expected = kind.api_version();
    if !api_version.is_empty() && api_version != expected {
        let message = format!(
            "the API version in the data ({api_version}) does not match the expected API version ({expected})"
        );
        return Err(Status::bad_request(message));
    }
    if !name.is_empty() && name != kind.kind {
        let message = format!("{name} in version \"{}\" cannot be handled as a {}", kind.version, kind.kind);
        return Err(Status::bad_request(message));
    }
    if let Value::Object(map) = object {
        map.insert("apiVersion".into(), expected.into());
        map.insert("kind".into(), kind.kind.clone().into());
    }
    object::metadata_mut(object);
    Ok(())
}

/// 422 with all causes.
fn invalid(kind: &Kind, object: &Value, causes: &[Cause]) -> Status {
    let lines: Vec<String> = causes.iter().map(|c| format!("{}: {}", c.field, c.message)).collect();
    let all = match lines.as_slice() {
        [only] => only.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    let qualified = ResourceId::named(kind.id.group(), kind.kind.as_str());
    let message = format!("{qualified} \"{}\" is invalid: {all}", object::name(object));
    let causes: Vec<Value> = causes
        .iter()
        .map(|c| json!({"reason": c.kind.reason(), "message": c.message, "field": c.field}))
        .collect();
    Status::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
        .about(&qualified, object::name(object))
        .detail("causes", causes.into())
}
