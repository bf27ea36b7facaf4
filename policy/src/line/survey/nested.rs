//! Programs whose arguments are commands, or texts for a shell.

use std::ops::Range;

/// What a command holds beside itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Inner {
    Nothing,
    /// A text that a shell would read.
    Text(String),
    /// Arguments that are commands themselves.
    Commands(Vec<Range<usize>>),
}

/// How a program finds the command in its arguments.
struct Wrapper {
    names: &'static [&'static str],
    /// Short flags that take the next argument.
    values: &'static str,
    /// Arguments before the command.
    operands: usize,
    /// Whether `NAME=value` may stand before the command.
    assignments: bool,
}

const WRAPPERS: [Wrapper; 14] = [
    wrapper(
        &["command", "builtin", "exec", "nohup", "setsid", "busybox", "toybox", "coproc", "time"],
        "afo",
        0,
    ),
    wrapper(&["env"], "uC", 0).with_assignments(),
    wrapper(&["sudo"], "ughpCrtTUDR", 0).with_assignments(),
    wrapper(&["doas"], "uC", 0),
    wrapper(&["nice"], "n", 0),
    wrapper(&["ionice"], "cnpPu", 0),
    wrapper(&["timeout"], "sk", 1),
    wrapper(&["xargs"], "InPdaELs", 0),
    wrapper(&["stdbuf"], "ioe", 0),
    wrapper(&["chroot", "flock", "taskset", "chrt", "setarch"], "wE", 1),
    wrapper(&["strace", "ltrace"], "eopsSuPaEI", 0),
    wrapper(&["unshare", "nsenter", "setpriv", "runuser"], "tSGugR", 0),
    wrapper(&["parallel"], "jIaCNnL", 0),
    wrapper(&["ssh"], "bcDEeFIiJLlmOopQRSWw", 1),
];

const fn wrapper(names: &'static [&'static str], values: &'static str, operands: usize) -> Wrapper {
    Wrapper { names, values, operands, assignments: false }
}

impl Wrapper {
    const fn with_assignments(self) -> Self {
        Self { assignments: true, ..self }
    }

    /// Where the command begins.
    fn command(&self, argv: &[String]) -> usize {
        let mut at = 1;
        let mut operands = self.operands;
        let mut flags = true;
        while let Some(argument) = argv.get(at) {
            if flags && argument == "--" {
                flags = false;
            } else if flags && argument.starts_with('-') && argument.len() > 1 {
                // `-u root`, but not `-uroot` and not `--user`.
                let value = !argument.starts_with("--")
                    && argument.chars().next_back().is_some_and(|flag| self.values.contains(flag))
                    && argument.chars().skip(1).position(|flag| self.values.contains(flag))
                        == Some(argument.chars().count() - 2);
                at += usize::from(value);
            } else if self.assignments && argument.contains('=') {
            } else if operands > 0 {
                operands -= 1;
            } else {
                break;
            }
            at += 1;
        }
        at
    }
}

pub(super) fn is_shell(program: &str) -> bool {
    let name = program.rsplit('/').next().unwrap_or_default();
    matches!(
        name,
        "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh" | "ksh93" | "mksh" | "rbash" | "fish" | "yash"
    )
}

/// What a command would interpret.
pub(super) fn inner(argv: &[String]) -> Inner {
    let Some((program, arguments)) = argv.split_first() else { return Inner::Nothing };
    let name = program.rsplit('/').next().unwrap_or_default();
    if is_shell(name) {
        return text_after(arguments, true);
    }
    match name {
        "eval" => Inner::Text(arguments.join(" ")),
        "su" | "script" => text_after(arguments, false),
        "trap" => {
            arguments.iter().find(|argument| *argument != "--").cloned().map_or(Inner::Nothing, Inner::Text)
        }
        // One text for `sh -c`, after its own flags.
        "watch" => {
            let at = wrapper(&[], "n", 0).command(argv);
            argv.get(at..).map_or(Inner::Nothing, |rest| Inner::Text(rest.join(" ")))
        }
        "find" => executed(argv),
        "env"
            if arguments
                .iter()
                .any(|argument| argument.starts_with("-S") || argument.starts_with("--split-string")) =>
        {
            let text = arguments.iter().map(|argument| {
                argument
                    .strip_prefix("--split-string=")
                    .or_else(|| argument.strip_prefix("-S"))
                    .unwrap_or(argument)
            });
            Inner::Text(text.collect::<Vec<_>>().join(" "))
        }
        _ => {
            let Some(wrapper) = WRAPPERS.iter().find(|wrapper| wrapper.names.contains(&name)) else {
                return Inner::Nothing;
            };
            let at = wrapper.command(argv);
            match argv.get(at..) {
                None | Some([]) => Inner::Nothing,
                // What a remote shell reads is one text.
                Some(rest) if name == "ssh" => Inner::Text(rest.join(" ")),
                Some(_) => Inner::Commands(vec![Range { start: at, end: argv.len() }]),
            }
        }
    }
}

/// The text after `-c`; a shell takes flags together, and the first argument that is none.
fn text_after(arguments: &[String], shell: bool) -> Inner {
    let is = |argument: &String| {
        argument == "-c"
            || argument == "--command"
            || (shell && argument.starts_with('-') && !argument.starts_with("--") && argument.contains('c'))
    };
    if let Some(text) = arguments.iter().find_map(|argument| argument.strip_prefix("--command=")) {
        return Inner::Text(text.to_owned());
    }
    let Some(at) = arguments.iter().position(is) else { return Inner::Nothing };
    let mut rest = arguments.iter().skip(at + 1);
    let text = rest.find(|argument| !(shell && (argument.starts_with('-') || argument.starts_with('+'))));
    text.cloned().map_or(Inner::Nothing, Inner::Text)
}

/// `find … -exec COMMAND ;`
fn executed(argv: &[String]) -> Inner {
    let mut commands = Vec::new();
    let mut start = None;
    for (at, argument) in argv.iter().enumerate() {
        match (argument.as_str(), start) {
            ("-exec" | "-execdir" | "-ok" | "-okdir", _) => start = Some(at + 1),
            (";" | "+", Some(from)) => {
                commands.push(from..at);
                start = None;
            }
            _ => {}
        }
    }
    commands.extend(start.map(|from| from..argv.len()));
    Inner::Commands(commands)
}

/// The text that a program would interpret: `sh -c TEXT`, `eval TEXT`, `sudo COMMAND`, `find -exec COMMAND ;`. Arguments
/// that are a command are given quoted, so that reading the text gives them back; several commands on lines of their own.
#[must_use]
pub fn nested(argv: &[String]) -> Option<String> {
    let text = match inner(argv) {
        Inner::Nothing => return None,
        Inner::Text(text) => text,
        Inner::Commands(ranges) => {
            let commands = ranges.into_iter().filter_map(|range| argv.get(range));
            commands.map(quoted).collect::<Vec<_>>().join("\n")
        }
    };
    (!text.trim().is_empty()).then_some(text)
}

fn quoted(argv: &[String]) -> String {
    let quote = |word: &String| format!("'{}'", word.replace('\'', "'\\''"));
    argv.iter().map(quote).collect::<Vec<_>>().join(" ")
}
