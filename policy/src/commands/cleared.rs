//! A command that may run. Whoever holds one got it from a decision of this crate.

/// What may be executed in a container, word by word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleared {
    argv: Vec<String>,
}

/// What the gateway itself runs in a container, to be a shell there. None of it interprets text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Own {
    /// The paths of what is in a directory, each ended by NUL; what is a directory, or leads to one, twice in a row.
    List(String),
    /// The absolute path that a path leads to.
    Resolve(String),
    /// A file's contents, for `<`.
    Read(String),
    /// Standard input into a file, for `>` and `>>`.
    Write {
        /// The file.
        path: String,
        /// Whether to its end.
        append: bool,
    },
    /// The container's own shell: `shell` where no rules filter commands, or they do as a guardrail.
    Shell(Vec<String>),
}

/// How a command is given its directory and its environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// `env NAME=VALUE PROGRAM …`: for a command that needs no other directory than the container's own.
    Env,
    /// `env -C DIRECTORY NAME=VALUE PROGRAM …`: GNU coreutils from 8.28 on.
    EnvChdir,
    /// `sh -c SCRIPT sh DIRECTORY PROGRAM …` with a script that never changes; words are its parameters, never its text.
    Shell,
}

/// Goes into a directory and becomes the command.
const ENTER: &str = r#"cd -- "$1" && shift && exec "$@""#;

impl Cleared {
    pub(super) const fn new(argv: Vec<String>) -> Self {
        Self { argv }
    }

    /// Word by word; never empty.
    #[must_use]
    pub fn argv(&self) -> &[String] {
        &self.argv
    }

    /// The same command in a directory and with variables set, both as they were judged. With [`Carrier::Env`] the directory
    /// is left out, which is right only where the container's own is that one.
    #[must_use]
    pub fn placed(self, directory: Option<&str>, environment: &[(String, String)], carrier: Carrier) -> Self {
        let mut argv = Vec::with_capacity(self.argv.len() + environment.len() + 6);
        let chdir = directory.filter(|_| carrier == Carrier::EnvChdir);
        if let Some(directory) = directory.filter(|_| carrier == Carrier::Shell) {
            argv.extend(["sh", "-c", ENTER, "sh", directory].map(str::to_owned));
        }
        if chdir.is_some() || !environment.is_empty() {
            argv.push("env".to_owned());
        }
        if let Some(directory) = chdir {
            argv.extend(["-C", directory].map(str::to_owned));
        }
        argv.extend(environment.iter().map(|(name, value)| format!("{name}={value}")));
        argv.extend(self.argv);
        Self::new(argv)
    }

    /// A command of the gateway's own.
    #[must_use]
    pub fn own(own: Own) -> Self {
        let words = |words: &[&str], path: String| {
            words.iter().map(|word| (*word).to_owned()).chain([path]).collect::<Vec<_>>()
        };
        Self::new(match own {
            Own::List(path) => {
                let mut argv = words(&["find", "-L"], dashless(path));
                // Directories twice: the second time says that they are.
                let tests = ["-mindepth", "1", "-maxdepth", "1", "-print0", "-type", "d", "-print0"];
                argv.extend(tests.map(str::to_owned));
                argv
            }
            Own::Resolve(path) => words(&["readlink", "-f", "--"], path),
            Own::Read(path) => words(&["cat", "--"], path),
            Own::Write { path, append: false } => words(&["tee", "--"], path),
            Own::Write { path, append: true } => words(&["tee", "-a", "--"], path),
            Own::Shell(argv) => argv,
        })
    }

    /// A command where no rules filter them: the grant allows any.
    #[must_use]
    pub const fn unfiltered(argv: Vec<String>) -> Self {
        Self::new(argv)
    }
}

/// A command that a rule denied, exactly as it was judged. Somebody may let it pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    argv: Vec<String>,
}

impl Once {
    pub(super) const fn new(argv: Vec<String>) -> Self {
        Self { argv }
    }

    /// An approver let it pass, once.
    #[must_use]
    pub fn approved(self) -> Cleared {
        Cleared::new(self.argv)
    }
}

/// A path that no program takes for a flag.
fn dashless(path: String) -> String {
    if path.starts_with('-') { format!("./{path}") } else { path }
}
