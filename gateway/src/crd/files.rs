//! AccessPolicies and CommandSets in files: YAML or JSON, several documents in one, each mistake with its line and column. Stricter
//! than the API server, which drops a field that it does not know: here a field with a typing error is an error.
//! Documents of another kind are left to others, those of another API group are errors.

mod node;
mod shape;

use std::path::{Path, PathBuf};

use kube::{CustomResourceExt, ResourceExt};
use sallyport_policy::commands::NamedSet;
use sallyport_policy::{Policy, PolicyError};
use serde::de::DeserializeOwned;

pub use node::{Field, Node, Place};

use super::{AccessPolicy, CommandSet, GROUP};

/// The longest file that is read, in bytes.
pub const LONGEST_FILE: usize = 1024 * 1024;
/// The API version of what stands in the files.
pub const VERSION: &str = "sallyport.dev/v1alpha1";

/// Something wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{place}: {what}", path.display())]
pub struct FileProblem {
    /// The file.
    pub path: PathBuf,
    /// Where in it.
    pub place: Place,
    /// What.
    pub what: String,
}

/// One document of a file.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its `kind`.
    pub kind: String,
    /// What it says, each piece with its place.
    pub node: Node,
    path: PathBuf,
}

/// A policy from a file; whether the CommandSets that it names are there is not known yet.
#[derive(Debug, Clone)]
pub struct PolicyFromFile {
    /// The object as the cluster would have it.
    pub object: AccessPolicy,
    document: Document,
}

/// A CommandSet from a file.
#[derive(Debug, Clone)]
pub struct SetFromFile {
    /// The object as the cluster would have it.
    pub object: CommandSet,
    /// The same, parsed.
    pub set: NamedSet,
    /// The file.
    pub path: PathBuf,
    /// Where its document begins.
    pub place: Place,
}

/// What is ours in a file.
#[derive(Debug, Clone)]
pub enum FromFile {
    /// A policy.
    Policy(Box<PolicyFromFile>),
    /// A CommandSet.
    Set(Box<SetFromFile>),
}

/// The documents of a file.
///
/// # Errors
/// When it is too long, is not YAML, or a document is not an object of ours.
pub fn documents(text: &str, path: &Path) -> Result<Vec<Document>, FileProblem> {
    let problem = |place, what: String| FileProblem { path: path.to_owned(), place, what };
    if text.len() > LONGEST_FILE {
        let what = format!("longer than {} KiB", LONGEST_FILE / 1024);
        return Err(problem(Place::default(), what));
    }
    let nodes = node::read(text).map_err(|(place, what)| problem(place, what))?;
    nodes
        .into_iter()
        .filter(|node| !node.is_null())
        .map(|node| {
            let word = |key: &str| node.get(key).and_then(Node::text).unwrap_or_default().to_owned();
            let (version, kind) = (word("apiVersion"), word("kind"));
            if version != VERSION {
                let place = node.get("apiVersion").map_or(node.place, |there| there.place);
                return Err(problem(place, format!("`apiVersion` must be {VERSION}")));
            }
            if kind.is_empty() {
                return Err(problem(node.place, "`kind` is missing".to_owned()));
            }
            Ok(Document { kind, node, path: path.to_owned() })
        })
        .collect()
}

/// The policies and sets among the documents of a file; every mistake is told, not only the first.
#[must_use]
pub fn objects(text: &str, path: &Path) -> Vec<Result<FromFile, FileProblem>> {
    let read = |document: &Document| match document.kind.as_str() {
        "AccessPolicy" => policy(document),
        "CommandSet" => set(document),
        _ => Vec::new(),
    };
    match documents(text, path) {
        Ok(documents) => documents.iter().flat_map(read).collect(),
        Err(problem) => vec![Err(problem)],
    }
}

impl PolicyFromFile {
    /// Parses it, with the sets that it may name.
    ///
    /// # Errors
    /// Where it names one that is not there.
    pub fn parse(&self, sets: &[NamedSet]) -> Result<Policy, FileProblem> {
        self.object.parse(sets).map_err(|error| self.document.wrong(&error))
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.document.path
    }

