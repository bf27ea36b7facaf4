//! The file that says whom codes let in: identities and salted hashes.

use std::collections::BTreeSet;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde::{Deserialize, Serialize};

use super::{Code, CodesError, MOST_CODES, MOST_NEEDED, MOST_PEOPLE};
use crate::identity::Identity;

const LONGEST: u64 = 1024 * 1024;
/// Hexadecimal digits of a file's id and of a salt.
pub(super) const ID: usize = 16;
const SALT: usize = 16;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct File {
    pub(super) version: u32,
    pub(super) id: String,
    pub(super) need: usize,
    pub(super) people: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) username: String,
    pub(super) groups: BTreeSet<String>,
    pub(super) salt: String,
    pub(super) codes: Vec<String>,
}

/// Whom sealed codes let in.
#[derive(Debug)]
pub struct Book {
    id: String,
    need: usize,
    people: Vec<Person>,
}

#[derive(Debug)]
struct Person {
    identity: Identity,
    salt: Vec<u8>,
    hashes: Vec<[u8; 32]>,
}

/// A code that the file knows.
#[derive(Debug, Clone)]
pub struct Found<'b> {
    person: usize,
    /// Whose it is.
    pub owner: &'b Identity,
    /// Its number on their sheet, from 1.
    pub number: usize,
    /// What the cluster notes when it is used: its hash.
    pub mark: String,
}

/// What a file holds, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The file's id.
    pub id: String,
    /// The object that notes which codes are used.
    pub object: String,
    /// How many codes it takes.
    pub need: usize,
    /// Usernames, and how many codes each was given.
    pub people: Vec<(String, usize)>,
}

impl Book {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// When it cannot be read, may be written by others, is no such file, or names people of another provider.
    pub fn load(path: &Path, issuer: &str) -> Result<Self, CodesError> {
        let book = Self::read(path)?;
        match book.people.iter().find(|person| person.identity.issuer() != issuer) {
            Some(other) => Err(CodesError::Invalid(format!(
                "`{}` is of the issuer `{}`, but `oidc.issuer` is `{issuer}`",
                other.identity.username(),
                other.identity.issuer()
            ))),
            None => Ok(book),
        }
    }

    /// Reads a file whoever the provider is.
    ///
    /// # Errors
    /// As [`Book::load`].
    pub fn read(path: &Path) -> Result<Self, CodesError> {
        let text = text(path, true)?;
        let file = serde_saphyr::from_str(&text)
            .map_err(|error| CodesError::Parse { path: path.to_owned(), what: error.to_string() })?;
        Self::new(file)
    }

    pub(super) fn new(file: File) -> Result<Self, CodesError> {
        let invalid = |what: &str| Err(CodesError::Invalid(what.to_owned()));
        if file.version != 1 {
            return invalid("`version` must be 1");
        }
        if file.id.len() != ID || bytes(&file.id).is_none() {
            return invalid("`id` must have 16 hexadecimal digits");
        }
        let (mut people, mut accounts, mut names, mut marks) =
            (Vec::new(), BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        bounds(file.need, file.people.len())?;
        for (number, entry) in (1..).zip(file.people) {
            let account = (entry.issuer.clone(), entry.subject.clone());
            if !accounts.insert(account) || !names.insert(entry.username.clone()) {
                return Err(CodesError::Invalid(format!("person {number} is in the file twice")));
            }
            let identity = Identity::from_codes(entry.issuer, entry.subject, entry.username, entry.groups)
                .map_err(|problem| CodesError::Person { number, problem })?;
            let hashes: Option<Vec<[u8; 32]>> =
                entry.codes.iter().map(|hash| bytes(hash)?.try_into().ok()).collect();
            let salt = bytes(&entry.salt).filter(|salt| salt.len() == SALT);
            let (Some(salt), Some(hashes)) = (salt, hashes) else {
                return Err(CodesError::Invalid(format!("the salt or a hash of person {number} is none")));
            };
            if hashes.is_empty() || hashes.len() > MOST_CODES {
                return Err(CodesError::Invalid(format!(
                    "person {number} must have 1 to {MOST_CODES} codes"
                )));
            }
            if !hashes.iter().all(|hash| marks.insert(*hash)) {
                return Err(CodesError::Invalid(format!("a code of person {number} is in the file twice")));
            }
            people.push(Person { identity, salt, hashes });
        }
        Ok(Self { id: file.id, need: file.need, people })
    }

    /// The file's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How many codes it takes, of so many people.
    #[must_use]
    pub const fn need(&self) -> usize {
        self.need
    }

    /// What it holds.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let people = self.people.iter();
        Summary {
            id: self.id.clone(),
            object: crate::config::codes_object(&self.id),
            need: self.need,
            people: people
                .map(|person| (person.identity.username().to_owned(), person.hashes.len()))
                .collect(),
        }
    }

    /// The codes that the file knows among these; the first is to be the person's own.
    #[must_use]
    pub fn find(&self, codes: &[Code]) -> Vec<Option<Found<'_>>> {
        codes.iter().map(|code| self.find_one(code)).collect()
    }

    /// Whether these are enough: as many as needed, all known, each of somebody else.
    #[must_use]
    pub fn judge<'b>(&self, found: &[Option<Found<'b>>]) -> Option<Vec<Found<'b>>> {
        let known: Vec<_> = found.iter().flatten().cloned().collect();
        let owners: BTreeSet<_> = known.iter().map(|found| found.person).collect();
        (found.len() == self.need && known.len() == self.need && owners.len() == self.need).then_some(known)
    }

    /// Looks at every hash, also after one that fits.
    fn find_one(&self, code: &Code) -> Option<Found<'_>> {
        let mut fits = None;
        for (index, person) in self.people.iter().enumerate() {
            let hash = code.hash(&self.id, &person.salt);
            for (number, known) in (1..).zip(&person.hashes) {
                if verify_slices_are_equal(&hash, known).is_ok() {
                    fits = Some(Found { person: index, owner: &person.identity, number, mark: hex(known) });
                }
            }
        }
        fits
    }
}

/// What must hold of how many are needed and how many there are.
pub(super) fn bounds(need: usize, people: usize) -> Result<(), CodesError> {
    if !(2..=MOST_NEEDED).contains(&need) {
        return Err(CodesError::Invalid(format!("the codes of 2 to {MOST_NEEDED} people can be needed")));
    }
    if people < need || people > MOST_PEOPLE {
        return Err(CodesError::Invalid(format!("{need} to {MOST_PEOPLE} people must be named")));
    }
    Ok(())
}

/// A file's text, bounded.
pub(super) fn text(path: &Path, guarded: bool) -> Result<String, CodesError> {
    let read = |source| CodesError::Read { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(read)?;
    let mode = file.metadata().map_err(read)?.permissions().mode() & 0o7777;
    if guarded && mode & 0o022 != 0 {
        return Err(CodesError::Writable { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.take(LONGEST + 1).read_to_string(&mut text).map_err(read)?;
    if text.len() as u64 > LONGEST { Err(CodesError::TooLong(path.to_owned())) } else { Ok(text) }
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| {
            c.to_digit(16).filter(|_| !c.is_ascii_uppercase()).and_then(|digit| u8::try_from(digit).ok())
        })
        .collect();
    let digits = digits?;
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    pairs.map(|pair| if let [high, low] = pair { Some(high << 4 | low) } else { None }).collect()
}
