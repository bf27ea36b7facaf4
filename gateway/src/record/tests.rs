use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use super::*;
use crate::audit::Person;
use crate::clock::{Clock, ManualClock};
use crate::terminal::Size;

mod strict;

fn start(kind: SessionKind, now: Timestamp) -> SessionStart {
    SessionStart {
        id: SessionId::new(now),
        person: Person { username: "alice".into(), issuer: None, subject: None },
        request: "oncall-debug-bcdfgh".into(),
        policy: "oncall-debug".into(),
        reason: Some("INC-4711".into()),
        kind,
        namespace: "payments".into(),
        target: Some("deploy/api".into()),
        pod: Some("api-0".into()),
        container: Some("app".into()),
        port: None,
        command: None,
        terminal: Some(TerminalInfo { columns: 100, rows: 30, term: Some("xterm".into()) }),
        peer: None,
        record: true,
        strict: false,
    }
}

fn ended() -> SessionEnd {
    SessionEnd { outcome: Outcome::Ended, exit: Some(3), bytes_in: 1, bytes_out: 2, why: None }
}

struct Bench {
    dir: tempfile::TempDir,
    clock: std::sync::Arc<ManualClock>,
    recorder: Recorder,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::at("2026-11-21T23:59:58Z".parse().unwrap());
        let recorder = Recorder::new(dir.path().join("rec"), clock.clone()).unwrap();
        Self { dir, clock, recorder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("rec/2026-11-21").join(name)
    }

    fn session(&self, id: &SessionId) -> Session {
        serde_json::from_slice(&std::fs::read(self.path(&format!("{id}.json"))).unwrap()).unwrap()
    }

    fn open(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("rec/open")).unwrap().count()
    }
}

/// Holds a file to the asciicast v2 format, line by line, and returns the output events' text.
fn played(cast: &str) -> String {
    assert!(cast.ends_with('\n'));
    let mut lines = cast.lines();
    let header: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!(header["version"], 2);
    assert!(header["width"].is_u64() && header["height"].is_u64() && header["timestamp"].is_i64());
    let (mut last, mut text) = (0.0, String::new());
    for line in lines {
        let event: (f64, String, String) = serde_json::from_str(line).unwrap();
        assert!(event.0 >= last, "time runs backwards at {line}");
        last = event.0;
        match event.1.as_str() {
            "o" => text.push_str(&event.2),
            "r" => assert!(event.2.split('x').all(|n| n.parse::<u16>().is_ok())),
            "m" => {}
            other => panic!("unknown event `{other}`"),
        }
    }
    text
}

#[tokio::test]
async fn a_session_is_on_disk_from_its_first_moment_to_its_last() {
    let bench = Bench::new();
    let recording = bench.recorder.begin(start(SessionKind::Shell, bench.clock.now())).await.unwrap();
    let id = recording.id().clone();
    let open = bench.session(&id);
    assert_eq!((open.end, open.recording), (None, Some(format!("{id}.cast"))));
    assert_eq!(played(&std::fs::read_to_string(bench.path(&format!("{id}.cast"))).unwrap()), "");

    bench.clock.advance(Duration::from_secs(5));
    recording.output(Bytes::from_static(b"$ l\xc3")).await.unwrap();
    recording.resize(Size { columns: 80, rows: 24 }).await.unwrap();
    recording.output(Bytes::from_static(b"\xa9s\r\n")).await.unwrap();
    recording.marker("1 minute left").await.unwrap();
    recording.finish(ended()).await.unwrap();

    let cast = std::fs::read_to_string(bench.path(&format!("{id}.cast"))).unwrap();
    assert_eq!(played(&cast), "$ l\u{e9}s\r\n");
    assert!(cast.contains("[5.000000,\"r\",\"80x24\"]\n"));
    let end = bench.session(&id).end.unwrap();
    assert_eq!(
        (end.outcome, end.exit, end.bytes_in, end.bytes_out),
        (Outcome::Ended, Some(3), Some(1), Some(2))
    );
    assert_eq!(end.at, bench.clock.now());
    assert_eq!(bench.open(), 0);
    for (path, mode) in [(bench.path(""), 0o700), (bench.path(&format!("{id}.cast")), 0o600)] {
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
    }
}

