//! Real shells on local PTYs, typed at through the filter.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use sallyport_policy::commands::{
    Commands, CommandsInput, Invocation, OnDenied, OnLostTrack, RuleInput, Verdict, Way,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use super::filter::guard_with;
use super::judged::{Judge, Judged, cannot_know, unjudged};
use super::*;
use crate::bridge::Exit;
use crate::commands::{Answer, Desk, Note, Unrecorded};

mod denied;
mod gaps;
mod observing;
mod programs;
mod reading;

const LIMIT: Duration = Duration::from_secs(60);

/// The shells, and what starts them with a prompt of their own and nothing from the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Bash,
    Dash,
    Ash,
}

const ALL: [Which; 3] = [Which::Bash, Which::Dash, Which::Ash];

impl Which {
    fn argv(self) -> &'static [&'static str] {
        match self {
            Self::Bash => &["bash", "--norc", "--noprofile", "-i"],
            Self::Dash => &["dash", "-i"],
            Self::Ash => &["busybox", "ash", "-i"],
        }
    }

    /// Whether it is installed; says so where it is not.
    fn here(self) -> bool {
        let program = self.argv()[0];
        let found = std::env::var("PATH")
            .unwrap_or_default()
            .split(':')
            .any(|dir| std::path::Path::new(dir).join(program).exists());
        if !found {
            eprintln!("skipped: {program} is not installed");
        }
        found
    }
}

/// A real rule's no, which somebody could let pass.
fn denied(word: &str) -> Verdict {
    let deny = vec![RuleInput { programs: vec!["rm".to_owned()], ..RuleInput::default() }];
    let rules = Commands::parse(&CommandsInput { deny, ..CommandsInput::default() }).unwrap();
    let argv = vec!["rm".to_owned(), word.to_owned()];
    rules.judge(&Invocation { argv, ..Invocation::default() }, Way::Open)
}

/// Says no to lines with a word in them.
pub(super) struct No {
    pub(super) word: &'static str,
    pub(super) on_denied: OnDenied,
    pub(super) on_lost_track: OnLostTrack,
}

impl Default for No {
    fn default() -> Self {
        Self { word: "forbidden", on_denied: OnDenied::Tell, on_lost_track: OnLostTrack::Flag }
    }
}

impl Judge for No {
    fn judge(&self, text: &str) -> Judged {
        let verdict = if text.contains(self.word) {
            Verdict {
                once: denied(text).once,
                ..cannot_know("it says no".to_owned(), Some("say something else".to_owned()))
            }
        } else {
            unjudged(text, "allow[0]")
        };
        Judged { line: text.to_owned(), commands: vec![(text.to_owned(), verdict)] }
    }

    fn on_denied(&self) -> OnDenied {
        self.on_denied
    }

    fn on_lost_track(&self) -> OnLostTrack {
        self.on_lost_track
    }
}

/// A desk that remembers.
#[derive(Default)]
pub(super) struct Book {
    /// Line, and whether it may run or the rule's name where it is not a verdict of rules.
    pub(super) notes: Mutex<Vec<(String, bool, String)>>,
    pub(super) remarks: Mutex<Vec<String>>,
    pub(super) alerts: Mutex<Vec<String>>,
    pub(super) approved_by: Mutex<Vec<String>>,
    answer: Mutex<Option<oneshot::Receiver<Answer>>>,
    broken: std::sync::atomic::AtomicBool,
    news: Notify,
}

impl Desk for Book {
    async fn note(&self, note: Note) -> Result<(), Unrecorded> {
        if self.broken.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(Unrecorded);
        }
        assert_eq!(note.way, sallyport_policy::commands::Way::Open);
        self.approved_by.lock().unwrap().extend(note.approved_by);
        self.notes.lock().unwrap().push((note.line, note.verdict.cleared.is_some(), note.verdict.rule));
        self.news.notify_waiters();
        Ok(())
    }

    async fn ask(&self, line: &str, _: &Verdict, tell: &(dyn Fn(String) + Send + Sync)) -> Answer {
        tell(format!("asked for {line}"));
        let answer = self.answer.lock().unwrap().take();
        match answer {
            Some(answer) => answer.await.unwrap_or(Answer::Denied("no answer".to_owned())),
            None => std::future::pending().await,
        }
    }

    async fn alert(&self, line: &str, _: &Verdict) -> Result<(), Unrecorded> {
        self.alerts.lock().unwrap().push(line.to_owned());
        Ok(())
    }

    async fn remark(&self, text: &str) -> Result<(), Unrecorded> {
        self.remarks.lock().unwrap().push(text.to_owned());
        self.news.notify_waiters();
        Ok(())
    }
}

/// The writing end of a PTY; keeps what got through.
struct Keyboard {
    pty: tokio::sync::Mutex<pty_process::OwnedWritePty>,
    through: Arc<Mutex<Vec<u8>>>,
    hung_up: Arc<std::sync::atomic::AtomicBool>,
}

