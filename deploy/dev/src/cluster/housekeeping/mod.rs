//! What a cluster does on its own about objects that should not be there any more: dependents whose owners are
//! gone, the contents of namespaces and custom resource definitions on their way out, and old events.
//!
//! One sweep looks at a consistent picture of the whole store, whenever something changed. That is linear in
//! the number of objects and fine for the few thousand that this cluster is for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::admission::furnish;
use super::store::{self, Delete, ResourceId, Store, StoreError, object};
use super::time;

mod owners;

#[cfg(test)]
mod tests;

const EVERY: Duration = Duration::from_millis(100);
/// Events are kept for an hour, as the real server does.
const EVENT_LIFE: i64 = 3_600;
const EVENTS_EVERY: Duration = Duration::from_secs(60);

type Everything = Vec<(ResourceId, Arc<Value>)>;

/// Sweeps until `shutdown`.
pub(super) async fn run(store: Store, shutdown: CancellationToken) {
    let mut swept = 0;
    let mut events_at = tokio::time::Instant::now();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        let version = store.version();
        if version != swept {
            sweep(&store);
            swept = version;
        }
        if events_at.elapsed() >= EVENTS_EVERY {
            events_at = tokio::time::Instant::now();
            drop_old_events(&store);
        }
    }
}

/// One look at everything.
pub(super) fn sweep(store: &Store) {
    let everything = store.everything();
    owners::collect(store, &everything);
    for (id, object) in &everything {
        let result = if *id == store::NAMESPACES {
            if object::is_terminating(object) {
                empty_namespace(store, &everything, object)
            } else {
                furnish(store, object::name(object));
                Ok(())
            }
        } else if *id == store::CUSTOMRESOURCEDEFINITIONS && object::is_terminating(object) {
            empty_definition(store, &everything, object)
        } else {
            Ok(())
        };
        report(result);
    }
}

fn report(result: Result<(), StoreError>) {
    match result {
        // Somebody else was quicker, or changed the object: the next sweep sees what is left.
        Ok(()) | Err(StoreError::NotFound { .. } | StoreError::Conflict { .. }) => {}
        Err(error) => tracing::warn!(%error, "housekeeping"),
    }
}

fn delete_same(store: &Store, id: &ResourceId, object: &Value) -> Result<(), StoreError> {
    let how = Delete { uid: Some(object::uid(object).to_owned()), ..Delete::default() };
    store.delete(id, object::namespace(object), object::name(object), &how).map(|_| ())
}

fn empty_namespace(store: &Store, everything: &Everything, namespace: &Value) -> Result<(), StoreError> {
    let name = object::name(namespace);
    let mut left = false;
    for (id, object) in everything.iter().filter(|(_, o)| object::namespace(o) == name) {
        left = true;
        if !object::is_terminating(object) {
            report(delete_same(store, id, object));
        }
    }
    if left {
        return Ok(());
    }
    store.modify(&store::NAMESPACES, "", name, |object| {
        object::child_mut(object, "spec").remove("finalizers");
    })?;
    Ok(())
}

fn empty_definition(store: &Store, everything: &Everything, definition: &Value) -> Result<(), StoreError> {
    let text = |pointer: &str| definition.pointer(pointer).and_then(Value::as_str).unwrap_or("").to_owned();
    let id = ResourceId::named(text("/spec/group"), text("/spec/names/plural"));
    let mut left = false;
    for (_, object) in everything.iter().filter(|(of, _)| *of == id) {
        left = true;
        if !object::is_terminating(object) {
            report(delete_same(store, &id, object));
        }
    }
    if left {
        return Ok(());
    }
    let cleanup = super::admission::CLEANUP;
    store.modify(&store::CUSTOMRESOURCEDEFINITIONS, "", object::name(definition), |object| {
        if let Some(Value::Array(list)) = object::metadata_mut(object).get_mut("finalizers") {
            list.retain(|f| f != cleanup);
        }
    })?;
    Ok(())
}

fn drop_old_events(store: &Store) {
    let oldest = time::now().as_second().saturating_sub(EVENT_LIFE);
    for event in store.list(&store::EVENTS, None).0 {
        let made = object::meta(&event, "creationTimestamp").parse::<jiff::Timestamp>();
        if made.is_ok_and(|at| at.as_second() < oldest) {
            report(delete_same(store, &store::EVENTS, &event));
        }
    }
}

/// Objects by uid.
fn by_uid(everything: &Everything) -> HashMap<&str, &(ResourceId, Arc<Value>)> {
    everything.iter().map(|entry| (object::uid(&entry.1), entry)).collect()
}
