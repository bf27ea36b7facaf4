//! The pump and the tunnels between the real `ssh` and pods that do as they are told, on a clock that is moved by hand.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::super::channel::{Ask, Session, TunnelAsk};
use super::super::ending;
use super::super::inbound::Bounds;
use super::super::pump::{self, Client, Counts, Hold, PodInput, PodOutput, Why};
use super::super::server::{Settings, Work};
use super::super::tunnel::pass;
use super::house::{House, told};
use crate::access::GrantEnd;
use crate::audit::Person;
use crate::bridge::{BridgeError, Exit, Output};
use crate::clock::{Clock, ManualClock};
use crate::record::{Outcome, Recorder, SessionEnd, SessionId, SessionKind, SessionStart, TerminalInfo};
use crate::terminal::Size;

/// How a session ended: what the books say.
pub(super) type End = (Outcome, Option<u8>, Option<String>);

/// A pod that runs one program, chosen by the command's first word.
#[derive(Debug)]
struct Pod {
    /// What was written to it, `None` for the end of input.
    heard: mpsc::UnboundedReceiver<Heard>,
    program: String,
}

#[derive(Debug)]
enum Heard {
    Bytes(Bytes),
    Eof,
    Size(Size),
}

#[derive(Debug)]
struct PodEar {
    tell: mpsc::UnboundedSender<Heard>,
    hung_up: CancellationToken,
    half_close: bool,
}

impl PodInput for PodEar {
    async fn write(&self, bytes: Bytes) -> Result<(), pump::Closed> {
        self.tell.send(Heard::Bytes(bytes)).map_err(|_| pump::Closed)
    }

    async fn eof(&self) -> Result<(), pump::Closed> {
        if self.half_close { self.tell.send(Heard::Eof).map_err(|_| pump::Closed) } else { Ok(()) }
    }

    fn half_close(&self) -> bool {
        self.half_close
    }

    async fn resize(&self, size: Size) -> Result<(), pump::Closed> {
        self.tell.send(Heard::Size(size)).map_err(|_| pump::Closed)
    }

    async fn hang_up(&self) {
        self.hung_up.cancel();
    }
}

impl PodOutput for Pod {
    async fn next(&mut self) -> Option<Output> {
        let over = |code| Some(Output::Exit(Exit::Code(code)));
        match self.program.as_str() {
            "cat" | "old-cat" => match self.heard.recv().await {
                Some(Heard::Bytes(bytes)) => Some(Output::Stdout(bytes)),
                Some(Heard::Size(size)) => {
                    Some(Output::Stdout(Bytes::from(format!("[{}x{}]", size.columns, size.rows))))
                }
                Some(Heard::Eof) | None => over(0),
            },
            "both" => {
                "exit 42".clone_into(&mut self.program);
                Some(Output::Stderr(Bytes::from_static(b"beside\n")))
            }
            "ticks" => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Some(Output::Stdout(Bytes::from_static(b"tick\r\n")))
            }
            "flood" => Some(Output::Stdout(Bytes::from(vec![b'x'; 32 << 10]))),
            "editor" => {
                "wait".clone_into(&mut self.program);
                Some(Output::Stdout(Bytes::from_static(
                    b"\x1b[?1049h\x1b[?25l\x1b[2J\x1b[?1006hediting\x1b[3",
                )))
            }
            "broken" => {
                Some(Output::Exit(Exit::Unknown { why: "the connection to the pod broke".to_owned() }))
            }
            "wait" => std::future::pending().await,
            other => over(other.strip_prefix("exit ").unwrap().parse().unwrap()),
        }
    }
}

/// The pump, between real clients and such pods, on a clock that is moved by hand.
#[derive(Debug)]
struct Rig {
    clock: Arc<ManualClock>,
    ends_at: Timestamp,
    end: watch::Receiver<Option<GrantEnd>>,
    recorder: Recorder,
    running: Arc<AtomicUsize>,
    hung_up: Arc<AtomicUsize>,
    ends: Arc<Mutex<Vec<End>>>,
    draining: CancellationToken,
}