impl Input for Keyboard {
    async fn write(&self, bytes: Bytes) -> Result<(), Closed> {
        self.through.lock().unwrap().extend_from_slice(&bytes);
        self.pty.lock().await.write_all(&bytes).await.map_err(|_| Closed)
    }

    async fn eof(&self) -> Result<(), Closed> {
        self.pty.lock().await.write_all(&[4]).await.map_err(|_| Closed)
    }

    fn half_close(&self) -> bool {
        true
    }

    async fn resize(&self, size: Size) -> Result<(), Closed> {
        let size = pty_process::Size::new(size.rows, size.columns);
        self.pty.lock().await.resize(size).map_err(|_| Closed)
    }

    async fn hang_up(&self) {
        self.hung_up.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// The reading end of a PTY, with a delay like a slow line's.
struct Display {
    pty: pty_process::OwnedReadPty,
    delay: Duration,
    _child: tokio::process::Child,
}

impl Source for Display {
    async fn next(&mut self) -> Option<Output> {
        let mut buffer = vec![0; 4096];
        match self.pty.read(&mut buffer).await {
            Ok(read) if read > 0 => {
                buffer.truncate(read);
                tokio::time::sleep(self.delay).await;
                Some(Output::Stdout(buffer.into()))
            }
            _ => Some(Output::Exit(Exit::Code(0))),
        }
    }
}

/// The way to the shell.
enum Keys {
    Guarded(FilterInput<Keyboard>),
    Observed(ObservedInput<Keyboard, Book>),
}

impl Keys {
    async fn write(&self, bytes: Bytes) -> Result<(), Closed> {
        match self {
            Self::Guarded(keys) => keys.write(bytes).await,
            Self::Observed(keys) => keys.write(bytes).await,
        }
    }

    async fn resize(&self, size: Size) -> Result<(), Closed> {
        match self {
            Self::Guarded(keys) => keys.resize(size).await,
            Self::Observed(keys) => keys.resize(size).await,
        }
    }

    async fn hang_up(&self) {
        match self {
            Self::Guarded(keys) => keys.hang_up().await,
            Self::Observed(keys) => keys.hang_up().await,
        }
    }
}

/// The way back.
enum Shown {
    Guarded(FilterOutput<Keyboard, Display, Book>),
    Observed(ObservedOutput<Keyboard, Display, Book>),
}

impl Shown {
    async fn next(&mut self) -> Option<Output> {
        match self {
            Self::Guarded(shown) => shown.next().await,
            Self::Observed(shown) => shown.next().await,
        }
    }
}

/// A person at a shell.
pub(super) struct Person {
    keys: Keys,
    screen: Arc<Mutex<Vec<u8>>>,
    shown: Arc<Notify>,
    seen: usize,
    through: Arc<Mutex<Vec<u8>>>,
    pub(super) hung_up: Arc<std::sync::atomic::AtomicBool>,
    pub(super) exit: Arc<Mutex<Option<Exit>>>,
    pub(super) book: Arc<Book>,
    pub(super) dir: tempfile::TempDir,
    reader: tokio::task::JoinHandle<()>,
}

impl Drop for Person {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

#[derive(Default)]
pub(super) struct Start {
    pub(super) judge: Option<No>,
    pub(super) observe: bool,
    pub(super) rules: Option<Commands>,
    pub(super) delay: Duration,
    pub(super) columns: Option<u16>,
    pub(super) argv: Option<Vec<&'static str>>,
    pub(super) environment: Vec<(&'static str, &'static str)>,
}

impl Person {
    pub(super) async fn at(which: Which) -> Option<Self> {
        Self::start(which, Start::default()).await
    }

    pub(super) async fn start(which: Which, start: Start) -> Option<Self> {
        if !which.here() {
            return None;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let (pty, pts) = pty_process::open().expect("a PTY");
        let size = Size { columns: start.columns.unwrap_or(80), rows: 24 };
        pty.resize(pty_process::Size::new(size.rows, size.columns)).expect("a size");
        let argv = start.argv.clone().unwrap_or_else(|| which.argv().to_vec());
        // Whoever runs the tests in the background has Ctrl-C ignored, and what they start would inherit that.
        let command = pty_process::Command::new("env")
            .arg("--default-signal=INT,QUIT,TSTP")
            .args(&argv)
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .env("TERM", "xterm")
            .env("LC_ALL", "C.UTF-8")
            .env("PS1", "me$ ")
            .env("HISTFILE", dir.path().join("history"))
            .env("HOME", dir.path())
            .env("INPUTRC", "/dev/null")
            .envs(start.environment.iter().copied())
            .kill_on_drop(true)
            .current_dir(dir.path());
        let child = command.spawn(pts).expect("a shell");
        let (read, write) = pty.into_split();
        let through = Arc::new(Mutex::new(Vec::new()));
        let hung_up = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let keyboard =
            Keyboard { pty: write.into(), through: Arc::clone(&through), hung_up: Arc::clone(&hung_up) };
        let display = Display { pty: read, delay: start.delay, _child: child };
        let book = Arc::new(Book::default());
        let (rules, judge) = (start.rules, start.judge);
        let (keys, mut output) = if start.observe {
            let (keys, output) = observe(keyboard, display, size, Arc::clone(&book));
            (Keys::Observed(keys), Shown::Observed(output))
        } else {
            let judge: Arc<dyn Judge> = match rules {
                Some(rules) => Arc::new(rules),
                None => Arc::new(judge.unwrap_or_default()),
            };
            let (keys, output) =
                guard_with(keyboard, display, size, judge, "ssh gw rules", Arc::clone(&book));
            (Keys::Guarded(keys), Shown::Guarded(output))
        };
        let (screen, shown) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Notify::new()));
        let exit = Arc::new(Mutex::new(None));
        let (to, tell, ended) = (Arc::clone(&screen), Arc::clone(&shown), Arc::clone(&exit));
        let reader = tokio::spawn(async move {
            while let Some(next) = output.next().await {
                match next {
                    Output::Stdout(bytes) => to.lock().unwrap().extend_from_slice(&bytes),
                    Output::Exit(exit) => *ended.lock().unwrap() = Some(exit),
                    Output::Stderr(_) => {}
                }
                tell.notify_waiters();
            }
        });
        let mut person = Self { keys, screen, shown, seen: 0, through, hung_up, exit, book, dir, reader };
        person.sees("me$ ").await;
        Some(person)
    }

    pub(super) fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// Waits for a text after what was waited for before.
    #[track_caller]
    pub(super) fn sees(&mut self, text: &str) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let wait = async {
                loop {
                    let shown = self.shown.notified();
                    tokio::pin!(shown);
                    shown.as_mut().enable();
                    let found = {
                        let screen = self.screen.lock().unwrap();
                        let from = self.seen.min(screen.len());
                        screen[from..]
                            .windows(text.len().max(1))
                            .position(|window| window == text.as_bytes())
                            .map(|at| from + at + text.len())
                    };
                    if let Some(at) = found {
                        self.seen = at;
                        return;
                    }
                    shown.await;
                }
            };
            if timeout(LIMIT, wait).await.is_err() {
                panic!(
                    "{place}: no {text:?} after byte {}; the screen shows\n{:?}\nnotes {:?}\nremarks {:?}",
                    self.seen,
                    self.screen(),
                    self.book.notes.lock().unwrap(),
                    self.book.remarks.lock().unwrap()
                );
            }
        }
    }

