//! Policies and CommandSets from a directory of files: read at the start and whenever something in it changes, as a mounted ConfigMap
//! does by moving a link. A file with a mistake leaves what was good in it in force, and says so with line and column.
//! That memory is the process's own: after a restart only what can be read is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::ResourceExt;
use kube::api::ObjectMeta;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use serde::Serialize;
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::crd::files::{self, FileProblem, FromFile};
use crate::crd::{AccessPolicy, CommandSet};

/// What changes within this time is read together.
const SETTLE: Duration = Duration::from_millis(200);
/// Where nothing tells of changes (some network file systems do not), this is how old what is known may become.
const AT_LEAST: Duration = Duration::from_secs(60);
/// How many files are read at most.
const MOST_FILES: usize = 2000;

/// What the files say.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Known {
    files: BTreeMap<PathBuf, Objects>,
    /// What is wrong, in words with places.
    pub(super) problems: Vec<String>,
}

/// What one file says, by name.
#[derive(Debug, Clone, Default, PartialEq)]
struct Objects {
    policies: BTreeMap<String, Arc<AccessPolicy>>,
    sets: BTreeMap<String, Arc<CommandSet>>,
}

/// The directory. The watch ends with the last clone.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    known: Arc<Mutex<Known>>,
    changes: watch::Sender<u64>,
    _alive: Arc<DropGuard>,
}

impl Directory {
    /// Reads the directory and begins to watch it.
    pub(super) fn start(path: PathBuf) -> Self {
        let known = Arc::new(Mutex::new(Known::default().then(&path)));
        let changes = watch::Sender::new(0);
        let stop = CancellationToken::new();
        tokio::spawn({
            let (known, changes, stop) = (Arc::clone(&known), changes.clone(), stop.clone());
            async move { stop.run_until_cancelled(follow(path, known, changes)).await }
        });
        Self { known, changes, _alive: Arc::new(stop.drop_guard()) }
    }

    /// Every policy with the file that it is in, and what is wrong.
    pub(super) fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes its value whenever what is known does.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl Known {
    /// Every policy with the file that it is in.
    pub(super) fn policies(&self) -> impl Iterator<Item = (&Path, &Arc<AccessPolicy>)> {
        self.files
            .iter()
            .flat_map(|(path, said)| said.policies.values().map(move |policy| (path.as_path(), policy)))
    }

    /// Every CommandSet with the file that it is in.
    pub(super) fn sets(&self) -> impl Iterator<Item = (&Path, &Arc<CommandSet>)> {
        self.files.iter().flat_map(|(path, said)| said.sets.values().map(move |set| (path.as_path(), set)))
    }

    /// What is known after reading again.
    fn then(&self, directory: &Path) -> Self {
        let mut now = Self::default();
        let paths = match list(directory) {
            Ok(paths) => paths,
            Err(error) => {
                // A directory that is away for a moment, as during an exchange, takes nothing with it.
                let problems = vec![format!("{}: {error}", directory.display())];
                return Self { files: self.files.clone(), problems };
            }
        };
        for path in paths {
            let before = self.files.get(&path);
            let (good, problems) = read(&path);
            let mut said =
                if problems.is_empty() { Objects::default() } else { before.cloned().unwrap_or_default() };
            said.policies.extend(good.policies);
            said.sets.extend(good.sets);
            now.problems.extend(problems.iter().map(ToString::to_string));
            now.files.insert(path, said);
        }
        now
    }
}

fn list(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let ours = [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end));
        // Links are followed: that is how a ConfigMap's files look.
        if ours && !name.starts_with('.') && name != "kustomization.yaml" && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    paths.truncate(MOST_FILES);
    Ok(paths)
}

