//! From a text to verdicts: the one place where the reader of open shells meets the rules.
//!
//! Where its guarantee ends: what the container's shell makes of a text is guessed. Aliases, functions, variables and what
//! a program then does are not known here.

use sallyport_policy::commands::{
    Assurance, Cleared, Commands, Invocation, OnDenied, OnLostTrack, Verdict, Way,
};
use sallyport_policy::line::{self, Part, RedirectTo, Script, Simple, Survey, Word};

use super::blot::{blotted, told};

/// What the rules say of a text.
#[derive(Debug)]
pub(super) struct Judged {
    /// The text, as it may be shown and kept.
    pub(super) line: String,
    /// Each command in it, with its verdict.
    pub(super) commands: Vec<(String, Verdict)>,
}

impl Judged {
    /// The first one that may not run.
    pub(super) fn denied(&self) -> Option<&(String, Verdict)> {
        self.commands.iter().find(|(_, verdict)| verdict.cleared.is_none())
    }
}

/// Who says which lines may run.
pub(super) trait Judge: Send + Sync + 'static {
    fn judge(&self, text: &str) -> Judged;
    fn on_denied(&self) -> OnDenied;
    fn on_lost_track(&self) -> OnLostTrack;
}

impl Judge for Commands {
    fn judge(&self, text: &str) -> Judged {
        judge(self, text)
    }

    fn on_denied(&self) -> OnDenied {
        Self::on_denied(self)
    }

    fn on_lost_track(&self) -> OnLostTrack {
        Self::on_lost_track(self)
    }
}

/// Asks the rules about each command in a text.
fn judge(commands: &Commands, text: &str) -> Judged {
    if text.trim().is_empty() {
        return Judged { line: String::new(), commands: Vec::new() };
    }
    if let Some(what) = history_reference(text) {
        let why = format!(
            "`{what}` stands for something from the shell's history, which is not known before it runs"
        );
        let verdict = cannot_know(why, Some("recall the line with the up key instead".to_owned()));
        return Judged { line: blotted(text), commands: vec![(blotted(text), verdict)] };
    }
    let unfinished = line::parse(text).is_err_and(|error| error.unfinished);
    let (line, mut judged) = match line::survey(text) {
        Survey::Known(script) => known(commands, text, &script),
        Survey::Guessed { commands: found, .. } if !found.is_empty() => {
            let each = found.into_iter().map(|argv| {
                judge_one(commands, Invocation { argv, terminal: true, ..Invocation::default() })
            });
            let each: Vec<(String, Verdict)> = each.collect();
            (blotted(text), each)
        }
        Survey::Guessed { .. } if unfinished => (blotted(text), Vec::new()),
        Survey::Guessed { why, .. } => (
            blotted(text),
            vec![(blotted(text), cannot_know(why, Some("write it in another way".to_owned())))],
        ),
    };
    if unfinished {
        // It does not run yet; what is missing may make it something else. What is forbidden already stays so.
        judged.retain(|(_, verdict)| verdict.cleared.is_none() && verdict.rule.starts_with("deny["));
    }
    Judged { line, commands: judged }
}

/// A verdict where no rules filter commands, or none apply.
pub(super) fn unjudged(line: &str, rule: &str) -> Verdict {
    Verdict {
        cleared: Some(Cleared::unfiltered(vec![line.to_owned()])),
        rule: rule.to_owned(),
        why: String::new(),
        instead: None,
        assurance: Assurance::Guardrail { because: "it was read from the screen".to_owned() },
        shown: Vec::new(),
        can_be_asked: false,
    }
}

pub(super) fn cannot_know(why: String, instead: Option<String>) -> Verdict {
    Verdict {
        cleared: None,
        rule: "no rule".to_owned(),
        why,
        instead,
        assurance: Assurance::Guardrail { because: "it was read from the screen".to_owned() },
        shown: Vec::new(),
        can_be_asked: false,
    }
}