    /// Types a byte at a time.
    pub(super) async fn types(&mut self, keys: &str) {
        self.types_bytes(keys.as_bytes()).await;
    }

    pub(super) async fn types_bytes(&mut self, keys: &[u8]) {
        for byte in keys {
            timeout(LIMIT, self.keys.write(Bytes::copy_from_slice(&[*byte])))
                .await
                .expect("taken in time")
                .expect("taken");
        }
    }

    /// All in one piece.
    pub(super) async fn pastes(&mut self, keys: &[u8]) {
        timeout(LIMIT, self.keys.write(Bytes::copy_from_slice(keys)))
            .await
            .expect("taken in time")
            .expect("taken");
    }

    /// Types a line and waits for what comes of it, and the prompt.
    #[track_caller]
    pub(super) fn runs(&mut self, line: &str, then: &str) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let _ = place;
            self.types(line).await;
            self.types("\r").await;
            self.sees(then).await;
        }
    }

    /// The lines on record, in order, of those that rules have judged.
    pub(super) fn lines(&self) -> Vec<String> {
        let notes = self.book.notes.lock().unwrap();
        notes
            .iter()
            .filter(|(_, _, rule)| rule != "input to a program")
            .map(|(line, ..)| line.clone())
            .collect()
    }

    pub(super) fn denied(&self) -> Vec<String> {
        self.book
            .notes
            .lock()
            .unwrap()
            .iter()
            .filter(|(_, ok, _)| !ok)
            .map(|(line, ..)| line.clone())
            .collect()
    }

    pub(super) fn remarks(&self) -> Vec<String> {
        self.book.remarks.lock().unwrap().clone()
    }

    /// What got through to the shell.
    pub(super) fn through(&self) -> String {
        String::from_utf8_lossy(&self.through.lock().unwrap()).into_owned()
    }

    /// Whether a file was made in the person's directory.
    pub(super) fn made(&self, name: &str) -> bool {
        self.dir.path().join(name).exists()
    }

    /// Waits until something holds.
    pub(super) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = tokio::time::Instant::now() + LIMIT;
        while !holds(self) {
            assert!(
                tokio::time::Instant::now() < end,
                "{what}; the screen shows\n{:?}\nnotes {:?}\nremarks {:?}",
                self.screen(),
                self.book.notes.lock().unwrap(),
                self.remarks()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
