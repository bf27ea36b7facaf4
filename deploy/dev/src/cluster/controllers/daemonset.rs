//! DaemonSet to pods: there is one node, so one pod.

use serde_json::{Map, json};

use super::common::{
    count, create, delete, is_active, number, owned, owner_reference, pod, report, suffix, template_hash,
    trim,
};
use crate::cluster::store::{DAEMONSETS, PODS, Store, object};

const HASH: &str = "controller-revision-hash";

/// Looks at every DaemonSet.
pub(super) fn all(store: &Store) {
    for set in store.list(&DAEMONSETS, None).0 {
        let Some(template) = set.pointer("/spec/template").filter(|_| !object::is_terminating(&set)) else {
            continue;
        };
        let hash = template_hash(template);
        let mut active = owned(store, &PODS, &set);
        active.retain(|pod| is_active(pod));
        // A pod of an earlier template makes room for one of this.
        let (current, old): (Vec<_>, Vec<_>) = active.into_iter().partition(|pod| {
            pod.pointer("/metadata/labels").and_then(|labels| labels.get(HASH)) == Some(&json!(hash))
        });
        old.iter().for_each(|pod| delete(store, &PODS, pod));
        if current.is_empty() && old.is_empty() {
            let owner = owner_reference(&set, "apps/v1", "DaemonSet");
            let labels = Map::from_iter([(HASH.to_owned(), json!(hash))]);
            let name = format!("{}-{}", object::name(&set), suffix());
            create(store, &PODS, pod(template, object::namespace(&set), &name, owner, labels));
        }
        trim(store, current, 1);
        let (exist, ready) = count(&owned(store, &PODS, &set));
        report(
            store,
            &DAEMONSETS,
            &set,
            json!({
                "desiredNumberScheduled": 1, "currentNumberScheduled": exist.min(1), "numberMisscheduled": 0,
                "updatedNumberScheduled": exist.min(1), "numberReady": ready, "numberAvailable": ready,
                "numberUnavailable": 1_usize.saturating_sub(ready),
                "observedGeneration": number(&set, "/metadata/generation", 1),
            }),
        );
    }
}
