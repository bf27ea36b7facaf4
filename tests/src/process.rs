//! Child processes with an end: what they wrote is collected as it comes, and none outlives its limit or its owner.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How a process ended and what it wrote.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The exit status; 128 + the number of the signal that killed it.
    pub code: i32,
    /// Standard output, byte by byte.
    pub bytes: Vec<u8>,
    /// Standard output as text.
    pub out: String,
    /// Standard error as text.
    pub err: String,
}

impl Finished {
    /// Expects this exit status.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert!(self.code == code, "exit status {} instead of {code}\n{}", self.code, self.show());
        self
    }

    /// Expects these words on standard error.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(self.err.contains(words), "standard error lacks `{words}`\n{}", self.show());
        self
    }

    /// Expects these words on standard output.
    #[track_caller]
    pub fn prints(self, words: &str) -> Self {
        assert!(self.out.contains(words), "standard output lacks `{words}`\n{}", self.show());
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("no JSON ({e})\n{}", self.show()))
    }

    /// Both streams, for a message.
    #[must_use]
    pub fn show(&self) -> String {
        let mut out: String = self.out.chars().take(2000).collect();
        if out.len() < self.out.len() {
            out.push('…');
        }
        format!("--- exit {}\n--- stdout\n{out}\n--- stderr\n{}", self.code, self.err)
    }
}

/// Bytes that a thread collects and others wait for.
#[derive(Debug, Clone, Default)]
pub struct Collected(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    ended: bool,
}

impl Collected {
    /// Reads `from` to its end in a thread of its own.
    pub fn from(mut from: impl Read + Send + 'static) -> Self {
        let collected = Self::default();
        let into = collected.clone();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let n = match from.read(&mut buffer) {
                    Ok(n) => n,
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                    Err(_) => 0, // a PTY whose other side is closed
                };
                let mut state = into.lock();
                state.bytes.extend_from_slice(&buffer[..n]);
                state.ended = n == 0;
                into.0.1.notify_all();
                if n == 0 {
                    return;
                }
            }
        });
        collected
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has come so far.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    /// What has come so far, as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }

    /// Waits until `wanted` stands at or after byte `from`; returns where it ends. `None` after `limit`, or when
    /// nothing more can come.
    #[must_use]
    pub fn wait_for(&self, wanted: &str, from: usize, limit: Duration) -> Option<usize> {
        self.wait_for_any(&[wanted], from, limit)
    }

    /// The same for several: the one that stands first.
    #[must_use]
    pub fn wait_for_any(&self, wanted: &[&str], from: usize, limit: Duration) -> Option<usize> {
        let end = Instant::now() + limit;
        let mut state = self.lock();
        loop {
            let rest = &state.bytes[from.min(state.bytes.len())..];
            let end_of = |one: &&str| {
                let at = rest.windows(one.len()).position(|window| window == one.as_bytes())?;
                Some(from + at + one.len())
            };
            if let Some(found) = wanted.iter().filter_map(end_of).min() {
                return Some(found);
            }
            let left = end.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                return None;
            }
            state = self.0.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until nothing more can come.
    pub fn wait_end(&self, limit: Duration) {
        let state = self.lock();
        drop(self.0.1.wait_timeout_while(state, limit, |state| !state.ended));
    }
}

/// A process that runs; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    input: Option<ChildStdin>,
    /// Standard output.
    pub out: Collected,
    /// Standard error.
    pub err: Collected,
    name: String,
}

impl Running {
    /// Starts it with all three streams piped.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let name = format!("{command:?}");
        let mut child = command.spawn().unwrap_or_else(|e| panic!("cannot start {name}: {e}"));
        let out = Collected::from(child.stdout.take().expect("piped"));
        let err = Collected::from(child.stderr.take().expect("piped"));
        Self { input: child.stdin.take(), child, out, err, name }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes to its standard input; false when it no longer reads.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.input.as_mut().is_some_and(|input| input.write_all(bytes).and_then(|()| input.flush()).is_ok())
    }

    /// Takes its standard input away: it belongs to the caller from now on.
    pub fn take_input(&mut self) -> Option<ChildStdin> {
        self.input.take()
    }

    /// Ends its standard input.
    pub fn end_input(&mut self) {
        self.input = None;
    }

    /// Waits for words on standard output.
    #[track_caller]
    pub fn expect(&self, words: &str, limit: Duration) {
        assert!(
            self.out.wait_for(words, 0, limit).is_some(),
            "{}: no `{words}` within {} s\n--- stdout\n{}\n--- stderr\n{}",
            self.name,
            limit.as_secs(),
            self.out.text(),
            self.err.text()
        );
    }

    /// Waits for words on standard error.
    #[track_caller]
    pub fn expect_err(&self, words: &str, limit: Duration) {
        assert!(
            self.err.wait_for(words, 0, limit).is_some(),
            "{}: no `{words}` on standard error within {} s\n--- stdout\n{}\n--- stderr\n{}",
            self.name,
            limit.as_secs(),
            self.out.text(),
            self.err.text()
        );
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end, at most `limit`; standard input stays as it is.
    #[track_caller]
    pub fn finish(mut self, limit: Duration) -> Finished {
        let end = Instant::now() + limit;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("wait for a child") {
                break status;
            }
            if Instant::now() >= end {
                let _ = self.child.kill();
                panic!(
                    "{} still runs after {} s\n--- stdout\n{}\n--- stderr\n{}",
                    self.name,
                    limit.as_secs(),
                    self.out.text().chars().take(2000).collect::<String>(),
                    self.err.text()
                );
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        self.out.wait_end(Duration::from_secs(20));
        self.err.wait_end(Duration::from_secs(20));
        let bytes = self.out.bytes();
        Finished {
            code: exit_code(status),
            out: String::from_utf8_lossy(&bytes).into_owned(),
            bytes,
            err: self.err.text(),
        }
    }

    /// Sends it a signal by name, as `kill` does.
    pub fn signal(&self, name: &str) {
        let _ = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The exit status as a shell shows it.
#[must_use]
pub fn exit_code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Runs a command to its end with `input` on its standard input.
#[track_caller]
pub fn run(command: &mut Command, input: &[u8], limit: Duration) -> Finished {
    let mut running = Running::start(command);
    if let (Some(mut stdin), false) = (running.take_input(), input.is_empty()) {
        let input = input.to_vec();
        std::thread::spawn(move || {
            let _ = stdin.write_all(&input);
        });
    }
    running.finish(limit)
}
