//! The policies in force. A policy that cannot be read is skipped loudly; if it could be read before, its last good
//! form stays in force. That memory is the process's own: after a restart a bad policy opens nothing.

use std::collections::{BTreeMap, btree_map};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use kube::ResourceExt;
use sallyport_policy::{Policy, PolicyName};

use tokio::sync::watch;

use super::directory::{Directory, Known};
use crate::audit::{Audit, Event, Kind, Outcome};
use crate::clock::SharedClock;
use crate::crd::{AccessPolicy, Entry, Mirror, ObservedPolicy};

/// A policy in force, and the object that it was read from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct InForce {
    pub(super) policy: Policy,
    pub(super) observed: ObservedPolicy,
}

pub(super) type Table = BTreeMap<String, Arc<InForce>>;

/// What is worth an event.
#[derive(Debug, Clone, PartialEq, Eq)]
enum News {
    Loaded(String),
    Rejected {
        name: String,
        why: String,
        kept: bool,
    },
    /// A file with a mistake.
    Broken {
        why: String,
    },
}

/// Both sources of change.
#[derive(Debug)]
pub(super) struct Changes {
    cluster: watch::Receiver<u64>,
    files: Option<watch::Receiver<u64>>,
}

impl Changes {
    /// Waits for the next one; false when there will be none.
    pub(super) async fn next(&mut self) -> bool {
        match &mut self.files {
            None => self.cluster.changed().await.is_ok(),
            Some(files) => tokio::select! {
                changed = self.cluster.changed() => changed.is_ok(),
                changed = files.changed() => changed.is_ok(),
            },
        }
    }
}

/// The policies of the cluster and of the files together. A name that is there twice is an error, so that its last good
/// version stays in force until it is there once.
fn merged(cluster: Vec<(String, Entry<AccessPolicy>)>, known: &Known) -> Vec<(String, Entry<AccessPolicy>)> {
    let mut all: BTreeMap<String, (String, Entry<AccessPolicy>)> =
        cluster.into_iter().map(|(name, entry)| (name, ("the cluster".to_owned(), entry))).collect();
    for (path, policy) in known.policies() {
        let place = format!("`{}`", path.display());
        match all.entry(policy.name_any()) {
            btree_map::Entry::Vacant(free) => {
                free.insert((place, Ok(Arc::clone(policy))));
            }
            btree_map::Entry::Occupied(mut taken) => {
                let (first, entry) = taken.get_mut();
                *entry = Err(Arc::from(format!("it is in {first} and in {place}: take one of both away")));
            }
        }
    }
    all.into_iter().map(|(name, (_, entry))| (name, entry)).collect()
}

#[derive(Debug, Default)]
struct State {
    table: Arc<Table>,
    /// What was last said about each object that cannot be read.
    rejected: BTreeMap<String, String>,
    /// What was last said about files.
    broken: Vec<String>,
    /// The mirror's and the directory's change that `table` was made from.
    made_from: Option<(u64, Option<u64>)>,
}

/// Reads policies as they change.
#[derive(Debug)]
pub(super) struct Policies {
    mirror: Mirror<AccessPolicy>,
    directory: Option<Directory>,
    state: Mutex<State>,
    clock: SharedClock,
    audit: Audit,
}

impl Policies {
    pub(super) fn new(
        mirror: Mirror<AccessPolicy>,
        directory: Option<Directory>,
        clock: SharedClock,
        audit: Audit,
    ) -> Self {
        Self { mirror, directory, state: Mutex::default(), clock, audit }
    }

    /// Tells of changes, wherever they come from.
    pub(super) fn changes(&self) -> Changes {
        Changes { cluster: self.mirror.changes(), files: self.directory.as_ref().map(Directory::changes) }
    }

    /// The table as of now.
    pub(super) fn current(&self) -> Arc<Table> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let files = self.directory.as_ref().map(|directory| *directory.changes().borrow());
        let change = (*self.mirror.changes().borrow(), files);
        if state.made_from != Some(change) {
            state.made_from = Some(change);
            let known = self.directory.as_ref().map(Directory::known).unwrap_or_default();
            let news = state.update(merged(self.mirror.entries(), &known));
            for news in news.into_iter().chain(state.files(known.problems)) {
                self.announce(news);
            }
        }
        Arc::clone(&state.table)
    }

    pub(super) fn get(&self, name: &PolicyName) -> Option<Arc<InForce>> {
        self.current().get(name.as_str()).cloned()
    }

    /// Whether there is one of this name that cannot be used.
    pub(super) fn is_rejected(&self, name: &PolicyName) -> bool {
        self.current();
        self.state.lock().unwrap_or_else(PoisonError::into_inner).rejected.contains_key(name.as_str())
    }

    pub(super) const fn mirror(&self) -> &Mirror<AccessPolicy> {
        &self.mirror
    }

    fn announce(&self, news: News) {
        let now = self.clock.now();
        self.audit.record(match news {
            News::Loaded(name) => {
                Event { policy: Some(name), ..Event::new(now, Kind::PolicyLoaded, Outcome::Ok) }
            }
            News::Broken { why } => {
                tracing::error!(why, "a policy file has a mistake; what was good in it stays in force");
                let why = Some(format!("{why}; what was good in the file stays in force"));
                Event { why, ..Event::new(now, Kind::PolicyRejected, Outcome::Failed) }
            }
            News::Rejected { name, why, kept } => {
                let then = if kept { "the last good version stays in force" } else { "it is not in force" };
                tracing::error!(policy = name, why, "an AccessPolicy cannot be used; {then}");
                let why = Some(format!("{why}; {then}"));
                Event { policy: Some(name), why, ..Event::new(now, Kind::PolicyRejected, Outcome::Failed) }
            }
        });
    }
}

