//! The shell's loop: a line is read, planned whole, judged whole, put on record, and only then run, step by step; what comes
//! later in it is planned and judged once more, in the light of what came before.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use sallyport_policy::commands::{Carrier, Cleared, Commands, OnDenied, Own, Verdict, Way};
use sallyport_policy::line::{self, LineError, Script, When};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::builtins::{self, Done};
use super::container::{Container, Input, Running, ask};
use super::pipeline::{self, Shown, Sink, Source, Stage};
use super::plan::{self, Planned, Refused};
use super::state::State;
use super::text::Returns;
use crate::bridge::{Exit, Output};
use crate::commands::{Answer, Desk, Note, Unrecorded};
use crate::terminal::Size;

/// For so long after a program's start, and up to so many bytes, what is typed may be for the next prompt.
const TYPED_AHEAD: std::time::Duration = std::time::Duration::from_millis(200);
const MOST_AHEAD: usize = 16 * 1024;

/// Takes back what a program that did not end well may have left behind: mouse, focus and paste reports, cursor and keypad
/// keys, colours, a hidden cursor; and where it was there, the alternate screen.
const SANE: &[u8] =
    b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[?1l\x1b>\x1b[0m\x1b[?25h";
const ALTERNATE: (&[u8], &[u8]) = (b"\x1b[?1049h", b"\x1b[?1049l");

/// A rule said no.
pub(super) const DENIED: u8 = 77;
/// The line is none.
const BAD_LINE: u8 = 2;
/// What a shell says of what Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// From the person.
#[derive(Debug)]
pub(super) enum Typed {
    Bytes(Bytes),
    Eof,
}

/// Why the shell is over.
#[derive(Debug)]
pub(super) enum Over {
    /// By itself, with this status.
    Exit(u8),
    /// A word for the person, and the status.
    Ended(String, u8),
    /// The person is gone, or was cut.
    Gone,
}

impl From<Unrecorded> for Over {
    fn from(error: Unrecorded) -> Self {
        Self::Ended(error.to_string(), 79)
    }
}

/// Everything that a shell works with.
pub(super) struct Shell<C, D> {
    pub(super) container: C,
    pub(super) desk: D,
    pub(super) commands: Arc<Commands>,
    pub(super) state: State,
    pub(super) typed: mpsc::Receiver<Typed>,
    pub(super) sizes: watch::Receiver<Size>,
    pub(super) out: mpsc::Sender<Output>,
    pub(super) term: String,
    /// Whether the person sits at a terminal.
    pub(super) terminal: bool,
    pub(super) returns: Returns,
    /// What was typed ahead of the next prompt.
    pub(super) ahead: Option<Bytes>,
}

impl<C: Container, D: Desk> Shell<C, D> {
    /// Shows bytes of a program, as the person's terminal needs them.
    async fn show(&mut self, shown: Shown) -> Result<(), Over> {
        let output = match (shown, self.terminal) {
            (Shown::Out(bytes) | Shown::Err(bytes), true) => Output::Stdout(self.returns.pass(&bytes)),
            (Shown::Out(bytes), false) => Output::Stdout(bytes),
            (Shown::Err(bytes), false) => Output::Stderr(bytes),
            (Shown::Word(text), terminal) => {
                let text = crate::terminal::clean_lines(&text);
                let text = format!("sallyport: {}\n", text.trim_end());
                match terminal {
                    true => Output::Stdout(self.returns.pass(text.as_bytes())),
                    false => Output::Stderr(text.into()),
                }
            }
        };
        self.out.send(output).await.map_err(|_| Over::Gone)
    }

    pub(super) async fn say(&mut self, text: impl Into<String>) -> Result<(), Over> {
        self.show(Shown::Word(text.into())).await
    }

    /// Bytes that are ready for the terminal.
    pub(super) async fn raw(&mut self, bytes: Bytes) -> Result<(), Over> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.returns.saw(&bytes);
        self.out.send(Output::Stdout(bytes)).await.map_err(|_| Over::Gone)
    }

    /// One line, from its text to its end. `Err` ends the shell.
    pub(super) async fn line(&mut self, text: &str) -> Result<(), Over> {
        self.state.remember(text);
        let script = match line::parse(text) {
            Ok(script) => script,
            Err(error) => {
                self.state.end(BAD_LINE);
                return self.unclear(text, &error).await;
            }
        };
        // All of it first: where a part may not run, nothing does.
        let mut first = None;
        for (index, step) in script.steps.iter().enumerate() {
            let planned = plan::plan(&self.container, &self.commands, &mut self.state, step).await;
            match planned {
                Ok(planned) if index == 0 => first = Some(planned),
                Ok(_) => {}
                // What an earlier `cd` or assignment changes is known only when it has run; the rules are asked again then.
                Err(_) if depends(&script, index) => {}
                Err(refused) => return self.refused(text, refused).await,
            }
        }
        self.steps(text, &script, first).await
    }

    async fn steps(
        &mut self,
        text: &str,
        script: &Script,
        mut first: Option<Vec<Planned>>,
    ) -> Result<(), Over> {
        for step in &script.steps {
            let runs = match step.when {
                When::Always => true,
                When::Succeeded => self.state.status == 0,
                When::Failed => self.state.status != 0,
            };
            if !runs {
                continue;
            }
            let planned = match first.take() {
                Some(planned) => Ok(planned),
                None => plan::plan(&self.container, &self.commands, &mut self.state, step).await,
            };
            let planned = match planned {
                Ok(planned) => planned,
                Err(refused) => return self.refused(text, refused).await,
            };
            let status = self.step(text, planned).await?;
            self.state.end(match (step.pipeline.negated, status) {
                (false, status) => status,
                (true, 0) => 1,
                (true, _) => 0,
            });
            if status == INTERRUPTED {
                return Ok(());
            }
        }
        Ok(())
    }

    /// One pipeline that may run.
    async fn step(&mut self, text: &str, planned: Vec<Planned>) -> Result<u8, Over> {
        for one in &planned {
            if let Some(verdict) = &one.verdict {
                let note = note(text, self.state.directory.clone(), verdict.clone(), None);
                self.desk.note(note).await?;
            }
        }
        if let [only] = planned.as_slice()
            && only.cleared.is_none()
        {
            return self.own(only).await;
        }
        let mut stages = Vec::with_capacity(planned.len());
        for one in planned {
            let Some(cleared) = one.cleared else { return Ok(BAD_LINE) };
            let on_screen =
                one.input == Source::Nothing && one.output == Sink::Screen && one.errors == Sink::Errors;
            let placed = match self.placed(cleared, &one.invocation.environment, on_screen).await {
                Ok(placed) => placed,
                Err(why) => {
                    self.say(why).await?;
                    return Ok(1);
                }
            };
            stages.push((
                on_screen,
                Stage {
                    command: placed,
                    input: one.input,
                    output: one.output,
                    errors: one.errors,
                    files: one.files,
                },
            ));
        }
        if let [(true, _)] = stages.as_slice()
            && self.terminal
            && let Some((_, stage)) = stages.pop()
        {
            return self.on_terminal(stage.command).await;
        }
        self.piped(stages.into_iter().map(|(_, stage)| stage).collect()).await
    }

    /// What the shell does itself.
    async fn own(&mut self, planned: &Planned) -> Result<u8, Over> {
        if planned.argv.is_empty() {
            for (name, value) in &planned.assignments {
                if let Err(why) = self.state.set(name, value.clone(), false) {
                    self.say(why).await?;
                    return Ok(1);
                }
            }
            // `> file` alone makes or empties a file, which `tee` does.
            if !planned.files.is_empty() {
                self.say("a redirection needs a command: write `printf '' > FILE`").await?;
                return Ok(BAD_LINE);
            }
            return Ok(0);
        }
        match builtins::run(&self.container, &self.commands, &mut self.state, planned).await {
            Done::Said(text) => {
                self.show(Shown::Out(text.into())).await?;
                Ok(0)
            }
            Done::Failed(text, status) => {
                if !text.is_empty() {
                    self.say(text).await?;
                }
                Ok(status)
            }
            Done::Exit(status) => Err(Over::Exit(status)),
        }
    }

    /// The command where and with what the person is, if that is not what the container has anyway.
    async fn placed(
        &mut self,
        cleared: Cleared,
        environment: &[(String, String)],
        on_screen: bool,
    ) -> Result<Cleared, String> {
        let moved = self.state.moved.then(|| self.state.directory.clone()).flatten();
        let mut environment = environment.to_vec();
        if moved.is_none() && environment.is_empty() && !(on_screen && self.terminal) {
            return Ok(cleared);
        }
        let carrier = self.carrier().await;
        let terminal = on_screen && self.terminal && !environment.iter().any(|(name, _)| name == "TERM");
        match carrier {
            None if moved.is_none() && environment.is_empty() => Ok(cleared),
            None => Err(
                "this container has neither `env` nor `sh`, so programs cannot be given a directory or variables here: \
                 write absolute paths"
                    .to_owned(),
            ),
            Some(Carrier::Env) if moved.is_some() => Err(
                "this container has no way to start a program in another directory: write absolute paths".to_owned(),
            ),
            Some(carrier) => {
                if terminal {
                    environment.push(("TERM".to_owned(), self.term.clone()));
                }
                Ok(cleared.placed(moved.as_deref(), &environment, carrier))
            }
        }
    }

    /// How this container's programs are given directory and variables; tried once.
    async fn carrier(&mut self) -> Option<Carrier> {
        if let Some(known) = self.state.carrier {
            return known;
        }
        let probe = || Cleared::own(Own::Resolve("/".to_owned()));
        let mut found = None;
        for (carrier, directory) in
            [(Carrier::EnvChdir, Some("/")), (Carrier::Shell, Some("/")), (Carrier::Env, None)]
        {
            let variables = [("LC_ALL".to_owned(), "C".to_owned())];
            let said = ask(&self.container, probe().placed(directory, &variables, carrier)).await;
            if said.is_ok_and(|said| said.worked()) {
                found = Some(carrier);
                break;
            }
        }
        self.state.carrier = Some(found);
        found
    }

    /// One program with the person's terminal.
    async fn on_terminal(&mut self, command: Cleared) -> Result<u8, Over> {
        let program = command.argv().first().cloned().unwrap_or_default();
        let size = *self.sizes.borrow_and_update();
        let (input, mut output) = match self.container.start(command, Some(size), true).await {
            Ok(started) => started,
            Err(error) => {
                tracing::info!(?error, "a command could not be started");
                self.say(format!("{program}: {error}")).await?;
                return Ok(126);
            }
        };
        let out = self.out.clone();
        let (typed, sizes, ahead) = (&mut self.typed, &mut self.sizes, &mut self.ahead);
        let settled = tokio::time::Instant::now() + TYPED_AHEAD;
        let feed = async {
            loop {
                tokio::select! {
                    // A program that is over at once was not meant to read what comes next.
                    () = tokio::time::sleep_until(settled), if ahead.is_some() => {
                        if let Some(bytes) = ahead.take() && !input.write(bytes).await {
                            std::future::pending::<()>().await;
                        }
                    }
                    next = typed.recv() => match next {
                        Some(Typed::Bytes(bytes)) => {
                            let urgent = bytes.iter().any(|byte| matches!(byte, 3 | 4 | 0x1a | 0x1c));
                            let early = !urgent && tokio::time::Instant::now() < settled;
                            let bytes = match ahead.take() {
                                Some(before) => [before, bytes].concat().into(),
                                None => bytes,
                            };
                            if early && bytes.len() <= MOST_AHEAD {
                                *ahead = Some(bytes);
                            } else if !input.write(bytes).await {
                                std::future::pending::<()>().await;
                            }
                        }
                        Some(Typed::Eof) => input.eof().await,
                        None => return Over::Gone,
                    },
                    Ok(()) = sizes.changed() => {
                        let size = *sizes.borrow_and_update();
                        input.resize(size).await;
                    }
                }
            }
        };
        let (mut last, mut alternate) = (Bytes::new(), false);
        let pass = async {
            while let Some(next) = output.next().await {
                match next {
                    Output::Stdout(bytes) | Output::Stderr(bytes) => {
                        last = bytes.slice(bytes.len().saturating_sub(1)..);
                        alternate = switched(&bytes).unwrap_or(alternate);
                        out.send(Output::Stdout(bytes)).await.map_err(|_| Over::Gone)?;
                    }
                    Output::Exit(exit) => return Ok(exit),
                }
            }
            Ok(Exit::Code(1))
        };
        let ended = tokio::select! {
            ended = pass => ended,
            over = feed => Err(over),
        };
        input.hang_up().await;
        let exit = ended?;
        self.returns.saw(&last);
        if alternate || exit.status() >= 128 {
            let leave = if alternate { ALTERNATE.1 } else { b"" };
            self.out.send(Output::Stdout([leave, SANE].concat().into())).await.map_err(|_| Over::Gone)?;
        }
        if let Some(message) = exit.message() {
            self.say(format!("{program}: {message}")).await?;
        }
        Ok(exit.status())
    }

    /// Commands without a terminal of their own; Ctrl-C hangs all of them up.
    async fn piped(&mut self, stages: Vec<Stage>) -> Result<u8, Over> {
        let (shown, mut heard) = mpsc::channel(16);
        let interrupt = CancellationToken::new();
        let container = &self.container;
        let mut work = Box::pin(pipeline::run(container, stages, &shown, &interrupt));
        let mut status = None;
        let mut waiting = Vec::new();
        let (terminal, out) = (self.terminal, self.out.clone());
        loop {
            let next = tokio::select! {
                biased;
                Some(next) = heard.recv() => next,
                done = &mut work, if status.is_none() => {
                    status = Some(done);
                    break;
                }
                typed = self.typed.recv(), if terminal => {
                    match typed {
                        Some(Typed::Bytes(bytes)) if bytes.contains(&3) => interrupt.cancel(),
                        Some(_) => {}
                        None => return Err(Over::Gone),
                    }
                    continue;
                }
                () = out.closed() => return Err(Over::Gone),
            };
            waiting.push(next);
            for next in waiting.drain(..) {
                let output = match next {
                    Shown::Out(bytes) | Shown::Err(bytes) if terminal => {
                        Output::Stdout(self.returns.pass(&bytes))
                    }
                    Shown::Out(bytes) => Output::Stdout(bytes),
                    Shown::Err(bytes) => Output::Stderr(bytes),
                    Shown::Word(text) => Output::Stderr(text.into()),
                };
                out.send(output).await.map_err(|_| Over::Gone)?;
            }
        }
        drop(work);
        drop(shown);
        while let Some(next) = heard.recv().await {
            self.show(next).await?;
        }
        if interrupt.is_cancelled() && terminal {
            self.raw(Bytes::from_static(b"^C\r\n")).await?;
        }
        Ok(status.unwrap_or(1))
    }

    /// The place in the line, and what is wrong there.
    async fn unclear(&mut self, text: &str, error: &LineError) -> Result<(), Over> {
        self.point(text, &error.at).await?;
        let mut verdict = unknown(error);
        verdict.shown = Vec::new();
        self.desk.note(note(text, self.state.directory.clone(), verdict, None)).await?;
        self.say(error.to_string()).await?;
        if self.commands.on_denied() == OnDenied::End {
            return Err(Over::Ended("the policy ends a session at a denied command".to_owned(), DENIED));
        }
        if !self.terminal {
            return Err(Over::Exit(DENIED));
        }
        Ok(())
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
    async fn refused(&mut self, text: &str, refused: Refused) -> Result<(), Over> {
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
        if self.commands.on_denied() == OnDenied::Ask && verdict.can_be_asked && alone && self.terminal {
            return self.ask(text, *planned, *verdict).await;
        }
        self.desk.note(note(text, directory, (*verdict).clone(), None)).await?;
        match self.commands.on_denied() {
            OnDenied::Alert => self.desk.alert(&shown(&verdict), &verdict).await?,
            OnDenied::End => {
                let text = "the policy ends a session at a denied command".to_owned();
                return Err(Over::Ended(text, DENIED));
            }
            OnDenied::Tell | OnDenied::Ask => {}
        }
        // A script does not go on after a step that was left out.
        if self.terminal { Ok(()) } else { Err(Over::Exit(DENIED)) }
    }

    /// Puts one command to an approver and waits; Ctrl-C gives up.
    async fn ask(&mut self, text: &str, planned: Planned, verdict: Verdict) -> Result<(), Over> {
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
                        Some(Typed::Bytes(bytes)) if bytes.contains(&3) => break None,
                        Some(_) => continue,
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
                self.desk.note(note(text, directory, verdict, Some(by.clone()))).await?;
                self.say(format!("{by} let it pass, once")).await?;
                let mut planned = planned;
                planned.cleared = Some(Cleared::approved(planned.argv.clone()));
                let status = self.step(text, vec![planned]).await?;
                self.state.end(status);
                Ok(())
            }
            Some(Answer::Denied(why)) => {
                self.desk.note(note(text, directory, verdict, None)).await?;
                self.say(format!("not run: {why}")).await?;
                Ok(())
            }
            None => {
                self.desk.note(note(text, directory, verdict, None)).await?;
                self.say("not run: given up").await?;
                Ok(())
            }
        }
    }
}

/// Whether a frame enters or leaves the alternate screen, by what comes last in it.
fn switched(frame: &[u8]) -> Option<bool> {
    if !frame.contains(&0x1b) {
        return None;
    }
    let last = |wanted: &[u8]| frame.windows(wanted.len()).rposition(|window| window == wanted);
    match (last(ALTERNATE.0), last(ALTERNATE.1)) {
        (None, None) => None,
        (enters, leaves) => Some(enters > leaves),
    }
}

/// The command as it is shown to people.
fn shown(verdict: &Verdict) -> String {
    shell_words::join(&verdict.shown)
}

/// Whether a step may mean something else once those before it have run.
fn depends(script: &Script, index: usize) -> bool {
    let mut before = script.steps.iter().take(index).flat_map(|step| &step.pipeline.commands);
    before.any(|one| {
        let program = one.words.first().and_then(|word| match word.parts.as_slice() {
            [line::Part::Text { text, .. }] => Some(text.as_str()),
            _ => None,
        });
        one.words.is_empty() || program.is_none_or(plan::is_builtin)
    })
}

fn note(text: &str, directory: Option<String>, verdict: Verdict, approved_by: Option<String>) -> Note {
    // What was typed may hold what was blotted out; where anything was, the blotted command stands for the line.
    let line = if verdict.shown.is_empty() { text.to_owned() } else { shown(&verdict) };
    Note { way: Way::Guarded, line, directory, verdict, approved_by }
}

/// A line that could not be read, as a verdict.
fn unknown(error: &LineError) -> Verdict {
    Verdict {
        cleared: None,
        rule: "grammar".to_owned(),
        why: error.to_string(),
        instead: None,
        assurance: sallyport_policy::commands::Assurance::Boundary,
        shown: Vec::new(),
        can_be_asked: false,
    }
}
