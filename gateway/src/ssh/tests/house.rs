//! A server to knock at: real authority, real sockets, toy work.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, Certificate, PrivateKey};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::super::channel::{Ask, Session, TunnelAsk};
use super::super::inbound::Bounds;
use super::super::outflow::Ending;
use super::super::server::{self, Settings, Shared, Work};
use crate::audit::{Audit, Event, Kind};
use crate::ca::Authority;
use crate::clock::{Clock, SharedClock, SystemClock};
use crate::identity::Identity;

/// Does what a command's first word says.
#[derive(Debug, Default)]
pub(super) struct Toy {
    pub(super) running: Arc<AtomicUsize>,
}

struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Work for Toy {
    fn session(&self, session: Session) -> BoxFuture<'static, ()> {
        self.running.fetch_add(1, Ordering::SeqCst);
        let running = Running(Arc::clone(&self.running));
        async move {
            let _running = running;
            toy(session).await;
        }
        .boxed()
    }

    fn tunnel(&self, mut ask: TunnelAsk) -> BoxFuture<'static, ()> {
        async move {
            match (ask.host.as_str(), ask.port) {
                ("echo.test.svc", 7) => {
                    ask.reply.accept().await;
                    while let Ok(Some(bytes)) = ask.input.next().await {
                        if ask.output.stdout(bytes).await.is_err() {
                            return;
                        }
                    }
                    ask.output.eof().await;
                }
                ("closed.test.svc", _) => ask.reply.unreachable("nobody listens there").await,
                _ => ask.reply.prohibit("no grant lets you go there").await,
            }
        }
        .boxed()
    }
}

async fn toy(mut session: Session) {
    let output = &session.output;
    let line = match &session.ask {
        Ask::Shell => "shell".to_owned(),
        Ask::Command(line) => line.clone(),
        Ask::Subsystem(name) => format!("subsystem {name}"),
    };
    let words: Vec<&str> = line.split(' ').collect();
    let mut ending = Ending::Status(0);
    match words.as_slice() {
        ["whoami"] => {
            let text = match session.connection.person() {
                Ok(certificate) => certificate.identity.username().to_owned(),
                Err(why) => format!("nobody: {why}"),
            };
            let _ = output.stdout(Bytes::from(text + "\n")).await;
        }
        ["cat"] => loop {
            match session.input.next().await {
                Ok(Some(bytes)) => {
                    if output.stdout(bytes).await.is_err() {
                        return;
                    }
                }
                Ok(None) => break,
                Err(_) => return,
            }
        },
        // Takes what it is given slowly.
        ["sip", pause] => loop {
            match session.input.next().await {
                Ok(Some(_)) => tokio::time::sleep(Duration::from_millis(pause.parse().unwrap())).await,
                Ok(None) => break,
                _ => return,
            }
        },
        ["stuck"] => {
            tokio::select! {
                () = output.gone() => {}
                () = session.control.overfull.cancelled() => {
                    output.say("more input than can be kept").await;
                    ending = Ending::Status(69);
                }
            }
        }
        ["flood", mebibytes] => {
            let chunk = Bytes::from(vec![b'x'; 1 << 20]);
            for _ in 0..mebibytes.parse::<u32>().unwrap() {
                if output.stdout(chunk.clone()).await.is_err() {
                    return;
                }
            }
        }
        ["exit", status] => {
            let _ = output.stderr(Bytes::from_static(b"to stderr\n")).await;
            ending = Ending::Status(status.parse().unwrap());
        }
        ["die", name] => ending = Ending::Signal { name: (*name).to_owned(), message: "killed".to_owned() },
        ["terminal"] => {
            let text = match &session.terminal {
                Some(terminal) => {
                    format!("{} {}x{}", terminal.name, terminal.size.columns, terminal.size.rows)
                }
                None => "none".to_owned(),
            };
            let _ = output.stdout(Bytes::from(format!("{text} {:?}\n", session.env))).await;
        }
        ["panic"] => panic!("as told"),
        ["wait-signal"] => {
            let _ = output.stdout(Bytes::from_static(b"ready\n")).await;
            if let Some(name) = session.control.signals.recv().await {
                let _ = output.stdout(Bytes::from(name + "\n")).await;
            }
        }
        _ => {
            output.say(&format!("`{line}` is not known here")).await;
            ending = Ending::Status(64);
        }
    }
    output.end(ending).await;
}

/// The server and everything a client needs to reach it.
pub(super) struct House {
    pub(super) address: SocketAddr,
    pub(super) dir: tempfile::TempDir,
    pub(super) authority: Arc<Authority>,
    pub(super) audit: Audit,
    /// Sessions that run.
    pub(super) running: Arc<AtomicUsize>,
    pub(super) shared: Arc<Shared>,
    pub(super) shutdown: CancellationToken,
}

impl Drop for House {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

pub(super) const SHORT: Duration = Duration::from_secs(3600);

impl House {
    pub(super) async fn open() -> Self {
        Self::with(Settings::default(), Bounds::default()).await
    }

    pub(super) async fn with(settings: Settings, bounds: Bounds) -> Self {
        let toy = Arc::new(Toy::default());
        let running = Arc::clone(&toy.running);
        Self::working(settings, bounds, toy, running).await
    }