fn read(path: &Path) -> (Objects, Vec<FileProblem>) {
    let trouble = |what: String| FileProblem { path: path.to_owned(), place: files::Place::default(), what };
    let long = std::fs::metadata(path).is_ok_and(|file| file.len() > files::LONGEST_FILE as u64);
    if long {
        return (Objects::default(), vec![trouble("the file is too long".to_owned())]);
    }
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return (Objects::default(), vec![trouble(error.to_string())]),
    };
    let (mut good, mut problems) = (Objects::default(), Vec::new());
    for one in files::objects(&text, path) {
        match one {
            // What was approved names the version that was approved.
            Ok(FromFile::Policy(policy)) => {
                let mut object = policy.object;
                stamp(&mut object.metadata, &object.spec);
                let name = object.name_any();
                if good.policies.insert(name.clone(), Arc::new(object)).is_some() {
                    problems.push(trouble(format!("policy `{name}` is in this file twice")));
                }
            }
            Ok(FromFile::Set(set)) => {
                let mut object = set.object;
                stamp(&mut object.metadata, &object.spec);
                let name = object.name_any();
                if good.sets.insert(name.clone(), Arc::new(object)).is_some() {
                    problems.push(trouble(format!("CommandSet `{name}` is in this file twice")));
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    (good, problems)
}

/// Gives an object what an API server would: another uid for every other content.
fn stamp(metadata: &mut ObjectMeta, spec: &impl Serialize) {
    let text = serde_json::to_vec(spec).unwrap_or_default();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &text);
    let short: String = digest.as_ref().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    metadata.uid = Some(format!("file:{short}"));
    metadata.generation = Some(1);
}

async fn follow(path: PathBuf, known: Arc<Mutex<Known>>, changes: watch::Sender<u64>) {
    let woken = Arc::new(Notify::new());
    let wake = Arc::clone(&woken);
    let watcher = notify::recommended_watcher(move |_: notify::Result<notify::Event>| wake.notify_one());
    let mut watcher: Option<RecommendedWatcher> = watcher
        .inspect_err(
            |error| tracing::warn!(%error, "changes of policy files are noticed within a minute only"),
        )
        .ok();
    if let Some(watcher) = &mut watcher
        && let Err(error) = watcher.watch(&path, RecursiveMode::NonRecursive)
    {
        tracing::warn!(%error, path = %path.display(), "changes of policy files are noticed within a minute only");
    }
    loop {
        if tokio::time::timeout(AT_LEAST, woken.notified()).await.is_ok() {
            tokio::time::sleep(SETTLE).await;
        }
        let before = known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (directory, asked) = (path.clone(), before.clone());
        let Ok(now) = tokio::task::spawn_blocking(move || asked.then(&directory)).await else { continue };
        if now != before {
            *known.lock().unwrap_or_else(PoisonError::into_inner) = now;
            changes.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn policy(name: &str, longest: &str) -> String {
        format!(
            "apiVersion: sallyport.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {{name: {name}}}\nspec:\n  subjects: \
             {{groups: [oncall]}}\n  namespaces: [payments]\n  allow: {{exec: true}}\n  clusterRole: view\n  \
             maxDuration: {longest}\n  approval: {{required: 0}}\n"
        )
    }

    fn names(known: &Known) -> Vec<String> {
        known
            .policies()
            .map(|(_, policy)| format!("{} {}", policy.name_any(), policy.spec.max_duration))
            .collect()
    }

    #[test]
    fn a_mistake_leaves_what_was_good_in_force_and_a_file_that_goes_takes_its_policies_along() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| fs::write(directory.path().join(name), text).unwrap();
        write("a.yaml", policy("one", "1h") + "---\n" + &policy("two", "1h"));
        write(
            "b.json",
            serde_json::to_string(&serde_json::json!({"apiVersion": "sallyport.dev/v1alpha1"})).unwrap(),
        );
        write("notes.txt", "not a policy".to_owned());
        let first = Known::default().then(directory.path());
        assert_eq!(names(&first), ["one 1h", "two 1h"]);
        assert_eq!(first.problems.len(), 1, "{:?}", first.problems);
        write("a.yaml", policy("one", "2h") + "---\n" + &policy("two", "soon"));
        let second = first.then(directory.path());
        assert_eq!(names(&second), ["one 2h", "two 1h"]);
        assert!(second.problems[0].contains("a.yaml:20:16: maxDuration"), "{:?}", second.problems);
        // Broken as a whole.
        write("a.yaml", "a: [".to_owned());
        assert_eq!(names(&second.then(directory.path())), ["one 2h", "two 1h"]);
        fs::remove_file(directory.path().join("a.yaml")).unwrap();
        assert!(names(&second.then(directory.path())).is_empty());
        assert_eq!(names(&second.then(&directory.path().join("away"))), ["one 2h", "two 1h"]);
    }

    #[test]
    fn sets_stand_beside_policies_and_one_with_a_mistake_stays_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let set = |program: &str| {
            format!(
                "apiVersion: sallyport.dev/v1alpha1\nkind: CommandSet\nmetadata: {{name: java-team}}\nspec:\n  allow:\n  - \
                 programs: [{program}]\n"
            )
        };
        let ruled = policy("one", "1h") + "  commands: {sets: [java-team]}\n";
        let write = |name: &str, text: String| fs::write(directory.path().join(name), text).unwrap();
        let programs = |known: &Known| -> Vec<String> {
            known.sets().flat_map(|(_, set)| set.spec.allow[0].programs.clone()).collect()
        };
        // The set that the policy names may stand in another file, or in the cluster.
        write("a.yaml", ruled.clone());
        let first = Known::default().then(directory.path());
        assert!(first.problems.is_empty(), "{:?}", first.problems);
        write("b.yaml", set("jcmd"));
        let second = first.then(directory.path());
        assert_eq!((names(&second), programs(&second)), (vec!["one 1h".to_owned()], vec!["jcmd".to_owned()]));
        write("b.yaml", set("bash"));
        let third = second.then(directory.path());
        assert_eq!(programs(&third), ["jcmd"]);
        assert!(
            third.problems[0].contains("b.yaml:6:16: allow[0].programs[0]: `bash`"),
            "{:?}",
            third.problems
        );
        write("b.yaml", set("jcmd") + "---\n" + &set("jstack"));
        assert!(third.then(directory.path()).problems[0].contains("`java-team` is in this file twice"));
        write("b.yaml", set("jcmd").replace("java-team", "observe"));
        assert!(third.then(directory.path()).problems[0].contains("built-in set"));
    }

    #[tokio::test]
    async fn a_config_map_that_is_exchanged_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let version = |number: u32, longest: &str| {
            let data = directory.path().join(format!("..{number}"));
            fs::create_dir(&data).unwrap();
            fs::write(data.join("p.yaml"), policy("one", longest)).unwrap();
            let link = directory.path().join("..data_tmp");
            std::os::unix::fs::symlink(format!("..{number}"), &link).unwrap();
            fs::rename(link, directory.path().join("..data")).unwrap();
        };
        version(1, "1h");
        std::os::unix::fs::symlink("..data/p.yaml", directory.path().join("p.yaml")).unwrap();
        let watched = Directory::start(directory.path().to_owned());
        assert_eq!(names(&watched.known()), ["one 1h"]);
        let mut changes = watched.changes();
        changes.mark_unchanged();
        tokio::time::sleep(Duration::from_millis(100)).await;
        version(2, "2h");
        tokio::time::timeout(Duration::from_secs(20), changes.changed()).await.unwrap().unwrap();
        assert_eq!(names(&watched.known()), ["one 2h"]);
    }
}
