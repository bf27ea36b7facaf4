//! Making codes, offline: sheets to print, the file for the gateway, the object and rights for the cluster.

use std::collections::BTreeSet;
use std::path::Path;

use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::book::{self, Entry, File};
use super::{Book, Code, CodesError, MOST_CODES};

/// What is to be made.
#[derive(Debug)]
pub struct Plan {
    people: Vec<Named>,
    need: usize,
    count: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct People {
    people: Vec<Named>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    issuer: String,
    subject: String,
    username: String,
    groups: BTreeSet<String>,
}

/// One person's codes, to print and to seal.
#[derive(Debug)]
pub struct Sheet {
    /// Whose.
    pub username: String,
    /// The text.
    pub text: SecretString,
}

/// All that was made.
#[derive(Debug)]
pub struct Made {
    /// What the gateway reads (`breakGlass.codesFile`); without a code.
    pub file: String,
    /// A sheet for each person.
    pub sheets: Vec<Sheet>,
    /// What the cluster needs.
    pub manifest: String,
}

impl Plan {
    /// Reads the file of people.
    ///
    /// # Errors
    /// When it cannot be read or is no such file, or the numbers are out of bounds.
    pub fn load(path: &Path, need: usize, count: usize) -> Result<Self, CodesError> {
        let text = book::text(path, false)?;
        let People { people } = serde_saphyr::from_str(&text)
            .map_err(|error| CodesError::Parse { path: path.to_owned(), what: error.to_string() })?;
        book::bounds(need, people.len())?;
        if count == 0 || count > MOST_CODES {
            return Err(CodesError::Invalid(format!("1 to {MOST_CODES} codes can be made for each person")));
        }
        Ok(Self { people, need, count })
    }
}

/// Makes the codes.
///
/// # Errors
/// When somebody cannot be, or is named twice.
pub fn make(plan: Plan, namespace: &str) -> Result<Made, CodesError> {
    let random = |bytes: usize| -> Vec<u8> { (0..bytes).map(|_| rand::rng().random()).collect() };
    let id = book::hex(&random(book::ID / 2));
    let Plan { people, need, count } = plan;
    let (mut entries, mut sheets) = (Vec::new(), Vec::new());
    for Named { issuer, subject, username, groups } in people {
        let salt = random(16);
        let codes: Vec<Code> = (0..count).map(|_| Code::random()).collect();
        let hashes = codes.iter().map(|code| book::hex(&code.hash(&id, &salt))).collect();
        sheets.push(Sheet { username: username.clone(), text: sheet(&id, &username, need, &codes) });
        let salt = book::hex(&salt);
        entries.push(Entry { issuer, subject, username, groups, salt, codes: hashes });
    }
    let file = File { version: 1, id: id.clone(), need, people: entries };
    let text = serde_saphyr::to_string(&file)
        .map_err(|error| CodesError::Invalid(format!("the file cannot be written: {error}")))?;
    // What the gateway would refuse is not printed.
    Book::new(file)?;
    Ok(Made { file: text, sheets, manifest: manifest(&id, namespace) })
}

fn sheet(id: &str, username: &str, need: usize, codes: &[Code]) -> SecretString {
    let mut text = format!(
        "Sallyport: sealed codes of {username}\nFile {id}\n\n\
         Only while the sign-in provider is down. Each code works once. It takes one of yours and {others} of others:\n\n    \
         ssh -t GATEWAY break-glass > ~/.ssh/id_ed25519-cert.pub\n\n",
        others = need - 1,
    );
    for (number, code) in (1..).zip(codes) {
        text += &format!("{number:>4}   {}\n", code.shown().expose_secret());
    }
    text.into()
}

/// The object that notes used codes, and the right to note. Made by an operator, never by the gateway: a deleted object
/// would make used codes good again.
fn manifest(id: &str, namespace: &str) -> String {
    let name = crate::config::codes_object(id);
    format!(
        "# Which sealed codes are used. Whoever deletes or empties it makes used codes good again.\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: {namespace}\ndata:\n  file: \"{id}\"\n\
         ---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: {name}\n  namespace: {namespace}\n\
         rules:\n  - apiGroups: [\"\"]\n    resources: [configmaps]\n    resourceNames: [{name}]\n    verbs: [get, update]\n\
         ---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata:\n  name: {name}\n  \
         namespace: {namespace}\nroleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: Role\n  name: {name}\n\
         subjects:\n  - kind: ServiceAccount\n    name: sallyport\n    namespace: {namespace}\n"
    )
}
