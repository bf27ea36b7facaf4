//! What the guardrail and the observer of shells without rules add to the echo of one key, and to a flood:
//! `cargo bench -p sallyport --bench keystroke`. Keys are typed at a local PTY, at the terminal's own echo (`cat`) and at
//! bash, bare and with each of the two. It prints the 50th and the 99th percentile and what the difference is of the aim of
//! 1 ms, then how long a flood takes through each, and asserts nothing about time: a busy machine is not a fault.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark is for people to read")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pty_process::{OwnedReadPty, OwnedWritePty};
use sallyport::bridge::{Exit, Output};
use sallyport::commands::open::{Closed, Input, Source, guard, observe};
use sallyport::commands::{Answer, Desk, Note, Unrecorded};
use sallyport::terminal::Size;
use sallyport_policy::commands::{Commands, CommandsInput, RuleInput, Verdict};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Mutex;

const KEYS: usize = 3000;
/// Keys a line, so that lines stay on one row.
const LINE: usize = 60;
const AIM: Duration = Duration::from_millis(1);
const SIZE: Size = Size { columns: 120, rows: 40 };
const FLOOD: usize = 64 * 1024 * 1024;
const PLAIN: &str = "2026-11-21T10:00:00Z INFO a line of a log that says what was done, and for whom\r\n";
const COLOURED: &str = "2026-11-21T10:00:00Z \x1b[32mINFO\x1b[0m a line of a log that says what was done\r\n";

struct Keyboard(Mutex<OwnedWritePty>);

impl Input for Keyboard {
    async fn write(&self, bytes: Bytes) -> Result<(), Closed> {
        self.0.lock().await.write_all(&bytes).await.map_err(|_| Closed)
    }

    async fn eof(&self) -> Result<(), Closed> {
        self.write(Bytes::from_static(&[4])).await
    }

    fn half_close(&self) -> bool {
        true
    }

    async fn resize(&self, _size: Size) -> Result<(), Closed> {
        Ok(())
    }

    async fn hang_up(&self) {}
}

struct Display(OwnedReadPty);

impl Source for Display {
    async fn next(&mut self) -> Option<Output> {
        let mut buffer = vec![0; 4096];
        match self.0.read(&mut buffer).await {
            Ok(read) if read > 0 => {
                buffer.truncate(read);
                Some(Output::Stdout(buffer.into()))
            }
            _ => Some(Output::Exit(Exit::Code(0))),
        }
    }
}

struct Quiet;

impl Desk for Quiet {
    async fn note(&self, _note: Note) -> Result<(), Unrecorded> {
        Ok(())
    }

    async fn ask(&self, _line: &str, _verdict: &Verdict, _tell: &(dyn Fn(String) + Send + Sync)) -> Answer {
        Answer::Denied(String::new())
    }

    async fn alert(&self, _line: &str, _verdict: &Verdict) -> Result<(), Unrecorded> {
        Ok(())
    }

