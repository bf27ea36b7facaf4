//! What is in force, made from what can be read.
//!
//! A policy or a CommandSet that turns bad leaves its last good form in force. A policy that names a set which is not there,
//! or never was good, is closed instead, whatever it was before: taking a set away is meant, and what stood in it may be
//! the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::ResourceExt;
use sallyport_policy::commands::{BUILT_IN_SETS, NamedSet};
use sallyport_policy::{Policy, did_you_mean};

use crate::crd::{AccessPolicy, AccessPolicySpec, CommandSet, Entry, ObservedPolicy, ObservedSet};

/// A policy in force, and the objects that it was read from.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::access) struct InForce {
    pub(in crate::access) policy: Policy,
    pub(in crate::access) observed: ObservedPolicy,
}

/// A policy that opens nothing until a set that it names is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::access) struct Closed {
    /// The field, what is wrong there, and what to do.
    pub(in crate::access) why: String,
    /// Whom it concerns.
    pub(in crate::access) groups: BTreeSet<String>,
    /// What set may have been meant, as `did_you_mean` puts it: for those who write policies and see all sets.
    near: String,
}

pub(in crate::access) type Table = BTreeMap<String, Arc<InForce>>;

/// What is worth an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    Loaded(String),
    Rejected {
        name: String,
        why: String,
        kept: bool,
    },
    SetLoaded(String),
    SetRejected {
        name: String,
        why: String,
        kept: bool,
    },
    /// A file with a mistake.
    Broken {
        why: String,
    },
}

/// A set, and the object that it was read from.
#[derive(Debug, Clone)]
struct KnownSet {
    set: NamedSet,
    observed: ObservedSet,
}

/// Why a policy is not in force.
enum No {
    Bad(String),
    Closed(Closed),
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) table: Arc<Table>,
    /// What was last said about each policy that cannot be used.
    pub(super) rejected: BTreeMap<String, String>,
    /// Those of them that a missing set has closed.
    pub(super) closed: BTreeMap<String, Arc<Closed>>,
    sets: BTreeMap<String, KnownSet>,
    /// What was last said about each set that cannot be used.
    rejected_sets: BTreeMap<String, String>,
    /// What was last said about files.
    broken: Vec<String>,
}

impl State {
    /// What is new about broken files.
    pub(super) fn files(&mut self, problems: Vec<String>) -> Vec<News> {
        let fresh = problems.iter().filter(|why| !self.broken.contains(why));
        let news = fresh.map(|why| News::Broken { why: why.clone() }).collect();
        self.broken = problems;
        news
    }

    /// Takes in the sets and policies as they are now.
    pub(super) fn update(
        &mut self,
        sets: Vec<(String, Entry<CommandSet>)>,
        policies: Vec<(String, Entry<AccessPolicy>)>,
    ) -> Vec<News> {
        let mut news = self.sets(sets);
        let mut table = Table::new();
        let (mut rejected, mut closed) = (BTreeMap::new(), BTreeMap::new());
        for (name, entry) in policies {
            let last = self.table.get(&name);
            let uid = entry.as_ref().ok().and_then(|object| object.uid());
            let read = entry.map_err(|error| No::Bad(error.to_string())).and_then(|object| {
                let generation = object.metadata.generation.unwrap_or_default();
                self.read(&name, object.uid().unwrap_or_default(), generation, &object.spec)
            });
            let no = match read {
                Ok(good) => {
                    if last.is_none_or(|last| last.policy != good.policy) || self.rejected.contains_key(&name)
                    {
                        news.push(News::Loaded(name.clone()));
                    }
                    table.insert(name, Arc::new(good));
                    continue;
                }
                Err(no) => no,
            };
            let (mut why, shut) = match no {
                No::Bad(why) => (why, None),
                No::Closed(shut) => (format!("{}{}", shut.why, shut.near), Some(shut)),
            };
            // Another object of the same name is another policy; and the sets of the last good form are as they are now.
            let last = last.filter(|last| shut.is_none() && uid.is_none_or(|uid| uid == last.observed.uid));
            let last = last.map(|last| {
                let ObservedPolicy { uid, generation, spec, .. } = &last.observed;
                self.read(&name, uid.clone(), *generation, spec)
            });
            let (kept, shut) = match last {
                Some(Ok(kept)) => (Some(kept), None),
                Some(Err(No::Closed(also))) => {
                    why = format!("{why}; and {}{}", also.why, also.near);
                    (None, Some(also))
                }
                Some(Err(No::Bad(_))) | None => (None, shut),
            };
            if self.rejected.get(&name) != Some(&why) {
                news.push(News::Rejected { name: name.clone(), why: why.clone(), kept: kept.is_some() });
            }
            rejected.insert(name.clone(), why);
            if let Some(shut) = shut {
                closed.insert(name.clone(), Arc::new(shut));
            }
            if let Some(kept) = kept {
                table.insert(name, Arc::new(kept));
            }
        }
        self.table = Arc::new(table);
        (self.rejected, self.closed) = (rejected, closed);
        news
    }

