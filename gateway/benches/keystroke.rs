//! What the guardrail adds to the echo of one key: `cargo bench -p sallyport --bench keystroke`. Keys are typed at a local
//! PTY, at the terminal's own echo (`cat`) and at bash, with and without the filter. It prints the 50th and the 99th
//! percentile and what the difference is of the aim of 1 ms, and asserts nothing about time: a busy machine is not a fault.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark is for people to read")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pty_process::{OwnedReadPty, OwnedWritePty};
use sallyport::bridge::{Exit, Output};
use sallyport::commands::open::{Closed, Input, Source, guard};
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
        let bare = runtime.block_on(keys(argv, false));
        let filtered = runtime.block_on(keys(argv, true));
        let Some((bare, filtered)) = bare.zip(filtered) else {
            println!("{name}: not installed");
            continue;
        };
        for (percent, label) in [(50, "p50"), (99, "p99")] {
            let (without, with) = (at(&bare, percent), at(&filtered, percent));
            let more = with.saturating_sub(without);
            println!(
                "{name:<5} {label}: {without:?} without, {with:?} with the filter ({:.2} times); {more:?} more is {:.3} of the aim",
                with.as_secs_f64() / without.as_secs_f64(),
                more.as_secs_f64() / AIM.as_secs_f64(),
            );
        }
    }
}

/// The time from a key to its echo, for many keys, sorted; `None` where the program is not there.
async fn keys(argv: &[&str], filtered: bool) -> Option<Vec<Duration>> {
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
    if !filtered {
        return Some(
            timed(async |bytes| keyboard.write(bytes).await.expect("taken"), async || display.next().await)
                .await,
        );
    }
    let allow = vec![RuleInput { programs: vec!["ls".to_owned()], ..RuleInput::default() }];
    let rules = Commands::parse(&CommandsInput { allow, ..CommandsInput::default() }).expect("rules");
    let (input, mut output) = guard(keyboard, display, SIZE, Some(Arc::new(rules)), "rules", Arc::new(Quiet));
    Some(timed(async |bytes| input.write(bytes).await.expect("taken"), async || output.next().await).await)
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