impl Work for Rig {
    fn session(&self, session: Session) -> BoxFuture<'static, ()> {
        let clock = Arc::clone(&self.clock);
        let mut end = self.end.clone();
        let (ends_at, recorder, ends) = (self.ends_at, self.recorder.clone(), Arc::clone(&self.ends));
        let (running, hung, draining) =
            (Arc::clone(&self.running), Arc::clone(&self.hung_up), self.draining.clone());
        async move {
            let Ask::Command(line) = session.ask else { panic!("a command") };
            let terminal = session.terminal.as_ref();
            let info = terminal.map(|terminal| TerminalInfo {
                columns: terminal.size.columns,
                rows: terminal.size.rows,
                term: None,
            });
            let start = start(clock.now(), SessionKind::Exec, info);
            let recording = Arc::new(recorder.begin(start).await.unwrap());
            let (tell, heard) = mpsc::unbounded_channel();
            let hung_up = CancellationToken::new();
            let half_close = line != "old-cat";
            let ear = PodEar { tell, hung_up: hung_up.clone(), half_close };
            let mut pod = Pod { heard, program: line };
            let hold = Hold {
                clock,
                ends: Box::new(move || ends_at),
                ended: async move { end.wait_for(Option::is_some).await.unwrap().clone().unwrap() }.boxed(),
                draining,
                recording: Arc::clone(&recording),
            };
            let size = terminal.map(|terminal| terminal.size);
            let output = Arc::clone(&session.output);
            let mut client = Client {
                input: session.input,
                control: session.control,
                output: Arc::clone(&output),
                terminal: size,
            };
            let counts = Counts::default();
            running.fetch_add(1, Ordering::SeqCst);
            let why = pump::run(&mut client, &ear, &mut pod, hold, &counts).await;
            running.fetch_sub(1, Ordering::SeqCst);
            hung.fetch_add(usize::from(hung_up.is_cancelled()), Ordering::SeqCst);
            let parting = ending::tell(&output, &why).await;
            let end = (parting.outcome, parting.exit, parting.said.clone());
            let recording = Arc::into_inner(recording).expect("nobody else holds the recording");
            let recorded = recording
                .finish(SessionEnd {
                    outcome: end.0,
                    exit: end.1,
                    bytes_in: counts.bytes_in(),
                    bytes_out: counts.bytes_out(),
                    why: end.2.clone(),
                })
                .await;
            parting.end(&output, recorded).await;
            ends.lock().unwrap().push(end);
        }
        .boxed()
    }

    fn tunnel(&self, ask: TunnelAsk) -> BoxFuture<'static, ()> {
        let TunnelAsk { host, reply, mut input, output, overfull, .. } = ask;
        let (clock, mut end, recorder) = (Arc::clone(&self.clock), self.end.clone(), self.recorder.clone());
        let (draining, ends_at, running) = (self.draining.clone(), self.ends_at, Arc::clone(&self.running));
        let ends = Arc::clone(&self.ends);
        async move {
            reply.accept().await;
            let start = start(clock.now(), SessionKind::Forward, None);
            let recording = Arc::new(recorder.begin(start).await.unwrap());
            let hold = Hold {
                clock,
                ends: Box::new(move || ends_at),
                ended: async move { end.wait_for(Option::is_some).await.unwrap().clone().unwrap() }.boxed(),
                draining,
                recording,
            };
            let (tell, heard) = mpsc::unbounded_channel();
            let (sink, mut source) = (Sink(tell), Source { heard, program: host.clone(), kept: Vec::new() });
            let half_close = !host.starts_with("old");
            let counts = Counts::default();
            running.fetch_add(1, Ordering::SeqCst);
            let both = (&sink, &mut source, half_close);
            let why = pass::run(&mut input, &output, both, hold, &overfull, &counts).await;
            running.fetch_sub(1, Ordering::SeqCst);
            output.close().await;
            let outcome = match why {
                Why::Cut(_) => Outcome::Cut,
                Why::Exit(_) => Outcome::Ended,
                other => panic!("{other:?}"),
            };
            ends.lock().unwrap().push((outcome, None, None));
        }
        .boxed()
    }
}

/// A TCP server in a pod; the host's name says which.
struct Source {
    heard: mpsc::UnboundedReceiver<Option<Bytes>>,
    program: String,
    kept: Vec<u8>,
}

struct Sink(mpsc::UnboundedSender<Option<Bytes>>);

impl pass::Sink for Sink {
    async fn write(&self, bytes: Bytes) -> Result<(), BridgeError> {
        self.0.send(Some(bytes)).map_err(|_| BridgeError::Target("closed".to_owned()))
    }

