//! A program on a terminal of its own, typed at and read like a person would.

use std::io::Write;
use std::os::fd::AsFd;
use std::process::Child;
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command, Pty};

use crate::process::{Collected, exit_code};

/// A running program and its terminal; killed when dropped.
pub struct Terminal {
    pty: Pty,
    child: Child,
    /// All that was shown, escapes included.
    pub screen: Collected,
    read: usize,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal")
            .field("child", &self.child)
            .field("read", &self.read)
            .finish_non_exhaustive()
    }
}

impl Terminal {
    /// Starts `program` on a terminal of `rows` by `columns`.
    #[track_caller]
    pub fn start(program: &str, arguments: &[&str], rows: u16, columns: u16) -> Self {
        let (pty, pts) = pty_process::blocking::open().expect("open a PTY");
        pty.resize(Size::new(rows, columns)).expect("size a PTY");
        let command =
            Command::new(program).args(arguments).env("TERM", "xterm-256color").env_remove("SSH_AUTH_SOCK");
        let child = command.spawn(pts).unwrap_or_else(|e| panic!("cannot start {program}: {e}"));
        let reader = pty.as_fd().try_clone_to_owned().expect("another handle of the PTY");
        Self { pty, child, screen: Collected::from(std::fs::File::from(reader)), read: 0 }
    }

    /// Types.
    #[track_caller]
    pub fn send(&mut self, keys: &str) {
        self.pty.write_all(keys.as_bytes()).expect("write to a PTY");
    }

    /// Waits until `words` appear after what was waited for before.
    #[track_caller]
    pub fn expect(&mut self, words: &str, limit: Duration) {
        match self.screen.wait_for(words, self.read, limit) {
            Some(at) => self.read = at,
            None => panic!(
                "no `{words}` on the terminal within {} s; it shows\n{}",
                limit.as_secs(),
                self.screen.text()
            ),
        }
    }

    /// Waits for a prompt of a shell that nobody gave one of their own, as one waits before one types: `root@box:/# `,
    /// `$ `.
    #[track_caller]
    pub fn expect_prompt(&mut self, limit: Duration) {
        match self.screen.wait_for_any(&["# ", "$ "], self.read, limit) {
            Some(at) => self.read = at,
            None => panic!(
                "no prompt on the terminal within {} s; it shows\n{}",
                limit.as_secs(),
                self.screen.text()
            ),
        }
    }

    /// Gives the terminal another size.
    #[track_caller]
    pub fn resize(&self, rows: u16, columns: u16) {
        self.pty.resize(Size::new(rows, columns)).expect("size a PTY");
    }

    /// Waits for the end and returns the exit status.
    #[track_caller]
    pub fn finish(mut self, limit: Duration) -> i32 {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("wait for a child") {
                self.screen.wait_end(Duration::from_secs(20));
                return exit_code(status);
            }
            assert!(
                Instant::now() < end,
                "still runs after {} s; it shows\n{}",
                limit.as_secs(),
                self.screen.text()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
