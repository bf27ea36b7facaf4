//! From a text to verdicts: the one place where the reader of open shells meets the rules.
//!
//! Where its guarantee ends: what the container's shell makes of a text is guessed. Aliases, functions, variables and what
//! a program then does are not known here.

use std::ops::Range;
use std::sync::LazyLock;

use sallyport_policy::commands::{
    Assurance, Cleared, Commands, CommandsInput, OnDenied, OnLostTrack, Verdict,
};
use sallyport_policy::line::{self, Script, Unset};

use super::blot::{blotted, told, told_by_line};

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
    // What variables stand for in the container is not known here.
    let mut verdicts = commands.judge_text(text, None, &Unset);
    let line = line_of(text, &verdicts);
    if line::parse(text).is_err_and(|error| error.unfinished) {
        // It does not run yet; what is missing may make it something else. What is forbidden already stays so.
        let forbids = |rule: &str| rule.starts_with("deny[") || rule == "protected paths";
        verdicts.retain(|verdict| verdict.cleared.is_none() && forbids(&verdict.rule));
    }
    let commands = verdicts.into_iter().map(|verdict| (verdict.shown.join(" "), verdict)).collect();
    Judged { line, commands }
}

/// The text as it may be kept: as typed, with those words replaced that the verdicts blotted out.
fn line_of(text: &str, verdicts: &[Verdict]) -> String {
    let Ok(script) = line::parse(text) else {
        return match verdicts {
            [one] => one.shown.join(" "),
            _ => blotted(text),
        };
    };
    told(text, secrets(&script, verdicts))
}

/// The words of a script that its verdicts blotted out.
fn secrets(script: &Script, verdicts: &[Verdict]) -> Vec<(Range<usize>, String)> {
    let simples = script.steps.iter().flat_map(|step| &step.pipeline.commands);
    let same = simples.zip(verdicts).filter(|(simple, verdict)| simple.words.len() == verdict.shown.len());
    let words = same.flat_map(|(simple, verdict)| simple.words.iter().zip(&verdict.shown));
    let secrets = words.filter(|(_, shown)| shown.contains("****"));
    secrets.map(|(word, shown)| (word.span.clone(), shown.clone())).collect()
}

/// What nobody judges, as it may be kept: the text, line by line as it was typed; and its words, where it is one command.
pub(super) fn unruled(text: &str, rule: &str) -> (String, Verdict) {
    // Rules that say nothing know all the same which words of which program are secrets.
    static NONE: LazyLock<Option<Commands>> =
        LazyLock::new(|| Commands::parse(&CommandsInput::default()).ok());
    let verdicts = NONE.as_ref().map(|none| none.judge_text(text, None, &Unset)).unwrap_or_default();
    let script = line::parse(text).ok();
    let line =
        told_by_line(text, script.as_ref().map(|script| secrets(script, &verdicts)).unwrap_or_default());
    let shown = match verdicts.as_slice() {
        [one] if script.is_some() => one.shown.clone(),
        _ => Vec::new(),
    };
    let verdict = Verdict { shown, ..unjudged(&line, rule) };
    (line, verdict)
}

/// What the guardrail would say of a line that was typed in the past, command by command.
#[must_use]
pub fn replayed(commands: &Commands, text: &str) -> Vec<Verdict> {
    judge(commands, text).commands.into_iter().map(|(_, verdict)| verdict).collect()
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
        once: None,
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
        once: None,
    }
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
    use sallyport_policy::commands::{CommandsInput, RuleInput};

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

    fn rules(allow: &[&str], deny: &[&str]) -> Commands {
        let rule = |programs: &[&str]| RuleInput {
            programs: programs.iter().map(|program| (*program).to_owned()).collect(),
            ..RuleInput::default()
        };
        let some = |programs: &[&str]| if programs.is_empty() { Vec::new() } else { vec![rule(programs)] };
        let input = CommandsInput { allow: some(allow), deny: some(deny), ..CommandsInput::default() };
        Commands::parse(&input).expect("rules")
    }

    fn denied(rules: &Commands, text: &str) -> Option<String> {
        judge(rules, text).denied().map(|(_, verdict)| verdict.rule.clone())
    }

    #[test]
    fn what_no_rule_allows_is_denied_and_a_forbid_wins() {
        let list = rules(&["ls", "cat"], &[]);
        for text in ["ls -l", "ls | cat", "cat a; ls", ""] {
            assert_eq!(denied(&list, text), None, "{text}");
        }
        for text in
            ["rm x", "ls; rm x", "$X -rf /", "ls $(rm x)", "!ls", "^a^b", "ls\nrm x", "cat /etc/shadow"]
        {
            assert!(denied(&list, text).is_some(), "{text}");
        }
        let forbid = rules(&[], &["rm"]);
        assert_eq!(denied(&forbid, "vim x"), None);
        for text in ["rm x", "ls && rm x", "ls\nrm x", "sudo rm -rf /"] {
            assert_eq!(denied(&forbid, text).as_deref(), Some("deny[0]"), "{text}");
        }
    }

    #[test]
    fn an_unfinished_line_passes_unless_it_is_forbidden_already() {
        let list = rules(&["ls", "echo"], &["rm"]);
        for text in ["echo 'a", "ls |", "ls &&", "ls \\"] {
            assert_eq!(denied(&list, text), None, "{text}");
        }
        assert!(denied(&list, "echo 'a\nb'; id").is_some());
    }

    #[test]
    fn what_nobody_judges_is_kept_without_secrets_and_as_it_can_be_judged_again() {
        let (line, verdict) = unruled("mysql -phunter2 shop", "no rules");
        assert_eq!((line.as_str(), verdict.rule.as_str()), ("mysql -p**** shop", "no rules"));
        assert_eq!(verdict.shown, ["mysql", "-p****", "shop"]);
        let loops = "for f in a\ndo rm $f\ndone";
        let (line, verdict) = unruled(loops, "no rules");
        assert_eq!((line.as_str(), verdict.shown.len()), (loops, 0));
        assert!(replayed(&rules(&["ls"], &[]), &line).iter().any(|one| one.cleared.is_none()));
        assert!(replayed(&rules(&[], &["rm"]), &line).iter().any(|one| one.rule == "deny[0]"));
        let (line, _) = unruled("export TOKEN=hunter2 `", "no rules");
        assert!(!line.contains("hunter2"), "{line}");
        assert!(unruled("ls | rm x", "no rules").1.shown.is_empty());
    }

    #[test]
    fn secrets_are_not_in_the_line_that_is_kept() {
        let list = rules(&["mysql", "ls"], &[]);
        let judged = judge(&list, "mysql --password=hunter2 shop; ls  -l");
        assert_eq!(judged.line, "mysql --password=**** shop; ls  -l");
        assert!(!format!("{:?}", judge(&list, "mysql --password=hunter2 $(x)").line).contains("hunter2"));
        assert!(!format!("{:?}", judge(&list, "export TOKEN=hunter2 `").line).contains("hunter2"));
    }
}