    pub(super) async fn working(
        settings: Settings,
        bounds: Bounds,
        work: Arc<dyn Work>,
        running: Arc<AtomicUsize>,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Arc::new(Authority::init(&dir.path().join("ca")).unwrap());
        let clock: SharedClock = Arc::new(SystemClock);
        let audit = Audit::in_memory();
        let mut shared = Shared::new(settings, clock.clone(), audit.clone(), Arc::clone(&authority), work);
        shared.bounds = bounds;
        let shared = Arc::new(shared);
        let host = authority.host(&["prod-gw".to_owned()], SHORT, clock.now()).unwrap();
        let config = Arc::new(server::config(vec![host.key], vec![host.certificate]));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let known = format!("@cert-authority prod-gw {}\n", authority.host_ca_public().to_openssh().unwrap());
        fs::write(dir.path().join("known_hosts"), known).unwrap();
        tokio::spawn(server::run(
            Arc::clone(&shared),
            move || Arc::clone(&config),
            listener,
            shutdown.clone(),
        ));
        Self { address, dir, authority, audit, running, shared, shutdown }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A key pair as ssh-keygen leaves it.
    pub(super) fn key(&self, name: &str) -> PrivateKey {
        let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
        let path = self.path(name);
        fs::write(&path, key.to_openssh(LineEnding::LF).unwrap()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(path.with_extension("pub"), key.public_key().to_openssh().unwrap()).unwrap();
        key
    }

    /// A certificate for it, put beside it.
    pub(super) fn certify(&self, name: &str, key: &PrivateKey, who: &str, now: Timestamp) -> Certificate {
        self.certify_by(&self.authority, name, key, who, now)
    }

    pub(super) fn certify_by(
        &self,
        authority: &Authority,
        name: &str,
        key: &PrivateKey,
        who: &str,
        now: Timestamp,
    ) -> Certificate {
        let identity = Identity::for_tests(who, &["oncall"]);
        let issued = authority.issue(&identity, key.public_key(), SHORT, now).unwrap();
        fs::write(self.path(&format!("{name}-cert.pub")), issued.certificate.to_openssh().unwrap()).unwrap();
        issued.certificate
    }

    /// A person who is signed in.
    pub(super) fn alice(&self) -> PrivateKey {
        let key = self.key("alice");
        self.certify("alice", &key, "alice", SystemClock.now());
        key
    }

    /// The real ssh, knowing only this house.
    pub(super) fn ssh(&self, key: &str, words: &[&str]) -> Command {
        let mut command = self.bare_ssh();
        command.args(["-o", "IdentitiesOnly=yes", "-i"]).arg(self.path(key));
        command.args(["alice@prod-gw"]).args(words);
        command
    }

    /// Without a key and without a host.
    pub(super) fn bare_ssh(&self) -> Command {
        let mut command = Command::new("ssh");
        command.args([
            "-F",
            "none",
            "-o",
            "StrictHostKeyChecking=yes",
            "-o",
            "GlobalKnownHostsFile=/dev/null",
        ]);
        command.args(["-o", &format!("UserKnownHostsFile={}", self.path("known_hosts").display())]);
        command.args(["-o", "HostKeyAlias=prod-gw", "-o", "HostName=127.0.0.1"]);
        command.args(["-o", &format!("Port={}", self.address.port())]);
        command.env_remove("SSH_AUTH_SOCK").env("HOME", self.dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    pub(super) async fn run(&self, key: &str, words: &[&str]) -> Said {
        said(self.ssh(key, words)).await
    }

    pub(super) fn events(&self, kind: Kind) -> Vec<Event> {
        self.audit.kept().into_iter().filter(|event| event.event == kind).collect()
    }

    /// Waits for an event, since a client may be gone before the server has written it.
    pub(super) async fn event(&self, kind: Kind) -> Event {
        for _ in 0..6000 {
            if let Some(event) = self.events(kind).pop() {
                return event;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no {kind:?} among {:#?}", self.audit.kept());
    }
}

/// What a command printed and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) out: String,
    pub(super) err: String,
    pub(super) status: Option<i32>,
}

pub(super) async fn said(mut command: Command) -> Said {
    let output =
        tokio::time::timeout(Duration::from_secs(90), command.output()).await.expect("in time").unwrap();
    told(&output)
}

pub(super) fn told(output: &Output) -> Said {
    Said {
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
        status: output.status.code(),
    }
}

/// An agent with nothing in it; dies with the value.
pub(super) struct Agent {
    socket: PathBuf,
    _process: tokio::process::Child,
}

impl Agent {
    pub(super) async fn start(dir: &Path) -> Self {
        let socket = dir.join("agent");
        let mut command = Command::new("ssh-agent");
        command.arg("-D").arg("-a").arg(&socket).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap();
        for _ in 0..6000 {
            if socket.exists() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Self { socket, _process: process }
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(super) async fn add(&self, key: &Path) {
        let mut add = Command::new("ssh-add");
        add.arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.socket).stdin(Stdio::null());
        let output = add.output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Connects to a socket that `ssh` is about to listen on: the file is there a moment before it does.
pub(super) async fn listening(socket: &Path) -> tokio::net::UnixStream {
    for _ in 0..6000 {
        if let Ok(stream) = tokio::net::UnixStream::connect(socket).await {
            return stream;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("ssh does not listen on {}", socket.display());
}
