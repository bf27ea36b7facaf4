//! The real `ssh`, with a world's configuration file.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::process::{Finished, Running, run};
use crate::pty::Terminal;

/// One `ssh` to come: options, words, input.
#[derive(Debug, Clone)]
#[must_use]
pub struct Ssh {
    config: PathBuf,
    host: String,
    options: Vec<String>,
    words: Vec<String>,
    input: Vec<u8>,
    limit: Duration,
}

impl Ssh {
    /// `ssh -F config host`.
    pub fn new(config: PathBuf, host: &str) -> Self {
        let host = host.to_owned();
        Self {
            config,
            host,
            options: Vec::new(),
            words: Vec::new(),
            input: Vec::new(),
            limit: Duration::from_secs(90),
        }
    }

    /// Adds one of `ssh`'s own options, before the host.
    pub fn option(mut self, option: impl Into<String>) -> Self {
        self.options.push(option.into());
        self
    }

    /// Adds `-o option`.
    pub fn o(self, option: impl Into<String>) -> Self {
        self.option("-o").option(option)
    }

    /// Adds words after the host; `ssh` joins them with blanks.
    pub fn words<'a>(mut self, words: impl IntoIterator<Item = &'a str>) -> Self {
        self.words.extend(words.into_iter().map(str::to_owned));
        self
    }

    /// Adds a whole line, as it would be typed after the host.
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.words.push(line.into());
        self
    }

    /// As another user name: a target.
    pub fn user(self, name: impl Into<String>) -> Self {
        self.option("-l").option(name)
    }

    /// What goes to standard input, which ends after it.
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// How long it may take; 90 s unless told.
    pub const fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    fn arguments(&self) -> Vec<String> {
        let mut all =
            vec!["-F".to_owned(), self.config.display().to_string(), "-o".into(), "ConnectTimeout=60".into()];
        all.extend(self.options.iter().cloned());
        all.push(self.host.clone());
        all.extend(self.words.iter().cloned());
        all
    }

    fn command(&self) -> Command {
        let mut command = Command::new("ssh");
        // No agent, no prompt: what the configuration names is all there is.
        command.args(self.arguments()).env_remove("SSH_AUTH_SOCK").env("SSH_ASKPASS_REQUIRE", "never");
        command
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(self) -> Finished {
        run(&mut self.command(), &self.input, self.limit)
    }

    /// Starts it, to be talked to.
    #[track_caller]
    pub fn start(self) -> Running {
        Running::start(&mut self.command())
    }

    /// Starts it on a terminal of 24 by 80, with `-t`.
    #[track_caller]
    pub fn terminal(self) -> Terminal {
        let all = self.option("-t").arguments();
        Terminal::start("ssh", &all.iter().map(String::as_str).collect::<Vec<_>>(), 24, 80)
    }
}
