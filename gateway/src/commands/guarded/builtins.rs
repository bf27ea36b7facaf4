//! What the guarded shell does itself. Nothing of it runs in the container but what finds out whether a directory is there.

use sallyport_policy::commands::{Assurance, Cleared, Commands, Own, Verdict, Way, blotted, gathered};
use sallyport_policy::line::Variables;
use unicode_width::UnicodeWidthStr;

use super::container::{Container, ask};
use super::denied;
use super::plan::Planned;
use super::shell::DENIED;
use super::state::State;
use crate::commands::{Note, THE_SHELL};

/// What the guarded shell does itself: it starts nothing, and no rule is asked.
pub(super) const OWN: [&str; 11] =
    [":", "cd", "exit", "export", "false", "help", "history", "logout", "pwd", "true", "unset"];

/// What other shells do themselves and the guarded one refuses, saying what to do instead.
pub(super) const NOT_THERE: [&str; 25] = [
    ".", "alias", "bg", "builtin", "command", "disown", "eval", "exec", "fg", "jobs", "let", "local", "read",
    "readonly", "set", "shift", "shopt", "source", "trap", "typeset", "declare", "ulimit", "umask",
    "unalias", "wait",
];

/// What came of one.
pub(super) enum Done {
    /// What is said, on standard output.
    Said(String),
    /// What went wrong, and the status.
    Failed(String, u8),
    /// The shell is over.
    Exit(u8),
}

/// Does it. `columns`: of the terminal, where there is one.
pub(super) async fn run<C: Container>(
    container: &C,
    commands: &Commands,
    state: &mut State,
    planned: &Planned,
    columns: Option<u16>,
) -> Done {
    let words: Vec<&str> = planned.argv.iter().map(String::as_str).collect();
    let Some((name, rest)) = words.split_first() else { return Done::Said(String::new()) };
    match (*name, rest) {
        (":" | "true", _) => Done::Said(String::new()),
        ("false", _) => Done::Failed(String::new(), 1),
        ("pwd", _) => match &state.directory {
            Some(directory) => Done::Said(format!("{directory}\n")),
            None => Done::Failed("pwd: this container has no `readlink` to tell with".to_owned(), 1),
        },
        // Where one comes to is not what one typed.
        ("cd", ["-"]) => match cd(container, state, &["-"]).await {
            Done::Said(_) => Done::Said(format!("{}\n", state.directory.as_deref().unwrap_or_default())),
            other => other,
        },
        ("cd", rest) => cd(container, state, rest).await,
        ("exit" | "logout", []) => Done::Exit(state.status),
        ("exit" | "logout", [status]) => match status.parse::<u8>() {
            Ok(status) => Done::Exit(status),
            Err(_) => Done::Failed("exit takes a number from 0 to 255".to_owned(), 2),
        },
        ("exit" | "logout", _) => Done::Failed("exit takes one number".to_owned(), 2),
        ("export", rest) => export(Some(commands), state, rest),
        ("unset", names) => {
            names.iter().for_each(|name| state.unset(name));
            Done::Said(String::new())
        }
        ("history", rest) => history(state, rest),
        ("help", _) => Done::Said(help(commands, columns)),
        (name, _) => Done::Failed(format!("`{name}`: {}", instead(name)), 2),
    }
}

/// Those that change what comes after them. The others change nothing but the status, or end the shell.
const CHANGING: [&str; 3] = ["cd", "export", "unset"];

/// What is put on record of what the shell is to do itself: what changes where and with what later commands run, and what
/// other shells have and this one refuses.
pub(super) fn note(directory: Option<String>, planned: &Planned) -> Option<Note> {
    let (words, refused) = match planned.argv.as_slice() {
        [] if planned.assignments.is_empty() => return None,
        [] => (planned.assignments.iter().map(|(name, value)| format!("{name}={value}")).collect(), None),
        // Without words, `export` lists.
        [name] if name == "export" => return None,
        [name, ..] => {
            let own = OWN.contains(&name.as_str());
            if own && !CHANGING.contains(&name.as_str()) {
                return None;
            }
            (planned.argv.clone(), (!own).then(|| format!("`{name}`: {}", instead(name))))
        }
    };
    let own = refused.is_none();
    let verdict = Verdict {
        cleared: None,
        rule: THE_SHELL.to_owned(),
        why: refused.unwrap_or_default(),
        instead: None,
        assurance: Assurance::Boundary,
        shown: blotted(&words),
        once: None,
    };
    Some(Note { own, ..denied::note(directory, verdict, None) })
}

/// What to do in place of what other shells have.
pub(super) fn instead(name: &str) -> &'static str {
    match name {
        "eval" | "." | "source" => "text is not run as commands here; type the commands themselves",
        "exec" | "command" | "builtin" => "type the program itself",
        "jobs" | "fg" | "bg" | "disown" | "wait" => {
            "there are no jobs here; open a second session beside this one"
        }
        "alias" | "unalias" => "there are no aliases here; Ctrl-R finds earlier lines",
        "read" => "nothing is read into variables here",
        "trap" | "shopt" | "set" => "this shell has no options and no traps",
        _ => "this shell does not have it; `help` shows what there is",
    }
}