    /// Where its document begins.
    #[must_use]
    pub const fn place(&self) -> Place {
        self.document.node.place
    }
}

impl Document {
    /// A problem at some place of this document.
    #[must_use]
    pub fn problem(&self, place: Place, what: impl Into<String>) -> FileProblem {
        FileProblem { path: self.path.clone(), place, what: what.into() }
    }

    /// A policy's mistake at its place.
    fn wrong(&self, error: &PolicyError) -> FileProblem {
        self.problem(self.place_of(&error.field), error.to_string())
    }

    /// Where the field stands that an error names; as near as there is.
    fn place_of(&self, field: &str) -> Place {
        let path = if field.starts_with("metadata.") { field.to_owned() } else { format!("spec.{field}") };
        self.node.nearest(&path).place
    }

    /// Reads it as `T`, whose schema it must follow to the letter.
    ///
    /// # Errors
    /// Every field that is unknown, missing or of the wrong type.
    pub fn read<T: DeserializeOwned>(&self, schema: &serde_json::Value) -> Result<T, Vec<FileProblem>> {
        let mut wrong = Vec::new();
        shape::check(&self.node, schema, &mut wrong);
        if !wrong.is_empty() {
            return Err(wrong.into_iter().map(|(place, what)| self.problem(place, what)).collect());
        }
        serde_json::from_value(self.node.to_json())
            .map_err(|error| vec![self.problem(self.node.place, error.to_string())])
    }
}

fn policy(document: &Document) -> Vec<Result<FromFile, FileProblem>> {
    let object: AccessPolicy = match document.read(&schema()) {
        Ok(object) => object,
        Err(problems) => return problems.into_iter().map(Err).collect(),
    };
    vec![match object.spec.check(&object.name_any()) {
        Ok(()) => Ok(FromFile::Policy(Box::new(PolicyFromFile { object, document: document.clone() }))),
        Err(error) => Err(document.wrong(&error)),
    }]
}

fn set(document: &Document) -> Vec<Result<FromFile, FileProblem>> {
    let object: CommandSet = match document.read(&set_schema()) {
        Ok(object) => object,
        Err(problems) => return problems.into_iter().map(Err).collect(),
    };
    let (path, place) = (document.path.clone(), document.node.place);
    vec![match object.parse() {
        Ok(set) => Ok(FromFile::Set(Box::new(SetFromFile { object, set, path, place }))),
        Err(error) => Err(document.problem(document.place_of(&error.field), error.to_string())),
    }]
}

/// What an AccessPolicy in a file must look like: the custom resource's schema, with a name.
#[must_use]
pub fn schema() -> serde_json::Value {
    schema_of::<AccessPolicy>("AccessPolicy", "What people ask for.")
}

/// What a CommandSet in a file must look like.
#[must_use]
pub fn set_schema() -> serde_json::Value {
    schema_of::<CommandSet>("CommandSet", "What policies name in `commands.sets`.")
}

fn schema_of<K: CustomResourceExt>(kind: &str, name: &str) -> serde_json::Value {
    let versions = K::crd().spec.versions;
    let schema = versions.first().and_then(|version| version.schema.clone());
    let mut schema = serde_json::to_value(schema.and_then(|schema| schema.open_api_v3_schema))
        .unwrap_or(serde_json::Value::Null);
    if let Some(properties) = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut) {
        properties.insert("apiVersion".to_owned(), serde_json::json!({ "type": "string", "const": VERSION }));
        properties.insert("kind".to_owned(), serde_json::json!({ "type": "string", "const": kind }));
        properties.insert(
            "metadata".to_owned(),
            serde_json::json!({
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": { "type": "string", "description": name },
                    "labels": { "type": "object", "additionalProperties": { "type": "string" } },
                    "annotations": { "type": "object", "additionalProperties": { "type": "string" } },
                },
            }),
        );
    }
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("required".to_owned(), serde_json::json!(["apiVersion", "kind", "metadata", "spec"]));
        schema.insert("title".to_owned(), serde_json::json!(format!("{kind} ({GROUP})")));
    }
    schema
}

#[cfg(test)]
mod tests;
