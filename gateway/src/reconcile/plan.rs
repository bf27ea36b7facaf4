//! What has to be done for one request, from what is there. Pure, so every case is a test without a cluster.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sallyport_policy::lifecycle::{Command, Life, Stage, step};
use sallyport_policy::{Policy, RequestName, Window};

use super::lapse::Lapse;
use super::network::{self, Surroundings};
use super::piece::{Difference, Piece};
use super::{binding, story};
use crate::crd::{AccessLock, AccessRequest, Opened, StateError};

/// How long a grant that cannot be opened is tried, from the beginning of its window on.
pub(super) const TRIED_FOR: Duration = Duration::from_secs(60);

/// How long a request may be without its first status. Whoever makes one writes it at once.
pub(super) const UNOPENED_FOR: Duration = Duration::from_secs(15);

/// One thing to do. All are safe to do twice, and by two at once.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Task {
    /// Write this state; where the grant begins by it, with what is open.
    Store(Box<Life>, Option<Vec<Opened>>),
    /// Create this piece; where it was there before, somebody has removed it.
    Make { piece: Piece, again: bool },
    /// Bring this piece back to what it should be.
    Mend { there: Piece, wanted: Piece, difference: Difference },
    /// Delete this piece, if it is still the same object; said aloud where it should never have been there.
    Remove { piece: Piece, why: Option<&'static str> },
    /// Write down that these exist, and the conditions that follow.
    Settle(Vec<Opened>),
    /// It is over: see that nothing of what the register names is left, then write that down.
    Sweep(Vec<Opened>),
    /// It cannot be opened, for a reason that the requester should know.
    Refuse(String),
    /// Mark it as failed, although its state cannot be read as one.
    Spoil(String),
}

/// What is looked at beside the request and its pieces.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) now: Timestamp,
    pub(super) locks: &'a [Arc<AccessLock>],
    pub(super) around: &'a Surroundings,
    /// Why it may not go on, if so.
    pub(super) lapse: Option<&'a Lapse>,
    /// The policy in force under its name.
    pub(super) in_force: Option<&'a Policy>,
}

/// The next things to do, in order. Empty: the cluster is as the request says.
pub(super) fn plan(request: &AccessRequest, pieces: &[Piece], view: View<'_>) -> Vec<Task> {
    let Ok(name) = request.request_name() else {
        return remove(pieces, Some("its request has no valid name"));
    };
    let life = match request.life() {
        Ok(life) => life,
        Err(error) => {
            // What cannot be understood opens nothing.
            let phase = request.status.as_ref().map(|status| status.phase).unwrap_or_default();
            if phase.is_final() {
                return ended(request, pieces);
            }
            let mut tasks = remove(pieces, None);
            if matches!(error, StateError::Changed) {
                tasks.insert(0, Task::Spoil(error.to_string()));
            }
            return tasks;
        }
    };
    if request.metadata.deletion_timestamp.is_some() {
        return remove(pieces, None);
    }
    let first = |task: Task| std::iter::once(task).chain(remove(pieces, None)).collect();
    let ticked = step(life.clone(), &Command::Tick, view.now);
    if ticked.life != life {
        return first(Task::Store(Box::new(ticked.life), None));
    }
    let fail = |why: &str| {
        first(Task::Store(Box::new(step(life.clone(), &Command::Fail { why }, view.now).life), None))
    };
    let tasks = match &life.stage {
        Stage::Pending { terms: None } if is_orphan(&life, view) => {
            return fail("the gateway that took it stopped before it was opened; ask again");
        }
        Stage::Pending { .. } => remove(pieces, Some("nothing is approved")),
        Stage::Ended(_) => return ended(request, pieces),
        Stage::Approved { window, .. } if view.now < window.start => {
            remove(pieces, Some("its time has not come"))
        }
        Stage::Approved { .. } | Stage::Active { .. } if view.lapse.is_some() => {
            let Some(Lapse { cause, why }) = view.lapse else { return Vec::new() };
            let lapsed = step(life, &Command::Lapse { cause: *cause, why }, view.now);
            return first(Task::Store(Box::new(lapsed.life), None));
        }
        Stage::Approved { terms, window } => {
            let open = step(life.clone(), &Command::Activate, view.now);
            if let Some(denied) = open.refused {
                // Somebody has written a status that the rules do not allow.
                return fail(&denied.to_string());
            }
            let tasks = prepare(request, &name, terms, *window, pieces, view);
            if tasks.is_empty() {
                vec![Task::Store(Box::new(open.life), Some(register(pieces)))]
            } else {
                tasks
            }
        }
        Stage::Active { terms, window } => {
            if let Err(denied) = life.stands() {
                return fail(&format!("it became active although nothing on record justifies it: {denied}"));
            }
            prepare(request, &name, terms, *window, pieces, view)
        }
    };
    if !tasks.is_empty() {
        return tasks;
    }
    settle(request, register(pieces))
}

/// Whether nobody will ever answer it: its gateway died between making it and its first status, and its policy lets
/// in without a person, so that nobody can approve it. It is not opened late: only the gateway that made it knew that
/// its requester was there.
fn is_orphan(life: &Life, view: View<'_>) -> bool {
    let nobody = view.in_force.is_some_and(|policy| policy.stages().is_empty());
    nobody && life.asked.at.checked_add(UNOPENED_FOR).is_ok_and(|late| view.now >= late)
}

