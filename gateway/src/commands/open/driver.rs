//! Between the halves: waits at a line's end, asks the rules, puts on record, and passes the end on or wipes the line.

use std::sync::Arc;
use std::time::Duration;

use sallyport_policy::commands::{OnDenied, OnLostTrack, Verdict, Way};

use super::blot::blotted;
use super::judged::{Judge, Judged, unjudged};
use super::reader::{Line, Next, Noticed};
use super::shared::Shared;
use super::{Closed, Input, TO_PROGRAM};
use crate::commands::{Answer, Desk, Note, Unrecorded};

/// A refusal.
const REFUSED: u8 = 77;
/// A shell has read a key after this long.
const READ: Duration = Duration::from_millis(50);
/// How often it is looked whether a wiped line is gone.
const LOOKS: usize = 10;
/// For so many looks a prompt stands where more than one interrupt was sent: the last one may still be on its way.
const CALM: usize = 3;
/// It cannot be recorded.
const UNRECORDED: u8 = 79;

/// See the module.
pub(super) struct Driver<I, D> {
    pub(super) shared: Arc<Shared<I>>,
    pub(super) desk: Arc<D>,
    pub(super) commands: Arc<dyn Judge>,
}

/// Why it is over.
enum Over {
    Unrecorded,
    Closed,
    /// It was ended here.
    Ended,
}

impl From<Unrecorded> for Over {
    fn from(_: Unrecorded) -> Self {
        Self::Unrecorded
    }
}

impl From<Closed> for Over {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl<I: Input, D: Desk> Driver<I, D> {
    /// Works until the session is over.
    pub(super) async fn run(self) {
        if let Err(Over::Unrecorded) = self.work().await {
            self.unrecorded().await;
        }
        // Nobody may wait for what does not go on.
        self.shared.state().closed = true;
        self.shared.drained.notify_waiters();
    }

    async fn unrecorded(&self) {
        self.shared.end("this session ends: what is typed cannot be put on record", UNRECORDED).await;
    }

    async fn work(&self) -> Result<(), Over> {
        loop {
            let woken = self.shared.work.notified();
            let next = {
                let mut state = self.shared.state();
                if state.over.is_some() {
                    return Err(Over::Ended);
                }
                if state.busy {
                    Next::Idle
                } else if let Some(next) = state.handed.take() {
                    next
                } else {
                    state.reader.poll(self.shared.now())
                }
            };
            match next {
                Next::Idle => woken.await,
                Next::Wait(until) => {
                    let _ = tokio::time::timeout_at(self.shared.at(until), woken).await;
                }
                Next::Pass(bytes) => self.shared.send(bytes).await?,
                Next::Line(line) => self.line(line).await?,
            }
        }
    }

    async fn line(&self, line: Line) -> Result<(), Over> {
        if let Some(why) = line.lost {
            self.lost(why, &line.text).await?;
        }
        let commands = &self.commands;
        let mut judged = commands.judge(&line.text);
        if judged.denied().is_none()
            && let Some(or) = &line.or
        {
            let other = commands.judge(or);
            if other.denied().is_some() {
                judged = other;
            }
        }
        match judged.denied().cloned() {
            None => {
                self.notes(judged, None).await?;
                self.pass().await
            }
            Some((command, verdict)) => self.denied(commands.on_denied(), judged, &command, &verdict).await,
        }
    }

    async fn denied(
        &self,
        on: OnDenied,
        judged: Judged,
        command: &str,
        verdict: &Verdict,
    ) -> Result<(), Over> {
        let why = refusal(command, verdict);
        let line = judged.line.clone();
        if on == OnDenied::Ask && judged.commands.iter().all(|(_, v)| v.cleared.is_some() || v.once.is_some())
        {
            match self.ask(&line, verdict).await {
                Answer::Approved { by } => {
                    self.notes(judged, Some(by.clone())).await?;
                    self.shared.say(&format!("{by} lets it pass once"));
                    return self.pass().await;
                }
                Answer::Denied(answer) => {
                    self.notes(judged, None).await?;
                    self.shared.say(&answer);
                    return self.wipe().await;
                }
            }
        }
        self.notes(judged, None).await?;
        match on {
            OnDenied::End => {
                self.desk.remark(&format!("the session ends with a denied command: {why}")).await?;
                self.shared.end(&format!("{why}; the policy ends the session here"), REFUSED).await;
                Err(Over::Ended)
            }
            OnDenied::Alert => {
                self.desk.alert(&line, verdict).await?;
                self.shared.say(&why);
                self.wipe().await
            }
            OnDenied::Tell | OnDenied::Ask => {
                self.shared.say(&why);
                self.wipe().await
            }
        }
    }

