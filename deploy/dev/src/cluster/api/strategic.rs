//! Strategic merge patch: a merge patch that knows by which field the items of a list are told apart.
//!
//! The keys are those that the Kubernetes types declare (`patchMergeKey`) for the lists of the kinds served here.
//! `$patch: delete|replace`, `$deleteFromPrimitiveList`, `$setElementOrder` (taken, its order is not enforced)
//! and `$retainKeys` are understood.
//! <https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md>

use serde_json::{Map, Value};

use crate::cluster::status::Status;

/// The field that tells items of the list `field` apart; several mean: the first that the items have.
fn keys(field: &str) -> &'static [&'static str] {
    match field {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "volumes"
        | "env"
        | "imagePullSecrets"
        | "secrets" => &["name"],
        "ports" => &["containerPort", "port"],
        "volumeMounts" => &["mountPath"],
        "volumeDevices" => &["devicePath"],
        "hostAliases" => &["ip"],
        "podIPs" => &["ip"],
        "conditions" | "addresses" => &["type"],
        "ownerReferences" => &["uid"],
        "topologySpreadConstraints" => &["topologyKey"],
        "resourceClaims" => &["name"],
        "images" | "taints" => &["key"],
        _ => &[],
    }
}

/// Lists of plain values that are joined instead of replaced.
fn is_set(field: &str) -> bool {
    matches!(field, "finalizers")
}

/// Applies `patch` to `target`.
pub(super) fn merge(target: &mut Value, patch: &Value) -> Result<(), Status> {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return Ok(());
    };
    match patch.get("$patch").and_then(Value::as_str) {
        Some("replace") => {
            *target = Value::Object(patch.iter().filter(|(k, _)| *k != "$patch").map(own).collect());
            return Ok(());
        }
        Some("delete") => {
            *target = Value::Object(Map::new());
            return Ok(());
        }
        Some("merge") | None => {}
        Some(other) => return Err(Status::bad_request(format!("Unknown patch type found: {other}"))),
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return Ok(()) };
    if let Some(kept) = patch.get("$retainKeys") {
        let kept = crate::cluster::store::object::strings(Some(kept));
        target.retain(|key, _| kept.contains(&key.as_str()));
    }
    for (key, value) in patch {
        if let Some(field) = key.strip_prefix("$deleteFromPrimitiveList/") {
            if let (Some(Value::Array(list)), Some(gone)) = (target.get_mut(field), value.as_array()) {
                list.retain(|v| !gone.contains(v));
            }
        } else if key.starts_with('$') {
            continue;
        } else if value.is_null() {
            target.remove(key);
        } else if value.is_object() {
            merge(target.entry(key).or_insert(Value::Null), value)?;
        } else if let Value::Array(items) = value {
            merge_list(target.entry(key).or_insert_with(|| Value::Array(Vec::new())), key, items)?;
        } else {
            target.insert(key.clone(), value.clone());
        }
    }
    Ok(())
}

fn merge_list(target: &mut Value, field: &str, patch: &[Value]) -> Result<(), Status> {
    let replace = patch.iter().any(|p| p.get("$patch").and_then(Value::as_str) == Some("replace"));
    let usable = |key: &&&str| patch.iter().all(|p| p.get(**key).is_some() || p.get("$patch").is_some());
    let key = keys(field).iter().find(usable).filter(|_| !patch.is_empty());
    let Value::Array(items) = target else {
        *target = Value::Array(plain(patch));
        return Ok(());
    };
    if replace {
        *items = plain(patch);
        return Ok(());
    }
    if is_set(field) {
        for value in patch.iter().filter(|v| !v.is_object()) {
            if !items.contains(value) {
                items.push(value.clone());
            }
        }
        return Ok(());
    }
    let Some(key) = key else {
        if keys(field).is_empty() || !patch.is_empty() {
            *items = plain(patch);
        }
        return Ok(());
    };
    for value in patch {
        let same = |item: &Value| item.get(*key).is_some() && item.get(*key) == value.get(*key);
        if value.get("$patch").and_then(Value::as_str) == Some("delete") {
            items.retain(|item| !same(item));
        } else if let Some(item) = items.iter_mut().find(|item| same(item)) {
            merge(item, value)?;
        } else {
            let mut fresh = Value::Null;
            merge(&mut fresh, value)?;
            items.push(fresh);
        }
    }
    Ok(())
}

/// The items without directives.
fn plain(items: &[Value]) -> Vec<Value> {
    items.iter().filter(|v| v.get("$patch").is_none()).cloned().collect()
}

fn own((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(target: Value, patch: Value) -> Value {
        let mut target = target;
        merge(&mut target, &patch).unwrap();
        target
    }

    #[test]
    fn items_are_told_apart_by_their_key() {
        let pod = json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]});
        let after =
            merged(pod, json!({"containers": [{"name": "b", "image": "2"}, {"name": "c", "image": "3"}]}));
        let expected =
            json!([{"name": "a", "image": "1"}, {"name": "b", "image": "2"}, {"name": "c", "image": "3"}]);
        assert_eq!(after["containers"], expected);
    }

    #[test]
    fn directives_delete_and_replace() {
        let pod =
            json!({"containers": [{"name": "a"}, {"name": "b"}], "metadata": {"finalizers": ["x", "y"]}});
        let after = merged(pod.clone(), json!({"containers": [{"name": "a", "$patch": "delete"}]}));
        assert_eq!(after["containers"], json!([{"name": "b"}]));
        let after = merged(pod.clone(), json!({"containers": [{"$patch": "replace"}, {"name": "z"}]}));
        assert_eq!(after["containers"], json!([{"name": "z"}]));
        let after = merged(pod.clone(), json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]}}));
        assert_eq!(after["metadata"]["finalizers"], json!(["y"]));
        assert_eq!(merged(pod, json!({"containers": null})), json!({"metadata": {"finalizers": ["x", "y"]}}));
    }

    #[test]
    fn ports_of_services_and_of_containers_have_different_keys() {
        let service = merged(
            json!({"ports": [{"port": 80, "name": "a"}]}),
            json!({"ports": [{"port": 80, "name": "b"}]}),
        );
        assert_eq!(service, json!({"ports": [{"port": 80, "name": "b"}]}));
    }

    #[test]
    fn lists_without_a_key_are_replaced() {
        assert_eq!(merged(json!({"args": ["a", "b"]}), json!({"args": ["c"]})), json!({"args": ["c"]}));
        assert_eq!(merged(json!({"subjects": [1]}), json!({"subjects": []})), json!({"subjects": []}));
    }
}
