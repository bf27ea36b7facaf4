//! Custom resource definitions: completed, named, and established at once.

use serde_json::{Value, json};

use crate::cluster::store::{self, Store, object};
use crate::cluster::time;

/// Holds a definition until its objects are gone.
pub(crate) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Completes a new definition.
pub(super) fn prepare(object: &mut Value) {
    let finalizers = object::metadata_mut(object).entry("finalizers").or_insert_with(|| json!([]));
    if let Value::Array(list) = finalizers
        && !list.iter().any(|f| f == CLEANUP)
    {
        list.push(CLEANUP.into());
    }
}

/// Sets `status`: which names are taken by whom, and that the kind is served.
pub(super) fn settle(store: &Store, object: &mut Value) {
    let spec = object.get("spec").cloned().unwrap_or(Value::Null);
    let names = spec.get("names").cloned().unwrap_or(Value::Null);
    let taken = conflict(store, object, &spec, &names);
    let previous = object.get("status").cloned().unwrap_or(Value::Null);
    let condition = |kind: &str, ok: bool, reason: &str, message: &str| {
        let status = if ok { "True" } else { "False" };
        let list = previous.get("conditions").and_then(Value::as_array);
        let before = list
            .into_iter()
            .flatten()
            .find(|c| c.get("type") == Some(&kind.into()) && c.get("status") == Some(&status.into()));
        let since = before.and_then(|c| c.get("lastTransitionTime")).cloned();
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": since.unwrap_or_else(|| time::seconds(time::now()).into()),
        })
    };
    let conditions = match &taken {
        None => json!([
            condition("NamesAccepted", true, "NoConflicts", "no conflicts found"),
            condition("Established", true, "InitialNamesAccepted", "the initial names have been accepted"),
        ]),
        Some(why) => json!([
            condition("NamesAccepted", false, "NameConflict", why),
            condition("Established", false, "NotAccepted", "not all names are accepted"),
        ]),
    };
    let mut stored: Vec<Value> =
        previous.get("storedVersions").and_then(Value::as_array).cloned().unwrap_or_default();
    let versions = spec.get("versions").and_then(Value::as_array);
    let storage = versions.into_iter().flatten().find(|v| v.get("storage") == Some(&Value::Bool(true)));
    if let Some(name) = storage.and_then(|v| v.get("name")).filter(|n| !stored.contains(n)) {
        stored.push(name.clone());
    }
    let accepted = if taken.is_none() { names } else { json!({"kind": "", "plural": ""}) };
    if let Value::Object(map) = object {
        map.insert(
            "status".into(),
            json!({"acceptedNames": accepted, "conditions": conditions, "storedVersions": stored}),
        );
    }
}

/// Another definition of the group that has one of the names already.
fn conflict(store: &Store, object: &Value, spec: &Value, names: &Value) -> Option<String> {
    let (others, _) = store.list(&store::CUSTOMRESOURCEDEFINITIONS, None);
    let mut others = others
        .iter()
        .filter(|o| object::name(o) != object::name(object) && o.pointer("/spec/group") == spec.get("group"));
    let text = |v: &Value, key: &str| v.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    others.find_map(|other| {
        let theirs = other.pointer("/spec/names").unwrap_or(&Value::Null);
        ["kind", "singular"].iter().find_map(|key| {
            let mine = text(names, key);
            (!mine.is_empty() && mine == text(theirs, key)).then(|| format!("{mine:?} is already in use"))
        })
    })
}