fn judge_one(commands: &Commands, invocation: Invocation) -> (String, Verdict) {
    let verdict = commands.judge(&invocation, Way::Open);
    (verdict.shown.join(" "), verdict)
}

fn known(commands: &Commands, text: &str, script: &Script) -> (String, Vec<(String, Verdict)>) {
    let mut out = Vec::new();
    let mut secrets = Vec::new();
    for pipeline in script.steps.iter().map(|step| &step.pipeline) {
        for (index, simple) in pipeline.commands.iter().enumerate() {
            if let Some(program) = simple.words.first().filter(|word| !literal(word)) {
                let shown = text.get(program.span.clone()).unwrap_or_default();
                let why = format!("which program `{shown}` stands for is not known before it runs");
                out.push((blotted(text), cannot_know(why, Some("name the program".to_owned()))));
                continue;
            }
            let (shown, verdict) = judge_one(commands, invocation(text, simple, index > 0));
            if verdict.shown.len() == simple.words.len() {
                let told =
                    verdict.shown.iter().zip(&simple.words).filter(|(shown, _)| shown.contains("****"));
                secrets.extend(told.map(|(shown, word)| (word.span.clone(), shown.clone())));
            }
            out.push((shown, verdict));
        }
    }
    (told(text, secrets), out)
}

fn invocation(text: &str, simple: &Simple, piped: bool) -> Invocation {
    let word = |word: &Word| written(text, word);
    let mut invocation = Invocation {
        argv: simple.words.iter().map(word).collect(),
        environment: simple.assignments.iter().map(|(name, value)| (name.clone(), word(value))).collect(),
        piped,
        terminal: true,
        ..Invocation::default()
    };
    for redirection in &simple.redirections {
        match &redirection.to {
            RedirectTo::Read(path) => invocation.reads.push(word(path)),
            RedirectTo::Write(path) | RedirectTo::Append(path) => invocation.writes.push(word(path)),
            RedirectTo::Same(_) => {}
        }
    }
    invocation
}

fn literal(word: &Word) -> bool {
    word.parts.iter().all(|part| matches!(part, Part::Text { .. } | Part::Home))
}

/// A word without its quotes; what a variable stands for is not known, and stays as it is written.
fn written(text: &str, word: &Word) -> String {
    let _ = text;
    word.parts
        .iter()
        .map(|part| match part {
            Part::Text { text, .. } => text.clone(),
            Part::Variable { name, .. } => format!("${name}"),
            Part::Home => "~".to_owned(),
        })
        .collect()
}

/// What bash would replace from its history (`!!`, `!rm`, `^a^b`), if there is something.
fn history_reference(text: &str) -> Option<&str> {
    if text.starts_with('^') {
        return Some(text);
    }
    let (mut single, mut double) = (false, false);
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' if !single => {
                characters.next();
            }
            '\'' if !double => single = !single,
            '"' if !single => double = !double,
            '!' if !single => match characters.peek() {
                Some((_, next))
                    if next.is_whitespace() || matches!(next, '=' | '(' | '"' | ';' | '|' | '&') => {}
                None => {}
                Some(_) => return text.get(at..),
            },
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_bash_takes_from_its_history_is_found() {
        for text in ["!!", "!rm", "sudo !!", "echo \"!rm\"", "^ls^rm", "!-2", "!?x", "echo a!b"] {
            assert!(history_reference(text).is_some(), "{text}");
        }
        for text in
            ["! true", "echo '!rm'", "echo \\!rm", "[ a != b ]", "echo hi!", "echo \"hi!\"", "a!(b)", "true"]
        {
            assert_eq!(history_reference(text), None, "{text}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_is_denied_and_cannot_be_asked_for() {
        let rules = Commands::parse(&sallyport_policy::commands::CommandsInput::default()).expect("rules");
        for text in ["!rm", "rm", "$X -rf /"] {
            let judged = judge(&rules, text);
            assert!(judged.denied().is_some(), "{text}");
        }
        assert!(judge(&rules, " ").commands.is_empty());
    }
}
