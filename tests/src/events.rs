//! Audit events of the gateway, and the API server's own audit log: JSON, one a line.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::until;

/// All whole lines of a file that is being written to.
#[must_use]
pub fn lines(path: &Path) -> Vec<Value> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect()
}

/// Waits for an event of `kind` that `fits`, and returns the last such.
#[track_caller]
pub fn wait(path: &Path, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
    until(&format!("an event {kind}"), Duration::from_secs(15), || {
        lines(path).into_iter().rev().find(|event| event["event"] == kind && fits(event))
    })
}
