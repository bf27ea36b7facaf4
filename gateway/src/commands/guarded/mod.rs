//! The guarded shell: the gateway reads the line, knows every argument, and only then runs it, without a shell in the pod.
//!
//! ```text
//! shell       the loop: a line is planned, judged, put on record, run
//! plan        words, globs, redirections, verdicts        builtins   cd, export, help, …
//! links       where paths lead, before the last word      names      what is in a directory
//! denied      what a refusal brings                       state      variables, directory, history
//! program     one, with the person's terminal             tidy       what it leaves behind there
//! ahead       what is typed before anybody reads it       opened     redirections, before their command starts
//! pipeline    several, and the streams between them
//! container   where commands are started; demands what the rules have cleared
//! past        lines without a container, for trying rules and replaying
//! ```
//!
//! What holds: no word of the person's reaches the container but as an argument of a command whose whole argv the rules
//! let run. Where it ends: a file may be replaced between the check of its path and its use, by somebody who can write there.

mod ahead;
mod builtins;
mod complete;
mod container;
mod denied;
mod input;
mod links;
mod names;
mod opened;
mod past;
mod pipeline;
mod plan;
mod program;
mod shell;
mod state;
#[cfg(test)]
mod tests;
mod text;
mod tidy;

use std::sync::Arc;

use bytes::Bytes;
use sallyport_policy::commands::{Cleared, Commands, Own};
use tokio::sync::{mpsc, watch};

pub use container::{Container, InPod, Input, Running};
pub use past::Past;

use self::shell::{Over, Shell, Typed};
use crate::bridge::{Exit, Output};
use crate::commands::Desk;
use crate::terminal::Size;

/// Frames that wait for the shell, and for the person.
const QUEUE: usize = 64;

/// What a guarded shell begins with.
#[derive(Debug)]
pub struct Setup<C, D> {
    /// Where commands run.
    pub container: C,
    /// What puts them on record.
    pub desk: D,
    /// Which may.
    pub commands: Arc<Commands>,
    /// The terminal's size; `None`: lines come from a script.
    pub size: Option<Size>,
    /// `TERM`.
    pub term: String,
    /// What the prompt calls the place: `api-0`.
    pub name: String,
    /// What the first line says of it: `payments/api-0 (app)`.
    pub place: String,
    /// Whether colours may be used.
    pub colour: bool,
}

/// Towards the shell.
#[derive(Debug)]
pub struct ShellInput {
    typed: mpsc::Sender<Typed>,
    size: watch::Sender<Size>,
    /// The shell's task, which ends with this.
    task: tokio::task::JoinHandle<()>,
}

/// From the shell.
#[derive(Debug)]
pub struct ShellOutput {
    shown: mpsc::Receiver<Output>,
}

impl ShellInput {
    /// Sends what was typed. `false`: the shell is over.
    pub async fn write(&self, bytes: Bytes) -> bool {
        self.typed.send(Typed::Bytes(bytes)).await.is_ok()
    }

    /// Nothing more is typed.
    pub async fn eof(&self) -> bool {
        self.typed.send(Typed::Eof).await.is_ok()
    }

    /// The terminal has another size.
    pub fn resize(&self, size: Size) {
        self.size.send_replace(size);
    }

    /// Ends the shell and hangs up what it runs.
    pub fn hang_up(&self) {
        self.task.abort();
    }
}

impl Drop for ShellInput {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ShellOutput {
    /// What comes next; `None` after the exit. Can be dropped and called again without loss.
    pub async fn next(&mut self) -> Option<Output> {
        self.shown.recv().await
    }
}

/// Starts a shell.
#[must_use]
pub fn start<C: Container, D: Desk>(setup: Setup<C, D>) -> (ShellInput, ShellOutput) {
    let (typed, heard) = mpsc::channel(QUEUE);
    let (out, shown) = mpsc::channel(QUEUE);
    let (size, sizes) = watch::channel(setup.size.unwrap_or(Size { columns: 80, rows: 24 }));
    let terminal = setup.size.is_some();
    let task = tokio::spawn(async move {
        let over = Box::pin(run(setup, heard, sizes, out.clone())).await;
        let exit = match over {
            Over::Gone => return,
            Over::Exit(status) => Exit::Code(status),
            Over::Ended(text, status) => {
                let text = format!("sallyport: {}", crate::terminal::clean(&text));
                let last = match terminal {
                    true => Output::Stdout(format!("{text}\r\n").into()),
                    false => Output::Stderr(format!("{text}\n").into()),
                };
                let _ = out.send(last).await;
                Exit::Code(status)
            }
        };
        let _ = out.send(Output::Exit(exit)).await;
    });
    (ShellInput { typed, size, task }, ShellOutput { shown })
}

async fn run<C: Container, D: Desk>(
    setup: Setup<C, D>,
    typed: mpsc::Receiver<Typed>,
    sizes: watch::Receiver<Size>,
    out: mpsc::Sender<Output>,
) -> Over {
    let Setup { container, desk, commands, size, term, name, place, colour } = setup;
    // Where programs begin. In a container that cannot say so, relative paths are refused.
    let here = container::ask(&container, Cleared::own(Own::Resolve(".".to_owned()))).await;
    let here = here.ok().filter(container::Said::worked).and_then(|said| String::from_utf8(said.out).ok());
    let here = here.map(|path| path.trim_end_matches('\n').to_owned()).filter(|path| path.starts_with('/'));
    let mut shell = Shell {
        container,
        desk,
        commands,
        state: state::State::new(here),
        typed,
        sizes,
        out,
        term,
        terminal: size.is_some(),
        returns: text::Returns::default(),
        ahead: ahead::Ahead::default(),
    };
    let ended = match size {
        Some(_) => input::typed(&mut shell, &name, &place, colour).await,
        None => input::script(&mut shell).await,
    };
    ended.err().unwrap_or(Over::Exit(shell.state.status))
}
