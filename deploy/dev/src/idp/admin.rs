//! People who come, change and go while the provider runs, told by whoever can read the secret in its directory:
//!
//! ```text
//! PUT    /admin/people/NAME   {"groups": ["oncall"]}
//! DELETE /admin/people/NAME
//! PUT    /admin/silent        every question is answered with 503 until it is deleted
//! ```

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path as Part, State as Shared};
use axum::http::{HeaderMap, StatusCode, header};
use secrecy::ExposeSecret;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::state::{State, secret};
use super::{DevPerson, IdpError};

/// The file in the provider's directory that holds the secret; another one with each start.
const FILE: &str = "admin-token";

const MAX_PEOPLE: usize = 256;
const MAX_GROUPS: usize = 32;
const MAX_NAME: usize = 64;

#[derive(Deserialize)]
pub(super) struct Change {
    groups: Vec<String>,
}

/// Makes the secret and writes it where only its owner reads it.
pub(super) fn secret_in(dir: &Path) -> Result<String, IdpError> {
    let (path, token) = (dir.join(FILE), secret());
    let write = || -> std::io::Result<()> {
        let new = path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(token.as_bytes())?;
        fs::rename(&new, &path)
    };
    write().map_err(|source| IdpError::Admin { path: path.clone(), source })?;
    Ok(token)
}

pub(super) fn set_groups(state: &State, username: &str, groups: Vec<String>) -> Result<(), IdpError> {
    let plain = |name: &str| {
        (1..=MAX_NAME).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    if !plain(username) || groups.len() > MAX_GROUPS || !groups.iter().all(|group| plain(group)) {
        return Err(IdpError::Person(username.chars().take(MAX_NAME).collect()));
    }
    state.with(|inner| {
        if let Some(person) = inner.people.iter_mut().find(|person| person.username == username) {
            person.groups = groups;
        } else if inner.people.len() < MAX_PEOPLE {
            inner.people.push(DevPerson { username: username.to_owned(), groups, name: username.to_owned() });
        } else {
            return Err(IdpError::Person(username.to_owned()));
        }
        Ok(())
    })
}

pub(super) fn close(state: &State, username: &str) -> Result<(), IdpError> {
    state.with(|inner| {
        let before = inner.people.len();
        inner.people.retain(|person| person.username != username);
        let closed = inner.people.len() < before;
        if closed { Ok(()) } else { Err(IdpError::UnknownPerson(username.to_owned())) }
    })
}

/// Whether the secret came along. Hashes are compared, so that time tells nothing about it.
fn is_admin(state: &State, headers: &HeaderMap) -> bool {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    token.is_some_and(|token| Sha256::digest(token) == Sha256::digest(state.admin.expose_secret()))
}

fn done(outcome: Result<(), IdpError>) -> (StatusCode, String) {
    match outcome {
        Ok(()) => (StatusCode::NO_CONTENT, String::new()),
        Err(error @ IdpError::UnknownPerson(_)) => (StatusCode::NOT_FOUND, format!("{error}\n")),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")),
    }
}

fn refused() -> (StatusCode, String) {
    (StatusCode::UNAUTHORIZED, format!("the token is in the file `{FILE}` of the provider's directory\n"))
}

pub(super) async fn put_person(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    Part(username): Part<String>,
    Json(change): Json<Change>,
) -> (StatusCode, String) {
    if !is_admin(&state, &headers) {
        return refused();
    }
    done(set_groups(&state, &username, change.groups))
}

pub(super) async fn delete_person(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    Part(username): Part<String>,
) -> (StatusCode, String) {
    if is_admin(&state, &headers) { done(close(&state, &username)) } else { refused() }
}

pub(super) async fn be_silent(state: Shared<Arc<State>>, headers: HeaderMap) -> (StatusCode, String) {
    silence(&state.0, &headers, true)
}

pub(super) async fn speak_again(state: Shared<Arc<State>>, headers: HeaderMap) -> (StatusCode, String) {
    silence(&state.0, &headers, false)
}

fn silence(state: &State, headers: &HeaderMap, silent: bool) -> (StatusCode, String) {
    if !is_admin(state, headers) {
        return refused();
    }
    state.with(|inner| inner.silent = silent);
    done(Ok(()))
}
