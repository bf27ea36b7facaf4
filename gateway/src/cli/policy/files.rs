//! Reading what the command line names: files, and directories with all that is below them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use sallyport_policy::Policy;
use sallyport_policy::commands::NamedSet;

use super::cases::{self, AccessPolicyTest};
use crate::crd::files::{self, FileProblem, FromFile, Place, PolicyFromFile};

/// How many files are read at most, and how deep directories are walked.
const MOST_FILES: usize = 10_000;
const DEEPEST: usize = 16;

/// A set of cases, and where it stands.
#[derive(Debug)]
pub(super) struct Suite {
    pub(super) path: PathBuf,
    pub(super) test: AccessPolicyTest,
    /// Where each case stands.
    pub(super) places: Vec<Place>,
}

/// All that was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) policies: Vec<Policy>,
    /// The CommandSets that policies may name.
    pub(super) sets: Vec<NamedSet>,
    pub(super) suites: Vec<Suite>,
    pub(super) problems: Vec<FileProblem>,
    pub(super) files: usize,
    /// Policies that wait for all sets to be read.
    unresolved: Vec<PolicyFromFile>,
    /// What was seen, and where.
    seen: BTreeMap<(&'static str, String), String>,
}

/// Reads everything.
pub(super) fn read(paths: &[PathBuf]) -> Read {
    let mut read = Read::default();
    for path in paths {
        let mut found = Vec::new();
        if let Err(problem) = find(path, 0, true, &mut found) {
            read.problems.push(problem);
        }
        found.sort();
        for file in found {
            read.file(&file);
        }
    }
    read.resolve();
    read
}

fn trouble(path: &Path, what: impl ToString) -> FileProblem {
    FileProblem { path: path.to_owned(), place: Place::default(), what: what.to_string() }
}

fn find(path: &Path, depth: usize, named: bool, found: &mut Vec<PathBuf>) -> Result<(), FileProblem> {
    let kind = std::fs::metadata(path).map_err(|error| trouble(path, error))?;
    if kind.is_dir() {
        if depth > DEEPEST {
            return Err(trouble(path, "directories are nested too deeply"));
        }
        for entry in std::fs::read_dir(path).map_err(|error| trouble(path, error))? {
            let entry = entry.map_err(|error| trouble(path, error))?;
            // Where a volume keeps its versions, and what editors leave behind.
            if !entry.file_name().to_string_lossy().starts_with('.') {
                find(&entry.path(), depth + 1, false, found)?;
            }
        }
        return Ok(());
    }
    let ours = path.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|one| end == *one));
    // A kustomization is no policy; everything else in a directory of policies is meant to be one.
    let other = path.file_stem().is_some_and(|name| name == "kustomization");
    if named || (ours && !other) {
        if found.len() >= MOST_FILES {
            return Err(trouble(path, format!("more than {MOST_FILES} files")));
        }
        found.push(path.to_owned());
    }
    Ok(())
}

impl Read {
    fn file(&mut self, path: &Path) {
        self.files += 1;
        let long = std::fs::metadata(path).is_ok_and(|file| file.len() > files::LONGEST_FILE as u64);
        let text = if long { Err("the file is too long".to_owned()) } else { text(path) };
        let text = match text {
            Ok(text) => text,
            Err(error) => return self.problems.push(trouble(path, error)),
        };
        for one in files::objects(&text, path) {
            match one {
                Ok(FromFile::Policy(policy)) => self.unresolved.push(*policy),
                Ok(FromFile::Set(set)) => {
                    // Two of one name: neither would be in force.
                    self.double("CommandSet", set.set.name(), &set.path, set.place);
                    self.sets.push(set.set);
                }
                Err(problem) => self.problems.push(problem),
            }
        }
        // What is wrong with the file as a whole has been said.
        for document in files::documents(&text, path).unwrap_or_default() {
            match document.kind.as_str() {
                "AccessPolicy" | "CommandSet" => {}
                "AccessPolicyTest" => match document.read::<AccessPolicyTest>(&cases::schema()) {
                    Ok(test) => {
                        let places = (0..test.cases.len())
                            .map(|index| document.node.nearest(&format!("cases[{index}]")).place)
                            .collect();
                        self.suites.push(Suite { path: path.to_owned(), test, places });
                    }
                    Err(problems) => self.problems.extend(problems),
                },
                other => {
                    let what = format!("`{other}` is none of AccessPolicy, CommandSet and AccessPolicyTest");
                    self.problems.push(document.problem(document.node.place, what));
                }
            }
        }
    }

    /// Gives the policies the sets that they name.
    fn resolve(&mut self) {
        for one in std::mem::take(&mut self.unresolved) {
            let (path, place) = (one.path().to_owned(), one.place());
            match one.parse(&self.sets) {
                Ok(policy) => {
                    self.double("policy", policy.name().as_str(), &path, place);
                    self.policies.push(policy);
                }
                Err(problem) => self.problems.push(problem),
            }
        }
    }

    /// Notes where something stands, and whether its name was there before.
    fn double(&mut self, kind: &'static str, name: &str, path: &Path, place: Place) {
        match self.seen.entry((kind, name.to_owned())) {
            Entry::Occupied(earlier) => self.problems.push(FileProblem {
                path: path.to_owned(),
                place,
                what: format!("{kind} `{name}` is in {} already", earlier.get()),
            }),
            Entry::Vacant(free) => {
                free.insert(format!("{}:{place}", path.display()));
            }
        }
    }
}

fn text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}
