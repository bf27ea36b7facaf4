//! Sessions between the real `ssh` and a pod that does as it is told: endings, cuts, warnings, records.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::super::channel::{Ask, Session, TunnelAsk};
use super::super::ending;
use super::super::inbound::Bounds;
use super::super::pump::{self, Client, Counts, Hold, PodInput, PodOutput};
use super::super::server::{Settings, Work};
use super::house::{House, said, told};
use crate::access::GrantEnd;
use crate::audit::Person;
use crate::bridge::{Exit, Output};
use crate::clock::{Clock, ManualClock};
use crate::record::{Outcome, Recorder, SessionEnd, SessionId, SessionKind, SessionStart, TerminalInfo};
use crate::terminal::Size;

/// How a session ended: what the books say.
type End = (Outcome, Option<u8>, Option<String>);

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
            let start = SessionStart {
                id: SessionId::new(clock.now()),
                person: Person { username: "alice".to_owned(), issuer: None, subject: None },
                request: "oncall-debug-bcdfgh".to_owned(),
                policy: "oncall-debug".to_owned(),
                reason: None,
                kind: SessionKind::Exec,
                namespace: "payments".to_owned(),
                target: None,
                pod: None,
                container: None,
                port: None,
                command: None,
                terminal: terminal.map(|terminal| TerminalInfo {
                    columns: terminal.size.columns,
                    rows: terminal.size.rows,
                    term: None,
                }),
                peer: None,
                record: true,
            };
            let recording = Arc::new(recorder.begin(start).await.unwrap());
            let (tell, heard) = mpsc::unbounded_channel();
            let hung_up = CancellationToken::new();
            let half_close = line != "old-cat";
            let ear = PodEar { tell, hung_up: hung_up.clone(), half_close };
            let mut pod = Pod { heard, program: line };
            let hold = Hold {
                clock,
                ends_at,
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
            let end = ending::tell(&output, &why).await;
            ends.lock().unwrap().push(end.clone());
            let recording = Arc::into_inner(recording).expect("nobody else holds the recording");
            let _ = recording
                .finish(SessionEnd {
                    outcome: end.0,
                    exit: end.1,
                    bytes_in: counts.bytes_in(),
                    bytes_out: counts.bytes_out(),
                    why: end.2,
                })
                .await;
        }
        .boxed()
    }

    fn tunnel(&self, ask: TunnelAsk) -> BoxFuture<'static, ()> {
        ask.reply.prohibit("no tunnels").boxed()
    }
}

struct Stage {
    house: House,
    clock: Arc<ManualClock>,
    end: watch::Sender<Option<GrantEnd>>,
    hung_up: Arc<AtomicUsize>,
    ends: Arc<Mutex<Vec<End>>>,
    recordings: tempfile::TempDir,
    draining: CancellationToken,
}

const START: &str = "2026-11-21T12:00:00Z";

