//! What a refusal brings: the person is told where and why, it is put on record, and by policy an approver is asked,
//! somebody is alerted, or the session ends.

use std::ops::Range;

use sallyport_policy::commands::{Assurance, Invocation, OnDenied, Once, Verdict, Way};
use sallyport_policy::line::{self, LineError, MOST_COMMANDS, Survey};
use tokio::sync::mpsc;

use super::container::Container;
use super::pipeline::{Shown, Source};
use super::plan::{Planned, Refused};
use super::shell::{BAD_LINE, DENIED, Over, Shell};
use crate::bridge::Output;
use crate::commands::{Answer, Desk, Note};

impl<C: Container, D: Desk> Shell<C, D> {
    /// The place in the line, and what is wrong there.
    pub(super) async fn unclear(&mut self, text: &str, error: &LineError) -> Result<(), Over> {
        self.point(text, &error.at).await?;
        let verdict = self.unread(text, error);
        self.desk.note(note(self.state.directory.clone(), verdict.clone(), None)).await?;
        self.say(error.to_string()).await?;
        self.brings(&verdict).await
    }

    /// What the policy has a denied line bring, beside the answer.
    async fn brings(&self, verdict: &Verdict) -> Result<(), Over> {
        match self.commands.on_denied() {
            OnDenied::Alert => self.desk.alert(&shown(verdict), verdict).await?,
            OnDenied::End => {
                let text = "the policy ends a session at a denied command".to_owned();
                return Err(Over::Ended(text, DENIED));
            }
            OnDenied::Tell | OnDenied::Ask => {}
        }
        // A script does not go on after a step that was left out.
        if self.terminal { Ok(()) } else { Err(Over::Exit(DENIED)) }
    }

    /// A mark under the part that is meant.
    async fn point(&mut self, text: &str, at: &Range<usize>) -> Result<(), Over> {
        if !self.terminal || text.contains(['\n', '\t']) || text.len() > 200 {
            return Ok(());
        }
        let (Some(before), Some(part)) = (text.get(..at.start), text.get(at.start..at.end.min(text.len())))
        else {
            return Ok(());
        };
        let width = |text: &str| unicode_width::UnicodeWidthStr::width(text);
        let line = crate::terminal::clean(text);
        let mark = format!("{}{}", " ".repeat(width(before)), "^".repeat(width(part).max(1)));
        let shown = format!("  {line}\n  {mark}\n");
        self.show(Shown::Out(shown.into())).await
    }

    /// Everything that a refusal brings; where an approver lets it pass, it is run.
    pub(super) async fn refused(&mut self, text: &str, refused: Refused) -> Result<(), Over> {
        let (at, planned, verdict) = match refused {
            Refused::Line(error) => {
                self.state.end(BAD_LINE);
                return self.unclear(text, &error).await;
            }
            Refused::Rule { at, planned, verdict } => (at, planned, verdict),
        };
        self.state.end(DENIED);
        self.point(text, &at).await?;
        let what = verdict.shown.first().cloned().unwrap_or_default();
        let instead = verdict.instead.as_deref().map(|text| format!("; {text}")).unwrap_or_default();
        self.say(format!("refused: `{what}`: {} ({}){instead}", verdict.why, verdict.rule)).await?;
        let directory = self.state.directory.clone();
        // Only a line that is one command can be let pass: nobody should have to read a program.
        let alone = line::parse(text).is_ok_and(
            |script| matches!(script.steps.as_slice(), [step] if step.pipeline.commands.len() == 1),
        );
        // And only a command whose every effect they are shown: its words.
        let bare = planned.input == Source::Nothing
            && planned.files.is_empty()
            && planned.invocation.environment.is_empty();
        if let (OnDenied::Ask, Some(once), true) =
            (self.commands.on_denied(), verdict.once.clone(), self.terminal)
        {
            if alone && bare {
                return self.ask(*planned, *verdict, once).await;
            }
            self.say("an approver is asked about one command alone, without files and variables").await?;
        }
        self.desk.note(note(directory, (*verdict).clone(), None)).await?;
        self.brings(&verdict).await
    }

    /// Puts one command to an approver and waits; Ctrl-C gives up.
    async fn ask(&mut self, planned: Planned, verdict: Verdict, once: Once) -> Result<(), Over> {
        let (told, mut heard) = mpsc::channel(4);
        let tell = move |text: String| drop(told.try_send(text));
        let line = shown(&verdict);
        let answer = {
            let asking = self.desk.ask(&line, &verdict, &tell);
            tokio::pin!(asking);
            loop {
                let said = tokio::select! {
                    answer = &mut asking => break Some(answer),
                    Some(text) = heard.recv() => text,
                    typed = self.typed.recv() => match typed {
                        Some(typed) => {
                            if self.ahead.keep(typed) {
                                break None;
                            }
                            continue;
                        }
                        None => return Err(Over::Gone),
                    },
                };
                let text = format!("sallyport: {}\r\n", crate::terminal::clean(&said));
                self.out.send(Output::Stdout(text.into())).await.map_err(|_| Over::Gone)?;
            }
        };
        let directory = self.state.directory.clone();
        match answer {
            Some(Answer::Approved { by }) => {
                self.desk.note(note(directory, verdict, Some(by.clone()))).await?;
                self.say(format!("{by} let it pass, once")).await?;
                let cleared = Some(once.approved());
                let status = self.step(vec![Planned { cleared, ..planned }]).await?;
                self.state.end(status);
                Ok(())
            }
            Some(Answer::Denied(why)) => {
                self.desk.note(note(directory, verdict, None)).await?;
                self.say(format!("not run: {why}")).await?;
                Ok(())
            }
            None => {
                self.desk.note(note(directory, verdict, None)).await?;
                self.say("not run: given up").await?;
                Ok(())
            }
        }
    }

    /// A line that could not be read, as a verdict: with the commands that can be made out, their secrets blotted out.
    fn unread(&self, text: &str, error: &LineError) -> Verdict {
        let guessed = match line::survey(text) {
            Survey::Guessed { commands, .. } => commands,
            Survey::Known(_) => Vec::new(),
        };
        let guessed = guessed.into_iter().filter(|argv| !argv.is_empty()).take(MOST_COMMANDS);
        let shown: Vec<String> = guessed
            .map(|argv| {
                let invocation = Invocation { argv, ..Invocation::default() };
                shell_words::join(self.commands.judge(&invocation, Way::Guarded).shown)
            })
            .collect();
        Verdict {
            cleared: None,
            rule: "grammar".to_owned(),
            why: error.to_string(),
            instead: None,
            assurance: Assurance::Boundary,
            shown: if shown.is_empty() { vec!["(unreadable)".to_owned()] } else { shown },
            once: None,
        }
    }
}

/// The command as it is shown to people.
fn shown(verdict: &Verdict) -> String {
    match (verdict.shown.as_slice(), verdict.rule.as_str()) {
        // Several commands, or pieces of what could not be read.
        (pieces, "grammar") => pieces.join("; "),
        (words, _) => shell_words::join(words),
    }
}

/// For the record: what was typed may hold what was blotted out, so the blotted command stands for the line.
pub(super) fn note(directory: Option<String>, verdict: Verdict, approved_by: Option<String>) -> Note {
    let line = shown(&verdict);
    Note { way: Way::Guarded, line, directory, verdict, approved_by, own: false }
}
