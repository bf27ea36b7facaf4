//! For trying out and for fast tests, never for production: a small Kubernetes API whose pods are local
//! processes, and an OIDC provider with three people, both on loopback.
//!
//! What the embedded cluster speaks is checked against a real API server by running the same end-to-end
//! cases on both (`tests/`). It promises what those cases check and no more.

pub mod cluster;
pub mod idp;