impl Stage {
    /// A grant that ends ten minutes from now.
    async fn open() -> Self {
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

    fn ssh(&self, options: &[&str], words: &[&str]) -> Command {
        let mut command = self.house.bare_ssh();
        command.args(options).args(["-o", "IdentitiesOnly=yes", "-i"]).arg(self.house.path("alice"));
        command.arg("prod-gw").args(words);
        command
    }

    async fn start(&self, options: &[&str], words: &[&str]) -> Child {
        let child = self.ssh(options, words).stdin(Stdio::piped()).spawn().unwrap();
        while self.house.running.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        child
    }

    async fn over(&self) -> End {
        for _ in 0..300 {
            if let Some(end) = self.ends.lock().unwrap().last() {
                return end.clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it has not ended");
    }

    fn cast(&self) -> PathBuf {
        let day = self.recordings.path().join("2026-11-21");
        let files = std::fs::read_dir(day).unwrap().map(|file| file.unwrap().path());
        files.into_iter().find(|path| path.extension().is_some_and(|end| end == "cast")).expect("a recording")
    }
}

async fn end_of(child: Child) -> super::house::Said {
    told(&tokio::time::timeout(Duration::from_secs(10), child.wait_with_output()).await.unwrap().unwrap())
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_ends_with_its_own_status_and_everything_shown_is_on_record() {
    let stage = Stage::open().await;
    let said = said(stage.ssh(&[], &["both"])).await;
    assert_eq!((said.out.as_str(), said.err.as_str(), said.status), ("", "beside\n", Some(42)));
    assert_eq!(stage.over().await, (Outcome::Ended, Some(42), None));
    assert!(text(&stage.cast()).contains("beside"));
}

#[tokio::test(flavor = "multi_thread")]
async fn input_goes_to_its_end() {
    let stage = Stage::open().await;
    let mut child = stage.start(&[], &["cat"]).await;
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&[b'x'; 300_000]).await.unwrap();
    drop(stdin);
    let said = end_of(child).await;
    assert_eq!((said.out.len(), said.status), (300_000, Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_server_that_cannot_pass_the_end_of_input_this_is_said_after_two_seconds() {
    let stage = Stage::open().await;
    let mut child = stage.start(&[], &["old-cat"]).await;
    drop(child.stdin.take());
    let started = Instant::now();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line =
        tokio::time::timeout(Duration::from_secs(5), lines.next_line()).await.unwrap().unwrap().unwrap();
    assert!(line.contains("cannot tell a command that its input has ended"), "{line}");
    assert!(started.elapsed() > Duration::from_millis(1900));
    child.kill().await.unwrap();
    assert_eq!(stage.over().await.0, Outcome::Left);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_grant_cuts_within_a_second_and_says_who_and_why() {
    let stage = Stage::open().await;
    let child = stage.start(&[], &["wait"]).await;
    let cut = Instant::now();
    let (by, reason) = ("bob".to_owned(), Some("wrong cluster".to_owned()));
    stage.end.send_replace(Some(GrantEnd::Revoked { by, reason }));
    let said = end_of(child).await;
    assert!(cut.elapsed() < Duration::from_secs(1), "{:?}", cut.elapsed());
    assert_eq!(said.err, "sallyport: cut: the grant was revoked by bob: wrong cluster\n");
    assert_eq!(said.status, Some(78));
    assert_eq!(stage.hung_up.load(Ordering::SeqCst), 1, "the pod's side was hung up");
    assert_eq!(stage.over().await.0, Outcome::Cut);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_reaches_a_client_that_takes_no_output() {
    let stage = Stage::open().await;
    let child = stage.start(&[], &["flood"]).await;
    // Until pipe, client and window are full.
    tokio::time::sleep(Duration::from_millis(500)).await;
    stage.end.send_replace(Some(GrantEnd::Expired));
    let cut = Instant::now();
    assert_eq!(stage.over().await.0, Outcome::Cut);
    assert!(cut.elapsed() < Duration::from_secs(1));
    drop(child);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_terminal_is_left_sane() {
    let stage = Stage::open().await;
    let mut child = stage.start(&["-tt"], &["editor"]).await;
    let mut stdout = child.stdout.take().unwrap();
    let mut screen = vec![0; 64];
    let _ = stdout.read(&mut screen).await.unwrap();
    stage.end.send_replace(Some(GrantEnd::Expired));
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).await.unwrap();
    let rest = String::from_utf8_lossy(&rest);
    let (_, rest) = rest.split_once('\x18').expect("the sequence under way is abandoned first");
    for sane in ["\x1b[?1049l", "\x1b[?25h", "\x1b[?1006l", "\x1b[0m"] {
        assert!(rest.contains(sane), "{sane:?} in {rest:?}");
    }
    let said = end_of(child).await;
    assert!(said.err.starts_with("sallyport: cut: the grant has ended\r\n"), "{said:?}");
    assert_eq!(said.status, Some(78));
}

#[tokio::test(flavor = "multi_thread")]
async fn warnings_come_five_minutes_and_one_minute_before_the_end() {
    let stage = Stage::open().await;
    let mut child = stage.start(&[], &["wait"]).await;
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    tokio::time::sleep(Duration::from_millis(100)).await;
    for (advance, left) in [(300, "5m"), (240, "1m")] {
        stage.clock.advance(Duration::from_secs(advance));
        let line =
            tokio::time::timeout(Duration::from_secs(5), lines.next_line()).await.unwrap().unwrap().unwrap();
        assert_eq!(line, format!("sallyport: this session ends in {left}, with its grant, at 12:10:00 UTC"));
    }
    assert!(
        tokio::time::timeout(Duration::from_millis(200), lines.next_line()).await.is_err(),
        "and no more"
    );
    child.kill().await.unwrap();
    stage.over().await;
    assert!(text(&stage.cast()).contains("ends in 5m"), "a marker in the recording");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_on_a_terminal_is_painted_and_not_on_standard_error() {
    let stage = Stage::open().await;
    let mut child = stage.start(&["-tt"], &["ticks"]).await;
    let mut stdout = child.stdout.take().unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    stage.clock.advance(Duration::from_secs(301));
    let mut all = Vec::new();
    let seen = tokio::time::timeout(Duration::from_secs(5), async {
        let mut buf = vec![0; 4096];
        while !String::from_utf8_lossy(&all).contains("this session ends in 5m") {
            let n = stdout.read(&mut buf).await.unwrap();
            all.extend_from_slice(&buf[..n]);
        }
    });
    seen.await.expect("a notice");
    child.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_ends_the_pods_side() {
    let stage = Stage::open().await;
    let mut child = stage.start(&[], &["wait"]).await;
    child.kill().await.unwrap();
    assert_eq!(stage.over().await.0, Outcome::Left);
    assert_eq!(stage.hung_up.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_broke_is_told_as_such() {
    let stage = Stage::open().await;
    let said = said(stage.ssh(&[], &["broken"])).await;
    assert_eq!((said.err.as_str(), said.status), ("sallyport: the connection to the pod broke\n", Some(69)));
    assert_eq!(stage.over().await.0, Outcome::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_stops_tells_its_sessions() {
    let stage = Stage::open().await;
    let child = stage.start(&[], &["wait"]).await;
    stage.draining.cancel();
    let said = end_of(child).await;
    assert!(said.err.contains("the gateway is stopping"), "{said:?}");
    assert_eq!((said.status, stage.over().await.0), (Some(69), Outcome::Interrupted));
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_and_interrupts_reach_the_terminal_in_the_pod() {
    let stage = Stage::open().await;
    let mut child = stage.start(&["-tt"], &["cat"]).await;
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"\x03typed").await.unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"typed") {
        let mut buf = [0; 64];
        let n = stdout.read(&mut buf).await.unwrap();
        seen.extend_from_slice(&buf[..n]);
    }
    assert!(seen.contains(&3), "Ctrl-C is a character for the pod's terminal");
    child.kill().await.unwrap();
}
