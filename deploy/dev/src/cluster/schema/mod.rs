//! Structural schemas: which fields an object may have, what they default to, and what they must be.
//!
//! One machinery for built-in and custom kinds. Of a custom resource's schema, `x-kubernetes-validations` (CEL)
//! is accepted and ignored: what such a rule forbids, this server lets through. All else that a structural
//! schema can say is checked.

mod fill;
mod validate;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Map, Value};

pub(crate) use self::validate::{Cause, CauseKind};

/// A schema and the definitions it refers to.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    root: Value,
    definitions: Arc<Map<String, Value>>,
    /// Built-in kinds take `null` for an absent field, as Go's decoder does.
    builtin: bool,
    /// The full name in the definitions; empty for custom resources.
    name: String,
}

/// Deeper objects than this are refused, so that recursion has an end.
const DEEPEST: usize = 64;

impl Schema {
    /// The schema of that name among `definitions`.
    pub(crate) fn named(definitions: &Arc<Map<String, Value>>, name: &str) -> Option<Schema> {
        let root = definitions.get(name)?.clone();
        Some(Schema { root, definitions: definitions.clone(), builtin: true, name: name.to_owned() })
    }

    /// The schema of one version of a CustomResourceDefinition.
    pub(crate) fn structural(root: Value) -> Schema {
        Schema { root, definitions: Arc::default(), builtin: false, name: String::new() }
    }

    /// The schema itself, JSON.
    pub(crate) fn root(&self) -> &Value {
        &self.root
    }

    /// The full name in the definitions; "" for custom resources.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Removes unknown fields and returns their paths.
    pub(crate) fn prune(&self, object: &mut Value) -> Vec<String> {
        let mut unknown = Vec::new();
        fill::prune(self, &self.root, object, "", 0, &mut unknown);
        unknown
    }

    /// Sets what the schema has a `default` for.
    pub(crate) fn fill_defaults(&self, object: &mut Value) {
        fill::defaults(self, &self.root, object, 0);
    }

    /// Everything that is wrong with the object; empty when it is right.
    pub(crate) fn validate(&self, object: &Value) -> Vec<Cause> {
        let mut causes = Vec::new();
        validate::check(self, &self.root, object, "", 0, &mut causes);
        causes
    }

    /// Follows a reference, once; references of the Kubernetes definitions do not chain.
    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next());
        target.and_then(|name| self.definitions.get(name)).unwrap_or(schema)
    }
}

fn flag(schema: &Value, key: &str) -> bool {
    schema.get(key).and_then(Value::as_bool).unwrap_or(false)
}
