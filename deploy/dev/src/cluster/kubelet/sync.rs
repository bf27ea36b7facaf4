//! Between the store and the pods of the node: what was asked for is run, what happens is reported.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::Kubelet;
use super::node::NODE;
use super::pod::Pod;
use super::spec::{Facts, PodSpec};
use crate::cluster::store::{Change, ChangeKind, Delete, PODS, object};

/// Pods at one time, as the node's capacity says.
const PODS_AT_MOST: usize = 250;
/// Changes of a pod's status that come closer together than this are reported as one.
const SETTLE: Duration = Duration::from_millis(5);

impl Kubelet {
    /// Follows the pods in the store until shutdown.
    pub(super) async fn follow(self) {
        loop {
            let (pods, mut changes) = self.inner.store.list_and_watch(&PODS, None);
            self.forget_all_but(&pods);
            for pod in pods {
                self.see(&pod);
            }
            loop {
                let change = tokio::select! {
                    change = changes.next() => change,
                    () = self.inner.shutdown.cancelled() => return,
                };
                match change {
                    Ok(Change { kind: ChangeKind::Deleted, object, .. }) => self.lost(&object),
                    Ok(Change { object, .. }) => self.see(&object),
                    // Fallen behind: list again.
                    Err(_) => break,
                }
            }
        }
    }

    /// Acts on a pod as it is in the store.
    fn see(&self, pod: &Arc<Value>) {
        let (namespace, name, uid) = (object::namespace(pod), object::name(pod), object::uid(pod));
        let node = pod.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or_default();
        if node.is_empty() && !object::is_terminating(pod) {
            // There is one node, so this is all the scheduling there is. The change comes back to us.
            let _ = self.inner.store.modify(&PODS, namespace, name, |pod| {
                object::child_mut(pod, "spec").insert("nodeName".into(), NODE.into());
            });
            return;
        }
        if node != NODE || !safe(namespace) || !safe(name) {
            return;
        }
        let known = self.pods().get(&(namespace.to_owned(), name.to_owned())).cloned();
        match known {
            Some(known) if known.facts.uid == uid => {
                if object::is_terminating(pod) {
                    let grace = pod.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_u64);
                    known.stop(Duration::from_secs(grace.unwrap_or(30)));
                }
            }
            // One of the same name is still ending: it looks again when it is gone.
            Some(known) => known.stop(Duration::ZERO),
            None if object::is_terminating(pod) => self.confirm(namespace, name, uid),
            None => self.admit(pod),
        }
    }

    fn admit(&self, pod: &Arc<Value>) {
        let (namespace, name, uid) = (object::namespace(pod), object::name(pod), object::uid(pod));
        let spec = pod.get("spec").cloned().unwrap_or_default();
        let full = self.pods().len() >= PODS_AT_MOST;
        let address = if full { None } else { self.inner.node.addresses.take() };
        let (Ok(spec), Some(ip)) = (serde_json::from_value::<PodSpec>(spec), address) else {
            let (reason, message) = match full {
                true => ("OutOfpods", "too many pods for this machine"),
                false => ("InvalidSpec", "the specification cannot be read"),
            };
            let _ = self.inner.store.modify(&PODS, namespace, name, |pod| {
                let status = object::child_mut(pod, "status");
                status.extend([
                    ("phase".to_owned(), "Failed".into()),
                    ("reason".to_owned(), reason.into()),
                    ("message".to_owned(), message.into()),
                ]);
            });
            return;
        };
        let facts = Facts {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uid: uid.to_owned(),
            node: NODE.to_owned(),
            ip,
            node_ip: self.inner.node.addresses.node(),
        };
        let status = pod.get("status").cloned().unwrap_or_default();
        let run = Arc::new(Pod::new(facts, spec, self.inner.node.clone(), &status));
        self.pods().insert((namespace.to_owned(), name.to_owned()), run.clone());
        self.inner.tasks.spawn(self.clone().tend(run));
    }

    /// Runs one pod from beginning to end.
    async fn tend(self, pod: Arc<Pod>) {
        let mut changes = pod.changes();
        let mut run = std::pin::pin!(pod.run());
        self.report(&pod);
        loop {
            tokio::select! {
                () = &mut run => break,
                Ok(()) = changes.changed() => {
                    self.report(&pod);
                    tokio::time::sleep(SETTLE).await;
                }
            }
        }
        self.report(&pod);
        // A pod that has ended stays, and its logs with it, until it is deleted.
        tokio::select! {
            () = pod.told_to_stop() => {}
            () = self.inner.shutdown.cancelled() => {}
        }
        if self.inner.shutdown.is_cancelled() {
            return;
        }
        self.remove(&pod).await;
    }

    fn report(&self, pod: &Pod) {
        // A pod that ends because the cluster stops has not ended as far as the store is concerned.
        if self.inner.shutdown.is_cancelled() {
            return;
        }
        let facts = &pod.facts;
        // It may be gone already, by force.
        let _ = self.inner.store.modify(&PODS, &facts.namespace, &facts.name, |found| {
            if object::uid(found) != facts.uid {
                return;
            }
            let before = found.get("status").cloned().unwrap_or_default();
            if let (Value::Object(fresh), status) = (pod.status(&before), object::child_mut(found, "status"))
            {
                status.extend(fresh);
            }
        });
    }

    async fn remove(&self, pod: &Pod) {
        let facts = &pod.facts;
        let dirs = [
            pod.node.pod_dir(&facts.namespace, &facts.name),
            pod.node.log_dir(&facts.namespace, &facts.name, &facts.uid),
        ];
        let _ = tokio::task::spawn_blocking(move || {
            for dir in dirs {
                if let Err(error) = std::fs::remove_dir_all(&dir)
                    && error.kind() != std::io::ErrorKind::NotFound
                {
                    tracing::warn!(%error, dir = %dir.display(), "a pod's directory stays behind");
                }
            }
        })
        .await;
        pod.node.addresses.free(facts.ip);
        self.pods().remove(&(facts.namespace.clone(), facts.name.clone()));
        self.confirm(&facts.namespace, &facts.name, &facts.uid);
        // Another of the same name may have waited for this one to go.
        if let Some(next) = self.inner.store.get(&PODS, &facts.namespace, &facts.name) {
            self.see(&next);
        }
    }

    /// Tells the store that nothing of a deleted pod is left.
    fn confirm(&self, namespace: &str, name: &str, uid: &str) {
        let how = Delete { uid: Some(uid.to_owned()), ..Delete::now() };
        // Gone already is what is wanted.
        let _ = self.inner.store.delete(&PODS, namespace, name, &how);
    }

    /// A pod vanished from the store without waiting for us.
    fn lost(&self, pod: &Value) {
        let key = (object::namespace(pod).to_owned(), object::name(pod).to_owned());
        if let Some(known) = self.pods().get(&key).filter(|known| known.facts.uid == object::uid(pod)) {
            known.stop(Duration::ZERO);
        }
    }

    fn forget_all_but(&self, pods: &[Arc<Value>]) {
        for known in self.pods().values() {
            if !pods.iter().any(|pod| object::uid(pod) == known.facts.uid) {
                known.stop(Duration::ZERO);
            }
        }
    }
}

/// A name that may become part of a path. The API lets only such names through; this is for what did not come
/// through the API.
fn safe(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    !name.is_empty() && name.len() <= 253 && !name.starts_with('.') && name.bytes().all(plain)
}