/// What it will leave behind, so that the rest of the line can be judged before anything of it runs. Nothing but the
/// given state changes.
pub(super) async fn foresee<C: Container>(
    container: &C,
    commands: &Commands,
    state: &mut State,
    planned: &Planned,
) {
    let Some(program) = planned.argv.first() else {
        for (name, value) in &planned.assignments {
            let _ = state.set(name, value.clone(), false);
        }
        return;
    };
    if planned.cleared.is_some() || !matches!(program.as_str(), "cd" | "export" | "unset") {
        return;
    }
    if program == "export" {
        // As if it were done, so that what comes behind it is refused with it.
        let words: Vec<&str> = planned.argv.iter().skip(1).map(String::as_str).collect();
        export(None, state, &words);
        return;
    }
    let before = state.clone();
    let done = run(container, commands, state, planned, None).await;
    if program == "cd" && matches!(done, Done::Failed(..)) {
        // The directory may be made by what comes before.
        *state = before;
        let words: Vec<&str> = planned.argv.iter().skip(1).map(String::as_str).collect();
        presume(state, &words);
    }
}

/// Goes where `cd` says, as far as its words tell where that is.
fn presume(state: &mut State, words: &[&str]) {
    if let Ok(target) = target(state, words) {
        match state.absolute(&target) {
            path if path.starts_with('/') => state.go(normal(&path), true),
            _ => state.forget_directory(),
        }
    }
}

/// Does it as far as that can be done without a container: as if it succeeded.
pub(super) fn presumed(state: &mut State, argv: &[String]) {
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    match words.split_first() {
        // Where one was before the first line is not known.
        Some((&"cd", rest)) if target(state, rest).is_err() => state.lose_directory(),
        Some((&"cd", rest)) => presume(state, rest),
        Some((&"export", rest)) if !rest.is_empty() => drop(export(None, state, rest)),
        Some((&"unset", names)) => names.iter().for_each(|name| state.unset(name)),
        _ => {}
    }
}

/// Where `cd` is to go, as it is written.
fn target(state: &State, words: &[&str]) -> Result<String, &'static str> {
    match words {
        [] => Ok(Variables::get(state, "HOME").unwrap_or("/").to_owned()),
        ["-"] => state.previous.clone().ok_or("cd: there is no earlier directory"),
        [path] | ["--", path] => Ok((*path).to_owned()),
        _ => Err("cd takes one directory"),
    }
}

async fn cd<C: Container>(container: &C, state: &mut State, words: &[&str]) -> Done {
    let failed = |text: String| Done::Failed(text, 1);
    let target = match target(state, words) {
        Ok(target) => target,
        Err(why) => return failed(why.to_owned()),
    };
    let path = state.absolute(&target);
    if !path.starts_with('/') {
        return failed("cd: where you are cannot be told in this container; write the whole path".to_owned());
    }
    // With a dot behind it, what is no directory is an error.
    let there = match ask(container, Cleared::own(Own::List(format!("{path}/.")))).await {
        Ok(said) if said.is_missing() => {
            return failed("cd: this container has no `find` to look with; write absolute paths".to_owned());
        }
        Ok(said) => said.worked() || said.cut,
        Err(error) => return failed(format!("cd: {error}")),
    };
    if !there {
        return failed(format!("cd: `{target}` is no directory that can be read"));
    }
    // Links are followed now, so that `..` later means what the kernel means.
    let resolved = match ask(container, Cleared::own(Own::Resolve(path.clone()))).await {
        Ok(said) if said.worked() => String::from_utf8(said.out).ok(),
        Ok(said) if said.is_missing() => Some(normal(&path)),
        _ => None,
    };
    let resolved = resolved.map(|path| path.trim_end_matches('\n').to_owned());
    match resolved.filter(|path| path.starts_with('/') && !path.contains('\n')) {
        Some(directory) => {
            state.go(directory, true);
            Done::Said(String::new())
        }
        None => failed(format!("cd: it cannot be told where `{target}` leads")),
    }
}

/// Without `.`, `..` and `//`, by the letters alone.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Exports what may be, and says the first that may not: not here, or by the rules (`None`: none are asked).
fn export(commands: Option<&Commands>, state: &mut State, words: &[&str]) -> Done {
    if words.is_empty() {
        let all = state.all().filter(|(_, _, exported)| *exported);
        return Done::Said(all.map(|(name, value, _)| format!("{name}={value}\n")).collect());
    }
    let mut failed = None;
    for word in words {
        if let Err((why, status)) = export_one(commands, state, word) {
            failed.get_or_insert_with(|| Done::Failed(format!("export: {why}"), status));
        }
    }
    failed.unwrap_or(Done::Said(String::new()))
}

