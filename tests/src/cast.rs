//! Recordings as a player sees them: asciicast v2, one JSON value a line.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A recording that was read and found whole.
#[derive(Debug)]
pub struct Cast {
    /// Its first line.
    pub header: Value,
    /// Everything that was shown.
    pub output: String,
    /// The sizes that the terminal was given, `80x24`.
    pub sizes: Vec<String>,
}

/// Reads a recording and panics where a player would stumble: a header that is not version 2, lines that are no
/// events, times that go back.
#[must_use]
#[track_caller]
pub fn read(path: &Path) -> Cast {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut lines = whole.lines();
    let header: Value = serde_json::from_str(lines.next().expect("a header")).expect("the header is JSON");
    assert_eq!(header["version"], 2, "{}", path.display());
    assert!(
        header["width"].as_u64().is_some_and(|w| w > 0) && header["height"].as_u64().is_some_and(|h| h > 0),
        "{header}"
    );
    let mut cast = Cast { header, output: String::new(), sizes: Vec::new() };
    let mut last = 0.0;
    for line in lines {
        let event: Value =
            serde_json::from_str(line).unwrap_or_else(|e| panic!("{}: {line}: {e}", path.display()));
        let [time, kind, data] = event.as_array().expect("an array").as_slice() else {
            panic!("{line}: not three parts")
        };
        let time = time.as_f64().expect("a time");
        assert!(time >= last, "{}: time goes back at {line}", path.display());
        last = time;
        let data = data.as_str().expect("text");
        match kind.as_str().expect("a kind") {
            "o" => cast.output.push_str(data),
            "r" => cast.sizes.push(data.to_owned()),
            "i" => panic!("{}: input is recorded: {line}", path.display()),
            "m" => {}
            other => panic!("{}: kind {other}", path.display()),
        }
    }
    cast
}

/// The files of a session below a directory of recordings: those whose name holds its id.
#[must_use]
pub fn files(recordings: &Path, session: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![recordings.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().contains(session) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
