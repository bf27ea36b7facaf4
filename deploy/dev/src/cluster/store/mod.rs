//! What the embedded cluster knows: objects as JSON, by collection, namespace and name, each change with a
//! number of its own, kept in one append-only file.
//!
//! The store does what etcd and the generic registry do together: it fills in `uid`, `creationTimestamp`,
//! `resourceVersion` and `generation`, compares resource versions before it writes, honours finalizers and a
//! pod's grace, and lets watchers resume from any version still in its bounded history. It neither validates
//! nor defaults nor authorizes; that is the API's work. A change is in the operating system's hands before it is
//! visible, so it survives `kill -9` of this process, though not a power cut.

mod delete;
mod error;
mod id;
mod log;
pub mod object;
mod watch;
mod write;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

pub use self::delete::{Delete, Deleted, Propagation};
pub use self::error::StoreError;
pub use self::id::*;
pub use self::watch::{Change, ChangeKind, Watch};
pub use self::write::new_uid;

/// Changes remembered per collection unless told otherwise; a watcher further behind is told 410 `Expired`.
pub const HISTORY: usize = 1_024;

type Key = (String, String);

/// Handle to the store; cheap to clone, usable from any thread, never blocks for longer than a file write.
#[derive(Clone, Debug)]
pub struct Store {
    shared: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    /// The number of the newest change, whatever the collection.
    version: u64,
    /// Versions before this one cannot be resumed from: they happened before this process started.
    floor: u64,
    history: usize,
    tables: HashMap<ResourceId, Table>,
    log: log::Log,
}

#[derive(Debug)]
struct Table {
    objects: BTreeMap<Key, Arc<Value>>,
    recent: VecDeque<Change>,
    /// The newest version that is no longer in `recent`.
    trimmed: u64,
    newest: tokio::sync::watch::Sender<u64>,
}

impl Store {
    /// Opens the store under `dir` (made if missing) and reads all that an earlier process left there.
    pub fn open(dir: &Path) -> Result<Store, StoreError> {
        Store::open_with(dir, HISTORY)
    }

    /// As [`Store::open`], remembering `history` changes per collection.
    pub fn open_with(dir: &Path, history: usize) -> Result<Store, StoreError> {
        let (log, state) = log::Log::open(dir)?;
        let mut inner = Inner {
            version: state.version,
            floor: state.version,
            history: history.max(1),
            tables: HashMap::new(),
            log,
        };
        for (id, key, object) in state.objects {
            inner.table(&id).objects.insert(key, Arc::new(object));
        }
        Ok(Store { shared: Arc::new(Mutex::new(inner)) })
    }

    /// One object. `namespace` is "" for objects of the cluster.
    pub fn get(&self, id: &ResourceId, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let inner = self.lock();
        inner.tables.get(id)?.objects.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    /// As [`Store::get`], an absent object being the error that the API reports.
    pub fn fetch(&self, id: &ResourceId, namespace: &str, name: &str) -> Result<Arc<Value>, StoreError> {
        self.get(id, namespace, name)
            .ok_or_else(|| StoreError::NotFound { resource: id.clone(), name: name.to_owned() })
    }

    /// The objects of one namespace, or of all with `None`, in order of namespace and name, and the version at which that was so.
    pub fn list(&self, id: &ResourceId, namespace: Option<&str>) -> (Vec<Arc<Value>>, u64) {
        let inner = self.lock();
        (inner.objects(id, namespace), inner.version)
    }

    /// Watches changes after version `since`; `None` means from now on.
    pub fn watch(
        &self,
        id: &ResourceId,
        namespace: Option<&str>,
        since: Option<u64>,
    ) -> Result<Watch, StoreError> {
        let mut inner = self.lock();
        let since = since.unwrap_or(inner.version);
        inner.check_resumable(id, since)?;
        Ok(Watch::new(self.clone(), id.clone(), namespace, since, inner.table(id).newest.subscribe()))
    }

    /// The list and a watch that continues exactly where the list was taken.
    pub fn list_and_watch(&self, id: &ResourceId, namespace: Option<&str>) -> (Vec<Arc<Value>>, Watch) {
        let mut inner = self.lock();
        let objects = inner.objects(id, namespace);
        let since = inner.version;
        let signal = inner.table(id).newest.subscribe();
        (objects, Watch::new(self.clone(), id.clone(), namespace, since, signal))
    }

    /// The number of the newest change.
    pub fn version(&self) -> u64 {
        self.lock().version
    }

    /// The collections that hold at least one object.
    pub fn collections(&self) -> Vec<ResourceId> {
        let inner = self.lock();
        inner.tables.iter().filter(|(_, t)| !t.objects.is_empty()).map(|(id, _)| id.clone()).collect()
    }

    /// Every object, as they were at one moment.
    pub fn everything(&self) -> Vec<(ResourceId, Arc<Value>)> {
        let inner = self.lock();
        inner.tables.iter().flat_map(|(id, t)| t.objects.values().map(|o| (id.clone(), o.clone()))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while the lock was held can only have happened between whole assignments: the data is usable.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn table(&mut self, id: &ResourceId) -> &mut Table {
        let floor = self.floor;
        self.tables.entry(id.clone()).or_insert_with(|| Table {
            objects: BTreeMap::new(),
            recent: VecDeque::new(),
            trimmed: floor,
            newest: tokio::sync::watch::Sender::new(floor),
        })
    }

    fn objects(&self, id: &ResourceId, namespace: Option<&str>) -> Vec<Arc<Value>> {
        let Some(table) = self.tables.get(id) else { return Vec::new() };
        match namespace {
            None => table.objects.values().cloned().collect(),
            Some(ns) => table
                .objects
                .range((ns.to_owned(), String::new())..)
                .take_while(|((at, _), _)| at == ns)
                .map(|(_, object)| object.clone())
                .collect(),
        }
    }

    fn check_resumable(&self, id: &ResourceId, since: u64) -> Result<(), StoreError> {
        let oldest = self.tables.get(id).map_or(self.floor, |t| t.trimmed);
        if since < oldest {
            return Err(StoreError::Expired { asked: since, oldest });
        }
        Ok(())
    }
}
