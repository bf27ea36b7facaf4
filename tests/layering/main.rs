//! The arrows of `gateway/src/lib.rs`, held: read its drawing from left to right and from top to bottom, and every
//! module may use only what comes after it. Beside that: who may use the Kubernetes client and who the SSH library,
//! what the policy crate may depend on, and that every file says what it is for.

mod paths;

use std::fs;
use std::path::{Path, PathBuf};

/// Who may use a library. Those who put the parts together hand its values around (`demo` installs manifests,
/// `serve` makes the client); apart from them it is one job each.
const LIBRARIES: [(&str, &[&str]); 4] = [
    ("kube", &["crd", "bridge", "access", "reconcile", "notifications", "demo", "serve"]),
    ("k8s_openapi", &["crd", "bridge", "access", "reconcile", "demo", "serve"]),
    ("russh", &["ssh"]),
    ("sallyport_dev", &["demo", "cli"]),
];

/// `russh::keys` is a library of its own that travels with the SSH library: keys and certificates without a
/// connection. Whoever makes, checks or stores those may use it.
const KEYS: [&str; 5] = ["ca", "identity", "lobby", "cli", "demo"];

/// What decisions may be made of: data and text, no I/O, no clock, no cluster.
const POLICY_DEPENDENCIES: [&str; 10] = [
    "cel",
    "chrono",
    "jiff",
    "regex",
    "schemars",
    "serde",
    "serde_json",
    "thiserror",
    "proptest",
    "k8s-openapi",
];

/// Commands that no rule judged, and the only rooms that may make them: where no rules filter, and where the
/// container's own shell is started.
const UNJUDGED: [(&str, &[&str]); 2] = [
    ("Cleared::unfiltered", &["ssh/ruled.rs", "commands/open/judged.rs"]),
    ("Own::Shell", &["ssh/rooms.rs", "bridge/shell.rs"]),
];

/// A source file of the gateway.
struct Source {
    /// Path below `gateway/src`.
    path: String,
    code: String,
    /// Modules below its own top module, which hide those of the same name above.
    children: Vec<String>,
}

impl Source {
    fn module(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap_or_default()
    }

    /// How many `super::` lead to the root, at least.
    fn depth(&self) -> usize {
        let parts = self.path.matches('/').count();
        if self.path.ends_with("/mod.rs") { parts } else { parts + 1 }
    }
}

/// Modules in the order of the drawing: one may use those after it.
fn drawing(lib: &str) -> Vec<String> {
    let drawn = lib.lines().filter_map(|line| line.strip_prefix("//! "));
    let inside = drawn
        .skip_while(|line| !line.starts_with("```text"))
        .skip(1)
        .take_while(|line| !line.starts_with("```"));
    let mut order = Vec::new();
    for line in inside.filter(|line| !line.starts_with("policy")) {
        // Names, then two blanks or more, then what they are for.
        let names = line.trim_start().split("  ").next().unwrap_or_default();
        order.extend(names.split(" · ").map(|name| name.trim().to_owned()));
    }
    order
}

