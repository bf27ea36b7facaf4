//! The policies in force, with the CommandSets that they name. A policy that cannot be read is skipped loudly; if it could
//! be read before, its last good form stays in force. That memory is the process's own: after a restart a bad policy opens
//! nothing. One whose set is missing opens nothing either ([`state`]).

mod state;

use std::collections::{BTreeMap, btree_map};
use std::fmt::Debug;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use kube::ResourceExt;
use sallyport_policy::PolicyName;
use tokio::sync::watch;

pub(super) use state::{Closed, InForce, Table};
use state::{News, State};

use super::directory::Directory;
use crate::audit::{Audit, Event, Kind, Outcome};
use crate::clock::SharedClock;
use crate::crd::{AccessPolicy, CommandSet, Entry, Health, Mirror};

/// All sources of change.
#[derive(Debug)]
pub(super) struct Changes {
    cluster: watch::Receiver<u64>,
    sets: watch::Receiver<u64>,
    files: Option<watch::Receiver<u64>>,
}

impl Changes {
    /// Waits for the next one; false when there will be none.
    pub(super) async fn next(&mut self) -> bool {
        let files = async {
            match &mut self.files {
                None => std::future::pending().await,
                Some(files) => files.changed().await,
            }
        };
        tokio::select! {
            changed = self.cluster.changed() => changed.is_ok(),
            changed = self.sets.changed() => changed.is_ok(),
            changed = files => changed.is_ok(),
        }
    }
}

/// What the cluster and the files have together. A name that is there twice is an error, so that its last good version
/// stays in force until it is there once.
fn merged<'a, K: ResourceExt + 'a>(
    cluster: Vec<(String, Entry<K>)>,
    files: impl Iterator<Item = (&'a Path, &'a Arc<K>)>,
) -> Vec<(String, Entry<K>)> {
    let mut all: BTreeMap<String, (String, Entry<K>)> =
        cluster.into_iter().map(|(name, entry)| (name, ("the cluster".to_owned(), entry))).collect();
    for (path, object) in files {
        let place = format!("`{}`", path.display());
        match all.entry(object.name_any()) {
            btree_map::Entry::Vacant(free) => {
                free.insert((place, Ok(Arc::clone(object))));
            }
            btree_map::Entry::Occupied(mut taken) => {
                let (first, entry) = taken.get_mut();
                *entry = Err(Arc::from(format!("it is in {first} and in {place}: take one of both away")));
            }
        }
    }
    all.into_iter().map(|(name, (_, entry))| (name, entry)).collect()
}

/// How often the policies, the sets and the files had changed.
type Count = (u64, u64, Option<u64>);

/// What was made, and from what.
#[derive(Debug, Default)]
struct Made {
    state: State,
    from: Option<Count>,
}

/// Reads policies as they change.
#[derive(Debug)]
pub(super) struct Policies {
    mirror: Mirror<AccessPolicy>,
    sets: Mirror<CommandSet>,
    directory: Option<Directory>,
    made: Mutex<Made>,
    /// Counts what was made.
    turned: watch::Sender<u64>,
    clock: SharedClock,
    audit: Audit,
}

impl Policies {
    pub(super) fn new(
        mirror: Mirror<AccessPolicy>,
        sets: Mirror<CommandSet>,
        directory: Option<Directory>,
        clock: SharedClock,
        audit: Audit,
    ) -> Self {
        Self { mirror, sets, directory, made: Mutex::default(), turned: watch::Sender::new(0), clock, audit }
    }

    /// Tells of changes, wherever they come from.
    pub(super) fn changes(&self) -> Changes {
        Changes {
            cluster: self.mirror.changes(),
            sets: self.sets.changes(),
            files: self.directory.as_ref().map(Directory::changes),
        }
    }

    /// Changes its value whenever what is in force was made anew.
    pub(super) fn turned(&self) -> watch::Receiver<u64> {
        self.turned.subscribe()
    }

    /// The table as of now.
    pub(super) fn current(&self) -> Arc<Table> {
        self.look(|state| Arc::clone(&state.table))
    }

    /// Reads something of what holds now.
    fn look<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let files = self.directory.as_ref().map(|directory| *directory.changes().borrow());
        let count = (*self.mirror.changes().borrow(), *self.sets.changes().borrow(), files);
        if made.from != Some(count) {
            made.from = Some(count);
            let known = self.directory.as_ref().map(Directory::known).unwrap_or_default();
            let sets = merged(self.sets.entries(), known.sets());
            let news = made.state.update(sets, merged(self.mirror.entries(), known.policies()));
            for news in news.into_iter().chain(made.state.files(known.problems)) {
                self.announce(news);
            }
            self.turned.send_modify(|count| *count = count.wrapping_add(1));
        }
        read(&made.state)
    }

    pub(super) fn get(&self, name: &PolicyName) -> Option<Arc<InForce>> {
        self.current().get(name.as_str()).cloned()
    }

    /// Whether there is one of this name that cannot be used.
    pub(super) fn is_rejected(&self, name: &PolicyName) -> bool {
        self.look(|state| state.rejected.contains_key(name.as_str()))
    }

    /// Why a policy opens nothing that would but for a set.
    pub(super) fn closed(&self, name: &str) -> Option<Arc<Closed>> {
        self.look(|state| state.closed.get(name).cloned())
    }

    /// How current the copies of the cluster are.
    pub(super) fn health(&self) -> [Health; 2] {
        [self.mirror.health(), self.sets.health()]
    }

    fn announce(&self, news: News) {
        let now = self.clock.now();
        let loaded = |kind| Event::new(now, kind, Outcome::Ok);
        let rejected = |kind, why: String| Event { why: Some(why), ..Event::new(now, kind, Outcome::Failed) };
        let then = |kept| if kept { "the last good version stays in force" } else { "it is not in force" };
        self.audit.record(match news {
            News::Loaded(name) => Event { policy: Some(name), ..loaded(Kind::PolicyLoaded) },
            News::SetLoaded(name) => Event { set: Some(name), ..loaded(Kind::SetLoaded) },
            News::Broken { why } => {
                tracing::error!(why, "a policy file has a mistake; what was good in it stays in force");
                rejected(Kind::PolicyRejected, format!("{why}; what was good in the file stays in force"))
            }
            News::Rejected { name, why, kept } => {
                let then = then(kept);
                tracing::error!(policy = name, why, "an AccessPolicy cannot be used; {then}");
                Event { policy: Some(name), ..rejected(Kind::PolicyRejected, format!("{why}; {then}")) }
            }
            News::SetRejected { name, why, kept } => {
                let then = then(kept);
                tracing::error!(set = name, why, "a CommandSet cannot be used; {then}");
                Event { set: Some(name), ..rejected(Kind::SetRejected, format!("{why}; {then}")) }
            }
        });
    }
}
