//! Reading what the command line names: files, and directories with all that is below them.

use std::path::{Path, PathBuf};

use super::cases::{self, AccessPolicyTest};
use crate::crd::files::{self, FileProblem, Place, PolicyFromFile};

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
    pub(super) policies: Vec<PolicyFromFile>,
    pub(super) suites: Vec<Suite>,
    pub(super) problems: Vec<FileProblem>,
    pub(super) files: usize,
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
    read.doubles();
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
        for one in files::policies(&text, path) {
            match one {
                Ok(policy) => self.policies.push(policy),
                Err(problem) => self.problems.push(problem),
            }
        }
        // What is wrong with the file as a whole has been said.
        for document in files::documents(&text, path).unwrap_or_default() {
            match document.kind.as_str() {
                "AccessPolicy" => {}
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
                    let what = format!("`{other}` is neither AccessPolicy nor AccessPolicyTest");
                    self.problems.push(document.problem(document.node.place, what));
                }
            }
        }
    }

    /// Two policies of one name: neither would be in force.
    fn doubles(&mut self) {
        let mut seen: Vec<(String, String)> = Vec::new();
        for one in &self.policies {
            let name = one.policy.name().to_string();
            match seen.iter().find(|(earlier, _)| *earlier == name) {
                Some((_, place)) => self.problems.push(FileProblem {
                    path: one.path.clone(),
                    place: one.place,
                    what: format!("policy `{name}` is in {place} already"),
                }),
                None => seen.push((name, format!("{}:{}", one.path.display(), one.place))),
            }
        }
    }
}

fn text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}