#[tokio::test]
async fn what_was_shown_is_in_the_file_while_the_session_lasts() {
    let bench = Bench::new();
    let recording = bench.recorder.begin(start(SessionKind::Exec, bench.clock.now())).await.unwrap();
    let path = bench.path(&format!("{}.cast", recording.id()));
    recording.output(Bytes::from_static(b"before the crash")).await.unwrap();
    for _ in 0..6000 {
        if played(&std::fs::read_to_string(&path).unwrap()) == "before the crash" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not written while the session lasts");
}

#[tokio::test]
async fn a_session_without_pictures_has_only_metadata() {
    let bench = Bench::new();
    let mut unrecorded = start(SessionKind::Shell, bench.clock.now());
    unrecorded.record = false;
    for start in [start(SessionKind::Logs, bench.clock.now()), unrecorded] {
        let recording = bench.recorder.begin(start).await.unwrap();
        let id = recording.id().clone();
        assert!(!recording.records());
        recording.output(Bytes::from_static(b"line\n")).await.unwrap();
        recording.finish(ended()).await.unwrap();
        assert_eq!(bench.session(&id).recording, None);
        assert!(!bench.path(&format!("{id}.cast")).exists());
    }
}

/// A recording whose file is on a full disk.
async fn on_a_full_disk(bench: &Bench) -> Recording {
    let start = start(SessionKind::Shell, bench.clock.now());
    let (id, paths) = (start.id.clone(), bench.recorder.paths(&start.id, "2026-11-21"));
    let recording = bench.recorder.begin(start).await.unwrap();
    let session = bench.session(&id);
    recording.finish(ended()).await.unwrap();
    let lock = std::fs::File::create(&paths.open).unwrap();
    let cast = Some(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    Recording::start(
        id,
        recorder::Begun { session, paths, lock, cast },
        bench.clock.clone(),
        bench.recorder.sync.clone(),
    )
}

#[tokio::test]
async fn a_full_disk_fails_the_session_even_an_idle_one() {
    let bench = Bench::new();
    let recording = on_a_full_disk(&bench).await;
    let failed = recording.failed();
    recording.output(Bytes::from_static(b"x")).await.unwrap();
    assert!(matches!(failed.await, RecordError::Write { .. }));
    let error = loop {
        if let Err(error) = recording.output(Bytes::from_static(b"x")).await {
            break error;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(
        (error.exit_status(), error.to_string().as_str()),
        (79, "cannot record: writing the recording failed")
    );
    let id = recording.id().clone();
    let end = SessionEnd { outcome: Outcome::Failed, why: Some(error.to_string()), ..ended() };
    recording.finish(end).await.unwrap_err();
    assert_eq!(
        bench.session(&id).end.unwrap().outcome,
        Outcome::Failed,
        "the end is written down all the same"
    );
}

#[tokio::test]
async fn a_sender_that_waits_for_a_failed_writer_is_let_go() {
    let bench = Bench::new();
    let recording = on_a_full_disk(&bench).await;
    let flood = Bytes::from(vec![b'x'; 300 * 1024]);
    let flooding = async { while recording.output(flood.clone()).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(20), flooding).await.unwrap();
}

#[tokio::test]
async fn a_recording_that_is_dropped_says_that_it_was_interrupted() {
    let bench = Bench::new();
    let recording = bench.recorder.begin(start(SessionKind::Shell, bench.clock.now())).await.unwrap();
    let id = recording.id().clone();
    drop(recording);
    while bench.open() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(bench.session(&id).end.unwrap().outcome, Outcome::Interrupted);
}

#[tokio::test]
async fn a_sweep_closes_what_a_killed_gateway_left_and_nothing_that_lives() {
    let bench = Bench::new();
    let living = bench.recorder.begin(start(SessionKind::Shell, bench.clock.now())).await.unwrap();
    // What a kill leaves: files as they were, the lock gone, perhaps half a line.
    let dead = start(SessionKind::Shell, bench.clock.now());
    let id = dead.id.clone();
    let recording = bench.recorder.begin(dead).await.unwrap();
    recording.output(Bytes::from_static(b"last words")).await.unwrap();
    let open = std::fs::read(bench.dir.path().join("rec/open").join(id.as_str())).unwrap();
    let metadata = std::fs::read(bench.path(&format!("{id}.json"))).unwrap();
    recording.finish(ended()).await.unwrap();
    std::fs::write(bench.dir.path().join("rec/open").join(id.as_str()), open).unwrap();
    std::fs::write(bench.path(&format!("{id}.json")), metadata).unwrap();
    let cast = bench.path(&format!("{id}.cast"));
    let whole = std::fs::read_to_string(&cast).unwrap();
    std::fs::write(&cast, format!("{whole}[9.5,\"o\",\"to")).unwrap();

    let closed = bench.recorder.sweep().await.unwrap();
    assert_eq!(closed.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), [id.as_str()]);
    assert_eq!(bench.session(&id).end.unwrap().outcome, Outcome::Interrupted);
    assert_eq!(std::fs::read_to_string(&cast).unwrap(), whole);
    assert_eq!(bench.session(living.id()).end, None);
    assert!(bench.recorder.sweep().await.unwrap().is_empty());
    living.finish(ended()).await.unwrap();
}

#[test]
fn a_directory_that_cannot_be_written_is_found_at_the_start() {
    let error =
        Recorder::new("/dev/null/recordings".into(), ManualClock::at(Timestamp::UNIX_EPOCH)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot record: the recordings' directory `/dev/null/recordings` cannot be written"
    );
}

#[tokio::test]
async fn commands_are_listed_beside_the_recording_and_are_markers_in_it() {
    let bench = Bench::new();
    let recording = bench.recorder.begin(start(SessionKind::Shell, bench.clock.now())).await.unwrap();
    let id = recording.id().clone();
    let line = CommandLine {
        at: jiff::Timestamp::UNIX_EPOCH,
        way: "guarded".to_owned(),
        line: "cat /etc/shadow".to_owned(),
        argv: vec!["cat".to_owned(), "/etc/shadow".to_owned()],
        directory: Some("/".to_owned()),
        outcome: CommandOutcome::Refused,
        rule: "protected paths".to_owned(),
        assurance: "boundary".to_owned(),
        why: Some("it is protected".to_owned()),
        approved_by: None,
    };
    recording.command(line.clone()).await.unwrap();
    recording.finish(ended()).await.unwrap();
    let text = |ending: &str| std::fs::read_to_string(bench.path(&format!("{id}.{ending}"))).unwrap();
    assert_eq!(serde_json::from_str::<CommandLine>(text("commands").trim_end()).unwrap(), line);
    assert!(text("cast").contains("\"m\",\"refused: cat /etc/shadow\""));
}
