//! One line to one [`Command`]. What is checked here is form; whether a namespace or policy exists, and whether the
//! person may, is asked later and elsewhere.

use std::time::Duration;

use sallyport_policy::duration;
use sallyport_policy::names::{ContainerName, Namespace, PodName, PolicyName, RequestName};

use super::command::{Command, Exec, Logs, Output, Pods, Rules, Shell, Topic, Unlock, Verdict};
use super::flags::{self, Parsed};
use super::target::{self, TargetArg};
use super::usage::UsageError;
use super::verb::Verb;
use super::words::{self, Apostrophe};
use super::{help, show};

mod access;

/// Reads the line after `ssh prod-gw`. `user` is the SSH user name, which may hold a target
/// ([`super::not_own_name`] first); it is empty where no person is known yet.
///
/// With a target in `user`, no words mean `shell`, and words that do not begin with one of our commands are what
/// to run there, as with `exec`; a command in the pod that is called like one of ours is reached with `exec --`.
///
/// # Errors
/// One clear line for whatever cannot be understood.
pub fn parse(line: &str, user: &str) -> Result<Command, UsageError> {
    let target = target::from_user_name(user);
    let free_text = line.split_ascii_whitespace().next().and_then(Verb::named).is_some_and(Verb::takes_text);
    let split = words::split(line, if free_text { Apostrophe::Literal } else { Apostrophe::Quotes })?;
    let Some((first, rest)) = split.words.split_first() else {
        return Ok(match target {
            Some(target) => Command::Shell(Shell { target }),
            None => Command::Lobby,
        });
    };
    if let Some(verb) = Verb::named(first) {
        return Arguments::read(verb, rest, target)?.command();
    }
    match (first.as_str(), target) {
        ("-h" | "--help", _) => Ok(Command::Help(Topic::Overview)),
        ("kubectl", None) => {
            let instead = rest.first().and_then(|word| Verb::named(word)).map(Verb::name);
            Err(UsageError::UnknownCommand { word: first.clone(), instead })
        }
        (_, None) => Err(UsageError::unknown_command(first)),
        (_, Some(target)) => match split.operator {
            None => Ok(Command::Exec(Exec { target, argv: split.words, tty: false })),
            Some(operator) => {
                let words = ["exec", "--", "sh", "-c", line.trim()].map(str::to_owned);
                Err(UsageError::Operator { operator, line: show::line(&show::after_ssh(&words)) })
            }
        },
    }
}

/// A command's flags and arguments, on their way to their types.
struct Arguments<'a> {
    verb: Verb,
    words: &'a [String],
    parsed: Parsed,
    target: Option<TargetArg>,
}

impl<'a> Arguments<'a> {
    fn read(verb: Verb, words: &'a [String], target: Option<TargetArg>) -> Result<Self, UsageError> {
        let stop_at = (verb == Verb::Exec).then_some(usize::from(target.is_none()));
        Ok(Self { verb, words, parsed: flags::read(verb, words, stop_at)?, target })
    }

