//! Nobody freezes anybody: what one session does not read, or its client does not take, is nobody else's matter.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use russh::keys::{Algorithm, PrivateKey};
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, Session};
use russh::{Channel, ChannelId, ChannelMsg, client};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::super::inbound::Bounds;
use super::super::server::Settings;
use super::house::{Said, said, told};
use super::*;

/// Small enough to be reached in a test.
const SMALL: Bounds = Bounds { memory: 256 << 10, soft: 2 << 20, hard: 6 << 20 };

/// One connection that several sessions share, as ControlMaster makes it.
struct Shared {
    house: House,
    _master: Child,
}

impl Shared {
    async fn open(bounds: Bounds) -> Self {
        let house = House::with(Settings::default(), bounds).await;
        house.alice();
        let mut command = house.bare_ssh();
        command.arg("-MN").arg("-S").arg(house.path("mux"));
        command.args(["-o", "IdentitiesOnly=yes", "-i"]).arg(house.path("alice")).arg("prod-gw");
        let master = command.spawn().unwrap();
        while !house.path("mux").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Self { house, _master: master }
    }

    fn session(&self, words: &[&str]) -> Command {
        let mut command = self.house.bare_ssh();
        command.arg("-S").arg(self.house.path("mux")).arg("prod-gw").args(words);
        command
    }

    /// Another session on the same connection has its answer: nothing that stands still may be in front of it.
    async fn others(&self) {
        let told = said(self.session(&["whoami"])).await;
        assert_eq!(told, Said { out: "alice\n".to_owned(), err: String::new(), status: Some(0) });
    }

    /// Feeds a session for as long as it takes input.
    fn feed(&self, words: &[&str]) -> Child {
        let mut child = self.session(words).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        tokio::spawn(async move { while stdin.write_all(&[b'z'; 64 << 10]).await.is_ok() {} });
        child
    }

    fn connections(&self) -> usize {
        self.house.events(crate::audit::Kind::ConnectionOpened).len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_does_not_read_freezes_nobody_and_ends_when_too_much_waits_for_it() {
    let shared = Shared::open(SMALL).await;
    let mut keys = shared.session(&["cat"]).stdin(Stdio::piped()).spawn().unwrap();
    let (mut typed, mut seen) = (keys.stdin.take().unwrap(), keys.stdout.take().unwrap());
    // Somebody who types already: too much may wait for the stuck one before another session has begun.
    typed.write_all(b"k").await.unwrap();
    assert_eq!(seen.read_u8().await.unwrap(), b'k');
    let stuck = shared.feed(&["stuck"]);
    while shared.house.running.load(Ordering::SeqCst) < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut struck = 0;
    while shared.house.running.load(Ordering::SeqCst) > 1 {
        typed.write_all(b"k").await.unwrap();
        assert_eq!(seen.read_u8().await.unwrap(), b'k');
        struck += 1;
    }
    // A window of the stuck one, half a second's worth at worst, may be in front of a keystroke. One that froze would have
    // its first one back when the stuck session is over.
    assert!(struck > 2, "{struck}");
    let end = told(
        &tokio::time::timeout(Duration::from_secs(60), stuck.wait_with_output()).await.unwrap().unwrap(),
    );
    assert_eq!((end.status, end.err.as_str()), (Some(69), "sallyport: more input than can be kept\n"));
    shared.others().await;
    assert_eq!(shared.connections(), 1, "all of it on one connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_room_to_spare_a_stuck_pod_is_not_even_noticed() {
    let shared = Shared::open(Bounds { memory: 256 << 10, ..Bounds::default() }).await;
    let mut stuck = shared.session(&["stuck"]);
    let mut stuck = stuck.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = stuck.stdin.take().unwrap();
    let feed = tokio::spawn(async move {
        for _ in 0..640 {
            stdin.write_all(&[b'z'; 64 << 10]).await.unwrap();
        }
        stdin
    });
    for _ in 0..5 {
        shared.others().await;
    }
    let _stdin =
        tokio::time::timeout(Duration::from_secs(90), feed).await.expect("40 MiB are taken in").unwrap();
    shared.others().await;
    stuck.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_pod_gets_everything_at_its_own_pace() {
    let shared = Shared::open(SMALL).await;
    let mut child = shared.session(&["sip", "5"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // More than the soft bound; each sip takes at most a piece of 256 KiB.
    for _ in 0..160 {
        stdin.write_all(&[b'z'; 64 << 10]).await.unwrap();
    }
    drop(stdin);
    let status = tokio::time::timeout(Duration::from_secs(90), child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_does_not_lock_up_however_little_is_kept() {
    let tiny = Bounds { memory: 64 << 10, soft: 256 << 10, hard: 64 << 20 };
    let shared = Shared::open(tiny).await;
    let mut child = shared.session(&["cat"]).stdin(Stdio::piped()).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let total = 24_usize << 20;
    tokio::spawn(async move {
        for _ in 0..total / (64 << 10) {
            stdin.write_all(&[b'z'; 64 << 10]).await.unwrap();
        }
    });
    // The client reads nothing for a while, so everything backs up, both ways.
    tokio::time::sleep(Duration::from_millis(800)).await;
    let mut back = Vec::new();
    tokio::time::timeout(Duration::from_secs(90), stdout.read_to_end(&mut back))
        .await
        .expect("no deadlock")
        .unwrap();
    assert_eq!(back.len(), total);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_take_its_output_holds_up_only_itself() {
    let shared = Shared::open(SMALL).await;
    let mut flood = shared.session(&["flood", "64"]).spawn().unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    for _ in 0..3 {
        shared.others().await;
    }
    let mut out = Vec::new();
    flood.stdout.take().unwrap().read_to_end(&mut out).await.unwrap();
    assert_eq!(out.len(), 64 << 20, "and nothing of it is lost");
}

/// A server as the library's examples have it: each channel's messages are read by whoever works on the channel.
struct Plain {
    kept: Vec<Channel<Msg>>,
}

impl Handler for Plain {
    type Error = russh::Error;

    async fn auth_none(&mut self, _user: &str) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.kept.push(channel);
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }
}

struct Anyone;

impl client::Handler for Anyone {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        _key: &russh::keys::PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

/// The fault in the library that `inbound` exists for. When this test fails the library has learned to hold back a
/// window, and most of `inbound` can go.
#[tokio::test(flavor = "multi_thread")]
async fn the_library_alone_stops_a_whole_connection_for_one_channel_that_is_not_read() {
    let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
    let config = russh::server::Config { keys: vec![key], channel_buffer_size: 4, ..Default::default() };
    let (near, far) = tokio::io::duplex(1 << 20);
    tokio::spawn(russh::server::run_stream(Arc::new(config), far, Plain { kept: Vec::new() }));
    let mut client = client::connect_stream(Arc::new(client::Config::default()), near, Anyone).await.unwrap();
    assert!(client.authenticate_none("x").await.unwrap().success());
    let unread = client.channel_open_session().await.unwrap();
    let mut other = client.channel_open_session().await.unwrap();
    let works = tokio::time::timeout(Duration::from_secs(60), async {
        other.exec(true, "first").await.unwrap();
        while !matches!(other.wait().await, Some(ChannelMsg::Success)) {}
    });
    works.await.expect("both channels are fine");
    for _ in 0..8 {
        unread.data_bytes(vec![0; 1000]).await.unwrap();
    }
    let works = tokio::time::timeout(Duration::from_secs(1), async {
        other.exec(true, "second").await.unwrap();
        while !matches!(other.wait().await, Some(ChannelMsg::Success)) {}
    });
    assert!(works.await.is_err(), "8 kB on one channel have stopped the other");
}
