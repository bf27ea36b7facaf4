//! What runs in the embedded cluster when it starts, and the small programs that run in its pods: the binary
//! that holds the cluster is started again with `dev-workload` as its first argument.
//!
//! | arguments | does |
//! |---|---|
//! | none, `wait` | waits for SIGTERM |
//! | `say WORDS…` | prints the words, one a line, and ends with as many as its status |
//! | `echo PORT` | sends back what it is sent, and ends a connection when its peer does |
//! | `http PORT` | answers every GET with the pod's name |
//! | `postgres PORT` | as `echo`, for want of a database |
//! | `reap MARK` | waits for the end of its standard input, then ends all processes so marked |
//!
//! Servers listen on `$POD_IP`. They are for trying out and for tests: bounded, and no more.

mod serve;

use std::ffi::OsString;
use std::io::{Read, Write};
use std::process::ExitCode;

use super::kubelet::{Mark, kill_all};

const TEMPLATE: &str = include_str!("samples.yaml");

/// The sample objects, as YAML documents: namespaces `payments` and `staging` with the same things in both.
#[must_use]
pub fn samples() -> String {
    let of = |namespace: &str, stage: &str| TEMPLATE.replace("NAMESPACE", namespace).replace("STAGE", stage);
    format!("{}---\n{}", of("payments", "prod"), of("staging", "staging"))
}

/// Runs the program that `args` (those after `dev-workload`) name; blocks until it ends.
#[must_use]
pub fn workload_main(args: Vec<OsString>) -> ExitCode {
    let words: Vec<String> = args.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let port = |port: &str| port.parse::<u16>().ok();
    match words.as_slice() {
        [] | ["wait"] => serve::run(serve::wait()),
        ["say", words @ ..] => say(words),
        ["echo" | "postgres", number] => match port(number) {
            Some(port) => serve::run(serve::echo(port)),
            None => usage(),
        },
        ["http", number] => match port(number) {
            Some(port) => serve::run(serve::http(port)),
            None => usage(),
        },
        ["reap", mark] => Mark::parse(mark).map_or_else(usage, |mark| reap(&mark)),
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    let text = "usage: hold [wait | say WORDS… | echo PORT | http PORT | postgres PORT | reap MARK]\n";
    let _ = std::io::stderr().write_all(text.as_bytes());
    ExitCode::from(64)
}

fn say(words: &[&str]) -> ExitCode {
    let text: String = words.iter().map(|word| format!("{word}\n")).collect();
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::from(u8::try_from(words.len()).unwrap_or(u8::MAX)),
        Err(_) => ExitCode::FAILURE,
    }
}

fn reap(mark: &Mark) -> ExitCode {
    // Nothing is ever written to it: it ends when the other side is gone, however that came about.
    let _ = std::io::stdin().read(&mut [0]);
    kill_all(mark);
    ExitCode::SUCCESS
}