fn export_one(commands: Option<&Commands>, state: &mut State, word: &str) -> Result<(), (String, u8)> {
    let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
    let wrong = |why: String| Err((why, 1));
    if !is_name(name) {
        return wrong(format!("`{word}` is no name of a variable"));
    }
    let known = value.or_else(|| Variables::get(state, name)).map(str::to_owned);
    let Some(known) = known else {
        return wrong(format!("`{word}` is not set: write `export {word}=value`"));
    };
    // Otherwise every command from now on would be refused for it.
    if let Some(why) = commands.and_then(|commands| commands.refuses_export(name, &known)) {
        return Err((format!("{why}; `{name}=value` alone keeps it in this shell"), DENIED));
    }
    match value {
        Some(value) => state.set(name, value.to_owned(), true).map_err(|why| (why, 1)),
        None => {
            state.export(name);
            Ok(())
        }
    }
}

/// The lines that were entered, or the last so many of them.
fn history(state: &State, words: &[&str]) -> Done {
    let most = match words {
        [] => usize::MAX,
        [most] => match most.parse() {
            Ok(most) => most,
            Err(_) => return Done::Failed("history takes a number, or nothing".to_owned(), 2),
        },
        _ => return Done::Failed("history takes one number, or nothing".to_owned(), 2),
    };
    let lines = state.history.iter().enumerate().skip(state.history.len().saturating_sub(most));
    Done::Said(lines.map(|(number, line)| format!("{:>5}  {line}\n", number + 1)).collect())
}

pub(super) fn is_name(name: &str) -> bool {
    name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What there is, and what is allowed.
fn help(commands: &Commands, columns: Option<u16>) -> String {
    let mut text = String::from(
        "The gateway is this shell: it reads the line, checks every command of it by the policy's rules, and runs each in the\n\
         container without a shell. Pipes, &&, ||, ;, >, >>, <, 2>&1, quotes, *, ?, [...] and $NAME work.\n\
         Its own: cd, pwd, export, unset, history, help, true, false, exit. Tab completes, Ctrl-R searches, Ctrl-C interrupts.\n\
         Not here: $(...), functions, loops, jobs.\n\n\
         The rules, in the order in which they are asked; `deny` forbids, the others allow. Each is a boundary unless it says that it\n\
         is a guardrail.\n",
    );
    let rules = commands.rules(Way::Guarded).into_iter();
    for (name, says, worth) in gathered(rules.map(|rule| (rule.name, rule.text, rule.assurance))) {
        let worth = match worth {
            Assurance::Boundary => String::new(),
            Assurance::Guardrail { because } => format!(" (guardrail: {because})"),
        };
        text.push_str(&format!("  {name}: {says}{worth}\n"));
    }
    match columns {
        Some(columns) => text.lines().map(|line| wrapped(line, columns.into())).collect(),
        None => text,
    }
}

/// A line in as many as it needs, parted at blanks; those that go on are indented.
fn wrapped(line: &str, columns: usize) -> String {
    let indent = if line.starts_with(' ') { "      " } else { "" };
    let mut out = String::new();
    let mut used = 0;
    for word in line.split_inclusive(' ') {
        let width = word.trim_end().width();
        if used > indent.len() && used + width > columns {
            out.truncate(out.trim_end_matches(' ').len());
            out.push('\n');
            out.push_str(indent);
            used = indent.len();
        }
        out.push_str(word);
        used += word.width();
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_normal_by_their_letters() {
        for (path, expected) in [("/a/./b//c", "/a/b/c"), ("/../..", "/"), ("/a/../b/", "/b"), ("/", "/")] {
            assert_eq!(normal(path), expected);
        }
    }

    #[test]
    fn lines_are_parted_at_blanks_where_the_terminal_ends() {
        assert_eq!(wrapped("one two three", 8), "one two\nthree\n");
        assert_eq!(wrapped("one two three", 13), "one two three\n");
        assert_eq!(wrapped("  a: bcd efgh", 12), "  a: bcd\n      efgh\n");
        assert_eq!(wrapped("verylongword x", 5), "verylongword\nx\n");
        assert_eq!(wrapped("", 5), "\n");
    }

    #[test]
    fn history_shows_the_last_so_many_lines() {
        let mut state = State::new(None);
        ["a", "b", "c"].iter().for_each(|line| state.remember(line));
        let said = |words: &[&str]| match history(&state, words) {
            Done::Said(text) => text,
            _ => "failed".to_owned(),
        };
        assert_eq!(said(&["2"]), "    2  b\n    3  c\n");
        assert_eq!(said(&[]).lines().count(), 3);
        assert_eq!(said(&["9"]).lines().count(), 3);
        assert_eq!((said(&["x"]), said(&["1", "2"])), ("failed".to_owned(), "failed".to_owned()));
    }

    #[test]
    fn what_other_shells_have_is_named_with_what_to_do_instead() {
        for name in &NOT_THERE {
            assert!(!instead(name).is_empty());
        }
    }
}
