//! How processes of pods are told from everybody else's: by a mark in the environment they start with.
//!
//! A pod's processes cannot be put into a cgroup or a PID namespace without privileges, so each starts with
//! `SALLYPORT_DEV_MARK=<cluster>/<run>/<pod uid>/<container>/<instance>/` and whatever it starts inherits
//! that. Killing a container, a run or everything an earlier run left behind is then one walk over `/proc`
//! for a prefix. The guarantee ends where a process empties its own environment or runs set-user-id; and
//! where there is no `/proc` (not Linux) only process groups are stopped, see [`super::process`].

use std::fmt;

/// Name of the environment variable.
pub(crate) const MARK: &str = "SALLYPORT_DEV_MARK";

/// A prefix that names a set of processes; always ends in `/`, so that `app` never matches `app2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark(String);

impl Mark {
    /// Everything that belongs to the cluster of this id, of any run.
    pub(crate) fn cluster(id: &str) -> Mark {
        Mark(format!("{id}/"))
    }

    /// A narrower set inside this one.
    pub(crate) fn within(&self, part: &str) -> Mark {
        Mark(format!("{}{part}/", self.0))
    }

    /// The value of the variable.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a mark given on a command line: `None` unless it ends in `/` and names at least a cluster,
    /// since an empty prefix would match every marked process of the machine.
    pub(crate) fn parse(text: &str) -> Option<Mark> {
        (text.len() > 1 && text.ends_with('/') && !text.starts_with('/')).then(|| Mark(text.to_owned()))
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(target_os = "linux")]
mod proc {
    use std::fs;
    use std::io::Read;
    use std::time::Duration;

    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

    use super::{MARK, Mark};

    /// An environment longer than this is read in part; ours is near its front or the process made it.
    const ENVIRONMENT: u64 = 1 << 20;
    /// Looks at a process whose environment seems empty, a millisecond apart.
    const RETRIES: u32 = 5;
    /// Walks over `/proc` before giving up on processes that do not die (uninterruptible sleep).
    const ROUNDS: u32 = 400;

    /// Kills every process that carries the mark, and what those start meanwhile; returns how many it hit.
    /// Blocks for as long as they take to die, at most about four seconds.
    pub(crate) fn kill_all(mark: &Mark) -> usize {
        let mut hit = 0;
        for _ in 0..ROUNDS {
            let found = each(mark, |pidfd| {
                // It may have ended by itself, which is as good.
                let _ = pidfd_send_signal(pidfd, Signal::KILL);
            });
            if found == 0 {
                break;
            }
            hit += found;
            std::thread::sleep(Duration::from_millis(10));
        }
        hit
    }

    /// How many living processes carry the mark.
    #[cfg(test)]
    pub(crate) fn count(mark: &Mark) -> usize {
        each(mark, |_| {})
    }

    fn each(mark: &Mark, mut act: impl FnMut(&std::os::fd::OwnedFd)) -> usize {
        let Ok(entries) = fs::read_dir("/proc") else { return 0 };
        let own = std::process::id();
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter(|pid| *pid != own)
            .filter(|pid| {
                // The descriptor pins the process, so that its number cannot be another's by the time we act.
                let Some(pidfd) = i32::try_from(*pid).ok().and_then(Pid::from_raw) else { return false };
                let Ok(pidfd) = pidfd_open(pidfd, PidfdFlags::empty()) else { return false };
                let marked = carries(*pid, mark);
                if marked {
                    act(&pidfd);
                }
                marked
            })
            .count()
    }

    /// A process that ended has an empty environment, so it does not count. One of another user is unreadable.
    fn carries(pid: u32, mark: &Mark) -> bool {
        let mut environ = read(pid);
        for _ in 0..RETRIES {
            // So has, for a moment, one that is just turning into another program; only that one has a program.
            if !environ.is_empty() || fs::read_link(format!("/proc/{pid}/exe")).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
            environ = read(pid);
        }
        environ.split(|byte| *byte == 0).any(|entry| {
            let value = entry.strip_prefix(MARK.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
            value.is_some_and(|value| value.starts_with(mark.as_str().as_bytes()))
        })
    }

    fn read(pid: u32) -> Vec<u8> {
        let mut environ = Vec::new();
        if let Ok(file) = fs::File::open(format!("/proc/{pid}/environ")) {
            // What was read before an error still counts.
            let _ = file.take(ENVIRONMENT).read_to_end(&mut environ);
        }
        environ
    }
}

#[cfg(target_os = "linux")]
pub(crate) use proc::kill_all;

#[cfg(all(test, target_os = "linux"))]
pub(crate) use proc::count;

/// Without `/proc` nothing can be found by its mark.
#[cfg(not(target_os = "linux"))]
pub(crate) fn kill_all(_mark: &Mark) -> usize {
    0
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_mark_reaches_grandchildren_and_nobody_else() {
        let cluster = Mark::cluster(&format!("test-{}", std::process::id()));
        let app = cluster.within("app");
        let other = cluster.within("app2");
        let sleeper = |mark: &Mark| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", "setsid sleep 100 & sleep 100"]).env(MARK, mark.as_str()).spawn().unwrap()
        };
        let (mut one, mut two) = (sleeper(&app), sleeper(&other));
        while count(&app) < 3 || count(&other) < 3 {
            std::thread::yield_now();
        }
        assert!(kill_all(&app) >= 3);
        assert_eq!((count(&app), count(&other)), (0, 3));
        kill_all(&other);
        assert_eq!(count(&cluster), 0);
        one.wait().unwrap();
        two.wait().unwrap();
    }

    #[test]
    fn a_mark_that_would_match_everything_is_refused() {
        for text in ["", "/", "abc", "/abc/"] {
            assert_eq!(Mark::parse(text), None, "{text}");
        }
        assert_eq!(Mark::parse("abc/1/"), Some(Mark::cluster("abc").within("1")));
    }
}