    async fn remark(&self, _text: &str) -> Result<(), Unrecorded> {
        Ok(())
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    for (name, argv) in [("cat", &["cat"][..]), ("bash", &["bash", "--norc", "--noprofile", "-i"])] {
        let Some(bare) = runtime.block_on(keys(argv, Between::Nothing)) else {
            println!("{name}: not installed");
            continue;
        };
        for between in [Between::Guard, Between::Observer] {
            let Some(other) = runtime.block_on(keys(argv, between)) else { continue };
            for (percent, label) in [(50, "p50"), (99, "p99")] {
                let (without, with) = (at(&bare, percent), at(&other, percent));
                let more = with.saturating_sub(without);
                println!(
                    "{name:<5} {label}: {without:?} bare, {with:?} with the {between:?} ({:.2} times); {more:?} more is {:.3} of the aim",
                    with.as_secs_f64() / without.as_secs_f64(),
                    more.as_secs_f64() / AIM.as_secs_f64(),
                );
            }
        }
    }
    for (name, line, bytes) in [("plain", PLAIN, FLOOD), ("coloured", COLOURED, FLOOD / 16)] {
        for between in [Between::Nothing, Between::Guard, Between::Observer] {
            let took = runtime.block_on(flood(line, bytes, between));
            let mib = bytes / (1024 * 1024);
            println!("{mib} MiB {name}: {took:?} through {between:?}");
        }
    }
}

/// What stands between the person and the shell.
#[derive(Debug, Clone, Copy)]
enum Between {
    Nothing,
    Guard,
    Observer,
}

fn rules() -> Arc<Commands> {
    let allow = vec![RuleInput { programs: vec!["ls".to_owned()], ..RuleInput::default() }];
    Arc::new(Commands::parse(&CommandsInput { allow, ..CommandsInput::default() }).expect("rules"))
}

/// The time from a key to its echo, for many keys, sorted; `None` where the program is not there.
async fn keys(argv: &[&str], between: Between) -> Option<Vec<Duration>> {
    let (pty, pts) = pty_process::open().expect("a PTY");
    pty.resize(pty_process::Size::new(SIZE.rows, SIZE.columns)).expect("a size");
    let (program, arguments) = argv.split_first()?;
    let command = pty_process::Command::new(program)
        .args(arguments)
        .env("TERM", "xterm")
        .env("PS1", "$ ")
        .env("HISTFILE", "/dev/null")
        .kill_on_drop(true);
    let _child = command.spawn(pts).ok()?;
    let (read, write) = pty.into_split();
    let (keyboard, mut display) = (Keyboard(Mutex::new(write)), Display(read));
    Some(match between {
        Between::Nothing => {
            timed(async |bytes| keyboard.write(bytes).await.expect("taken"), async || display.next().await)
                .await
        }
        Between::Guard => {
            let (input, mut output) = guard(keyboard, display, SIZE, rules(), "rules", Arc::new(Quiet));
            timed(async |bytes| input.write(bytes).await.expect("taken"), async || output.next().await).await
        }
        Between::Observer => {
            let (input, mut output) = observe(keyboard, display, SIZE, Arc::new(Quiet));
            timed(async |bytes| input.write(bytes).await.expect("taken"), async || output.next().await).await
        }
    })
}

/// Says the same again and again.
struct Flood {
    chunk: Bytes,
    left: usize,
}

impl Source for Flood {
    async fn next(&mut self) -> Option<Output> {
        if self.left == 0 {
            return Some(Output::Exit(Exit::Code(0)));
        }
        self.left = self.left.saturating_sub(self.chunk.len());
        Some(Output::Stdout(self.chunk.clone()))
    }
}

/// Takes what is typed.
struct Sink;

impl Input for Sink {
    async fn write(&self, _bytes: Bytes) -> Result<(), Closed> {
        Ok(())
    }

    async fn eof(&self) -> Result<(), Closed> {
        Ok(())
    }

    fn half_close(&self) -> bool {
        true
    }

    async fn resize(&self, _size: Size) -> Result<(), Closed> {
        Ok(())
    }

    async fn hang_up(&self) {}
}

/// How long so many bytes take.
async fn flood(line: &str, bytes: usize, between: Between) -> Duration {
    let chunk = Bytes::from(line.repeat(32 * 1024 / line.len()));
    let mut source = Flood { chunk, left: bytes };
    let began = Instant::now();
    match between {
        Between::Nothing => while !matches!(source.next().await, Some(Output::Exit(_)) | None) {},
        Between::Guard => {
            let (_input, mut output) = guard(Sink, source, SIZE, rules(), "rules", Arc::new(Quiet));
            while !matches!(output.next().await, Some(Output::Exit(_)) | None) {}
        }
        Between::Observer => {
            let (_input, mut output) = observe(Sink, source, SIZE, Arc::new(Quiet));
            while !matches!(output.next().await, Some(Output::Exit(_)) | None) {}
        }
    }
    began.elapsed()
}

async fn timed(
    mut write: impl AsyncFnMut(Bytes),
    mut next: impl AsyncFnMut() -> Option<Output>,
) -> Vec<Duration> {
    // The prompt, if there is one, and what the gateway says first.
    while let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(500), next()).await {}
    let mut times = Vec::with_capacity(KEYS);
    for number in 0..KEYS {
        if number % LINE == LINE - 1 {
            // Away with the line, and wait until that is shown.
            write(Bytes::from_static(b"\x15")).await;
            while let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(20), next()).await {}
        }
        let began = Instant::now();
        write(Bytes::from_static(b"x")).await;
        let mut echoed = false;
        while !echoed {
            match next().await {
                Some(Output::Stdout(bytes)) => echoed = bytes.contains(&b'x'),
                _ => return times,
            }
        }
        times.push(began.elapsed());
    }
    times.sort_unstable();
    times
}

fn at(sorted: &[Duration], percent: usize) -> Duration {
    sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
}
