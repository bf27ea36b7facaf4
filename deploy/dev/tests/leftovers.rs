//! Nothing of the embedded cluster outlives it, however it ends. Runs the example `cluster`, which `cargo test`
//! builds, as a process of its own. Linux only, since elsewhere processes cannot be found by their mark.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Long enough for a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

struct Demo(Child);

impl Demo {
    fn start(dir: &Path) -> Demo {
        let tests = std::env::current_exe().unwrap();
        let program = tests.parent().unwrap().parent().unwrap().join("examples/cluster");
        assert!(program.exists(), "`{}` is missing: run `cargo build --examples`", program.display());
        let mut child = Command::new(program).arg(dir).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("ready"), "{line}");
        Demo(child)
    }

    fn end(mut self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
        self.0.wait().unwrap();
    }
}

/// Waits for a number of processes of pods.
fn until(dir: &Path, holds: impl Fn(usize) -> bool) {
    let mark = format!("SALLYPORT_DEV_MARK={}/", std::fs::read_to_string(dir.join("node/node-id")).unwrap());
    let carries = |pid: &str| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|entry| entry.starts_with(mark.as_bytes()))
    };
    let begun = Instant::now();
    loop {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let count = names.filter(|name| name.parse::<u32>().is_ok() && carries(name)).count();
        if holds(count) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{count} processes");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Ended already unless a test failed; the watchdog does the rest.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_cluster_leaves_no_process_whether_it_is_interrupted_or_killed() {
    let dir = tempfile::tempdir().unwrap();
    let all_run = |count| count >= 16;
    let demo = Demo::start(dir.path());
    until(dir.path(), all_run);
    // Its watchdog is what sees to them.
    demo.end(Signal::KILL);
    until(dir.path(), |count| count == 0);

    let demo = Demo::start(dir.path());
    until(dir.path(), all_run);
    demo.end(Signal::INT);
    until(dir.path(), |count| count == 0);
}
