//! Why the store would not do it.

use std::path::PathBuf;

use super::ResourceId;

/// Each variant corresponds to one `reason` of a Kubernetes `Status`, apart from the last two.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No object of that name (404 `NotFound`).
    #[error("{resource} \"{name}\" not found")]
    NotFound { resource: ResourceId, name: String },
    /// The name is taken (409 `AlreadyExists`).
    #[error("{resource} \"{name}\" already exists")]
    AlreadyExists { resource: ResourceId, name: String },
    /// The object changed since it was read, or a precondition does not hold (409 `Conflict`).
    #[error("Operation cannot be fulfilled on {resource} \"{name}\": {why}")]
    Conflict { resource: ResourceId, name: String, why: String },
    /// The history needed to resume from there is gone (410 `Expired`): list again.
    #[error("too old resource version: {asked} ({oldest})")]
    Expired { asked: u64, oldest: u64 },
    /// The object has no usable `metadata` or its resource version is not a number (400 `BadRequest`).
    #[error("{why}")]
    Malformed { why: String },
    /// Another process holds the directory.
    #[error("`{}` is used by another process: stop it or choose another directory", dir.display())]
    Locked { dir: PathBuf },
    /// The log cannot be read or written.
    #[error("cannot {doing} `{}`", path.display())]
    Io { doing: &'static str, path: PathBuf, source: std::io::Error },
}
