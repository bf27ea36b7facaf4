//! The shell's loop: a line is read, planned whole, judged whole, put on record, and only then run, step by step; what comes
//! later in it is planned and judged once more, in the light of what came before.

use std::sync::Arc;

use bytes::Bytes;
use sallyport_policy::commands::Commands;
use sallyport_policy::line::{self, Script, When};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::ahead::Ahead;
use super::builtins::{self, Done};
use super::container::Container;
use super::denied::note;
use super::pipeline::{self, INTERRUPTED, Shown, Sink, Source, Stage};
use super::plan::{self, Planned};
use super::state::State;
use super::text::Returns;
use crate::bridge::Output;
use crate::commands::{Desk, Unrecorded};
use crate::terminal::Size;

/// A rule said no.
pub(super) const DENIED: u8 = 77;
/// The line is none.
pub(super) const BAD_LINE: u8 = 2;

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
    pub(super) ahead: Ahead,
}

impl<C: Container, D: Desk> Shell<C, D> {
    /// Shows bytes of a program, as the person's terminal needs them.
    pub(super) async fn show(&mut self, shown: Shown) -> Result<(), Over> {
        let output = shown_as(&mut self.returns, self.terminal, shown);
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
        // All of it first, each step as those before it will leave things: where a part may not run, nothing does.
        let mut first = None;
        let mut after = self.state.clone();
        for (index, step) in script.steps.iter().enumerate() {
            let planned = plan::plan(&self.container, &self.commands, &mut after, step).await;
            let planned = match planned {
                Ok(planned) => planned,
                Err(refused) => return self.refused(text, refused).await,
            };
            if let ([only], true) = (planned.as_slice(), index + 1 < script.steps.len()) {
                builtins::foresee(&self.container, &self.commands, &mut after, only).await;
            }
            if index == 0 {
                first = Some(planned);
            }
        }
        self.state.resolves = after.resolves;
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
            let status = self.step(planned).await?;
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
    pub(super) async fn step(&mut self, planned: Vec<Planned>) -> Result<u8, Over> {
        for one in &planned {
            if let Some(verdict) = &one.verdict {
                let note = note(self.state.directory.clone(), verdict.clone(), None);
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
            let on_screen = one.files.is_empty()
                && (&one.input, &one.output, &one.errors) == (&Source::Nothing, &Sink::Screen, &Sink::Errors);
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
        if let Some(note) = builtins::note(self.state.directory.clone(), planned) {
            self.desk.note(note).await?;
        }
        if planned.argv.is_empty() {
            for (name, value) in &planned.assignments {
                if let Err(why) = self.state.set(name, value.clone(), false) {
                    self.say(why).await?;
                    return Ok(1);
                }
            }
            // `> file` alone makes or empties a file, which `tee` does.
            if !planned.files.is_empty() {
                self.say(plan::NO_FILE_ALONE).await?;
                return Ok(BAD_LINE);
            }
            return Ok(0);
        }
        let columns = self.terminal.then(|| self.sizes.borrow().columns);
        match builtins::run(&self.container, &self.commands, &mut self.state, planned, columns).await {
            Done::Said(text) => {
                self.show(Shown::Out(text.into())).await?;
                Ok(0)
            }
            Done::Failed(text, status) => {
                if !text.is_empty() {
                    self.say(text).await?;
                }
                // As behind a command that was refused: a script does not go on without it.
                if status == DENIED && !self.terminal { Err(Over::Exit(DENIED)) } else { Ok(status) }
            }
            Done::Exit(status) => Err(Over::Exit(status)),
        }
    }

    /// Commands without a terminal of their own; Ctrl-C hangs all of them up.
    async fn piped(&mut self, stages: Vec<Stage>) -> Result<u8, Over> {
        let (shown, mut heard) = mpsc::channel(16);
        let interrupt = CancellationToken::new();
        let container = &self.container;
        let mut work = Box::pin(pipeline::run(container, stages, &shown, &interrupt));
        let mut status = None;
        let (terminal, out) = (self.terminal, self.out.clone());
        while status.is_none() {
            tokio::select! {
                // A flood of output does not keep Ctrl-C out.
                biased;
                () = out.closed() => return Err(Over::Gone),
                typed = self.typed.recv(), if terminal => match typed {
                    Some(typed) => {
                        if self.ahead.keep(typed) {
                            interrupt.cancel();
                        }
                    }
                    None => return Err(Over::Gone),
                },
                Some(next) = heard.recv() => {
                    let output = shown_as(&mut self.returns, terminal, next);
                    out.send(output).await.map_err(|_| Over::Gone)?;
                }
                done = &mut work => status = Some(done),
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
}

/// Bytes as the person's side needs them.
fn shown_as(returns: &mut Returns, terminal: bool, shown: Shown) -> Output {
    match (shown, terminal) {
        (Shown::Out(bytes) | Shown::Err(bytes), true) => Output::Stdout(returns.pass(&bytes)),
        (Shown::Out(bytes), false) => Output::Stdout(bytes),
        (Shown::Err(bytes), false) => Output::Stderr(bytes),
        (Shown::Word(text), terminal) => {
            let text = crate::terminal::clean_lines(&text);
            let text = format!("sallyport: {}\n", text.trim_end());
            match terminal {
                true => Output::Stdout(returns.pass(text.as_bytes())),
                false => Output::Stderr(text.into()),
            }
        }
    }
}