    async fn ask(&self, line: &str, verdict: &Verdict) -> Answer {
        let tell = |text: String| self.shared.say(&text);
        let asked = self.desk.ask(line, verdict, &tell);
        let gave_up = async {
            while !self.shared.state().reader.gave_up() {
                self.shared.gave_up.notified().await;
            }
        };
        tokio::select! {
            biased;
            () = gave_up => Answer::Denied("given up; nothing was run".to_owned()),
            answer = asked => answer,
        }
    }

    async fn pass(&self) -> Result<(), Over> {
        let bytes = {
            let mut state = self.shared.state();
            state.busy = true;
            state.reader.pass(self.shared.now())
        };
        Ok(self.shared.send(bytes).await?)
    }

    async fn wipe(&self) -> Result<(), Over> {
        let (wipe, writing) = {
            let mut state = self.shared.state();
            state.busy = true;
            (state.reader.wipe(self.shared.now()), self.shared.writing())
        };
        let then = || self.shared.input.write(vec![wipe.then].into());
        if let Some(first) = wipe.first {
            self.shared.input.write(vec![first].into()).await?;
            tokio::time::sleep(READ).await;
            // Some editors take the next key into the sequence, too.
            for _ in 0..2 {
                then().await?;
                tokio::time::sleep(READ * 2).await;
                if self.shared.state().reader.gave_line_up() {
                    break;
                }
            }
        } else {
            // A shell that is interrupted while it draws may end that and leave the line standing, or note the interrupt
            // and wait for a key: it is given time to have drawn, and interrupted again where no prompt comes.
            tokio::time::sleep(READ).await;
            then().await?;
            let (mut calm, mut again) = (0, false);
            for look in 1..=LOOKS {
                tokio::time::sleep(READ).await;
                let (gone, stands) = {
                    let mut state = self.shared.state();
                    (state.reader.gave_line_up(), state.reader.line_stands())
                };
                calm = if gone { calm + 1 } else { 0 };
                if calm == if again { CALM } else { 1 } {
                    break;
                }
                if stands || !gone && look == LOOKS / 2 {
                    again = true;
                    then().await?;
                }
            }
        }
        drop(writing);
        Ok(())
    }

    async fn notes(&self, judged: Judged, approved_by: Option<String>) -> Result<(), Unrecorded> {
        let one = judged.commands.len() == 1;
        for (command, verdict) in judged.commands {
            let by = approved_by.clone().filter(|_| verdict.cleared.is_none());
            let line = if one || command.is_empty() { &judged.line } else { &command };
            self.note(line, verdict, by).await?;
        }
        Ok(())
    }

    async fn note(
        &self,
        line: &str,
        verdict: Verdict,
        approved_by: Option<String>,
    ) -> Result<(), Unrecorded> {
        let (way, line) = (Way::Open, line.to_owned());
        let note = Note { way, line, directory: None, verdict, approved_by, own: false };
        self.desk.note(note).await
    }

    /// It is no longer known what is typed.
    async fn lost(&self, why: &str, line: &str) -> Result<(), Over> {
        let on = self.commands.on_lost_track();
        let text = if line.trim().is_empty() { why.to_owned() } else { format!("{why}: {}", blotted(line)) };
        match on {
            OnLostTrack::Tolerate => Ok(()),
            OnLostTrack::Flag => Ok(self.desk.remark(&format!("lost track: {text}")).await?),
            OnLostTrack::End => {
                self.desk.remark(&format!("the session ends, lost track: {text}")).await?;
                self.shared.end(&format!("{why}; the policy ends the session here"), REFUSED).await;
                Err(Over::Ended)
            }
        }
    }

    /// Puts on record what was seen without being a line to judge.
    pub(super) async fn noticed(self, noticed: Noticed) {
        if let Err(Over::Unrecorded) = self.record(noticed).await {
            self.unrecorded().await;
        }
    }

    async fn record(&self, noticed: Noticed) -> Result<(), Over> {
        match noticed {
            Noticed::Program(text) => {
                let text = blotted(&text);
                Ok(self.note(&text, unjudged(&text, TO_PROGRAM), None).await?)
            }
            Noticed::Ahead(text) => {
                let judged = self.commands.judge(&text);
                let denied = judged.denied().is_some();
                self.notes(judged, None).await?;
                if denied {
                    self.lost("a line that was typed ahead ran before it could be judged", &text).await?;
                }
                Ok(())
            }
            Noticed::Changed { read, ran } => {
                let text = format!("`{}` was read and `{}` ran", blotted(&read), blotted(&ran));
                self.lost("the shell ran something other than was read", &text).await
            }
            Noticed::Editor => {
                self.lost("the line went to an editor, and what comes back runs unread", "").await
            }
        }
    }
}

/// One line for the person.
fn refusal(command: &str, verdict: &Verdict) -> String {
    let command = if command.is_empty() { "this line" } else { command };
    let mut text = format!("`{command}` was not run: {} ({})", verdict.why, verdict.rule);
    if let Some(instead) = &verdict.instead {
        text.push_str("; ");
        text.push_str(instead);
    }
    text
}