    fn command(self) -> Result<Command, UsageError> {
        if self.parsed.has("help") {
            return Ok(Command::Help(Topic::Verb(self.verb)));
        }
        if !matches!(self.verb, Verb::Exec | Verb::Request)
            && self.parsed.after_dashes.as_ref().is_some_and(|words| !words.is_empty())
        {
            return Err(self.no_command_here());
        }
        match self.verb {
            Verb::Help => self.help().map(Command::Help),
            Verb::WhoAmI => Ok(Command::WhoAmI(self.output_only()?)),
            Verb::Login => self.arguments::<0>("").map(|_| Command::Login),
            Verb::BreakGlass => self.arguments::<0>("").map(|_| Command::BreakGlass),
            Verb::Policies => Ok(Command::Policies(self.output_only()?)),
            Verb::Rules => self.rules().map(Command::Rules),
            Verb::Request => self.request().map(Command::Request),
            Verb::Requests => Ok(Command::Requests(self.output_only()?)),
            Verb::Approve => self.verdict().map(Command::Approve),
            Verb::Deny => self.verdict().map(Command::Deny),
            Verb::Withdraw => self.verdict().map(Command::Withdraw),
            Verb::Grants => Ok(Command::Grants(self.output_only()?)),
            Verb::Extend => self.extend().map(Command::Extend),
            Verb::Why => self.why().map(Command::Why),
            Verb::Reviews => Ok(Command::Reviews(self.output_only()?)),
            Verb::Review => self.review().map(Command::Review),
            Verb::Locks => Ok(Command::Locks(self.output_only()?)),
            Verb::Lock => self.lock().map(Command::Lock),
            Verb::Unlock => {
                let [name] = self.arguments("the name of a lock (`locks` lists them)")?;
                Ok(Command::Unlock(Unlock { name: PodName::parse(name)?, output: self.output()? }))
            }
            Verb::Revoke => self.verdict().map(Command::Revoke),
            Verb::Pods => {
                self.arguments::<0>("")?;
                Ok(Command::Pods(Pods { namespace: self.namespace_beside_target()?, output: self.output()? }))
            }
            Verb::Shell => self.target().map(|target| Command::Shell(Shell { target })),
            Verb::Exec => self.exec().map(Command::Exec),
            Verb::Logs => self.logs().map(Command::Logs),
        }
    }

    fn rules(&self) -> Result<Rules, UsageError> {
        let policy = match self.parsed.arguments.is_empty() {
            true => None,
            false => {
                let [name] = self.arguments("the name of a policy (`policies` lists them)")?;
                Some(PolicyName::parse(name)?)
            }
        };
        Ok(Rules { policy, output: self.output()? })
    }

    /// Exactly `N` arguments.
    fn arguments<const N: usize>(&self, what: &'static str) -> Result<[&str; N], UsageError> {
        let (command, usage) = (self.verb.name(), self.verb.usage());
        if let Some(word) = self.parsed.arguments.get(N) {
            return Err(UsageError::Surplus { command, word: word.clone(), usage });
        }
        let given: Vec<&str> = self.parsed.arguments.iter().map(String::as_str).collect();
        given.try_into().map_err(|_| match self.parsed.value("reason") {
            Some(_) => UsageError::Swallowed { command, what },
            None => UsageError::Missing { command, what, usage },
        })
    }

    fn output_only(&self) -> Result<Output, UsageError> {
        self.arguments::<0>("")?;
        self.output()
    }

    fn output(&self) -> Result<Output, UsageError> {
        match self.parsed.value("output") {
            None | Some("table" | "wide") => Ok(Output::Table),
            Some("json") => Ok(Output::Json),
            Some(other) => {
                let why = "write `json` or `table`".to_owned();
                Err(UsageError::Invalid { what: "the output format", value: other.to_owned(), why })
            }
        }
    }

    fn help(&self) -> Result<Topic, UsageError> {
        match self.parsed.arguments.as_slice() {
            [] => Ok(Topic::Overview),
            [word] => help::topic(word),
            [_, word, ..] => Err(UsageError::Surplus {
                command: self.verb.name(),
                word: word.clone(),
                usage: self.verb.usage(),
            }),
        }
    }

    fn verdict(&self) -> Result<Verdict, UsageError> {
        Ok(Verdict { name: self.name()?, reason: self.reason(), output: self.output()? })
    }

    fn name(&self) -> Result<RequestName, UsageError> {
        let what = if matches!(self.verb, Verb::Revoke | Verb::Extend) {
            "the name of a grant (`grants` lists yours)"
        } else {
            "the name of a request (`requests` lists them)"
        };
        let [name] = self.arguments(what)?;
        Ok(RequestName::parse(name)?)
    }

    fn exec(self) -> Result<Exec, UsageError> {
        if let (None, Some(command)) = (&self.parsed.after_dashes, self.first_word_in_pod()) {
            return Err(UsageError::NoDashes { line: self.with_dashes(command) });
        }
        let target = self.target()?;
        let tty = self.parsed.has("tty");
        let argv = match self.parsed.after_dashes {
            Some(argv) if argv.is_empty() => return Err(UsageError::NothingToRun),
            Some(argv) => argv,
            None => {
                let what = "a command after `--`";
                return Err(UsageError::Missing { command: "exec", what, usage: self.verb.usage() });
            }
        };
        Ok(Exec { target, argv, tty })
    }