impl State {
    /// What is new about broken files.
    fn files(&mut self, problems: Vec<String>) -> Vec<News> {
        let fresh = problems.iter().filter(|why| !self.broken.contains(why));
        let news = fresh.map(|why| News::Broken { why: why.clone() }).collect();
        self.broken = problems;
        news
    }

    fn update(&mut self, entries: Vec<(String, Entry<AccessPolicy>)>) -> Vec<News> {
        let mut news = Vec::new();
        let mut table = Table::new();
        let mut rejected = BTreeMap::new();
        for (name, entry) in entries {
            let last = self.table.get(&name);
            let uid = entry.as_ref().ok().and_then(|object| object.uid());
            let read = entry.map_err(|error| error.to_string()).and_then(|object| {
                let policy = object.parse().map_err(|error| error.to_string())?;
                let observed = ObservedPolicy {
                    uid: object.uid().unwrap_or_default(),
                    generation: object.metadata.generation.unwrap_or_default(),
                    spec: object.spec.clone(),
                };
                Ok(InForce { policy, observed })
            });
            match read {
                Ok(good) => {
                    if last.is_none_or(|last| last.policy != good.policy) || self.rejected.contains_key(&name)
                    {
                        news.push(News::Loaded(name.clone()));
                    }
                    table.insert(name, Arc::new(good));
                }
                Err(why) => {
                    // Another object of the same name is another policy.
                    let last = last.filter(|last| uid.is_none_or(|uid| uid == last.observed.uid));
                    if self.rejected.get(&name) != Some(&why) {
                        news.push(News::Rejected {
                            name: name.clone(),
                            why: why.clone(),
                            kept: last.is_some(),
                        });
                    }
                    rejected.insert(name.clone(), why);
                    if let Some(last) = last {
                        table.insert(name, Arc::clone(last));
                    }
                }
            }
        }
        self.table = Arc::new(table);
        self.rejected = rejected;
        news
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(uid: &str, longest: &str) -> (String, Entry<AccessPolicy>) {
        let object: AccessPolicy = serde_json::from_value(json!({
            "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessPolicy",
            "metadata": {"name": "debug", "uid": uid, "generation": 1},
            "spec": {
                "subjects": {"groups": ["oncall"]}, "namespaces": ["payments"], "allow": {"exec": true},
                "clusterRole": "view", "maxDuration": longest, "approval": {"required": 0},
            },
        }))
        .unwrap();
        ("debug".to_owned(), Ok(Arc::new(object)))
    }

    fn longest(state: &State) -> Option<String> {
        state.table.get("debug").map(|in_force| in_force.observed.spec.max_duration.clone())
    }

    #[test]
    fn a_policy_that_turns_bad_leaves_the_last_good_one_in_force_and_is_told_once() {
        let mut state = State::default();
        assert_eq!(state.update(vec![entry("1", "1h")]), [News::Loaded("debug".into())]);
        let news = state.update(vec![entry("1", "soon")]);
        assert!(
            matches!(&news[..], [News::Rejected { kept: true, why, .. }] if why.starts_with("maxDuration"))
        );
        assert_eq!(longest(&state).as_deref(), Some("1h"));
        assert_eq!(state.update(vec![entry("1", "soon")]), []);
        let unreadable = ("debug".to_owned(), Err(Arc::from("missing field `spec`")));
        assert!(matches!(&state.update(vec![unreadable])[..], [News::Rejected { kept: true, .. }]));
        assert_eq!(longest(&state).as_deref(), Some("1h"));
        assert_eq!(state.update(vec![entry("1", "2h")]), [News::Loaded("debug".into())]);
        assert_eq!(longest(&state).as_deref(), Some("2h"));
    }

    #[test]
    fn a_bad_policy_does_not_inherit_from_a_deleted_one_of_its_name() {
        let mut state = State::default();
        state.update(vec![entry("1", "1h")]);
        let news = state.update(vec![entry("2", "soon")]);
        assert!(matches!(&news[..], [News::Rejected { kept: false, .. }]));
        assert_eq!(longest(&state), None);
    }

    #[test]
    fn a_deleted_policy_is_not_in_force() {
        let mut state = State::default();
        state.update(vec![entry("1", "1h")]);
        state.update(vec![]);
        assert_eq!(longest(&state), None);
    }
}