    /// A policy with the sets that it names.
    fn read(&self, name: &str, uid: String, generation: i64, spec: &AccessPolicySpec) -> Result<InForce, No> {
        let (mut named, mut sets) = (Vec::new(), Vec::<ObservedSet>::new());
        for (at, wanted) in spec.named_sets() {
            if sets.iter().any(|set| set.name == wanted) {
                continue;
            }
            let Some(known) = self.sets.get(wanted) else {
                let (why, near) = match self.rejected_sets.get(wanted) {
                    Some(why) => (
                        format!(
                            "commands.sets[{at}]: the CommandSet `{wanted}` cannot be used ({why}): correct it"
                        ),
                        String::new(),
                    ),
                    None => (
                        format!(
                            "commands.sets[{at}]: there is no CommandSet `{wanted}`: make it, or take it out of `sets`"
                        ),
                        did_you_mean(
                            wanted,
                            BUILT_IN_SETS.into_iter().chain(self.sets.keys().map(String::as_str)),
                        ),
                    ),
                };
                let groups = spec.subjects.groups.iter().cloned().collect();
                return Err(No::Closed(Closed { why, groups, near }));
            };
            named.push(known.set.clone());
            sets.push(known.observed.clone());
        }
        let policy = spec.parse(name, &named).map_err(|error| No::Bad(error.to_string()))?;
        Ok(InForce { policy, observed: ObservedPolicy { uid, generation, spec: spec.clone(), sets } })
    }

    /// Takes in the sets.
    fn sets(&mut self, entries: Vec<(String, Entry<CommandSet>)>) -> Vec<News> {
        let mut news = Vec::new();
        let (mut sets, mut rejected) = (BTreeMap::new(), BTreeMap::new());
        for (name, entry) in entries {
            let last = self.sets.get(&name);
            let uid = entry.as_ref().ok().and_then(|object| object.uid());
            let read = entry.map_err(|error| error.to_string()).and_then(|object| {
                let set = object.parse().map_err(|error| error.to_string())?;
                let observed = ObservedSet {
                    name: name.clone(),
                    uid: object.uid().unwrap_or_default(),
                    generation: object.metadata.generation.unwrap_or_default(),
                    spec: object.spec.clone(),
                };
                Ok(KnownSet { set, observed })
            });
            match read {
                Ok(good) => {
                    if last.is_none_or(|last| last.set != good.set) || self.rejected_sets.contains_key(&name)
                    {
                        news.push(News::SetLoaded(name.clone()));
                    }
                    sets.insert(name, good);
                }
                Err(why) => {
                    let last = last.filter(|last| uid.is_none_or(|uid| uid == last.observed.uid));
                    if self.rejected_sets.get(&name) != Some(&why) {
                        let (name, why) = (name.clone(), why.clone());
                        news.push(News::SetRejected { name, why, kept: last.is_some() });
                    }
                    if let Some(last) = last {
                        sets.insert(name.clone(), last.clone());
                    }
                    rejected.insert(name, why);
                }
            }
        }
        (self.sets, self.rejected_sets) = (sets, rejected);
        news
    }
}

#[cfg(test)]
mod tests;
