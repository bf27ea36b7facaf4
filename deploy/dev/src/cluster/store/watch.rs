//! Following changes.
//!
//! A watch holds a position, not a queue: it reads from the collection's bounded history, so a slow watcher
//! costs nothing and, once the history has moved past it, learns that it has to list again.

use std::sync::Arc;

use serde_json::Value;

use super::{ResourceId, Store, StoreError};

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Added,
    Modified,
    Deleted,
}

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Change {
    /// The version this change made.
    pub version: u64,
    pub kind: ChangeKind,
    /// The object after the change; for a deletion as it was last, with the deletion's version.
    pub object: Arc<Value>,
    /// The object before the change; absent for an addition. Selectors need it to tell who left.
    pub before: Option<Arc<Value>>,
    pub(super) namespace: String,
}

/// A position in the history of one collection.
#[derive(Debug)]
pub struct Watch {
    store: Store,
    id: ResourceId,
    namespace: Option<String>,
    position: u64,
    signal: tokio::sync::watch::Receiver<u64>,
}

impl Watch {
    pub(super) fn new(
        store: Store,
        id: ResourceId,
        namespace: Option<&str>,
        position: u64,
        signal: tokio::sync::watch::Receiver<u64>,
    ) -> Watch {
        Watch { store, id, namespace: namespace.map(str::to_owned), position, signal }
    }

    /// The next change; waits for it. Safe to drop at any await.
    ///
    /// Fails with [`StoreError::Expired`] when this watcher has fallen out of the history.
    pub async fn next(&mut self) -> Result<Change, StoreError> {
        loop {
            self.signal.borrow_and_update();
            if let Some(change) = self.try_next()? {
                return Ok(change);
            }
            // The sender lives in the store, and the store in `self`: this cannot fail while we wait.
            if self.signal.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// The next change if it has happened already.
    pub fn try_next(&mut self) -> Result<Option<Change>, StoreError> {
        let inner = self.store.lock();
        inner.check_resumable(&self.id, self.position)?;
        let Some(table) = inner.tables.get(&self.id) else { return Ok(None) };
        let start = table.recent.partition_point(|c| c.version <= self.position);
        for change in table.recent.range(start..) {
            self.position = change.version;
            if self.namespace.as_ref().is_none_or(|ns| *ns == change.namespace) {
                return Ok(Some(change.clone()));
            }
        }
        Ok(None)
    }

    /// The version up to which everything was delivered: what a bookmark carries. Moves the position there.
    pub fn progress(&mut self) -> u64 {
        let inner = self.store.lock();
        let pending = inner
            .tables
            .get(&self.id)
            .and_then(|t| t.recent.back())
            .is_some_and(|newest| newest.version > self.position);
        if !pending {
            self.position = self.position.max(inner.version);
        }
        self.position
    }
}