/// Everything that points the wrong way, in words.
fn violations(order: &[String], sources: &[Source]) -> Vec<String> {
    let rank = |name: &str| order.iter().position(|module| module == name);
    let mut wrong = Vec::new();
    for source in sources {
        let (module, path) = (source.module(), &source.path);
        if matches!(module, "lib" | "main") {
            continue;
        }
        let Some(own) = rank(module) else {
            wrong.push(format!("{path}: `{module}` is not in the drawing of lib.rs"));
            continue;
        };
        let mut used = paths::after(&source.code, "crate");
        let above = paths::above(&source.code, source.depth());
        used.extend(above.into_iter().filter(|name| !source.children.contains(name)));
        for name in used {
            if rank(&name).is_some_and(|theirs| theirs < own) {
                wrong.push(format!("{path}: `{module}` uses `{name}`, which stands above it"));
            }
        }
        for (library, allowed) in LIBRARIES {
            for first in paths::after(&source.code, library) {
                let keys = library == "russh" && first == "keys" && KEYS.contains(&module);
                if !allowed.contains(&module) && !keys {
                    wrong.push(format!("{path}: `{module}` uses `{library}::{first}`"));
                }
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    wrong
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All Rust files below a directory, as paths relative to it.
fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).unwrap_or_else(|e| panic!("{}: {e}", next.display())) {
            let path = entry.expect("a directory entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path.strip_prefix(dir).expect("below it").to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

/// Whether a file holds nothing but tests.
fn is_test(path: &str) -> bool {
    path.ends_with("tests.rs") || path.contains("/tests/")
}

fn sources() -> Vec<Source> {
    let dir = root().join("gateway/src");
    let all = files(&dir);
    let source = |path: &String| {
        let text = fs::read_to_string(dir.join(path)).expect("a readable file");
        let top = path.split('/').next().unwrap_or_default();
        let below = all.iter().filter_map(|other| other.strip_prefix(&format!("{top}/")));
        let children =
            below.map(|rest| rest.split(['/', '.']).next().unwrap_or_default().to_owned()).collect();
        Source { path: path.clone(), code: paths::code(&text), children }
    };
    // What is only there to test may use everything.
    all.iter().filter(|path| !is_test(path)).map(source).collect()
}

#[test]
fn every_arrow_points_down() {
    let order = drawing(&fs::read_to_string(root().join("gateway/src/lib.rs")).expect("lib.rs"));
    assert!(
        order.len() >= 15 && order.contains(&"clock".to_owned()),
        "the drawing could not be read: {order:?}"
    );
    let wrong = violations(&order, &sources());
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn an_arrow_that_points_up_is_caught() {
    let order: Vec<_> = ["cli", "ssh", "bridge", "access", "ca", "clock"].map(str::to_owned).to_vec();
    let caught = |path: &str, text: &str| {
        let children = vec!["inner".to_owned()];
        !violations(&order, &[Source { path: path.into(), code: paths::code(text), children }]).is_empty()
    };
    assert!(caught("access/mod.rs", "use crate::bridge::Bridge;"));
    assert!(caught("access/mod.rs", "use crate::{clock::Clock, ssh};"));
    assert!(caught("access/deep.rs", "use super::super::ssh::Gateway;"));
    assert!(caught("access/mod.rs", "fn f() -> super::ssh::X { todo() }"));
    assert!(caught("ca/mod.rs", "use kube::Client;"));
    assert!(caught("ca/mod.rs", "use russh::{keys::PrivateKey, server};"));
    assert!(caught("clock/mod.rs", "use russh::keys::PrivateKey;"));
    assert!(caught("stranger/mod.rs", ""));

    assert!(!caught("bridge/mod.rs", "use crate::access::Permit; use crate::{ca, clock::{self, Clock}};"));
    assert!(!caught("access/mod.rs", "/// See [`crate::ssh`]. // use crate::bridge;"));
    assert!(!caught("access/mod.rs", "use super::inner::X; use crate::access::inner;"));
    assert!(!caught("ca/mod.rs", "use russh::keys::PrivateKey;"));
    assert!(!caught("bridge/mod.rs", "use kube::Client; let at = \"https://ssh\";"));
}

#[test]
fn what_no_rule_judged_runs_from_few_places() {
    let (all, mut used) = (sources(), 0);
    for (maker, rooms) in UNJUDGED {
        let wrong: Vec<_> = all
            .iter()
            .filter(|source| source.code.contains(maker))
            .map(|source| source.path.as_str())
            .inspect(|path| used += usize::from(rooms.contains(path)))
            .filter(|path| !rooms.contains(path))
            .collect();
        assert!(wrong.is_empty(), "`{maker}` in {wrong:?}");
    }
    assert_eq!(
        used,
        UNJUDGED.iter().map(|(_, rooms)| rooms.len()).sum::<usize>(),
        "a room is not one any more"
    );
}

#[test]
fn decisions_depend_on_nothing_that_acts() {
    let manifest = fs::read_to_string(root().join("policy/Cargo.toml")).expect("a manifest");
    let mut below = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            below = line.contains("dependencies");
        }
        if !below || !(line.contains('=') || line.contains(".workspace")) {
            continue;
        }
        let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
        assert!(POLICY_DEPENDENCIES.contains(&name), "policy depends on `{name}`");
    }
}

#[test]
fn every_file_says_what_it_is_for_and_is_a_room() {
    let mut wrong = Vec::new();
    for member in ["gateway/src", "policy/src", "deploy/dev/src", "tests"] {
        let dir = root().join(member);
        for path in files(&dir) {
            let text = fs::read_to_string(dir.join(&path)).expect("a readable file");
            let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
            if !first.starts_with("//!") && !is_test(&path) {
                wrong.push(format!("{member}/{path} does not open with what it is for"));
            }
            let lines = text.lines().count();
            if lines > 500 && !text.contains("Long because") {
                wrong.push(format!(
                    "{member}/{path} has {lines} lines and does not say why (`Long because …`)"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
