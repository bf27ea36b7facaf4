//! ReplicaSet to pods: as many as it says, each with a name of its own.

use serde_json::{Map, json};

use super::common::{
    BURST, count, create, is_active, number, owned, owner_reference, pod, report, suffix, trim,
};
use crate::cluster::store::{PODS, REPLICASETS, Store, object};

/// Looks at every ReplicaSet.
pub(super) fn all(store: &Store) {
    for set in store.list(&REPLICASETS, None).0 {
        let Some(template) = set.pointer("/spec/template").filter(|_| !object::is_terminating(&set)) else {
            continue;
        };
        let wanted = usize::try_from(number(&set, "/spec/replicas", 1)).unwrap_or(0);
        let mut active = owned(store, &PODS, &set);
        active.retain(|pod| is_active(pod));
        for _ in 0..wanted.saturating_sub(active.len()).min(BURST) {
            let owner = owner_reference(&set, "apps/v1", "ReplicaSet");
            let name = format!("{}-{}", object::name(&set), suffix());
            let mut pod = pod(template, object::namespace(&set), &name, owner, Map::new());
            object::metadata_mut(&mut pod)
                .insert("generateName".into(), format!("{}-", object::name(&set)).into());
            create(store, &PODS, pod);
        }
        trim(store, active, wanted);
        let (replicas, ready) = count(&owned(store, &PODS, &set));
        report(
            store,
            &REPLICASETS,
            &set,
            json!({
                "replicas": replicas, "fullyLabeledReplicas": replicas, "readyReplicas": ready,
                "availableReplicas": ready, "observedGeneration": number(&set, "/metadata/generation", 1),
            }),
        );
    }
}