/// What is over has nothing left, and that is written down.
fn ended(request: &AccessRequest, pieces: &[Piece]) -> Vec<Task> {
    let (tasks, registered) = (remove(pieces, None), opened(request));
    match (tasks.is_empty(), registered.is_empty()) {
        (false, _) => tasks,
        (true, false) => vec![Task::Sweep(registered)],
        (true, true) => settle(request, Vec::new()),
    }
}

/// The register and the conditions, where they are not as they should be.
fn settle(request: &AccessRequest, there: Vec<Opened>) -> Vec<Task> {
    let told = story::conditions(request, &there);
    let as_told = request
        .status
        .as_ref()
        .is_some_and(|status| status.opened == there && story::are_told(&status.conditions, &told));
    if as_told || request.status.is_none() { Vec::new() } else { vec![Task::Settle(there)] }
}

/// What is missing or wrong among a grant's pieces.
fn prepare(
    request: &AccessRequest,
    name: &RequestName,
    terms: &Policy,
    window: Window,
    pieces: &[Piece],
    view: View<'_>,
) -> Vec<Task> {
    let (wanted, all) = match (
        wanted(request, name, terms, window, view, true),
        wanted(request, name, terms, window, view, false),
    ) {
        (Ok(wanted), Ok(all)) => (wanted, all),
        (Err(why), _) | (_, Err(why)) => {
            return remove(pieces, None).into_iter().chain([Task::Refuse(why)]).collect();
        }
    };
    let ends = ends(request);
    let registered = opened(request);
    let mut tasks = Vec::new();
    for there in pieces.iter().filter(|piece| !piece.is_going()) {
        match wanted.iter().find(|wanted| wanted.opened() == there.opened()) {
            Some(wanted) => {
                if let Some(difference) = there.differs(wanted, &ends) {
                    tasks.push(Task::Mend { there: there.clone(), wanted: wanted.clone(), difference });
                }
            }
            None => {
                // What a lock withholds is nobody's fault.
                let withheld = all.iter().any(|piece| piece.opened() == there.opened());
                let why = (!withheld).then_some("the grant does not cover it");
                tasks.push(Task::Remove { piece: there.clone(), why });
            }
        }
    }
    for piece in wanted {
        if !pieces.iter().any(|there| there.opened() == piece.opened() && !there.is_going()) {
            let again = registered.contains(&piece.opened());
            tasks.push(Task::Make { piece, again });
        }
    }
    tasks
}

/// What should be there; without `locked`, as if there were no locks.
fn wanted(
    request: &AccessRequest,
    name: &RequestName,
    terms: &Policy,
    window: Window,
    view: View<'_>,
    locked: bool,
) -> Result<Vec<Piece>, String> {
    if request.is_for_one_command() {
        return Ok(Vec::new());
    }
    let (role, ends) = (terms.cluster_role(), window.end);
    let namespaces: BTreeSet<&str> = request.spec.namespaces.iter().map(String::as_str).collect();
    let mut pieces = Vec::new();
    let mut open = Vec::new();
    for namespace in namespaces {
        let lock = view.locks.iter().filter(|lock| locked && applies(lock, namespace, view.now));
        let (whole, part): (Vec<_>, Vec<_>) =
            lock.partition(|lock| lock.spec.target.as_ref().is_some_and(|target| target.pod.is_none()));
        if !whole.is_empty() {
            continue;
        }
        pieces.push(binding::of_the_grant(request, name, role, namespace, ends).into());
        // The gateway keeps people out of a locked pod; it does not see what they do by themselves.
        if part.is_empty() {
            open.push(namespace);
            if terms.own_identity() {
                pieces.push(binding::of_the_person(request, name, role, namespace, ends)?.into());
            }
        }
    }
    if let Some(policy) = request.status.as_ref().and_then(|status| status.policy.as_ref()) {
        let paths = network::paths(request, name, &policy.spec, &open, ends, view.around)?;
        pieces.extend(paths.into_iter().map(Piece::from));
    }
    Ok(pieces)
}

fn applies(lock: &AccessLock, namespace: &str, now: Timestamp) -> bool {
    lock.spec.until.is_none_or(|until| now < until)
        && lock.spec.target.as_ref().is_some_and(|target| target.namespace == namespace)
}

/// The ends that a grant has had: a piece that still says one of them was not touched by anybody.
fn ends(request: &AccessRequest) -> Vec<Timestamp> {
    let Some(status) = &request.status else { return Vec::new() };
    let asked = sallyport_policy::duration::parse(&request.spec.duration).ok();
    let first = status.window.and_then(|window| window.start.checked_add(asked?).ok());
    first.into_iter().chain(status.extensions.iter().map(|one| one.until)).collect()
}

fn register(pieces: &[Piece]) -> Vec<Opened> {
    pieces.iter().map(Piece::opened).collect::<BTreeSet<_>>().into_iter().collect()
}

fn opened(request: &AccessRequest) -> Vec<Opened> {
    request.status.as_ref().map(|status| status.opened.clone()).unwrap_or_default()
}

pub(super) fn remove(pieces: &[Piece], why: Option<&'static str>) -> Vec<Task> {
    let there = pieces.iter().filter(|piece| !piece.is_going());
    there.map(|piece| Task::Remove { piece: piece.clone(), why }).collect()
}

#[cfg(test)]
mod tests;