    fn logs(&self) -> Result<Logs, UsageError> {
        Ok(Logs {
            target: self.target()?,
            follow: self.parsed.has("follow"),
            tail: self.tail()?,
            since: self.duration("since")?,
            timestamps: self.parsed.has("timestamps"),
            previous: self.parsed.has("previous"),
        })
    }

    /// Where in the words the command for the pod begins, if its `--` is missing.
    fn first_word_in_pod(&self) -> Option<usize> {
        self.parsed.positions.get(usize::from(self.target.is_none())).copied()
    }

    fn with_dashes(&self, command: usize) -> String {
        let mut words = vec![self.verb.name().to_owned()];
        words.extend(self.words.iter().take(command).cloned());
        words.push("--".to_owned());
        words.extend(self.words.iter().skip(command).cloned());
        show::line(&show::after_ssh(&words))
    }

    fn no_command_here(&self) -> UsageError {
        let rest = self.parsed.after_dashes.iter().flatten().cloned();
        if self.verb != Verb::Shell {
            let word = rest.into_iter().next().unwrap_or_default();
            return UsageError::Surplus { command: self.verb.name(), word, usage: self.verb.usage() };
        }
        let words: Vec<String> =
            std::iter::once("exec".to_owned()).chain(self.words.iter().cloned()).collect();
        UsageError::NotACommand { command: self.verb.name(), line: show::line(&show::after_ssh(&words)) }
    }

    /// The target from the line or the user name, with `-n` and `-c`.
    fn target(&self) -> Result<TargetArg, UsageError> {
        let container = self.parsed.value("container").map(ContainerName::parse).transpose()?;
        let Some(target) = &self.target else {
            let [typed] = self.arguments(TARGET)?;
            let (kind, name) = target::parse(typed)?;
            return Ok(TargetArg { namespace: self.namespace()?, kind, name, container });
        };
        if let Some(typed) = self.parsed.arguments.first() {
            return Err(contradiction("target", target.name.as_str(), typed));
        }
        let mut target = target.clone();
        target.namespace = self.namespace_beside_target()?;
        if let (Some(said), Some(typed)) = (&target.container, &container)
            && said != typed
        {
            return Err(contradiction("container", said.as_str(), typed.as_str()));
        }
        target.container = target.container.or(container);
        Ok(target)
    }

    fn namespace(&self) -> Result<Option<Namespace>, UsageError> {
        Ok(self.parsed.value("namespace").map(Namespace::parse).transpose()?)
    }

    fn namespace_beside_target(&self) -> Result<Option<Namespace>, UsageError> {
        let said = self.target.as_ref().and_then(|target| target.namespace.clone());
        match (said, self.namespace()?) {
            (Some(said), Some(typed)) if said != typed => {
                Err(contradiction("namespace", said.as_str(), typed.as_str()))
            }
            (said, typed) => Ok(typed.or(said)),
        }
    }

    fn duration(&self, flag: &str) -> Result<Option<Duration>, UsageError> {
        Ok(self.parsed.value(flag).map(duration::parse).transpose()?)
    }

    /// `--tail -1` means all, as with kubectl.
    fn tail(&self) -> Result<Option<u64>, UsageError> {
        match self.parsed.value("tail") {
            None | Some("-1") => Ok(None),
            Some(typed) => match typed.parse::<u32>() {
                Ok(lines) => Ok(Some(u64::from(lines))),
                Err(_) => {
                    let why = "write how many lines, like `--tail 100`".to_owned();
                    Err(UsageError::Invalid { what: "the number of lines", value: typed.to_owned(), why })
                }
            },
        }
    }

    fn reason(&self) -> Option<String> {
        self.parsed.value("reason").map(str::to_owned)
    }
}

const TARGET: &str = "a target: POD, deploy/NAME, sts/NAME or job/NAME";

fn contradiction(what: &'static str, user: &str, line: &str) -> UsageError {
    UsageError::Contradiction { what, user: user.to_owned(), line: line.to_owned() }
}

#[cfg(test)]
mod access_tests;
#[cfg(test)]
mod tests;
