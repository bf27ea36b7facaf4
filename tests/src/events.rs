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

/// The last line that holds this word somewhere and `fits`. Only such lines are parsed: a file grows with every case, and
/// all of them look into it again and again.
#[must_use]
pub fn last(path: &Path, word: &str, fits: impl Fn(&Value) -> bool) -> Option<Value> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let parse =
        |line: &str| -> Value { serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}")) };
    whole.lines().rev().filter(|line| line.contains(word)).map(parse).find(|line| fits(line))
}

/// Waits for an event of `kind` that `fits`, and returns the last such.
#[track_caller]
pub fn wait(path: &Path, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
    until(&format!("an event {kind}"), Duration::from_secs(60), || {
        last(path, kind, |event| event["event"] == kind && fits(event))
    })
}