    async fn eof(&self) -> Result<(), BridgeError> {
        self.0.send(None).map_err(|_| BridgeError::Target("closed".to_owned()))
    }

    async fn close(&self) {}
}

impl pass::Source for Source {
    async fn next(&mut self) -> Option<Result<Bytes, BridgeError>> {
        loop {
            match (self.program.as_str(), self.heard.recv().await) {
                // Answers each piece as it comes, and does not notice an end.
                ("old-echo", Some(Some(bytes))) => return Some(Ok(bytes)),
                // Answers only when the client has sent everything.
                ("count", Some(Some(bytes))) => self.kept.extend_from_slice(&bytes),
                ("count", Some(None)) => return Some(Ok(Bytes::from(self.kept.len().to_string()))),
                ("count", None) => return None,
                // Says good-bye and goes on listening.
                ("listener", Some(Some(_))) if self.kept.is_empty() => {
                    self.kept.push(1);
                    return None;
                }
                (_, None) => std::future::pending().await,
                _ => {}
            }
        }
    }
}

fn start(now: Timestamp, kind: SessionKind, terminal: Option<TerminalInfo>) -> SessionStart {
    SessionStart {
        id: SessionId::new(now),
        person: Person { username: "alice".to_owned(), issuer: None, subject: None },
        request: "oncall-debug-bcdfgh".to_owned(),
        policy: "oncall-debug".to_owned(),
        reason: None,
        kind,
        namespace: "payments".to_owned(),
        target: None,
        pod: None,
        container: None,
        port: None,
        command: None,
        terminal,
        peer: None,
        record: true,
        strict: false,
    }
}

pub(super) struct Stage {
    pub(super) house: House,
    pub(super) clock: Arc<ManualClock>,
    pub(super) end: watch::Sender<Option<GrantEnd>>,
    pub(super) hung_up: Arc<AtomicUsize>,
    pub(super) ends: Arc<Mutex<Vec<End>>>,
    pub(super) recordings: tempfile::TempDir,
    pub(super) draining: CancellationToken,
}

const START: &str = "2026-11-21T12:00:00Z";

impl Stage {
    /// A grant that ends ten minutes from now.
    pub(super) async fn open() -> Self {
        let start: Timestamp = START.parse().unwrap();
        let clock = ManualClock::at(start);
        let (end, ended) = watch::channel(None);
        let recordings = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(recordings.path().to_owned(), clock.clone()).unwrap();
        let (running, hung_up) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (ends, draining) = (Arc::default(), CancellationToken::new());
        let rig = Rig {
            clock: Arc::clone(&clock),
            ends_at: start + Duration::from_secs(600),
            end: ended,
            recorder,
            running: Arc::clone(&running),
            hung_up: Arc::clone(&hung_up),
            ends: Arc::clone(&ends),
            draining: draining.clone(),
        };
        let house = House::working(Settings::default(), Bounds::default(), Arc::new(rig), running).await;
        house.alice();
        Self { house, clock, end, hung_up, ends, recordings, draining }
    }

    pub(super) fn ssh(&self, options: &[&str], words: &[&str]) -> Command {
        let mut command = self.house.bare_ssh();
        command.args(options).args(["-o", "IdentitiesOnly=yes", "-i"]).arg(self.house.path("alice"));
        command.arg("prod-gw").args(words);
        command
    }

    pub(super) async fn start(&self, options: &[&str], words: &[&str]) -> Child {
        let child = self.ssh(options, words).stdin(Stdio::piped()).spawn().unwrap();
        while self.house.running.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        child
    }

    pub(super) async fn over(&self) -> End {
        for _ in 0..6000 {
            if let Some(end) = self.ends.lock().unwrap().last() {
                return end.clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it has not ended");
    }

    pub(super) fn cast(&self) -> PathBuf {
        let day = self.recordings.path().join("2026-11-21");
        let files = std::fs::read_dir(day).unwrap().map(|file| file.unwrap().path());
        files.into_iter().find(|path| path.extension().is_some_and(|end| end == "cast")).expect("a recording")
    }
}

pub(super) async fn end_of(child: Child) -> super::house::Said {
    told(&tokio::time::timeout(Duration::from_secs(90), child.wait_with_output()).await.unwrap().unwrap())
}

pub(super) fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
