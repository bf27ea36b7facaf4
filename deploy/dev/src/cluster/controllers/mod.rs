//! Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs, and the endpoints of Services.
//!
//! One task watches what they read; after any change it goes over everything once, in the order in which one
//! controller feeds the next. For the tens of objects of a development cluster that is cheaper than being
//! clever, and every pass starts from the state as it is, so nothing can be missed. What is not there: history
//! and rollback beyond old ReplicaSets, partitions, surge and unavailability other than 25%, indexed Jobs,
//! CronJobs. Pods are scheduled by the kubelet, and orphans collected by the API's housekeeping.

mod common;
mod daemonset;
mod deployment;
mod endpoints;
mod job;
mod replicaset;
mod statefulset;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::store::{self, ResourceId, Store};

const WATCHED: &[ResourceId] = &[
    store::DEPLOYMENTS,
    store::REPLICASETS,
    store::STATEFULSETS,
    store::DAEMONSETS,
    store::JOBS,
    store::PODS,
    store::SERVICES,
];

/// Changes that come closer together than this are looked at as one.
const SETTLE: Duration = Duration::from_millis(10);

/// Runs the controllers until `shutdown`.
pub fn start(store: Store, shutdown: CancellationToken) -> JoinHandle<()> {
    tokio::spawn(async move {
        tokio::select! {
            () = run(store) => {}
            () = shutdown.cancelled() => {}
        }
    })
}

async fn run(store: Store) {
    let dirty = Arc::new(Notify::new());
    // Dropped, and with it the tasks, when this is.
    let mut watchers = JoinSet::new();
    for id in WATCHED {
        watchers.spawn(watch(store.clone(), id.clone(), dirty.clone()));
    }
    loop {
        pass(&store);
        dirty.notified().await;
        tokio::time::sleep(SETTLE).await;
    }
}

/// Looks at everything once.
fn pass(store: &Store) {
    deployment::all(store);
    replicaset::all(store);
    statefulset::all(store);
    daemonset::all(store);
    job::all(store);
    endpoints::all(store);
}

async fn watch(store: Store, id: ResourceId, dirty: Arc<Notify>) {
    loop {
        let (_, mut changes) = store.list_and_watch(&id, None);
        dirty.notify_one();
        // An error means that this watch has fallen behind: the next one starts from now.
        while changes.next().await.is_ok() {
            dirty.notify_one();
        }
    }
}
