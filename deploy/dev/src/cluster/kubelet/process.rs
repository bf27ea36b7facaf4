//! Starting the processes of containers: a clean environment, a directory of their own, a session of their own.
//!
//! The session keeps them off the terminal the cluster was started from. Without `unsafe` it is had from the
//! `setsid` program where there is one, and from the PTY library where a PTY is asked for; elsewhere processes
//! get a process group of their own, and `/dev/tty` is not kept from them. Nothing of the host's environment is
//! handed on, but there is no other isolation: they run as the person who started the cluster.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use tokio::process::Command;

use super::mark::{MARK, Mark};

/// Everything a process of a container starts with.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    /// Program, by absolute path, and its arguments.
    pub(crate) argv: Vec<OsString>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) dir: PathBuf,
    pub(crate) mark: Mark,
}

impl Launch {
    /// A command in a session of its own, its three streams closed until the caller says otherwise.
    pub(crate) fn detached(&self) -> Command {
        let mut command = match setsid() {
            Some(setsid) => {
                let mut command = Command::new(setsid);
                command.args(&self.argv);
                command
            }
            None => {
                let mut command = self.plain();
                command.process_group(0);
                command
            }
        };
        self.settle(&mut command);
        command
    }

    /// A command for a PTY, whose library makes the session.
    pub(crate) fn for_tty(&self) -> pty_process::Command {
        let mut command = self.plain();
        self.settle(&mut command);
        // The library attaches the PTY only where nothing was said about a stream, which it judges by its own
        // calls: the null streams set above are replaced.
        pty_process::Command::from(command)
    }

    fn plain(&self) -> Command {
        let mut words = self.argv.iter();
        let mut command = Command::new(words.next().cloned().unwrap_or_default());
        command.args(words);
        command
    }

    fn settle(&self, command: &mut Command) {
        command
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .env(MARK, self.mark.as_str())
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
    }
}

fn setsid() -> Option<&'static Path> {
    ["/usr/bin/setsid", "/bin/setsid"].iter().map(Path::new).find(|path| path.exists())
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit {
    /// Its status, or 128 plus the number of the signal, as container runtimes report it.
    pub(crate) code: i32,
    pub(crate) signal: Option<i32>,
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Exit {
        let signal = status.signal();
        Exit { code: status.code().or(signal.map(|signal| 128 + signal)).unwrap_or(255), signal }
    }
}
