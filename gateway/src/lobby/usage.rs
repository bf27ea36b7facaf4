//! What is wrong with a command line, in one line, with the nearest thing that would have been right.

use super::near;
use super::show::word as show;

/// A command line that cannot be understood; exit status 64. What people typed is shown shortened and without
/// control characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// More than [`super::words::MAX_LINE`] bytes.
    #[error("the command line is longer than 64 KiB; send what is long through standard input")]
    LineTooLong,
    /// More than [`super::words::MAX_WORDS`] words.
    #[error("the command line has more than 4096 words")]
    TooManyWords,
    /// A NUL byte, which no argument can hold.
    #[error("the command line holds a NUL character")]
    Nul,
    /// A quote that is not closed.
    #[error(
        "the quote `{0}` is not closed; `ssh` takes one level of quotes away, put \\ before it or quote it twice"
    )]
    OpenQuote(char),
    /// The first word is no command.
    #[error("unknown command `{}`{}; `help` lists the commands", show(.word), did_you_mean(.instead))]
    UnknownCommand {
        /// What was typed.
        word: String,
        /// What may have been meant.
        instead: Option<&'static str>,
    },
    /// `help` for something there is no page about.
    #[error("no help on `{}`{}; `help` lists what there is", show(.word), did_you_mean(.instead))]
    UnknownTopic {
        /// What was typed.
        word: String,
        /// What may have been meant.
        instead: Option<&'static str>,
    },
    /// A flag that the command does not have.
    #[error("`{command}` has no flag `{}`{}; see `help {command}`", show(.flag), did_you_mean(.instead))]
    UnknownFlag {
        /// The command.
        command: &'static str,
        /// What was typed.
        flag: String,
        /// What may have been meant.
        instead: Option<String>,
    },
    /// A flag at the end of the line, or before another flag.
    #[error("`{flag}` needs a value: {value}; see `help {command}`")]
    NeedsValue {
        /// The command.
        command: &'static str,
        /// The flag as typed.
        flag: String,
        /// What the value is, as help shows it.
        value: &'static str,
    },
    /// A value for a flag that is either there or not.
    #[error("`{flag}` takes no value; see `help {command}`")]
    TakesNoValue {
        /// The command.
        command: &'static str,
        /// The flag.
        flag: String,
    },
    /// A flag that is there twice.
    #[error("`--{flag}` is given twice; see `help {command}`")]
    Twice {
        /// The command.
        command: &'static str,
        /// The flag's long name.
        flag: &'static str,
    },
    /// A value that does not parse.
    #[error("{what} `{}` is not valid: {why}", show(.value))]
    Invalid {
        /// What it should have been.
        what: &'static str,
        /// What was typed.
        value: String,
        /// Why it is not.
        why: String,
    },
    /// A name that is none.
    #[error(transparent)]
    Name(#[from] sallyport_policy::names::NameError),
    /// A length of time that is none.
    #[error(transparent)]
    Duration(#[from] sallyport_policy::duration::DurationError),
    /// Something the command cannot do without.
    #[error("`{command}` needs {what}: {usage}")]
    Missing {
        /// The command.
        command: &'static str,
        /// What is missing.
        what: &'static str,
        /// The command's usage line.
        usage: &'static str,
    },
    /// `request --reason INC-1 oncall-debug`: the free text took what was meant to follow it.
    #[error("`{command}` needs {what}, and `--reason` takes every word up to the next flag: put it last")]
    Swallowed {
        /// The command.
        command: &'static str,
        /// What is missing.
        what: &'static str,
    },
    /// No namespace, and no grant to take it from.
    #[error("which namespace? add `-n NS`; you have no open grant, `policies` shows what you can ask for")]
    NoNamespace,
    /// No namespace, and more than one to choose from.
    #[error("which namespace? add `-n NS`; your grants cover {}", super::phrase::list(.covered))]
    WhichNamespace {
        /// What the grants cover.
        covered: Vec<String>,
    },
    /// A flag that the command cannot do without.
    #[error("`{command}` needs {what}: add `{add}`")]
    NeedsFlag {
        /// The command.
        command: &'static str,
        /// What is missing.
        what: &'static str,
        /// What to add.
        add: &'static str,
    },
    /// `lock` with nobody, or with several.
    #[error("`lock` takes exactly one of `--person USERNAME`, `-n NS [POD]` and `--everything`")]
    LockWhat,
    /// `request … -- shell …` without `--wait`.
    #[error("a command after `--` goes with `--wait`: it runs once the request is approved")]
    NoWait,
    /// `request … --wait -- grants`
    #[error("after `--wait --` goes `shell`, `exec` or `logs`, and not `{}`", show(.word))]
    NotAfterWait {
        /// What stands there.
        word: String,
    },
    /// `-o json` where a session's own output follows.
    #[error("`-o json` does not go with a command after `--`, whose output would follow it")]
    JsonBeforeCommand,
    /// A workload that is none.
    #[error(transparent)]
    Workload(#[from] sallyport_policy::WorkloadError),
    /// A word too many.
    #[error("`{command}` does not know what to do with `{}`: {usage}", show(.word))]
    Surplus {
        /// The command.
        command: &'static str,
        /// The word.
        word: String,
        /// The command's usage line.
        usage: &'static str,
    },
    /// `exec POD cat f` for `exec POD -- cat f`.
    #[error("put `--` before the command that runs in the pod: {line}")]
    NoDashes {
        /// The line that would have been right.
        line: String,
    },
    /// `exec POD --` and nothing after it.
    #[error("there is no command after `--`; for a shell type `shell` instead of `exec`")]
    NothingToRun,
    /// `shell POD -- cat f`.
    #[error("`{command}` takes no command after `--`; `exec` runs one: {line}")]
    NotACommand {
        /// The command.
        command: &'static str,
        /// The line that runs it.
        line: String,
    },
    /// The user name says one thing and the command line another.
    #[error("the user name before `@` already says {what} `{}`, and the command line `{}`", show(.user), show(.line))]
    Contradiction {
        /// `target`, `namespace`, `container`.
        what: &'static str,
        /// In the user name.
        user: String,
        /// In the line.
        line: String,
    },
    /// `ssh POD.NS@prod-gw 'ls | wc'`: a shell's operator where there is no shell.
    #[error("`{operator}` would need a shell, and there is none in between: {line}")]
    Operator {
        /// The operator.
        operator: char,
        /// The line that brings a shell.
        line: String,
    },
}

impl UsageError {
    /// The status that `ssh` exits with: EX_USAGE.
    pub const EXIT: u8 = 64;

    pub(super) fn unknown_command(word: &str) -> Self {
        let instead = near::synonym(word).or_else(|| near::nearest(word, super::verb::Verb::names()));
        Self::UnknownCommand { word: word.to_owned(), instead }
    }
}

fn did_you_mean<T: std::fmt::Display>(instead: &Option<T>) -> String {
    instead.as_ref().map(|instead| format!(", did you mean `{instead}`")).unwrap_or_default()
}
