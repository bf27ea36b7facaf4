//! The shell with real programs of this machine as its container.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use sallyport_policy::commands::{CommandsInput, OnDenied, RuleInput, Verdict};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::bridge::BridgeError;
use crate::commands::{Answer, Note, THE_SHELL, Unrecorded};

mod held;
mod lines;
mod opened;
mod streams;
mod typing;

/// Starts programs of this machine, without a PTY.
#[derive(Debug, Clone, Default)]
struct Machine {
    /// Every argv that was started.
    started: Arc<Mutex<Vec<Vec<String>>>>,
    /// Programs that are not there.
    lacks: &'static [&'static str],
}

struct Stdin {
    input: tokio::sync::Mutex<Option<tokio::process::ChildStdin>>,
    stop: CancellationToken,
}

struct Stdout(mpsc::Receiver<Output>);

impl Container for Machine {
    type Input = Stdin;
    type Output = Stdout;

    async fn start(
        &self,
        command: Cleared,
        _tty: Option<Size>,
        stdin: bool,
    ) -> Result<(Stdin, Stdout), BridgeError> {
        let argv = command.argv().to_vec();
        self.started.lock().unwrap().push(argv.clone());
        let (out, shown) = mpsc::channel(4);
        let stop = CancellationToken::new();
        let missing = self.lacks.contains(&argv[0].as_str());
        let child = Command::new(&argv[0])
            .args(&argv[1..])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .current_dir("/tmp")
            .stdin(if stdin { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child = match child {
            Ok(child) if !missing => child,
            _ => {
                let exit =
                    Exit::NotStarted { status: 127, why: format!("`{}` is not in the container", argv[0]) };
                let _ = out.send(Output::Exit(exit)).await;
                let input = tokio::sync::Mutex::new(None);
                return Ok((Stdin { input, stop }, Stdout(shown)));
            }
        };
        let input = tokio::sync::Mutex::new(child.stdin.take());
        let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let stopped = stop.clone();
        tokio::spawn(async move {
            let (mut one, mut two) = (vec![0; 8192], vec![0; 8192]);
            let (mut a, mut b) = (true, true);
            while a || b {
                let output = tokio::select! {
                    read = stdout.read(&mut one), if a => match read {
                        Ok(n) if n > 0 => Output::Stdout(Bytes::copy_from_slice(&one[..n])),
                        _ => { a = false; continue }
                    },
                    read = stderr.read(&mut two), if b => match read {
                        Ok(n) if n > 0 => Output::Stderr(Bytes::copy_from_slice(&two[..n])),
                        _ => { b = false; continue }
                    },
                    () = stopped.cancelled() => { let _ = child.kill().await; break }
                };
                if out.send(output).await.is_err() {
                    let _ = child.kill().await;
                    return;
                }
            }
            let code = child.wait().await.ok().and_then(|status| status.code()).unwrap_or(137);
            let _ = out.send(Output::Exit(Exit::Code(u8::try_from(code).unwrap_or(255)))).await;
        });
        Ok((Stdin { input, stop }, Stdout(shown)))
    }
}

impl Input for Stdin {
    async fn write(&self, bytes: Bytes) -> bool {
        let mut input = self.input.lock().await;
        match input.as_mut() {
            Some(input) => input.write_all(&bytes).await.is_ok() && input.flush().await.is_ok(),
            None => false,
        }
    }

    async fn eof(&self) {
        self.input.lock().await.take();
    }

    fn half_close(&self) -> bool {
        true
    }

    async fn resize(&self, _size: Size) {}

    async fn hang_up(&self) {
        self.stop.cancel();
    }
}

impl Running for Stdout {
    async fn next(&mut self) -> Option<Output> {
        self.0.recv().await
    }
}

/// Keeps notes; answers what it was told to.
#[derive(Debug, Clone, Default)]
struct Book {
    notes: Arc<Mutex<Vec<Note>>>,
    alerts: Arc<Mutex<usize>>,
    answer: Option<Answer>,
    full: bool,
}

impl Desk for Book {
    async fn note(&self, note: Note) -> Result<(), Unrecorded> {
        if self.full {
            return Err(Unrecorded);
        }
        self.notes.lock().unwrap().push(note);
        Ok(())
    }

    async fn ask(&self, _line: &str, _verdict: &Verdict, tell: &(dyn Fn(String) + Send + Sync)) -> Answer {
        tell("asked leads".to_owned());
        match &self.answer {
            Some(answer) => answer.clone(),
            None => std::future::pending().await,
        }
    }

    async fn alert(&self, _line: &str, _verdict: &Verdict) -> Result<(), Unrecorded> {
        *self.alerts.lock().unwrap() += 1;
        Ok(())
    }

    async fn remark(&self, _text: &str) -> Result<(), Unrecorded> {
        Ok(())
    }
}

/// Rules under which little may run.
fn rules(on_denied: OnDenied) -> Arc<Commands> {
    let programs = |programs: &[&str]| RuleInput {
        programs: programs.iter().map(|&one| one.to_owned()).collect(),
        ..RuleInput::default()
    };
    let files = RuleInput {
        reads: Some(vec!["/tmp/**".to_owned(), "/etc/hostname".to_owned()]),
        writes: Some(vec!["/tmp/**".to_owned()]),
        ..programs(&["cat", "ls", "tee", "rm"])
    };
    let input = CommandsInput {
        allow: vec![
            RuleInput { writes: files.writes.clone(), ..programs(&["echo", "printf", "sort"]) },
            programs(&["tr", "wc", "true", "sleep", "seq", "head", "yes", "printenv"]),
            files,
        ],
        on_denied,
        ..CommandsInput::default()
    };
    Arc::new(Commands::parse(&input).unwrap())
}

/// What a script came to.
#[derive(Debug)]
struct Came {
    out: String,
    err: String,
    status: u8,
}

async fn script_with(machine: Machine, book: Book, on_denied: OnDenied, text: &str) -> Came {
    let setup = Setup {
        container: machine,
        desk: book,
        commands: rules(on_denied),
        size: None,
        term: "xterm".to_owned(),
        name: "api-0".to_owned(),
        place: "payments/api-0 (app)".to_owned(),
        colour: false,
    };
    let (input, mut output) = start(setup);
    input.write(Bytes::copy_from_slice(text.as_bytes())).await;
    input.eof().await;
    let mut came = Came { out: String::new(), err: String::new(), status: 0 };
    let all = async {
        while let Some(next) = output.next().await {
            match next {
                Output::Stdout(bytes) => came.out.push_str(&String::from_utf8_lossy(&bytes)),
                Output::Stderr(bytes) => came.err.push_str(&String::from_utf8_lossy(&bytes)),
                Output::Exit(exit) => came.status = exit.status(),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all).await.expect("the shell ends");
    came
}

async fn script(text: &str) -> Came {
    script_with(Machine::default(), Book::default(), OnDenied::Tell, text).await
}

/// What the machine started for the person, without what the shell itself asks.
fn for_the_person(machine: &Machine) -> Vec<String> {
    let own = ["readlink -f --", "find -L"];
    let started = machine.started.lock().unwrap();
    let lines = started.iter().map(|argv| argv.join(" "));
    lines.filter(|line| !own.iter().any(|own| line.starts_with(own))).collect()
}
