//! `exec` under rules: the argv is judged, put on record, and only what the rules let run is given on. Without rules a
//! grant for `exec` lets any command run; it is put on record where the session is.

use std::sync::Arc;

use sallyport_policy::commands::{Assurance, Cleared, Commands, Invocation, OnDenied, Verdict, Way, blotted};

use super::counter::Counter;
use super::outflow::Outflow;
use super::rooms::No;
use crate::commands::open::NO_RULES;
use crate::commands::{Answer, Desk as _, Note, Unrecorded};

/// A rule said no, or nobody let it pass.
pub(super) const DENIED: u8 = 77;

impl From<Unrecorded> for No {
    fn from(error: Unrecorded) -> Self {
        Self { text: error.to_string(), status: 79 }
    }
}

/// What may run of one command, after everything that the policy wants done about a denied one.
pub(super) async fn clear(
    commands: Option<&Arc<Commands>>,
    desk: &Counter,
    output: &Arc<Outflow>,
    argv: Vec<String>,
    terminal: bool,
) -> Result<Cleared, No> {
    let Some(commands) = commands else { return unruled(desk, argv).await };
    let invocation = Invocation { argv, terminal, ..Invocation::default() };
    let verdict = commands.judge(&invocation, Way::Exec);
    let line = shell_words::join(&verdict.shown);
    if let Some(cleared) = verdict.cleared.clone() {
        desk.note(note(line, verdict, None)).await?;
        return Ok(cleared);
    }
    if let (OnDenied::Ask, Some(once)) = (commands.on_denied(), verdict.once.clone()) {
        output.say(&no_text(&verdict)).await;
        let (said, mut told) = tokio::sync::mpsc::channel(1);
        let tell = move |text: String| drop(said.try_send(text));
        let answer = {
            let asking = desk.ask(&line, &verdict, &tell);
            tokio::pin!(asking);
            loop {
                tokio::select! {
                    answer = &mut asking => break Some(answer),
                    Some(text) = told.recv() => output.say(&text).await,
                    () = output.gone() => break None,
                }
            }
        };
        return match answer {
            Some(Answer::Approved { by }) => {
                desk.note(note(line, verdict, Some(by.clone()))).await?;
                output.say(&format!("{by} let it pass, once")).await;
                Ok(once.approved())
            }
            Some(Answer::Denied(why)) => {
                desk.note(note(line, verdict, None)).await?;
                Err(No { text: format!("not run: {why}"), status: DENIED })
            }
            None => {
                desk.note(note(line, verdict, None)).await?;
                Err(No { text: "not run: nobody waits for it".to_owned(), status: DENIED })
            }
        };
    }
    desk.note(note(line.clone(), verdict.clone(), None)).await?;
    if commands.on_denied() == OnDenied::Alert {
        desk.alert(&line, &verdict).await?;
    }
    Err(No { text: no_text(&verdict), status: DENIED })
}

/// What runs where no rules are.
async fn unruled(desk: &Counter, argv: Vec<String>) -> Result<Cleared, No> {
    let shown = blotted(&argv);
    let cleared = Cleared::unfiltered(argv);
    if desk.observes() {
        let line = shell_words::join(&shown);
        let verdict = Verdict {
            cleared: Some(cleared.clone()),
            rule: NO_RULES.to_owned(),
            why: String::new(),
            instead: None,
            assurance: Assurance::Guardrail { because: NO_RULES.to_owned() },
            shown,
            once: None,
        };
        desk.note(note(line, verdict, None)).await?;
    }
    Ok(cleared)
}

fn note(line: String, verdict: Verdict, approved_by: Option<String>) -> Note {
    Note { way: Way::Exec, line, directory: None, verdict, approved_by, own: false }
}

/// What was refused, by which rule, and what to type instead.
fn no_text(verdict: &Verdict) -> String {
    let what = verdict.shown.first().map_or("the command", String::as_str);
    let instead = verdict.instead.as_deref().map(|text| format!("; {text}")).unwrap_or_default();
    format!("refused: `{what}`: {} ({}){instead}", verdict.why, verdict.rule)
}
